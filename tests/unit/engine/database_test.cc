// The database through its public face: opening, single writes, batches, keyspaces, closing.

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

using DatabaseTest = EngineTest;

TEST_F(DatabaseTest, PutGetDelete) {
  Open();
  KEEL_ASSERT_OK(db_->Put("a", "1"));
  KEEL_ASSERT_OK(db_->Put("b", ""));
  EXPECT_EQ(GetText(*db_, "a"), "1");
  EXPECT_EQ(GetText(*db_, "b"), "");
  EXPECT_EQ(GetText(*db_, "c"), "NotFound");
  KEEL_ASSERT_OK(db_->Put("a", "2"));
  EXPECT_EQ(GetText(*db_, "a"), "2");
  KEEL_ASSERT_OK(db_->Delete("a"));
  KEEL_ASSERT_OK(db_->Delete("a"));
  EXPECT_EQ(GetText(*db_, "a"), "NotFound");
  EXPECT_EQ(*db_->Count(), 1U);
}

TEST_F(DatabaseTest, SurvivesReopening) {
  Open();
  for (int i = 0; i < 1000; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("key", i), Numbered("value", i), {Durability::kNone}));
  }
  const Contents before = ReadAll(*db_);
  EXPECT_EQ(before.size(), 1000U);
  Reopen();
  EXPECT_TRUE(db_->recovery_report().clean);
  EXPECT_EQ(ReadAll(*db_), before);
  EXPECT_EQ(*db_->Count(KeyRange("key000100", "key000200")), 100U);
}

TEST_F(DatabaseTest, EmptyKeyAndLimits) {
  Open();
  KEEL_ASSERT_OK(db_->Put("", "empty"));
  EXPECT_EQ(GetText(*db_, ""), "empty");
  const std::string longest(kMaxKeyBytes, 'k');
  KEEL_ASSERT_OK(db_->Put(longest, "v"));
  EXPECT_EQ(GetText(*db_, longest), "v");
  const absl::Status too_long = db_->Put(longest + "k", "v");
  EXPECT_TRUE(absl::IsInvalidArgument(too_long)) << too_long;
  EXPECT_THAT(std::string(MessageOf(too_long)), ::testing::HasSubstr("1024"));
  EXPECT_EQ(*db_->Count(), 2U);
}

TEST_F(DatabaseTest, ValuesOfEverySize) {
  Open();
  Contents expected;
  for (const int bytes : {0, 1, 255, 256, 257, 900, 1000, 1100, 4096, 5000, 70000, 1000000}) {
    const auto size = static_cast<size_t>(bytes);
    const std::string key = Numbered("size", bytes);
    std::string value(size, 'x');
    for (size_t i = 0; i < size; i += 7) value[i] = static_cast<char>(i % 251);
    KEEL_ASSERT_OK(db_->Put(key, value));
    expected[key] = value;
    EXPECT_EQ(GetText(*db_, key), value) << size;
  }
  EXPECT_EQ(ReadAll(*db_), expected);
  Reopen();
  EXPECT_EQ(ReadAll(*db_), expected);
  for (const auto& [key, value] : expected) KEEL_ASSERT_OK(db_->Delete(key));
  EXPECT_EQ(*db_->Count(), 0U);
}

TEST_F(DatabaseTest, LargestValueStreamsThroughSmallSegments) {
  options_.checkpoint_log_bytes = uint64_t{80} << 20;
  Open();
  std::string value(kMaxValueBytes, 'v');
  for (size_t i = 0; i < value.size(); i += 4093) value[i] = static_cast<char>(i);
  KEEL_ASSERT_OK(db_->Put("large", value));
  const absl::StatusOr<PinnedValue> read = db_->Get("large");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->view() == value);
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Put("larger", value + "v")));
}

TEST_F(DatabaseTest, BatchIsAtomicAndOrdered) {
  Open();
  KEEL_ASSERT_OK(db_->Put("gone", "x"));
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Put("a", "2");
  batch.Put("b", "3");
  batch.Delete("gone");
  batch.Put("r1", "");
  batch.Put("r2", "");
  batch.DeleteRange(KeyRange("r1", "r2"));
  EXPECT_EQ(batch.size(), 7U);
  ASSERT_TRUE(db_->Write(batch).ok());
  EXPECT_EQ(ReadAll(*db_), (Contents{{"a", "2"}, {"b", "3"}, {"r2", ""}}));
  batch.Clear();
  batch.Put("c", "4");
  batch.Put(std::string(kMaxKeyBytes + 1, 'k'), "");
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Write(batch).status()));
  EXPECT_EQ(GetText(*db_, "c"), "NotFound");
}

