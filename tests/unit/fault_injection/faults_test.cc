// Injected faults: each does what its name says, where and as often as the plan says.

#include <bit>
#include <set>

#include "tests/unit/fault_injection/sim_test_support.h"

namespace keel::fault_injection {
namespace {

constexpr io::SyncPurpose kPurpose = io::SyncPurpose::kCheckpointPages;

class FaultsTest : public SimWorldTest {
 protected:
  void Inject(FaultRule rule) {
    FaultPlan plan(testing::TestSeed());
    plan.Add(std::move(rule));
    world_->set_plan(std::move(plan));
  }
  static std::string Read(io::File& file, size_t size) {
    std::vector<std::byte> bytes(size);
    const auto got = file.Read(0, bytes);
    if (!got.ok()) return std::string(got.status().message());
    return {reinterpret_cast<const char*>(bytes.data()), *got};
  }
};

TEST_F(FaultsTest, ErrorsHaveTheCodesOfTheRealOnes) {
  auto file = Durable("f", "a");
  const auto bytes = Bytes(kSectorBytes, 'b');
  const std::pair<Fault, absl::StatusCode> expected[] = {
      {Fault::kIoError, absl::StatusCode::kUnavailable},
      {Fault::kNoSpace, absl::StatusCode::kResourceExhausted},
      {Fault::kQuota, absl::StatusCode::kResourceExhausted},
      {Fault::kReadOnly, absl::StatusCode::kPermissionDenied},
      {Fault::kNoMemory, absl::StatusCode::kResourceExhausted},
  };
  for (const auto& [fault, code] : expected) {
    Inject({.fault = fault});
    const absl::Status status = file->Write(0, bytes);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("injected"));
    EXPECT_TRUE(file->Write(0, bytes).ok()) << "once";
  }
  Inject({.fault = Fault::kTooManyFiles});
  EXPECT_TRUE(absl::IsResourceExhausted(world_->Open("/d/f", {}).status()));
  Inject({.fault = Fault::kAccess});
  EXPECT_TRUE(absl::IsPermissionDenied(world_->Open("/d/f", {}).status()));
}

TEST_F(FaultsTest, RulesNameCallsPathsPurposesAndSteps) {
  auto one = Durable("one", "a");
  auto two = Durable("two", "a");
  const auto bytes = Bytes(kSectorBytes, 'b');
  Inject({.fault = Fault::kIoError, .calls = {CallKind::kWrite}, .path_part = "two", .times = 0});
  EXPECT_TRUE(one->Write(0, bytes).ok());
  EXPECT_FALSE(two->Write(0, bytes).ok());
  EXPECT_FALSE(two->Write(0, bytes).ok()) << "for ever";
  EXPECT_TRUE(two->Sync(kPurpose).ok());
  EXPECT_EQ(world_->faults(), 2U);

  Inject({.fault = Fault::kIoError, .purpose = io::SyncPurpose::kSuperblock});
  EXPECT_TRUE(one->Write(0, bytes).ok());
  EXPECT_TRUE(one->Sync(kPurpose).ok());
  EXPECT_FALSE(one->Sync(io::SyncPurpose::kSuperblock).ok());

  Inject({.fault = Fault::kIoError, .from_step = world_->steps() + 1});
  EXPECT_TRUE(one->Write(0, bytes).ok());
  EXPECT_FALSE(one->Write(0, bytes).ok());
  Inject({.fault = Fault::kIoError, .to_step = world_->steps()});
  EXPECT_TRUE(one->Write(0, bytes).ok());
}

TEST_F(FaultsTest, AFailedWriteMayHaveArrivedInPart) {
  std::set<std::string> seen;
  for (int round = 0; round < 200; ++round) {
    auto file = Durable("f" + std::to_string(round), "aaaa");
    Inject({.fault = Fault::kIoError, .calls = {CallKind::kWrite}});
    EXPECT_FALSE(file->Write(0, Bytes(4 * kSectorBytes, 'b')).ok());
    seen.insert(Sectors(world_->disk().current(), file->path().native()));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"aaaa", "baaa", "bbaa", "bbba", "bbbb"}));
}

