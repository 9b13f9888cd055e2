// The engine against a model: a std::map for each keyspace, with snapshots, transactions, savepoints, checkpoints,
// clean reopens and crashes (copies of the files of an open database).
//
// One command list is drawn from a seed; rapidcheck shrinks the seed's length, and the seed is printed, so that a
// failure replays with --seed.

#include <gtest/gtest.h>
#include <keel/keel.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tests/support/temp_dir.h"

namespace keel::testing {
namespace {

using Contents = std::map<std::string, std::string>;

constexpr int kKeyspaces = 3;
constexpr int kKeys = 400;

// What the database must hold.
using Model = std::vector<Contents>;

class Machine {
 public:
  explicit Machine(uint64_t seed) : random_(seed), model_(kKeyspaces) {
    options_.memory_bytes = uint64_t{4} << 20;
    options_.log_segment_bytes = uint64_t{256} << 10;
    options_.checkpoint_log_bytes = uint64_t{1} << 20;
    options_.background = Below(2) == 0 ? Background::kManual : Background::kThreads;
    options_.page_bytes = Below(4) == 0 ? 8192 : 4096;
    Open();
  }

  void Run(int commands) {
    for (int i = 0; i < commands; ++i) Step();
    CompareAll();
    snapshots_.clear();
    RC_ASSERT(db_->Close().ok());
    Open();
    CompareAll();
    CheckSound();
  }

 private:
  struct HeldSnapshot {
    Snapshot snapshot;
    Model model;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  std::string Key() { return absl::StrFormat("key%05d", Below(kKeys)); }
  std::string Value() {
    static constexpr size_t kSizes[] = {0, 10, 100, 300, 900, 1500, 9000};
    return std::string(kSizes[Below(Below(4) == 0 ? 7 : 4)], static_cast<char>('a' + Below(26)));
  }
  int Space() { return static_cast<int>(Below(kKeyspaces)); }
  Keyspace Handle(int space) { return handles_[static_cast<size_t>(space)]; }
  Contents& Of(Model& model, int space) { return model[static_cast<size_t>(space)]; }
  Durability AnyDurability() {
    static constexpr Durability kAll[] = {Durability::kSync, Durability::kAsync, Durability::kNone};
    return kAll[Below(3)];
  }

  void Open() {
    auto opened = Database::Open(directory(), options_);
    if (!opened.ok()) RC_FAIL(std::string(MessageOf(opened.status())));
    db_ = *std::move(opened);
    handles_ = {Keyspace()};
    for (int i = 1; i < kKeyspaces; ++i) {
      const auto handle = db_->OpenKeyspace(absl::StrFormat("space%d", i));
      RC_ASSERT(handle.ok());
      handles_.push_back(*handle);
    }
    const auto gone = db_->OpenKeyspace("gone");
    RC_ASSERT(gone.ok());
    RC_ASSERT(db_->DropKeyspace("gone").ok());
    gone_ = *gone;
  }
  std::filesystem::path directory() const { return temp_.path() / "db"; }

  void Step() {
    switch (Below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return PutOne();
      case 4:
        return DeleteOne();
      case 5:
      case 6:
        return WriteSome();
      case 7:
        return DeleteSome();
      case 8:
      case 9:
        return RunTransaction();
      case 10:
        return TakeSnapshot();
      case 11:
        return DropSnapshot();
      case 12:
        return Compare(Space());
      case 13:
        return Maintain();
      case 14:
        // A copy made while a checkpoint runs would be no moment of any disk: only without threads.
        return Below(4) == 0 ? Reopen(/*crash=*/options_.background == Background::kManual)
                             : PutOne();
      default:
        switch (Below(8)) {
          case 0:
            return Reopen(/*crash=*/false);
          case 1:
          case 2:
            return Burst();
          default:
            return CountSome();
        }
    }
  }

  void PutOne() {
    const int space = Space();
    const std::string key = Key();
    const std::string value = Value();
    RC_ASSERT(db_->Put(Handle(space), key, value, {AnyDurability()}).ok());
    Of(model_, space)[key] = value;
  }

