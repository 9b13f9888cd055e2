#include "fault_injection/sim_file_system.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "fault_injection/sim_file.h"
#include "fault_injection/sim_queue.h"
#include "io/errors.h"

namespace keel::fault_injection {
namespace {

int ErrnoOf(Fault fault) {
  switch (fault) {
    case Fault::kNoSpace:
      return ENOSPC;
    case Fault::kQuota:
      return EDQUOT;
    case Fault::kReadOnly:
      return EROFS;
    case Fault::kAccess:
      return EACCES;
    case Fault::kNoMemory:
      return ENOMEM;
    case Fault::kTooManyFiles:
      return EMFILE;
    default:
      return EIO;
  }
}

// One name for one place: without a slash at the end.
std::string Normal(const std::filesystem::path& path) {
  std::string text = path.lexically_normal().native();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

absl::Status Missing(std::string_view operation, const std::string& path) {
  return io::ErrnoStatus(ENOENT, operation, path);
}

constexpr uint32_t kDirectAlignment = 512;

}  // namespace

class SimFileSystem::VirtualClock final : public io::Clock {
 public:
  absl::Duration Now() const override { return absl::Nanoseconds(now_.load()); }
  void Sleep(absl::Duration duration) override {
    now_ += std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration));
  }

 private:
  std::atomic<int64_t> now_{0};
};

class SimFileSystem::WorldRandom final : public io::Random {
 public:
  explicit WorldRandom(uint64_t seed) : random_(Mix(~seed)) {}
  uint64_t Next64() override {
    absl::MutexLock lock(&mutex_);
    return random_.Next();
  }

 private:
  absl::Mutex mutex_;
  SeededRandom random_ ABSL_GUARDED_BY(mutex_);
};

SimFileSystem::SimFileSystem(const SimOptions& options, DiskImage image)
    : SimFileSystem(options, SimDisk(std::move(image))) {}

SimFileSystem::SimFileSystem(const SimOptions& options, SimDisk disk)
    : options_(options),
      clock_(std::make_unique<VirtualClock>()),
      random_(std::make_unique<WorldRandom>(options.seed)),
      disk_(std::move(disk)),
      chance_(options.seed),
      capacity_(options.capacity_bytes) {
  disk_.set_keep_trace(options.keep_trace);
}

SimFileSystem::~SimFileSystem() = default;

void SimFileSystem::set_plan(FaultPlan plan) {
  absl::MutexLock lock(&mutex_);
  plan_ = std::move(plan);
}

uint64_t SimFileSystem::faults() const {
  absl::MutexLock lock(&mutex_);
  return plan_.hits();
}

void SimFileSystem::set_observer(Observer observer) { observer_ = std::move(observer); }

void SimFileSystem::set_capacity(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  capacity_ = bytes;
}

uint64_t SimFileSystem::used_bytes() const {
  absl::MutexLock lock(&mutex_);
  return disk_.used_bytes();
}

void SimFileSystem::EvictLost() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [path, inode] : disk_.current().names()) disk_.EvictLost(inode);
}

void SimFileSystem::Mark(uint64_t mark) {
  absl::MutexLock lock(&mutex_);
  disk_.Mark(mark);
}

size_t SimFileSystem::trace_size() const {
  absl::MutexLock lock(&mutex_);
  return disk_.trace().size();
}

Trace SimFileSystem::trace() const {
  absl::MutexLock lock(&mutex_);
  return disk_.trace();
}

Durability SimFileSystem::durability() const {
  absl::MutexLock lock(&mutex_);
  return disk_.durability();
}

SimDisk SimFileSystem::disk() const {
  absl::MutexLock lock(&mutex_);
  return disk_;
}

bool SimFileSystem::Overwrite(const std::string& path, uint64_t offset,
                              std::span<const std::byte> bytes) {
  absl::MutexLock lock(&mutex_);
  const InodeId inode = disk_.current().Find(path);
  if (inode == 0) return false;
  disk_.SyncEffects(disk_.Write(inode, offset, bytes), io::SyncPurpose::kCheckpointPages);
  return true;
}

