// What people and disks get wrong: a clear message on standard error, the right exit status, nothing
// on standard output that is no data, and the database as it was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/unit/cli/keel_program.h"

namespace keel::cli::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class BadInputTest : public ::testing::Test {
 protected:
  // Runs a command that must end with `status`, print nothing, and say one line.
  static std::string Refused(int status, const std::vector<std::string>& arguments,
                             const std::string& input = "") {
    const Ended ended = RunKeel(arguments, input);
    EXPECT_EQ(ended.status, status) << ended.err;
    EXPECT_THAT(ended.out, IsEmpty());
    EXPECT_THAT(ended.err,
                AllOf(StartsWith("keel: "), Not(HasSubstr("INTERNAL")), Not(HasSubstr("Status"))));
    return ended.err;
  }

  std::string PathOf(const std::string& name) const { return directory_.path() / name; }

  void Make() const { ASSERT_EQ(RunKeel({"load", db_}, "a\t1\nb\t2\nc\t3\n").status, 0); }

  std::string Count() const { return RunKeel({"count", db_}).out; }

  const ::keel::testing::TempDir directory_;
  const std::string db_ = directory_.path() / "db";
};

TEST_F(BadInputTest, UnknownCommandsAndOptions) {
  EXPECT_THAT(Refused(2, {"frobnicate", db_}),
              HasSubstr("there is no command 'frobnicate'; there are put, get, "));
  EXPECT_THAT(Refused(2, {}), HasSubstr("which command?"));
  EXPECT_THAT(Refused(2, {"get", db_, "key", "--frobnicate"}),
              AllOf(HasSubstr("--frobnicate"), HasSubstr("see keel get --help")));
  EXPECT_THAT(Refused(2, {"get", db_}), HasSubstr("KEY"));
  EXPECT_THAT(Refused(2, {"get"}), HasSubstr("DB"));
  EXPECT_THAT(Refused(2, {"get", db_, "key", "more"}), HasSubstr("more"));
  EXPECT_THAT(Refused(2, {"inspect", db_}),
              HasSubstr("inspect what? There are superblock, catalogue, page, log"));
  EXPECT_THAT(Refused(2, {"stat", db_, "--memory", "lots"}), HasSubstr("'lots' is not a size"));
  EXPECT_THAT(Refused(2, {"stat", db_, "--io", "tape"}), HasSubstr("--io"));
  EXPECT_THAT(Refused(2, {"dump", db_, "--format", "xml"}), HasSubstr("--format"));
  EXPECT_THAT(Refused(2, {"load", db_, "--batch", "0"}), HasSubstr("--batch"));
  EXPECT_THAT(Refused(2, {"scan", db_, "--limit", "x"}), HasSubstr("--limit"));
  EXPECT_THAT(Refused(2, {"put", db_, "key"}), HasSubstr("VALUE"));
  EXPECT_FALSE(fs::exists(db_));
}

TEST_F(BadInputTest, OptionsOutOfTheirLimits) {
  EXPECT_THAT(Refused(2, {"put", db_, "k", "v", "--memory", "1M"}), HasSubstr("memory"));
  EXPECT_THAT(Refused(2, {"put", db_, "k", "v", "--log-segment", "1K"}), HasSubstr("segment"));
  EXPECT_THAT(Refused(2, {"put", db_, "k", "v", "--checkpoint-log", "1K"}),
              HasSubstr("checkpoint"));
  EXPECT_FALSE(fs::exists(db_));
}

TEST_F(BadInputTest, MissingAndUnreadableFilesDoNotEvenMakeADatabase) {
  EXPECT_THAT(Refused(2, {"load", db_, PathOf("nothing.tsv")}),
              HasSubstr("nothing.tsv: No such file"));
  EXPECT_THAT(Refused(2, {"load", db_, directory_.path()}), HasSubstr("Is a directory"));
  EXPECT_THAT(Refused(2, {"put", db_, "k", "--value-file", PathOf("nothing")}),
              HasSubstr("nothing: No such file"));
  EXPECT_THAT(Refused(2, {"load", db_, "--format", "csv", "--key", "id"}, "a,b\n1,2\n"),
              HasSubstr("standard input:1: the header has no column 'id'"));
  EXPECT_FALSE(fs::exists(db_));
}

