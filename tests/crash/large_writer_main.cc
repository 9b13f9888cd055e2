// A process with one transaction of many bytes, which may be killed at any moment.
//
//   large_writer DIRECTORY MODE BYTES MEMORY CHECKPOINT_LOG
//
//   fill      makes the database, with a few entries
//   commit    one transaction of BYTES on top of them, committed; says "writing", "committing", "committed"
//   rollback  the same, rolled back at its end; says "rolled back"
//   before    status 1, and what differs, unless exactly the entries of `fill` are there
//   after     the same with those of `commit`
//   either    says which of the two is there
//
// MEMORY and CHECKPOINT_LOG are Options::memory_bytes and checkpoint_log_bytes. The entries are a function of their
// numbers, so that nothing of what should be there has to be kept in memory: the peak is that of the database.
// scripts/large_transactions measures it.

#include <absl/strings/numbers.h>
#include <keel/keel.h>

#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace keel::testing {
namespace {

constexpr uint64_t kValueBytes = 900;
constexpr uint64_t kLargeValueBytes = uint64_t{1} << 20;
constexpr uint64_t kBaseEntries = 2000;
// Of the transaction's entries: every so many is large; overwrites, or deletes, the one of half its number;
// overwrites an old entry; is followed by changes that are rolled back to a savepoint.
constexpr uint64_t kLargeEvery = 10'000;
constexpr uint64_t kRevisitEvery = 64;
constexpr uint64_t kOldEvery = 1024;
constexpr uint64_t kSavepointEvery = 50'000;
constexpr uint64_t kTakenBack = 500;

uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ x >> 33;
}

std::string Value(uint64_t number, uint64_t generation, uint64_t bytes) {
  std::string value(bytes, '\0');
  uint64_t word = Mix(number * 4 + generation);
  for (size_t i = 0; i + 8 <= bytes; i += 8, word += 0x9e3779b97f4a7c15ULL) {
    value.replace(i, 8, std::string_view(reinterpret_cast<const char*>(&word), 8));
  }
  return value;
}

std::string OldKey(uint64_t number) { return absl::StrFormat("base %08d", number); }
std::string OldValue(uint64_t number, uint64_t generation) {
  return Value(number, generation, kValueBytes);
}
std::string NewKey(uint64_t number) { return absl::StrFormat("new %012d", number); }
std::string NewValue(uint64_t number, uint64_t generation) {
  const bool large = number % kLargeEvery == 7;
  return Value(number, 2 + generation, large ? kLargeValueBytes : kValueBytes);
}

// Entries that bring the transaction to `bytes`.
uint64_t EntriesOf(uint64_t bytes) {
  const uint64_t average = kValueBytes + 16 + kLargeValueBytes / kLargeEvery;
  return bytes / average;
}

// --- writing ---

absl::Status TakeBack(Transaction& transaction, uint64_t number) {
  const Savepoint savepoint = transaction.SetSavepoint();
  for (uint64_t i = 0; i < kTakenBack; ++i) {
    KEEL_RETURN_IF_ERROR(transaction.Put(absl::StrFormat("taken back %d", i), OldValue(i, 3)));
  }
  KEEL_RETURN_IF_ERROR(
      transaction.DeleteRange(KeyRange(NewKey(number / 2), NewKey(number / 2 + kTakenBack))));
  return transaction.RollbackTo(savepoint);
}

absl::Status WriteEntry(Transaction& transaction, uint64_t number) {
  KEEL_RETURN_IF_ERROR(transaction.Put(NewKey(number), NewValue(number, 0)));
  const uint64_t half = number / 2;
  if (number > 0 && number % kRevisitEvery == 0) {
    KEEL_RETURN_IF_ERROR(transaction.Put(NewKey(half), NewValue(half, 1)));
  }
  if (number % kRevisitEvery == kRevisitEvery / 2) {
    KEEL_RETURN_IF_ERROR(transaction.Delete(NewKey(half)));
  }
  const uint64_t old = number / kOldEvery;
  if (number % kOldEvery == 5 && old < kBaseEntries) {
    KEEL_RETURN_IF_ERROR(transaction.Put(OldKey(old), OldValue(old, 1)));
  }
  if (number % kSavepointEvery == kSavepointEvery / 2) {
    KEEL_RETURN_IF_ERROR(TakeBack(transaction, number));
  }
  return absl::OkStatus();
}

void Say(std::string_view line) {
  std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
  std::fflush(stdout);
}

absl::Status Write(Database& database, uint64_t entries, bool commit) {
  KEEL_ASSIGN_OR_RETURN(Transaction transaction, database.Begin());
  Say("writing");
  for (uint64_t number = 0; number < entries; ++number) {
    KEEL_RETURN_IF_ERROR(WriteEntry(transaction, number));
  }
  if (!commit) {
    transaction.Rollback();
    Say("rolled back");
    return absl::OkStatus();
  }
  Say("committing");
  KEEL_RETURN_IF_ERROR(transaction.Commit().status());
  Say("committed");
  return absl::OkStatus();
}

