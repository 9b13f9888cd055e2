#include "tests/crash/writer_process.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "base/check.h"
#include "base/status.h"
#include "tests/crash/crash_options.h"
#include "tests/unit/engine/engine_test_support.h"

namespace keel::testing {
namespace {

constexpr int kMore = 20;

void ExpectSound(const Database& database) {
  const absl::StatusOr<CheckReport> report = database.Check();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->leaked_pages, 0U);
  for (const Damage& damage : report->damages) {
    ADD_FAILURE() << damage.place << ": " << damage.problem << " in " << damage.keyspace;
  }
}

std::unique_ptr<Database> Open(const std::filesystem::path& directory, bool read_only) {
  Options options = CrashOptions();
  options.read_only = read_only;
  // A read-only open keeps the log's changes in memory.
  if (read_only) options.memory_bytes = uint64_t{64} << 20;
  absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open(directory, options);
  EXPECT_TRUE(opened.ok()) << opened.status();
  return opened.ok() ? *std::move(opened) : nullptr;
}

absl::Status WriteMore(Database& database, uint64_t history, uint64_t last) {
  KEEL_ASSIGN_OR_RETURN(const Keyspaces keyspaces, OpenKeyspaces(database));
  for (uint64_t number = last + 1; number <= last + kMore; ++number) {
    const auto work = [&](Transaction& transaction) {
      KEEL_RETURN_IF_ERROR(Apply(ChangesOf(history, number), keyspaces, transaction));
      return transaction.Put(kSequenceKey, std::to_string(number));
    };
    KEEL_RETURN_IF_ERROR(database.Transact(work));
  }
  return absl::OkStatus();
}

}  // namespace

WriterProcess::WriterProcess(const WriterArguments& arguments) : record_(arguments.record) {
  std::array<std::string, 7> words = {KEEL_CRASH_WRITER,
                                      arguments.database.native(),
                                      arguments.record.native(),
                                      std::to_string(arguments.history),
                                      std::to_string(arguments.seed),
                                      std::to_string(arguments.threads),
                                      arguments.posix ? "posix" : "auto"};
  std::array<char*, 8> argv{};
  for (size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  KEEL_CHECK(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
}

WriterProcess::~WriterProcess() { Kill(); }

bool WriterProcess::running() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

bool WriterProcess::WaitFor(const std::atomic<uint64_t>& number, uint64_t value) {
  return WaitUntil([&] { return number.load() >= value; });
}

bool WriterProcess::WaitUntil(const std::function<bool()>& done) {
  constexpr int kMinute = 600'000;
  for (int i = 0; i < kMinute && running(); ++i) {
    if (done()) return true;
    usleep(100);
  }
  return !running();
}

void WriterProcess::Kill() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void ExpectHolds(const std::filesystem::path& directory, uint64_t history, bool more,
                 Model* model) {
  const std::unique_ptr<Database> database = Open(directory, false);
  ASSERT_NE(database, nullptr);
  EXPECT_EQ(model->Difference(*database), "");
  ExpectSound(*database);
  if (more) {
    KEEL_EXPECT_OK(WriteMore(*database, history, model->number()));
    model->AdvanceTo(model->number() + kMore);
    EXPECT_EQ(model->Difference(*database), "");
  }
  KEEL_EXPECT_OK(database->Close());
}

void ExpectSomePrefix(const std::filesystem::path& directory, const WriterRecord& record,
                      Model* model) {
  const std::unique_ptr<Database> database = Open(directory, true);
  ASSERT_NE(database, nullptr);
  const absl::StatusOr<uint64_t> number = SequenceOf(*database);
  ASSERT_TRUE(number.ok()) << number.status();
  ASSERT_GE(*number, record.durable.load()) << "durable commits are missing";
  ASSERT_LE(*number, record.begun.load()) << "more than was ever begun";
  ASSERT_GE(*number, model->number());
  model->AdvanceTo(*number);
  EXPECT_EQ(model->Difference(*database), "") << "as seen without writing";
  ExpectSound(*database);
}

void ExpectExactPrefix(const std::filesystem::path& directory, uint64_t history,
                       WriterRecord* record, Model* model) {
  ExpectSomePrefix(directory, *record, model);
  if (::testing::Test::HasFailure()) return;
  ExpectHolds(directory, history, true, model);
  ExpectHolds(directory, history, false, model);
  for (auto* const number : {&record->begun, &record->visible, &record->durable}) {
    number->store(model->number());
  }
  for (auto* const number : {&record->steps, &record->refused, &record->failed}) number->store(0);
}

}  // namespace keel::testing
