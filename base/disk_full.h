// Which of the ResourceExhausted errors mean that the disk has no room.
//
// Memory and limits give ResourceExhausted too; a full disk alone is worth a checkpoint and another try, and
// is over without reopening once there is room. The mark travels with the status, also through WithContext.

#ifndef KEEL_BASE_DISK_FULL_H_
#define KEEL_BASE_DISK_FULL_H_

#include <absl/status/status.h>

namespace keel {

// `status` with the mark. REQUIRES: ResourceExhausted.
absl::Status MarkDiskFull(absl::Status status);
bool HasDiskFullMark(const absl::Status& status);
inline bool IsDiskFull(const absl::Status& status) {
  return !status.ok() && HasDiskFullMark(status);
}

}  // namespace keel

#endif  // KEEL_BASE_DISK_FULL_H_
