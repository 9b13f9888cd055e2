// Memory aligned for direct I/O.

#ifndef KEEL_BASE_ALIGNED_BUFFER_H_
#define KEEL_BASE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <utility>

namespace keel {

// Owns `size` bytes aligned to 4096, enough for direct I/O on every device we know. Contents are
// undefined after Allocate. A failed allocation leaves an empty buffer.
class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 4096;

  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  static AlignedBuffer Allocate(size_t size) {
    AlignedBuffer buffer;
    if (size > std::numeric_limits<size_t>::max() - kAlignment) return buffer;
    const size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
    buffer.data_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
    buffer.size_ = buffer.data_ != nullptr ? size : 0;
    return buffer;
  }

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<std::byte> span() { return {data_.get(), size_}; }
  std::span<const std::byte> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };

  std::unique_ptr<std::byte[], Free> data_;
  size_t size_ = 0;
};

}  // namespace keel

#endif  // KEEL_BASE_ALIGNED_BUFFER_H_
