#include "pager/superblock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "io/synchronous_queue.h"
#include "pager/reference.h"
#include "pager/superblock_format.h"
#include "tests/support/seed.h"
#include "tests/unit/pager/memory_file.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;
using Kind = MemoryFile::Call::Kind;
using Block = std::array<std::byte, kSuperblockBytes>;

Superblock Example(uint64_t generation, uint64_t incarnation = 3) {
  return Superblock{.page_bytes = 4096,
                    .database = {0x1111, 0x2222},
                    .incarnation = incarnation,
                    .instance = 0x3333,
                    .generation = {generation},
                    .epoch = MakeEpoch(3, 40 + generation),
                    .commit_number = {50 + generation},
                    .log_start = {60 + generation},
                    .log_chain = 70,
                    .log_salt = 80,
                    .catalogue = {{300}, 2, 5000, 90},
                    .page_count = 1000,
                    .clean = generation % 2 == 0};
}

Block Encode(const Superblock& superblock, uint64_t offset) {
  Block block;
  EncodeSuperblock(superblock, offset, block);
  return block;
}

// The block with one field changed and the checksum made to hold again.
Block Forged(const std::function<void(SuperblockFields&)>& change) {
  Block block = Encode(Example(1), 0);
  SuperblockFields fields;
  std::memcpy(&fields, block.data(), sizeof(fields));
  change(fields);
  std::memcpy(block.data(), &fields, sizeof(fields));
  fields.checksum = Checksum(std::span(block).subspan(kSuperblockChecked), kSuperblockSeed);
  std::memcpy(block.data(), &fields, sizeof(fields));
  return block;
}

absl::Status StatusOf(const Block& block, uint64_t offset = 0) {
  return DecodeSuperblock(block, offset).status();
}

TEST(SuperblockCodecTest, WhatIsEncodedComesBack) {
  for (const uint64_t offset : kSuperblockOffsets) {
    for (uint64_t generation = 1; generation < 3; ++generation) {
      const absl::StatusOr<Superblock> decoded =
          DecodeSuperblock(Encode(Example(generation), offset), offset);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(*decoded, Example(generation));
    }
  }
}

TEST(SuperblockCodecTest, EveryBitIsUnderTheChecksum) {
  const Block good = Encode(Example(1), 0);
  for (size_t i = 0; i < kSuperblockBytes * 8; ++i) {
    Block flipped = good;
    flipped[i / 8] ^= std::byte{1} << (i % 8);
    ASSERT_FALSE(StatusOf(flipped).ok()) << "bit " << i;
  }
}

TEST(SuperblockCodecTest, TellsWhyACopyIsNotValid) {
  EXPECT_TRUE(absl::IsNotFound(StatusOf(Block{})));
  Block foreign{};
  std::memcpy(foreign.data(), "SQLite format 3", 16);
  EXPECT_TRUE(absl::IsInvalidArgument(StatusOf(foreign)));

  Block torn = Encode(Example(1), 0);
  std::memcpy(torn.data(), Encode(Example(2), 0).data(), 100);
  const absl::Status status = StatusOf(torn);
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("torn or damaged"));

  const absl::Status misdirected =
      DecodeSuperblock(Encode(Example(1), kSuperblockOffsets[1]), 0).status();
  EXPECT_TRUE(absl::IsDataLoss(misdirected));
  EXPECT_THAT(std::string(misdirected.message()), HasSubstr("written for offset 65536"));
}

