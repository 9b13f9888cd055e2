// bench/compare: a bound on the memory of a child, the system's cache of its files included.
//
// Without it, a store whose cache is the system's would have the whole machine where the others keep to their budget.

#ifndef KEEL_BENCH_COMPARE_MEMORY_LIMIT_H_
#define KEEL_BENCH_COMPARE_MEMORY_LIMIT_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>

namespace keel::compare {

// A cgroup (version 1 or 2) below the one of this process; removed with the object, when all that were in it have
// ended.
class MemoryLimit {
 public:
  // Unavailable: this process may not make one.
  static absl::StatusOr<MemoryLimit> Make(uint64_t bytes);

  MemoryLimit(MemoryLimit&& other) noexcept : group_(std::move(other.group_)) {
    other.group_.clear();
  }
  MemoryLimit& operator=(MemoryLimit&&) = delete;
  ~MemoryLimit();

  const std::filesystem::path& group() const { return group_; }

  // Moves the calling process into a group.
  static absl::Status Enter(const std::filesystem::path& group);

 private:
  explicit MemoryLimit(std::filesystem::path group) : group_(std::move(group)) {}

  std::filesystem::path group_;
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_MEMORY_LIMIT_H_
