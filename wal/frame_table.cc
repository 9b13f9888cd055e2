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

void FrameTable::Release(Lsn lsn) {
  while (frames_.size() > 1 && frames_[1].lsn <= lsn.value) {
    if (!frames_[0].empty()) released_records_end_ = frames_[0].records_end();
    frames_.pop_front();
  }
}

absl::StatusOr<LogStart> FrameTable::StartAt(Lsn lsn, Lsn durable_mark) const {
  if (lsn.value < released_records_end_) {
    return MakeStatus(absl::StatusCode::kOutOfRange, "log position %d has been released",
                      lsn.value);
  }
  const auto behind = std::ranges::upper_bound(frames_, lsn.value, {}, &Entry::lsn);
  if (behind != frames_.begin() && lsn.value < (behind - 1)->records_end()) {
    // Further records of this frame stand behind it.
    LogStart start = start_;
    start.lsn = lsn;
    start.chain = (behind - 1)->previous;
    return start;
  }
  return StartBefore(static_cast<size_t>(behind - frames_.begin()), durable_mark);
}

// The position from which reading yields the records of frame `index` and all later ones.
LogStart FrameTable::StartBefore(size_t index, Lsn durable_mark) const {
  const auto is_durable = [&](size_t at) {
    return at < frames_.size() && frames_[at].end() <= durable_mark.value;
  };
  while (is_durable(index) && frames_[index].empty()) ++index;
  LogStart start = start_;
  if (is_durable(index) || (index == 0 && !frames_.empty())) {
    start.lsn = Lsn{frames_[index].lsn};
    start.chain = frames_[index].previous;
  } else if (index > 0) {
    start.lsn = Lsn{frames_[index - 1].end()};
    start.chain = index == frames_.size() ? last_checksum_ : frames_[index].previous;
  }
  return start;
}

}  // namespace keel::wal
