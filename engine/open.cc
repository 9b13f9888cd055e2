#include "engine/open.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "btree/node_check.h"
#include "engine/create.h"
#include "engine/database_impl.h"
#include "engine/storage.h"
#include "engine/validate_options.h"
#include "io/open_file_system.h"
#include "pager/catalogue.h"
#include "recovery/analysis.h"
#include "recovery/redo.h"
#include "wal/log_reader.h"

namespace keel::engine {

using pager::Superblock;

namespace {

static_assert(pager::kMaxLogStart == wal::kLsnMax);

constexpr absl::Duration kLockRetry = absl::Milliseconds(20);
// Of the memory budget, in 16ths: page frames; log buffers.
constexpr uint64_t kFrameShare = 12;
constexpr uint64_t kLogBufferShare = 1;
constexpr uint64_t kShares = 16;
constexpr size_t kLogBufferMax = size_t{8} << 20;
constexpr size_t kLogBufferMin = size_t{256} << 10;

io::IoBackend BackendOf(IoBackend backend) {
  switch (backend) {
    case IoBackend::kUring:
      return io::IoBackend::kUring;
    case IoBackend::kPosix:
      return io::IoBackend::kPosix;
    case IoBackend::kAuto:
      break;
  }
  return io::IoBackend::kAuto;
}

size_t FramesOf(const Options& options) {
  const uint64_t bytes = options.memory_bytes / kShares * kFrameShare;
  return std::max<size_t>(pager::kMinFrames, bytes / options.page_bytes);
}

// Pages of one epoch, from which on they are frozen (R2) and copied anew when they are changed. The share from which
// pages are written ahead (engine/background.cc), which cannot be done before; of a small cache less, for what a single
// change reserves is a part of it that counts.
size_t MutablePagesMax(size_t frames) {
  constexpr size_t kSmall = 4096;
  return frames < kSmall ? frames / 4 : frames / 5 * 2;
}

// The way from a directory to a running database, one step a method.
class Opener {
 public:
  Opener(const std::filesystem::path& directory, const Options& options, recovery::Order order)
      : options_(options), order_(order), storage_(std::make_unique<Storage>()) {
    storage_->directory = directory;
  }

  absl::StatusOr<std::shared_ptr<Database::Impl>> Open();
  absl::StatusOr<RecoveryReport> DryRun();

  // Whether redo has repeated anything in another order than the log's.
  bool reordered() const { return reordered_; }

 private:
  absl::Status FindFileSystem();
  absl::Status FindDatabase();
  absl::Status LockDataFile();
  absl::Status ReadSuperblock();
  absl::Status OpenLog();
  absl::Status RewriteSuperblock();
  absl::Status ReadCatalogue();
  absl::Status MakePager();
  absl::Status Analyze();
  absl::Status Redo();
  void WriteSideBySide();
  absl::Status BeginLog();
  absl::Status MoreMemory(const absl::Status& status) const;

  const Superblock& superblock() const { return storage_->superblock.chosen; }
  absl::Duration Now() const { return storage_->clock().Now(); }

