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
