#include "btree/leaf_filler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace keel::btree {

absl::Status LeafFiller::Allocate() {
  for (AlignedBuffer* const buffer : {&cells_, &other_}) {
    if (!buffer->empty()) continue;
    *buffer = AlignedBuffer::Allocate(page_bytes_);
    if (!buffer->empty()) continue;
    return MakeStatus(absl::StatusCode::kResourceExhausted, "no memory for a node of %d bytes",
                      page_bytes_);
  }
  return absl::OkStatus();
}

void LeafFiller::Clear() {
  if (count_ > 0) skip_ = PrefixBytes(shared_, count_);
  count_ = 0;
  heap_ = page_bytes_;
  sum_ = 0;
  has_extents_ = false;
}

KeyParts LeafFiller::last_key() const {
  KEEL_DCHECK(count_ > 0);
  const char* const cell = reinterpret_cast<const char*>(cells_.data()) + heap_;
  return {first_key_.view().substr(0, skip_), {cell, key_bytes_ - skip_}};
}

LeafFiller::Place LeafFiller::Look(std::string_view key) const {
  if (count_ == 0) return {key.size(), true};
  const char* const first = first_key_.view().data();
  if (key.size() < shared_ || std::memcmp(first, key.data(), shared_) != 0) {
    const size_t limit = std::min(shared_, key.size());
    const auto differ =
        std::mismatch(key.begin(), key.begin() + static_cast<ptrdiff_t>(limit), first);
    const auto shared = static_cast<size_t>(differ.first - key.begin());
    const bool after =
        shared<limit&& static_cast<unsigned char>(key[shared])> static_cast<unsigned char>(
            first[shared]);
    return {shared, after};
  }
  return {shared_, key.substr(shared_) > last_key().back.substr(shared_ - skip_)};
}

bool LeafFiller::Add(const Place& place, std::string_view key, std::string_view payload,
                     bool large) {
  const size_t rest_bytes = VarintBytes(payload.size()) + payload.size();
  const size_t sum = sum_ + sizeof(Slot) + key.size() + rest_bytes;
  const size_t count = count_ + 1;
  const size_t prefix = PrefixBytes(place.shared, count);
  if (SlotsOffset(prefix) + sum - count * prefix > page_bytes_) return false;
  if (count_ == 0) {
    first_key_.Assign({key, {}}, key.size());
    skip_ = std::min(skip_, key.size());
  }
  shared_ = place.shared;
  const auto bytes = [&] { return key.size() - skip_ + rest_bytes; };
  // With all that is shared left out it takes less than the leaf, so that it fits.
  if (shared_ < skip_ || count * sizeof(Slot) + bytes() > heap_) Restage(shared_);
  heap_ -= bytes();
  char* const cell = reinterpret_cast<char*>(cells_.data()) + heap_;
  const std::string_view suffix = key.substr(skip_);
  suffix.copy(cell, suffix.size());
  char* const value = cell + suffix.size() + StoreVarint(cell + suffix.size(), payload.size());
  payload.copy(value, payload.size());
  const size_t key_field = suffix.size() | (large ? kLargeValue : 0U);
  slots()[count_] = Slot{static_cast<uint16_t>(heap_), static_cast<uint16_t>(key_field),
                         HeadOf({cell, suffix.size()})};
  count_ = count;
  key_bytes_ = key.size();
  sum_ = sum;
  has_extents_ |= large;
  return true;
}

void LeafFiller::Restage(size_t skip) {
  heap_ = CopyCells(skip, other_.data(), SlotsIn(other_));
  std::swap(cells_, other_);
  skip_ = skip;
}

// Copies the cells to the end of `page`, their keys without the first `skip` bytes. Where they begin.
size_t LeafFiller::CopyCells(size_t skip, std::byte* page, Slot* slots_out) const {
  if (skip == skip_) {
    std::memcpy(page + heap_, cells_.data() + heap_, page_bytes_ - heap_);
    std::memcpy(slots_out, slots(), count_ * sizeof(Slot));
    return heap_;
  }
  const std::string_view missing =
      skip < skip_ ? first_key_.view().substr(skip, skip_ - skip) : std::string_view();
  const size_t dropped = skip > skip_ ? skip - skip_ : 0;
  size_t end = page_bytes_;  // of the cell here
  size_t heap = page_bytes_;
  for (size_t i = 0; i < count_; ++i) {
    const Slot& slot = slots()[i];
    const size_t kept = end - slot.offset - dropped;
    heap -= kept + missing.size();
    char* const cell = reinterpret_cast<char*>(page) + heap;
    missing.copy(cell, missing.size());
    std::memcpy(cell + missing.size(), cells_.data() + slot.offset + dropped, kept);
    const size_t suffix_bytes = slot.key_bytes() + missing.size() - dropped;
    const size_t key_field = suffix_bytes | (slot.large() ? kLargeValue : 0U);
    end = slot.offset;
    slots_out[i] = Slot{static_cast<uint16_t>(heap), static_cast<uint16_t>(key_field),
                        HeadOf({cell, suffix_bytes})};
  }
  return heap;
}

void LeafFiller::Build(std::byte* page) const {
  KEEL_CHECK(count_ > 0);
  const size_t prefix = PrefixBytes(shared_, count_);
  pager::PageHeader& header = pager::HeaderOf(page);
  header.count = static_cast<uint32_t>(count_);
  header.heap_holes = 0;
  header.prefix_bytes = static_cast<uint16_t>(prefix);
  first_key_.view().copy(reinterpret_cast<char*>(page) + kNodeHeaderBytes, prefix);
  void* const slots_begin = page + SlotsOffset(prefix);
  const size_t heap = CopyCells(prefix, page, static_cast<Slot*>(slots_begin));
  KEEL_CHECK(heap >= SlotsOffset(prefix) + count_ * sizeof(Slot));
  header.heap_begin = static_cast<uint32_t>(heap);
}

}  // namespace keel::btree
