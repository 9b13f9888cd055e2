// Many threads at mixed levels, with losses of power in between; what they saw is given to the checker.

#include <absl/container/flat_hash_map.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <keel/keel.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "tests/isolation/history_checker.h"
#include "tests/support/seed.h"

namespace keel::testing {
namespace {

using fault_injection::BuildCrashImage;
using fault_injection::CrashChoice;
using fault_injection::SectorMask;
using fault_injection::SimFileSystem;

constexpr int kKeys = 150;    // most come one by one, so that scans meet phantoms
constexpr int kHotKeys = 10;  // of most reads and writes
constexpr int kListMax = 20;  // elements; then a list begins anew

std::string KeyName(int key) { return absl::StrCat("key", key); }

// Values are lists of the numbers of the writes that made them: the last is the version's.
VersionId LastOf(std::string_view list) {
  VersionId version = 0;
  const size_t comma = list.rfind(',');
  EXPECT_TRUE(absl::SimpleAtoi(
      ToAbsl(comma == std::string_view::npos ? list : list.substr(comma + 1)), &version))
      << list;
  return version;
}

// What was written under each number, by whom: whatever is read must be that, every element of it.
class WrittenLists {
 public:
  VersionId Add(std::string_view before, std::string* list) {
    std::lock_guard lock(mutex_);
    const VersionId version = lists_.size() + 1;
    *list = absl::StrCat(ToAbsl(before), before.empty() ? "" : ",", version);
    lists_.push_back(*list);
    return version;
  }
  void ExpectWhole(std::string_view list) {
    const VersionId version = LastOf(list);
    std::lock_guard lock(mutex_);
    ASSERT_TRUE(version > 0 && version <= lists_.size()) << list;
    EXPECT_EQ(list, lists_[version - 1]);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lists_;  // by version, from 1
};

// One transaction of random reads and writes.
class Client {
 public:
  Client(Database& db, WrittenLists& lists, uint64_t seed)
      : db_(db), lists_(lists), random_(seed) {}

  RecordedTransaction RunOne() {
    recorded_ = {};
    own_.clear();
    TransactionOptions options;
    options.isolation = static_cast<Isolation>(Below(3));
    options.concurrency = Below(10) == 0 ? Concurrency::kExclusive : Concurrency::kOptimistic;
    const bool exclusive = options.concurrency == Concurrency::kExclusive;
    recorded_.level = exclusive ? Isolation::kSerializable : options.isolation;
    absl::StatusOr<Transaction> transaction = db_.Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    const bool writes = Below(4) != 0;
    for (int n = 1 + Below(4); n > 0; --n) {
      Do(*transaction, writes);
      std::this_thread::yield();
    }
    durability_ = static_cast<Durability>(Below(3));
    const absl::StatusOr<Lsn> lsn = transaction->Commit({durability_});
    EXPECT_TRUE(lsn.ok() || absl::IsAborted(lsn.status())) << lsn.status();
    EXPECT_TRUE(lsn.ok() || !exclusive) << "an exclusive one cannot lose";
    recorded_.committed = lsn.ok();
    recorded_.lsn = lsn.ok() ? lsn->value : 0;
    return recorded_;
  }
  Durability durability() const { return durability_; }

 private:
  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  void Do(Transaction& transaction, bool writes) {
    const int key = Below(Below(4) == 0 ? kKeys : kHotKeys);
    if (writes && Below(8) == 0) return WriteAndTakeBack(transaction, key);
    const int what = Below(writes ? 5 : 3);
    if (what == 0) {
      Scan(transaction);
    } else if (what < 3) {
      Read(transaction, key);
    } else if (what == 3) {
      Write(transaction, key, "");
    } else {
      Write(transaction, key, Read(transaction, key));
    }
  }

  void Note(int key, VersionId version) {
    const auto own = own_.find(key);
    if (own == own_.end()) {
      recorded_.reads.push_back({key, version});
    } else {
      EXPECT_EQ(version, own->second) << "own writes are seen";
    }
  }

