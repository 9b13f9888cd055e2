// Database::Impl: commits that no version holds until somebody looks.
//
// A commit that may be seen before it is durable (kAsync, kNone) and changes one key is not made a version of its own.
// The pages that it has made stay those of the writer, and the next such commit changes them in place: a copy of the
// path, an epoch, a version and its deaths are for once between two looks, not for each commit.
//
//   U1  While `unpublished_` is set the working state is that of the last commit, all that it holds was answered or is
//       about to be, and the registry's visible version is hidden. It is set before the first of them is answered: who
//       begins to read later finds nothing visible, and either publishes, or reads the working state (L1-L4).
//   U2  Only who holds the writer lock sets it. A change that began cannot fail: the record is in the log before the
//       first byte of a page is changed, and what may fail (reading, reserving pages and log) came before that. So
//       nothing is ever rolled back to a state in between; and whatever may be rolled back publishes first.
//   U3  The latch covers: a put, from the search of its place, in pages of the current epoch only, to the end of the
//       change; another change, from the record's append; publishing; reading the working state otherwise than by copies
//       (engine/unpublished_reads.cc). The disk is not waited for under it, but where a flush comes between reserving and
//       appending and leaves the segment no room (once a segment at the most). Reading pages, copying paths and reserving
//       come before it, and a publication meanwhile harms none: it freezes pages, and a frozen one is copied (R1).
//   U4  Publishing raises the epoch (R2), so that no page which a version reaches is changed any more (R1). The deaths
//       and the pages born since the last version are one transaction's to the session.
//   U5  Once the database has stopped there are none: what was answered has been published before (D3).
//   U6  Nobody comes to keep a version while there are unpublished commits (V6): who wants one publishes at the latch.
//       A path is copied at the latch too, so that a page which it drops meanwhile, and which nobody keeps by then, is
//       nobody's, and free (R4): neither the hidden version nor one before it comes back.
//
// Lock order (D1): writer > checkpoint > latch > registry.

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/status.h"
#include "engine/database_impl.h"
#include "io/latch.h"

namespace keel {

using engine::CommitQueue;
using engine::Version;
using recovery::Operation;
using recovery::OperationKind;

namespace {

// Lookups in the working state under the latch for each commit, up to which it is cheaper to wait for each other at the latch than to
// copy pages for the next commit. When there have been so many more of them, lookups are many: the next commits are
// published at once, so that nobody waits, before it is tried again.
constexpr uint32_t kLooksPerCommit = 6;
constexpr uint32_t kLooksMax = 48;
constexpr uint32_t kCommitsPublished = 64;
// To find a path that nobody has frozen since it was copied.
constexpr int kAttempts = 3;

}  // namespace

bool Database::Impl::MayStayUnpublished(const CommitQueue::Group& going) {
  if (going.front()->durability() == Durability::kSync) return false;
  if (const uint32_t left = to_publish_.load(std::memory_order_relaxed); left > 0) {
    to_publish_.store(left - 1, std::memory_order_relaxed);
    return false;
  }
  if (going.size() == 1 && MayStayUnpublished(*going.front())) return true;
  return std::ranges::all_of(going, [](const auto* member) { return member->one_change(); });
}

void Database::Impl::CommitUnpublished(const CommitQueue::Group& going) {
  for (CommitQueue::Member* const member : going) {
    transaction_log_->Begin(CommitNumber{working_number_.value + 1});
    writer_label_ = member->label();
    const Lsn before = working_lsn_;
    const absl::Status status = ApplyUnpublished(*member);
    if (to_be_published_) {
      ForgetCopies();
      CommitAlone(member);
      const bool seen = !member->answer.ok() || registry_.AdvanceUndurable(*member->answer);
      if (!seen && !member->durable) member->answer = StoppedOnTheWay();
      continue;
    }
    member->logged = working_lsn_ != before;
    member->answer = status.ok() ? absl::StatusOr<Lsn>(working_lsn_) : status;
  }
}

// The ordinary way begins at a version, and with all the space that there was: on a full disk a path that was copied
// ahead is what it lacks.
void Database::Impl::ForgetCopies() {
  PublishCommits();
  RestoreWorking();
}

absl::Status Database::Impl::ApplyUnpublished(const CommitQueue::Member& member) {
  unpublished_ways_ = member.one_change() ? Ways::kAtOnce : Ways::kGather;
  to_be_published_ = false;
  unpublished_changes_.clear();
  absl::Status status = member.Apply();
  unpublished_ways_ = Ways::kPublish;
  if (status.ok() && !member.one_change()) {
    status = CommitGathered();
    to_be_published_ = !status.ok();
  }
  return status;
}

// Whatever goes wrong goes wrong once more, and is explained, on the ordinary way.
absl::Status Database::Impl::ChangeOrGather(const Operation& operation) {
  absl::Status status = unpublished_ways_ == Ways::kAtOnce ? ChangeUnpublished(operation)
                                                           : GatherUnpublished(operation);
  to_be_published_ = !status.ok();
  return status;
}

absl::Status Database::Impl::ChangeUnpublished(const Operation& operation) {
  if (operation.kind != OperationKind::kPut && operation.kind != OperationKind::kDelete) {
    return absl::CancelledError();
  }
  if (!CanBeLoggedInMemory(operation)) return absl::CancelledError();
  KEEL_RETURN_IF_ERROR(PrepareUnpublished());
  KEEL_RETURN_IF_ERROR(transaction_log_->Add(operation));
  KEEL_RETURN_IF_ERROR(transaction_log_->ReserveCommit());
  if (operation.kind == OperationKind::kDelete) return DeleteUnpublished(operation);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    absl::Status status = PutInPlace(operation);
    if (!absl::IsCancelled(status)) return status;
    KEEL_RETURN_IF_ERROR(MakeWritable(operation).status());
  }
  return absl::CancelledError();
}

