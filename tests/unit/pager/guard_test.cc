#include "pager/guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace keel::pager {
namespace {

class GuardTest : public ::testing::TestWithParam<GuardBarrier> {
 protected:
  std::shared_ptr<GuardDomain> domain_ = GuardDomain::Create(GetParam());

  bool PassedNow(uint64_t stamp) {
    domain_->Refresh();
    return domain_->Passed(stamp);
  }
};

INSTANTIATE_TEST_SUITE_P(Barriers, GuardTest,
                         ::testing::Values(GuardBarrier::kAutomatic, GuardBarrier::kSequential));

TEST_P(GuardTest, PassesAtOnceWithoutGuards) {
  const uint64_t stamp = domain_->Retire();
  EXPECT_FALSE(domain_->Passed(stamp)) << "nobody has looked yet";
  EXPECT_TRUE(PassedNow(stamp));
}

TEST_P(GuardTest, WaitsForAGuardEnteredBefore) {
  auto guard = std::make_unique<ReadGuard>(*domain_);
  const uint64_t stamp = domain_->Retire();
  EXPECT_FALSE(PassedNow(stamp));
  guard.reset();
  EXPECT_TRUE(PassedNow(stamp));
}

TEST_P(GuardTest, DoesNotWaitForAGuardEnteredAfter) {
  const uint64_t stamp = domain_->Retire();
  const ReadGuard guard(*domain_);
  EXPECT_TRUE(PassedNow(stamp));
  EXPECT_FALSE(PassedNow(domain_->Retire()));
}

TEST_P(GuardTest, WhatHasPassedStaysPassed) {
  const uint64_t stamp = domain_->Retire();
  EXPECT_TRUE(PassedNow(stamp));
  const ReadGuard guard(*domain_);
  const uint64_t later = domain_->Retire();
  EXPECT_FALSE(PassedNow(later));
  EXPECT_TRUE(domain_->Passed(stamp));
}

TEST_P(GuardTest, DomainsDoNotWaitForEachOther) {
  const std::shared_ptr<GuardDomain> other = GuardDomain::Create(GetParam());
  const ReadGuard guard(*other);
  const ReadGuard both(*domain_);
  const uint64_t stamp = domain_->Retire();
  EXPECT_FALSE(PassedNow(stamp));
  const uint64_t foreign = other->Retire();
  other->Refresh();
  EXPECT_FALSE(other->Passed(foreign));
}

TEST_P(GuardTest, AThreadKeepsItsSlot) {
  GuardDomain::Slot* const slot = domain_->ThisThread();
  const std::shared_ptr<GuardDomain> other = GuardDomain::Create(GetParam());
  EXPECT_NE(other->ThisThread(), slot);
  EXPECT_EQ(domain_->ThisThread(), slot);
  EXPECT_EQ(domain_->slot_count(), 1U);
}

TEST_P(GuardTest, SlotsComeBackFromThreadsThatEnd) {
  for (int i = 0; i < 2000; ++i) {
    std::thread([&] { const ReadGuard guard(*domain_); }).join();
  }
  EXPECT_LE(domain_->slot_count(), 2U);
  EXPECT_TRUE(PassedNow(domain_->Retire()));
}

TEST_P(GuardTest, ThreadsMayOutliveTheDomain) {
  std::latch used(1);
  std::latch gone(1);
  std::thread thread([&] {
    { const ReadGuard guard(*domain_); }
    used.count_down();
    gone.wait();
    // A later domain, perhaps at the same address, is another one.
    const std::shared_ptr<GuardDomain> later = GuardDomain::Create(GetParam());
    const ReadGuard guard(*later);
    const uint64_t stamp = later->Retire();
    later->Refresh();
    EXPECT_FALSE(later->Passed(stamp));
  });
  used.wait();
  domain_.reset();
  gone.count_down();
  thread.join();
}

TEST_P(GuardTest, ManyDomainsOneThread) {
  for (int i = 0; i < 1000; ++i) {
    const std::shared_ptr<GuardDomain> domain = GuardDomain::Create(GetParam());
    const ReadGuard guard(*domain);
    EXPECT_EQ(domain->slot_count(), 1U);
  }
}

// Enters a guard when the thread's own slots were already given back.
struct LateUser {
  ~LateUser() {
    if (domain != nullptr) const ReadGuard guard(*domain);
  }
  GuardDomain* domain = nullptr;
};

TEST_P(GuardTest, LateThreadLocalDestructorsMayEnter) {
  for (int i = 0; i < 3; ++i) {
    std::thread([&] {
      thread_local LateUser late;  // made first, so it is destroyed after the slots
      late.domain = domain_.get();
      const ReadGuard guard(*domain_);
    }).join();
  }
  EXPECT_TRUE(PassedNow(domain_->Retire()));
}

// Readers follow a pointer to one of two boxes; the reclaimer unlinks a box, waits for the guards, spoils it
// and uses it again. A reader must never meet a spoiled box. (Plain memory: the thread sanitizer looks on.)
class Boxes {
 public:
  explicit Boxes(GuardDomain* domain) : domain_(*domain) { boxes_[0].fill(kGood); }

