// Keel: ranges of keys.
//
//   KeyRange::All(), KeyRange::Prefix("user/"), KeyRange("a", "m"), KeyRange::From("m"), KeyRange::To("m")

#ifndef KEEL_KEY_RANGE_H_
#define KEEL_KEY_RANGE_H_

#include <optional>
#include <string>
#include <string_view>

namespace keel {

// [begin, end) in bytewise order; either side may be open. Copies its bounds.
class KeyRange {
 public:
  KeyRange() = default;
  // Empty if end <= begin.
  KeyRange(std::string_view begin, std::string_view end) : begin_(begin), end_(end) {}

  static KeyRange All() { return {}; }
  static KeyRange From(std::string_view begin) {
    KeyRange range;
    range.begin_ = begin;
    return range;
  }
  static KeyRange To(std::string_view end) { return KeyRange("", end); }
  // Every key that starts with `prefix`.
  static KeyRange Prefix(std::string_view prefix) {
    KeyRange range = From(prefix);
    std::string end(prefix);
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
    if (!end.empty()) {
      end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
      range.end_ = std::move(end);
    }
    return range;
  }

  std::string_view begin_key() const { return begin_; }
  // No value: unbounded.
  const std::optional<std::string>& end_key() const { return end_; }

  bool Contains(std::string_view key) const { return key >= begin_ && (!end_ || key < *end_); }

 private:
  std::string begin_;
  std::optional<std::string> end_;
};

}  // namespace keel

#endif  // KEEL_KEY_RANGE_H_
