// A directory that lives as long as its object.
//
//   keel::testing::TempDir directory;
//   auto database = keel::Database::Open(directory.path() / "db");
//
// It is made under KEEL_TEST_DIR, else TMPDIR, else /tmp. With KEEL_TEST_KEEP set it is kept, and
// its name printed, to look at what a failing test left behind.

#ifndef KEEL_TESTS_SUPPORT_TEMP_DIR_H_
#define KEEL_TESTS_SUPPORT_TEMP_DIR_H_

#include <filesystem>

namespace keel::testing {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_SUPPORT_TEMP_DIR_H_