  Options options_;
  const recovery::Order order_;
  bool reordered_ = false;
  // Until the database takes it; behind both stands what uses their file system.
  std::unique_ptr<Storage> storage_;
  std::shared_ptr<Database::Impl> database_;
  std::unique_ptr<io::IoQueue> write_queue_;  // ends before the files and the buffer that it writes
  std::unique_ptr<wal::LogReader> log_;
  std::optional<recovery::Analysis> analysis_;
  pager::Catalogue catalogue_;
  std::vector<PageId> catalogue_pages_;
  RecoveryReport report_;
};

absl::Status Opener::FindFileSystem() {
  storage_->file_system = options_.file_system;
  if (storage_->file_system != nullptr) return absl::OkStatus();
  KEEL_ASSIGN_OR_RETURN(storage_->owned_file_system,
                        io::OpenFileSystem(BackendOf(options_.io_backend)));
  storage_->file_system = storage_->owned_file_system.get();
  return absl::OkStatus();
}

absl::Status Opener::FindDatabase() {
  const std::filesystem::path data = storage_->directory / kDataFileName;
  KEEL_ASSIGN_OR_RETURN(const bool exists, storage_->file_system->Exists(data));
  if (exists) {
    if (!options_.error_if_exists) return absl::OkStatus();
    return MakeStatus(absl::StatusCode::kAlreadyExists, "%s holds a database already",
                      storage_->directory.native());
  }
  if (!options_.create_if_missing || options_.read_only) {
    return MakeStatus(absl::StatusCode::kNotFound, "there is no Keel database in %s (no file %s)",
                      storage_->directory.native(), kDataFileName);
  }
  KEEL_ASSIGN_OR_RETURN(report_.created,
                        CreateDatabase(*storage_->file_system, storage_->directory, options_));
  return absl::OkStatus();
}

absl::Status Opener::LockDataFile() {
  const io::FileOptions file_options{.read_only = options_.read_only, .direct = options_.direct_io};
  KEEL_ASSIGN_OR_RETURN(
      storage_->data_file,
      storage_->file_system->Open(storage_->directory / kDataFileName, file_options));
  const io::LockMode mode = options_.read_only ? io::LockMode::kShared : io::LockMode::kExclusive;
  const absl::Duration deadline = Now() + options_.open_timeout;
  while (true) {
    absl::Status locked = storage_->data_file->TryLock(mode);
    if (locked.code() != absl::StatusCode::kFailedPrecondition) return locked;
    if (Now() >= deadline) {
      return WithContext(locked, absl::StrFormat("%s is in use, also after %s of waiting",
                                                 storage_->directory.native(),
                                                 absl::FormatDuration(options_.open_timeout)));
    }
    storage_->clock().Sleep(kLockRetry);
  }
}

absl::Status Opener::ReadSuperblock() {
  auto queue = storage_->file_system->NewQueue(pager::kSuperblockOffsets.size());
  KEEL_ASSIGN_OR_RETURN(
      storage_->superblock,
      pager::ReadSuperblocks(*storage_->data_file, queue.ok() ? *std::move(queue) : nullptr));
  if (superblock().features_read_only_compatible != 0 && !options_.read_only) {
    return absl::FailedPreconditionError(
        "the database uses features of a newer version: it can only be opened read-only");
  }
  if (storage_->superblock.used_copy) {
    report_.repairs.push_back("a superblock copy was damaged; the other one was used");
  }
  if (superblock().incarnation >= pager::kMaxIncarnation) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "incarnation %d is the last one possible: the database can be opened no more",
                      superblock().incarnation);
  }
  storage_->superblock_pair = pager::PairOf(storage_->superblock);
  options_.page_bytes = superblock().page_bytes;
  report_.clean = superblock().clean;
  report_.generation = superblock().generation.value;
  report_.checkpoint_lsn = superblock().log_start;
  storage_->incarnation = superblock().incarnation + 1;
  return absl::OkStatus();
}

absl::Status Opener::OpenLog() {
  const wal::LogStart start{superblock().log_start, superblock().log_chain, superblock().log_salt};
  const wal::LogReaderOptions reader{
      .direct_io = options_.direct_io,
      .lock = options_.read_only ? io::LockMode::kShared : io::LockMode::kExclusive,
      .generation = superblock().generation,
      .incarnation = superblock().incarnation,
      .clean = superblock().clean,
      .newer_may_be_lost = std::ranges::any_of(storage_->superblock.copies,
                                               [](const pager::SuperblockCopy& copy) {
                                                 return !copy.status.ok() &&
                                                        !absl::IsNotFound(copy.status);
                                               }),
      .lock_timeout = options_.open_timeout};
  KEEL_ASSIGN_OR_RETURN(log_, wal::LogReader::Open(storage_->file_system, storage_->log_directory(),
                                                   superblock().database, start, reader));
  const wal::LogEnd& end = log_->end();
  report_.log_end = end.last_record;
  report_.log_bytes = end.bytes;
  report_.frames = end.frames;
  report_.torn_tail = end.torn;
  report_.torn_bytes = end.torn_bytes;
  report_.log_end_reason = end.reason;
  return absl::OkStatus();
}

absl::Status Opener::RewriteSuperblock() {
  if (superblock().incarnation == kFirstIncarnation) {
    KEEL_RETURN_IF_ERROR(MakeNamesDurable(*storage_->file_system, storage_->directory));
  }
  Superblock raised = superblock();
  raised.incarnation = storage_->incarnation;
  // Before the first page is written that an earlier version would take for damage.
  raised.features_must_understand |= FeaturesOf(options_.page_bytes);
  raised.instance = storage_->file_system->random().Next64();
  // The clean flag stays until the checkpoint below names a log that exists: until then the log is as empty, and
  // perhaps as missing, as the flag says.
  KEEL_RETURN_IF_ERROR(
      pager::RewriteSuperblock(*storage_->data_file, storage_->superblock, raised));
  storage_->superblock.chosen = raised;
  return absl::OkStatus();
}

