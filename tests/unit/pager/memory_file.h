// A file in memory: for tests of what writes to files, what a crash leaves of it, and errors.
//
//   MemoryFile file(1 << 20);
//   file.set_fault([](const MemoryFile::Call& call) { ... });        // an error for some call
//   ... write, sync, write ...
//   for (const MemoryFile::Unsynced& block : file.UnsyncedBlocks(512)) ...
//   auto after = file.AfterCrash(512, [](const MemoryFile::Unsynced& block) { return version; });
//
// Unsynced writes are kept per sector of 512 bytes, each version of it; a crash leaves any one of
// them, or the durable one. Sectors are sparse: a file of terabytes costs only what was written.

#ifndef KEEL_TESTS_UNIT_PAGER_MEMORY_FILE_H_
#define KEEL_TESTS_UNIT_PAGER_MEMORY_FILE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/file_system.h"

namespace keel::pager {

// Thread-safe.
class MemoryFile : public io::File {
 public:
  static constexpr size_t kSectorBytes = 512;

  // One call as the fault function and the list of calls see it.
  struct Call {
    enum class Kind : uint8_t { kRead, kWrite, kSync, kAllocate, kTruncate };

    Kind kind = Kind::kRead;
    uint64_t offset = 0;
    uint64_t length = 0;
    io::SyncPurpose purpose = io::SyncPurpose::kDataCreate;  // of kSync
    size_t index = 0;                                        // number of this call
  };
  // The error that a call ends with, before it does anything.
  using Fault = std::function<absl::Status(const Call&)>;

  // A block with writes that no sync covers yet.
  struct Unsynced {
    uint64_t offset = 0;
    size_t versions = 0;  // written since the last sync
  };

  explicit MemoryFile(uint64_t size = 0)
      : File("/memory/keel.data", 1), size_(size), durable_size_(size) {}

  absl::StatusOr<size_t> Read(uint64_t offset, std::span<std::byte> buffer) override {
    const std::lock_guard lock(mutex_);
    if (auto error = Begin(Call::Kind::kRead, offset, buffer.size()); !error.ok()) return error;
    if (offset >= size_) return size_t{0};
    const auto count = static_cast<size_t>(std::min<uint64_t>(buffer.size(), size_ - offset));
    Copy(offset, buffer.first(count));
    return count;
  }

  absl::Status Write(uint64_t offset, std::span<const std::byte> data) override {
    const std::lock_guard lock(mutex_);
    if (auto error = Begin(Call::Kind::kWrite, offset, data.size()); !error.ok()) return error;
    Put(offset, data);
    size_ = std::max(size_, offset + data.size());
    return absl::OkStatus();
  }

  absl::Status Sync(io::SyncPurpose purpose) override {
    const std::lock_guard lock(mutex_);
    if (auto error = Begin(Call::Kind::kSync, 0, 0, purpose); !error.ok()) return error;
    for (auto& [index, sector] : sectors_) {
      if (sector.unsynced.empty()) continue;
      sector.durable = sector.unsynced.back();
      sector.unsynced.clear();
    }
    durable_size_ = size_;
    return absl::OkStatus();
  }

  io::FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                 io::SyncPurpose purpose, io::FlushMethod /*method*/) override {
    io::FlushOutcome outcome;
    outcome.write = Write(offset, data);
    if (outcome.write.ok()) outcome.sync = Sync(purpose);
    return outcome;
  }

  absl::Status Allocate(uint64_t offset, uint64_t length) override {
    const std::lock_guard lock(mutex_);
    if (auto error = Begin(Call::Kind::kAllocate, offset, length); !error.ok()) return error;
    if (offset + length > capacity_) {
      return absl::ResourceExhaustedError("/memory/keel.data: allocate: no space left on device");
    }
    size_ = std::max(size_, offset + length);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    const std::lock_guard lock(mutex_);
    if (auto error = Begin(Call::Kind::kTruncate, size, 0); !error.ok()) return error;
    size_ = size;
    sectors_.erase(sectors_.lower_bound((size + kSectorBytes - 1) / kSectorBytes), sectors_.end());
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    const std::lock_guard lock(mutex_);
    return size_;
  }

  absl::Status TryLock(io::LockMode /*mode*/) override { return absl::OkStatus(); }

  // --- faults ---

