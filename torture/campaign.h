// The campaigns: what a case of each is, made from a seed and a number alone.

#ifndef KEEL_TORTURE_CAMPAIGN_H_
#define KEEL_TORTURE_CAMPAIGN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "torture/stop.h"
#include "torture/tally.h"

namespace keel::torture {

enum class Campaign : uint8_t {
  kCrash,       // A: power cut at every I/O step
  kNested,      // B: and again within the recovery, three deep
  kFault,       // C: an error at every I/O step, once or for ever, then a crash
  kExhaustive,  // D: every sequence of up to four operations
  kSoak,        // E: long lives with random faults, kills and power cuts
  kSchedule,    // F: one thread stopped at every I/O step while another works
  kGroups,      // G: threads that commit as groups, then power cut at every I/O step
};
inline constexpr std::array kCampaigns = {
    Campaign::kCrash, Campaign::kNested,   Campaign::kFault, Campaign::kExhaustive,
    Campaign::kSoak,  Campaign::kSchedule, Campaign::kGroups};
char CampaignLetter(Campaign campaign);
std::string_view CampaignName(Campaign campaign);
std::optional<Campaign> CampaignOf(char letter);
// Cases from which on every rare state must have been met.
uint64_t CasesToMeetAll(Campaign campaign);

struct Case {
  Campaign campaign = Campaign::kCrash;
  uint64_t seed = 0;
  uint64_t number = 0;
  // The steps of its script that are played, ascending; nothing: all.
  std::optional<std::vector<size_t>> steps;
};

// Plays it and counts. Violations are in the tally. Thread-safe for different tallies.
// A case that is cut short by `stop` proves what it has done until then, and is counted apart.
void RunCase(const Case& what, Tally* tally, const Stop& stop = Never);
// How many steps its whole script has; 0: it cannot be shrunk.
size_t ScriptSteps(const Case& what);

// Steps left out as long as it still fails (delta debugging: Zeller and Hildebrandt, Simplifying
// and Isolating Failure-Inducing Input, TSE 2002). REQUIRES: it fails.
Case Shrink(const Case& failing, int attempts);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_CAMPAIGN_H_