absl::Status Opener::ReadCatalogue() {
  KEEL_ASSIGN_OR_RETURN(
      pager::CatalogueImage image,
      pager::ReadCataloguePages(*storage_->data_file, superblock().database, options_.page_bytes,
                                superblock().generation, superblock().catalogue));
  KEEL_ASSIGN_OR_RETURN(catalogue_, pager::DecodeCatalogue(image.bytes));
  const auto is_default = [](const pager::CatalogueKeyspace& keyspace) {
    return keyspace.id == kDefaultKeyspace && keyspace.name == kDefaultKeyspaceName;
  };
  if (std::ranges::none_of(catalogue_.keyspaces, is_default)) {
    return absl::DataLossError("catalogue: the default keyspace is missing");
  }
  // No page is younger than its referrer (B5), down from here: so none claims to be of an epoch that is still to come.
  for (const pager::CatalogueKeyspace& keyspace : catalogue_.keyspaces) {
    if (keyspace.root.empty() || keyspace.root.reference.birth <= superblock().epoch) continue;
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "catalogue: the root of keyspace \"%s\" is of epoch %d, the checkpoint of %d",
                      Printable(keyspace.name), keyspace.root.reference.birth.value,
                      superblock().epoch.value);
  }
  catalogue_pages_ = std::move(image.pages);
  return absl::OkStatus();
}

absl::Status Opener::MakePager() {
  pager::SpaceMapOptions space = pager::SpaceMapOptionsFor(options_.page_bytes);
  space.database = superblock().database;
  space.read_only = options_.read_only;
  KEEL_ASSIGN_OR_RETURN(storage_->space,
                        pager::SpaceMap::Open(storage_->data_file.get(), superblock().page_count,
                                              catalogue_.groups, space));
  pager::PageCacheOptions cache;
  cache.page_bytes = options_.page_bytes;
  cache.database = superblock().database;
  cache.frames = FramesOf(options_);
  cache.read_only = options_.read_only;
  cache.check_page = &btree::CheckNode;
  cache.make_read_queue = [file_system = storage_->file_system](size_t depth) {
    return file_system->NewQueue(depth);
  };
  storage_->guards = pager::GuardDomain::Create();
  KEEL_ASSIGN_OR_RETURN(storage_->cache,
                        pager::PageCache::Create(storage_->data_file.get(), &storage_->clock(),
                                                 storage_->guards.get(), cache));
  storage_->session = std::make_unique<pager::WriteSession>(
      storage_->cache.get(), storage_->space.get(), superblock().epoch,
      MakeEpoch(storage_->incarnation, 1), MutablePagesMax(cache.frames));
  return absl::OkStatus();
}

absl::Status Opener::Analyze() {
  const absl::Duration begin = Now();
  KEEL_ASSIGN_OR_RETURN(
      analysis_, recovery::Analyze(*log_, superblock().commit_number, superblock().generation));
  report_.analysis_time = Now() - begin;
  report_.transactions_rolled_back = analysis_->losers;
  return absl::OkStatus();
}

std::shared_ptr<const Version> CheckpointVersion(const Superblock& superblock,
                                                 const pager::Catalogue& catalogue) {
  auto version = std::make_shared<Version>();
  version->epoch = superblock.epoch;
  version->lsn = superblock.log_start;
  version->number = superblock.commit_number;
  auto names = std::make_shared<KeyspaceNames>();
  for (const pager::CatalogueKeyspace& keyspace : catalogue.keyspaces) {
    names->Add(keyspace.id, keyspace.name);
    version->state.roots.Set(keyspace.id, keyspace.root);
  }
  names->set_next(catalogue.next_keyspace);
  version->state.names = std::move(names);
  return version;
}

absl::Status Opener::MoreMemory(const absl::Status& status) const {
  if (!options_.read_only || status.code() != absl::StatusCode::kResourceExhausted) return status;
  return MakeStatus(
      absl::StatusCode::kResourceExhausted,
      "the log's %d bytes of changes do not fit in %d bytes of memory, which a read-only "
      "open needs for them; raise memory_bytes, or open the database for writing once "
      "(%s)",
      analysis_->log_bytes, options_.memory_bytes, MessageOf(status));
}

absl::Status Opener::Redo() {
  const absl::Duration begin = Now();
  const std::shared_ptr<const Version> checkpoint = CheckpointVersion(superblock(), catalogue_);
  database_ = std::make_shared<Database::Impl>(options_, std::move(storage_), checkpoint,
                                               std::move(catalogue_pages_));
  Storage& storage = database_->storage();
  WriteSideBySide();
  EventListener* listener = options_.listener;
  const auto progress = [&](uint64_t bytes) {
    if (listener != nullptr) listener->OnRecoveryProgress({bytes, analysis_->log_bytes});
  };
  const absl::StatusOr<recovery::RedoResult> redone =
      recovery::Redo(*log_, *analysis_, *database_,
                     {.order = order_, .batch_bytes = options_.memory_bytes / kShares}, progress);
  reordered_ = database_->redo_batches() > 0;
  if (!redone.ok()) return MoreMemory(redone.status());
  database_->FinishRedo();
  report_.transactions_replayed = redone->transactions;
  report_.operations_replayed = redone->operations;
  report_.redo_time = storage.clock().Now() - begin;
  return absl::OkStatus();
}

