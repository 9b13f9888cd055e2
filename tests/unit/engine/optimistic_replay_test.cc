// Serializable means: as if each transaction had run alone, at its commit. So every one that commits is run again on a
// model of the state before its commit, and must read and write the same.

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seed.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

constexpr int kSpaces = 2;
constexpr WriteOptions kUnsynced = {Durability::kNone};

// By keyspace and key.
using State = std::map<std::pair<int, std::string>, std::string>;

struct Call {
  enum class Kind : uint8_t {
    kPut,
    kDelete,
    kDeleteRange,
    kGet,
    kCount,
    kScan,      // from the first, so many
    kScanBack,  // from the last
    kSeek,      // the first at or after `end`, and the next ones
    kSeekBack,
    kSavepoint,
    kRollback,
  };
  Kind kind = Kind::kGet;
  int space = 0;
  std::string key;
  std::optional<std::string> end;
  std::string value;
  size_t number = 0;   // of steps; of the savepoint
  std::string answer;  // of the database

  bool Holds(const std::string& other) const { return other >= key && (!end || other < *end); }
};

std::string Shown(std::string_view key, std::string_view value) {
  return std::string(key) + "=" + std::string(value) + " ";
}

// --- the model ---

class Model {
 public:
  explicit Model(State state) : state_(std::move(state)) {}

  std::string Do(const Call& call) {
    switch (call.kind) {
      case Call::Kind::kPut:
        state_[{call.space, call.key}] = call.value;
        return "";
      case Call::Kind::kDelete:
        state_.erase({call.space, call.key});
        return "";
      case Call::Kind::kDeleteRange:
        std::erase_if(state_, [&](const auto& entry) { return In(call, entry.first); });
        return "";
      case Call::Kind::kGet: {
        const auto found = state_.find({call.space, call.key});
        return found == state_.end() ? "NotFound" : found->second;
      }
      case Call::Kind::kCount:
        return std::to_string(std::ranges::count_if(
            state_, [&](const auto& entry) { return In(call, entry.first); }));
      case Call::Kind::kSavepoint:
        savepoints_.push_back(state_);
        return "";
      case Call::Kind::kRollback:
        state_ = savepoints_[call.number];
        savepoints_.resize(call.number + 1);
        return "";
      default:
        return Scan(call);
    }
  }

  const State& state() const { return state_; }

 private:
  static bool In(const Call& call, const std::pair<int, std::string>& place) {
    return place.first == call.space && call.Holds(place.second);
  }

  std::string Scan(const Call& call) const {
    const bool back = call.kind == Call::Kind::kScanBack || call.kind == Call::Kind::kSeekBack;
    const bool seek = call.kind == Call::Kind::kSeek || call.kind == Call::Kind::kSeekBack;
    std::vector<std::string> entries;
    for (const auto& [place, value] : state_) {
      if (!In(call, place)) continue;
      if (seek && (back ? place.second > call.value : place.second < call.value)) continue;
      entries.push_back(Shown(place.second, value));
    }
    if (back) std::ranges::reverse(entries);
    std::string text;
    for (size_t i = 0; i < call.number; ++i) text += i < entries.size() ? entries[i] : "end ";
    return text;
  }

  State state_;
  std::vector<State> savepoints_;
};

// --- the database ---

class OptimisticReplayTest : public EngineTest {
 protected:
  struct Running {
    std::optional<Transaction> transaction;
    std::vector<Call> calls;
    std::vector<Savepoint> savepoints;
  };

  void SetUp() override {
    Open();
    spaces_.push_back(Keyspace());
    spaces_.push_back(*db_->OpenKeyspace("other"));
  }

  State ReadState() {
    State state;
    for (int space = 0; space < kSpaces; ++space) {
      for (auto& [key, value] : ReadAll(*db_, spaces_[static_cast<size_t>(space)])) {
        state[{space, key}] = value;
      }
    }
    return state;
  }

  std::string RandomKey() {
    std::string key(1, static_cast<char>('a' + random_() % 6));
    if (random_() % 2 == 0) key += static_cast<char>('a' + random_() % 6);
    return key;
  }

  Call RandomCall(const Running& running) {
    Call call;
    call.kind = static_cast<Call::Kind>(random_() % 11);
    call.space = static_cast<int>(random_() % kSpaces);
    call.key = RandomKey();
    if (random_() % 4 != 0) call.end = RandomKey();
    // Long enough that the trees have some leaves.
    call.value = call.kind == Call::Kind::kPut
                     ? std::to_string(random_() % 1000) + std::string(random_() % 300, '.')
                     : RandomKey();
    call.number = 1 + random_() % 4;
    if (call.kind == Call::Kind::kRollback) {
      if (running.savepoints.empty()) {
        call.kind = Call::Kind::kSavepoint;
      } else {
        call.number = random_() % running.savepoints.size();
      }
    }
    return call;
  }

