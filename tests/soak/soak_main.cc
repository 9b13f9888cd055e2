// A database under many threads for a long time; see scripts/soak.

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>
#include <keel/keel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "tests/soak/accounts.h"
#include "tests/soak/crew.h"
#include "tests/soak/resident_memory.h"

namespace keel::testing {
namespace {

struct Arguments {
  std::filesystem::path directory;
  double seconds = 60;
  size_t threads = 256;
  uint64_t accounts = 500'000;
  uint64_t memory_mib = 64;
  uint64_t seed = 1;
  double stall_seconds = 10;  // 0: not judged
  double spread_percent = 5;  // 0: not judged
};

constexpr absl::Duration kEvery = absl::Milliseconds(500);
constexpr absl::Duration kReportEvery = absl::Seconds(10);
constexpr absl::Duration kAuditEvery = absl::Seconds(30);  // or a quarter of the whole
constexpr absl::Duration kPatience = absl::Minutes(2);     // with threads that are to end

double Mib(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void Say(const std::string& text) {
  std::fputs((text + '\n').c_str(), stdout);
  std::fflush(stdout);
}

// Threads that are stuck cannot be waited for.
[[noreturn]] void GiveUp(const absl::Status& status) {
  Say("soak: " + status.ToString());
  std::_Exit(1);
}

void MustBeOk(const absl::Status& status) {
  if (!status.ok()) GiveUp(status);
}

class Soak {
 public:
  Soak(const Arguments& arguments, Database* database)
      : arguments_(arguments),
        database_(database),
        crew_({.database = database,
               .accounts = arguments.accounts,
               .threads = arguments.threads,
               .seed = arguments.seed}) {}

  void Run();

 private:
  void Report();
  void JudgeProgress();
  void JudgeEnd();

  const Arguments& arguments_;
  Database* const database_;
  Crew crew_;
  MemoryTrend memory_;
  int audits_ = 0;
};

void Soak::Run() {
  const absl::Duration whole = absl::Seconds(arguments_.seconds);
  const absl::Duration audit_every = std::min(kAuditEvery, whole / 4);
  const absl::Time begin = absl::Now();
  absl::Time report = begin + kReportEvery;
  absl::Time audit = begin + audit_every;
  for (absl::Time now = begin; now < begin + whole; now = absl::Now()) {
    absl::SleepFor(kEvery);
    memory_.Add(ResidentBytes());
    JudgeProgress();
    MustBeOk(crew_.Renew());
    if (now >= report) {
      Report();
      report = now + kReportEvery;
    }
    if (now < audit) continue;
    ++audits_;
    MustBeOk(Audit(database_->GetSnapshot("audit"), arguments_.accounts));
    audit = absl::Now() + audit_every;
  }
  MustBeOk(crew_.Stop(kPatience));
  JudgeEnd();
}

void Soak::Report() {
  Say(absl::StrFormat("%d operations, %d threads begun, %.1f MiB resident, longest operation %s",
                      crew_.operations(), crew_.threads_begun(), Mib(ResidentBytes()),
                      absl::FormatDuration(crew_.LongestOperation().time)));
}

void Soak::JudgeProgress() {
  const absl::Duration limit = absl::Seconds(arguments_.stall_seconds);
  const Crew::Longest longest = crew_.LongestOperation();
  if (limit == absl::ZeroDuration() || longest.time <= limit) return;
  Say(crew_.Describe());
  GiveUp(MakeStatus(absl::StatusCode::kDeadlineExceeded, "an operation has taken %s (%s)",
                    absl::FormatDuration(longest.time), longest.whose));
}

void Soak::JudgeEnd() {
  MustBeOk(Audit(*database_, arguments_.accounts));
  const absl::StatusOr<CheckReport> report = database_->Check();
  MustBeOk(report.status());
  if (!report->ok()) GiveUp(absl::DataLossError("check: the database is not sound"));
  const Crew::Longest longest = crew_.LongestOperation();
  const double spread = memory_.Tells() ? 100 * memory_.SpreadOfSecondHalf() : 0;
  Say(crew_.Describe() +
      absl::StrFormat("%d threads begun, %d at a time; %d audits while they ran\n"
                      "longest operation %s (%s)\n"
                      "resident at most %.1f MiB; in the second half within %.2f %%",
                      crew_.threads_begun(), arguments_.threads, audits_,
                      absl::FormatDuration(longest.time), longest.whose, Mib(memory_.peak()),
                      spread));
  JudgeProgress();
  if (arguments_.spread_percent == 0) return;
  if (!memory_.Tells()) GiveUp(absl::UnavailableError("resident memory: too few figures"));
  if (spread > arguments_.spread_percent) {
    GiveUp(MakeStatus(absl::StatusCode::kResourceExhausted,
                      "resident memory varies by %.2f %% in the second half", spread));
  }
}

absl::Status RunSoak(const Arguments& arguments) {
  Options options;
  options.memory_bytes = arguments.memory_mib << 20;
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                        Database::Open(arguments.directory, options));
  KEEL_RETURN_IF_ERROR(OpenAccounts(*database, arguments.accounts));
  Soak(arguments, database.get()).Run();
  return database->Close();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("A database under many threads for a long time");
  app.add_option("directory", arguments.directory)->required();
  app.add_option("--seconds", arguments.seconds)->check(CLI::PositiveNumber);
  app.add_option("--threads", arguments.threads)->check(CLI::Range(1, 4096));
  app.add_option("--accounts", arguments.accounts)->check(CLI::Range(2, 100'000'000));
  app.add_option("--memory-mib", arguments.memory_mib)->check(CLI::Range(4, 1 << 20));
  app.add_option("--seed", arguments.seed);
  app.add_option("--stall-seconds", arguments.stall_seconds)->check(CLI::NonNegativeNumber);
  app.add_option("--spread-percent", arguments.spread_percent)->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  MustBeOk(RunSoak(arguments));
  return 0;
}

}  // namespace
}  // namespace keel::testing

int main(int argc, char** argv) { return keel::testing::Main(argc, argv); }
