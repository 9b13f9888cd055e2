#include "pager/page_cache.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/status.h"

namespace keel::pager {
namespace {

// Frames set aside beyond what was last asked for that are not worth giving back.
constexpr size_t kSurplus = 64;
// Of the frames: while so many are free, nobody is short of those set aside.
constexpr size_t kPlentyShare = 8;
// Free frames, as a share of all, below which the cache is crowded: more than the stock that is kept by evicting.
constexpr size_t kCrowdedShare = 16;
// Rounds of writing back before giving up on getting under the limit.
constexpr int kWriteRounds = 16;
// Of a large pool, to estimate how many are pinned.
constexpr size_t kFramesLookedAt = 4096;

absl::Status CheckOptions(const io::File& file, const PageCacheOptions& options) {
  if (!IsValidPageBytes(options.page_bytes)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "page size %d is not possible",
                      options.page_bytes);
  }
  if (file.alignment() > options.page_bytes) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "%s: pages of %d bytes, but the file wants transfers aligned to %d",
                      file.path().string(), options.page_bytes, file.alignment());
  }
  if (options.frames < kMinFrames || options.frames > UINT32_MAX) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "a page cache of %d frames: from %d to 2^32-1 are possible", options.frames,
                      kMinFrames);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageCache>> PageCache::Create(io::File* file, io::Clock* clock,
                                                             GuardDomain* guards,
                                                             const PageCacheOptions& options) {
  KEEL_RETURN_IF_ERROR(CheckOptions(*file, options));
  Memory memory;
  KEEL_ASSIGN_OR_RETURN(memory.table, PageTable::Reserve(options.frames));
  KEEL_ASSIGN_OR_RETURN(memory.frames, FramePool::Reserve(options.frames, options.page_bytes));
  return std::unique_ptr<PageCache>(new PageCache(file, clock, guards, options, std::move(memory)));
}

PageCache::PageCache(io::File* file, io::Clock* clock, GuardDomain* guards,
                     const PageCacheOptions& options, Memory memory)
    : table_(std::move(memory.table)),
      frames_(std::move(memory.frames), options.frames, options.page_bytes),
      guards_(*guards),
      page_bytes_(options.page_bytes),
      options_(options),
      limbo_(&frames_, &table_, guards),
      retired_(&table_, guards),
      evictor_(&frames_, &table_, &limbo_, guards, clock),
      loader_(file, clock, &frames_, &table_, &limbo_, &evictor_,
              {.page_bytes = options.page_bytes,
               .database = options.database,
               .check_page = options.check_page}),
      writer_(file, clock, &frames_, &table_,
              {.database = options.database,
               .read_only = options.read_only,
               .queue = options.write_queue}),
      read_queues_(options.make_read_queue),
      raw_(file, clock, options.page_bytes),
      overlay_(options.page_bytes, options.frames) {}

PageCache::~PageCache() {
  for (size_t i = 0; i < frames_.size(); ++i) {
    KEEL_DCHECK(frames_[i].pins.load(std::memory_order_acquire) == 0);
  }
}

// Whoever has unlinked the page meanwhile waits for this guard before it looks at the pins.
PageHandle PageCache::PinFound(const std::byte* page) {
  const GuardDomain::Slot* const slot = guards_.ThisThread();
  KEEL_DCHECK(slot->inside());
  Frame& frame = frames_.FrameOf(page);
  frame.pins.fetch_add(1, std::memory_order_relaxed);
  hits_[slot->index % hits_.size()].hits.fetch_add(1, std::memory_order_relaxed);
  return PageHandle(page, &frame.pins);
}

PageHandle PageCache::PinLinked(PageId id) {
  std::optional<ReadGuard> guard;
  if (!guards_.ThisThread()->inside()) guard.emplace(guards_);
  const std::byte* const bytes = table_.Find(id);
  return bytes == nullptr ? PageHandle() : PinFound(bytes);
}

absl::StatusOr<PageHandle> PageCache::Pin(const PageWant& want) {
  KEEL_DCHECK(!guards_.ThisThread()->inside());
  PageHandle page = PinLinked(want.reference.id);
  if (!page) {
    misses_.fetch_add(1, std::memory_order_relaxed);
    KEEL_ASSIGN_OR_RETURN(page, loader_.Load(want));
  }
  KEEL_RETURN_IF_ERROR(loader_.Compare(want, page.bytes()));
  return page;
}

size_t PageCache::PinnedTogetherMax() const {
  return std::clamp<size_t>(frames_.size() / 8, 1, ReadQueues::kDepth);
}

