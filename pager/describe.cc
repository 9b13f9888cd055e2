#include "pager/describe.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/status.h"
#include "pager/bitmap.h"
#include "pager/catalogue.h"
#include "pager/page_format.h"
#include "pager/superblock.h"
#include "pager/superblock_format.h"

namespace keel::pager {
namespace {

// Entries of a list that are shown; of more, how many there are.
constexpr size_t kShown = 64;

std::string Hex(uint64_t value) { return absl::StrFormat("%016x", value); }

std::string EpochText(uint64_t value) {
  const Epoch epoch{value};
  return absl::StrFormat("%d (incarnation %d, %d)", value, IncarnationOf(epoch),
                         value - MakeEpoch(IncarnationOf(epoch), 0).value);
}

std::string RootText(const TreeRoot& root) {
  if (root.empty()) return "empty";
  return absl::StrFormat("page %d, birth %d, level %d, %d entries%s", root.reference.id.value,
                         root.reference.birth.value, root.level, root.reference.entries,
                         root.reference.extents_below ? ", extents below" : "");
}

// Collects fields that follow each other.
class FieldList {
 public:
  explicit FieldList(std::vector<DescribedField>* fields) : fields_(fields) {}

  void Add(uint64_t size, std::string_view name, std::string value) {
    fields_->push_back({offset_, size, std::string(name), std::move(value)});
    offset_ += size;
  }
  void Number(uint64_t size, std::string_view name, uint64_t value) {
    Add(size, name, absl::StrFormat("%d", value));
  }
  void Note(std::string_view name, std::string value) {
    fields_->push_back({offset_, 0, std::string(name), std::move(value)});
  }

