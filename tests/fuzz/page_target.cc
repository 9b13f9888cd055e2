// Input: u8 what, then by what: the bytes of a node, a catalogue, the pages of one, a map slot, a large value.

#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/codec.h"
#include "pager/catalogue.h"
#include "pager/describe.h"
#include "pager/page_format.h"
#include "pager/space_slot.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/node_cases.h"
#include "tests/unit/pager/memory_file.h"

namespace keel::fuzz {
namespace {

constexpr DatabaseId kDatabase{7, 9};
constexpr Generation kGeneration{5};
constexpr uint32_t kPageBytes = 512;

enum What : uint8_t { kSmallNode, kNode, kCatalogue, kChain, kMap, kExtent, kWhats };

void RunCatalogue(std::string_view bytes) {
  KEEL_CHECK(!pager::ToText(pager::DescribeCatalogue(bytes)).empty());
  const absl::StatusOr<pager::Catalogue> decoded = pager::DecodeCatalogue(bytes);
  if (!decoded.ok()) return;
  const absl::StatusOr<pager::Catalogue> again =
      pager::DecodeCatalogue(pager::EncodeCatalogue(*decoded));
  KEEL_CHECK(again.ok() && *again == *decoded);
}

// The pages of a catalogue of 1200 bytes, changed at some places and sealed again.
void RunChain(FuzzInput& input) {
  pager::MemoryFile file(1 << 16);
  const std::string bytes(1200, 'c');
  const PageId pages[] = {PageId{20}, PageId{21}, PageId{30}};
  auto reference =
      *pager::WriteCataloguePages(file, kDatabase, kPageBytes, kGeneration, pages, bytes);
  AlignedBuffer page = AlignedBuffer::Allocate(kPageBytes);
  while (!input.empty()) {
    const PageId id = pages[input.Take<uint8_t>() % std::size(pages)];
    KEEL_CHECK(file.Read(id.value * kPageBytes, page.span()).ok());
    const size_t at = input.Take<uint8_t>();
    const std::string_view change = input.Bytes(input.Take<uint8_t>() % 16);
    if (!change.empty()) std::memcpy(page.data() + at, change.data(), change.size());
    if (input.Take<uint8_t>() % 4 != 3) pager::SealPage(page.span(), kDatabase);
    KEEL_CHECK(!pager::ToText(pager::DescribePage(page.span(), kDatabase, id)).empty());
    KEEL_CHECK(file.Write(id.value * kPageBytes, page.span()).ok());
    if (input.Take<uint8_t>() % 8 == 7) reference.pages = input.Take<uint64_t>();
    if (input.Take<uint8_t>() % 8 == 7) reference.bytes = input.Take<uint64_t>();
  }
  (void)pager::ReadCataloguePages(file, kDatabase, kPageBytes, kGeneration, reference);
}

// A slot's page, and the entry and page count that it is held against.
void RunMap(FuzzInput& input) {
  pager::MemoryFile file(uint64_t{4} << 20);
  const pager::SlotContext context{&file, kDatabase, pager::SpaceLayout(kPageBytes)};
  const uint64_t group = input.Take<uint8_t>() % 2;
  const uint64_t page_count = input.Take<uint16_t>();
  auto entry =
      *pager::WriteSlot(context, group, 1, kGeneration, pager::EmptyGroup(context.layout, group));
  const PageId id = context.layout.Slot(group, 1);
  AlignedBuffer page = AlignedBuffer::Allocate(kPageBytes);
  KEEL_CHECK(file.Read(id.value * kPageBytes, page.span()).ok());
  entry.free_pages = static_cast<uint32_t>(entry.free_pages - input.Take<uint8_t>());
  while (!input.empty()) {
    const size_t at = input.Take<uint16_t>() % kPageBytes;
    page.data()[at] = std::byte{input.Take<uint8_t>()};
  }
  pager::SealPage(page.span(), kDatabase);
  entry.checksum = pager::HeaderOf(page.data()).checksum;
  KEEL_CHECK(!pager::ToText(pager::DescribePage(page.span(), kDatabase, id)).empty());
  KEEL_CHECK(file.Write(id.value * kPageBytes, page.span()).ok());
  const auto map = pager::ReadSlot(context, group, entry, page_count);
  if (!map.ok()) return;
  const auto written = pager::WriteSlot(context, group, 1, entry.stamp, *map);
  KEEL_CHECK(written.ok() && written->free_pages == entry.free_pages);
}

void RunPage(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  switch (input.Take<uint8_t>() % kWhats) {
    case kSmallNode:
      return RunNode(input, kPageBytes);
    case kNode:
      return RunNode(input, pager::kMinPageBytes);
    case kCatalogue:
      return RunCatalogue(input.Rest());
    case kChain:
      return RunChain(input);
    case kMap:
      return RunMap(input);
    default:
      return RunExtent(input);
  }
}

pager::Catalogue SomeCatalogue() {
  const pager::TreeRoot root{{PageId{40}, MakeEpoch(1, 2), 9, true}, 1};
  pager::Catalogue catalogue;
  catalogue.next_keyspace = 3;
  catalogue.keyspaces = {{KeyspaceId{0}, "default", root}, {KeyspaceId{2}, "second", {}}};
  catalogue.groups = {{1, kGeneration, 77, 200}, {0, kGeneration, 78, 300}};
  catalogue.detached = {{KeyspaceId{1}, root, MakeEpoch(1, 3)}};
  catalogue.bad_pages = {PageId{99}, PageId{101}};
  return catalogue;
}

std::vector<std::string> Seeds() {
  const auto of = [](What what, const std::string& bytes) {
    return std::string(1, static_cast<char>(what)) + bytes;
  };
  const std::string changes("\0\1key\2\3\5\4\1\2\1", 12);
  return {of(kSmallNode, LeafPage(512) + changes),
          of(kSmallNode, InternalPage(512)),
          of(kNode, LeafPage(4096) + changes),
          of(kNode, InternalPage(4096)),
          of(kCatalogue, pager::EncodeCatalogue(SomeCatalogue())),
          of(kCatalogue, pager::EncodeCatalogue({})),
          of(kChain, ""),
          of(kChain, std::string("\1\x30\1\x14\0\0\0", 7)),
          of(kMap, std::string("\0\0\2\0", 4)),
          of(kMap, std::string("\1\xff\xff\1\x46\0\1", 7)),
          of(kExtent, std::string("\xff\0\0\0\0", 5)),
          of(kExtent, std::string("\x20\x4e\1\0\5\0\1\0\1\2\7", 11))};
}

}  // namespace

const FuzzTarget kPageTarget = {"page", &RunPage, &Seeds};

}  // namespace keel::fuzz
