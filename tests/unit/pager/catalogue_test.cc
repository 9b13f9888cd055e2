#include "pager/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/codec.h"
#include "pager/page_format.h"
#include "tests/support/seed.h"
#include "tests/unit/pager/memory_file.h"

namespace keel::pager {
namespace {

using ::testing::HasSubstr;
using Kind = MemoryFile::Call::Kind;

constexpr DatabaseId kDatabase{5, 6};

TreeRoot Root(uint64_t page) { return {{PageId{page}, Epoch{page + 1}, page * 3, true}, 2}; }

Catalogue Example(size_t groups = 3) {
  Catalogue catalogue;
  catalogue.next_keyspace = 9;
  catalogue.keyspaces = {{{0}, "", {}}, {{4}, "users", Root(77)}, {{8}, "\xff\x00z", Root(78)}};
  for (uint32_t i = 0; i < groups; ++i) {
    catalogue.groups.push_back({static_cast<uint8_t>(i % 2), Generation{i + 10}, i * 17ULL, i + 5});
  }
  catalogue.detached = {{{2}, Root(90), Epoch{91}}, {{4}, Root(92), Epoch{93}}};
  catalogue.bad_pages = {PageId{1000}, PageId{7}};
  return catalogue;
}

std::string Section(uint16_t section, uint16_t flags, std::string_view body) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.Fixed(section);
  out.Fixed(flags);
  out.Fixed(static_cast<uint32_t>(body.size()));
  out.Bytes(body);
  return bytes;
}

std::string Count(uint64_t count) {
  std::string bytes;
  ByteWriter(&bytes).Fixed(count);
  return bytes;
}

absl::Status StatusOf(std::string_view bytes) { return DecodeCatalogue(bytes).status(); }

TEST(CatalogueCodecTest, WhatIsEncodedComesBack) {
  for (const Catalogue& catalogue : {Catalogue{}, Example(), Example(1000)}) {
    const absl::StatusOr<Catalogue> decoded = DecodeCatalogue(EncodeCatalogue(catalogue));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, catalogue);
  }
}

TEST(CatalogueCodecTest, TheLengthDependsOnCountsAndNamesOnly) {
  Catalogue catalogue = Example();
  const size_t length = EncodeCatalogue(catalogue).size();
  for (GroupEntry& group : catalogue.groups) group = {1, {UINT64_MAX}, UINT64_MAX, INT32_MAX};
  catalogue.keyspaces[1].root = {{PageId{kMaxPageId}, {UINT64_MAX}, kMaxEntries, true}, 60};
  EXPECT_EQ(EncodeCatalogue(catalogue).size(), length);
}

TEST(CatalogueCodecTest, EveryPrefixIsWholeSectionsOrRefused) {
  const std::string bytes = EncodeCatalogue(Example());
  int whole = 0;
  for (size_t length = 0; length <= bytes.size(); ++length) {
    whole += StatusOf(std::string_view(bytes).substr(0, length)).ok() ? 1 : 0;
  }
  EXPECT_LE(whole, 5) << "after each section";
}

TEST(CatalogueCodecTest, CountsAreHeldAgainstTheBytesThatAreThere) {
  for (uint16_t section = 1; section <= 4; ++section) {
    const std::string lead = section == 1 ? std::string(4, '\0') : std::string();
    for (const uint64_t count : {uint64_t{1}, uint64_t{1} << 32, UINT64_MAX}) {
      const absl::Status status = StatusOf(Section(section, 1, lead + Count(count)));
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("cannot lie in 0 bytes"));
    }
  }
  std::string cut = Section(2, 1, Count(0));
  Store<uint32_t>(&cut[4], UINT32_MAX);
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(cut)));
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(Section(2, 1, Count(0) + "more"))));
}

TEST(CatalogueCodecTest, UnknownSectionsAreSkippedUnlessTheyMustBeUnderstood) {
  const std::string bytes = EncodeCatalogue(Example());
  const absl::StatusOr<Catalogue> skipped = DecodeCatalogue(Section(77, 0, "later") + bytes);
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_EQ(*skipped, Example());
  const absl::Status refused = StatusOf(bytes + Section(78, 1, "later"));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("section 78"));
  EXPECT_TRUE(absl::IsDataLoss(StatusOf(bytes + Section(2, 1, Count(0))))) << "a section twice";
}

