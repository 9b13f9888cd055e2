// Barriers: what a successful call makes durable, and what it does not.

#include "tests/unit/fault_injection/sim_test_support.h"

namespace keel::fault_injection {
namespace {

constexpr uint64_t kEverything = ~uint64_t{0};
constexpr io::SyncPurpose kPurpose = io::SyncPurpose::kCheckpointPages;

using DurabilityTest = SimWorldTest;

TEST_F(DurabilityTest, AnUnsyncedWriteSurvivesOrNot) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 0, "bbbbbbbb");
  EXPECT_EQ(After(0, "f"), "aaaaaaaa");
  EXPECT_EQ(After(kEverything, "f"), "bbbbbbbb");
  ASSERT_TRUE(file->Sync(kPurpose).ok());
  EXPECT_EQ(pending(), 0U);
  EXPECT_EQ(After(0, "f"), "bbbbbbbb");
}

TEST_F(DurabilityTest, AWriteKeepsTheRestOfItsBlock) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 2, "bb");
  WriteSectors(*file, 5, "c");
  EXPECT_EQ(After(0b01, "f"), "aabbaaaa");
  EXPECT_EQ(After(0b10, "f"), "aaaaacaa");
  EXPECT_EQ(After(0b11, "f"), "aabbacaa");
}

TEST_F(DurabilityTest, SizeAndDataAreApart) {
  auto file = Durable("f", "");
  WriteSectors(*file, 0, "aaaaaaaa");
  ASSERT_EQ(pending(), 2U);
  EXPECT_EQ(After(0b01, "f"), "") << "data without the size";
  EXPECT_EQ(After(0b10, "f"), "........") << "the size without data";
  EXPECT_EQ(After(0b11, "f"), "aaaaaaaa");
}

TEST_F(DurabilityTest, ANameIsDurableWithItsDirectoryOnly) {
  auto file = Create("f");
  WriteSectors(*file, 0, "a");
  ASSERT_TRUE(file->Sync(kPurpose).ok());
  EXPECT_EQ(After(0, "f"), "missing");
  ASSERT_TRUE(world_->SyncDirectory("/d", kPurpose).ok());
  EXPECT_EQ(After(0, "f"), "a");
}

TEST_F(DurabilityTest, ASyncedDirectoryDoesNotSyncFiles) {
  auto file = Create("f");
  WriteSectors(*file, 0, "a");
  ASSERT_TRUE(world_->SyncDirectory("/d", kPurpose).ok());
  EXPECT_EQ(After(0, "f"), "");
}

TEST_F(DurabilityTest, ADirectoryIsDurableWithItsParentOnly) {
  ASSERT_TRUE(world_->CreateDirectory("/d/sub").ok());
  auto file = Create("sub/f");
  ASSERT_TRUE(world_->SyncDirectory("/d/sub", kPurpose).ok());
  EXPECT_EQ(After(0, "sub/f"), "missing");
  ASSERT_TRUE(world_->SyncDirectory("/d", kPurpose).ok());
  EXPECT_EQ(After(0, "sub/f"), "");
}

TEST_F(DurabilityTest, ARemovedNameMayComeBack) {
  Durable("f", "a");
  ASSERT_TRUE(world_->Remove("/d/f").ok());
  EXPECT_EQ(After(0, "f"), "a");
  EXPECT_EQ(After(kEverything, "f"), "missing");
  ASSERT_TRUE(world_->SyncDirectory("/d", kPurpose).ok());
  EXPECT_EQ(After(0, "f"), "missing");
}

TEST_F(DurabilityTest, ARenameIsTwoNames) {
  Durable("old", "o");
  Durable("new", "n");
  ASSERT_TRUE(world_->Rename("/d/new", "/d/old").ok());
  ASSERT_EQ(pending(), 2U);
  EXPECT_EQ(After(0, "old") + After(0, "new"), "on");
  EXPECT_EQ(After(0b01, "old") + After(0b01, "new"), "nn") << "both names";
  EXPECT_EQ(After(0b10, "old") + After(0b10, "new"), "omissing") << "neither name";
  EXPECT_EQ(After(0b11, "old") + After(0b11, "new"), "nmissing");
}

