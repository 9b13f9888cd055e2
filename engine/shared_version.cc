#include "engine/shared_version.h"

namespace keel::engine {

std::shared_ptr<SharedVersion> ShareVisible(const std::shared_ptr<Database::Impl>& database,
                                            std::string_view label) {
  return std::make_shared<SharedVersion>(SharedVersion{database, database->KeepVisible(label)});
}

btree::Range ToRange(const KeyRange& range) {
  btree::Range result{.begin = range.begin_key(), .end = {}};
  if (range.end_key()) result.end = *range.end_key();
  return result;
}

}  // namespace keel::engine
