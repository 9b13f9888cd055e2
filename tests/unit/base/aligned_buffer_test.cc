#include "base/aligned_buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <utility>

namespace keel {
namespace {

TEST(AlignedBufferTest, IsAlignedAndWritableToItsEnd) {
  for (const size_t size : {1U, 512U, 4095U, 4096U, 4097U, 100000U}) {
    AlignedBuffer buffer = AlignedBuffer::Allocate(size);
    ASSERT_EQ(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment, 0U);
    buffer.span().front() = std::byte{1};
    buffer.span().back() = std::byte{2};
  }
}

TEST(AlignedBufferTest, ASizeThatCannotBeHadGivesAnEmptyBuffer) {
  const size_t largest = std::numeric_limits<size_t>::max();
  for (const size_t size : {largest, largest - 1, largest - AlignedBuffer::kAlignment + 1}) {
    EXPECT_TRUE(AlignedBuffer::Allocate(size).empty()) << size;
  }
  EXPECT_TRUE(AlignedBuffer().empty());
  EXPECT_TRUE(AlignedBuffer::Allocate(0).empty());
}

TEST(AlignedBufferTest, WhatWasMovedFromIsEmpty) {
  AlignedBuffer one = AlignedBuffer::Allocate(100);
  const std::byte* data = one.data();
  AlignedBuffer two = std::move(one);
  EXPECT_TRUE(one.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(two.data(), data);
  AlignedBuffer three;
  three = std::move(two);
  EXPECT_TRUE(two.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(three.data(), data);
  EXPECT_EQ(three.size(), 100U);
}

}  // namespace
}  // namespace keel
