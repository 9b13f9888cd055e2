#include "fault_injection/fault_plan.h"

#include <algorithm>

namespace keel::fault_injection {

std::string_view CallKindName(CallKind kind) {
  switch (kind) {
    case CallKind::kOpen:
      return "open";
    case CallKind::kRead:
      return "read";
    case CallKind::kWrite:
      return "write";
    case CallKind::kSync:
      return "sync";
    case CallKind::kAllocate:
      return "allocate";
    case CallKind::kTruncate:
      return "truncate";
    case CallKind::kLock:
      return "lock";
    case CallKind::kSyncDirectory:
      return "sync directory";
    case CallKind::kCreateDirectory:
      return "create directory";
    case CallKind::kList:
      return "list";
    case CallKind::kExists:
      return "exists";
    case CallKind::kRename:
      return "rename";
    case CallKind::kRemove:
      return "remove";
    case CallKind::kFreeSpace:
      return "free space";
  }
  return "unknown";
}

bool IsChange(CallKind kind) {
  switch (kind) {
    case CallKind::kWrite:
    case CallKind::kSync:
    case CallKind::kAllocate:
    case CallKind::kTruncate:
    case CallKind::kSyncDirectory:
    case CallKind::kCreateDirectory:
    case CallKind::kRename:
    case CallKind::kRemove:
      return true;
    default:
      return false;
  }
}

std::string_view FaultName(Fault fault) {
  switch (fault) {
    case Fault::kIoError:
      return "I/O error";
    case Fault::kNoSpace:
      return "no space";
    case Fault::kQuota:
      return "quota";
    case Fault::kReadOnly:
      return "read-only file system";
    case Fault::kAccess:
      return "permission denied";
    case Fault::kNoMemory:
      return "no memory";
    case Fault::kTooManyFiles:
      return "too many files";
    case Fault::kPowerOff:
      return "power off";
    case Fault::kLostWrite:
      return "lost write";
    case Fault::kMisdirectedWrite:
      return "misdirected write";
    case Fault::kDuplicatedWrite:
      return "duplicated write";
    case Fault::kLyingSync:
      return "lying sync";
    case Fault::kFlippedBit:
      return "flipped bit";
    case Fault::kStaleRead:
      return "stale read";
    case Fault::kZeroRead:
      return "zero read";
  }
  return "unknown";
}

bool IsSilent(Fault fault) { return fault >= Fault::kLostWrite; }

bool CanSuffer(CallKind kind, Fault fault) {
  switch (fault) {
    case Fault::kLostWrite:
    case Fault::kMisdirectedWrite:
    case Fault::kDuplicatedWrite:
      return kind == CallKind::kWrite;
    case Fault::kLyingSync:
      return kind == CallKind::kSync || kind == CallKind::kSyncDirectory;
    case Fault::kFlippedBit:
    case Fault::kStaleRead:
    case Fault::kZeroRead:
      return kind == CallKind::kRead;
    case Fault::kNoSpace:
    case Fault::kQuota:
    case Fault::kReadOnly:
      return IsChange(kind);
    case Fault::kTooManyFiles:
    case Fault::kAccess:
      return kind == CallKind::kOpen || kind == CallKind::kList;
    case Fault::kIoError:
    case Fault::kNoMemory:
    case Fault::kPowerOff:
      return true;
  }
  return false;
}

bool FaultPlan::Fits(const Active& active, const Call& call) {
  const FaultRule& rule = active.rule;
  if (call.step < rule.from_step || call.step >= rule.to_step) return false;
  if (rule.times != FaultRule::kForEver && active.hits >= rule.times) return false;
  if (!CanSuffer(call.kind, rule.fault)) return false;
  if (!rule.calls.empty() && std::ranges::find(rule.calls, call.kind) == rule.calls.end()) {
    return false;
  }
  const bool sync = call.kind == CallKind::kSync || call.kind == CallKind::kSyncDirectory;
  if (rule.purpose.has_value() && (!sync || *rule.purpose != call.purpose)) return false;
  if (call.path.find(rule.path_part) == std::string::npos) return false;
  return rule.probability >= 1 || random_.Chance(rule.probability);
}

std::optional<Fault> FaultPlan::Ask(const Call& call) {
  for (Active& active : rules_) {
    if (!Fits(active, call)) continue;
    ++active.hits;
    ++hits_;
    return active.rule.fault;
  }
  return std::nullopt;
}

}  // namespace keel::fault_injection
