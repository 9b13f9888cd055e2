#include "pager/page_loader.h"

#include <absl/time/time.h>

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel::pager {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(1);
constexpr size_t kSubmittedTogether = 8;

bool SamePage(const PageWant& a, const PageWant& b) {
  return a.reference.id == b.reference.id && a.reference.birth == b.reference.birth &&
         a.keyspace == b.keyspace && a.level == b.level;
}

absl::Status Mismatch(std::string_view what, uint64_t expected, uint64_t found) {
  return MakeStatus(absl::StatusCode::kDataLoss, "expected %s %d, found %d", what, expected, found);
}

// Unless the header is that of the page wanted.
absl::Status CompareHeader(const PageWant& want, const PageHeader& header) {
  const PageKind kind = want.level == 0 ? PageKind::kLeaf : PageKind::kInternal;
  if (header.page_id != want.reference.id.value) {
    return Mismatch("page id", want.reference.id.value, header.page_id);
  }
  if (header.birth != want.reference.birth.value) {
    return Mismatch("birth (lost or stale write)", want.reference.birth.value, header.birth);
  }
  if (header.kind != static_cast<uint8_t>(kind)) {
    return MakeStatus(absl::StatusCode::kDataLoss, "expected kind %s, found %s", PageKindName(kind),
                      PageKindName(static_cast<PageKind>(header.kind)));
  }
  if (header.level != want.level) return Mismatch("level", want.level, header.level);
  if (header.keyspace != want.keyspace.value) {
    return Mismatch("keyspace", want.keyspace.value, header.keyspace);
  }
  return absl::OkStatus();
}

// Whether another try may help.
bool MayPass(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsUnavailable(status);
}

}  // namespace

PageLoader::PageLoader(io::File* file, io::Clock* clock, FramePool* frames, PageTable* table,
                       Limbo* limbo, Evictor* evictor, const Options& options)
    : file_(*file),
      clock_(*clock),
      frames_(*frames),
      table_(*table),
      limbo_(*limbo),
      evictor_(*evictor),
      options_(options) {}

absl::StatusOr<PageHandle> PageLoader::Load(const PageWant& want) {
  if (want.reference.id.value >= PageTable::kPages) {
    return WithContext(absl::DataLossError("no data file is that long"), Place(want));
  }
  PageTable::Shard& shard = table_.ShardOf(want.reference.id);
  std::shared_ptr<PageLoad> mine;
  auto found = FindOrBegin(want, shard, &mine);
  return found.has_value() ? *std::move(found) : Perform(shard, mine);
}

std::optional<absl::StatusOr<PageHandle>> PageLoader::FindOrBegin(const PageWant& want,
                                                                  PageTable::Shard& shard,
                                                                  std::shared_ptr<PageLoad>* mine) {
  const PageId id = want.reference.id;
  const absl::MutexLock lock(&shard.mutex);
  for (;;) {
    if (const std::byte* bytes = table_.Lookup(shard, id); bytes != nullptr) {
      Frame& frame = frames_.FrameOf(bytes);
      frame.pins.fetch_add(1, std::memory_order_relaxed);
      return TakePin(frame);
    }
    const auto under_way = shard.loads.find(id.value);
    if (under_way == shard.loads.end()) break;
    if (auto joined = Join(want, shard, under_way->second); joined.has_value()) return joined;
  }
  *mine = std::make_shared<PageLoad>(want);
  shard.loads.emplace(id.value, *mine);
  return std::nullopt;
}

std::optional<absl::StatusOr<PageHandle>> PageLoader::Join(const PageWant& want,
                                                           PageTable::Shard& shard,
                                                           const std::shared_ptr<PageLoad>& load) {
  const std::shared_ptr<PageLoad> keep = load;
  // The read of a page that has died meanwhile is nobody else's.
  const bool ours = !keep->abandoned;
  if (ours) ++keep->waiters;
  while (!keep->done) keep->finished.Wait(&shard.mutex);
  if (!ours) return std::nullopt;
  if (keep->frame != nullptr) return TakePin(*keep->frame);
  // What is damage for another's want may be well for ours.
  if (!SamePage(keep->want, want)) return std::nullopt;
  return keep->status;
}

absl::StatusOr<PageHandle> PageLoader::Perform(PageTable::Shard& shard,
                                               const std::shared_ptr<PageLoad>& load) {
  return End(shard, load, ReadIntoFrame(load->want));
}

absl::StatusOr<PageHandle> PageLoader::End(PageTable::Shard& shard,
                                           const std::shared_ptr<PageLoad>& load,
                                           absl::StatusOr<Frame*> read) {
  const PageId id = load->want.reference.id;
  Unlinked unlinked;
  {
    const absl::MutexLock lock(&shard.mutex);
    shard.loads.erase(id.value);
    load->done = true;
    load->finished.SignalAll();
    if (!read.ok()) return load->status = read.status();
    Frame& frame = **read;
    load->frame = &frame;
    frame.pins.store(1 + load->waiters, std::memory_order_relaxed);
    if (load->abandoned) {
      unlinked.Add(&frame, nullptr);
    } else {
      table_.Link(shard, id, frames_.BytesOf(frame).data());
      frame.Set(Frame::kLinked);
    }
  }
  limbo_.Add(std::move(unlinked));
  return TakePin(**read);
}

