// A random life of a space map against sets: allocation, giving back, checkpoints that succeed, fail, or
// are cut by a crash that keeps any subset of what was not synced.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "tests/support/seed.h"
#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

class SpaceLife {
 public:
  explicit SpaceLife(uint64_t seed) : random_(seed), f_(512) {
    f_.options.growth_bytes_min = 512 * (16 + random_() % 500);
    f_.options.growth_bytes_max = f_.options.growth_bytes_min + 512 * (random_() % 2000);
    f_.Create();
    Checkpoint();
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) Step();
    ExpectAll();
  }

 private:
  void Step() {
    const uint64_t choice = random_() % 100;
    if (choice < 55) {
      Allocate();
    } else if (choice < 80) {
      Drop();
    } else if (choice < 90) {
      Checkpoint();
    } else if (choice < 94) {
      FailCheckpoint();
    } else if (choice < 97) {
      CrashInCheckpoint();
    } else {
      Reopen();
    }
  }

  void Allocate() {
    const uint64_t most = random_() % 4 == 0 ? 1 + random_() % 300 : 1;
    const uint64_t least = 1 + random_() % most;
    const absl::StatusOr<PageRun> run = least == 1
                                            ? f_.map->AllocateAny(most, SpaceUse::kOrdinary)
                                            : f_.map->Allocate({least, most}, SpaceUse::kOrdinary);
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_TRUE(run->count >= least && run->count <= most);
    for (uint64_t i = 0; i < run->count; ++i) {
      const PageId page{run->first.value + i};
      ASSERT_TRUE(live_.insert(page).second) << "handed out twice: " << page.value;
      ASSERT_FALSE(f_.IsFixed(page));
      ASSERT_LT(page.value, f_.map->page_count());
    }
  }

  // Pages go from the working version; those of the last checkpoint wait for the next one.
  void Drop() {
    PageSet freed;
    for (uint64_t i = random_() % 40; i > 0 && !live_.empty(); --i) {
      const auto page = live_.lower_bound(PageId{random_() % f_.map->page_count()});
      if (page == live_.end() || dropped_.contains(*page)) continue;
      if (persisted_.contains(*page)) {
        dropped_.insert(*page);
      } else {
        freed.Insert(*page);
        live_.erase(page);
      }
    }
    f_.map->Free(freed);
  }

  PageSet Born() const {
    PageSet born;
    for (const PageId page : live_) {
      if (!persisted_.contains(page)) born.Insert(page);
    }
    return born;
  }
  PageSet Died() const {
    PageSet died;
    for (const PageId page : dropped_) died.Insert(page);
    return died;
  }

  void Checkpoint() {
    const PageSet died = Died();
    const absl::Status status = f_.Checkpoint(Born(), died);
    ASSERT_TRUE(status.ok()) << status;
    for (const PageId page : dropped_) live_.erase(page);
    dropped_.clear();
    persisted_ = live_;
    f_.map->Free(died);
  }

  void FailCheckpoint() {
    uint64_t calls_left = random_() % 6;
    f_.file->set_fault([&](const MemoryFile::Call& call) {
      if (call.kind == MemoryFile::Call::Kind::kRead) return absl::OkStatus();
      return calls_left-- == 0 ? absl::UnavailableError("injected") : absl::OkStatus();
    });
    const absl::StatusOr<std::vector<GroupEntry>> attempt =
        f_.map->WriteCheckpoint(Generation{++f_.generation}, Born(), Died());
    f_.file->set_fault(nullptr);
    f_.map->FinishCheckpoint(false);
  }

  // Everything since the last durable checkpoint is lost, unless all of the attempt survived.
  void CrashInCheckpoint() {
    const absl::StatusOr<std::vector<GroupEntry>> attempt =
        f_.map->WriteCheckpoint(Generation{++f_.generation}, Born(), Died());
    ASSERT_TRUE(attempt.ok()) << attempt.status();
    f_.map.reset();
    f_.file = f_.file->AfterCrash(
        512, [&](const MemoryFile::Unsynced& block) { return random_() % (block.versions + 1); });
    Open();
  }

  void Reopen() { Open(); }

  void Open() {
    const absl::Status status = f_.Open();
    ASSERT_TRUE(status.ok()) << status;
    live_ = persisted_;
    dropped_.clear();
    ExpectAll();
  }

  void ExpectAll() {
    if (::testing::Test::HasFatalFailure()) return;
    uint64_t free_pages = 0;
    for (PageId page{0}; page.value < f_.map->page_count(); ++page.value) {
      const bool fixed = f_.IsFixed(page);
      ASSERT_EQ(*f_.map->InPersistedMap(page), fixed || persisted_.contains(page)) << page.value;
      const bool live = *f_.map->InLiveMap(page);
      ASSERT_EQ(live, fixed || live_.contains(page)) << page.value;
      free_pages += live ? 0 : 1;
    }
    const SpaceStats stats = f_.map->stats();
    // Pages of a last group too short for anything belong to nobody.
    ASSERT_LE(stats.free_pages, free_pages);
    ASSERT_GE(stats.free_pages + SpaceLayout::kOverheadPages, free_pages);
    const absl::Status damage = f_.map->damage();
    ASSERT_TRUE(damage.ok()) << damage;
  }

  std::mt19937_64 random_;
  SpaceFixture f_;
  std::set<PageId> live_;       // in use, superblocks and slots aside
  std::set<PageId> persisted_;  // reachable from the last durable checkpoint
  std::set<PageId> dropped_;    // of those, dropped by the working version
};

TEST(SpacePropertyTest, M1M2M3HoldThroughRandomLives) {
  const uint64_t seed = testing::TestSeed();
  for (uint64_t i = 0; i < 40; ++i) {
    SCOPED_TRACE("life " + std::to_string(i));
    SpaceLife(seed + i).Run(300);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace keel::pager
