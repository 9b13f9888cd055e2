// Crash images: the strategies reach what they should, the profiles forbid what they should.

#include <map>
#include <set>

#include "tests/unit/fault_injection/sim_test_support.h"

namespace keel::fault_injection {
namespace {

class CrashChoiceTest : public SimWorldTest {
 protected:
  // The images of a file that a profile allows, over all subsets of the pending effects.
  std::set<std::string> Possible(CrashProfile profile, const std::string& name) {
    const Durability durability = world_->durability();
    std::set<std::string> images;
    for (uint64_t bits = 0; bits < uint64_t{1} << pending(); ++bits) {
      const CrashChoice choice = Restrict(profile, durability, Keep(durability, bits));
      images.insert(Sectors(BuildCrashImage(durability, choice), "/d/" + name));
    }
    return images;
  }
};

TEST_F(CrashChoiceTest, APrefixNeverHasTheLaterWithoutTheEarlier) {
  auto one = Durable("one", "a");
  auto two = Durable("two", "a");
  WriteSectors(*one, 0, "b");
  WriteSectors(*two, 0, "b");
  const Durability durability = world_->durability();
  const CrashChoice later = Restrict(CrashProfile::kPrefix, durability, Keep(durability, 0b10));
  EXPECT_EQ(Sectors(BuildCrashImage(durability, later), "/d/two"), "a");
  const CrashChoice free = Restrict(CrashProfile::kUnordered, durability, Keep(durability, 0b10));
  EXPECT_EQ(Sectors(BuildCrashImage(durability, free), "/d/two"), "b");
}

TEST_F(CrashChoiceTest, APrefixMayEndInATornWrite) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 0, "bbbbbbbb");
  const Durability durability = world_->durability();
  CrashChoice torn = Keep(durability, 1);
  torn.kept[0] = 0b00001111;
  torn = Restrict(CrashProfile::kPrefix, durability, torn);
  EXPECT_EQ(Sectors(BuildCrashImage(durability, torn), "/d/f"), "bbbbaaaa");
}

TEST_F(CrashChoiceTest, OrderedDataComesBeforeTheSize) {
  auto file = Durable("f", "");
  WriteSectors(*file, 0, "a");
  EXPECT_EQ(Possible(CrashProfile::kOrdered, "f"), (std::set<std::string>{"", "a"}));
  EXPECT_EQ(Possible(CrashProfile::kUnordered, "f"), (std::set<std::string>{"", ".", "a"}));
}

TEST_F(CrashChoiceTest, RenamesAreWholeExceptInAHostileWorld) {
  Durable("old", "o");
  Durable("new", "n");
  ASSERT_TRUE(world_->Rename("/d/new", "/d/old").ok());
  for (const CrashProfile profile : kCrashProfiles) {
    const bool hostile = profile == CrashProfile::kHostile;
    const Durability durability = world_->durability();
    for (const uint64_t bits : {0b01U, 0b10U}) {
      const auto image =
          BuildCrashImage(durability, Restrict(profile, durability, Keep(durability, bits)));
      const std::string both = Sectors(image, "/d/old") + Sectors(image, "/d/new");
      EXPECT_EQ(both == "on", !hostile) << CrashProfileName(profile) << " " << both;
    }
  }
}

TEST_F(CrashChoiceTest, NamesComeInOrderExceptInAHostileWorld) {
  Create("one");
  Create("two");
  EXPECT_EQ(Possible(CrashProfile::kHostile, "two").size(), 2U);
  const Durability durability = world_->durability();
  for (const CrashProfile profile : {CrashProfile::kOrdered, CrashProfile::kUnordered}) {
    const auto image =
        BuildCrashImage(durability, Restrict(profile, durability, Keep(durability, 0b10)));
    EXPECT_EQ(Sectors(image, "/d/two"), "missing") << CrashProfileName(profile);
  }
}

TEST_F(CrashChoiceTest, EveryProfileAllowsWhatTheOneBeforeAllows) {
  auto one = Durable("one", "aaaaaaaa");
  WriteSectors(*one, 4, "bbbbbbbb");
  auto two = Create("two");
  WriteSectors(*two, 0, "c");
  const Durability durability = world_->durability();
  std::set<uint64_t> before;
  for (const CrashProfile profile : kCrashProfiles) {
    std::set<uint64_t> now;
    for (uint64_t bits = 0; bits < uint64_t{1} << pending(); ++bits) {
      now.insert(BuildCrashImage(durability, Restrict(profile, durability, Keep(durability, bits)))
                     .Hash());
    }
    EXPECT_THAT(now, ::testing::IsSupersetOf(before)) << CrashProfileName(profile);
    before = now;
  }
}

