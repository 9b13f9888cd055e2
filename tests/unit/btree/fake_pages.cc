#include "tests/unit/btree/fake_pages.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/status.h"
#include "btree/lookup.h"
#include "btree/node_check.h"

namespace keel::testing {
namespace {

using pager::MutablePage;
using pager::PageHandle;
using pager::PageRun;

// Counts down; true once, when it gets to nothing.
bool IsTurn(int* countdown) { return *countdown > 0 && --*countdown == 0; }

}  // namespace

FakePages::~FakePages() { CheckFrozen(); }

FakePages::Page& FakePages::At(PageId id) const {
  const auto found = pages_.find(id.value);
  KEEL_CHECK(found != pages_.end());
  return *found->second;
}

FakePages::Page& FakePages::MakePage(PageId id) {
  auto page = std::make_unique<Page>();
  page->bytes = AlignedBuffer::Allocate(page_bytes_);
  page->birth = epoch_;
  std::memset(page->bytes.data(), 0, page_bytes_);
  const auto [place, inserted] = pages_.emplace(id.value, std::move(page));
  KEEL_CHECK(inserted);
  return *place->second;
}

void FakePages::Freeze() {
  epoch_ = NextEpoch(epoch_);
  reserved_ = 0;
  for (auto& [id, page] : pages_) {
    if (page->frozen) continue;
    page->frozen = true;
    page->frozen_checksum = Checksum(page->bytes.span(), id);
  }
}

void FakePages::CheckFrozen() const {
  if (tolerant_) return;
  for (const auto& [id, page] : pages_) {
    KEEL_CHECK(!page->frozen || page->frozen_checksum == Checksum(page->bytes.span(), id));
  }
}

void FakePages::Rollback() {
  for (auto& [id, page] : pages_) {
    if (page->birth == epoch_) {
      page->dropped = true;
    } else if (page->dropped && page->death == epoch_) {
      page->dropped = false;
    }
  }
  Freeze();
}

std::span<std::byte> FakePages::Bytes(PageId id) {
  At(id).frozen = false;
  return At(id).bytes.span();
}

void FakePages::Adopt(std::span<const std::byte> page) {
  const pager::PageHeader& header = pager::HeaderOf(page.data());
  Page& adopted = MakePage(PageId{header.page_id});
  std::memcpy(adopted.bytes.data(), page.data(), page_bytes_);
  adopted.birth = Epoch{header.birth};
  next_id_ = std::max(next_id_, header.page_id + 1);
}

std::set<uint64_t> FakePages::Live() const {
  std::set<uint64_t> live;
  for (const auto& [id, page] : pages_) {
    if (!page->dropped) live.insert(id);
  }
  return live;
}

uint64_t FakePages::pins() const {
  uint64_t pins = 0;
  for (const auto& [id, page] : pages_) pins += page->pins.load();
  return pins;
}

const std::byte* FakePages::Resident(PageId id) const {
  const auto found = pages_.find(id.value);
  return found == pages_.end() || damaged_.contains(id.value) ? nullptr
                                                              : found->second->bytes.data();
}

absl::StatusOr<PageHandle> FakePages::Pin(const pager::PageWant& want) {
  const PageId id = want.reference.id;
  ++pinned_;
  if (frame_to_use_ != 0 && At(PageId{frame_to_use_}).pins == 0) {
    std::ranges::fill(At(PageId{frame_to_use_}).bytes.span(), std::byte{0xff});
    frame_to_use_ = 0;
  }
  if (IsTurn(&fail_pin_) || damaged_.contains(id.value)) {
    return MakeStatus(absl::StatusCode::kDataLoss, "injected: page %d", id.value);
  }
  const auto found = pages_.find(id.value);
  if (found == pages_.end() || found->second->raw) {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: not there", id.value);
  }
  Page& page = *found->second;
  if (!btree::IsWanted(pager::HeaderOf(page.bytes.data()), id, want.reference.birth, want.keyspace,
                       want.level)) {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: another page", id.value);
  }
  KEEL_RETURN_IF_ERROR(btree::CheckNode(page.bytes.span()));
  page.pins.fetch_add(1);
  return PageHandle(page.bytes.data(), &page.pins);
}

absl::Status FakePages::ReadRaw(PageId first, std::span<std::byte> buffer) {
  KEEL_CHECK(buffer.size() % page_bytes_ == 0);
  for (size_t at = 0; at < buffer.size(); at += page_bytes_, ++first.value) {
    const auto found = pages_.find(first.value);
    if (found == pages_.end() || !found->second->raw) {
      std::memset(buffer.data() + at, 0xee, page_bytes_);
    } else {
      std::memcpy(buffer.data() + at, found->second->bytes.data(), page_bytes_);
    }
  }
  return absl::OkStatus();
}

uint64_t FakePages::RawSeed(PageId id) const { return ChecksumSeed(DatabaseId{1, 2}, id.value); }

absl::Status FakePages::Reserve(size_t pages) {
  if (IsTurn(&fail_reserve_) || pages > max_reserve_) {
    return absl::ResourceExhaustedError("injected: no space");
  }
  reserved_ = pages;
  return absl::OkStatus();
}

void FakePages::TakeReserved() {
  KEEL_CHECK(reserved_ > 0);  // P2
  --reserved_;
  ++created_;
}

MutablePage FakePages::Create(pager::PageKind kind, uint8_t level, KeyspaceId keyspace) {
  TakeReserved();
  const PageId id{next_id_++};
  Page& page = MakePage(id);
  pager::PageHeader& header = pager::HeaderOf(page.bytes.data());
  header.page_id = id.value;
  header.birth = epoch_.value;
  header.kind = static_cast<uint8_t>(kind);
  header.level = level;
  header.keyspace = keyspace.value;
  return {page.bytes.data(), id, epoch_};
}

MutablePage FakePages::Change(PageHandle handle) {
  KEEL_CHECK(reserved_ > 0);
  const PageId id{handle.header().page_id};
  Page& page = At(id);
  KEEL_CHECK(handle.bytes() == page.bytes.data() && !page.dropped);
  if (page.birth == epoch_ && page.pins.load() == 1 && !page.frozen) {
    --reserved_;
    return {page.bytes.data(), id, epoch_};
  }
  TakeReserved();
  const PageId copy_id{next_id_++};
  Page& copy = MakePage(copy_id);
  std::memcpy(copy.bytes.data(), page.bytes.data(), page_bytes_);
  pager::HeaderOf(copy.bytes.data()).page_id = copy_id.value;
  pager::HeaderOf(copy.bytes.data()).birth = epoch_.value;
  Drop(id, page.birth);
  return {copy.bytes.data(), copy_id, epoch_};
}

void FakePages::Drop(PageId id, Epoch birth) {
  if (tolerant_) return;
  Page& page = At(id);
  KEEL_CHECK(!page.dropped && !page.raw && page.birth == birth);
  page.dropped = true;
  page.death = epoch_;
}

absl::StatusOr<PageRun> FakePages::CreateRun(const pager::RunSize& size) {
  KEEL_CHECK(size.least > 0 && size.least <= size.most);
  if (IsTurn(&fail_create_run_)) return absl::ResourceExhaustedError("injected: no space");
  const uint64_t wanted = least_runs_ ? size.least : size.most;
  const PageRun run{PageId{next_id_}, std::min(wanted, max_run_pages_)};
  for (uint64_t i = 0; i < run.count; ++i) MakePage(PageId{next_id_++}).raw = true;
  ++next_id_;  // runs do not touch
  return run;
}

absl::Status FakePages::WriteRaw(PageId first, std::span<const std::byte> data) {
  KEEL_CHECK(data.size() % page_bytes_ == 0);
  if (IsTurn(&fail_write_raw_)) return absl::UnavailableError("injected: write failed");
  for (size_t at = 0; at < data.size(); at += page_bytes_, ++first.value) {
    Page& page = At(first);
    KEEL_CHECK(page.raw && !page.dropped && page.birth == epoch_);
    std::memcpy(page.bytes.data(), data.data() + at, page_bytes_);
  }
  return absl::OkStatus();
}

void FakePages::DropRun(const PageRun& run, Epoch birth) {
  if (tolerant_) return;
  for (uint64_t i = 0; i < run.count; ++i) {
    Page& page = At(PageId{run.first.value + i});
    KEEL_CHECK(page.raw && !page.dropped && page.birth == birth);
    page.dropped = true;
    page.death = epoch_;
  }
}

}  // namespace keel::testing
