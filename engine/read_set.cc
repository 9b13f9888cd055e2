#include "engine/read_set.h"

namespace keel::engine {

namespace {

// A set's entry beside its bytes, about.
constexpr size_t kOverheadBytes = 96;

}  // namespace

void ReadSet::AddKey(KeyspaceId keyspace, std::string_view key) {
  RangeSet& seen = keyspaces_[keyspace.value].seen;
  bytes_ -= seen.memory_bytes();
  seen.AddKey(key);
  bytes_ += seen.memory_bytes();
}

void ReadSet::AddRange(KeyspaceId keyspace, const btree::Range& range) {
  RangeSet& seen = keyspaces_[keyspace.value].seen;
  bytes_ -= seen.memory_bytes();
  seen.Add(range);
  bytes_ += seen.memory_bytes();
}

void ReadSet::AddCount(KeyspaceId keyspace, const btree::Range& range) {
  CountedRange counted(range.begin, std::nullopt);
  if (range.end) counted.second.emplace(*range.end);
  const size_t bytes = range.begin.size() + range.end.value_or("").size() + kOverheadBytes;
  if (keyspaces_[keyspace.value].counted.insert(std::move(counted)).second) bytes_ += bytes;
}

}  // namespace keel::engine
