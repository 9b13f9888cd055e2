// The root of everything durable: two generations, two copies each.
//
// Four blocks of 4096 bytes at byte offsets 0, 64 KiB, 1 MiB and 1 MiB + 64 KiB, whatever the page
// size: the first two are the copies of one generation, the others of the other. A new generation
// overwrites only the older one's copies, after a sync of all that it refers to. The checksum covers
// offset, generation and incarnation, so a copy that was torn or misdirected does not verify.
//
//   S1  Nothing that the newest durable superblock reaches is ever overwritten.
//   S2  Both generations are never in flight together; the two copies of one are rewritten one at a
//       time, with a sync after each, when an existing generation is rewritten at open.
//   S3  A write or sync error on a superblock is final (G4).

#ifndef KEEL_PAGER_SUPERBLOCK_H_
#define KEEL_PAGER_SUPERBLOCK_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "io/file_system.h"

namespace keel::pager {

inline constexpr size_t kSuperblockBytes = 4096;
inline constexpr std::array<uint64_t, 4> kSuperblockOffsets = {
    0, uint64_t{64} << 10, uint64_t{1} << 20, (uint64_t{1} << 20) + (uint64_t{64} << 10)};
inline constexpr uint32_t kFormatVersion = 1;

// Where the catalogue lies (pager/catalogue.h).
struct CatalogueReference {
  PageId first;  // 0 in a database that has none yet
  uint64_t pages = 0;
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // of its bytes

  friend bool operator==(const CatalogueReference&, const CatalogueReference&) = default;
};

struct Superblock {
  uint32_t format_version = kFormatVersion;
  uint64_t features_must_understand = 0;       // unknown bit: do not open
  uint64_t features_read_only_compatible = 0;  // unknown bit: open read-only
  uint64_t features_compatible = 0;            // unknown bit: ignore
  uint32_t page_bytes = 4096;
  DatabaseId database;
  uint64_t incarnation = 0;  // raised at each open for writing
  uint64_t instance = 0;     // random id of that open
  Generation generation;
  Epoch epoch;                 // of the version it describes
  CommitNumber commit_number;  // the last one contained
  Lsn log_start;               // redo begins behind it
  uint64_t log_chain = 0;
  uint64_t log_salt = 0;
  CatalogueReference catalogue;
  uint64_t page_count = 0;  // pages of the file that may be in use
  bool clean = false;       // closed cleanly: the log is empty

  friend bool operator==(const Superblock&, const Superblock&) = default;
};

// Leaves may hold entries of up to a third of a page, where they were limited to less (btree/node_format.h).
inline constexpr uint64_t kFeatureLongerEntries = 1;
// Feature bits that this version knows, by kind.
inline constexpr uint64_t kFeaturesMustUnderstand = kFeatureLongerEntries;
inline constexpr uint64_t kFeaturesReadOnlyCompatible = 0;

// The smallest file that holds all four copies, in pages.
constexpr uint64_t MinPageCount(uint32_t page_bytes) {
  return (kSuperblockOffsets.back() + kSuperblockBytes + page_bytes - 1) / page_bytes;
}
// Incarnations end here: epochs and generations hold them in their upper 24 bits.
inline constexpr uint64_t kMaxIncarnation = (uint64_t{1} << (64 - kEpochCounterBits)) - 1;

// Positions of a log end here (wal/frame_format.h).
inline constexpr uint64_t kMaxLogStart = uint64_t{1} << 62;

// One copy as found.
struct SuperblockCopy {
  uint64_t offset = 0;
  absl::Status status;    // why it is not valid, as DecodeSuperblock says; or the read's error
  Superblock superblock;  // where status is OK
};

struct SuperblockChoice {
  Superblock chosen;  // highest valid (incarnation, generation)
  std::array<SuperblockCopy, 4> copies;
  bool used_copy = false;  // the other copy of the chosen one is not valid, or older
};

// Encodes for one of kSuperblockOffsets. REQUIRES: CheckSuperblock(superblock) holds.
void EncodeSuperblock(const Superblock& superblock, uint64_t offset, std::span<std::byte> block);
// Decodes one copy and verifies every field:
//   NotFound            never written (all zeros)
//   InvalidArgument     the magic is not Keel's
//   DataLoss            torn, damaged, written for another place, or a value out of its limits
//   FailedPrecondition  a format version or a must-understand feature that this version does not
//                       know, named; the rest is undamaged
absl::StatusOr<Superblock> DecodeSuperblock(std::span<const std::byte> block, uint64_t offset);
// Whether every field lies within its limits, whoever wrote it. DataLoss names the field.
absl::Status CheckSuperblock(const Superblock& superblock);
// FailedPrecondition names a feature that allows this version to read only.
absl::Status CheckWritable(const Superblock& superblock);

// Reads all four copies, each twice (a stale or flipped read shows once), and chooses. With a queue for them the four are
// read side by side.
//   InvalidArgument     no copy is Keel's: the file is no Keel database
//   FailedPrecondition  an unknown format or feature, in a copy newer than all that can be read
//   DataLoss            no copy is valid, or copies of two databases; says what is wrong with each
//   the read's error    if that is why none is valid
absl::StatusOr<SuperblockChoice> ReadSuperblocks(io::File& file,
                                                 std::unique_ptr<io::IoQueue> queue = nullptr);

// Writes a new generation: both copies of `pair` (0 or 1), then one sync.
// REQUIRES: the pair does not hold the newest generation (S1): 1 - PairOf(choice), then in turns.
absl::Status WriteSuperblock(io::File& file, const Superblock& superblock, int pair);
// Rewrites an existing generation's copies one at a time, the worse one first, a sync after each
// (S2). REQUIRES: `superblock` has the chosen generation.
absl::Status RewriteSuperblock(io::File& file, const SuperblockChoice& choice,
                               const Superblock& superblock);
// Which pair holds the chosen generation.
int PairOf(const SuperblockChoice& choice);

}  // namespace keel::pager

#endif  // KEEL_PAGER_SUPERBLOCK_H_
