#include "tests/fuzz/directory_image.h"

#include <absl/strings/str_format.h>
#include <keel/keel.h>

#include <cstring>
#include <map>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "pager/catalogue.h"
#include "pager/page_format.h"
#include "pager/superblock_format.h"

namespace keel::fuzz {

using pager::SuperblockFields;
using wal::MemoryFileSystem;

namespace {

constexpr const char* kDataFile = "/db/data.keel";
constexpr size_t kPageBytes = 4096;

void Must(const absl::Status& status) { KEEL_CHECK(status.ok()); }

// In the data file.
void WriteOld(Database& database, Keyspace second) {
  WriteBatch batch;
  for (int i = 0; i < 600; ++i) {
    batch.Put(absl::StrFormat("key%05d", i), std::string(static_cast<size_t>(i) % 50, 'v'));
    if (i % 10 == 0) batch.Put(second, absl::StrFormat("second%d", i), "value");
  }
  batch.Put("large1", std::string(3000, 'L'));
  batch.Put("large2", std::string(20000, 'L'));
  Must(database.Write(batch).status());
  Must(database.Checkpoint());
}

// In the log: what autocommits, streams, rollbacks and keyspaces leave there.
void WriteNew(Database& database, Keyspace second) {
  Must(database.Put("key00007", "new"));
  Must(database.Delete("key00008"));
  Must(database.DeleteRange(KeyRange("key00100", "key00110")));
  Must(database.Put(second, "large3", std::string(9000, 'M')));
  const auto stream = [&](Transaction& transaction) {
    Must(transaction.Put("streamed", "value"));
    const Savepoint savepoint = transaction.SetSavepoint();
    Must(transaction.Put("undone", std::string(100'000, 'S')));
    Must(transaction.Put("undone too", std::string(60'000, 'S')));
    Must(transaction.RollbackTo(savepoint));
    return transaction.Put("last", std::string(1000, 'T'));
  };
  Must(database.Transact(stream));
  const Keyspace third = *database.OpenKeyspace("third");
  Must(database.Put(third, "key", "value"));
  Must(database.DropKeyspace("third"));
  Must(database.Put("end", "value"));
}

}  // namespace

Options FuzzOptions(MemoryFileSystem* disk) {
  Options options;
  options.file_system = disk;
  options.background = Background::kManual;
  options.memory_bytes = uint64_t{4} << 20;
  options.log_segment_bytes = uint64_t{256} << 10;
  options.checkpoint_log_bytes = uint64_t{1} << 20;
  return options;
}

DirectoryImage::DirectoryImage() {
  MemoryFileSystem disk;
  const auto database = *Database::Open(kDatabaseDirectory, FuzzOptions(&disk));
  const Keyspace second = *database->OpenKeyspace("second");
  WriteOld(*database, second);
  WriteNew(*database, second);
  disk_ = disk.Copy();

  log_ =
      std::make_unique<LogLayout>(disk_.get(), std::filesystem::path(kDatabaseDirectory) / "wal");
  const auto file = *disk_->Open(kDataFile, {.read_only = true});
  superblock_ = pager::ReadSuperblocks(*file)->chosen;
  auto image = *pager::ReadCataloguePages(*file, superblock_.database, kPageBytes,
                                          superblock_.generation, superblock_.catalogue);
  catalogue_ = std::move(image.bytes);
  catalogue_pages_ = std::move(image.pages);
  FindPages(disk_->Bytes(kDataFile));
}

void DirectoryImage::FindPages(std::span<const std::byte> data) {
  for (uint64_t id = 0; (id + 1) * kPageBytes <= data.size(); ++id) {
    const auto page = data.subspan(id * kPageBytes, kPageBytes);
    if (!pager::CheckPage(page, superblock_.database, PageId{id}).ok()) continue;
    const auto kind = static_cast<pager::PageKind>(pager::HeaderOf(page.data()).kind);
    if (kind == pager::PageKind::kSpaceMap) map_pages_.push_back(PageId{id});
    if (kind == pager::PageKind::kLeaf || kind == pager::PageKind::kInternal) {
      tree_pages_.push_back(PageId{id});
    }
  }
  KEEL_CHECK(tree_pages_.size() > 5 && !map_pages_.empty());
}

const DirectoryImage& DirectoryImage::Get() {
  static const DirectoryImage* const image = new DirectoryImage;
  return *image;
}

// One copy of the image under change.
class DirectoryPatcher {
 public:
  DirectoryPatcher(const DirectoryImage* image, MemoryFileSystem* disk)
      : image_(*image),
        disk_(*disk),
        log_(image->log_.get(), disk),
        catalogue_(image->catalogue_) {}

  void Apply(const Patch& patch) {
    switch (patch.file % (DirectoryImage::kLog + 1)) {
      case DirectoryImage::kTreePages:
        return ApplyToPages(patch, image_.tree_pages_);
      case DirectoryImage::kMaps:
        return ApplyToPages(patch, image_.map_pages_);
      case DirectoryImage::kSuperblocks:
        return ApplyToSuperblock(patch);
      case DirectoryImage::kCatalogue:
        return ApplyPatch(patch, std::as_writable_bytes(std::span(catalogue_)));
      default: {
        Patch of_log = patch;
        of_log.file = patch.file / (DirectoryImage::kLog + 1);
        return log_.Apply(of_log);
      }
    }
  }

  // Bottom up: pages, what the catalogue says of maps, what superblocks say of catalogue and log.
  void Seal() {
    for (const PageId id : pages_) SealPage(id);
    SealCatalogue();
    for (const auto& [before, after] : log_.Seal()) {
      ReplaceInSuperblocks(offsetof(SuperblockFields, log_chain), before, after);
    }
    for (const uint64_t offset : superblocks_) SealSuperblock(offset);
  }

 private:
  std::span<std::byte> At(uint64_t offset) {
    std::vector<std::byte>& data = disk_.Bytes(kDataFile);
    if (offset + kPageBytes > data.size()) return {};
    return std::span(data).subspan(offset, kPageBytes);
  }

  void ApplyToPages(const Patch& patch, const std::vector<PageId>& pages) {
    if (patch.kind == Patch::Kind::kResize) {
      std::vector<std::byte>& data = disk_.Bytes(kDataFile);
      data.resize(patch.value % (data.size() + kPageBytes));
      return;
    }
    const PageId id = pages[patch.unit % pages.size()];
    const std::span<std::byte> page = At(id.value * kPageBytes);
    if (page.empty()) return;
    if (patch.kind == Patch::Kind::kCopyUnit) {
      const std::span<std::byte> from = At(pages[patch.value % pages.size()].value * kPageBytes);
      if (!from.empty()) std::memmove(page.data(), from.data(), kPageBytes);
      // A page in another's place, with the other's name.
      if (patch.offset % 2 == 0) pager::HeaderOf(page.data()).page_id = id.value;
    } else {
      ApplyPatch(patch, page);
    }
    if (patch.seal) pages_.insert(id);
  }

  void ApplyToSuperblock(const Patch& patch) {
    const uint64_t offset = pager::kSuperblockOffsets[patch.unit % 4];
    const std::span<std::byte> block = At(offset);
    if (block.empty()) return;
    Patch in_fields = patch;
    in_fields.offset = static_cast<uint16_t>(patch.offset % sizeof(SuperblockFields));
    ApplyPatch(in_fields, block);
    if (patch.seal) superblocks_.insert(offset);
  }

  void SealPage(PageId id) {
    const std::span<std::byte> page = At(id.value * kPageBytes);
    if (page.empty()) return;
    const uint64_t before = pager::HeaderOf(page.data()).checksum;
    pager::SealPage(page, image_.superblock_.database);
    const uint64_t after = pager::HeaderOf(page.data()).checksum;
    // The directory names the checksums of maps.
    for (size_t at = 0; at + 8 <= catalogue_.size(); ++at) {
      if (Load<uint64_t>(catalogue_.data() + at) == before) Store(catalogue_.data() + at, after);
    }
  }

  void SealCatalogue() {
    if (catalogue_ == image_.catalogue_ ||
        At(image_.catalogue_pages_[0].value * kPageBytes).empty()) {
      return;
    }
    const pager::Superblock& superblock = image_.superblock_;
    const auto file = *disk_.Open(kDataFile, {});
    const auto reference =
        pager::WriteCataloguePages(*file, superblock.database, kPageBytes, superblock.generation,
                                   image_.catalogue_pages_, catalogue_);
    KEEL_CHECK(reference.ok());
    ReplaceInSuperblocks(offsetof(SuperblockFields, catalogue_checksum),
                         superblock.catalogue.checksum, reference->checksum);
  }

  void ReplaceInSuperblocks(size_t field, uint64_t before, uint64_t after) {
    for (const uint64_t offset : pager::kSuperblockOffsets) {
      const std::span<std::byte> block = At(offset);
      if (block.empty() || Load<uint64_t>(block.data() + field) != before) continue;
      Store(block.data() + field, after);
      superblocks_.insert(offset);
    }
  }

  void SealSuperblock(uint64_t offset) {
    const std::span<std::byte> block = At(offset);
    if (block.empty()) return;
    Store(block.data() + offsetof(SuperblockFields, checksum),
          Checksum(block.subspan(pager::kSuperblockChecked), pager::kSuperblockSeed));
  }

  const DirectoryImage& image_;
  MemoryFileSystem& disk_;
  LogPatcher log_;
  std::string catalogue_;
  std::set<PageId> pages_;          // to be sealed
  std::set<uint64_t> superblocks_;  // offsets of those to be sealed
};

std::unique_ptr<MemoryFileSystem> DirectoryImage::Patched(const std::vector<Patch>& patches) const {
  std::unique_ptr<MemoryFileSystem> disk = disk_->Copy();
  DirectoryPatcher patcher(this, disk.get());
  for (const Patch& patch : patches) patcher.Apply(patch);
  patcher.Seal();
  return disk;
}

}  // namespace keel::fuzz
