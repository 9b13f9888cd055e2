#include "btree/overflow.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "base/disk_full.h"
#include "base/status.h"

namespace keel::btree {
namespace {

using pager::PageRun;
using pager::PageSink;
using pager::PageSource;

constexpr size_t kChunkBytes = size_t{256} << 10;  // moved at a time
constexpr uint64_t kWholePages = 16;               // a value of so many is not torn
constexpr int kReadAttempts = 3;
// Longest encodings: value bytes, number of runs, birth, table checksum; and of one run.
constexpr size_t kFixedBytes = VarintBytes(kMaxValueBytes) + 2 + 8 + 8;
constexpr size_t kRunBytes = VarintBytes(pager::kMaxPageId) + VarintBytes(kMaxValueBytes / 128);

absl::Status NoMemory(size_t bytes) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, "no memory for %d bytes of a large value",
                    bytes);
}

uint64_t PageChecksum(PageSource& pages, Epoch birth, PageId id, std::span<const std::byte> page) {
  return Checksum(page, pages.RawSeed(id) ^ (birth.value * 0x9e3779b97f4a7c15U));
}

// The table in memory; with no page for it, it is one checksum.
size_t TableBytes(uint64_t table_pages, uint32_t page_bytes) {
  return table_pages == 0 ? sizeof(uint64_t) : table_pages * page_bytes;
}

absl::Status NoExtent(std::string_view why) {
  return MakeStatus(absl::StatusCode::kDataLoss, "no description of a large value: %s", why);
}

// Takes apart; the runs only where they are wanted.
absl::Status ParseExtent(std::string_view bytes, uint32_t page_bytes, Extent* extent,
                         std::vector<PageRun>* runs) {
  ByteReader reader(bytes);
  uint64_t run_count = 0;
  if (!reader.Varint(&extent->value_bytes) || !reader.Varint(&run_count)) {
    return NoExtent("cut off");
  }
  if (extent->value_bytes == 0 || extent->value_bytes > kMaxValueBytes) return NoExtent("length");
  const uint64_t pages = ExtentTablePages(extent->value_bytes, page_bytes) +
                         ExtentDataPages(extent->value_bytes, page_bytes);
  if (bytes.size() > MaxExtentBytes(page_bytes) || run_count > bytes.size()) {
    return NoExtent("too long");
  }
  uint64_t rest = pages;
  for (uint64_t i = 0; i < run_count; ++i) {
    PageRun run;
    if (!reader.Varint(&run.first.value) || !reader.Varint(&run.count)) return NoExtent("cut off");
    if (run.count == 0 || run.count > rest) return NoExtent("pages of a run");
    if (run.first.value == 0 || run.first.value > pager::kMaxPageId - run.count) {
      return NoExtent("place of a run");
    }
    rest -= run.count;
    if (runs != nullptr) runs->push_back(run);
  }
  if (rest != 0) return NoExtent("pages missing");
  if (!reader.Fixed(&extent->birth.value) || !reader.Fixed(&extent->table_checksum) ||
      !reader.empty()) {
    return NoExtent("its end");
  }
  return absl::OkStatus();
}

// Collects runs for a value: no more than its description has room for.
class RunCollector {
 public:
  RunCollector(PageSink& pages, uint64_t wanted)
      : pages_(pages),
        wanted_(wanted),
        max_runs_((MaxExtentBytes(pages.page_bytes()) - kFixedBytes) / kRunBytes) {}

  // On an error nothing is held any more.
  absl::StatusOr<std::vector<PageRun>> Collect() {
    const absl::Status status = Fill();
    if (status.ok()) return std::move(runs_);
    for (const PageRun& run : runs_) pages_.DropRun(run, pages_.current_epoch());
    return status;
  }

 private:
  absl::Status Fill() {
    for (uint64_t rest = wanted_; rest > 0;) {
      if (runs_.size() == max_runs_) return TooTorn(rest);
      KEEL_ASSIGN_OR_RETURN(const PageRun run, pages_.CreateRun({ShortestRun(rest), rest}));
      rest -= run.count;
      if (!runs_.empty() && runs_.back().first.value + runs_.back().count == run.first.value) {
        runs_.back().count += run.count;
      } else {
        runs_.push_back(run);
      }
    }
    return absl::OkStatus();
  }

  // With no run shorter than that, what is left fits into the runs that are left.
  uint64_t ShortestRun(uint64_t rest) const {
    const uint64_t runs_left = max_runs_ - runs_.size();
    return std::max((rest + runs_left - 1) / runs_left, std::min(rest, kWholePages));
  }

  // Only where the file could not grow: else no run would have been as short.
  absl::Status TooTorn(uint64_t rest) const {
    return MarkDiskFull(MakeStatus(
        absl::StatusCode::kResourceExhausted,
        "free space is too torn for a large value of %d pages: %d runs, as many as it may "
        "have, lack %d of them, and the file cannot grow",
        wanted_, max_runs_, rest));
  }

  PageSink& pages_;
  const uint64_t wanted_;
  const size_t max_runs_;
  std::vector<PageRun> runs_;
};

