// Versions: immutable sets of tree roots.

#ifndef KEEL_ENGINE_VERSION_H_
#define KEEL_ENGINE_VERSION_H_

#include <absl/container/btree_map.h>
#include <absl/container/inlined_vector.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "pager/reference.h"

namespace keel::engine {

// Roots by keyspace id: an array in chunks that copies share until one changes its own (copying costs the
// number of chunks, changing one chunk).
class RootTable {
 public:
  // An empty root for a keyspace that has none.
  pager::TreeRoot Get(KeyspaceId id) const {
    const size_t chunk = id.value / kChunk;
    if (chunk >= chunks_.size() || chunks_[chunk] == nullptr) return {};
    return (*chunks_[chunk])[id.value % kChunk];
  }
  void Set(KeyspaceId id, const pager::TreeRoot& root);

 private:
  static constexpr size_t kChunk = 16;
  using Chunk = std::array<pager::TreeRoot, kChunk>;

  absl::InlinedVector<std::shared_ptr<Chunk>, 1> chunks_;
};

// Names and numbers of keyspaces. Immutable once in a version; changed by copying.
class KeyspaceNames {
 public:
  KeyspaceNames();

  bool Exists(KeyspaceId id) const { return id == kDefaultKeyspace || names_.contains(id.value); }
  std::optional<KeyspaceId> Find(std::string_view name) const;
  // "" if there is none.
  std::string_view Name(KeyspaceId id) const;
  void Add(KeyspaceId id, std::string_view name);
  void Remove(KeyspaceId id);
  // Ids are never reused: larger than any so far.
  KeyspaceId next() const { return KeyspaceId{next_}; }
  void set_next(uint32_t next) { next_ = next; }

  const absl::btree_map<uint32_t, std::string>& names() const { return names_; }

 private:
  absl::btree_map<uint32_t, std::string> names_;  // with the default keyspace
  uint32_t next_ = 1;
};

inline constexpr std::string_view kDefaultKeyspaceName = "default";

// What a transaction changes: copying it is a savepoint.
struct TreeState {
  RootTable roots;
  std::shared_ptr<const KeyspaceNames> names;
};

// One state of the database.
struct Version {
  Epoch epoch;          // no page in it is younger
  Lsn lsn;              // end of the record of its last commit
  CommitNumber number;  // of its last commit
  TreeState state;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VERSION_H_
