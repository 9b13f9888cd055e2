// Input: u8 how, then patches (tests/fuzz/patch.h) of a database (tests/fuzz/directory_image.h).
// How, by bits: 1 does not look without writing, 2 does not open for writing.

#include <absl/strings/str_format.h>
#include <keel/keel.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "base/check.h"
#include "btree/node_format.h"
#include "pager/page_format.h"
#include "pager/superblock_format.h"
#include "tests/fuzz/directory_image.h"
#include "tests/fuzz/fuzz_target.h"
#include "wal/frame_format.h"

namespace keel::fuzz {
namespace {

using wal::MemoryFileSystem;

constexpr uint8_t kNoLook = 1;
constexpr uint8_t kNoWriting = 2;
constexpr int kStepsMax = 3000;

// However spoilt, keys ascend as far as a walk goes.
void Walk(const Reader& reader, Keyspace keyspace) {
  Cursor cursor = reader.NewCursor(keyspace);
  std::string before;
  int steps = 0;
  for (cursor.SeekToFirst(); cursor.Valid() && steps < kStepsMax; cursor.Next(), ++steps) {
    KEEL_CHECK(steps == 0 || before < cursor.key());
    before = cursor.key();
    (void)cursor.value();
  }
  for (cursor.SeekToLast(); cursor.Valid() && steps > 0; cursor.Prev(), --steps) {
  }
  cursor.Seek("key00150");
  cursor.SeekForPrev("key00007x");
}

void Look(const Database& database) {
  for (const KeyspaceInfo& info : database.ListKeyspaces()) {
    Walk(database, info.keyspace);
    (void)database.Count(info.keyspace, KeyRange("key00010", "key00290"));
  }
  for (const char* const key : {"key00007", "large1", "large2", "streamed", "zzz", ""}) {
    (void)database.Get(key);
  }
  const std::array<std::string_view, 3> keys = {"key00001", "key00105", "nothing"};
  (void)database.MultiGet(keys);
  const auto report = database.Check();
  if (!report.ok()) return;
  for (const Damage& damage : report->damages) KEEL_CHECK(!damage.problem.empty());
  (void)database.Stats();
}

void Change(Database& database) {
  for (int i = 0; i < 300; i += 37) {
    (void)database.Put(absl::StrFormat("key%05d", i), std::string(60, 'n'));
    (void)database.Delete(absl::StrFormat("key%05d", i + 1));
  }
  (void)database.Put("large1", std::string(6000, 'N'));
  (void)database.Delete("large2");
  (void)database.DeleteRange(KeyRange("key00200", "key00220"));
  const auto work = [](Transaction& transaction) {
    const Savepoint savepoint = transaction.SetSavepoint();
    (void)transaction.DeleteRange(KeyRange::All());
    (void)transaction.RollbackTo(savepoint);
    return transaction.Put("after", "value");
  };
  (void)database.Transact(work);
  (void)database.OpenKeyspace("new");
  (void)database.Checkpoint();
  (void)database.DropKeyspace("second");
  (void)database.RunBackgroundWork();
  (void)database.DeleteRange(KeyRange::From("key"));
}

void LookWithoutWriting(MemoryFileSystem* disk) {
  Options options = FuzzOptions(disk);
  (void)Database::DryRunRecovery(kDatabaseDirectory, options);
  options.read_only = true;
  const auto database = Database::Open(kDatabaseDirectory, options);
  if (!database.ok()) return;
  Look(**database);
  (void)(*database)->Close();
}

void OpenForWriting(MemoryFileSystem* disk) {
  for (int round = 0; round < 2; ++round) {
    const auto database = Database::Open(kDatabaseDirectory, FuzzOptions(disk));
    if (!database.ok()) return;
    if (round == 0) Look(**database);
    Change(**database);
    Look(**database);
    (void)(*database)->Close();
  }
}

void RunDirectory(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  const auto how = input.Take<uint8_t>();
  const std::unique_ptr<MemoryFileSystem> disk = DirectoryImage::Get().Patched(TakePatches(input));
  if ((how & kNoLook) == 0) LookWithoutWriting(disk.get());
  if ((how & kNoWriting) == 0) OpenForWriting(disk.get());
}

// One a field that matters.
std::vector<Patch> SomePatches() {
  using Image = DirectoryImage;
  using Kind = Patch::Kind;
  std::vector<Patch> patches;
  const auto add = [&](Image::File file, int offset) {
    for (const uint8_t unit : {uint8_t{0}, uint8_t{3}}) {
      patches.push_back({.kind = Kind::kAdd,
                         .file = file,
                         .unit = unit,
                         .offset = static_cast<uint16_t>(offset),
                         .value = 1});
    }
  };
  for (const int offset : {8, 16, 24, 32, 36, 40, 44}) add(Image::kTreePages, offset);
  for (const int offset : {64, 68, 4000}) add(Image::kTreePages, offset);
  for (const int offset : {8, 12, 20, 28, 40, 60}) add(Image::kCatalogue, offset);
  for (int offset = 20; offset < 180; offset += 8) add(Image::kSuperblocks, offset);
  for (const int offset : {16, 32, 100}) add(Image::kMaps, offset);
  for (const int offset : {24, 32, 40, 72, 80, 88, 96, 130}) add(Image::kLog, offset);
  patches.push_back({.kind = Kind::kCopyUnit, .file = Image::kTreePages, .unit = 1, .value = 2});
  patches.push_back({.kind = Kind::kResize, .file = Image::kTreePages, .value = 900'000});
  patches.push_back({.kind = Kind::kResize, .file = Image::kLog, .value = 20'000});
  return patches;
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = {std::string(1, '\0')};
  const std::vector<Patch> patches = SomePatches();
  // Several a seed: the corpus stays small, and the fuzzer takes them apart.
  for (size_t i = 0; i < patches.size(); i += 3) {
    std::string seed(1, '\0');
    for (size_t j = i; j < std::min(i + 3, patches.size()); ++j) AppendPatch(patches[j], &seed);
    seeds.push_back(seed);
  }
  return seeds;
}

}  // namespace

const FuzzTarget kDirectoryTarget = {"directory", &RunDirectory, &Seeds};

}  // namespace keel::fuzz
