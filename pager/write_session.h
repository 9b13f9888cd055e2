// The writer's view of the pager: makes, copies and drops pages in epochs, and can go back.
//
//   R1  In place only while birth == current epoch and nobody pins the page; else copy.
//   R2  Only this class raises the epoch: at a mark, a rollback, a publication, and when the pages born in the
//       current epoch pass a share of the frames.
//   R4  Deaths of published pages stay private until Publish hands them out; a rollback cuts them back. Pages born
//       in the running transaction are freed at once, unless a mark since their birth keeps them; published ones
//       too, where nobody keeps them and nobody can come to (Superseding). Many deaths are kept as sets of pages
//       between the epochs of keepers (DeadPages), so that they stay small.
//
// REQUIRES: the writer lock, for every call.

#ifndef KEEL_PAGER_WRITE_SESSION_H_
#define KEEL_PAGER_WRITE_SESSION_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/types.h"
#include "pager/dead_pages.h"
#include "pager/page_access.h"
#include "pager/page_cache.h"
#include "pager/page_set.h"
#include "pager/reclaimer.h"
#include "pager/space_map.h"

namespace keel::pager {

class WriteSession final : public PageSink {
 public:
  // `published` is the epoch of the newest published version; the session's own begins at `current`. More than
  // `mutable_pages_max` pages of one epoch are frozen (R2).
  WriteSession(PageCache* cache, SpaceMap* space, Epoch published, Epoch current,
               size_t mutable_pages_max);

  // Number of a mark: 0 is the start of the transaction.
  using Mark = size_t;

  // Everything from here on can be undone by RollbackTo. Raises the epoch.
  Mark SetMark();
  // Frees what was born since the mark, forgets what died since, drops later marks. Raises the epoch. The mark
  // stays.
  void RollbackTo(Mark mark);
  void Rollback() { RollbackTo(0); }
  // The newest mark is no longer needed: its stretch joins the one before, and what only it kept is freed.
  void ReleaseMark(Mark mark);

  // What a version leaves behind, to be examined when it is visible.
  struct Publication {
    Epoch epoch;       // of the version: no page in it is younger
    DeadPages deaths;  // of pages that older versions reach
  };
  // Ends the transaction: what was built is a version from now on. Raises the epoch.
  Publication Publish();

  // Freezes what was built, as the version that Publish will make of it, and returns that version's epoch. Until
  // then nothing may be made; a rollback undoes it. Raises the epoch.
  Epoch Seal();
  // Adds the pages of published versions that have died in this transaction, of those born up to `newest_birth`.
  void CollectDeaths(Epoch newest_birth, PageSet* died) const;

  // Tells every epoch, ascending, of a published version that is kept or may come to be: the last one's is the last.
  void set_keepers(std::function<std::vector<Epoch>()> keepers) { keepers_ = std::move(keepers); }

  // Pages that the transaction has made and not dropped again.
  uint64_t born_pages() const {
    uint64_t pages = 0;
    for (const Level& level : levels_) pages += level.born.size();
    return pages;
  }

  // Pages of one epoch from which on the next one is begun.
  void set_mutable_pages_max(size_t pages) { mutable_pages_max_ = pages; }
  size_t mutable_pages_max() const { return mutable_pages_max_; }
  // The next Reserve will freeze what has been made so far.
  bool TooManyMutable() const { return cache_->mutable_pages() > mutable_pages_max_; }

  // While it lives nothing is read or copied: Pin gives pages of the current epoch, unpinned, for they stay in memory
  // and nobody else pins them, and no others (Cancelled); what the last Reserve set aside is for all that comes, and
  // Reserve only makes sure that it is there. REQUIRES: the epoch is not raised meanwhile.
  class InPlace {
   public:
    explicit InPlace(WriteSession* session) : session_(session) { session_->in_place_ = true; }
    ~InPlace() { session_->in_place_ = false; }
    InPlace(const InPlace&) = delete;
    InPlace& operator=(const InPlace&) = delete;

   private:
    WriteSession* session_;
  };

  // While it lives each page that is changed in place is marked as being changed, until its end, for who looks at such
  // pages meanwhile (PageCache::ChangesOf). New pages are not: nobody can know of them before what refers to them.
  class Watched {
   public:
    // Does nothing unless somebody `looks`.
    Watched(WriteSession* session, bool looks) : session_(session) { session_->watched_ = looks; }
    ~Watched() { session_->EndChanges(); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

   private:
    WriteSession* session_;
  };

