// Changes to stored bytes, told in few bytes of input, so that a fuzzer can learn them: eight and more bytes each,
//
//   u8 kind (low bits) and "do not seal" (bit 7), u8 file, u8 unit, u16 offset in the unit, then by kind
//
// Files and units (pages, blocks, frames) are those of an image; numbers beyond wrap around.

#ifndef KEEL_TESTS_FUZZ_PATCH_H_
#define KEEL_TESTS_FUZZ_PATCH_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_input.h"

namespace keel::fuzz {

struct Patch {
  enum class Kind : uint8_t { kStore1, kStore2, kStore4, kStore8, kAdd, kFill, kCopyUnit, kResize };
  static constexpr size_t kKinds = 8;

  Kind kind = Kind::kStore1;
  bool seal = true;
  uint8_t file = 0;
  uint8_t unit = 0;
  uint16_t offset = 0;
  uint64_t value = 0;  // to store or add; byte and length to fill; unit to copy from; new size
};

// At most 64.
std::vector<Patch> TakePatches(FuzzInput& input);
void AppendPatch(const Patch& patch, std::string* bytes);

// All kinds but those that concern whole units.
void ApplyPatch(const Patch& patch, std::span<std::byte> unit);

}  // namespace keel::fuzz

#endif  // KEEL_TESTS_FUZZ_PATCH_H_
