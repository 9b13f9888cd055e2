// A recovery must not make whole what a crash left of a frame: it has found the log to end before it, has perhaps told
// somebody so, and the recovery after it would find one commit more.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fault_injection/crash_choice.h"
#include "fault_injection/durability.h"
#include "fault_injection/sim_file_system.h"
#include "tests/support/seed.h"
#include "torture/player.h"

namespace keel::torture {
namespace {

using fault_injection::CrashChoice;
using fault_injection::DiskImage;
using fault_injection::Durability;
using fault_injection::SectorMask;
using fault_injection::SimFileSystem;
using fault_injection::Trace;
using fault_injection::TraceEvent;

constexpr int kSectors = 8;
constexpr SectorMask kEverySector = fault_injection::kAllSectors;

struct Opened {
  uint64_t commits = 0;
  DiskImage start;
  Trace trace;
};

Opened Open(const DiskImage& image) {
  SimFileSystem world({.keep_trace = true}, image);
  const auto database = Database::Open("/db", TinyShape().Options(&world));
  EXPECT_TRUE(database.ok()) << database.status();
  Opened opened{.start = image, .trace = world.trace()};
  if (database.ok()) opened.commits = CommitsIn(**database);
  return opened;
}

// Of the newest of what is pending these sectors, of the rest nothing.
CrashChoice Only(const Durability& durability, SectorMask sectors) {
  CrashChoice choice;
  choice.kept.assign(durability.pending().size(), 0);
  choice.kept.back() = sectors;
  return choice;
}

// The newest of what is pending, with something else instead of its last sector.
CrashChoice WithoutItsEnd(const Durability& durability, uint64_t seed) {
  CrashChoice choice = Only(durability, kEverySector >> 1);
  choice.shredded = true;
  choice.seed = seed;
  return choice;
}

// Whether the event is the first block of frames in a segment, which a flush is about to make durable.
bool IsFirstFrame(const Trace& trace, size_t event) {
  const TraceEvent& happened = trace[event];
  if (happened.kind != TraceEvent::Kind::kEffect || !happened.effect->IsData()) return false;
  if (happened.effect->block != 1 || event + 1 == trace.size()) return false;
  const TraceEvent& next = trace[event + 1];
  return next.kind == TraceEvent::Kind::kBarrier && next.purpose == io::SyncPurpose::kLogFlush;
}

// Cuts the recovery off after each of its writes, any one sector of which may have arrived.
void ExpectTheSameAfterACrash(const Opened& recovered) {
  Durability durability(recovered.start);
  for (const TraceEvent& event : recovered.trace) {
    durability.Replay(event);
    if (event.kind != TraceEvent::Kind::kEffect || !event.effect->IsData()) continue;
    for (int sector = 0; sector < kSectors; ++sector) {
      const auto mask = static_cast<SectorMask>(1U << static_cast<unsigned>(sector));
      const Opened again = Open(BuildCrashImage(durability, Only(durability, mask)));
      ASSERT_EQ(again.commits, recovered.commits)
          << "sector " << sector << " of block " << event.effect->block;
    }
  }
}

TEST(TornFrameTest, R12_WhatACrashLeftOfAFrameStaysAsItIs) {
  const uint64_t seed = ::keel::testing::TestSeed();
  SimFileSystem world({.seed = seed, .keep_trace = true});
  History history;
  Player player(&world, TinyShape(), &history);
  player.Open();
  // Checkpoints release segments: the log goes on in the one that the next recovery would take first.
  for (uint64_t n = 0; n < 30; ++n) {
    player.Play({{Operation::kPutSmall, seed + n}, {Operation::kCommitSync}});
    if (n % 7 == 6) player.Do({Operation::kCheckpoint});
  }
  ASSERT_EQ(player.violation(), "");
  const Trace trace = world.trace();
  Durability durability{DiskImage()};
  int frames = 0;
  for (size_t event = 0; event < trace.size(); ++event) {
    durability.Replay(trace[event]);
    if (!IsFirstFrame(trace, event)) continue;
    // Without its segment's header, which is no longer needed then: nothing says what the segment is for. What stands
    // there instead of zeros may be zeros by chance.
    const uint64_t whole =
        Open(BuildCrashImage(durability, Only(durability, kEverySector))).commits;
    for (uint64_t chance = 0; chance < 100; ++chance) {
      const Opened recovered =
          Open(BuildCrashImage(durability, WithoutItsEnd(durability, seed + chance)));
      if (recovered.commits + 1 != whole) continue;
      ++frames;
      ASSERT_NO_FATAL_FAILURE(ExpectTheSameAfterACrash(recovered));
      break;
    }
  }
  EXPECT_GT(frames, 0);
}

}  // namespace
}  // namespace keel::torture
