#include "btree/node_builder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace keel::btree {
namespace {

constexpr int kRunInTheMiddle =
    3;  // insertions in a row that make a run, away from the node's ends

std::string_view ReferenceBytes(const NodeView& node, size_t i) {
  const Slot& slot = node.slots()[i];
  const char* const page = reinterpret_cast<const char*>(node.page());
  return {page + slot.offset + slot.key_bytes(), pager::kReferenceBytes};
}

Entry EntryOf(const NodeView& node, size_t i) {
  if (!node.leaf()) return {node.key(i), ReferenceBytes(node, i), false};
  const ValueSlot value = node.value(i);
  return {node.key(i), value.bytes, value.large};
}

size_t CellBytes(bool leaf, size_t suffix_bytes, size_t payload_bytes) {
  return suffix_bytes + payload_bytes + (leaf ? VarintBytes(payload_bytes) : 0);
}

// Writes the cell of `entry`, the first `skip` bytes of its key left out, and returns its slot.
Slot StoreCell(std::byte* page, size_t offset, bool leaf, const Entry& entry, size_t skip) {
  char* const cell = reinterpret_cast<char*>(page) + offset;
  const size_t suffix_bytes = entry.key.CopyTo(cell, skip);
  char* out = cell + suffix_bytes;
  if (leaf) out += StoreVarint(out, entry.payload.size());
  std::copy(entry.payload.begin(), entry.payload.end(), out);
  const size_t key_field = suffix_bytes | (entry.large ? kLargeValue : 0U);
  return Slot{static_cast<uint16_t>(offset), static_cast<uint16_t>(key_field),
              HeadOf({cell, suffix_bytes})};
}

// The prefix of entries [begin, end) as a node of their own.
size_t PrefixFor(const EntrySequence& entries, size_t begin, size_t end) {
  const size_t first = begin + (entries.leaf() ? 0 : 1);
  if (first >= end) return 0;
  return PrefixBytes(CommonPrefixBytes(entries.key(first), entries.key(end - 1)), end - first);
}

// Layout of [begin, end) given the sum of their EntryBytes.
size_t LayoutFromSum(const EntrySequence& entries, size_t begin, size_t end, size_t sum) {
  const size_t prefix = PrefixFor(entries, begin, end);
  const size_t keys = end - begin - (entries.leaf() ? 0 : 1);
  const size_t first_key = entries.leaf() ? 0 : entries.key(begin).size();
  return SlotsOffset(prefix) + sum - first_key - keys * prefix;
}

struct Sides {
  size_t left;
  size_t right;

  size_t Larger() const { return std::max(left, right); }
};

// Finds the boundary whose sides `better` likes most among those that fit.
class SplitSearch {
 public:
  SplitSearch(const EntrySequence& entries, uint32_t page_bytes)
      : entries_(entries), page_bytes_(page_bytes) {
    for (size_t i = 0; i < entries.size(); ++i) total_ += entries.EntryBytes(i);
  }

  bool Fits(size_t at) const {
    size_t left = 0;
    for (size_t i = 0; i < at; ++i) left += entries_.EntryBytes(i);
    return SidesAt(at, left).Larger() <= page_bytes_;
  }

  // The most even boundary that leaves `least` entries on each side, or 0.
  size_t MostEven(size_t least) const {
    size_t best = 0;
    size_t best_bytes = page_bytes_ + size_t{1};
    size_t left = 0;
    for (size_t at = 1; at + least <= entries_.size(); ++at) {
      left += entries_.EntryBytes(at - 1);
      if (at < least) continue;
      const size_t larger = SidesAt(at, left).Larger();
      if (larger >= best_bytes) continue;
      best = at;
      best_bytes = larger;
    }
    return best;
  }

 private:
  Sides SidesAt(size_t at, size_t left) const {
    return {LayoutFromSum(entries_, 0, at, left),
            LayoutFromSum(entries_, at, entries_.size(), total_ - left)};
  }

  const EntrySequence& entries_;
  const size_t page_bytes_;
  size_t total_ = 0;
};

}  // namespace

EntrySequence EntrySequence::With(NodeView node, size_t at, const Entry& entry, size_t replaced) {
  EntrySequence all(node, 0, at);
  all.middle_ = entry;
  all.right_begin_ = at + replaced;
  all.right_end_ = node.count();
  return all;
}

