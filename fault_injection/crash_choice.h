// What a loss of power leaves: choices among the pending effects, and the images they make.
//
//   ForEachCrashChoice(durability, budget, random, [&](const CrashChoice& choice) {
//     for (CrashProfile profile : kCrashProfiles) {
//       DiskImage image = BuildCrashImage(durability, Restrict(profile, durability, choice));
//       ...
//     }
//   });
//
// Strategies and profiles follow ALICE (Pillai et al., All File Systems Are Not Created Equal, OSDI
// 2014) and CrashMonkey (Mohan et al., OSDI 2018).

#ifndef KEEL_FAULT_INJECTION_CRASH_CHOICE_H_
#define KEEL_FAULT_INJECTION_CRASH_CHOICE_H_

#include <absl/functional/function_ref.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "fault_injection/durability.h"
#include "fault_injection/mix.h"

namespace keel::fault_injection {

// What a file system and its device promise of unsynced changes; every profile allows all that the
// one before allows.
enum class CrashProfile : uint8_t {
  kPrefix,     // what survives is a prefix of what was done, the last write perhaps torn
  kOrdered,    // as ext4 with ordered data: changes of names and sizes in order, a grown size only
               // with the data under it; renames whole
  kUnordered,  // as xfs, btrfs: names in order, data in none, a size may come without data;
               // renames whole
  kHostile,    // anything; a rename is two names; grown files may hold garbage, and sectors that
               // were being written too
};
inline constexpr std::array kCrashProfiles = {CrashProfile::kPrefix, CrashProfile::kOrdered,
                                              CrashProfile::kUnordered, CrashProfile::kHostile};
std::string_view CrashProfileName(CrashProfile profile);

enum class CrashStrategy : uint8_t {
  kNone,          // nothing of what was pending
  kAll,           // all of it
  kPrefix,        // the oldest n
  kSuffix,        // the newest n
  kAllButOne,     // one missing, each in turn
  kOnlyOne,       // one alone, each in turn
  kByFile,        // all of one file or directory, nothing of the others; and the reverse
  kMetadataOnly,  // names and sizes
  kDataOnly,      // neither
  kTorn,          // all, but of the newest write, or of every write, some sectors only
  kGarbage,       // sizes without their data, and something else there
  kShredded,      // as kTorn, but the sectors that do not survive are neither old nor new
  kExhaustive,    // every subset, when there are few
  kRandom,        // each with a probability of 0.1, 0.5 or 0.9
};
inline constexpr size_t kCrashStrategies = static_cast<size_t>(CrashStrategy::kRandom) + 1;
std::string_view CrashStrategyName(CrashStrategy strategy);

struct CrashChoice {
  CrashStrategy strategy = CrashStrategy::kNone;
  // For each pending effect the sectors that survive; 0: it does not. Of effects that are no data
  // any other value means that they survive.
  std::vector<SectorMask> kept;
  bool garbage = false;   // what is missing in grown parts of files is not zeros
  bool shredded = false;  // what is missing of a write may be half of it, or anything, not the old
  uint64_t seed = 0;      // of both
};

// How many choices to try of the strategies that have many.
struct CrashBudget {
  size_t each = 12;           // of every "each in turn", prefix, suffix and file
  size_t torn = 6;            // of torn ones
  size_t garbage = 2;         // of garbage
  size_t shredded = 2;        // of shredded ones
  size_t random = 3;          // of random ones
  size_t exhaustive_max = 5;  // effects up to which all subsets are tried
};

void ForEachCrashChoice(const Durability& durability, const CrashBudget& budget,
                        SeededRandom& random, absl::FunctionRef<void(const CrashChoice&)> callback);

// The part of a choice that a profile allows.
CrashChoice Restrict(CrashProfile profile, const Durability& durability, CrashChoice choice);

// Settled.
DiskImage BuildCrashImage(const Durability& durability, const CrashChoice& choice);

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_CRASH_CHOICE_H_
