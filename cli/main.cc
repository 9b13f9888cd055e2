// keel: databases from the command line. See `keel --help`.

#include <absl/synchronization/mutex.h>

#include "cli/program.h"

namespace {

// Debian builds Abseil with its detector of deadlocks on: every lock then takes a lock of the whole process, a third
// of the time of many threads. The tests keep it, the program does without.
void StopLookingForDeadlocks() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace

int main(int argc, char** argv) {
  StopLookingForDeadlocks();
  return static_cast<int>(keel::cli::RunProgram(argc, argv));
}
