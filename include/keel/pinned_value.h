// Keel: a value that was read.
//
//   absl::StatusOr<keel::PinnedValue> value = db->Get("key");
//   if (value.ok()) std::cout << value->view();

#ifndef KEEL_PINNED_VALUE_H_
#define KEEL_PINNED_VALUE_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace keel {

// Owns or pins its bytes: they stay good and unchanged until it is destroyed, whatever happens to the
// database meanwhile (also after Close). Move-only; moving it invalidates views taken before.
class PinnedValue {
 public:
  PinnedValue() noexcept {}  // not defaulted: making one need not zero inline_
  PinnedValue(PinnedValue&& other) noexcept { Take(other); }
  PinnedValue& operator=(PinnedValue&& other) noexcept {
    if (this != &other) Take(other);
    return *this;
  }

  std::string_view view() const& { return {data_, size_}; }
  std::string_view view() const&& = delete;  // would dangle at once
  operator std::string_view() const& { return view(); }
  operator std::string_view() const&& = delete;

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  std::string ToString() const { return std::string(data_, size_); }

 private:
  friend class PinnedValueAccess;
  static constexpr size_t kInlineBytes = 256;

  void Take(PinnedValue& other) noexcept {
    size_ = other.size_;
    if (other.data_ == other.inline_) {
      std::memcpy(inline_, other.inline_, size_);
      data_ = inline_;
    } else {
      data_ = other.data_;
    }
    owner_ = std::move(other.owner_);
    other.data_ = other.inline_;
    other.size_ = 0;
  }

  const char* data_ = inline_;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_;  // of bytes that are not in inline_
  char inline_[kInlineBytes];
};

}  // namespace keel

#endif  // KEEL_PINNED_VALUE_H_
