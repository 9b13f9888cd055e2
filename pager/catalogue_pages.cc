// The chain of pages that carries a catalogue's bytes.

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/status.h"
#include "pager/catalogue.h"
#include "pager/page_format.h"

namespace keel::pager {
namespace {

// Largest single write of the chain.
constexpr uint64_t kWriteBytesMax = uint64_t{1} << 20;

constexpr uint64_t kCatalogueSeed = 0x6575'676f'6c61'7461;

uint64_t ChecksumOf(std::string_view bytes) {
  return Checksum(std::as_bytes(std::span(bytes)), kCatalogueSeed);
}

// Where one page of the chain stands.
struct Link {
  PageId page;
  PageId next;  // 0 at the end
  std::string_view payload;
};

std::vector<Link> Cut(std::span<const PageId> pages, std::string_view bytes, uint64_t payload) {
  std::vector<Link> links;
  links.reserve(pages.size());
  for (size_t i = 0; i < pages.size(); ++i) {
    const PageId next = i + 1 < pages.size() ? pages[i + 1] : PageId{};
    links.push_back({pages[i], next, bytes.substr(i * payload, payload)});
  }
  return links;
}

void Fill(const Link& link, const DatabaseId& database, Generation generation,
          std::span<std::byte> page) {
  std::memset(page.data(), 0, page.size());
  PageHeader& header = HeaderOf(page.data());
  header.page_id = link.page.value;
  header.birth = generation.value;
  header.kind = static_cast<uint8_t>(PageKind::kCatalogue);
  header.count = static_cast<uint32_t>(link.payload.size());
  header.next = link.next.value;
  std::memcpy(page.data() + kPageHeaderBytes, link.payload.data(), link.payload.size());
  SealPage(page, database);
}

// Links whose pages are neighbours, as many as one write takes.
size_t Neighbours(std::span<const Link> links, size_t most) {
  size_t count = 1;
  while (count < std::min(most, links.size()) &&
         links[count].page.value == links[0].page.value + count) {
    ++count;
  }
  return count;
}

absl::Status DamagedPage(const io::File& file, PageId page, std::string_view what) {
  return MakeStatus(absl::StatusCode::kDataLoss, "%s: catalogue page %d: %s", file.path().native(),
                    page.value, what);
}

// Reads the pages of one chain.
class ChainReader {
 public:
  ChainReader(io::File& file, const DatabaseId& database, Generation generation,
              const CatalogueReference& reference, std::span<std::byte> buffer)
      : file_(file),
        database_(database),
        generation_(generation),
        reference_(reference),
        buffer_(buffer),
        next_(reference.first) {}

  absl::Status ReadNext(CatalogueImage* image) {
    const PageId page = next_;
    if (page.value == 0 || page.value > kMaxPageId) return Damaged("no page: the chain is broken");
    if (!seen_.insert(page).second) return Damaged("the chain comes back to it");
    KEEL_RETURN_IF_ERROR(ReadPage(page));
    const PageHeader& header = HeaderOf(buffer_.data());
    const uint64_t left = reference_.bytes - image->bytes.size();
    const uint64_t expected = std::min<uint64_t>(left, buffer_.size() - kPageHeaderBytes);
    if (header.count != expected) return Damaged("it does not carry as many bytes as it should");
    image->bytes.append(reinterpret_cast<const char*>(buffer_.data()) + kPageHeaderBytes, expected);
    image->pages.push_back(page);
    next_ = PageId{header.next};
    return absl::OkStatus();
  }

  absl::Status CheckEnd() const {
    return next_.value == 0 ? absl::OkStatus() : Damaged("the chain goes on beyond its end");
  }

 private:
  absl::Status Damaged(std::string_view what) const { return DamagedPage(file_, next_, what); }

