// Verifies a tree: order, fences, counts, births, every page once (B1-B6).

#ifndef KEEL_BTREE_TREE_CHECK_H_
#define KEEL_BTREE_TREE_CHECK_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

#include "btree/tree.h"

namespace keel::btree {

struct TreeDamage {
  PageId page;
  std::string problem;    // what is wrong, with expected and found
  std::string key_begin;  // the key range that is affected
  std::string key_end;    // with has_key_end
  bool has_key_end = false;
};

struct TreeCheckReport {
  uint64_t entries = 0;
  uint64_t internal_pages = 0;
  uint64_t leaf_pages = 0;
  uint64_t extent_pages = 0;
  uint64_t key_bytes = 0;
  uint64_t value_bytes = 0;
  uint64_t leaf_bytes_used = 0;
  std::vector<TreeDamage> damages;  // at most `max_damages`
};

struct TreeCheckOptions {
  bool read_extents = true;  // verify the checksums of large values too
  size_t max_damages = 100;
  // Called for every page (or run) met, once; e.g. to compare with the space map, to find pages that are
  // reachable twice, or to show progress. An error ends the check.
  absl::FunctionRef<absl::Status(PageId first, uint64_t count, Epoch birth)> on_page;
};

// Walks the whole tree, going on past damage. Only errors that are no damage (memory, on_page) are
// returned.
absl::Status CheckTree(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                       const TreeCheckOptions& options, TreeCheckReport* report);

}  // namespace keel::btree

#endif  // KEEL_BTREE_TREE_CHECK_H_
