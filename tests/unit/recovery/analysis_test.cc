// The first pass over a log: what it counts, and what it refuses to take for a history.

#include "recovery/analysis.h"

#include <string>
#include <vector>

#include "recovery/record_table.h"
#include "tests/unit/wal/log_test_util.h"

namespace keel::recovery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Encode(RecordKind kind, uint64_t number, uint64_t index = 0) {
  std::string bytes;
  EncodeRecordHead({.kind = kind, .number = CommitNumber{number}, .index = index}, &bytes);
  return bytes;
}

absl::StatusOr<Analysis> AnalyzeLogOf(const std::vector<std::string>& records,
                                      uint64_t checkpoint = 0, uint64_t generation = 5) {
  wal::MemoryFileSystem disk;
  wal::LogStart start;
  {
    auto log = wal::NewLog(&disk);
    start = log->start();
    for (const std::string& record : records) {
      EXPECT_TRUE(wal::Commit(log.get(), record).ok());
    }
  }
  auto reader =
      wal::LogReader::Open(&disk, wal::kLogDirectory, wal::kDatabase, start, wal::ReadOptions());
  EXPECT_TRUE(reader.ok()) << reader.status();
  return Analyze(**reader, CommitNumber{checkpoint}, Generation{generation});
}

TEST(AnalysisTest, TellsWinnersFromLosers) {
  const auto analysis =
      AnalyzeLogOf({Encode(RecordKind::kCommit, 8), Encode(RecordKind::kChunk, 9, 0),
                    Encode(RecordKind::kChunk, 9, 1), Encode(RecordKind::kChunkedRollback, 9, 2),
                    Encode(RecordKind::kChunk, 9, 0), Encode(RecordKind::kChunkedCommit, 9, 1),
                    Encode(RecordKind::kCommit, 10), Encode(RecordKind::kChunk, 11, 0)},
                   7);
  ASSERT_TRUE(analysis.ok()) << analysis.status();
  EXPECT_EQ(analysis->last_commit.value, 10U);
  EXPECT_EQ(analysis->transactions, 3U);
  EXPECT_EQ(analysis->rolled_back, 1U);
  EXPECT_EQ(analysis->losers, 1U);
  EXPECT_THAT(analysis->stream_commits, ElementsAre(false, true, false));
}

// A later commit without an earlier one is never a history, wherever the earlier one is missing: between two, or
// between the checkpoint and the log.
TEST(AnalysisTest, G2_AGapInTheCommitsIsDamage) {
  const std::string second = Encode(RecordKind::kCommit, 2);
  for (const std::vector<std::string>& records :
       {std::vector<std::string>{second},
        {Encode(RecordKind::kCommit, 1), Encode(RecordKind::kCommit, 3)},
        {Encode(RecordKind::kCommit, 1), second, second},
        {Encode(RecordKind::kCommit, 1), Encode(RecordKind::kChunk, 3, 0)},
        {Encode(RecordKind::kChunk, 1, 0), second},
        {Encode(RecordKind::kChunk, 1, 0), Encode(RecordKind::kChunk, 1, 2)},
        {Encode(RecordKind::kChunk, 1, 0), Encode(RecordKind::kChunkedCommit, 1, 2)}}) {
    const auto analysis = AnalyzeLogOf(records);
    EXPECT_TRUE(absl::IsDataLoss(analysis.status())) << analysis.status();
  }
  EXPECT_THAT(std::string(AnalyzeLogOf({second}).status().message()),
              HasSubstr("commit 1 expected, 2 found"));
}

// The record of a commit by checkpoint stands behind that checkpoint, first of all. Elsewhere, or naming another
// checkpoint, it tells that the one in use is not the newest.
TEST(AnalysisTest, G2_ACommitByCheckpointIsTheCheckpointInUseOrDamage) {
  const std::string marker = Encode(RecordKind::kCheckpointCommit, 7, 5);
  const std::string next = Encode(RecordKind::kCommit, 8);
  const auto analysis = AnalyzeLogOf({marker, next}, 7);
  ASSERT_TRUE(analysis.ok()) << analysis.status();
  EXPECT_EQ(analysis->last_commit.value, 8U);
  EXPECT_EQ(analysis->transactions, 1U);
  EXPECT_EQ(analysis->records, 2U);

  EXPECT_TRUE(absl::IsDataLoss(AnalyzeLogOf({marker, next}, 6).status()));
  EXPECT_TRUE(absl::IsDataLoss(AnalyzeLogOf({marker, next}, 7, 4).status()));
  EXPECT_TRUE(absl::IsDataLoss(AnalyzeLogOf({marker, marker}, 7).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      AnalyzeLogOf({next, Encode(RecordKind::kCheckpointCommit, 9, 6)}, 7).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      AnalyzeLogOf({next, Encode(RecordKind::kCheckpointCommit, 8, 5)}, 7).status()));
}

}  // namespace
}  // namespace keel::recovery
