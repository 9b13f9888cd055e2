// What versions are made of.

#include "engine/version.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace keel::engine {
namespace {

pager::TreeRoot RootOf(uint64_t page) {
  return pager::TreeRoot{{PageId{page}, MakeEpoch(1, 1), 1, false}, 0};
}

// What broke: the table was an array by id, and a catalogue whose next id was in the billions cost gigabytes
// with each commit. Ids are never used again, so a long life alone spreads them.
TEST(RootTable, IdsFarApartAreKeptApart) {
  RootTable table;
  const uint32_t ids[] = {0, 15, 16, 1000, UINT32_MAX - 1};
  for (const uint32_t id : ids) table.Set(KeyspaceId{id}, RootOf(id + 100));
  RootTable copy = table;
  copy.Set(KeyspaceId{1000}, RootOf(7));
  for (const uint32_t id : ids) EXPECT_EQ(table.Get(KeyspaceId{id}), RootOf(id + 100)) << id;
  EXPECT_EQ(copy.Get(KeyspaceId{1000}), RootOf(7));
  EXPECT_EQ(copy.Get(KeyspaceId{16}), RootOf(116));
  for (const uint32_t id : {1U, 17U, 999U, 5000U, UINT32_MAX}) {
    EXPECT_TRUE(table.Get(KeyspaceId{id}).empty()) << id;
  }
}

}  // namespace
}  // namespace keel::engine
