// Memory straight from the system: zeros at first, and paid for only where it is touched.

#ifndef KEEL_PAGER_MEMORY_MAP_H_
#define KEEL_PAGER_MEMORY_MAP_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <utility>

namespace keel::pager {

// A private region, given back with its object. Move-only.
class MemoryMap {
 public:
  enum class Pages { kSmall, kHuge };

  // Of a huge page.
  static constexpr size_t kHugeBytes = size_t{2} << 20;

  // Reserves address space for `bytes`; aligned to 2 MiB and in huge pages where the system has
  // them, if asked for. Of them the last `kept_bytes` are what a forked child gets a copy of; the
  // others are zeros there. ResourceExhausted if the system refuses.
  //
  // The first 2 MiB, and the last `kept_bytes`, are in small pages until MakeHuge: to fill a huge page with zeros takes
  // as long as reading a dozen pages, and whoever opens a database for a few of them needs no more.
  static absl::StatusOr<MemoryMap> Reserve(size_t bytes, Pages pages, size_t kept_bytes = 0);

  MemoryMap() = default;
  MemoryMap(MemoryMap&& other) noexcept { Swap(other); }
  MemoryMap& operator=(MemoryMap&& other) noexcept {
    Swap(other);
    return *this;
  }
  ~MemoryMap();

  std::byte* data() const { return data_; }

  // Puts what there is in whole huge pages of these bytes into huge pages. Their contents stay, for everybody.
  void MakeHuge(size_t offset, size_t bytes) const;

 private:
  void Swap(MemoryMap& other) noexcept {
    std::swap(region_, other.region_);
    std::swap(region_bytes_, other.region_bytes_);
    std::swap(data_, other.data_);
  }

  void* region_ = nullptr;
  size_t region_bytes_ = 0;
  std::byte* data_ = nullptr;  // within the region
};

}  // namespace keel::pager

#endif  // KEEL_PAGER_MEMORY_MAP_H_