  absl::Status ReadPage(PageId page) {
    KEEL_ASSIGN_OR_RETURN(const size_t read, file_.Read(page.value * buffer_.size(), buffer_));
    if (read < buffer_.size()) return Damaged("the file ends before it");
    if (const absl::Status status = CheckPage(buffer_, database_, page); !status.ok()) {
      return Damaged(MessageOf(status));
    }
    const PageHeader& header = HeaderOf(buffer_.data());
    if (header.kind != static_cast<uint8_t>(PageKind::kCatalogue)) {
      return Damaged("it is no catalogue page");
    }
    if (header.birth == generation_.value) return absl::OkStatus();
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "%s: catalogue page %d is of generation %d, not %d: a lost write",
                      file_.path().native(), page.value, header.birth, generation_.value);
  }

  io::File& file_;
  const DatabaseId database_;
  const Generation generation_;
  const CatalogueReference reference_;
  const std::span<std::byte> buffer_;
  PageId next_;
  absl::flat_hash_set<PageId> seen_;
};

}  // namespace

uint64_t CataloguePayloadBytes(uint32_t page_bytes) { return page_bytes - kPageHeaderBytes; }

uint64_t CataloguePages(uint64_t bytes, uint32_t page_bytes) {
  const uint64_t payload = CataloguePayloadBytes(page_bytes);
  return std::max<uint64_t>(1, bytes / payload + (bytes % payload != 0 ? 1 : 0));
}

absl::StatusOr<CatalogueReference> WriteCataloguePages(io::File& file, const DatabaseId& database,
                                                       uint32_t page_bytes, Generation generation,
                                                       std::span<const PageId> pages,
                                                       std::string_view bytes) {
  KEEL_CHECK(pages.size() == CataloguePages(bytes.size(), page_bytes));
  const std::vector<Link> links = Cut(pages, bytes, CataloguePayloadBytes(page_bytes));
  const size_t most = std::min<uint64_t>(kWriteBytesMax / page_bytes, links.size());
  AlignedBuffer buffer = AlignedBuffer::Allocate(most * page_bytes);
  if (buffer.empty()) return absl::ResourceExhaustedError("out of memory for the catalogue");
  for (size_t i = 0; i < links.size();) {
    const size_t count = Neighbours(std::span(links).subspan(i), most);
    for (size_t j = 0; j < count; ++j) {
      Fill(links[i + j], database, generation, buffer.span().subspan(j * page_bytes, page_bytes));
    }
    KEEL_RETURN_IF_ERROR(
        file.Write(links[i].page.value * page_bytes, buffer.span().first(count * page_bytes)));
    i += count;
  }
  return CatalogueReference{pages[0], pages.size(), bytes.size(), ChecksumOf(bytes)};
}

absl::StatusOr<CatalogueImage> ReadCataloguePages(io::File& file, const DatabaseId& database,
                                                  uint32_t page_bytes, Generation generation,
                                                  const CatalogueReference& reference) {
  if (reference.pages > kMaxPageId || reference.bytes > reference.pages * page_bytes ||
      CataloguePages(reference.bytes, page_bytes) != reference.pages) {
    return MakeStatus(absl::StatusCode::kDataLoss, "%s: %d catalogue pages cannot hold %d bytes",
                      file.path().native(), reference.pages, reference.bytes);
  }
  AlignedBuffer buffer = AlignedBuffer::Allocate(page_bytes);
  if (buffer.empty()) return absl::ResourceExhaustedError("out of memory for the catalogue");
  CatalogueImage image;
  ChainReader chain(file, database, generation, reference, buffer.span());
  for (uint64_t i = 0; i < reference.pages; ++i) KEEL_RETURN_IF_ERROR(chain.ReadNext(&image));
  KEEL_RETURN_IF_ERROR(chain.CheckEnd());
  if (ChecksumOf(image.bytes) != reference.checksum) {
    return DamagedPage(file, reference.first, "the bytes of its chain are not those referred to");
  }
  return image;
}

}  // namespace keel::pager
