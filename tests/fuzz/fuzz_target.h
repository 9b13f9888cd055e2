// Decoders under attack: one entry a decoder, for libFuzzer (scripts/fuzz) and the everyday tests alike.
//
// A target does with hostile bytes whatever the engine would do with what it reads. Checksums are made right
// again after every change, with the engine's own sealing code: a checksum is no signature, and what stands
// behind it must bear any bytes. The oracle:
//   - no crash, no sanitizer report, no KEEL_CHECK of the engine; nor of a target, which also holds what was
//     decoded against what it encodes to, and what was read against what was written
//   - no second of processor time (CpuLimit)
//   - no single allocation over 64 MiB (libFuzzer's -malloc_limit_mb). What the engine maps by its own
//     setting, page frames and their tables, is no allocation: Options::memory_bytes bounds it, and no input
//     changes that.

#ifndef KEEL_TESTS_FUZZ_FUZZ_TARGET_H_
#define KEEL_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keel::fuzz {

struct FuzzTarget {
  std::string_view name;
  void (*run)(std::span<const uint8_t> input);
  // Inputs that reach far, made by the engine's own encoders.
  std::vector<std::string> (*seeds)();
};

extern const FuzzTarget kSuperblockTarget;
extern const FuzzTarget kPageTarget;
extern const FuzzTarget kLogTarget;
extern const FuzzTarget kDirectoryTarget;
// Holds a bug that must be found.
extern const FuzzTarget kCanaryTarget;

// Runs the input within its limit of processor time; aborts beyond it.
void Run(const FuzzTarget& target, std::span<const uint8_t> input);

}  // namespace keel::fuzz

#endif  // KEEL_TESTS_FUZZ_FUZZ_TARGET_H_
