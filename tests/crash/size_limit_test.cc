// A process whose files may not grow beyond RLIMIT_FSIZE: told in words, where the kernel would kill it.

#include <sys/resource.h>

#include <string>

#include "tests/crash/crash_options.h"
#include "tests/unit/engine/engine_test_support.h"
#include "tests/unit/io/child_process.h"

namespace keel::testing {
namespace {

constexpr rlim_t kLimit = rlim_t{6} << 20;

bool SetLimit(rlim_t bytes) {
  const rlimit limit = {bytes, RLIM_INFINITY};
  return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

class SizeLimitTest : public ::testing::Test {
 protected:
  std::filesystem::path directory() const { return temp_.path() / "db"; }

  // Puts keys from `first` on until one is refused; -1 if none was.
  static int PutUntilRefused(Database& database, int first, absl::Status* refusal) {
    for (int number = first; number < first + 20'000; ++number) {
      *refusal = database.Put(Numbered("key", number), std::string(2000, 'v'));
      if (!refusal->ok()) return number;
    }
    return -1;
  }

  static std::string Sound(const Database& database) {
    const absl::StatusOr<CheckReport> report = database.Check();
    if (!report.ok()) return report.status().ToString();
    return report->ok() ? "" : "damage";
  }

  // Meets the limit, lives with it, and goes on once it is raised.
  std::string LiveWithTheLimit() {
    if (!SetLimit(kLimit)) return "setrlimit";
    const auto database = Database::Open(directory(), CrashOptions());
    if (!database.ok()) return database.status().ToString();
    absl::Status refusal;
    int number = PutUntilRefused(**database, 0, &refusal);
    if (number < 0 || !absl::IsResourceExhausted(refusal)) return "refused: " + refusal.ToString();
    if (refusal.message().find("RLIMIT_FSIZE") == std::string_view::npos) return refusal.ToString();
    for (int i = 0; i < 100; ++i) {
      const absl::Status deleted = (*database)->Delete(Numbered("key", i));
      if (!deleted.ok()) return deleted.ToString();
    }
    if (const std::string sound = Sound(**database); !sound.empty()) return sound;
    if (!SetLimit(RLIM_INFINITY)) return "setrlimit";
    for (int i = 0; i < 500; ++i, ++number) {
      const absl::Status put = (*database)->Put(Numbered("key", number), std::string(2000, 'v'));
      if (!put.ok()) return put.ToString();
    }
    const absl::Status closed = (*database)->Close();
    return closed.ok() ? std::to_string(number) : closed.ToString();
  }

  TempDir temp_;
};

TEST_F(SizeLimitTest, G5_IsToldAndLeftBehindWithoutReopening) {
  const std::string report = io::RunInChild([this] { return LiveWithTheLimit(); });
  const int last = std::atoi(report.c_str());
  ASSERT_GT(last, 500) << report;
  const auto database = Database::Open(directory(), CrashOptions());
  ASSERT_TRUE(database.ok()) << database.status();
  EXPECT_EQ(*(*database)->Count(), static_cast<uint64_t>(last - 100));
  EXPECT_EQ(Sound(**database), "");
  KEEL_EXPECT_OK((*database)->Close());
}

// Also where not even a log segment may be made.
TEST_F(SizeLimitTest, G5_OpeningUnderALimitIsRefusedInWordsAndHarmless) {
  {
    const auto database = Database::Open(directory(), CrashOptions());
    ASSERT_TRUE(database.ok()) << database.status();
    absl::Status refusal;
    for (int i = 0; i < 2000; ++i) KEEL_ASSERT_OK((*database)->Put(Numbered("key", i), "value"));
    KEEL_EXPECT_OK((*database)->Close());
  }
  for (const rlim_t limit : {rlim_t{0}, rlim_t{64} << 10, rlim_t{512} << 10, rlim_t{1} << 20}) {
    const std::string report = io::RunInChild([&]() -> std::string {
      if (!SetLimit(limit)) return "setrlimit";
      const auto database = Database::Open(directory(), CrashOptions());
      if (!database.ok()) {
        return absl::IsResourceExhausted(database.status()) ? "" : database.status().ToString();
      }
      if (*(*database)->Count() != 2000) return "something is missing";
      const absl::Status put = (*database)->Put("more", "value");
      return put.ok() || absl::IsResourceExhausted(put) ? "" : put.ToString();
    });
    EXPECT_EQ(report, "") << limit;
  }
  const auto database = Database::Open(directory(), CrashOptions());
  ASSERT_TRUE(database.ok()) << database.status();
  EXPECT_GE(*(*database)->Count(), 2000U);
  EXPECT_EQ(Sound(**database), "");
  KEEL_EXPECT_OK((*database)->Close());
}

}  // namespace
}  // namespace keel::testing
