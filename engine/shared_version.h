// A registered version that snapshots, cursors and transactions share.

#ifndef KEEL_ENGINE_SHARED_VERSION_H_
#define KEEL_ENGINE_SHARED_VERSION_H_

#include <keel/key_range.h>

#include <memory>
#include <string_view>

#include "btree/tree.h"
#include "engine/database_impl.h"
#include "engine/version_registry.h"

namespace keel::engine {

// The database outlives it.
struct SharedVersion {
  std::shared_ptr<Database::Impl> database;
  VersionKeeper keeper;  // released first
};

std::shared_ptr<SharedVersion> ShareVisible(const std::shared_ptr<Database::Impl>& database,
                                            std::string_view label = {});

// The views are good as long as the range.
btree::Range ToRange(const KeyRange& range);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_SHARED_VERSION_H_
