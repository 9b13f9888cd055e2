// Where rows come from: a file, standard input or, in tests, a string; byte by byte, with bounded
// memory.
//
//   KEEL_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, ByteSource::Open("rows.tsv"));
//   for (int c = source->Get(); c != ByteSource::kEnd; c = source->Get()) ...
//   if (!source->status().ok()) ...        // ended early

#ifndef KEEL_CLI_BYTE_SOURCE_H_
#define KEEL_CLI_BYTE_SOURCE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/interrupt.h"

namespace keel::cli {

// Used by one thread.
class ByteSource {
 public:
  static constexpr int kEnd = -1;

  // Puts the next bytes into the buffer and returns how many; 0 at the end.
  using Fill = std::function<absl::StatusOr<size_t>(std::span<char> buffer)>;

  // A file; "-" is standard input. InvalidArgument: missing or unreadable. A signal to `interrupt`
  // (may be nullptr, outlives the source) ends the bytes with Cancelled.
  static absl::StatusOr<std::unique_ptr<ByteSource>> Open(const std::string& path,
                                                          Interrupt* interrupt = nullptr);
  // `buffer_bytes` at a time; tests make it small.
  ByteSource(std::string name, Fill fill, size_t buffer_bytes = kBufferBytes);
  static std::unique_ptr<ByteSource> FromString(std::string text,
                                                size_t buffer_bytes = kBufferBytes);

  // The next byte, 0 to 255, or kEnd, also after an error.
  int Get() {
    if (next_ == end_ && !Refill()) return kEnd;
    const auto byte = static_cast<unsigned char>(buffer_[next_++]);
    line_ += byte == '\n' ? 1 : 0;
    return byte;
  }
  // The byte that Get would return.
  int Peek() {
    if (next_ == end_ && !Refill()) return kEnd;
    return static_cast<unsigned char>(buffer_[next_]);
  }
  // Takes the bytes that mark UTF-8 at the front of a file, if they are there.
  void SkipByteOrderMark();

  // Of the next byte, from 1 on.
  uint64_t line() const { return line_; }
  uint64_t bytes_taken() const { return bytes_before_ + next_; }
  // Of a file, where known.
  std::optional<uint64_t> size() const { return size_; }
  const std::string& name() const { return name_; }
  const absl::Status& status() const { return status_; }

 private:
  static constexpr size_t kBufferBytes = size_t{256} << 10;

  bool Refill();

  std::string name_;
  Fill fill_;
  std::vector<char> buffer_;
  size_t next_ = 0;
  size_t end_ = 0;
  uint64_t bytes_before_ = 0;  // of the buffer's first byte
  uint64_t line_ = 1;
  std::optional<uint64_t> size_;
  absl::Status status_;
  bool ended_ = false;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_BYTE_SOURCE_H_