bool SimFileSystem::SetFileSize(const std::string& path, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  const InodeId inode = disk_.current().Find(path);
  if (inode == 0) return false;
  const bool grows = size > disk_.current().file(inode).size();
  if (grows) {
    disk_.Grow(inode, size);
  } else {
    disk_.Cut(inode, size);
  }
  disk_.SyncFile(inode, io::SyncPurpose::kCheckpointPages);
  return true;
}

std::optional<std::vector<std::byte>> SimFileSystem::Contents(const std::string& path) const {
  absl::MutexLock lock(&mutex_);
  const InodeId inode = disk_.current().Find(path);
  if (inode == 0) return std::nullopt;
  std::vector<std::byte> bytes(disk_.current().file(inode).size());
  disk_.current().file(inode).Read(0, bytes);
  return bytes;
}

std::vector<std::string> SimFileSystem::Paths() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : disk_.current().names()) paths.push_back(path);
  return paths;
}

uint64_t SimFileSystem::Draw(uint64_t bound) {
  absl::MutexLock lock(&mutex_);
  return chance_.Below(bound);
}

SimFileSystem::Begun SimFileSystem::Begin(Call call) {
  call.step = steps_++;
  if (observer_) observer_(call);
  absl::MutexLock lock(&mutex_);
  const double share = static_cast<double>(1 + chance_.Below(1 << 20)) / (1 << 20);
  clock_->Sleep(-std::log(share) * options_.latency);
  std::optional<Fault> fault;
  if (powered_off_) {
    fault = Fault::kPowerOff;
  } else {
    fault = plan_.Ask(call);
  }
  if (!fault.has_value()) return {};
  if (IsSilent(*fault)) return {.status = absl::OkStatus(), .silent = fault};
  if (*fault == Fault::kPowerOff) powered_off_ = true;
  return {.status = InjectedError(*fault, call), .error = fault};
}

absl::Status SimFileSystem::InjectedError(Fault fault, const Call& call) const {
  if (fault == Fault::kPowerOff) return absl::UnavailableError("the power is off");
  const absl::Status plain =
      io::ErrnoStatus(ErrnoOf(fault), CallKindName(call.kind), call.path, call.offset, call.length);
  return absl::Status(plain.code(),
                      absl::StrFormat("%s (injected: %s, seed %d, step %d)", plain.message(),
                                      FaultName(fault), options_.seed, call.step));
}

absl::Status SimFileSystem::NoSpace(const std::string& path, uint64_t offset,
                                    uint64_t length) const {
  return io::ErrnoStatus(ENOSPC, "write", path, offset, length);
}

bool SimFileSystem::HasRoom(uint64_t more) const { return disk_.used_bytes() + more <= capacity_; }

bool SimFileSystem::IsDirectory(const std::string& path) const {
  return path == "/" || disk_.current().directories().contains(path);
}

std::vector<std::string> SimFileSystem::ListLocked(const std::string& path) const {
  std::vector<std::string> names;
  const auto add = [&](const std::string& entry) {
    if (entry != "/" && ParentOf(entry) == path)
      names.push_back(entry.substr(entry.rfind('/') + 1));
  };
  for (const auto& [name, inode] : disk_.current().names()) add(name);
  for (const std::string& directory : disk_.current().directories()) add(directory);
  std::ranges::sort(names);
  return names;
}

