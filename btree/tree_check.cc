#include "btree/tree_check.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/status.h"
#include "btree/lookup.h"
#include "btree/node_check.h"
#include "btree/node_view.h"
#include "btree/overflow.h"
#include "btree/path.h"

namespace keel::btree {
namespace {

using pager::Reference;

constexpr size_t kReadBytes = size_t{1} << 20;  // of a large value at a time

struct Fences {
  std::string lower;
  std::optional<std::string> upper;
};

// What is found below a reference; not known if something below is damaged.
struct Below {
  uint64_t entries = 0;
  bool extents = false;
  bool known = true;
};

// The walk ends, and takes a time in proportion to what is there, on any bytes: levels fall by one on each
// step, and as the fences of a level's nodes are disjoint, whatever has separators is entered through at
// most one of its references.
class TreeChecker {
 public:
  TreeChecker(PageSource& pages, KeyspaceId keyspace, const TreeCheckOptions& options,
              TreeCheckReport* report)
      : pages_(pages), keyspace_(keyspace), options_(options), report_(report) {}

  absl::Status CheckSubtree(const Reference& reference, uint8_t level, const Fences& fences,
                            Below* below) {
    KEEL_RETURN_IF_ERROR(options_.on_page(reference.id, 1, reference.birth));
    absl::StatusOr<PageHandle> page = PinNode(pages_, keyspace_, reference, level);
    absl::Status checked = page.status();
    if (checked.ok()) checked = CheckPinned(page->bytes(), reference, level);
    if (!checked.ok()) {
      if (!absl::IsDataLoss(checked)) return checked;
      below->known = false;
      AddDamage(reference.id, std::string(MessageOf(checked)), fences);
      return absl::OkStatus();
    }
    const NodeView node(page->bytes());
    KEEL_RETURN_IF_ERROR(level == 0 ? CheckLeaf(node, reference, fences, below)
                                    : CheckInternal(node, reference, fences, below));
    if (below->known) CompareReference(reference, *below, fences);
    return absl::OkStatus();
  }

  void AddDamage(PageId page, std::string problem, const Fences& fences) {
    if (report_->damages.size() >= options_.max_damages) return;
    report_->damages.push_back({page, std::move(problem), fences.lower,
                                fences.upper.value_or(std::string()), fences.upper.has_value()});
  }

 private:
  absl::Status CheckPinned(const std::byte* page, const Reference& reference, uint8_t level) {
    if (!IsWanted(pager::HeaderOf(page), reference.id, reference.birth, keyspace_, level)) {
      return MakeStatus(absl::StatusCode::kDataLoss, "page %d is not what its reference says",
                        reference.id.value);
    }
    return CheckNode({page, pages_.page_bytes()});
  }

  // B3.
  void CompareReference(const Reference& reference, const Below& below, const Fences& fences) {
    if (reference.entries != below.entries) {
      AddDamage(reference.id,
                absl::StrFormat("%d entries expected, found %d", reference.entries, below.entries),
                fences);
    }
    if (reference.extents_below != below.extents) {
      AddDamage(reference.id,
                absl::StrFormat("large values below: %d expected, found %d",
                                reference.extents_below, below.extents),
                fences);
    }
  }

  absl::Status CheckLeaf(const NodeView& node, const Reference& reference, const Fences& fences,
                         Below* below) {
    ++report_->leaf_pages;
    report_->leaf_bytes_used += node.UsedBytes(pages_.page_bytes());
    CompareFences(node, reference, fences);
    below->entries = node.count();
    report_->entries += node.count();
    for (size_t i = 0; i < node.count(); ++i) {
      report_->key_bytes += node.key(i).size();
      const ValueSlot value = node.value(i);
      if (!value.large) {
        report_->value_bytes += value.bytes.size();
        continue;
      }
      below->extents = true;
      KEEL_RETURN_IF_ERROR(CheckLargeValue(node.key(i).ToString(), value.bytes, reference));
    }
    return absl::OkStatus();
  }

