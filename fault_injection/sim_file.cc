#include "fault_injection/sim_file.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/status.h"

namespace keel::fault_injection {
namespace {

constexpr uint64_t kMaxOffset = std::numeric_limits<int64_t>::max();

}  // namespace

Call SimFile::MakeCall(CallKind kind, uint64_t offset, uint64_t length) const {
  return {.kind = kind, .path = path().native(), .offset = offset, .length = length};
}

absl::Status SimFile::CheckPlace(std::string_view operation, uint64_t offset, const std::byte* data,
                                 uint64_t length) const {
  const bool aligned = offset % alignment() == 0 && length % alignment() == 0 &&
                       reinterpret_cast<uintptr_t>(data) % alignment() == 0;
  if (aligned && offset <= kMaxOffset && length <= kMaxOffset - offset) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kInvalidArgument, "%s %s at %d, %d bytes: %s", operation,
                    path().native(), offset, length,
                    aligned ? "beyond the largest file" : "not aligned for direct I/O");
}

absl::StatusOr<size_t> SimFile::Read(uint64_t offset, std::span<std::byte> buffer) {
  const absl::Status place = CheckPlace("read", offset, buffer.data(), buffer.size());
  if (!place.ok()) return place;
  const auto begun = world_->Begin(MakeCall(CallKind::kRead, offset, buffer.size()));
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&world_->mutex_);
  const bool stale = begun.silent == Fault::kStaleRead;
  const SimDisk& disk = world_->disk_;
  const FileImage& now = disk.current().file(inode_);
  const size_t count = now.Read(offset, buffer);
  if (stale) disk.durability().durable().file(inode_).Read(offset, buffer.first(count));
  if (begun.silent == Fault::kZeroRead) std::ranges::fill(buffer.first(count), std::byte{0});
  if (begun.silent == Fault::kFlippedBit && count > 0) {
    buffer[world_->chance_.Below(count)] ^= static_cast<std::byte>(1U << world_->chance_.Below(8));
  }
  return count;
}

absl::Status SimFile::Write(uint64_t offset, std::span<const std::byte> data) {
  return DoWrite(offset, data).status();
}

absl::StatusOr<std::vector<uint64_t>> SimFile::DoWrite(uint64_t offset,
                                                       std::span<const std::byte> data) {
  if (read_only_) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, "write %s: opened for reading",
                      path().native());
  }
  const absl::Status place = CheckPlace("write", offset, data.data(), data.size());
  if (!place.ok()) return place;
  const auto begun = world_->Begin(MakeCall(CallKind::kWrite, offset, data.size()));
  absl::MutexLock lock(&world_->mutex_);
  SimDisk& disk = world_->disk_;
  if (!begun.status.ok()) {
    if (begun.error == Fault::kIoError) disk.WritePart(inode_, offset, data, world_->chance_);
    return begun.status;
  }
  if (begun.silent.has_value()) return WriteSilently(*begun.silent, offset, data);
  const bool at_once = world_->options_.space == SpaceModel::kImmediate;
  if (at_once && !world_->HasRoom(disk.MissingBytes(inode_, offset, data.size()))) {
    return world_->NoSpace(path().native(), offset, data.size());
  }
  return disk.Write(inode_, offset, data);
}

std::vector<uint64_t> SimFile::WriteSilently(
    Fault fault, uint64_t offset, std::span<const std::byte> data) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SimDisk& disk = world_->disk_;
  std::vector<uint64_t> ids;
  if (fault == Fault::kLostWrite) return ids;
  const uint64_t blocks = std::max<uint64_t>(1, disk.current().file(inode_).size() / kBlockBytes);
  const uint64_t elsewhere = world_->chance_.Below(blocks) * kBlockBytes + offset % kBlockBytes;
  ids = disk.Write(inode_, elsewhere, data);
  if (fault == Fault::kDuplicatedWrite) {
    for (const uint64_t id : disk.Write(inode_, offset, data)) ids.push_back(id);
  }
  return ids;
}

absl::Status SimFile::FailSync(absl::Status status) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  world_->disk_.FailSync(inode_, world_->chance_);
  if (world_->options_.after_failed_sync == AfterFailedSync::kReverted) {
    world_->disk_.EvictLost(inode_);
  }
  return status;
}

absl::Status SimFile::FinishSync(const SimFileSystem::Begun& begun, const Call& call) {
  absl::MutexLock lock(&world_->mutex_);
  if (begun.error == Fault::kPowerOff) return begun.status;
  if (!begun.status.ok()) return FailSync(begun.status);
  if (begun.silent.has_value()) return absl::OkStatus();
  if (world_->options_.space == SpaceModel::kDelayed && !world_->HasRoom(0)) {
    return FailSync(world_->NoSpace(path().native(), call.offset, call.length));
  }
  world_->disk_.SyncFile(inode_, call.purpose);
  return absl::OkStatus();
}

