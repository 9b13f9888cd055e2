// Versions: immutable sets of tree roots.

#ifndef KEEL_ENGINE_VERSION_H_
#define KEEL_ENGINE_VERSION_H_

#include <absl/container/btree_map.h>
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/types.h"
#include "engine/version_readers.h"
#include "pager/reference.h"

namespace keel::engine {

// Roots by keyspace id: a sorted list of chunks that copies share until one changes its own (copying costs the
// number of chunks, changing one chunk). Ids may be far apart, as they are never used again, and as a hostile
// file likes: only those with a root take memory.
class RootTable {
 public:
  // An empty root for a keyspace that has none.
  pager::TreeRoot Get(KeyspaceId id) const {
    const size_t at = LowerBound(id.value / kRoots);
    if (at == chunks_.size() || chunks_[at].number != id.value / kRoots) return {};
    return (*chunks_[at].roots)[id.value % kRoots];
  }
  void Set(KeyspaceId id, const pager::TreeRoot& root);

 private:
  static constexpr uint32_t kRoots = 16;
  using Roots = std::array<pager::TreeRoot, kRoots>;
  struct Chunk {
    uint32_t number = 0;
    std::shared_ptr<Roots> roots;
  };

  size_t LowerBound(uint32_t number) const {
    const auto below = [number](const Chunk& chunk) { return chunk.number < number; };
    return static_cast<size_t>(std::ranges::partition_point(chunks_, below) - chunks_.begin());
  }

  absl::InlinedVector<Chunk, 1> chunks_;
};

// Never given to a keyspace, so that there is always a next id.
inline constexpr KeyspaceId kLastKeyspace{UINT32_MAX};

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
  // Ids are never reused: larger than any so far. At kLastKeyspace there are no more.
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
struct Version : std::enable_shared_from_this<Version> {
  Version() = default;
  Version(Epoch its_epoch, Lsn its_lsn, CommitNumber its_number, TreeState its_state)
      : epoch(its_epoch), lsn(its_lsn), number(its_number), state(std::move(its_state)) {}

  Epoch epoch;          // no page in it is younger
  Lsn lsn;              // end of the record of its last commit
  CommitNumber number;  // of its last commit
  TreeState state;
  mutable VersionReaders readers;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VERSION_H_
