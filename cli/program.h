// The keel program: its commands, and how a command line becomes a run of one.
//
// A command adds itself to the program with its arguments and what to do once they are parsed:
//
//   void AddCountCommand(Program& program) {
//     auto arguments = std::make_shared<Arguments>();
//     CLI::App& command = program.Add("count", "Counts keys", [arguments] { return Run(*arguments);
//     }); arguments->AddTo(command);
//   }

#ifndef KEEL_CLI_PROGRAM_H_
#define KEEL_CLI_PROGRAM_H_

#include <absl/status/status.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/exit_status.h"

namespace keel::cli {

class Program {
 public:
  Program();

  // Adds a command, or a subcommand of `parent`. What `run` returns is said and becomes the exit
  // status (cli/message.h).
  CLI::App& Add(const std::string& name, const std::string& description,
                std::function<absl::Status()> run, CLI::App* parent = nullptr);
  // Adds one that only has subcommands.
  CLI::App& AddGroup(const std::string& name, const std::string& description);

  ExitStatus Run(int argc, const char* const* argv);

 private:
  ExitStatus Refuse(const CLI::ParseError& error);
  ExitStatus RefuseUnknownCommand(const std::string& name) const;

  CLI::App app_;
  std::function<absl::Status()> chosen_;
};

// Of the whole program, with every command: what main does.
ExitStatus RunProgram(int argc, const char* const* argv);

}  // namespace keel::cli

#endif  // KEEL_CLI_PROGRAM_H_
