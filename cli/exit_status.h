// How the keel program ends.

#ifndef KEEL_CLI_EXIT_STATUS_H_
#define KEEL_CLI_EXIT_STATUS_H_

namespace keel::cli {

enum class ExitStatus : int {
  kWell = 0,
  kNo = 1,        // the answer is no: nothing found, a check that failed
  kWrongUse = 2,  // unknown command or option, a file or database that is not there
  kFailure = 3,   // everything else
};

}  // namespace keel::cli

#endif  // KEEL_CLI_EXIT_STATUS_H_