TEST_F(CrashChoiceTest, GarbageStandsWhereNothingWasEverDurable) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 0, "bbbbbbbbcccccccc");
  const Durability durability = world_->durability();
  CrashChoice choice = Keep(durability, 0b100);  // the size alone
  choice.garbage = true;
  choice.seed = testing::TestSeed();
  const std::string hostile = Sectors(
      BuildCrashImage(durability, Restrict(CrashProfile::kHostile, durability, choice)), "/d/f");
  EXPECT_EQ(hostile.substr(0, 8), "aaaaaaaa") << "a place that was durable keeps its bytes";
  EXPECT_NE(hostile.substr(8), "........");
  EXPECT_EQ(
      Sectors(BuildCrashImage(durability, Restrict(CrashProfile::kUnordered, durability, choice)),
              "/d/f"),
      "aaaaaaaa........");
}

TEST_F(CrashChoiceTest, ASectorThatWasBeingWrittenMayHoldAnythingInAHostileWorld) {
  auto file = Durable("f", "aaaaaaaa");
  WriteSectors(*file, 2, "bb");
  const Durability durability = world_->durability();
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    CrashChoice choice = Keep(durability, 0);
    choice.kept[0] = 0b0100;  // the first of the two
    choice.shredded = true;
    choice.seed = testing::TestSeed() + seed;
    const auto unordered =
        BuildCrashImage(durability, Restrict(CrashProfile::kUnordered, durability, choice));
    EXPECT_EQ(Sectors(unordered, "/d/f"), "aabaaaaa");
    const auto image =
        BuildCrashImage(durability, Restrict(CrashProfile::kHostile, durability, choice));
    std::string bytes(8 * 512, '\0');
    image.file(image.names().at("/d/f"))
        .Read(0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    EXPECT_EQ(bytes.substr(0, 3 * 512), std::string(2 * 512, 'a') + std::string(512, 'b'));
    EXPECT_EQ(bytes.substr(4 * 512), std::string(4 * 512, 'a'));
    const std::string sector = bytes.substr(3 * 512, 512);
    const size_t written = sector.find_first_not_of('b');
    const bool half = written != 0 && written != std::string::npos &&
                      sector.find_first_not_of('a', written) == std::string::npos;
    seen.insert(sector == std::string(512, 'a') ? "old" : half ? "half" : "anything");
    EXPECT_NE(written, std::string::npos) << "what does not survive is not there whole";
  }
  EXPECT_EQ(seen.size(), 3U);
}

std::map<CrashStrategy, std::set<uint64_t>> Images(const Durability& durability,
                                                   const CrashBudget& budget) {
  std::map<CrashStrategy, std::set<uint64_t>> images;
  SeededRandom random(testing::TestSeed());
  ForEachCrashChoice(durability, budget, random, [&](const CrashChoice& choice) {
    ASSERT_EQ(choice.kept.size(), durability.pending().size());
    images[choice.strategy].insert(BuildCrashImage(durability, choice).Hash());
  });
  return images;
}

TEST_F(CrashChoiceTest, FewEffectsAreTriedInEverySubset) {
  auto file = Durable("f", "aaaaaaaaaaaaaaaa");
  for (const uint64_t sector : {0U, 3U, 9U, 12U}) WriteSectors(*file, sector, "b");
  auto images = Images(world_->durability(), {.exhaustive_max = 4});
  std::set<uint64_t> all = images[CrashStrategy::kExhaustive];
  all.merge(images[CrashStrategy::kNone]);
  all.merge(images[CrashStrategy::kAll]);
  EXPECT_EQ(all.size(), 16U);
}

TEST_F(CrashChoiceTest, EveryStrategyIsTried) {
  auto one = Durable("one", std::string(48, 'a'));
  auto two = Durable("two", std::string(48, 'a'));
  for (uint64_t i = 0; i < 6; ++i) {
    WriteSectors(*one, 8 * i, "bbbbbbbb");
    WriteSectors(*two, 8 * i, "cccccccc");
  }
  const auto once = Images(world_->durability(), {.exhaustive_max = 0});
  const auto again = Images(world_->durability(), {.exhaustive_max = 0});
  EXPECT_EQ(once, again) << "the same seed, the same choices";
  EXPECT_EQ(once.size(), kCrashStrategies - 1) << "all but the exhaustive one";
  EXPECT_EQ(once.at(CrashStrategy::kOnlyOne).size(), 12U);
}

TEST_F(CrashChoiceTest, WithNothingPendingThereIsOneImage) {
  Durable("f", "a");
  const auto images = Images(world_->durability(), {});
  EXPECT_EQ(images.size(), 1U);
  EXPECT_EQ(images.begin()->second.size(), 1U);
}

}  // namespace
}  // namespace keel::fault_injection
