#include "torture/player.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "torture/beginning.h"

namespace keel::torture {
namespace {

constexpr char kDirectory[] = "/db";
constexpr int kDefaultSpace = 0;
// Of a huge transaction. A value of more pages may not fit into as many runs as pages of 512 bytes can name.
constexpr uint64_t kHugeKeys = 4;
constexpr uint64_t kHugeValuePages = 40;

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

uint64_t CommitsIn(const Database& database) {
  uint64_t number = 0;
  const absl::StatusOr<PinnedValue> text = database.Get(kNumberKey);
  return text.ok() && absl::SimpleAtoi(text->ToString(), &number) ? number : 0;
}

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
  uint64_t number = 0;
  const std::string* text = state.Find(kDefaultSpace, kNumberKey);
  if (text != nullptr && !absl::SimpleAtoi(*text, &number)) {
    Fail(absl::StrCat("the commit number is unreadable: ", *text));
    return false;
  }
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
  const std::string* number = state.Find(kDefaultSpace, kNumberKey);
  Fail(
      absl::StrFormat("the contents are not those of commit %d, the last that answered OK, but of "
                      "%s",
                      number_, number == nullptr ? "none" : *number));
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

std::string Player::RandomKey() { return absl::StrFormat("k%03d", random_.Below(shape_.keys)); }

std::string Player::RandomValue(bool large) {
  const size_t sizes = shape_.value_bytes.size();
  const size_t bytes = large ? shape_.value_bytes.back()
                             : shape_.value_bytes[random_.Below(std::max<size_t>(1, sizes - 1))];
  std::string value(bytes, static_cast<char>('a' + random_.Below(26)));
  // Different each time: an old value in place of a new one must show.
  const std::string stamp = absl::StrFormat("%x", random_.Next());
  std::copy_n(stamp.begin(), std::min(stamp.size(), value.size()), value.begin());
  return value;
}

int Player::RandomSpace() {
  return static_cast<int>(random_.Below(static_cast<uint64_t>(shape_.spaces)));
}

bool Player::EnsureTransaction() {
  // Others stay below what the log takes, and a huge one does not grow for ever.
  const uint64_t log = shape_.checkpoint_log_bytes;
  if (transaction_.has_value() && written_ > (huge_ ? 4 * log : log / 4)) {
    Commit(Durability::kSync);
  }
  if (transaction_.has_value()) return true;
  written_ = 0;
  huge_ = false;
  unlogged_ = false;
  absl::StatusOr<Transaction> begun = db_->Begin();
  if (!Judge("begin", begun.status())) return false;
  transaction_ = *std::move(begun);
  working_ = committed_;
  return true;
}

void Player::Put(Operation operation) {
  if (!EnsureTransaction()) return;
  const int space = RandomSpace();
  std::string key = RandomKey();
  if (operation == Operation::kOverwrite && !working_.entries().empty()) {
    const auto at = working_.entries().lower_bound(State::Place(space, key));
    if (at != working_.entries().end() && at->first.first == space) key = at->first.second;
  }
  PutOne(space, key, RandomValue(operation == Operation::kPutLarge));
}

bool Player::PutOne(int space, const std::string& key, const std::string& value) {
  written_ += key.size() + value.size() + 40;
  const bool put = Judge("put", transaction_->Put(Handle(space), key, value));
  if (put) working_.Put(space, key, value);
  CheckOneKey();
  return put;
}

void Player::Delete() {
  if (!EnsureTransaction()) return;
  const int space = RandomSpace();
  const std::string key = RandomKey();
  if (Judge("delete", transaction_->Delete(Handle(space), key))) working_.Delete(space, key);
  CheckOneKey();
}

void Player::DeleteRange() {
  if (!EnsureTransaction()) return;
  const int space = RandomSpace();
  std::string begin = RandomKey();
  std::string end = RandomKey();
  if (end < begin) std::swap(begin, end);
  if (Judge("delete range", transaction_->DeleteRange(Handle(space), KeyRange(begin, end)))) {
    working_.DeleteRange(space, begin, end);
  }
  CheckOneKey();
}

// Half a segment, so that it is more than a frame and less than the log may hold. Now and then all of it is taken
// back, which the log, where it is a stream by then, has to tell recovery.
void Player::Bulk() {
  const uint64_t bytes = std::min<uint64_t>(shape_.segment_bytes / 2, 16 << 10);
  if (!EnsureTransaction()) return;
  const bool taken_back = shape_.savepoints && random_.OneIn(4);
  if (taken_back) SetSavepoint();
  const size_t depth = savepoints_.size();
  const uint64_t end = written_ + bytes;
  for (uint64_t n = 0; n < 500 && transaction_.has_value() && written_ < end && alive(); ++n) {
    Put(Operation::kPutSmall);
  }
  if (!taken_back || !transaction_.has_value() || savepoints_.size() != depth) return;
  RollbackTo(depth - 1);
  Put(Operation::kPutSmall);
}

// What the log does not take, in large values of a few keys, each put again and again, so that little of it has to be read
// ever after; with savepoints before and behind the point from where on it is not logged; then committed, given up, or
// left to what comes next.
void Player::Huge() {
  if (!EnsureTransaction()) return;
  huge_ = true;
  SetSavepoint();
  const size_t before = savepoints_.size();
  const int space = RandomSpace();
  const uint64_t bytes =
      std::min(shape_.checkpoint_log_bytes / 16, kHugeValuePages * uint64_t{shape_.page_bytes});
  uint64_t put = 0;
  // A savepoint commits one that has grown too large, and begins another, of which nothing of this counts.
  for (int n = 0; n < 80 && huge_ && put <= shape_.logged_bytes_max() && alive(); ++n) {
    std::string value = RandomValue(false);
    value.resize(bytes, 'h');
    const std::string key = absl::StrFormat("k%03d", random_.Below(kHugeKeys));
    put += PutOne(space, key, value) ? bytes : 0;
    unlogged_ = unlogged_ || put > shape_.logged_bytes_max();
    if (random_.OneIn(8)) SetSavepoint();
    if (random_.OneIn(8)) Judge("checkpoint", db_->Checkpoint());
  }
  if (!alive()) return;
  if (random_.OneIn(3)) RollbackToAny();
  if (random_.OneIn(6) && before > 0 && savepoints_.size() >= before) RollbackTo(before - 1);
  const Durability durability =
      shape_.unsynced_commits ? static_cast<Durability>(random_.Below(3)) : Durability::kSync;
  if (random_.OneIn(2)) Commit(durability);
  if (random_.OneIn(4)) Rollback();
}

// A transaction sees its own changes.
void Player::CheckOneKey() {
  if (!transaction_.has_value() || stopped_) return;
  const int space = RandomSpace();
  const std::string key = RandomKey();
  const absl::StatusOr<PinnedValue> value = transaction_->Get(Handle(space), key);
  const std::string* expected = working_.Find(space, key);
  if (absl::IsNotFound(value.status())) {
    if (expected != nullptr) Fail(absl::StrCat("a transaction does not find ", key));
    return;
  }
  if (!Judge("get", value.status())) return;
  if (expected == nullptr) return Fail(absl::StrCat("a transaction finds ", key, ", deleted"));
  if (value->ToString() != *expected) Fail(absl::StrCat("a transaction reads a wrong ", key));
}

void Player::SetSavepoint() {
  if (!shape_.savepoints || !EnsureTransaction()) return;
  savepoints_.push_back({transaction_->SetSavepoint(), working_});
}

void Player::RollbackToAny() {
  if (!transaction_.has_value() || savepoints_.empty()) return;
  RollbackTo(random_.Below(savepoints_.size()));
}

void Player::RollbackTo(size_t chosen) {
  savepoints_.resize(chosen + 1);
  if (!Judge("roll back to a savepoint", transaction_->RollbackTo(savepoints_.back().savepoint))) {
    return;
  }
  working_ = savepoints_.back().state;
  CheckOneKey();
}

// The history and the trace learn of a commit before the database does.
void Player::BeginCommit(const State& after) {
  history_->Begin(number_ + 1, after.hash());
  world_->Mark(EncodeBegun(number_ + 1));
}

// One that the log cannot take is durable when it returns, whatever was asked for.
absl::Status Player::CommitUnlogged(Durability durability) {
  world_->Mark(EncodeByCheckpoint(number_ + 1));
  const uint64_t before = db_->Stats().commits.by_checkpoint;
  absl::Status status = transaction_->Commit({durability}).status();
  checkpoint_unknown_ = absl::IsUnknown(status);
  if (!status.ok()) return status;
  ++by_checkpoint_;
  if (db_->Stats().commits.by_checkpoint != before + 1) {
    Fail("a transaction that the log cannot take was committed by the log");
  }
  return status;
}

void Player::EndCommit(const absl::Status& status, Durability durability) {
  if (!Judge("commit", status)) {
    // Unknown: it may come back, and nothing else can be done to this database.
    if (absl::IsUnknown(status)) return;
    history_->Abandon(number_ + 1);
    return world_->Mark(EncodeBegun(number_));
  }
  ++number_;
  committed_ = working_;
  if (durability != Durability::kSync) return;
  history_->Acknowledge(number_);
  world_->Mark(EncodeAcknowledged(number_));
}

void Player::Commit(Durability durability) {
  if (!transaction_.has_value() && !EnsureTransaction()) return;
  const std::string number = absl::StrCat(number_ + 1);
  if (!Judge("put", transaction_->Put(kNumberKey, number))) return Rollback();
  working_.Put(kDefaultSpace, kNumberKey, number);
  BeginCommit(working_);
  const bool unlogged = unlogged_;
  const absl::Status status =
      unlogged ? CommitUnlogged(durability) : transaction_->Commit({durability}).status();
  transaction_.reset();
  savepoints_.clear();
  EndCommit(status, unlogged ? Durability::kSync : durability);
}

void Player::Rollback() {
  if (transaction_.has_value()) transaction_->Rollback();
  transaction_.reset();
  savepoints_.clear();
}

void Player::Batch() {
  Rollback();
  working_ = committed_;
  WriteBatch batch;
  const std::string number = absl::StrCat(number_ + 1);
  batch.Put(kNumberKey, number);
  working_.Put(kDefaultSpace, kNumberKey, number);
  for (uint64_t n = random_.Below(20); n > 0; --n) {
    const int space = RandomSpace();
    const std::string key = RandomKey();
    if (random_.OneIn(3)) {
      batch.Delete(Handle(space), key);
      working_.Delete(space, key);
    } else {
      const std::string value = RandomValue(random_.OneIn(6));
      batch.Put(Handle(space), key, value);
      working_.Put(space, key, value);
    }
  }
  BeginCommit(working_);
  EndCommit(db_->Write(batch).status(), Durability::kSync);
}

void Player::FillLog() {
  Rollback();
  const uint64_t until = db_->Stats().log.bytes_written + shape_.segment_bytes;
  for (int n = 0; n < 40 && alive() && db_->Stats().log.bytes_written < until; ++n) {
    Put(Operation::kPutSmall);
    if (transaction_.has_value()) Commit(Durability::kSync);
  }
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
