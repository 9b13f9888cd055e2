// System calls that do what a test says, in place of the ones of the C library and of liburing: the
// test binary defines them itself.
//
//   CallScript script(Call::kPwrite, {AtMost(100), Fails(EINTR)});
//   ... the next pwrite takes 100 bytes, the one after it fails, all others work ...
//   EXPECT_EQ(script.calls(), 3);

#ifndef KEEL_TESTS_UNIT_IO_SCRIPTED_CALLS_H_
#define KEEL_TESTS_UNIT_IO_SCRIPTED_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace keel::io {

enum class Call { kPread, kPwrite, kPwritev2, kFdatasync, kFsync, kFallocate, kUringSubmit };

struct Outcome {
  int error = 0;                  // 0: works
  std::optional<size_t> at_most;  // of a transfer
  // What it says to have transferred, whatever it did; a ring: to have taken, and has not.
  std::optional<size_t> claims;
};
inline Outcome Fails(int error) { return {error, {}, {}}; }
inline Outcome AtMost(size_t bytes) { return {0, bytes, {}}; }
inline Outcome Claims(size_t bytes) { return {0, {}, bytes}; }
inline Outcome Works() { return {}; }

// One at a time for each call. For tests of one thread.
class CallScript {
 public:
  // `from_then_on`: of every call after those in the script.
  CallScript(Call call, std::vector<Outcome> script, Outcome from_then_on = Works());
  ~CallScript();
  CallScript(const CallScript&) = delete;
  CallScript& operator=(const CallScript&) = delete;

  size_t calls() const { return calls_; }

  Outcome Next();

 private:
  const Call call_;
  const std::vector<Outcome> script_;
  const Outcome from_then_on_;
  size_t calls_ = 0;
};

// Changes requests of rings, by tag, as they are submitted: the length that is asked of the kernel,
// and the result that is seen. Each change is made once.
class RingScript {
 public:
  RingScript();
  ~RingScript();
  RingScript(const RingScript&) = delete;
  RingScript& operator=(const RingScript&) = delete;

  RingScript& Shorten(uint64_t tag, uint32_t length) {
    lengths[tag] = length;
    return *this;
  }
  RingScript& Answer(uint64_t tag, int result) {
    results[tag] = result;
    return *this;
  }

  std::map<uint64_t, uint32_t> lengths;
  std::map<uint64_t, int> results;
  std::map<uint64_t, int> real_results;  // what the kernel said, by tag
};

}  // namespace keel::io

#endif  // KEEL_TESTS_UNIT_IO_SCRIPTED_CALLS_H_