TEST(SuperblockCodecTest, UnknownFormatsAndFeaturesAreNamed) {
  const absl::Status format = StatusOf(Forged([](auto& f) { f.format_version = 7; }));
  EXPECT_TRUE(absl::IsFailedPrecondition(format));
  EXPECT_THAT(std::string(format.message()), HasSubstr("format version 7"));
  const absl::Status feature = StatusOf(Forged([](auto& f) { f.features_must_understand = 0x50; }));
  EXPECT_TRUE(absl::IsFailedPrecondition(feature));
  EXPECT_THAT(std::string(feature.message()), HasSubstr("0x50"));

  const Block readable = Forged([](auto& f) {
    f.features_read_only_compatible = 2;
    f.features_compatible = 4;
  });
  ASSERT_TRUE(StatusOf(readable).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckWritable(*DecodeSuperblock(readable, 0))));
  EXPECT_TRUE(CheckWritable(Example(1)).ok());
}

TEST(SuperblockCodecTest, HostileValuesAreRefused) {
  const std::vector<std::function<void(SuperblockFields&)>> changes = {
      [](auto& f) { f.page_bytes = 0; },
      [](auto& f) { f.page_bytes = 5000; },
      [](auto& f) { f.page_bytes = 1 << 30; },
      [](auto& f) { f.page_count = 0; },
      [](auto& f) { f.page_count = MinPageCount(4096) - 1; },
      [](auto& f) { f.page_count = UINT64_MAX; },
      [](auto& f) { f.page_count = uint64_t{1} << 52; },
      [](auto& f) { f.page_count = kMaxPageCount + 1; },
      [](auto& f) { f.log_start = kMaxLogStart + 1; },
      [](auto& f) { f.incarnation = UINT64_MAX; },
      [](auto& f) { f.epoch = MakeEpoch(4, 0).value; },
      [](auto& f) { f.generation = MakeEpoch(4, 0).value; },
      [](auto& f) { f.catalogue_first = 0; },
      [](auto& f) { f.catalogue_first = 1000; },
      [](auto& f) { f.catalogue_pages = 0; },
      [](auto& f) { f.catalogue_pages = 3; },
      [](auto& f) { f.catalogue_pages = UINT64_MAX / 4096; },
      [](auto& f) { f.catalogue_bytes = 2 * 4032 + 1; },
      [](auto& f) { f.catalogue_bytes = UINT64_MAX; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_TRUE(absl::IsDataLoss(StatusOf(Forged(changes[i])))) << i;
  }
}

class SuperblockFileTest : public ::testing::Test {
 protected:
  void Put(size_t copy, const Block& block) {
    ASSERT_TRUE(file_.Write(kSuperblockOffsets[copy], block).ok());
    ASSERT_TRUE(file_.Sync(io::SyncPurpose::kSuperblock).ok());
  }
  void Put(size_t copy, const Superblock& superblock) {
    Put(copy, Encode(superblock, kSuperblockOffsets[copy]));
  }
  SuperblockChoice Read() {
    absl::StatusOr<SuperblockChoice> choice = ReadSuperblocks(file_);
    EXPECT_TRUE(choice.ok()) << choice.status();
    return choice.ok() ? *choice : SuperblockChoice{};
  }

  MemoryFile file_{uint64_t{1000} * 4096};
};

TEST_F(SuperblockFileTest, TheHighestGenerationThenIncarnationIsChosen) {
  Put(0, Example(5));
  Put(1, Example(5));
  EXPECT_EQ(Read().chosen.generation, Generation{5});
  EXPECT_EQ(PairOf(Read()), 0);
  EXPECT_FALSE(Read().used_copy);
  Put(3, Example(6));
  EXPECT_EQ(Read().chosen.generation, Generation{6});
  EXPECT_EQ(PairOf(Read()), 1);
  EXPECT_TRUE(Read().used_copy);
  Put(2, Example(6, 4));
  EXPECT_EQ(Read().chosen.incarnation, 4U);
  EXPECT_TRUE(Read().used_copy);
  EXPECT_TRUE(Read().copies[3].status.ok());
}

TEST_F(SuperblockFileTest, NoDatabaseDamageAndNewerFormatsAreToldApart) {
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSuperblocks(file_).status()));
  MemoryFile empty;
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSuperblocks(empty).status()));

  Block foreign{};
  foreign[3] = std::byte{9};
  Put(0, foreign);
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSuperblocks(file_).status()));

  Block damaged = Encode(Example(1), 0);
  damaged[50] ^= std::byte{1};
  Put(0, damaged);
  const absl::Status status = ReadSuperblocks(file_).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("at 0: torn or damaged"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("at 1048576: never written"));

  Put(0, Forged([](auto& f) { f.format_version = 2; }));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadSuperblocks(file_).status()));
  Put(2, Example(9));
  EXPECT_EQ(Read().chosen.generation, Generation{9}) << "the unknown format is the older one";
  Put(0, Forged([](auto& f) {
        f.format_version = 2;
        f.generation = 10;
      }));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadSuperblocks(file_).status()));
}

