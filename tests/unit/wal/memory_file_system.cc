#include "tests/unit/wal/memory_file_system.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "io/synchronous_queue.h"

namespace keel::wal {
namespace {

constexpr size_t kBlock = MemoryFileSystem::kBlockBytes;
constexpr size_t kSector = 512;

}  // namespace

struct MemoryFileSystem::Time final : io::Clock {
  absl::Duration Now() const override { return absl::Nanoseconds(now.load()); }
  void Sleep(absl::Duration duration) override { now += absl::ToInt64Nanoseconds(duration); }
  std::atomic<int64_t> now{0};
};

struct MemoryFileSystem::Chance final : io::Random {
  uint64_t Next64() override { return ++state * 0x9e3779b97f4a7c15ULL; }
  std::atomic<uint64_t> state{0};
};

struct MemoryFileSystem::Inode {
  std::vector<std::byte> now;
  std::vector<std::byte> durable;
  std::map<size_t, std::vector<Block>> unsynced;  // block number -> versions, oldest first
  std::map<size_t, std::vector<Block>> doubtful;  // the same, after a failed sync
  std::vector<size_t> sizes;                      // since the last sync
  std::vector<const void*> lock_holders;
  bool exclusive = false;

  Block Now(size_t block) const { return Cut(now, block); }
  static Block Cut(const std::vector<std::byte>& bytes, size_t block) {
    Block result(kBlock);
    const size_t begin = std::min(block * kBlock, bytes.size());
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(begin),
                std::min(kBlock, bytes.size() - begin), result.begin());
    return result;
  }
  static void Paste(std::vector<std::byte>* bytes, size_t block, const Block& from) {
    if (block * kBlock >= bytes->size()) return;
    std::copy_n(from.begin(), std::min(kBlock, bytes->size() - block * kBlock),
                bytes->begin() + static_cast<ptrdiff_t>(block * kBlock));
  }
  void Settle(size_t first, size_t last) {
    if (durable.size() < std::min(now.size(), last * kBlock)) {
      durable.resize(std::min(now.size(), last * kBlock));
    }
    for (auto it = unsynced.lower_bound(first); it != unsynced.end() && it->first < last;) {
      if (!doubtful.contains(it->first)) Paste(&durable, it->first, it->second.back());
      it = unsynced.erase(it);
    }
  }
};

class MemoryFile final : public io::File {
 public:
  MemoryFile(std::filesystem::path path, uint32_t alignment, MemoryFileSystem* disk,
             std::shared_ptr<MemoryFileSystem::Inode> inode, bool read_only)
      : File(std::move(path), alignment),
        disk_(disk),
        inode_(std::move(inode)),
        read_only_(read_only) {}

  ~MemoryFile() override {
    std::lock_guard lock(disk_->mutex_);
    std::erase(inode_->lock_holders, this);
    if (inode_->lock_holders.empty()) inode_->exclusive = false;
  }

  absl::StatusOr<size_t> Read(uint64_t offset, std::span<std::byte> buffer) override {
    const absl::Status status = Begin(Call::Kind::kRead, offset, buffer.size());
    if (!status.ok()) return status;
    std::lock_guard lock(disk_->mutex_);
    const std::vector<std::byte>& bytes = inode_->now;
    if (offset >= bytes.size()) return size_t{0};
    const size_t count = std::min<size_t>(buffer.size(), bytes.size() - offset);
    std::memcpy(buffer.data(), bytes.data() + offset, count);
    return count;
  }

  absl::Status Write(uint64_t offset, std::span<const std::byte> data) override {
    return DoWrite(offset, data, false);
  }

