// Every command of the built program: what it prints, and how it ends.

#include <absl/strings/str_format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/unit/cli/keel_program.h"

namespace keel::cli::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class CommandsTest : public ::testing::Test {
 protected:
  // Runs a command that must end well and say nothing; returns its output.
  static std::string Well(const std::vector<std::string>& arguments,
                          const std::string& input = "") {
    const Ended ended = RunKeel(arguments, input);
    EXPECT_EQ(ended.status, 0) << arguments[0] << ": " << ended.err;
    if (arguments[0] != "load") {
      EXPECT_THAT(ended.err, IsEmpty()) << arguments[0];
    }
    return ended.out;
  }

  void LoadFruit() const {
    Well({"load", db_, "-"}, "apple\tred\nbanana\tyellow\ncherry\tdark\nplum\tblue\n");
  }

  std::string PathOf(const std::string& name) const { return directory_.path() / name; }

  const ::keel::testing::TempDir directory_;
  const std::string db_ = directory_.path() / "db";
};

TEST_F(CommandsTest, PutGetDel) {
  EXPECT_EQ(Well({"put", db_, "key", "value"}), "");
  EXPECT_EQ(Well({"get", db_, "key"}), "value\n");
  EXPECT_EQ(Well({"get", db_, "key", "--raw"}), "value");
  EXPECT_EQ(Well({"put", db_, "key", "other"}), "");
  EXPECT_EQ(Well({"get", db_, "key"}), "other\n");
  EXPECT_EQ(Well({"del", db_, "key"}), "");
  for (const char* const command : {"get", "del"}) {
    const Ended ended = RunKeel({command, db_, "key"});
    EXPECT_EQ(ended.status, 1);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, "keel: there is no key 'key'\n");
  }
}

TEST_F(CommandsTest, KeysAndValuesMayBeAnyBytes) {
  Well({"put", db_, "a\\x00b", "\\xff\\n"});
  EXPECT_EQ(Well({"get", db_, "a\\x00b"}), "\\xff\\n\n");
  EXPECT_EQ(Well({"get", db_, "--hex", "610062"}), "ff0a\n");
  EXPECT_EQ(Well({"get", db_, "a\\x00b", "--raw"}), "\xff\n");
  EXPECT_EQ(Well({"get", db_, "a\\x00b", "--json"}),
            "{\"key\":\"a\\u0000b\",\"value_hex\":\"ff0a\"}\n");
  EXPECT_EQ(Well({"scan", db_}), "a\\x00b\t\\xff\\n\n");
  EXPECT_EQ(Well({"scan", db_, "--hex"}), "610062\tff0a\n");
}

TEST_F(CommandsTest, StrangeWordsAreKeysLikeAnyOther) {
  for (const char* const key : {"get", "{}", "[1,2]", "%%", "++", "a=b", "--", "''", "a b", "\""}) {
    const std::string value = std::string("of ") + key;
    Well({"put", db_, "--", key, value});
    EXPECT_EQ(Well({"get", db_, "--", key}), value + "\n") << key;
  }
  Well({"put", db_, "--", "-k", "--value-file"});
  EXPECT_EQ(Well({"get", db_, "--", "-k"}), "--value-file\n");
  Well({"put", db_, "empty", ""});
  EXPECT_EQ(Well({"get", db_, "empty"}), "\n");
}

TEST_F(CommandsTest, ValuesComeFromFilesToo) {
  const std::string value("\0binary\xff\n", 9);
  WriteFile(PathOf("value"), value);
  Well({"put", db_, "file", "--value-file", PathOf("value")});
  EXPECT_EQ(Well({"get", db_, "file", "--raw"}), value);
  const std::string large(std::size_t{5} << 20, 'L');
  Well({"put", db_, "large", "--value-file", "-"}, large);
  EXPECT_EQ(Well({"get", db_, "large", "--raw"}), large);
}

TEST_F(CommandsTest, ScanTakesRangesOrderAndLimit) {
  LoadFruit();
  EXPECT_EQ(Well({"scan", db_}), "apple\tred\nbanana\tyellow\ncherry\tdark\nplum\tblue\n");
  EXPECT_EQ(Well({"scan", db_, "--reverse", "--limit", "2"}), "plum\tblue\ncherry\tdark\n");
  EXPECT_EQ(Well({"scan", db_, "--from", "banana", "--to", "plum"}),
            "banana\tyellow\ncherry\tdark\n");
  EXPECT_EQ(Well({"scan", db_, "--prefix", "ban"}), "banana\tyellow\n");
  EXPECT_EQ(Well({"scan", db_, "--prefix", "ban", "--from", "c"}), "");
  EXPECT_EQ(Well({"scan", db_, "--limit", "0"}), "");
  EXPECT_EQ(Well({"scan", db_, "--limit", "1", "--json"}),
            "{\"key\":\"apple\",\"value\":\"red\"}\n");
}

