// Making and changing nodes.
//
// Whatever moves entries (compaction, another prefix, split, merge, borrowing) is one thing: a sequence of
// entries, taken from one or two nodes and perhaps a new one, is laid out in an empty page. The sources
// must not lie in the page that is written; a PageCopy keeps them beside it.

#ifndef KEEL_BTREE_NODE_BUILDER_H_
#define KEEL_BTREE_NODE_BUILDER_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "btree/node_view.h"

namespace keel::btree {

// An entry to be written.
struct Entry {
  KeyParts key;
  std::string_view
      payload;  // leaf: the value or encoded extent; internal: the reference's 20 bytes
  bool large = false;
};

// A reference as an entry's payload.
class ReferencePayload {
 public:
  explicit ReferencePayload(const pager::Reference& reference) {
    pager::StoreReference(bytes_.data(), reference);
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, pager::kReferenceBytes> bytes_;
};

// A key that outlives its page, without an allocation.
class KeyBuffer {
 public:
  KeyBuffer() = default;
  // Only what is there is worth copying.
  KeyBuffer(const KeyBuffer& other) { *this = other; }
  KeyBuffer& operator=(const KeyBuffer& other) {
    std::memmove(bytes_.data(), other.bytes_.data(), other.size_);
    size_ = other.size_;
    return *this;
  }

  void Assign(const KeyParts& key, size_t bytes) {
    KEEL_CHECK(bytes <= key.size() && bytes <= kMaxKeyBytes);
    const size_t from_front = std::min(bytes, key.front.size());
    std::copy_n(key.front.data(), from_front, bytes_.data());
    std::copy_n(key.back.data(), bytes - from_front, bytes_.data() + from_front);
    size_ = bytes;
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kMaxKeyBytes> bytes_;
  size_t size_ = 0;
};

// A page's bytes on the stack, while the page itself is written anew.
class PageCopy {
 public:
  PageCopy(const std::byte* page, uint32_t page_bytes) {
    std::memcpy(bytes_.data(), page, page_bytes);
  }
  NodeView node() const { return NodeView(bytes_.data()); }

 private:
  alignas(8) std::array<std::byte, pager::kMaxPageBytes> bytes_;
};

// Entries of `left`, then perhaps one more, then entries of `right` (or of `left` again).
class EntrySequence {
 public:
  // All of a node.
  explicit EntrySequence(NodeView node) : EntrySequence(node, 0, node.count()) {}
  // [begin, end) of a node.
  EntrySequence(NodeView node, size_t begin, size_t end)
      : left_(node),
        left_begin_(begin),
        left_end_(end),
        right_(node),
        right_begin_(0),
        right_end_(0) {}
  // A node with an entry put in at `at`, in place of `replaced` (0 or 1) that are there.
  static EntrySequence With(NodeView node, size_t at, const Entry& entry, size_t replaced);
  // Two neighbours. `separator`, for internal nodes, is what the parent has between them.
  static EntrySequence Joined(NodeView left, NodeView right, std::string_view separator);

  bool leaf() const { return left_.leaf(); }
  size_t size() const {
    return (left_end_ - left_begin_) + (middle_ ? 1 : 0) + (right_end_ - right_begin_);
  }
  Entry operator[](size_t i) const;
  KeyParts key(size_t i) const;
  // Bytes of entry `i` with its whole key, slot included.
  size_t EntryBytes(size_t i) const;

 private:
  template <typename Use>
  auto At(size_t i, Use&& use) const;

  NodeView left_;
  size_t left_begin_;
  size_t left_end_;
  std::optional<Entry> middle_;
  NodeView right_;
  size_t right_begin_;
  size_t right_end_;
};

// Bytes that entries [begin, end) take as a node of their own, header included. In an internal node the
// first one loses its key (N1).
size_t LayoutBytes(const EntrySequence& entries, size_t begin, size_t end);
size_t LayoutBytes(const EntrySequence& entries);

// Of the `shared` bytes that all keys of a node begin with, those that are worth being stored as its prefix, for
// `keys` keys: behind the last multiple of four the padding may cost more than they save.
constexpr size_t PrefixBytes(size_t shared, size_t keys) {
  return keys * (shared % 4) >= 4 ? shared : shared & ~size_t{3};
}

// Lays entries [begin, end) out in `page`, of which only the header's identity (up to keyspace) and the
// hint are kept. REQUIRES: they fit.
void BuildNode(std::byte* page, uint32_t page_bytes, const EntrySequence& entries, size_t begin,
               size_t end);

// Where to split `entries`, which overflow a page by the entry at `inserted`: behind it or before it if it
// goes on with a row (`hint`, as it is after the insertion), so that the side left behind is full; else in
// the middle by bytes. Both sides fit; internal nodes get two children or more where possible.
size_t ChooseSplit(const EntrySequence& entries, size_t inserted, RunHint hint,
                   uint32_t page_bytes);
// As even as can be, both sides fitting.
size_t ChooseMiddle(const EntrySequence& entries, uint32_t page_bytes);

// The separator for the node that begins with entry `at` (N3).
void AssignSeparator(const EntrySequence& entries, size_t at, KeyBuffer* separator);

// Changes a node in place. REQUIRES: the page may be changed (P1).
class NodeEditor {
 public:
  NodeEditor(std::byte* page, uint32_t page_bytes) : page_(page), page_bytes_(page_bytes) {}

  NodeView view() const { return NodeView(page_); }
  std::byte* page() const { return page_; }

  // An empty node, in a page just created.
  void Clear();
  // Puts an entry in at `at`, compacting if that makes room. False, and nothing has changed, if it does
  // not fit.
  bool Insert(size_t at, const Entry& entry);
  // Exchanges the payload of entry `at` of a leaf, likewise.
  bool Replace(size_t at, const Entry& entry);
  // Exchanges the separator of entry `at` > 0 of an internal node, likewise.
  bool ReplaceSeparator(size_t at, std::string_view separator);
  void Remove(size_t at) { Remove(at, at + 1); }
  // Removes entries [begin, end). REQUIRES: not all (N4).
  void Remove(size_t begin, size_t end);
  void SetReference(size_t at, const pager::Reference& reference);

 private:
  pager::PageHeader& header() { return pager::HeaderOf(page_); }
  Slot* slots() {
    void* const slots = page_ + SlotsOffset(header().prefix_bytes);
    return static_cast<Slot*>(slots);
  }
  size_t FreeBytes() const;
  bool Rebuild(size_t at, const Entry& entry, size_t replaced);
  Slot AddCell(const Entry& entry);

  std::byte* page_;
  uint32_t page_bytes_;
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_NODE_BUILDER_H_
