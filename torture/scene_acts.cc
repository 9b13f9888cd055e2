// What the threads of a scene do.

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <utility>

#include "base/status.h"
#include "torture/player.h"
#include "torture/scene.h"

namespace keel::torture {

using fault_injection::SeededRandom;

namespace {

// How often one who loses begins anew: what it lost to may stay invisible as long as a thread is stopped.
constexpr int kOptimisticAttempts = 3;

// The next commit's number, by what the transaction reads: so it says where in the order the commit stands.
absl::StatusOr<uint64_t> NextNumber(const Transaction& txn) {
  const absl::StatusOr<PinnedValue> text = txn.Get(kNumberKey);
  if (absl::IsNotFound(text.status())) return 1;
  KEEL_RETURN_IF_ERROR(text.status());
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text->ToString(), &number)) return absl::DataLossError("no number");
  return number + 1;
}

absl::Status Apply(Transaction& txn, const Ledger::Changes& changes) {
  for (const auto& [key, value] : changes) {
    KEEL_RETURN_IF_ERROR(value.empty() ? txn.Delete(key) : txn.Put(key, value));
  }
  return absl::OkStatus();
}

}  // namespace

Ledger::Changes Scene::MakeChanges(SeededRandom& random, uint64_t number, What what) const {
  Ledger::Changes changes = {{std::string(kNumberKey), absl::StrCat(number)}};
  const uint64_t count = what == What::kFew ? 1 + random.Below(4) : shape_.keys;
  const uint64_t bytes = what == What::kHuge ? shape_.logged_bytes_max() / shape_.keys + 1 : 60;
  for (uint64_t n = 0; n < count; ++n) {
    const uint64_t key = what == What::kFew ? random.Below(shape_.keys) : n;
    const std::string value = absl::StrFormat("%x", random.Next()) + std::string(bytes, 'v');
    changes.push_back({absl::StrFormat("k%03d", key), what == What::kDeleteAll ? "" : value});
  }
  return changes;
}

void Scene::Commit(SeededRandom& random, Durability durability, What what) {
  absl::StatusOr<Transaction> txn = db_->Begin();
  if (!txn.ok()) return Fail("begin", txn.status());
  const absl::StatusOr<uint64_t> number = NextNumber(*txn);
  if (!number.ok()) return Fail("read the number", number.status());
  Ledger::Changes changes = MakeChanges(random, *number, what);
  if (absl::Status status = Apply(*txn, changes); !status.ok()) return Fail("change", status);
  ledger_.Begin(*number, std::move(changes));
  const absl::StatusOr<Lsn> lsn = txn->Commit({durability});
  if (!lsn.ok()) return Fail("commit", lsn.status());
  // One that the log cannot take is durable when it returns.
  if (durability == Durability::kSync || what == What::kHuge) ledger_.Acknowledge(*number);
}

// Loses to whoever commits meanwhile, and to an expiry; then it begins anew, and may lose again.
void Scene::CommitOptimistically(SeededRandom& random) {
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  bool lost = false;
  for (int attempt = 0; attempt < kOptimisticAttempts; ++attempt) {
    absl::StatusOr<Transaction> txn = db_->Begin(options);
    if (!txn.ok()) return Fail("begin", txn.status());
    const absl::StatusOr<uint64_t> number = NextNumber(*txn);
    absl::Status status = number.status();
    if (number.ok()) {
      Ledger::Changes changes = MakeChanges(random, *number, What::kFew);
      status = Apply(*txn, changes);
      const uint64_t offer = ledger_.Offer(*number, std::move(changes));
      if (status.ok()) status = txn->Commit({Durability::kSync}).status();
      ledger_.Settle(offer, status.ok());
    }
    if (status.ok()) {
      ledger_.Acknowledge(*number);
      break;
    }
    const bool expired = absl::IsDeadlineExceeded(status) && expiries_ > 0;
    if (!absl::IsAborted(status) && !expired) return Fail("commit optimistically", status);
    if (expired) Met("an optimistic transaction had expired", true);
    lost = true;
  }
  Met("an optimistic commit lost to another one", lost);
}

// What a snapshot shows is one committed state, the same however often it is read, until it expires.
void Scene::ReadSnapshot(const Snapshot& snapshot) {
  uint64_t first = 0;
  for (int n = 0; n < 2; ++n) {
    State state;
    const absl::Status status =
        snapshot.ForEach({}, KeyRange::All(), [&](std::string_view key, std::string_view value) {
          state.Put(0, key, value);
          return absl::OkStatus();
        });
    if (absl::IsDeadlineExceeded(status) && expiries_ > 0) {
      return Met("a snapshot had expired when it was read", true);
    }
    if (!status.ok()) return Fail("read a snapshot", status);
    if (n == 0) first = state.hash();
    if (state.hash() != first) return Fail("a snapshot has changed");
    uint64_t number = 0;
    const std::string* text = state.Find(0, kNumberKey);
    if (text != nullptr && !absl::SimpleAtoi(*text, &number)) return Fail("unreadable number");
    const History history = ledger_.MakeHistory();
    if (number > history.size() || history.hash(number) != state.hash()) {
      return Fail("a snapshot shows no committed state");
    }
  }
}

void Scene::Perform(Act act, uint64_t seed) {
  SeededRandom random(seed);
  absl::Status status;
  switch (act) {
    case Act::kCommitSync:
      return Commit(random, Durability::kSync, What::kFew);
    case Act::kCommitNone:
      return Commit(random, Durability::kNone, What::kFew);
    case Act::kOptimistic:
      return CommitOptimistically(random);
    case Act::kHugeCommit:
      return Commit(random, Durability::kNone, What::kHuge);
    case Act::kDeleteAll:
      return Commit(random, Durability::kSync, What::kDeleteAll);
    case Act::kManyCommits:
      for (int n = 0; n < 6; ++n) Commit(random, Durability::kSync, What::kFew);
      return;
    case Act::kLateSync:
      for (int n = 0; n < 3; ++n) Commit(random, Durability::kNone, What::kFew);
      status = db_->Sync();
      break;
    case Act::kCheckpoint:
      status = db_->Checkpoint();
      break;
    case Act::kBackground:
      status = db_->RunBackgroundWork();
      break;
    case Act::kExpire:
      ++expiries_;
      world_.clock().Sleep(2 * kSnapshotAge);
      status = db_->RunBackgroundWork();
      break;
    case Act::kSnapshot:
      return ReadSnapshot(db_->GetSnapshot());
    case Act::kEndSnapshot:
      if (old_snapshot_.has_value()) ReadSnapshot(*old_snapshot_);
      old_snapshot_.reset();
      return;
  }
  if (!status.ok()) Fail(ActName(act), status);
}

}  // namespace keel::torture
