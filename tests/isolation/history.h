// What transactions did to a few keys, as far as it can be seen from outside.

#ifndef KEEL_TESTS_ISOLATION_HISTORY_H_
#define KEEL_TESTS_ISOLATION_HISTORY_H_

#include <keel/options.h>

#include <cstdint>
#include <vector>

namespace keel::testing {

// Names a version of a key: every write has a number of its own. 0: the key was not there.
using VersionId = uint64_t;

struct Access {
  int key = 0;
  VersionId version = 0;
};

// Reads of what the transaction itself had written before are left out.
struct RecordedTransaction {
  Isolation level = Isolation::kSerializable;
  bool committed = false;
  uint64_t lsn =
      0;  // of the commit: its place in the order; without writes that of the state it has seen
  std::vector<Access> reads;
  std::vector<Access> writes;        // what it left, one a key
  std::vector<Access> written_over;  // what it wrote and then wrote over itself
};

using History = std::vector<RecordedTransaction>;

}  // namespace keel::testing

#endif  // KEEL_TESTS_ISOLATION_HISTORY_H_
