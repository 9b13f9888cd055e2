#include "pager/superblock.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "base/status.h"
#include "pager/catalogue.h"
#include "pager/page_format.h"
#include "pager/superblock_format.h"

namespace keel::pager {
namespace {

uint64_t ChecksumOf(std::span<const std::byte> block) {
  return Checksum(block.subspan(kSuperblockChecked), kSuperblockSeed);
}

SuperblockFields ToFields(const Superblock& s, uint64_t offset) {
  return SuperblockFields{
      .magic = kSuperblockMagic,
      .checksum = 0,
      .format_version = s.format_version,
      .page_bytes = s.page_bytes,
      .offset = offset,
      .generation = s.generation.value,
      .incarnation = s.incarnation,
      .database_high = s.database.high,
      .database_low = s.database.low,
      .features_must_understand = s.features_must_understand,
      .features_read_only_compatible = s.features_read_only_compatible,
      .features_compatible = s.features_compatible,
      .instance = s.instance,
      .epoch = s.epoch.value,
      .commit_number = s.commit_number.value,
      .log_start = s.log_start.value,
      .log_chain = s.log_chain,
      .log_salt = s.log_salt,
      .catalogue_first = s.catalogue.first.value,
      .catalogue_pages = s.catalogue.pages,
      .catalogue_bytes = s.catalogue.bytes,
      .catalogue_checksum = s.catalogue.checksum,
      .page_count = s.page_count,
      .flags = s.clean ? kSuperblockClean : 0,
      .reserved = 0,
  };
}

Superblock FromFields(const SuperblockFields& f) {
  return Superblock{
      .format_version = f.format_version,
      .features_must_understand = f.features_must_understand,
      .features_read_only_compatible = f.features_read_only_compatible,
      .features_compatible = f.features_compatible,
      .page_bytes = f.page_bytes,
      .database = {f.database_high, f.database_low},
      .incarnation = f.incarnation,
      .instance = f.instance,
      .generation = {f.generation},
      .epoch = {f.epoch},
      .commit_number = {f.commit_number},
      .log_start = {f.log_start},
      .log_chain = f.log_chain,
      .log_salt = f.log_salt,
      .catalogue = {{f.catalogue_first},
                    f.catalogue_pages,
                    f.catalogue_bytes,
                    f.catalogue_checksum},
      .page_count = f.page_count,
      .clean = (f.flags & kSuperblockClean) != 0,
  };
}

// Whether the bytes are what somebody once wrote for this place.
absl::Status CheckBytes(std::span<const std::byte> block, const SuperblockFields& fields,
                        uint64_t offset) {
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  if (std::all_of(block.begin(), block.end(), is_zero)) {
    return absl::NotFoundError("never written");
  }
  if (fields.magic != kSuperblockMagic) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      "magic is %016x, a superblock of Keel has %016x", fields.magic,
                      kSuperblockMagic);
  }
  if (const uint64_t found = ChecksumOf(block); found != fields.checksum) {
    return MakeStatus(absl::StatusCode::kDataLoss,
                      "torn or damaged: checksum of its bytes is %016x, it says %016x", found,
                      fields.checksum);
  }
  if (fields.offset != offset) {
    return MakeStatus(absl::StatusCode::kDataLoss, "misdirected: it was written for offset %d",
                      fields.offset);
  }
  return absl::OkStatus();
}

absl::Status CheckKnown(const SuperblockFields& fields) {
  if (fields.format_version != kFormatVersion) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "format version %d; this version of Keel knows %d", fields.format_version,
                      kFormatVersion);
  }
  const uint64_t unknown = fields.features_must_understand & ~kFeaturesMustUnderstand;
  if (unknown != 0) {
    return MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        "features %#x that must be understood; this version of Keel does not know %#x",
        fields.features_must_understand, unknown);
  }
  return absl::OkStatus();
}

absl::Status OutOfLimits(std::string_view field, uint64_t value, std::string_view limit) {
  return MakeStatus(absl::StatusCode::kDataLoss, "%s is %d: %s", field, value, limit);
}

absl::Status CheckCatalogue(const Superblock& s) {
  const CatalogueReference& catalogue = s.catalogue;
  if (catalogue == CatalogueReference{}) return absl::OkStatus();
  if (catalogue.first.value == 0 || catalogue.first.value >= s.page_count) {
    return OutOfLimits("first catalogue page", catalogue.first.value, "not a page of the file");
  }
  if (catalogue.pages == 0 || catalogue.pages >= s.page_count) {
    return OutOfLimits("number of catalogue pages", catalogue.pages, "not within the file");
  }
  if (catalogue.bytes > catalogue.pages * CataloguePayloadBytes(s.page_bytes) ||
      CataloguePages(catalogue.bytes, s.page_bytes) != catalogue.pages) {
    return OutOfLimits("number of catalogue bytes", catalogue.bytes,
                       "does not fit the number of catalogue pages");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSuperblock(const Superblock& s) {
  if (!IsValidPageBytes(s.page_bytes)) {
    return OutOfLimits("page size", s.page_bytes, "no power of two from 4096 to 65536");
  }
  const uint64_t pages_max =
      std::min<uint64_t>(kMaxPageCount, static_cast<uint64_t>(INT64_MAX) / s.page_bytes);
  if (s.page_count < MinPageCount(s.page_bytes) || s.page_count > pages_max) {
    return OutOfLimits("page count", s.page_count, "no possible size of a data file");
  }
  if (s.incarnation > kMaxIncarnation) {
    return OutOfLimits("incarnation", s.incarnation, "beyond the highest possible");
  }
  if (IncarnationOf(s.epoch) > s.incarnation) {
    return OutOfLimits("epoch", s.epoch.value, "of an incarnation that has not been");
  }
  if (IncarnationOf(Epoch{s.generation.value}) > s.incarnation) {
    return OutOfLimits("generation", s.generation.value, "of an incarnation that has not been");
  }
  if (s.log_start.value > kMaxLogStart) {
    return OutOfLimits("log start", s.log_start.value, "beyond the highest position of a log");
  }
  return CheckCatalogue(s);
}

absl::Status CheckWritable(const Superblock& superblock) {
  const uint64_t unknown = superblock.features_read_only_compatible & ~kFeaturesReadOnlyCompatible;
  if (unknown == 0) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kFailedPrecondition,
                    "features %#x: this version of Keel does not know %#x and may only read",
                    superblock.features_read_only_compatible, unknown);
}

void EncodeSuperblock(const Superblock& superblock, uint64_t offset, std::span<std::byte> block) {
  KEEL_CHECK(block.size() == kSuperblockBytes);
  KEEL_CHECK(CheckSuperblock(superblock).ok());
  SuperblockFields fields = ToFields(superblock, offset);
  std::memset(block.data(), 0, block.size());
  std::memcpy(block.data(), &fields, sizeof(fields));
  fields.checksum = ChecksumOf(block);
  std::memcpy(block.data(), &fields, sizeof(fields));
}

absl::StatusOr<Superblock> DecodeSuperblock(std::span<const std::byte> block, uint64_t offset) {
  KEEL_CHECK(block.size() == kSuperblockBytes);
  SuperblockFields fields;
  std::memcpy(&fields, block.data(), sizeof(fields));
  KEEL_RETURN_IF_ERROR(CheckBytes(block, fields, offset));
  KEEL_RETURN_IF_ERROR(CheckKnown(fields));
  const Superblock superblock = FromFields(fields);
  KEEL_RETURN_IF_ERROR(CheckSuperblock(superblock));
  return superblock;
}

}  // namespace keel::pager
