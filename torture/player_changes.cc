// What a player changes, and how it commits.

#include "torture/player.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace keel::torture {

std::string Player::RandomKey() { return absl::StrFormat("k%03d", random_.Below(shape_.keys)); }

std::string Player::RandomValue(bool large) {
  const size_t sizes = shape_.value_bytes.size();
  const size_t bytes = large ? shape_.value_bytes.back()
                             : shape_.value_bytes[random_.Below(std::max<size_t>(1, sizes - 1))];
  std::string value(bytes, static_cast<char>('a' + random_.Below(26)));
  // Different each time: an old value in place of a new one must show.
  const std::string stamp = absl::StrFormat("%x", random_.Next());
  std::copy_n(stamp.begin(), std::min(stamp.size(), value.size()), value.begin());
  return value;
}

int Player::RandomSpace() {
  return static_cast<int>(random_.Below(static_cast<uint64_t>(shape_.spaces)));
}

bool Player::EnsureTransaction() {
  if (transaction_.has_value() && written_ > WrittenMax()) Commit(Durability::kSync);
  if (transaction_.has_value()) return true;
  return BeginTransaction(shape_.optimistic && random_.OneIn(3));
}

// For what is more than an optimistic one may hold in memory.
bool Player::EnsureExclusiveTransaction() {
  const bool over = optimistic_ || written_ > WrittenMax();
  if (transaction_.has_value() && over) Commit(Durability::kSync);
  return transaction_.has_value() || BeginTransaction(false);
}

// Others stay below what the log takes, and a huge one does not grow for ever.
uint64_t Player::WrittenMax() const {
  const uint64_t log = shape_.checkpoint_log_bytes;
  if (huge_) return 4 * log;
  return optimistic_ ? std::min(log / 4, shape_.memory_bytes / 32) : log / 4;
}

void Player::CountChange(size_t bytes) {
  constexpr uint64_t kInTheLog = 40;
  constexpr uint64_t kInAWriteSet = 500;  // what takes it back included
  written_ += bytes + (optimistic_ ? kInAWriteSet : kInTheLog);
}

bool Player::BeginTransaction(bool optimistic) {
  written_ = 0;
  huge_ = false;
  unlogged_ = false;
  optimistic_ = optimistic;
  TransactionOptions options;
  if (optimistic) options.concurrency = Concurrency::kOptimistic;
  absl::StatusOr<Transaction> begun = db_->Begin(options);
  if (!Judge("begin", begun.status())) return false;
  transaction_ = *std::move(begun);
  working_ = committed_;
  return true;
}

void Player::Put(Operation operation) {
  if (!EnsureTransaction()) return;
  const int space = RandomSpace();
  std::string key = RandomKey();
  if (operation == Operation::kOverwrite && !working_.entries().empty()) {
    const auto at = working_.entries().lower_bound(State::Place(space, key));
    if (at != working_.entries().end() && at->first.first == space) key = at->first.second;
  }
  PutOne(space, key, RandomValue(operation == Operation::kPutLarge));
}

bool Player::PutOne(int space, const std::string& key, const std::string& value) {
  CountChange(key.size() + value.size());
  const bool put = Judge("put", transaction_->Put(Handle(space), key, value));
  if (put) working_.Put(space, key, value);
  CheckOneKey();
  return put;
}

void Player::Delete() {
  if (!EnsureTransaction()) return;
  const int space = RandomSpace();
  const std::string key = RandomKey();
  CountChange(key.size());
  if (Judge("delete", transaction_->Delete(Handle(space), key))) working_.Delete(space, key);
  CheckOneKey();
}

void Player::DeleteRange() {
  if (!EnsureTransaction()) return;
  const int space = RandomSpace();
  std::string begin = RandomKey();
  std::string end = RandomKey();
  if (end < begin) std::swap(begin, end);
  CountChange(begin.size() + end.size());
  if (Judge("delete range", transaction_->DeleteRange(Handle(space), KeyRange(begin, end)))) {
    working_.DeleteRange(space, begin, end);
  }
  CheckOneKey();
}

