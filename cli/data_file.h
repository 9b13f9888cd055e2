// The data file as bytes, for those who look at it whatever its state: no lock is taken and nothing
// is written.

#ifndef KEEL_CLI_DATA_FILE_H_
#define KEEL_CLI_DATA_FILE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/aligned_buffer.h"
#include "base/types.h"
#include "io/file_system.h"
#include "pager/superblock.h"

namespace keel::cli {

class DataFile {
 public:
  // NotFound: there is no data file in the directory. `file_system` outlives it.
  static absl::StatusOr<DataFile> Open(io::FileSystem* file_system,
                                       const std::filesystem::path& directory);

  // The superblock that an open would choose; its error where there is none.
  const absl::StatusOr<pager::SuperblockChoice>& superblock() const { return superblock_; }
  // Of the superblock; 4096, and an id of zeros, without one.
  uint32_t page_bytes() const;
  DatabaseId database() const;

  // OutOfRange: the file ends before.
  absl::StatusOr<AlignedBuffer> Read(uint64_t offset, size_t bytes);

  io::File& file() { return *file_; }

 private:
  explicit DataFile(std::unique_ptr<io::File> file);

  std::unique_ptr<io::File> file_;
  absl::StatusOr<pager::SuperblockChoice> superblock_;
};

}  // namespace keel::cli

#endif  // KEEL_CLI_DATA_FILE_H_