PageHandle PageLoader::TakePin(Frame& frame) const {
  return PageHandle(frames_.BytesOf(frame).data(), &frame.pins);
}

absl::StatusOr<Frame*> PageLoader::ReadIntoFrame(const PageWant& want) {
  KEEL_ASSIGN_OR_RETURN(Frame* const frame, evictor_.Take());
  if (absl::Status status = ReadChecked(want, frames_.BytesOf(*frame)); !status.ok()) {
    frames_.Free({&frame, 1});
    return status;
  }
  NoteRead(want, frame);
  return frame;
}

void PageLoader::NoteRead(const PageWant& want, Frame* frame) {
  frame->page.store(want.reference.id.value, std::memory_order_relaxed);
  frame->birth.store(want.reference.birth.value, std::memory_order_relaxed);
  pages_read_.fetch_add(1, std::memory_order_relaxed);
}

// --- several ---

void PageLoader::LoadTogether(MoreWants more, std::unique_ptr<io::IoQueue>& queue, TakePage take) {
  Batch batch;
  absl::Status status = BeginAll(more, *queue, &batch);
  for (auto& [at, page] : batch.resident) take(at, std::move(page));
  if (status.ok()) status = ReapAll(batch.mine, *queue, take);
  // The frames cannot be used while a lost request may still write to them: the queue's end waits for it.
  if (!status.ok()) queue.reset();
  for (Mine& one : batch.mine) {
    if (one.ended) continue;
    // What went wrong is tried again by itself, as often as any other read.
    EndOne(one, ReadChecked(one.load->want, frames_.BytesOf(*one.frame)), take);
  }
}

void PageLoader::LoadRun(std::span<const PageWant> wants, std::span<std::byte> buffer) {
  Batch batch;
  BeginSome(wants, &batch);
  if (!batch.mine.empty()) ReadRun(batch.mine, buffer);
}

// What lies between is read along with them, and left alone.
void PageLoader::ReadRun(std::span<Mine> mine, std::span<std::byte> buffer) {
  const uint64_t first = mine.front().load->want.reference.id.value;
  const uint64_t count = mine.back().load->want.reference.id.value - first + 1;
  const std::span<std::byte> run = buffer.first(count * options_.page_bytes);
  const size_t bytes = file_.Read(first * options_.page_bytes, run).value_or(0);
  const auto let_go = [](size_t, const PageHandle&) {};
  for (Mine& one : mine) {
    const PageWant& want = one.load->want;
    const uint64_t offset = (want.reference.id.value - first) * options_.page_bytes;
    const std::span<std::byte> page = frames_.BytesOf(*one.frame);
    const bool there = offset + page.size() <= bytes;
    if (there) std::memcpy(page.data(), &run[offset], page.size());
    const bool good = there && Verify(want, page).ok();
    // What went wrong is tried again by itself, as often as any other read.
    EndOne(one, good ? absl::OkStatus() : ReadChecked(want, page), let_go);
  }
}

void PageLoader::EndOne(Mine& one, const absl::Status& read, TakePage take) {
  const PageWant& want = one.load->want;
  absl::StatusOr<Frame*> frame = one.frame;
  if (read.ok()) {
    NoteRead(want, one.frame);
  } else {
    frames_.Free({&one.frame, 1});
    frame = read;
  }
  one.ended = true;
  absl::StatusOr<PageHandle> page = End(table_.ShardOf(want.reference.id), one.load, frame);
  if (page.ok()) take(one.at, *std::move(page));
}

absl::Status PageLoader::BeginAll(MoreWants more, io::IoQueue& queue, Batch* batch) {
  absl::Status status;
  for (std::span<const PageWant> wants = more(); !wants.empty(); wants = more()) {
    const size_t first = batch->mine.size();
    BeginSome(wants, batch);
    if (status.ok()) status = Submit(batch->mine, first, queue);
  }
  return status;
}

void PageLoader::BeginSome(std::span<const PageWant> wants, Batch* batch) {
  std::vector<Frame*> frames = TakeFrames(wants.size(), batch);
  for (size_t i = 0; i < wants.size() && !frames.empty(); ++i) {
    const PageId id = wants[i].reference.id;
    if (id.value >= PageTable::kPages) continue;
    PageTable::Shard& shard = table_.ShardOf(id);
    const absl::MutexLock lock(&shard.mutex);
    if (const std::byte* bytes = table_.Lookup(shard, id); bytes != nullptr) {
      Frame& linked = frames_.FrameOf(bytes);
      linked.pins.fetch_add(1, std::memory_order_relaxed);
      batch->resident.emplace_back(batch->wants + i, TakePin(linked));
    } else if (auto [load, is_new] = shard.loads.try_emplace(id.value); is_new) {
      load->second = std::make_shared<PageLoad>(wants[i]);
      batch->mine.push_back({batch->wants + i, load->second, frames.back()});
      frames.pop_back();
    }
  }
  batch->wants += wants.size();
  frames_.Free(frames);
}

