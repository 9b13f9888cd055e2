#include "engine/read_set.h"

namespace keel::engine {

namespace {

// A set's entry beside its bytes, about.
constexpr size_t kOverheadBytes = 96;

size_t BytesOf(const ReadSet::CountedRange& counted) {
  return counted.first.size() + counted.second.value_or("").size() + kOverheadBytes;
}

}  // namespace

ReadSet::KeyspaceReads& ReadSet::Of(KeyspaceId keyspace) {
  const auto [at, is_new] = keyspaces_.try_emplace(keyspace.value);
  if (is_new) bytes_ += kOverheadBytes;
  return at->second;
}

void ReadSet::AddKeyspace(KeyspaceId keyspace) { Of(keyspace); }

void ReadSet::AddKey(KeyspaceId keyspace, std::string_view key) {
  RangeSet& seen = Of(keyspace).seen;
  bytes_ -= seen.memory_bytes();
  seen.AddKey(key);
  bytes_ += seen.memory_bytes();
}

void ReadSet::AddRange(KeyspaceId keyspace, const btree::Range& range) {
  RangeSet& seen = Of(keyspace).seen;
  bytes_ -= seen.memory_bytes();
  seen.Add(range);
  bytes_ += seen.memory_bytes();
}

void ReadSet::AddCount(KeyspaceId keyspace, const btree::Range& range) {
  CountedRange counted(range.begin, std::nullopt);
  if (range.end) counted.second.emplace(*range.end);
  const size_t bytes = BytesOf(counted);
  if (Of(keyspace).counted.insert(std::move(counted)).second) bytes_ += bytes;
}

bool ReadSet::Coarsen() {
  const size_t before = bytes_;
  for (auto& [id, reads] : keyspaces_) {
    bytes_ -= reads.seen.memory_bytes();
    // A range that was counted is one that was seen, and more.
    for (const CountedRange& counted : reads.counted) {
      btree::Range range{.begin = counted.first, .end = {}};
      if (counted.second) range.end = *counted.second;
      reads.seen.Add(range);
      bytes_ -= BytesOf(counted);
    }
    reads.counted.clear();
    reads.seen.Coarsen();
    bytes_ += reads.seen.memory_bytes();
  }
  return bytes_ < before;
}

}  // namespace keel::engine
