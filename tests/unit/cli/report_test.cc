#include "cli/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/progress.h"

namespace keel::cli {
namespace {

using ::testing::HasSubstr;

TEST(ReportTest, TableShowsUnitsSectionsAndRows) {
  DatabaseStats stats;
  stats.io.backend = "posix";
  stats.log.bytes_since_checkpoint = uint64_t{3} << 20;
  stats.pages.page_bytes = 4096;
  stats.pages.file_pages = 2560;
  stats.checkpoints.last_duration = absl::Milliseconds(12.5);
  stats.keyspaces = {{"default", 1234567, 4}, {"users", 5, 1}};
  const std::string table = FormatTable(ToJson(stats));
  EXPECT_THAT(table, HasSubstr("keyspaces\n"
                               "  name     entries    height\n"
                               "  default  1,234,567  4\n"
                               "  users    5          1\n"));
  EXPECT_THAT(table, HasSubstr("  file             10.0 MiB\n"));
  EXPECT_THAT(table, HasSubstr("  since checkpoint  3.0 MiB\n"));
  EXPECT_THAT(table, HasSubstr("12.5 ms\n"));
}

TEST(ReportTest, ToldAreHealthDiskAndWhoIsOpen) {
  DatabaseStats stats;
  stats.health.state = HealthState::kDegraded;
  stats.health.issues = {{HealthIssue::Kind::kDiskFull, "no block is free"}};
  stats.disk.free_bytes = uint64_t{5} << 20;
  stats.disk.file_bytes = uint64_t{7} << 20;
  stats.commits.undurable = 17;
  stats.commits.undurable_age = absl::Milliseconds(2.5);
  stats.snapshots = {{SnapshotKind::kCursor, "report", Lsn{4711}, absl::Seconds(90), 3, 12288}};
  stats.snapshot_totals.open = 1;
  stats.transactions = {{Concurrency::kOptimistic, Isolation::kReadCommitted, "form",
                         absl::Seconds(60), absl::InfiniteDuration(), 4, 100, 8192}};
  stats.transaction_totals.optimistic = 1;
  const nlohmann::ordered_json json = ToJson(stats);
  EXPECT_EQ(json["health"].dump(), R"({"state":"degraded","ok":true,"reason":""})");
  EXPECT_EQ(json["health_issues"].dump(),
            R"([{"issue":"disk full","message":"no block is free"}])");
  EXPECT_EQ(json["disk"]["free_bytes"], 5 << 20);
  EXPECT_EQ(json["disk"]["data_file_bytes"], 7 << 20);
  EXPECT_EQ(json["commits"]["undurable"], 17);
  EXPECT_EQ(json["snapshots"].dump(),
            R"([{"kind":"cursor","label":"report","age_ms":90000.0,"lsn":4711,"pages_held":3,)"
            R"("held_bytes":12288}])");
  EXPECT_EQ(json["transactions"].dump(),
            R"([{"kind":"optimistic","isolation":"read committed","label":"form",)"
            R"("age_ms":60000.0,"changes":4,"memory_bytes":100,"held_bytes":8192}])");
  EXPECT_EQ(json["transaction_totals"]["optimistic"], 1);
  const std::string table = FormatTable(json);
  EXPECT_THAT(table, HasSubstr("degraded\n"));
  EXPECT_THAT(table, HasSubstr("disk full  no block is free\n"));
  EXPECT_THAT(table, HasSubstr("form"));
  stats.disk.free_bytes = UINT64_MAX;  // the file system does not say
  EXPECT_FALSE(ToJson(stats)["disk"].contains("free_bytes"));
}

TEST(ReportTest, JsonTellsDamageByNameAndRange) {
  CheckReport report;
  report.entries = 3;
  Damage damage;
  damage.place = "data, page 7";
  damage.problem = "checksum";
  damage.keyspace = "users";
  damage.has_key_range = true;
  damage.key_begin = std::string("a\0", 2);
  report.damages.push_back(damage);
  const nlohmann::ordered_json json = ToJson(report);
  EXPECT_FALSE(json["ok"].get<bool>());
  EXPECT_EQ(json["damages"].dump(),
            R"([{"place":"data, page 7","problem":"checksum","keyspace":"users",)"
            R"("key_begin":"a\\x00"}])");
}

TEST(ReportTest, RecoveryIsToldInFull) {
  RecoveryReport report;
  report.torn_tail = true;
  report.log_end_reason = "a frame is torn";
  report.repairs = {"superblock copy at 0 rewritten", "another"};
  const std::string table = FormatTable(ToJson(report));
  EXPECT_THAT(table, HasSubstr("torn tail                 yes\n"));
  EXPECT_THAT(table, HasSubstr("a frame is torn\n"));
  EXPECT_THAT(table, HasSubstr("superblock copy at 0 rewritten; another\n"));
}

TEST(ProgressTest, ShowsWhatIsKnown) {
  ProgressState state;
  state.verb = "loading";
  state.elapsed = absl::Seconds(10);
  EXPECT_EQ(FormatProgress(state, 200), "loading  0:10");
  state.rows = 1'000'000;
  state.bytes = uint64_t{50} << 20;
  EXPECT_EQ(FormatProgress(state, 200),
            "loading  1,000,000 rows  50.0 MiB  100,000 rows/s  5.0 MiB/s  0:10");
  state.bytes_total = uint64_t{100} << 20;
  EXPECT_EQ(FormatProgress(state, 200),
            "loading  1,000,000 rows  50.0 MiB  [==========>         ] 50%  100,000 rows/s  "
            "5.0 MiB/s  0:10 left");
  EXPECT_EQ(FormatProgress(state, 20).size(), 20u);
}

TEST(ProgressTest, ABarThatIsFullEnds) {
  ProgressState state;
  state.verb = "x";
  state.bytes = 200;
  state.bytes_total = 100;  // a file that grew
  state.elapsed = absl::Seconds(1);
  EXPECT_THAT(FormatProgress(state, 200), HasSubstr("[====================] 100%"));
}

}  // namespace
}  // namespace keel::cli
