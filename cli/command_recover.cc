// keel recover DB: brings a database back after a crash, and says what that took.

#include <memory>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  bool dry_run = false;
  bool json = false;
};

absl::StatusOr<RecoveryReport> DryRun(const DatabaseArguments& arguments) {
  Progress progress("reading the log");
  Options options = arguments.options;
  options.create_if_missing = false;
  absl::StatusOr<RecoveryReport> report = Database::DryRunRecovery(arguments.directory, options);
  progress.Finish();
  return report;
}

absl::StatusOr<RecoveryReport> OpenAndClose(const DatabaseArguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments, Access::kWrite));
  RecoveryReport report = session->database().recovery_report();
  KEEL_RETURN_IF_ERROR(session->Close());
  return report;
}

absl::Status Recover(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const RecoveryReport report, arguments.dry_run
                                                         ? DryRun(arguments.database)
                                                         : OpenAndClose(arguments.database));
  return PrintReport(ToJson(report), arguments.json);
}

}  // namespace

void AddRecoverCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add(
      "recover", "Replay the log after a crash, as opening for writing does, and say what it took",
      [arguments] { return Recover(*arguments); });
  arguments->database.AddTo(command);
  command.add_flag("--dry-run", arguments->dry_run, "Only say what it would take; writes nothing");
  command.add_flag("--json", arguments->json, "As a JSON object");
}

}  // namespace keel::cli