  void DeleteOne() {
    const int space = Space();
    const std::string key = Key();
    RC_ASSERT(db_->Delete(Handle(space), key, {AnyDurability()}).ok());
    Of(model_, space).erase(key);
  }

  void WriteSome() {
    WriteBatch batch;
    for (uint64_t n = Below(60); n > 0; --n) {
      const int space = Space();
      const std::string key = Key();
      if (Below(3) == 0) {
        batch.Delete(Handle(space), key);
        Of(model_, space).erase(key);
      } else {
        const std::string value = Value();
        batch.Put(Handle(space), key, value);
        Of(model_, space)[key] = value;
      }
    }
    RC_ASSERT(db_->Write(batch, {AnyDurability()}).ok());
  }

  // Commits without a look between them, after which batches stay unpublished; one that is refused leaves nothing.
  void Burst() {
    for (int quiet = 0; quiet < 20; ++quiet) {
      const std::string key = Key();
      const std::string value = Value();
      RC_ASSERT(db_->Put(key, value, {Durability::kNone}).ok());
      Of(model_, 0)[key] = value;
    }
    for (uint64_t batches = 1 + Below(4); batches > 0; --batches) {
      Model after = model_;
      WriteBatch batch = Neighbours(after);
      const bool refused = Below(3) == 0;
      if (refused) batch.Put(gone_, Key(), Value());
      const absl::Status status = db_->Write(batch, {Durability::kNone}).status();
      RC_ASSERT((refused ? absl::IsNotFound(status) : status.ok()));
      if (!refused) model_ = after;
    }
  }

  // Puts of keys that mostly lie side by side.
  WriteBatch Neighbours(Model& model) {
    WriteBatch batch;
    int space = Space();
    uint64_t number = Below(kKeys);
    for (uint64_t rows = 1 + Below(60); rows > 0; --rows) {
      if (Below(10) == 0) space = Space();
      number = Below(10) == 0 ? Below(kKeys) : (number + 1) % kKeys;
      const std::string key = absl::StrFormat("key%05d", number);
      const std::string value = Value();
      batch.Put(Handle(space), key, value);
      Of(model, space)[key] = value;
    }
    return batch;
  }

  std::pair<std::string, std::string> Interval() {
    std::string begin = Key();
    std::string end = Key();
    if (end < begin) std::swap(begin, end);
    return {begin, end};
  }

  void DeleteSome() {
    const int space = Space();
    const auto [begin, end] = Interval();
    RC_ASSERT(db_->DeleteRange(Handle(space), KeyRange(begin, end), {AnyDurability()}).ok());
    Contents& contents = Of(model_, space);
    contents.erase(contents.lower_bound(begin), contents.lower_bound(end));
  }

  void RunTransaction() {
    auto begun = db_->Begin();
    RC_ASSERT(begun.ok());
    Transaction transaction = *std::move(begun);
    Model inner = model_;
    std::vector<std::pair<Savepoint, Model>> savepoints;
    for (uint64_t n = Below(80); n > 0; --n) ChangeWithin(transaction, inner, savepoints);
    const int space = Space();
    RC_ASSERT(*transaction.Count(Handle(space)) == Of(inner, space).size());
    if (Below(3) == 0) {
      transaction.Rollback();
    } else {
      RC_ASSERT(transaction.Commit({AnyDurability()}).ok());
      model_ = inner;
    }
  }