void PageCache::PinTogether(MoreWants more, TakePage take) {
  KEEL_DCHECK(!guards_.ThisThread()->inside());
  // One alone is not worth a queue.
  std::vector<PageWant> begin;
  for (std::span<const PageWant> wants = more(); !wants.empty(); wants = more()) {
    begin.insert(begin.end(), wants.begin(), wants.end());
    if (begin.size() > 1) break;
  }
  std::unique_ptr<io::IoQueue> queue = begin.size() > 1 ? read_queues_.Borrow() : nullptr;
  if (queue == nullptr) return PinOneByOne(std::move(begin), more, take);
  bool begun = false;
  const auto next = [&] {
    const std::span<const PageWant> wants = std::exchange(begun, true) ? more() : begin;
    misses_.fetch_add(wants.size(), std::memory_order_relaxed);
    return wants;
  };
  loader_.LoadTogether(next, queue, take);
  read_queues_.GiveBack(std::move(queue));
}

void PageCache::PinOneByOne(std::vector<PageWant> all, MoreWants more, TakePage take) {
  for (std::span<const PageWant> wants = more(); !wants.empty(); wants = more()) {
    all.insert(all.end(), wants.begin(), wants.end());
  }
  KEEL_DCHECK(all.size() <= PinnedTogetherMax());
  for (size_t i = 0; i < all.size(); ++i) {
    if (absl::StatusOr<PageHandle> page = Pin(all[i]); page.ok()) take(i, *std::move(page));
  }
}

absl::StatusOr<PageHandle> PageCache::PinResident(const PageWant& want) {
  PageHandle page = PinLinked(want.reference.id);
  if (page) KEEL_RETURN_IF_ERROR(loader_.Compare(want, page.bytes()));
  return page;
}

absl::Status PageCache::ReadRaw(PageId first, std::span<std::byte> buffer) {
  if (!options_.read_only) return raw_.Read(first, buffer);
  // Pages beyond the file's end exist only in memory.
  if (!overlay_.Covers(first, buffer.size() / options_.page_bytes)) {
    KEEL_RETURN_IF_ERROR(raw_.Read(first, buffer));
  }
  overlay_.Patch(first, buffer);
  return absl::OkStatus();
}

absl::Status PageCache::WriteRaw(PageId first, std::span<const std::byte> data) {
  return options_.read_only ? overlay_.Write(first, data) : raw_.Write(first, data);
}

uint64_t PageCache::RawSeed(PageId id) const { return ChecksumSeed(options_.database, id.value); }

// --- the writer's ---

absl::Status PageCache::ReserveFrames(size_t count) {
  KEEL_RETURN_IF_ERROR(LimitDirty(count));
  ReturnSurplus(count);
  for (int round = 0; set_aside_.size() < count; ++round) {
    const absl::Status status = SetFramesAside(count);
    if (status.ok()) break;
    // Clean pages may all be pinned: dirty ones can be written, and evicted then.
    if (round == kWriteRounds) return status;
    const absl::StatusOr<size_t> written = writer_.WriteSome(std::max(count, kSurplus));
    if (!written.ok()) return CannotWrite(written.status());
    if (*written == 0) return status;
  }
  return absl::OkStatus();
}

size_t PageCache::dirty_max() const {
  return static_cast<size_t>(static_cast<double>(frames_.size()) * kMaxDirtyShare);
}

absl::Status PageCache::LimitDirty(size_t count) {
  const size_t limit = dirty_max();
  // Others may write meanwhile.
  size_t before = writer_.dirty();
  for (int round = 0; before + count > limit; ++round, before = writer_.dirty()) {
    if (options_.read_only || count > limit || round == kWriteRounds) return TooDirty(count);
    // More than is needed, so that the next calls find room, and long runs.
    const size_t excess = before + count - limit;
    const absl::StatusOr<size_t> written = writer_.WriteSome(excess + frames_.size() / 16);
    if (writer_.dirty() < before) continue;  // some were written, if not all
    if (!written.ok()) return CannotWrite(written.status());
    if (*written == 0) return TooDirty(count);
  }
  return absl::OkStatus();
}

// Memory is what is short: it has room again once pages can be written, without reopening.
absl::Status PageCache::CannotWrite(const absl::Status& why) const {
  return MakeStatus(absl::StatusCode::kResourceExhausted,
                    "%d of %d page frames hold changed pages, and they cannot be written: %s",
                    writer_.dirty(), frames_.size(), MessageOf(why));
}

absl::Status PageCache::TooDirty(size_t count) const {
  const auto needed = static_cast<uint64_t>(
      static_cast<double>((writer_.dirty() + count) * page_bytes_) / kMaxDirtyShare);
  return MakeStatus(
      absl::StatusCode::kResourceExhausted,
      "%d new pages beside %d changed ones that %s: that needs a memory budget of %d bytes "
      "for pages, there are %d",
      count, writer_.dirty(),
      options_.read_only ? "are never written (read-only)"
                         : "cannot be written yet (epoch not frozen)",
      needed + page_bytes_, frames_.budget_bytes());
}