// Were it not so, a completed flush would say nothing about what it covered.
TEST_F(DurabilityTest, NothingOldComesBackOverWhatIsDurable) {
  auto file = Durable("f", "aaaaaaaa");
  FaultPlan plan;
  plan.Add({.fault = Fault::kIoError, .calls = {CallKind::kSync}});
  for (int tries = 0; pending() == 0 && tries < 100; ++tries) {
    WriteSectors(*file, 0, "aaaaaaaa");
    ASSERT_TRUE(file->Sync(kPurpose).ok());
    WriteSectors(*file, 0, "bbbb");
    world_->set_plan(plan);
    EXPECT_FALSE(file->Sync(kPurpose).ok());
  }
  ASSERT_EQ(pending(), 1U) << "lost by the sync";
  WriteSectors(*file, 0, "cc");
  ASSERT_TRUE(file->Sync(kPurpose).ok());
  ASSERT_EQ(pending(), 1U);
  EXPECT_EQ(After(0, "f"), "ccaaaaaa");
  EXPECT_EQ(After(1, "f"), "ccbbaaaa");
  WriteSectors(*file, 2, "dd");
  ASSERT_TRUE(file->Sync(kPurpose).ok());
  EXPECT_EQ(pending(), 0U);
}

TEST_F(DurabilityTest, AFailedSyncIsNeverMadeGoodByALaterOne) {
  for (int round = 0; round < 50; ++round) {
    auto file = Durable("f" + std::to_string(round), "aaaaaaaa");
    WriteSectors(*file, 0, "bbbbbbbb");
    FaultPlan once;
    once.Add({.fault = Fault::kIoError, .calls = {CallKind::kSync}});
    world_->set_plan(once);
    EXPECT_FALSE(file->Sync(kPurpose).ok());
    const size_t left = pending();
    EXPECT_TRUE(file->Sync(kPurpose).ok());
    EXPECT_EQ(pending(), left);
    world_->EvictLost();
    const std::string now = Sectors(world_->disk().current(), file->path().native());
    EXPECT_EQ(now, left == 0 ? "bbbbbbbb" : "aaaaaaaa") << "reads give what is there";
    EXPECT_EQ(pending(), 0U);
  }
}

TEST_F(DurabilityTest, ADataSyncWriteCoversItselfOnly) {
  auto file = Durable("f", "aaaaaaaaaaaaaaaa");
  const auto bytes = Bytes(kBlockBytes, 'b');
  EXPECT_TRUE(file->WriteThenSync(0, bytes, kPurpose, io::FlushMethod::kDataSyncWrite).ok());
  EXPECT_EQ(pending(), 0U);
  WriteSectors(*file, 8, "cccccccc");
  EXPECT_TRUE(file->WriteThenSync(0, bytes, kPurpose, io::FlushMethod::kDataSyncWrite).ok());
  EXPECT_EQ(pending(), 0U) << "another write was pending: a real sync (contract of io::File)";
  EXPECT_EQ(After(0, "f"), "bbbbbbbbcccccccc");
}

TEST_F(DurabilityTest, AKilledProcessLeavesWhatItWrotePending) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 0, "bbbbbbbb");
  file.reset();
  SimFileSystem next(options_, world_->disk());
  EXPECT_EQ(Sectors(next.disk().current(), "/d/f"), "bbbbbbbb");
  EXPECT_EQ(next.durability().pending().size(), 1U);
  auto again = next.Open("/d/f", {});
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE((*again)->Sync(kPurpose).ok());
  EXPECT_TRUE(next.durability().pending().empty()) << "its successor may sync it";
}

TEST_F(DurabilityTest, TheTraceLeadsToTheSameState) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 0, "b");
  world_->Mark(7);
  ASSERT_TRUE(world_->Rename("/d/f", "/d/g").ok());
  Durability replayed;
  uint64_t mark = 0;
  for (const TraceEvent& event : world_->trace()) {
    replayed.Replay(event);
    if (event.kind == TraceEvent::Kind::kMark) mark = event.mark;
  }
  EXPECT_EQ(mark, 7U);
  const Durability real = world_->durability();
  ASSERT_EQ(replayed.pending().size(), real.pending().size());
  for (const uint64_t bits : {uint64_t{0}, uint64_t{1}, uint64_t{2}, kEverything}) {
    EXPECT_EQ(BuildCrashImage(replayed, Keep(replayed, bits)).Hash(),
              BuildCrashImage(real, Keep(real, bits)).Hash());
  }
}

}  // namespace
}  // namespace keel::fault_injection
