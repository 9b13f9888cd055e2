#include "pager/page_format.h"

#include <algorithm>
#include <bit>

#include "base/checksum.h"
#include "base/status.h"

namespace keel::pager {
namespace {

uint64_t PageChecksum(std::span<const std::byte> page, const DatabaseId& database, PageId id) {
  return Checksum(page.subspan(sizeof(PageHeader::checksum)), ChecksumSeed(database, id.value));
}

bool IsZero(std::span<const std::byte> page) {
  return std::ranges::all_of(page, [](std::byte byte) { return byte == std::byte{0}; });
}

absl::Status ChecksumMismatch(uint64_t expected, uint64_t found) {
  return MakeStatus(absl::StatusCode::kDataLoss,
                    "checksum does not hold: expected %016x, found %016x", expected, found);
}

}  // namespace

std::string_view PageKindName(PageKind kind) {
  switch (kind) {
    case PageKind::kFree:
      return "free";
    case PageKind::kLeaf:
      return "leaf";
    case PageKind::kInternal:
      return "internal";
    case PageKind::kCatalogue:
      return "catalogue";
    case PageKind::kSpaceMap:
      return "space map";
  }
  return "unknown";
}

bool IsValidPageBytes(uint32_t page_bytes) {
  if (page_bytes == kTestPageBytes) return true;
  return std::has_single_bit(page_bytes) && page_bytes >= kMinPageBytes &&
         page_bytes <= kMaxPageBytes;
}

void SealPage(std::span<std::byte> page, const DatabaseId& database) {
  PageHeader& header = HeaderOf(page.data());
  header.checksum = PageChecksum(page, database, PageId{header.page_id});
}

absl::Status CheckPage(std::span<const std::byte> page, const DatabaseId& database, PageId id) {
  const PageHeader& header = HeaderOf(page.data());
  const uint64_t expected = PageChecksum(page, database, id);
  const PageId claimed{header.page_id};
  if (expected == header.checksum && claimed == id) return absl::OkStatus();
  // Damaged or misplaced. A page that verifies at the place it claims was misdirected.
  if (claimed != id && header.checksum == PageChecksum(page, database, claimed)) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "page belongs elsewhere: expected page id %d, found %d", id.value,
                      claimed.value);
  }
  if (IsZero(page)) {
    return absl::DataLossError("page was never written: expected a checksum, found zeros");
  }
  return ChecksumMismatch(expected, header.checksum);
}

}  // namespace keel::pager
