// Ctrl-C and polite requests to end (SIGINT, SIGTERM), for commands that have something to finish.
//
//   Interrupt interrupt;                     // before any thread is started
//   while (!interrupt.came()) CommitNextBatch();

#ifndef KEEL_CLI_INTERRUPT_H_
#define KEEL_CLI_INTERRUPT_H_

namespace keel::cli {

// While it lives the signals do not end the process; they wait here. One at a time, made before the
// process has threads, which inherit that the signals are held back. At its end the signals have
// their usual effect again, but one that came is swallowed: it has been heeded.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool came();

  // Waits until `descriptor` can be read, or a signal comes. False: a signal came.
  bool WaitReadable(int descriptor);

 private:
  bool Poll(int descriptor, int timeout_milliseconds);

  int signals_;  // a signalfd, -1 if the system has none to give
  bool came_ = false;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_INTERRUPT_H_
