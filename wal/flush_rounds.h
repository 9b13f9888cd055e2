// The rounds of flushes: who sleeps until which is over, who leads the next one, and whom a leader waits for.
//
// A round is one flush: its leader writes what has been appended by then, its followers sleep until that is durable.
// Who comes too late for the round under way follows or leads the next one.
//
// Threads that commit again and again fall into two parties, if every flush begins at once: while the records of one
// are on their way the other one appends, and each flush carries half of what it could. So a leader waits for company:
// for as many commits as were made durable a moment ago, or were waiting then, and not for long. If few of them come,
// or the processors are too busy for such waits, the next rounds begin at once. (After the commit_delay of PostgreSQL,
// which waits for a time that somebody has set.)
//
// To wake a thread takes about as long as it then needs to begin the next flush, and the device would rest for both. So
// the first in line stays awake, and lets others run, while the flushes are short.
//
//   FR1  Who sleeps is woken when its round is over, and of the next round, unless all are, one: to lead it.
//   FR2  Nobody waits for company longer than the last flush took, and kAwakeMax at the most, but for what the system
//        takes to come back from letting others run; where that is long, the next rounds do without.

#ifndef KEEL_WAL_FLUSH_ROUNDS_H_
#define KEEL_WAL_FLUSH_ROUNDS_H_

#include <absl/container/inlined_vector.h>
#include <absl/time/time.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "io/clock.h"
#include "io/parker.h"

namespace keel::wal {

// REQUIRES: the log writer's mutex, for every call but the static ones.
class FlushRounds {
 public:
  enum class Round : uint8_t { kThis, kNext };
  using Sleepers = absl::InlinedVector<io::Parker*, 16>;

  // So many commits are going to be durable with that round.
  void Join(Round round, uint32_t commits);
  // `parker` is woken by End. True: as the first of the next round it had better stay awake (StayAwake).
  bool Follow(Round round, io::Parker* parker);
  static void StayAwake(const io::Parker& parker, const io::Clock& clock);

  // Whom this round's leader is to wait for before it begins, if it is not too late for that.
  struct Company {
    const std::atomic<uint32_t>* joined;
    uint32_t alone;
    uint32_t expected;
    absl::Duration until;
  };
  std::optional<Company> Expected(absl::Duration now);
  // Returns when they have come, or the time is over. Without the mutex.
  static void Await(const Company& company, const io::Clock& clock);
  // After it, now.
  void Note(const Company& company, absl::Duration now);

  // This round's flush has been under way from `begin` to `end`.
  void NoteFlush(absl::Duration begin, absl::Duration end);
  // Who is to be woken: of the next round the one who leads it, or all; and those of this round.
  struct Woken {
    Sleepers next;
    Sleepers served;

    void Wake() const;
  };
  // Ends this round; `all`: with all of both.
  Woken End(bool all);

 private:
  // Of a wait while awake; longer flushes are worth a change of threads.
  static constexpr absl::Duration kAwakeMax = absl::Microseconds(200);
  // Rounds that begin at once after a wait that was not worth it.
  static constexpr uint32_t kLonelyRounds = 16;

  uint64_t Index(Round round) const { return (number_ + (round == Round::kNext ? 1 : 0)) % 2; }

  uint64_t number_ = 0;
  // By the round's number, odd or even. The counts are looked at without the mutex too.
  std::array<std::atomic<uint32_t>, 2> joined_ = {};
  std::array<Sleepers, 2> sleepers_;
  uint32_t expected_ = 0;
  uint32_t lonely_rounds_ = 0;  // still to come
  absl::Duration last_end_;
  absl::Duration last_took_;
};

}  // namespace keel::wal

#endif  // KEEL_WAL_FLUSH_ROUNDS_H_
