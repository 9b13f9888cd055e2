#include "cli/interrupt.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

namespace keel::cli {
namespace {

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = Signals();
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ >= 0) pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Interrupt::~Interrupt() {
  if (signals_ < 0) return;
  const sigset_t set = Signals();
  constexpr timespec kNow = {};
  while (sigtimedwait(&set, nullptr, &kNow) > 0) {
  }
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::close(signals_);
}

bool Interrupt::came() { return came_ || !Poll(-1, 0); }

bool Interrupt::WaitReadable(int descriptor) { return !came_ && Poll(descriptor, -1); }

bool Interrupt::Poll(int descriptor, int timeout_milliseconds) {
  pollfd waited[] = {{signals_, POLLIN, 0}, {descriptor, POLLIN, 0}};
  while (::poll(waited, 2, timeout_milliseconds) < 0 && errno == EINTR) {
  }
  came_ = (waited[0].revents & POLLIN) != 0;
  return !came_;
}

}  // namespace keel::cli
