// Random file operations on the simulated file system and on a real one (as fsx does): while nothing
// goes wrong, nobody can tell them apart.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "io/posix_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/fault_injection/sim_test_support.h"

namespace keel::fault_injection {
namespace {

// One of the two worlds, with the files that are open in it.
struct Side {
  io::FileSystem* file_system;
  std::filesystem::path root;
  std::map<std::string, std::unique_ptr<io::File>> open;

  std::filesystem::path Path(const std::string& name) const { return root / name; }
};

std::string Code(const absl::Status& status) { return absl::StatusCodeToString(status.code()); }

class Walk {
 public:
  // One random operation on both sides; what each answered.
  static std::string Step(Side& side, uint64_t choice) {
    SeededRandom random(choice);
    const std::string name(1, static_cast<char>('a' + random.Below(5)));
    const std::string other(1, static_cast<char>('a' + random.Below(5)));
    const uint64_t offset = random.Below(40000);
    const uint64_t length = random.Below(9000);
    const std::vector<std::byte> bytes = Bytes(length, static_cast<char>('A' + random.Below(26)));
    const uint64_t operation = random.Below(14);
    if (operation <= 1) return OpenFile(side, name, operation == 1);
    if (operation == 2) return Code(side.file_system->Rename(side.Path(name), side.Path(other)));
    if (operation == 3) return Code(side.file_system->Remove(side.Path(name)));
    if (operation == 4) return Names(side);
    if (operation == 5) return std::to_string(*side.file_system->Exists(side.Path(name)));
    const auto found = side.open.find(name);
    if (found == side.open.end()) return "not open";
    io::File& file = *found->second;
    switch (operation) {
      case 6:
        return Code(file.Truncate(offset));
      case 7:
        return Code(file.Allocate(offset, length));
      case 8:
        return Code(file.Sync(io::SyncPurpose::kCheckpointPages));
      case 9:
        return std::to_string(*file.Size());
      case 10:
        side.open.erase(found);
        return "closed";
      case 11:
        return Contents(file, offset, length);
      default:
        return Code(file.Write(offset, bytes));
    }
  }

  static std::string Contents(io::File& file, uint64_t offset, uint64_t length) {
    std::vector<std::byte> bytes(length);
    const auto got = file.Read(offset, bytes);
    if (!got.ok()) return Code(got.status());
    return {reinterpret_cast<const char*>(bytes.data()), *got};
  }

 private:
  static std::string OpenFile(Side& side, const std::string& name, bool create) {
    auto file = side.file_system->Open(side.Path(name), {.create = create});
    const std::string code = Code(file.status());
    if (file.ok()) side.open[name] = *std::move(file);
    return code;
  }

  static std::string Names(Side& side) {
    std::string names;
    const auto list = side.file_system->List(side.root);
    for (const std::string& name : *list) names += name;
    return names;
  }
};

TEST(DifferentialTest, ARealFileSystemAnswersTheSame) {
  testing::TempDir directory;
  io::PosixFileSystem real;
  SimFileSystem simulated({.seed = testing::TestSeed()});
  ASSERT_TRUE(simulated.CreateDirectory("/world").ok());
  Side sides[] = {{&real, directory.path(), {}}, {&simulated, "/world", {}}};
  SeededRandom random(testing::TestSeed());
  for (int step = 0; step < 4000; ++step) {
    const uint64_t choice = random.Next();
    const std::string expected = Walk::Step(sides[0], choice);
    ASSERT_EQ(Walk::Step(sides[1], choice), expected) << "step " << step;
  }
  for (const auto& [name, file] : sides[0].open) {
    EXPECT_EQ(Walk::Contents(*sides[1].open.at(name), 0, 1 << 16),
              Walk::Contents(*file, 0, 1 << 16));
  }
}

}  // namespace
}  // namespace keel::fault_injection
