// A process that writes on several threads until it is killed.
//
//   crash_writer DIRECTORY RECORD HISTORY SEED THREADS BACKEND
//
// Writes the transactions of tests/crash/history.h, with commits of every durability, among them some that are
// rolled back, while one more thread syncs, checkpoints and checks. What was begun and what was acknowledged
// stands in RECORD. A full disk is waited out; any other error ends it with status 1, and stands in RECORD too.
// HISTORY is the seed of what the transactions hold, SEED that of what else this process draws.

#include <keel/keel.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "tests/crash/crash_options.h"
#include "tests/crash/history.h"
#include "tests/crash/writer_record.h"

namespace keel::testing {
namespace {

class Writer {
 public:
  Writer(Database* database, Keyspaces keyspaces, WriterRecord* record, uint64_t history,
         uint64_t seed)
      : database_(*database),
        keyspaces_(keyspaces),
        record_(*record),
        history_(history),
        random_(seed) {}

  // Until an error.
  void Write() {
    while (Goes(WriteOne())) {
    }
  }
  // Makes durable what others wrote, and looks at it.
  void KeepHouse() {
    while (Goes(KeepHouseOnce())) {
    }
  }

 private:
  bool OneIn(uint64_t n) { return random_() % n == 0; }
  void Step() { record_.steps.fetch_add(1); }

  // Whether to go on: after success, and where the disk is full.
  bool Goes(const absl::Status& status) {
    if (status.ok()) return true;
    if (absl::IsResourceExhausted(status)) {
      record_.refused.fetch_add(1);
      usleep(500);
      return true;
    }
    if (record_.failed.fetch_add(1) == 0) {
      std::strncpy(record_.error.data(), status.ToString().c_str(), record_.error.size() - 1);
    }
    return false;
  }

  absl::Status WriteOne() {
    Step();
    KEEL_ASSIGN_OR_RETURN(Transaction transaction, database_.Begin());
    Step();
    KEEL_ASSIGN_OR_RETURN(const uint64_t before, SequenceOf(transaction));
    const uint64_t number = before + 1;
    if (OneIn(12)) return Abandon(number, transaction);
    if (OneIn(6)) KEEL_RETURN_IF_ERROR(TakeBack(number, transaction));
    KEEL_RETURN_IF_ERROR(Apply(ChangesOf(history_, number), keyspaces_, transaction));
    Step();
    KEEL_RETURN_IF_ERROR(transaction.Put(kSequenceKey, std::to_string(number)));
    return Commit(number, transaction);
  }

  absl::Status Commit(uint64_t number, Transaction& transaction) {
    constexpr Durability kDurabilities[] = {Durability::kSync, Durability::kAsync,
                                            Durability::kNone};
    const Durability durability = kDurabilities[random_() % std::size(kDurabilities)];
    WriterRecord::Raise(record_.begun, number);
    Step();
    KEEL_ASSIGN_OR_RETURN(const Lsn lsn, transaction.Commit({.durability = durability}));
    WriterRecord::Raise(record_.visible, number);
    if (durability != Durability::kSync && OneIn(8)) {
      KEEL_RETURN_IF_ERROR(database_.WaitDurable(lsn));
    } else if (durability != Durability::kSync) {
      return absl::OkStatus();
    }
    WriterRecord::Raise(record_.durable, number);
    Step();
    return absl::OkStatus();
  }

  // Changes of no transaction, which must never be seen.
  absl::Status Abandon(uint64_t number, Transaction& transaction) {
    KEEL_RETURN_IF_ERROR(Apply(ChangesOf(~history_, number), keyspaces_, transaction));
    transaction.Rollback();
    return absl::OkStatus();
  }
  absl::Status TakeBack(uint64_t number, Transaction& transaction) {
    const Savepoint savepoint = transaction.SetSavepoint();
    KEEL_RETURN_IF_ERROR(Apply(ChangesOf(~history_, number), keyspaces_, transaction));
    return transaction.RollbackTo(savepoint);
  }

  absl::Status KeepHouseOnce() {
    Step();
    const uint64_t visible = record_.visible.load();
    switch (random_() % 8) {
      case 0:
        KEEL_RETURN_IF_ERROR(database_.Checkpoint());
        break;
      case 1:
        return Check();
      default:
        usleep(static_cast<useconds_t>(random_() % 4000));
        KEEL_RETURN_IF_ERROR(database_.Sync());
    }
    WriterRecord::Raise(record_.durable, visible);
    Step();
    return absl::OkStatus();
  }

  absl::Status Check() {
    KEEL_ASSIGN_OR_RETURN(const CheckReport report, database_.Check());
    if (report.ok()) return absl::OkStatus();
    return absl::InternalError(report.damages.empty()
                                   ? "leaked pages"
                                   : report.damages[0].place + ": " + report.damages[0].problem);
  }

  Database& database_;
  const Keyspaces keyspaces_;
  WriterRecord& record_;
  const uint64_t history_;
  std::mt19937_64 random_;
};

int Main(int argc, char** argv) {
  if (argc != 7) return 2;
  // Not to outlive whoever would have killed it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  SharedRecord record(argv[2]);
  const uint64_t history = std::strtoull(argv[3], nullptr, 10);
  const uint64_t seed = std::strtoull(argv[4], nullptr, 10);
  const int threads = std::atoi(argv[5]);
  Options options = CrashOptions();
  options.io_backend = std::string_view(argv[6]) == "posix" ? IoBackend::kPosix : IoBackend::kAuto;

  const auto fail = [&](const absl::Status& status) {
    std::strncpy(record->error.data(), status.ToString().c_str(), record->error.size() - 1);
    record->failed.fetch_add(1);
    return 1;
  };
  record->steps.fetch_add(1);
  const absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(argv[1], options);
  if (!database.ok()) return fail(database.status());
  record->steps.fetch_add(1);
  const absl::StatusOr<Keyspaces> keyspaces = OpenKeyspaces(**database);
  if (!keyspaces.ok()) return fail(keyspaces.status());

  std::vector<std::thread> running;
  for (int i = 0; i <= threads; ++i) {
    running.emplace_back([&, i] {
      Writer writer(database->get(), *keyspaces, &*record, history,
                    seed + static_cast<uint64_t>(i));
      i == 0 ? writer.KeepHouse() : writer.Write();
    });
  }
  for (std::thread& thread : running) thread.join();
  return 1;
}

}  // namespace
}  // namespace keel::testing

int main(int argc, char** argv) { return keel::testing::Main(argc, argv); }
