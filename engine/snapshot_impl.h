// A snapshot: a registered version, shared with the cursors made from it.

#ifndef KEEL_ENGINE_SNAPSHOT_IMPL_H_
#define KEEL_ENGINE_SNAPSHOT_IMPL_H_

#include <absl/status/status.h>
#include <keel/snapshot.h>

#include <memory>

#include "engine/shared_version.h"

namespace keel {

class Snapshot::Impl {
 public:
  std::shared_ptr<engine::SharedVersion> version;  // none: it was refused
  absl::Status refusal;
};

}  // namespace keel

#endif  // KEEL_ENGINE_SNAPSHOT_IMPL_H_
