// The formats of load and dump on the command line.

#ifndef KEEL_CLI_FORMAT_ARGUMENT_H_
#define KEEL_CLI_FORMAT_ARGUMENT_H_

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/arguments.h"
#include "cli/record.h"

namespace keel::cli {

// --format; stays empty where it is not given.
void AddFormatOption(CLI::App& command, std::optional<RecordFormat>* format);

// InvalidArgument: --hex with a format other than tsv.
absl::Status CheckHexGoesWith(RecordFormat format, const KeyArguments& keys);

// Says what the formats are.
extern const char kFormatFooter[];

}  // namespace keel::cli

#endif  // KEEL_CLI_FORMAT_ARGUMENT_H_
