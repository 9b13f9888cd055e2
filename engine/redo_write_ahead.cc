#include "engine/redo_write_ahead.h"

#include <absl/status/statusor.h>

#include <system_error>

namespace keel::engine {

namespace {

constexpr size_t kPagesAtATime = 1024;

}  // namespace

RedoWriteAhead::~RedoWriteAhead() {
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void RedoWriteAhead::Start() {
  try {
    thread_ = std::thread([this] { WriteSome(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: then the checkpoint writes all.
  }
}

void RedoWriteAhead::Wake() {
  absl::MutexLock lock(&mutex_);
  awake_ = true;
}

bool RedoWriteAhead::Await() {
  absl::MutexLock lock(&mutex_);
  const auto either = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return awake_ || over_; };
  mutex_.Await(absl::Condition(&either));
  awake_ = false;
  return !over_;
}

void RedoWriteAhead::WriteSome() {
  while (Await()) {
    const absl::StatusOr<size_t> written = cache_.WriteBack(kPagesAtATime);
    if (!written.ok()) return;
    if (*written > 0) Wake();
  }
}

}  // namespace keel::engine
