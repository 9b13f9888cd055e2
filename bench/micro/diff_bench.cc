// How long it takes to find what two versions of a large tree do not have in common: by the number of changes, whatever
// the number of entries (btree/diff.h). All pages are in memory.
//
// "pages" is how many of them one comparison looks at.

#include <absl/strings/str_format.h>
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>

#include "bench/micro/rows.h"
#include "btree/bulk_loader.h"
#include "btree/diff.h"
#include "btree/tree.h"
#include "tests/unit/btree/fake_pages.h"

namespace keel::bench {
namespace {

constexpr KeyspaceId kKeyspace{7};
constexpr uint32_t kPageBytes = 4096;

struct LargeTree {
  explicit LargeTree(uint64_t count) : entries(count) {
    btree::BulkLoader loader(&pages, kKeyspace, {});
    for (uint64_t n = 0; n < entries; ++n) Must(loader.Add(RowKey(n), "value"));
    root = Must(loader.Finish());
    pages.Freeze();
  }

  // Changes so many of its entries, at even distances. What it was before.
  btree::TreeRoot Change(uint64_t changes) {
    const btree::TreeRoot before = root;
    const std::string value = absl::StrFormat("value %d", ++generation);
    for (uint64_t n = 0; n < changes; ++n) {
      const uint64_t number = entries / changes * n + entries / changes / 2;
      Must(btree::Put(pages, kKeyspace, &root, RowKey(number), value).status());
    }
    pages.Freeze();
    return before;
  }

  uint64_t entries;
  keel::testing::FakePages pages{kPageBytes};
  btree::TreeRoot root;
  int generation = 0;
};

// The last one that was asked for: a tree of ten million takes seconds to make.
LargeTree& TreeOf(uint64_t entries) {
  static std::unique_ptr<LargeTree> tree;
  if (tree == nullptr || tree->entries != entries) {
    tree.reset();
    tree = std::make_unique<LargeTree>(entries);
  }
  return *tree;
}

void Diff(benchmark::State& state) {
  LargeTree& tree = TreeOf(static_cast<uint64_t>(state.range(0)));
  const auto changes = static_cast<uint64_t>(state.range(1));
  const btree::TreeRoot before = tree.Change(changes);
  const uint64_t pinned = tree.pages.pages_pinned();
  uint64_t found = 0;
  for (auto _ : state) {
    Must(btree::Diff(tree.pages, kKeyspace, before, tree.root, {}, [&](const btree::Change&) {
      ++found;
      return absl::OkStatus();
    }));
  }
  const auto iterations = static_cast<uint64_t>(state.iterations());
  if (found != changes * iterations) {
    Must(absl::InternalError("the comparison did not find what was changed"));
  }
  state.SetItemsProcessed(static_cast<int64_t>(found));
  state.counters["pages"] =
      static_cast<double>(tree.pages.pages_pinned() - pinned) / static_cast<double>(iterations);
}
BENCHMARK(Diff)
    ->ArgNames({"entries", "changes"})
    ->ArgsProduct({{10'000, 1'000'000, 10'000'000}, {1, 10, 100, 1000}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace keel::bench