  void CompareFences(const NodeView& node, const Reference& reference, const Fences& fences) {
    std::optional<KeyParts> upper;
    if (fences.upper) upper = KeyParts{*fences.upper, {}};
    const absl::Status within = CheckWithin(node, {fences.lower, {}}, upper);
    if (!within.ok()) AddDamage(reference.id, std::string(MessageOf(within)), fences);
  }

  absl::Status CheckLargeValue(const std::string& key, std::string_view bytes,
                               const Reference& leaf) {
    const Fences fences{key, key + '\0'};
    KEEL_ASSIGN_OR_RETURN(const Extent extent, DecodeExtent(bytes, pages_.page_bytes()));
    report_->value_bytes += extent.value_bytes;
    if (extent.birth > leaf.birth) {
      AddDamage(leaf.id, "a large value younger than its leaf", fences);
    }
    for (const pager::PageRun& run : extent.runs) {
      report_->extent_pages += run.count;
      KEEL_RETURN_IF_ERROR(options_.on_page(run.first, run.count, extent.birth));
    }
    if (!options_.read_extents) return absl::OkStatus();
    absl::Status read = ReadLargeValue(extent);
    if (!absl::IsDataLoss(read)) return read;
    AddDamage(extent.runs[0].first, std::string(MessageOf(read)), fences);
    return absl::OkStatus();
  }

  absl::Status ReadLargeValue(const Extent& extent) {
    buffer_.resize(std::min<uint64_t>(kReadBytes, extent.value_bytes));
    const std::span<std::byte> buffer = std::as_writable_bytes(std::span(buffer_));
    for (uint64_t offset = 0; offset < extent.value_bytes; offset += buffer.size()) {
      const uint64_t bytes = std::min<uint64_t>(buffer.size(), extent.value_bytes - offset);
      KEEL_RETURN_IF_ERROR(ReadExtent(pages_, extent, offset, buffer.first(bytes)));
    }
    return absl::OkStatus();
  }

  absl::Status CheckInternal(const NodeView& node, const Reference& reference, const Fences& fences,
                             Below* below) {
    ++report_->internal_pages;
    CompareFences(node, reference, fences);
    for (size_t i = 0; i < node.count(); ++i) {
      const Fences child_fences = ChildFences(node, i, fences);
      if (child_fences.upper && *child_fences.upper <= child_fences.lower) {
        below->known = false;  // outside its own fences, as CompareFences has said
        continue;
      }
      Below child;
      KEEL_RETURN_IF_ERROR(CheckSubtree(
          node.reference(i), static_cast<uint8_t>(node.header().level - 1), child_fences, &child));
      below->entries += child.entries;
      below->extents |= child.extents;
      below->known &= child.known;
    }
    return absl::OkStatus();
  }

  static Fences ChildFences(const NodeView& node, size_t i, const Fences& fences) {
    Fences child{fences.lower, fences.upper};
    if (i > 0) child.lower = std::max(child.lower, node.key(i).ToString());
    if (i + 1 < node.count()) {
      std::string next = node.key(i + 1).ToString();
      if (!child.upper || next < *child.upper) child.upper = std::move(next);
    }
    return child;
  }

  PageSource& pages_;
  const KeyspaceId keyspace_;
  const TreeCheckOptions& options_;
  TreeCheckReport* const report_;
  std::string buffer_;
};

}  // namespace

absl::Status CheckTree(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                       const TreeCheckOptions& options, TreeCheckReport* report) {
  if (root.empty()) return absl::OkStatus();
  TreeChecker checker(pages, keyspace, options, report);
  const absl::Status root_checked = CheckRoot(root);
  if (!root_checked.ok()) {
    checker.AddDamage(root.reference.id, std::string(MessageOf(root_checked)), Fences{});
    return absl::OkStatus();
  }
  Below below;
  return checker.CheckSubtree(root.reference, root.level, Fences{}, &below);
}

}  // namespace keel::btree
