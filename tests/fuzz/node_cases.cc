#include "tests/fuzz/node_cases.h"

#include <absl/strings/str_format.h>

#include <map>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/checksum.h"
#include "btree/cursor.h"
#include "btree/describe.h"
#include "btree/node_check.h"
#include "btree/node_view.h"
#include "btree/overflow.h"
#include "btree/tree.h"
#include "btree/tree_check.h"
#include "tests/unit/btree/fake_pages.h"

namespace keel::fuzz {
namespace {

using btree::NodeView;
using testing::FakePages;

constexpr KeyspaceId kKeyspace{7};
constexpr PageId kPage{50};
using Contents = std::map<std::string, std::string>;

// Everything that a view gives out is touched.
uint64_t Touch(std::string_view bytes) {
  uint64_t sum = 0;
  for (const char byte : bytes) sum = sum * 31 + static_cast<unsigned char>(byte);
  return sum;
}

// Entries with inline values; `*large` tells of others.
Contents ReadNode(const NodeView& node, bool* large) {
  Contents contents;
  for (size_t i = 0; i < node.count(); ++i) {
    const std::string key = node.key(i).ToString();
    KEEL_CHECK(node.CellBytes(i) > 0);
    bool equal = false;
    if (node.leaf()) {
      KEEL_CHECK(node.LowerBound(key, &equal) == i && equal);
      const btree::ValueSlot value = node.value(i);
      *large |= value.large;
      (void)Touch(value.bytes);
      contents.emplace(key, value.bytes);
    } else {
      KEEL_CHECK(node.ChildFor(key, &equal) == i);
      KEEL_CHECK(!node.reference(i).null());
    }
  }
  return contents;
}

// The leaf as the root of a tree.
class Tree {
 public:
  Tree(std::span<const std::byte> page, const NodeView& node)
      : pages_(static_cast<uint32_t>(page.size())),
        root_{{kPage, Epoch{node.header().birth}, node.count(), node.HasExtents()}, 0} {
    pages_.Adopt(page);
    pages_.Freeze();
    pages_.set_tolerant();
    contents_ = ReadNode(node, &large_);
  }

  void Change(FuzzInput& input) {
    for (int i = 0; i < 24; ++i) {
      const std::string key = Key(input);
      switch (input.Take<uint8_t>() % 4) {
        case 0:
          Erase(key, btree::Delete(pages_, kKeyspace, &root_, key));
          break;
        case 1:
          EraseRange(key, Key(input));
          break;
        default:
          Put(key, std::string(input.Take<uint8_t>(), 'w'));
      }
      Compare(key);
    }
    Check();
  }

 private:
  // One that is there, or something near it.
  std::string Key(FuzzInput& input) {
    const size_t at = input.Take<uint8_t>();
    std::string key(input.Bytes(input.Take<uint8_t>() % 4));
    if (contents_.empty()) return key;
    auto there = contents_.begin();
    std::advance(there, at % contents_.size());
    return there->first.substr(0, btree::MaxKeyBytes(pages_.page_bytes()) - key.size()) + key;
  }

  void Put(const std::string& key, const std::string& value) {
    const auto added = btree::Put(pages_, kKeyspace, &root_, key, value);
    KEEL_CHECK(added.ok() && *added != contents_.contains(key));
    contents_[key] = value;
    pages_.Freeze();
  }
  void Erase(const std::string& key, const absl::StatusOr<bool>& erased) {
    KEEL_CHECK(erased.ok() && *erased == (contents_.erase(key) > 0));
    pages_.Freeze();
  }
  void EraseRange(const std::string& begin, const std::string& end) {
    const auto erased = btree::DeleteRange(pages_, kKeyspace, &root_, btree::Range{begin, end});
    KEEL_CHECK(erased.ok());
    if (begin < end) contents_.erase(contents_.lower_bound(begin), contents_.lower_bound(end));
    pages_.Freeze();
  }

