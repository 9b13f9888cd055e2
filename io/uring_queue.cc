#include "io/uring_queue.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "io/errors.h"

namespace keel::io {
namespace {

std::span<std::byte> BytesOf(const IoRequest& request) { return {request.data, request.length}; }

absl::Status Check(const PosixFile& file, const IoRequest& request) {
  switch (request.kind) {
    case IoRequest::Kind::kRead:
      return file.CheckRead(request.offset, BytesOf(request));
    case IoRequest::Kind::kWrite:
      return file.CheckWrite(request.offset, BytesOf(request));
    case IoRequest::Kind::kSync:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status TransferError(const PosixFile& file, std::string_view operation,
                           const IoRequest& request, int result) {
  return ErrnoStatus(-result, operation, file.path(), request.offset, request.length);
}

absl::StatusOr<size_t> EndRead(PosixFile& file, const IoRequest& request, int result) {
  if (result < 0 && !MayCarryOn(result)) {
    return TransferError(file, "io_uring read", request, result);
  }
  if (result == 0) return size_t{0};
  return file.FinishRead(request.offset, BytesOf(request),
                         static_cast<size_t>(std::max(result, 0)));
}

absl::Status EndWrite(PosixFile& file, const IoRequest& request, int result) {
  const bool failed = result < 0 && !MayCarryOn(result);
  absl::Status status = failed ? TransferError(file, "io_uring write", request, result)
                               : file.FinishWrite(request.offset, BytesOf(request),
                                                  static_cast<size_t>(std::max(result, 0)));
  file.NoteWriteCompleted();
  return status;
}

absl::Status EndSync(PosixFile& file, uint64_t write_mark, int result) {
  if (NotBegun(result)) return file.FinishSync();
  if (result < 0) return ErrnoStatus(-result, "io_uring fdatasync", file.path());
  file.NoteSynced(write_mark);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<UringQueue>> UringQueue::Make(size_t depth) {
  KEEL_CHECK(depth > 0);
  depth = std::min(depth, kMaxDepth);
  KEEL_ASSIGN_OR_RETURN(std::unique_ptr<Ring> ring, Ring::Make(static_cast<unsigned>(depth)));
  return std::unique_ptr<UringQueue>(new UringQueue(std::move(ring), depth));
}

UringQueue::UringQueue(std::unique_ptr<Ring> ring, size_t depth)
    : ring_(std::move(ring)), owner_(getpid()), slots_(depth) {
  for (size_t slot = depth; slot > 0; --slot) free_.push_back(slot - 1);
}

UringQueue::~UringQueue() {
  if (getpid() != owner_) return;
  while (under_way_ > 0) Reap();
}

absl::Status UringQueue::Submit(std::span<const IoRequest> requests) {
  for (const IoRequest& request : requests) Add(request);
  HandOver();
  return absl::OkStatus();
}

void UringQueue::Add(const IoRequest& request) {
  auto* file = dynamic_cast<PosixFile*>(request.file);
  KEEL_CHECK(file != nullptr);
  ++pending_;
  if (absl::Status status = Check(*file, request); !status.ok()) {
    completed_.push_back({request.tag, std::move(status), 0});
    return;
  }
  const size_t slot = TakeSlot();
  slots_[slot] = {request, file, file->WriteMark()};
  if (request.kind == IoRequest::Kind::kSync) file->sync_counters().Add(request.purpose);
  if (ring_->usable()) {
    Fill(slot);
  } else {
    Complete(slot, -ECANCELED);
  }
}

size_t UringQueue::TakeSlot() {
  if (free_.empty()) HandOver();
  while (free_.empty()) Reap();
  const size_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void UringQueue::Fill(size_t slot) {
  const IoRequest& request = slots_[slot].request;
  const int fd = slots_[slot].file->descriptor();
  switch (request.kind) {
    case IoRequest::Kind::kRead:
      ring_->AddRead(fd, BytesOf(request), request.offset, slot);
      break;
    case IoRequest::Kind::kWrite:
      ring_->AddWrite(fd, BytesOf(request), request.offset, slot);
      break;
    case IoRequest::Kind::kSync:
      ring_->AddDataSync(fd, slot);
      break;
  }
  filled_.push_back(slot);
}

void UringQueue::HandOver() {
  const size_t taken = ring_->Submit();
  under_way_ += taken;
  for (size_t i = taken; i < filled_.size(); ++i) Complete(filled_[i], -ECANCELED);
  filled_.clear();
}

void UringQueue::Reap() {
  const Ring::Result result = ring_->Wait();
  --under_way_;
  Complete(result.tag, result.value);
}

void UringQueue::Complete(size_t slot, int result) {
  const IoRequest& request = slots_[slot].request;
  PosixFile& file = *slots_[slot].file;
  IoCompletion completion{request.tag, absl::OkStatus(), 0};
  switch (request.kind) {
    case IoRequest::Kind::kRead: {
      absl::StatusOr<size_t> got = EndRead(file, request, result);
      completion.bytes = got.value_or(0);
      completion.status = std::move(got).status();
      break;
    }
    case IoRequest::Kind::kWrite:
      completion.status = EndWrite(file, request, result);
      completion.bytes = completion.status.ok() ? request.length : 0;
      break;
    case IoRequest::Kind::kSync:
      completion.status = EndSync(file, slots_[slot].write_mark, result);
      break;
  }
  completed_.push_back(std::move(completion));
  free_.push_back(slot);
}

absl::Status UringQueue::Wait(size_t count, std::vector<IoCompletion>* completions) {
  while (under_way_ > 0) {
    if (completed_.size() < count) {
      Reap();
    } else if (const auto result = ring_->Poll()) {
      --under_way_;
      Complete(result->tag, result->value);
    } else {
      break;
    }
  }
  pending_ -= completed_.size();
  std::move(completed_.begin(), completed_.end(), std::back_inserter(*completions));
  completed_.clear();
  return absl::OkStatus();
}

}  // namespace keel::io
