// Whether what a transaction relies on is still as it was.

#ifndef KEEL_ENGINE_VALIDATION_H_
#define KEEL_ENGINE_VALIDATION_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <optional>
#include <string>

#include "base/types.h"
#include "engine/read_set.h"
#include "engine/version.h"
#include "engine/write_set.h"
#include "pager/page_access.h"

namespace keel::engine {

// Both compare two states of the database by structural diff (btree/diff.h). A keyspace with the same root in both
// costs nothing; of another one either the changes are looked up among what is relied on, or what is relied on
// among the changes, whichever is less.
//
// Aborted names the first key, counted range or keyspace that is no longer as it was, and who changed it. Values are
// compared, not histories: a value that was replaced and put back is as it was. Other errors: of reading. REQUIRES: the
// pages of both states are kept.

// Names the commit that changed something between the two states, or a few of which one did. `born`: the birth of the
// page in which that is seen, so that no later commit than the page's maker can have done it; none: not known.
using DescribeWinner = absl::FunctionRef<std::string(std::optional<Epoch> born)>;

// Serializable: all that was read would be read again.
absl::Status ValidateReads(pager::PageSource& pages, const TreeState& before,
                           const TreeState& after, const ReadSet& reads, DescribeWinner winner);
// Snapshot isolation: nobody else has written what was written (first committer wins), nor dropped a keyspace of it.
absl::Status ValidateWrites(pager::PageSource& pages, const TreeState& before,
                            const TreeState& after, const WriteSet& writes, DescribeWinner winner);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VALIDATION_H_