TEST(CatalogueCodecTest, WhatContradictsItselfIsRefused) {
  const std::string bytes = EncodeCatalogue(Example());
  const auto message = [&](size_t offset, std::string_view value) {
    std::string changed = bytes;
    changed.replace(offset, value.size(), value);
    const absl::Status status = StatusOf(changed);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return std::string(status.message());
  };
  // Section header 8, next keyspace 4, count 8; a keyspace is 27 bytes and its name.
  constexpr size_t kFirst = 20;
  constexpr size_t kSecond = kFirst + 27;
  EXPECT_THAT(message(kSecond, {"\0", 1}), HasSubstr("two keyspaces have one id"));
  EXPECT_THAT(message(kSecond, "\x09"), HasSubstr("not yet given"));
  EXPECT_THAT(message(kSecond + 4, "\x40"), HasSubstr("higher than can be"));
  EXPECT_THAT(message(kFirst + 5 + 14, "\x01"), HasSubstr("empty tree"));
  const size_t bad_pages = bytes.size() - 12;
  EXPECT_THAT(message(bad_pages, bytes.substr(bad_pages + 6)), HasSubstr("named twice"));
}

TEST(CatalogueCodecTest, NamesAreLimited) {
  Catalogue catalogue;
  catalogue.keyspaces = {{{0}, std::string(kMaxNameBytes, 'n'), {}}};
  std::string bytes = EncodeCatalogue(catalogue);
  EXPECT_TRUE(StatusOf(bytes).ok());
  Store<uint16_t>(&bytes[20 + 25], kMaxNameBytes + 1);
  Store<uint32_t>(&bytes[4], Load<uint32_t>(&bytes[4]) + 1);
  bytes.insert(20 + 27, 1, 'n');
  EXPECT_THAT(std::string(StatusOf(bytes).message()), HasSubstr("longer than 255 bytes"));
}

TEST(CatalogueCodecTest, TwoKeyspacesOfOneNameAreRefused) {
  Catalogue catalogue = Example();
  catalogue.keyspaces[1].name = "abc";
  catalogue.keyspaces[2].name = "abd";
  std::string bytes = EncodeCatalogue(catalogue);
  bytes[bytes.find("abd") + 2] = 'c';
  EXPECT_THAT(std::string(StatusOf(bytes).message()), HasSubstr("one name"));
}

TEST(CatalogueCodecTest, RandomDamageIsRefusedOrMeansSomethingElse) {
  std::mt19937_64 random(testing::TestSeed());
  const std::string bytes = EncodeCatalogue(Example(20));
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes;
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    damaged.resize(damaged.size() - (random() % 4 == 0 ? random() % damaged.size() : 0));
    const absl::StatusOr<Catalogue> decoded = DecodeCatalogue(damaged);
    if (!decoded.ok()) continue;
    const absl::StatusOr<Catalogue> again = DecodeCatalogue(EncodeCatalogue(*decoded));
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_EQ(*again, *decoded);
  }
}

class CataloguePagesTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  // Pages 100, 101, 102, then every second one.
  std::vector<PageId> SomePages(size_t count) {
    std::vector<PageId> pages;
    for (uint64_t i = 0; i < count; ++i) pages.push_back(PageId{i < 3 ? 100 + i : 100 + 2 * i});
    return pages;
  }
  CatalogueReference Write(const std::string& bytes) {
    pages_ = SomePages(CataloguePages(bytes.size(), GetParam()));
    absl::StatusOr<CatalogueReference> reference =
        WriteCataloguePages(file_, kDatabase, GetParam(), Generation{4}, pages_, bytes);
    EXPECT_TRUE(reference.ok()) << reference.status();
    EXPECT_TRUE(file_.Sync(io::SyncPurpose::kCheckpointPages).ok());
    return *reference;
  }
  absl::StatusOr<CatalogueImage> Read(const CatalogueReference& reference,
                                      Generation generation = {4}) {
    return ReadCataloguePages(file_, kDatabase, GetParam(), generation, reference);
  }
  absl::Status Refused(const CatalogueReference& reference, Generation generation = {4}) {
    const absl::Status status = Read(reference, generation).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("/memory/keel.data"));
    return status;
  }
  // Seals a page of the chain anew after a change to its header.
  template <typename Change>
  void Forge(size_t index, Change&& change) {
    alignas(8) std::array<std::byte, 65536> storage;
    const std::span<std::byte> page = std::span(storage).first(GetParam());
    const uint64_t offset = pages_[index].value * GetParam();
    ASSERT_TRUE(file_.Read(offset, page).ok());
    change(HeaderOf(page.data()));
    SealPage(page, kDatabase);
    ASSERT_TRUE(file_.Write(offset, page).ok());
  }

  const std::string bytes_ = EncodeCatalogue(Example(14000));
  std::vector<PageId> pages_;
  MemoryFile file_;
};
INSTANTIATE_TEST_SUITE_P(Geometries, CataloguePagesTest, ::testing::Values(512U, 4096U, 65536U));

