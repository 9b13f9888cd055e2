// The fuzzers' everyday part: the stored corpus of each target, its seeds, and some mutations of both.
//
// An input that ends the process is kept as a file in the current folder; `scripts/fuzz --target T --replay FILE`
// runs it again. KEEL_FUZZ_MUTATIONS sets how many mutations a target gets.

#include <absl/base/config.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/seed.h"
#include "tests/unit/io/child_process.h"

namespace keel::fuzz {
namespace {

constexpr size_t kInputMax = 64 << 10;

// The input under way, in memory that outlives the child that dies of it.
class LastInput {
 public:
  LastInput() {
    void* const memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    KEEL_CHECK(memory != MAP_FAILED);
    shared_ = static_cast<Shared*>(memory);
  }
  ~LastInput() { munmap(shared_, sizeof(Shared)); }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;

  void Set(const std::string& input) {
    shared_->size = std::min(input.size(), kInputMax);
    std::memcpy(shared_->bytes, input.data(), shared_->size);
  }
  std::string Get() const { return {shared_->bytes, shared_->size}; }

 private:
  struct Shared {
    size_t size;
    char bytes[kInputMax];
  };
  Shared* shared_;
};

std::vector<std::string> Corpus(const FuzzTarget& target) {
  std::vector<std::string> inputs = target.seeds();
  const auto folder = std::filesystem::path(KEEL_CORPUS_DIR) / target.name;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry);
  std::ranges::sort(files);
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

std::string Mutated(const std::vector<std::string>& corpus, std::mt19937_64& random) {
  std::string input = corpus[random() % corpus.size()];
  for (uint64_t left = 1 + random() % 4; left > 0; --left) {
    const size_t at = random() % (input.size() + 1);
    switch (random() % 5) {
      case 0:
        input.insert(at, 1, static_cast<char>(random()));
        break;
      case 1:
        input.erase(at, random() % 8);
        break;
      case 2:
        input += corpus[random() % corpus.size()];
        break;
      default:
        if (at < input.size()) input[at] = static_cast<char>(random());
    }
  }
  return input.substr(0, kInputMax);
}

// Hostile bytes must not take the machine's memory. Sanitizers need address space without end.
void LimitMemory() {
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)
  const rlimit limit = {rlim_t{4} << 30, rlim_t{4} << 30};
  KEEL_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
#endif
}

int Mutations() {
  const char* const value = std::getenv("KEEL_FUZZ_MUTATIONS");
  return value != nullptr ? std::atoi(value) : 300;
}

class CorpusTest : public ::testing::TestWithParam<const FuzzTarget*> {
 protected:
  void RunOne(const std::string& input) {
    last_.Set(input);
    fuzz::Run(*GetParam(), {reinterpret_cast<const uint8_t*>(input.data()), input.size()});
  }
  // All of them in a child, so that a crash is a failure like any other.
  std::string RunAll() {
    LimitMemory();
    const std::vector<std::string> corpus = Corpus(*GetParam());
    for (const std::string& input : corpus) RunOne(input);
    std::mt19937_64 random(testing::TestSeed());
    for (int left = Mutations(); left > 0; --left) RunOne(Mutated(corpus, random));
    return "";
  }
  void KeepInput() {
    const std::string name = "crash-" + std::string(GetParam()->name);
    std::ofstream(name, std::ios::binary) << last_.Get();
    std::printf("kept: %s; replay with: scripts/fuzz --target %s --replay %s\n",
                std::filesystem::absolute(name).c_str(), std::string(GetParam()->name).c_str(),
                std::filesystem::absolute(name).c_str());
  }

 private:
  LastInput last_;
};

TEST_P(CorpusTest, IsSurvived) {
  const std::string report = io::RunInChild([this] { return RunAll(); });
  EXPECT_EQ(report, "");
  if (!report.empty()) KeepInput();
}

INSTANTIATE_TEST_SUITE_P(Targets, CorpusTest,
                         ::testing::Values(&kSuperblockTarget, &kPageTarget, &kLogTarget,
                                           &kDirectoryTarget),
                         [](const auto& target) { return std::string(target.param->name); });

}  // namespace
}  // namespace keel::fuzz
