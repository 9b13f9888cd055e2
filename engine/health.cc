#include "engine/health.h"

#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel {

std::string_view HealthStateName(HealthState state) {
  switch (state) {
    case HealthState::kHealthy:
      return "healthy";
    case HealthState::kDegraded:
      return "degraded";
    case HealthState::kReadOnly:
      return "read-only";
    case HealthState::kStopped:
      return "stopped";
  }
  return "unknown";
}

std::string_view HealthIssueName(HealthIssue::Kind kind) {
  switch (kind) {
    case HealthIssue::Kind::kIoFailure:
      return "I/O failure";
    case HealthIssue::Kind::kOpenedReadOnly:
      return "opened read-only";
    case HealthIssue::Kind::kLogAtLimit:
      return "log at its limit";
    case HealthIssue::Kind::kCheckpointsFail:
      return "checkpoints fail";
    case HealthIssue::Kind::kPageWritesFail:
      return "page writes fail";
    case HealthIssue::Kind::kDiskFull:
      return "disk full";
    case HealthIssue::Kind::kDiskNearlyFull:
      return "disk nearly full";
    case HealthIssue::Kind::kLogNearLimit:
      return "log near its limit";
    case HealthIssue::Kind::kMemoryChanged:
      return "memory full of changed pages";
    case HealthIssue::Kind::kMemoryPinned:
      return "memory pinned";
    case HealthIssue::Kind::kOldSnapshot:
      return "old snapshot";
  }
  return "unknown";
}

namespace engine {

namespace {

using Kind = HealthIssue::Kind;

// The arrows of the diagram (E1).
bool Legal(HealthState from, HealthState to) {
  switch (from) {
    case HealthState::kHealthy:
      return to == HealthState::kDegraded || to == HealthState::kStopped;
    case HealthState::kDegraded:
    case HealthState::kReadOnly:
      return true;
    case HealthState::kStopped:
      return false;
  }
  return false;
}

}  // namespace

Health::Health(EventListener* listener, bool read_only)
    : listener_(listener), state_(read_only ? HealthState::kReadOnly : HealthState::kHealthy) {
  if (read_only) issues_[Kind::kOpenedReadOnly] = "the database was opened read-only";
}

absl::Status Health::Refusal() const {
  if (state() == HealthState::kHealthy) [[likely]]
    return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  // Worst first, as the kinds are numbered.
  for (const auto& [kind, message] : issues_) {
    if (kind == Kind::kIoFailure) return absl::UnavailableError(message);
    if (kind == Kind::kOpenedReadOnly) return absl::FailedPreconditionError(message);
    if (kind == Kind::kLogAtLimit) return absl::ResourceExhaustedError(message);
  }
  return absl::OkStatus();
}

bool Health::Has(HealthIssue::Kind kind) const {
  if (state() == HealthState::kHealthy) [[likely]]
    return false;
  absl::MutexLock lock(&mutex_);
  return issues_.contains(kind);
}

std::vector<HealthIssue> Health::issues() const {
  absl::MutexLock lock(&mutex_);
  std::vector<HealthIssue> issues;
  for (const auto& [kind, message] : issues_) issues.push_back({kind, message});
  return issues;
}

void Health::Raise(HealthIssue::Kind kind, std::string message) {
  KEEL_CHECK(kind != Kind::kIoFailure && kind != Kind::kOpenedReadOnly);
  {
    absl::MutexLock lock(&mutex_);
    if (state() == HealthState::kStopped) return;
    // A checkpoint that succeeded meanwhile has ended what the caller is about to complain of (E3).
    if (kind == Kind::kLogAtLimit && !issues_.contains(Kind::kCheckpointsFail)) return;
    const bool begins = issues_.insert_or_assign(kind, message).second;
    if (!begins) return;
    TellOfIssue({kind, message}, /*begins=*/true);
    Settle(message);
  }
  Deliver();
}

void Health::Clear(std::initializer_list<HealthIssue::Kind> kinds) {
  if (state() == HealthState::kHealthy) [[likely]]
    return;
  {
    absl::MutexLock lock(&mutex_);
    if (state() == HealthState::kStopped) return;
    std::string over;
    for (const Kind kind : kinds) {
      KEEL_CHECK(kind != Kind::kIoFailure && kind != Kind::kOpenedReadOnly);
      const auto found = issues_.find(kind);
      if (found == issues_.end()) continue;
      over = absl::StrFormat("over: %s", HealthIssueName(kind));
      TellOfIssue({kind, std::move(found->second)}, /*begins=*/false);
      issues_.erase(found);
    }
    Settle(over);
  }
  Deliver();
}

bool Health::Stop(const absl::Status& reason) {
  absl::MutexLock lock(&mutex_);
  if (state() == HealthState::kStopped) return false;
  const std::string message = absl::StrFormat(
      "the database stopped taking commits after an I/O failure (%s); reads go on; reopen it to "
      "recover what is durable",
      MessageOf(reason));
  issues_[Kind::kIoFailure] = message;
  TellOfIssue({Kind::kIoFailure, message}, /*begins=*/true);
  Settle(message);
  Tell([text = std::string(MessageOf(reason))](EventListener& to) { to.OnStopped(text); });
  return true;
}

HealthState Health::Wanted() const {
  if (issues_.empty()) return HealthState::kHealthy;
  if (issues_.contains(Kind::kIoFailure)) return HealthState::kStopped;
  if (issues_.contains(Kind::kOpenedReadOnly)) return HealthState::kReadOnly;
  return issues_.contains(Kind::kLogAtLimit) ? HealthState::kReadOnly : HealthState::kDegraded;
}

void Health::Settle(std::string_view reason) {
  const HealthState from = state();
  const HealthState to = Wanted();
  if (from == to) return;
  KEEL_CHECK(Legal(from, to));
  state_.store(to, std::memory_order_release);
  Tell([from, to, text = std::string(reason)](EventListener& listener) {
    listener.OnHealthChange({from, to, text});
  });
}

void Health::Tell(Event event) {
  if (listener_ != nullptr) events_.push_back(std::move(event));
}

void Health::TellOfIssue(HealthIssue issue, bool begins) {
  Tell([issue = std::move(issue), begins](EventListener& to) { to.OnHealthIssue(issue, begins); });
}

void Health::Deliver() {
  absl::MutexLock lock(&mutex_);
  if (delivering_) return;
  delivering_ = true;
  while (!events_.empty()) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    mutex_.Unlock();
    event(*listener_);
    mutex_.Lock();
  }
  delivering_ = false;
}

}  // namespace engine
}  // namespace keel
