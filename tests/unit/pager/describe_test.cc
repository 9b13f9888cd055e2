#include "pager/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "pager/catalogue.h"
#include "pager/page_format.h"
#include "pager/superblock.h"
#include "tests/support/seed.h"
#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;

struct AlignedPage {
  alignas(8) std::array<std::byte, 4096> bytes{};
};

AlignedPage MapPage() {
  SpaceFixture f(4096);
  f.Create();
  KEEL_EXPECT_OK(f.Checkpoint(SetOf(f.AllocateMany(20)), {}));
  AlignedPage page;
  EXPECT_TRUE(f.file->Read(f.SlotOffset(0, 0), page.bytes).ok());
  return page;
}

TEST(DescribeTest, FieldsCoverTheBytesWithoutGaps) {
  const AlignedPage page = MapPage();
  uint64_t end = 0;
  for (const DescribedField& field : DescribePage(page.bytes, {7, 9}, PageId{10}).fields) {
    EXPECT_EQ(field.offset, end) << field.name;
    end += field.size;
  }
  EXPECT_EQ(end, kPageHeaderBytes);
  end = 0;
  for (const DescribedField& field : DescribeSuperblock(AlignedPage().bytes, 0).fields) {
    EXPECT_EQ(field.offset, end) << field.name;
    end += field.size;
  }
  EXPECT_EQ(end, 184U);
}

TEST(DescribeTest, AMapPageShowsItsRuns) {
  const AlignedPage page = MapPage();
  const Description description = DescribePage(page.bytes, {7, 9}, PageId{10});
  EXPECT_TRUE(description.status.ok()) << description.status;
  const std::string text = ToText(description);
  EXPECT_THAT(text, HasSubstr("space map page"));
  EXPECT_THAT(text, HasSubstr("26 of 32256"));
  EXPECT_THAT(text, HasSubstr("16 to 36"));
  EXPECT_THAT(text, HasSubstr("256 to 256"));
  EXPECT_FALSE(DescribePage(page.bytes, {7, 9}, PageId{11}).status.ok());
  EXPECT_FALSE(DescribePage(page.bytes, {7, 8}, PageId{10}).status.ok());
}

TEST(DescribeTest, ACatalogueShowsItsEntriesAndWhatIsCutOff) {
  Catalogue catalogue;
  catalogue.next_keyspace = 2;
  catalogue.keyspaces = {{{1}, "users\n", {{PageId{77}, Epoch{5}, 6, true}, 1}}};
  catalogue.groups.resize(100);
  const std::string bytes = EncodeCatalogue(catalogue);
  const std::string text = ToText(DescribeCatalogue(bytes));
  EXPECT_THAT(text,
              HasSubstr("id 1 \"users\\x0a\", page 77, birth 5, level 1, 6 entries, extents"));
  EXPECT_THAT(text, HasSubstr("36 more"));
  const std::string cut = ToText(DescribeCatalogue(std::string_view(bytes).substr(0, 100)));
  EXPECT_THAT(cut, HasSubstr("cut off"));
}

TEST(DescribeTest, RandomBytesAreDescribed) {
  std::mt19937_64 random(testing::TestSeed());
  AlignedPage page;
  for (int i = 0; i < 3000; ++i) {
    for (std::byte& byte : page.bytes) byte = static_cast<std::byte>(random());
    page.bytes[24] = static_cast<std::byte>(i % 6);
    EXPECT_FALSE(DescribePage(page.bytes, {7, 9}, PageId{10}).status.ok());
    EXPECT_FALSE(DescribeSuperblock(page.bytes, 0).status.ok());
    const std::string bytes(reinterpret_cast<const char*>(page.bytes.data()), random() % 4096);
    ToText(DescribeCatalogue(bytes));
  }
}

}  // namespace
}  // namespace keel::pager