TEST_F(FaultsTest, PowerOffEndsEverything) {
  auto file = Durable("f", "a");
  Inject({.fault = Fault::kPowerOff, .from_step = world_->steps() + 1});
  EXPECT_TRUE(file->Write(0, Bytes(kSectorBytes, 'b')).ok());
  EXPECT_FALSE(file->Sync(kPurpose).ok());
  EXPECT_FALSE(file->Write(0, Bytes(kSectorBytes, 'c')).ok());
  EXPECT_FALSE(world_->List("/d").ok());
  EXPECT_FALSE(file->Size().ok());
  EXPECT_EQ(pending(), 1U);
  EXPECT_EQ(Sectors(world_->disk().current(), "/d/f"), "b");
}

TEST_F(FaultsTest, SilentFaultsOfWrites) {
  auto file = Durable("f", "aaaaaaaabbbbbbbb");
  Inject({.fault = Fault::kLostWrite});
  EXPECT_TRUE(file->Write(0, Bytes(kBlockBytes, 'c')).ok());
  EXPECT_EQ(Sectors(world_->disk().current(), "/d/f"), "aaaaaaaabbbbbbbb");
  Inject({.fault = Fault::kDuplicatedWrite, .times = 0});
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(file->Write(0, Bytes(kBlockBytes, 'c')).ok());
  EXPECT_EQ(Sectors(world_->disk().current(), "/d/f"), "cccccccccccccccc");
  Inject({.fault = Fault::kMisdirectedWrite});
  EXPECT_TRUE(file->Write(0, Bytes(kBlockBytes, 'd')).ok());
  EXPECT_NE(Sectors(world_->disk().current(), "/d/f"), "cccccccccccccccc");
}

TEST_F(FaultsTest, SilentFaultsOfReads) {
  auto file = Durable("f", "a");
  WriteSectors(*file, 0, "b");
  Inject({.fault = Fault::kStaleRead});
  EXPECT_EQ(Read(*file, 3), "aaa");
  EXPECT_EQ(Read(*file, 3), "bbb");
  Inject({.fault = Fault::kZeroRead});
  EXPECT_EQ(Read(*file, 3), std::string(3, '\0'));
  Inject({.fault = Fault::kFlippedBit});
  const std::string flipped = Read(*file, 3);
  int bits = 0;
  for (const char c : flipped) bits += std::popcount(static_cast<unsigned char>(c ^ 'b'));
  EXPECT_EQ(bits, 1);
  EXPECT_EQ(Read(*file, 3), "bbb");
}

TEST_F(FaultsTest, ALyingSyncLeavesAllPending) {
  auto file = Durable("f", "a");
  WriteSectors(*file, 0, "b");
  Inject({.fault = Fault::kLyingSync});
  EXPECT_TRUE(file->Sync(kPurpose).ok());
  EXPECT_EQ(pending(), 1U);
}

TEST_F(FaultsTest, RevertedAtOnceWhereTheCacheIsDropped) {
  options_.after_failed_sync = AfterFailedSync::kReverted;
  world_ = std::make_unique<SimFileSystem>(options_);
  ASSERT_TRUE(world_->CreateDirectory("/d").ok());
  for (int round = 0; round < 30; ++round) {
    auto file = Durable("f" + std::to_string(round), "a");
    WriteSectors(*file, 0, "b");
    Inject({.fault = Fault::kIoError, .calls = {CallKind::kSync}});
    EXPECT_FALSE(file->Sync(kPurpose).ok());
    const Durability left = world_->durability();
    EXPECT_EQ(Read(*file, 1), Sectors(left.durable(), file->path().native()));
  }
}

