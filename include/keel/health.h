// Keel: how an open database is doing.
//
//   const keel::DatabaseStats::Health health = db->Stats().health;
//   if (health.state != keel::HealthState::kHealthy) {
//     for (const keel::HealthIssue& issue : health.issues) Log(issue.message);
//   }
//
// docs/health.md has the diagram of the states and every threshold. EventListener tells of each change.

#ifndef KEEL_HEALTH_H_
#define KEEL_HEALTH_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace keel {

enum class HealthState : uint8_t {
  kHealthy,
  kDegraded,  // something fails or is near its limit; commits are taken (on a full disk: deletes)
  kReadOnly,  // opened so; or the log is at its limit and checkpoints fail: until one succeeds
  kStopped,   // an I/O failure that must not be passed over (promise G4): until reopened
};

// What keeps the database from being healthy. Each kind is there at most once.
struct HealthIssue {
  enum class Kind : uint8_t {
    // Refuses commits.
    kIoFailure,       // a sync failed, or a write to the log for good
    kOpenedReadOnly,  // Options::read_only
    kLogAtLimit,      // Options::checkpoint_log_bytes twice over, and checkpoints fail
    // Fails, and is tried again.
    kCheckpointsFail,
    kPageWritesFail,
    kDiskFull,  // an ordinary write was refused; deletes work
    // Near a limit: warnings.
    kDiskNearlyFull,
    kLogNearLimit,
    kMemoryChanged,  // pages changed and not yet written
    kMemoryPinned,   // pages held by values and cursors
    kOldSnapshot,    // an old snapshot keeps much of the file from being used again
  };

  Kind kind = Kind::kIoFailure;
  std::string message;
};

// "healthy", "degraded", "read-only", "stopped".
std::string_view HealthStateName(HealthState state);
// "I/O failure", "disk full", ...
std::string_view HealthIssueName(HealthIssue::Kind kind);

}  // namespace keel

#endif  // KEEL_HEALTH_H_
