// The vocabulary of every layer: strong ids without conversions between them.
//
// Each is a plain u64 (or u32) in memory and on disk; `value` is the only way in or out, so that a
// page id cannot be passed for an epoch.

#ifndef KEEL_BASE_TYPES_H_
#define KEEL_BASE_TYPES_H_

#include <keel/lsn.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace keel {

// Number of a page: its byte offset in the data file divided by the page size. Page 0 holds the
// first superblock, so 0 doubles as "no page" in references.
struct PageId {
  uint64_t value = 0;
  friend constexpr auto operator<=>(PageId, PageId) = default;
  template <typename H>
  friend H AbslHashValue(H h, PageId id) {
    return H::combine(std::move(h), id.value);
  }
};

// Logical time of page contents: incarnation << 40 | counter. Never decreases, within a process or
// across processes; {page id, birth epoch} never names two contents.
struct Epoch {
  uint64_t value = 0;
  friend constexpr auto operator<=>(Epoch, Epoch) = default;
};

inline constexpr int kEpochCounterBits = 40;

constexpr Epoch MakeEpoch(uint64_t incarnation, uint64_t counter) {
  return Epoch{(incarnation << kEpochCounterBits) | counter};
}
constexpr uint64_t IncarnationOf(Epoch epoch) { return epoch.value >> kEpochCounterBits; }
constexpr Epoch NextEpoch(Epoch epoch) { return Epoch{epoch.value + 1}; }

// Number of a transaction in commit order: +1 each, in every log record; recovery refuses a gap.
struct CommitNumber {
  uint64_t value = 0;
  friend constexpr auto operator<=>(CommitNumber, CommitNumber) = default;
};

// Number of a checkpoint attempt, never used twice: incarnation << 40 | attempt.
struct Generation {
  uint64_t value = 0;
  friend constexpr auto operator<=>(Generation, Generation) = default;
};

// Number of a keyspace, never reused within a database. 0 is the default keyspace.
struct KeyspaceId {
  uint32_t value = 0;
  friend constexpr auto operator<=>(KeyspaceId, KeyspaceId) = default;
  template <typename H>
  friend H AbslHashValue(H h, KeyspaceId id) {
    return H::combine(std::move(h), id.value);
  }
};

inline constexpr KeyspaceId kDefaultKeyspace{0};

// Random identity of one database; every page and frame is tied to it.
struct DatabaseId {
  uint64_t high = 0;
  uint64_t low = 0;
  friend constexpr auto operator<=>(const DatabaseId&, const DatabaseId&) = default;
};

}  // namespace keel

#endif  // KEEL_BASE_TYPES_H_