TEST_F(BadInputTest, ThereIsNoDatabase) {
  for (const char* const command : {"scan", "count", "dump", "stat", "check", "recover"}) {
    EXPECT_THAT(Refused(2, {command, db_}), HasSubstr("no Keel database in " + db_)) << command;
  }
  EXPECT_THAT(Refused(2, {"recover", db_, "--dry-run"}), HasSubstr("no Keel database in " + db_));
  EXPECT_THAT(Refused(2, {"get", db_, "key"}), HasSubstr("no Keel database in " + db_));
  EXPECT_THAT(Refused(2, {"del", db_, "key"}), HasSubstr("no Keel database in " + db_));
  for (const char* const part : {"superblock", "catalogue"}) {
    EXPECT_THAT(Refused(2, {"inspect", part, db_}), HasSubstr("no Keel database in " + db_));
  }
  EXPECT_THAT(Refused(2, {"inspect", "log", db_}), HasSubstr("no log in " + db_));
  EXPECT_FALSE(fs::exists(db_));
}

TEST_F(BadInputTest, TheDirectoryHoldsSomethingElse) {
  fs::create_directory(db_);
  WriteFile(db_ + "/letter.txt", "Dear reader,\n");
  const auto before = BytesBelow(db_);
  EXPECT_THAT(Refused(2, {"put", db_, "key", "value"}), HasSubstr(db_));
  EXPECT_THAT(Refused(2, {"load", db_}, "a\t1\n"), HasSubstr(db_));
  EXPECT_THAT(Refused(2, {"scan", db_}), HasSubstr(db_));
  EXPECT_EQ(BytesBelow(db_), before);
}

TEST_F(BadInputTest, TheDirectoryIsAFile) {
  WriteFile(db_, "no directory");
  EXPECT_THAT(Refused(2, {"put", db_, "key", "value"}), HasSubstr(db_ + ": Not a directory"));
  EXPECT_EQ(ReadFile(db_), "no directory");
}

TEST_F(BadInputTest, TheDataFileIsNoneOfOurs) {
  fs::create_directory(db_);
  WriteFile(db_ + "/data.keel", std::string(2 << 20, 'x'));
  const auto before = BytesBelow(db_);
  EXPECT_THAT(Refused(2, {"put", db_, "key", "value"}), HasSubstr("data.keel"));
  EXPECT_THAT(Refused(2, {"scan", db_}), HasSubstr("data.keel"));
  EXPECT_EQ(BytesBelow(db_), before);
}

TEST_F(BadInputTest, AMalformedRowLeavesItsBatchOut) {
  std::string rows = "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value\":\"2\"}\n";
  rows += "{\"key\":\"c\",\"value\":\"3\"}\n{\"key\": oops}\n{\"key\":\"e\",\"value\":\"5\"}\n";
  const std::string said = Refused(3, {"load", db_, "--format", "jsonl", "--batch", "2"}, rows);
  EXPECT_THAT(said, AllOf(HasSubstr("standard input:4: malformed JSON"),
                          HasSubstr("; rows in: 2, up to line 2, and none behind")));
  EXPECT_EQ(RunKeel({"scan", db_}).out, "a\t1\nb\t2\n");
}

TEST_F(BadInputTest, AMalformedFirstRowLeavesAllOut) {
  Make();
  WriteFile(PathOf("rows.csv"), "k,v\nx,1\ny,\"2\nz,3\n");
  EXPECT_THAT(Refused(3, {"load", db_, PathOf("rows.csv")}),
              HasSubstr("rows.csv:3: a quoted field of this row is never closed; no row is in"));
  EXPECT_THAT(Refused(3, {"load", db_}, "x\t1\ny 2\n"),
              HasSubstr("standard input:2: there is no tab between a key and a value"));
  EXPECT_EQ(Count(), "3\n");
}

TEST_F(BadInputTest, KeysAndValuesOverTheLimit) {
  Make();
  const auto before = BytesBelow(db_);
  EXPECT_THAT(Refused(2, {"put", db_, std::string(1025, 'k'), "v"}),
              HasSubstr("the key has 1025 bytes; at most 1024 are allowed"));
  EXPECT_THAT(Refused(2, {"put", db_, "k", "--value-file", "-"}, std::string((64 << 20) + 1, 'v')),
              HasSubstr("longer than a value may be"));
  EXPECT_EQ(BytesBelow(db_), before);
  EXPECT_THAT(Refused(3, {"load", db_}, "x\t1\n" + std::string(1025, 'k') + "\tv\n"),
              HasSubstr("standard input:2: the key is longer than 1.0 KiB; no row is in"));
  EXPECT_THAT(Refused(3, {"load", db_}, "x\t" + std::string((64 << 20) + 1, 'v')),
              HasSubstr("standard input:1: the value is longer than 64.0 MiB"));
  EXPECT_EQ(Count(), "3\n");
  EXPECT_EQ(RunKeel({"put", db_, std::string(1024, 'k'), "v"}).status, 0);
}