absl::StatusOr<std::unique_ptr<io::File>> SimFileSystem::Open(const std::filesystem::path& path,
                                                              const io::FileOptions& options) {
  const std::string name = Normal(path);
  const auto begun = Begin({.kind = CallKind::kOpen, .path = name});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  if (IsDirectory(name)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "open %s: is a directory", name);
  }
  InodeId inode = disk_.current().Find(name);
  if (inode != 0 && options.create && options.exclusive) {
    return io::ErrnoStatus(EEXIST, "open", name);
  }
  if (inode == 0) {
    if (!options.create || !IsDirectory(ParentOf(name))) return Missing("open", name);
    inode = disk_.CreateFile(name);
  }
  const uint32_t alignment = options.direct && options_.direct_io ? kDirectAlignment : 1;
  return std::make_unique<SimFile>(path, alignment, this, inode, options.read_only);
}

absl::StatusOr<std::unique_ptr<io::IoQueue>> SimFileSystem::NewQueue(size_t depth) {
  return std::make_unique<SimQueue>(this, depth);
}

absl::Status SimFileSystem::CreateDirectory(const std::filesystem::path& path) {
  const std::string name = Normal(path);
  const auto begun = Begin({.kind = CallKind::kCreateDirectory, .path = name});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  if (IsDirectory(name) || disk_.current().Find(name) != 0) {
    return io::ErrnoStatus(EEXIST, "mkdir", name);
  }
  if (!IsDirectory(ParentOf(name))) return Missing("mkdir", name);
  disk_.MakeDirectory(name);
  return absl::OkStatus();
}

absl::Status SimFileSystem::SyncDirectory(const std::filesystem::path& path,
                                          io::SyncPurpose purpose) {
  const std::string name = Normal(path);
  {
    absl::MutexLock lock(&mutex_);
    if (!IsDirectory(name)) return Missing("open", name);
  }
  sync_counters().Add(purpose);
  const auto begun = Begin({.kind = CallKind::kSyncDirectory, .path = name, .purpose = purpose});
  if (!begun.status.ok() || begun.silent.has_value()) return begun.status;
  absl::MutexLock lock(&mutex_);
  disk_.SyncDirectory(name, purpose);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimFileSystem::List(const std::filesystem::path& path) {
  const std::string name = Normal(path);
  const auto begun = Begin({.kind = CallKind::kList, .path = name});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  if (!IsDirectory(name)) return Missing("opendir", name);
  return ListLocked(name);
}

absl::StatusOr<bool> SimFileSystem::Exists(const std::filesystem::path& path) {
  const std::string name = Normal(path);
  const auto begun = Begin({.kind = CallKind::kExists, .path = name});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  return IsDirectory(name) || disk_.current().Find(name) != 0;
}

absl::Status SimFileSystem::Rename(const std::filesystem::path& from,
                                   const std::filesystem::path& to) {
  const std::string source = Normal(from);
  const std::string target = Normal(to);
  const auto begun = Begin({.kind = CallKind::kRename, .path = source});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  if (disk_.current().Find(source) == 0 || !IsDirectory(ParentOf(target))) {
    return Missing("rename", source);
  }
  if (source != target) disk_.Rename(source, target);
  return absl::OkStatus();
}

absl::Status SimFileSystem::Remove(const std::filesystem::path& path) {
  const std::string name = Normal(path);
  const auto begun = Begin({.kind = CallKind::kRemove, .path = name});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  if (disk_.current().Find(name) == 0) {
    if (!IsDirectory(name)) return Missing("remove", name);
    if (!ListLocked(name).empty()) return io::ErrnoStatus(ENOTEMPTY, "remove", name);
  }
  disk_.Remove(name);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SimFileSystem::FreeSpace(const std::filesystem::path& path) {
  const std::string name = Normal(path);
  const auto begun = Begin({.kind = CallKind::kFreeSpace, .path = name});
  if (!begun.status.ok()) return begun.status;
  absl::MutexLock lock(&mutex_);
  if (!IsDirectory(name) && disk_.current().Find(name) == 0) return Missing("statvfs", name);
  return capacity_ - std::min(capacity_, disk_.used_bytes());
}

io::Clock& SimFileSystem::clock() { return *clock_; }
io::Random& SimFileSystem::random() { return *random_; }

}  // namespace keel::fault_injection
