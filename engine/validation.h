// Whether what a transaction relies on is still as it was.

#ifndef KEEL_ENGINE_VALIDATION_H_
#define KEEL_ENGINE_VALIDATION_H_

#include <absl/status/status.h>

#include "engine/read_set.h"
#include "engine/version.h"
#include "engine/write_set.h"
#include "pager/page_access.h"

namespace keel::engine {

// Both compare two states of the database by structural diff (btree/diff.h). A keyspace with the same root in both
// costs nothing; of another one either the changes are looked up among what is relied on, or what is relied on
// among the changes, whichever is less.
//
// Aborted names the first key, counted range or keyspace that is no longer as it was. Values are compared, not
// histories: a value that was replaced and put back is as it was. Other errors: of reading. REQUIRES: the pages of
// both states are kept.

// Serializable: all that was read would be read again.
absl::Status ValidateReads(pager::PageSource& pages, const TreeState& before,
                           const TreeState& after, const ReadSet& reads);
// Snapshot isolation: nobody else has written what was written (first committer wins), nor dropped a keyspace of it.
absl::Status ValidateWrites(pager::PageSource& pages, const TreeState& before,
                            const TreeState& after, const WriteSet& writes);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VALIDATION_H_