TEST_F(CommandsTest, CountIsExact) {
  LoadFruit();
  EXPECT_EQ(Well({"count", db_}), "4\n");
  EXPECT_EQ(Well({"count", db_, "--from", "b", "--to", "d"}), "2\n");
  EXPECT_EQ(Well({"count", db_, "--prefix", "x"}), "0\n");
  EXPECT_EQ(Well({"count", db_, "--json"}), "{\"count\":4}\n");
}

TEST_F(CommandsTest, KeyspacesAreApart) {
  LoadFruit();
  Well({"put", db_, "-k", "users", "ada", "1815"});
  EXPECT_EQ(Well({"scan", db_, "-k", "users"}), "ada\t1815\n");
  EXPECT_EQ(Well({"count", db_, "-k", "users"}), "1\n");
  EXPECT_EQ(Well({"count", db_, "-k", "default"}), "4\n");
  EXPECT_EQ(Well({"dump", db_, "-k", "users"}), "ada\t1815\n");
}

TEST_F(CommandsTest, AMissingKeyspaceIsNotMadeByAsking) {
  LoadFruit();
  const auto before = BytesBelow(db_);
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"get", db_, "-k", "none", "key"},
                                             {"scan", db_, "-k", "none"},
                                             {"count", db_, "-k", "none"},
                                             {"dump", db_, "-k", "none"}}) {
    const Ended ended = RunKeel(arguments);
    EXPECT_EQ(ended.status, 1) << arguments[0];
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, "keel: there is no keyspace 'none'; there are: default\n");
  }
  EXPECT_EQ(BytesBelow(db_), before);
  EXPECT_EQ(RunKeel({"del", db_, "-k", "none", "key"}).status, 1);
  EXPECT_EQ(json::parse(Well({"stat", db_, "--json"}))["keyspaces"].size(), 1u);
}

TEST_F(CommandsTest, ReadingWritesNothing) {
  LoadFruit();
  const auto before = BytesBelow(db_);
  Well({"get", db_, "plum"});
  Well({"scan", db_});
  Well({"count", db_});
  Well({"dump", db_});
  Well({"stat", db_});
  Well({"check", db_});
  Well({"recover", db_, "--dry-run"});
  Well({"inspect", "superblock", db_});
  Well({"inspect", "log", db_});
  EXPECT_EQ(BytesBelow(db_), before);
}

TEST_F(CommandsTest, LoadReportsWhatItDid) {
  const Ended words = RunKeel({"load", db_}, "a\t1\nb\t2\n");
  EXPECT_EQ(words.status, 0);
  EXPECT_EQ(words.out, "");
  EXPECT_THAT(words.err, StartsWith("keel: 2 rows loaded in "));
  const json report =
      json::parse(Well({"load", db_, "--json", "--batch", "2"}, "a\t1\nb\t2\nc\t3\n"));
  EXPECT_EQ(report["rows"], 3);
  EXPECT_EQ(report["batches"], 2);
  EXPECT_EQ(report["bytes"], 12);
}

TEST_F(CommandsTest, LoadAcknowledgesDurableBatches) {
  std::string rows;
  for (int i = 0; i < 25; ++i) rows += "key" + std::to_string(i) + "\tvalue\n";
  const Ended ended = RunKeel({"load", db_, "--sync", "--batch", "10", "--progress=acks"}, rows);
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.err, StartsWith("acked 10\nacked 20\nacked 25\nkeel: 25 rows"));
  const Ended later = RunKeel({"load", db_, "--progress=acks"}, rows);
  EXPECT_THAT(later.err, HasSubstr("acked 25\n"));
}

// Rows numbered from `begin`, in ascending order.
std::string NumberedRows(int begin, int end) {
  std::string rows;
  for (int i = begin; i < end; ++i) rows += absl::StrFormat("key%06d\tvalue %d\n", i, i);
  return rows;
}

TEST_F(CommandsTest, LoadsSortedRowsIntoAnEmptyKeyspaceInBulk) {
  const std::string rows = NumberedRows(0, 2500);
  const json report = json::parse(Well({"load", db_, "--json"}, rows));
  EXPECT_EQ(report["rows"], 2500);
  EXPECT_EQ(report["bulk_rows"], 2500);
  EXPECT_EQ(report["batches"], 1);
  EXPECT_EQ(Well({"dump", db_}), rows);
  EXPECT_THAT(Well({"check", db_}), HasSubstr("no damage"));
  // Now there are keys.
  EXPECT_EQ(json::parse(Well({"load", db_, "--json"}, "z\t1\n"))["bulk_rows"], 0);
  EXPECT_EQ(json::parse(Well({"load", db_, "-k", "other", "--json"}, "z\t1\n"))["bulk_rows"], 1);
  EXPECT_EQ(Well({"count", db_}), "2501\n");
}

