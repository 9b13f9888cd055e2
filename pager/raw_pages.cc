#include "pager/raw_pages.h"

#include <absl/time/time.h>

#include <algorithm>
#include <cstring>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/status.h"
#include "pager/page_loader.h"
#include "pager/reliable_write.h"

namespace keel::pager {
namespace {

constexpr size_t kBounceBytes = size_t{1} << 20;

absl::StatusOr<AlignedBuffer> NewBounce(size_t bytes) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(std::min(bytes, kBounceBytes));
  if (buffer.empty()) return absl::ResourceExhaustedError("no memory for a raw page buffer");
  return buffer;
}

}  // namespace

bool RawPages::Aligned(const std::byte* memory) const {
  return reinterpret_cast<uintptr_t>(memory) % file_.alignment() == 0;
}

absl::Status RawPages::Read(PageId first, std::span<std::byte> buffer) {
  KEEL_CHECK(buffer.size() % page_bytes_ == 0);
  const uint64_t offset = first.value * page_bytes_;
  if (buffer.empty()) return absl::OkStatus();
  if (Aligned(buffer.data())) return ReadPart(offset, buffer);
  KEEL_ASSIGN_OR_RETURN(AlignedBuffer bounce, NewBounce(buffer.size()));
  for (size_t done = 0; done < buffer.size();) {
    const auto part = bounce.span().first(std::min(bounce.size(), buffer.size() - done));
    KEEL_RETURN_IF_ERROR(ReadPart(offset + done, part));
    std::memcpy(&buffer[done], part.data(), part.size());
    done += part.size();
  }
  return absl::OkStatus();
}

absl::Status RawPages::ReadPart(uint64_t offset, std::span<std::byte> part) {
  absl::StatusOr<size_t> count = file_.Read(offset, part);
  absl::Duration pause = absl::Milliseconds(1);
  for (int attempt = 1; attempt < kReadAttempts && absl::IsUnavailable(count.status()); ++attempt) {
    clock_.Sleep(pause);
    pause *= 2;
    count = file_.Read(offset, part);
  }
  if (absl::IsUnavailable(count.status())) {
    return absl::DataLossError(count.status().message());
  }
  if (!count.ok()) return count.status();
  if (*count == part.size()) return absl::OkStatus();
  return MakeStatus(
      absl::StatusCode::kDataLoss,
      "%s: raw pages from byte %d on: expected %d bytes, found the file's end after %d",
      file_.path().string(), offset, part.size(), *count);
}

absl::Status RawPages::Write(PageId first, std::span<const std::byte> data) {
  KEEL_CHECK(data.size() % page_bytes_ == 0);
  const uint64_t offset = first.value * page_bytes_;
  if (data.empty()) return absl::OkStatus();
  if (Aligned(data.data())) {
    return WriteReliably(file_, clock_, offset, data, kWriteAttempts, &retries_);
  }
  KEEL_ASSIGN_OR_RETURN(AlignedBuffer bounce, NewBounce(data.size()));
  for (size_t done = 0; done < data.size();) {
    const auto part = bounce.span().first(std::min(bounce.size(), data.size() - done));
    std::memcpy(part.data(), &data[done], part.size());
    KEEL_RETURN_IF_ERROR(
        WriteReliably(file_, clock_, offset + done, part, kWriteAttempts, &retries_));
    done += part.size();
  }
  return absl::OkStatus();
}

}  // namespace keel::pager
