// keel put DB KEY VALUE: stores one pair, durably.

#include <keel/database.h>

#include <memory>
#include <optional>

#include "base/status.h"
#include "cli/byte_source.h"
#include "cli/commands.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  KeyArguments keys;
  std::string key;
  std::optional<std::string> value;
  std::optional<std::string> value_file;
};

// All bytes of a file, as they are.
absl::StatusOr<std::string> ReadValueFile(const std::string& path) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, ByteSource::Open(path));
  std::string value;
  for (int byte = source->Get(); byte != ByteSource::kEnd; byte = source->Get()) {
    value += static_cast<char>(byte);
    if (value.size() > kMaxValueBytes) {
      return MakeStatus(absl::StatusCode::kInvalidArgument,
                        "%s is longer than a value may be (%d bytes)", source->name(),
                        kMaxValueBytes);
    }
  }
  KEEL_RETURN_IF_ERROR(source->status());
  return value;
}

absl::StatusOr<std::string> ValueOf(const Arguments& arguments) {
  if (arguments.value.has_value() == arguments.value_file.has_value()) {
    return absl::InvalidArgumentError("give either VALUE or --value-file");
  }
  if (arguments.value) return arguments.keys.Value(*arguments.value);
  return ReadValueFile(*arguments.value_file);
}

absl::Status Put(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const std::string key, arguments.keys.Key(arguments.key));
  KEEL_ASSIGN_OR_RETURN(const std::string value, ValueOf(arguments));
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kCreate));
  Database& database = session->database();
  KEEL_ASSIGN_OR_RETURN(const Keyspace keyspace, database.OpenKeyspace(arguments.keys.keyspace));
  KEEL_RETURN_IF_ERROR(database.Put(keyspace, key, value));
  return session->Close();
}

}  // namespace

void AddPutCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add("put", "Store one pair; durable when it returns",
                                  [arguments] { return Put(*arguments); });
  arguments->database.AddTo(command);
  command.add_option("KEY", arguments->key, "The key, as text with \\xNN for other bytes")
      ->required();
  command.add_option("VALUE", arguments->value, "The value, likewise");
  command
      .add_option("--value-file", arguments->value_file,
                  "Take the bytes of FILE for the value (-: standard input)")
      ->type_name("FILE");
  arguments->keys.AddTo(command);
}

}  // namespace keel::cli
