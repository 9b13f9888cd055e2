// One node by itself: search, insertion, replacement, split (btree/node_view.h, btree/node_builder.h).
//
// `nodes` is how many there are to choose from: 1 stays in the first cache, thousands leave it, as in a real tree.
// `random` keys have no common prefix, others share all but their last digits.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "bench/micro/rows.h"
#include "btree/node_builder.h"
#include "btree/node_view.h"

namespace keel::bench {
namespace {

using btree::Entry;
using btree::NodeEditor;
using btree::NodeView;

// Distances of keys, so that there is room for others between them.
constexpr uint64_t kStep = 16;

std::string RandomKey(std::mt19937_64& random) {
  std::string key(kKeyBytes, '\0');
  for (char& byte : key) byte = static_cast<char>(random());
  return key;
}

// An empty node.
void Prepare(AlignedBuffer* page, uint32_t page_bytes, uint8_t level) {
  *page = AlignedBuffer::Allocate(page_bytes);
  KEEL_CHECK(!page->empty());
  pager::PageHeader& header = pager::HeaderOf(page->data());
  header = {};
  header.kind =
      static_cast<uint8_t>(level == 0 ? pager::PageKind::kLeaf : pager::PageKind::kInternal);
  header.level = level;
  NodeEditor(page->data(), page_bytes).Clear();
}

// Inserts while there is room; `keys` are in ascending order. How many were taken.
size_t Fill(NodeEditor node, const std::vector<std::string>& keys, std::string_view payload) {
  size_t at = 0;
  while (at < keys.size() && node.Insert(at, Entry{{keys[at], {}}, payload})) ++at;
  return at;
}

// More than the fullest node takes.
size_t KeysMax(uint32_t page_bytes) { return page_bytes / kKeyBytes; }

std::vector<std::string> SomeKeys(uint64_t node, uint32_t page_bytes, bool random) {
  std::mt19937_64 source(node);
  std::vector<std::string> keys;
  for (size_t i = 0; i < KeysMax(page_bytes); ++i) {
    keys.push_back(random ? RandomKey(source) : RowKey((node * KeysMax(page_bytes) + i) * kStep));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

// Full nodes, and keys that are in them, in random order.
class Nodes {
 public:
  struct Probe {
    const std::byte* page;
    std::string key;
  };

  struct Shape {
    uint32_t page_bytes;
    size_t count;
    bool random;
    uint8_t level;

    friend bool operator==(const Shape&, const Shape&) = default;
  };

  explicit Nodes(const Shape& shape) : shape_(shape) {
    const btree::ReferencePayload reference({PageId{1}, Epoch{1}, 1, false});
    const std::string value = RowValue();
    std::mt19937_64 random(shape.count);
    std::vector<std::vector<std::string>> keys;
    for (size_t n = 0; n < shape.count; ++n) {
      Prepare(&pages_.emplace_back(), shape.page_bytes, shape.level);
      keys.push_back(SomeKeys(n, shape.page_bytes, shape.random));
      keys.back().resize(Fill(NodeEditor(pages_.back().data(), shape.page_bytes), keys.back(),
                              shape.level == 0 ? std::string_view(value) : reference.view()));
    }
    for (size_t i = 0; i < (size_t{1} << 14); ++i) {
      const size_t node = random() % shape.count;
      probes_.push_back({pages_[node].data(), keys[node][random() % keys[node].size()]});
    }
  }

  const Shape& shape() const { return shape_; }
  const std::vector<Probe>& probes() const { return probes_; }

 private:
  const Shape shape_;
  std::vector<AlignedBuffer> pages_;
  std::vector<Probe> probes_;
};

// Kept as long as the same are asked for.
const Nodes& NodesFor(const benchmark::State& state, uint8_t level) {
  static std::unique_ptr<Nodes> nodes;
  const Nodes::Shape shape{.page_bytes = static_cast<uint32_t>(state.range(0)),
                           .count = static_cast<size_t>(state.range(1)),
                           .random = state.range(2) != 0,
                           .level = level};
  if (nodes == nullptr || nodes->shape() != shape) nodes = std::make_unique<Nodes>(shape);
  return *nodes;
}

void LeafSearch(benchmark::State& state) {
  const Nodes& nodes = NodesFor(state, 0);
  Round round;
  for (auto _ : state) {
    const Nodes::Probe& probe = round.Next(nodes.probes());
    bool found = false;
    benchmark::DoNotOptimize(NodeView(probe.page).LowerBound(probe.key, &found));
    KEEL_CHECK(found);
  }
  state.SetItemsProcessed(state.iterations());
}

void InternalSearch(benchmark::State& state) {
  const Nodes& nodes = NodesFor(state, 1);
  Round round;
  for (auto _ : state) {
    const Nodes::Probe& probe = round.Next(nodes.probes());
    const NodeView node(probe.page);
    benchmark::DoNotOptimize(node.reference(node.ChildFor(probe.key)));
  }
  state.SetItemsProcessed(state.iterations());
}

void Shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"page", "nodes", "random"})->ArgsProduct({{4096, 16384}, {1, 4096}, {0, 1}});
}
BENCHMARK(LeafSearch)->Apply(Shapes);
BENCHMARK(InternalSearch)->Apply(Shapes);

// Fills an empty leaf, its keys in ascending or in random order; an item is one insertion.
void LeafInsert(benchmark::State& state) {
  const auto page_bytes = static_cast<uint32_t>(state.range(0));
  AlignedBuffer page;
  Prepare(&page, page_bytes, 0);
  NodeEditor leaf(page.data(), page_bytes);
  const std::string value = RowValue();
  std::vector<std::string> keys = SomeKeys(0, page_bytes, false);
  keys.resize(Fill(leaf, keys, value));
  if (state.range(1) != 0) std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
  for (auto _ : state) {
    leaf.Clear();
    for (const std::string& key : keys) {
      bool found = false;
      const size_t at = leaf.view().LowerBound(key, &found);
      KEEL_CHECK(leaf.Insert(at, Entry{{key, {}}, value}));
    }
  }
  const auto inserted = state.iterations() * static_cast<int64_t>(keys.size());
  state.SetItemsProcessed(inserted);
  state.SetBytesProcessed(inserted * static_cast<int64_t>(kKeyBytes + kValueBytes));
}
BENCHMARK(LeafInsert)->ArgNames({"page", "random"})->ArgsProduct({{4096, 16384}, {0, 1}});

// Exchanges a value for one as long.
void LeafReplace(benchmark::State& state) {
  const auto page_bytes = static_cast<uint32_t>(state.range(0));
  AlignedBuffer page;
  Prepare(&page, page_bytes, 0);
  NodeEditor leaf(page.data(), page_bytes);
  const std::string value = RowValue();
  std::vector<std::string> keys = SomeKeys(0, page_bytes, false);
  keys.resize(Fill(leaf, keys, value));
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
  Round round;
  for (auto _ : state) {
    const std::string& key = round.Next(keys);
    bool found = false;
    const size_t at = leaf.view().LowerBound(key, &found);
    KEEL_CHECK(found && leaf.Replace(at, Entry{{key, {}}, value}));
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kKeyBytes + kValueBytes));
}
BENCHMARK(LeafReplace)->ArgNames({"page"})->Arg(4096)->Arg(16384);

