// Everything at once, in a pool far smaller than the data: lookups in guards, snapshots with pins, a writer that
// copies, changes in place, retires and uses ids again, write back, eviction, and faults that heal. The
// content of each page follows from {id, birth, revision}, so that any wrong byte is seen; the file has no
// lock, so that the thread sanitizer sees reads and writes of one page that overlap.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "pager/page_cache.h"
#include "pager/reclaimer.h"
#include "tests/support/seed.h"
#include "tests/unit/pager/cache_fixture.h"

namespace keel::pager {
namespace {

constexpr size_t kKeys = 700;
constexpr uint64_t kFirstId = 40;
constexpr uint64_t kIds = 1500;  // the youngest free one is used first: ids come back soon
constexpr size_t kStressFrames = 128;

struct PageVersion {
  PageId id;
  Epoch birth;
  uint64_t revision = 0;
};

struct Version {
  Epoch epoch;
  std::array<PageVersion, kKeys> pages;
};

class PageCacheStressTest : public PageCacheTest {
 protected:
  PageCacheStressTest() : random_(testing::TestSeed()) { Open({.frames = kStressFrames}); }

  // --- the writer ---

  PageId TakeId() {
    for (TakeBack(); free_ids_.empty(); TakeBack()) std::this_thread::yield();
    // The youngest first: as soon as the gate has let it through.
    const PageId id = free_ids_.back();
    free_ids_.pop_back();
    return id;
  }

  void TakeBack() {
    PageSet freed;
    {
      const std::lock_guard lock(registry_);
      reclaimer_.Examine(100, &freed);
    }
    cache_->Retire(freed);
    PageSet ready;
    cache_->CollectRetired(&ready);
    ready.ForEach([&](PageId id) { free_ids_.push_back(id); });
  }

  // A page of the working version: new, or changed in place where that is allowed.
  void Write(Version* working, size_t key, DeathList* deaths) {
    PageVersion& page = working->pages[key];
    if (page.birth == epoch_) {
      PageHandle pin = *cache_->PinResident(WantPage(page.id, page.birth));
      ASSERT_TRUE(pin);
      if (std::byte* bytes = cache_->TryMutate(pin, epoch_)) {
        FillTestPage({bytes, kPageBytes}, page.id, page.birth, ++page.revision);
        return;
      }
      FAIL() << "nobody else knows this page";
    }
    const PageId id = TakeId();
    ASSERT_EQ(cache_->ReserveFrames(1), absl::OkStatus());
    const MutablePage made = cache_->Create(id, epoch_);
    FillTestPage({made.bytes, kPageBytes}, id, epoch_);
    if (page.id.value != 0) deaths->push_back({.first = page.id, .count = 1, .birth = page.birth});
    page = {.id = id, .birth = epoch_};
  }

  void Publish(std::unique_ptr<Version> working, DeathList deaths) {
    working->epoch = epoch_;
    const Version* const version = working.get();
    versions_.push_back(std::move(working));
    NextEpoch();
    const std::lock_guard lock(registry_);
    visible_.store(version, std::memory_order_release);
    reclaimer_.AddDeaths(version->epoch, std::move(deaths));
  }

  void Commit(size_t changes) {
    auto working = std::make_unique<Version>(*visible_.load());
    DeathList deaths;
    for (size_t i = 0; i < changes; ++i) Write(working.get(), random_() % kKeys, &deaths);
    Publish(std::move(working), std::move(deaths));
    TakeBack();
  }

  void FirstVersion() {
    for (uint64_t i = 0; i < kIds; ++i) free_ids_.push_back(PageId{kFirstId + i});
    auto working = std::make_unique<Version>();
    DeathList deaths;
    for (size_t key = 0; key < kKeys; ++key) {
      Write(working.get(), key, &deaths);
      if (key % 10 == 0) NextEpoch();
    }
    Publish(std::move(working), std::move(deaths));
  }

  // --- readers ---

  // A lookup in a guard. Returns false on a miss.
  bool Lookup(size_t key) {
    const ReadGuard guard(*guards_);
    const PageVersion& page = visible_.load(std::memory_order_acquire)->pages[key];
    const std::byte* const bytes = cache_->Find(page.id);
    if (bytes == nullptr) return false;
    Expect(bytes, page);
    return true;
  }

  const Version* TakeSnapshot() {
    const std::lock_guard lock(registry_);
    const Version* const version = visible_.load();
    reclaimer_.AddKeeper(version->epoch);
    return version;
  }
  void ReleaseSnapshot(const Version* version) {
    PageSet freed;
    {
      const std::lock_guard lock(registry_);
      reclaimer_.ReleaseKeeper(version->epoch, &freed);
    }
    cache_->Retire(freed);
  }

  // Reads a few keys of a snapshot, and keeps the pins longer than the snapshot.
  void ReadSnapshot(std::mt19937_64& random,
                    std::vector<std::pair<PageHandle, PageVersion>>* pins) {
    const Version* const version = TakeSnapshot();
    for (int i = 0; i < 8; ++i) {
      const PageVersion& page = version->pages[random() % kKeys];
      absl::StatusOr<PageHandle> pin = cache_->Pin(WantPage(page.id, page.birth));
      if (!pin.ok()) {
        ++failures_;
        ADD_FAILURE() << pin.status();
        continue;
      }
      Expect(pin->bytes(), page);
      if (i < 2) pins->emplace_back(*std::move(pin), page);
    }
    ReleaseSnapshot(version);
    if (pins->size() < 8) return;
    for (const auto& [pin, page] : *pins) Expect(pin.bytes(), page);
    pins->clear();
  }

