// Contents of simulated files and disks, and the hashes by which equal ones are told.

#include "fault_injection/file_image.h"

#include "tests/unit/fault_injection/sim_test_support.h"

namespace keel::fault_injection {
namespace {

TEST(FileImageTest, EqualContentsHaveEqualHashesHoweverTheyCameAbout) {
  FileImage one;
  one.Write(0, Bytes(3 * kBlockBytes, 'a'));
  one.Write(kBlockBytes, Bytes(kBlockBytes, 'b'));
  FileImage two;
  two.Write(2 * kBlockBytes, Bytes(kBlockBytes, 'a'));
  two.Write(kBlockBytes, Bytes(kBlockBytes, 'b'));
  EXPECT_NE(one.hash(), two.hash());
  two.Write(0, Bytes(kBlockBytes, 'a'));
  EXPECT_EQ(one.hash(), two.hash());
  two.SetSize(two.size() + 1);
  EXPECT_NE(one.hash(), two.hash());
}

TEST(FileImageTest, ZerosAreNothing) {
  FileImage image;
  image.Write(0, Bytes(kBlockBytes, 'a'));
  image.Write(0, Bytes(kBlockBytes, '\0'));
  EXPECT_TRUE(image.blocks().empty());
  FileImage empty;
  empty.SetSize(kBlockBytes);
  EXPECT_EQ(image.hash(), empty.hash());
}

TEST(FileImageTest, BlocksHaveAPlace) {
  FileImage one;
  one.Write(0, Bytes(kBlockBytes, 'a'));
  one.Write(kBlockBytes, Bytes(kBlockBytes, 'b'));
  FileImage two;
  two.Write(0, Bytes(kBlockBytes, 'b'));
  two.Write(kBlockBytes, Bytes(kBlockBytes, 'a'));
  EXPECT_NE(one.hash(), two.hash());
}

TEST(FileImageTest, CutForgetsWhatLayBeyond) {
  FileImage image;
  image.Write(0, Bytes(2 * kBlockBytes, 'a'));
  image.Cut(kBlockBytes + 10);
  image.SetSize(2 * kBlockBytes);
  std::vector<std::byte> bytes(2 * kBlockBytes);
  EXPECT_EQ(image.Read(0, bytes), bytes.size());
  EXPECT_EQ(bytes[kBlockBytes + 9], std::byte{'a'});
  EXPECT_EQ(bytes[kBlockBytes + 10], std::byte{0});
}

// Blocks far apart, so that not all of them are in one group of a block map.
TEST(FileImageTest, ACopyStaysAsItWas) {
  FileImage one;
  for (uint64_t block = 0; block < 1000; block += 50) {
    one.Write(block * kBlockBytes, Bytes(kBlockBytes, 'a'));
  }
  const FileImage before = one;
  FileImage two = one;
  one.Write(500 * kBlockBytes, Bytes(kBlockBytes, 'b'));
  two.Cut(300 * kBlockBytes);
  const auto first_byte = [](const FileImage& image, uint64_t block) {
    std::vector<std::byte> byte(1);
    return image.Read(block * kBlockBytes, byte) == 0 ? '-' : static_cast<char>(byte[0]);
  };
  EXPECT_EQ(first_byte(before, 500), 'a');
  EXPECT_EQ(first_byte(one, 500), 'b');
  EXPECT_EQ(first_byte(two, 500), '-');
  EXPECT_EQ(first_byte(two, 250), 'a');
  EXPECT_EQ(before.blocks().last(), 950U);
  EXPECT_EQ(two.blocks().last(), 250U);
  one.Write(500 * kBlockBytes, Bytes(kBlockBytes, 'a'));
  EXPECT_EQ(one.hash(), before.hash());
}

TEST(DiskImageTest, ACopyStaysAsItWas) {
  DiskImage one;
  one.Apply({.kind = Effect::Kind::kSize, .inode = 1, .size = 10}, kAllSectors);
  const DiskImage before = one;
  DiskImage two = one;
  one.MutableFile(1)->SetSize(20);
  one.MutableFile(1)->SetSize(30);
  two.MutableFile(2)->SetSize(40);
  EXPECT_EQ(before.file(1).size(), 10U);
  EXPECT_EQ(before.file(2).size(), 0U);
  EXPECT_EQ(one.file(1).size(), 30U);
  EXPECT_EQ(two.file(1).size(), 10U);
  EXPECT_EQ(two.file(2).size(), 40U);
}

TEST(DiskImageTest, HashesTellNamesAndDirectoriesApart) {
  const auto with = [](const std::string& path, const std::string& directory) {
    DiskImage image;
    image.Apply({.kind = Effect::Kind::kDirectory, .path = "/d"}, kAllSectors);
    if (!directory.empty()) {
      image.Apply({.kind = Effect::Kind::kDirectory, .path = directory}, kAllSectors);
    }
    image.Apply({.kind = Effect::Kind::kName, .inode = path.size(), .path = path}, kAllSectors);
    image.Settle();
    return image.Hash();
  };
  EXPECT_EQ(with("/d/a", ""), with("/d/a", ""));
  EXPECT_NE(with("/d/a", ""), with("/d/b", ""));
  EXPECT_NE(with("/d/a", ""), with("/d/a", "/d/e"));
}

TEST(DiskImageTest, SettleForgetsWhatNobodySees) {
  DiskImage image;
  image.Apply({.kind = Effect::Kind::kName, .inode = 1, .path = "/d/a"}, kAllSectors);
  image.Apply({.kind = Effect::Kind::kSize, .inode = 2, .size = 100}, kAllSectors);
  image.Settle();
  EXPECT_TRUE(image.names().empty()) << "its directory is not there";
  EXPECT_EQ(image.file(2).size(), 0U) << "it has no name";
}

}  // namespace
}  // namespace keel::fault_injection
