// bench/compare: the rows of the work: keys, and values that tell whether they are right.
//
// A row's place in the order of keys is its slot. Loaded rows have every 32nd one, so that rows inserted later have
// room between them, wherever that is. The key is the slot in sixteen decimal digits, as in LevelDB's db_bench.
//
// A value begins with its slot and a version, and goes on with bytes of a pool of random ones, from a place that both
// decide: so a value can be checked without remembering what was written, and it does not compress.

#ifndef KEEL_BENCH_COMPARE_ROWS_H_
#define KEEL_BENCH_COMPARE_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/compare/permutation.h"

namespace keel::compare {

class Key {
 public:
  static constexpr size_t kBytes = 16;

  explicit Key(uint64_t slot);
  std::string_view view() const { return {digits_.data(), kBytes}; }
  operator std::string_view() const { return view(); }

 private:
  std::array<char, kBytes> digits_;
};

// Fetches every word of a value, as somebody who uses it would; nothing else is asked of the sum.
inline uint64_t Fold(std::string_view value) {
  uint64_t folded = 0;
  size_t at = 0;
  for (uint64_t word = 0; at + sizeof word <= value.size(); at += sizeof word) {
    std::memcpy(&word, value.data() + at, sizeof word);
    folded += word;
  }
  return at < value.size() ? folded + static_cast<unsigned char>(value.back()) : folded;
}

// Immutable: threads share it.
class Rows {
 public:
  static constexpr size_t kMinValueBytes = 16;

  // REQUIRES: count > 0, value_bytes >= kMinValueBytes.
  Rows(uint64_t count, size_t value_bytes, uint64_t seed);

  uint64_t count() const { return count_; }
  size_t value_bytes() const { return value_bytes_; }
  uint64_t bytes() const { return count_ * row_bytes(); }
  uint64_t row_bytes() const { return Key::kBytes + value_bytes_; }

  // Of the loaded rows, the n-th in order. REQUIRES: n < count().
  uint64_t SortedSlot(uint64_t n) const { return n * kSpacing; }
  // Of the loaded rows, the n-th when they are taken in random order, and the next one from then on: the n-th of the
  // rows that are inserted between them, for n from count() on.
  uint64_t RandomSlot(uint64_t n) const;

  // Makes `value` that of the row in this version.
  void Fill(uint64_t slot, uint64_t version, std::string* value) const;
  // Whether `value` is one of the row's.
  bool Check(uint64_t slot, std::string_view value) const;
  // Version of a value that is right.
  static uint64_t VersionOf(std::string_view value);

 private:
  static constexpr uint64_t kSpacing = 32;

  std::string_view Tail(uint64_t slot, uint64_t version) const;

  uint64_t count_;
  size_t value_bytes_;
  Permutation loaded_;
  Permutation inserted_;
  std::string pool_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_ROWS_H_
