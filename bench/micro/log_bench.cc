// The log without the disk: records into frames, frames sealed and checked, the writer's own path (wal/frame_buffer.h,
// wal/frame_format.h, wal/log_writer.h).

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "bench/micro/memory_directory.h"
#include "bench/micro/rows.h"
#include "io/posix_file_system.h"
#include "wal/frame_buffer.h"
#include "wal/frame_format.h"
#include "wal/log_writer.h"

namespace keel::bench {
namespace {

constexpr size_t kBlockBytes = 4096;

// Gathers a frame of so many records and seals it.
void EncodeFrame(benchmark::State& state) {
  const std::string record = RowValue(static_cast<size_t>(state.range(0)));
  const auto records = static_cast<size_t>(state.range(1));
  const size_t bytes = records * wal::FrameBuffer::RecordBytes(record.size());
  wal::FrameBuffer buffer;
  Must(buffer.Allocate(wal::RoundUp(wal::kFrameHeaderBytes + bytes, kBlockBytes), kBlockBytes));
  wal::FrameHeader header;
  for (auto _ : state) {
    buffer.Begin(kBlockBytes);
    buffer.Open();
    for (size_t i = 0; i < records; ++i) buffer.Append(record);
    buffer.Close();
    header.records = static_cast<uint32_t>(records);
    header.payload_bytes = static_cast<uint32_t>(bytes);
    header.padded_bytes = static_cast<uint32_t>(buffer.bytes().size());
    header.lsn += header.padded_bytes;
    header.previous = wal::SealFrame(header, buffer.bytes());
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.iterations() * header.padded_bytes);
}
BENCHMARK(EncodeFrame)->ArgNames({"record", "records"})->ArgsProduct({{128, 1024}, {1, 32, 256}});

// What recovery does with a frame: is it whole, and what is in it?
void ReadFrame(benchmark::State& state) {
  const std::string record = RowValue(static_cast<size_t>(state.range(0)));
  const auto records = static_cast<size_t>(state.range(1));
  const size_t bytes = records * wal::FrameBuffer::RecordBytes(record.size());
  wal::FrameBuffer buffer;
  Must(buffer.Allocate(wal::RoundUp(wal::kFrameHeaderBytes + bytes, kBlockBytes), kBlockBytes));
  buffer.Begin(kBlockBytes);
  buffer.Open();
  for (size_t i = 0; i < records; ++i) buffer.Append(record);
  buffer.Close();
  wal::FrameHeader header{.payload_bytes = static_cast<uint32_t>(bytes),
                          .padded_bytes = static_cast<uint32_t>(buffer.bytes().size()),
                          .lsn = uint64_t{1} << 20,
                          .segment = 1,
                          .records = static_cast<uint32_t>(records)};
  wal::SealFrame(header, buffer.bytes());
  uint64_t read = 0;
  for (auto _ : state) {
    const wal::FrameHeader found = wal::LoadFrameHeader(buffer.bytes());
    const std::string_view problem = wal::FrameProblem(found, buffer.bytes());
    if (!problem.empty()) Must(absl::InternalError(std::string(problem)));
    const auto* const payload = reinterpret_cast<const char*>(buffer.bytes().data());
    wal::RecordWalker walker(Lsn{found.lsn},
                             {payload + wal::kFrameHeaderBytes, found.payload_bytes});
    while (walker.Next()) ++read;
  }
  KEEL_CHECK(read == static_cast<uint64_t>(state.iterations()) * records);
  state.SetItemsProcessed(static_cast<int64_t>(read));
  state.SetBytesProcessed(state.iterations() * header.padded_bytes);
}
BENCHMARK(ReadFrame)->ArgNames({"record", "records"})->ArgsProduct({{128}, {1, 256}});

// A log whose files are in memory, and whose segments are used again.
class LogInMemory {
 public:
  LogInMemory()
      : log_(Must(wal::LogWriter::Create(
            &file_system_, directory_.path(), {.database = {3, 5}, .incarnation = 1, .salt = 7},
            Lsn{}, Lsn{wal::kLsnMax}, {.segment_bytes = uint64_t{8} << 20}))) {}

  Lsn Append(std::string_view record) {
    Must(log_->Reserve(record.size(), 1));
    return Must(log_->Append(record));
  }
  void Flush(Lsn end) { Must(log_->Flush(end)); }
  // Lets segments go, now and then.
  void Release(Lsn end) {
    if (end.value - released_ < uint64_t{16} << 20) return;
    Flush(end);
    Must(log_->Release(end));
    released_ = end.value;
  }

 private:
  const MemoryDirectory directory_;
  io::PosixFileSystem file_system_;
  const std::unique_ptr<wal::LogWriter> log_;
  uint64_t released_ = 0;
};

// Space and records as a commit asks for them; what gathers is written in large pieces.
void AppendRecord(benchmark::State& state) {
  LogInMemory log;
  const std::string record = RowValue(static_cast<size_t>(state.range(0)));
  for (auto _ : state) log.Release(log.Append(record));
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(AppendRecord)->ArgNames({"record"})->Arg(128)->Arg(1024);

// One record, written and synced: all of a durable commit's way through the log but the disk.
void FlushRecord(benchmark::State& state) {
  LogInMemory log;
  const std::string record = RowValue(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    const Lsn end = log.Append(record);
    log.Flush(end);
    log.Release(end);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(FlushRecord)->ArgNames({"record"})->Arg(128)->Arg(1024);

}  // namespace
}  // namespace keel::bench
