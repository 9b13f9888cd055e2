// Opening a database: create, or recover, then serve.
//
// The six steps for writing (and why no step may move):
//   1  lock the data file (R6)                       nobody else, and no request of a killed process, writes
//   2  choose the superblock; find the log's end     R7 and R11 refuse what is damage, with nothing changed
//   3  make a new database's names durable           nobody can have committed to it before
//      rewrite that superblock, one copy at a time, with incarnation + 1
//                                                    births and generations of this open are new
//   4  analysis, redo into free pages                nothing that a repeat would need has changed (R12)
//   5  a checkpoint that names a fresh log start, the clean flag off
//                                                    the old log is dead from here on
//   6  serve reads and commits
//
// A crash anywhere before the end of 5 repeats the same work. A read-only open does 2 and 4 in memory and
// writes nothing.

#ifndef KEEL_ENGINE_OPEN_H_
#define KEEL_ENGINE_OPEN_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/database.h>

#include <filesystem>
#include <memory>

namespace keel::engine {

absl::StatusOr<std::shared_ptr<Database::Impl>> OpenDatabase(const std::filesystem::path& directory,
                                                             const Options& options);

absl::StatusOr<RecoveryReport> DryRunRecovery(const std::filesystem::path& directory,
                                              const Options& options);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_OPEN_H_
