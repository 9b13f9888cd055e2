// Making a new database.
//
// The order: directory; log directory; data file under a temporary name with everything in it, synced; rename;
// sync of the directory and of its parent. The rename is the moment at which the database exists: a crash
// before it leaves leftovers that the next attempt takes over, a crash after it an empty database.

#ifndef KEEL_ENGINE_CREATE_H_
#define KEEL_ENGINE_CREATE_H_

#include <absl/status/statusor.h>
#include <keel/options.h>

#include <filesystem>

#include "io/file_system.h"

namespace keel::engine {

// Returns false if somebody else made it meanwhile. InvalidArgument: the directory holds something else.
// DataLoss: it holds a log but no data file.
absl::StatusOr<bool> CreateDatabase(io::FileSystem& file_system,
                                    const std::filesystem::path& directory, const Options& options);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_CREATE_H_
