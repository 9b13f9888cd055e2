#include "tests/unit/io/child_process.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "base/check.h"

namespace keel::io {
namespace {

constexpr char kDone = '\n';

void WriteAll(int fd, const std::string& text) {
  KEEL_CHECK(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

[[noreturn]] void Live(const std::function<std::string()>& body, int report, int release) {
  WriteAll(report, body() + kDone);
  close(report);
  char byte = 0;
  while (read(release, &byte, 1) > 0) {
  }
  _exit(0);
}

}  // namespace

Child::Child(const std::function<std::string()>& body) {
  std::array<int, 2> report{};
  std::array<int, 2> release{};
  KEEL_CHECK(pipe2(report.data(), O_CLOEXEC) == 0 && pipe2(release.data(), O_CLOEXEC) == 0);
  pid_ = fork();
  KEEL_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    close(report[0]);
    close(release[1]);
    Live(body, report[1], release[0]);
  }
  close(report[1]);
  close(release[0]);
  release_ = release[1];
  std::array<char, 512> bytes{};
  for (ssize_t got = 0; (got = read(report[0], bytes.data(), bytes.size())) > 0;) {
    report_.append(bytes.data(), static_cast<size_t>(got));
  }
  close(report[0]);
  if (report_.ends_with(kDone)) {
    report_.pop_back();
    return;
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  report_ = "signal " + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

Child::~Child() {
  close(release_);
  Reap();
}

void Child::Kill() {
  kill(pid_, SIGKILL);
  Reap();
}

void Child::Reap() {
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string RefuseSystemCall(int number, int error) {
  std::array<sock_filter, 4> filter = {{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<__u32>(number)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | static_cast<__u32>(error)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  sock_fprog program = {filter.size(), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    return std::string("seccomp: ") + strerror(errno);
  }
  return "";
}

}  // namespace keel::io
