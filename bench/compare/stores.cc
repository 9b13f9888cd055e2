#include "bench/compare/stores.h"

namespace keel::compare {

std::vector<StoreKind> StoreKinds() {
  return {
      KeelKind(),
#ifdef KEEL_COMPARE_LMDB
      LmdbKind(),
#endif
#ifdef KEEL_COMPARE_ROCKSDB
      RocksdbKind(),
#endif
#ifdef KEEL_COMPARE_SQLITE
      SqliteKind(),
#endif
#ifdef KEEL_COMPARE_WIREDTIGER
      WiredtigerKind(),
#endif
#ifdef KEEL_COMPARE_LEVELDB
      LeveldbKind(),
#endif
#ifdef KEEL_COMPARE_BDB
      BdbKind(),
#endif
      MapKind(),
  };
}

}  // namespace keel::compare
