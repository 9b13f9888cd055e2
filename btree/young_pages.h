// The pages of a tree that a checkpoint has to write: those younger than the checkpoint before.
//
// A child is never younger than its parent (B5), so the walk goes only into references with birth > `since` and
// costs as much as has changed. Leaves are read only where they hold large values.

#ifndef KEEL_BTREE_YOUNG_PAGES_H_
#define KEEL_BTREE_YOUNG_PAGES_H_

#include <absl/status/status.h>

#include "btree/tree.h"
#include "pager/page_set.h"

namespace keel::btree {

// Adds to `young` every page of the tree with birth > since, raw pages of large values among them.
absl::Status CollectYoungPages(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                               Epoch since, pager::PageSet* young);

}  // namespace keel::btree

#endif  // KEEL_BTREE_YOUNG_PAGES_H_
