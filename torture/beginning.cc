#include "torture/beginning.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <keel/keel.h>

#include <memory>
#include <string>
#include <utility>

#include "base/status.h"

namespace keel::torture {

using fault_injection::DiskImage;
using fault_injection::SimFileSystem;

namespace {

constexpr int kValuesMax = 1000;

// Puts so many values, or as many as it takes for the file to grow; returns their number.
absl::StatusOr<int> Fill(const Shape& shape, uint64_t value_bytes, int values,
                         SimFileSystem* world) {
  KEEL_ASSIGN_OR_RETURN(const std::unique_ptr<Database> db,
                        Database::Open("/db", shape.Options(world)));
  KEEL_ASSIGN_OR_RETURN(const Keyspace ballast, db->OpenKeyspace(kBallast));
  const uint64_t pages = db->Stats().pages.file_pages;
  int put = 0;
  for (; put < values && db->Stats().pages.file_pages == pages; ++put) {
    const std::string key = absl::StrCat(value_bytes, "/", put);
    KEEL_RETURN_IF_ERROR(db->Put(ballast, key, std::string(value_bytes, 'b')));
    KEEL_RETURN_IF_ERROR(db->Checkpoint());
  }
  KEEL_RETURN_IF_ERROR(db->Close());
  return put;
}

// Large values as long as they fit, then small ones.
absl::StatusOr<DiskImage> FullFile(const Shape& shape) {
  const fault_injection::SimOptions options = {.direct_io = shape.direct_io, .keep_trace = false};
  DiskImage image;
  for (const uint64_t value_bytes : {shape.segment_bytes / 2, uint64_t{shape.page_bytes}}) {
    SimFileSystem rehearsal(options, image);
    KEEL_ASSIGN_OR_RETURN(const int too_many, Fill(shape, value_bytes, kValuesMax, &rehearsal));
    SimFileSystem world(options, std::move(image));
    KEEL_RETURN_IF_ERROR(Fill(shape, value_bytes, too_many - 1, &world).status());
    image = world.durability().durable();
  }
  return image;
}

}  // namespace

DiskImage MakeBeginning(const Shape& shape, std::string* violation) {
  if (!shape.ballast) return {};
  absl::StatusOr<DiskImage> image = FullFile(shape);
  if (!image.ok()) *violation = "filling the file: " + image.status().ToString();
  return image.ok() ? *std::move(image) : DiskImage();
}

}  // namespace keel::torture
