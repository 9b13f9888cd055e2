// Transactions that are more than a frame, or than the log: streams, commits by checkpoint, bulk loads.

#include "torture/player.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace keel::torture {
namespace {

// Of a huge transaction. A value of more pages may not fit into as many runs as pages of 512 bytes can name.
constexpr uint64_t kHugeKeys = 4;
constexpr uint64_t kHugeValuePages = 40;

}  // namespace

// Half a segment, so that it is more than a frame and less than the log may hold. Now and then all of it is taken
// back, which the log, where it is a stream by then, has to tell recovery.
void Player::Bulk() {
  const uint64_t bytes = std::min<uint64_t>(shape_.segment_bytes / 2, 16 << 10);
  if (!EnsureTransaction()) return;
  const bool taken_back = shape_.savepoints && random_.OneIn(4);
  if (taken_back) SetSavepoint();
  const size_t depth = savepoints_.size();
  const uint64_t end = written_ + bytes;
  for (uint64_t n = 0; n < 500 && transaction_.has_value() && written_ < end && alive(); ++n) {
    Put(Operation::kPutSmall);
  }
  if (!taken_back || !transaction_.has_value() || savepoints_.size() != depth) return;
  RollbackTo(depth - 1);
  Put(Operation::kPutSmall);
}

// What the log does not take, in large values of a few keys, each put again and again, so that little of it has to be
// read ever after; with savepoints before and behind the point from where on it is not logged; then committed, given up,
// or left to what comes next.
void Player::Huge() {
  if (!EnsureExclusiveTransaction()) return;
  huge_ = true;
  SetSavepoint();
  const size_t before = savepoints_.size();
  const int space = RandomSpace();
  const uint64_t bytes =
      std::min(shape_.checkpoint_log_bytes / 16, kHugeValuePages * uint64_t{shape_.page_bytes});
  uint64_t put = 0;
  // A savepoint commits one that has grown too large, and begins another, of which nothing of this counts.
  for (int n = 0; n < 80 && huge_ && put <= shape_.logged_bytes_max() && alive(); ++n) {
    std::string value = RandomValue(false);
    value.resize(bytes, 'h');
    const std::string key = absl::StrFormat("k%03d", random_.Below(kHugeKeys));
    put += PutOne(space, key, value) ? bytes : 0;
    unlogged_ = unlogged_ || put > shape_.logged_bytes_max();
    if (random_.OneIn(8)) SetSavepoint();
    if (random_.OneIn(8)) Judge("checkpoint", db_->Checkpoint());
  }
  if (!alive()) return;
  if (random_.OneIn(3)) RollbackToAny();
  if (random_.OneIn(6) && before > 0 && savepoints_.size() >= before) RollbackTo(before - 1);
  const Durability durability =
      shape_.unsynced_commits ? static_cast<Durability>(random_.Below(3)) : Durability::kSync;
  if (random_.OneIn(2)) Commit(durability);
  if (random_.OneIn(4)) Rollback();
}

// One that the log cannot take is durable when it returns, whatever was asked for.
absl::Status Player::CommitUnlogged(Durability durability) {
  world_->Mark(EncodeByCheckpoint(number_ + 1));
  const uint64_t before = db_->Stats().commits.by_checkpoint;
  absl::Status status = transaction_->Commit({durability}).status();
  checkpoint_unknown_ = absl::IsUnknown(status);
  if (!status.ok()) return status;
  ++by_checkpoint_;
  if (db_->Stats().commits.by_checkpoint != before + 1) {
    Fail("a transaction that the log cannot take was committed by the log");
  }
  return status;
}

// Rows between the number and all other keys. Checkpoints of the state before go on meanwhile, and must not know them.
void Player::Load() {
  Rollback();
  if (random_.OneIn(2) && !ForgetLoads()) return;
  working_ = committed_;
  absl::StatusOr<BulkLoader> loader = db_->NewBulkLoader();
  if (!Judge("begin a bulk load", loader.status())) return;
  const uint64_t rows = 1 + random_.Below(60);
  for (uint64_t n = 0; n < rows; ++n) {
    const std::string key = LoadedRow(number_ + 1, n);
    const std::string value = RandomValue(random_.OneIn(6));
    if (!Judge("put into a bulk load", loader->Put(key, value))) return;
    working_.Put(kDefaultSpace, key, value);
    if (!random_.OneIn(60)) continue;
    if (!Judge("checkpoint in a bulk load", db_->Checkpoint())) return;
    ++checkpoints_in_loads_;
  }
  if (random_.OneIn(5)) return loader->Rollback();
  BeginCommit(working_);
  world_->Mark(EncodeByCheckpoint(number_ + 1));
  const absl::Status status = loader->Commit().status();
  if (status.ok()) ++bulk_loads_;
  EndCommit(status, Durability::kSync);
}

// A commit that deletes the rows of earlier loads. False: it came to nothing.
bool Player::ForgetLoads() {
  if (LastLoaded(committed_).empty()) return true;
  if (!EnsureTransaction()) return false;
  if (!Judge("delete range", transaction_->DeleteRange(KeyRange::Prefix(kLoadedKey)))) {
    Rollback();
    return false;
  }
  working_.DeleteRange(kDefaultSpace, kLoadedKey, std::string(kLoadedKey) + "~");
  const uint64_t before = number_;
  Commit(Durability::kSync);
  return number_ > before && alive();
}

}  // namespace keel::torture
