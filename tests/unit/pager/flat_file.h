// A file of fixed size in plain memory, without a lock: for tests that let many threads read and write it.
// What overlaps there is a mistake of the code under test, and shows in the thread sanitizer. Hooks, set
// before threads start, spoil reads and writes on their way.

#ifndef KEEL_TESTS_UNIT_PAGER_FLAT_FILE_H_
#define KEEL_TESTS_UNIT_PAGER_FLAT_FILE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "io/clock.h"
#include "io/file_system.h"

namespace keel::pager {

// Thread-safe as io::File is.
class FlatFile : public io::File {
 public:
  // After the bytes were read: may change them, or fail.
  using ReadHook = std::function<absl::Status(uint64_t offset, std::span<std::byte> bytes)>;
  // Before the bytes are written. Where they go, kLost: nowhere (and yet OK is returned), or an error.
  static constexpr uint64_t kLost = UINT64_MAX;
  using WriteHook =
      std::function<absl::StatusOr<uint64_t>(uint64_t offset, std::span<const std::byte> bytes)>;

  explicit FlatFile(size_t size, uint32_t alignment = 1)
      : File("/flat/keel.data", alignment), bytes_(size) {}

  void set_read_hook(ReadHook hook) { read_hook_ = std::move(hook); }
  void set_write_hook(WriteHook hook) { write_hook_ = std::move(hook); }
  std::span<std::byte> bytes() { return bytes_; }

  uint64_t reads() const { return reads_.load(); }
  uint64_t writes() const { return writes_.load(); }
  uint64_t longest_write() const { return longest_write_.load(); }

  absl::StatusOr<size_t> Read(uint64_t offset, std::span<std::byte> buffer) override {
    ++reads_;
    if (offset >= bytes_.size()) return size_t{0};
    const size_t count = std::min<size_t>(buffer.size(), bytes_.size() - offset);
    std::memcpy(buffer.data(), &bytes_[offset], count);
    if (read_hook_) {
      if (absl::Status status = read_hook_(offset, buffer.first(count)); !status.ok()) {
        return status;
      }
    }
    return count;
  }

  absl::Status Write(uint64_t offset, std::span<const std::byte> data) override {
    ++writes_;
    uint64_t longest = longest_write_.load();
    while (longest < data.size() && !longest_write_.compare_exchange_weak(longest, data.size())) {
    }
    if (write_hook_) {
      absl::StatusOr<uint64_t> place = write_hook_(offset, data);
      if (!place.ok()) return std::move(place).status();
      offset = *place;
    }
    if (offset == kLost) return absl::OkStatus();
    std::memcpy(&bytes_[offset], data.data(), data.size());
    return absl::OkStatus();
  }

  absl::Status Sync(io::SyncPurpose /*purpose*/) override { return absl::OkStatus(); }
  io::FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                 io::SyncPurpose /*purpose*/, io::FlushMethod /*method*/) override {
    return {.write = Write(offset, data), .sync = absl::OkStatus()};
  }
  absl::Status Allocate(uint64_t /*offset*/, uint64_t /*length*/) override {
    return absl::UnimplementedError("fixed size");
  }
  absl::Status Truncate(uint64_t /*size*/) override {
    return absl::UnimplementedError("fixed size");
  }
  absl::StatusOr<uint64_t> Size() override { return bytes_.size(); }
  absl::Status TryLock(io::LockMode /*mode*/) override { return absl::OkStatus(); }

 private:
  std::vector<std::byte> bytes_;
  ReadHook read_hook_;
  WriteHook write_hook_;
  std::atomic<uint64_t> reads_{0};
  std::atomic<uint64_t> writes_{0};
  std::atomic<uint64_t> longest_write_{0};
};

// Time that passes only when somebody sleeps, and then a hundred times faster.
class TestClock : public io::Clock {
 public:
  absl::Duration Now() const override { return absl::Nanoseconds(now_.load()); }
  void Sleep(absl::Duration duration) override {
    now_ += absl::ToInt64Nanoseconds(duration);
    absl::SleepFor(duration / 100);
  }

 private:
  std::atomic<int64_t> now_{0};
};

}  // namespace keel::pager

#endif  // KEEL_TESTS_UNIT_PAGER_FLAT_FILE_H_
