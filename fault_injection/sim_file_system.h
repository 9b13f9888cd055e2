// A file system on a simulated disk: deterministic, hostile on demand, and able to tell what a loss
// of power at any moment would leave.
//
//   SimFileSystem world({.seed = seed});
//   auto db = keel::Database::Open("/db", {.file_system = &world, ...});
//   ...
//   Trace trace = world.trace();                  // every effect and barrier, for crash images
//   SimFileSystem after({.seed = seed}, image);   // the machine starts again on one of them
//
// The same seed and the same calls give the same world. Every injected error says so in its
// message, with seed and step. Thread-safe; calls are carried out one at a time.

#ifndef KEEL_FAULT_INJECTION_SIM_FILE_SYSTEM_H_
#define KEEL_FAULT_INJECTION_SIM_FILE_SYSTEM_H_

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault_injection/fault_plan.h"
#include "fault_injection/sim_disk.h"
#include "io/file_system.h"

namespace keel::fault_injection {

// When the space of a write is found missing.
enum class SpaceModel : uint8_t {
  kImmediate,  // by the write
  kDelayed,    // by the sync after it (delayed allocation)
};

// What reads return after a sync has failed (Rebello et al., Can Applications Recover from fsync
// Failures?, USENIX ATC 2020).
enum class AfterFailedSync : uint8_t {
  kCached,    // the new bytes, for as long as the cache has them (ext4, xfs); see EvictLost
  kReverted,  // the old bytes at once (btrfs)
};

struct SimOptions {
  uint64_t seed = 0;
  uint64_t capacity_bytes = uint64_t{1} << 40;
  SpaceModel space = SpaceModel::kImmediate;
  AfterFailedSync after_failed_sync = AfterFailedSync::kCached;
  bool direct_io = true;   // whether files can be opened for direct I/O
  bool keep_trace = true;  // false for long runs: no trace, no memory
  // Virtual time that a call takes on average; exponentially distributed.
  absl::Duration latency = absl::Microseconds(20);
  // Of a flush by this method nothing at all, so that a probe picks it.
  io::FlushMethod quickest_flush = io::FlushMethod::kWriteThenSync;
};

class SimFileSystem final : public io::FileSystem {
 public:
  // Called before every call is carried out, on its thread, with no lock held.
  using Observer = std::function<void(const Call&)>;

  explicit SimFileSystem(const SimOptions& options, DiskImage image = {});
  ~SimFileSystem() override;

  // Faults.
  void set_plan(FaultPlan plan);
  uint64_t faults() const;
  void set_observer(Observer observer);
  void set_capacity(uint64_t bytes);
  uint64_t used_bytes() const;
  // Reads of what failed syncs lost give the old bytes from now on.
  void EvictLost();
  bool powered_off() const { return powered_off_; }

  // Looking at the disk.
  uint64_t steps() const { return steps_; }
  void Mark(uint64_t mark);
  Trace trace() const;
  size_t trace_size() const;
  Durability durability() const;
  // What a killed process leaves: all that it wrote, though not durable yet. Unlike after a loss of
  // power, what is pending stays so.
  SimDisk disk() const;
  // Starts from the disk of a killed process.
  SimFileSystem(const SimOptions& options, SimDisk disk);

  // Damaging it: the bytes of a file, changed behind everybody's back and durable. False: no such
  // file.
  bool Overwrite(const std::string& path, uint64_t offset, std::span<const std::byte> bytes);
  bool SetFileSize(const std::string& path, uint64_t size);
  std::optional<std::vector<std::byte>> Contents(const std::string& path) const;
  std::vector<std::string> Paths() const;

  absl::StatusOr<std::unique_ptr<io::File>> Open(const std::filesystem::path& path,
                                                 const io::FileOptions& options) override;
  absl::StatusOr<std::unique_ptr<io::IoQueue>> NewQueue(size_t depth) override;
  absl::Status CreateDirectory(const std::filesystem::path& path) override;
  absl::Status SyncDirectory(const std::filesystem::path& path, io::SyncPurpose purpose) override;
  absl::StatusOr<std::vector<std::string>> List(const std::filesystem::path& path) override;
  absl::StatusOr<bool> Exists(const std::filesystem::path& path) override;
  absl::Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  absl::Status Remove(const std::filesystem::path& path) override;
  absl::StatusOr<uint64_t> FreeSpace(const std::filesystem::path& path) override;
  io::Clock& clock() override;
  io::Random& random() override;
  io::BackendInfo backend() const override { return {"simulated", "a test world"}; }
  uint64_t process_id() const override { return 0; }

 private:
  friend class SimFile;
  friend class SimQueue;
  class VirtualClock;
  class WorldRandom;

  struct Locks {
    std::vector<const void*> holders;
    bool exclusive = false;
  };

  // Counts the call, lets time pass, tells the observer, and asks the plan. An error ends the call.
  struct Begun {
    absl::Status status;
    std::optional<Fault> silent;
    std::optional<Fault> error;
  };
  Begun Begin(Call call) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status InjectedError(Fault fault, const Call& call) const;
  absl::Status NoSpace(const std::string& path, uint64_t offset, uint64_t length) const;
  bool HasRoom(uint64_t more) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool IsDirectory(const std::string& path) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<std::string> ListLocked(const std::string& path) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  uint64_t Draw(uint64_t bound) ABSL_LOCKS_EXCLUDED(mutex_);

  const SimOptions options_;
  std::atomic<uint64_t> steps_{0};
  std::atomic<bool> powered_off_{false};
  std::unique_ptr<VirtualClock> clock_;
  std::unique_ptr<WorldRandom> random_;
  Observer observer_;

  mutable absl::Mutex mutex_;
  SimDisk disk_ ABSL_GUARDED_BY(mutex_);
  FaultPlan plan_ ABSL_GUARDED_BY(mutex_);
  SeededRandom chance_ ABSL_GUARDED_BY(mutex_);
  uint64_t capacity_ ABSL_GUARDED_BY(mutex_);
  std::map<InodeId, Locks> locks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_SIM_FILE_SYSTEM_H_
