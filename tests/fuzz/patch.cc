#include "tests/fuzz/patch.h"

#include "base/codec.h"

namespace keel::fuzz {
namespace {

constexpr size_t kPatchesMax = 64;
constexpr uint8_t kUnsealed = 0x80;

size_t ValueBytes(Patch::Kind kind) {
  switch (kind) {
    case Patch::Kind::kStore1:
    case Patch::Kind::kAdd:
    case Patch::Kind::kCopyUnit:
      return 1;
    case Patch::Kind::kStore2:
    case Patch::Kind::kFill:
      return 2;
    case Patch::Kind::kStore4:
    case Patch::Kind::kResize:
      return 4;
    case Patch::Kind::kStore8:
      return 8;
  }
  return 0;
}

}  // namespace

std::vector<Patch> TakePatches(FuzzInput& input) {
  std::vector<Patch> patches;
  while (!input.empty() && patches.size() < kPatchesMax) {
    const auto what = input.Take<uint8_t>();
    Patch patch;
    patch.kind = static_cast<Patch::Kind>(what % Patch::kKinds);
    patch.seal = (what & kUnsealed) == 0;
    patch.file = input.Take<uint8_t>();
    patch.unit = input.Take<uint8_t>();
    patch.offset = input.Take<uint16_t>();
    const std::string_view value = input.Bytes(ValueBytes(patch.kind));
    if (!value.empty()) std::memcpy(&patch.value, value.data(), value.size());
    patches.push_back(patch);
  }
  return patches;
}

void AppendPatch(const Patch& patch, std::string* bytes) {
  ByteWriter out(bytes);
  out.Fixed(static_cast<uint8_t>(static_cast<uint8_t>(patch.kind) | (patch.seal ? 0 : kUnsealed)));
  out.Fixed(patch.file);
  out.Fixed(patch.unit);
  out.Fixed(patch.offset);
  const char* const value = reinterpret_cast<const char*>(&patch.value);
  out.Bytes({value, ValueBytes(patch.kind)});
}

void ApplyPatch(const Patch& patch, std::span<std::byte> unit) {
  if (unit.empty()) return;
  const std::span<std::byte> at = unit.subspan(patch.offset % unit.size());
  switch (patch.kind) {
    case Patch::Kind::kAdd: {
      // To a number of eight bytes: one more, one less.
      if (at.size() < sizeof(uint64_t)) return;
      const uint64_t step = patch.value < 0x80 ? patch.value : patch.value - 0x100;
      Store(at.data(), Load<uint64_t>(at.data()) + step);
      return;
    }
    case Patch::Kind::kFill: {
      const size_t length = std::min<size_t>(patch.value >> 8, at.size());
      std::memset(at.data(), static_cast<int>(patch.value & 0xff), length);
      return;
    }
    default:
      std::memcpy(at.data(), &patch.value, std::min(ValueBytes(patch.kind), at.size()));
  }
}

}  // namespace keel::fuzz
