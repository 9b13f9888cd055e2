#include "engine/redo_read_ahead.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "btree/node_view.h"
#include "btree/path.h"
#include "recovery/operations.h"
#include "recovery/record_table.h"

namespace keel::engine {

namespace {

// Reads under way at a time: what keeps a fast device busy.
constexpr size_t kThreads = 16;
// Fewer leaves are not worth the threads.
constexpr size_t kLeavesMin = 64;

}  // namespace

RedoReadAhead::~RedoReadAhead() {
  next_.store(wants_.size());
  for (std::thread& thread : threads_) thread.join();
}

void RedoReadAhead::Start(wal::LogReader& log, const TreeState& checkpoint, size_t leaves_max) {
  Leaves leaves;
  Collect(log, checkpoint, leaves_max, &leaves);
  if (leaves.size() < kLeavesMin) return;
  wants_.reserve(leaves.size());
  for (const auto& [id, want] : leaves) wants_.push_back(want);
  std::ranges::sort(wants_, {},
                    [](const pager::PageWant& want) { return want.reference.id.value; });
  try {
    for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { ReadSome(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are read, or redo alone (A1).
  }
}

// Only records that hold whole operations: what a large transaction has streamed is too much to read ahead.
void RedoReadAhead::Collect(wal::LogReader& log, const TreeState& checkpoint, size_t leaves_max,
                            Leaves* leaves) {
  if (!log.Rewind().ok()) return;
  wal::LogRecord raw;
  while (leaves->size() < leaves_max) {
    const absl::StatusOr<bool> more = log.Next(&raw);
    if (!more.ok() || !*more) return;
    const std::optional<recovery::Record> record = recovery::DecodeRecord(raw.bytes);
    if (!record || record->kind != recovery::RecordKind::kCommit) continue;
    std::string_view rest = record->payload;
    while (const std::optional<recovery::Operation> operation = recovery::DecodeOperation(&rest)) {
      const bool one_key = operation->kind == recovery::OperationKind::kPut ||
                           operation->kind == recovery::OperationKind::kDelete;
      if (one_key) Note(checkpoint, operation->keyspace, operation->key, leaves);
    }
  }
}

void RedoReadAhead::Note(const TreeState& checkpoint, KeyspaceId keyspace, std::string_view key,
                         Leaves* leaves) {
  const pager::TreeRoot root = checkpoint.roots.Get(keyspace);
  if (root.empty() || !btree::CheckRoot(root).ok()) return;
  pager::Reference reference = root.reference;
  for (uint8_t level = root.level; level > 0; --level) {
    const auto page = btree::PinNode(pages_, keyspace, reference, level);
    if (!page.ok()) return;
    const btree::NodeView node(page->bytes());
    reference = node.reference(node.ChildFor(key));
  }
  leaves->emplace(reference.id.value, pager::PageWant{reference, keyspace, 0});
}

void RedoReadAhead::ReadSome() {
  for (size_t i = next_.fetch_add(1); i < wants_.size(); i = next_.fetch_add(1)) {
    cache_.Pin(wants_[i]).IgnoreError();
  }
}

}  // namespace keel::engine
