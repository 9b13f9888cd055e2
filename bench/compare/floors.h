// bench/compare: what disk and memory allow at best, measured in the same run as the stores.
//
// A floor is a pseudo-store of one workload: "disk" writes and reads without any store above, "memory" copies.

#ifndef KEEL_BENCH_COMPARE_FLOORS_H_
#define KEEL_BENCH_COMPARE_FLOORS_H_

#include <vector>

#include "bench/compare/store.h"
#include "bench/compare/workload.h"

namespace keel::compare {

void AddFloors(std::vector<Workload>* workloads);

// The pseudo-stores, for the results' list.
std::vector<StoreKind> FloorKinds();

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_FLOORS_H_
