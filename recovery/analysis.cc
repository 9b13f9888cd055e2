#include "recovery/analysis.h"

#include <optional>

#include "base/status.h"
#include "recovery/record_table.h"

namespace keel::recovery {

namespace {

// Follows the records of a log and checks that they make sense one after the other.
class Classifier {
 public:
  Classifier(CommitNumber checkpoint, Generation generation) : generation_(generation) {
    analysis_.last_commit = checkpoint;
  }

  absl::Status Add(const wal::LogRecord& raw) {
    const std::optional<Record> record = DecodeRecord(raw.bytes);
    if (!record) return Damage(raw, "not a record of this version");
    ++analysis_.records;
    if (record->kind == RecordKind::kCheckpointCommit) return AddCheckpointCommit(raw, *record);
    const CommitNumber next{analysis_.last_commit.value + 1};
    if (record->number != next) {
      return Damage(raw, absl::StrFormat("commit %d expected, %d found: the log has a gap",
                                         next.value, record->number.value));
    }
    switch (record->kind) {
      case RecordKind::kCommit:
        return in_stream_ ? Damage(raw, "a commit within a stream") : Commit();
      case RecordKind::kChunk:
        return AddChunk(raw, *record);
      case RecordKind::kChunkedCommit:
      case RecordKind::kChunkedRollback:
        return EndStream(raw, *record);
      case RecordKind::kCheckpointCommit:
        break;
    }
    return absl::OkStatus();
  }

  Analysis Finish() {
    if (in_stream_) {
      ++analysis_.losers;
      analysis_.stream_commits.push_back(false);
    }
    return std::move(analysis_);
  }

 private:
  static absl::Status Damage(const wal::LogRecord& raw, std::string_view what) {
    return MakeStatus(absl::StatusCode::kDataLoss, "log: record that ends at LSN %d: %s",
                      raw.end.value, what);
  }

  absl::Status Commit() {
    ++analysis_.last_commit.value;
    ++analysis_.transactions;
    return absl::OkStatus();
  }

  // The checkpoint comes first, so its record can only be the first one behind it. Anywhere else it tells of a
  // checkpoint that was durable and is not the one in use.
  absl::Status AddCheckpointCommit(const wal::LogRecord& raw, const Record& record) {
    if (analysis_.records == 1 && record.number == analysis_.last_commit &&
        record.index == generation_.value) {
      return absl::OkStatus();
    }
    return Damage(raw, absl::StrFormat("commit %d is the checkpoint of generation %d; the one in "
                                       "use is generation %d with commit %d",
                                       record.number.value, record.index, generation_.value,
                                       analysis_.last_commit.value));
  }

  absl::Status AddChunk(const wal::LogRecord& raw, const Record& record) {
    if (record.index != (in_stream_ ? chunks_ : 0)) return Damage(raw, "a chunk out of order");
    in_stream_ = true;
    chunks_ = record.index + 1;
    return absl::OkStatus();
  }

  absl::Status EndStream(const wal::LogRecord& raw, const Record& record) {
    if (!in_stream_ || record.index != chunks_) return Damage(raw, "the end of another stream");
    const bool commits = record.kind == RecordKind::kChunkedCommit;
    analysis_.stream_commits.push_back(commits);
    in_stream_ = false;
    chunks_ = 0;
    if (commits) return Commit();
    ++analysis_.rolled_back;
    return absl::OkStatus();
  }

  const Generation generation_;
  Analysis analysis_;
  bool in_stream_ = false;
  uint64_t chunks_ = 0;
};

}  // namespace

absl::StatusOr<Analysis> Analyze(wal::LogReader& log, CommitNumber checkpoint,
                                 Generation generation) {
  KEEL_RETURN_IF_ERROR(log.Rewind());
  Classifier classifier(checkpoint, generation);
  wal::LogRecord record;
  while (true) {
    KEEL_ASSIGN_OR_RETURN(const bool more, log.Next(&record));
    if (!more) break;
    KEEL_RETURN_IF_ERROR(classifier.Add(record));
  }
  Analysis analysis = classifier.Finish();
  analysis.log_bytes = log.end().bytes;
  return analysis;
}

}  // namespace keel::recovery