// A transaction sees its own changes.
void Player::CheckOneKey() {
  if (!transaction_.has_value() || stopped_) return;
  const int space = RandomSpace();
  const std::string key = RandomKey();
  const absl::StatusOr<PinnedValue> value = transaction_->Get(Handle(space), key);
  const std::string* expected = working_.Find(space, key);
  if (absl::IsNotFound(value.status())) {
    if (expected != nullptr) Fail(absl::StrCat("a transaction does not find ", key));
    return;
  }
  if (!Judge("get", value.status())) return;
  if (expected == nullptr) return Fail(absl::StrCat("a transaction finds ", key, ", deleted"));
  if (value->ToString() != *expected) Fail(absl::StrCat("a transaction reads a wrong ", key));
}

void Player::SetSavepoint() {
  constexpr size_t kSavepointsMax = 50;  // of the smallest memory
  if (!shape_.savepoints || !EnsureTransaction()) return;
  if (savepoints_.size() == kSavepointsMax) return;
  CountChange(0);
  savepoints_.push_back({transaction_->SetSavepoint(), working_});
}

void Player::RollbackToAny() {
  if (!transaction_.has_value() || savepoints_.empty()) return;
  RollbackTo(random_.Below(savepoints_.size()));
}

void Player::RollbackTo(size_t chosen) {
  savepoints_.resize(chosen + 1);
  if (!Judge("roll back to a savepoint", transaction_->RollbackTo(savepoints_.back().savepoint))) {
    return;
  }
  working_ = savepoints_.back().state;
  CheckOneKey();
}

// The history and the trace learn of a commit before the database does.
void Player::BeginCommit(const State& after) {
  history_->Begin(number_ + 1, after.hash());
  world_->Mark(EncodeBegun(number_ + 1));
}

void Player::EndCommit(const absl::Status& status, Durability durability) {
  if (!Judge("commit", status)) {
    // Unknown: it may come back, and nothing else can be done to this database.
    if (absl::IsUnknown(status)) return;
    history_->Abandon(number_ + 1);
    return world_->Mark(EncodeBegun(number_));
  }
  ++number_;
  committed_ = working_;
  if (durability != Durability::kSync) return;
  history_->Acknowledge(number_);
  world_->Mark(EncodeAcknowledged(number_));
}

void Player::Commit(Durability durability) {
  if (!transaction_.has_value() && !EnsureTransaction()) return;
  const std::string number = absl::StrCat(number_ + 1);
  if (!Judge("put", transaction_->Put(kNumberKey, number))) return Rollback();
  working_.Put(kDefaultSpace, kNumberKey, number);
  BeginCommit(working_);
  const bool unlogged = unlogged_;
  const absl::Status status =
      unlogged ? CommitUnlogged(durability) : transaction_->Commit({durability}).status();
  transaction_.reset();
  savepoints_.clear();
  if (optimistic_ && status.ok()) ++optimistic_commits_;
  EndCommit(status, unlogged ? Durability::kSync : durability);
}

void Player::Rollback() {
  if (transaction_.has_value()) transaction_->Rollback();
  transaction_.reset();
  savepoints_.clear();
}

void Player::Batch() {
  Rollback();
  working_ = committed_;
  WriteBatch batch;
  const std::string number = absl::StrCat(number_ + 1);
  batch.Put(kNumberKey, number);
  working_.Put(kDefaultSpace, kNumberKey, number);
  for (uint64_t n = random_.Below(20); n > 0; --n) {
    const int space = RandomSpace();
    const std::string key = RandomKey();
    if (random_.OneIn(3)) {
      batch.Delete(Handle(space), key);
      working_.Delete(space, key);
    } else {
      const std::string value = RandomValue(random_.OneIn(6));
      batch.Put(Handle(space), key, value);
      working_.Put(space, key, value);
    }
  }
  BeginCommit(working_);
  EndCommit(db_->Write(batch).status(), Durability::kSync);
}

void Player::FillLog() {
  Rollback();
  const uint64_t until = db_->Stats().log.bytes_written + shape_.segment_bytes;
  for (int n = 0; n < 40 && alive() && db_->Stats().log.bytes_written < until; ++n) {
    Put(Operation::kPutSmall);
    if (transaction_.has_value()) Commit(Durability::kSync);
  }
}

}  // namespace keel::torture