  std::string Walk(Transaction& transaction, Keyspace space, const KeyRange& range,
                   const Call& call) {
    Cursor cursor = transaction.NewCursor(space, range);
    const bool back = call.kind == Call::Kind::kScanBack || call.kind == Call::Kind::kSeekBack;
    if (call.kind == Call::Kind::kScan) cursor.SeekToFirst();
    if (call.kind == Call::Kind::kScanBack) cursor.SeekToLast();
    if (call.kind == Call::Kind::kSeek) cursor.Seek(call.value);
    if (call.kind == Call::Kind::kSeekBack) cursor.SeekForPrev(call.value);
    std::string text;
    for (size_t i = 0; i < call.number; ++i) {
      text += cursor.Valid() ? Shown(cursor.key(), cursor.value()) : "end ";
      if (i + 1 == call.number || !cursor.Valid()) continue;
      back ? cursor.Prev() : cursor.Next();
    }
    KEEL_EXPECT_OK(cursor.status());
    return text;
  }

  std::string Do(Running& running, const Call& call) {
    Transaction& transaction = *running.transaction;
    const Keyspace space = spaces_[static_cast<size_t>(call.space)];
    const KeyRange range = call.end ? KeyRange(call.key, *call.end) : KeyRange::From(call.key);
    switch (call.kind) {
      case Call::Kind::kPut:
        KEEL_EXPECT_OK(transaction.Put(space, call.key, call.value));
        return "";
      case Call::Kind::kDelete:
        KEEL_EXPECT_OK(transaction.Delete(space, call.key));
        return "";
      case Call::Kind::kDeleteRange:
        KEEL_EXPECT_OK(transaction.DeleteRange(space, range));
        return "";
      case Call::Kind::kGet:
        return GetText(transaction, call.key, space);
      case Call::Kind::kCount:
        return std::to_string(*transaction.Count(space, range));
      case Call::Kind::kSavepoint:
        running.savepoints.push_back(transaction.SetSavepoint());
        return "";
      case Call::Kind::kRollback:
        KEEL_EXPECT_OK(transaction.RollbackTo(running.savepoints[call.number]));
        running.savepoints.resize(call.number + 1);
        return "";
      default:
        return Walk(transaction, space, range, call);
    }
  }

  static bool Writes(const Running& running) {
    return std::ranges::any_of(
        running.calls, [](const Call& call) { return call.kind <= Call::Kind::kDeleteRange; });
  }

  // Commits, and holds what it read and wrote against a run on `*state` alone.
  void Commit(Running& running, State* state) {
    const absl::Status status = running.transaction->Commit(kUnsynced).status();
    running.transaction.reset();
    const State after = ReadState();
    if (!status.ok()) {
      ASSERT_TRUE(absl::IsAborted(status)) << status;
      ASSERT_EQ(after, *state) << "it left a trace";
      ++aborted_;
      return;
    }
    ++committed_;
    Model model(*state);
    bool same = true;
    for (const Call& call : running.calls) same = model.Do(call) == call.answer && same;
    // One that changes nothing may stand earlier in the order: where its snapshot does.
    ASSERT_TRUE(same || after == *state) << "committed, and read what was not so";
    ASSERT_TRUE(!same || after == model.state()) << "committed, and wrote something else";
    ASSERT_TRUE(Writes(running) || after == *state);
    *state = after;
  }

  std::vector<Keyspace> spaces_;
  std::mt19937_64 random_{TestSeed()};
  int committed_ = 0;
  int aborted_ = 0;
};

TEST_F(OptimisticReplayTest, G9_WhatCommitsWouldHaveDoneTheSameAlone) {
  State state;
  TransactionOptions options;
  options.concurrency = Concurrency::kOptimistic;
  for (int round = 0; round < 500; ++round) {
    std::vector<Running> all(3);
    for (Running& running : all) running.transaction = *db_->Begin(options);
    for (size_t left = all.size(); left > 0;) {
      Running& running = all[random_() % all.size()];
      if (!running.transaction) continue;
      if (random_() % 10 == 0) {
        ASSERT_NO_FATAL_FAILURE(Commit(running, &state)) << "round " << round;
        --left;
        continue;
      }
      Call call = RandomCall(running);
      call.answer = Do(running, call);
      running.calls.push_back(std::move(call));
    }
  }
  EXPECT_GT(committed_, 300);
  EXPECT_GT(aborted_, 100);
}

}  // namespace
}  // namespace keel::testing
