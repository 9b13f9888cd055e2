// What the tests of the simulated world share.

#ifndef KEEL_TESTS_UNIT_FAULT_INJECTION_SIM_TEST_SUPPORT_H_
#define KEEL_TESTS_UNIT_FAULT_INJECTION_SIM_TEST_SUPPORT_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fault_injection/crash_choice.h"
#include "fault_injection/sim_file_system.h"
#include "tests/support/seed.h"

namespace keel::fault_injection {

inline std::vector<std::byte> Bytes(size_t size, char byte) {
  return std::vector<std::byte>(size, static_cast<std::byte>(byte));
}

// The contents of a file as text, one character for each sector: its first byte, '.' for zero.
// "missing" if there is none.
inline std::string Sectors(const DiskImage& image, const std::string& path) {
  const InodeId inode = image.Find(path);
  if (inode == 0) return "missing";
  const FileImage& file = image.file(inode);
  std::string text;
  for (uint64_t at = 0; at < file.size(); at += kSectorBytes) {
    std::byte first{};
    file.Read(at, {&first, 1});
    text += first == std::byte{0} ? '.' : static_cast<char>(first);
  }
  return text;
}

// The choice that keeps the pending effects whose bit is set.
inline CrashChoice Keep(const Durability& durability, uint64_t bits) {
  CrashChoice choice;
  for (size_t i = 0; i < durability.pending().size(); ++i) {
    choice.kept.push_back((bits >> i & 1) != 0 ? durability.pending()[i].sectors : SectorMask{0});
  }
  return choice;
}

// A world with a durable directory "/d".
class SimWorldTest : public ::testing::Test {
 protected:
  explicit SimWorldTest(SimOptions options = {}) : options_(options) {
    options_.seed = testing::TestSeed();
    world_ = std::make_unique<SimFileSystem>(options_);
    EXPECT_TRUE(world_->CreateDirectory("/d").ok());
    EXPECT_TRUE(world_->SyncDirectory("/", io::SyncPurpose::kParentDirectory).ok());
  }

  std::unique_ptr<io::File> Create(const std::string& name) {
    auto file = world_->Open("/d/" + name, {.create = true});
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  // A file whose name and contents (one letter a sector) are durable.
  std::unique_ptr<io::File> Durable(const std::string& name, std::string_view sectors) {
    auto file = Create(name);
    WriteSectors(*file, 0, sectors);
    EXPECT_TRUE(file->Sync(io::SyncPurpose::kDataCreate).ok());
    EXPECT_TRUE(world_->SyncDirectory("/d", io::SyncPurpose::kDatabaseDirectory).ok());
    return file;
  }
  static void WriteSectors(io::File& file, uint64_t sector, std::string_view letters) {
    std::vector<std::byte> bytes;
    for (const char letter : letters) bytes.resize(bytes.size() + kSectorBytes, std::byte(letter));
    EXPECT_TRUE(file.Write(sector * kSectorBytes, bytes).ok());
  }
  // What a loss of power leaves of a file if only these pending effects survive.
  std::string After(uint64_t bits, const std::string& name) {
    const Durability durability = world_->durability();
    return Sectors(BuildCrashImage(durability, Keep(durability, bits)), "/d/" + name);
  }
  size_t pending() const { return world_->durability().pending().size(); }

  SimOptions options_;
  std::unique_ptr<SimFileSystem> world_;
};

}  // namespace keel::fault_injection

#endif  // KEEL_TESTS_UNIT_FAULT_INJECTION_SIM_TEST_SUPPORT_H_
