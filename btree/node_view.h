// Reading a node in place.
//
// A view trusts its page: CheckNode (btree/node_check.h) has passed when the page came from disk. Then no
// function here reads beyond the page, whatever the bytes are.

#ifndef KEEL_BTREE_NODE_VIEW_H_
#define KEEL_BTREE_NODE_VIEW_H_

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "btree/node_format.h"

namespace keel::btree {

// A key as a node holds it: prefix and rest.
struct KeyParts {
  std::string_view front;
  std::string_view back;

  size_t size() const { return front.size() + back.size(); }
  char operator[](size_t i) const { return i < front.size() ? front[i] : back[i - front.size()]; }
  // Writes the bytes from `skip` on; returns how many.
  size_t CopyTo(char* out, size_t skip = 0) const {
    const std::string_view first = front.substr(std::min(skip, front.size()));
    const std::string_view second = back.substr(skip - (front.size() - first.size()));
    std::copy(first.begin(), first.end(), out);
    std::copy(second.begin(), second.end(), out + first.size());
    return first.size() + second.size();
  }
  std::string ToString() const { return std::string(front).append(back); }
};

// Bytes that two keys have in common at their beginnings.
size_t CommonPrefixBytes(const KeyParts& one, const KeyParts& other);
std::strong_ordering CompareKeys(const KeyParts& one, const KeyParts& other);

// Whether two strings of one length are the same; without a call where they are short.
inline bool SameBytes(const char* one, const char* other, size_t size) {
  if (size > 16) return std::memcmp(one, other, size) == 0;
  if (size >= 8) {
    return ((Load<uint64_t>(one) ^ Load<uint64_t>(other)) |
            (Load<uint64_t>(one + size - 8) ^ Load<uint64_t>(other + size - 8))) == 0;
  }
  if (size >= 4) {
    return ((Load<uint32_t>(one) ^ Load<uint32_t>(other)) |
            (Load<uint32_t>(one + size - 4) ^ Load<uint32_t>(other + size - 4))) == 0;
  }
  size_t same = 0;
  while (same < size && one[same] == other[same]) ++same;
  return same == size;
}

class NodeView {
 public:
  explicit NodeView(const std::byte* page) : page_(page) {}

  const std::byte* page() const { return page_; }
  const pager::PageHeader& header() const { return pager::HeaderOf(page_); }
  bool leaf() const { return header().level == 0; }
  size_t count() const { return header().count; }

  std::string_view prefix() const { return {chars() + kNodeHeaderBytes, header().prefix_bytes}; }
  const Slot* slots() const {
    const void* const slots = page_ + SlotsOffset(header().prefix_bytes);
    return static_cast<const Slot*>(slots);
  }
  // Key of entry `i` behind the prefix.
  std::string_view suffix(size_t i) const {
    const Slot& slot = slots()[i];
    return {chars() + slot.offset, slot.key_bytes()};
  }
  // Whole key of entry `i`. The first separator of an internal node is empty (N1).
  KeyParts key(size_t i) const {
    if (i == 0 && !leaf()) return {};
    return {prefix(), suffix(i)};
  }

  // REQUIRES: a leaf.
  ValueSlot value(size_t i) const {
    const Slot& slot = slots()[i];
    const char* cell = chars() + slot.offset + slot.key_bytes();
    uint64_t bytes = static_cast<unsigned char>(*cell);
    size_t used = 1;
    if (bytes >= 0x80) [[unlikely]]
      used = LoadVarint(cell, kMaxVarintBytes, &bytes);
    return {{cell + used, bytes}, slot.large()};
  }
  // REQUIRES: an internal node.
  pager::Reference reference(size_t i) const {
    const Slot& slot = slots()[i];
    return pager::LoadReference(page_ + slot.offset + slot.key_bytes());
  }

  // First entry of a leaf whose key is not below `key`, or count(); `*equal` tells whether it is `key`.
  size_t LowerBound(std::string_view key, bool* equal) const { return Search(0, key, equal); }
  // The child of an internal node whose range holds `key`; `*equal` tells whether the range begins there.
  size_t ChildFor(std::string_view key, bool* equal) const {
    const size_t position = Search(1, key, equal);
    return *equal ? position : position - 1;
  }
  size_t ChildFor(std::string_view key) const {
    bool equal = false;
    return ChildFor(key, &equal);
  }

