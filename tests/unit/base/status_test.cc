#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/disk_full.h"

namespace keel {
namespace {

absl::Status Bad() { return MakeStatus(absl::StatusCode::kDataLoss, "page %d: torn", 7); }

absl::Status PassOn(const absl::Status& status, int* reached) {
  KEEL_RETURN_IF_ERROR(status);
  ++*reached;
  return absl::OkStatus();
}

absl::StatusOr<int> AddOne(absl::StatusOr<std::unique_ptr<int>> number) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, std::move(number));
  KEEL_ASSIGN_OR_RETURN(const int sum, absl::StatusOr<int>(*value + 1));
  return sum;
}

TEST(StatusTest, ReturnIfErrorPassesErrorsOnAndGoesOnWhenAllIsWell) {
  int reached = 0;
  EXPECT_EQ(PassOn(Bad(), &reached), Bad());
  EXPECT_EQ(reached, 0);
  EXPECT_TRUE(PassOn(absl::OkStatus(), &reached).ok());
  EXPECT_EQ(reached, 1);
}

TEST(StatusTest, ReturnIfErrorIsOneStatement) {
  const auto check = [](bool wanted) -> absl::Status {
    if (wanted)
      KEEL_RETURN_IF_ERROR(Bad());
    else
      return absl::CancelledError("");
    return absl::OkStatus();
  };
  EXPECT_EQ(check(true), Bad());
  EXPECT_TRUE(absl::IsCancelled(check(false)));
}

TEST(StatusTest, AssignOrReturnMovesTheValueOrPassesTheErrorOn) {
  EXPECT_EQ(*AddOne(std::make_unique<int>(41)), 42);
  EXPECT_EQ(AddOne(Bad()).status(), Bad());
}

TEST(StatusTest, StatusesAreMadeFromFormats) {
  EXPECT_EQ(Bad().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(MessageOf(Bad()), "page 7: torn");
}

TEST(StatusTest, ContextGoesInFront) {
  const absl::Status status = WithContext(WithContext(Bad(), "tree"), "keyspace 'a'");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(MessageOf(status), "keyspace 'a': tree: page 7: torn");
  EXPECT_TRUE(WithContext(absl::OkStatus(), "tree").ok());
}

TEST(StatusTest, AFullDiskIsToldFromOtherShortagesAlsoInContext) {
  const absl::Status memory = absl::ResourceExhaustedError("no memory");
  const absl::Status disk = MarkDiskFull(absl::ResourceExhaustedError("no space"));
  EXPECT_FALSE(IsDiskFull(memory));
  EXPECT_TRUE(IsDiskFull(disk));
  EXPECT_TRUE(IsDiskFull(WithContext(disk, "growing")));
  EXPECT_FALSE(IsDiskFull(WithContext(memory, "growing")));
  EXPECT_FALSE(IsDiskFull(absl::OkStatus()));
}

TEST(PrintableTest, TextStaysAndTheRestIsEscaped) {
  EXPECT_EQ(Printable("plain text"), "plain text");
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable(std::string_view("a\0b\n\x7f\xff", 6)), "a\\x00b\\x0a\\x7f\\xff");
  EXPECT_EQ(Printable("back\\slash"), "back\\\\slash");
}

TEST(PrintableTest, LongTextIsCutAndItsLengthTold) {
  EXPECT_EQ(Printable("abcdef", 3), "abc... (6 bytes)");
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdef", 0), "... (6 bytes)");
  EXPECT_EQ(Printable(std::string(65, 'x')), std::string(64, 'x') + "... (65 bytes)");
}

}  // namespace
}  // namespace keel
