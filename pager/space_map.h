// Which pages of the data file are in use: two bitmaps, one durable, one live.
//
// A group is (page_bytes - 64) * 8 pages and has two bitmap slots among its own first pages; the
// catalogue's directory names, per group, the slot that counts (R8). A slot that does not match its
// entry is damage: the group hands out nothing; the other slot is never used instead.
//
//   M1  The persisted map of checkpoint N holds exactly what N reaches: superblocks, slots, catalogue,
//       trees.
//   M2  The live map holds that and every page of later versions, snapshots and reservations; an id is
//       handed out only when it is free in the live map.
//   M3  A checkpoint writes a changed group into the slot that N does not name.
//   M4  An id above the file's durable end is handed out only after growth was allocated and synced.
//   M5  A damaged group keeps its directory entry: nothing is born in it, what is given back to it or has
//       died in it stays in use, until Rebuild.
//
// Freed space goes first, low ids first; the file grows only when there is none left above the
// reserve. Large values are the exception: they grow the file rather than be torn into splinters.
// Short of space they get the longest runs that there are.
//
// One checkpoint, with what its catalogue needs:
//
//   born = pages that the new version reaches and N does not
//   do: allocate catalogue pages (kCheckpoint), add them to born
//   while CataloguePages(bytes of a catalogue with DirectoryEntries(born) groups) is larger
//   directory = WriteCheckpoint(generation, born, died)      // died: N's catalogue pages among them
//   write the catalogue pages; sync; superblock with page_count() of now; sync
//   FinishCheckpoint(true)

#ifndef KEEL_PAGER_SPACE_MAP_H_
#define KEEL_PAGER_SPACE_MAP_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"
#include "pager/catalogue.h"
#include "pager/page_set.h"
#include "pager/reference.h"

namespace keel::pager {

uint64_t PagesPerGroup(uint32_t page_bytes);
// Page ids of a group's two bitmap slots.
PageId BitmapSlot(uint32_t page_bytes, uint64_t group, int slot);
// Pages that the superblocks lie in.
std::vector<PageId> SuperblockPages(uint32_t page_bytes);

// Who asks for space: each may go deeper into the reserve than the one before.
enum class SpaceUse : uint8_t {
  kOrdinary,    // stops above the reserve
  kDelete,      // may use the reserve down to the checkpoint's part
  kCheckpoint,  // all
};

struct SpaceMapOptions {
  uint32_t page_bytes = 4096;
  DatabaseId database;
  bool read_only = false;  // growth is imagined only: ids beyond the end, never written
  uint64_t growth_bytes_min = uint64_t{1} << 20;
  uint64_t growth_bytes_max = uint64_t{64} << 20;
  uint64_t page_count_max = 0;                   // 0: none; tests
  uint64_t slack_bytes_min = uint64_t{1} << 20;  // of the reserve; less only in tests
};

// As they suit the page size: with pages under 4 KiB, which only tests have, the least growth and
// slack are smaller too (by the square), so that a small database grows and runs short like a large
// one.
SpaceMapOptions SpaceMapOptionsFor(uint32_t page_bytes);

struct SpaceStats {
  uint64_t page_count = 0;  // of the file
  uint64_t free_pages = 0;  // in the live map
  uint64_t reserve_pages = 0;
  uint64_t groups = 0;
  uint64_t damaged_groups = 0;  // found so far
  uint64_t growths = 0;
  uint64_t memory_bytes = 0;  // of bitmaps
};

// Thread-safe (the allocator's lock).
class SpaceMap {
 public:
  // A new, empty file of `page_count` pages, already allocated.
  static absl::StatusOr<std::unique_ptr<SpaceMap>> Create(io::File* file, uint64_t page_count,
                                                          const SpaceMapOptions& options);
  // As the superblock's checkpoint left it. Bitmaps load on first use. The file may be shorter than
  // `page_count`: what is missing is made up for before it is used. DataLoss: the directory has
  // more groups than a file of `page_count` pages.
  static absl::StatusOr<std::unique_ptr<SpaceMap>> Open(io::File* file, uint64_t page_count,
                                                        const std::vector<GroupEntry>& directory,
                                                        const SpaceMapOptions& options);
  virtual ~SpaceMap() = default;