// A full node and one entry more become two nodes, as btree::Put does it.
void Split(benchmark::State& state, uint8_t level) {
  const auto page_bytes = static_cast<uint32_t>(state.range(0));
  AlignedBuffer source;
  AlignedBuffer left;
  AlignedBuffer right;
  for (AlignedBuffer* const page : {&source, &left, &right}) Prepare(page, page_bytes, level);
  const btree::ReferencePayload reference({PageId{1}, Epoch{1}, 1, false});
  const std::string value = RowValue();
  const std::string_view payload = level == 0 ? std::string_view(value) : reference.view();
  const size_t count =
      Fill(NodeEditor(source.data(), page_bytes), SomeKeys(0, page_bytes, false), payload);
  const size_t at = count / 3;
  const std::string key = RowKey((at - 1) * kStep + 1);
  btree::KeyBuffer separator;
  for (auto _ : state) {
    const btree::PageCopy copy(source.data(), page_bytes);
    const auto all = btree::EntrySequence::With(copy.node(), at, Entry{{key, {}}, payload}, 0);
    const size_t half = btree::ChooseSplit(all, at, btree::RunHint{}, page_bytes);
    btree::AssignSeparator(all, half, &separator);
    btree::BuildNode(right.data(), page_bytes, all, half, all.size());
    btree::BuildNode(left.data(), page_bytes, all, 0, half);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * page_bytes);
}
void LeafSplit(benchmark::State& state) { Split(state, 0); }
void InternalSplit(benchmark::State& state) { Split(state, 1); }
BENCHMARK(LeafSplit)->ArgNames({"page"})->Arg(4096)->Arg(16384);
BENCHMARK(InternalSplit)->ArgNames({"page"})->Arg(4096)->Arg(16384);

}  // namespace
}  // namespace keel::bench
