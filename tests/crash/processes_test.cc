// One database and several processes: who gets it, what the others are told, and what a forked child may do.

#include <memory>
#include <string>
#include <vector>

#include "tests/crash/crash_options.h"
#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/io/child_process.h"

namespace keel::testing {
namespace {

using ::testing::HasSubstr;

class ProcessesTest : public EngineTest {
 protected:
  ProcessesTest() {
    options_ = CrashOptions();
    options_.open_timeout = absl::Milliseconds(100);
  }

  // Opens in a child, which keeps the database open.
  std::function<std::string()> Opening(bool read_only) {
    return [this, read_only]() -> std::string {
      options_.read_only = read_only;
      return StatusText(TryOpen());
    };
  }
  std::string TryOpenText(bool read_only) {
    options_.read_only = read_only;
    const absl::Status status = TryOpen();
    options_.read_only = false;
    return StatusText(status);
  }
  static std::string StatusText(const absl::Status& status) {
    return status.ok() ? "" : status.ToString();
  }
  void Fill() {
    for (int i = 0; i < 100; ++i) KEEL_ASSERT_OK(db_->Put(Numbered("key", i), "value"));
  }
};

TEST_F(ProcessesTest, TheSecondWriterIsToldWhoTheFirstIs) {
  io::Child child(Opening(false));
  ASSERT_EQ(child.report(), "");
  const std::string holder = "process " + std::to_string(child.pid());
  for (const bool read_only : {false, true}) {
    const std::string refusal = TryOpenText(read_only);
    EXPECT_THAT(refusal, HasSubstr("FAILED_PRECONDITION"));
    EXPECT_THAT(refusal, HasSubstr(holder));
  }
  child.Kill();
  EXPECT_EQ(TryOpenText(false), "");
}

TEST_F(ProcessesTest, ReadersStandBesideEachOtherAndKeepAWriterOut) {
  Open();
  Fill();
  KEEL_ASSERT_OK(db_->Close());
  db_.reset();
  const io::Child one(Opening(true));
  const io::Child two(Opening(true));
  ASSERT_EQ(one.report() + two.report(), "");
  ASSERT_EQ(TryOpenText(true), "");
  EXPECT_EQ(ReadAll(*db_).size(), 100U);
  db_.reset();
  const std::string refusal = TryOpenText(false);
  EXPECT_THAT(refusal, HasSubstr("FAILED_PRECONDITION"));
  EXPECT_THAT(refusal, HasSubstr("process " + std::to_string(one.pid())));
  EXPECT_THAT(refusal, HasSubstr("process " + std::to_string(two.pid())));
}

// Everything that a child could have inherited, used once; "" if all of it is refused.
class Inheritance {
 public:
  explicit Inheritance(Database* database)
      : database_(*database),
        snapshot_(database->GetSnapshot()),
        cursor_(snapshot_.NewCursor()),
        transaction_(*database->Begin()) {
    cursor_.SeekToFirst();
  }

  std::string Use() {
    Refused("Get", database_.Get("key000001").status());
    Refused("Count", database_.Count().status());
    Refused("Put", database_.Put("child", "value"));
    Refused("Delete", database_.Delete("key000001"));
    Refused("Begin", database_.Begin().status());
    Refused("OpenKeyspace", database_.OpenKeyspace("child").status());
    Refused("Sync", database_.Sync());
    Refused("Checkpoint", database_.Checkpoint());
    Refused("Check", database_.Check().status());
    Refused("background work", database_.RunBackgroundWork());
    Refused("new snapshot", database_.GetSnapshot().Get("key000001").status());
    Refused("Snapshot", snapshot_.Get("key000001").status());
    cursor_.Seek("key000050");
    Refused("Cursor", cursor_.status());
    Refused("Transaction", transaction_.Put("child", "value"));
    Refused("Commit", transaction_.Commit().status());
    Refused("Close", database_.Close());
    return wrong_;
  }
  Transaction& transaction() { return transaction_; }

 private:
  void Refused(const std::string& what, const absl::Status& status) {
    if (status.code() != absl::StatusCode::kFailedPrecondition) {
      wrong_ += what + ": " + status.ToString() + "; ";
    }
  }

  Database& database_;
  Snapshot snapshot_;
  Cursor cursor_;
  Transaction transaction_;
  std::string wrong_;
};

TEST_F(ProcessesTest, AForkedChildIsRefusedEverythingAndDisturbsNothing) {
  Open();
  Fill();
  {
    auto inheritance = std::make_unique<Inheritance>(db_.get());
    KEEL_ASSERT_OK(inheritance->transaction().Put("parent", "value"));
    const std::string report = io::RunInChild([&] {
      const std::string wrong = inheritance->Use();
      // Neither handles nor the database do anything when they are destroyed there.
      inheritance.reset();
      db_.reset();
      return wrong;
    });
    EXPECT_EQ(report, "");
    KEEL_EXPECT_OK(inheritance->transaction().Commit().status());
  }
  EXPECT_EQ(GetText(*db_, "parent"), "value");
  KEEL_EXPECT_OK(db_->Put("after", "value"));
  Reopen();
  EXPECT_EQ(ReadAll(*db_).size(), 102U);
  EXPECT_EQ(GetText(*db_, "child"), "NotFound");
}

// The child shares the parent's descriptors, and must not keep the database from others when the parent
// has let it go.
TEST_F(ProcessesTest, AChildThatLivesOnDoesNotHoldTheDatabase) {
  Open();
  Fill();
  const io::Child child([] { return std::string(); });
  Reopen();
  EXPECT_EQ(ReadAll(*db_).size(), 100U);
}

}  // namespace
}  // namespace keel::testing