TEST_F(BadInputTest, MalformedKeysOnTheCommandLine) {
  Make();
  EXPECT_THAT(Refused(2, {"get", db_, "\\q"}), HasSubstr("unknown escape '\\q'"));
  EXPECT_THAT(Refused(2, {"get", db_, "--hex", "xyz"}), HasSubstr("'xyz' is not hexadecimal"));
  EXPECT_THAT(Refused(2, {"scan", db_, "--from", "\\x1"}), HasSubstr("unknown escape"));
  EXPECT_THAT(Refused(2, {"load", db_, "--hex", "--format", "csv"}, "k,v\n"),
              HasSubstr("--hex goes with tsv only"));
}

// Holds the database with a load that waits for its input, runs `command`, and lets it go.
Ended WhileHeld(const fs::path& directory, const std::string& command) {
  return RunShell("cd " + directory.native() + R"(
      mkfifo rows
      $KEEL load db --sync --batch 1 --progress=acks <rows 2>acks &
      holder=$!
      exec 3>rows
      printf 'held\tby\n' >&3
      until grep -q 'acked 1' acks; do sleep 0.01; done
      )" + command +
                  R"(
      status=$?
      exec 3>&-
      wait $holder || exit 99
      exit $status)");
}

TEST_F(BadInputTest, AnotherProcessHoldsIt) {
  const Ended writer = WhileHeld(directory_.path(), "$KEEL put db key value");
  EXPECT_EQ(writer.status, 3);
  EXPECT_THAT(writer.err,
              AllOf(StartsWith("keel: "), HasSubstr("held by process"), HasSubstr("keel")));
  EXPECT_EQ(RunKeel({"scan", db_}).out, "held\tby\n");
}

TEST_F(BadInputTest, AnotherProcessHoldsItAgainstReaders) {
  const Ended reader = WhileHeld(directory_.path(), "$KEEL count db");
  EXPECT_EQ(reader.status, 3);
  EXPECT_EQ(reader.out, "");
  EXPECT_THAT(reader.err, AllOf(StartsWith("keel: "), HasSubstr("held by process")));
}

// Runs as a user who may read, but not write.
TEST_F(BadInputTest, TheDirectoryIsReadOnly) {
  Make();
  fs::permissions(directory_.path(), fs::perms(0755));
  const std::string as_nobody =
      "run() { setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"; }; "
      "[[ $EUID -eq 0 ]] && run $KEEL --version >/dev/null 2>&1 || exit 77; ";
  const auto before = BytesBelow(db_);
  const Ended put = RunShell(as_nobody + "run $KEEL put " + db_ + " key value");
  if (put.status == 77) GTEST_SKIP() << "cannot become another user";
  EXPECT_EQ(put.status, 3);
  EXPECT_THAT(put.err, AllOf(StartsWith("keel: "), HasSubstr("Permission denied")));
  const Ended made = RunShell(as_nobody + "run $KEEL put " + PathOf("new") + " key value");
  EXPECT_EQ(made.status, 3);
  EXPECT_THAT(made.err, AllOf(HasSubstr("new"), HasSubstr("Permission denied")));
  EXPECT_EQ(RunShell(as_nobody + "run $KEEL count " + db_).out, "3\n");
  EXPECT_EQ(BytesBelow(db_), before);
}

TEST_F(BadInputTest, AFullDiskUnderTheOutput) {
  Make();
  for (const char* const command :
       {"dump db", "scan db", "get db a", "count db", "stat db", "check db", "recover --dry-run db",
        "inspect superblock db", "--help", "load --json db /dev/null"}) {
    const Ended ended =
        RunShell("cd " + directory_.path().native() + "; $KEEL " + command + " >/dev/full");
    EXPECT_EQ(ended.status, 3) << command;
    EXPECT_THAT(ended.err, HasSubstr("standard output: No space left")) << command;
  }
  EXPECT_THAT(Refused(3, {"dump", db_, "/dev/full"}),
              AllOf(HasSubstr("/dev/full is incomplete"), HasSubstr("No space left")));
}

TEST_F(BadInputTest, AReaderThatGoesAwayIsNoCauseForWords) {
  std::string rows;
  for (int i = 0; i < 50'000; ++i) rows += "key" + std::to_string(i) + "\tvalue\n";
  ASSERT_EQ(RunKeel({"load", db_}, rows).status, 0);
  for (const char* const command : {"scan", "dump"}) {
    const Ended ended = RunShell(std::string("$KEEL ") + command + " " + db_ + " | head -n 1");
    EXPECT_EQ(ended.out, "key0\tvalue\n");
    EXPECT_THAT(ended.err, IsEmpty()) << command;
  }
}

TEST_F(BadInputTest, ASignalEndsALoadBetweenBatches) {
  const Ended ended = RunShell("cd " + directory_.path().native() + R"(
      mkfifo rows
      $KEEL load db --sync --batch 10 --progress=acks <rows 2>said &
      loader=$!
      exec 3>rows
      for i in {100..124}; do printf 'k%s\tv\n' $i; done >&3
      until grep -qx 'acked 20' said || ! kill -0 $loader; do sleep 0.05; done
      kill -TERM $loader
      wait $loader
      status=$?
      cat said >&2
      exit $status)");
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err,
              HasSubstr("keel: interrupted; rows in: 20, up to line 20, and none behind"));
  EXPECT_EQ(Count(), "20\n");
  EXPECT_THAT(RunKeel({"recover", db_, "--dry-run", "--json"}).out, HasSubstr("\"clean\":true"));
}

