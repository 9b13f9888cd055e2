#include "btree/describe.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <string_view>

#include "base/status.h"
#include "btree/node_check.h"
#include "btree/node_view.h"
#include "btree/overflow.h"

namespace keel::btree {
namespace {

class Describer {
 public:
  explicit Describer(std::span<const std::byte> page)
      : page_(page),
        text_(reinterpret_cast<const char*>(page.data()), page.size()),
        header_(pager::HeaderOf(page.data())) {}

  std::string Describe() {
    Header();
    const size_t prefix_end = SlotsOffset(header_.prefix_bytes);
    if (prefix_end > page_.size()) {
      out_ += "the prefix does not end in the page\n";
      return out_;
    }
    prefix_ = text_.substr(kNodeHeaderBytes, header_.prefix_bytes);
    absl::StrAppendFormat(&out_, "prefix \"%s\"\n", Printable(prefix_));
    const size_t room = (page_.size() - prefix_end) / sizeof(Slot);
    const size_t count = std::min<size_t>(header_.count, room);
    for (size_t i = 0; i < count; ++i) DescribeSlot(i, text_.substr(prefix_end + i * sizeof(Slot)));
    if (count < header_.count) {
      absl::StrAppendFormat(&out_, "%d more slots do not lie in the page\n", header_.count - count);
    }
    return out_;
  }

 private:
  void Header() {
    const auto kind = static_cast<pager::PageKind>(header_.kind);
    absl::StrAppendFormat(&out_, "page %d  birth %d  kind %d (%s)  level %d  keyspace %d\n",
                          header_.page_id, header_.birth, header_.kind, pager::PageKindName(kind),
                          header_.level, header_.keyspace);
    absl::StrAppendFormat(&out_, "%d entries  heap from %d, %d bytes of holes  checksum %016x\n",
                          header_.count, header_.heap_begin, header_.heap_holes, header_.checksum);
    const absl::Status checked = CheckNode(page_);
    absl::StrAppendFormat(&out_, "structure: %s\n", checked.ok() ? "well" : MessageOf(checked));
  }

  void DescribeSlot(size_t i, std::string_view bytes) {
    const auto offset = Load<uint16_t>(bytes.data());
    const auto key_field = Load<uint16_t>(bytes.data() + 2);
    const auto head = Load<uint32_t>(bytes.data() + 4);
    const Slot slot{offset, key_field, head};
    absl::StrAppendFormat(&out_, "%5d  at %5d  head %08x  ", i, offset, head);
    if (offset + slot.key_bytes() > page_.size()) {
      absl::StrAppendFormat(&out_, "a key of %d bytes does not end in the page\n",
                            slot.key_bytes());
      return;
    }
    const std::string_view suffix = text_.substr(offset, slot.key_bytes());
    absl::StrAppendFormat(&out_, "\"%s\"  ", Printable(std::string(prefix_).append(suffix)));
    const std::string_view payload = text_.substr(offset + slot.key_bytes());
    if (header_.level == 0) {
      DescribeValue(payload, slot.large());
    } else {
      DescribeReference(payload);
    }
  }

  void DescribeReference(std::string_view payload) {
    if (payload.size() < pager::kReferenceBytes) {
      out_ += "the reference does not end in the page\n";
      return;
    }
    const pager::Reference reference = pager::LoadReference(payload.data());
    absl::StrAppendFormat(&out_, "-> page %d  birth %d  entries %d%s\n", reference.id.value,
                          reference.birth.value, reference.entries,
                          reference.extents_below ? "  large values below" : "");
  }

  void DescribeValue(std::string_view payload, bool large) {
    ByteReader reader(payload);
    std::string_view value;
    if (!reader.Prefixed(&value)) {
      out_ += "the value does not end in the page\n";
    } else if (large) {
      DescribeExtent(value);
    } else {
      absl::StrAppendFormat(&out_, "= %d bytes \"%s\"\n", value.size(), Printable(value));
    }
  }

  void DescribeExtent(std::string_view bytes) {
    const auto extent = DecodeExtent(bytes, static_cast<uint32_t>(page_.size()));
    if (!extent.ok()) {
      absl::StrAppendFormat(&out_, "%s\n", MessageOf(extent.status()));
      return;
    }
    absl::StrAppendFormat(&out_, "= large value of %d bytes  birth %d  table checksum %016x  pages",
                          extent->value_bytes, extent->birth.value, extent->table_checksum);
    for (const pager::PageRun& run : extent->runs) {
      absl::StrAppendFormat(&out_, " %d+%d", run.first.value, run.count);
    }
    out_ += '\n';
  }

  const std::span<const std::byte> page_;
  const std::string_view text_;
  const pager::PageHeader& header_;
  std::string_view prefix_;
  std::string out_;
};

}  // namespace

std::string DescribeNode(std::span<const std::byte> page) { return Describer(page).Describe(); }

}  // namespace keel::btree
