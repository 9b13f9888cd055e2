#include "io/synchronous_queue.h"

#include <iterator>
#include <utility>

#include "base/check.h"

namespace keel::io {

IoCompletion Perform(const IoRequest& request) {
  KEEL_CHECK(request.file != nullptr);
  IoCompletion completion{request.tag, absl::OkStatus(), 0};
  switch (request.kind) {
    case IoRequest::Kind::kRead: {
      absl::StatusOr<size_t> got =
          request.file->Read(request.offset, {request.data, request.length});
      completion.bytes = got.value_or(0);
      completion.status = std::move(got).status();
      break;
    }
    case IoRequest::Kind::kWrite:
      completion.status = request.file->Write(request.offset, {request.data, request.length});
      completion.bytes = completion.status.ok() ? request.length : 0;
      break;
    case IoRequest::Kind::kSync:
      completion.status = request.file->Sync(request.purpose);
      break;
  }
  return completion;
}

absl::Status SynchronousQueue::Submit(std::span<const IoRequest> requests) {
  for (const IoRequest& request : requests) completed_.push_back(Perform(request));
  return absl::OkStatus();
}

absl::Status SynchronousQueue::Wait(size_t /*count*/, std::vector<IoCompletion>* completions) {
  std::move(completed_.begin(), completed_.end(), std::back_inserter(*completions));
  completed_.clear();
  return absl::OkStatus();
}

}  // namespace keel::io