TEST_F(SuperblockFileTest, CopiesOfTwoDatabasesAreDamage) {
  Put(0, Example(1));
  Superblock other = Example(2);
  other.database.low ^= 1;
  Put(2, other);
  EXPECT_TRUE(absl::IsDataLoss(ReadSuperblocks(file_).status()));
}

TEST_F(SuperblockFileTest, EachCopyIsReadTwice) {
  Put(0, Example(1));
  for (const bool with_queue : {false, true}) {
    std::map<uint64_t, int> reads;
    file_.set_fault([&](const MemoryFile::Call& call) {
      return call.kind == Kind::kRead && reads[call.offset]++ == 0
                 ? absl::UnavailableError("injected")
                 : absl::OkStatus();
    });
    const auto choice =
        ReadSuperblocks(file_, with_queue ? std::make_unique<io::SynchronousQueue>(4) : nullptr);
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(choice->chosen.generation, Generation{1});
    // What fails side by side is tried again alone.
    for (const uint64_t offset : kSuperblockOffsets) EXPECT_EQ(reads[offset], with_queue ? 3 : 2);
  }
  file_.set_fault([](const MemoryFile::Call&) { return absl::UnavailableError("injected"); });
  EXPECT_TRUE(absl::IsUnavailable(ReadSuperblocks(file_).status()));
}

// Fails once it has submitted; what is under way then ends when it is destroyed.
class FailingQueue final : public io::IoQueue {
 public:
  FailingQueue(int good, bool* under_way) : good_(good), under_way_(under_way) {}
  ~FailingQueue() override { *under_way_ = false; }

  size_t depth() const override { return 4; }
  size_t pending() const override { return *under_way_ ? 4 : 0; }
  absl::Status Submit(std::span<const io::IoRequest> requests) override {
    if (good_-- > 0) return queue_.Submit(requests);
    *under_way_ = true;
    return absl::InternalError("injected");
  }
  absl::Status Wait(size_t count, std::vector<io::IoCompletion>* completions) override {
    return queue_.Wait(count, completions);
  }

 private:
  int good_;
  bool* const under_way_;
  io::SynchronousQueue queue_{4};
};

TEST_F(SuperblockFileTest, AQueueThatFailsIsDoneWithout) {
  Put(0, Example(5));
  Put(3, Example(6));
  bool under_way = false;
  file_.set_fault([&](const MemoryFile::Call&) {
    EXPECT_FALSE(under_way) << "the buffer may still be written into";
    return absl::OkStatus();
  });
  for (const int good : {0, 1}) {
    const auto choice = ReadSuperblocks(file_, std::make_unique<FailingQueue>(good, &under_way));
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(choice->chosen.generation, Generation{6});
  }
}

