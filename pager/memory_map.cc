#include "pager/memory_map.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/status.h"

namespace keel::pager {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

}  // namespace

absl::StatusOr<MemoryMap> MemoryMap::Reserve(size_t bytes, Pages pages, size_t kept_bytes) {
  MemoryMap map;
  const bool huge = pages == Pages::kHuge;
  map.region_bytes_ = huge ? bytes + kHugePageBytes : bytes;
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
    map.data_ += (kHugePageBytes - address % kHugePageBytes) % kHugePageBytes;
    // Advice only: without huge pages all works, a little slower.
    (void)madvise(map.data_, bytes, MADV_HUGEPAGE);
  }
  // A forked child must not use the database: it gets zeros, which cost nothing to copy. Advice is for
  // whole pages of the system: one that is kept in part is not wiped.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t wiped = kept_bytes == 0 ? bytes : (bytes - kept_bytes) / page * page;
  (void)madvise(map.data_, wiped, MADV_WIPEONFORK);
  return map;
}

MemoryMap::~MemoryMap() {
  if (region_ != nullptr) munmap(region_, region_bytes_);
}

}  // namespace keel::pager