TEST_P(CataloguePagesTest, WhatIsWrittenIsRead) {
  const uint64_t payload = CataloguePayloadBytes(GetParam());
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}, payload - 1, payload, payload + 1,
                                3 * payload, uint64_t{bytes_.size()}}) {
    const std::string bytes = bytes_.substr(0, length);
    const absl::StatusOr<CatalogueImage> image = Read(Write(bytes));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->bytes, bytes);
    EXPECT_EQ(image->pages, pages_);
  }
  EXPECT_EQ(CataloguePages(0, GetParam()), 1U);
  EXPECT_EQ(CataloguePages(payload, GetParam()), 1U);
  EXPECT_EQ(CataloguePages(payload + 1, GetParam()), 2U);
}

TEST_P(CataloguePagesTest, NeighboursGoInOneWrite) {
  Write(bytes_.substr(0, 4 * CataloguePayloadBytes(GetParam())));
  std::vector<MemoryFile::Call> writes = file_.calls();
  std::erase_if(writes, [](const MemoryFile::Call& call) { return call.kind != Kind::kWrite; });
  ASSERT_EQ(writes.size(), 2U);
  EXPECT_EQ(writes[0].length, uint64_t{3} * GetParam());
  EXPECT_EQ(file_.CountCalls(Kind::kSync), 1U) << "the test's own";
}

TEST_P(CataloguePagesTest, EveryFlippedBitIsFound) {
  std::mt19937_64 random(testing::TestSeed());
  const CatalogueReference reference =
      Write(bytes_.substr(0, 3 * CataloguePayloadBytes(GetParam())));
  for (int i = 0; i < 300; ++i) {
    const uint64_t byte = 100 * GetParam() + random() % (3 * GetParam());
    const int bit = static_cast<int>(random() % 8);
    file_.FlipBit(byte, bit);
    Refused(reference).IgnoreError();
    file_.FlipBit(byte, bit);
  }
  EXPECT_TRUE(Read(reference).ok());
}

TEST_P(CataloguePagesTest, ChainsThatLieAreRefused) {
  const CatalogueReference good = Write(bytes_.substr(0, 3 * CataloguePayloadBytes(GetParam())));
  const auto refused = [&](CatalogueReference reference) {
    return std::string(Refused(reference).message());
  };
  EXPECT_THAT(std::string(Refused(good, Generation{5}).message()), HasSubstr("lost write"));
  CatalogueReference reference = good;
  reference.checksum ^= 1;
  EXPECT_THAT(refused(reference), HasSubstr("not those referred to"));
  reference = good;
  reference.pages = UINT64_MAX;
  EXPECT_THAT(refused(reference), HasSubstr("cannot hold"));
  reference = good;
  reference.pages = kMaxPageId;
  reference.bytes = reference.pages * CataloguePayloadBytes(GetParam());
  refused(reference);
  reference = good;
  reference.first = PageId{1 << 20};
  EXPECT_THAT(refused(reference), HasSubstr("the file ends before it"));
  reference = good;
  reference.first = PageId{UINT64_MAX};
  EXPECT_THAT(refused(reference), HasSubstr("chain is broken"));
  reference = good;
  reference.pages = 2;
  reference.bytes = 2 * CataloguePayloadBytes(GetParam());
  EXPECT_THAT(refused(reference), HasSubstr("beyond its end"));

  Forge(1, [](PageHeader& header) { header.next = 100; });
  EXPECT_THAT(refused(good), HasSubstr("comes back"));
  Forge(1, [](PageHeader& header) { header.next = 0; });
  EXPECT_THAT(refused(good), HasSubstr("chain is broken"));
  Forge(1, [](PageHeader& header) { header.count -= 1; });
  EXPECT_THAT(refused(good), HasSubstr("as many bytes"));
  Forge(1, [](PageHeader& header) { header.kind = 1; });
  EXPECT_THAT(refused(good), HasSubstr("no catalogue page"));
}

TEST_P(CataloguePagesTest, ErrorsOfTheFileArePassedOn) {
  const CatalogueReference reference = Write(bytes_);
  file_.set_fault([](const MemoryFile::Call&) { return absl::UnavailableError("injected"); });
  EXPECT_TRUE(absl::IsUnavailable(Read(reference).status()));
  EXPECT_TRUE(absl::IsUnavailable(
      WriteCataloguePages(file_, kDatabase, GetParam(), Generation{4}, pages_, bytes_).status()));
}

}  // namespace
}  // namespace keel::pager