  absl::Status Sync(io::SyncPurpose purpose) override {
    if (const int64_t micros = disk_->sync_micros_; micros > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(micros));
    }
    const absl::Status status = Begin(Call::Kind::kSync, 0, 0, purpose);
    std::lock_guard lock(disk_->mutex_);
    if (!status.ok()) {
      for (auto& [block, versions] : inode_->unsynced) {
        auto& kept = inode_->doubtful[block];
        kept.insert(kept.end(), versions.begin(), versions.end());
      }
      inode_->unsynced.clear();
      return status;
    }
    inode_->durable.resize(inode_->now.size());
    inode_->sizes.clear();
    inode_->Settle(0, SIZE_MAX / kBlock);
    return absl::OkStatus();
  }

  io::FlushOutcome WriteThenSync(uint64_t offset, std::span<const std::byte> data,
                                 io::SyncPurpose purpose, io::FlushMethod method) override {
    {
      std::lock_guard lock(disk_->mutex_);
      disk_->time_->Sleep(disk_->flush_time_[method]);
    }
    if (method == io::FlushMethod::kDataSyncWrite) {
      absl::Status status = DoWrite(offset, data, true);
      if (!status.ok()) return {absl::OkStatus(), status};
      std::lock_guard lock(disk_->mutex_);
      inode_->Settle(offset / kBlock, (offset + data.size() + kBlock - 1) / kBlock);
      return {};
    }
    absl::Status status = DoWrite(offset, data, false);
    if (!status.ok()) return {status, absl::OkStatus()};
    return {absl::OkStatus(), Sync(purpose)};
  }

  absl::Status Allocate(uint64_t offset, uint64_t length) override {
    const absl::Status status = Begin(Call::Kind::kTruncate, offset + length, 0);
    if (!status.ok()) return status;
    std::lock_guard lock(disk_->mutex_);
    const uint64_t size = std::max<uint64_t>(offset + length, inode_->now.size());
    if (disk_->UsedLocked() + size - inode_->now.size() > disk_->capacity_) {
      return absl::ResourceExhaustedError(path().string() + ": no space left on device");
    }
    inode_->now.resize(size);
    inode_->sizes.push_back(size);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    const absl::Status status = Begin(Call::Kind::kTruncate, size, 0);
    if (!status.ok()) return status;
    std::lock_guard lock(disk_->mutex_);
    if (size > inode_->now.size() &&
        disk_->UsedLocked() + size - inode_->now.size() > disk_->capacity_) {
      // A sparse file: the space is charged when blocks are written, which then fails.
    }
    inode_->now.resize(size);
    inode_->sizes.push_back(size);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override {
    std::lock_guard lock(disk_->mutex_);
    return inode_->now.size();
  }

  absl::Status TryLock(io::LockMode mode) override {
    std::lock_guard lock(disk_->mutex_);
    const bool alone =
        std::ranges::all_of(inode_->lock_holders, [this](const void* h) { return h == this; });
    const bool exclusive = mode == io::LockMode::kExclusive;
    if (!alone && (exclusive || inode_->exclusive)) {
      return absl::FailedPreconditionError(path().string() + ": locked");
    }
    std::erase(inode_->lock_holders, this);
    inode_->lock_holders.push_back(this);
    inode_->exclusive = exclusive;
    return absl::OkStatus();
  }

 private:
  absl::Status Begin(Call::Kind kind, uint64_t offset, uint64_t bytes,
                     io::SyncPurpose purpose = io::SyncPurpose::kLogFlush, bool data_sync = false) {
    return disk_->Begin({kind, path().filename().string(), offset, bytes, purpose, data_sync});
  }

  absl::Status DoWrite(uint64_t offset, std::span<const std::byte> data, bool data_sync) {
    if (read_only_) return absl::PermissionDeniedError("opened for reading");
    const absl::Status status =
        Begin(Call::Kind::kWrite, offset, data.size(), io::SyncPurpose::kLogFlush, data_sync);
    if (!status.ok()) return status;
    std::lock_guard lock(disk_->mutex_);
    if (disk_->UsedLocked() > disk_->capacity_) {
      return absl::ResourceExhaustedError(path().string() + ": no space left on device");
    }
    std::vector<std::byte>& now = inode_->now;
    if (now.size() < offset + data.size()) {
      now.resize(offset + data.size());
      inode_->sizes.push_back(now.size());
    }
    std::copy(data.begin(), data.end(), now.begin() + static_cast<ptrdiff_t>(offset));
    for (size_t block = offset / kBlock; block * kBlock < offset + data.size(); ++block) {
      inode_->unsynced[block].push_back(inode_->Now(block));
    }
    if (!disk_->late_fault_) return absl::OkStatus();
    return disk_->late_fault_({Call::Kind::kWrite, path().filename().string(), offset, data.size(),
                               io::SyncPurpose::kLogFlush, data_sync});
  }

  MemoryFileSystem* disk_;
  std::shared_ptr<MemoryFileSystem::Inode> inode_;
  bool read_only_;
};