  void ChangeWithin(Transaction& transaction, Model& inner,
                    std::vector<std::pair<Savepoint, Model>>& savepoints) {
    const int space = Space();
    const std::string key = Key();
    switch (Below(8)) {
      case 0:
        RC_ASSERT(transaction.Delete(Handle(space), key).ok());
        Of(inner, space).erase(key);
        return;
      case 1:
        savepoints.emplace_back(transaction.SetSavepoint(), inner);
        return;
      case 2: {
        if (savepoints.empty()) return;
        const size_t to = Below(savepoints.size());
        RC_ASSERT(transaction.RollbackTo(savepoints[to].first).ok());
        inner = savepoints[to].second;
        savepoints.resize(to + 1);
        return;
      }
      case 3: {
        const auto [begin, end] = Interval();
        RC_ASSERT(transaction.DeleteRange(Handle(space), KeyRange(begin, end)).ok());
        Contents& contents = Of(inner, space);
        contents.erase(contents.lower_bound(begin), contents.lower_bound(end));
        return;
      }
      default: {
        const std::string value = Value();
        RC_ASSERT(transaction.Put(Handle(space), key, value).ok());
        Of(inner, space)[key] = value;
      }
    }
  }

  void TakeSnapshot() {
    RC_ASSERT(db_->Sync().ok());  // so that the newest commit is visible
    snapshots_.push_back({db_->GetSnapshot(), model_});
  }

  void DropSnapshot() {
    if (snapshots_.empty()) return;
    const auto at = snapshots_.begin() + static_cast<ptrdiff_t>(Below(snapshots_.size()));
    CompareReader(at->snapshot, at->model);
    snapshots_.erase(at);
  }

  void CompareReader(const Reader& reader, Model& model) {
    for (int space = 0; space < kKeyspaces; ++space) {
      Contents found;
      RC_ASSERT(reader
                    .ForEach(Handle(space), KeyRange::All(),
                             [&](std::string_view key, std::string_view value) {
                               found.emplace(key, value);
                               return absl::OkStatus();
                             })
                    .ok());
      RC_ASSERT(found == Of(model, space));
    }
  }

  void Compare(int space) {
    RC_ASSERT(db_->Sync().ok());
    const std::string key = Key();
    const auto value = db_->Get(Handle(space), key);
    const auto expected = Of(model_, space).find(key);
    RC_ASSERT(value.ok() == (expected != Of(model_, space).end()));
    if (value.ok()) RC_ASSERT(value->ToString() == expected->second);
  }

  void CountSome() {
    RC_ASSERT(db_->Sync().ok());
    const int space = Space();
    const auto [begin, end] = Interval();
    const Contents& contents = Of(model_, space);
    const auto expected = std::distance(contents.lower_bound(begin), contents.lower_bound(end));
    RC_ASSERT(*db_->Count(Handle(space), KeyRange(begin, end)) == static_cast<uint64_t>(expected));
  }

  void CompareAll() {
    RC_ASSERT(db_->Sync().ok());
    CompareReader(*db_, model_);
    for (HeldSnapshot& held : snapshots_) CompareReader(held.snapshot, held.model);
  }

  void Maintain() {
    if (Below(2) == 0) {
      RC_ASSERT(db_->Checkpoint().ok());
    } else {
      RC_ASSERT(db_->RunBackgroundWork().ok());
    }
  }

  void Reopen(bool crash) {
    CompareAll();
    snapshots_.clear();
    const std::filesystem::path image = temp_.path() / "image";
    if (crash) std::filesystem::copy(directory(), image, std::filesystem::copy_options::recursive);
    RC_ASSERT(db_->Close().ok());
    db_.reset();
    if (crash) {
      std::filesystem::remove_all(directory());
      std::filesystem::rename(image, directory());
    }
    Open();
    CompareAll();
    CheckSound();
  }

  void CheckSound() {
    const auto report = db_->Check();
    RC_ASSERT(report.ok());
    for (const Damage& damage : report->damages) RC_FAIL(damage.place + ": " + damage.problem);
    RC_ASSERT(report->ok());
  }

  std::mt19937_64 random_;
  TempDir temp_;
  Options options_;
  std::unique_ptr<Database> db_;
  std::vector<Keyspace> handles_;
  Keyspace gone_;  // dropped
  Model model_;
  std::vector<HeldSnapshot> snapshots_;
};

RC_GTEST_PROP(EngineProperty, BehavesLikeMapsWithSnapshotsCrashesAndReopening, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  const int commands = *rc::gen::inRange(1, 250);
  Machine(seed).Run(commands);
}

}  // namespace
}  // namespace keel::testing
