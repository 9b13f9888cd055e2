// What a case begins with: an empty disk, or a database whose file is all but full, so that it has
// to grow soon, and its reserve is what is left of it.

#ifndef KEEL_TORTURE_BEGINNING_H_
#define KEEL_TORTURE_BEGINNING_H_

#include <string>
#include <string_view>

#include "fault_injection/disk_image.h"
#include "torture/shape.h"

namespace keel::torture {

// The keyspace that fills the file. No case changes it, and none counts its commits; the database's
// own check reads it.
inline constexpr std::string_view kBallast = "ballast";

// The disk for a case of this shape. Empty text in `violation`: all went well.
fault_injection::DiskImage MakeBeginning(const Shape& shape, std::string* violation);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_BEGINNING_H_
