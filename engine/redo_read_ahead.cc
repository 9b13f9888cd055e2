#include "engine/redo_read_ahead.h"

#include <algorithm>
#include <compare>
#include <system_error>

#include "base/aligned_buffer.h"
#include "btree/node_view.h"
#include "btree/path.h"

namespace keel::engine {

namespace {

// Reads under way at a time: what keeps a fast device busy.
constexpr size_t kThreads = 16;
// Fewer leaves are not worth the threads.
constexpr size_t kLeavesMin = 64;
// Of one read, in pages of the file; and how far apart leaves are that are worth reading what lies between them.
constexpr size_t kRunPagesMax = 64;
constexpr uint64_t kNearPages = 4;
// All reads together set aside at most this part of the frames: redo needs some too.
constexpr size_t kShareOfFrames = 8;

}  // namespace

RedoReadAhead::~RedoReadAhead() {
  next_.store(runs_.size());
  for (std::thread& thread : threads_) thread.join();
}

std::vector<RedoReadAhead::Operations> RedoReadAhead::Start(Operations operations,
                                                            const TreeState& state,
                                                            size_t leaves_max) {
  if (std::min(operations.size(), leaves_max) < kLeavesMin) return {operations};
  for (Operations rest = operations; !rest.empty();) {
    const KeyspaceId keyspace = rest.front().keyspace;
    const auto same = std::ranges::find_if(
        rest, [keyspace](const recovery::Operation& one) { return one.keyspace != keyspace; });
    const Operations of_keyspace = rest.first(static_cast<size_t>(same - rest.begin()));
    rest = rest.subspan(of_keyspace.size());
    const pager::TreeRoot root = state.roots.Get(keyspace);
    if (root.empty() || !btree::CheckRoot(root).ok()) {
      others_.push_back(of_keyspace);
    } else {
      Note(of_keyspace, {root.reference, keyspace, root.level}, leaves_max);
    }
  }
  if (leaves_.size() < kLeavesMin) return {operations};
  Divide();
  std::vector<Operations> order;
  for (const Leaf& leaf : leaves_) order.push_back(leaf.operations);
  order.insert(order.end(), others_.begin(), others_.end());
  try {
    for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { ReadSome(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are read, or redo alone (A1).
  }
  return order;
}

// Each child once, with those of the operations that go to it.
void RedoReadAhead::Note(Operations operations, const pager::PageWant& want, size_t leaves_max) {
  if (want.level == 0) {
    leaves_.push_back({want, operations});
    return;
  }
  const auto page = pages_.Pin(want);
  while (page.ok() && !operations.empty() && leaves_.size() < leaves_max) {
    const btree::NodeView node(page->bytes());
    const size_t slot = node.ChildFor(operations.front().key);
    size_t count = operations.size();
    if (slot + 1 < node.count()) {
      const btree::KeyParts end = node.key(slot + 1);
      const auto below = [&end](const recovery::Operation& one) {
        return std::is_lt(btree::CompareKeys({one.key, {}}, end));
      };
      // One by one: a leaf has a few of them.
      count = static_cast<size_t>(std::ranges::find_if_not(operations, below) - operations.begin());
    }
    count = std::max<size_t>(count, 1);  // of a damaged node, whose keys are in no order (A1)
    Note(operations.first(count),
         {node.reference(slot), want.keyspace, static_cast<uint8_t>(want.level - 1)}, leaves_max);
    operations = operations.subspan(count);
  }
  if (!operations.empty()) others_.push_back(operations);
}

void RedoReadAhead::Divide() {
  const auto id_of = [](const pager::PageWant& want) { return want.reference.id.value; };
  std::ranges::sort(leaves_, {}, [&](const Leaf& leaf) { return id_of(leaf.want); });
  for (const Leaf& leaf : leaves_) wants_.push_back(leaf.want);
  run_pages_ = std::clamp<size_t>(cache_.frames() / kShareOfFrames / kThreads, 1, kRunPagesMax);
  for (size_t begin = 0, end = 0; begin < wants_.size(); begin = end) {
    const uint64_t first = id_of(wants_[begin]);
    for (end = begin + 1; end < wants_.size(); ++end) {
      const uint64_t id = id_of(wants_[end]);
      if (id - id_of(wants_[end - 1]) > kNearPages || id - first >= run_pages_) break;
    }
    runs_.push_back(std::span(wants_).subspan(begin, end - begin));
  }
}

void RedoReadAhead::ReadSome() {
  AlignedBuffer buffer = AlignedBuffer::Allocate(run_pages_ * cache_.page_bytes());
  if (buffer.empty()) return;
  for (size_t i = next_.fetch_add(1); i < runs_.size(); i = next_.fetch_add(1)) {
    cache_.LoadRun(runs_[i], buffer.span());
  }
}

}  // namespace keel::engine
