// Takes an input apart. What is not there is zero, so that every input means something.

#ifndef KEEL_TESTS_FUZZ_FUZZ_INPUT_H_
#define KEEL_TESTS_FUZZ_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace keel::fuzz {

class FuzzInput {
 public:
  explicit FuzzInput(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }

  template <typename T>
  T Take() {
    static_assert(std::is_integral_v<T>);
    T value = 0;
    const std::string_view bytes = Bytes(sizeof(T));
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  // At most `count`.
  std::string_view Bytes(size_t count) {
    const std::span<const uint8_t> taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::string_view Rest() { return Bytes(bytes_.size()); }

 private:
  std::span<const uint8_t> bytes_;
};

// Fills `to` with the bytes, and zeros behind them.
inline void CopyPadded(std::string_view bytes, std::span<std::byte> to) {
  const size_t count = std::min(bytes.size(), to.size());
  if (count > 0) std::memcpy(to.data(), bytes.data(), count);
  std::fill(to.begin() + static_cast<ptrdiff_t>(count), to.end(), std::byte{0});
}

}  // namespace keel::fuzz

#endif  // KEEL_TESTS_FUZZ_FUZZ_INPUT_H_
