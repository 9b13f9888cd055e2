// Schedules and crash points that break an engine of this kind unless a rule forbids them, each played to the letter
// (docs/torture.md tells which test is behind which).

#include <absl/strings/str_format.h>
#include <absl/synchronization/mutex.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <keel/keel.h>

#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "pager/page_format.h"
#include "pager/superblock.h"
#include "tests/support/seed.h"
#include "torture/player.h"

namespace keel::torture {
namespace {

using fault_injection::Call;
using fault_injection::CallKind;
using fault_injection::CrashChoice;
using fault_injection::DiskImage;
using fault_injection::Fault;
using fault_injection::FaultPlan;
using fault_injection::SectorMask;
using fault_injection::SeededRandom;
using fault_injection::SimDisk;
using fault_injection::SimFileSystem;
using ::testing::IsEmpty;

constexpr char kDirectory[] = "/db";
constexpr char kDataFile[] = "/db/data.keel";

// Many pages, and room in log and memory for several commits that change all of them.
Shape WideShape() {
  Shape shape = TinyShape();
  shape.segment_bytes = uint64_t{256} << 10;
  shape.checkpoint_log_bytes = uint64_t{1} << 20;
  shape.memory_bytes = uint64_t{4} << 20;
  return shape;
}

// Stops the threads that are about to make a certain call, until told to let them go on.
class Gate {
 public:
  using Which = bool (*)(const Call&);
  explicit Gate(Which which) : which_(which) {}

  void Close() {
    absl::MutexLock lock(&mutex_);
    allowed_ = arrived_;
  }
  void LetOneGo() {
    absl::MutexLock lock(&mutex_);
    ++allowed_;
  }
  void Open() {
    absl::MutexLock lock(&mutex_);
    allowed_ = kAll;
  }
  // Returns when somebody stands before it.
  void AwaitSomebody() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Gate* gate) { return gate->arrived_ > gate->allowed_; }, this));
  }
  void Pass(const Call& call) {
    if (!which_(call)) return;
    absl::MutexLock lock(&mutex_);
    const uint64_t turn = ++arrived_;
    const auto may_go = [this, turn] { return turn <= allowed_; };
    mutex_.Await(absl::Condition(&may_go));
  }

 private:
  static constexpr uint64_t kAll = ~uint64_t{0};
  const Which which_;
  absl::Mutex mutex_;
  uint64_t arrived_ = 0;
  uint64_t allowed_ = kAll;
};

bool IsLogSync(const Call& call) {
  return call.kind == CallKind::kSync && call.purpose == io::SyncPurpose::kLogFlush &&
         call.path.find("segment") != std::string::npos;
}
bool IsPageRead(const Call& call) { return call.kind == CallKind::kRead && call.path == kDataFile; }

// A database in which every commit changes every page: commit n gives each key a value that says n.
class HeldCallTest : public ::testing::Test {
 protected:
  explicit HeldCallTest(Gate::Which which, int keys = 300)
      : keys_(keys), world_({.seed = testing::TestSeed(), .keep_trace = false}), gate_(which) {
    world_.set_observer([this](const Call& call) { gate_.Pass(call); });
    Open();
  }
  ~HeldCallTest() override {
    gate_.Open();
    threads_.clear();
    db_.reset();
  }

  // Runs until the test ends at the latest, however that ends.
  std::jthread& Start(std::function<void()> work) { return threads_.emplace_back(std::move(work)); }

  void Open() {
    auto opened = Database::Open(kDirectory, WideShape().Options(&world_));
    ASSERT_TRUE(opened.ok()) << opened.status();
    db_ = *std::move(opened);
  }

  static std::string Key(int number) { return absl::StrFormat("k%05d", number); }
  static std::string Value(uint64_t commit) {
    return absl::StrFormat("%06d", commit) + std::string(60, 'v');
  }

