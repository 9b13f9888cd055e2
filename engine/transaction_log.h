// A running transaction's records: private until they outgrow one frame, then streamed.
//
// Operations are gathered in memory and become one record at commit. When they outgrow what the log takes as
// one record, they go to the log in chunks, unsynced; then a commit or rollback record ends the stream. The
// transaction holds the writer lock, so its chunks stand together. When they outgrow what the log may take at all,
// logging stops: the stream ends as rolled back, and the commit is a checkpoint (engine/checkpoint_commit.cc).

#ifndef KEEL_ENGINE_TRANSACTION_LOG_H_
#define KEEL_ENGINE_TRANSACTION_LOG_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "recovery/operations.h"
#include "recovery/record_table.h"
#include "wal/log_writer.h"

namespace keel::engine {

// REQUIRES: the writer lock.
class TransactionLog {
 public:
  // A stream grows to `stream_bytes_max` at most: the log cannot be cut meanwhile. At most
  // `private_bytes_max` are gathered in memory. When the disk is full `make_room` is asked to have the log cut;
  // it tells whether that is worth another try.
  TransactionLog(wal::LogWriter* log, uint64_t stream_bytes_max, size_t private_bytes_max,
                 std::function<bool()> make_room);

  // Begins the transaction that will have this number. REQUIRES: the one before has ended.
  void Begin(CommitNumber number);

  // Whether an operation can be added without anything being logged now.
  bool TakesUnlogged(const recovery::Operation& operation) const {
    return stopped_ || operations_.size() + recovery::EncodedBytes(operation) <= room();
  }
  // Whether the log takes an operation more, with `log_room` bytes at most before it has to be cut.
  bool Takes(const recovery::Operation& operation, uint64_t log_room) const;
  // Logs nothing from here on, and lets go of what has been gathered. If anything was streamed: the end of the
  // record that says that it does not count. An error is kept as failure().
  absl::StatusOr<std::optional<Lsn>> StopLogging();
  bool stopped() const { return stopped_; }

  // Makes sure that an operation can be added, before it is applied. ResourceExhausted: the disk is full. Nothing
  // has changed then: others may still fit. REQUIRES: Takes.
  absl::Status Prepare(const recovery::Operation& operation);
  // Takes an operation. REQUIRES: Prepare. An error leaves the transaction fit only for Abandon, as failure() says
  // from then on.
  absl::Status Add(const recovery::Operation& operation);
  const absl::Status& failure() const { return failure_; }

  // Where the next operation goes.
  struct Position {
    uint64_t chunks = 0;
    size_t bytes = 0;
  };
  Position position() const { return {chunks_, operations_.size()}; }
  // Takes back everything behind `position` if that has not been streamed yet.
  bool TakeBackTo(const Position& position);

  // What is longer is streamed.
  size_t record_bytes_max() const { return record_bytes_max_; }
  // Nothing to commit; once logging has stopped, nobody can tell.
  bool empty() const { return chunks_ == 0 && operations_.empty() && !stopped_; }

  // Makes sure that what has been added fits in the log. Commit cannot meet a full disk after it.
  absl::Status ReserveCommit();
  // Appends the commit record; its end. REQUIRES: ReserveCommit.
  absl::StatusOr<Lsn> Commit();
  // For transactions that are committed together: sets this one's record aside, to be appended behind those set aside
  // before. False: it has none. REQUIRES: none of it has been streamed, and logging has not stopped.
  bool KeepRecord();
  size_t kept() const { return kept_ends_.size(); }
  // Makes sure that all of them fit in the log. REQUIRES: nothing has been added since the last one.
  absl::Status ReserveKept();
  // Appends the next one of them; its end. REQUIRES: ReserveKept; in their order.
  absl::StatusOr<Lsn> AppendKept(size_t index);
  void DropKept();

  // Ends without a commit; the end of the record that says so, if any of it was streamed.
  std::optional<Lsn> Abandon();

 private:
  absl::Status Gather(std::string_view bytes);
  absl::Status Spill();
  // What a stream needs to take `bytes` more: every chunk that may have to be spilled, what then remains, and the
  // record that ends it.
  struct Need {
    uint64_t records;
    uint64_t bytes;
  };
  Need NeedOf(uint64_t bytes) const;
  size_t room() const { return record_bytes_max_ - recovery::kRecordHeadBytes; }
  absl::StatusOr<std::optional<Lsn>> EndStream();
  absl::Status ReserveLog(uint64_t bytes, uint64_t records);
  void End();

  wal::LogWriter* log_;
  std::function<bool()> make_room_;
  uint64_t stream_bytes_max_;
  size_t record_bytes_max_;
  CommitNumber number_;
  std::string operations_;  // not yet in the log
  uint64_t chunks_ = 0;     // in the log
  uint64_t streamed_bytes_ = 0;
  bool stopped_ = false;
  std::string head_;    // scratch
  std::string record_;  // scratch
  absl::Status failure_;
  std::string kept_;               // records set aside, one behind the other
  std::vector<size_t> kept_ends_;  // where each of them ends
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_TRANSACTION_LOG_H_