absl::Status PageCache::SetFramesAside(size_t count) {
  while (set_aside_.size() < count) {
    KEEL_ASSIGN_OR_RETURN(Frame* const frame, evictor_.Take());
    set_aside_.push_back(frame);
  }
  return absl::OkStatus();
}

void PageCache::ReturnSurplus(size_t count) {
  const bool plenty = frames_.free_frames() >= frames_.size() / kPlentyShare;
  if (plenty || set_aside_.size() <= count + kSurplus) return;
  frames_.Free(std::span(set_aside_).subspan(count));
  set_aside_.resize(count);
}

MutablePage PageCache::Create(PageId id, Epoch birth) {
  Frame& frame = TakeSetAside();
  std::memset(frames_.BytesOf(frame).data(), 0, page_bytes_);
  return LinkNew(frame, id, birth);
}

MutablePage PageCache::CreateCopy(PageId id, Epoch birth, const std::byte* source) {
  Frame& frame = TakeSetAside();
  std::memcpy(frames_.BytesOf(frame).data(), source, page_bytes_);
  return LinkNew(frame, id, birth);
}

Frame& PageCache::TakeSetAside() {
  KEEL_CHECK(!set_aside_.empty());
  Frame& frame = *set_aside_.back();
  set_aside_.pop_back();
  return frame;
}

MutablePage PageCache::LinkNew(Frame& frame, PageId id, Epoch birth) {
  KEEL_CHECK(!writer_.IsFrozen(birth));
  std::byte* const bytes = frames_.BytesOf(frame).data();
  HeaderOf(bytes).page_id = id.value;
  HeaderOf(bytes).birth = birth.value;
  frame.page.store(id.value, std::memory_order_relaxed);
  frame.birth.store(birth.value, std::memory_order_relaxed);
  writer_.CountDirty();
  mutable_pages_.fetch_add(1, std::memory_order_relaxed);
  Retirement stale;
  {
    PageTable::Shard& shard = table_.ShardOf(id);
    const absl::MutexLock lock(&shard.mutex);
    UnlinkStale(shard, id, &stale);
    table_.Link(shard, id, bytes);
    frame.Set(Frame::kLinked | Frame::kDirty);
  }
  limbo_.Add(std::move(stale.unlinked));
  return {.bytes = bytes, .id = id, .birth = birth};
}

void PageCache::UnlinkStale(PageTable::Shard& shard, PageId id, Retirement* stale) {
  const std::byte* const bytes = table_.Lookup(shard, id);
  // Changed or being written, it would be a page in use: the id was given out twice.
  KEEL_CHECK(bytes == nullptr || frames_.FrameOf(bytes).Is(Frame::kLinked));
  UnlinkDead(shard, id, stale);
}

std::byte* PageCache::TryMutate(PageHandle& page, Epoch current) {
  Frame& frame = frames_.FrameOf(page.bytes());
  if (frame.birth.load(std::memory_order_relaxed) != current.value) return nullptr;
  if (frame.pins.load(std::memory_order_acquire) != 1 || writer_.IsFrozen(current)) return nullptr;
  KEEL_CHECK(frame.Is(Frame::kLinked | Frame::kDirty));
  page.Release();
  return frames_.BytesOf(frame).data();
}

std::byte* PageCache::BytesOfMutable(const std::byte* bytes) {
  Frame& frame = frames_.FrameOf(bytes);
  KEEL_DCHECK(frame.pins.load(std::memory_order_acquire) == 0);
  KEEL_DCHECK(!writer_.IsFrozen(Epoch{HeaderOf(bytes).birth}));
  return frames_.BytesOf(frame).data();
}

void PageCache::Freeze(Epoch epoch) {
  KEEL_CHECK(epoch.value >= frozen_before_);
  if (epoch.value > frozen_before_) mutable_pages_.store(0, std::memory_order_relaxed);
  frozen_before_ = epoch.value;
  writer_.Freeze(epoch);
}

// --- space ---

void PageCache::Retire(const PageSet& pages) {
  if (pages.empty()) return;
  Retirement retirement;
  pages.ForEach([&](PageId id) { UnlinkRetired(id, 1, &retirement); });
  limbo_.Add(std::move(retirement.unlinked));
  retired_.Add(pages, retirement.writes);
}

void PageCache::Retire(PageId first, uint64_t count) {
  if (count == 0) return;
  Retirement retirement;
  UnlinkRetired(first, count, &retirement);
  limbo_.Add(std::move(retirement.unlinked));
  retired_.Add(first, count, retirement.writes);
}

