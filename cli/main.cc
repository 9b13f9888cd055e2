// keel: databases from the command line. See `keel --help`.

#include "cli/program.h"

int main(int argc, char** argv) { return static_cast<int>(keel::cli::RunProgram(argc, argv)); }
