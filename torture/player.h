// Plays operations on a database in a simulated world, and judges every answer.
//
//   Player player(&world, shape, &history);
//   player.Open();
//   player.Play(script);
//   player.Close();
//   if (!player.violation().empty()) ...
//
// The player knows what the database must hold, and tells the history and the world's trace which
// commits were begun and which acknowledged as durable. Where no fault is injected (strict), an
// error is a violation; otherwise it ends the player's life if it is of a kind that may, and the
// database has to be opened again.

#ifndef KEEL_TORTURE_PLAYER_H_
#define KEEL_TORTURE_PLAYER_H_

#include <keel/keel.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault_injection/mix.h"
#include "fault_injection/sim_file_system.h"
#include "torture/commit_number.h"
#include "torture/history.h"
#include "torture/script.h"
#include "torture/shape.h"
#include "torture/state.h"
#include "torture/tally.h"

namespace keel::torture {

class Player {
 public:
  // All outlive it.
  Player(fault_injection::SimFileSystem* world, const Shape& shape, History* history);
  ~Player();

  // Whether every error is a violation (the default).
  void set_strict(bool strict) { strict_ = strict; }
  // The device may lie: say that it has written or synced what it has not, or return what it never
  // stored. Then commits may be lost, and damage found; what is read is right nonetheless, or an
  // error (G3), and a prefix of the commits.
  void set_lying_device(bool lying) { lying_device_ = lying; }

  // Opens the database, reads all of it, and holds it against the history. False: it could not be
  // opened, or there is a violation.
  bool Open();
  // Does nothing once dead.
  void Do(const Step& step);
  void Play(const Script& script);
  // Reads everything, and has the database check itself.
  void Verify();
  void Close();

  // Whether the database takes commits.
  bool alive() const { return db_ != nullptr && !stopped_; }
  // What was wrong first; empty: nothing.
  const std::string& violation() const { return violation_; }
  // Tells which of the rarer kinds of commits there were.
  void Tell(Tally* tally) const;
  // Transactions that were committed by a checkpoint.
  uint64_t by_checkpoint() const { return by_checkpoint_; }
  // Whether such a commit was the last call that failed, and its outcome is unknown.
  bool checkpoint_unknown() const { return checkpoint_unknown_; }
  // Number of the newest commit that the player believes in.
  uint64_t commits() const { return number_; }
  const RecoveryReport& recovery_report() const { return report_; }
  // Why the last call that failed did.
  const absl::Status& last_error() const { return last_error_; }

 private:
  struct HeldSnapshot {
    Snapshot snapshot;
    std::vector<KeyspaceInfo> spaces;  // of its time
    uint64_t hash;
  };
  struct HeldSavepoint {
    Savepoint savepoint;
    State state;
  };

  void Fail(std::string_view what, const absl::Status& status = {});
  // Whether the call did what it should; if not, judges the error.
  bool Judge(std::string_view what, const absl::Status& status);

  bool OpenSpaces();
  std::optional<State> ReadState(const Reader& reader, const std::vector<KeyspaceInfo>& spaces);
  bool AdoptState(State state);

  bool EnsureTransaction();
  bool EnsureExclusiveTransaction();
  bool BeginTransaction(bool optimistic);
  void CountChange(size_t bytes);
  uint64_t WrittenMax() const;
  bool Stopped() const;
  void CheckContents(const State& state);
  void Put(Operation operation);
  bool PutOne(int space, const std::string& key, const std::string& value);
  void Delete();
  void DeleteRange();
  void Bulk();
  void Huge();
  void SetSavepoint();
  void RollbackToAny();
  void RollbackTo(size_t chosen);  // of savepoints_
  void Commit(Durability durability);
  void Rollback();
  void Batch();
  void Load();
  bool ForgetLoads();
  void FillLog();
  void OpenSnapshot();
  void CloseSnapshot();
  void RenewKeyspace();
  void Reopen();

  void BeginCommit(const State& after);
  absl::Status CommitUnlogged(Durability durability);
  void EndCommit(const absl::Status& status, Durability durability);
  void CheckOneKey();

  std::string RandomKey();
  std::string RandomValue(bool large);
  int RandomSpace();
  Keyspace Handle(int space) const { return spaces_[static_cast<size_t>(space)]; }

  fault_injection::SimFileSystem* const world_;
  const Shape shape_;
  fault_injection::SeededRandom random_{0};  // of the step that is played
  History* const history_;
  bool strict_ = true;
  bool lying_device_ = false;

  std::unique_ptr<Database> db_;
  bool stopped_ = false;
  std::vector<Keyspace> spaces_;
  std::vector<HeldSnapshot> snapshots_;
  RecoveryReport report_;
  uint64_t number_ = 0;  // commits in committed_
  State committed_;

  std::optional<Transaction> transaction_;
  State working_;  // what the transaction sees
  bool optimistic_ = false;
  uint64_t written_ = 0;   // bytes that the transaction has put, about
  bool huge_ = false;      // it may put more than the log takes
  bool unlogged_ = false;  // it has
  std::vector<HeldSavepoint> savepoints_;

  uint64_t by_checkpoint_ = 0;
  uint64_t optimistic_commits_ = 0;
  uint64_t bulk_loads_ = 0;
  uint64_t checkpoints_in_loads_ = 0;
  bool checkpoint_unknown_ = false;
  std::string violation_;
  absl::Status last_error_;
};

}  // namespace keel::torture

#endif  // KEEL_TORTURE_PLAYER_H_
