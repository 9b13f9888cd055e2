#include "torture/shape.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

namespace keel::torture {

keel::Options Shape::Options(fault_injection::SimFileSystem* world) const {
  keel::Options options;
  options.file_system = world;
  options.background = Background::kManual;
  options.page_bytes = page_bytes;
  options.log_segment_bytes = segment_bytes;
  options.checkpoint_log_bytes = checkpoint_log_bytes;
  options.memory_bytes = memory_bytes;
  options.direct_io = direct_io;
  return options;
}

std::string Shape::Describe() const {
  std::string text = absl::StrFormat(
      "pages of %d bytes, segments of %d, a checkpoint every %d bytes of log, %d bytes of memory, "
      "%s, %d keyspaces of %d keys, values of %s bytes",
      page_bytes, segment_bytes, checkpoint_log_bytes, memory_bytes,
      std::string(io::FlushMethodName(flush)), spaces, keys, absl::StrJoin(value_bytes, "/"));
  if (!direct_io) absl::StrAppend(&text, ", buffered");
  if (!savepoints) absl::StrAppend(&text, ", no savepoints");
  if (!unsynced_commits) absl::StrAppend(&text, ", every commit synced");
  if (!snapshots) absl::StrAppend(&text, ", no snapshots");
  if (!optimistic) absl::StrAppend(&text, ", no optimistic transactions");
  if (ballast) absl::StrAppend(&text, ", a full file to begin with");
  return text;
}

Shape TinyShape() { return {}; }

Shape RandomShape(fault_injection::SeededRandom& random) {
  Shape shape;
  if (random.OneIn(4)) {
    shape.page_bytes = 4096;
    shape.segment_bytes = uint64_t{256} << 10;
    shape.checkpoint_log_bytes = uint64_t{1} << 20;
    shape.memory_bytes = uint64_t{4} << 20;
    shape.value_bytes = {10, 100, 1000, 6000};
  } else {
    shape.segment_bytes = (uint64_t{4} << random.Below(4)) * 4096;
    shape.checkpoint_log_bytes = shape.segment_bytes << (1 + random.Below(3));
    if (random.OneIn(3)) shape.value_bytes = {0, 8, 100, 1200};
  }
  shape.direct_io = !random.OneIn(4);
  shape.flush = static_cast<io::FlushMethod>(random.Below(3));
  shape.spaces = 1 + static_cast<int>(random.Below(3));
  shape.keys = uint64_t{4} << random.Below(7);
  shape.savepoints = !random.OneIn(3);
  shape.unsynced_commits = !random.OneIn(3);
  shape.snapshots = !random.OneIn(3);
  shape.optimistic = !random.OneIn(3);
  shape.ballast = random.OneIn(4);
  // Two dozen pages of the smaller kind: more than one run where free space is torn.
  constexpr size_t kTornValueBytes = 12'000;
  if (shape.checkpoint_log_bytes >= 8 * kTornValueBytes && random.OneIn(10)) {
    shape.value_bytes.push_back(kTornValueBytes);
  }
  return shape;
}

}  // namespace keel::torture
