#include "wal/flush_rounds.h"

#include <algorithm>
#include <thread>

namespace keel::wal {
namespace {

// Bounds a wait where the clock stands still: at some tenths of a microsecond each, more than kAwakeMax.
constexpr int kYieldsMax = 2000;

template <typename Done>
void YieldUntil(absl::Duration until, const io::Clock& clock, Done&& done) {
  for (int i = 0; i < kYieldsMax && !done() && clock.Now() < until; ++i) std::this_thread::yield();
}

}  // namespace

void FlushRounds::Join(Round round, uint32_t commits) {
  joined_[Index(round)].fetch_add(commits, std::memory_order_relaxed);
}

bool FlushRounds::Follow(Round round, io::Parker* parker) {
  Sleepers& sleepers = sleepers_[Index(round)];
  sleepers.push_back(parker);
  return round == Round::kNext && sleepers.size() == 1 && last_took_ < kAwakeMax;
}

void FlushRounds::StayAwake(const io::Parker& parker, const io::Clock& clock) {
  YieldUntil(clock.Now() + kAwakeMax, clock, [&] { return parker.woken(); });
}

std::optional<FlushRounds::Company> FlushRounds::Expected(absl::Duration now) {
  const std::atomic<uint32_t>& joined = joined_[Index(Round::kThis)];
  const uint32_t alone = joined.load(std::memory_order_relaxed);
  const absl::Duration until = last_end_ + std::min(last_took_, kAwakeMax);
  if (alone == 0 || alone >= expected_ || now >= until) return std::nullopt;
  if (lonely_rounds_ > 0) {
    --lonely_rounds_;
    return std::nullopt;
  }
  return Company{&joined, alone, expected_, until};
}

void FlushRounds::Await(const Company& company, const io::Clock& clock) {
  YieldUntil(company.until, clock,
             [&] { return company.joined->load(std::memory_order_relaxed) >= company.expected; });
}

void FlushRounds::Note(const Company& company, absl::Duration now) {
  const uint32_t missed = company.expected - company.alone;
  const uint32_t came = company.joined->load(std::memory_order_relaxed) - company.alone;
  if (came * 2 < missed || now > company.until + kAwakeMax) lonely_rounds_ = kLonelyRounds;
}

void FlushRounds::NoteFlush(absl::Duration begin, absl::Duration end) {
  last_took_ = end - begin;
  last_end_ = end;
  expected_ =
      joined_[0].load(std::memory_order_relaxed) + joined_[1].load(std::memory_order_relaxed);
}

// Allocates nothing: whatever happens, sleepers are woken (FR1).
FlushRounds::Woken FlushRounds::End(bool all) {
  Sleepers& next = sleepers_[Index(Round::kNext)];
  Woken woken;
  woken.served.swap(sleepers_[Index(Round::kThis)]);
  if (all) {
    woken.next.swap(next);
  } else if (!next.empty()) {
    woken.next.push_back(next.front());
    next.erase(next.begin());
  }
  joined_[Index(Round::kThis)].store(0, std::memory_order_relaxed);
  ++number_;
  return woken;
}

void FlushRounds::Woken::Wake() const {
  for (io::Parker* const sleeper : next) sleeper->Wake();
  for (io::Parker* const sleeper : served) sleeper->Wake();
}

}  // namespace keel::wal
