#include "cli/size.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace keel::cli {
namespace {

TEST(SizeTest, UnderstandsUnits) {
  EXPECT_EQ(*ParseSize("0"), 0u);
  EXPECT_EQ(*ParseSize("4096"), 4096u);
  EXPECT_EQ(*ParseSize("4096B"), 4096u);
  EXPECT_EQ(*ParseSize("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*ParseSize("16M"), uint64_t{16} << 20);
  EXPECT_EQ(*ParseSize("16m"), uint64_t{16} << 20);
  EXPECT_EQ(*ParseSize("64MiB"), uint64_t{64} << 20);
  EXPECT_EQ(*ParseSize("64 MiB"), uint64_t{64} << 20);
  EXPECT_EQ(*ParseSize("64MB"), 64'000'000u);
  EXPECT_EQ(*ParseSize("1.5GiB"), (uint64_t{3} << 30) / 2);
  EXPECT_EQ(*ParseSize("2T"), uint64_t{2} << 40);
}

TEST(SizeTest, RefusesEverythingElse) {
  for (const char* const text : {"", "M", "-1", "-1M", "1.5", "1..5M", "16X", "16Mi", "16 M B",
                                 "1e3", "16E99", "18446744073709551616", "16E", "0x10", "1,000"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSize(text).status())) << text;
  }
}

TEST(SizeTest, FormatsForPeople) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(1023), "1023 B");
  EXPECT_EQ(FormatSize(1024), "1.0 KiB");
  EXPECT_EQ(FormatSize(1536), "1.5 KiB");
  EXPECT_EQ(FormatSize((uint64_t{1} << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatSize(uint64_t{64} << 20), "64.0 MiB");
  EXPECT_EQ(FormatSize(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatClock(absl::Seconds(7)), "0:07");
  EXPECT_EQ(FormatClock(absl::Seconds(3723)), "1:02:03");
}

}  // namespace
}  // namespace keel::cli
