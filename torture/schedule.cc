#include "torture/schedule.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_format.h>

#include <array>
#include <string_view>

#include "fault_injection/mix.h"
#include "torture/scene.h"

namespace keel::torture {

using fault_injection::Mix;

namespace {

// Those that always have I/O steps at which they can be stopped.
constexpr std::array kCarriers = {Act::kCommitSync,  Act::kOptimistic, Act::kHugeCommit,
                                  Act::kManyCommits, Act::kDeleteAll,  Act::kCheckpoint,
                                  Act::kBackground,  Act::kLateSync,   Act::kExpire};

struct Meeting {
  Act carrier;
  Act intruder;
  uint64_t variant;
};

Meeting MeetingOf(uint64_t number) {
  return {kCarriers[number % kCarriers.size()], kActs[number / kCarriers.size() % kActs.size()],
          number / (kCarriers.size() * kActs.size())};
}

}  // namespace

uint64_t SchedulesUpTo(uint64_t times) { return times * kCarriers.size() * kActs.size(); }

std::string ScheduleName(uint64_t number) {
  const Meeting meeting = MeetingOf(number);
  return absl::StrFormat("%s meets %s, %d", ActName(meeting.carrier), ActName(meeting.intruder),
                         meeting.variant);
}

std::string RunSchedule(uint64_t seed, uint64_t number, Tally* tally) {
  ++tally->operations;
  const Meeting meeting = MeetingOf(number);
  const uint64_t chance = Mix(Mix(seed) ^ number);
  Scene rehearsal(chance, meeting.carrier, meeting.intruder, tally);
  const absl::StatusOr<uint64_t> steps = rehearsal.Rehearse();
  if (!steps.ok() || *steps == 0) {
    return absl::StrFormat("%s: %s", ScheduleName(number),
                           steps.ok() ? "a carrier without steps" : steps.status().message());
  }
  Scene scene(chance, meeting.carrier, meeting.intruder, tally);
  const uint64_t step = meeting.variant % *steps;
  const std::string violation = scene.Run(step);
  if (violation.empty()) return "";
  return absl::StrFormat("%s, at step %d of %d: %s", ScheduleName(number), step, *steps, violation);
}

}  // namespace keel::torture
