// An open file of a simulated file system.

#ifndef KEEL_FAULT_INJECTION_SIM_FILE_H_
#define KEEL_FAULT_INJECTION_SIM_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "fault_injection/sim_file_system.h"

namespace keel::fault_injection {

class SimFile final : public io::File {
 public:
  SimFile(std::filesystem::path path, uint32_t alignment, SimFileSystem* world, InodeId inode,
          bool read_only)
      : File(std::move(path), alignment), world_(world), inode_(inode), read_only_(read_only) {}
  ~SimFile() override { Unlock(); }

  absl::StatusOr<size_t> Read(uint64_t offset, std::span<std::byte> buffer) override;
  absl::Status Write(uint64_t offset, std::span<const std::byte> data) override;
  absl::Status Sync(io::SyncPurpose purpose) override;
  io::FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                 io::SyncPurpose purpose, io::FlushMethod method) override;
  absl::Status Allocate(uint64_t offset, uint64_t length) override;
  absl::Status Truncate(uint64_t size) override;
  absl::StatusOr<uint64_t> Size() override;
  absl::Status TryLock(io::LockMode mode) override;
  void Unlock() override;

 private:
  friend class SimQueue;

  Call MakeCall(CallKind kind, uint64_t offset, uint64_t length) const;
  absl::Status CheckPlace(std::string_view operation, uint64_t offset, const std::byte* data,
                          uint64_t length) const;
  // The ids of the effects; empty and not OK if the write failed.
  absl::StatusOr<std::vector<uint64_t>> DoWrite(uint64_t offset, std::span<const std::byte> data);
  std::vector<uint64_t> WriteSilently(Fault fault, uint64_t offset,
                                      std::span<const std::byte> data);
  absl::Status FinishSync(const SimFileSystem::Begun& begun, const Call& call);
  absl::Status FailSync(absl::Status status);

  SimFileSystem* const world_;
  const InodeId inode_;
  const bool read_only_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_SIM_FILE_H_
