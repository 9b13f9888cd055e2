// Arguments that several commands share.

#ifndef KEEL_CLI_ARGUMENTS_H_
#define KEEL_CLI_ARGUMENTS_H_

#include <absl/status/statusor.h>
#include <keel/key_range.h>
#include <keel/options.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/text.h"

namespace keel::cli {

// DB and how to open it.
struct DatabaseArguments {
  std::string directory;
  Options options;

  void AddTo(CLI::App& command);
};

// An option of a SIZE.
CLI::Option* AddSizeOption(CLI::App& command, const std::string& name, uint64_t* bytes,
                           const std::string& description);

// Which keyspace, and how keys and values are written.
struct KeyArguments {
  std::string keyspace = "default";
  bool hex = false;

  void AddTo(CLI::App& command);

  TextForm form() const { return hex ? TextForm::kHex : TextForm::kEscaped; }
  // A key from the command line. InvalidArgument: malformed, or over the limit.
  absl::StatusOr<std::string> Key(std::string_view text) const;
  absl::StatusOr<std::string> Value(std::string_view text) const;
};

// Which keys of a keyspace: those with a prefix, from and up to given ones.
struct RangeArguments {
  std::optional<std::string> prefix;
  std::optional<std::string> from;
  std::optional<std::string> to;

  void AddTo(CLI::App& command);

  // InvalidArgument: a bound is malformed.
  absl::StatusOr<KeyRange> Range(const KeyArguments& keys) const;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_ARGUMENTS_H_
