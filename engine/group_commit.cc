// Database::Impl: commits that go through the queue, many of them as one group (docs/architecture.md).
//
// A group in this order, and why no step may move (beside the recipe in database_impl.h, of which it is a variant):
//   1  take the writer lock; take along who waits          one epoch, one copy of each path, one version for all
//   2  apply member after member to the working state      each sees those before it, and is validated against them
//   3  append a record for each to the log                 only now: until here all can be rolled back
//   4  publish one version, release the writer lock
//   5  flush, move the visible version, answer everyone
//
// A member that fails without a trace is left out. If one fails half-way, the whole group is rolled back to where it
// began, and begun anew without it; if that happens again, each goes by itself, and nobody waits for others' failures.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "engine/database_impl.h"

namespace keel {

using engine::CommitQueue;
using Group = engine::CommitQueue::Group;
using Member = engine::CommitQueue::Member;

namespace {

// How often a group is begun anew before each member goes by itself.
constexpr int kGroupAttempts = 2;

absl::Status LogFailedOnTheWay(const absl::Status& log) {
  return MakeStatus(absl::StatusCode::kUnknown,
                    "the log failed while this commit was on its way (%s)", MessageOf(log));
}

}  // namespace

absl::StatusOr<Lsn> Database::Impl::CommitThroughQueue(Member* member, absl::Duration timeout) {
  KEEL_RETURN_IF_ERROR(CheckCommitsTaken());
  if (AcquiredAtOnce(*member)) {
    KEEL_RETURN_IF_ERROR(BeginWriting(member->label()));
    commit_queue_->CountAlone();
    FinishGroup({member}, CommitTogether({member}));
    return std::move(member->answer);
  }
  KEEL_RETURN_IF_ERROR(writer_lock_.RefuseOwner());
  const absl::Duration deadline = timeout == absl::InfiniteDuration() ? timeout : Now() + timeout;
  switch (commit_queue_->Enter(member, deadline)) {
    case CommitQueue::Turn::kAnswered:
      return std::move(member->answer);
    case CommitQueue::Turn::kTimedOut:
      return writer_lock_.TimedOut(timeout);
    case CommitQueue::Turn::kLead:
      break;
  }
  const absl::Status acquired =
      AcquireWriter(deadline - Now(), member->label(), engine::WriterLock::Use::kCommits);
  if (!acquired.ok()) {
    commit_queue_->Leave(member);
    return acquired;
  }
  const Group group = commit_queue_->TakeGroup(member);
  FinishGroup(group, CommitTogether(group));
  commit_queue_->Answer(group, member);
  return std::move(member->answer);
}

// Who waits for the disk is not in such a hurry: together with others it is there no later.
bool Database::Impl::AcquiredAtOnce(const Member& member) {
  constexpr auto kUse = engine::WriterLock::Use::kCommits;
  return member.durability() == Durability::kSync
             ? writer_lock_.TryAcquire(member.label(), kUse)
             : writer_lock_.TryAcquireSoon(member.label(), kUse);
}

// Gives every member its answer, short of durability.
Database::Impl::Outcome Database::Impl::CommitTogether(Group going) {
  if (MayStayUnpublished(going)) {
    CommitUnpublished(going);
    return Outcome::kUnpublished;
  }
  PublishCommits();  // a rollback goes back to what is published
  for (int attempt = 0; attempt < kGroupAttempts && going.size() > 1; ++attempt) {
    const size_t failed = ApplyInOrder(going);
    if (failed == going.size()) {
      if (PublishGroup(going)) return Outcome::kPublished;
      attempt = kGroupAttempts;  // for want of room, say: what one of them needs there may be
    } else {
      going.erase(going.begin() + static_cast<ptrdiff_t>(failed));
    }
    // Nothing of the group has gone to the log. Those that failed without a trace are asked again too: they may have
    // seen what has been taken back now.
    StopOnFailure();
    transaction_log_->DropKept();
    RestoreWorking();
  }
  for (Member* const member : going) CommitAlone(member);
  return Outcome::kPublished;
}

// The index of the first member that failed half-way, or how many there are.
size_t Database::Impl::ApplyInOrder(const Group& going) {
  for (size_t i = 0; i < going.size(); ++i) {
    Member* const member = going[i];
    transaction_log_->Begin(CommitNumber{working_number_.value + 1 + transaction_log_->kept()});
    const uint64_t changes = applier_.changes();
    const absl::Status status = member->Apply();
    member->logged = status.ok() && transaction_log_->KeepRecord();
    if (status.ok()) {
      member->answer = working_lsn_;
    } else {
      member->answer = status;
      if (applier_.changes() != changes) return i;
    }
  }
  return going.size();
}

// False: it cannot be done, and the log has nothing of it.
bool Database::Impl::PublishGroup(const Group& going) {
  absl::Status failure = storage_->space->failed_sync();
  if (failure.ok()) failure = ExplainFailure(transaction_log_->ReserveKept());
  if constexpr (kParanoid) {
    if (failure.ok()) failure = ParanoidCheck();
  }
  if (!failure.ok()) return false;
  const size_t records = transaction_log_->kept();
  if (records == 0) return true;
  Lsn last = working_lsn_;
  size_t record = 0;
  for (Member* const member : going) {
    if (!member->logged) continue;
    if (failure.ok()) {
      const absl::StatusOr<Lsn> lsn = transaction_log_->AppendKept(record++);
      failure = lsn.status();
      if (lsn.ok()) last = *lsn;
    }
    member->answer = failure.ok() ? absl::StatusOr<Lsn>(last) : failure;
  }
  transaction_log_->DropKept();
  if (!failure.ok()) {
    // The log has failed for good: nobody knows how much of the group it had.
    for (Member* const member : going) {
      if (member->logged) member->answer = LogFailedOnTheWay(failure);
    }
    StopOnFailure();
    RestoreWorking();
    return true;
  }
  NoteGroup(going);
  working_number_.value += records;
  working_lsn_ = last;
  PublishWorking();
  NotePutsTaken();
  return true;
}

// One version brings several commits: who loses against it is told which.
void Database::Impl::NoteGroup(const Group& going) {
  CommitNumber number = working_number_;
  const Epoch epoch = storage_->session->current_epoch();
  for (const Member* const member : going) {
    if (!member->logged) continue;
    ++number.value;
    commit_history_.Add(number, *member->answer, epoch, Now(), member->label());
  }
}

void Database::Impl::CommitAlone(Member* member) {
  transaction_log_->Begin(CommitNumber{working_number_.value + 1});
  writer_label_ = member->label();
  const absl::Status status = member->Apply();
  if (status.ok() && transaction_log_->stopped()) {
    member->answer = CommitByCheckpoint();
    member->durable = true;
    return;
  }
  member->logged = status.ok() && !transaction_log_->empty();
  if (!status.ok()) {
    member->answer = status;
  } else {
    member->answer = member->logged ? PublishWriter() : working_lsn_;
  }
  if (!member->answer.ok()) AbandonWriter();
}

// Releases the writer lock; then makes the group as durable as it was to be, and visible.
void Database::Impl::FinishGroup(const Group& group, Outcome outcome) {
  const Lsn end = working_lsn_;
  writer_lock_.Release();
  // Who was refused for what is in the way is answered once that is as durable as the change would have been.
  const auto waits = [](const Member* member) {
    const absl::Status& status = member->answer.status();
    return !member->durable && (status.ok() || absl::IsAborted(status) || absl::IsNotFound(status));
  };
  if (std::ranges::none_of(group, waits)) return;
  const Durability durability = group.front()->durability();
  const auto commits = static_cast<uint32_t>(group.size());
  // Who changed nothing has met what may be published and not yet visible: a flush of others is still on its way.
  const auto seen = [&](const Member* member) { return member->logged || !waits(member); };
  const absl::Status finished = outcome == Outcome::kUnpublished && std::ranges::all_of(group, seen)
                                    ? FinishUndurable(end, durability)
                                    : FinishCommit(end, durability, commits);
  if (finished.ok()) return;
  const absl::Status stopped = CheckRunning();
  for (Member* const member : group) {
    if (!waits(member)) continue;
    if (member->logged) {
      member->answer =
          durability == Durability::kSync ? AfterFailedFlush(*member->answer) : finished;
    } else if (!stopped.ok()) {
      member->answer = stopped;
    }
  }
}

// A flush by another thread may have taken the first records of a group to the disk, and have failed before the last.
absl::Status Database::Impl::AfterFailedFlush(Lsn lsn) {
  const absl::Status own = storage_->log->Flush(lsn);
  // On the disk, and never to be visible here; or not, and others have seen it, behind commits that need no flush.
  return own.ok() || registry_.Visible()->lsn >= lsn ? StoppedOnTheWay() : own;
}

}  // namespace keel