  // Consecutive free pages, at most `size.most`. Grows the file (M4), which waits for a sync, rather
  // than give fewer than `size.least`; where it cannot grow, about the longest run that there is, be it of
  // one page. ResourceExhausted (IsDiskFull) says what is full and what would free space; other errors are
  // the growth's: see failed_sync. DataLoss: all that is left is damaged.
  // REQUIRES: 0 < least <= most. More than half of a group is not asked of one run.
  virtual absl::StatusOr<PageRun> Allocate(const RunSize& size, SpaceUse use) = 0;
  // 1 to `max_pages` consecutive pages, for pages that need not lie together: takes what is free before it
  // grows the file, however short the runs are. Prefers ids that follow the last ones handed out.
  virtual absl::StatusOr<PageRun> AllocateAny(uint64_t max_pages, SpaceUse use) = 0;
  // Gives ids back to the live map; no I/O. REQUIRES: R4 and R5 hold for them: they were handed out
  // and never became durable, or have died in the last durable checkpoint. A page that was free
  // already, that the last durable checkpoint reaches (S1), or that is none of ours shows that map
  // and trees contradict each other: it is not given back, its group hands out nothing from then
  // on, and damage() tells.
  virtual void Free(const PageRun& run) = 0;
  virtual void Free(const PageSet& pages) = 0;

  // Grows the file when less than half a step, or fewer than `wanted` pages if that is more, are left
  // above the reserve, so that no allocation has to wait for it. Never takes less than what is missing (of
  // which slots of new groups are a part): on a disk that is nearly full nothing.
  // For background work; errors as of Allocate.
  virtual absl::Status GrowAhead(uint64_t wanted) = 0;

  // Pages kept for the catalogue once more and for the edge paths of a delete; slack is added
  // (design: reserve). They are part of the file and allocated on disk (docs/decisions/0008).
  virtual void SetReserve(uint64_t checkpoint_pages, uint64_t delete_pages) = 0;
  // Whether deletes or checkpoints have taken from it.
  virtual bool BelowReserve() const = 0;

  // How many groups WriteCheckpoint's directory has: those of the last durable one, and beyond that
  // those up to the highest page of `born`.
  virtual uint64_t DirectoryEntries(const PageSet& born) const = 0;
  // One checkpoint attempt: writes, unsynced, every group changed by `born` (now reachable) and
  // `died` (reachable from the last durable checkpoint, not from this one) into its other slot, and
  // returns the directory to be named by the superblock, whose page count has to be page_count() as
  // it is after this call, or later. On an error nothing has changed but slots that nobody names.
  // DataLoss: `born` and `died` contradict the last durable map, or a page was born in a damaged
  // group. REQUIRES: no other attempt is open.
  virtual absl::StatusOr<std::vector<GroupEntry>> WriteCheckpoint(Generation generation,
                                                                  const PageSet& born,
                                                                  const PageSet& died) = 0;
  // The attempt's superblock is durable (its directory counts from now on), or the attempt failed
  // (and may be made again, with a new generation). Does nothing if no attempt is open.
  virtual void FinishCheckpoint(bool durable) = 0;

  // Whether the last durable checkpoint's map has the page in use (TreeCheck asserts R3 with it).
  // The error of a map that cannot be had. Pages beyond the end are not in use.
  virtual absl::StatusOr<bool> InPersistedMap(PageId id) = 0;
  virtual absl::StatusOr<bool> InLiveMap(PageId id) = 0;

  virtual uint64_t page_count() const = 0;
  virtual SpaceStats stats() const = 0;
  // The sync of a growth that failed, if one did: final, like every failed sync (G4).
  virtual absl::Status failed_sync() const = 0;
  // The same, once no growth is under way: an error goes to one sync only, and a growth's may have it
  // without having told.
  virtual absl::Status WaitForGrowth() const = 0;
  // The first damaged group's report, OK if there is none (bitmaps not yet loaded are not looked
  // at).
  virtual absl::Status damage() const = 0;
  // Checks every bitmap, keeping none that was not loaded. Returns damage().
  virtual absl::Status LoadAll() = 0;
  // Ends the damage of every damaged group, from a walk that met no damage anywhere: `reachable` is
  // what the last durable checkpoint reaches, `held` what only snapshots and later versions do. The
  // next checkpoint writes the groups.
  virtual void Rebuild(const PageSet& reachable, const PageSet& held) = 0;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_SPACE_MAP_H_
