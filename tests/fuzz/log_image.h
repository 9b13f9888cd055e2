// A log on a disk in memory, changed at some places and sealed again.

#ifndef KEEL_TESTS_FUZZ_LOG_IMAGE_H_
#define KEEL_TESTS_FUZZ_LOG_IMAGE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "tests/fuzz/patch.h"
#include "tests/unit/wal/memory_file_system.h"

namespace keel::fuzz {

// Where headers and frames stand, as they were written.
class LogLayout {
 public:
  struct Piece {
    size_t file = 0;
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t lsn = 0;
    uint64_t checksum = 0;
    bool header = false;
  };

  explicit LogLayout(wal::MemoryFileSystem* disk, const std::filesystem::path& directory);

  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  // In the order of the log.
  const std::vector<Piece>& pieces() const { return pieces_; }
  // The unit of a patch: the header, then the frames.
  const Piece& Unit(size_t file, size_t unit) const;

 private:
  std::vector<std::filesystem::path> paths_;
  std::vector<Piece> pieces_;
};

// For one copy of the disk.
class LogPatcher {
 public:
  LogPatcher(const LogLayout* layout, wal::MemoryFileSystem* disk)
      : layout_(*layout), disk_(*disk) {}

  void Apply(const Patch& patch);
  // Seals what was changed, and carries new checksums along the chain. Returns those that were replaced.
  const std::map<uint64_t, uint64_t>& Seal();

 private:
  using Piece = LogLayout::Piece;

  // Less than the piece's bytes where the file was cut.
  std::span<std::byte> Bytes(const Piece& piece);
  void SealPiece(const Piece& piece);

  const LogLayout& layout_;
  wal::MemoryFileSystem& disk_;
  std::set<const Piece*> changed_;
  std::map<uint64_t, uint64_t> replaced_;
};

}  // namespace keel::fuzz

#endif  // KEEL_TESTS_FUZZ_LOG_IMAGE_H_
