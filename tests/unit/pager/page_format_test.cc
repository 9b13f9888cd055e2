#include "pager/page_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/aligned_buffer.h"
#include "tests/support/seed.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;

constexpr DatabaseId kDatabase{.high = 11, .low = 22};

class PageFormatTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  PageFormatTest() : buffer_(AlignedBuffer::Allocate(GetParam())), random_(testing::TestSeed()) {
    for (std::byte& byte : page()) byte = static_cast<std::byte>(random_());
    HeaderOf(buffer_.data()).page_id = 77;
    SealPage(page(), kDatabase);
  }

  std::span<std::byte> page() { return buffer_.span(); }
  absl::Status Check(PageId id = PageId{77}) { return CheckPage(page(), kDatabase, id); }

  AlignedBuffer buffer_;
  std::mt19937_64 random_;
};

INSTANTIATE_TEST_SUITE_P(Sizes, PageFormatTest, ::testing::Values(512, 4096, 65536));

TEST_P(PageFormatTest, SealedPageChecks) { EXPECT_EQ(Check(), absl::OkStatus()); }

TEST_P(PageFormatTest, EveryFlippedBitIsSeen) {
  for (int i = 0; i < 2000; ++i) {
    const size_t bit = random_() % (page().size() * 8);
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    page()[bit / 8] ^= mask;
    EXPECT_TRUE(absl::IsDataLoss(Check())) << "bit " << bit;
    page()[bit / 8] ^= mask;
  }
  EXPECT_EQ(Check(), absl::OkStatus());
}

TEST_P(PageFormatTest, MisdirectedPageIsNamed) {
  const absl::Status status = Check(PageId{78});
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.message(), HasSubstr("expected page id 78, found 77"));
}

TEST_P(PageFormatTest, PageOfAnotherDatabaseDoesNotCheck) {
  const DatabaseId other{.high = 11, .low = 23};
  EXPECT_TRUE(absl::IsDataLoss(CheckPage(page(), other, PageId{77})));
}

TEST_P(PageFormatTest, ZerosAreCalledNeverWritten) {
  std::ranges::fill(page(), std::byte{0});
  EXPECT_THAT(Check().message(), HasSubstr("never written"));
  // Not even at the place that its zero id names.
  EXPECT_TRUE(absl::IsDataLoss(Check(PageId{0})));
}

TEST_P(PageFormatTest, DamageTellsBothChecksums) {
  page().back() ^= std::byte{1};
  EXPECT_THAT(std::string(Check().message()),
              ::testing::ContainsRegex("expected [0-9a-f]{16}, found [0-9a-f]"));
}

TEST(PageBytesTest, PowersOfTwoFrom4KTo64KAndTheTestGeometry) {
  for (uint32_t bytes : {512U, 4096U, 8192U, 16384U, 32768U, 65536U}) {
    EXPECT_TRUE(IsValidPageBytes(bytes)) << bytes;
  }
  for (uint32_t bytes : {0U, 1U, 256U, 1024U, 2048U, 4095U, 6144U, 131072U}) {
    EXPECT_FALSE(IsValidPageBytes(bytes)) << bytes;
  }
}

TEST(PageKindTest, EveryKindHasAName) {
  EXPECT_EQ(PageKindName(PageKind::kLeaf), "leaf");
  EXPECT_EQ(PageKindName(PageKind::kInternal), "internal");
  EXPECT_EQ(PageKindName(static_cast<PageKind>(99)), "unknown");
}

}  // namespace
}  // namespace keel::pager
