// Little-endian fields and varints, and a reader that cannot leave its buffer.
//
// Everything on disk is little-endian. Load/Store are for places whose bounds are known (a page
// header); ByteReader is for bytes that may be damaged or hostile; ByteWriter appends to a string.

#ifndef KEEL_BASE_CODEC_H_
#define KEEL_BASE_CODEC_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace keel {

static_assert(std::endian::native == std::endian::little,
              "Keel's formats are little-endian; a big-endian port must swap in Load and Store");

template <typename T>
T Load(const void* from) {
  static_assert(std::is_integral_v<T>);
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
void Store(void* to, T value) {
  static_assert(std::is_integral_v<T>);
  std::memcpy(to, &value, sizeof(T));
}

inline uint64_t Load48(const void* from) {
  uint64_t value = 0;
  std::memcpy(&value, from, 6);
  return value;
}

inline void Store48(void* to, uint64_t value) { std::memcpy(to, &value, 6); }

inline constexpr size_t kMaxVarintBytes = 10;

// LEB128. Writes at most kMaxVarintBytes and returns how many.
inline size_t StoreVarint(void* to, uint64_t value) {
  auto* out = static_cast<unsigned char*>(to);
  size_t n = 0;
  while (value >= 0x80) {
    out[n++] = static_cast<unsigned char>(value | 0x80);
    value >>= 7;
  }
  out[n++] = static_cast<unsigned char>(value);
  return n;
}

inline constexpr size_t VarintBytes(uint64_t value) {
  size_t n = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++n;
  }
  return n;
}

// Reads a varint from [from, from + limit). Returns the bytes used, 0 if it is cut off or longer
// than 64 bits.
inline size_t LoadVarint(const void* from, size_t limit, uint64_t* value) {
  const auto* in = static_cast<const unsigned char*>(from);
  uint64_t result = 0;
  for (size_t n = 0; n < limit && n < kMaxVarintBytes; ++n) {
    const uint64_t bits = in[n] & 0x7fU;
    if (n == 9 && bits > 1) return 0;
    result |= bits << (7 * n);
    if ((in[n] & 0x80U) == 0) {
      *value = result;
      return n + 1;
    }
  }
  return 0;
}

// Appends fields to a string.
class ByteWriter {
 public:
  explicit ByteWriter(std::string* out) : out_(out) {}

  template <typename T>
  void Fixed(T value) {
    static_assert(std::is_integral_v<T>);
    out_->append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void Varint(uint64_t value) {
    char buffer[kMaxVarintBytes];
    out_->append(buffer, StoreVarint(buffer, value));
  }
  void Bytes(std::string_view bytes) { out_->append(bytes); }
  // Length as a varint, then the bytes.
  void Prefixed(std::string_view bytes) {
    Varint(bytes.size());
    Bytes(bytes);
  }

 private:
  std::string* out_;
};

// Takes fields from the front of a byte string. Every getter returns false, and takes nothing, when
// the bytes are not there; a reader that failed once stays failed.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  bool Fixed(T* value) {
    static_assert(std::is_integral_v<T>);
    if (!Has(sizeof(T))) return false;
    *value = Load<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return true;
  }
  bool Varint(uint64_t* value) {
    if (failed_) return false;
    const size_t used = LoadVarint(rest_.data(), rest_.size(), value);
    if (used == 0) return Fail();
    rest_.remove_prefix(used);
    return true;
  }
  bool Bytes(size_t count, std::string_view* bytes) {
    if (!Has(count)) return false;
    *bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }
  bool Prefixed(std::string_view* bytes) {
    const std::string_view before = rest_;
    uint64_t length = 0;
    if (Varint(&length) && Bytes(length, bytes)) return true;
    rest_ = before;
    return false;
  }

  bool ok() const { return !failed_; }
  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  bool Has(size_t count) { return !failed_ && (rest_.size() >= count || Fail()); }
  bool Fail() {
    failed_ = true;
    return false;
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace keel

#endif  // KEEL_BASE_CODEC_H_