  std::string Read(Transaction& transaction, int key) {
    const absl::StatusOr<PinnedValue> value = transaction.Get(KeyName(key));
    EXPECT_TRUE(value.ok() || absl::IsNotFound(value.status())) << value.status();
    std::string list = value.ok() ? value->ToString() : "";
    if (value.ok()) lists_.ExpectWhole(list);
    Note(key, list.empty() ? 0 : LastOf(list));
    return list;
  }

  void Scan(Transaction& transaction) {
    std::vector<VersionId> seen(kKeys);
    EXPECT_TRUE(transaction
                    .ForEach({}, KeyRange::All(),
                             [&](std::string_view key, std::string_view list) {
                               int number = 0;
                               EXPECT_TRUE(absl::SimpleAtoi(ToAbsl(key.substr(3)), &number));
                               lists_.ExpectWhole(list);
                               seen[static_cast<size_t>(number)] = LastOf(list);
                               return absl::OkStatus();
                             })
                    .ok());
    for (int key = 0; key < kKeys; ++key) Note(key, seen[static_cast<size_t>(key)]);
  }

  // Nobody may ever see it.
  void WriteAndTakeBack(Transaction& transaction, int key) {
    const Savepoint savepoint = transaction.SetSavepoint();
    const auto own = own_;
    const RecordedTransaction before = recorded_;
    Write(transaction, key, Read(transaction, key));
    EXPECT_TRUE(transaction.RollbackTo(savepoint).ok());
    own_ = own;
    recorded_.writes = before.writes;
    recorded_.written_over = before.written_over;
  }

  void Write(Transaction& transaction, int key, std::string_view before) {
    if (std::ranges::count(before, ',') >= kListMax) before = {};
    std::string list;
    const VersionId version = lists_.Add(before, &list);
    EXPECT_TRUE(transaction.Put(KeyName(key), list).ok());
    const auto [own, is_new] = own_.try_emplace(key, version);
    if (is_new) {
      recorded_.writes.push_back({key, version});
      return;
    }
    recorded_.written_over.push_back({key, std::exchange(own->second, version)});
    for (Access& write : recorded_.writes) {
      if (write.key == key) write.version = version;
    }
  }

