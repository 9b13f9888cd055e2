#include "btree/node_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "btree/node_view.h"
#include "btree/overflow.h"

namespace keel::btree {
namespace {

// Which bytes of the page belong to a cell.
class ByteMap {
 public:
  explicit ByteMap(size_t bytes) { std::fill_n(words_.begin(), (bytes + 63) / 64, uint64_t{0}); }

  // Marks [begin, end); false if some byte was marked before.
  bool Mark(size_t begin, size_t end) {
    uint64_t before = 0;
    for (size_t word = begin / 64; word * 64 < end; ++word) {
      const size_t low = begin > word * 64 ? begin - word * 64 : 0;
      const size_t high = std::min(end - word * 64, size_t{64});
      const uint64_t mask = (~uint64_t{0} >> (64 - (high - low))) << low;
      before |= words_[word] & mask;
      words_[word] |= mask;
    }
    return before == 0;
  }

 private:
  std::array<uint64_t, pager::kMaxPageBytes / 64> words_;
};

class Checker {
 public:
  explicit Checker(std::span<const std::byte> page)
      : page_(page), node_(page.data()), header_(node_.header()), map_(page.size()) {}

  absl::Status Check() {
    KEEL_RETURN_IF_ERROR(CheckHeader());
    for (size_t i = 0; i < header_.count; ++i) {
      KEEL_RETURN_IF_ERROR(CheckCell(i));
      KEEL_RETURN_IF_ERROR(CheckOrder(i));
    }
    const size_t heap = page_.size() - header_.heap_begin;
    if (cell_bytes_ + header_.heap_holes != heap) {
      return Damage("cells of %d bytes and holes of %d do not fill the heap of %d", cell_bytes_,
                    header_.heap_holes, heap);
    }
    return absl::OkStatus();
  }

 private:
  template <typename... Args>
  absl::Status Damage(const absl::FormatSpec<Args...>& format, const Args&... args) const {
    return MakeStatus(absl::StatusCode::kDataLoss, "page %d: %s", header_.page_id,
                      absl::StrFormat(format, args...));
  }

  absl::Status CheckHeader() const {
    if (node_.leaf() != (header_.kind == static_cast<uint8_t>(pager::PageKind::kLeaf))) {
      return Damage("kind %d at level %d", header_.kind, header_.level);
    }
    if (header_.level > kMaxLevel) return Damage("level %d", header_.level);
    if (header_.count == 0) return Damage("an empty node");
    if (header_.prefix_bytes > MaxKeyBytes(page_bytes())) {
      return Damage("a prefix of %d bytes", header_.prefix_bytes);
    }
    if (header_.count > page_.size() / sizeof(Slot)) return Damage("%d slots", header_.count);
    const size_t slots_end = SlotsOffset(header_.prefix_bytes) + header_.count * sizeof(Slot);
    if (slots_end > header_.heap_begin || header_.heap_begin > page_.size()) {
      return Damage("slots up to %d, heap from %d", slots_end, header_.heap_begin);
    }
    return absl::OkStatus();
  }

  absl::Status CheckCell(size_t i) {
    const Slot& slot = node_.slots()[i];
    const size_t key_bytes = slot.key_bytes();
    const size_t payload = slot.offset + key_bytes;
    if (slot.offset < header_.heap_begin || payload > page_.size()) {
      return Damage("key of slot %d at [%d, %d), heap from %d", i, slot.offset, payload,
                    header_.heap_begin);
    }
    if (header_.prefix_bytes + key_bytes > MaxKeyBytes(page_bytes())) {
      return Damage("key of slot %d is %d bytes long", i, header_.prefix_bytes + key_bytes);
    }
    if (slot.head != HeadOf(node_.suffix(i))) {
      return Damage("head of slot %d is %08x, not %08x", i, slot.head, HeadOf(node_.suffix(i)));
    }
    size_t end = payload;
    KEEL_RETURN_IF_ERROR(node_.leaf() ? CheckValue(i, &end) : CheckReference(i, &end));
    if (!map_.Mark(slot.offset, end)) return Damage("cell of slot %d overlaps another", i);
    cell_bytes_ += end - slot.offset;
    return absl::OkStatus();
  }

  // `*end`: of the key; then of the cell.
  absl::Status CheckValue(size_t i, size_t* end) const {
    uint64_t bytes = 0;
    const size_t used = LoadVarint(page_.data() + *end, page_.size() - *end, &bytes);
    if (used != VarintBytes(bytes) || bytes > page_.size() - *end - used) {
      return Damage("value of slot %d does not end in the page", i);
    }
    *end += used + bytes;
    const Slot& slot = node_.slots()[i];
    const size_t entry = sizeof(Slot) + header_.prefix_bytes + *end - slot.offset;
    if (entry > MaxEntryBytes(page_bytes())) {
      return Damage("entry of slot %d takes %d bytes", i, entry);
    }
    if (!slot.large()) return absl::OkStatus();
    const absl::Status extent =
        CheckExtent(node_.value(i).bytes, page_bytes(), Epoch{header_.birth});
    if (!extent.ok()) return Damage("slot %d: %s", i, extent.message());
    return absl::OkStatus();
  }

  absl::Status CheckReference(size_t i, size_t* end) const {
    if (pager::kReferenceBytes > page_.size() - *end) {
      return Damage("reference of slot %d does not end in the page", i);
    }
    *end += pager::kReferenceBytes;
    const pager::Reference reference = node_.reference(i);
    if (node_.slots()[i].large() || (i == 0) != (node_.key(i).size() == 0)) {
      return Damage("separator of slot %d", i);
    }
    if (i == 0 && node_.slots()[0].key_bytes() != 0) return Damage("the first separator");
    // B5; and a reference to nothing, or to an empty subtree, is none.
    if (reference.null() || reference.entries == 0 || reference.birth.value > header_.birth) {
      return Damage("slot %d refers to page %d of birth %d with %d entries", i, reference.id.value,
                    reference.birth.value, reference.entries);
    }
    return absl::OkStatus();
  }

  absl::Status CheckOrder(size_t i) const {
    const size_t first = node_.leaf() ? 0 : 1;
    if (i > first && node_.suffix(i - 1) >= node_.suffix(i)) {
      return Damage("keys of slots %d and %d are not in order", i - 1, i);
    }
    return absl::OkStatus();
  }

  uint32_t page_bytes() const { return static_cast<uint32_t>(page_.size()); }

  const std::span<const std::byte> page_;
  const NodeView node_;
  const pager::PageHeader& header_;
  size_t cell_bytes_ = 0;
  ByteMap map_;
};

}  // namespace

absl::Status CheckNode(std::span<const std::byte> page) {
  const auto kind = static_cast<pager::PageKind>(pager::HeaderOf(page.data()).kind);
  if (kind != pager::PageKind::kLeaf && kind != pager::PageKind::kInternal) {
    return absl::OkStatus();
  }
  return Checker(page).Check();
}

}  // namespace keel::btree
