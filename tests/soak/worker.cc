#include "tests/soak/worker.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <chrono>

#include "base/status.h"
#include "tests/soak/accounts.h"

namespace keel::testing {
namespace {

constexpr uint64_t kHotAccounts = 64;  // a quarter of all accesses, so that there are conflicts
constexpr int kRowsOfAScan = 50;
constexpr int kMovesMax = 3;

// Of a clock that nobody sets.
int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void RaiseTo(int64_t value, std::atomic<int64_t>* most) {
  int64_t now = most->load();
  while (now < value && !most->compare_exchange_weak(now, value)) {
  }
}

}  // namespace

Worker::Worker(const Task& task)
    : task_(task),
      random_(task.seed),
      label_(absl::StrFormat("soak %s %d%%", kWayNames[static_cast<size_t>(task.way)],
                             task.read_share)),
      begun_ns_(NowNs()),
      thread_([this] { Live(); }) {}

Worker::~Worker() { thread_.join(); }

absl::Duration Worker::stalled() const {
  const int64_t begun = begun_ns_;
  return done() ? absl::ZeroDuration() : absl::Nanoseconds(NowNs() - begun);
}

void Worker::Live() {
  for (uint64_t n = 0; n < task_.operations && status_.ok() && !*task_.stop; ++n) {
    begun_ns_ = NowNs();
    const bool reads = random_.Below(100) < static_cast<uint64_t>(task_.read_share);
    status_ = reads ? Read() : Write();
    ++(reads ? task_.figures->reads : task_.figures->writes);
    RaiseTo(NowNs() - begun_ns_, &task_.figures->longest_ns);
  }
  done_.Notify();
}

uint64_t Worker::AnyAccount() {
  return random_.OneIn(4) ? random_.Below(std::min(kHotAccounts, task_.accounts))
                          : random_.Below(task_.accounts);
}

absl::Status Worker::Read() {
  if (!random_.OneIn(10)) {
    KEEL_ASSIGN_OR_RETURN(const PinnedValue value, task_.database->Get(AccountKey(AnyAccount())));
    return Balance(value.view()).status();
  }
  const Snapshot snapshot = task_.database->GetSnapshot(label_);
  Cursor cursor = snapshot.NewCursor();
  cursor.Seek(AccountKey(AnyAccount()));
  for (int row = 0; row < kRowsOfAScan && cursor.Valid(); ++row, cursor.Next()) {
    KEEL_RETURN_IF_ERROR(Balance(cursor.value()).status());
  }
  return cursor.status();
}

absl::Status Worker::Write() {
  switch (task_.way) {
    case Way::kOptimistic:
      return Transfer(Concurrency::kOptimistic);
    case Way::kExclusive:
      return Transfer(Concurrency::kExclusive);
    case Way::kSingle:
      return Touch();
  }
  return absl::OkStatus();
}

// Several moves in one transaction; now and then one of them is taken back by a savepoint.
absl::Status Worker::Transfer(Concurrency concurrency) {
  TransactionOptions options;
  options.concurrency = concurrency;
  options.label = label_;
  if (concurrency == Concurrency::kOptimistic && random_.OneIn(2)) {
    options.isolation = Isolation::kSnapshot;
  }
  const uint64_t seed = random_.Next();
  const Durability durability = random_.OneIn(2) ? Durability::kSync : Durability::kAsync;
  uint64_t attempts = 0;
  absl::Status status = task_.database->Transact(
      [&](Transaction& transaction) {
        ++attempts;
        fault_injection::SeededRandom random(seed);
        const uint64_t moves = 1 + random.Below(kMovesMax);
        for (uint64_t n = 0; n < moves; ++n) {
          const Savepoint savepoint = transaction.SetSavepoint();
          const uint64_t from = random.Below(task_.accounts);
          const uint64_t to = random.OneIn(2) ? random.Below(std::min(kHotAccounts, task_.accounts))
                                              : random.Below(task_.accounts);
          const auto amount = static_cast<int64_t>(random.Below(100));
          KEEL_RETURN_IF_ERROR(Move(transaction, from, to, amount));
          if (random.OneIn(8)) KEEL_RETURN_IF_ERROR(transaction.RollbackTo(savepoint));
        }
        return absl::OkStatus();
      },
      options, {durability});
  task_.figures->conflicts += attempts > 0 ? attempts - 1 : 0;
  return status;
}

// Changes an account, though not its balance, by one compare-and-set: conflicts with all that moves from it or to it.
absl::Status Worker::Touch() {
  const std::string key = AccountKey(AnyAccount());
  const Durability durability = random_.OneIn(2) ? Durability::kSync : Durability::kAsync;
  while (!*task_.stop) {
    KEEL_ASSIGN_OR_RETURN(const PinnedValue before, task_.database->Get(key));
    KEEL_ASSIGN_OR_RETURN(const int64_t balance, Balance(before.view()));
    const auto padding = static_cast<char>('a' + random_.Below(26));
    absl::Status put =
        task_.database->PutIf(key, before.view(), AccountValue(balance, padding), {durability})
            .status();
    if (!absl::IsAborted(put)) return put;
    ++task_.figures->conflicts;
  }
  return absl::OkStatus();
}

}  // namespace keel::testing
