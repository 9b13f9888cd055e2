// bench/compare: the stores that are built in.

#ifndef KEEL_BENCH_COMPARE_STORES_H_
#define KEEL_BENCH_COMPARE_STORES_H_

#include <span>
#include <string_view>
#include <vector>

#include "bench/compare/store.h"

namespace keel::compare {

// Keel, what was found of its peers, and the map in memory.
std::vector<StoreKind> StoreKinds();

// Each defined by the adapter of its name, which is built where the store's library is found.
StoreKind KeelKind();
StoreKind LmdbKind();
StoreKind RocksdbKind();
StoreKind SqliteKind();
StoreKind WiredtigerKind();
StoreKind LeveldbKind();
StoreKind BdbKind();
StoreKind MapKind();

}  // namespace keel::compare

#endif  // KEEL_BENCH_COMPARE_STORES_H_