TEST_F(DatabaseTest, Keyspaces) {
  Open();
  const absl::StatusOr<Keyspace> users = db_->OpenKeyspace("users");
  ASSERT_TRUE(users.ok()) << users.status();
  EXPECT_EQ(*db_->OpenKeyspace("users"), *users);
  KEEL_ASSERT_OK(db_->Put(*users, "k", "user"));
  KEEL_ASSERT_OK(db_->Put("k", "default"));
  EXPECT_EQ(GetText(*db_, "k", *users), "user");
  EXPECT_EQ(GetText(*db_, "k"), "default");
  EXPECT_EQ(db_->ListKeyspaces().size(), 2U);
  EXPECT_EQ(*db_->OpenKeyspace("default"), Keyspace(*db_->OpenKeyspace("default")));

  KEEL_ASSERT_OK(db_->DropKeyspace("users"));
  EXPECT_TRUE(absl::IsNotFound(db_->Get(*users, "k").status()));
  EXPECT_TRUE(absl::IsNotFound(db_->Put(*users, "k", "v")));
  EXPECT_TRUE(absl::IsNotFound(db_->DropKeyspace("users")));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->DropKeyspace("default")));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->OpenKeyspace("").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->OpenKeyspace(std::string(256, 'n')).status()));

  const absl::StatusOr<Keyspace> again = db_->OpenKeyspace("users");
  ASSERT_TRUE(again.ok());
  EXPECT_NE(again->id(), users->id());
  EXPECT_EQ(*db_->Count(*again), 0U);
  Reopen();
  EXPECT_EQ(db_->ListKeyspaces().size(), 2U);
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Get(*again, "k").status()));  // of the earlier open
}

TEST_F(DatabaseTest, DeleteRangeAndCount) {
  Open();
  WriteBatch batch;
  for (int i = 0; i < 20000; ++i) batch.Put(Numbered("k", i), std::string(20, 'v'));
  ASSERT_TRUE(db_->Write(batch).ok());
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange("k000100", "k019900")));
  EXPECT_EQ(*db_->Count(), 200U);
  EXPECT_EQ(*db_->Count(KeyRange::Prefix("k0000")), 100U);
  KEEL_ASSERT_OK(db_->DeleteRange(KeyRange::All()));
  EXPECT_EQ(*db_->Count(), 0U);
}

TEST_F(DatabaseTest, CloseMakesHandlesFail) {
  Open();
  KEEL_ASSERT_OK(db_->Put("k", std::string(600, 'v')));
  Snapshot snapshot = db_->GetSnapshot();
  Cursor cursor = db_->NewCursor();
  cursor.SeekToFirst();
  ASSERT_TRUE(cursor.Valid());
  absl::StatusOr<PinnedValue> pinned = db_->Get("k");
  absl::StatusOr<Transaction> transaction = db_->Begin();
  ASSERT_TRUE(transaction.ok());
  KEEL_ASSERT_OK(transaction->Put("lost", "x"));
  KEEL_ASSERT_OK(db_->Close());
  EXPECT_EQ(pinned->view(), std::string(600, 'v'));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Close()));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("k", "v")));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Get("k").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(snapshot.Get("k").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(snapshot.Count().status()));
  EXPECT_TRUE(db_->ListKeyspaces().empty());
  EXPECT_GT(db_->durable_lsn(), Lsn{0});
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction->Put("k", "v")));
  EXPECT_TRUE(absl::IsFailedPrecondition(transaction->Commit().status()));
  cursor.Next();
  EXPECT_FALSE(cursor.Valid());
  EXPECT_TRUE(absl::IsFailedPrecondition(cursor.status()));
  Open();  // while the old handles live
  EXPECT_EQ(GetText(*db_, "lost"), "NotFound");
}

TEST_F(DatabaseTest, OptionsAreChecked) {
  options_.page_bytes = 5000;
  EXPECT_TRUE(absl::IsInvalidArgument(TryOpen()));
  options_.page_bytes = 4096;
  options_.memory_bytes = 1000;
  EXPECT_TRUE(absl::IsInvalidArgument(TryOpen()));
  options_.memory_bytes = uint64_t{8} << 20;
  options_.log_segment_bytes = 12345;
  EXPECT_TRUE(absl::IsInvalidArgument(TryOpen()));
  options_.log_segment_bytes = uint64_t{1} << 20;
  options_.create_if_missing = false;
  EXPECT_TRUE(absl::IsNotFound(TryOpen()));
  options_.create_if_missing = true;
  Open();
  options_.error_if_exists = true;
  EXPECT_TRUE(absl::IsAlreadyExists(TryOpen()));
  options_.error_if_exists = false;
  Open();
}

TEST_F(DatabaseTest, RefusesADirectoryOfSomethingElse) {
  std::filesystem::create_directories(directory());
  std::ofstream(directory() / "notes.txt") << "hello";
  const absl::Status status = TryOpen();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), ::testing::HasSubstr("notes.txt"));
  EXPECT_FALSE(std::filesystem::exists(directory() / "data.keel"));
}

TEST_F(DatabaseTest, SecondOpenIsRefused) {
  Open();
  Options second = options_;
  second.open_timeout = absl::Milliseconds(50);
  const absl::Status status = Database::Open(directory(), second).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  second.read_only = true;
  EXPECT_TRUE(absl::IsFailedPrecondition(Database::Open(directory(), second).status()));
}

