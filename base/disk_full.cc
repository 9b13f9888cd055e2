#include "base/disk_full.h"

#include <absl/strings/cord.h>

#include <utility>

#include "base/check.h"

namespace keel {

namespace {

constexpr absl::string_view kMark = "keel/disk-full";

}  // namespace

absl::Status MarkDiskFull(absl::Status status) {
  KEEL_CHECK(absl::IsResourceExhausted(status));
  status.SetPayload(kMark, absl::Cord());
  return status;
}

bool HasDiskFullMark(const absl::Status& status) { return status.GetPayload(kMark).has_value(); }

}  // namespace keel