 private:
  std::vector<DescribedField>* fields_;
  uint64_t offset_ = 0;
};

void AddHeader(const PageHeader& header, FieldList& fields) {
  fields.Add(8, "checksum", Hex(header.checksum));
  fields.Number(8, "page id", header.page_id);
  fields.Add(8, "birth", EpochText(header.birth));
  fields.Add(1, "kind", absl::StrFormat("%d %s", header.kind, PageKindName(PageKind{header.kind})));
  fields.Number(1, "level", header.level);
  fields.Number(2, "flags", header.flags);
  fields.Number(4, "keyspace", header.keyspace);
  fields.Number(4, "count", header.count);
  fields.Number(4, "heap begin", header.heap_begin);
  fields.Number(4, "heap holes", header.heap_holes);
  fields.Number(2, "prefix bytes", header.prefix_bytes);
  fields.Number(2, "reserved", header.reserved);
  fields.Number(8, "next", header.next);
  fields.Number(8, "reserved", header.reserved2);
}

void AddMap(std::span<const std::byte> bits, FieldList& fields) {
  Bitmap map(bits.size() / 8 * 64);
  std::memcpy(map.words().data(), bits.data(), map.size() / 8);
  fields.Note("pages in use",
              absl::StrFormat("%d of %d", map.size() - map.CountClear(0, map.size()), map.size()));
  size_t runs = 0;
  for (uint64_t first = map.FindSet(0, map.size()); first < map.size();) {
    const uint64_t end = map.FindClear(first, map.size());
    if (++runs <= kShown) fields.Note("in use", absl::StrFormat("%d to %d", first, end - 1));
    first = map.FindSet(end, map.size());
  }
  if (runs > kShown) fields.Note("in use", absl::StrFormat("%d runs more", runs - kShown));
}

// Shows the first entries of a list and says how many more there are.
template <typename List, typename ToText>
void AddList(const List& list, std::string_view name, FieldList& fields, ToText&& to_text) {
  fields.Note(std::string(name) + "s", absl::StrFormat("%d", list.size()));
  for (size_t i = 0; i < std::min(list.size(), kShown); ++i) {
    fields.Note(name, absl::StrFormat("%d: %s", i, to_text(list[i])));
  }
  if (list.size() > kShown) fields.Note(name, absl::StrFormat("%d more", list.size() - kShown));
}

void AddCatalogue(const Catalogue& catalogue, FieldList& fields) {
  fields.Note("next keyspace", absl::StrFormat("%d", catalogue.next_keyspace));
  AddList(catalogue.keyspaces, "keyspace", fields, [](const CatalogueKeyspace& keyspace) {
    return absl::StrFormat("id %d \"%s\", %s", keyspace.id.value, Printable(keyspace.name),
                           RootText(keyspace.root));
  });
  AddList(catalogue.groups, "group", fields, [](const GroupEntry& group) {
    return absl::StrFormat("slot %d, generation %d, checksum %s, %d free pages", group.slot,
                           group.stamp.value, Hex(group.checksum), group.free_pages);
  });
  AddList(catalogue.detached, "detached subtree", fields, [](const DetachedSubtree& subtree) {
    return absl::StrFormat("keyspace %d, death %d, %s", subtree.keyspace.value, subtree.death.value,
                           RootText(subtree.root));
  });
  AddList(catalogue.bad_pages, "bad page", fields,
          [](PageId page) { return absl::StrFormat("%d", page.value); });
}

// The sections as their lengths cut them, whatever they hold.
void AddSections(std::string_view bytes, FieldList& fields) {
  for (ByteReader in(bytes); !in.empty();) {
    uint16_t section = 0;
    uint16_t flags = 0;
    uint32_t length = 0;
    std::string_view body;
    const bool whole =
        in.Fixed(&section) && in.Fixed(&flags) && in.Fixed(&length) && in.Bytes(length, &body);
    if (!whole) return fields.Add(in.rest().size(), "cut off", "");
    fields.Add(8 + body.size(), "section",
               absl::StrFormat("%d, flags %d, %d bytes", section, flags, length));
  }
}

}  // namespace

Description DescribeSuperblock(std::span<const std::byte> block, uint64_t offset) {
  KEEL_CHECK(block.size() == kSuperblockBytes);
  Description description{"superblock", DecodeSuperblock(block, offset).status(), {}};
  SuperblockFields f;
  std::memcpy(&f, block.data(), sizeof(f));
  FieldList fields(&description.fields);
  fields.Add(8, "magic", Hex(f.magic));
  fields.Add(8, "checksum", Hex(f.checksum));
  fields.Number(4, "format version", f.format_version);
  fields.Number(4, "page bytes", f.page_bytes);
  fields.Number(8, "offset", f.offset);
  fields.Add(8, "generation", EpochText(f.generation));
  fields.Number(8, "incarnation", f.incarnation);
  fields.Add(16, "database id", Hex(f.database_high) + Hex(f.database_low));
  fields.Add(8, "features, must understand", Hex(f.features_must_understand));
  fields.Add(8, "features, read-only compatible", Hex(f.features_read_only_compatible));
  fields.Add(8, "features, compatible", Hex(f.features_compatible));
  fields.Add(8, "instance", Hex(f.instance));
  fields.Add(8, "epoch", EpochText(f.epoch));
  fields.Number(8, "commit number", f.commit_number);
  fields.Number(8, "log start", f.log_start);
  fields.Add(8, "log chain", Hex(f.log_chain));
  fields.Add(8, "log salt", Hex(f.log_salt));
  fields.Number(8, "catalogue, first page", f.catalogue_first);
  fields.Number(8, "catalogue, pages", f.catalogue_pages);
  fields.Number(8, "catalogue, bytes", f.catalogue_bytes);
  fields.Add(8, "catalogue, checksum", Hex(f.catalogue_checksum));
  fields.Number(8, "page count", f.page_count);
  fields.Add(4, "flags", (f.flags & kSuperblockClean) != 0 ? "1 closed cleanly" : "0");
  fields.Number(4, "reserved", f.reserved);
  return description;
}

Description DescribePage(std::span<const std::byte> page, const DatabaseId& database, PageId id) {
  KEEL_CHECK(page.size() >= kPageHeaderBytes);
  PageHeader header;
  std::memcpy(&header, page.data(), sizeof(header));
  Description description{std::string(PageKindName(PageKind{header.kind})) + " page",
                          CheckPage(page, database, id),
                          {}};
  FieldList fields(&description.fields);
  AddHeader(header, fields);
  const std::span<const std::byte> body = page.subspan(kPageHeaderBytes);
  if (header.kind == static_cast<uint8_t>(PageKind::kSpaceMap)) {
    AddMap(body, fields);
  } else if (header.kind == static_cast<uint8_t>(PageKind::kCatalogue)) {
    fields.Note("part of the catalogue",
                absl::StrFormat("%d bytes", std::min<uint64_t>(header.count, body.size())));
  }
  return description;
}

Description DescribeCatalogue(std::string_view bytes) {
  const absl::StatusOr<Catalogue> catalogue = DecodeCatalogue(bytes);
  Description description{"catalogue", catalogue.status(), {}};
  FieldList fields(&description.fields);
  AddSections(bytes, fields);
  if (catalogue.ok()) AddCatalogue(*catalogue, fields);
  return description;
}

std::string ToText(const Description& description) {
  std::string text = description.kind + "\n";
  for (const DescribedField& field : description.fields) {
    if (field.size > 0) {
      absl::StrAppendFormat(&text, "%6d %6d  %-31s %s\n", field.offset, field.size, field.name,
                            field.value);
    } else {
      absl::StrAppendFormat(&text, "%15s%-31s %s\n", "", field.name, field.value);
    }
  }
  absl::StrAppendFormat(&text, "%s\n",
                        description.status.ok() ? "good" : MessageOf(description.status));
  return text;
}

}  // namespace keel::pager
