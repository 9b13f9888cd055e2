// A space map over a file in memory, and the few steps that every test of it takes.

#ifndef KEEL_TESTS_UNIT_PAGER_SPACE_FIXTURE_H_
#define KEEL_TESTS_UNIT_PAGER_SPACE_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "pager/space_layout.h"
#include "pager/space_map.h"
#include "tests/unit/pager/memory_file.h"

namespace keel::pager {

#define KEEL_EXPECT_OK(expr)                            \
  do {                                                  \
    const absl::Status keel_expected_ = (expr);         \
    EXPECT_TRUE(keel_expected_.ok()) << keel_expected_; \
  } while (false)

inline PageSet SetOf(const PageRun& run) {
  PageSet set;
  set.InsertRun(run.first, run.count);
  return set;
}

inline PageSet SetOf(const std::vector<PageId>& pages) {
  PageSet set;
  for (const PageId page : pages) set.Insert(page);
  return set;
}

inline std::vector<PageId> PagesOf(const PageSet& set) {
  std::vector<PageId> pages;
  set.ForEach([&](PageId page) { pages.push_back(page); });
  return pages;
}

class SpaceFixture {
 public:
  explicit SpaceFixture(uint32_t page_bytes, uint64_t pages = 0)
      : layout(page_bytes),
        page_count(std::max(pages, MinPageCount(page_bytes))),
        file(std::make_unique<MemoryFile>()) {
    options.page_bytes = page_bytes;
    options.database = {7, 9};
    options.slack_bytes_min = 0;
    options.growth_bytes_min = uint64_t{16} * page_bytes;
    options.growth_bytes_max = uint64_t{1024} * page_bytes;
  }

  // A new file with an empty map.
  void Create() {
    KEEL_EXPECT_OK(file->Allocate(0, page_count * options.page_bytes));
    absl::StatusOr<std::unique_ptr<SpaceMap>> created =
        SpaceMap::Create(file.get(), page_count, options);
    ASSERT_TRUE(created.ok()) << created.status();
    map = *std::move(created);
    KEEL_EXPECT_OK(file->Sync(io::SyncPurpose::kDataCreate));
  }

  // The file as the last durable checkpoint names it, opened anew.
  absl::Status Open() {
    map.reset();
    absl::StatusOr<std::unique_ptr<SpaceMap>> opened =
        SpaceMap::Open(file.get(), page_count, directory, options);
    if (!opened.ok()) return opened.status();
    map = *std::move(opened);
    return absl::OkStatus();
  }

  absl::Status Checkpoint(const PageSet& born, const PageSet& died) {
    absl::StatusOr<std::vector<GroupEntry>> attempt =
        map->WriteCheckpoint(Generation{++generation}, born, died);
    if (!attempt.ok()) return attempt.status();
    if (auto status = file->Sync(io::SyncPurpose::kCheckpointPages); !status.ok()) return status;
    directory = *std::move(attempt);
    page_count = map->page_count();
    map->FinishCheckpoint(true);
    return absl::OkStatus();
  }

  PageId AllocateOne(SpaceUse use = SpaceUse::kOrdinary) {
    const absl::StatusOr<PageRun> run = map->AllocateAny(1, use);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.ok() ? run->first : PageId{};
  }
  std::vector<PageId> AllocateMany(size_t count) {
    std::vector<PageId> pages;
    for (size_t i = 0; i < count; ++i) pages.push_back(AllocateOne());
    return pages;
  }

  bool IsFixed(PageId page) const {
    const uint64_t index = layout.IndexInGroup(page);
    bool fixed = index == SpaceLayout::kFirstSlot || index == SpaceLayout::kFirstSlot + 1;
    layout.ForEachSuperblockPage([&](PageId superblock) { fixed |= superblock == page; });
    return fixed;
  }

  // M1: the persisted map has exactly `reachable` in use, superblocks and slots aside.
  void ExpectPersisted(const PageSet& reachable) {
    for (PageId page{0}; page.value < map->page_count(); ++page.value) {
      const absl::StatusOr<bool> in_use = map->InPersistedMap(page);
      ASSERT_TRUE(in_use.ok()) << in_use.status();
      ASSERT_EQ(*in_use, reachable.Contains(page) || IsFixed(page)) << "page " << page.value;
    }
  }

  uint64_t SlotOffset(uint64_t group, int slot) const {
    return layout.Slot(group, slot).value * options.page_bytes;
  }

  SpaceLayout layout;
  SpaceMapOptions options;
  uint64_t page_count;
  std::unique_ptr<MemoryFile> file;
  std::unique_ptr<SpaceMap> map;
  std::vector<GroupEntry> directory;
  uint64_t generation = 0;
};

}  // namespace keel::pager

#endif  // KEEL_TESTS_UNIT_PAGER_SPACE_FIXTURE_H_
