// A leaf while it is filled from its first key to its last, as a bulk load does it.
//
// What makes an ordinary node dear to fill is its prefix: it is known only once the last key is there, and every change
// of it moves all cells. So this is no node before it is complete. Cells stand in a buffer, in the order and the form
// in which the leaf will have them, and their keys lack as many bytes as the leaf before this one left out: mostly that
// is right, and the leaf is then made by copying the buffer.
//
//   W1  What Build makes is, byte for byte, what BuildNode makes of the same entries; and an entry fits exactly if
//       LayoutBytes of all of them says so.
//   W2  The keys in the cells lack their first `skip_` bytes, which all keys share; `skip_` is at most `shared_`.

#ifndef KEEL_BTREE_LEAF_FILLER_H_
#define KEEL_BTREE_LEAF_FILLER_H_

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/aligned_buffer.h"
#include "btree/node_builder.h"

namespace keel::btree {

class LeafFiller {
 public:
  // How a key stands to those that are there.
  struct Place {
    size_t shared = 0;   // bytes that it and all of them begin with
    bool after = false;  // whether it comes after all of them
  };

  explicit LeafFiller(uint32_t page_bytes) : page_bytes_(page_bytes), heap_(page_bytes) {}

  // Before anything else. ResourceExhausted.
  absl::Status Allocate();
  // Back to an empty leaf.
  void Clear();

  size_t count() const { return count_; }
  bool has_extents() const { return has_extents_; }
  // REQUIRES: not empty.
  KeyParts last_key() const;

  Place Look(std::string_view key) const;
  // Adds an entry with a key of that place; false, and nothing has changed, if it does not fit. REQUIRES: it comes
  // after all others, and is none too large for a leaf (N4).
  bool Add(const Place& place, std::string_view key, std::string_view payload, bool large);

  // Makes the leaf, in a page of zeros but for the header's identity. REQUIRES: not empty.
  void Build(std::byte* page) const;

 private:
  Slot* slots() { return SlotsIn(cells_); }
  const Slot* slots() const { return SlotsIn(cells_); }
  static Slot* SlotsIn(const AlignedBuffer& cells) {
    void* const slots = const_cast<std::byte*>(cells.data());
    return static_cast<Slot*>(slots);
  }
  void Restage(size_t skip);
  size_t CopyCells(size_t skip, std::byte* page, Slot* slots) const;

  const uint32_t page_bytes_;
  AlignedBuffer cells_;  // slots from its beginning up, cells from its end down
  AlignedBuffer other_;  // to move them to
  KeyBuffer first_key_;
  size_t count_ = 0;
  size_t heap_;           // offset of the last cell
  size_t skip_ = 0;       // W2; of an empty leaf: as many as are likely
  size_t shared_ = 0;     // bytes that all keys share
  size_t key_bytes_ = 0;  // of the last key
  size_t sum_ = 0;        // of all entries, with their whole keys and their slots
  bool has_extents_ = false;
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_LEAF_FILLER_H_
