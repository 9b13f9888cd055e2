// Work done in a forked child: other processes, and what a process must not do to itself.

#ifndef KEEL_TESTS_UNIT_IO_CHILD_PROCESS_H_
#define KEEL_TESTS_UNIT_IO_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>

namespace keel::io {

// A child that runs `body` in a copy of this process, reports what it returned, and then stays
// until it is released or killed; what the body left open stays open as long. It ends without
// running any destructor.
class Child {
 public:
  explicit Child(const std::function<std::string()>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Waits for the body. "signal N" if it was killed, "" is customary for success.
  const std::string& report() const { return report_; }
  pid_t pid() const { return pid_; }
  // Kills it with SIGKILL and waits for its end.
  void Kill();

 private:
  void Reap();

  pid_t pid_ = -1;
  int release_ = -1;  // closing it lets the child go
  std::string report_;
};

inline std::string RunInChild(const std::function<std::string()>& body) {
  return Child(body).report();
}

// From now on the kernel refuses system call `number` to this process with `error`. For children.
// Returns "" or why that could not be had.
std::string RefuseSystemCall(int number, int error);

}  // namespace keel::io

#endif  // KEEL_TESTS_UNIT_IO_CHILD_PROCESS_H_
