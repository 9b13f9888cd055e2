// What a call changes on a simulated disk, in the pieces that survive a loss of power or not, each
// by itself: a write is one effect a block plus one for the size where it grows; a rename is two
// names.

#ifndef KEEL_FAULT_INJECTION_EFFECT_H_
#define KEEL_FAULT_INJECTION_EFFECT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fault_injection/block.h"
#include "io/file_system.h"

namespace keel::fault_injection {

using InodeId = uint64_t;

struct Effect {
  enum class Kind : uint8_t {
    kData,         // sectors of one block of a file
    kSize,         // a file's size, grown
    kCut,          // a file's size, shrunk, and what lay beyond
    kName,         // a file's name appears, or stands for another file
    kNoName,       // a file's name disappears
    kDirectory,    // a directory appears
    kNoDirectory,  // a directory disappears
  };

  uint64_t id = 0;  // in the order of the calls
  Kind kind = Kind::kData;
  InodeId inode = 0;
  uint64_t block = 0;                // of kData
  SectorMask sectors = kAllSectors;  // of kData: those written
  BlockRef bytes;                    // of kData: the whole block after the write
  uint64_t size = 0;                 // of kSize, kCut
  std::string path;                  // of names and directories
  uint64_t pair = 0;                 // of the names of a rename: the same; else 0

  bool IsData() const { return kind == Kind::kData; }
  bool IsOfFile() const { return kind <= Kind::kCut; }
};

using EffectRef = std::shared_ptr<const Effect>;

// What a trace of calls consists of.
struct TraceEvent {
  enum class Kind : uint8_t {
    kEffect,
    kBarrier,  // the effects in `covered` became durable
    kLost,     // a failed sync gave up the effects in `covered`: no later one makes them durable
    kGone,     // and then their bytes left the cache as well: they are nowhere
    kMark,     // said by the workload
  };

  Kind kind = Kind::kEffect;
  EffectRef effect;
  std::vector<uint64_t> covered;  // ids, ascending
  uint64_t mark = 0;
  io::SyncPurpose purpose = io::SyncPurpose::kLogFlush;  // of kBarrier
};

using Trace = std::vector<TraceEvent>;

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_EFFECT_H_
