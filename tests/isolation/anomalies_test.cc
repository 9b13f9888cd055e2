// The anomalies by which isolation levels are told apart (Adya, Weak Consistency, 1999; Berenson et al., A Critique of
// ANSI SQL Isolation Levels, 1995; Fekete, O'Neil, O'Neil, A Read-Only Transaction Anomaly, 2004), each tried at each
// level. What may happen where is the table of docs/guarantees.md, which is read by the last test.

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <gtest/gtest.h>
#include <keel/keel.h>

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tests/support/temp_dir.h"

namespace keel::testing {
namespace {

constexpr int kNothing = -1;

// A database with two rows, and what the anomalies do with it. Whatever is not an expected answer fails the test.
class Stage {
 public:
  explicit Stage(Isolation isolation) : isolation_(isolation) {
    Options options;
    options.memory_bytes = uint64_t{8} << 20;
    absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open(temp_.path() / "db", options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    db_ = *std::move(opened);
    EXPECT_TRUE(db_->Put("1", "10").ok());
    EXPECT_TRUE(db_->Put("2", "20").ok());
  }

  Transaction Begin() {
    TransactionOptions options;
    options.concurrency = Concurrency::kOptimistic;
    options.isolation = isolation_;
    absl::StatusOr<Transaction> transaction = db_->Begin(options);
    EXPECT_TRUE(transaction.ok()) << transaction.status();
    return *std::move(transaction);
  }

  static int Read(const Reader& reader, std::string_view key) {
    const absl::StatusOr<PinnedValue> value = reader.Get(key);
    if (absl::IsNotFound(value.status())) return kNothing;
    EXPECT_TRUE(value.ok()) << value.status();
    return Number(value->ToString());
  }
  int Now(std::string_view key) const { return Read(*db_, key); }

  // Keys whose values satisfy the predicate.
  static std::vector<std::string> Where(const Reader& reader, const std::function<bool(int)>& is) {
    std::vector<std::string> keys;
    EXPECT_TRUE(reader
                    .ForEach({}, KeyRange::All(),
                             [&](std::string_view key, std::string_view value) {
                               if (is(Number(std::string(value)))) keys.emplace_back(key);
                               return absl::OkStatus();
                             })
                    .ok());
    return keys;
  }

  static void Write(Transaction& transaction, std::string_view key, int value) {
    EXPECT_TRUE(transaction.Put(key, absl::StrCat(value)).ok());
  }

  // False: it lost.
  static bool Commit(Transaction& transaction) {
    const absl::Status status = transaction.Commit().status();
    EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status;
    return status.ok();
  }

 private:
  static int Number(const std::string& text) {
    int number = kNothing;
    EXPECT_TRUE(absl::SimpleAtoi(text, &number)) << text;
    return number;
  }

  TempDir temp_;
  const Isolation isolation_;
  std::unique_ptr<Database> db_;
};

bool IsMultipleOfThree(int value) { return value % 3 == 0; }

// --- each returns whether it happened ---

// Two transactions write the same two rows, and each wins one of them.
bool DirtyWrite(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  Stage::Write(one, "1", 11);
  Stage::Write(two, "1", 12);
  Stage::Write(one, "2", 21);
  Stage::Commit(one);
  Stage::Write(two, "2", 22);
  Stage::Commit(two);
  return (stage.Now("1") == 11) != (stage.Now("2") == 21);
}

// Something is read that was then rolled back.
bool AbortedRead(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  Stage::Write(one, "1", 101);
  bool seen = Stage::Read(two, "1") == 101;
  one.Rollback();
  seen = Stage::Read(two, "1") == 101 || seen;
  Stage::Commit(two);
  return seen;
}

// Something is read that its writer then wrote over.
bool IntermediateRead(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  Stage::Write(one, "1", 101);
  bool seen = Stage::Read(two, "1") == 101;
  Stage::Write(one, "1", 11);
  Stage::Commit(one);
  seen = Stage::Read(two, "1") == 101 || seen;
  Stage::Commit(two);
  return seen;
}

// Each of two transactions reads what the other has written.
bool CircularInformationFlow(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  Stage::Write(one, "1", 11);
  Stage::Write(two, "2", 22);
  const bool one_saw = Stage::Read(one, "2") == 22;
  const bool two_saw = Stage::Read(two, "1") == 11;
  Stage::Commit(one);
  Stage::Commit(two);
  return one_saw && two_saw;
}

// A transaction that was seen is gone again: of the next one only a part is seen over it.
bool ObservedTransactionVanishes(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  Transaction three = stage.Begin();
  Stage::Write(one, "1", 11);
  Stage::Write(one, "2", 19);
  Stage::Write(two, "1", 12);
  Stage::Commit(one);
  const bool saw_one = Stage::Read(three, "1") == 11;
  Stage::Write(two, "2", 18);
  bool happened = saw_one && Stage::Read(three, "2") != 19;
  Stage::Commit(two);
  const int second = Stage::Read(three, "2");
  const int first = Stage::Read(three, "1");
  happened = happened || (second == 18 && first != 12);
  Stage::Commit(three);
  return happened;
}

// The same question has more answers the second time.
bool PredicateManyPreceders(Stage& stage) {
  Transaction one = stage.Begin();
  const bool none = Stage::Where(one, [](int value) { return value == 30; }).empty();
  Transaction two = stage.Begin();
  Stage::Write(two, "3", 30);
  Stage::Commit(two);
  const bool some = !Stage::Where(one, IsMultipleOfThree).empty();
  return Stage::Commit(one) && none && some;
}

// What a predicate chose is written although it is no longer so.
bool PredicateManyPrecedersOfWrites(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  Stage::Write(one, "1", Stage::Read(one, "1") + 10);
  Stage::Write(one, "2", Stage::Read(one, "2") + 10);
  const auto chosen = Stage::Where(two, [](int value) { return value == 20; });
  Stage::Commit(one);
  for (const std::string& key : chosen) EXPECT_TRUE(two.Delete(key).ok());
  Stage::Commit(two);
  return stage.Now("2") == kNothing;
}

// Both add to what they read, and one addition is gone.
bool LostUpdate(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  const int first = Stage::Read(one, "1");
  const int second = Stage::Read(two, "1");
  Stage::Write(one, "1", first + 1);
  Stage::Write(two, "1", second + 2);
  const bool both = Stage::Commit(one) && Stage::Commit(two);
  return both && stage.Now("1") != 13;
}

// One row from before a commit, another from after it.
bool ReadSkew(Stage& stage) {
  Transaction one = stage.Begin();
  const int first = Stage::Read(one, "1");
  Transaction two = stage.Begin();
  Stage::Write(two, "1", 12);
  Stage::Write(two, "2", 18);
  Stage::Commit(two);
  const int second = Stage::Read(one, "2");
  return Stage::Commit(one) && first + second != 30;
}

// Each reads what the other writes, and neither minds.
bool WriteSkew(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  for (Transaction* transaction : {&one, &two}) {
    EXPECT_EQ(Stage::Read(*transaction, "1") + Stage::Read(*transaction, "2"), 30);
  }
  Stage::Write(one, "1", 11);
  Stage::Write(two, "2", 21);
  const bool first = Stage::Commit(one);
  return Stage::Commit(two) && first;
}

// The same with rows that were not there when they were looked for.
bool PhantomWriteSkew(Stage& stage) {
  Transaction one = stage.Begin();
  Transaction two = stage.Begin();
  for (Transaction* transaction : {&one, &two}) {
    EXPECT_TRUE(Stage::Where(*transaction, IsMultipleOfThree).empty());
  }
  Stage::Write(one, "3", 30);
  Stage::Write(two, "4", 42);
  const bool first = Stage::Commit(one);
  return Stage::Commit(two) && first;
}

// A reader sees the second of two transactions without the first, though the second did not see the first's write and
// the first did not see the second's.
bool ReadOnlyAnomaly(Stage& stage) {
  Transaction penalty = stage.Begin();
  const int checking = Stage::Read(penalty, "1");
  const int savings = Stage::Read(penalty, "2");
  Transaction deposit = stage.Begin();
  Stage::Write(deposit, "2", Stage::Read(deposit, "2") + 20);
  Stage::Commit(deposit);
  Transaction report = stage.Begin();
  const bool between = Stage::Read(report, "1") == checking && Stage::Read(report, "2") != savings;
  const bool reported = Stage::Commit(report);
  Stage::Write(penalty, "1", checking - 11);
  return Stage::Commit(penalty) && reported && between;
}

struct Anomaly {
  std::string_view name;  // as in docs/guarantees.md
  bool (*happens)(Stage& stage);
  bool read_committed;  // whether it may happen there
  bool snapshot;
  bool serializable;

