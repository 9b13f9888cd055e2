// Making a new database.
//
// The order: directory; log directory; data file under a temporary name with everything in it, synced; rename.
// That is the moment at which the database exists: a crash before it leaves leftovers that the next attempt takes
// over, a crash after it an empty database or, of the machine, none. Its names are made durable by the first open
// for writing, before it changes anything: who made the database may have been killed right after the rename.

#ifndef KEEL_ENGINE_CREATE_H_
#define KEEL_ENGINE_CREATE_H_

#include <absl/status/statusor.h>
#include <keel/options.h>

#include <cstdint>
#include <filesystem>

#include "io/file_system.h"

namespace keel::engine {

// Of the database as it is made; the first open for writing is the next one.
inline constexpr uint64_t kFirstIncarnation = 1;

// Returns false if somebody else made it meanwhile. InvalidArgument: the directory holds something else.
// DataLoss: it holds a log but no data file.
absl::StatusOr<bool> CreateDatabase(io::FileSystem& file_system,
                                    const std::filesystem::path& directory, const Options& options);

// Makes what is missing of the log's directory, its name durable.
absl::Status MakeLogDirectory(io::FileSystem& file_system, const std::filesystem::path& directory);

// Syncs the directory and its parent.
absl::Status MakeNamesDurable(io::FileSystem& file_system, const std::filesystem::path& directory);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_CREATE_H_