absl::Status Fill(Database& database) {
  for (uint64_t number = 0; number < kBaseEntries; ++number) {
    KEEL_RETURN_IF_ERROR(database.Put(OldKey(number), OldValue(number, 0), {Durability::kNone}));
  }
  return database.Sync();
}

// --- what should be there ---

// Walks the entries of the database beside those that should be there, in the order of their keys.
class Comparison {
 public:
  explicit Comparison(Cursor cursor) : cursor_(std::move(cursor)) { cursor_.SeekToFirst(); }

  absl::Status Expect(const std::string& key, const std::string& value) {
    if (!cursor_.Valid()) {
      KEEL_RETURN_IF_ERROR(cursor_.status());
      return absl::NotFoundError(key + " is missing, and all behind it");
    }
    if (cursor_.key() != key) {
      return absl::NotFoundError(absl::StrFormat("%s expected, %s found", key, cursor_.key()));
    }
    if (cursor_.value() != value) return absl::NotFoundError(key + " has another value");
    cursor_.Next();
    return absl::OkStatus();
  }
  absl::Status ExpectEnd() {
    KEEL_RETURN_IF_ERROR(cursor_.status());
    if (!cursor_.Valid()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrFormat("%s is too much", cursor_.key()));
  }

 private:
  Cursor cursor_;
};

absl::Status Compare(Database& database, uint64_t entries) {
  Comparison comparison(database.NewCursor());
  for (uint64_t number = 0; number < kBaseEntries; ++number) {
    const bool changed = number * kOldEvery + 5 < entries;
    KEEL_RETURN_IF_ERROR(comparison.Expect(OldKey(number), OldValue(number, changed ? 1 : 0)));
  }
  constexpr uint64_t kRevisited = kRevisitEvery / 2;
  for (uint64_t number = 0; number < entries; ++number) {
    const bool revisited = 2 * number < entries && number > 0;
    if (revisited && number % kRevisited == kRevisited / 2) continue;  // deleted
    const bool changed = revisited && number % kRevisited == 0;
    KEEL_RETURN_IF_ERROR(comparison.Expect(NewKey(number), NewValue(number, changed ? 1 : 0)));
  }
  return comparison.ExpectEnd();
}

absl::Status CompareEither(Database& database, uint64_t entries) {
  absl::Status before = Compare(database, 0);
  if (before.ok()) {
    Say("before");
    return before;
  }
  absl::Status after = Compare(database, entries);
  if (!after.ok()) {
    return absl::NotFoundError(
        absl::StrFormat("neither before (%s) nor after (%s)", MessageOf(before), MessageOf(after)));
  }
  Say("after");
  return after;
}

absl::Status Check(Database& database) {
  KEEL_ASSIGN_OR_RETURN(const CheckReport report, database.Check());
  if (report.ok()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrFormat("%d leaked pages, %d damages", report.leaked_pages, report.damages.size()));
}

absl::Status Run(std::string_view directory, std::string_view mode, uint64_t bytes,
                 const Options& options) {
  KEEL_ASSIGN_OR_RETURN(const auto database, Database::Open(directory, options));
  const uint64_t entries = EntriesOf(bytes);
  absl::Status status;
  if (mode == "fill") {
    status = Fill(*database);
  } else if (mode == "commit" || mode == "rollback") {
    status = Write(*database, entries, mode == "commit");
  } else if (mode == "before" || mode == "after") {
    status = Compare(*database, mode == "after" ? entries : 0);
  } else if (mode == "either") {
    status = CompareEither(*database, entries);
  } else {
    status = absl::InvalidArgumentError(absl::StrFormat("no such mode: %s", mode));
  }
  KEEL_RETURN_IF_ERROR(status);
  if (mode != "commit" && mode != "rollback") KEEL_RETURN_IF_ERROR(Check(*database));
  return database->Close();
}

}  // namespace
}  // namespace keel::testing

int main(int argc, char** argv) {
  keel::Options options;
  uint64_t bytes = 0;
  if (argc != 6 || !absl::SimpleAtoi(argv[3], &bytes) ||
      !absl::SimpleAtoi(argv[4], &options.memory_bytes) ||
      !absl::SimpleAtoi(argv[5], &options.checkpoint_log_bytes)) {
    std::fprintf(stderr, "usage: large_writer DIRECTORY MODE BYTES MEMORY CHECKPOINT_LOG\n");
    return 2;
  }
  options.log_segment_bytes = std::max(options.checkpoint_log_bytes / 4, uint64_t{256} << 10);
  const absl::Status status = keel::testing::Run(argv[1], argv[2], bytes, options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "large_writer %s: %s\n", argv[2], status.ToString().c_str());
  return 1;
}
