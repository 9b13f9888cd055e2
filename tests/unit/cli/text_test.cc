#include "cli/text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "tests/unit/cli/bytes.h"

namespace keel::cli {
namespace {

using namespace std::string_literals;

TEST(TextTest, ShowsPrintableCharactersAsTheyAre) {
  EXPECT_EQ(ToText("key with blanks ~"), "key with blanks ~");
  EXPECT_EQ(ToText("Grüße, 世界 🎉"), "Grüße, 世界 🎉");
}

TEST(TextTest, EscapesEverythingElse) {
  EXPECT_EQ(ToText("a\tb\nc\rd\\e"), "a\\tb\\nc\\rd\\\\e");
  EXPECT_EQ(ToText("\0\x7f"s), "\\x00\\x7f");
  EXPECT_EQ(ToText("\xff\xc3"), "\\xff\\xc3");           // no UTF-8
  EXPECT_EQ(ToText("\xc0\x80"), "\\xc0\\x80");           // overlong
  EXPECT_EQ(ToText("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(ToText("\xc2\x85"), "\\xc2\\x85");           // a control character
}

TEST(TextTest, HexIsTwoDigitsAByte) {
  EXPECT_EQ(ToText("k\xff", TextForm::kHex), "6bff");
  EXPECT_EQ(*FromText("6bFF", TextForm::kHex), "k\xff");
}

TEST(TextTest, UnderstandsWhatPeopleType) {
  EXPECT_EQ(*FromText("a\\x00\\xFFb"), "a\0\xff"s + "b");
  EXPECT_EQ(*FromText("raw \xff byte"), "raw \xff byte");
  EXPECT_EQ(*FromText(""), "");
}

TEST(TextTest, RefusesWhatItDoesNotKnow) {
  for (const char* const text : {"\\", "\\q", "\\x", "\\x1", "\\xg0", "a\\x1z", "\\0"}) {
    const absl::Status status = FromText(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_NE(std::string(status.message()).find("unknown escape"), std::string::npos) << status;
  }
  for (const char* const text : {"6", "6b6", "xy", "6b 6b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(FromText(text, TextForm::kHex).status())) << text;
  }
}

RC_GTEST_PROP(TextTest, AnyBytesComeBack, ()) {
  const std::string bytes = *testing::AnyBytes();
  for (const TextForm form : {TextForm::kEscaped, TextForm::kHex}) {
    const std::string text = ToText(bytes, form);
    RC_ASSERT(IsUtf8(text));
    RC_ASSERT(text.find_first_of("\t\n\r\0"s) == std::string::npos);
    RC_ASSERT(*FromText(text, form) == bytes);
  }
}

}  // namespace
}  // namespace keel::cli
