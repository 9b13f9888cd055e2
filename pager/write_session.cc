#include "pager/write_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"

namespace keel::pager {

namespace {

// Ids are fetched in runs, so that a transaction's pages lie together on disk.
constexpr uint64_t kStockRun = 32;
// Retired ids that are worth a look at the guards.
constexpr uint64_t kRetiredBatch = 64;
// Deaths between two marks that are kept one by one.
constexpr size_t kListedDeaths = 4096;
// Superseded pages whose frames are given back together: few enough to be still near when they are used again.
constexpr size_t kSupersededBatch = 64;

}  // namespace

WriteSession::WriteSession(PageCache* cache, SpaceMap* space, Epoch published, Epoch current,
                           size_t mutable_pages_max)
    : cache_(cache),
      space_(space),
      mutable_pages_max_(mutable_pages_max),
      published_(published),
      epoch_(current.value) {
  KEEL_CHECK(published < current);
  levels_.push_back(Level{.since = current});
  cache_->Freeze(current);
}

void WriteSession::RaiseEpoch() {
  const Epoch raised = NextEpoch(current_epoch());
  epoch_.store(raised.value, std::memory_order_relaxed);
  cache_->Freeze(raised);
}

WriteSession::Mark WriteSession::SetMark() {
  RaiseEpoch();
  levels_.push_back(Level{.since = current_epoch()});
  return levels_.size() - 1;
}

void WriteSession::RollbackTo(Mark mark) {
  KEEL_CHECK(mark < levels_.size());
  sealed_.reset();
  for (size_t i = mark; i < levels_.size(); ++i) cache_->Retire(levels_[i].born);
  levels_.resize(mark);
  RaiseEpoch();
  levels_.push_back(Level{.since = current_epoch()});
}

void WriteSession::ReleaseMark(Mark mark) {
  KEEL_CHECK(mark > 0 && mark + 1 == levels_.size());
  Level released = std::move(levels_.back());
  levels_.pop_back();
  Level& level = levels_.back();
  level.born.Absorb(std::move(released.born));
  level.dead.Absorb(std::move(released.dead));
  PageSet unkept;
  released.own_dead.ForEach([&](PageId id) {
    if (level.born.Erase(id)) {
      unkept.Insert(id);
    } else {
      level.own_dead.Insert(id);
    }
  });
  if (!unkept.empty()) cache_->Retire(unkept);
}

Epoch WriteSession::Seal() {
  KEEL_CHECK(!sealed_.has_value());
  sealed_ = current_epoch();
  RaiseEpoch();
  return *sealed_;
}

void WriteSession::CollectDeaths(Epoch newest_birth, PageSet* died) const {
  for (const Level& level : levels_) level.dead.CollectBornUpTo(newest_birth, died);
}

WriteSession::Publication WriteSession::Publish() {
  Publication publication{.epoch = sealed_.value_or(current_epoch())};
  for (Level& level : levels_) {
    publication.deaths.Absorb(std::move(level.dead));
    // Only a mark of this transaction kept them.
    if (!level.own_dead.empty()) cache_->Retire(level.own_dead);
  }
  levels_.clear();
  published_ = publication.epoch;
  sealed_.reset();
  RaiseEpoch();
  levels_.push_back(Level{.since = current_epoch()});
  return publication;
}

bool WriteSession::TakeBackRetired() {
  PageSet ready;
  cache_->CollectRetired(&ready);
  if (ready.empty()) return false;
  space_->Free(ready);
  return true;
}

absl::Status WriteSession::Reserve(size_t pages) {
  if (in_place_) {
    KEEL_CHECK(stock_pages_ >= pages && cache_->frames_set_aside() >= pages);
    return absl::OkStatus();
  }
  if (superseded_.size() >= kSupersededBatch) GiveBackSuperseded();
  if (TooManyMutable()) RaiseEpoch();
  if (space_use_ < stock_use_) GiveBackReserve();
  KEEL_RETURN_IF_ERROR(FillStock(pages));
  return cache_->ReserveFrames(pages);
}

// Whether that was all.
bool WriteSession::DropSuperseded(const PageRun& run, Epoch birth) {
  const Reclaimer::Holder holder = holder_of_(birth);
  if (holder == Reclaimer::Holder::kNobody) {
    cache_->Retire(run.first, run.count);
    return true;
  }
  if (holder == Reclaimer::Holder::kUnread && run.count == 1) superseded_.push_back(run.first);
  return false;
}

// One that has been freed and used again meanwhile is changed, and stays; or has been written already, and is read
// again.
void WriteSession::GiveBackSuperseded() {
  cache_->Supersede(superseded_);
  superseded_.clear();
  cache_->ReclaimFrames();
}

absl::Status WriteSession::FillStock(uint64_t pages) {
  if (stock_pages_ >= pages) return absl::OkStatus();
  if (cache_->retired() >= kRetiredBatch) TakeBackRetired();
  while (stock_pages_ < pages) {
    const uint64_t wanted = std::max<uint64_t>(pages - stock_pages_, kStockRun);
    const absl::StatusOr<PageRun> run = space_->AllocateAny(wanted, space_use_);
    // On a full disk every page counts that only waits to be taken back.
    if (IsDiskFull(run.status()) && TakeBackRetired()) continue;
    KEEL_RETURN_IF_ERROR(run.status());
    stock_.insert(stock_.begin(), *run);
    stock_pages_ += run->count;
    stock_use_ = space_use_;
  }
  return absl::OkStatus();
}

// What a delete took from the reserve and did not need is not for others.
void WriteSession::GiveBackReserve() {
  stock_use_ = space_use_;
  if (!space_->BelowReserve()) return;
  for (const PageRun& run : stock_) space_->Free(run);
  stock_.clear();
  stock_pages_ = 0;
}

PageId WriteSession::TakeId() {
  KEEL_CHECK(stock_pages_ > 0);
  PageRun& run = stock_.back();
  const PageId id = run.first;
  ++run.first.value;
  --run.count;
  --stock_pages_;
  if (run.count == 0) stock_.pop_back();
  return id;
}

absl::StatusOr<PageHandle> WriteSession::TakeInPlace(const PageWant& want) const {
  if (want.reference.birth != current_epoch()) return absl::CancelledError();
  const std::byte* const bytes = cache_->Find(want.reference.id);
  KEEL_CHECK(bytes != nullptr && HeaderOf(bytes).birth == want.reference.birth.value);
  return PageHandle(bytes, nullptr);
}

PageId WriteSession::NewId() {
  KEEL_DCHECK(!sealed_.has_value());
  const PageId id = TakeId();
  levels_.back().born.Insert(id);
  return id;
}

MutablePage WriteSession::Create(PageKind kind, uint8_t level, KeyspaceId keyspace) {
  const MutablePage page = cache_->Create(NewId(), current_epoch());
  PageHeader& header = HeaderOf(page.bytes);
  header.kind = static_cast<uint8_t>(kind);
  header.level = level;
  header.keyspace = keyspace.value;
  return page;
}

MutablePage WriteSession::Change(PageHandle page) {
  const PageId old_id{page.header().page_id};
  const Epoch old_birth{page.header().birth};
  std::byte* const bytes =
      in_place_ ? cache_->BytesOfMutable(page.bytes()) : cache_->TryMutate(page, current_epoch());
  if (bytes != nullptr) {
    if (watched_) BeginChange(bytes);
    return MutablePage{bytes, old_id, old_birth};
  }
  const MutablePage copy = cache_->CreateCopy(NewId(), current_epoch(), page.bytes());
  Drop(old_id, old_birth);
  return copy;
}

void WriteSession::BeginChange(std::byte* page) {
  Sequence& changes = cache_->ChangesOf(page);
  if (changes.changing()) return;
  changes.BeginChange();
  changing_.push_back(&changes);
}

void WriteSession::EndChanges() {
  for (Sequence* const changes : changing_) changes->EndChange();
  changing_.clear();
  watched_ = false;
}

void WriteSession::Drop(PageId id, Epoch birth) { DropRun(PageRun{id, 1}, birth); }

absl::StatusOr<PageRun> WriteSession::CreateRun(const RunSize& size) {
  if (cache_->retired() >= kRetiredBatch) TakeBackRetired();
  absl::StatusOr<PageRun> run = space_->Allocate(size, space_use_);
  if (IsDiskFull(run.status()) && TakeBackRetired()) run = space_->Allocate(size, space_use_);
  KEEL_RETURN_IF_ERROR(run.status());
  levels_.back().born.InsertRun(run->first, run->count);
  return run;
}

void WriteSession::DropRun(const PageRun& run, Epoch birth) {
  Level& level = levels_.back();
  if (birth <= published_) {
    if (superseding_ && DropSuperseded(run, birth)) return;
    level.dead.Add(DeadPage{run.first, run.count, birth});
    if (level.dead.listed() >= kListedDeaths && keepers_) level.dead.Compact(keepers_());
    return;
  }
  if (birth < level.since) {
    level.own_dead.InsertRun(run.first, run.count);
    return;
  }
  for (uint64_t i = 0; i < run.count; ++i) {
    KEEL_CHECK(level.born.Erase(PageId{run.first.value + i}));
  }
  cache_->Retire(run.first, run.count);
}

}  // namespace keel::pager
