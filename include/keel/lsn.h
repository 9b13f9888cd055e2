// Keel: log sequence numbers.
//
// An Lsn is a position in the log: every commit has one, later commits have larger ones, and none is
// ever used twice in the life of a database, whatever crashed in between.
//
//   absl::StatusOr<keel::Lsn> lsn = db->Write(batch, {.durability = keel::Durability::kAsync});
//   if (lsn.ok()) status = db->WaitDurable(*lsn);

#ifndef KEEL_LSN_H_
#define KEEL_LSN_H_

#include <compare>
#include <cstdint>

namespace keel {

// Position in the log, in bytes since the database was created. Trivially copyable, ordered. The
// value 0 precedes every commit.
struct Lsn {
  uint64_t value = 0;

  friend constexpr auto operator<=>(Lsn, Lsn) = default;
};

}  // namespace keel

#endif  // KEEL_LSN_H_
