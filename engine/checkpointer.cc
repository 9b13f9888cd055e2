#include "engine/checkpointer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/disk_full.h"
#include "base/status.h"
#include "btree/young_pages.h"
#include "recovery/record_table.h"

namespace keel::engine {

using pager::Catalogue;
using pager::CatalogueKeyspace;
using pager::SpaceUse;
using pager::Superblock;

namespace {

constexpr int kMapRounds = 8;

Catalogue DescribeVersion(const Version& version) {
  Catalogue catalogue;
  catalogue.next_keyspace = version.state.names->next().value;
  for (const auto& [id, name] : version.state.names->names()) {
    const KeyspaceId keyspace{id};
    catalogue.keyspaces.push_back(
        CatalogueKeyspace{keyspace, name, version.state.roots.Get(keyspace)});
  }
  return catalogue;
}

}  // namespace

Checkpointer::Checkpointer(Storage* storage, VersionRegistry* registry,
                           std::vector<PageId> catalogue_pages)
    : storage_(storage),
      registry_(registry),
      covered_(storage->superblock.chosen.log_start),
      pair_(storage->superblock_pair),
      next_generation_{(storage->incarnation << kEpochCounterBits) + 1},
      catalogue_pages_(std::move(catalogue_pages)),
      lsn_(storage->superblock.chosen.log_start.value),
      superblock_(storage->superblock.chosen) {
  // Redo, like the deletes that it repeats, leaves what the checkpoint behind it needs.
  absl::MutexLock lock(&mutex_);
  ReserveSpace(*registry_->Visible());
}

Epoch Checkpointer::epoch() const {
  absl::MutexLock lock(&figures_mutex_);
  return superblock_.epoch;
}

Superblock Checkpointer::superblock() const {
  absl::MutexLock lock(&figures_mutex_);
  return superblock_;
}

absl::Status Checkpointer::Inspect(
    absl::FunctionRef<absl::Status(Epoch epoch, const std::vector<PageId>& catalogue)> look) const {
  absl::MutexLock lock(&mutex_);
  return look(epoch(), catalogue_pages_);
}

CheckpointFigures Checkpointer::figures() const {
  absl::MutexLock lock(&figures_mutex_);
  return figures_;
}

absl::Status Checkpointer::Run(bool clean, Keep keep, bool* fatal) {
  absl::MutexLock lock(&mutex_);
  *fatal = false;
  KEEL_RETURN_IF_ERROR(failed_);
  const std::shared_ptr<const Version> visible = registry_->Visible();
  // A commit by checkpoint is durable before it is visible. Until then the last checkpoint holds all that is visible
  // and that commit: another one would take it back.
  if (visible->epoch < epoch()) return absl::OkStatus();
  const bool up_to_date = visible->epoch == epoch() && visible->lsn <= covered_ && named_log_;
  if (up_to_date && !clean) return absl::OkStatus();
  Attempt attempt;
  attempt.clean = clean;
  attempt.visible = keep();
  attempt.version = attempt.visible;
  return RunLocked(attempt, fatal);
}

absl::Status Checkpointer::Commit(std::shared_ptr<const Version> version, CommitEnding* ending,
                                  Lsn* record_end) {
  absl::MutexLock lock(&mutex_);
  *ending = CommitEnding::kStopped;
  KEEL_RETURN_IF_ERROR(failed_);
  *ending = CommitEnding::kNotCommitted;
  // Room for the record; under this lock, since another checkpoint's frame would take it away.
  KEEL_RETURN_IF_ERROR(storage_->log->Reserve(recovery::kRecordHeadBytes, 1));
  Attempt attempt;
  attempt.visible = registry_->KeepForCheckpoint();
  attempt.version = std::move(version);
  registry_->KeepUnpublished(attempt.version->epoch);
  bool fatal = false;
  absl::Status status = RunLocked(attempt, &fatal);
  *record_end = attempt.record_end;
  if (attempt.durable) {
    *ending = CommitEnding::kCommitted;
  } else if (attempt.superblock_begun) {
    *ending = CommitEnding::kUncertain;
  } else if (fatal) {
    *ending = CommitEnding::kStopped;
  }
  return status;
}

absl::Status Checkpointer::RunLocked(Attempt& attempt, bool* fatal) {
  registry_->ExamineDeaths();
  const absl::Duration begin = storage_->clock().Now();
  attempt.generation = next_generation_;
  ++next_generation_.value;
  absl::Status status = storage_->log->Flush(attempt.version->lsn);
  *fatal = !status.ok();
  if (status.ok()) status = WritePages(attempt);
  if (status.ok()) status = WriteMeta(attempt);
  if (status.ok()) {
    status = MakeDurable(attempt);
    *fatal = !status.ok();  // a sync failed, or a superblock may be half written (K2, S3)
  }
  if (status.ok()) {
    status = Release(attempt);
    *fatal = !status.ok();
  } else if (!storage_->space->failed_sync().ok()) {
    *fatal = true;
  }
  // What a superblock may name, written or half written, is not given back before the file is opened anew.
  if (*fatal) failed_ = status;
  if (!status.ok() && !*fatal) Abandon(attempt);
  Record(attempt, status, storage_->clock().Now() - begin);
  return status;
}

absl::Status Checkpointer::WritePages(Attempt& attempt) {
  CachePages pages(storage_->cache.get());
  const Epoch since = epoch();
  for (const auto& [id, name] : attempt.version->state.names->names()) {
    const KeyspaceId keyspace{id};
    KEEL_RETURN_IF_ERROR(btree::CollectYoungPages(
        pages, keyspace, attempt.version->state.roots.Get(keyspace), since, &attempt.young));
  }
  // Maps are as many as the highest page takes, and a hostile reference may name any.
  const pager::PageSet& young = attempt.young;
  if (!young.empty() && young.Highest().value >= storage_->space->page_count()) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "page %d of a tree lies beyond the file's %d pages", young.Highest().value,
                      storage_->space->page_count());
  }
  return storage_->cache->WriteBack(young);
}

