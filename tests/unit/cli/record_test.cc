// Rows of every format: what dump writes load reads, and what is malformed is named.

#include "cli/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <keel/database.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/cli/bytes.h"

namespace keel::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;
using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Rows {
  Pairs pairs;
  absl::Status status;
};

// Reads `text` to its end, or to the first error.
Rows Read(RecordFormat format, std::string text, const RecordReaderOptions& options = {},
          size_t buffer_bytes = 4096) {
  Rows rows;
  const std::unique_ptr<ByteSource> source = ByteSource::FromString(std::move(text), buffer_bytes);
  absl::StatusOr<std::unique_ptr<RecordReader>> reader =
      NewRecordReader(format, options, source.get());
  rows.status = reader.status();
  if (!reader.ok()) return rows;
  Record record;
  absl::StatusOr<bool> found = (*reader)->Next(&record);
  for (; found.ok() && *found; found = (*reader)->Next(&record)) {
    rows.pairs.emplace_back(record.key, record.value);
  }
  rows.status = found.status();
  return rows;
}

std::string Write(RecordFormat format, const Pairs& pairs, TextForm form = TextForm::kEscaped) {
  const std::unique_ptr<RecordWriter> writer = NewRecordWriter(format, form);
  std::string text;
  writer->Begin(&text);
  for (const auto& [key, value] : pairs) writer->Append(key, value, &text);
  return text;
}

// The error of the last row of `text`.
std::string ErrorOf(RecordFormat format, const std::string& text,
                    const RecordReaderOptions& options = {}) {
  const Rows rows = Read(format, text, options);
  EXPECT_TRUE(absl::IsInvalidArgument(rows.status)) << text << ": " << rows.status;
  return std::string(rows.status.message());
}

RecordReaderOptions WithKey(std::string column) {
  RecordReaderOptions options;
  options.key_column = std::move(column);
  return options;
}

RecordReaderOptions KeysOnly() {
  RecordReaderOptions options;
  options.keys_only = true;
  return options;
}

RC_GTEST_PROP(RecordTest, WhatDumpWritesLoadReads, ()) {
  const Pairs pairs =
      *rc::gen::container<Pairs>(rc::gen::pair(testing::AnyBytes(), testing::AnyBytes()));
  const size_t buffer_bytes = *rc::gen::element<size_t>(1, 3, 7, 4096);
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kCsv, RecordFormat::kJsonl}) {
    const std::string text = Write(format, pairs);
    const Rows rows = Read(format, text, {}, buffer_bytes);
    if (!rows.status.ok()) RC_FAIL(rows.status.ToString() + "\n" + text);
    RC_ASSERT(rows.pairs == pairs);
  }
  RecordReaderOptions hex;
  hex.form = TextForm::kHex;
  RC_ASSERT(
      Read(RecordFormat::kTsv, Write(RecordFormat::kTsv, pairs, TextForm::kHex), hex, buffer_bytes)
          .pairs == pairs);
}

// Any bytes at all end in rows and perhaps an error, never in a hang or worse.
RC_GTEST_PROP(RecordTest, NoInputIsTooStrange, ()) {
  const std::string text = *testing::AnyBytes();
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kCsv, RecordFormat::kJsonl}) {
    const Rows rows = Read(format, text);
    RC_ASSERT(rows.status.ok() || absl::IsInvalidArgument(rows.status));
  }
}

TEST(RecordTest, FormatFollowsTheNameOfTheFile) {
  EXPECT_EQ(FormatOfFile("a.csv"), RecordFormat::kCsv);
  EXPECT_EQ(FormatOfFile("a.jsonl"), RecordFormat::kJsonl);
  EXPECT_EQ(FormatOfFile("a.ndjson"), RecordFormat::kJsonl);
  EXPECT_EQ(FormatOfFile("a.tsv"), RecordFormat::kTsv);
  EXPECT_EQ(FormatOfFile("-"), RecordFormat::kTsv);
}

TEST(TsvTest, TakesLinesAsTheyCome) {
  EXPECT_THAT(Read(RecordFormat::kTsv, "a\t1\r\nb\tx\ty\\t\n\t\nc\t\\x00").pairs,
              ElementsAre(Pair("a", "1"), Pair("b", "x\ty\t"), Pair("", ""),
                          Pair("c", std::string(1, '\0'))));
}

TEST(TsvTest, NamesTheLineThatIsWrong) {
  EXPECT_EQ(ErrorOf(RecordFormat::kTsv, "a\t1\nb 2\nc\t3\n"),
            "input:2: there is no tab between a key and a value");
  EXPECT_THAT(ErrorOf(RecordFormat::kTsv, "a\t1\n\n"), StartsWith("input:2: "));
  EXPECT_THAT(ErrorOf(RecordFormat::kTsv, "a\t1\nb\tC:\\data\n"),
              StartsWith("input:2: unknown escape '\\d': write \\\\ for a backslash"));
  EXPECT_THAT(ErrorOf(RecordFormat::kTsv, "a\t\\x4\nb\t2\n"),
              StartsWith("input:1: unknown escape '\\x4'"));
}