  void Compare(const std::string& key) {
    const auto found = btree::Find(pages_, kKeyspace, root_, key);
    KEEL_CHECK(found.ok() && static_cast<bool>(*found) == contents_.contains(key));
    const auto count = btree::Count(pages_, kKeyspace, root_, btree::Range{});
    KEEL_CHECK(count.ok() && *count == contents_.size());
  }

  void Check() {
    btree::Cursor cursor(&pages_, kKeyspace, root_, btree::Range{});
    cursor.SeekToFirst();
    for (const auto& [key, value] : contents_) {
      KEEL_CHECK(cursor.valid() && cursor.key() == key);
      cursor.Next();
    }
    KEEL_CHECK(!cursor.valid() && cursor.status().ok());
    const auto on_page = [](PageId, uint64_t, Epoch) { return absl::OkStatus(); };
    const btree::TreeCheckOptions options{.read_extents = false, .on_page = on_page};
    btree::TreeCheckReport report;
    KEEL_CHECK(btree::CheckTree(pages_, kKeyspace, root_, options, &report).ok());
    // Large values are not there, nor of a birth that the leaf can have.
    KEEL_CHECK(large_ || report.damages.empty());
  }

  FakePages pages_;
  btree::TreeRoot root_;
  Contents contents_;
  bool large_ = false;
};

// Fields that decide where a page belongs, not what it holds.
void Settle(std::span<std::byte> page) {
  pager::PageHeader& header = pager::HeaderOf(page.data());
  header.page_id = kPage.value;
  header.birth = MakeEpoch(1, 1).value;
  header.keyspace = kKeyspace.value;
}

std::string TextOf(std::span<const std::byte> page) {
  return {reinterpret_cast<const char*>(page.data()), page.size()};
}

}  // namespace

void RunNode(FuzzInput& input, uint32_t page_bytes) {
  AlignedBuffer page = AlignedBuffer::Allocate(page_bytes);
  CopyPadded(input.Bytes(page_bytes), page.span());
  if (input.Take<uint8_t>() % 8 != 7) Settle(page.span());
  KEEL_CHECK(!btree::DescribeNode(page.span()).empty());
  if (!btree::CheckNode(page.span()).ok()) return;
  const NodeView node(page.data());
  if (node.header().kind > static_cast<uint8_t>(pager::PageKind::kInternal)) return;
  if (node.header().kind == static_cast<uint8_t>(pager::PageKind::kFree)) return;
  KEEL_CHECK(node.UsedBytes(page_bytes) <= page_bytes);
  bool large = false;
  ReadNode(node, &large);
  if (!node.leaf() || node.header().page_id != kPage.value) return;
  if (node.header().keyspace != kKeyspace.value) return;
  Tree(page.span(), node).Change(input);
}

namespace {

// A value in pages, and ways to spoil it.
class StoredValue {
 public:
  explicit StoredValue(size_t bytes) : pages_(kPageBytes), value_(bytes, 'v') {
    pages_.set_max_run_pages(16);
    extent_ = *btree::WriteExtent(pages_, value_);
    pages_.Freeze();
  }

  void SpoilPages(FuzzInput& input) {
    for (uint8_t left = input.Take<uint8_t>() % 4; left > 0; --left) {
      const std::vector<PageId> ids = Pages();
      const PageId id = ids[input.Take<uint8_t>() % ids.size()];
      pages_.Bytes(id)[input.Take<uint16_t>() % kPageBytes] = std::byte{input.Take<uint8_t>()};
    }
    if (input.Take<uint8_t>() % 4 != 3) PutRight();
  }