absl::Status Checkpointer::SizeCatalogue(Attempt& attempt, uint64_t pages) {
  std::vector<PageId>& have = attempt.catalogue_pages;
  if (have.size() > pages) {
    FreeCatalogue({have.begin() + static_cast<ptrdiff_t>(pages), have.end()});
    have.resize(pages);
  }
  while (have.size() < pages) {
    const absl::StatusOr<pager::PageRun> run =
        storage_->space->AllocateAny(pages - have.size(), SpaceUse::kCheckpoint);
    // The catalogue before the last one may still wait for somebody to take it back.
    if (IsDiskFull(run.status()) && TakeBackRetired()) continue;
    KEEL_RETURN_IF_ERROR(run.status());
    for (uint64_t i = 0; i < run->count; ++i) have.push_back(PageId{run->first.value + i});
  }
  return absl::OkStatus();
}

// The map holds the catalogue's pages, and the catalogue the map's directory: so the pages are allocated first, as
// many as a directory that covers them takes.
absl::Status Checkpointer::WriteMap(Attempt& attempt, Catalogue* catalogue) {
  pager::PageSet born;
  for (int round = 0; round < kMapRounds; ++round) {
    born = attempt.young;
    for (const PageId id : attempt.catalogue_pages) born.Insert(id);
    catalogue->groups.assign(storage_->space->DirectoryEntries(born), {});
    const uint64_t pages = pager::CataloguePages(pager::EncodeCatalogue(*catalogue).size(),
                                                 storage_->cache->page_bytes());
    if (pages == attempt.catalogue_pages.size()) break;
    KEEL_RETURN_IF_ERROR(SizeCatalogue(attempt, pages));
  }
  const size_t groups = catalogue->groups.size();
  pager::PageSet died = registry_->DiedBetween(epoch(), attempt.visible->epoch);
  // A transaction hands its deaths out when it is published.
  if (attempt.commits()) storage_->session->CollectDeaths(epoch(), &died);
  for (const PageId id : catalogue_pages_) died.Insert(id);
  KEEL_ASSIGN_OR_RETURN(catalogue->groups,
                        storage_->space->WriteCheckpoint(attempt.generation, born, died));
  KEEL_CHECK(catalogue->groups.size() == groups);
  return absl::OkStatus();
}

absl::Status Checkpointer::WriteMeta(Attempt& attempt) {
  Catalogue catalogue = DescribeVersion(*attempt.version);
  KEEL_RETURN_IF_ERROR(WriteMap(attempt, &catalogue));
  KEEL_ASSIGN_OR_RETURN(
      attempt.superblock.catalogue,
      pager::WriteCataloguePages(*storage_->data_file, storage_->superblock.chosen.database,
                                 storage_->cache->page_bytes(), attempt.generation,
                                 attempt.catalogue_pages, pager::EncodeCatalogue(catalogue)));
  return NameLogStart(attempt);
}

