#include "cli/data_file.h"

#include <utility>

#include "base/status.h"
#include "engine/storage.h"

namespace keel::cli {

DataFile::DataFile(std::unique_ptr<io::File> file)
    : file_(std::move(file)), superblock_(pager::ReadSuperblocks(*file_)) {}

absl::StatusOr<DataFile> DataFile::Open(io::FileSystem* file_system,
                                        const std::filesystem::path& directory) {
  absl::StatusOr<std::unique_ptr<io::File>> file =
      file_system->Open(directory / engine::kDataFileName, {.read_only = true});
  if (absl::IsNotFound(file.status())) {
    return MakeStatus(absl::StatusCode::kNotFound, "there is no Keel database in %s (no file %s)",
                      directory.native(), engine::kDataFileName);
  }
  KEEL_RETURN_IF_ERROR(file.status());
  return DataFile(*std::move(file));
}

uint32_t DataFile::page_bytes() const {
  return superblock_.ok() ? superblock_->chosen.page_bytes : 4096;
}

DatabaseId DataFile::database() const {
  return superblock_.ok() ? superblock_->chosen.database : DatabaseId();
}

absl::StatusOr<AlignedBuffer> DataFile::Read(uint64_t offset, size_t bytes) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(bytes);
  if (buffer.empty()) return absl::ResourceExhaustedError("out of memory");
  KEEL_ASSIGN_OR_RETURN(const size_t found, file_->Read(offset, buffer.span()));
  if (found < bytes) {
    return MakeStatus(absl::StatusCode::kOutOfRange, "%s ends at byte %d, before this",
                      file_->path().native(), offset + found);
  }
  return buffer;
}

}  // namespace keel::cli
