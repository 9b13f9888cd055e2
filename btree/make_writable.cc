// MakeWritable: the copies of a path ahead of the change that needs them.

#include <optional>
#include <utility>

#include "base/status.h"
#include "btree/node_builder.h"
#include "btree/path.h"
#include "btree/tree.h"

namespace keel::btree {
namespace {

bool HoldsInExtents(const NodeView& leaf, std::string_view key) {
  bool found = false;
  const size_t at = leaf.LowerBound(key, &found);
  return found && leaf.value(at).large;
}

}  // namespace

absl::StatusOr<bool> MakeWritable(PageSink& pages, KeyspaceId keyspace, TreeRoot* root,
                                  std::string_view key, BeforeChange before_change) {
  if (root->empty()) return true;
  const Epoch now = pages.current_epoch();
  Path path;
  KEEL_RETURN_IF_ERROR(Descend(pages, keyspace, *root, key, &path, now));
  if (HoldsInExtents(path[0].node(), key)) return false;
  if (path[0].reference.birth == now) return true;  // and so is every page above it (B5)
  KEEL_RETURN_IF_ERROR(pages.Reserve(path.size()));
  KEEL_RETURN_IF_ERROR(before_change());
  pager::Reference below;
  for (size_t level = 0; level < path.size(); ++level) {
    PathStep& step = path[level];
    const pager::MutablePage page = pages.Change(std::move(step.page));
    if (level > 0) NodeEditor(page.bytes, pages.page_bytes()).SetReference(step.slot, below);
    if (page.id == step.reference.id) return true;  // whatever is above refers to it already
    below = step.reference;
    below.id = page.id;
    below.birth = page.birth;
  }
  root->reference = below;
  return true;
}

size_t CountWritable(PageSink& pages, KeyspaceId keyspace, const TreeRoot& root, RowAt rows) {
  const std::optional<Row> first = rows(0);
  if (!first.has_value()) return 0;
  if (root.empty()) return 1;
  Path path;
  if (!Descend(pages, keyspace, root, first->key, &path, pages.current_epoch()).ok()) return 0;
  const NodeView leaf = path[0].node();
  if (HoldsInExtents(leaf, first->key)) return 0;
  const FencesAbove fences = FencesOf(path, 0);
  for (size_t number = 1;; ++number) {
    const std::optional<Row> row = rows(number);
    if (!row || !fences.Hold(row->key) || HoldsInExtents(leaf, row->key)) return number;
  }
}

}  // namespace keel::btree