TEST_F(DatabaseTest, ReadOnlyWritesNothing) {
  Open();
  KEEL_ASSERT_OK(db_->Put("k", "v"));
  Reopen();
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  options_.read_only = true;
  Open();
  Options second = options_;
  const auto other = Database::Open(directory(), second);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(GetText(**other, "k"), "v");
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Put("k", "w")));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Begin().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->Checkpoint()));
  EXPECT_TRUE(absl::IsNotFound(db_->OpenKeyspace("new").status()));
}

TEST_F(DatabaseTest, ManualBackgroundDoesEverythingOnTheCallersThread) {
  options_.background = Background::kManual;
  Open();
  for (int i = 0; i < 30000; ++i) {
    KEEL_ASSERT_OK(db_->Put(Numbered("k", i % 5000), std::string(300, 'v'), {Durability::kNone}));
  }
  EXPECT_GT(db_->Stats().checkpoints.completed, 1U);  // those who met the log's limit made them
  KEEL_ASSERT_OK(db_->RunBackgroundWork());
  KEEL_ASSERT_OK(db_->Sync());
  EXPECT_EQ(*db_->Count(), 5000U);
}

TEST_F(DatabaseTest, AStepWithinALeafIsRefusedAfterClose) {
  Open();
  for (const char* key : {"a", "b", "c"}) KEEL_ASSERT_OK(db_->Put(key, "v"));
  Cursor forward = db_->NewCursor();
  Cursor backward = db_->NewCursor();
  for (Cursor* cursor : {&forward, &backward}) {
    cursor->Seek("b");
    ASSERT_TRUE(cursor->Valid());
  }
  KEEL_ASSERT_OK(db_->Close());
  for (Cursor* cursor : {&forward, &backward}) {
    ASSERT_TRUE(cursor->Valid());
    EXPECT_EQ(cursor->key(), "b");  // good until it moves
    EXPECT_EQ(cursor->value(), "v");
    cursor == &forward ? cursor->Next() : cursor->Prev();
    EXPECT_FALSE(cursor->Valid());
    EXPECT_TRUE(absl::IsFailedPrecondition(cursor->status())) << cursor->status();
  }
  skip_check_ = true;
}

TEST_F(DatabaseTest, AForkedChildIsRefused) {
  Open();
  KEEL_ASSERT_OK(db_->Put("k", "v"));
  KEEL_ASSERT_OK(db_->Put("l", "v"));
  Cursor cursor = db_->NewCursor();
  cursor.SeekToFirst();
  const std::vector<std::string_view> keys = {"k", "l"};
  absl::StatusOr<Transaction> transaction = db_->Begin();
  ASSERT_TRUE(transaction.ok());
  const pid_t child = fork();
  if (child == 0) {
    cursor.Next();
    const bool refused = absl::IsFailedPrecondition(cursor.status()) && !cursor.Valid() &&
                         absl::IsFailedPrecondition(db_->Get("k").status()) &&
                         absl::IsFailedPrecondition(db_->MultiGet(keys).at(1).status()) &&
                         absl::IsFailedPrecondition(transaction->Put("k", "w")) &&
                         absl::IsFailedPrecondition(transaction->Commit().status()) &&
                         absl::IsFailedPrecondition(db_->Begin().status()) &&
                         absl::IsFailedPrecondition(db_->Count().status()) &&
                         absl::IsFailedPrecondition(db_->GetSnapshot().Get("k").status()) &&
                         absl::IsFailedPrecondition(db_->Close());
    _exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  KEEL_ASSERT_OK(transaction->Put("k", "w"));
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(GetText(*db_, "k"), "w");
}

TEST_F(DatabaseTest, WaitDurableAndSync) {
  Open();
  WriteBatch batch;
  batch.Put("k", "v");
  const absl::StatusOr<Lsn> lsn = db_->Write(batch, {Durability::kNone});
  ASSERT_TRUE(lsn.ok());
  EXPECT_EQ(GetText(*db_, "k"), "v");
  KEEL_ASSERT_OK(db_->WaitDurable(*lsn));
  EXPECT_GE(db_->durable_lsn(), *lsn);
  EXPECT_TRUE(absl::IsInvalidArgument(db_->WaitDurable(Lsn{lsn->value + (uint64_t{1} << 40)})));
  KEEL_ASSERT_OK(db_->Sync());
}

TEST_F(DatabaseTest, ManyThreadsCommit) {
  Open();
  constexpr int kThreads = 8;
  constexpr int kEach = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string key = absl::StrFormat("t%d-%05d", t, i);
        const Durability durability = i % 3 == 0   ? Durability::kSync
                                      : i % 3 == 1 ? Durability::kAsync
                                                   : Durability::kNone;
        KEEL_EXPECT_OK(db_->Put(key, key, {durability}));
        EXPECT_EQ(GetText(*db_, key), key);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*db_->Count(), uint64_t{kThreads * kEach});
}

}  // namespace
}  // namespace keel::testing
