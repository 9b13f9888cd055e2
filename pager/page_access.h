// What a tree may do with pages: narrow interfaces, so that a cursor cannot allocate and a test can
// stand in for the pager.
//
//   PageHandle  a pinned page: its bytes stay in memory, and stay the same, while the handle lives
//   PageSource  pages for reading
//   PageSink    pages for the one writer: create, change by copy-on-write, drop
//
// P1 (R1)  A page is changed in place only while its birth is the current epoch and nobody pins it;
//          otherwise it is copied to a new id and the old one is dropped. Change() decides.
// P2       Reserve() comes first; what follows it cannot fail, so no operation is left half done.

#ifndef KEEL_PAGER_PAGE_ACCESS_H_
#define KEEL_PAGER_PAGE_ACCESS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/types.h"
#include "pager/page_format.h"
#include "pager/reference.h"

namespace keel::pager {

// A pinned page. Move-only; may be moved to and released on any thread.
class PageHandle {
 public:
  PageHandle() = default;
  // Takes over one pin that the caller has already counted in `*pins`.
  PageHandle(const std::byte* bytes, std::atomic<uint32_t>* pins) : bytes_(bytes), pins_(pins) {}
  PageHandle(PageHandle&& other) noexcept { Swap(other); }
  PageHandle& operator=(PageHandle&& other) noexcept {
    Release();
    Swap(other);
    return *this;
  }
  ~PageHandle() { Release(); }

  explicit operator bool() const { return bytes_ != nullptr; }
  const std::byte* bytes() const { return bytes_; }
  const PageHeader& header() const { return HeaderOf(bytes_); }

  void Release() {
    if (pins_ != nullptr) pins_->fetch_sub(1, std::memory_order_release);
    bytes_ = nullptr;
    pins_ = nullptr;
  }

  std::atomic<uint32_t>* pins() const { return pins_; }

 private:
  void Swap(PageHandle& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(pins_, other.pins_);
  }

  const std::byte* bytes_ = nullptr;
  std::atomic<uint32_t>* pins_ = nullptr;
};

class PageCache;

// A page as its referrer expects it; compared on every step down, cached or not.
struct PageWant {
  Reference reference;
  KeyspaceId keyspace;
  uint8_t level = 0;
};

// A page that the writer may change until its operation ends (the next Reserve or Freeze).
struct MutablePage {
  std::byte* bytes = nullptr;
  PageId id;
  Epoch birth;
};

class PageSource {
 public:
  virtual ~PageSource() = default;

  virtual uint32_t page_bytes() const = 0;

  // The page, pinned. DataLoss, with file, page and keyspace, if it is damaged or not what the reference
  // says; ResourceExhausted if every frame is pinned.
  virtual absl::StatusOr<PageHandle> Pin(const PageWant& want) = 0;

  // Reads raw pages (of a large value), unchecked, straight from the file. buffer.size() is a multiple
  // of the page size.
  virtual absl::Status ReadRaw(PageId first, std::span<std::byte> buffer) = 0;
  // The cache that the pages lie in, for who can do with what is in memory, within a guard. Null: pages are to be had by
  // Pin alone.
  virtual PageCache* cache() { return nullptr; }
  // Seed for the checksum of a raw page.
  virtual uint64_t RawSeed(PageId id) const = 0;
};

// REQUIRES: the writer lock.
class PageSink : public PageSource {
 public:
  virtual Epoch current_epoch() const = 0;

  // Makes the next `pages` calls of Create and Change infallible: ids and frames are set aside.
  // ResourceExhausted (disk, memory) or an I/O error otherwise; nothing has changed then. May write
  // frozen pages back. Pages handed out before are no longer to be changed through old pointers.
  virtual absl::Status Reserve(size_t pages) = 0;

  // A new page: header filled in (id, birth, kind, level, keyspace), all else zero.
  virtual MutablePage Create(PageKind kind, uint8_t level, KeyspaceId keyspace) = 0;
  // `page` for changing: itself where P1 allows (the pin of `page` not counted), else a copy under a new
  // id, the old one dropped. Consumes the handle and one reserved page.
  virtual MutablePage Change(PageHandle page) = 0;
  // The page belongs to no later version.
  virtual void Drop(PageId id, Epoch birth) = 0;

  // Space for large values: consecutive raw pages, born in the current epoch, `size.most` at the most.
  // Fewer than `size.least` only where the disk has no longer run (SpaceMap::Allocate).
  virtual absl::StatusOr<PageRun> CreateRun(const RunSize& size) = 0;
  // Writes raw pages of a run just created, through to the file.
  virtual absl::Status WriteRaw(PageId first, std::span<const std::byte> data) = 0;
  virtual void DropRun(const PageRun& run, Epoch birth) = 0;
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_PAGE_ACCESS_H_
