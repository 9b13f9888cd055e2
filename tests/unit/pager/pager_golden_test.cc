// The bytes of the data file's own structures, annotated, against tests/golden/pager_format.txt.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/status.h"
#include "pager/catalogue.h"
#include "pager/describe.h"
#include "pager/page_format.h"
#include "pager/superblock.h"
#include "tests/unit/pager/space_fixture.h"

namespace keel::pager {
namespace {

constexpr DatabaseId kDatabase{0x1122334455667788, 0x99aabbccddeeff00};

std::string HexOf(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) absl::StrAppendFormat(&text, " %02x", static_cast<uint8_t>(byte));
  return text;
}

// The bytes of each field, then what follows the last one, 32 a line, without lines of zeros.
std::string Dump(const Description& description, std::string_view bytes) {
  std::string text;
  uint64_t end = 0;
  for (const DescribedField& field : description.fields) {
    if (field.size == 0) continue;
    absl::StrAppendFormat(&text, "%5d %3d  %-30s%s\n", field.offset, field.size, field.name,
                          HexOf(bytes.substr(field.offset, field.size)));
    end = field.offset + field.size;
  }
  for (; end < bytes.size(); end += 32 - end % 32) {
    const std::string_view line = bytes.substr(end, 32 - end % 32);
    if (line.find_first_not_of('\0') == std::string_view::npos) continue;
    absl::StrAppendFormat(&text, "%5d %3d %s\n", end, line.size(), HexOf(line));
  }
  return text;
}

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string SuperblockDump() {
  const Superblock superblock{.page_bytes = 4096,
                              .database = kDatabase,
                              .incarnation = 3,
                              .instance = 0x0102030405060708,
                              .generation = {MakeEpoch(3, 17).value},
                              .epoch = MakeEpoch(3, 1000),
                              .commit_number = {999},
                              .log_start = {1048576},
                              .log_chain = 0xabcdef,
                              .log_salt = 0x5a17,
                              .catalogue = {{300}, 2, 5000, 0xc0ffee},
                              .page_count = 1000,
                              .clean = true};
  std::array<std::byte, kSuperblockBytes> block;
  EncodeSuperblock(superblock, kSuperblockOffsets[2], block);
  return Dump(DescribeSuperblock(block, kSuperblockOffsets[2]), TextOf(block));
}

std::string ExampleCatalogue() {
  Catalogue catalogue;
  catalogue.next_keyspace = 3;
  catalogue.keyspaces = {{{0}, "", {}}, {{2}, "users", {{{77}, {78}, 79, true}, 2}}};
  catalogue.groups = {{1, {12}, 0xc1c2c3c4c5c6c7c8, 32000}};
  catalogue.detached = {{{1}, {{{90}, {91}, 92, false}, 1}, {93}}};
  catalogue.bad_pages = {PageId{1000}};
  return EncodeCatalogue(catalogue);
}

std::string CataloguePageDump() {
  MemoryFile file;
  const PageId page{20};
  EXPECT_TRUE(WriteCataloguePages(file, kDatabase, 512, Generation{12}, std::span(&page, 1),
                                  ExampleCatalogue())
                  .ok());
  const std::string bytes = file.Contents(page.value * 512, 512);
  return Dump(DescribePage(std::as_bytes(std::span(bytes)), kDatabase, page), bytes);
}

std::string MapPageDump() {
  SpaceFixture f(512);
  f.options.database = kDatabase;
  f.Create();
  KEEL_EXPECT_OK(f.Checkpoint(SetOf(f.AllocateMany(20)), {}));
  const std::string bytes = f.file->Contents(f.SlotOffset(0, 0), 512);
  return Dump(DescribePage(std::as_bytes(std::span(bytes)), kDatabase, PageId{10}), bytes);
}

TEST(PagerGoldenTest, TheBytesOnDiskStayWhatTheyAre) {
  const std::string catalogue = ExampleCatalogue();
  const std::string text =
      "# Superblock: offset, size, field, bytes\n" + SuperblockDump() + "\n# Catalogue, encoded\n" +
      Dump(DescribeCatalogue(catalogue), catalogue) + "\n# The same in a page of 512 bytes\n" +
      CataloguePageDump() + "\n# Bitmap slot of a group with 20 pages in use, 512 bytes a page\n" +
      MapPageDump();

  const std::string path = KEEL_GOLDEN_DIR "/pager_format.txt";
  if (std::getenv("KEEL_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str())
      << "the format has changed; if that is meant, raise its version and "
         "run with KEEL_UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace keel::pager
