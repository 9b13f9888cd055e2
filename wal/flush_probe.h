// Which way of making a small write durable is the fastest on this device.
//
// The order differs between devices, kernels and file systems, so it is measured: a few one-block writes each, in turn,
// and the medians compared (wal/log_probe.cc makes the writes). A wrong choice costs time and nothing else, so the
// measurement is short: it ends when one method is left that is not far behind, or with the time limit.
//
//   probe: while (auto method = probe.Next()) { ... write ...; probe.Note(how long that took); }  probe.Fastest()

#ifndef KEEL_WAL_FLUSH_PROBE_H_
#define KEEL_WAL_FLUSH_PROBE_H_

#include <absl/time/time.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "io/file_system.h"

namespace keel::wal {

// Of one thread.
class FlushProbe {
 public:
  // `linked_requests`: they are tried too.
  explicit FlushProbe(bool linked_requests);

  // The method to be measured next; nothing: enough is known.
  std::optional<io::FlushMethod> Next();
  // How long a write by the method that Next has told took.
  void Note(absl::Duration took);

  // By what has been measured; kWriteThenSync unless another one is clearly faster.
  io::FlushMethod Fastest() const;

 private:
  struct Candidate {
    io::FlushMethod method;
    std::vector<absl::Duration> times;
    bool hopeless = false;

    absl::Duration Median() const;
    absl::Duration Best() const;
  };

  // Whether there is to be no further round.
  bool Enough();
  // Gives up those that are far behind. How many are left.
  ptrdiff_t Sift();

  std::vector<Candidate> candidates_;
  size_t next_ = 0;  // of the candidates, in this round
  int rounds_ = 0;   // that are over
  bool over_ = false;
  absl::Duration taken_;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_FLUSH_PROBE_H_
