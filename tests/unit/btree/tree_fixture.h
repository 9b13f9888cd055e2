// A tree beside its model, compared after each step.

#ifndef KEEL_TESTS_UNIT_BTREE_TREE_FIXTURE_H_
#define KEEL_TESTS_UNIT_BTREE_TREE_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "btree/tree.h"
#include "btree/tree_check.h"
#include "tests/unit/btree/fake_pages.h"

namespace keel::testing {

using Model = std::map<std::string, std::string>;

inline constexpr KeyspaceId kKeyspace{7};

// The whole value, large or not.
std::string ReadValue(FakePages& pages, const btree::ValueSlot& value);

// What is wrong with the tree, or nothing: B1 to B6, and that `pages` has exactly the pages that the root
// reaches (`exact`).
std::string Damages(FakePages& pages, const btree::TreeRoot& root, bool exact = true);

// The tree's content, by cursor.
Model Contents(FakePages& pages, const btree::TreeRoot& root);

// How a walk over the whole tree ends.
absl::Status ScanStatus(FakePages& pages, const btree::TreeRoot& root);

// A tree that must do as its model does. Every change is checked in full.
class ModelTree {
 public:
  explicit ModelTree(uint32_t page_bytes) : pages_(page_bytes) {}

  void Put(const std::string& key, const std::string& value);
  void Delete(const std::string& key);
  void DeleteRange(const std::string& begin, const std::optional<std::string>& end);
  // What was done to the tree without the model's knowledge.
  void Learn(const std::string& key, const std::string& value) { model_[key] = value; }
  void Forget(const std::string& key) { model_.erase(key); }
  // From now on the present state is kept, to be compared with CheckSnapshots.
  void Snapshot();

  void Check();
  void CheckSnapshots();
  void CheckLookups(const std::vector<std::string>& keys);
  void CheckCount(const std::string& begin, const std::optional<std::string>& end);

  FakePages& pages() { return pages_; }
  btree::TreeRoot& root() { return root_; }
  const Model& model() const { return model_; }

 private:
  FakePages pages_;
  btree::TreeRoot root_;
  Model model_;
  std::vector<std::pair<btree::TreeRoot, Model>> snapshots_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_UNIT_BTREE_TREE_FIXTURE_H_
