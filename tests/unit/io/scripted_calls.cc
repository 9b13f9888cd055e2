#include "tests/unit/io/scripted_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace keel::io {
namespace {

std::array<std::atomic<CallScript*>, 7> scripts;
std::atomic<RingScript*> ring_script;

std::atomic<CallScript*>& ScriptOf(Call call) { return scripts[static_cast<size_t>(call)]; }

// What the call is to do now; with an error, errno is set.
Outcome Ask(Call call) {
  CallScript* script = ScriptOf(call);
  const Outcome outcome = script == nullptr ? Works() : script->Next();
  if (outcome.error != 0) errno = outcome.error;
  return outcome;
}

size_t Cut(const Outcome& outcome, size_t count) {
  return std::min(count, outcome.at_most.value_or(count));
}

ssize_t Told(const Outcome& outcome, ssize_t result) {
  return outcome.claims.has_value() ? static_cast<ssize_t>(*outcome.claims) : result;
}

int RealSubmit(io_uring* ring) {
  static const auto real =
      reinterpret_cast<int (*)(io_uring*)>(dlsym(RTLD_NEXT, "io_uring_submit"));
  return real(ring);
}

void ShortenEntries(io_uring* ring, RingScript& script) {
  for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; ++i) {
    io_uring_sqe& entry = ring->sq.sqes[i & ring->sq.ring_mask];
    const auto length = script.lengths.find(entry.user_data);
    if (length == script.lengths.end()) continue;
    entry.len = length->second;
    script.lengths.erase(length);
  }
}

// Waits for everything submitted and puts the scripted results in the place of the real ones.
void ReplaceResults(io_uring* ring, RingScript& script, int submitted) {
  while (io_uring_cq_ready(ring) < static_cast<unsigned>(submitted)) usleep(100);
  unsigned head = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(ring, head, entry) {
    script.real_results[entry->user_data] = entry->res;
    const auto result = script.results.find(entry->user_data);
    if (result == script.results.end()) continue;
    entry->res = result->second;
    script.results.erase(result);
  }
}

}  // namespace

CallScript::CallScript(Call call, std::vector<Outcome> script, Outcome from_then_on)
    : call_(call), script_(std::move(script)), from_then_on_(from_then_on) {
  KEEL_CHECK(ScriptOf(call_) == nullptr);
  ScriptOf(call_) = this;
}

CallScript::~CallScript() { ScriptOf(call_) = nullptr; }

Outcome CallScript::Next() {
  const size_t call = calls_++;
  return call < script_.size() ? script_[call] : from_then_on_;
}

RingScript::RingScript() {
  KEEL_CHECK(ring_script == nullptr);
  ring_script = this;
}

RingScript::~RingScript() { ring_script = nullptr; }

}  // namespace keel::io

using keel::io::Ask;
using keel::io::Call;
using keel::io::Cut;
using keel::io::Outcome;
using keel::io::Told;

ssize_t pread(int fd, void* buffer, size_t count, off_t offset) {
  const Outcome outcome = Ask(Call::kPread);
  if (outcome.error != 0) return -1;
  return Told(outcome, syscall(SYS_pread64, fd, buffer, Cut(outcome, count), offset));
}

ssize_t pwrite(int fd, const void* data, size_t count, off_t offset) {
  const Outcome outcome = Ask(Call::kPwrite);
  if (outcome.error != 0) return -1;
  return Told(outcome, syscall(SYS_pwrite64, fd, data, Cut(outcome, count), offset));
}

ssize_t pwritev2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  const Outcome outcome = Ask(Call::kPwritev2);
  if (outcome.error != 0) return -1;
  KEEL_CHECK(count == 1);
  iovec part = *parts;
  part.iov_len = Cut(outcome, part.iov_len);
  return Told(outcome, syscall(SYS_pwritev2, fd, &part, 1, offset, 0L, flags));
}

int fdatasync(int fd) {
  if (Ask(Call::kFdatasync).error != 0) return -1;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

int fsync(int fd) {
  if (Ask(Call::kFsync).error != 0) return -1;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  if (Ask(Call::kFallocate).error != 0) return -1;
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, length));
}

extern "C" int io_uring_submit(io_uring* ring) {
  const Outcome outcome = Ask(Call::kUringSubmit);
  if (outcome.error != 0) return -outcome.error;
  if (outcome.claims.has_value()) return static_cast<int>(*outcome.claims);
  keel::io::RingScript* script = keel::io::ring_script;
  if (script == nullptr) return keel::io::RealSubmit(ring);
  keel::io::ShortenEntries(ring, *script);
  const int submitted = keel::io::RealSubmit(ring);
  if (submitted > 0) keel::io::ReplaceResults(ring, *script, submitted);
  return submitted;
}
