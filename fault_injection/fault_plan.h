// What goes wrong on a simulated disk, and when.
//
//   FaultPlan plan(seed);
//   plan.Add({.fault = Fault::kIoError, .calls = {CallKind::kSync},
//             .purpose = io::SyncPurpose::kLogFlush, .times = 1});
//   plan.Add({.fault = Fault::kNoSpace, .from_step = 200, .times = FaultRule::kForEver});
//   file_system.set_plan(plan);

#ifndef KEEL_FAULT_INJECTION_FAULT_PLAN_H_
#define KEEL_FAULT_INJECTION_FAULT_PLAN_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fault_injection/mix.h"
#include "io/file_system.h"

namespace keel::fault_injection {

enum class CallKind : uint8_t {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kAllocate,
  kTruncate,
  kLock,
  kSyncDirectory,
  kCreateDirectory,
  kList,
  kExists,
  kRename,
  kRemove,
  kFreeSpace,
};
inline constexpr size_t kCallKinds = static_cast<size_t>(CallKind::kFreeSpace) + 1;
std::string_view CallKindName(CallKind kind);
// Whether it can change what is on the disk, or what is durable.
bool IsChange(CallKind kind);

// One call of the engine; steps count from 0.
struct Call {
  uint64_t step = 0;
  CallKind kind = CallKind::kOpen;
  std::string path;
  uint64_t offset = 0;
  uint64_t length = 0;
  io::SyncPurpose purpose = io::SyncPurpose::kLogFlush;  // of syncs and data-sync writes
};

enum class Fault : uint8_t {
  // Errors, told to the caller. Of a write any part may have arrived.
  kIoError,
  kNoSpace,
  kQuota,
  kReadOnly,
  kAccess,
  kNoMemory,
  kTooManyFiles,
  kPowerOff,  // from here on every call fails, and none does anything
  // Silent: the caller is told that all is well.
  kLostWrite,
  kMisdirectedWrite,  // to another aligned place of the file
  kDuplicatedWrite,   // to its place and another
  kLyingSync,         // nothing becomes durable
  kFlippedBit,        // in what a read returns, this time
  kStaleRead,         // what was durable before
  kZeroRead,
};
std::string_view FaultName(Fault fault);
bool IsSilent(Fault fault);
// Whether a call of this kind can suffer it.
bool CanSuffer(CallKind kind, Fault fault);

struct FaultRule {
  static constexpr uint64_t kForEver = 0;

  Fault fault = Fault::kIoError;
  std::vector<CallKind> calls = {};             // none: all that can suffer it
  std::string path_part = {};                   // in the path; empty: any path
  std::optional<io::SyncPurpose> purpose = {};  // of syncs
  uint64_t from_step = 0;
  uint64_t to_step = std::numeric_limits<uint64_t>::max();  // exclusive
  double probability = 1;
  uint64_t times = 1;
};

class FaultPlan {
 public:
  explicit FaultPlan(uint64_t seed = 0) : random_(seed) {}

  void Add(FaultRule rule) { rules_.push_back({std::move(rule), 0}); }
  // What the call suffers: the first rule that fits decides.
  std::optional<Fault> Ask(const Call& call);
  uint64_t hits() const { return hits_; }

 private:
  struct Active {
    FaultRule rule;
    uint64_t hits = 0;
  };

  bool Fits(const Active& active, const Call& call);

  SeededRandom random_;
  std::vector<Active> rules_;
  uint64_t hits_ = 0;
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_FAULT_PLAN_H_
