// A disk that somebody else fills while the database writes, and frees again (G5).

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "tests/crash/crash_options.h"
#include "tests/crash/small_disk.h"
#include "tests/crash/writer_process.h"
#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

// Puts new keys until it is told to stop, and keeps what was acknowledged.
class Putter {
 public:
  explicit Putter(Database* database) : database_(*database), thread_([this] { Run(); }) {}
  ~Putter() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t refused() const { return refused_; }
  // Of the first error that a full disk does not explain.
  std::string surprise() {
    const std::lock_guard lock(mutex_);
    return surprise_;
  }
  bool surprised() const { return surprised_; }

  Contents contents() {
    const std::lock_guard lock(mutex_);
    return contents_;
  }
  // Deletes one acknowledged key, from another thread.
  absl::Status DeleteOne() {
    std::string key;
    {
      const std::lock_guard lock(mutex_);
      if (contents_.empty()) return absl::OkStatus();
      key = contents_.begin()->first;
      // Its outcome is known only below.
      contents_.erase(contents_.begin());
    }
    return database_.Delete(key);
  }

 private:
  void Run() {
    std::mt19937_64 random(TestSeed());
    constexpr Durability kDurabilities[] = {Durability::kSync, Durability::kAsync,
                                            Durability::kNone};
    for (int number = 0; !stop_; ++number) {
      const std::string key = Numbered("key", number);
      const std::string value(random() % 40 == 0 ? 20000 : random() % 900, 'v');
      const absl::Status status =
          database_.Put(key, value, {.durability = kDurabilities[random() % 3]});
      Note(key, value, status);
    }
  }

  void Note(const std::string& key, const std::string& value, const absl::Status& status) {
    if (absl::IsResourceExhausted(status)) {
      ++refused_;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return;
    }
    const std::lock_guard lock(mutex_);
    if (status.ok()) {
      contents_.emplace(key, value);
      ++acknowledged_;
    } else if (surprise_.empty()) {
      surprise_ = status.ToString();
      surprised_ = true;
    }
  }

  Database& database_;
  std::mutex mutex_;
  Contents contents_;
  std::string surprise_;
  std::atomic<bool> surprised_{false};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> refused_{0};
  std::thread thread_;
};

class FullDiskTest : public ::testing::TestWithParam<DiskKind> {
 protected:
  static constexpr int kMib = 32;

  FullDiskTest() : disk_(MakeDisk(GetParam(), kMib)) {}

  void TearDown() override {
    if (database_ != nullptr) KEEL_EXPECT_OK(database_->Close());
  }