// What has been committed so far; what comes now is looked at before the next one.
absl::Status Database::Impl::PrepareUnpublished() {
  if constexpr (kParanoid) KEEL_RETURN_IF_ERROR(ParanoidCheck());
  return storage_->space->failed_sync();
}

// Before a Reserve outside the latch: it must not raise the epoch itself while a look may do so too.
void Database::Impl::MakeRoomForMutable() {
  if (storage_->session->TooManyMutable()) PublishCommits();
}

bool Database::Impl::CanBeLoggedInMemory(const Operation& operation) const {
  return transaction_log_->TakesUnlogged(operation) &&
         (operation.kind != OperationKind::kPut ||
          btree::KeptInline(storage_->cache->page_bytes(), operation.key, operation.value));
}

// Cancelled: a page on the path is not of the current epoch, or there are none any more.
absl::Status Database::Impl::PutInPlace(const Operation& operation) {
  MakeRoomForMutable();
  applier_.ReserveForPuts();
  KEEL_RETURN_IF_ERROR(storage_->session->Reserve(PagesOfPut(operation)));
  const io::LatchLock latch(&unpublished_latch_);
  if (unpublished_ended_) return absl::CancelledError();
  Lsn lsn;
  const auto log = [&]() -> absl::Status {
    KEEL_ASSIGN_OR_RETURN(lsn, transaction_log_->Commit());
    return absl::OkStatus();
  };
  {
    const pager::WriteSession::InPlace in_place(storage_->session.get());
    const pager::WriteSession::Watched watched(storage_->session.get(), working_roots_.any());
    KEEL_RETURN_IF_ERROR(applier_.ApplyToKey(operation, log));
    NoteRoot(operation.keyspace);
  }
  has_puts_ = true;
  NoteUnpublished(lsn);
  return absl::OkStatus();
}

