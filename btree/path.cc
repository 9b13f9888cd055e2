#include "btree/path.h"

#include <algorithm>
#include <array>
#include <compare>
#include <utility>

#include "base/status.h"
#include "btree/lookup.h"
#include "pager/page_cache.h"

namespace keel::btree {

absl::Status CheckRoot(const TreeRoot& root) {
  if (root.level <= kMaxLevel) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, "root page %d: level %d", root.reference.id.value,
                    root.level);
}

absl::StatusOr<PageHandle> PinNode(PageSource& pages, KeyspaceId keyspace,
                                   const pager::Reference& reference, uint8_t level) {
  return pages.Pin(pager::PageWant{reference, keyspace, level});
}

pager::Reference ReferenceTo(const pager::MutablePage& page) {
  const NodeView node(page.bytes);
  return pager::Reference{page.id, page.birth, node.Entries(), node.HasExtents()};
}

absl::Status CheckWithin(const NodeView& node, const KeyParts& lower,
                         const std::optional<KeyParts>& upper) {
  const size_t first = node.leaf() ? 0 : 1;
  if (first >= node.count()) return absl::OkStatus();
  // Keys ascend (N1), so the outer ones speak for all.
  const KeyParts lowest = node.key(first);
  const auto order = CompareKeys(lowest, lower);
  // A separator that equals the lower fence would leave nothing to the child before it.
  if (std::is_lt(order) || (std::is_eq(order) && !node.leaf())) {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: key '%s' below its fence '%s'",
                      node.header().page_id, Printable(lowest.ToString()),
                      Printable(lower.ToString()));
  }
  const KeyParts highest = node.key(node.count() - 1);
  if (upper && std::is_gteq(CompareKeys(highest, *upper))) {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: key '%s' not below its fence '%s'",
                      node.header().page_id, Printable(highest.ToString()),
                      Printable(upper->ToString()));
  }
  return absl::OkStatus();
}

namespace {

// What a node's header and slots tell of a key: a cell is memory that the way down a tree need not read.
struct KeyStart {
  KeyStart(const NodeView& node, size_t slot)
      : whole(node.slots()[slot].key_bytes() <= sizeof(Slot::head)) {
    Store<uint32_t>(head.data(), __builtin_bswap32(node.slots()[slot].head));
    const size_t bytes = std::min(head.size(), node.slots()[slot].key_bytes());
    known = {node.prefix(), {head.data(), bytes}};
  }
  KeyStart(const KeyStart&) = delete;
  KeyStart& operator=(const KeyStart&) = delete;

  std::array<char, sizeof(Slot::head)> head;
  KeyParts known;  // its second part lies in `head`
  bool whole;      // nothing of the key comes behind it
};

// How the keys compare; unordered: their starts do not tell.
std::partial_ordering CompareStarts(const KeyStart& one, const KeyStart& other) {
  const size_t shared = CommonPrefixBytes(one.known, other.known);
  const bool one_ends = shared == one.known.size();
  const bool other_ends = shared == other.known.size();
  if (!one_ends && !other_ends) {
    return static_cast<unsigned char>(one.known[shared]) <=>
           static_cast<unsigned char>(other.known[shared]);
  }
  const bool one_over = one_ends && one.whole;
  const bool other_over = other_ends && other.whole;
  if (one_over && other_over) return std::partial_ordering::equivalent;
  if (one_over) return std::partial_ordering::less;
  if (other_over) return std::partial_ordering::greater;
  return std::partial_ordering::unordered;
}

// Whether it can be seen without a look at cells that a node is within its fences.
bool SeenWithin(const NodeView& node, const FencesAbove& fences) {
  const size_t first = node.leaf() ? 0 : 1;
  if (first >= node.count()) return true;
  if (fences.lower) {
    const auto order = CompareStarts({node, first}, {fences.lower->node, fences.lower->slot});
    if (!(std::is_gt(order) || (std::is_eq(order) && node.leaf()))) return false;
  }
  return !fences.upper || std::is_lt(CompareStarts({node, node.count() - 1},
                                                   {fences.upper->node, fences.upper->slot}));
}

}  // namespace

FencesAbove FencesOf(const Path& path, size_t level) {
  FencesAbove fences;
  for (size_t above = level + 1; above < path.size(); ++above) {
    fences.Widen(path[above].node(), path[above].slot);
  }
  return fences;
}

bool FencesAbove::Hold(std::string_view key) const {
  const KeyParts parts{key, {}};
  if (lower && std::is_lt(CompareKeys(parts, lower->node.key(lower->slot)))) return false;
  return !upper || std::is_lt(CompareKeys(parts, upper->node.key(upper->slot)));
}

absl::Status CheckFences(const NodeView& node, const FencesAbove& fences) {
  if (SeenWithin(node, fences)) return absl::OkStatus();
  KeyParts lower;
  std::optional<KeyParts> upper;
  if (fences.lower) lower = fences.lower->node.key(fences.lower->slot);
  if (fences.upper) upper = fences.upper->node.key(fences.upper->slot);
  return CheckWithin(node, lower, upper);
}

absl::Status CheckFences(const Path& path, size_t level) {
  return CheckFences(path[level].node(), FencesOf(path, level));
}

namespace {

// The pin, the check of the page and the search each wait for memory otherwise. Everybody reads the root: it is near.
void FetchNode(PageSource& pages, const pager::Reference& reference, uint8_t level) {
  pager::PageCache* const cache = pages.cache();
  const std::byte* const page = cache == nullptr ? nullptr : cache->Whereabouts(reference.id);
  if (page == nullptr) return;
  cache->FetchPin(page);
  PrefetchNode(page, level, reference.entries);
}

}  // namespace

absl::Status Descend(PageSource& pages, KeyspaceId keyspace, const TreeRoot& root,
                     std::string_view key, Path* path, Epoch made) {
  KEEL_RETURN_IF_ERROR(CheckRoot(root));
  path->resize(root.level + size_t{1});
  pager::Reference reference = root.reference;
  for (size_t level = path->size(); level-- > 0;) {
    PathStep& step = (*path)[level];
    if (level < root.level) FetchNode(pages, reference, static_cast<uint8_t>(level));
    KEEL_ASSIGN_OR_RETURN(step.page,
                          PinNode(pages, keyspace, reference, static_cast<uint8_t>(level)));
    step.reference = reference;
    if (reference.birth != made) KEEL_RETURN_IF_ERROR(CheckFences(*path, level));
    if (level == 0) break;
    step.slot = step.node().ChildFor(key);
    reference = step.node().reference(step.slot);
  }
  return absl::OkStatus();
}

}  // namespace keel::btree