EntrySequence EntrySequence::Joined(NodeView left, NodeView right, std::string_view separator) {
  EntrySequence all(left);
  all.right_ = right;
  all.right_end_ = right.count();
  if (!left.leaf()) {
    all.middle_ = Entry{{separator, {}}, ReferenceBytes(right, 0), false};
    all.right_begin_ = 1;
  }
  return all;
}

Entry EntrySequence::operator[](size_t i) const {
  const size_t left = left_end_ - left_begin_;
  if (i < left) return EntryOf(left_, left_begin_ + i);
  i -= left;
  if (middle_ && i-- == 0) return *middle_;
  return EntryOf(right_, right_begin_ + i);
}

KeyParts EntrySequence::key(size_t i) const {
  const size_t left = left_end_ - left_begin_;
  if (i < left) return left_.key(left_begin_ + i);
  i -= left;
  if (middle_ && i-- == 0) return middle_->key;
  return right_.key(right_begin_ + i);
}

size_t EntrySequence::EntryBytes(size_t i) const {
  const Entry entry = (*this)[i];
  return sizeof(Slot) + CellBytes(leaf(), entry.key.size(), entry.payload.size());
}

size_t LayoutBytes(const EntrySequence& entries, size_t begin, size_t end) {
  size_t sum = 0;
  for (size_t i = begin; i < end; ++i) sum += entries.EntryBytes(i);
  return LayoutFromSum(entries, begin, end, sum);
}

size_t LayoutBytes(const EntrySequence& entries) { return LayoutBytes(entries, 0, entries.size()); }

void BuildNode(std::byte* page, uint32_t page_bytes, const EntrySequence& entries, size_t begin,
               size_t end) {
  const bool leaf = entries.leaf();
  const size_t prefix = PrefixFor(entries, begin, end);
  pager::PageHeader& header = pager::HeaderOf(page);
  header.count = static_cast<uint32_t>(end - begin);
  header.heap_holes = 0;
  header.prefix_bytes = static_cast<uint16_t>(prefix);
  if (prefix > 0) {
    KeyBuffer shared;
    shared.Assign(entries.key(end - 1), prefix);
    std::memcpy(page + kNodeHeaderBytes, shared.view().data(), prefix);
  }
  void* const slots_begin = page + SlotsOffset(prefix);
  Slot* slot = static_cast<Slot*>(slots_begin);
  size_t heap = page_bytes;
  for (size_t i = begin; i < end; ++i, ++slot) {
    Entry entry = entries[i];
    const bool first_child = !leaf && i == begin;
    if (first_child) entry.key = {};
    const size_t skip = first_child ? 0 : prefix;
    heap -= CellBytes(leaf, entry.key.size() - skip, entry.payload.size());
    KEEL_CHECK(heap >= SlotsOffset(prefix) + (end - begin) * sizeof(Slot));
    *slot = StoreCell(page, heap, leaf, entry, skip);
  }
  header.heap_begin = static_cast<uint32_t>(heap);
}

size_t ChooseMiddle(const EntrySequence& entries, uint32_t page_bytes) {
  const SplitSearch search(entries, page_bytes);
  size_t at = entries.leaf() ? 0 : search.MostEven(2);
  if (at == 0) at = search.MostEven(1);
  KEEL_CHECK(at > 0);
  return at;
}

size_t ChooseSplit(const EntrySequence& entries, size_t inserted, RunHint hint,
                   uint32_t page_bytes) {
  const size_t least = entries.leaf() ? 1 : 2;
  const size_t size = entries.size();
  const bool at_end = inserted + 1 == size;
  const bool at_begin = inserted == (entries.leaf() ? 0U : 1U);
  const SplitSearch search(entries, page_bytes);
  const auto possible = [&](size_t at) {
    return at >= least && at + least <= size && search.Fits(at);
  };
  if (hint.ascending >= (at_end ? 1 : kRunInTheMiddle)) {
    if (at_end && possible(size - least)) return size - least;
    if (possible(inserted + 1)) return inserted + 1;
    if (possible(inserted)) return inserted;
  } else if (hint.descending >= (at_begin ? 1 : kRunInTheMiddle)) {
    if (at_begin && possible(least)) return least;
    if (possible(inserted)) return inserted;
    if (possible(inserted + 1)) return inserted + 1;
  }
  return ChooseMiddle(entries, page_bytes);
}

