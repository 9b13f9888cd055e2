// Whether what a transaction has read and written is still as it was.

#ifndef KEEL_ENGINE_VALIDATION_H_
#define KEEL_ENGINE_VALIDATION_H_

#include <absl/status/status.h>

#include "engine/read_set.h"
#include "engine/version.h"
#include "engine/write_set.h"
#include "pager/page_access.h"

namespace keel::engine {

// Compares two states of the database by structural diff (btree/diff.h): costs what others have changed on the
// way to the keys and ranges of the sets, and nothing where they have changed nothing.
//
// Aborted names the first key, or counted range, that is no longer as it was, or the keyspace that is gone; the
// first that was put, changed, replaced by another value, or deleted. A key that was written and holds the same
// value again is no conflict. Other errors: of reading. REQUIRES: the pages of both states are kept.
absl::Status Validate(pager::PageSource& pages, const TreeState& before, const TreeState& after,
                      const ReadSet& reads, const WriteSet& writes);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VALIDATION_H_
