#include "recovery/redo.h"

#include <optional>

#include "base/status.h"
#include "recovery/record_table.h"

namespace keel::recovery {

namespace {

constexpr uint64_t kProgressBytes = uint64_t{1} << 20;

class Repeater {
 public:
  Repeater(const Analysis& analysis, RedoTarget& target) : analysis_(analysis), target_(target) {}

  absl::Status Add(const wal::LogRecord& raw) {
    const std::optional<Record> record = DecodeRecord(raw.bytes);
    if (!record) return Damage(raw);
    switch (record->kind) {
      case RecordKind::kCommit:
        KEEL_RETURN_IF_ERROR(Apply(raw, record->payload));
        return Commit(raw, record->number);
      case RecordKind::kChunk:
        return AddChunk(raw, *record);
      case RecordKind::kChunkedCommit:
        ++stream_;
        return Commit(raw, record->number);
      case RecordKind::kChunkedRollback:
        ++stream_;
        return absl::OkStatus();
      case RecordKind::kCheckpointCommit:
        return absl::OkStatus();  // redo began on it
    }
    return Damage(raw);
  }

  const RedoResult& result() const { return result_; }

 private:
  static absl::Status Damage(const wal::LogRecord& raw) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "log: record that ends at LSN %d has operations that cannot be read",
                      raw.end.value);
  }

  // What succeeded once and is impossible now does not belong to this database.
  static absl::Status Judged(const wal::LogRecord& raw, const absl::Status& status) {
    if (!absl::IsNotFound(status) && !absl::IsFailedPrecondition(status) &&
        !absl::IsInvalidArgument(status)) {
      return status;
    }
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "log: record that ends at LSN %d contradicts the database (%s)",
                      raw.end.value, MessageOf(status));
  }

  absl::Status AddChunk(const wal::LogRecord& raw, const Record& record) {
    const bool winner = analysis_.stream_commits[stream_];
    return winner ? Apply(raw, record.payload) : absl::OkStatus();
  }

  absl::Status Apply(const wal::LogRecord& raw, std::string_view bytes) {
    decoder_.Feed(bytes);
    Operation operation;
    while (true) {
      switch (decoder_.Next(&operation)) {
        case OperationDecoder::Result::kNeedMore:
          return absl::OkStatus();
        case OperationDecoder::Result::kDamaged:
          return Damage(raw);
        case OperationDecoder::Result::kOperation:
          ++result_.operations;
          KEEL_RETURN_IF_ERROR(Judged(raw, target_.Apply(operation)));
      }
    }
  }

  absl::Status Commit(const wal::LogRecord& raw, CommitNumber number) {
    if (!decoder_.drained()) return Damage(raw);
    decoder_.Clear();
    ++result_.transactions;
    return target_.Commit(number, raw.end);
  }

  const Analysis& analysis_;
  RedoTarget& target_;
  OperationDecoder decoder_;
  size_t stream_ = 0;
  RedoResult result_;
};

}  // namespace

absl::StatusOr<RedoResult> Redo(wal::LogReader& log, const Analysis& analysis, RedoTarget& target,
                                absl::FunctionRef<void(uint64_t bytes_done)> progress) {
  KEEL_RETURN_IF_ERROR(log.Rewind());
  Repeater repeater(analysis, target);
  wal::LogRecord record;
  uint64_t done = 0;
  uint64_t reported = 0;
  while (true) {
    KEEL_ASSIGN_OR_RETURN(const bool more, log.Next(&record));
    if (!more) break;
    KEEL_RETURN_IF_ERROR(repeater.Add(record));
    done += record.bytes.size();
    if (done - reported >= kProgressBytes) {
      progress(done);
      reported = done;
    }
  }
  return repeater.result();
}

}  // namespace keel::recovery