TEST(TsvTest, KeepsTheRowsBeforeTheWrongOne) {
  EXPECT_THAT(Read(RecordFormat::kTsv, "a\t1\nb\t2\nno tab\n").pairs,
              ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(TsvTest, KeysMayStandAlone) {
  EXPECT_THAT(Read(RecordFormat::kTsv, "a\nb\tvalue\nc", KeysOnly()).pairs,
              ElementsAre(Pair("a", ""), Pair("b", ""), Pair("c", "")));
}

TEST(TsvTest, RefusesKeysAndValuesOverTheLimit) {
  EXPECT_TRUE(Read(RecordFormat::kTsv, std::string(kMaxKeyBytes, 'k') + "\tv").status.ok());
  EXPECT_EQ(ErrorOf(RecordFormat::kTsv, "a\t1\n" + std::string(kMaxKeyBytes + 1, 'k') + "\tv"),
            "input:2: the key is longer than 1.0 KiB");
  EXPECT_EQ(ErrorOf(RecordFormat::kTsv, "a\t" + std::string(kMaxValueBytes + 1, 'v')),
            "input:1: the value is longer than 64.0 MiB");
}

TEST(CsvTest, TwoColumnsAreKeyAndValue) {
  EXPECT_THAT(Read(RecordFormat::kCsv, "name,text\r\na,1\r\nb,\"x,\"\"y\"\"\nz\"\r\n").pairs,
              ElementsAre(Pair("a", "1"), Pair("b", "x,\"y\"\nz")));
  EXPECT_THAT(Read(RecordFormat::kCsv, "text,name\n1,a\n", WithKey("name")).pairs,
              ElementsAre(Pair("a", "1")));
  EXPECT_THAT(Read(RecordFormat::kCsv, "value,key\n1,a\n").pairs, ElementsAre(Pair("a", "1")));
}

TEST(CsvTest, MoreColumnsBecomeAnObject) {
  EXPECT_THAT(
      Read(RecordFormat::kCsv, "\xef\xbb\xbfid,name,note\n7,\"A \"\"B\"\"\",\"x\ny\"\n").pairs,
      ElementsAre(Pair("7", R"({"name":"A \"B\"","note":"x\ny"})")));
  EXPECT_THAT(Read(RecordFormat::kCsv, "id,name,note\n7,n,x\n", WithKey("name")).pairs,
              ElementsAre(Pair("n", R"({"id":"7","note":"x"})")));
}

TEST(CsvTest, SkipsBlankLinesAndTakesALastLineWithoutEnd) {
  EXPECT_THAT(Read(RecordFormat::kCsv, "k,v\n\na,1\n\r\nb,2").pairs,
              ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(CsvTest, NamesTheLineWhereTheWrongRowBegins) {
  EXPECT_EQ(ErrorOf(RecordFormat::kCsv, "k,v\n\"a\nb\",\"c\nd\"\nx\n"),
            "input:5: 1 fields, but the header has 2");
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\na,b\"c\n"), HasSubstr("input:2: a quote inside"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\na,\"b\"c\n"),
              HasSubstr("input:2: something stands between a closing quote and the comma"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\na,\"b\nc,d\n"),
              HasSubstr("input:2: a quoted field"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\na\rb,c\n"), HasSubstr("input:2: a carriage"));
  EXPECT_EQ(ErrorOf(RecordFormat::kCsv, "id,a,b\n1,\xff,2\n"), "input:2: column 'a' is not UTF-8");
}

TEST(CsvTest, RefusesHeadersThatLeadNowhere) {
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, ""), HasSubstr("there is no header row"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k\na\n"), HasSubstr("only one column"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v,v\n"), HasSubstr("'v' twice"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\n", WithKey("id")), HasSubstr("no column 'id'"));
}

TEST(CsvTest, OneColumnOfKeysWillDoToDeleteThem) {
  EXPECT_THAT(Read(RecordFormat::kCsv, "k\na\nb\n", KeysOnly()).pairs,
              ElementsAre(Pair("a", ""), Pair("b", "")));
}

TEST(CsvTest, ARowOverTheLimitsIsRefused) {
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\n" + std::string(kMaxKeyBytes + 1, 'k') + ",v\n"),
              HasSubstr("input:2: the key is longer"));
  EXPECT_THAT(ErrorOf(RecordFormat::kCsv, "k,v\na,\"" + std::string(kMaxValueBytes + 2000, 'v')),
              HasSubstr("input:2: the row is longer"));
}

TEST(JsonlTest, TheWholeObjectIsTheValue) {
  EXPECT_THAT(Read(RecordFormat::kJsonl,
                   "{ \"id\" : 42, \"x\": 1.50, \"s\": \"a b\\n\", \"n\": [ 1, { } ] }\n\n"
                   "{\"x\":12345678901234567890123,\"id\":\"k\"}",
                   WithKey("id"))
                  .pairs,
              ElementsAre(Pair("42", R"({"id":42,"x":1.50,"s":"a b\n","n":[1,{}]})"),
                          Pair("k", R"({"x":12345678901234567890123,"id":"k"})")));
}

TEST(JsonlTest, PairsAreTakenApart) {
  EXPECT_THAT(Read(RecordFormat::kJsonl,
                   "{\"key\":\"a\",\"value\":\"\\u00fc\\u0000\"}\n"
                   "{\"value_hex\":\"ff00\",\"key_hex\":\"6b\"}\n"
                   "{\"key\":\"n\",\"value\": { \"x\": 1 } }\n")
                  .pairs,
              ElementsAre(Pair("a", std::string("\xc3\xbc\0", 3)),
                          Pair("k", std::string("\xff\0", 2)), Pair("n", R"({"x":1})")));
}

TEST(JsonlTest, MoreThanAPairIsAnObjectLikeAnyOther) {
  EXPECT_THAT(Read(RecordFormat::kJsonl, R"({"key":"a","value":"1","more":null})").pairs,
              ElementsAre(Pair("a", R"({"key":"a","value":"1","more":null})")));
  EXPECT_THAT(Read(RecordFormat::kJsonl, R"({"key":"a","value":"1"})", WithKey("value")).pairs,
              ElementsAre(Pair("1", R"({"key":"a","value":"1"})")));
}

TEST(JsonlTest, KeysMayStandAlone) {
  EXPECT_THAT(Read(RecordFormat::kJsonl, "{\"key\":\"a\"}\n{\"key_hex\":\"6b\",\"value\":\"1\"}\n",
                   KeysOnly())
                  .pairs,
              ElementsAre(Pair("a", ""), Pair("k", "")));
}

TEST(JsonlTest, NamesTheLineThatIsWrong) {
  EXPECT_THAT(ErrorOf(RecordFormat::kJsonl, "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\n"),
              StartsWith("input:2: malformed JSON: "));
  EXPECT_EQ(ErrorOf(RecordFormat::kJsonl, "[1]\n"), "input:1: not a JSON object");
  EXPECT_EQ(ErrorOf(RecordFormat::kJsonl, "{\"a\":1}\n"), "input:1: there is no 'key' for the key");
  EXPECT_EQ(ErrorOf(RecordFormat::kJsonl, "{\"a\":null}\n", WithKey("a")),
            "input:1: 'a' is neither a string nor a number");
  EXPECT_EQ(ErrorOf(RecordFormat::kJsonl, "{\"a\":1,\"a\":2}\n", WithKey("a")),
            "input:1: 'a' stands there twice");
  EXPECT_THAT(ErrorOf(RecordFormat::kJsonl, "{\"key_hex\":\"6\",\"value\":\"1\"}\n"),
              HasSubstr("not hexadecimal"));
  EXPECT_THAT(ErrorOf(RecordFormat::kJsonl, "{} {}\n"), HasSubstr("malformed JSON"));
  EXPECT_THAT(ErrorOf(RecordFormat::kJsonl, "{\"key\":\"\xff\",\"value\":\"1\"}\n"),
              HasSubstr("malformed JSON"));
}

TEST(JsonlTest, DeepNestingIsNoTrouble) {
  const size_t depth = 100'000;
  const std::string text =
      "{\"key\":\"a\",\"b\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  EXPECT_TRUE(Read(RecordFormat::kJsonl, text).status.ok());
}

// A source that fails in the middle of a row is not mistaken for a malformed row.
TEST(RecordTest, ErrorsOfTheSourceGoFirst) {
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kCsv, RecordFormat::kJsonl}) {
    std::string rest = format == RecordFormat::kCsv ? "k,v\n\"a" : "{\"a";
    ByteSource source("pipe", [&](std::span<char> buffer) -> absl::StatusOr<size_t> {
      if (rest.empty()) return absl::UnavailableError("gone");
      const size_t count = rest.copy(buffer.data(), buffer.size());
      rest.clear();
      return count;
    });
    const absl::StatusOr<std::unique_ptr<RecordReader>> reader =
        NewRecordReader(format, {}, &source);
    ASSERT_TRUE(reader.ok());
    Record record;
    EXPECT_EQ((*reader)->Next(&record).status(), absl::UnavailableError("gone"));
  }
}

}  // namespace
}  // namespace keel::cli
