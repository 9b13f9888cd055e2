// bench/compare: work that is a mix of calls: all of YCSB, and every workload that is one call over and over.

#ifndef KEEL_BENCH_COMPARE_MIX_H_
#define KEEL_BENCH_COMPARE_MIX_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace keel::compare {

enum class Call : uint8_t {
  kRead,
  kUpdate,  // puts a row that is there
  kInsert,  // puts one that is not
  kScan,    // from a row on
  kReadModifyWrite,
  kSnapshotReads,  // many keys, one by one, of one state
  kMultiGet,       // many keys, one call
  kTickets,        // many updates, then one wait until all of them are durable
};
inline constexpr size_t kCalls = 8;

enum class Distribution : uint8_t {
  kUniform,
  kZipfian,  // scrambled, 0.99
  kLatest,   // zipfian, the row that was inserted last being the most frequent
};

struct Mix {
  std::array<unsigned, kCalls> percent = {};  // of each Call; together 100
  Distribution distribution = Distribution::kUniform;
  // Of kSnapshotReads, kMultiGet, kTickets: keys a call. Each is counted as an operation.
  uint64_t keys = 100;
  // Rows of a kScan: from scan_min to scan_max, uniform.
  uint64_t scan_min = 100;
  uint64_t scan_max = 100;
  // One of so many calls is timed. For quick calls more than 1, so that the clock is no part of the figure.
  uint64_t timed_one_in = 1;

  unsigned percent_of(Call call) const { return percent[static_cast<size_t>(call)]; }
  static Mix Only(Call call) { return Of({{call, 100}}); }
  struct Share {
    Call call;
    unsigned percent;
  };
  template <size_t n>
  static Mix Of(const Share (&shares)[n]) {
    Mix mix;
    for (const Share& share : shares) mix.percent[static_cast<size_t>(share.call)] = share.percent;
    return mix;
  }
};

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_MIX_H_
