#include "torture/group_ledger.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <string_view>

#include "base/status.h"

namespace keel::torture {
namespace {

constexpr int kThreadBits = 8;

absl::StatusOr<uint64_t> ReadNumber(const Reader& reader, const std::string& key) {
  const absl::StatusOr<PinnedValue> value = reader.Get(key);
  if (absl::IsNotFound(value.status())) return 0;
  KEEL_RETURN_IF_ERROR(value.status());
  uint64_t number = 0;
  const std::string_view text = value->view();
  if (absl::SimpleAtoi(ToAbsl(text.substr(0, text.find(' '))), &number)) return number;
  return MakeStatus(absl::StatusCode::kDataLoss, "no number under %s: %s", key, text);
}

uint64_t Encode(const ThreadCommit& commit, bool durable) {
  return (commit.number << kThreadBits | commit.thread) << 1 | (durable ? 1 : 0);
}

}  // namespace

std::string FirstKey(size_t thread) { return absl::StrFormat("a%02d", thread); }
std::string SecondKey(size_t thread) { return absl::StrFormat("z%02d", thread); }

absl::StatusOr<Held> ReadHeld(const Reader& reader, size_t threads) {
  Held held;
  for (size_t thread = 0; thread < threads; ++thread) {
    KEEL_ASSIGN_OR_RETURN(const uint64_t first, ReadNumber(reader, FirstKey(thread)));
    KEEL_ASSIGN_OR_RETURN(const uint64_t second, ReadNumber(reader, SecondKey(thread)));
    if (first != second) {
      return MakeStatus(absl::StatusCode::kDataLoss,
                        "half a commit: thread %d has %d under one key, %d under the other", thread,
                        first, second);
    }
    held.push_back(first);
  }
  return held;
}

uint64_t EncodeThreadBegun(const ThreadCommit& commit) { return Encode(commit, false); }
uint64_t EncodeThreadDurable(const ThreadCommit& commit) { return Encode(commit, true); }

void DecodeThreadMark(uint64_t mark, GroupBounds* bounds) {
  const uint64_t number = mark >> (kThreadBits + 1);
  const size_t thread = mark >> 1 & ((uint64_t{1} << kThreadBits) - 1);
  ((mark & 1) != 0 ? bounds->durable : bounds->begun)[thread] = number;
}

std::string Judge(const Held& held, const ThreadLsns& lsns, const GroupBounds& bounds) {
  for (size_t thread = 0; thread < held.size(); ++thread) {
    if (held[thread] >= bounds.durable[thread] && held[thread] <= bounds.begun[thread]) continue;
    return absl::StrFormat("thread %d has %d commits; %d were durable, %d begun", thread,
                           held[thread], bounds.durable[thread], bounds.begun[thread]);
  }
  return JudgeOrder(held, lsns);
}

std::string JudgeOrder(const Held& held, const ThreadLsns& lsns) {
  Lsn newest;
  for (size_t thread = 0; thread < held.size(); ++thread) {
    const uint64_t known = std::min<uint64_t>(held[thread], lsns[thread].size());
    if (known > 0) newest = std::max(newest, lsns[thread][known - 1]);
  }
  for (size_t thread = 0; thread < held.size(); ++thread) {
    if (held[thread] >= lsns[thread].size()) continue;
    const Lsn missing = lsns[thread][held[thread]];
    if (missing > newest) continue;
    return absl::StrFormat("commit %d of thread %d, at %d, is missing below one at %d",
                           held[thread] + 1, thread, missing.value, newest.value);
  }
  return "";
}

}  // namespace keel::torture
