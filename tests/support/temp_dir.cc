#include "tests/support/temp_dir.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace keel::testing {
namespace {

std::filesystem::path ParentOfTempDirs() {
  for (const char* const name : {"KEEL_TEST_DIR", "TMPDIR"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "/tmp";
}

}  // namespace

TempDir::TempDir() {
  const std::filesystem::path parent = ParentOfTempDirs();
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  std::string name = parent / "keel_test.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    std::fprintf(stderr, "cannot make a directory in %s: %s\n", parent.c_str(),
                 std::strerror(errno));
    std::abort();
  }
  path_ = name;
}

TempDir::~TempDir() {
  if (std::getenv("KEEL_TEST_KEEP") != nullptr) {
    std::fprintf(stderr, "kept: %s\n", path_.c_str());
    return;
  }
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace keel::testing