  // Another description of the same pages.
  void SpoilExtent(FuzzInput& input) {
    std::string bytes = btree::EncodeExtent(extent_);
    KEEL_CHECK(btree::EncodeExtent(*btree::DecodeExtent(bytes, kPageBytes)) == bytes);
    for (uint8_t left = input.Take<uint8_t>() % 4; left > 0; --left) {
      bytes[input.Take<uint8_t>() % bytes.size()] = static_cast<char>(input.Take<uint8_t>());
    }
    const absl::StatusOr<btree::Extent> spoilt = btree::DecodeExtent(bytes, kPageBytes);
    KEEL_CHECK(spoilt.ok() == btree::CheckExtent(bytes, kPageBytes, Epoch{UINT64_MAX}).ok());
    if (spoilt.ok() && spoilt->value_bytes <= kValueBytesMax) extent_ = *spoilt;
  }

  void Read(FuzzInput& input) {
    std::string value(extent_.value_bytes, '\0');
    const auto bytes = std::as_writable_bytes(std::span(value));
    (void)btree::ReadExtent(pages_, extent_, 0, bytes);
    const size_t from = input.Take<uint16_t>() % value.size();
    (void)btree::ReadExtent(pages_, extent_, from, bytes.subspan(from));
    KEEL_CHECK(!btree::ReadExtent(pages_, extent_, from + 1, bytes.subspan(from)).ok());
  }

  static constexpr uint32_t kPageBytes = 512;
  static constexpr size_t kValueBytesMax = size_t{1} << 20;

 private:
  std::vector<PageId> Pages() const {
    std::vector<PageId> ids;
    for (const pager::PageRun& run : extent_.runs) {
      for (uint64_t i = 0; i < run.count; ++i) ids.push_back(PageId{run.first.value + i});
    }
    return ids;
  }

  // As ExtentWriter seals it: the checksums of pages in the table, and the table's in the extent.
  void PutRight() {
    const std::vector<PageId> ids = Pages();
    const size_t tables = btree::ExtentTablePages(extent_.value_bytes, kPageBytes);
    if (tables != 1) return;
    const std::span<std::byte> table = pages_.Bytes(ids[0]);
    for (size_t i = 1; i < ids.size(); ++i) Store(table.data() + (i - 1) * 8, ChecksumOf(ids[i]));
    extent_.table_checksum = ChecksumOf(ids[0]);
    std::string value(value_.size(), '\0');
    KEEL_CHECK(
        btree::ReadExtent(pages_, extent_, 0, std::as_writable_bytes(std::span(value))).ok());
  }
  uint64_t ChecksumOf(PageId id) {
    return Checksum(pages_.Bytes(id),
                    pages_.RawSeed(id) ^ (extent_.birth.value * 0x9e3779b97f4a7c15));
  }

  FakePages pages_;
  std::string value_;
  btree::Extent extent_;
};

}  // namespace

void RunExtent(FuzzInput& input) {
  StoredValue value(1 + input.Take<uint16_t>() % 20'000);
  value.SpoilPages(input);
  value.SpoilExtent(input);
  value.Read(input);
}

std::string LeafPage(uint32_t page_bytes) {
  FakePages pages(page_bytes);
  btree::TreeRoot root;
  for (uint32_t i = 0; i < page_bytes / 64; ++i) {
    KEEL_CHECK(btree::Put(pages, kKeyspace, &root, absl::StrFormat("key%03d", i * 7),
                          std::string(i % 12, 'v'))
                   .ok());
    pages.Freeze();
  }
  const std::string large(page_bytes, 'L');
  KEEL_CHECK(btree::Put(pages, kKeyspace, &root, "large", large).ok());
  KEEL_CHECK(root.level == 0);
  return TextOf(pages.Bytes(root.reference.id));
}

std::string InternalPage(uint32_t page_bytes) {
  FakePages pages(page_bytes);
  btree::TreeRoot root;
  for (int i = 0; root.level == 0 || i % 64 != 0; ++i) {
    const std::string key = absl::StrFormat("key%05d", i * 7);
    KEEL_CHECK(btree::Put(pages, kKeyspace, &root, key, std::string(40, 'v')).ok());
    pages.Freeze();
  }
  return TextOf(pages.Bytes(root.reference.id));
}

}  // namespace keel::fuzz
