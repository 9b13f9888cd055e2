#include "pager/memory_map.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/status.h"

namespace keel::pager {
namespace {

// Of Linux 6.1; older ones refuse it, and come to it by themselves since they were told to use huge pages there.
constexpr int kCollapse = 25;

}  // namespace

absl::StatusOr<MemoryMap> MemoryMap::Reserve(size_t bytes, Pages pages, size_t kept_bytes) {
  MemoryMap map;
  const bool huge = pages == Pages::kHuge;
  map.region_bytes_ = huge ? bytes + kHugeBytes : bytes;
  void* const region = mmap(nullptr, map.region_bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) {
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      "cannot reserve %d bytes of address space: %s", map.region_bytes_,
                      std::strerror(errno));
  }
  map.region_ = region;
  map.data_ = static_cast<std::byte*>(region);
  if (huge) {
    const auto address = reinterpret_cast<uintptr_t>(region);
    map.data_ += (kHugeBytes - address % kHugeBytes) % kHugeBytes;
    // Advice only: without huge pages all works, a little slower.
    const size_t end = (bytes - kept_bytes) / kHugeBytes * kHugeBytes;
    if (end > kHugeBytes) {
      (void)madvise(map.data_ + kHugeBytes, end - kHugeBytes, MADV_HUGEPAGE);
    }
  }
  // A forked child must not use the database: it gets zeros, which cost nothing to copy. Advice is for
  // whole pages of the system: one that is kept in part is not wiped.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t wiped = kept_bytes == 0 ? bytes : (bytes - kept_bytes) / page * page;
  (void)madvise(map.data_, wiped, MADV_WIPEONFORK);
  return map;
}

void MemoryMap::MakeHuge(size_t offset, size_t bytes) const {
  const size_t begin = (offset + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
  // A small region does not reach to the end of its first huge page.
  const auto before = static_cast<size_t>(data_ - static_cast<std::byte*>(region_));
  const size_t end = std::min(offset + bytes, region_bytes_ - before) / kHugeBytes * kHugeBytes;
  if (begin >= end) return;
  (void)madvise(data_ + begin, end - begin, MADV_HUGEPAGE);
  (void)madvise(data_ + begin, end - begin, kCollapse);
}

MemoryMap::~MemoryMap() {
  if (region_ != nullptr) munmap(region_, region_bytes_);
}

}  // namespace keel::pager