// The pages of the runs, numbered through.
class ExtentPages {
 public:
  explicit ExtentPages(const std::vector<PageRun>& runs) : runs_(runs) {}

  // Page `index`, and how many pages from it on stand together.
  PageRun At(uint64_t index) const {
    for (const PageRun& run : runs_) {
      if (index < run.count) return {PageId{run.first.value + index}, run.count - index};
      index -= run.count;
    }
    KEEL_CHECK(false);
  }

  // Calls use(first page, bytes) for the pieces of `bytes`, whole pages beginning with page `index`.
  template <typename Bytes, typename Use>
  absl::Status ForPieces(uint64_t index, Bytes bytes, uint32_t page_bytes, Use&& use) const {
    while (!bytes.empty()) {
      const PageRun run = At(index);
      const uint64_t count = std::min<uint64_t>(run.count, bytes.size() / page_bytes);
      KEEL_RETURN_IF_ERROR(use(run.first, bytes.first(count * page_bytes)));
      bytes = bytes.subspan(count * page_bytes);
      index += count;
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<PageRun>& runs_;
};

class ExtentWriter {
 public:
  ExtentWriter(PageSink& pages, std::string_view value, Extent* extent)
      : pages_(pages),
        value_(std::as_bytes(std::span(value))),
        page_bytes_(pages.page_bytes()),
        extent_(extent),
        places_(extent->runs) {}

  absl::Status Write() {
    const uint64_t table_pages = ExtentTablePages(value_.size(), page_bytes_);
    AlignedBuffer table = AlignedBuffer::Allocate(TableBytes(table_pages, page_bytes_));
    AlignedBuffer chunk = AlignedBuffer::Allocate(std::max<size_t>(kChunkBytes, page_bytes_));
    if (table.empty() || chunk.empty()) return NoMemory(table.size() + kChunkBytes);
    std::memset(table.data(), 0, table.size());
    for (size_t offset = 0; offset < value_.size(); offset += chunk.size()) {
      KEEL_RETURN_IF_ERROR(WriteChunk(table_pages, offset, chunk.span(), table.span()));
    }
    if (table_pages == 0) {
      extent_->table_checksum = Load<uint64_t>(table.data());
      return absl::OkStatus();
    }
    extent_->table_checksum =
        PageChecksum(pages_, extent_->birth, extent_->runs[0].first, table.span());
    return WritePages(0, table.span());
  }

 private:
  absl::Status WriteChunk(uint64_t table_pages, size_t offset, std::span<std::byte> chunk,
                          std::span<std::byte> table) {
    const size_t bytes = std::min(chunk.size(), value_.size() - offset);
    const size_t padded = (bytes + page_bytes_ - 1) / page_bytes_ * page_bytes_;
    std::memcpy(chunk.data(), value_.data() + offset, bytes);
    std::memset(chunk.data() + bytes, 0, padded - bytes);
    const uint64_t first = offset / page_bytes_;
    for (uint64_t i = 0; i < padded / page_bytes_; ++i) {
      const PageId id = places_.At(table_pages + first + i).first;
      const uint64_t checksum =
          PageChecksum(pages_, extent_->birth, id, chunk.subspan(i * page_bytes_, page_bytes_));
      Store<uint64_t>(table.data() + (first + i) * 8, checksum);
    }
    return WritePages(table_pages + first, chunk.first(padded));
  }

  absl::Status WritePages(uint64_t index, std::span<const std::byte> bytes) {
    return places_.ForPieces(index, bytes, page_bytes_,
                             [&](PageId first, std::span<const std::byte> piece) {
                               return pages_.WriteRaw(first, piece);
                             });
  }

  PageSink& pages_;
  const std::span<const std::byte> value_;
  const uint32_t page_bytes_;
  Extent* const extent_;
  const ExtentPages places_;
};

class ExtentReader {
 public:
  ExtentReader(PageSource& pages, const Extent& extent)
      : pages_(pages),
        page_bytes_(pages.page_bytes()),
        extent_(extent),
        places_(extent.runs),
        table_pages_(ExtentTablePages(extent.value_bytes, page_bytes_)) {}

  absl::Status Read(uint64_t offset, std::span<std::byte> buffer) {
    KEEL_RETURN_IF_ERROR(Repeat([&] { return ReadTable(); }));
    while (!buffer.empty()) {
      const size_t skip = offset % page_bytes_;
      const size_t bytes =
          std::min(buffer.size(), std::max<size_t>(kChunkBytes, page_bytes_) - skip);
      KEEL_RETURN_IF_ERROR(Repeat([&] { return ReadChunk(offset, buffer.first(bytes)); }));
      offset += bytes;
      buffer = buffer.subspan(bytes);
    }
    return absl::OkStatus();
  }

 private:
  // A read that gave wrong bytes once may give the right ones.
  template <typename Attempt>
  static absl::Status Repeat(Attempt&& attempt) {
    absl::Status status = attempt();
    for (int i = 1; i < kReadAttempts && absl::IsDataLoss(status); ++i) status = attempt();
    return status;
  }

  absl::Status ReadTable() {
    if (table_.empty()) table_ = AlignedBuffer::Allocate(TableBytes(table_pages_, page_bytes_));
    if (table_.empty()) return NoMemory(TableBytes(table_pages_, page_bytes_));
    if (table_pages_ == 0) {
      Store<uint64_t>(table_.data(), extent_.table_checksum);
      return absl::OkStatus();
    }
    KEEL_RETURN_IF_ERROR(ReadPages(0, table_.span()));
    return Compare("table", extent_.runs[0].first, table_.span(), extent_.table_checksum);
  }

  absl::Status ReadChunk(uint64_t offset, std::span<std::byte> buffer) {
    const uint64_t first = offset / page_bytes_;
    const size_t skip = offset % page_bytes_;
    const size_t padded = (skip + buffer.size() + page_bytes_ - 1) / page_bytes_ * page_bytes_;
    std::span<std::byte> target = buffer;
    if (padded != buffer.size() ||
        reinterpret_cast<uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment != 0) {
      if (chunk_.size() < padded) chunk_ = AlignedBuffer::Allocate(padded);
      if (chunk_.empty()) return NoMemory(padded);
      target = chunk_.span().first(padded);
    }
    KEEL_RETURN_IF_ERROR(ReadPages(table_pages_ + first, target));
    for (uint64_t i = 0; i < padded / page_bytes_; ++i) {
      const auto wanted = Load<uint64_t>(table_.data() + (first + i) * 8);
      KEEL_RETURN_IF_ERROR(Compare("page", places_.At(table_pages_ + first + i).first,
                                   target.subspan(i * page_bytes_, page_bytes_), wanted));
    }
    if (target.data() != buffer.data()) {
      std::memcpy(buffer.data(), target.data() + skip, buffer.size());
    }
    return absl::OkStatus();
  }

  absl::Status ReadPages(uint64_t index, std::span<std::byte> bytes) {
    return places_.ForPieces(
        index, bytes, page_bytes_,
        [&](PageId first, std::span<std::byte> piece) { return pages_.ReadRaw(first, piece); });
  }

  absl::Status Compare(std::string_view what, PageId id, std::span<const std::byte> bytes,
                       uint64_t wanted) {
    const uint64_t found = PageChecksum(pages_, extent_.birth, id, bytes);
    if (found == wanted) return absl::OkStatus();
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "large value, %s at page %d: checksum %016x expected, found %016x", what,
                      id.value, wanted, found);
  }

  PageSource& pages_;
  const uint32_t page_bytes_;
  const Extent& extent_;
  const ExtentPages places_;
  const uint64_t table_pages_;
  AlignedBuffer table_;
  AlignedBuffer chunk_;
};

}  // namespace

