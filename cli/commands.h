// Every command of the program, one a file: command_<name>.cc.

#ifndef KEEL_CLI_COMMANDS_H_
#define KEEL_CLI_COMMANDS_H_

#include "cli/program.h"

namespace keel::cli {

void AddPutCommand(Program& program);
void AddGetCommand(Program& program);
void AddDelCommand(Program& program);
void AddScanCommand(Program& program);
void AddCountCommand(Program& program);
void AddLoadCommand(Program& program);
void AddDumpCommand(Program& program);
void AddStatCommand(Program& program);
void AddCheckCommand(Program& program);
void AddRecoverCommand(Program& program);
void AddInspectCommand(Program& program);
void AddTortureCommand(Program& program);

}  // namespace keel::cli

#endif  // KEEL_CLI_COMMANDS_H_
