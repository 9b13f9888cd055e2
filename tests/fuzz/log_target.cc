// Input: u8 how. With bit 7: the bytes of a record. Else: u8 where to begin, then patches (tests/fuzz/patch.h) of a
// log of two segments.

#include <memory>
#include <optional>
#include <string>

#include "base/check.h"
#include "recovery/analysis.h"
#include "recovery/operations.h"
#include "recovery/record_table.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/log_image.h"
#include "wal/describe.h"
#include "wal/log_reader.h"
#include "wal/log_writer.h"

namespace keel::fuzz {
namespace {

using recovery::Operation;
using recovery::OperationKind;
using recovery::Record;
using recovery::RecordKind;
using wal::LogReader;
using wal::LogWriter;
using wal::MemoryFileSystem;

constexpr DatabaseId kDatabase{7, 9};
constexpr uint64_t kSalt = 0x5a17;
constexpr std::string_view kDirectory = "/db/wal";
constexpr uint8_t kRecordOnly = 0x80;

// --- records ---

std::string RecordOf(RecordKind kind, uint64_t number, uint64_t index,
                     const std::vector<Operation>& operations) {
  std::string record;
  recovery::EncodeRecordHead(Record{kind, CommitNumber{number}, index, {}}, &record);
  for (const Operation& operation : operations) recovery::EncodeOperation(operation, &record);
  return record;
}

std::vector<std::string> SomeRecords() {
  const Operation put{OperationKind::kPut, KeyspaceId{0}, "key", "value"};
  const Operation erase{OperationKind::kDelete, KeyspaceId{1}, "key"};
  const Operation create{OperationKind::kCreateKeyspace, KeyspaceId{1}, "name"};
  const Operation drop{OperationKind::kDropKeyspace, KeyspaceId{1}};
  const std::optional<std::string> end = "z";
  const Operation range = recovery::RangeOperation("a", end);
  const Operation save{.kind = OperationKind::kSavepoint, .savepoint = 1};
  const Operation back{.kind = OperationKind::kRollbackTo, .savepoint = 1};
  const std::string big(5000, 'v');
  const Operation large{OperationKind::kPut, KeyspaceId{0}, "big", big};
  return {RecordOf(RecordKind::kCommit, 1, 0, {create, put, erase}),
          RecordOf(RecordKind::kCommit, 2, 0, {range}),
          RecordOf(RecordKind::kChunk, 3, 0, {save, large, back}),
          RecordOf(RecordKind::kChunk, 3, 1, {put}),
          RecordOf(RecordKind::kChunkedCommit, 3, 2, {}),
          RecordOf(RecordKind::kChunk, 4, 0, {put}),
          RecordOf(RecordKind::kChunkedRollback, 4, 1, {}),
          RecordOf(RecordKind::kCommit, 4, 0, {drop}),
          RecordOf(RecordKind::kCommit, 5, 0, {large}),
          RecordOf(RecordKind::kCommit, 6, 0, {large}),
          RecordOf(RecordKind::kChunk, 7, 0, {put})};
}

// Each operation encodes to what it came from; in pieces they are the same as in one.
void DecodeOperations(std::string_view bytes) {
  recovery::OperationDecoder decoder;
  decoder.Feed(bytes.substr(0, bytes.size() / 2));
  std::string_view rest = bytes;
  bool fed = false;
  while (true) {
    Operation piecewise;
    auto result = decoder.Next(&piecewise);
    if (result == recovery::OperationDecoder::Result::kNeedMore && !fed) {
      decoder.Feed(bytes.substr(bytes.size() / 2));
      fed = true;
      result = decoder.Next(&piecewise);
    }
    const std::optional<Operation> whole = recovery::DecodeOperation(&rest);
    KEEL_CHECK(whole.has_value() == (result == recovery::OperationDecoder::Result::kOperation));
    if (!whole) return;
    std::string one;
    std::string other;
    recovery::EncodeOperation(*whole, &one);
    recovery::EncodeOperation(piecewise, &other);
    KEEL_CHECK(one == other && one.size() <= recovery::EncodedBytes(*whole));
  }
}

void UseRecord(std::string_view bytes) {
  KEEL_CHECK(!recovery::DescribeRecord(bytes, true).empty());
  const std::optional<Record> record = recovery::DecodeRecord(bytes);
  if (!record) return;
  std::string head;
  recovery::EncodeRecordHead(*record, &head);
  KEEL_CHECK(head.size() <= recovery::kRecordHeadBytes);
  DecodeOperations(record->payload);
}

// --- the log ---

wal::LogWriterOptions SmallLog() {
  wal::LogWriterOptions options;
  options.segment_bytes = 32 << 10;
  options.first_segment_bytes = 32 << 10;
  options.buffer_bytes = 64 << 10;
  return options;
}

// Made once; every input gets a copy.
struct LogImage {
  MemoryFileSystem disk;
  std::vector<wal::LogStart> starts;
  std::unique_ptr<LogLayout> layout;