// Until the open ends: many pages are to be written, and nobody waits meanwhile for the log, whose flushes it would
// delay.
void Opener::WriteSideBySide() {
  if (options_.read_only || analysis_->transactions == 0) return;
  Storage& storage = database_->storage();
  absl::StatusOr<std::unique_ptr<io::IoQueue>> queue =
      storage.file_system->NewQueue(pager::ReadQueues::kDepth);
  if (!queue.ok()) return;
  write_queue_ = *std::move(queue);
  storage.cache->UseWriteQueue(write_queue_.get());
}

absl::Status Opener::BeginLog() {
  Storage& storage = database_->storage();
  const Lsn old_start = storage.superblock.chosen.log_start;
  const Lsn old_end = log_->end().lsn;
  // Unless it was closed cleanly the old log is needed, empty or not, until the checkpoint is durable.
  const bool old_log_matters = !storage.superblock.chosen.clean;
  std::optional<std::vector<wal::SegmentFile>> segments = log_->TakeFiles();
  log_.reset();
  // Removed behind a clean close, whose log is empty; or made again by an open that was killed before its name was
  // durable, which any file in it proves.
  if (!segments.has_value() || segments->empty()) {
    KEEL_RETURN_IF_ERROR(MakeLogDirectory(*storage.file_system, storage.directory));
    segments.emplace();
  }
  const wal::LogIdentity identity{storage.superblock.chosen.database, storage.incarnation,
                                  storage.file_system->random().Next64()};
  wal::LogWriterOptions writer;
  writer.segment_bytes = options_.log_segment_bytes;
  writer.buffer_bytes = std::clamp(options_.memory_bytes / kShares * kLogBufferShare,
                                   uint64_t{kLogBufferMin}, uint64_t{kLogBufferMax});
  writer.max_frame_bytes = std::min(writer.max_frame_bytes, writer.buffer_bytes / 2);
  writer.direct_io = options_.direct_io;
  writer.lock_timeout = options_.open_timeout;
  const Lsn floor = std::max(old_start, old_end);
  KEEL_ASSIGN_OR_RETURN(
      std::unique_ptr<wal::LogWriter> log,
      wal::LogWriter::Create(storage.file_system, storage.log_directory(), identity, floor,
                             old_log_matters ? old_start : floor, writer, std::move(segments)));
  return database_->Start(std::move(log), &report_);
}

absl::StatusOr<std::shared_ptr<Database::Impl>> Opener::Open() {
  KEEL_RETURN_IF_ERROR(FindFileSystem());
  KEEL_RETURN_IF_ERROR(FindDatabase());
  KEEL_RETURN_IF_ERROR(LockDataFile());
  KEEL_RETURN_IF_ERROR(ReadSuperblock());
  KEEL_RETURN_IF_ERROR(OpenLog());
  if (!options_.read_only) KEEL_RETURN_IF_ERROR(RewriteSuperblock());
  KEEL_RETURN_IF_ERROR(ReadCatalogue());
  KEEL_RETURN_IF_ERROR(MakePager());
  KEEL_RETURN_IF_ERROR(Analyze());
  KEEL_RETURN_IF_ERROR(Redo());
  if (!options_.read_only) {
    KEEL_RETURN_IF_ERROR(BeginLog());
    database_->storage().cache->UseWriteQueue(nullptr);
  }
  database_->SetReport(report_);
  return std::move(database_);
}

absl::StatusOr<RecoveryReport> Opener::DryRun() {
  options_.read_only = true;
  options_.create_if_missing = false;
  KEEL_RETURN_IF_ERROR(FindFileSystem());
  KEEL_RETURN_IF_ERROR(FindDatabase());
  KEEL_RETURN_IF_ERROR(LockDataFile());
  KEEL_RETURN_IF_ERROR(ReadSuperblock());
  KEEL_RETURN_IF_ERROR(OpenLog());
  KEEL_RETURN_IF_ERROR(Analyze());
  report_.transactions_replayed = analysis_->transactions;
  return report_;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Database::Impl>> OpenDatabase(const std::filesystem::path& directory,
                                                             const Options& options) {
  KEEL_ASSIGN_OR_RETURN(const Options checked, ValidateOptions(options));
  {
    Opener opener(directory, checked, recovery::Order::kKeys);
    auto database = opener.Open();
    if (!absl::IsResourceExhausted(database.status()) || !opener.reordered()) return database;
  }
  // Trees that come to be in another order can be larger. What fitted once must fit again: nothing that a repeat needs
  // has changed (R12).
  return Opener(directory, checked, recovery::Order::kLog).Open();
}

absl::StatusOr<RecoveryReport> DryRunRecovery(const std::filesystem::path& directory,
                                              const Options& options) {
  KEEL_ASSIGN_OR_RETURN(const Options checked, ValidateOptions(options));
  return Opener(directory, checked, recovery::Order::kLog).DryRun();
}

}  // namespace keel::engine
