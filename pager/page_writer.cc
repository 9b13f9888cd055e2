#include "pager/page_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "pager/page_format.h"
#include "pager/reliable_write.h"

namespace keel::pager {
namespace {

constexpr size_t kStagingBytes = size_t{1} << 20;
// Dirty pages so near each other in the file have what lies between them looked at; and the last few of a batch.
constexpr uint64_t kNearPages = 3;
constexpr size_t kLastIds = 4;
constexpr uint64_t kNearLastPages = 256;

}  // namespace

PageWriter::PageWriter(io::File* file, io::Clock* clock, FramePool* frames, PageTable* table,
                       const Options& options)
    : file_(*file),
      clock_(*clock),
      frames_(*frames),
      table_(*table),
      options_(options),
      queue_(options.queue) {}

absl::StatusOr<size_t> PageWriter::WriteSome(size_t max_pages) {
  if (options_.read_only) return size_t{0};
  const absl::MutexLock lock(&mutex_);
  const std::vector<PageId> ids = CloseGaps(FindFrozenDirty(max_pages));
  const uint64_t before = pages_written();
  for (size_t done = 0; done < ids.size();) {
    KEEL_ASSIGN_OR_RETURN(const size_t dealt,
                          WriteBatch(std::span(ids).subspan(done), Mutable::kSkip));
    done += dealt;
  }
  return static_cast<size_t>(pages_written() - before);
}

absl::Status PageWriter::WriteThese(const PageSet& pages) {
  if (options_.read_only) return absl::OkStatus();
  std::vector<PageId> ids;
  ids.reserve(pages.size());
  pages.ForEach([&](PageId id) { ids.push_back(id); });
  for (size_t done = 0; done < ids.size();) {
    // Let go between batches: others may have to write a page before they can go on.
    const absl::MutexLock lock(&mutex_);
    KEEL_ASSIGN_OR_RETURN(const size_t dealt,
                          WriteBatch(std::span(ids).subspan(done), Mutable::kForbidden));
    done += dealt;
  }
  return absl::OkStatus();
}

void PageWriter::UseQueue(io::IoQueue* queue) {
  const absl::MutexLock lock(&mutex_);
  queue_ = queue;
}

void PageWriter::Stop(const absl::Status& reason) {
  const absl::MutexLock lock(&mutex_);
  stopped_ = absl::UnavailableError(
      absl::StrFormat("pages are not written any more: %s", MessageOf(reason)));
}

// Ends when it has met as many dirty frames as there are: they mostly lie together, and the pool may be large.
std::vector<PageId> PageWriter::FindFrozenDirty(size_t max_pages) {
  std::vector<PageId> ids;
  size_t unseen = dirty();
  for (size_t visits = frames_.size(); visits > 0 && unseen > 0 && ids.size() < max_pages;
       --visits) {
    const Frame& frame = frames_[hand_];
    hand_ = hand_ + 1 == frames_.size() ? 0 : hand_ + 1;
    if (!frame.Is(Frame::kLinked | Frame::kDirty)) continue;
    --unseen;
    if (IsFrozen(Epoch{frame.birth.load(std::memory_order_relaxed)})) ids.push_back(frame.id());
  }
  std::sort(ids.begin(), ids.end());
  // A page that has gone from one frame to another meanwhile was met twice.
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// With the ids of what lies between two that are near each other: if that is dirty too, in whatever frame, one write
// takes all. A tree that is loaded in order has its leaves in frame after frame, but for each internal page, whose frame
// was set aside long before: so near means farther for the last ids, which may lie beyond what was looked at.
std::vector<PageId> PageWriter::CloseGaps(const std::vector<PageId>& ids) {
  std::vector<PageId> closed;
  closed.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint64_t near = i + kLastIds < ids.size() ? kNearPages : kNearLastPages;
    if (i > 0 && ids[i].value - ids[i - 1].value <= near) {
      for (uint64_t id = ids[i - 1].value + 1; id < ids[i].value; ++id) {
        closed.push_back(PageId{id});
      }
    }
    closed.push_back(ids[i]);
  }
  return closed;
}

absl::StatusOr<size_t> PageWriter::WriteBatch(std::span<const PageId> ids, Mutable on_mutable) {
  KEEL_RETURN_IF_ERROR(stopped_);
  KEEL_RETURN_IF_ERROR(PrepareStaging());
  const size_t capacity = staging_.size() / frames_.page_bytes();
  size_t dealt = 0;
  for (; dealt < ids.size() && staged_.size() < capacity; ++dealt) {
    Frame* const frame = Claim(ids[dealt], on_mutable);
    if (frame != nullptr) Stage(ids[dealt], frame);
  }
  const absl::Status status = WriteStaged();
  for (const Staged& staged : staged_) Settle(staged);
  staged_.clear();
  if (!status.ok()) return status;
  return dealt;
}

absl::Status PageWriter::PrepareStaging() {
  if (!staging_.empty()) return absl::OkStatus();
  staging_ = AlignedBuffer::Allocate(kStagingBytes);
  if (!staging_.empty()) return absl::OkStatus();
  return absl::ResourceExhaustedError("no memory for the buffer that pages are written from");
}

Frame* PageWriter::Claim(PageId id, Mutable on_mutable) {
  PageTable::Shard& shard = table_.ShardOf(id);
  const absl::MutexLock lock(&shard.mutex);
  const std::byte* const bytes = table_.Lookup(shard, id);
  if (bytes == nullptr) return nullptr;
  Frame& frame = frames_.FrameOf(bytes);
  if (!frame.Has(Frame::kDirty)) return nullptr;
  KEEL_CHECK(!frame.Has(Frame::kWriting));
  const bool frozen = IsFrozen(Epoch{frame.birth.load(std::memory_order_relaxed)});
  KEEL_CHECK(frozen || on_mutable == Mutable::kSkip);
  if (!frozen) return nullptr;
  frame.Set(Frame::kLinked | Frame::kDirty | Frame::kWriting);
  return &frame;
}

void PageWriter::Stage(PageId id, Frame* frame) {
  const std::span<const std::byte> bytes = frames_.BytesOf(*frame);
  const PageHeader& header = HeaderOf(bytes.data());
  KEEL_CHECK(header.page_id == id.value);
  KEEL_CHECK(header.birth == frame->birth.load(std::memory_order_relaxed));
  staged_.push_back({.id = id, .frame = frame, .written = false});
  const std::span<std::byte> copy = StagedBytes(staged_.size() - 1, staged_.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  SealPage(copy, options_.database);
}

std::span<std::byte> PageWriter::StagedBytes(size_t begin, size_t end) {
  const size_t page_bytes = frames_.page_bytes();
  return staging_.span().subspan(begin * page_bytes, (end - begin) * page_bytes);
}

std::vector<PageWriter::Run> PageWriter::Runs() const {
  std::vector<Run> runs;
  for (size_t i = 0; i < staged_.size(); ++i) {
    const bool follows = i > 0 && staged_[i].id.value == staged_[i - 1].id.value + 1;
    if (!follows) runs.push_back({.begin = i, .end = i});
    runs.back().end = i + 1;
  }
  return runs;
}

absl::Status PageWriter::WriteStaged() {
  const std::vector<Run> runs = Runs();
  if (queue_ != nullptr && runs.size() > 1) WriteQueued(runs);
  absl::Status first_error;
  for (const Run& run : runs) {
    if (staged_[run.begin].written) continue;
    // A device that has failed for good is not waited for again and again.
    const absl::Status status = WriteRun(run, first_error.ok() ? kWriteAttempts : 1);
    first_error.Update(status);
  }
  return first_error;
}

void PageWriter::WriteQueued(std::span<const Run> runs) {
  std::vector<io::IoRequest> requests;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::span<std::byte> data = StagedBytes(runs[i].begin, runs[i].end);
    requests.push_back({.kind = io::IoRequest::Kind::kWrite,
                        .file = &file_,
                        .offset = staged_[runs[i].begin].id.value * frames_.page_bytes(),
                        .data = data.data(),
                        .length = data.size(),
                        .tag = i});
  }
  std::vector<io::IoCompletion> completions;
  absl::Status status = queue_->Submit(requests);
  status.Update(queue_->Wait(queue_->pending(), &completions));
  for (const io::IoCompletion& completion : completions) {
    const Run& run = runs[completion.tag];
    if (completion.status.ok()) MarkWritten(run.begin, run.end);
  }
  // The buffer cannot be used again while a lost request may still read it.
  if (queue_->pending() > 0) stopped_ = status;
}

absl::Status PageWriter::WriteRun(const Run& run, int attempts) {
  absl::Status status = WritePages(run.begin, run.end, attempts);
  if (status.ok() || run.end - run.begin == 1) return status;
  // One bad place must not keep its neighbours dirty.
  status = absl::OkStatus();
  for (size_t i = run.begin; i < run.end; ++i) status.Update(WritePages(i, i + 1, 1));
  return status;
}

absl::Status PageWriter::WritePages(size_t begin, size_t end, int attempts) {
  const uint64_t offset = staged_[begin].id.value * frames_.page_bytes();
  const absl::Status status =
      WriteReliably(file_, clock_, offset, StagedBytes(begin, end), attempts, &retries_);
  if (status.ok()) MarkWritten(begin, end);
  return WithContext(status, absl::StrFormat("writing page %d", staged_[begin].id.value));
}

void PageWriter::MarkWritten(size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) staged_[i].written = true;
  written_.fetch_add(end - begin, std::memory_order_relaxed);
}

void PageWriter::Settle(const Staged& staged) {
  PageTable::Shard& shard = table_.ShardOf(staged.id);
  const absl::MutexLock lock(&shard.mutex);
  Frame& frame = *staged.frame;
  if (!frame.Has(Frame::kLinked)) {
    frame.Set(0);  // retired meanwhile: limbo waits for this
  } else if (staged.written) {
    frame.Set(Frame::kLinked);
    dirty_.fetch_sub(1, std::memory_order_relaxed);
  } else {
    frame.Set(Frame::kLinked | Frame::kDirty);
  }
}

}  // namespace keel::pager
