// What two versions of a tree do not have in common.
//
// Versions share every page that neither has changed since they parted, and a reference (id and birth) names one
// content for ever, since births never repeat. So the walk goes through both trees in step, in key order, and steps
// over whatever both reach by the same reference: it reads the pages that differ and the way to them, however many
// entries the trees have.

#ifndef KEEL_BTREE_DIFF_H_
#define KEEL_BTREE_DIFF_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <optional>
#include <string_view>

#include "btree/tree.h"

namespace keel::btree {

// A key whose value is not the same in both. Good until the visitor returns.
struct Change {
  std::string_view key;
  std::optional<ValueSlot> before;  // none: the key is new
  std::optional<ValueSlot> after;   // none: the key is gone
};

// Calls `visit` for every such key of the range, in ascending order; a status of it that is not OK ends the
// walk and is returned. A large value counts as changed when it was written anew, though perhaps with the
// same bytes. Pins a path of each tree. DataLoss: a page is not what its reference says. The versions of
// both roots must be kept by their owner.
absl::Status Diff(PageSource& pages, KeyspaceId keyspace, const TreeRoot& before,
                  const TreeRoot& after, const Range& range,
                  absl::FunctionRef<absl::Status(const Change&)> visit);

}  // namespace keel::btree

#endif  // KEEL_BTREE_DIFF_H_