TEST_F(FaultsTest, AFullDiskRefusesAndTakesAgain) {
  auto file = Durable("f", "aaaaaaaa");
  world_->set_capacity(world_->used_bytes() + kBlockBytes);
  EXPECT_EQ(*world_->FreeSpace("/d"), kBlockBytes);
  EXPECT_TRUE(absl::IsResourceExhausted(file->Write(kBlockBytes, Bytes(2 * kBlockBytes, 'b'))));
  EXPECT_TRUE(file->Write(0, Bytes(kBlockBytes, 'c')).ok()) << "in place";
  EXPECT_TRUE(absl::IsResourceExhausted(file->Allocate(0, 3 * kBlockBytes)));
  EXPECT_EQ(*file->Size(), kBlockBytes);
  EXPECT_TRUE(file->Allocate(0, 2 * kBlockBytes).ok());
  EXPECT_EQ(*world_->FreeSpace("/d"), 0U);
  EXPECT_TRUE(file->Write(kBlockBytes, Bytes(kBlockBytes, 'd')).ok()) << "reserved";
  EXPECT_TRUE(absl::IsResourceExhausted(Create("g")->Write(0, Bytes(1, 'e'))));
  ASSERT_TRUE(file->Truncate(0).ok());
  EXPECT_EQ(*world_->FreeSpace("/d"), 2 * kBlockBytes);
  EXPECT_TRUE(Create("g")->Write(0, Bytes(1, 'e')).ok());
  ASSERT_TRUE(world_->Remove("/d/g").ok());
  EXPECT_EQ(*world_->FreeSpace("/d"), 2 * kBlockBytes);
}

TEST_F(FaultsTest, WithDelayedAllocationTheSyncFindsOut) {
  options_.space = SpaceModel::kDelayed;
  world_ = std::make_unique<SimFileSystem>(options_);
  ASSERT_TRUE(world_->CreateDirectory("/d").ok());
  auto file = Durable("f", "a");
  world_->set_capacity(world_->used_bytes());
  EXPECT_TRUE(file->Write(kBlockBytes, Bytes(kBlockBytes, 'b')).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(file->Sync(kPurpose)));
}

TEST_F(FaultsTest, TheSameSeedIsTheSameWorld) {
  const auto run = [&] {
    SimFileSystem world({.seed = testing::TestSeed()});
    EXPECT_TRUE(world.CreateDirectory("/d").ok());
    FaultPlan plan(testing::TestSeed());
    plan.Add({.fault = Fault::kIoError, .probability = 0.3, .times = 0});
    world.set_plan(plan);
    std::string answers;
    for (int i = 0; i < 100; ++i) {
      auto file = world.Open("/d/f", {.create = true});
      answers += file.status().ToString();
      if (!file.ok()) continue;
      answers += (*file)->Write(0, Bytes(4 * kSectorBytes, 'a')).ToString();
      answers += (*file)->Sync(kPurpose).ToString();
    }
    return answers + std::to_string(world.durability().durable().Hash()) +
           std::to_string(absl::ToInt64Nanoseconds(world.clock().Now())) +
           std::to_string(world.random().Next64());
  };
  EXPECT_EQ(run(), run());
}

TEST_F(FaultsTest, TheObserverSeesEveryCallInOrder) {
  std::vector<Call> calls;
  world_->set_observer([&calls](const Call& call) { calls.push_back(call); });
  auto file = Durable("f", "a");
  ASSERT_EQ(calls.size(), 4U);
  EXPECT_EQ(calls[0].kind, CallKind::kOpen);
  EXPECT_EQ(calls[1].kind, CallKind::kWrite);
  EXPECT_EQ(calls[2].purpose, io::SyncPurpose::kDataCreate);
  EXPECT_EQ(calls[3].path, "/d");
  EXPECT_EQ(calls[3].step, calls[0].step + 3);
}

}  // namespace
}  // namespace keel::fault_injection