TEST_F(CommandsTest, LoadGoesOnInBatchesBehindTheFirstRowOutOfOrder) {
  // The third batch of ten repeats a key of the second, with another value.
  const std::string rows =
      NumberedRows(0, 25) + "key000017\tnew\n" + NumberedRows(30, 44) + "a\tlast\n";
  const json report = json::parse(Well({"load", db_, "--json", "--batch", "10"}, rows));
  EXPECT_EQ(report["rows"], 41);
  EXPECT_EQ(report["bulk_rows"], 20);
  EXPECT_EQ(report["batches"], 4);
  EXPECT_EQ(Well({"count", db_}), "40\n");
  EXPECT_EQ(Well({"get", db_, "key000017"}), "new\n");
  EXPECT_EQ(Well({"get", db_, "key000016"}), "value 16\n");
  EXPECT_THAT(Well({"check", db_}), HasSubstr("no damage"));
  for (const char* const unsorted : {"b\t1\na\t2\n", "a\t1\na\t2\n"}) {
    const std::string other = PathOf(std::string("db-") + unsorted[0]);
    EXPECT_EQ(json::parse(Well({"load", other, "--json"}, unsorted))["bulk_rows"], 0);
    EXPECT_EQ(Well({"get", other, "a"}), "2\n");
  }
}

TEST_F(CommandsTest, LoadCommitsEachBatchWhereThatIsAskedFor) {
  const std::string rows = NumberedRows(0, 25);
  for (const char* const how : {"--sync", "--progress=acks", "--delete"}) {
    const std::string other = PathOf(std::string("db") + how);
    Well({"load", other}, "x\t1\n");
    Well({"del", other, "x"});
    const json report = json::parse(Well({"load", other, "--json", "--batch", "10", how}, rows));
    EXPECT_EQ(report["bulk_rows"], 0) << how;
    EXPECT_EQ(report["batches"], 3) << how;
  }
}

TEST_F(CommandsTest, LoadTakesEveryFormat) {
  WriteFile(PathOf("p.csv"), "name,size,note\napple,7,\"a \"\"red\"\" one\"\n");
  WriteFile(PathOf("p.jsonl"), "{\"id\": \"j1\", \"n\": 1.50}\n");
  WriteFile(PathOf("two.csv"), "word,meaning\nkeel,\"of a\nship\"\n");
  Well({"load", db_, PathOf("p.csv"), "--key", "name"});
  Well({"load", db_, PathOf("p.jsonl"), "--key", "id"});
  Well({"load", db_, PathOf("two.csv")});
  Well({"load", db_, "--format", "jsonl"}, "{\"key\":\"k\",\"value_hex\":\"00ff\"}\n");
  EXPECT_EQ(Well({"get", db_, "apple"}), "{\"size\":\"7\",\"note\":\"a \\\\\"red\\\\\" one\"}\n");
  EXPECT_EQ(Well({"get", db_, "apple", "--raw"}), R"({"size":"7","note":"a \"red\" one"})");
  EXPECT_EQ(Well({"get", db_, "j1"}), "{\"id\":\"j1\",\"n\":1.50}\n");
  EXPECT_EQ(Well({"get", db_, "keel", "--raw"}), "of a\nship");
  EXPECT_EQ(Well({"get", db_, "6b", "--hex"}), "00ff\n");
}

TEST_F(CommandsTest, LoadDeletesWhatRowsName) {
  LoadFruit();
  const Ended ended = RunKeel({"load", db_, "--delete"}, "banana\nplum\tignored\nnothing\n");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, StartsWith("keel: 3 rows deleted"));
  EXPECT_EQ(Well({"scan", db_}), "apple\tred\ncherry\tdark\n");
}

TEST_F(CommandsTest, WhatDumpWritesLoadReads) {
  std::string rows;
  for (int i = 0; i < 256; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    const std::string byte = {kDigits[i / 16], kDigits[i % 16]};
    rows.append(R"({"key_hex":"6b)").append(byte);
    rows.append(R"(","value_hex":"2c)").append(byte).append("22\"}\n");
  }
  Well({"load", db_, "--format", "jsonl"}, rows);
  const std::string tsv = Well({"dump", db_});
  for (const char* const name : {"d.tsv", "d.csv", "d.jsonl"}) {
    const std::string copy = PathOf(std::string("copy-") + name);
    EXPECT_EQ(RunKeel({"dump", db_, PathOf(name)}).status, 0);
    Well({"load", copy, PathOf(name)});
    EXPECT_EQ(Well({"dump", copy}), tsv) << name;
  }
  Well({"load", PathOf("hex"), "--hex"}, Well({"dump", db_, "--hex"}));
  EXPECT_EQ(Well({"dump", PathOf("hex")}), tsv);
}

