#include "engine/create.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/storage.h"
#include "engine/version.h"
#include "pager/catalogue.h"
#include "pager/page_set.h"
#include "pager/space_map.h"
#include "pager/superblock.h"
#include "wal/log_reader.h"

namespace keel::engine {

using pager::Superblock;

namespace {

constexpr Generation kFirstGeneration{uint64_t{1} << kEpochCounterBits};
constexpr int kFirstPair = 0;
constexpr absl::Duration kRetry = absl::Milliseconds(20);

absl::Status MakeDirectory(io::FileSystem& file_system, const std::filesystem::path& path) {
  const absl::Status made = file_system.CreateDirectory(path);
  return made.code() == absl::StatusCode::kAlreadyExists ? absl::OkStatus() : made;
}

class Creator {
 public:
  Creator(io::FileSystem& file_system, std::filesystem::path directory, const Options& options)
      : file_system_(file_system), directory_(std::move(directory)), options_(options) {}

  absl::StatusOr<bool> Create();

 private:
  absl::Status CheckDirectory();
  // The temporary file, locked; none if somebody else finished first.
  absl::StatusOr<std::unique_ptr<io::File>> OpenTemporary();
  absl::Status WriteContents(io::File& file);
  absl::Status WriteCheckpoint(io::File& file, pager::SpaceMap& space, Superblock& superblock);
  absl::Status WriteBothPairs(io::File& file, const Superblock& superblock);

  std::filesystem::path data() const { return directory_ / kDataFileName; }
  std::filesystem::path temporary() const { return directory_ / kDataFileTemporaryName; }

  io::FileSystem& file_system_;
  const std::filesystem::path directory_;
  const Options& options_;
};

absl::Status Creator::CheckDirectory() {
  KEEL_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system_.List(directory_));
  for (const std::string& name : names) {
    if (name == kLogDirectoryName || name == kDataFileTemporaryName || name == kDataFileName) {
      continue;
    }
    if (name == "lost+found") continue;  // a database may be the root of its own file system
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "%s is no Keel database and is not empty (it holds \"%s\"); choose an empty "
                      "directory",
                      directory_.native(), name);
  }
  KEEL_ASSIGN_OR_RETURN(
      const bool log,
      wal::HoldsFrames(&file_system_, directory_ / kLogDirectoryName, options_.direct_io));
  KEEL_ASSIGN_OR_RETURN(const bool made_meanwhile, file_system_.Exists(data()));
  if (!log || made_meanwhile) return absl::OkStatus();
  return MakeStatus(
      absl::StatusCode::kDataLoss,
      "%s holds a log with commits, but its data file %s is gone; put it back, or empty "
      "the directory if the log is not needed",
      directory_.native(), kDataFileName);
}

absl::StatusOr<std::unique_ptr<io::File>> Creator::OpenTemporary() {
  const absl::Duration deadline = file_system_.clock().Now() + options_.open_timeout;
  while (true) {
    KEEL_ASSIGN_OR_RETURN(
        std::unique_ptr<io::File> file,
        file_system_.Open(temporary(), {.create = true, .direct = options_.direct_io}));
    const absl::Status locked = file->TryLock(io::LockMode::kExclusive);
    // Whoever had the lock may have finished: the file that was locked here is then the database itself.
    KEEL_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(data()));
    if (exists) return std::unique_ptr<io::File>();
    if (locked.ok()) return file;
    if (locked.code() != absl::StatusCode::kFailedPrecondition ||
        file_system_.clock().Now() >= deadline) {
      return locked;
    }
    file_system_.clock().Sleep(kRetry);
  }
}