absl::Status Checkpointer::NameLogStart(Attempt& attempt) {
  const pager::CatalogueReference catalogue = attempt.superblock.catalogue;
  attempt.superblock = superblock();
  attempt.superblock.catalogue = catalogue;
  attempt.superblock.incarnation = storage_->incarnation;
  attempt.superblock.generation = attempt.generation;
  attempt.superblock.epoch = attempt.version->epoch;
  attempt.superblock.commit_number = attempt.version->number;
  attempt.superblock.page_count = storage_->space->page_count();
  wal::LogStart start = storage_->log->start();
  // A version recovered from an older log is complete in itself: the fresh log begins behind it.
  if (attempt.version->lsn > start.lsn) {
    KEEL_ASSIGN_OR_RETURN(start, storage_->log->StartAt(attempt.version->lsn));
  }
  attempt.superblock.log_start = start.lsn;
  attempt.superblock.log_chain = start.chain;
  attempt.superblock.log_salt = start.salt;
  return absl::OkStatus();
}

absl::Status Checkpointer::MakeDurable(Attempt& attempt) {
  attempt.superblock.clean = attempt.clean;
  KEEL_RETURN_IF_ERROR(storage_->data_file->Sync(io::SyncPurpose::kCheckpointPages));
  // A growth's sync that failed may have taken the error that this one should have met.
  KEEL_RETURN_IF_ERROR(storage_->space->WaitForGrowth());
  attempt.superblock_begun = true;
  KEEL_RETURN_IF_ERROR(pager::WriteSuperblock(*storage_->data_file, attempt.superblock, 1 - pair_));
  pair_ = 1 - pair_;
  attempt.durable = true;
  named_log_ = true;
  storage_->space->FinishCheckpoint(true);
  return absl::OkStatus();
}

absl::Status Checkpointer::LogCommit(Attempt& attempt) {
  std::string record;
  recovery::EncodeRecordHead(recovery::Record{recovery::RecordKind::kCheckpointCommit,
                                              attempt.version->number,
                                              attempt.generation.value,
                                              {}},
                             &record);
  KEEL_ASSIGN_OR_RETURN(attempt.record_end, storage_->log->Append(record));
  return absl::OkStatus();
}

absl::Status Checkpointer::Release(Attempt& attempt) {
  const Epoch previous = epoch();
  {
    absl::MutexLock lock(&figures_mutex_);
    superblock_ = attempt.superblock;
  }
  lsn_.store(attempt.superblock.log_start.value, std::memory_order_release);
  const std::vector<PageId> old_catalogue =
      std::exchange(catalogue_pages_, attempt.catalogue_pages);
  ReserveSpace(*attempt.version);
  if (attempt.commits()) KEEL_RETURN_IF_ERROR(LogCommit(attempt));
  covered_ = std::max(attempt.superblock.log_start, attempt.record_end);
  storage_->log->AnnounceGeneration(attempt.generation);
  if (attempt.clean) return absl::OkStatus();  // nothing is used again after a clean end
  KEEL_RETURN_IF_ERROR(storage_->log->FlushGeneration());
  FreeCatalogue(old_catalogue);
  registry_->ReleaseKeeper(previous);
  if (attempt.commits()) registry_->ReleaseKeeper(attempt.visible->epoch);
  return storage_->log->Release(attempt.superblock.log_start);
}

// Enough for the next catalogue and for a delete's two edge paths, however full the file gets.
void Checkpointer::ReserveSpace(const Version& version) {
  uint64_t height = 0;
  for (const auto& [id, name] : version.state.names->names()) {
    const pager::TreeRoot root = version.state.roots.Get(KeyspaceId{id});
    if (!root.empty()) height = std::max<uint64_t>(height, root.level + uint64_t{1});
  }
  storage_->space->SetReserve(catalogue_pages_.size(), 2 * (height + 2));
}

void Checkpointer::Abandon(const Attempt& attempt) {
  storage_->space->FinishCheckpoint(false);
  FreeCatalogue(attempt.catalogue_pages);
  registry_->ReleaseKeeper(attempt.visible->epoch);
  if (attempt.commits()) registry_->ReleaseKeeper(attempt.version->epoch);
}

bool Checkpointer::TakeBackRetired() {
  pager::PageSet ready;
  storage_->cache->CollectRetired(&ready);
  if (ready.empty()) return false;
  storage_->space->Free(ready);
  return true;
}

void Checkpointer::FreeCatalogue(const std::vector<PageId>& pages) {
  pager::PageSet set;
  for (const PageId id : pages) set.Insert(id);
  storage_->cache->Retire(set);
}

void Checkpointer::Record(const Attempt& attempt, const absl::Status& status,
                          absl::Duration duration) {
  absl::MutexLock lock(&figures_mutex_);
  ++(status.ok() ? figures_.completed : figures_.failed);
  figures_.last_error = status.ok() ? std::string() : std::string(MessageOf(status));
  figures_.last_duration = duration;
  figures_.last_pages = attempt.young.size();
  if (attempt.commits() && attempt.durable) ++figures_.commits;
}

}  // namespace keel::engine
