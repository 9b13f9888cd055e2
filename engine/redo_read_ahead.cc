#include "engine/redo_read_ahead.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "base/aligned_buffer.h"
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

void RedoReadAhead::Start(wal::LogReader& log, const TreeState& checkpoint, size_t leaves_max) {
  Leaves leaves;
  Collect(log, checkpoint, leaves_max, &leaves);
  if (leaves.size() < kLeavesMin) return;
  for (const auto& [id, want] : leaves) wants_.push_back(want);
  Divide();
  try {
    for (size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { ReadSome(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: those that there are read, or redo alone (A1).
  }
}

void RedoReadAhead::Divide() {
  const auto id_of = [](const pager::PageWant& want) { return want.reference.id.value; };
  std::ranges::sort(wants_, {}, id_of);
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
  AlignedBuffer buffer = AlignedBuffer::Allocate(run_pages_ * cache_.page_bytes());
  if (buffer.empty()) return;
  for (size_t i = next_.fetch_add(1); i < runs_.size(); i = next_.fetch_add(1)) {
    cache_.LoadRun(runs_[i], buffer.span());
  }
}

}  // namespace keel::engine
