#include "tests/unit/btree/tree_fixture.h"

#include <set>
#include <span>
#include <utility>

#include "base/status.h"
#include "btree/cursor.h"
#include "btree/lookup.h"
#include "btree/overflow.h"

namespace keel::testing {

using btree::Range;
using btree::TreeRoot;

std::string ReadValue(FakePages& pages, const btree::ValueSlot& value) {
  if (!value.large) return std::string(value.bytes);
  const auto extent = btree::DecodeExtent(value.bytes, pages.page_bytes());
  EXPECT_TRUE(extent.ok()) << extent.status();
  if (!extent.ok()) return {};
  std::string bytes(extent->value_bytes, '\0');
  const absl::Status read =
      btree::ReadExtent(pages, *extent, 0, std::as_writable_bytes(std::span(bytes)));
  EXPECT_TRUE(read.ok()) << read;
  return bytes;
}

std::string Damages(FakePages& pages, const TreeRoot& root, bool exact) {
  std::string problems;
  std::set<uint64_t> reached;
  const auto on_page = [&](PageId first, uint64_t count, Epoch) {
    for (uint64_t i = 0; i < count; ++i) {
      if (!reached.insert(first.value + i).second) {
        problems += absl::StrFormat("page %d reached twice\n", first.value + i);
      }
    }
    return absl::OkStatus();
  };
  btree::TreeCheckReport report;
  const absl::Status checked =
      btree::CheckTree(pages, kKeyspace, root, {.on_page = on_page}, &report);
  if (!checked.ok()) problems += checked.ToString();
  for (const btree::TreeDamage& damage : report.damages) {
    problems += absl::StrFormat("page %d: %s\n", damage.page.value, damage.problem);
  }
  if (report.entries != root.reference.entries) problems += "entries of the report\n";
  if (exact && reached != pages.Live()) {
    problems += absl::StrFormat("%d pages reached, %d live\n", reached.size(), pages.Live().size());
  }
  return problems;
}

Model Contents(FakePages& pages, const TreeRoot& root) {
  Model contents;
  btree::Cursor cursor(&pages, kKeyspace, root, Range{});
  for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) {
    contents.emplace(cursor.key(), ReadValue(pages, cursor.value()));
  }
  EXPECT_TRUE(cursor.status().ok()) << cursor.status();
  return contents;
}

absl::Status ScanStatus(FakePages& pages, const TreeRoot& root) {
  btree::Cursor cursor(&pages, kKeyspace, root, Range{});
  for (cursor.SeekToFirst(); cursor.valid();) cursor.Next();
  return cursor.status();
}

void ModelTree::Put(const std::string& key, const std::string& value) {
  const auto added = btree::Put(pages_, kKeyspace, &root_, key, value);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(*added, !model_.contains(key));
  model_[key] = value;
}

void ModelTree::Delete(const std::string& key) {
  const TreeRoot before = root_;
  const auto deleted = btree::Delete(pages_, kKeyspace, &root_, key);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(*deleted, model_.erase(key) == 1);
  if (!*deleted) {
    EXPECT_EQ(root_, before);
  }
}

void ModelTree::DeleteRange(const std::string& begin, const std::optional<std::string>& end) {
  const auto deleted = btree::DeleteRange(pages_, kKeyspace, &root_, Range{begin, end});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  uint64_t wanted = 0;
  for (auto at = model_.lower_bound(begin); at != model_.end() && (!end || at->first < *end);) {
    at = model_.erase(at);
    ++wanted;
  }
  EXPECT_EQ(*deleted, wanted);
}

void ModelTree::Snapshot() {
  pages_.Freeze();
  snapshots_.emplace_back(root_, model_);
}

void ModelTree::Check() {
  EXPECT_EQ(Damages(pages_, root_), "");
  EXPECT_EQ(root_.reference.entries, model_.size());
  EXPECT_EQ(root_.empty(), model_.empty());
  EXPECT_EQ(pages_.pins(), 0u);
}

void ModelTree::CheckSnapshots() {
  pages_.CheckFrozen();
  for (const auto& [root, model] : snapshots_) EXPECT_TRUE(Contents(pages_, root) == model);
  EXPECT_TRUE(Contents(pages_, root_) == model_);
}

void ModelTree::CheckLookups(const std::vector<std::string>& keys) {
  const auto resident = [&](PageId id) { return pages_.Resident(id); };
  for (const std::string& key : keys) {
    const auto wanted = model_.find(key);
    const auto found = btree::Find(pages_, kKeyspace, root_, key);
    ASSERT_TRUE(found.ok()) << found.status();
    const btree::LookupResult looked = btree::Lookup(resident, kKeyspace, root_, key);
    ASSERT_EQ(static_cast<bool>(*found), wanted != model_.end());
    ASSERT_EQ(looked.outcome, wanted != model_.end() ? btree::LookupOutcome::kFound
                                                     : btree::LookupOutcome::kAbsent);
    if (wanted == model_.end()) continue;
    ASSERT_TRUE(ReadValue(pages_, found->value) == wanted->second);
    ASSERT_TRUE(ReadValue(pages_, looked.value) == wanted->second);
  }
}

void ModelTree::CheckCount(const std::string& begin, const std::optional<std::string>& end) {
  const auto count = btree::Count(pages_, kKeyspace, root_, Range{begin, end});
  ASSERT_TRUE(count.ok()) << count.status();
  const auto first = model_.lower_bound(begin);
  const auto last = end ? model_.lower_bound(*end) : model_.end();
  const bool nothing = end && *end <= begin;
  EXPECT_EQ(*count, nothing ? 0 : static_cast<uint64_t>(std::distance(first, last)));
}

}  // namespace keel::testing