// Every subset of the sectors that the new generation's copies touch, each old, new or garbage.
TEST_F(SuperblockFileTest, S1ACrashWhileWritingLeavesTheOldGenerationOrTheNewOne) {
  for (const size_t i : {0U, 1U}) Put(i, Example(7));
  for (const size_t i : {2U, 3U}) Put(i, Example(6));
  file_.set_fault([](const MemoryFile::Call& call) {
    return call.kind == Kind::kSync ? absl::UnavailableError("injected") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsUnavailable(WriteSuperblock(file_, Example(8), 1)));
  std::mt19937_64 random(testing::TestSeed());
  int new_ones = 0;
  for (const size_t block_bytes : {512U, 4096U}) {
    const size_t blocks = file_.UnsyncedBlocks(block_bytes).size();
    for (size_t subset = 0; subset < size_t{1} << blocks; subset += block_bytes == 512 ? 13 : 1) {
      size_t rest = subset;
      const auto after = file_.AfterCrash(block_bytes, [&](const MemoryFile::Unsynced&) {
        const size_t kept = rest & 1;
        rest >>= 1;
        return kept;
      });
      if (random() % 4 == 0) {  // a sector in flight may hold anything
        after->FlipBit(kSuperblockOffsets[2] + random() % 8192, static_cast<int>(random() % 8));
      }
      const absl::StatusOr<SuperblockChoice> choice = ReadSuperblocks(*after);
      ASSERT_TRUE(choice.ok()) << choice.status();
      const Superblock& chosen = choice->chosen;
      ASSERT_TRUE(chosen == Example(7) || chosen == Example(8));
      new_ones += chosen == Example(8) ? 1 : 0;
    }
  }
  EXPECT_GT(new_ones, 0);
}

// Generation 8 is torn in both copies, and an open goes on from generation 7; a torn write of the next checkpoint's
// then puts zeros where generation 8 had garbage, and its first sector, with a checksum that fits again, is still there.
TEST_F(SuperblockFileTest, S1ADeadGenerationThatBecomesWholeAgainIsNotChosen) {
  for (const size_t i : {0U, 1U}) Put(i, Example(7, 5));
  for (const size_t i : {2U, 3U}) Put(i, Example(8, 5));
  for (const size_t i : {2U, 3U}) file_.FlipBit(kSuperblockOffsets[i] + 1000, 3);
  SuperblockChoice choice = Read();
  ASSERT_EQ(choice.chosen, Example(7, 5));
  ASSERT_TRUE(RewriteSuperblock(file_, choice, Example(7, 6)).ok());
  file_.FlipBit(kSuperblockOffsets[2] + 1000, 3);
  choice = Read();
  ASSERT_TRUE(choice.copies[2].status.ok()) << "whole again";
  EXPECT_EQ(choice.chosen, Example(7, 6));
  EXPECT_EQ(PairOf(choice), 0);
}

TEST_F(SuperblockFileTest, ANewGenerationIsBothCopiesThenOneSync) {
  Put(0, Example(1));
  file_.ClearCalls();
  ASSERT_TRUE(WriteSuperblock(file_, Example(2), 1).ok());
  const std::vector<MemoryFile::Call> calls = file_.calls();
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].offset, kSuperblockOffsets[2]);
  EXPECT_EQ(calls[1].offset, kSuperblockOffsets[3]);
  EXPECT_EQ(calls[2].kind, Kind::kSync);
  EXPECT_EQ(calls[2].purpose, io::SyncPurpose::kSuperblock);
  EXPECT_EQ(Read().chosen, Example(2));
}

