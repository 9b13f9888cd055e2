#include "base/sequence.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace keel {
namespace {

TEST(SequenceTest, ALookTellsWhetherAChangeIsUnderWay) {
  Sequence sequence;
  EXPECT_TRUE(Sequence::Settled(sequence.Look()));
  EXPECT_FALSE(sequence.changing());
  sequence.BeginChange();
  EXPECT_FALSE(Sequence::Settled(sequence.Look()));
  EXPECT_TRUE(sequence.changing());
  sequence.EndChange();
  EXPECT_TRUE(Sequence::Settled(sequence.Look()));
}

TEST(SequenceTest, AChangeIsNoticedByWhoLookedBefore) {
  Sequence sequence;
  const uint64_t seen = sequence.Look();
  EXPECT_TRUE(sequence.Still(seen));
  sequence.BeginChange();
  EXPECT_FALSE(sequence.Still(seen));
  sequence.EndChange();
  EXPECT_FALSE(sequence.Still(seen));
  EXPECT_TRUE(sequence.Still(sequence.Look()));
}

// Every word of it holds the number of the change that made it.
TEST(SequenceTest, ACopyBetweenEqualLooksIsOfOneMoment) {
  constexpr uint64_t kChanges = 200'000;
  using Words = std::array<uint64_t, 64>;
  Words words{};
  Sequence sequence;
  std::atomic<bool> over = false;
  std::thread reader([&] {
    uint64_t last = 0;
    bool going = true;
    while (going) {
      going = !over.load();  // once more after the end: then it must succeed
      Words copy;
      const uint64_t seen = sequence.Look();
      CopyWhatMayChange(copy.data(), words.data(), sizeof(copy));
      if (!Sequence::Settled(seen) || !sequence.Still(seen)) continue;
      ASSERT_EQ(copy.front(), seen / 2);
      for (const uint64_t word : copy) ASSERT_EQ(word, copy.front());
      last = copy.front();
    }
    EXPECT_EQ(last, kChanges);
  });
  for (uint64_t n = 1; n <= kChanges; ++n) {
    sequence.BeginChange();
    words.fill(n);
    sequence.EndChange();
  }
  over = true;
  reader.join();
}

}  // namespace
}  // namespace keel