  void set_fault(Fault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  // Allocate beyond it fails with ResourceExhausted.
  void set_capacity(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    capacity_ = bytes;
  }
  // Turns one bit over, on the medium: neither a call nor a write.
  void FlipBit(uint64_t offset, int bit) {
    const std::lock_guard lock(mutex_);
    std::byte byte;
    Copy(offset, {&byte, 1});
    byte ^= std::byte{1} << bit;
    Sector& sector = sectors_[offset / kSectorBytes];
    for (Bytes& version : sector.unsynced) version[offset % kSectorBytes] = byte;
    sector.durable[offset % kSectorBytes] = byte;
  }

  // --- what was called ---

  std::vector<Call> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  void ClearCalls() {
    const std::lock_guard lock(mutex_);
    calls_.clear();
  }
  size_t CountCalls(Call::Kind kind) const {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(
        std::count_if(calls_.begin(), calls_.end(), [&](const Call& c) { return c.kind == kind; }));
  }

  // Bytes as a reader sees them, zeros beyond the end.
  std::string Contents(uint64_t offset, size_t length) const {
    const std::lock_guard lock(mutex_);
    std::string bytes(length, '\0');
    Copy(offset, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  // --- crashes ---

  // Blocks of `block_bytes` (a multiple of 512) with unsynced writes, in ascending order.
  std::vector<Unsynced> UnsyncedBlocks(size_t block_bytes) const {
    const std::lock_guard lock(mutex_);
    std::vector<Unsynced> blocks;
    for (const auto& [index, sector] : sectors_) {
      if (sector.unsynced.empty()) continue;
      const uint64_t offset = index * kSectorBytes / block_bytes * block_bytes;
      if (blocks.empty() || blocks.back().offset != offset) blocks.push_back({offset, 0});
      blocks.back().versions = std::max(blocks.back().versions, sector.unsynced.size());
    }
    return blocks;
  }

  // What a power cut leaves. `choose` names the version of each block: 0 the durable one, n the
  // n-th written since. The size is the durable one, or more where a block that was kept lies
  // beyond.
  using Choose = absl::FunctionRef<size_t(const Unsynced&)>;
  std::unique_ptr<MemoryFile> AfterCrash(size_t block_bytes, Choose choose) const {
    auto after = std::make_unique<MemoryFile>(durable_size());
    const std::vector<Unsynced> blocks = UnsyncedBlocks(block_bytes);
    const std::lock_guard lock(mutex_);
    for (const auto& [index, sector] : sectors_) after->sectors_[index].durable = sector.durable;
    for (const Unsynced& block : blocks) {
      const size_t version = choose(block);
      if (version > 0) Keep(block.offset, block_bytes, version, after.get());
    }
    return after;
  }
  // All unsynced writes kept, or lost.
  std::unique_ptr<MemoryFile> AfterCrash(bool kept) const {
    return AfterCrash(kSectorBytes, [&](const Unsynced& b) { return kept ? b.versions : 0; });
  }

 private:
  using Bytes = std::array<std::byte, kSectorBytes>;

  struct Sector {
    Bytes durable{};
    std::vector<Bytes> unsynced;  // versions written since the last sync

    const Bytes& current() const { return unsynced.empty() ? durable : unsynced.back(); }
  };

  // Calls visit(sector index, first byte within it, range of the span) for each sector touched.
  template <typename Visit>
  static void ForEachPart(uint64_t offset, size_t length, Visit&& visit) {
    for (size_t done = 0; done < length;) {
      const size_t within = (offset + done) % kSectorBytes;
      const size_t part = std::min(kSectorBytes - within, length - done);
      visit((offset + done) / kSectorBytes, within, done, part);
      done += part;
    }
  }

  absl::Status Begin(Call::Kind kind, uint64_t offset, uint64_t length,
                     io::SyncPurpose purpose = io::SyncPurpose::kDataCreate) {
    calls_.push_back({kind, offset, length, purpose, calls_.size()});
    return fault_ ? fault_(calls_.back()) : absl::OkStatus();
  }

  void Copy(uint64_t offset, std::span<std::byte> out) const {
    ForEachPart(offset, out.size(), [&](uint64_t index, size_t within, size_t at, size_t part) {
      const auto found = sectors_.find(index);
      if (found == sectors_.end()) {
        std::memset(&out[at], 0, part);
      } else {
        std::memcpy(&out[at], &found->second.current()[within], part);
      }
    });
  }

  void Put(uint64_t offset, std::span<const std::byte> data) {
    ForEachPart(offset, data.size(), [&](uint64_t index, size_t within, size_t at, size_t part) {
      Sector& sector = sectors_[index];
      const Bytes current = sector.current();
      sector.unsynced.push_back(current);
      std::memcpy(&sector.unsynced.back()[within], &data[at], part);
    });
  }

  // The n-th version of every sector of a block becomes durable in `after`.
  void Keep(uint64_t offset, size_t block_bytes, size_t version, MemoryFile* after) const {
    for (uint64_t i = offset / kSectorBytes; i < (offset + block_bytes) / kSectorBytes; ++i) {
      const auto found = sectors_.find(i);
      if (found == sectors_.end() || found->second.unsynced.empty()) continue;
      const std::vector<Bytes>& versions = found->second.unsynced;
      after->sectors_[i].durable = versions[std::min(version, versions.size()) - 1];
      const uint64_t end = std::min((i + 1) * kSectorBytes, size_);
      after->size_ = after->durable_size_ = std::max(after->size_, end);
    }
  }

  uint64_t durable_size() const {
    const std::lock_guard lock(mutex_);
    return durable_size_;
  }

  mutable std::mutex mutex_;
  std::map<uint64_t, Sector> sectors_;
  uint64_t size_;
  uint64_t durable_size_;
  uint64_t capacity_ = UINT64_MAX;
  Fault fault_;
  std::vector<Call> calls_;
};

}  // namespace keel::pager

#endif  // KEEL_TESTS_UNIT_PAGER_MEMORY_FILE_H_
