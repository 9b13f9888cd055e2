// Power cuts at every I/O step of a workload, of opening, and of recovery itself.
//
// The disk is one in memory that forgets unsynced writes block by block. From step k on it answers every call with
// an error; what is durable then, plus a choice among what was not yet synced, is the crash image. A key that counts
// commits tells which state came back, or, behind a bulk load, the names of its rows: it must be one that was
// committed, at least the last acknowledged one, whole.

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/sanitized.h"
#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/wal/memory_file_system.h"

namespace keel::testing {
namespace {

using wal::Call;
using wal::CrashChoice;
using wal::MemoryFileSystem;

constexpr char kCounter[] = "counter";

// One step in so many is visited, beginning with any of the first ones.
constexpr int kStride = kSanitized ? 16 : 1;

// States by number of commits, and how many were acknowledged as durable.
struct History {
  std::vector<Contents> states{{}};
  size_t acknowledged = 0;
  std::set<size_t> impossible;  // failed for certain

  Contents& Next() {
    states.push_back(states.back());
    states.back()[kCounter] = std::to_string(states.size() - 1);
    return states.back();
  }
};

Options SweepOptions(MemoryFileSystem* disk) {
  Options options;
  options.file_system = disk;
  options.background = Background::kManual;
  options.memory_bytes = uint64_t{4} << 20;
  options.log_segment_bytes = uint64_t{256} << 10;
  options.checkpoint_log_bytes = uint64_t{1} << 20;
  return options;
}

// Lets `steps` changing calls through, then fails everything.
std::function<absl::Status(const Call&)> DieAfter(const std::shared_ptr<int64_t>& steps) {
  return [steps](const Call& call) {
    if (call.kind == Call::Kind::kRead || call.kind == Call::Kind::kOpen) {
      return *steps < 0 ? absl::UnavailableError("the power is off") : absl::OkStatus();
    }
    return --*steps < 0 ? absl::UnavailableError("the power is off") : absl::OkStatus();
  };
}

// One random commit; whether the database still takes them.
bool CommitOne(Database& database, std::mt19937_64& random, History& history) {
  WriteBatch batch;
  Contents& next = history.Next();
  batch.Put(kCounter, next[kCounter]);
  for (uint64_t n = random() % 12; n > 0; --n) {
    const std::string key = Numbered("k", static_cast<int>(random() % 60));
    if (random() % 4 == 0) {
      batch.Delete(key);
      next.erase(key);
    } else {
      const size_t size = random() % 8 == 0 ? 6000 : random() % 300;
      const std::string value(size, static_cast<char>('a' + random() % 26));
      batch.Put(key, value);
      next[key] = value;
    }
  }
  const Durability durability = random() % 3 == 0 ? Durability::kNone : Durability::kSync;
  const absl::StatusOr<Lsn> lsn = database.Write(batch, {durability});
  if (!lsn.ok()) return false;
  if (durability == Durability::kSync) history.acknowledged = history.states.size() - 1;
  return true;
}

// Rows behind all others, named after the state that they make; in the middle a checkpoint of the state before.
// Whether the database still takes commits.
bool BulkLoad(Database& database, int rows, size_t value_bytes, bool commit, History& history) {
  absl::StatusOr<BulkLoader> loader = database.NewBulkLoader();
  if (!loader.ok()) return false;
  const size_t state = history.states.size();
  Contents contents = history.states.back();
  for (int i = 0; i < rows; ++i) {
    const std::string key = Numbered(Numbered("z", static_cast<int>(state)), i);
    const std::string value(i % 16 == 5 ? 6000 : value_bytes, static_cast<char>('a' + i % 26));
    if (!loader->Put(key, value).ok()) return false;
    contents[key] = value;
    if (i == rows / 2 && !database.Checkpoint().ok()) return false;
  }
  if (!commit) return true;
  history.states.push_back(std::move(contents));
  const absl::StatusOr<Lsn> lsn = loader->Commit();
  if (lsn.ok()) {
    history.acknowledged = state;
  } else if (!absl::IsUnknown(lsn.status())) {
    history.impossible.insert(state);
  }
  return lsn.ok();
}

void RunWorkload(MemoryFileSystem* disk, uint64_t seed, History& history) {
  std::mt19937_64 random(seed);
  for (int opens = 0; opens < 3; ++opens) {
    auto database = Database::Open("/db", SweepOptions(disk));
    if (!database.ok()) return;
    for (int i = 0; i < 12; ++i) {
      if (!CommitOne(**database, random, history)) return;
      if (random() % 6 == 0 && !(*database)->Checkpoint().ok()) return;
      if (i == 4 && !BulkLoad(**database, 20, 300, random() % 3 != 0, history)) return;
    }
    if (random() % 2 == 0) continue;  // the destructor closes it
    if (!(*database)->Close().ok()) return;
    history.acknowledged = history.states.size() - 1;
  }
}

// A transaction that neither the log nor the memory can take, with checkpoints of what is visible in between.
bool CommitLarge(Database& database, std::mt19937_64& random, History& history) {
  constexpr int kKeys = 3500;
  auto transaction = database.Begin();
  if (!transaction.ok()) return false;
  Contents contents = history.states.back();
  contents[kCounter] = std::to_string(history.states.size());
  if (!transaction->Put(kCounter, contents[kCounter]).ok()) return false;
  const std::string value(900, static_cast<char>('a' + history.states.size() % 26));
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = Numbered("k", i);
    if (!transaction->Put(key, value).ok()) return false;
    contents[key] = value;
    if (i % 1500 == 1200 && !database.Checkpoint().ok()) return false;
  }
  const Savepoint savepoint = transaction->SetSavepoint();
  if (!transaction->DeleteRange(KeyRange::All()).ok()) return false;
  if (!transaction->RollbackTo(savepoint).ok()) return false;
  history.states.push_back(std::move(contents));
  const absl::StatusOr<Lsn> lsn = transaction->Commit({static_cast<Durability>(random() % 3)});
  if (lsn.ok()) {
    history.acknowledged = history.states.size() - 1;  // whatever was asked for
  } else if (!absl::IsUnknown(lsn.status())) {
    history.impossible.insert(history.states.size() - 1);
  }
  return lsn.ok();
}

// Each of the large ones overwrites what is there; small ones follow; the last one is open when it is closed.
void RunLargeWorkload(MemoryFileSystem* disk, uint64_t seed, History& history) {
  std::mt19937_64 random(seed);
  for (int opens = 0; opens < 2; ++opens) {
    auto database = Database::Open("/db", SweepOptions(disk));
    if (!database.ok()) return;
    if (!CommitOne(**database, random, history)) return;
    if (!CommitLarge(**database, random, history)) return;
    if (!CommitOne(**database, random, history)) return;
    EXPECT_GT((*database)->Stats().memory.evictions, 0U);
  }
}

// A load that does not fit in memory: pages are written long before its commit.
void RunLargeLoad(MemoryFileSystem* disk, uint64_t seed, History& history) {
  std::mt19937_64 random(seed);
  auto database = Database::Open("/db", SweepOptions(disk));
  if (!database.ok() || !CommitOne(**database, random, history)) return;
  if (!BulkLoad(**database, 1000, 1000, /*commit=*/true, history)) return;
  CommitOne(**database, random, history);
}

// Opens the image and finds out which state it holds.
std::optional<size_t> StateOf(MemoryFileSystem* disk, const History& history) {
  auto database = Database::Open("/db", SweepOptions(disk));
  EXPECT_TRUE(database.ok()) << database.status();
  if (!database.ok()) return std::nullopt;
  const Contents contents = ReadAll(**database);
  const auto counter = contents.find(kCounter);
  size_t state = counter == contents.end() ? 0 : std::stoul(counter->second);
  if (!contents.empty() && contents.rbegin()->first.starts_with('z')) {
    state = std::max<size_t>(state, std::stoul(contents.rbegin()->first.substr(1, 6)));
  }
  EXPECT_LT(state, history.states.size());
  if (state >= history.states.size()) return std::nullopt;
  EXPECT_EQ(contents, history.states[state]);
  EXPECT_FALSE(history.impossible.contains(state)) << state << " failed for certain";
  const auto report = (*database)->Check();
  EXPECT_TRUE(report.ok()) << report.status();
  if (report.ok()) {
    EXPECT_TRUE(report->ok()) << report->leaked_pages << " leaked";
    for (const Damage& damage : report->damages) ADD_FAILURE() << damage.place << damage.problem;
  }
  for (int i = 0; i < 3; ++i) KEEL_EXPECT_OK((*database)->Put(Numbered("later", i), "x"));
  for (int i = 0; i < 3; ++i) KEEL_EXPECT_OK((*database)->Delete(Numbered("later", i)));
  KEEL_EXPECT_OK((*database)->Close());
  return state;
}

using Workload = void (*)(MemoryFileSystem*, uint64_t, History&);

// Also which of them are syncs of a superblock.
int64_t CountSteps(uint64_t seed, Workload workload = RunWorkload,
                   std::vector<int64_t>* superblocks = nullptr) {
  constexpr int64_t kMany = int64_t{1} << 40;
  MemoryFileSystem disk;
  const auto steps = std::make_shared<int64_t>(kMany);
  disk.set_fault([&, count = DieAfter(steps)](const Call& call) {
    const bool superblock =
        call.kind == Call::Kind::kSync && call.purpose == io::SyncPurpose::kSuperblock;
    if (superblock && superblocks != nullptr) superblocks->push_back(kMany - *steps);
    return count(call);
  });
  History history;
  workload(&disk, seed, history);
  return kMany - *steps;
}

class CrashSweepTest : public ::testing::TestWithParam<CrashChoice> {
 protected:
  static void DieAtEveryStep(Workload workload) {
    const uint64_t seed = TestSeed();
    const int64_t total = CountSteps(seed, workload);
    ASSERT_GT(total, 100);
    std::mt19937_64 random(seed);
    for (auto step = static_cast<int64_t>(random() % kStride); step <= total; step += kStride) {
      SCOPED_TRACE(absl::StrFormat("step %d of %d", step, total));
      MemoryFileSystem disk;
      disk.set_fault(DieAfter(std::make_shared<int64_t>(step)));
      History history;
      workload(&disk, seed, history);
      const auto image = disk.AfterCrash(random, GetParam());
      const std::optional<size_t> state = StateOf(image.get(), history);
      ASSERT_TRUE(state.has_value());
      EXPECT_GE(*state, history.acknowledged);
      EXPECT_EQ(StateOf(image.get(), history), state);  // and again after a clean close
      if (HasFailure()) return;
    }
  }
};

TEST_P(CrashSweepTest, G1_G2_EveryStepOfAWorkload) { DieAtEveryStep(RunWorkload); }

TEST_P(CrashSweepTest, G1_G2_EveryStepOfALargeBulkLoad) { DieAtEveryStep(RunLargeLoad); }

TEST_P(CrashSweepTest, G2_CrashWithinRecoveryToAnyDepth) {
  const uint64_t seed = TestSeed() + 1;
  const int64_t total = CountSteps(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 150 / kStride; ++round) {
    const auto step = static_cast<int64_t>(random() % static_cast<uint64_t>(total));
    SCOPED_TRACE(absl::StrFormat("round %d, step %d of %d", round, step, total));
    auto disk = std::make_unique<MemoryFileSystem>();
    disk->set_fault(DieAfter(std::make_shared<int64_t>(step)));
    History history;
    RunWorkload(disk.get(), seed, history);
    disk = disk->AfterCrash(random, GetParam());
    for (int depth = 0; depth < 3; ++depth) {
      const auto left = std::make_shared<int64_t>(static_cast<int64_t>(random() % 40));
      disk->set_fault(DieAfter(left));
      Database::Open("/db", SweepOptions(disk.get())).status().IgnoreError();
      disk = disk->AfterCrash(random, GetParam());
    }
    const std::optional<size_t> state = StateOf(disk.get(), history);
    ASSERT_TRUE(state.has_value());
    EXPECT_GE(*state, history.acknowledged);
    if (HasFailure()) return;
  }
}

// The log of a database that was closed cleanly is empty: without it, too, the database opens.
class RemovedLogTest : public CrashSweepTest {
 protected:
  RemovedLogTest() {
    MemoryFileSystem disk;
    auto database = *Database::Open("/db", SweepOptions(&disk));
    KEEL_EXPECT_OK(database->Put(kCounter, history_.Next()[kCounter]));
    KEEL_EXPECT_OK(database->Close());
    KEEL_EXPECT_OK(removed_.CreateDirectory("/db"));
    removed_.Put("/db/data.keel", disk.Bytes("/db/data.keel"));
    history_.acknowledged = 1;
  }

