// What the microbenchmarks share: calls that must succeed, and rows of 16 + 100 bytes.
//
// A benchmark that meets an error measures nothing, so it ends the program and says why.

#ifndef KEEL_BENCH_MICRO_ROWS_H_
#define KEEL_BENCH_MICRO_ROWS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace keel::bench {

void Must(const absl::Status& status);
template <typename T>
T Must(absl::StatusOr<T> result) {
  Must(result.status());
  return *std::move(result);
}

inline constexpr size_t kKeyBytes = 16;
inline constexpr size_t kValueBytes = 100;

// "key 000000000042": keys of one length, ascending as their numbers do.
std::string RowKey(uint64_t number);
// `bytes` printable bytes that no checksum or copy finds easier than others.
std::string RowValue(size_t bytes = kValueBytes);

// Keys of rows 0 to `entries` - 1, drawn at random with a fixed seed; made beforehand, so that a loop over them
// measures neither the drawing nor the formatting.
std::vector<std::string> DrawKeys(uint64_t entries, size_t count = size_t{1} << 16);

// Goes round a list without end.
class Round {
 public:
  template <typename T>
  const T& Next(const std::vector<T>& list) {
    if (at_ == list.size()) at_ = 0;
    return list[at_++];
  }

 private:
  size_t at_ = 0;
};

}  // namespace keel::bench

#endif  // KEEL_BENCH_MICRO_ROWS_H_
