#include "bench/compare/run_open.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "bench/compare/clock.h"
#include "bench/compare/open_store.h"
#include "bench/compare/process_usage.h"
#include "bench/compare/random.h"

namespace keel::compare {
namespace {

struct Change {
  uint64_t slot = 0;
  uint64_t version = 0;
};

std::vector<Change> RandomChanges(const Assignment& assignment, uint64_t count) {
  Random random(assignment.seed);
  std::vector<Change> changes(count);
  for (Change& change : changes) {
    change.slot = assignment.rows.SortedSlot(random.Below(assignment.rows.count()));
    change.version = random.Next();
  }
  return changes;
}

absl::Status TimeOpen(const Assignment& assignment, std::unique_ptr<Store>* store,
                      std::unique_ptr<Session>* session, Measurement* measurement) {
  const uint64_t slot = assignment.rows.SortedSlot(assignment.rows.count() / 2);
  bool right = false;
  const uint64_t begin = NowNs();
  KEEL_ASSIGN_OR_RETURN(*store, assignment.kind.open(assignment.store_options));
  KEEL_ASSIGN_OR_RETURN(*session, (*store)->NewSession());
  KEEL_RETURN_IF_ERROR((*session)->Get(
      Key(slot), [&](std::string_view value) { right = assignment.rows.Check(slot, value); }));
  const uint64_t taken = NowNs() - begin;
  measurement->operations = 1;
  measurement->seconds = static_cast<double>(taken) / 1e9;
  measurement->latencies.Add(taken);
  measurement->peak_memory_bytes = PeakMemoryBytes();
  if (!right) return absl::DataLossError("the first value that was read is not right");
  return absl::OkStatus();
}

absl::Status MakeChanges(const Assignment& assignment, const std::vector<Change>& changes,
                         std::unique_ptr<Store>* store, std::unique_ptr<Session>* session) {
  KEEL_ASSIGN_OR_RETURN(*store, assignment.kind.open(assignment.store_options));
  KEEL_ASSIGN_OR_RETURN(*session, (*store)->NewSession());
  std::string value;
  for (const Change& change : changes) {
    assignment.rows.Fill(change.slot, change.version, &value);
    KEEL_RETURN_IF_ERROR((*session)->Put(Key(change.slot), value));
  }
  return (*store)->Sync();
}

// In the process that will be killed: says that all is durable, and waits.
[[noreturn]] void ChangeAndWait(const Assignment& assignment, const std::vector<Change>& changes,
                                int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::unique_ptr<Store> store;
  std::unique_ptr<Session> session;
  const absl::Status status = MakeChanges(assignment, changes, &store, &session);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    _exit(1);
  }
  if (write(ready, "!", 1) != 1) _exit(1);
  for (;;) pause();
}

absl::Status ChangeAndKill(const Assignment& assignment, const std::vector<Change>& changes) {
  int ends[2];
  if (pipe(ends) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const pid_t child = fork();
  if (child < 0) return absl::ErrnoToStatus(errno, "fork");
  if (child == 0) ChangeAndWait(assignment, changes, ends[1]);
  close(ends[1]);
  char said = 0;
  const bool ready = read(ends[0], &said, 1) == 1;
  close(ends[0]);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!ready) return absl::InternalError("the process that was to be killed failed before");
  return absl::OkStatus();
}

absl::Status LookForLast(const Assignment& assignment, const std::vector<Change>& changes,
                         Session& session) {
  constexpr size_t kLast = 1000;
  std::unordered_set<uint64_t> seen;
  for (auto change = changes.rbegin(); change != changes.rend() && seen.size() < kLast; ++change) {
    if (!seen.insert(change->slot).second) continue;
    bool right = false;
    KEEL_RETURN_IF_ERROR(session.Get(Key(change->slot), [&](std::string_view value) {
      right =
          assignment.rows.Check(change->slot, value) && Rows::VersionOf(value) == change->version;
    }));
    if (!right) return absl::DataLossError("a durable put is gone after the kill");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunOpenClean(const Assignment& assignment, Measurement* measurement) {
  std::unique_ptr<Store> store;
  std::unique_ptr<Session> session;
  KEEL_RETURN_IF_ERROR(TimeOpen(assignment, &store, &session, measurement));
  session.reset();
  return store->Close();
}

absl::Status RunOpenAfterKill(const Assignment& assignment, uint64_t puts,
                              Measurement* measurement) {
  const std::vector<Change> changes = RandomChanges(assignment, puts);
  KEEL_RETURN_IF_ERROR(ChangeAndKill(assignment, changes));
  std::unique_ptr<Store> store;
  std::unique_ptr<Session> session;
  KEEL_RETURN_IF_ERROR(TimeOpen(assignment, &store, &session, measurement));
  KEEL_RETURN_IF_ERROR(LookForLast(assignment, changes, *session));
  session.reset();
  return store->Close();
}

}  // namespace keel::compare