// S2: whatever the state of the copies, whenever the power fails, whatever subset of what was written
// survives: a copy of the generation does.
TEST_F(SuperblockFileTest, S2RewritingNeverEndangersTheGeneration) {
  for (const size_t pair : {0U, 1U}) {
    for (int bad = -1; bad < 4; ++bad) {  // 0, 1: that copy is torn; 2, 3: of an older incarnation
      for (size_t stop = 0; stop < 4; ++stop) {  // write, sync, write, sync
        MemoryFile file(uint64_t{1000} * 4096);
        for (size_t i = 0; i < 2; ++i) {
          const uint64_t offset = kSuperblockOffsets[2 * pair + i];
          const bool older = bad == static_cast<int>(i) + 2;
          Block block = Encode(Example(7, older ? 4 : 5), offset);
          if (bad == static_cast<int>(i)) block[20] ^= std::byte{1};
          ASSERT_TRUE(file.Write(offset, block).ok());
        }
        ASSERT_TRUE(file.Sync(io::SyncPurpose::kSuperblock).ok());
        const absl::StatusOr<SuperblockChoice> before = ReadSuperblocks(file);
        ASSERT_TRUE(before.ok()) << before.status();
        file.ClearCalls();
        size_t calls = 0;
        file.set_fault([&](const MemoryFile::Call&) {
          return calls++ == stop ? absl::UnavailableError("injected") : absl::OkStatus();
        });
        Superblock next = before->chosen;
        next.incarnation = 6;
        EXPECT_FALSE(RewriteSuperblock(file, *before, next).ok());
        const size_t blocks = file.UnsyncedBlocks(512).size();
        EXPECT_LE(blocks, 8U) << "one copy in flight";
        for (size_t subset = 0; subset < size_t{2} << blocks; ++subset) {
          size_t rest = subset;
          const auto after = file.AfterCrash(512, [&](const MemoryFile::Unsynced&) {
            const size_t kept = rest & 1;
            rest >>= 1;
            return kept;
          });
          if (blocks > 0 && rest == 1) {  // a sector in flight may hold anything
            after->FlipBit(file.UnsyncedBlocks(512)[0].offset + 40, 1);
          }
          const absl::StatusOr<SuperblockChoice> choice = ReadSuperblocks(*after);
          ASSERT_TRUE(choice.ok()) << choice.status();
          ASSERT_EQ(choice->chosen.generation, Generation{7});
          ASSERT_TRUE(choice->chosen == before->chosen || choice->chosen == next);
        }
      }
    }
  }
}

TEST_F(SuperblockFileTest, RewritingEndsWithTwoGoodCopies) {
  Put(2, Example(7));
  Superblock next = Example(7, 9);
  ASSERT_TRUE(RewriteSuperblock(file_, Read(), next).ok());
  const SuperblockChoice choice = Read();
  EXPECT_EQ(choice.chosen, next);
  EXPECT_FALSE(choice.used_copy);
  EXPECT_EQ(PairOf(choice), 1);
}

// Generation after generation, power failing at any step, with any sectors surviving: what is found is
// the last durable one, or the one in flight.
TEST_F(SuperblockFileTest, S1S2ALongLifeOfCrashes) {
  std::mt19937_64 random(testing::TestSeed());
  auto file = std::make_unique<MemoryFile>(uint64_t{1000} * 4096);
  uint64_t durable = 1;
  ASSERT_TRUE(WriteSuperblock(*file, Example(durable), 0).ok());
  int pair = 0;
  for (int life = 0; life < 300; ++life) {
    uint64_t newest = durable;
    size_t calls_left = random() % 12;
    file->set_fault([&](const MemoryFile::Call&) {
      return calls_left-- == 0 ? absl::UnavailableError("injected") : absl::OkStatus();
    });
    while (WriteSuperblock(*file, Example(newest + 1), 1 - pair).ok()) {
      durable = ++newest;
      pair = 1 - pair;
    }
    file->set_fault(nullptr);
    file = file->AfterCrash(
        512, [&](const MemoryFile::Unsynced& b) { return random() % (b.versions + 1); });
    const absl::StatusOr<SuperblockChoice> choice = ReadSuperblocks(*file);
    ASSERT_TRUE(choice.ok()) << choice.status();
    const uint64_t found = choice->chosen.generation.value;
    ASSERT_TRUE(found == durable || found == newest + 1) << found;
    durable = found;
    pair = PairOf(*choice);
    ASSERT_TRUE(RewriteSuperblock(*file, *choice, choice->chosen).ok());
  }
}

}  // namespace
}  // namespace keel::pager
