// Generators of bytes that are likely to be mistaken for something else.

#ifndef KEEL_TESTS_UNIT_CLI_BYTES_H_
#define KEEL_TESTS_UNIT_CLI_BYTES_H_

#include <rapidcheck.h>

#include <string>
#include <vector>

namespace keel::cli::testing {

// Bytes with many quotes, commas, escapes, line ends and pieces of UTF-8 among them.
inline rc::Gen<std::string> AnyBytes() {
  using namespace std::string_literals;
  const rc::Gen<std::string> piece = rc::gen::oneOf(
      rc::gen::elementOf(std::vector<std::string>{"\"",
                                                  ",",
                                                  "\\",
                                                  "\t",
                                                  "\n",
                                                  "\r",
                                                  "\r\n",
                                                  "\\n",
                                                  "\\x41",
                                                  " ",
                                                  "{",
                                                  "}",
                                                  ":",
                                                  "\0"s,
                                                  "\x7f",
                                                  "\xc3",
                                                  "\xc3\xbc",
                                                  "\xe2\x82\xac",
                                                  "\xf0\x9f\x8e\x89",
                                                  "\xed\xa0\x80",
                                                  "\xef\xbb\xbf",
                                                  "\xff",
                                                  "key",
                                                  "value",
                                                  "null"}),
      rc::gen::map(rc::gen::arbitrary<char>(), [](char byte) { return std::string(1, byte); }));
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string bytes;
                        for (const std::string& part : pieces) bytes += part;
                        return bytes;
                      });
}

}  // namespace keel::cli::testing

#endif  // KEEL_TESTS_UNIT_CLI_BYTES_H_
