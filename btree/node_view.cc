#include "btree/node_view.h"

namespace keel::btree {

namespace {

// The bytes from `at` on that stand together.
std::string_view PieceAt(const KeyParts& key, size_t at) {
  return at < key.front.size() ? key.front.substr(at) : key.back.substr(at - key.front.size());
}

}  // namespace

size_t CommonPrefixBytes(const KeyParts& one, const KeyParts& other) {
  const size_t limit = std::min(one.size(), other.size());
  size_t shared = 0;
  while (shared < limit) {
    const std::string_view left = PieceAt(one, shared);
    const std::string_view right = PieceAt(other, shared);
    const size_t length = std::min(left.size(), right.size());
    const auto differ = std::mismatch(left.begin(), left.begin() + length, right.begin());
    const auto equal = static_cast<size_t>(differ.first - left.begin());
    shared += equal;
    if (equal < length) break;
  }
  return shared;
}

std::strong_ordering CompareKeys(const KeyParts& one, const KeyParts& other) {
  const size_t shared = CommonPrefixBytes(one, other);
  if (shared == one.size() || shared == other.size()) return one.size() <=> other.size();
  return static_cast<unsigned char>(one[shared]) <=> static_cast<unsigned char>(other[shared]);
}

// The entry at the position has the key's head, and is below it.
size_t NodeView::SettleBehind(const HeadPosition& head, bool* equal) const {
  const Slot* const all = slots();
  const size_t end = count();
  const size_t from = head.position + 1;
  const uint32_t wanted = all[head.position].head;
  if (from == end || all[from].head != wanted) return from;
  const size_t heads_end = wanted == UINT32_MAX ? end : HeadLowerBound(all, from, end, wanted + 1);
  return SearchAmongEqualHeads(from, heads_end, head.rest, equal);
}

size_t NodeView::SearchAmongEqualHeads(size_t from, size_t end, std::string_view suffix_wanted,
                                       bool* equal) const {
  size_t length = end - from;
  while (length > 0) {
    const size_t half = length / 2;
    const int order = suffix(from + half).compare(suffix_wanted);
    if (order == 0) {
      *equal = true;
      return from + half;
    }
    if (order < 0) {
      from += half + 1;
      length -= half + 1;
    } else {
      length = half;
    }
  }
  return from;
}

bool NodeView::HasExtents() const {
  for (size_t i = 0; i < count(); ++i) {
    if (leaf() ? slots()[i].large() : reference(i).extents_below) return true;
  }
  return false;
}

uint64_t NodeView::Entries() const {
  if (leaf()) return count();
  uint64_t entries = 0;
  for (size_t i = 0; i < count(); ++i) entries += reference(i).entries;
  return entries & pager::kMaxEntries;
}

}  // namespace keel::btree
