// A disk in memory for the tests of the log: it knows what is durable, forgets the rest in a crash,
// fails on demand, and remembers what was asked of it.
//
//   MemoryFileSystem disk;
//   disk.set_fault([](const Call& call) { ... });          // an error for some call
//   ... write, sync, write ...
//   std::unique_ptr<MemoryFileSystem> after = disk.AfterCrash(random);   // power loss
//   std::unique_ptr<MemoryFileSystem> copy = disk.Copy();                // kill -9
//
// Every unsynced write is kept per block of 4 KiB; a crash leaves of each block the durable version,
// or any one written since, or a mixture of their sectors. A failed sync leaves its writes in doubt for
// ever: no later sync makes them durable. A data-sync write makes itself durable and nothing else.

#ifndef KEEL_TESTS_UNIT_WAL_MEMORY_FILE_SYSTEM_H_
#define KEEL_TESTS_UNIT_WAL_MEMORY_FILE_SYSTEM_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "io/file_system.h"

namespace keel::wal {

struct Call {
  enum class Kind : uint8_t {
    kOpen,
    kRead,
    kWrite,
    kSync,
    kTruncate,
    kSyncDirectory,
    kRemove,
    kRename
  };

  Kind kind = Kind::kRead;
  std::string name;  // of the file, without its directory
  uint64_t offset = 0;
  uint64_t bytes = 0;
  io::SyncPurpose purpose = io::SyncPurpose::kLogFlush;  // of syncs
  bool data_sync = false;                                // of kWrite: kDataSyncWrite
};

// How a crash chooses among the versions of a block.
enum class CrashChoice : uint8_t { kRandom, kTorn, kNothing, kEverything };

// Thread-safe.
class MemoryFileSystem : public io::FileSystem {
 public:
  static constexpr size_t kBlockBytes = 4096;
  using Block = std::vector<std::byte>;
  using Fault = std::function<absl::Status(const Call&)>;

  MemoryFileSystem();
  ~MemoryFileSystem() override;

  // Asked before every call; an error is returned instead of doing it.
  void set_fault(Fault fault);
  // Asked once a write has been done: an error is returned although the bytes have arrived.
  void set_late_fault(Fault fault);
  // Bytes that all files together may have.
  void set_capacity(uint64_t bytes);
  // Bytes that they have.
  uint64_t used() const;
  // Real time that each sync takes.
  void set_sync_time(absl::Duration time);
  // Virtual time that a flush of each method takes.
  void set_flush_time(io::FlushMethod method, absl::Duration time);
  void set_backend_name(std::string name);

  std::vector<Call> TakeCalls();
  // Virtual time slept.
  absl::Duration slept() const;

  // What a loss of power, or a killed process, leaves; locks are gone.
  std::unique_ptr<MemoryFileSystem> AfterCrash(std::mt19937_64& random,
                                               CrashChoice choice = CrashChoice::kRandom) const;
  std::unique_ptr<MemoryFileSystem> Copy() const;

  // The bytes of a file, to look at or to damage. REQUIRES: nobody else uses the file system.
  std::vector<std::byte>& Bytes(const std::filesystem::path& path);
  std::vector<std::filesystem::path> Paths() const;
  void Put(const std::filesystem::path& path, std::vector<std::byte> bytes);

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
  io::BackendInfo backend() const override;
  uint64_t process_id() const override { return 0; }

 private:
  friend class MemoryFile;
  struct Inode;
  struct Time;
  struct Chance;

  absl::Status Begin(Call call);
  uint64_t UsedLocked() const;

  mutable std::mutex mutex_;
  std::map<std::filesystem::path, std::shared_ptr<Inode>> files_;
  std::map<std::filesystem::path, std::shared_ptr<Inode>> durable_names_;
  std::vector<std::filesystem::path> directories_;
  Fault fault_;
  Fault late_fault_;
  uint64_t capacity_ = uint64_t{1} << 40;
  std::atomic<int64_t> sync_micros_{0};
  std::map<io::FlushMethod, absl::Duration> flush_time_;
  std::string backend_name_ = "memory";
  std::vector<Call> calls_;
  std::unique_ptr<Time> time_;
  std::unique_ptr<Chance> chance_;
};

}  // namespace keel::wal

#endif  // KEEL_TESTS_UNIT_WAL_MEMORY_FILE_SYSTEM_H_
