// Where data goes: standard output or a file, in large pieces, with no error overlooked.
//
//   Output output;                                     // standard output
//   output.Append("key\tvalue\n");
//   absl::Status status = output.Close();              // a full disk is noticed here at the latest

#ifndef KEEL_CLI_OUTPUT_H_
#define KEEL_CLI_OUTPUT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace keel::cli {

// Used by one thread. Bytes that were not closed may be missing from the file.
class Output {
 public:
  // Standard output.
  Output();
  Output(Output&&) noexcept = default;
  Output& operator=(Output&&) noexcept = default;
  // A file, made or emptied; "-" is standard output. InvalidArgument: it cannot be written.
  static absl::StatusOr<Output> Open(const std::string& path);

  // Takes the bytes; false once an error has occurred, which status() and Close() tell.
  bool Append(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() < kBufferBytes ? status_.ok() : Flush();
  }
  // The buffer itself, for those who append piece by piece; end each piece with Append("").
  std::string* buffer() { return &buffer_; }

  bool Flush();
  absl::Status Close();

  const absl::Status& status() const { return status_; }
  uint64_t bytes() const { return bytes_ + buffer_.size(); }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  static constexpr size_t kBufferBytes = size_t{256} << 10;

  void Fail(int error);

  std::unique_ptr<std::FILE, CloseFile> file_;  // empty: standard output
  int descriptor_;
  std::string name_;
  std::string buffer_;
  uint64_t bytes_ = 0;
  absl::Status status_;
};

// Whether it says that the other end of a pipe went away, as in `keel scan DB | head`: no
// failure of ours, but a reason to stop.
bool IsOutputClosed(const absl::Status& status);

}  // namespace keel::cli

#endif  // KEEL_CLI_OUTPUT_H_