void AssignSeparator(const EntrySequence& entries, size_t at, KeyBuffer* separator) {
  const KeyParts first_right = entries.key(at);
  const size_t bytes =
      entries.leaf() ? CommonPrefixBytes(entries.key(at - 1), first_right) + 1 : first_right.size();
  separator->Assign(first_right, bytes);
}

void NodeEditor::Clear() {
  header().count = 0;
  header().heap_begin = page_bytes_;
  header().heap_holes = 0;
  header().prefix_bytes = 0;
}

size_t NodeEditor::FreeBytes() const {
  const pager::PageHeader& header = view().header();
  return header.heap_begin - SlotsOffset(header.prefix_bytes) - header.count * sizeof(Slot);
}

// Writes the cell of `entry`, whose key begins with the node's prefix, below the heap.
Slot NodeEditor::AddCell(const Entry& entry) {
  const bool leaf = view().leaf();
  const size_t prefix = header().prefix_bytes;
  const size_t bytes = CellBytes(leaf, entry.key.size() - prefix, entry.payload.size());
  header().heap_begin -= static_cast<uint32_t>(bytes);
  return StoreCell(page_, header().heap_begin, leaf, entry, prefix);
}

bool NodeEditor::Rebuild(size_t at, const Entry& entry, size_t replaced) {
  const EntrySequence here = EntrySequence::With(view(), at, entry, replaced);
  if (LayoutBytes(here) > page_bytes_) return false;
  const PageCopy copy(page_, page_bytes_);
  const EntrySequence all = EntrySequence::With(copy.node(), at, entry, replaced);
  BuildNode(page_, page_bytes_, all, 0, all.size());
  return true;
}

bool NodeEditor::Insert(size_t at, const Entry& entry) {
  const std::string_view prefix = view().prefix();
  const size_t shared = CommonPrefixBytes(entry.key, {prefix, {}});
  const bool leaf = view().leaf();
  const size_t cell = CellBytes(leaf, entry.key.size() - shared, entry.payload.size());
  if (shared < prefix.size() || cell + sizeof(Slot) > FreeBytes()) {
    if (!Rebuild(at, entry, 0)) return false;
  } else {
    const Slot added = AddCell(entry);
    Slot* const slot = slots() + at;
    std::copy_backward(slot, slots() + header().count, slots() + header().count + 1);
    *slot = added;
    ++header().count;
  }
  header().next = RunHint::Of(header()).After(at).Packed();
  return true;
}

bool NodeEditor::Replace(size_t at, const Entry& entry) {
  Slot* const slot = slots() + at;
  const size_t old_bytes = view().CellBytes(at);
  const size_t bytes = CellBytes(true, slot->key_bytes(), entry.payload.size());
  if (bytes <= old_bytes) {
    // The key is there already: it is written over itself.
    *slot = StoreCell(page_, slot->offset, true, entry, header().prefix_bytes);
    header().heap_holes += static_cast<uint32_t>(old_bytes - bytes);
  } else if (bytes <= FreeBytes()) {
    *slot = AddCell(entry);
    header().heap_holes += static_cast<uint32_t>(old_bytes);
  } else {
    return Rebuild(at, entry, 1);
  }
  return true;
}

bool NodeEditor::ReplaceSeparator(size_t at, std::string_view separator) {
  const PageCopy copy(page_, page_bytes_);
  const Entry entry{{separator, {}}, ReferenceBytes(copy.node(), at), false};
  return Rebuild(at, entry, 1);
}

void NodeEditor::Remove(size_t begin, size_t end) {
  KEEL_CHECK(begin <= end && end <= header().count && end - begin < header().count);
  size_t freed = 0;
  for (size_t i = begin; i < end; ++i) freed += view().CellBytes(i);
  std::copy(slots() + end, slots() + header().count, slots() + begin);
  header().count -= static_cast<uint32_t>(end - begin);
  Slot& first = *slots();
  if (begin == 0 && !view().leaf() && first.key_bytes() > 0) {
    freed += first.key_bytes();
    first = Slot{static_cast<uint16_t>(first.offset + first.key_bytes()), 0, 0};
  }
  header().heap_holes += static_cast<uint32_t>(freed);
}

void NodeEditor::SetReference(size_t at, const pager::Reference& reference) {
  const Slot& slot = slots()[at];
  pager::StoreReference(page_ + slot.offset + slot.key_bytes(), reference);
}

}  // namespace keel::btree