TEST_F(CommandsTest, StatIsForPeopleAndMachines) {
  LoadFruit();
  EXPECT_THAT(Well({"stat", db_}), HasSubstr("default  4        1\n"));
  const json stat = json::parse(Well({"stat", db_, "--json", "--io", "posix"}));
  EXPECT_EQ(stat["keyspaces"][0]["entries"], 4);
  EXPECT_EQ(stat["io"]["backend"], "posix");
  EXPECT_EQ(stat["recovery"]["clean"], true);
  EXPECT_EQ(stat["health"]["state"], "read-only");  // as stat opens it
  EXPECT_EQ(stat["health_issues"].size(), 1u);
  EXPECT_GT(stat["disk"]["data_file_bytes"], 0);
  EXPECT_GT(stat["disk"]["free_bytes"], 0);
  EXPECT_TRUE(stat["transactions"].empty());
}

TEST_F(CommandsTest, CheckOfASoundDatabaseIsShort) {
  LoadFruit();
  EXPECT_THAT(Well({"check", db_}), HasSubstr("no damage\n"));
  const json report = json::parse(Well({"check", db_, "--json"}));
  EXPECT_EQ(report["ok"], true);
  EXPECT_EQ(report["entries"], 4);
}

TEST_F(CommandsTest, RecoverSaysWhatItTook) {
  LoadFruit();
  EXPECT_THAT(Well({"recover", db_}), HasSubstr("clean                     yes\n"));
  EXPECT_EQ(json::parse(Well({"recover", db_, "--dry-run", "--json"}))["clean"], true);
}

TEST_F(CommandsTest, RecoverAfterAKill) {
  const Ended killed = RunShell("cd " + directory_.path().native() + R"(
      mkfifo rows
      $KEEL load db --sync --batch 1 --progress=acks <rows 2>acks &
      exec 3>rows
      for i in {1..200}; do printf 'k%s\tv\n' $i; done >&3
      until grep -q 'acked 200' acks; do sleep 0.01; done
      kill -9 $!
      wait $!)");
  EXPECT_EQ(killed.status, 137) << killed.err;
  const json dry = json::parse(Well({"recover", db_, "--dry-run", "--json"}));
  EXPECT_EQ(dry["clean"], false);
  EXPECT_EQ(dry["transactions_replayed"], 200);
  EXPECT_EQ(Well({"count", db_}), "200\n");  // read-only: with the log's commits, in memory
  const json report = json::parse(Well({"recover", db_, "--json"}));
  EXPECT_EQ(report["transactions_replayed"], 200);
  EXPECT_EQ(json::parse(Well({"recover", db_, "--dry-run", "--json"}))["clean"], true);
  EXPECT_EQ(Well({"count", db_}), "200\n");
  EXPECT_THAT(Well({"check", db_}), HasSubstr("no damage"));
}

TEST_F(CommandsTest, InspectShowsTheBytes) {
  LoadFruit();
  EXPECT_THAT(Well({"inspect", "superblock", db_}), HasSubstr("an open chooses generation"));
  EXPECT_THAT(Well({"inspect", "catalogue", db_}), HasSubstr("\"default\""));
  EXPECT_THAT(Well({"inspect", "log", db_}), HasSubstr("segment-0001"));
  EXPECT_EQ(json::parse(Well({"inspect", "superblock", db_, "--json"}))["copies"].size(), 4u);
  const json catalogue = json::parse(Well({"inspect", "catalogue", db_, "--json"}));
  EXPECT_EQ(catalogue["ok"], true);
}

TEST_F(CommandsTest, OptionsOfTheDatabaseAreTaken) {
  Well({"load", db_, "--memory", "16MiB", "--log-segment", "1MiB", "--checkpoint-log", "4M", "--io",
        "posix", "--no-direct"},
       "a\t1\n");
  const json stat = json::parse(Well({"stat", db_, "--json", "--memory", "16MiB", "--no-direct"}));
  EXPECT_EQ(stat["memory"]["budget_bytes"], 16 << 20);
  EXPECT_EQ(stat["io"]["direct"], false);
}

TEST_F(CommandsTest, HelpIsOnStandardOutput) {
  for (const char* const command : {"put", "get", "del", "scan", "count", "load", "dump", "stat",
                                    "check", "recover", "inspect"}) {
    EXPECT_THAT(Well({command, "--help"}), HasSubstr("Usage:")) << command;
    EXPECT_THAT(Well({"--help"}), HasSubstr(command));
  }
  EXPECT_THAT(Well({"--version"}), StartsWith("keel "));
}

}  // namespace
}  // namespace keel::cli::testing
