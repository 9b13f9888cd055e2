// Building a tree from ascending keys: full nodes, bottom up, each page made once.
//
//   btree::BulkLoader loader(&pages, keyspace, root);
//   KEEL_RETURN_IF_ERROR(loader.Add("a", "1"));
//   KEEL_RETURN_IF_ERROR(loader.Add("b", "2"));
//   KEEL_ASSIGN_OR_RETURN(root, loader.Finish());
//
// On each level the node that is being filled lies in a buffer of its own (a leaf in a form of its own,
// btree/leaf_filler.h), and becomes a page when the next entry does not fit. So memory is a node a level, however much is loaded; no page is changed after it was
// made; a child is made before its parent (B5); and the leaves' ids ascend as their keys do, so that whoever
// writes the pages writes long runs.
//
// A tree that has keys already is cut open where the first key belongs: of each node on the path there, the
// part on the left begins its level's buffer, and Finish puts the part on the right behind what was loaded. All
// else is shared. It works for any heights; a load into a gap costs the loaded pages and a path.
//
// Nodes are filled up: what is loaded in order is mostly read, and if it is not, the first insertion splits a
// full leaf in two as it would any other.

#ifndef KEEL_BTREE_BULK_LOADER_H_
#define KEEL_BTREE_BULK_LOADER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "btree/leaf_filler.h"
#include "btree/node_builder.h"
#include "btree/path.h"
#include "btree/tree.h"

namespace keel::btree {

// Used once. While it lives nobody else may change the tree of `root`, and pages of the path to the first key
// are pinned. Destruction before Finish leaves the pages that it has made to the caller's rollback.
class BulkLoader {
 public:
  BulkLoader(PageSink* pages, KeyspaceId keyspace, const TreeRoot& root)
      : pages_(*pages),
        page_bytes_(pages->page_bytes()),
        always_inline_bytes_(MaxInlineValueBytes(page_bytes_, MaxKeyBytes(page_bytes_))),
        keyspace_(keyspace),
        root_(root),
        leaf_(page_bytes_) {}

  // InvalidArgument, naming both keys: `key` does not come after the one added before it, or a key of the tree is
  // in the way (equal to it, or between the two). After an error of any kind all is as it was before the call: it
  // may be repeated, or others added.
  absl::Status Add(std::string_view key, std::string_view value);

  // The same for a row that goes into the leaf that is being filled, without a look at the tree's pages: most do.
  // False, and nothing has changed: it does not, or is none that may be added, and Add will tell.
  bool AddToLeaf(std::string_view key, std::string_view value);

  // The new root; without a successful Add the old one. After an error it may be called again, and goes on where it
  // was. REQUIRES: no Add after it, and nothing at all once it has succeeded.
  absl::StatusOr<TreeRoot> Finish();

  uint64_t added() const { return added_; }

 private:
  // A node under construction, of the level that is its index.
  struct Level {
    AlignedBuffer page;   // empty on level 0, which lies in `leaf_`
    KeyBuffer separator;  // that its parent will have for it
  };
  // A node that has become a page, as the level above takes it in.
  struct Closed {
    pager::Reference reference;
    KeyBuffer separator;
  };

  absl::Status Begin(std::string_view key);
  absl::Status FindLimit(std::string_view key);
  absl::Status OpenPath();
  void OpenLeaf(const NodeView& node);
  bool BelowLimit(std::string_view key) const { return !limit_.has_value() || key < *limit_; }
  absl::Status Disorder(std::string_view key) const;
  absl::Status AddEntry(std::string_view key, std::string_view payload, bool large);
  absl::Status AddLarge(std::string_view key, std::string_view value);
  absl::Status CloseLeaf(std::string_view next_key);
  pager::Reference MakeLeaf();
  absl::Status Append(size_t level, const Entry& entry);
  absl::Status Reserve(size_t level);
  void TakeIn(size_t level, Closed closed);
  Closed SplitOff(size_t level, const Entry& entry);
  absl::Status AppendRest(size_t level);
  absl::Status AppendRestOfLeaf();
  bool PartSeam(const KeyParts& old_separator, KeyBuffer* separator) const;
  pager::Reference MakeNode(size_t level);
  pager::MutablePage MakePage(size_t level, const EntrySequence& entries, size_t end);
  NodeEditor Node(size_t level) { return {levels_[level].page.data(), page_bytes_}; }
  absl::StatusOr<AlignedBuffer> MakeBuffer() const;
  void StartNode(std::byte* page, size_t level) const;
  void DropPath();

  PageSink& pages_;
  const uint32_t page_bytes_;
  const size_t always_inline_bytes_;  // of a value: it is inline whatever its key
  const KeyspaceId keyspace_;
  const TreeRoot root_;
  LeafFiller leaf_;
  std::vector<Level> levels_;
  AlignedBuffer spare_;  // for one more level
  uint64_t added_ = 0;

  // Where the tree was cut open; none for an empty one.
  Path path_;
  size_t position_ = 0;               // in the leaf: of the first entry on the right
  std::optional<std::string> limit_;  // the tree's first key on the right

  // How far Finish has come.
  KeyBuffer last_key_;     // that was added
  size_t finishing_ = 0;   // the level
  size_t rest_taken_ = 0;  // entries of what lies on the right there
};

}  // namespace keel::btree

#endif  // KEEL_BTREE_BULK_LOADER_H_