  void Open() {
    absl::StatusOr<std::unique_ptr<Database>> opened =
        Database::Open(disk_.path() / "db", CrashOptions());
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  void Close() {
    KEEL_EXPECT_OK(database_->Close());
    database_.reset();
  }

  // Waits for `wanted`, a surprise, or far too long.
  template <typename Wanted>
  static bool WaitUntil(Putter& putter, Wanted&& wanted) {
    for (int i = 0; i < 120'000 && !putter.surprised(); ++i) {
      if (wanted()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  static bool WaitForPuts(Putter& putter, uint64_t more) {
    const uint64_t enough = putter.acknowledged() + more;
    return WaitUntil(putter, [&] { return putter.acknowledged() >= enough; });
  }
  // Fills what is left again and again, for the database frees some when it cuts its log.
  static bool WaitForRefusals(Putter& putter, Filler& filler, uint64_t more) {
    const uint64_t enough = putter.refused() + more;
    return WaitUntil(putter, [&] {
      filler.Fill();
      return putter.refused() >= enough;
    });
  }

  void ExpectSound() {
    const absl::StatusOr<CheckReport> report = database_->Check();
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->ok()) << (report->damages.empty() ? "leaked pages"
                                                          : report->damages[0].problem);
  }

  io::ScopedMount disk_;
  std::unique_ptr<Database> database_;
};

TEST_P(FullDiskTest, G5_WritingResumesWithoutReopening) {
  KEEL_SKIP_IF_REFUSED(disk_);
  Open();
  Putter putter(database_.get());
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(WaitForPuts(putter, 100)) << putter.surprise() << " round " << round;
    std::optional<Filler> filler(disk_.path());
    ASSERT_TRUE(WaitForRefusals(putter, *filler, 20)) << putter.surprise();
    for (int i = 0; i < 20; ++i) KEEL_EXPECT_OK(putter.DeleteOne());
    ExpectSound();
    for (const auto& [key, value] : putter.contents()) ASSERT_EQ(GetText(*database_, key), value);
  }
  ASSERT_TRUE(WaitForPuts(putter, 100)) << putter.surprise();
  putter.Stop();
  EXPECT_EQ(ReadAll(*database_), putter.contents());
  ExpectSound();
  Close();
  Open();
  EXPECT_EQ(ReadAll(*database_), putter.contents());
  ExpectSound();
}

TEST_P(FullDiskTest, G5_AFullDiskIsLeftAndEnteredAgain) {
  KEEL_SKIP_IF_REFUSED(disk_);
  Open();
  Contents contents;
  std::optional<Filler> filler;
  {
    Putter putter(database_.get());
    ASSERT_TRUE(WaitForPuts(putter, 500)) << putter.surprise();
    filler.emplace(disk_.path());
    ASSERT_TRUE(WaitForRefusals(putter, *filler, 20)) << putter.surprise();
    putter.Stop();
    contents = putter.contents();
  }
  Close();
  filler->Fill();
  Open();
  EXPECT_EQ(ReadAll(*database_), contents);
  ExpectSound();
  for (int i = 0; i < 50; ++i) {
    KEEL_EXPECT_OK(database_->Delete(contents.begin()->first));
    contents.erase(contents.begin());
  }
  KEEL_EXPECT_OK(database_->DeleteRange(KeyRange(Numbered("key", 100), Numbered("key", 200))));
  contents.erase(contents.lower_bound(Numbered("key", 100)),
                 contents.lower_bound(Numbered("key", 200)));
  KEEL_EXPECT_OK(database_->Checkpoint());
  EXPECT_EQ(ReadAll(*database_), contents);
  filler.reset();
  for (int i = 0; i < 200; ++i) {
    const std::string key = Numbered("more", i);
    KEEL_EXPECT_OK(database_->Put(key, "value"));
    contents[key] = "value";
  }
  Close();
  Open();
  EXPECT_EQ(ReadAll(*database_), contents);
  ExpectSound();
}

// Recovery needs no more room than there is: what a writer left when it was killed on the full disk is recovered
// there, and goes on once there is room.
TEST_P(FullDiskTest, G5_AWriterKilledOnAFullDiskIsRecoveredThere) {
  KEEL_SKIP_IF_REFUSED(disk_);
  const TempDir temp;
  std::mt19937_64 random(TestSeed());
  const WriterArguments arguments{.database = disk_.path() / "db",
                                  .record = temp.path() / "record",
                                  .history = random(),
                                  .seed = random()};
  Model model(arguments.history);
  SharedRecord record(arguments.record);
  std::optional<Filler> filler;
  {
    WriterProcess writer(arguments);
    ASSERT_TRUE(writer.WaitFor(record->durable, 50 + random() % 200));
    filler.emplace(disk_.path());
    // It overwrites what it has, and so may never need room that is not there.
    const uint64_t enough = record->durable + record->refused + 100;
    EXPECT_TRUE(writer.WaitUntil([&] { return record->durable + record->refused >= enough; }));
    filler->Fill();
    writer.Kill();
    EXPECT_EQ(record->failed.load(), 0U) << record->error.data();
  }
  filler->Fill();
  ExpectSomePrefix(arguments.database, *record, &model);
  ExpectHolds(arguments.database, arguments.history, false, &model);
  filler.reset();
  ExpectHolds(arguments.database, arguments.history, true, &model);
}

INSTANTIATE_TEST_SUITE_P(Disks, FullDiskTest,
                         ::testing::Values(DiskKind::kTmpfs, DiskKind::kExt4, DiskKind::kXfs),
                         [](const auto& kind) { return DiskName(kind.param); });

}  // namespace
}  // namespace keel::testing
