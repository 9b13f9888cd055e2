#include "btree/node_view.h"

namespace keel::btree {

size_t CommonPrefixBytes(const KeyParts& one, const KeyParts& other) {
  const size_t limit = std::min(one.size(), other.size());
  size_t shared = 0;
  // Keys of one node share their front.
  if (one.front.data() == other.front.data())
    shared = std::min(one.front.size(), other.front.size());
  while (shared < limit && one[shared] == other[shared]) ++shared;
  return shared;
}

std::strong_ordering CompareKeys(const KeyParts& one, const KeyParts& other) {
  const size_t shared = CommonPrefixBytes(one, other);
  if (shared == one.size() || shared == other.size()) return one.size() <=> other.size();
  return static_cast<unsigned char>(one[shared]) <=> static_cast<unsigned char>(other[shared]);
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
