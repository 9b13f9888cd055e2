#include "tests/unit/cli/keel_program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/support/temp_dir.h"

namespace keel::cli::testing {
namespace {

namespace fs = std::filesystem;

// KEEL_PROGRAM of the build, unless the environment names another.
std::string Program() {
  const char* const chosen = std::getenv("KEEL_PROGRAM");
  return chosen != nullptr ? chosen : KEEL_PROGRAM;
}

Ended RunWithFiles(std::vector<std::string> command, const fs::path& directory) {
  std::vector<char*> argv;
  for (std::string& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const bool opened = freopen((directory / "in").c_str(), "r", stdin) != nullptr &&
                        freopen((directory / "out").c_str(), "w", stdout) != nullptr &&
                        freopen((directory / "err").c_str(), "w", stderr) != nullptr;
    if (opened) execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  Ended ended;
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ended.out = ReadFile(directory / "out");
  ended.err = ReadFile(directory / "err");
  return ended;
}

}  // namespace

Ended RunKeel(const std::vector<std::string>& arguments, const std::string& input) {
  const ::keel::testing::TempDir directory;
  WriteFile(directory.path() / "in", input);
  std::vector<std::string> command = {Program()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunWithFiles(std::move(command), directory.path());
}

Ended RunShell(const std::string& command) {
  const ::keel::testing::TempDir directory;
  WriteFile(directory.path() / "in", "");
  return RunWithFiles({"/bin/bash", "-c", "KEEL=" + Program() + "; " + command}, directory.path());
}

std::map<std::string, std::string> BytesBelow(const fs::path& directory) {
  std::map<std::string, std::string> bytes;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes[entry.path()] = ReadFile(entry.path());
  }
  return bytes;
}

void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace keel::cli::testing
