#include "btree/overflow.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/codec.h"
#include "tests/support/seed.h"
#include "tests/unit/btree/fake_pages.h"

namespace keel::testing {
namespace {

using btree::Extent;

std::string RandomValue(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string value(bytes, '\0');
  for (char& byte : value) byte = static_cast<char>(random());
  return value;
}

std::string Read(FakePages& pages, const Extent& extent, uint64_t offset, size_t bytes) {
  std::string buffer(bytes, '\0');
  const absl::Status read =
      btree::ReadExtent(pages, extent, offset, std::as_writable_bytes(std::span(buffer)));
  EXPECT_TRUE(read.ok()) << read;
  return buffer;
}

TEST(OverflowTest, ValuesOfAllSizesComeBack) {
  for (const uint32_t page_bytes : {512u, 4096u}) {
    for (const size_t around : {1u, 2u, 64u, 65u, 600u}) {
      for (const int off : {-1, 0, 1}) {
        FakePages pages(page_bytes);
        const std::string value =
            RandomValue(around * page_bytes + static_cast<size_t>(off + 1) - 1, TestSeed());
        const auto extent = btree::WriteExtent(pages, value);
        ASSERT_TRUE(extent.ok()) << extent.status();
        const auto decoded = btree::DecodeExtent(btree::EncodeExtent(*extent), page_bytes);
        ASSERT_TRUE(decoded.ok()) << decoded.status();
        EXPECT_TRUE(Read(pages, *decoded, 0, value.size()) == value);
        btree::DropExtent(pages, *decoded);
        EXPECT_TRUE(pages.Live().empty());
      }
    }
  }
}

TEST(OverflowTest, PartsComeBackFromAnywhereInSeveralRuns) {
  std::mt19937_64 random(TestSeed());
  FakePages pages(4096);
  pages.set_max_run_pages(40);
  const std::string value = RandomValue(1'500'000, TestSeed());
  const auto extent = btree::WriteExtent(pages, value);
  ASSERT_TRUE(extent.ok()) << extent.status();
  EXPECT_GT(extent->runs.size(), 5u);
  for (int i = 0; i < 200; ++i) {
    const size_t offset = random() % (value.size() + 1);
    const size_t bytes = random() % (value.size() - offset + 1);
    EXPECT_TRUE(Read(pages, *extent, offset, bytes) == value.substr(offset, bytes));
  }
  std::string buffer(2, '\0');
  EXPECT_TRUE(absl::IsOutOfRange(btree::ReadExtent(pages, *extent, value.size() - 1,
                                                   std::as_writable_bytes(std::span(buffer)))));
}

TEST(OverflowTest, AReadChecksWhatItTouches) {
  FakePages pages(512);
  const std::string value = RandomValue(512 * 20, TestSeed());
  const auto extent = btree::WriteExtent(pages, value);
  ASSERT_TRUE(extent.ok() && extent->runs.size() == 1);
  const uint64_t first_data =
      extent->runs[0].first.value + btree::ExtentTablePages(value.size(), 512);
  pages.Bytes(PageId{first_data + 7})[100] ^= std::byte{1};
  EXPECT_TRUE(Read(pages, *extent, 0, 7 * 512) == value.substr(0, 7 * 512));
  EXPECT_TRUE(Read(pages, *extent, 8 * 512, 512) == value.substr(8 * 512, 512));
  std::string buffer(2, '\0');
  for (const uint64_t offset : {7u * 512 - 1, 8u * 512 - 1}) {
    const absl::Status read =
        btree::ReadExtent(pages, *extent, offset, std::as_writable_bytes(std::span(buffer)));
    EXPECT_TRUE(absl::IsDataLoss(read)) << read;
    EXPECT_NE(read.message().find(std::to_string(first_data + 7)), std::string::npos) << read;
  }
  pages.Bytes(extent->runs[0].first)[3] ^= std::byte{1};
  EXPECT_TRUE(absl::IsDataLoss(
      btree::ReadExtent(pages, *extent, 0, std::as_writable_bytes(std::span(buffer)))));
}

TEST(OverflowTest, PagesThatChangedPlacesAreFound) {
  FakePages pages(512);
  const std::string value(512 * 4, 'x');  // the same bytes in each page
  const auto extent = btree::WriteExtent(pages, value);
  const auto other = btree::WriteExtent(pages, value);
  ASSERT_TRUE(extent.ok() && other.ok());
  Extent mixed = *extent;
  mixed.runs = other->runs;
  std::string buffer(value.size(), '\0');
  EXPECT_TRUE(absl::IsDataLoss(
      btree::ReadExtent(pages, mixed, 0, std::as_writable_bytes(std::span(buffer)))));
  mixed = *extent;
  mixed.birth = NextEpoch(mixed.birth);
  EXPECT_TRUE(absl::IsDataLoss(
      btree::ReadExtent(pages, mixed, 0, std::as_writable_bytes(std::span(buffer)))));
}

TEST(OverflowTest, TornSpaceIsSaidAndGivenBack) {
  FakePages pages(512);
  pages.set_max_run_pages(1);
  EXPECT_TRUE(btree::WriteExtent(pages, RandomValue(500, 1)).ok());
  const size_t live = pages.Live().size();
  const auto extent = btree::WriteExtent(pages, RandomValue(100 * 512, 1));
  EXPECT_TRUE(absl::IsResourceExhausted(extent.status())) << extent.status();
  EXPECT_EQ(pages.Live().size(), live);
}

// Free space in a thousand pieces once made large values fail on a disk with room: runs were asked for
// that could be shorter than a value of so many pages can do with.
TEST(OverflowTest, AsLongAsRunsAreAsLongAsWasAskedForNoValueIsTooTorn) {
  for (const uint32_t page_bytes : {512U, 4096U, 65536U}) {
    for (const size_t pages_wanted : {1U, 2U, 15U, 17U, 100U, 1000U, 5000U}) {
      if (pages_wanted * page_bytes > btree::kMaxValueBytes) continue;
      FakePages pages(page_bytes);
      pages.set_least_runs();
      const std::string value(pages_wanted * page_bytes, 'v');
      const auto extent = btree::WriteExtent(pages, value);
      ASSERT_TRUE(extent.ok()) << extent.status();
      EXPECT_TRUE(btree::CheckExtent(btree::EncodeExtent(*extent), page_bytes, extent->birth).ok());
      EXPECT_TRUE(absl::IsDataLoss(btree::CheckExtent(btree::EncodeExtent(*extent), page_bytes,
                                                      Epoch{extent->birth.value - 1})));
    }
  }
}

TEST(OverflowTest, AnyFailureDropsAll) {
  for (int n = 1; n <= 3; ++n) {
    FakePages pages(512);
    pages.set_max_run_pages(12);
    pages.FailCreateRun(n);
    EXPECT_FALSE(btree::WriteExtent(pages, RandomValue(30 * 512, 1)).ok());
    EXPECT_TRUE(pages.Live().empty());
    pages.FailCreateRun(0);
    pages.FailWriteRaw(n);
    EXPECT_FALSE(btree::WriteExtent(pages, RandomValue(30 * 512, 1)).ok());
    EXPECT_TRUE(pages.Live().empty());
  }
}

TEST(OverflowTest, TheLargestValue) {
  FakePages pages(65536);
  const std::string value(btree::kMaxValueBytes, 'L');
  const auto extent = btree::WriteExtent(pages, value);
  ASSERT_TRUE(extent.ok()) << extent.status();
  EXPECT_TRUE(Read(pages, *extent, 0, value.size()) == value);
}

std::string Encoded(uint64_t value_bytes, const std::vector<pager::PageRun>& runs) {
  return btree::EncodeExtent(Extent{value_bytes, Epoch{5}, 6, runs});
}

TEST(OverflowTest, WhatIsNoExtentIsRefused) {
  const auto refused = [](const std::string& bytes) {
    return absl::IsDataLoss(btree::DecodeExtent(bytes, 512).status()) &&
           absl::IsDataLoss(btree::CheckExtent(bytes, 512, Epoch{UINT64_MAX}));
  };
  const std::string good = Encoded(1000, {{PageId{9}, 1}, {PageId{20}, 2}});
  EXPECT_TRUE(btree::DecodeExtent(good, 512).ok());
  for (size_t cut = 0; cut < good.size(); ++cut) EXPECT_TRUE(refused(good.substr(0, cut)));
  EXPECT_TRUE(refused(good + "x"));
  EXPECT_TRUE(refused(Encoded(0, {})));
  EXPECT_TRUE(refused(Encoded(0, {{PageId{9}, 1}})));
  EXPECT_TRUE(refused(Encoded(1000, {{PageId{9}, 2}})));
  EXPECT_TRUE(refused(Encoded(1000, {{PageId{9}, 4}})));
  EXPECT_TRUE(refused(Encoded(1000, {{PageId{0}, 3}})));
  EXPECT_TRUE(refused(Encoded(1000, {{PageId{pager::kMaxPageId - 1}, 3}})));
  EXPECT_TRUE(refused(Encoded(1000, {{PageId{9}, 3}, {PageId{20}, 0}})));
  EXPECT_TRUE(refused(Encoded(1000, {{PageId{9}, UINT64_MAX}, {PageId{20}, 4}})));
  EXPECT_TRUE(refused(Encoded(UINT64_MAX, {{PageId{9}, 3}})));
  EXPECT_TRUE(refused(Encoded(btree::kMaxValueBytes + 1, {{PageId{9}, 140000}})));
  std::string many_runs;
  ByteWriter writer(&many_runs);
  writer.Varint(1000);
  writer.Varint(UINT64_MAX);
  EXPECT_TRUE(refused(many_runs + std::string(30, '\1')));
}

}  // namespace
}  // namespace keel::testing
