// The log in words: every segment, what stands in it, and what the records say.

#ifndef KEEL_CLI_INSPECT_LOG_H_
#define KEEL_CLI_INSPECT_LOG_H_

#include <absl/status/status.h>

#include <filesystem>

#include "cli/output.h"
#include "io/file_system.h"

namespace keel::cli {

struct InspectLogOptions {
  bool records = false;
  bool operations = false;  // and with them records
};

// Goes on past what cannot be read. With `json` one object a segment, one segment a line. NotFound: there
// is no log in `database`.
absl::Status PrintLog(io::FileSystem* file_system, const std::filesystem::path& database,
                      const InspectLogOptions& options, bool json, Output* output);

}  // namespace keel::cli

#endif  // KEEL_CLI_INSPECT_LOG_H_
