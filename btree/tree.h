// The ordered map: variable-length keys and values over copy-on-write pages.
//
// A tree is its root; every change takes a root and makes a new one, sharing what did not change. All
// functions are stateless; who may call them is decided by the PageSource or PageSink they are given.
//
// Invariants (asserted by TreeCheck):
//   B1  Keys are in strictly ascending bytewise order, within a node and across it.
//   B2  Every key of a subtree lies within the fences given by its parents' separators.
//   B3  A reference's entry count is the number of entries below it; "extents below" is set exactly if a
//       leaf below holds a large value.
//   B4  Levels fall by one on each step down; all leaves have level 0; an empty tree has no pages.
//   B5  A child's birth is not after its parent's.
//   B6  No page is reachable twice.

#ifndef KEEL_BTREE_TREE_H_
#define KEEL_BTREE_TREE_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"
#include "btree/node_format.h"  // MaxKeyBytes, kMaxValueBytes, ValueSlot
#include "pager/page_access.h"
#include "pager/reference.h"

namespace keel::btree {

using pager::PageHandle;
using pager::PageSink;
using pager::PageSource;
using pager::TreeRoot;

// [begin, end); no end: unbounded. The views must outlive the call they are given to.
struct Range {
  std::string_view begin;
  std::optional<std::string_view> end;

  bool Contains(std::string_view key) const { return key >= begin && (!end || key < *end); }
};

// Finds `key`. The handle keeps the leaf (and so the slot's bytes) in memory. An empty handle: absent.
struct Found {
  PageHandle leaf;
  ValueSlot value;

  explicit operator bool() const { return static_cast<bool>(leaf); }
};
absl::StatusOr<Found> Find(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                           std::string_view key);

// Changes. On an error `*root` is untouched and nothing has been changed in place, except where said.

// InvalidArgument: a key or a value that no tree takes.
absl::Status CheckEntry(uint32_t page_bytes, std::string_view key, std::string_view value);

// Called when nothing can fail any more, before the first page is changed. Its error is the operation's, which has
// changed nothing then.
using BeforeChange = absl::FunctionRef<absl::Status()>;
inline absl::Status NothingBefore() { return absl::OkStatus(); }

// Whether the value is kept in the leaf: then Put writes to no file before its change.
inline bool KeptInline(uint32_t page_bytes, std::string_view key, std::string_view value) {
  return value.size() <= MaxInlineValueBytes(page_bytes, key.size());
}
// Inserts or replaces. Returns whether the key is new. `key` and `value` may point into pinned pages.
absl::StatusOr<bool> Put(PageSink& pages, KeyspaceId keyspace, TreeRoot* root, std::string_view key,
                         std::string_view value, BeforeChange before_change = NothingBefore);
// The caller's rows by their number; none: that was the last one. What they refer to lies in no page.
struct Row {
  std::string_view key;
  std::string_view value;
};
using RowAt = absl::FunctionRef<std::optional<Row>(size_t)>;
// Puts the first row, of which there has to be one, and those behind it, in their order, for as long as they belong
// into the same leaf and find room there: one way down the tree, and one up, for all of them. Returns how many.
absl::StatusOr<size_t> PutNeighbours(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                                     RowAt rows);
// Removes. Returns whether the key was there; false changes nothing, and calls nothing.
absl::StatusOr<bool> Delete(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                            std::string_view key, BeforeChange before_change = NothingBefore);
// Copies what a Put of this key would copy, so that until the epoch is raised it finds the path in memory, and changes it
// in place. The contents stay the same. False, and nothing is done: the key's value lies in extents, about which Put would
// read more. `before_change` as above.
absl::StatusOr<bool> MakeWritable(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                                  std::string_view key, BeforeChange before_change);
// How many of `rows`, from the first one on, belong into one leaf and MakeWritable would have nothing to do for: asked
// of pages taken in place (pager::WriteSession::InPlace). None: it would for the first one.
size_t CountWritable(PageSink& pages, KeyspaceId keyspace, const TreeRoot& root, RowAt rows);
// Removes every key in the range; returns how many. Rewrites the two edge paths and drops whole subtrees
// between. On an error pages may have been changed or dropped: the caller rolls back to a mark that it
// set before (the tree as it was is intact in frozen pages).
absl::StatusOr<uint64_t> DeleteRange(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                                     const Range& range);
// Drops every page of the tree. Errors as DeleteRange.
absl::Status DropTree(PageSink& pages, KeyspaceId keyspace, const TreeRoot& root);

// Exact number of keys in the range, in O(height).
absl::StatusOr<uint64_t> Count(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                               const Range& range);

}  // namespace keel::btree

#endif  // KEEL_BTREE_TREE_H_