absl::Status Creator::WriteCheckpoint(io::File& file, pager::SpaceMap& space,
                                      Superblock& superblock) {
  pager::Catalogue catalogue;
  catalogue.keyspaces.push_back(
      {kDefaultKeyspace, std::string(kDefaultKeyspaceName), pager::TreeRoot{}});
  KEEL_ASSIGN_OR_RETURN(const pager::PageRun run,
                        space.AllocateAny(1, pager::SpaceUse::kCheckpoint));
  pager::PageSet born;
  born.Insert(run.first);
  KEEL_ASSIGN_OR_RETURN(catalogue.groups,
                        space.WriteCheckpoint(superblock.generation, born, pager::PageSet()));
  const std::string bytes = pager::EncodeCatalogue(catalogue);
  if (pager::CataloguePages(bytes.size(), superblock.page_bytes) != 1) {
    return absl::InternalError("the catalogue of an empty database takes more than a page");
  }
  KEEL_ASSIGN_OR_RETURN(
      superblock.catalogue,
      pager::WriteCataloguePages(file, superblock.database, superblock.page_bytes,
                                 superblock.generation, std::vector<PageId>{run.first}, bytes));
  superblock.page_count = space.page_count();
  return file.Sync(io::SyncPurpose::kDataCreate);
}

absl::Status Creator::WriteContents(io::File& file) {
  Superblock superblock;
  superblock.page_bytes = options_.page_bytes;
  superblock.features_must_understand = FeaturesOf(superblock.page_bytes);
  io::Random& random = file_system_.random();
  superblock.database = DatabaseId{random.Next64(), random.Next64()};
  superblock.incarnation = kFirstIncarnation;
  superblock.instance = random.Next64();
  superblock.generation = kFirstGeneration;
  superblock.epoch = MakeEpoch(kFirstIncarnation, 0);
  superblock.log_salt = random.Next64();
  superblock.clean = true;

  const uint64_t bytes = pager::kSuperblockOffsets.back() + uint64_t{64} * 1024;
  KEEL_RETURN_IF_ERROR(file.Truncate(0));
  KEEL_RETURN_IF_ERROR(file.Allocate(0, bytes));
  pager::SpaceMapOptions space_options = pager::SpaceMapOptionsFor(superblock.page_bytes);
  space_options.database = superblock.database;
  KEEL_ASSIGN_OR_RETURN(
      const std::unique_ptr<pager::SpaceMap> space,
      pager::SpaceMap::Create(&file, bytes / superblock.page_bytes, space_options));
  KEEL_RETURN_IF_ERROR(WriteCheckpoint(file, *space, superblock));
  return pager::WriteSuperblock(file, superblock, kFirstPair);
}

absl::StatusOr<bool> Creator::Create() {
  KEEL_RETURN_IF_ERROR(MakeDirectory(file_system_, directory_));
  KEEL_RETURN_IF_ERROR(CheckDirectory());
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file, OpenTemporary());
  if (file == nullptr) return false;
  // Before the data file's name, so that no open for writing has to make it.
  KEEL_RETURN_IF_ERROR(MakeLogDirectory(file_system_, directory_));
  KEEL_RETURN_IF_ERROR(WriteContents(*file));
  KEEL_RETURN_IF_ERROR(file_system_.Rename(temporary(), data()));
  return true;
}

}  // namespace

absl::StatusOr<bool> CreateDatabase(io::FileSystem& file_system,
                                    const std::filesystem::path& directory,
                                    const Options& options) {
  return Creator(file_system, directory, options).Create();
}

absl::Status MakeLogDirectory(io::FileSystem& file_system, const std::filesystem::path& directory) {
  KEEL_RETURN_IF_ERROR(MakeDirectory(file_system, directory / kLogDirectoryName));
  return file_system.SyncDirectory(directory, io::SyncPurpose::kDatabaseDirectory);
}

absl::Status MakeNamesDurable(io::FileSystem& file_system, const std::filesystem::path& directory) {
  KEEL_RETURN_IF_ERROR(file_system.SyncDirectory(directory, io::SyncPurpose::kDatabaseDirectory));
  std::filesystem::path named = directory.lexically_normal();
  if (!named.has_filename()) named = named.parent_path();  // "/data/db/"
  std::filesystem::path parent = named.parent_path();
  if (parent.empty()) parent = ".";
  return file_system.SyncDirectory(parent, io::SyncPurpose::kParentDirectory);
}

}  // namespace keel::engine