  // The searches above in two halves, for who looks at several nodes at a time: the first one reads header,
  // prefix and slots, the second one, seldom, cells, and those at the position first of all.
  struct HeadPosition {
    size_t position;
    std::string_view rest;  // of the key, behind the prefix
    bool exact;             // the position is the answer: no key of the node equals this one
  };
  // Among the entries from `from` on: 0 in a leaf, 1 in an internal node.
  HeadPosition FindHead(size_t from, std::string_view key) const;
  // As LowerBound.
  size_t Settle(const HeadPosition& head, bool* equal) const;
  // The cell of entry `i`, or where it would be.
  const std::byte* cell(size_t i) const { return page_ + slots()[i].offset; }

  // Bytes of entry `i`'s cell.
  size_t CellBytes(size_t i) const {
    const size_t key_bytes = slots()[i].key_bytes();
    if (!leaf()) return key_bytes + pager::kReferenceBytes;
    const size_t value_bytes = value(i).bytes.size();
    return key_bytes + VarintBytes(value_bytes) + value_bytes;
  }
  // Bytes in use, page header included: what the node takes when it is laid out without holes.
  size_t UsedBytes(uint32_t page_bytes) const {
    return SlotsOffset(header().prefix_bytes) + count() * sizeof(Slot) +
           (page_bytes - header().heap_begin) - header().heap_holes;
  }
  // Whether a value of the leaf, or of a leaf below, is large.
  bool HasExtents() const;
  // Entries in the leaf, or below the references.
  uint64_t Entries() const;

 private:
  const char* chars() const { return reinterpret_cast<const char*>(page_); }

  size_t Search(size_t from, std::string_view key, bool* equal) const {
    return Settle(FindHead(from, key), equal);
  }
  static size_t HeadLowerBound(const Slot* slots, size_t from, size_t count, uint32_t head);
  size_t SettleBehind(const HeadPosition& head, bool* equal) const;
  size_t SearchAmongEqualHeads(size_t from, size_t end, std::string_view suffix, bool* equal) const;

  const std::byte* page_;
};

// First slot in [from, count) whose head is not below `head`. Steps do not depend on the comparisons, so
// that nothing is mispredicted.
inline size_t NodeView::HeadLowerBound(const Slot* slots, size_t from, size_t count,
                                       uint32_t head) {
  size_t length = count - from;
  if (length == 0) return from;
  const Slot* base = slots + from;
  while (length > 1) {
    const size_t half = length / 2;
    // A product, for the compiler makes a branch of anything else.
    base += half * static_cast<size_t>(base[half - 1].head < head);
    length -= half;
  }
  return static_cast<size_t>(base - slots) + (base->head < head ? 1 : 0);
}

inline NodeView::HeadPosition NodeView::FindHead(size_t from, std::string_view key) const {
  const size_t end = count();
  const size_t prefix_bytes = header().prefix_bytes;
  if (prefix_bytes != 0) {
    const size_t shared = std::min(prefix_bytes, key.size());
    if (shared < prefix_bytes || !SameBytes(key.data(), prefix().data(), shared)) {
      const int order = key.substr(0, shared).compare(prefix().substr(0, shared));
      return {order > 0 ? end : from, {}, true};
    }
    key.remove_prefix(prefix_bytes);
  }
  const Slot* const all = slots();
  const uint32_t head = HeadOf(key);
  const size_t position = HeadLowerBound(all, from, end, head);
  return {position, key, position == end || all[position].head != head};
}

inline size_t NodeView::Settle(const HeadPosition& head, bool* equal) const {
  const size_t position = head.position;
  *equal = false;
  if (head.exact) return position;
  const std::string_view found = suffix(position);
  if (found.size() == head.rest.size() && SameBytes(found.data(), head.rest.data(), found.size())) {
    *equal = true;
    return position;
  }
  if (found > head.rest) return position;
  return SettleBehind(head, equal);
}

}  // namespace keel::btree

#endif  // KEEL_BTREE_NODE_VIEW_H_