absl::Status SimFile::Sync(io::SyncPurpose purpose) {
  world_->sync_counters().Add(purpose);
  Call call = MakeCall(CallKind::kSync, 0, 0);
  call.purpose = purpose;
  return FinishSync(world_->Begin(call), call);
}

io::FlushOutcome SimFile::WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                        io::SyncPurpose purpose, io::FlushMethod method) {
  const bool others_pending = [&] {
    absl::MutexLock lock(&world_->mutex_);
    return !world_->disk_.durability().OfFile(inode_).empty();
  }();
  absl::StatusOr<std::vector<uint64_t>> written = DoWrite(offset, data);
  if (!written.ok()) {
    const bool refused =
        absl::IsInvalidArgument(written.status()) || absl::IsPermissionDenied(written.status());
    // One call does both: the error of a data-sync write is one of its sync.
    if (method != io::FlushMethod::kDataSyncWrite || refused) return {written.status(), {}};
    world_->sync_counters().Add(purpose);
    if (world_->powered_off()) return {absl::OkStatus(), written.status()};
    absl::MutexLock lock(&world_->mutex_);
    return {absl::OkStatus(), FailSync(written.status())};
  }
  if (method != io::FlushMethod::kDataSyncWrite || others_pending) {
    if (method != world_->options_.quickest_flush) {
      world_->clock().Sleep(world_->options_.latency);
    }
    return {absl::OkStatus(), Sync(purpose)};
  }
  world_->sync_counters().Add(purpose);
  Call call = MakeCall(CallKind::kSync, offset, data.size());
  call.purpose = purpose;
  const auto begun = world_->Begin(call);
  absl::MutexLock lock(&world_->mutex_);
  if (begun.error == Fault::kPowerOff) return {absl::OkStatus(), begun.status};
  if (!begun.status.ok()) return {absl::OkStatus(), FailSync(begun.status)};
  if (!begun.silent.has_value()) world_->disk_.SyncEffects(*written, purpose);
  return {};
}

absl::Status SimFile::Allocate(uint64_t offset, uint64_t length) {
  if (read_only_) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, "allocate %s: opened for reading",
                      path().native());
  }
  if (offset > kMaxOffset || length > kMaxOffset - offset) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "allocate %s at %d, %d bytes: beyond the largest file", path().native(),
                      offset, length);
  }
  const auto begun = world_->Begin(MakeCall(CallKind::kAllocate, offset, length));
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&world_->mutex_);
  SimDisk& disk = world_->disk_;
  if (!world_->HasRoom(disk.MissingBytes(inode_, offset, length))) {
    return world_->NoSpace(path().native(), offset, length);
  }
  disk.TakeSpace(inode_, offset, length);
  if (length > 0 && offset + length > disk.current().file(inode_).size()) {
    disk.Grow(inode_, offset + length);
  }
  return absl::OkStatus();
}

absl::Status SimFile::Truncate(uint64_t size) {
  if (read_only_) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, "truncate %s: opened for reading",
                      path().native());
  }
  if (size > kMaxOffset) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "truncate %s to %d: beyond the largest file", path().native(), size);
  }
  const auto begun = world_->Begin(MakeCall(CallKind::kTruncate, size, 0));
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&world_->mutex_);
  const uint64_t now = world_->disk_.current().file(inode_).size();
  if (size > now) world_->disk_.Grow(inode_, size);
  if (size < now) world_->disk_.Cut(inode_, size);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SimFile::Size() {
  if (world_->powered_off()) return absl::UnavailableError("the power is off");
  absl::MutexLock lock(&world_->mutex_);
  return world_->disk_.current().file(inode_).size();
}

absl::Status SimFile::TryLock(io::LockMode mode) {
  const bool exclusive = mode == io::LockMode::kExclusive;
  if (exclusive && read_only_) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "lock %s: an exclusive lock needs a file opened for writing",
                      path().native());
  }
  const auto begun = world_->Begin(MakeCall(CallKind::kLock, 0, 0));
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&world_->mutex_);
  auto& [holders, is_exclusive] = world_->locks_[inode_];
  const bool alone = std::ranges::all_of(holders, [this](const void* h) { return h == this; });
  if (!alone && (exclusive || is_exclusive)) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition, "lock %s: held by another open file",
                      path().native());
  }
  if (std::ranges::find(holders, this) == holders.end()) holders.push_back(this);
  is_exclusive = exclusive;
  return absl::OkStatus();
}

void SimFile::Unlock() {
  absl::MutexLock lock(&world_->mutex_);
  auto& [holders, is_exclusive] = world_->locks_[inode_];
  if (std::erase(holders, this) > 0) is_exclusive = false;
}

}  // namespace keel::fault_injection