  // Tells who holds a page of a published version that no later version has, while Superseding lives.
  void set_holder_of(std::function<Reclaimer::Holder(Epoch birth)> holder_of) {
    holder_of_ = std::move(holder_of);
  }

  // While it lives nobody comes to keep a published version, nor goes back to one. So pages that are dropped and that
  // nobody keeps are free at once; and of those that nobody reads the frames are given back soon
  // (PageCache::Supersede). Who may go back to one (redo) has holder_of say that nothing is free.
  class Superseding {
   public:
    // Does nothing unless that is so.
    Superseding(WriteSession* session, bool so) : session_(session) { session_->superseding_ = so; }
    ~Superseding() { session_->superseding_ = false; }
    Superseding(const Superseding&) = delete;
    Superseding& operator=(const Superseding&) = delete;

   private:
    WriteSession* session_;
  };

  // How deep Reserve and CreateRun may go into the reserve of free space.
  void set_space_use(SpaceUse use) { space_use_ = use; }

  // PageSource
  uint32_t page_bytes() const override { return cache_->page_bytes(); }
  absl::StatusOr<PageHandle> Pin(const PageWant& want) override {
    return in_place_ ? TakeInPlace(want) : cache_->Pin(want);
  }
  absl::Status ReadRaw(PageId first, std::span<std::byte> buffer) override {
    return cache_->ReadRaw(first, buffer);
  }
  PageCache* cache() override { return cache_; }
  uint64_t RawSeed(PageId id) const override { return cache_->RawSeed(id); }

  // PageSink
  // On other threads it may be raised meanwhile, as by a publication: what was the current epoch is in memory then.
  Epoch current_epoch() const override { return Epoch{epoch_.load(std::memory_order_relaxed)}; }
  absl::Status Reserve(size_t pages) override;
  MutablePage Create(PageKind kind, uint8_t level, KeyspaceId keyspace) override;
  MutablePage Change(PageHandle page) override;
  void Drop(PageId id, Epoch birth) override;
  absl::StatusOr<PageRun> CreateRun(const RunSize& size) override;
  absl::Status WriteRaw(PageId first, std::span<const std::byte> data) override {
    return cache_->WriteRaw(first, data);
  }
  void DropRun(const PageRun& run, Epoch birth) override;

 private:
  // A stretch between two marks.
  struct Level {
    Epoch since;       // no page of an earlier level has this birth
    PageSet born;      // pages born in it that are not yet free again
    PageSet own_dead;  // pages of earlier levels of this transaction that died in it
    DeadPages dead;    // pages of published versions that did
  };

  void RaiseEpoch();
  // Gives ids whose wait is over to the space map. Whether there were any.
  bool TakeBackRetired();
  absl::Status FillStock(uint64_t pages);
  void GiveBackReserve();
  bool DropSuperseded(const PageRun& run, Epoch birth);
  void GiveBackSuperseded();
  PageId TakeId();
  void BeginChange(std::byte* page);
  void EndChanges();
  absl::StatusOr<PageHandle> TakeInPlace(const PageWant& want) const;
  PageId NewId();

  PageCache* cache_;
  SpaceMap* space_;
  size_t mutable_pages_max_;
  Epoch published_;
  std::atomic<uint64_t> epoch_;
  std::optional<Epoch> sealed_;  // epoch of the version that waits for its Publish
  SpaceUse space_use_ = SpaceUse::kOrdinary;
  std::vector<Level> levels_;
  std::function<std::vector<Epoch>()> keepers_;
  std::function<Reclaimer::Holder(Epoch)> holder_of_;
  std::vector<PageRun> stock_;  // ids set aside, used from the front of the last run
  uint64_t stock_pages_ = 0;
  bool in_place_ = false;
  bool watched_ = false;
  bool superseding_ = false;
  std::vector<PageId> superseded_;   // dead, and read by nobody: their frames are still theirs
  std::vector<Sequence*> changing_;  // of the pages that are marked
  SpaceUse stock_use_ = SpaceUse::kOrdinary;  // for which it was last filled
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_WRITE_SESSION_H_
