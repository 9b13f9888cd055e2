// A file reached by the classic calls: pread, pwrite, fdatasync. Measured best for single writes of
// the log; batches go through a queue.

#ifndef KEEL_IO_POSIX_FILE_H_
#define KEEL_IO_POSIX_FILE_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "io/file_system.h"
#include "io/open_regular_file.h"

namespace keel::io {

class PosixFile : public File {
 public:
  // `sync_counters` outlives the file.
  PosixFile(std::filesystem::path path, OpenedFile opened, SyncCounters* sync_counters);
  ~PosixFile() override;

  absl::StatusOr<size_t> Read(uint64_t offset, std::span<std::byte> buffer) override;
  absl::Status Write(uint64_t offset, std::span<const std::byte> data) override;
  absl::Status Sync(SyncPurpose purpose) override;
  FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data, SyncPurpose purpose,
                             FlushMethod method) override;
  absl::Status Allocate(uint64_t offset, uint64_t length) override;
  absl::Status Truncate(uint64_t size) override;
  absl::StatusOr<uint64_t> Size() override;
  absl::Status TryLock(LockMode mode) override;
  void Unlock() override;

  // The parts of a transfer, for a queue that carries it out in its own way.

  int descriptor() const { return descriptor_.get(); }
  SyncCounters& sync_counters() { return *sync_counters_; }

  // To be asked before a transfer. CheckWrite also refuses what would pass the file size limit of
  // the process, for which the kernel would send SIGXFSZ.
  absl::Status CheckRead(uint64_t offset, std::span<const std::byte> buffer) const;
  absl::Status CheckWrite(uint64_t offset, std::span<const std::byte> data) const;

  // Carry on with a transfer of which `done` bytes are done.
  absl::StatusOr<size_t> FinishRead(uint64_t offset, std::span<std::byte> buffer, size_t done);
  absl::Status FinishWrite(uint64_t offset, std::span<const std::byte> data, size_t done);
  // A sync that was counted when it was to be begun by other means.
  absl::Status FinishSync();

  // How far writes had completed; what a sync begun now covers. A sync by other means than Sync
  // takes the mark before it begins and reports it after it succeeded.
  uint64_t WriteMark() const { return writes_completed_.load(std::memory_order_acquire); }
  void NoteWriteCompleted() { writes_completed_.fetch_add(1, std::memory_order_release); }
  void NoteSynced(uint64_t mark);

 private:
  absl::Status CheckRange(std::string_view operation, uint64_t offset, uint64_t length) const;
  absl::Status CheckAlignment(std::string_view operation, uint64_t offset,
                              std::span<const std::byte> bytes) const;
  absl::Status CheckSizeLimit(std::string_view operation, uint64_t offset, uint64_t length) const;
  // Goes on from *done; 0, or the errno value that stopped it.
  int WriteOut(uint64_t offset, std::span<const std::byte> data, int flags, size_t* done) const;
  bool AllWritesSynced() const;
  FlushOutcome DataSyncWrite(uint64_t offset, std::span<const std::byte> data, SyncPurpose purpose);
  absl::Status Reserve(uint64_t offset, uint64_t end, uint64_t old_size);
  absl::Status WriteZeros(uint64_t from, uint64_t end);
  absl::Status SetSize(uint64_t size);

  const Descriptor descriptor_;
  const bool read_only_;
  SyncCounters* const sync_counters_;
  // What others wrote before the file was opened counts as one write not yet synced.
  std::atomic<uint64_t> writes_completed_{1};
  std::atomic<uint64_t> writes_synced_{0};
  std::atomic<bool> data_sync_write_works_{true};
  std::atomic<pid_t> lock_owner_{0};  // the process that took the lock; 0: no lock
};

}  // namespace keel::io

#endif  // KEEL_IO_POSIX_FILE_H_
