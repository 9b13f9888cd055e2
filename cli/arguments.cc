#include "cli/arguments.h"

#include <keel/database.h>

#include <algorithm>

#include "base/status.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

void SetBackend(const std::string& name, Options* options) {
  options->io_backend = name == "uring" ? IoBackend::kUring : IoBackend::kPosix;
}

absl::Status CheckLimit(std::string_view what, uint64_t bytes, uint64_t limit) {
  if (bytes <= limit) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    "the %s has %d bytes; at most %d are allowed", what, bytes, limit);
}

}  // namespace

CLI::Option* AddSizeOption(CLI::App& command, const std::string& name, uint64_t* bytes,
                           const std::string& description) {
  const auto set = [bytes, name](const std::string& text) {
    const absl::StatusOr<uint64_t> size = ParseSize(text);
    if (!size.ok()) throw CLI::ValidationError(name, std::string(MessageOf(size.status())));
    *bytes = *size;
  };
  return command.add_option_function<std::string>(name, set, description)->type_name("SIZE");
}

void DatabaseArguments::AddTo(CLI::App& command) {
  command.add_option("DB", directory, "Directory of the database")->required();
  constexpr char kGroup[] = "Options of the database";
  AddSizeOption(command, "--memory", &options.memory_bytes,
                "All memory it uses (a quarter of the machine's)")
      ->group(kGroup);
  AddSizeOption(command, "--log-segment", &options.log_segment_bytes,
                "Size that log segments grow to (64MiB)")
      ->group(kGroup);
  AddSizeOption(command, "--checkpoint-log", &options.checkpoint_log_bytes,
                "Log that is written between two checkpoints (256MiB)")
      ->group(kGroup);
  command
      .add_option_function<std::string>(
          "--io", [this](const std::string& name) { SetBackend(name, &options); },
          "How files are read and written (whichever works)")
      ->type_name("uring|posix")
      ->check(CLI::IsMember({"uring", "posix"}).description(""))
      ->group(kGroup);
  command
      .add_flag_callback(
          "--no-direct", [this] { options.direct_io = false; },
          "Go through the operating system's page cache")
      ->group(kGroup);
}

void KeyArguments::AddTo(CLI::App& command) {
  command.add_option("-k,--keyspace", keyspace, "Keyspace (default)")->type_name("NAME");
  command.add_flag("--hex", hex, "Keys and values in hexadecimal");
}

absl::StatusOr<std::string> KeyArguments::Key(std::string_view text) const {
  KEEL_ASSIGN_OR_RETURN(std::string key, FromText(text, form()));
  KEEL_RETURN_IF_ERROR(CheckLimit("key", key.size(), kMaxKeyBytes));
  return key;
}

absl::StatusOr<std::string> KeyArguments::Value(std::string_view text) const {
  KEEL_ASSIGN_OR_RETURN(std::string value, FromText(text, form()));
  KEEL_RETURN_IF_ERROR(CheckLimit("value", value.size(), kMaxValueBytes));
  return value;
}

void RangeArguments::AddTo(CLI::App& command) {
  command.add_option("--prefix", prefix, "Keys that begin with it")->type_name("P");
  command.add_option("--from", from, "Keys from this one on")->type_name("K");
  command.add_option("--to", to, "Keys before this one")->type_name("K");
}

absl::StatusOr<KeyRange> RangeArguments::Range(const KeyArguments& keys) const {
  KEEL_ASSIGN_OR_RETURN(const std::string start, keys.Key(prefix.value_or("")));
  const KeyRange prefixed = KeyRange::Prefix(start);
  std::string begin(prefixed.begin_key());
  std::optional<std::string> end = prefixed.end_key();
  if (from) {
    KEEL_ASSIGN_OR_RETURN(const std::string bound, keys.Key(*from));
    begin = std::max(begin, bound);
  }
  if (to) {
    KEEL_ASSIGN_OR_RETURN(const std::string bound, keys.Key(*to));
    end = end ? std::min(*end, bound) : bound;
  }
  return end ? KeyRange(begin, *end) : KeyRange::From(begin);
}

}  // namespace keel::cli