  bool ReadOne() {
    const ReadGuard guard(domain_);
    const Box* const box = current_.load(std::memory_order_seq_cst);
    return std::ranges::all_of(*box, [](uint64_t word) { return word == kGood; });
  }

  void Replace() {
    Box* const old = current_.load();
    next_ = (next_ + 1) % boxes_.size();
    boxes_[next_].fill(kGood);
    current_.store(&boxes_[next_], std::memory_order_seq_cst);
    const uint64_t stamp = domain_.Retire();
    while (!domain_.Passed(stamp)) domain_.Refresh();
    old->fill(kSpoiled);
  }

 private:
  using Box = std::array<uint64_t, 32>;
  static constexpr uint64_t kGood = 1;
  static constexpr uint64_t kSpoiled = 2;

  GuardDomain& domain_;
  std::array<Box, 2> boxes_;
  size_t next_ = 0;
  std::atomic<Box*> current_{&boxes_[0]};
};

TEST_P(GuardTest, NothingIsUsedAgainUnderAReader) {
  Boxes boxes(domain_.get());
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> bad{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) bad += boxes.ReadOne() ? 0 : 1;
    });
  }
  // Threads come and go meanwhile.
  std::thread churn([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      std::thread([&] { bad += boxes.ReadOne() ? 0 : 1; }).join();
    }
  });
  for (int i = 0; i < 20000; ++i) boxes.Replace();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  churn.join();
  EXPECT_EQ(bad, 0U);
  EXPECT_LE(domain_->slot_count(), 6U);
}

// The race that the barrier is there for. Reader: enter, look. Reclaimer: unlink, retire, refresh. If the reader
// still saw what was unlinked, and is inside, the stamp must not have passed.
class EntryRace {
 public:
  explicit EntryRace(GuardDomain* domain) : domain_(*domain) {}

  void Read() {
    for (int round = 1;; ++round) {
      Meet();
      if (over_) return;
      StoreFarAway();
      const ReadGuard guard(domain_);
      const bool saw_it = linked_.load(std::memory_order_seq_cst) < round;
      Meet();
      if (saw_it && passed_) ++missed_;
    }
  }

  // At most so many rounds, and about a second on a busy machine.
  void Reclaim(int rounds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (int round = 1; round <= rounds && std::chrono::steady_clock::now() < end; ++round) {
      Meet();
      linked_.store(round, std::memory_order_seq_cst);
      const uint64_t stamp = domain_.Retire();
      domain_.Refresh();
      passed_ = domain_.Passed(stamp);
      Meet();
    }
    over_ = true;
    Meet();
  }

  int missed() const { return missed_; }

 private:
  // Stores that miss every cache: the entry's store waits behind them on its way out of the processor, so
  // that without a barrier the look would often come first.
  void StoreFarAway() {
    for (int i = 0; i < 12; ++i) {
      far_away_ = (far_away_ + 4096 + 64) % memory_.size();
      memory_[far_away_] = 1;
    }
  }

  // Both wait for each other.
  void Meet() {
    const uint64_t turn = turn_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == 1) {
      arrived_.store(0, std::memory_order_relaxed);
      turn_.store(turn + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; ++spins) {
      if (spins > 1000) std::this_thread::yield();
    }
  }

  GuardDomain& domain_;
  std::vector<unsigned char> memory_ = std::vector<unsigned char>(size_t{64} << 20);
  size_t far_away_ = 0;
  alignas(64) std::atomic<int> linked_{0};
  alignas(64) std::atomic<uint64_t> turn_{0};
  alignas(64) std::atomic<int> arrived_{0};
  bool passed_ = false;  // handed over where they meet
  bool over_ = false;    // likewise
  int missed_ = 0;
};

TEST_P(GuardTest, NoEntryIsMissed) {
  EntryRace race(domain_.get());
  std::thread reader([&] { race.Read(); });
  race.Reclaim(30000);
  reader.join();
  EXPECT_EQ(race.missed(), 0);
}

TEST(GuardDeathTest, EnteringTwiceIsOurMistake) {
  if (!kParanoid) GTEST_SKIP() << "checked in paranoid builds";
  const std::shared_ptr<GuardDomain> domain = GuardDomain::Create();
  const ReadGuard guard(*domain);
  EXPECT_DEATH(const ReadGuard again(*domain), "inside");
}

}  // namespace
}  // namespace keel::pager
