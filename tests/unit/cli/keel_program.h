// Running the built keel program.
//
//   const Ended ended = RunKeel({"get", database, "key"});
//   EXPECT_EQ(ended.status, 0) << ended.err;
//   EXPECT_EQ(ended.out, "value\n");

#ifndef KEEL_TESTS_UNIT_CLI_KEEL_PROGRAM_H_
#define KEEL_TESTS_UNIT_CLI_KEEL_PROGRAM_H_

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace keel::cli::testing {

struct Ended {
  int status = -1;  // exit status; 128 + N if signal N killed it
  std::string out;
  std::string err;
};

// Runs it to its end with `input` on standard input.
Ended RunKeel(const std::vector<std::string>& arguments, const std::string& input = "");
// Runs a shell command, in which $KEEL is the program.
Ended RunShell(const std::string& command);

// Every regular file below a directory with its bytes, to see that nothing has changed.
std::map<std::string, std::string> BytesBelow(const std::filesystem::path& directory);

void WriteFile(const std::filesystem::path& path, const std::string& bytes);
std::string ReadFile(const std::filesystem::path& path);

}  // namespace keel::cli::testing

#endif  // KEEL_TESTS_UNIT_CLI_KEEL_PROGRAM_H_