// Chunk by chunk: a long run of raw pages has nothing in memory.
void PageCache::UnlinkRetired(PageId first, uint64_t count, Retirement* retirement) {
  const uint64_t end = first.value + count;
  for (uint64_t id = first.value; id < end;) {
    const uint64_t chunk = id / PageTable::kChunkPages;
    const uint64_t stop = std::min(end, (chunk + 1) * PageTable::kChunkPages);
    PageTable::Shard& shard = table_.ShardOf(PageId{id});
    const absl::MutexLock lock(&shard.mutex);
    if (table_.ChunkInUse(shard, PageId{id}) || !shard.loads.empty()) {
      for (; id < stop; ++id) UnlinkDead(shard, PageId{id}, retirement);
    }
    id = stop;
  }
}

void PageCache::UnlinkDead(PageTable::Shard& shard, PageId id, Retirement* retirement) {
  const auto load = shard.loads.find(id.value);
  if (load != shard.loads.end()) load->second->abandoned = true;
  const std::byte* const bytes = table_.Lookup(shard, id);
  if (bytes == nullptr) return;
  Frame& frame = frames_.FrameOf(bytes);
  const bool writing = frame.Has(Frame::kWriting);
  if (frame.Has(Frame::kDirty)) {
    writer_.CountDropped();
    const Epoch birth{frame.birth.load(std::memory_order_relaxed)};
    if (!writer_.IsFrozen(birth)) mutable_pages_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (writing) retirement->writes.push_back({.id = id, .frame = &frame});
  retirement->unlinked.Add(&frame, table_.Unlink(shard, id));
  frame.Set(writing ? Frame::kWriting : 0U);
}

void PageCache::Supersede(std::span<const PageId> pages) {
  Unlinked unlinked;
  uint64_t given_back = 0;
  for (const PageId id : pages) given_back += evictor_.UnlinkUnread(id, &unlinked) ? 1U : 0U;
  superseded_.fetch_add(given_back, std::memory_order_relaxed);
  limbo_.Add(std::move(unlinked));
}

void PageCache::ReclaimFrames() {
  if (limbo_.AwaitsGuards()) guards_.Refresh();
  limbo_.Reclaim();
}

void PageCache::CollectRetired(PageSet* ready) {
  retired_.Collect(ready);
  limbo_.Reclaim();
}

uint64_t PageCache::retired() const { return retired_.size(); }

// --- writing back ---

absl::StatusOr<size_t> PageCache::WriteBack(size_t max_pages) {
  return writer_.WriteSome(max_pages);
}

absl::Status PageCache::WriteBack(const PageSet& pages) { return writer_.WriteThese(pages); }

void PageCache::StopWriting(const absl::Status& reason, Epoch durable) {
  evictor_.Spare(durable);
  writer_.Stop(reason);
}

bool PageCache::DirtyAbove(double share) const {
  return static_cast<double>(writer_.dirty()) > share * static_cast<double>(frames_.size());
}

bool PageCache::Crowded() const { return frames_.free_frames() < frames_.size() / kCrowdedShare; }

// Every frame of a few, some thousands spread over many; of those in use only, since to look at others would have the
// system find memory for them.
uint64_t PageCache::EstimatePinned() const {
  const size_t used = frames_.first_untouched();
  const size_t step = std::max<size_t>(1, used / kFramesLookedAt);
  uint64_t looked_at = 0;
  uint64_t pinned = 0;
  for (size_t i = 0; i < used; i += step, ++looked_at) {
    if (frames_[i].pins.load(std::memory_order_relaxed) != 0) ++pinned;
  }
  return pinned * used / std::max<uint64_t>(looked_at, 1);
}

void PageCache::Replenish() { evictor_.Stock(std::clamp<size_t>(frames_.size() / 32, 8, 1024)); }

PageCacheStats PageCache::stats() const {
  const LoaderStats loader = loader_.stats();
  PageCacheStats stats{.frames = frames_.size(),
                       .free_frames = frames_.free_frames(),
                       .dirty_frames = writer_.dirty(),
                       .dirty_frames_max = dirty_max(),
                       .pinned_frames = EstimatePinned(),
                       .table_bytes = table_.memory_bytes(),
                       .misses = misses_.load(std::memory_order_relaxed),
                       .evictions = evictor_.evictions(),
                       .superseded = superseded_.load(std::memory_order_relaxed),
                       .pages_read = loader.pages_read,
                       .pages_written = writer_.pages_written(),
                       .write_retries = writer_.retries(),
                       .read_retries = loader.read_retries,
                       .damaged_reads = loader.damaged_reads};
  for (const HitCounter& counter : hits_) {
    stats.hits += counter.hits.load(std::memory_order_relaxed);
  }
  return stats;
}

}  // namespace keel::pager
