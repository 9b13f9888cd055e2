// The size of things in one case: of the database, and of what is put into it.

#ifndef KEEL_TORTURE_SHAPE_H_
#define KEEL_TORTURE_SHAPE_H_

#include <keel/options.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fault_injection/mix.h"
#include "fault_injection/sim_file_system.h"

namespace keel::torture {

struct Shape {
  uint32_t page_bytes = 512;
  uint64_t segment_bytes = uint64_t{16} << 10;
  uint64_t checkpoint_log_bytes = uint64_t{32} << 10;
  uint64_t memory_bytes = uint64_t{1} << 20;
  bool direct_io = true;
  io::FlushMethod flush = io::FlushMethod::kWriteThenSync;

  int spaces = 2;                                  // keyspaces
  uint64_t keys = 40;                              // different ones in each
  std::vector<size_t> value_bytes = {8, 60, 200};  // 200 is large for a page of 512
  bool savepoints = true;
  bool unsynced_commits = true;
  bool snapshots = true;
  bool optimistic = true;  // some transactions are
  bool huge = true;        // transactions that the log does not take
  bool ballast = false;    // begins with a file that is all but full (torture/beginning.h)

  // What the log takes of one transaction at most: a stream, and what is not streamed yet.
  uint64_t logged_bytes_max() const { return checkpoint_log_bytes + segment_bytes / 4; }
  keel::Options Options(fault_injection::SimFileSystem* world) const;
  std::string Describe() const;
};

// The smallest geometry: splits, growth, new segments and reuse all come within a few steps.
Shape TinyShape();

// A random one, with some features left out (swarm testing: Groce et al., ISSTA 2012).
Shape RandomShape(fault_injection::SeededRandom& random);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_SHAPE_H_