  void WriteAll(Transaction& transaction, uint64_t commit) const {
    for (int i = 0; i < keys_; ++i) {
      const absl::Status status = transaction.Put(Key(i), Value(commit));
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  // The commit that comes next in the order which the database gives.
  void CommitNext(Durability durability) {
    absl::StatusOr<Transaction> transaction = db_->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    WriteAll(*transaction, CommitIn(*transaction) + 1);
    const absl::StatusOr<Lsn> lsn = transaction->Commit({durability});
    EXPECT_TRUE(lsn.ok()) << lsn.status();
  }

  // Which commit a reader shows; it must be one, and whole.
  uint64_t CommitIn(const Reader& reader) const {
    std::map<std::string, int> values;
    const absl::Status status =
        reader.ForEach({}, KeyRange::All(), [&](std::string_view, std::string_view value) {
          ++values[std::string(value)];
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    if (values.empty()) return 0;
    EXPECT_EQ(values.size(), 1U) << "of several commits";
    EXPECT_EQ(values.begin()->second, keys_);
    return std::stoull(values.begin()->first.substr(0, 6));
  }
  // The same by lookups, which pin nothing.
  void ExpectCommit(uint64_t commit) {
    EXPECT_EQ(CommitIn(*db_), commit);
    for (int i = 0; i < keys_; ++i) {
      const absl::StatusOr<PinnedValue> value = db_->Get(Key(i));
      ASSERT_TRUE(value.ok()) << value.status();
      ASSERT_EQ(value->view(), Value(commit));
    }
  }
  void ExpectSound() {
    const absl::StatusOr<CheckReport> report = db_->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << report->leaked_pages << " leaked";
  }
  // What a loss of power right now leaves for certain.
  uint64_t CommitAfterPowerLoss() {
    SimFileSystem world({.seed = testing::TestSeed()}, world_.durability().durable());
    auto opened = Database::Open(kDirectory, WideShape().Options(&world));
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? CommitIn(**opened) : 0;
  }
  // Waits until so many commits more are published, durable or not.
  void AwaitPublished(uint64_t number) {
    while (db_->Stats().commits.number < number) std::this_thread::yield();
  }

  const int keys_;
  SimFileSystem world_;
  Gate gate_;
  std::unique_ptr<Database> db_;
  std::deque<std::jthread> threads_;
};

class HeldFlushTest : public HeldCallTest {
 protected:
  HeldFlushTest() : HeldCallTest(&IsLogSync) {}
};

// Commits that come while a flush is under way build on a version that is not visible yet. They must neither change
// its pages in place (R2) nor have the pages used again that they drop of it (R4): it is about to become visible.
TEST_F(HeldFlushTest, R2_R4_CommitsBehindAFlushLeaveTheVersionBeforeThemAlone) {
  CommitNext(Durability::kSync);
  ASSERT_TRUE(db_->Checkpoint().ok());
  const uint64_t base = db_->Stats().commits.number;
  gate_.Close();
  std::jthread& first = Start([&] { CommitNext(Durability::kSync); });
  gate_.AwaitSomebody();
  std::vector<std::jthread*> others;
  others.reserve(5);
  for (int i = 0; i < 5; ++i) others.push_back(&Start([&] { CommitNext(Durability::kSync); }));
  AwaitPublished(base + 6);
  ExpectCommit(1);
  gate_.LetOneGo();
  first.join();
  gate_.AwaitSomebody();
  ExpectCommit(2);
  EXPECT_EQ(CommitAfterPowerLoss(), 2U);
  gate_.Open();
  for (std::jthread* other : others) other->join();
  ExpectCommit(7);
  ExpectSound();
}

// A transaction that begins on a version which is not visible yet, replaces all of it, uses its own pages again, and
// is rolled back: its base must be whole (R4).
TEST_F(HeldFlushTest, R4_ARollbackLeavesTheUnflushedVersionItBeganOnWhole) {
  CommitNext(Durability::kSync);
  ASSERT_TRUE(db_->Checkpoint().ok());
  const uint64_t base = db_->Stats().commits.number;
  gate_.Close();
  std::jthread& first = Start([&] { CommitNext(Durability::kSync); });
  gate_.AwaitSomebody();
  AwaitPublished(base + 1);
  for (int round = 0; round < 3; ++round) {
    absl::StatusOr<Transaction> transaction = db_->Begin();
    ASSERT_TRUE(transaction.ok()) << transaction.status();
    WriteAll(*transaction, 100);
    const Savepoint savepoint = transaction->SetSavepoint();
    WriteAll(*transaction, 101);
    // No more of it: what streams into the log waits for the flush.
    ASSERT_TRUE(transaction->DeleteRange(KeyRange::All()).ok());
    ASSERT_TRUE(transaction->RollbackTo(savepoint).ok());
    EXPECT_EQ(CommitIn(*transaction), 100U);
    transaction->Rollback();
    ExpectCommit(1);
  }
  gate_.Open();
  first.join();
  ExpectCommit(2);
  // With the next commit dies what it dropped, and nothing that the rolled back ones had.
  const absl::StatusOr<Keyspace> other = db_->OpenKeyspace("other");
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE(db_->Put(*other, "k", "v").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  ExpectSound();
  ExpectCommit(2);
  CommitNext(Durability::kSync);
  ASSERT_TRUE(db_->Checkpoint().ok());
  ExpectCommit(3);
  ExpectSound();
  EXPECT_EQ(CommitAfterPowerLoss(), 3U);
}

class HeldReadTest : public HeldCallTest {
 protected:
  // More than a paranoid build reads through at each commit, which would wait for the reader's page.
  HeldReadTest() : HeldCallTest(&IsPageRead, 1200) {}
};

// A lookup that waits for the disk is in no guard (R5): it holds one version, and not every page that was freed since.
TEST_F(HeldReadTest, R5_ALookupThatWaitsForTheDiskHoldsUpNoReuse) {
  CommitNext(Durability::kSync);
  ASSERT_TRUE(db_->Close().ok());
  Open();
  // Another keyspace, none of whose pages has to be read, is written over and over meanwhile.
  const absl::StatusOr<Keyspace> other = db_->OpenKeyspace("other");
  ASSERT_TRUE(other.ok()) << other.status();
  const auto overwrite = [&] {
    WriteBatch batch;
    for (int i = 0; i < 100; ++i) batch.Put(*other, Key(i), Value(1));
    const absl::Status written = db_->Write(batch).status();
    ASSERT_TRUE(written.ok()) << written;
    const absl::Status checkpoint = db_->Checkpoint();
    ASSERT_TRUE(checkpoint.ok()) << checkpoint;
  };
  overwrite();
  gate_.Close();
  std::jthread& reader = Start([&] {
    const absl::StatusOr<PinnedValue> value = db_->Get(Key(0));
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->view(), Value(1));
  });
  gate_.AwaitSomebody();
  for (int round = 0; round < 10; ++round) overwrite();
  const uint64_t file_pages = db_->Stats().pages.file_pages;
  for (int round = 0; round < 100; ++round) overwrite();
  EXPECT_EQ(db_->Stats().pages.file_pages, file_pages);
  gate_.Open();
  reader.join();
  ExpectSound();
}

class QuietTest : public HeldFlushTest {};

// A snapshot registers what is published; it does not freeze what a running transaction has made (R2), or each
// reader would cost the writer a copy of every page that it changes next.
TEST_F(QuietTest, R2_ASnapshotMakesNoWriterCopy) {
  CommitNext(Durability::kSync);
  absl::StatusOr<Transaction> transaction = db_->Begin();
  ASSERT_TRUE(transaction.ok()) << transaction.status();
  WriteAll(*transaction, 2);
  const uint64_t free_pages = db_->Stats().pages.free_pages;
  for (int i = 0; i < keys_; ++i) {
    const Snapshot snapshot = db_->GetSnapshot();
    ASSERT_TRUE(transaction->Put(Key(i), Value(3)).ok());
    ASSERT_EQ(db_->Stats().pages.free_pages, free_pages) << "a page was copied for Put " << i;
  }
  ASSERT_TRUE(transaction->Commit().ok());
  ExpectCommit(3);
  ExpectSound();
}

// The superblock that was told to be durable rots, in both copies. The older one describes pages and log that have
// been used again since: a frame of the log tells that there was a newer one (R7).
TEST_F(QuietTest, R7_TheGenerationBeforeADamagedOneIsNotOpened) {
  for (int i = 0; i < 3; ++i) {
    CommitNext(Durability::kSync);
    ASSERT_TRUE(db_->Checkpoint().ok());
  }
  const DiskImage image = world_.durability().durable();
  int refused = 0;
  for (const size_t pair : {size_t{0}, size_t{2}}) {
    SimFileSystem world({.seed = testing::TestSeed()}, image);
    const std::vector<std::byte> rot(16, std::byte{0x5a});
    for (const size_t copy : {pair, pair + 1}) {
      ASSERT_TRUE(world.Overwrite(kDataFile, pager::kSuperblockOffsets[copy] + 100, rot));
    }
    const auto before = world.Contents(kDataFile);
    auto opened = Database::Open(kDirectory, WideShape().Options(&world));
    if (opened.ok()) {
      EXPECT_EQ(CommitIn(**opened), 3U);
      continue;
    }
    ++refused;
    EXPECT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
    EXPECT_EQ(world.Contents(kDataFile), before) << "a refused open has written";
  }
  EXPECT_EQ(refused, 1);
}

// --- two ends of one machine: a killed process, then a power cut ---

std::string Verdict(const DiskImage& image, const Shape& shape, History history, uint64_t seed) {
  SimFileSystem world({.seed = seed, .keep_trace = false}, image);
  Player player(&world, shape, &history);
  player.Open();
  player.Verify();
  player.Close();
  return player.violation();
}

DiskImage AfterPowerLoss(const fault_injection::Durability& durability, bool anything,
                         SeededRandom& random) {
  CrashChoice choice;
  for (const auto& pending : durability.pending()) {
    const bool kept = anything && random.OneIn(2);
    choice.kept.push_back(kept ? pending.sectors : SectorMask{0});
  }
  return BuildCrashImage(durability, choice);
}

// A process ended here: its successor opens on what the system still has of it, synced or not, and shows it to
// others. Then the power fails, at some step of the recovery or after it: what was shown must be there (R12).
class SuccessorTest : public ::testing::Test {
 protected:
  // What the successor of a process makes of its disk.
  void Succeed(SimDisk disk, const History& before) {
    History history = before;
    SimFileSystem world({.seed = seed_, .keep_trace = false}, std::move(disk));
    std::vector<DiskImage> early;
    world.set_observer([&](const Call&) {
      if (random_.OneIn(30)) early.push_back(AfterPowerLoss(world.durability(), true, random_));
    });
    Player player(&world, shape_, &history);
    player.Open();
    world.set_observer(nullptr);
    ASSERT_THAT(player.violation(), IsEmpty());
    for (const DiskImage& image : early) {
      ASSERT_THAT(Verdict(image, shape_, before, seed_), IsEmpty()) << "within the recovery";
    }
    ASSERT_NO_FATAL_FAILURE(ExpectSurvives(world, history, "after the recovery"));
    // Also what the successor itself was told is durable, in files that it did not make.
    player.Play({{Operation::kPutSmall, seed_}, {Operation::kCommitSync, seed_}});
    ASSERT_THAT(player.violation(), IsEmpty());
    ASSERT_NO_FATAL_FAILURE(ExpectSurvives(world, history, "after a commit of the successor"));
    player.Close();
  }

  void ExpectSurvives(const SimFileSystem& world, const History& history, const char* when) {
    for (const bool anything : {false, true}) {
      const DiskImage image = AfterPowerLoss(world.durability(), anything, random_);
      ASSERT_THAT(Verdict(image, shape_, history, seed_), IsEmpty()) << when;
    }
  }

  static Script Work(const Shape& shape, uint64_t seed) {
    Script script = MakeScript(shape, seed, 40);
    script.push_back({Operation::kCheckpoint});
    script.push_back({Operation::kPutSmall, seed});
    script.push_back({Operation::kCommitSync, seed});
    return script;
  }

  const uint64_t seed_ = testing::TestSeed();
  const Shape shape_ = TinyShape();
  SeededRandom random_{seed_};
};

TEST_F(SuccessorTest, R12_WhatWasReadOfAKilledProcessSurvivesAPowerCut) {
  SimFileSystem world({.seed = seed_, .keep_trace = false});
  History history;
  std::vector<std::pair<SimDisk, History>> ends;
  world.set_observer([&](const Call& call) {
    if (IsChange(call.kind)) ends.emplace_back(world.disk(), history);
  });
  Player player(&world, shape_, &history);
  player.Open();
  player.Play(Work(shape_, seed_));
  player.Close();
  world.set_observer(nullptr);
  ASSERT_THAT(player.violation(), IsEmpty());
  ASSERT_GT(ends.size(), 100U);
  for (size_t step = 0; step < ends.size(); ++step) {
    SCOPED_TRACE(absl::StrFormat("killed at change %d of %d", step, ends.size()));
    Succeed(std::move(ends[step].first), ends[step].second);
    if (HasFatalFailure()) return;
  }
}

// The same where a sync had failed: the system's cache shows bytes that are not on the disk, and no later sync will
// bring them there.
TEST_F(SuccessorTest, G4_R12_WhatWasReadAfterAFailedSyncSurvivesAPowerCut) {
  for (uint64_t sync = 0;; ++sync) {
    SCOPED_TRACE(absl::StrFormat("sync %d failed", sync));
    SimFileSystem world({.seed = seed_, .keep_trace = false});
    uint64_t seen = 0;
    std::optional<uint64_t> step;
    world.set_observer([&](const Call& call) {
      if (call.kind != CallKind::kSync || seen++ != sync) return;
      step = call.step;
      FaultPlan plan(seed_);
      plan.Add({.fault = Fault::kIoError, .calls = {CallKind::kSync}, .from_step = call.step});
      world.set_plan(std::move(plan));
    });
    History history;
    Player player(&world, shape_, &history);
    player.set_strict(false);
    const bool opened = player.Open();
    player.Play(Work(shape_, seed_));
    world.set_observer(nullptr);
    ASSERT_THAT(player.violation(), IsEmpty());
    const SimDisk disk = world.disk();
    const History end = history;
    if (opened) player.Close();
    if (!step.has_value()) break;
    EXPECT_EQ(world.faults(), 1U);
    Succeed(disk, end);
    if (HasFatalFailure()) return;
  }
}

// --- births ---

// A page's number and birth name its contents: a stale page would otherwise pass for the one that was to replace it.
// Lives that end with a kill or a power cut, with rollbacks, pages written out early, and lost writes.
TEST(BirthTest, PageAndBirthNeverNameTwoContents) {
  const uint64_t seed = testing::TestSeed();
  SeededRandom random(seed);
  Shape shape = TinyShape();
  shape.keys = 200;
  History history;
  SimDisk disk;
  // By page and birth; the checksum stands for the contents.
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> contents;
  uint64_t pages = 0;
  for (int life = 0; life < 100; ++life) {
    SCOPED_TRACE(absl::StrFormat("life %d", life));
    SimFileSystem world({.seed = seed + static_cast<uint64_t>(life)}, std::move(disk));
    const size_t known = world.trace().size();
    // It ends within a checkpoint that has written its pages, and no superblock.
    uint64_t checkpoints = 1 + random.Below(4);
    std::optional<std::pair<SimDisk, History>> end;
    world.set_observer([&](const Call& call) {
      if (call.kind != CallKind::kSync || call.purpose != io::SyncPurpose::kCheckpointPages) return;
      if (--checkpoints == 0) end.emplace(world.disk(), history);
    });
    Player player(&world, shape, &history);
    ASSERT_TRUE(player.Open()) << player.violation();
    player.Play(MakeScript(shape, random.Next(), 60));
    ASSERT_THAT(player.violation(), IsEmpty());
    if (!end.has_value()) end.emplace(world.disk(), history);
    world.set_observer(nullptr);
    player.Close();  // comes too late for the disk
    history = end->second;
    const fault_injection::Trace trace = end->first.trace();
    const bool anything = random.OneIn(2);
    disk = random.OneIn(2) ? std::move(end->first)
                           : SimDisk(AfterPowerLoss(end->first.durability(), anything, random));
    for (size_t i = known; i < trace.size(); ++i) {
      if (trace[i].kind != fault_injection::TraceEvent::Kind::kEffect) continue;
      const fault_injection::Effect& effect = *trace[i].effect;
      if (!effect.IsData() || effect.bytes == nullptr) continue;
      for (size_t at = 0; at < fault_injection::kBlockBytes; at += shape.page_bytes) {
        if ((effect.sectors >> (at / 512) & 1) == 0) continue;
        pager::PageHeader header;
        std::memcpy(&header, effect.bytes->bytes.data() + at, sizeof(header));
        const uint64_t page = (effect.block * fault_injection::kBlockBytes + at) / shape.page_bytes;
        const bool is_tree = header.kind == static_cast<uint8_t>(pager::PageKind::kLeaf) ||
                             header.kind == static_cast<uint8_t>(pager::PageKind::kInternal);
        if (!is_tree || header.page_id != page || header.birth == 0) continue;
        ++pages;
        const auto [entry, is_new] = contents.try_emplace({page, header.birth}, header.checksum);
        ASSERT_TRUE(is_new || entry->second == header.checksum)
            << "page " << page << " of birth " << header.birth << " has two contents";
      }
    }
  }
  EXPECT_GT(pages, 1000U);
}

// --- a killed process whose requests are still under way ---

// They hold its lock (R6). Whoever opens the database waits for them, and has written nothing before.
TEST(LateRequestTest, R6_OpeningWaitsForThemAndWritesNothingBefore) {
  const Shape shape = TinyShape();
  SimFileSystem world({.seed = testing::TestSeed()});
  {
    auto made = Database::Open(kDirectory, shape.Options(&world));
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_TRUE((*made)->Put("kept", "1").ok());
  }
  for (const std::string& path : world.Paths()) {
    if (path != kDataFile && path.find("segment") == std::string::npos) continue;
    SCOPED_TRACE(path);
    auto opened = world.Open(path, {});
    ASSERT_TRUE(opened.ok()) << opened.status();
    std::unique_ptr<io::File> late = *std::move(opened);
    ASSERT_TRUE(late->TryLock(io::LockMode::kExclusive).ok());
    int attempts = 0;
    int changes = 0;
    world.set_observer([&](const Call& call) {
      if (late == nullptr) return;
      if (IsChange(call.kind)) ++changes;
      if (call.kind == CallKind::kLock && call.path == path && ++attempts == 5) late.reset();
    });
    auto database = Database::Open(kDirectory, shape.Options(&world));
    world.set_observer(nullptr);
    ASSERT_TRUE(database.ok()) << database.status();
    EXPECT_EQ(attempts, 5);
    EXPECT_EQ(changes, 0);
    const absl::StatusOr<PinnedValue> value = (*database)->Get("kept");
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->view(), "1");
  }
}

}  // namespace
}  // namespace keel::torture
