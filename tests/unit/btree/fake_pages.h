// A pager in memory that watches its caller: the rules P1 and P2, and that no page is lost.
//
// Pages that were dropped stay readable, so that snapshots of older roots can be read on; Live() tells which
// pages are not dropped, to be compared with what the newest root reaches.

#ifndef KEEL_TESTS_UNIT_BTREE_FAKE_PAGES_H_
#define KEEL_TESTS_UNIT_BTREE_FAKE_PAGES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "base/aligned_buffer.h"
#include "pager/page_access.h"

namespace keel::testing {

class FakePages : public pager::PageSink {
 public:
  explicit FakePages(uint32_t page_bytes) : page_bytes_(page_bytes) {}
  ~FakePages() override;

  // --- what a test turns ---

  // From now on nothing that is there may change.
  void Freeze();
  // The n-th call from now (1: the next one) fails, once; 0: none does.
  void FailPin(int n) { fail_pin_ = n; }
  void FailReserve(int n) { fail_reserve_ = n; }
  void FailCreateRun(int n) { fail_create_run_ = n; }
  void FailWriteRaw(int n) { fail_write_raw_ = n; }
  // The page gives DataLoss from now on; or no longer.
  void Damage(PageId id) { damaged_.insert(id.value); }
  void Heal(PageId id) { damaged_.erase(id.value); }
  // Its frame goes to another page at the next Pin that finds it without pins: what is there then is of no tree.
  void UseFrameAgain(PageId id) { frame_to_use_ = id.value; }
  void set_max_run_pages(uint64_t pages) { max_run_pages_ = pages; }
  // Runs have as few pages as was allowed.
  void set_least_runs() { least_runs_ = true; }
  // Reserve fails above this many pages.
  void set_max_reserve(size_t pages) { max_reserve_ = pages; }
  // As a rollback does: pages of the current epoch are dropped, and drops of this epoch forgotten.
  void Rollback();
  // For trees that were spoilt: wrong drops are passed over, and frozen pages not compared.
  void set_tolerant() { tolerant_ = true; }
  // Bytes of a page, to look at or to spoil.
  std::span<std::byte> Bytes(PageId id);
  // Puts a page of one's own making in, under the id and birth in its header.
  void Adopt(std::span<const std::byte> page);

  // --- what a test looks at ---

  // Aborts if a frozen page was changed.
  void CheckFrozen() const;
  // Pages created and not dropped, of trees and of large values.
  std::set<uint64_t> Live() const;
  uint64_t pins() const;
  uint64_t pages_created() const { return created_; }
  uint64_t pages_pinned() const { return pinned_; }
  // Without the bookkeeping of Pin, for lookups.
  const std::byte* Resident(PageId id) const;

  // --- PageSink ---

  uint32_t page_bytes() const override { return page_bytes_; }
  absl::StatusOr<pager::PageHandle> Pin(const pager::PageWant& want) override;
  absl::Status ReadRaw(PageId first, std::span<std::byte> buffer) override;
  uint64_t RawSeed(PageId id) const override;
  Epoch current_epoch() const override { return epoch_; }
  absl::Status Reserve(size_t pages) override;
  pager::MutablePage Create(pager::PageKind kind, uint8_t level, KeyspaceId keyspace) override;
  pager::MutablePage Change(pager::PageHandle page) override;
  void Drop(PageId id, Epoch birth) override;
  absl::StatusOr<pager::PageRun> CreateRun(const pager::RunSize& size) override;
  absl::Status WriteRaw(PageId first, std::span<const std::byte> data) override;
  void DropRun(const pager::PageRun& run, Epoch birth) override;

 private:
  struct Page {
    AlignedBuffer bytes;
    Epoch birth;
    std::atomic<uint32_t> pins = 0;
    bool raw = false;
    bool dropped = false;
    Epoch death;
    bool frozen = false;
    uint64_t frozen_checksum = 0;
  };

  Page& At(PageId id) const;
  Page& MakePage(PageId id);
  void TakeReserved();

  const uint32_t page_bytes_;
  Epoch epoch_ = MakeEpoch(1, 1);
  uint64_t next_id_ = 100;
  size_t reserved_ = 0;
  size_t max_reserve_ = SIZE_MAX;
  bool least_runs_ = false;
  uint64_t max_run_pages_ = UINT64_MAX;
  uint64_t created_ = 0;
  uint64_t pinned_ = 0;
  bool tolerant_ = false;
  int fail_pin_ = 0;
  int fail_reserve_ = 0;
  int fail_create_run_ = 0;
  int fail_write_raw_ = 0;
  std::set<uint64_t> damaged_;
  uint64_t frame_to_use_ = 0;
  std::map<uint64_t, std::unique_ptr<Page>> pages_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_UNIT_BTREE_FAKE_PAGES_H_
