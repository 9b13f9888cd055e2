#include "bench/compare/rows.h"

#include <cstring>

#include "base/check.h"
#include "bench/compare/random.h"

namespace keel::compare {
namespace {

constexpr size_t kPoolBytes = size_t{1} << 18;  // stays in the processor's cache

}  // namespace

Key::Key(uint64_t slot) {
  digits_.fill('0');
  for (size_t digit = kBytes; slot > 0 && digit > 0; slot /= 10) {
    digits_[--digit] = static_cast<char>('0' + slot % 10);
  }
}

Rows::Rows(uint64_t count, size_t value_bytes, uint64_t seed)
    : count_(count),
      value_bytes_(value_bytes),
      loaded_(count, seed),
      inserted_(count * (kSpacing - 1), seed + 1) {
  KEEL_CHECK(value_bytes >= kMinValueBytes);
  Random random(seed);
  pool_.resize(kPoolBytes + value_bytes);
  for (char& byte : pool_) byte = static_cast<char>(random.Next() >> 56);
}

uint64_t Rows::RandomSlot(uint64_t n) const {
  if (n < count_) return SortedSlot(loaded_.At(n));
  const uint64_t gap = inserted_.At((n - count_) % (count_ * (kSpacing - 1)));
  return gap / (kSpacing - 1) * kSpacing + 1 + gap % (kSpacing - 1);
}

std::string_view Rows::Tail(uint64_t slot, uint64_t version) const {
  const uint64_t place = ScaleTo(Mix64(slot ^ Mix64(version)), kPoolBytes);
  return std::string_view(pool_).substr(place, value_bytes_ - kMinValueBytes);
}

void Rows::Fill(uint64_t slot, uint64_t version, std::string* value) const {
  value->resize(value_bytes_);
  std::memcpy(value->data(), &slot, sizeof slot);
  std::memcpy(value->data() + sizeof slot, &version, sizeof version);
  const std::string_view tail = Tail(slot, version);
  std::memcpy(value->data() + kMinValueBytes, tail.data(), tail.size());
}

uint64_t Rows::VersionOf(std::string_view value) {
  uint64_t version = 0;
  std::memcpy(&version, value.data() + sizeof version, sizeof version);
  return version;
}

bool Rows::Check(uint64_t slot, std::string_view value) const {
  if (value.size() != value_bytes_) return false;
  uint64_t found = 0;
  std::memcpy(&found, value.data(), sizeof found);
  return found == slot && value.substr(kMinValueBytes) == Tail(slot, VersionOf(value));
}

}  // namespace keel::compare
