#include "engine/transaction_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"
#include "recovery/record_table.h"

namespace keel::engine {

using recovery::Record;
using recovery::RecordKind;

namespace {

// What a record may take in the log beside its bytes, about: its frame's header and padding.
constexpr uint64_t kFramePadding = 4096;

}  // namespace

TransactionLog::TransactionLog(wal::LogWriter* log, uint64_t stream_bytes_max,
                               size_t private_bytes_max, std::function<bool()> make_room)
    : log_(log),
      make_room_(std::move(make_room)),
      stream_bytes_max_(stream_bytes_max),
      record_bytes_max_(std::min(log->max_record_bytes(), private_bytes_max)) {}

void TransactionLog::Begin(CommitNumber number) {
  number_ = number;
  End();
}

void TransactionLog::End() {
  operations_.clear();
  chunks_ = 0;
  streamed_bytes_ = 0;
  stopped_ = false;
  failure_ = absl::OkStatus();
}

TransactionLog::Need TransactionLog::NeedOf(uint64_t bytes) const {
  const uint64_t records = bytes / room() + 3;
  return {records, bytes + records * recovery::kRecordHeadBytes};
}

bool TransactionLog::Takes(const recovery::Operation& operation, uint64_t log_room) const {
  if (TakesUnlogged(operation)) return true;
  const Need need = NeedOf(operations_.size() + recovery::EncodedBytes(operation));
  // Each record may come to stand in a frame of its own.
  return streamed_bytes_ + need.bytes <= stream_bytes_max_ &&
         need.bytes + need.records * kFramePadding <= log_room;
}

absl::Status TransactionLog::Prepare(const recovery::Operation& operation) {
  if (!failure_.ok()) return failure_;
  if (TakesUnlogged(operation)) return absl::OkStatus();
  const Need need = NeedOf(operations_.size() + recovery::EncodedBytes(operation));
  return ReserveLog(need.bytes, need.records);
}

absl::StatusOr<std::optional<Lsn>> TransactionLog::StopLogging() {
  if (!failure_.ok()) return failure_;
  stopped_ = true;
  std::string().swap(operations_);
  absl::StatusOr<std::optional<Lsn>> end = EndStream();
  if (!end.ok()) failure_ = end.status();
  return end;
}

absl::Status TransactionLog::Add(const recovery::Operation& operation) {
  if (!failure_.ok()) return failure_;
  if (stopped_) return absl::OkStatus();
  head_.clear();
  recovery::EncodeOperationHead(operation, &head_);
  absl::Status status = Gather(head_);
  if (status.ok() && operation.kind == recovery::OperationKind::kPut) {
    status = Gather(operation.value);
  }
  if (!status.ok()) {
    failure_ = WithContext(status, "the transaction's changes cannot be logged; roll it back");
  }
  return status;
}

absl::Status TransactionLog::Gather(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t take = std::min(bytes.size(), room() - std::min(room(), operations_.size()));
    operations_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (!bytes.empty()) KEEL_RETURN_IF_ERROR(Spill());
  }
  return absl::OkStatus();
}

absl::Status TransactionLog::Spill() {
  record_.clear();
  recovery::EncodeRecordHead(Record{RecordKind::kChunk, number_, chunks_, {}}, &record_);
  record_ += operations_;
  // Room for the record that ends the stream too, so that Abandon needs none.
  KEEL_RETURN_IF_ERROR(ReserveLog(record_.size() + recovery::kRecordHeadBytes, 2));
  KEEL_RETURN_IF_ERROR(log_->Append(record_).status());
  streamed_bytes_ += record_.size();
  ++chunks_;
  operations_.clear();
  return absl::OkStatus();
}

bool TransactionLog::TakeBackTo(const Position& position) {
  if (position.chunks != chunks_ || position.bytes > operations_.size()) return false;
  operations_.resize(position.bytes);
  return true;
}

absl::Status TransactionLog::ReserveCommit() {
  if (!failure_.ok()) return failure_;
  if (chunks_ > 0 && !operations_.empty()) KEEL_RETURN_IF_ERROR(Spill());
  return ReserveLog(recovery::kRecordHeadBytes + operations_.size(), 1);
}

absl::Status TransactionLog::ReserveLog(uint64_t bytes, uint64_t records) {
  absl::Status status = log_->Reserve(bytes, records);
  if (!IsDiskFull(status) || !make_room_()) return status;
  return log_->Reserve(bytes, records);
}

absl::StatusOr<Lsn> TransactionLog::Commit() {
  record_.clear();
  if (chunks_ > 0) {
    recovery::EncodeRecordHead(Record{RecordKind::kChunkedCommit, number_, chunks_, {}}, &record_);
  } else {
    recovery::EncodeRecordHead(Record{RecordKind::kCommit, number_, 0, {}}, &record_);
    record_ += operations_;
  }
  KEEL_ASSIGN_OR_RETURN(const Lsn lsn, log_->Append(record_));
  End();
  return lsn;
}

bool TransactionLog::KeepRecord() {
  KEEL_CHECK(chunks_ == 0 && !stopped_);
  if (operations_.empty()) return false;
  recovery::EncodeRecordHead(Record{RecordKind::kCommit, number_, 0, {}}, &kept_);
  kept_ += operations_;
  kept_ends_.push_back(kept_.size());
  End();
  return true;
}

absl::Status TransactionLog::ReserveKept() { return ReserveLog(kept_.size(), kept_ends_.size()); }

absl::StatusOr<Lsn> TransactionLog::AppendKept(size_t index) {
  const size_t begin = index == 0 ? 0 : kept_ends_[index - 1];
  return log_->Append(std::string_view(kept_).substr(begin, kept_ends_[index] - begin));
}

void TransactionLog::DropKept() {
  kept_.clear();
  kept_ends_.clear();
}

// Without this record the next transaction would be taken for a part of the stream. Spill left room for it, so only a
// log that has failed for good refuses it.
absl::StatusOr<std::optional<Lsn>> TransactionLog::EndStream() {
  if (chunks_ == 0) return std::nullopt;
  record_.clear();
  recovery::EncodeRecordHead(Record{RecordKind::kChunkedRollback, number_, chunks_, {}}, &record_);
  KEEL_ASSIGN_OR_RETURN(const Lsn end, log_->Append(record_));
  chunks_ = 0;
  return end;
}

std::optional<Lsn> TransactionLog::Abandon() {
  const absl::StatusOr<std::optional<Lsn>> end = EndStream();
  End();
  return end.value_or(std::nullopt);
}

}  // namespace keel::engine
