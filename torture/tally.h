// What a campaign has done so far: counted per case, added up over all of them.

#ifndef KEEL_TORTURE_TALLY_H_
#define KEEL_TORTURE_TALLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fault_injection/crash_choice.h"

namespace keel::torture {

enum class Campaign : uint8_t;

// What went wrong, and how to see it again.
struct Violation {
  Campaign campaign = {};
  uint64_t seed = 0;    // of the whole run
  uint64_t number = 0;  // of the case
  std::string where;    // the place in the case: step, strategy, profile, depth, ...
  std::string what;
};

inline constexpr size_t kDepths = 4;  // 1: a crash; 2: a crash in the recovery from it; ...

// Plain numbers; Add is associative, so that cases may be counted in any order.
struct Tally {
  uint64_t cases = 0;
  uint64_t cut_short = 0;  // of them, because time was up
  uint64_t operations = 0;
  uint64_t crash_points = 0;
  uint64_t faults = 0;
  // Distinct crash images that were recovered and checked.
  std::array<std::array<uint64_t, fault_injection::kCrashProfiles.size()>,
             fault_injection::kCrashStrategies>
      images{};
  std::array<uint64_t, kDepths + 1> recoveries{};  // by depth; 0: of no crash
  // Rare states that were met; a campaign that never met one of its own has not done its work.
  std::map<std::string, uint64_t> sometimes;
  std::vector<Violation> violations;

  void Add(const Tally& other);
  void Met(const std::string& state, bool met = true) { sometimes[state] += met ? 1U : 0U; }
  uint64_t Images() const;
  uint64_t Nested() const;
};

// The table of images by strategy and profile, then the other figures.
std::string Describe(const Tally& tally);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_TALLY_H_
