#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace keel::testing {
namespace {

namespace fs = std::filesystem;

class InitTestSeedTest : public ::testing::Test {
 protected:
  ~InitTestSeedTest() override {
    std::string argument = "--seed=" + std::to_string(seed_before_);
    Init({argument});
  }

  // Returns the arguments that are left.
  static std::vector<std::string> Init(std::vector<std::string> arguments) {
    std::string program = "program";
    std::vector<char*> argv = {program.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    int argc = static_cast<int>(argv.size());
    argv.push_back(nullptr);
    InitTestSeed(&argc, argv.data());
    return {argv.begin() + 1, argv.begin() + argc};
  }

 private:
  const uint64_t seed_before_ = TestSeed();
};

TEST_F(InitTestSeedTest, TakesBothSpellingsAndLeavesTheOtherArguments) {
  EXPECT_EQ(Init({"one", "--seed", "18446744073709551615", "two"}),
            (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(TestSeed(), UINT64_MAX);
  EXPECT_EQ(Init({"--seed=7"}), std::vector<std::string>{});
  EXPECT_EQ(TestSeed(), 7u);
}

TEST_F(InitTestSeedTest, RefusesWhatIsNoNumber) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--seed=12x"}, {"--seed="}, {"--seed"}, {"--seed", "-1"}}) {
    EXPECT_EXIT(Init(arguments), ::testing::ExitedWithCode(2), "not a number");
  }
}

TEST(TempDirTest, IsThereWhileItsObjectLives) {
  fs::path path;
  {
    const TempDir directory;
    path = directory.path();
    ASSERT_TRUE(fs::is_directory(path));
    std::ofstream(path / "file") << "content";
  }
  EXPECT_EQ(fs::exists(path), std::getenv("KEEL_TEST_KEEP") != nullptr);
}

TEST(TempDirTest, IsNeverSharedByTwo) {
  const TempDir one;
  const TempDir two;
  EXPECT_NE(one.path(), two.path());
}

TEST(RapidCheckTest, HasItsSeedFromTheEnvironment) { EXPECT_NE(std::getenv("RC_PARAMS"), nullptr); }

RC_GTEST_PROP(RapidCheckTest, Works, (const std::vector<uint8_t>& bytes)) {
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  RC_ASSERT(copy == bytes);
}

}  // namespace
}  // namespace keel::testing