// Before anything is begun or pinned, since whoever waits for that must not wait for frames too; after that, what is to
// be had at once. Once there are none it does not ask again.
std::vector<Frame*> PageLoader::TakeFrames(size_t most, Batch* batch) {
  const bool begun = batch->wants > 0;
  std::vector<Frame*> frames;
  while (frames.size() < most && !batch->no_frames) {
    Frame* const frame = begun ? evictor_.TryTake() : evictor_.Take().value_or(nullptr);
    if (frame == nullptr) {
      batch->no_frames = true;
    } else {
      frames.push_back(frame);
    }
  }
  return frames;
}

// In portions: the kernel hands requests to the device when it has taken all of a call's, and to take one costs it some
// microseconds. Meanwhile the device would have nothing to do.
absl::Status PageLoader::Submit(std::span<const Mine> mine, size_t first, io::IoQueue& queue) {
  std::vector<io::IoRequest> requests;
  requests.reserve(kSubmittedTogether);
  for (size_t i = first; i < mine.size(); ++i) {
    const std::span<std::byte> bytes = frames_.BytesOf(*mine[i].frame);
    requests.push_back({.file = &file_,
                        .offset = mine[i].load->want.reference.id.value * options_.page_bytes,
                        .data = bytes.data(),
                        .length = bytes.size(),
                        .tag = i});
    if (requests.size() < kSubmittedTogether && i + 1 < mine.size()) continue;
    KEEL_RETURN_IF_ERROR(queue.Submit(requests));
    requests.clear();
  }
  return absl::OkStatus();
}

absl::Status PageLoader::ReapAll(std::span<Mine> mine, io::IoQueue& queue, TakePage take) {
  std::vector<io::IoCompletion> completions;
  while (queue.pending() > 0) {
    completions.clear();
    KEEL_RETURN_IF_ERROR(queue.Wait(1, &completions));
    for (const io::IoCompletion& completion : completions) {
      Mine& one = mine[completion.tag];
      const std::span<const std::byte> bytes = frames_.BytesOf(*one.frame);
      const bool read = completion.status.ok() && completion.bytes == bytes.size() &&
                        Verify(one.load->want, bytes).ok();
      if (read) EndOne(one, absl::OkStatus(), take);
    }
  }
  return absl::OkStatus();
}

absl::Status PageLoader::ReadChecked(const PageWant& want, std::span<std::byte> page) {
  absl::Status status;
  absl::Duration pause = kFirstPause;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (attempt > 0) read_retries_.fetch_add(1, std::memory_order_relaxed);
    status = ReadOnce(want, page);
    if (status.ok()) return status;
    if (!MayPass(status)) return WithContext(status, Place(want));
    if (absl::IsUnavailable(status)) {
      clock_.Sleep(pause);
      pause *= 2;
    }
  }
  damaged_reads_.fetch_add(1, std::memory_order_relaxed);
  return MakeStatus(absl::StatusCode::kDataLoss, "%s: %s (read %d times)", Place(want),
                    MessageOf(status), kReadAttempts);
}

absl::Status PageLoader::ReadOnce(const PageWant& want, std::span<std::byte> page) {
  const uint64_t offset = want.reference.id.value * options_.page_bytes;
  KEEL_ASSIGN_OR_RETURN(const size_t count, file_.Read(offset, page));
  if (count < page.size()) {
    return MakeStatus(absl::StatusCode::kDataLoss, "the file ends at byte %d", offset + count);
  }
  return Verify(want, page);
}

absl::Status PageLoader::Verify(const PageWant& want, std::span<const std::byte> page) const {
  KEEL_RETURN_IF_ERROR(CheckPage(page, options_.database, want.reference.id));
  KEEL_RETURN_IF_ERROR(CompareHeader(want, HeaderOf(page.data())));
  return options_.check_page != nullptr ? options_.check_page(page) : absl::OkStatus();
}

absl::Status PageLoader::Compare(const PageWant& want, const std::byte* bytes) const {
  const absl::Status status = CompareHeader(want, HeaderOf(bytes));
  return status.ok() ? status : WithContext(status, Place(want));
}

std::string PageLoader::Place(const PageWant& want) const {
  return absl::StrFormat("%s: page %d (keyspace %d)", file_.path().string(),
                         want.reference.id.value, want.keyspace.value);
}

LoaderStats PageLoader::stats() const {
  return {.pages_read = pages_read_.load(std::memory_order_relaxed),
          .read_retries = read_retries_.load(std::memory_order_relaxed),
          .damaged_reads = damaged_reads_.load(std::memory_order_relaxed)};
}

}  // namespace keel::pager
