#include "cli/program.h"

#include <csignal>
#include <new>
#include <sstream>
#include <utility>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/output.h"

namespace keel::cli {
namespace {

constexpr char kDescription[] = "Keel: an embedded transactional key-value store.";
constexpr char kFooter[] =
    "Data goes to standard output, messages to standard error.\n"
    "Exit status: 0 well; 1 the answer is no (nothing found, damage found); 2 wrong use;\n"
    "3 failure. Keys and values are text, with \\xNN for other bytes; put -- before one that\n"
    "begins with a dash. `keel COMMAND --help` tells more.";

bool HasCommand(const CLI::App& app, const std::string& name) {
  return !app.get_subcommands([&](const CLI::App* command) { return command->check_name(name); })
              .empty();
}

std::string NamesOf(const CLI::App& app) {
  std::string names;
  for (const CLI::App* const command : app.get_subcommands(nullptr)) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  return names;
}

}  // namespace

Program::Program() : app_(kDescription, "keel") {
  app_.require_subcommand(1);
  app_.set_version_flag("--version", "keel " KEEL_VERSION);
  app_.footer(kFooter);
}

CLI::App& Program::Add(const std::string& name, const std::string& description,
                       std::function<absl::Status()> run, CLI::App* parent) {
  CLI::App* const command = (parent == nullptr ? &app_ : parent)->add_subcommand(name, description);
  command->callback([this, run = std::move(run)] { chosen_ = run; });
  return *command;
}

CLI::App& Program::AddGroup(const std::string& name, const std::string& description) {
  CLI::App* const group = app_.add_subcommand(name, description);
  group->require_subcommand(1);
  return *group;
}

ExitStatus Program::Run(int argc, const char* const* argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (argc < 2 || (!first.starts_with('-') && !HasCommand(app_, first))) {
    return RefuseUnknownCommand(first);
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Refuse(error);
  }
  return Finish(chosen_());
}

ExitStatus Program::Refuse(const CLI::ParseError& error) {
  // Asking for help or the version ends parsing too.
  if (error.get_exit_code() == 0) {
    std::ostringstream text;
    app_.exit(error, text);
    Output output;
    output.Append(text.str());
    return Finish(output.Close());
  }
  const std::vector<CLI::App*> chosen = app_.get_subcommands();
  if (chosen.empty()) return WrongUse(error.what(), "");
  const CLI::App& command = *chosen.front();
  std::string text = error.what();
  if (const std::string parts = NamesOf(command);
      !parts.empty() && command.get_subcommands().empty()) {
    text = absl::StrFormat("%s what? There are %s", command.get_name(), parts);
  }
  return WrongUse(text, command.get_name());
}

ExitStatus Program::RefuseUnknownCommand(const std::string& name) const {
  const std::string names = NamesOf(app_);
  if (name.empty()) return WrongUse("which command? There are " + names, "");
  return WrongUse(absl::StrFormat("there is no command '%s'; there are %s", Printable(name), names),
                  "");
}

ExitStatus RunProgram(int argc, const char* const* argv) {
  // A reader that goes away is noticed by the write that fails, and the database is closed in
  // order.
  std::signal(SIGPIPE, SIG_IGN);
  Program program;
  for (const auto add :
       {AddPutCommand, AddGetCommand, AddDelCommand, AddScanCommand, AddCountCommand,
        AddLoadCommand, AddDumpCommand, AddStatCommand, AddCheckCommand, AddRecoverCommand,
        AddInspectCommand, AddTortureCommand}) {
    add(program);
  }
  try {
    return program.Run(argc, argv);
  } catch (const std::bad_alloc&) {
    return Finish(absl::ResourceExhaustedError("out of memory"));
  }
}

}  // namespace keel::cli