MemoryFileSystem::MemoryFileSystem()
    : time_(std::make_unique<Time>()), chance_(std::make_unique<Chance>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

void MemoryFileSystem::set_fault(Fault fault) {
  std::lock_guard lock(mutex_);
  fault_ = std::move(fault);
}

void MemoryFileSystem::set_late_fault(Fault fault) {
  std::lock_guard lock(mutex_);
  late_fault_ = std::move(fault);
}

void MemoryFileSystem::set_capacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

uint64_t MemoryFileSystem::used() const {
  std::lock_guard lock(mutex_);
  return UsedLocked();
}

void MemoryFileSystem::set_sync_time(absl::Duration time) {
  sync_micros_ = absl::ToInt64Microseconds(time);
}

void MemoryFileSystem::set_flush_time(io::FlushMethod method, absl::Duration time) {
  std::lock_guard lock(mutex_);
  flush_time_[method] = time;
}

void MemoryFileSystem::set_backend_name(std::string name) { backend_name_ = std::move(name); }

std::vector<Call> MemoryFileSystem::TakeCalls() {
  std::lock_guard lock(mutex_);
  return std::exchange(calls_, {});
}

absl::Duration MemoryFileSystem::slept() const { return time_->Now(); }

absl::Status MemoryFileSystem::Begin(Call call) {
  std::lock_guard lock(mutex_);
  if (calls_.size() < 100000) calls_.push_back(call);
  return fault_ ? fault_(call) : absl::OkStatus();
}

uint64_t MemoryFileSystem::UsedLocked() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : files_) used += inode->now.size();
  return used;
}

std::unique_ptr<MemoryFileSystem> MemoryFileSystem::AfterCrash(std::mt19937_64& random,
                                                               CrashChoice choice) const {
  std::lock_guard lock(mutex_);
  auto after = std::make_unique<MemoryFileSystem>();
  after->directories_ = directories_;
  after->capacity_ = capacity_;
  std::map<std::filesystem::path, std::shared_ptr<Inode>> names = durable_names_;
  const auto keep = [&] {
    if (choice == CrashChoice::kNothing) return false;
    return choice == CrashChoice::kEverything || random() % 2 == 0;
  };
  for (const auto& [path, inode] : files_) {
    if (!durable_names_.contains(path) && keep()) names[path] = inode;
  }
  for (const auto& [path, inode] : durable_names_) {
    if (!files_.contains(path) && keep()) names.erase(path);
  }
  for (const auto& [path, inode] : names) {
    auto left = std::make_shared<Inode>();
    left->now = inode->durable;
    for (const size_t size : inode->sizes) {
      if (keep()) left->now.resize(size);
    }
    std::map<size_t, std::vector<Block>> pending = inode->doubtful;
    for (const auto& [block, versions] : inode->unsynced) {
      pending[block].insert(pending[block].end(), versions.begin(), versions.end());
    }
    for (auto& [block, pending_versions] : pending) {
      std::vector<Block>& versions = pending_versions;  // clang 14 lets no lambda see a binding
      versions.insert(versions.begin(), Inode::Cut(inode->durable, block));
      const auto pick = [&]() -> const Block& {
        if (choice == CrashChoice::kNothing) return versions.front();
        if (choice == CrashChoice::kEverything) return versions.back();
        return versions[random() % versions.size()];
      };
      Block chosen = pick();
      if (choice == CrashChoice::kTorn) {
        for (size_t at = 0; at < kBlock; at += kSector) {
          std::copy_n(pick().begin() + static_cast<ptrdiff_t>(at), kSector,
                      chosen.begin() + static_cast<ptrdiff_t>(at));
        }
      }
      Inode::Paste(&left->now, block, chosen);
    }
    left->durable = left->now;
    after->files_[path] = left;
  }
  after->durable_names_ = after->files_;
  return after;
}

// After a killed process the bytes are all there, and what was unsynced still is.
std::unique_ptr<MemoryFileSystem> MemoryFileSystem::Copy() const {
  std::lock_guard lock(mutex_);
  auto copy = std::make_unique<MemoryFileSystem>();
  copy->directories_ = directories_;
  copy->capacity_ = capacity_;
  std::map<Inode*, std::shared_ptr<Inode>> copies;
  const auto copy_of = [&copies](const std::shared_ptr<Inode>& inode) {
    std::shared_ptr<Inode>& made = copies[inode.get()];
    if (made == nullptr) {
      made = std::make_shared<Inode>(*inode);
      made->lock_holders.clear();
      made->exclusive = false;
    }
    return made;
  };
  for (const auto& [path, inode] : files_) copy->files_[path] = copy_of(inode);
  for (const auto& [path, inode] : durable_names_) copy->durable_names_[path] = copy_of(inode);
  return copy;
}

