#include "pager/catalogue.h"

#include <absl/container/flat_hash_set.h>

#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/status.h"

namespace keel::pager {
namespace {

enum class Section : uint16_t { kKeyspaces = 1, kGroups = 2, kDetached = 3, kBadPages = 4 };

constexpr uint16_t kMustUnderstand = 1;
constexpr uint32_t kSlotBit = uint32_t{1} << 31;

// Bytes of an entry, names aside.
constexpr size_t kRootBytes = 1 + kReferenceBytes;
constexpr size_t kKeyspaceBytes = 4 + kRootBytes + 2;
constexpr size_t kGroupBytes = 8 + 8 + 4;
constexpr size_t kDetachedBytes = 4 + kRootBytes + 8;
constexpr size_t kBadPageBytes = 6;

// --- writing ---

void WriteRoot(ByteWriter& out, const TreeRoot& root) {
  char reference[kReferenceBytes];
  StoreReference(reference, root.reference);
  out.Fixed<uint8_t>(root.level);
  out.Bytes({reference, sizeof(reference)});
}

void WriteSection(std::string* bytes, Section section, std::string_view body) {
  KEEL_CHECK(body.size() <= UINT32_MAX);
  ByteWriter out(bytes);
  out.Fixed(static_cast<uint16_t>(section));
  out.Fixed(kMustUnderstand);
  out.Fixed(static_cast<uint32_t>(body.size()));
  out.Bytes(body);
}

std::string Keyspaces(const Catalogue& catalogue) {
  std::string body;
  ByteWriter out(&body);
  out.Fixed(catalogue.next_keyspace);
  out.Fixed<uint64_t>(catalogue.keyspaces.size());
  for (const CatalogueKeyspace& keyspace : catalogue.keyspaces) {
    KEEL_CHECK(keyspace.name.size() <= kMaxNameBytes);
    out.Fixed(keyspace.id.value);
    WriteRoot(out, keyspace.root);
    out.Fixed(static_cast<uint16_t>(keyspace.name.size()));
    out.Bytes(keyspace.name);
  }
  return body;
}

std::string Groups(const Catalogue& catalogue) {
  std::string body;
  ByteWriter out(&body);
  out.Fixed<uint64_t>(catalogue.groups.size());
  for (const GroupEntry& group : catalogue.groups) {
    KEEL_CHECK(group.slot <= 1 && group.free_pages < kSlotBit);
    out.Fixed(group.stamp.value);
    out.Fixed(group.checksum);
    out.Fixed(group.free_pages | (group.slot == 1 ? kSlotBit : 0));
  }
  return body;
}

std::string DetachedSubtrees(const Catalogue& catalogue) {
  std::string body;
  ByteWriter out(&body);
  out.Fixed<uint64_t>(catalogue.detached.size());
  for (const DetachedSubtree& subtree : catalogue.detached) {
    out.Fixed(subtree.keyspace.value);
    WriteRoot(out, subtree.root);
    out.Fixed(subtree.death.value);
  }
  return body;
}

std::string BadPages(const Catalogue& catalogue) {
  std::string body;
  ByteWriter out(&body);
  out.Fixed<uint64_t>(catalogue.bad_pages.size());
  for (const PageId page : catalogue.bad_pages) {
    char id[kBadPageBytes];
    Store48(id, page.value);
    out.Bytes({id, sizeof(id)});
  }
  return body;
}

// --- reading ---

absl::Status Damaged(std::string_view what) {
  return MakeStatus(absl::StatusCode::kDataLoss, "catalogue: %s", what);
}

// The count of a list whose entries take at least `entry_bytes` each of what is left.
absl::Status ReadCount(ByteReader& in, size_t entry_bytes, std::string_view list, uint64_t* count) {
  if (!in.Fixed(count)) return Damaged("a list is cut off before its count");
  if (*count <= in.rest().size() / entry_bytes) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, "catalogue: %d %s cannot lie in %d bytes", *count,
                    list, in.rest().size());
}

bool ReadRoot(ByteReader& in, TreeRoot* root) {
  std::string_view reference;
  if (!in.Fixed(&root->level) || !in.Bytes(kReferenceBytes, &reference)) return false;
  root->reference = LoadReference(reference.data());
  return true;
}

absl::Status CheckRoot(const TreeRoot& root) {
  if (root.level > kMaxLevel) return Damaged("a tree is higher than can be");
  if (root.empty() && root != TreeRoot{}) return Damaged("an empty tree is said to have entries");
  return absl::OkStatus();
}

absl::Status ReadKeyspace(ByteReader& in, CatalogueKeyspace* keyspace) {
  uint16_t name_bytes = 0;
  std::string_view name;
  if (!in.Fixed(&keyspace->id.value) || !ReadRoot(in, &keyspace->root) || !in.Fixed(&name_bytes) ||
      !in.Bytes(name_bytes, &name)) {
    return Damaged("a keyspace is cut off");
  }
  if (name.size() > kMaxNameBytes) return Damaged("a keyspace's name is longer than 255 bytes");
  keyspace->name = name;
  return CheckRoot(keyspace->root);
}

absl::Status ReadKeyspaces(ByteReader& in, Catalogue* catalogue) {
  if (!in.Fixed(&catalogue->next_keyspace)) return Damaged("keyspaces are cut off");
  uint64_t count = 0;
  KEEL_RETURN_IF_ERROR(ReadCount(in, kKeyspaceBytes, "keyspaces", &count));
  catalogue->keyspaces.resize(count);
  for (CatalogueKeyspace& keyspace : catalogue->keyspaces) {
    KEEL_RETURN_IF_ERROR(ReadKeyspace(in, &keyspace));
  }
  return absl::OkStatus();
}

absl::Status ReadGroups(ByteReader& in, Catalogue* catalogue) {
  uint64_t count = 0;
  KEEL_RETURN_IF_ERROR(ReadCount(in, kGroupBytes, "groups", &count));
  catalogue->groups.resize(count);
  for (GroupEntry& group : catalogue->groups) {
    uint32_t free_and_slot = 0;
    in.Fixed(&group.stamp.value);
    in.Fixed(&group.checksum);
    in.Fixed(&free_and_slot);
    group.slot = static_cast<uint8_t>((free_and_slot & kSlotBit) != 0);
    group.free_pages = free_and_slot & ~kSlotBit;
  }
  return absl::OkStatus();
}

absl::Status ReadDetached(ByteReader& in, Catalogue* catalogue) {
  uint64_t count = 0;
  KEEL_RETURN_IF_ERROR(ReadCount(in, kDetachedBytes, "detached subtrees", &count));
  catalogue->detached.resize(count);
  for (DetachedSubtree& subtree : catalogue->detached) {
    in.Fixed(&subtree.keyspace.value);
    ReadRoot(in, &subtree.root);
    in.Fixed(&subtree.death.value);
    KEEL_RETURN_IF_ERROR(CheckRoot(subtree.root));
    if (subtree.root.empty()) return Damaged("a detached subtree has no pages");
  }
  return absl::OkStatus();
}

absl::Status ReadBadPages(ByteReader& in, Catalogue* catalogue) {
  uint64_t count = 0;
  KEEL_RETURN_IF_ERROR(ReadCount(in, kBadPageBytes, "bad pages", &count));
  catalogue->bad_pages.resize(count);
  for (PageId& page : catalogue->bad_pages) {
    std::string_view id;
    in.Bytes(kBadPageBytes, &id);
    page = PageId{Load48(id.data())};
  }
  return absl::OkStatus();
}

absl::Status ReadSection(Section section, std::string_view body, Catalogue* catalogue) {
  ByteReader in(body);
  absl::Status status;
  switch (section) {
    case Section::kKeyspaces:
      status = ReadKeyspaces(in, catalogue);
      break;
    case Section::kGroups:
      status = ReadGroups(in, catalogue);
      break;
    case Section::kDetached:
      status = ReadDetached(in, catalogue);
      break;
    case Section::kBadPages:
      status = ReadBadPages(in, catalogue);
      break;
  }
  KEEL_RETURN_IF_ERROR(status);
  return in.ok() && in.empty() ? absl::OkStatus() : Damaged("a section is longer than its entries");
}

bool IsKnown(uint16_t section) {
  return section >= static_cast<uint16_t>(Section::kKeyspaces) &&
         section <= static_cast<uint16_t>(Section::kBadPages);
}

// What only the whole shows.
absl::Status CheckWhole(const Catalogue& catalogue) {
  absl::flat_hash_set<uint32_t> ids;
  absl::flat_hash_set<std::string_view> names;
  for (const CatalogueKeyspace& keyspace : catalogue.keyspaces) {
    if (keyspace.id.value >= catalogue.next_keyspace) return Damaged("a keyspace id not yet given");
    if (!ids.insert(keyspace.id.value).second) return Damaged("two keyspaces have one id");
    if (!names.insert(keyspace.name).second) return Damaged("two keyspaces have one name");
  }
  for (const DetachedSubtree& subtree : catalogue.detached) {
    if (subtree.keyspace.value >= catalogue.next_keyspace) {
      return Damaged("a detached subtree of a keyspace id not yet given");
    }
  }
  absl::flat_hash_set<PageId> bad;
  for (const PageId page : catalogue.bad_pages) {
    if (!bad.insert(page).second) return Damaged("a bad page is named twice");
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeCatalogue(const Catalogue& catalogue) {
  std::string bytes;
  WriteSection(&bytes, Section::kKeyspaces, Keyspaces(catalogue));
  WriteSection(&bytes, Section::kGroups, Groups(catalogue));
  WriteSection(&bytes, Section::kDetached, DetachedSubtrees(catalogue));
  WriteSection(&bytes, Section::kBadPages, BadPages(catalogue));
  KEEL_CHECK(CheckWhole(catalogue).ok());
  return bytes;
}

absl::StatusOr<Catalogue> DecodeCatalogue(std::string_view bytes) {
  Catalogue catalogue;
  absl::flat_hash_set<uint16_t> seen;
  ByteReader in(bytes);
  while (!in.empty()) {
    uint16_t section = 0;
    uint16_t flags = 0;
    uint32_t length = 0;
    std::string_view body;
    if (!in.Fixed(&section) || !in.Fixed(&flags) || !in.Fixed(&length) ||
        !in.Bytes(length, &body)) {
      return Damaged("a section is cut off");
    }
    if (!seen.insert(section).second) return Damaged("a section comes twice");
    if (IsKnown(section)) {
      KEEL_RETURN_IF_ERROR(ReadSection(static_cast<Section>(section), body, &catalogue));
    } else if ((flags & kMustUnderstand) != 0) {
      return MakeStatus(absl::StatusCode::kFailedPrecondition,
                        "catalogue: section %d must be understood; this version of Keel does not",
                        section);
    }
  }
  KEEL_RETURN_IF_ERROR(CheckWhole(catalogue));
  return catalogue;
}

}  // namespace keel::pager