  MemoryFileSystem removed_;
  History history_;
};

TEST_P(RemovedLogTest, G1_G2_EveryStepOfTheOpen) {
  history_.Next();
  std::mt19937_64 random(TestSeed());
  bool done = false;
  for (int64_t step = 0; !done; ++step) {
    SCOPED_TRACE(absl::StrFormat("step %d", step));
    history_.acknowledged = 1;
    const auto disk = removed_.Copy();
    disk->set_fault(DieAfter(std::make_shared<int64_t>(step)));
    {
      auto database = Database::Open("/db", SweepOptions(disk.get()));
      if (database.ok() && (*database)->Put(kCounter, "2").ok()) {
        history_.acknowledged = 2;
        done = (*database)->Close().ok();
      }
    }
    const auto image = disk->AfterCrash(random, GetParam());
    const std::optional<size_t> state = StateOf(image.get(), history_);
    ASSERT_TRUE(state.has_value());
    EXPECT_GE(*state, history_.acknowledged);
    ASSERT_FALSE(HasFailure());
  }
}

// Whoever makes the directory is killed before its name is durable. It is there all the same, and who comes next sees to
// it before there is a file in it.
TEST_P(RemovedLogTest, G1_TheNameOfTheNewOneIsDurableBeforeItIsUsed) {
  const auto in_database = [](const Call& call) {
    return call.kind == Call::Kind::kSyncDirectory && call.name == "db";
  };
  removed_.set_fault([&](const Call& call) {
    return in_database(call) ? absl::UnavailableError("killed") : absl::OkStatus();
  });
  EXPECT_FALSE(Database::Open("/db", SweepOptions(&removed_)).ok());
  removed_.set_fault(nullptr);
  removed_.TakeCalls();
  KEEL_ASSERT_OK(Database::Open("/db", SweepOptions(&removed_)).status());
  const std::vector<Call> calls = removed_.TakeCalls();
  const auto synced = std::ranges::find_if(calls, in_database);
  const auto used = std::ranges::find(calls, "segment-0001", &Call::name);
  ASSERT_NE(used, calls.end());
  EXPECT_LT(synced - calls.begin(), used - calls.begin());
}

// A superblock that cannot be read may have been a newer one, and only the log could tell (E4).
TEST_P(RemovedLogTest, G3_WithADamagedSuperblockItIsMissed) {
  removed_.Bytes("/db/data.keel")[100] ^= std::byte{1};
  const absl::Status status = Database::Open("/db", SweepOptions(&removed_)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

// Each plays a workload of megabytes: all steps around the syncs of superblocks, some of the others.
TEST_P(CrashSweepTest, G1_G2_StepsOfTransactionsLargerThanTheLog) {
  const uint64_t seed = TestSeed();
  std::vector<int64_t> superblocks;
  const int64_t total = CountSteps(seed, RunLargeWorkload, &superblocks);
  ASSERT_GT(superblocks.size(), 8U);
  std::mt19937_64 random(seed);
  std::set<int64_t> steps;
  for (const int64_t sync : superblocks) {
    if (random() % kStride == 0) steps.insert({sync - 3, sync - 2, sync - 1, sync, sync + 1});
  }
  for (int n = 0; n < 48 / kStride; ++n) {
    steps.insert(static_cast<int64_t>(random() % static_cast<uint64_t>(total)));
  }
  for (const int64_t step : steps) {
    SCOPED_TRACE(absl::StrFormat("step %d of %d", step, total));
    MemoryFileSystem disk;
    disk.set_fault(DieAfter(std::make_shared<int64_t>(step)));
    History history;
    RunLargeWorkload(&disk, seed, history);
    const auto image = disk.AfterCrash(random, GetParam());
    const std::optional<size_t> state = StateOf(image.get(), history);
    ASSERT_TRUE(state.has_value());
    EXPECT_GE(*state, history.acknowledged);
    if (HasFailure()) return;
  }
}

const auto kChoices = ::testing::Values(CrashChoice::kRandom, CrashChoice::kTorn,
                                        CrashChoice::kNothing, CrashChoice::kEverything);
INSTANTIATE_TEST_SUITE_P(All, CrashSweepTest, kChoices);
INSTANTIATE_TEST_SUITE_P(All, RemovedLogTest, kChoices);

}  // namespace
}  // namespace keel::testing
