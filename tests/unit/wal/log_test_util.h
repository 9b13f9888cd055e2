// What the tests of the log share: a small log on a disk in memory, and its records read back.

#ifndef KEEL_TESTS_UNIT_WAL_LOG_TEST_UTIL_H_
#define KEEL_TESTS_UNIT_WAL_LOG_TEST_UTIL_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/wal/memory_file_system.h"
#include "wal/frame_format.h"
#include "wal/log_reader.h"
#include "wal/log_writer.h"

namespace keel::wal {

inline constexpr std::string_view kLogDirectory = "/db/wal";
inline constexpr DatabaseId kDatabase{0x1122334455667788, 0x99aabbccddeeff00};

inline LogIdentity Identity(uint64_t incarnation = 1, uint64_t salt = 0x5a17) {
  return {kDatabase, incarnation, salt};
}

// Segments of eight blocks, so that everything happens after a few records.
inline LogWriterOptions SmallLog() {
  LogWriterOptions options;
  options.segment_bytes = 64 << 10;
  options.first_segment_bytes = 32 << 10;
  options.buffer_bytes = 64 << 10;
  return options;
}

inline absl::StatusOr<std::unique_ptr<LogWriter>> CreateLog(
    MemoryFileSystem* disk, const LogWriterOptions& options = SmallLog(),
    const LogIdentity& identity = Identity(), Lsn keep_from = Lsn{kLsnMax}, Lsn floor = Lsn{}) {
  disk->CreateDirectory(kLogDirectory).IgnoreError();
  return LogWriter::Create(disk, kLogDirectory, identity, floor, keep_from, options);
}

// A log that must come into being.
inline std::unique_ptr<LogWriter> NewLog(MemoryFileSystem* disk,
                                         const LogWriterOptions& options = SmallLog(),
                                         const LogIdentity& identity = Identity(),
                                         Lsn keep_from = Lsn{kLsnMax}) {
  auto log = CreateLog(disk, options, identity, keep_from);
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? *std::move(log) : nullptr;
}

// To its end.
inline absl::Status Measure(LogWriter* log) {
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = log->ProbeFlushMethod();
  return more.status();
}

inline absl::StatusOr<Lsn> AppendOne(LogWriter* log, std::string_view record) {
  const absl::Status status = log->Reserve(record.size(), 1);
  if (!status.ok()) return status;
  return log->Append(record);
}

// Appends and flushes; the record's end.
inline absl::StatusOr<Lsn> Commit(LogWriter* log, std::string_view record) {
  absl::StatusOr<Lsn> lsn = AppendOne(log, record);
  if (!lsn.ok()) return lsn;
  const absl::Status status = log->Flush(*lsn);
  if (!status.ok()) return status;
  return lsn;
}

inline LogReaderOptions ReadOptions(uint64_t incarnation = 1, uint64_t generation = 0) {
  LogReaderOptions options;
  options.incarnation = incarnation;
  options.generation = Generation{generation};
  return options;
}

struct ReadLog {
  std::vector<std::string> records;
  std::vector<Lsn> ends;
  LogEnd end;
};

inline absl::StatusOr<ReadLog> ReadAll(MemoryFileSystem* disk, const LogStart& start,
                                       const LogReaderOptions& options = ReadOptions()) {
  auto reader = LogReader::Open(disk, kLogDirectory, kDatabase, start, options);
  if (!reader.ok()) return reader.status();
  ReadLog log;
  log.end = (*reader)->end();
  LogRecord record;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&record);
    if (!more.ok()) return more.status();
    if (!*more) break;
    log.records.emplace_back(record.bytes);
    log.ends.push_back(record.end);
  }
  EXPECT_EQ(log.end.records, log.records.size());
  if (!log.ends.empty()) {
    EXPECT_EQ(log.end.last_record, log.ends.back());
  }
  return log;
}

MATCHER_P(IsStatus, code, "") {
  *result_listener << arg;
  return arg.code() == code;
}

}  // namespace keel::wal

#endif  // KEEL_TESTS_UNIT_WAL_LOG_TEST_UTIL_H_
