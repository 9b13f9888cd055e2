// The commits of threads that do not read each other's, and which of them a crash may leave: with one of them every one
// that has a lower LSN, and all that were durable. Those of one group have records and LSNs of their own: a crash may
// leave the first of them.
//
// Each commit puts its number under two keys of its thread, so that the database itself tells how many of each thread's
// commits it holds, and whether they are whole.

#ifndef KEEL_TORTURE_GROUP_LEDGER_H_
#define KEEL_TORTURE_GROUP_LEDGER_H_

#include <keel/keel.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace keel::torture {

// One commit of a thread: its first is 1.
struct ThreadCommit {
  size_t thread = 0;
  uint64_t number = 0;
};

// How many commits of each thread a database holds.
using Held = std::vector<uint64_t>;

// The two keys of a thread, far apart.
std::string FirstKey(size_t thread);
std::string SecondKey(size_t thread);

// DataLoss: a commit is there in part.
absl::StatusOr<Held> ReadHeld(const Reader& reader, size_t threads);

// What a moment allows: commits that were begun may be there, those that were durable must.
struct GroupBounds {
  explicit GroupBounds(size_t threads) : begun(threads), durable(threads) {}
  Held begun;
  Held durable;
};

// Marks of a trace.
uint64_t EncodeThreadBegun(const ThreadCommit& commit);
uint64_t EncodeThreadDurable(const ThreadCommit& commit);
void DecodeThreadMark(uint64_t mark, GroupBounds* bounds);

// By thread, and in each in the order of its commits. Of those that have not returned yet there are none.
using ThreadLsns = std::vector<std::vector<Lsn>>;

// Empty: `held` is what is left of the commits with `lsns` at a moment with these bounds.
std::string Judge(const Held& held, const ThreadLsns& lsns, const GroupBounds& bounds);
// Empty: with each commit all before it are there. What a snapshot shows.
std::string JudgeOrder(const Held& held, const ThreadLsns& lsns);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_GROUP_LEDGER_H_
