#include "torture/player.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <utility>

#include "base/status.h"
#include "torture/beginning.h"

namespace keel::torture {
namespace {

constexpr char kDirectory[] = "/db";
std::string SpaceName(int space) { return absl::StrFormat("space%d", space); }

// Errors that an injected fault may cause. The others say that Keel is wrong, or the caller.
bool MayFollowAFault(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

}  // namespace

Player::Player(fault_injection::SimFileSystem* world, const Shape& shape, History* history)
    : world_(world), shape_(shape), history_(history) {}

Player::~Player() {
  transaction_.reset();
  snapshots_.clear();
}

void Player::Fail(std::string_view what, const absl::Status& status) {
  if (violation_.empty()) {
    violation_ =
        status.ok() ? std::string(what) : absl::StrFormat("%s: %s", what, status.ToString());
  }
  stopped_ = true;
}

bool Player::Judge(std::string_view what, const absl::Status& status) {
  if (status.ok()) return true;
  last_error_ = status;
  if (strict_ || !MayFollowAFault(status)) Fail(what, status);
  if (Stopped() || absl::IsUnknown(status)) stopped_ = true;
  return false;
}

bool Player::Stopped() const { return db_ == nullptr || !db_->Stats().health.ok; }

bool Player::Open() {
  auto opened = Database::Open(kDirectory, shape_.Options(world_));
  if (!Judge("open", opened.status())) return false;
  db_ = *std::move(opened);
  stopped_ = true;  // until its contents and keyspaces are known
  report_ = db_->recovery_report();
  std::optional<State> state = ReadState(*db_, db_->ListKeyspaces());
  if (!state.has_value() || !AdoptState(*std::move(state)) || !OpenSpaces()) return false;
  stopped_ = false;
  return true;
}

// The default keyspace holds the number, so only the others have to be made; each is a commit that
// changes no key, and so is none of ours.
bool Player::OpenSpaces() {
  spaces_ = {Keyspace()};
  for (int space = 1; space < shape_.spaces; ++space) {
    const absl::StatusOr<Keyspace> handle = db_->OpenKeyspace(SpaceName(space));
    if (!Judge("open a keyspace", handle.status())) return false;
    spaces_.push_back(*handle);
  }
  return true;
}

std::optional<State> Player::ReadState(const Reader& reader,
                                       const std::vector<KeyspaceInfo>& spaces) {
  State state;
  for (const KeyspaceInfo& info : spaces) {
    if (info.name == kBallast) continue;
    int space = kDefaultSpace;
    for (int i = 1; i < shape_.spaces; ++i) {
      if (info.name == SpaceName(i)) space = i;
    }
    const absl::Status status = reader.ForEach(info.keyspace, KeyRange::All(),
                                               [&](std::string_view key, std::string_view value) {
                                                 state.Put(space, key, value);
                                                 return absl::OkStatus();
                                               });
    if (!Judge("read everything", status)) return std::nullopt;
    const absl::StatusOr<uint64_t> count = reader.Count(info.keyspace);
    if (!Judge("count", count.status())) return std::nullopt;
    if (*count != state.Count(space)) {
      Fail(absl::StrFormat("%d keys are counted in %s, %d are there", *count, info.name,
                           state.Count(space)));
      return std::nullopt;
    }
  }
  return state;
}

// Which prefix of the history is this?
bool Player::AdoptState(State state) {
  const std::optional<uint64_t> found = CommitsIn(state);
  if (!found.has_value()) {
    Fail("the commit number is unreadable");
    return false;
  }
  const uint64_t number = *found;
  const Bounds bounds = history_->bounds();
  if ((number < bounds.acknowledged && !lying_device_) || number > bounds.begun) {
    Fail(absl::StrFormat("%d commits are there; %d were durable, %d begun", number,
                         bounds.acknowledged, bounds.begun));
    return false;
  }
  if (state.hash() != history_->hash(number)) {
    Fail(absl::StrFormat("after %d commits the contents are not those of that moment", number));
    return false;
  }
  number_ = number;
  committed_ = std::move(state);
  history_->Settle(number);
  return true;
}

// Also of a database that has stopped (G4): whatever answered OK is seen, and nothing else, least of
// all a commit of unknown outcome.
void Player::CheckContents(const State& state) {
  if (state.hash() == committed_.hash()) return;
  const std::optional<uint64_t> found = CommitsIn(state);
  Fail(
      absl::StrFormat("the contents are not those of commit %d, the last that answered OK, but of "
                      "%s",
                      number_, found.has_value() ? absl::StrCat(*found) : "none"));
}

void Player::Verify() {
  if (db_ == nullptr) return;
  transaction_.reset();
  savepoints_.clear();
  const std::optional<State> state = ReadState(*db_, db_->ListKeyspaces());
  if (!state.has_value()) return;
  CheckContents(*state);
  if (!violation_.empty()) return;
  const absl::StatusOr<CheckReport> report = db_->Check();
  if (!Judge("check", report.status()) || report->ok()) return;
  std::string text = absl::StrFormat("check: %d pages leaked", report->leaked_pages);
  for (const Damage& damage : report->damages) {
    absl::StrAppendFormat(&text, "; %s: %s", damage.place, damage.problem);
  }
  if (strict_ || (report->leaked_pages > 0 && !lying_device_)) Fail(text);
}

void Player::Close() {
  transaction_.reset();
  savepoints_.clear();
  snapshots_.clear();
  if (db_ == nullptr) return;
  const absl::Status status = db_->Close();
  db_.reset();
  if (!Judge("close", status)) return;
  history_->Acknowledge(number_);
  world_->Mark(EncodeAcknowledged(number_));
}

void Player::Play(const Script& script) {
  for (const Step& step : script) Do(step);
}

void Player::Do(const Step& step) {
  if (!alive()) return;
  random_ = fault_injection::SeededRandom(step.choice);
  const bool unsynced = shape_.unsynced_commits;
  const Operation operation = step.operation;
  switch (operation) {
    case Operation::kPutSmall:
    case Operation::kPutLarge:
    case Operation::kOverwrite:
      Put(operation);
      break;
    case Operation::kDelete:
      Delete();
      break;
    case Operation::kDeleteRange:
      DeleteRange();
      break;
    case Operation::kBulk:
      Bulk();
      break;
    case Operation::kHuge:
      Huge();
      break;
    case Operation::kSavepoint:
      SetSavepoint();
      break;
    case Operation::kRollbackTo:
      RollbackToAny();
      break;
    case Operation::kCommitSync:
      Commit(Durability::kSync);
      break;
    case Operation::kCommitAsync:
      Commit(unsynced ? Durability::kAsync : Durability::kSync);
      break;
    case Operation::kCommitNone:
      Commit(unsynced ? Durability::kNone : Durability::kSync);
      break;
    case Operation::kRollback:
      Rollback();
      break;
    case Operation::kBatch:
      Batch();
      break;
    case Operation::kLoad:
      Load();
      break;
    case Operation::kCheckpoint:
      Judge("checkpoint", db_->Checkpoint());
      break;
    case Operation::kBackground:
      Judge("background work", db_->RunBackgroundWork());
      break;
    case Operation::kFillLog:
      FillLog();
      break;
    case Operation::kSnapshotOpen:
      OpenSnapshot();
      break;
    case Operation::kSnapshotClose:
      CloseSnapshot();
      break;
    case Operation::kKeyspace:
      RenewKeyspace();
      break;
    case Operation::kReopen:
      Reopen();
      break;
  }
}

void Player::Tell(Tally* tally) const {
  tally->Met("committed by a checkpoint", by_checkpoint_ > 0);
  tally->Met("bulk load committed", bulk_loads_ > 0);
  tally->Met("checkpoint within a bulk load", checkpoints_in_loads_ > 0);
  if (shape_.optimistic) tally->Met("committed optimistically", optimistic_commits_ > 0);
}

void Player::OpenSnapshot() {
  if (!shape_.snapshots || snapshots_.size() >= 3) return;
  Snapshot snapshot = db_->GetSnapshot();
  // Commits that are not synced may not be visible yet; the snapshot says what it holds.
  std::vector<KeyspaceInfo> spaces = db_->ListKeyspaces();
  const std::optional<State> state = ReadState(snapshot, spaces);
  if (!state.has_value()) return;
  snapshots_.push_back({std::move(snapshot), std::move(spaces), state->hash()});
}

void Player::CloseSnapshot() {
  if (snapshots_.empty()) return;
  const size_t chosen = random_.Below(snapshots_.size());
  const HeldSnapshot& held = snapshots_[chosen];
  const std::optional<State> state = ReadState(held.snapshot, held.spaces);
  if (state.has_value() && state->hash() != held.hash) Fail("a snapshot has changed");
  snapshots_.erase(snapshots_.begin() + static_cast<ptrdiff_t>(chosen));
}

// Three commits: one that empties it, so that dropping it changes nothing; and two of the
// database's own.
void Player::RenewKeyspace() {
  if (shape_.spaces < 2) return;
  Rollback();
  const int space = shape_.spaces - 1;
  if (!EnsureTransaction()) return;
  if (!Judge("delete range", transaction_->DeleteRange(Handle(space), KeyRange::All()))) {
    return Rollback();
  }
  working_.DeleteRange(space, "", "\xff");
  const uint64_t before = number_;
  Commit(Durability::kSync);
  if (number_ == before || !alive()) return;
  if (!Judge("drop a keyspace", db_->DropKeyspace(SpaceName(space)))) return;
  const absl::StatusOr<Keyspace> handle = db_->OpenKeyspace(SpaceName(space));
  // Without its handle the player can go on only with a database opened anew.
  if (!Judge("open a keyspace", handle.status())) return Reopen();
  spaces_.back() = *handle;
}

void Player::Reopen() {
  Close();
  if (violation_.empty()) Open();
}

}  // namespace keel::torture
