// Options under which segments, checkpoints and streamed transactions come often in a small database.

#ifndef KEEL_TESTS_CRASH_CRASH_OPTIONS_H_
#define KEEL_TESTS_CRASH_CRASH_OPTIONS_H_

#include <keel/options.h>

#include <cstdint>

namespace keel::testing {

inline Options CrashOptions() {
  Options options;
  options.memory_bytes = uint64_t{8} << 20;
  options.log_segment_bytes = uint64_t{512} << 10;
  options.checkpoint_log_bytes = uint64_t{1} << 20;
  return options;
}

}  // namespace keel::testing

#endif  // KEEL_TESTS_CRASH_CRASH_OPTIONS_H_