std::vector<std::byte>& MemoryFileSystem::Bytes(const std::filesystem::path& path) {
  return files_.at(path)->now;
}

std::vector<std::filesystem::path> MemoryFileSystem::Paths() const {
  std::lock_guard lock(mutex_);
  std::vector<std::filesystem::path> paths;
  for (const auto& [path, inode] : files_) paths.push_back(path);
  return paths;
}

void MemoryFileSystem::Put(const std::filesystem::path& path, std::vector<std::byte> bytes) {
  std::lock_guard lock(mutex_);
  auto inode = std::make_shared<Inode>();
  inode->now = bytes;
  inode->durable = std::move(bytes);
  files_[path] = inode;
  durable_names_[path] = inode;
}

absl::StatusOr<std::unique_ptr<io::File>> MemoryFileSystem::Open(const std::filesystem::path& path,
                                                                 const io::FileOptions& options) {
  const absl::Status status = Begin({Call::Kind::kOpen, path.filename().string()});
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end() && !options.create) return absl::NotFoundError(path.string());
  if (found != files_.end() && options.create && options.exclusive) {
    return absl::AlreadyExistsError(path.string());
  }
  std::shared_ptr<Inode>& inode = files_[path];
  if (inode == nullptr) inode = std::make_shared<Inode>();
  const uint32_t alignment = options.direct ? 4096 : 1;
  return std::make_unique<MemoryFile>(path, alignment, this, inode, options.read_only);
}

absl::StatusOr<std::unique_ptr<io::IoQueue>> MemoryFileSystem::NewQueue(size_t depth) {
  return std::make_unique<io::SynchronousQueue>(depth);
}

absl::Status MemoryFileSystem::CreateDirectory(const std::filesystem::path& path) {
  std::lock_guard lock(mutex_);
  if (std::ranges::find(directories_, path) != directories_.end()) {
    return absl::AlreadyExistsError(path.string());
  }
  directories_.push_back(path);
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::SyncDirectory(const std::filesystem::path& path,
                                             io::SyncPurpose purpose) {
  const absl::Status status =
      Begin({Call::Kind::kSyncDirectory, path.filename().string(), 0, 0, purpose, false});
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  std::erase_if(durable_names_, [&path](const auto& e) { return e.first.parent_path() == path; });
  for (const auto& [name, inode] : files_) {
    if (name.parent_path() == path) durable_names_[name] = inode;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::filesystem::path& path) {
  std::lock_guard lock(mutex_);
  if (std::ranges::find(directories_, path) == directories_.end()) {
    return absl::NotFoundError(path.string());
  }
  std::vector<std::string> names;
  for (const auto& [name, inode] : files_) {
    if (name.parent_path() == path) names.push_back(name.filename().string());
  }
  return names;
}

absl::StatusOr<bool> MemoryFileSystem::Exists(const std::filesystem::path& path) {
  std::lock_guard lock(mutex_);
  return files_.contains(path);
}

absl::Status MemoryFileSystem::Rename(const std::filesystem::path& from,
                                      const std::filesystem::path& to) {
  const absl::Status status = Begin({Call::Kind::kRename, from.filename().string()});
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  const auto found = files_.find(from);
  if (found == files_.end()) return absl::NotFoundError(from.string());
  files_[to] = found->second;
  files_.erase(from);
  return absl::OkStatus();
}

absl::Status MemoryFileSystem::Remove(const std::filesystem::path& path) {
  const absl::Status status = Begin({Call::Kind::kRemove, path.filename().string()});
  if (!status.ok()) return status;
  std::lock_guard lock(mutex_);
  return files_.erase(path) == 1 ? absl::OkStatus() : absl::NotFoundError(path.string());
}

absl::StatusOr<uint64_t> MemoryFileSystem::FreeSpace(const std::filesystem::path&) {
  std::lock_guard lock(mutex_);
  const uint64_t used = UsedLocked();
  return capacity_ - std::min(capacity_, used);
}

io::Clock& MemoryFileSystem::clock() { return *time_; }
io::Random& MemoryFileSystem::random() { return *chance_; }
io::BackendInfo MemoryFileSystem::backend() const { return {backend_name_, "in tests"}; }

}  // namespace keel::wal