  void Expect(const std::byte* bytes, const PageVersion& page) {
    if (!IsTestPage({bytes, kPageBytes}, page.id, page.birth, page.revision)) ++failures_;
    ++checked_;
  }

  void Read(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::pair<PageHandle, PageVersion>> pins;
    while (!stop_.load(std::memory_order_relaxed)) {
      bool hit = true;
      // A few hot keys: frames that stay, beside those that go.
      for (int i = 0; i < 50; ++i) hit &= Lookup(random() % (i % 2 == 0 ? 20 : kKeys));
      if (!hit) ReadSnapshot(random, &pins);
    }
  }

  // --- background ---

  void WriteBack(uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stop_.load(std::memory_order_relaxed)) {
      cache_->Replenish();
      // As a checkpoint does: all pages of a snapshot; or some, as when dirty pages pile up.
      if (random() % 4 == 0) {
        const Version* const version = TakeSnapshot();
        PageSet pages;
        for (const PageVersion& page : version->pages) pages.Insert(page.id);
        Count(cache_->WriteBack(pages));
        ReleaseSnapshot(version);
      } else {
        Count(cache_->WriteBack(random() % 64).status());
      }
      std::this_thread::yield();
    }
  }
  void Count(const absl::Status& status) { write_errors_ += status.ok() ? 0 : 1; }

  // Every so many calls something goes wrong, and not again when tried once more.
  // Never two in a row at one place, however the threads take turns: that would be no passing fault.
  bool MayFail(uint64_t offset) {
    std::lock_guard lock(failed_last_mutex_);
    return failed_last_.erase(offset) == 0 && failed_last_.insert(offset).second;
  }

  void InjectPassingFaults() {
    file_.set_read_hook([this](uint64_t offset, std::span<std::byte> bytes) {
      const uint64_t call = ++read_calls_;
      const bool flips = call % 97 == 0;
      if ((!flips && call % 101 != 0) || !MayFail(offset)) return absl::OkStatus();
      if (!flips) return absl::UnavailableError("injected read error");
      bytes[call % bytes.size()] ^= std::byte{16};
      return absl::OkStatus();
    });
    file_.set_write_hook([this](uint64_t offset, auto) -> absl::StatusOr<uint64_t> {
      if (++write_calls_ % 53 == 0) return absl::UnavailableError("injected write error");
      return offset;
    });
  }

  // At most so many commits, and a few seconds on a busy machine.
  void Run(int commits) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    const auto enough = [&] { return std::chrono::steady_clock::now() > end || failures_ > 0; };
    FirstVersion();
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 3; ++i) threads.emplace_back([this, s = random_()] { Read(s); });
    threads.emplace_back([this, s = random_()] { WriteBack(s); });
    for (int i = 0; i < commits && !enough(); ++i) Commit(1 + random_() % 12);
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
  }

  // All is on disk, and in a new cache the same again.
  void CheckAfterRestart() {
    ASSERT_TRUE(cache_->WriteBack(kIds).ok());
    EXPECT_EQ(cache_->stats().dirty_frames, 0U);
    Open({.frames = kStressFrames});
    for (const PageVersion& page : visible_.load()->pages) {
      absl::StatusOr<PageHandle> pin = cache_->Pin(WantPage(page.id, page.birth));
      ASSERT_EQ(pin.status(), absl::OkStatus());
      Expect(pin->bytes(), page);
    }
  }

  std::mt19937_64 random_;
  std::deque<PageId> free_ids_;                     // the writer's
  std::vector<std::unique_ptr<Version>> versions_;  // all there ever were
  std::atomic<const Version*> visible_{nullptr};
  std::mutex registry_;
  Reclaimer reclaimer_;  // under registry_
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> failures_{0};
  std::atomic<uint64_t> checked_{0};
  std::atomic<uint64_t> write_errors_{0};
  std::atomic<uint64_t> read_calls_{0};
  std::mutex failed_last_mutex_;
  std::set<uint64_t> failed_last_;  // offsets, under failed_last_mutex_
  std::atomic<uint64_t> write_calls_{0};
};

TEST_F(PageCacheStressTest, NoWrongByteIsEverSeen) {
  Run(3000);
  EXPECT_EQ(failures_, 0U);
  EXPECT_EQ(write_errors_, 0U);
  const PageCacheStats stats = cache_->stats();
  EXPECT_GT(stats.evictions, 100U);
  EXPECT_EQ(stats.damaged_reads + stats.read_retries, 0U);
  CheckAfterRestart();
  EXPECT_EQ(failures_, 0U);
}

TEST_F(PageCacheStressTest, PassingFaultsAreNotNoticed) {
  InjectPassingFaults();
  Run(1500);
  EXPECT_EQ(failures_, 0U);
  EXPECT_EQ(write_errors_, 0U);
  EXPECT_GT(cache_->stats().read_retries, 0U);
  EXPECT_GT(cache_->stats().write_retries, 0U);
  EXPECT_EQ(cache_->stats().damaged_reads, 0U);
  CheckAfterRestart();
  EXPECT_EQ(failures_, 0U);
}

}  // namespace
}  // namespace keel::pager
