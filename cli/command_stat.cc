// keel stat DB: sizes, keyspaces, space, log, memory, I/O.

#include <memory>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  bool json = false;
};

absl::Status Stat(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kRead));
  nlohmann::ordered_json report = ToJson(session->database().Stats());
  report["recovery"] = ToJson(session->database().recovery_report());
  return PrintReport(report, arguments.json);
}

}  // namespace

void AddStatCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      program.Add("stat", "Print sizes, keyspaces, space, log, memory and how files are accessed",
                  [arguments] { return Stat(*arguments); });
  arguments->database.AddTo(command);
  command.add_flag("--json", arguments->json, "As a JSON object");
}

}  // namespace keel::cli
