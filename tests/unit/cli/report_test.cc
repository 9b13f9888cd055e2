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
