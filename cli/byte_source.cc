#include "cli/byte_source.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace keel::cli {
namespace {

absl::StatusOr<size_t> ReadSome(int descriptor, const std::string& name, Interrupt* interrupt,
                                std::span<char> buffer) {
  while (true) {
    if (interrupt != nullptr && !interrupt->WaitReadable(descriptor)) {
      return absl::CancelledError("interrupted");
    }
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) {
      return MakeStatus(absl::StatusCode::kInvalidArgument, "cannot read %s: %s", name,
                        std::strerror(errno));
    }
  }
}

// What is left of a regular file; a pipe or terminal does not tell.
std::optional<uint64_t> RestOf(int descriptor) {
  const off_t here = ::lseek(descriptor, 0, SEEK_CUR);
  const off_t end = here < 0 ? here : ::lseek(descriptor, 0, SEEK_END);
  if (end < 0 || ::lseek(descriptor, here, SEEK_SET) != here || end <= here) return std::nullopt;
  return static_cast<uint64_t>(end - here);
}

void CloseUnlessStandard(std::FILE* file) {
  if (file != nullptr && file != stdin) std::fclose(file);
}

}  // namespace

ByteSource::ByteSource(std::string name, Fill fill, size_t buffer_bytes)
    : name_(std::move(name)), fill_(std::move(fill)), buffer_(buffer_bytes) {}

absl::StatusOr<std::unique_ptr<ByteSource>> ByteSource::Open(const std::string& path,
                                                             Interrupt* interrupt) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  std::FILE* const opened = standard_input ? stdin : std::fopen(path.c_str(), "re");
  if (opened == nullptr) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "cannot read %s: %s", name,
                      std::strerror(errno));
  }
  const std::shared_ptr<std::FILE> file(opened, CloseUnlessStandard);
  auto source = std::make_unique<ByteSource>(name, [file, name, interrupt](std::span<char> buffer) {
    return ReadSome(::fileno(file.get()), name, interrupt, buffer);
  });
  source->size_ = RestOf(::fileno(file.get()));
  if (!standard_input) {
    source->Refill();  // a directory can be opened, but not read
    KEEL_RETURN_IF_ERROR(source->status_);
  }
  return source;
}

std::unique_ptr<ByteSource> ByteSource::FromString(std::string text, size_t buffer_bytes) {
  size_t at = 0;
  auto fill = [text = std::move(text),
               at](std::span<char> buffer) mutable -> absl::StatusOr<size_t> {
    const size_t count = text.copy(buffer.data(), buffer.size(), at);
    at += count;
    return count;
  };
  return std::make_unique<ByteSource>("input", fill, buffer_bytes);
}

bool ByteSource::Refill() {
  if (next_ < end_) return true;
  if (ended_) return false;
  bytes_before_ += end_;
  next_ = end_ = 0;
  const absl::StatusOr<size_t> count = fill_(buffer_);
  if (count.ok()) {
    end_ = *count;
  } else {
    status_ = count.status();
  }
  ended_ = end_ == 0;
  return !ended_;
}

void ByteSource::SkipByteOrderMark() {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (Peek() == ByteSource::kEnd || end_ - next_ < kMark.size()) return;
  if (std::string_view(buffer_.data() + next_, kMark.size()) == kMark) next_ += kMark.size();
}

}  // namespace keel::cli
