// MultiGet: many keys of one version.
//
// What is in memory is looked up side by side (btree/lookup.h), each group of keys in one guard. What is not is read
// side by side, each page once: that of one group while the next ones are looked up, so that the device has something
// to do from the first miss on. When all are under way a leaf is looked into as soon as it is there, and keys that
// waited for an inner page are looked up again, since there may be more to read below. Whatever else can happen to a
// key (a large value, damage, no memory) is left to Get's long way, which gives each its own answer.
//
// ReadPages goes the same way for the pages alone.

#ifndef KEEL_ENGINE_MULTI_GET_H_
#define KEEL_ENGINE_MULTI_GET_H_

#include <absl/status/statusor.h>
#include <keel/keyspace.h>
#include <keel/pinned_value.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "engine/database_impl.h"
#include "engine/missing_pages.h"
#include "engine/version.h"
#include "pager/page_access.h"

namespace keel::engine {

// For one call. REQUIRES: the version of `state` is kept until it ends.
class MultiGet {
 public:
  MultiGet(Database::Impl& database, const TreeState& state, Keyspace keyspace,
           std::span<const std::string_view> keys)
      : database_(database), state_(state), keyspace_(keyspace), keys_(keys) {}

  // REQUIRES: called once.
  std::vector<absl::StatusOr<PinnedValue>> Run();
  // Only brings the leaves of the keys into memory, as far as that is possible. REQUIRES: called once, instead of Run.
  void ReadPages();

 private:
  struct Pinned {
    size_t key;
    btree::Found found;
  };

  void LookUpFrom(KeyspaceId id);
  // Up to kLookupsTogether keys, given by their numbers.
  void LookUp(std::span<const size_t> numbers);
  void LookUpAll(std::span<const size_t> numbers);
  void Take(size_t number, const btree::LookupResult& found);
  // Looks up those that have not been, until one has to wait for a page. Whether any does.
  bool LookUpMore();
  // The next few of them, none of which waits yet. False: all have been.
  bool LookUpGroup();
  // Those that have been found missing are to be read next.
  void WaitForMissing();
  // Reads what is missing, level by level.
  void LoadMissing();
  // As many of the pages that are waited for, and of those found missing meanwhile, as may be pinned together.
  void LoadSome();
  // Some more of them, added to `pages`; as many `groups` are looked up for them. Empty: that was all for now.
  std::span<const pager::PageWant> MorePages(MissingPages* pages, size_t* groups);
  // Leaves all that is not answered yet to the long way.
  void GiveUp();
  // Answers the key from its leaf, which has just been read.
  void LookInLeaf(size_t number, const pager::PageHandle& leaf);

  Database::Impl& database_;
  const TreeState& state_;
  const Keyspace keyspace_;
  const std::span<const std::string_view> keys_;

  bool answers_wanted_ = true;
  bool nothing_came_ =
      false;  // of the last pages that were asked for: memory is short, or reading fails
  KeyspaceId id_;
  pager::TreeRoot root_;
  std::vector<absl::StatusOr<PinnedValue>> answers_;
  std::vector<Pinned> pinned_;        // of the group at hand
  std::span<const size_t> unseen_;    // keys that have not been looked up yet
  std::vector<MissingPage> missing_;  // by lookups since WaitForMissing
  std::vector<MissingPage> waiting_;  // to be read; the first in the file last
  std::vector<size_t> long_way_;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_MULTI_GET_H_
