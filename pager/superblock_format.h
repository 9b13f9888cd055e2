// The bytes of a superblock copy. Included by the codec and by what shows it to people; all else
// uses pager/superblock.h.
//
//   offset size field
//        0    8 magic                        8a 4b 65 65 6c 0d 0a 1a: "Keel" between bytes that text
//                                            modes spoil
//        8    8 checksum                     XXH3-64 of bytes [16, 4096)
//       16    4 format version
//       20    4 page bytes
//       24    8 offset                       in the file, of this copy
//       32    8 generation
//       40    8 incarnation
//       48    8 database id, high
//       56    8 database id, low
//       64    8 features, must understand
//       72    8 features, read-only compatible
//       80    8 features, compatible
//       88    8 instance
//       96    8 epoch
//      104    8 commit number
//      112    8 log start
//      120    8 log chain
//      128    8 log salt
//      136    8 catalogue, first page
//      144    8 catalogue, pages
//      152    8 catalogue, bytes
//      160    8 catalogue, checksum
//      168    8 page count
//      176    4 flags                        bit 0: closed cleanly
//      180    4 reserved                     0
//      184 3912 reserved                     0, under the checksum
//
// Bytes [0, 48) mean the same in every format version, so that an older Keel can tell a newer
// superblock from damage, and which of two is the newer one.

#ifndef KEEL_PAGER_SUPERBLOCK_FORMAT_H_
#define KEEL_PAGER_SUPERBLOCK_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "pager/superblock.h"

namespace keel::pager {

inline constexpr uint64_t kSuperblockMagic = 0x1a0a0d6c65654b8a;
inline constexpr uint32_t kSuperblockClean = 1;
inline constexpr size_t kSuperblockChecked = 16;  // first byte under the checksum
inline constexpr uint64_t kSuperblockSeed = 0x6b63'6f6c'6272'6570;

struct SuperblockFields {
  uint64_t magic;
  uint64_t checksum;
  uint32_t format_version;
  uint32_t page_bytes;
  uint64_t offset;
  uint64_t generation;
  uint64_t incarnation;
  uint64_t database_high;
  uint64_t database_low;
  uint64_t features_must_understand;
  uint64_t features_read_only_compatible;
  uint64_t features_compatible;
  uint64_t instance;
  uint64_t epoch;
  uint64_t commit_number;
  uint64_t log_start;
  uint64_t log_chain;
  uint64_t log_salt;
  uint64_t catalogue_first;
  uint64_t catalogue_pages;
  uint64_t catalogue_bytes;
  uint64_t catalogue_checksum;
  uint64_t page_count;
  uint32_t flags;
  uint32_t reserved;
};
static_assert(std::is_trivially_copyable_v<SuperblockFields>);
static_assert(std::has_unique_object_representations_v<SuperblockFields>, "no padding");
static_assert(sizeof(SuperblockFields) == 184 && sizeof(SuperblockFields) <= kSuperblockBytes);
static_assert(offsetof(SuperblockFields, magic) == 0);
static_assert(offsetof(SuperblockFields, checksum) == 8);
static_assert(offsetof(SuperblockFields, format_version) == kSuperblockChecked);
static_assert(offsetof(SuperblockFields, page_bytes) == 20);
static_assert(offsetof(SuperblockFields, offset) == 24);
static_assert(offsetof(SuperblockFields, generation) == 32);
static_assert(offsetof(SuperblockFields, incarnation) == 40);
static_assert(offsetof(SuperblockFields, database_high) == 48);
static_assert(offsetof(SuperblockFields, database_low) == 56);
static_assert(offsetof(SuperblockFields, features_must_understand) == 64);
static_assert(offsetof(SuperblockFields, features_read_only_compatible) == 72);
static_assert(offsetof(SuperblockFields, features_compatible) == 80);
static_assert(offsetof(SuperblockFields, instance) == 88);
static_assert(offsetof(SuperblockFields, epoch) == 96);
static_assert(offsetof(SuperblockFields, commit_number) == 104);
static_assert(offsetof(SuperblockFields, log_start) == 112);
static_assert(offsetof(SuperblockFields, log_chain) == 120);
static_assert(offsetof(SuperblockFields, log_salt) == 128);
static_assert(offsetof(SuperblockFields, catalogue_first) == 136);
static_assert(offsetof(SuperblockFields, catalogue_pages) == 144);
static_assert(offsetof(SuperblockFields, catalogue_bytes) == 152);
static_assert(offsetof(SuperblockFields, catalogue_checksum) == 160);
static_assert(offsetof(SuperblockFields, page_count) == 168);
static_assert(offsetof(SuperblockFields, flags) == 176);
static_assert(offsetof(SuperblockFields, reserved) == 180);

}  // namespace keel::pager

#endif  // KEEL_PAGER_SUPERBLOCK_FORMAT_H_
