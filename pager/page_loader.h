// Reads pages from the data file into frames, and lets nothing wrong pass (C7).

#ifndef KEEL_PAGER_PAGE_LOADER_H_
#define KEEL_PAGER_PAGE_LOADER_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "pager/evictor.h"
#include "pager/frame_pool.h"
#include "pager/limbo.h"
#include "pager/page_access.h"
#include "pager/page_table.h"

namespace keel::pager {

// A read under way. The one who reads it pins the frame for all who wait, before it is linked.
// Fields are guarded by the shard's lock.
struct PageLoad {
  explicit PageLoad(const PageWant& w) : want(w) {}

  const PageWant want;
  uint32_t waiters = 0;
  bool abandoned = false;  // the id has died or was made anew meanwhile: do not link what was read
  bool done = false;
  Frame* frame = nullptr;  // when done; null: `status` says why
  absl::Status status;
  absl::CondVar finished;
};

inline constexpr int kReadAttempts = 3;

struct LoaderStats {
  uint64_t pages_read = 0;
  uint64_t read_retries = 0;
  uint64_t damaged_reads = 0;
};

// Thread-safe.
class PageLoader {
 public:
  struct Options {
    uint32_t page_bytes = 0;
    DatabaseId database;
    absl::Status (*check_page)(std::span<const std::byte> page) = nullptr;
  };

  PageLoader(io::File* file, io::Clock* clock, FramePool* frames, PageTable* table, Limbo* limbo,
             Evictor* evictor, const Options& options);

  // The page, pinned: from the table if it is there by now, else read; threads that want the same
  // id wait for one read. REQUIRES: no guard.
  absl::StatusOr<PageHandle> Load(const PageWant& want);

  // What is done with a page that was wanted, as soon as it is there: `at` among the wants.
  using TakePage = absl::FunctionRef<void(size_t at, PageHandle page)>;
  // More pages that are wanted, counted on from those before; none: that was all. They may go when it is asked again.
  using MoreWants = absl::FunctionRef<std::span<const PageWant>()>;
  // Several, read side by side: those that `more` gave first are being read while it finds out the next ones. Then each
  // is given to `take`, pinned, while others are still read. Not those that could not be read, or that somebody else is
  // reading: Load tells. A queue that failed is destroyed. REQUIRES: no guard; no id twice; `more` and `take` wait for
  // nobody.
  void LoadTogether(MoreWants more, std::unique_ptr<io::IoQueue>& queue, TakePage take);

  // Reads those that are missing, all with one read into `buffer`, and keeps none pinned. What cannot be had so is left
  // to Load. REQUIRES: ascending ids that lie within as many pages as the buffer holds; no guard.
  void LoadRun(std::span<const PageWant> wants, std::span<std::byte> buffer);

  // DataLoss, saying what was expected and what was found, unless `bytes` is the page that is
  // wanted.
  absl::Status Compare(const PageWant& want, const std::byte* bytes) const;

  LoaderStats stats() const;

 private:
  // Waits for a read under way, and takes its page or its error; nothing if it was not for us.
  std::optional<absl::StatusOr<PageHandle>> Join(const PageWant& want, PageTable::Shard& shard,
                                                 const std::shared_ptr<PageLoad>& load)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);
  // The same for whatever there is by now; nothing: the caller has to read, and has said so in
  // `mine`.
  std::optional<absl::StatusOr<PageHandle>> FindOrBegin(const PageWant& want,
                                                        PageTable::Shard& shard,
                                                        std::shared_ptr<PageLoad>* mine)
      ABSL_LOCKS_EXCLUDED(shard.mutex);
  // The part of a batch that is the caller's to read.
  struct Mine {
    size_t at;  // among the wants
    std::shared_ptr<PageLoad> load;
    Frame* frame;
    bool ended = false;
  };
  // Of a batch: what is there already, and what is to be read.
  struct Batch {
    size_t wants = 0;
    bool no_frames = false;
    std::vector<std::pair<size_t, PageHandle>> resident;
    std::vector<Mine> mine;
  };
  // Fewer where there are no more.
  std::vector<Frame*> TakeFrames(size_t most, Batch* batch);
  // Pins what is there by now, begins the loads of what nobody reads; as many as there are frames for.
  void BeginSome(std::span<const PageWant> wants, Batch* batch);
  // Begins all that is wanted, and hands it to the queue while that is well.
  absl::Status BeginAll(MoreWants more, io::IoQueue& queue, Batch* batch);
  // Those from `first` on.
  absl::Status Submit(std::span<const Mine> mine, size_t first, io::IoQueue& queue);
  // Ends those that the queue reads well.
  absl::Status ReapAll(std::span<Mine> mine, io::IoQueue& queue, TakePage take);
  void ReadRun(std::span<Mine> mine, std::span<std::byte> buffer);
  // Ends one whose page is in its frame, or could not be read.
  void EndOne(Mine& one, const absl::Status& read, TakePage take);
  // Ends a load: what was read is linked, and those who wait get it, or the error.
  absl::StatusOr<PageHandle> End(PageTable::Shard& shard, const std::shared_ptr<PageLoad>& load,
                                 absl::StatusOr<Frame*> read) ABSL_LOCKS_EXCLUDED(shard.mutex);
  void NoteRead(const PageWant& want, Frame* frame);
  absl::StatusOr<PageHandle> Perform(PageTable::Shard& shard, const std::shared_ptr<PageLoad>& load)
      ABSL_LOCKS_EXCLUDED(shard.mutex);
  absl::StatusOr<Frame*> ReadIntoFrame(const PageWant& want);
  absl::Status ReadChecked(const PageWant& want, std::span<std::byte> page);
  absl::Status ReadOnce(const PageWant& want, std::span<std::byte> page);
  absl::Status Verify(const PageWant& want, std::span<const std::byte> page) const;
  PageHandle TakePin(Frame& frame) const;
  std::string Place(const PageWant& want) const;

  io::File& file_;
  io::Clock& clock_;
  FramePool& frames_;
  PageTable& table_;
  Limbo& limbo_;
  Evictor& evictor_;
  const Options options_;

  std::atomic<uint64_t> pages_read_{0};
  std::atomic<uint64_t> read_retries_{0};
  std::atomic<uint64_t> damaged_reads_{0};
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_LOADER_H_
