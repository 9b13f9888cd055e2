// The checker itself: it must find each anomaly in the smallest history that has it, and nothing where there is none.

#include "tests/isolation/history_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keel::testing {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr Isolation kAll[] = {Isolation::kReadCommitted, Isolation::kSnapshot,
                              Isolation::kSerializable};

RecordedTransaction Committed(Isolation level, uint64_t lsn, std::vector<Access> reads,
                              std::vector<Access> writes) {
  return {.level = level,
          .committed = true,
          .lsn = lsn,
          .reads = std::move(reads),
          .writes = std::move(writes),
          .written_over = {}};
}

TEST(HistoryCheckerTest, NothingIsWrongOneAfterTheOther) {
  for (const Isolation level : kAll) {
    EXPECT_THAT(FindAnomalies({Committed(level, 1, {{1, 0}, {2, 0}}, {{1, 11}}),
                               Committed(level, 2, {{1, 11}, {2, 0}}, {{1, 12}, {2, 22}}),
                               Committed(level, 2, {{1, 12}, {2, 22}}, {})}),
                IsEmpty());
  }
}

TEST(HistoryCheckerTest, G1aAndG1bAtEveryLevel) {
  for (const Isolation level : kAll) {
    RecordedTransaction writer = Committed(level, 1, {}, {{1, 12}});
    writer.written_over = {{1, 11}};
    EXPECT_THAT(FindAnomalies({writer, Committed(level, 2, {{1, 11}}, {{2, 21}})}),
                Contains(StartsWith("G1b")));
    writer.committed = false;
    EXPECT_THAT(FindAnomalies({writer, Committed(level, 2, {{1, 12}}, {{2, 21}})}),
                Contains(StartsWith("G1a")));
    EXPECT_THAT(FindAnomalies({Committed(level, 2, {{1, 99}}, {})}), Contains(StartsWith("G1a")));
  }
}

TEST(HistoryCheckerTest, G1cAtEveryLevel) {
  for (const Isolation level : kAll) {
    EXPECT_THAT(FindAnomalies({Committed(level, 1, {{2, 22}}, {{1, 11}}),
                               Committed(level, 2, {{1, 11}}, {{2, 22}})}),
                Contains(StartsWith("cycle")));
  }
}

TEST(HistoryCheckerTest, ReadSkewFromSnapshotOn) {
  for (const Isolation level : kAll) {
    const auto found = FindAnomalies(
        {Committed(level, 1, {}, {{1, 11}, {2, 21}}), Committed(level, 1, {{1, 0}, {2, 21}}, {})});
    if (level == Isolation::kReadCommitted) {
      EXPECT_THAT(found, IsEmpty());
    } else {
      EXPECT_THAT(found, Contains(StartsWith("G-single")));
    }
  }
}

TEST(HistoryCheckerTest, WhatCameToNothingHasSeenNothingElseEither) {
  for (const Isolation level : kAll) {
    RecordedTransaction loser = Committed(level, 0, {{1, 11}, {2, 0}}, {});
    loser.committed = false;
    const RecordedTransaction writer = Committed(level, 1, {}, {{1, 11}, {2, 22}});
    const auto found = FindAnomalies({writer, loser});
    if (level == Isolation::kReadCommitted) {
      EXPECT_THAT(found, IsEmpty());
    } else {
      EXPECT_THAT(found, Contains(StartsWith("G-single")));
    }
    loser.reads = {{1, 99}};
    EXPECT_THAT(FindAnomalies({writer, loser}), Contains(StartsWith("G1a")));
  }
}

TEST(HistoryCheckerTest, LostUpdatesFromSnapshotOn) {
  for (const Isolation level : kAll) {
    const auto found = FindAnomalies(
        {Committed(level, 1, {{1, 0}}, {{1, 11}}), Committed(level, 2, {{1, 0}}, {{1, 12}})});
    if (level == Isolation::kReadCommitted) {
      EXPECT_THAT(found, IsEmpty());
    } else {
      EXPECT_THAT(found, Not(IsEmpty()));
    }
  }
}

TEST(HistoryCheckerTest, WriteSkewWhereSerializable) {
  for (const Isolation level : kAll) {
    const auto found = FindAnomalies({Committed(level, 1, {{1, 0}, {2, 0}}, {{1, 11}}),
                                      Committed(level, 2, {{1, 0}, {2, 0}}, {{2, 21}})});
    if (level != Isolation::kSerializable) {
      EXPECT_THAT(found, IsEmpty());
    } else {
      EXPECT_THAT(found, Contains(StartsWith("G2")));
    }
  }
}

// The serializable one is let down by nobody but itself.
TEST(HistoryCheckerTest, LevelsAreMixed) {
  EXPECT_THAT(FindAnomalies({Committed(Isolation::kSerializable, 1, {{1, 0}, {2, 0}}, {{1, 11}}),
                             Committed(Isolation::kSnapshot, 2, {{1, 0}, {2, 0}}, {{2, 21}})}),
              IsEmpty());
  EXPECT_THAT(FindAnomalies({Committed(Isolation::kSnapshot, 1, {{1, 0}, {2, 0}}, {{1, 11}}),
                             Committed(Isolation::kSerializable, 2, {{1, 0}, {2, 0}}, {{2, 21}})}),
              Contains(StartsWith("G2")));
}

}  // namespace
}  // namespace keel::testing