  bool AllowedAt(Isolation isolation) const {
    switch (isolation) {
      case Isolation::kReadCommitted:
        return read_committed;
      case Isolation::kSnapshot:
        return snapshot;
      case Isolation::kSerializable:
        return serializable;
    }
    return false;
  }
};

void PrintTo(const Anomaly& anomaly, std::ostream* out) { *out << anomaly.name; }

constexpr Anomaly kAnomalies[] = {
    {"G0", DirtyWrite, false, false, false},
    {"G1a", AbortedRead, false, false, false},
    {"G1b", IntermediateRead, false, false, false},
    {"G1c", CircularInformationFlow, false, false, false},
    {"OTV", ObservedTransactionVanishes, false, false, false},
    {"PMP", PredicateManyPreceders, true, false, false},
    {"PMP of writes", PredicateManyPrecedersOfWrites, true, false, false},
    {"P4", LostUpdate, true, false, false},
    {"G-single", ReadSkew, true, false, false},
    {"G2-item", WriteSkew, true, true, false},
    {"G2", PhantomWriteSkew, true, true, false},
    {"read-only anomaly", ReadOnlyAnomaly, true, true, false},
};

constexpr std::pair<Isolation, std::string_view> kLevels[] = {
    {Isolation::kReadCommitted, "kReadCommitted"},
    {Isolation::kSnapshot, "kSnapshot"},
    {Isolation::kSerializable, "kSerializable"},
};

class G9_AnomalyTest
    : public ::testing::TestWithParam<std::tuple<Anomaly, std::pair<Isolation, std::string_view>>> {
};

TEST_P(G9_AnomalyTest, HappensWhereTheTableSaysAndNowhereElse) {
  const auto& [anomaly, level] = GetParam();
  Stage stage(level.first);
  EXPECT_EQ(anomaly.happens(stage), anomaly.AllowedAt(level.first));
}

std::string NameOf(const ::testing::TestParamInfo<G9_AnomalyTest::ParamType>& info) {
  std::string name =
      absl::StrCat(ToAbsl(std::get<0>(info.param).name), ToAbsl(std::get<1>(info.param).second));
  std::erase_if(name,
                [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, G9_AnomalyTest,
                         ::testing::Combine(::testing::ValuesIn(kAnomalies),
                                            ::testing::ValuesIn(kLevels)),
                         NameOf);

// Exclusive transactions never meet: there is no interleaving to try.
TEST(G9_ExclusiveTest, TheSecondWaitsForTheFirst) {
  const TempDir temp;
  auto db = Database::Open(temp.path() / "db");
  ASSERT_TRUE(db.ok());
  absl::StatusOr<Transaction> first = (*db)->Begin();
  ASSERT_TRUE(first.ok());
  std::thread other([&] {
    TransactionOptions options;
    options.lock_timeout = absl::Milliseconds(1);
    EXPECT_TRUE(absl::IsDeadlineExceeded((*db)->Begin(options).status()));
  });
  other.join();
  EXPECT_TRUE(first->Commit().ok());
}

// Rows like "| G0 | dirty write ... | no | no | no |", with a column for each level.
TEST(G9_AnomaliesTest, TheDocumentedTableIsTheTestedOne) {
  std::ifstream document(KEEL_DOCS_DIR "/guarantees.md");
  ASSERT_TRUE(document.is_open());
  std::map<std::string, std::vector<std::string>> rows;
  for (std::string line; std::getline(document, line);) {
    std::vector<std::string> cells;
    for (const auto cell : absl::StrSplit(line, '|')) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    if (cells.size() == 7) rows[cells[1]] = {cells[3], cells[4], cells[5]};
  }
  const auto said = [](bool may_happen) { return may_happen ? "possible" : "no"; };
  for (const Anomaly& anomaly : kAnomalies) {
    const std::vector<std::string> expected = {said(anomaly.read_committed), said(anomaly.snapshot),
                                               said(anomaly.serializable)};
    EXPECT_EQ(rows[std::string(anomaly.name)], expected) << anomaly.name;
  }
}

}  // namespace
}  // namespace keel::testing
