// keel check DB: verifies every page, the trees, the space map and the log.

#include <memory>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/size.h"

namespace keel::cli {
namespace {

struct Arguments {
  DatabaseArguments database;
  bool json = false;
};

std::string Describe(const Damage& damage) {
  std::string line = absl::StrFormat("%s: %s", damage.place, damage.problem);
  if (!damage.keyspace.empty()) {
    line += absl::StrFormat("; keyspace %s", Printable(damage.keyspace));
  }
  if (damage.has_key_range) {
    line += absl::StrFormat("; keys from '%s'", Printable(damage.key_begin));
    line += damage.has_key_end ? absl::StrFormat(" to before '%s'", Printable(damage.key_end))
                               : " to the end";
  }
  return line + '\n';
}

absl::Status Print(const CheckReport& report, bool json) {
  if (json) return PrintReport(ToJson(report), json);
  Output output;
  for (const Damage& damage : report.damages) output.Append(Describe(damage));
  if (report.leaked_pages > 0) {
    output.Append(
        absl::StrFormat("%s pages are in use by nothing\n", FormatCount(report.leaked_pages)));
  }
  if (!report.space_checked) {
    output.Append("the space map was not compared: a checkpoint ended meanwhile\n");
  }
  output.Append(
      absl::StrFormat("%s, %s, %s checked: %s\n", FormatAmount(report.pages_checked, "page"),
                      FormatAmount(report.keyspaces, "keyspace"),
                      FormatAmount(report.entries, "key"), report.ok() ? "no damage" : "DAMAGED"));
  return output.Close();
}

absl::Status Check(const Arguments& arguments) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                        Session::Open(arguments.database, Access::kRead));
  Progress progress("checking");
  const absl::StatusOr<CheckReport> report = session->database().Check();
  progress.Finish();
  KEEL_RETURN_IF_ERROR(report.status());
  KEEL_RETURN_IF_ERROR(Print(*report, arguments.json));
  return report->ok() ? absl::OkStatus() : AnswerNo("the database is damaged");
}

}  // namespace

void AddCheckCommand(Program& program) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App& command = program.Add(
      "check", "Verify every page, the trees, the space map and the log (exit status 1: damage)",
      [arguments] { return Check(*arguments); });
  arguments->database.AddTo(command);
  command.add_flag("--json", arguments->json, "As a JSON object");
}

}  // namespace keel::cli
