// A row of bits, searched a word at a time.

#ifndef KEEL_PAGER_BITMAP_H_
#define KEEL_PAGER_BITMAP_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace keel::pager {

// Not thread-safe.
class Bitmap {
 public:
  // All clear. REQUIRES: bits is a multiple of 64.
  explicit Bitmap(uint64_t bits) : words_(bits / 64) {}

  uint64_t size() const { return words_.size() * 64; }
  std::span<const uint64_t> words() const { return words_; }
  std::span<uint64_t> words() { return words_; }

  bool Test(uint64_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void Set(uint64_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  void SetRun(uint64_t first, uint64_t count);

  // Clear bits in [first, end).
  uint64_t CountClear(uint64_t first, uint64_t end) const;
  // The first clear bit in [from, end), or `end`.
  uint64_t FindClear(uint64_t from, uint64_t end) const;
  // The first set bit in [from, end), or `end`.
  uint64_t FindSet(uint64_t from, uint64_t end) const;

  friend bool operator==(const Bitmap&, const Bitmap&) = default;

 private:
  // The first bit in [from, end) that is set in the words exclusive-or `flip`, or `end`.
  uint64_t Find(uint64_t from, uint64_t end, uint64_t flip) const;

  std::vector<uint64_t> words_;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_BITMAP_H_