TEST_F(BadInputTest, ASignalEndsABulkLoadBetweenBatchesToo) {
  const Ended ended = RunShell("cd " + directory_.path().native() + R"(
      mkfifo rows
      $KEEL load db --batch 10 <rows 2>said &
      loader=$!
      exec 3>rows
      for i in {100..124}; do printf 'k%s\tv\n' $i; done >&3
      until [[ -e db/data.keel ]] || ! kill -0 $loader; do sleep 0.05; done
      kill -TERM $loader
      wait $loader
      status=$?
      cat said >&2
      exit $status)");
  EXPECT_EQ(ended.status, 3);
  // However far it had come: whole batches, and it says how many.
  if (ended.err.find("no row is in") != std::string::npos) {
    EXPECT_EQ(RunKeel({"count", db_}).out, "0\n");
  } else {
    const bool two = ended.err.find("rows in: 20, up to line 20, and none") != std::string::npos;
    EXPECT_THAT(ended.err, HasSubstr(two ? "rows in: 20" : "rows in: 10, up to line 10, and none"));
    EXPECT_EQ(Count(), two ? "20\n" : "10\n");
  }
}

// Flips one bit in the page whose number `inspect catalogue` gives for the root.
class DamageTest : public BadInputTest {
 protected:
  static void FlipBit(const fs::path& path, std::uintmax_t offset) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  uint64_t RootPage() const {
    const std::string text = RunKeel({"inspect", "catalogue", db_}).out;
    const size_t at = text.find("page ", text.find("\"default\""));
    EXPECT_NE(at, std::string::npos) << text;
    return std::stoull(text.substr(at + 5));
  }
};

TEST_F(DamageTest, ADamagedPageIsNamed) {
  Make();
  const uint64_t page = RootPage();
  FlipBit(fs::path(db_) / "data.keel", page * 4096 + 4000);
  const auto before = BytesBelow(db_);
  const std::string place = "page " + std::to_string(page);
  EXPECT_THAT(Refused(3, {"get", db_, "a"}), HasSubstr(place));
  EXPECT_THAT(Refused(3, {"scan", db_}), HasSubstr(place));
  EXPECT_THAT(Refused(3, {"dump", db_}), HasSubstr(place));
  const Ended check = RunKeel({"check", db_});
  EXPECT_EQ(check.status, 1) << check.err;
  EXPECT_THAT(check.out,
              AllOf(HasSubstr(place), HasSubstr("keyspace default"), HasSubstr("DAMAGED")));
  EXPECT_THAT(RunKeel({"inspect", "page", db_, std::to_string(page)}).out, HasSubstr("checksum"));
  EXPECT_EQ(BytesBelow(db_), before);
}

TEST_F(DamageTest, ADamagedSuperblockCopyIsShownAndLivedWith) {
  Make();
  FlipBit(fs::path(db_) / "data.keel", 100);
  EXPECT_EQ(RunKeel({"inspect", "superblock", db_}).status, 0);
  EXPECT_EQ(Count(), "3\n");
  EXPECT_EQ(RunKeel({"put", db_, "d", "4"}).status, 0);
  EXPECT_EQ(Count(), "4\n");
}

TEST_F(DamageTest, NoSuperblockIsLeft) {
  Make();
  for (const std::uintmax_t kib : {0u, 64u, 1024u, 1088u}) {
    FlipBit(fs::path(db_) / "data.keel", kib * 1024 + 100);
  }
  const auto before = BytesBelow(db_);
  EXPECT_THAT(Refused(3, {"put", db_, "d", "4"}), HasSubstr("data.keel"));
  EXPECT_THAT(Refused(3, {"check", db_}), HasSubstr("superblock"));
  const Ended inspect = RunKeel({"inspect", "superblock", db_});
  EXPECT_EQ(inspect.status, 0);
  EXPECT_THAT(inspect.out, HasSubstr("an open chooses none"));
  EXPECT_EQ(BytesBelow(db_), before);
}

}  // namespace
}  // namespace keel::cli::testing