  Database& db_;
  WrittenLists& lists_;
  std::mt19937_64 random_;
  RecordedTransaction recorded_;
  absl::flat_hash_map<int, VersionId> own_;
  Durability durability_ = Durability::kSync;
};

class ConcurrentHistoryTest : public ::testing::Test {
 protected:
  void Open() {
    Options options;
    options.file_system = world_.get();
    options.background = Background::kManual;
    options.memory_bytes = uint64_t{8} << 20;
    options.log_segment_bytes = uint64_t{256} << 10;
    options.checkpoint_log_bytes = uint64_t{1} << 20;
    absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open("/db", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    db_ = *std::move(opened);
  }

  void RunThreads(int threads, int transactions) {
    std::vector<std::vector<RecordedTransaction>> parts(static_cast<size_t>(threads));
    std::vector<uint64_t> durable(static_cast<size_t>(threads));
    std::atomic<bool> stop = false;
    // All that the database's own threads do.
    std::thread attendant([&] {
      for (int n = 0; !stop; ++n) {
        EXPECT_TRUE((n % 8 == 0 ? db_->Checkpoint() : db_->RunBackgroundWork()).ok());
        std::this_thread::yield();
      }
    });
    std::vector<std::thread> running;
    running.reserve(parts.size());
    for (size_t n = 0; n < parts.size(); ++n) {
      running.emplace_back([&, n, seed = random_()] {
        Client client(*db_, lists_, seed);
        for (int i = 0; i < transactions; ++i) {
          parts[n].push_back(client.RunOne());
          const RecordedTransaction& last = parts[n].back();
          if (last.committed && client.durability() == Durability::kSync) {
            durable[n] = std::max(durable[n], last.lsn);
          }
        }
      });
    }
    for (std::thread& thread : running) thread.join();
    stop = true;
    attendant.join();
    for (const auto& part : parts) history_.insert(history_.end(), part.begin(), part.end());
    for (const uint64_t lsn : durable) durable_ = std::max(durable_, lsn);
  }

  // The power is lost while nobody is in a call: what was not synced may be gone.
  void LosePower() {
    const fault_injection::Durability durability = world_->durability();
    CrashChoice choice;
    for (const auto& pending : durability.pending()) {
      choice.kept.push_back(random_() % 2 == 0 ? pending.sectors : SectorMask{0});
    }
    db_.reset();
    world_ = std::make_unique<SimFileSystem>(fault_injection::SimOptions{.seed = random_()},
                                             BuildCrashImage(durability, choice));
    Open();
  }

  // Which commits are still there must be a prefix of them. The others have never been.
  void ForgetWhatWasLost() {
    absl::flat_hash_map<VersionId, uint64_t> lsns;
    for (const RecordedTransaction& transaction : history_) {
      for (const Access& write : transaction.writes) lsns[write.version] = transaction.lsn;
    }
    uint64_t last = 0;
    std::vector<VersionId> there(kKeys);
    for (int key = 0; key < kKeys; ++key) {
      const absl::StatusOr<PinnedValue> list = db_->Get(KeyName(key));
      if (!list.ok()) continue;
      there[static_cast<size_t>(key)] = LastOf(list->view());
      last = std::max(last, lsns[there[static_cast<size_t>(key)]]);
    }
    ASSERT_GE(last, LastWriteUpTo(durable_)) << "a durable commit is lost";
    // Nor have those that have seen them, and came to nothing.
    std::erase_if(history_, [&](const RecordedTransaction& t) {
      const auto lost = [&](const Access& read) {
        const auto lsn = lsns.find(read.version);
        return lsn != lsns.end() && lsn->second > last;
      };
      return t.lsn > last || (!t.committed && std::ranges::any_of(t.reads, lost));
    });
    std::vector<Access> newest(kKeys);
    std::vector<uint64_t> when(kKeys);
    for (const RecordedTransaction& transaction : history_) {
      if (!transaction.committed) continue;
      for (const Access& write : transaction.writes) {
        const auto key = static_cast<size_t>(write.key);
        if (transaction.lsn < when[key]) continue;
        when[key] = transaction.lsn;
        newest[key] = write;
      }
    }
    for (size_t key = 0; key < kKeys; ++key) EXPECT_EQ(there[key], newest[key].version) << key;
  }

  // The newest commit with writes that is not above `lsn`.
  uint64_t LastWriteUpTo(uint64_t lsn) const {
    uint64_t last = 0;
    for (const RecordedTransaction& transaction : history_) {
      if (transaction.committed && !transaction.writes.empty() && transaction.lsn <= lsn) {
        last = std::max(last, transaction.lsn);
      }
    }
    return last;
  }

  std::mt19937_64 random_{TestSeed()};
  std::unique_ptr<SimFileSystem> world_ =
      std::make_unique<SimFileSystem>(fault_injection::SimOptions{.seed = random_()});
  std::unique_ptr<Database> db_;
  WrittenLists lists_;
  History history_;
  uint64_t durable_ = 0;  // up to here commits were acknowledged as durable
};

TEST_F(ConcurrentHistoryTest, G9_NoAnomalyBeyondWhatTheLevelsAllow) {
  Open();
  for (const int threads : {8, 24, 64}) {
    RunThreads(threads, 1600 / threads);
    ASSERT_NO_FATAL_FAILURE(LosePower());
    ASSERT_NO_FATAL_FAILURE(ForgetWhatWasLost());
  }
  EXPECT_THAT(FindAnomalies(history_), ::testing::IsEmpty());
  const auto count = [&](bool committed) {
    return std::ranges::count(history_, committed, &RecordedTransaction::committed);
  };
  EXPECT_GT(count(true), 500);
  EXPECT_GT(count(false), 50) << "they must have met";
  EXPECT_TRUE(db_->Close().ok());
}

}  // namespace
}  // namespace keel::testing