  LogImage() {
    disk.CreateDirectory(kDirectory).IgnoreError();
    const wal::LogIdentity identity{kDatabase, 1, kSalt};
    auto log =
        *LogWriter::Create(&disk, kDirectory, identity, Lsn{}, Lsn{wal::kLsnMax}, SmallLog());
    starts.push_back(log->start());
    for (const std::string& record : SomeRecords()) {
      KEEL_CHECK(log->Reserve(record.size(), 1).ok());
      const Lsn end = *log->Append(record);
      KEEL_CHECK(log->Flush(end).ok());
      starts.push_back(*log->StartAt(end));
    }
    log.reset();
    layout = std::make_unique<LogLayout>(&disk, kDirectory);
  }
};

const LogImage& Image() {
  static const LogImage* const image = new LogImage;
  return *image;
}

wal::LogReaderOptions ReaderOptions(uint8_t how) {
  wal::LogReaderOptions options;
  options.incarnation = (how & 1) != 0 ? ~uint64_t{0} : 1;
  options.generation = Generation{(how & 2) != 0 ? ~uint64_t{0} : 0};
  options.clean = (how & 12) == 12;
  options.unreadable_as_torn = (how & 16) != 0;
  return options;
}

uint64_t ReadThrough(LogReader& reader) {
  uint64_t records = 0;
  wal::LogRecord record;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    KEEL_CHECK(more.ok());  // the survey has read it all
    if (!*more) return records;
    UseRecord(record.bytes);
    ++records;
  }
}

void Read(MemoryFileSystem* disk, const wal::LogStart& start, uint8_t how) {
  const auto reader = LogReader::Open(disk, kDirectory, kDatabase, start, ReaderOptions(how));
  if (!reader.ok()) {
    KEEL_CHECK(absl::IsDataLoss(reader.status()));
    return;
  }
  KEEL_CHECK(ReadThrough(**reader) == (*reader)->end().records);
  KEEL_CHECK((*reader)->Rewind().ok());
  const auto analysis = recovery::Analyze(**reader, CommitNumber{0}, Generation{0});
  KEEL_CHECK(analysis.ok() || absl::IsDataLoss(analysis.status()));
}

void Describe(MemoryFileSystem* disk) {
  const auto paths = wal::ListSegments(disk, kDirectory);
  for (const auto& path : *paths) {
    const auto file = *disk->Open(path, {.read_only = true});
    const auto segment = wal::DescribeSegment(file.get(), [](const wal::PieceDescription& piece) {
      KEEL_CHECK(!wal::PieceText(piece).empty());
      wal::RecordWalker records(Lsn{piece.header.lsn}, piece.payload);
      while (records.Next()) UseRecord(records.bytes());
      return true;
    });
    KEEL_CHECK(segment.ok() && !wal::SegmentText(*segment).empty());
  }
  (void)wal::HoldsFrames(disk, kDirectory, true);
}

// A fresh log on top of whatever is there is a log like any other, or is refused in words.
void WriteOnTop(MemoryFileSystem* disk, const wal::LogStart& start) {
  const wal::LogIdentity identity{kDatabase, 2, kSalt + 1};
  auto log = LogWriter::Create(disk, kDirectory, identity, start.lsn, start.lsn, SmallLog());
  if (!log.ok()) return;
  const wal::LogStart fresh = (*log)->start();
  KEEL_CHECK((*log)->Reserve(3, 1).ok());
  const Lsn end = *(*log)->Append("new");
  KEEL_CHECK((*log)->Flush(end).ok());
  log->reset();
  // It may find what looks like a newer superblock, but no other records.
  const auto reader = LogReader::Open(disk, kDirectory, kDatabase, fresh, ReaderOptions(3));
  if (!reader.ok()) return;
  wal::LogRecord record;
  KEEL_CHECK(*(*reader)->Next(&record) && record.bytes == "new");
  KEEL_CHECK(!*(*reader)->Next(&record));
}

void RunLog(std::span<const uint8_t> bytes) {
  FuzzInput input(bytes);
  const auto how = input.Take<uint8_t>();
  if ((how & kRecordOnly) != 0) return UseRecord(input.Rest());
  const LogImage& image = Image();
  wal::LogStart start = image.starts[input.Take<uint8_t>() % image.starts.size()];
  const std::unique_ptr<MemoryFileSystem> disk = image.disk.Copy();
  LogPatcher patcher(image.layout.get(), disk.get());
  for (const Patch& patch : TakePatches(input)) patcher.Apply(patch);
  const auto& replaced = patcher.Seal();
  if (const auto found = replaced.find(start.chain); found != replaced.end()) {
    start.chain = found->second;
  }
  Read(disk.get(), start, how);
  Describe(disk.get());
  WriteOnTop(disk.get(), start);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const std::string& record : SomeRecords()) {
    seeds.push_back(static_cast<char>(kRecordOnly) + record);
  }
  const Patch patches[] = {
      {.kind = Patch::Kind::kAdd, .unit = 1, .offset = offsetof(wal::FrameHeader, lsn), .value = 1},
      {.kind = Patch::Kind::kStore8, .unit = 2, .offset = offsetof(wal::FrameHeader, durable_mark)},
      {.kind = Patch::Kind::kStore4, .unit = 3, .offset = 24, .value = 4000},
      {.kind = Patch::Kind::kFill, .unit = 4, .offset = 128, .value = 0xffff},
      {.kind = Patch::Kind::kCopyUnit, .unit = 2, .value = 3},
      {.kind = Patch::Kind::kResize, .file = 1, .value = 8192},
      {.kind = Patch::Kind::kStore2, .seal = false, .unit = 5, .offset = 200, .value = 7}};
  for (uint8_t how = 0; const Patch& patch : patches) {
    seeds.push_back({static_cast<char>(how++), 0});
    AppendPatch(patch, &seeds.back());
  }
  seeds.emplace_back(2, '\0');
  return seeds;
}

}  // namespace

const FuzzTarget kLogTarget = {"log", &RunLog, &Seeds};

}  // namespace keel::fuzz