// Its neighbours may have to be read, or copied, so that they can take in what is left.
absl::Status Database::Impl::DeleteUnpublished(const Operation& operation) {
  MakeRoomForMutable();
  std::optional<io::LatchLock> latch;
  std::optional<pager::WriteSession::Watched> watched;  // ends before the latch is released
  Lsn lsn;
  const auto log = [&]() -> absl::Status {
    latch.emplace(&unpublished_latch_);
    unpublished_latch_.AssertHeld();
    if (unpublished_ended_) return absl::CancelledError();
    KEEL_ASSIGN_OR_RETURN(lsn, transaction_log_->Commit());
    watched.emplace(storage_->session.get(), working_roots_.any());
    return absl::OkStatus();
  };
  KEEL_RETURN_IF_ERROR(applier_.ApplyToKey(operation, log));
  if (!latch) return absl::OkStatus();  // there was nothing to delete
  unpublished_latch_.AssertHeld();
  NoteRoot(operation.keyspace);
  NoteUnpublished(lsn);
  return absl::OkStatus();
}

// What btree::Put reserves.
size_t Database::Impl::PagesOfPut(const Operation& operation) const {
  return 2 * (working_.roots.Get(operation.keyspace).level + size_t{2});
}

// False: the key's value lies in extents. With pages for the put too: a copy that it cannot follow would cost others space.
absl::StatusOr<bool> Database::Impl::MakeWritable(const Operation& operation) {
  MakeRoomForMutable();
  applier_.ReserveForPuts();
  KEEL_RETURN_IF_ERROR(storage_->session->Reserve(2 * PagesOfPut(operation)));
  std::optional<io::LatchLock> latch;
  std::optional<pager::WriteSession::Watched> watched;  // these end before the latch is released
  std::optional<pager::WriteSession::Superseding> superseding;
  const auto lock = [&] {
    latch.emplace(&unpublished_latch_);
    unpublished_latch_.AssertHeld();
    watched.emplace(storage_->session.get(), working_roots_.any());
    superseding.emplace(storage_->session.get(), unpublished_.load(std::memory_order_relaxed));
    return absl::OkStatus();
  };
  KEEL_ASSIGN_OR_RETURN(const bool writable, applier_.MakeWritable(operation, lock));
  if (!latch) return writable;  // there was nothing to copy
  unpublished_latch_.AssertHeld();
  NoteRoot(operation.keyspace);
  return writable;
}

void Database::Impl::NoteUnpublished(Lsn lsn) {
  ++working_number_.value;
  working_lsn_ = lsn;
  looks_ -= std::min(looks_, kLooksPerCommit);
  quiet_commits_.fetch_add(1, std::memory_order_relaxed);
  commit_history_.Add(working_number_, lsn, storage_->session->current_epoch(), Now(),
                      writer_label_);
  NotePutsTaken();
  if (unpublished_.load(std::memory_order_relaxed)) return;
  registry_.Hide();
  unpublished_.store(true, std::memory_order_release);
}

void Database::Impl::PublishCommits() {
  if (!unpublished_.load(std::memory_order_acquire)) return;
  const io::LatchLock lock(&unpublished_latch_);
  PublishCommitsLocked();
}

void Database::Impl::PublishCommitsLocked() {
  if (!unpublished_.load(std::memory_order_relaxed)) return;
  working_roots_.Clear();
  pager::WriteSession::Publication publication = storage_->session->Publish();
  registry_.Reveal(
      std::make_shared<const Version>(publication.epoch, working_lsn_, working_number_, working_),
      std::move(publication.deaths));
  unpublished_.store(false, std::memory_order_release);
}

std::shared_ptr<const Version> Database::Impl::KeepForCheckpoint() {
  const io::LatchLock latch(&unpublished_latch_);
  PublishCommitsLocked();
  return registry_.KeepForCheckpoint();
}

void Database::Impl::EndUnpublished() {
  const io::LatchLock lock(&unpublished_latch_);
  PublishCommitsLocked();
  unpublished_ended_ = true;
}

// Counts one look. False: what there was has been published.
bool Database::Impl::MayLookUnpublished() {
  if (!unpublished_.load(std::memory_order_relaxed)) return false;
  quiet_commits_.store(0, std::memory_order_relaxed);
  if (++looks_ <= kLooksMax) return true;
  PublishCommitsLocked();
  looks_ = 0;
  to_publish_.store(kCommitsPublished, std::memory_order_relaxed);
  return false;
}

}  // namespace keel
