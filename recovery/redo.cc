#include "recovery/redo.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "base/status.h"
#include "recovery/record_table.h"

namespace keel::recovery {

namespace {

constexpr uint64_t kProgressBytes = uint64_t{1} << 20;
constexpr size_t kWorthSorting = 64;  // operations of a single transaction

// Transactions to be repeated together (D1).
class Batch {
 public:
  struct Transaction {
    std::string payload;
    CommitNumber number;
    Lsn end;
  };

  // False, and nothing is taken: it is not all puts and deletes.
  bool Add(std::string_view payload, CommitNumber number, Lsn end) {
    transactions_.push_back({std::string(payload), number, end});
    const size_t before = operations_.size();
    std::string_view rest = transactions_.back().payload;
    while (!rest.empty()) {
      const std::optional<Operation> operation = DecodeOperation(&rest);
      if (!operation || !OfOneKey(*operation)) {
        operations_.resize(before);
        transactions_.pop_back();
        return false;
      }
      operations_.push_back(*operation);
    }
    // Operations once more, and their places, while they are sorted.
    constexpr size_t kOperationBytes = 2 * sizeof(Operation) + sizeof(Place);
    bytes_ +=
        payload.size() + sizeof(Transaction) + (operations_.size() - before) * kOperationBytes;
    return true;
  }

  // Of each key the last operation, in the order of keys. Forgets the order in the log.
  std::span<const Operation> Sort() {
    std::vector<Place> places;
    places.reserve(operations_.size());
    const size_t shared = SharedPrefixBytes();
    for (const Operation& operation : operations_) {
      places.emplace_back(operation, shared, places.size());
    }
    std::ranges::sort(places, [this](const Place& a, const Place& b) { return IsBefore(a, b); });
    std::vector<Operation> sorted;
    sorted.reserve(places.size());
    for (size_t i = 0; i < places.size(); ++i) {
      const bool last = i + 1 == places.size() || !SameKey(places[i], places[i + 1]);
      if (last) sorted.push_back(operations_[places[i].at]);
    }
    operations_ = std::move(sorted);
    return operations_;
  }

  void Clear() {
    transactions_.clear();
    operations_.clear();
    bytes_ = 0;
  }

  const std::deque<Transaction>& transactions() const { return transactions_; }
  size_t operations() const { return operations_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  // Of an operation what mostly tells its place in the order: its key lies anywhere in memory.
  struct Place {
    Place(const Operation& operation, size_t skip, size_t position)
        : keyspace(operation.keyspace.value), at(static_cast<uint32_t>(position)) {
      std::array<char, sizeof(head)> start{};
      operation.key.copy(start.data(), start.size(), skip);
      head = __builtin_bswap64(Load<uint64_t>(start.data()));
    }

    uint64_t head = 0;  // of the key, behind what all keys begin with
    uint32_t keyspace;
    uint32_t at;  // in the log's order
  };

  size_t SharedPrefixBytes() const {
    if (operations_.empty()) return 0;
    std::string_view shared = operations_.front().key;
    for (const Operation& operation : operations_) {
      const auto differ = std::ranges::mismatch(shared, operation.key);
      shared = shared.substr(0, static_cast<size_t>(differ.in1 - shared.begin()));
    }
    return shared.size();
  }

  bool IsBefore(const Place& a, const Place& b) const {
    if (a.keyspace != b.keyspace) return a.keyspace < b.keyspace;
    if (a.head != b.head) return a.head < b.head;
    const int order = operations_[a.at].key.compare(operations_[b.at].key);
    return order != 0 ? order < 0 : a.at < b.at;
  }
  bool SameKey(const Place& a, const Place& b) const {
    return a.keyspace == b.keyspace && a.head == b.head &&
           operations_[a.at].key == operations_[b.at].key;
  }

  static bool OfOneKey(const Operation& operation) {
    return operation.kind == OperationKind::kPut || operation.kind == OperationKind::kDelete;
  }

  std::deque<Transaction> transactions_;  // stay where they are: operations look into them
  std::vector<Operation> operations_;
  size_t bytes_ = 0;
};

class Repeater {
 public:
  Repeater(const Analysis& analysis, RedoTarget& target, const RedoOptions& options)
      : analysis_(analysis), target_(target), options_(options) {}

  absl::Status Add(const wal::LogRecord& raw) {
    const std::optional<Record> record = DecodeRecord(raw.bytes);
    if (!record) return Damage(raw);
    if (record->kind == RecordKind::kCommit && options_.order == Order::kKeys &&
        batch_.Add(record->payload, record->number, raw.end)) {
      return batch_.bytes() < options_.batch_bytes ? absl::OkStatus() : Finish();
    }
    KEEL_RETURN_IF_ERROR(Finish());
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

  // Repeats what is gathered.
  absl::Status Finish() {
    absl::Status status = RepeatTogether();
    if (!status.ok()) status = RepeatOneByOne();
    batch_.Clear();
    return status;
  }

  bool gathering() const { return !batch_.transactions().empty(); }
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

  absl::Status RepeatTogether() {
    const auto& transactions = batch_.transactions();
    if (transactions.empty()) return absl::OkStatus();
    const size_t operations = batch_.operations();
    // Alone, a small one would not be faster.
    if (transactions.size() == 1 && operations < kWorthSorting) return absl::CancelledError();
    KEEL_RETURN_IF_ERROR(
        target_.ApplyTogether(batch_.Sort(), transactions.back().number, transactions.back().end));
    ++result_.batches;
    result_.transactions += transactions.size();
    result_.operations += operations;
    return absl::OkStatus();
  }

  absl::Status RepeatOneByOne() {
    for (const Batch::Transaction& transaction : batch_.transactions()) {
      wal::LogRecord raw;
      raw.end = transaction.end;
      KEEL_RETURN_IF_ERROR(Apply(raw, transaction.payload));
      KEEL_RETURN_IF_ERROR(Commit(raw, transaction.number));
    }
    return absl::OkStatus();
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
  const RedoOptions options_;
  Batch batch_;
  OperationDecoder decoder_;
  size_t stream_ = 0;
  RedoResult result_;
};

}  // namespace

absl::StatusOr<RedoResult> Redo(wal::LogReader& log, const Analysis& analysis, RedoTarget& target,
                                const RedoOptions& options,
                                absl::FunctionRef<void(uint64_t bytes_done)> progress) {
  KEEL_RETURN_IF_ERROR(log.Rewind());
  Repeater repeater(analysis, target, options);
  wal::LogRecord record;
  uint64_t done = 0;
  uint64_t reported = 0;
  while (true) {
    KEEL_ASSIGN_OR_RETURN(const bool more, log.Next(&record));
    if (!more) break;
    KEEL_RETURN_IF_ERROR(repeater.Add(record));
    done += record.bytes.size();
    if (done - reported >= kProgressBytes && !repeater.gathering()) {
      progress(done);
      reported = done;
    }
  }
  KEEL_RETURN_IF_ERROR(repeater.Finish());
  if (done - reported >= kProgressBytes) progress(done);
  return repeater.result();
}

}  // namespace keel::recovery
