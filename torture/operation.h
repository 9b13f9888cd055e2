// What is done to a database under torture.

#ifndef KEEL_TORTURE_OPERATION_H_
#define KEEL_TORTURE_OPERATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace keel::torture {

// Changes go into the open transaction; without one they begin it. Of the last three groups some
// end it first.
enum class Operation : uint8_t {
  kPutSmall,
  kPutLarge,   // beyond what a page keeps inline
  kOverwrite,  // of a key that is there
  kDelete,
  kDeleteRange,
  kBulk,  // more than fits one log frame: the transaction streams
  kHuge,  // more than the log takes: if it is committed, then by a checkpoint
  kSavepoint,
  kRollbackTo,  // the newest savepoint
  kCommitSync,
  kCommitAsync,
  kCommitNone,
  kRollback,
  kBatch,  // many changes in one write batch, durable
  kLoad,   // a bulk load, committed by a checkpoint or rolled back
  kCheckpoint,
  kBackground,  // one round of background work
  kFillLog,     // commits until the log has gone on to its next segment
  kSnapshotOpen,
  kSnapshotClose,
  kKeyspace,  // drops one and makes it again
  kReopen,    // a clean close between
};
inline constexpr size_t kOperations = static_cast<size_t>(Operation::kReopen) + 1;

inline constexpr std::array<std::string_view, kOperations> kOperationNames = {
    "put-small", "put-large",    "overwrite",   "delete",      "delete-range", "bulk",
    "huge",      "savepoint",    "rollback-to", "commit-sync", "commit-async", "commit-none",
    "rollback",  "batch",        "load",        "checkpoint",  "background",   "fill-log",
    "snapshot",  "end-snapshot", "keyspace",    "reopen",
};
inline std::string_view OperationName(Operation operation) {
  return kOperationNames[static_cast<size_t>(operation)];
}

}  // namespace keel::torture

#endif  // KEEL_TORTURE_OPERATION_H_