std::string EncodeExtent(const Extent& extent) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.Varint(extent.value_bytes);
  writer.Varint(extent.runs.size());
  for (const PageRun& run : extent.runs) {
    writer.Varint(run.first.value);
    writer.Varint(run.count);
  }
  writer.Fixed(extent.birth.value);
  writer.Fixed(extent.table_checksum);
  return bytes;
}

absl::StatusOr<Extent> DecodeExtent(std::string_view bytes, uint32_t page_bytes) {
  Extent extent;
  KEEL_RETURN_IF_ERROR(ParseExtent(bytes, page_bytes, &extent, &extent.runs));
  return extent;
}

absl::Status CheckExtent(std::string_view bytes, uint32_t page_bytes, Epoch newest_birth) {
  Extent extent;
  KEEL_RETURN_IF_ERROR(ParseExtent(bytes, page_bytes, &extent, nullptr));
  if (extent.birth <= newest_birth) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, "extent of birth %d, younger than its leaf",
                    extent.birth.value);
}

absl::StatusOr<Extent> WriteExtent(PageSink& pages, std::string_view value) {
  KEEL_CHECK(!value.empty() && value.size() <= kMaxValueBytes);
  const uint32_t page_bytes = pages.page_bytes();
  Extent extent;
  extent.value_bytes = value.size();
  extent.birth = pages.current_epoch();
  RunCollector collector(pages, ExtentTablePages(value.size(), page_bytes) +
                                    ExtentDataPages(value.size(), page_bytes));
  KEEL_ASSIGN_OR_RETURN(extent.runs, collector.Collect());
  const absl::Status written = ExtentWriter(pages, value, &extent).Write();
  if (written.ok()) return extent;
  DropExtent(pages, extent);
  return written;
}

absl::Status ReadExtent(PageSource& pages, const Extent& extent, uint64_t offset,
                        std::span<std::byte> buffer) {
  if (offset > extent.value_bytes || buffer.size() > extent.value_bytes - offset) {
    return MakeStatus(absl::StatusCode::kOutOfRange, "bytes [%d, %d) of a value of %d", offset,
                      offset + buffer.size(), extent.value_bytes);
  }
  if (buffer.empty()) return absl::OkStatus();
  return ExtentReader(pages, extent).Read(offset, buffer);
}

void DropExtent(PageSink& pages, const Extent& extent) {
  for (const PageRun& run : extent.runs) pages.DropRun(run, extent.birth);
}

}  // namespace keel::btree
