// All states that were ever committed, by number of the commit, and which of them a crash may leave.
//
// Every transaction writes its number under a reserved key, so that the database itself tells which
// prefix of the commit order it holds.

#ifndef KEEL_TORTURE_HISTORY_H_
#define KEEL_TORTURE_HISTORY_H_

#include <cstdint>
#include <vector>

namespace keel::torture {

// What a moment allows: at least the newest commit acknowledged as durable, at most the newest one
// begun.
struct Bounds {
  uint64_t acknowledged = 0;
  uint64_t begun = 0;
  uint64_t by_checkpoint = 0;  // the newest one begun that is committed by a checkpoint, if it is
};

class History {
 public:
  // Commit `number` is about to be handed over; the state after it has this hash. What was known of
  // this and later numbers is forgotten: it did not happen.
  void Begin(uint64_t number, uint64_t hash) {
    hashes_.resize(number);
    hashes_.push_back(hash);
    bounds_.begun = number;
  }
  // Commit `number` failed for certain: it can never appear.
  void Abandon(uint64_t number) {
    hashes_.resize(number);
    bounds_.begun = number - 1;
  }
  // Everything up to `number` is durable.
  void Acknowledge(uint64_t number) {
    if (number > bounds_.acknowledged) bounds_.acknowledged = number;
  }
  // A database was opened and holds `number`: nothing later can ever appear, nothing of it vanish.
  void Settle(uint64_t number) {
    hashes_.resize(number + 1);
    bounds_ = {number, number, 0};
  }

  uint64_t hash(uint64_t number) const { return hashes_[number]; }
  const Bounds& bounds() const { return bounds_; }
  void set_bounds(const Bounds& bounds) { bounds_ = bounds; }
  // Commits begun, also those that bounds leave out.
  uint64_t size() const { return hashes_.size() - 1; }

 private:
  std::vector<uint64_t> hashes_{0};
  Bounds bounds_;
};

// A moment in a trace, as a number: which bounds hold from here on.
inline uint64_t EncodeBegun(uint64_t number) { return number << 2; }
inline uint64_t EncodeAcknowledged(uint64_t number) { return number << 2 | 1; }
inline uint64_t EncodeByCheckpoint(uint64_t number) { return number << 2 | 2; }
inline void DecodeMark(uint64_t mark, Bounds* bounds) {
  const uint64_t number = mark >> 2;
  switch (mark & 3) {
    case 0:
      bounds->begun = number;
      break;
    case 1:
      bounds->acknowledged = number;
      break;
    default:
      bounds->by_checkpoint = number;
  }
}

}  // namespace keel::torture

#endif  // KEEL_TORTURE_HISTORY_H_
