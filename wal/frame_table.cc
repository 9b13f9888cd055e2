#include "wal/frame_table.h"

#include <algorithm>

#include "base/status.h"

namespace keel::wal {

void FrameTable::Add(const FrameHeader& header, uint64_t checksum) {
  frames_.push_back({header.lsn, header.previous,
                     static_cast<uint32_t>(header.records_end() - header.lsn),
                     header.padded_bytes});
  last_checksum_ = checksum;
}

// The last frame that begins at or below `lsn` stays: `lsn` itself may still be asked for.
void FrameTable::Release(Lsn lsn) {
  while (frames_.size() > 1 && frames_[1].lsn <= lsn.value) {
    frames_.pop_front();
    released_ = true;
  }
}

absl::StatusOr<LogStart> FrameTable::StartAt(Lsn lsn) const {
  const auto behind = std::ranges::upper_bound(frames_, lsn.value, {}, &Entry::lsn);
  if (behind == frames_.begin()) {
    if (!released_) return start_;
    return MakeStatus(absl::StatusCode::kOutOfRange, "log position %d has been released", lsn.value);
  }
  const Entry& frame = *(behind - 1);
  LogStart start = start_;
  if (lsn.value < frame.lsn + frame.records_bytes) {  // records of this frame stand behind it
    start.lsn = lsn;
    start.chain = frame.previous;
  } else {
    start.lsn = Lsn{frame.lsn + frame.padded_bytes};
    start.chain = behind == frames_.end() ? last_checksum_ : behind->previous;
  }
  return start;
}

}  // namespace keel::wal
