#include "engine/validation.h"

#include <string>

#include "base/status.h"
#include "btree/diff.h"

namespace keel::engine {

namespace {

class Validator {
 public:
  Validator(pager::PageSource& pages, const TreeState& before, const TreeState& after)
      : pages_(pages), before_(before), after_(after) {}

  absl::Status Reads(KeyspaceId keyspace, const ReadSet::KeyspaceReads& reads);
  absl::Status Writes(KeyspaceId keyspace, const WriteSet::KeyspaceWrites& writes);

 private:
  // Whether there is anything to compare; Aborted if the keyspace is gone.
  absl::StatusOr<bool> Differs(KeyspaceId keyspace) const;
  absl::Status Unchanged(KeyspaceId keyspace, const btree::Range& range);
  absl::Status SameCount(KeyspaceId keyspace, const btree::Range& range);
  std::string Where(KeyspaceId keyspace) const;

  pager::PageSource& pages_;
  const TreeState& before_;
  const TreeState& after_;
};

std::string Validator::Where(KeyspaceId keyspace) const {
  return absl::StrFormat("keyspace \"%s\"", Printable(before_.names->Name(keyspace)));
}

absl::StatusOr<bool> Validator::Differs(KeyspaceId keyspace) const {
  if (!after_.names->Exists(keyspace)) {
    return MakeStatus(absl::StatusCode::kAborted, "%s was dropped meanwhile", Where(keyspace));
  }
  return before_.roots.Get(keyspace) != after_.roots.Get(keyspace);
}

absl::Status Validator::Unchanged(KeyspaceId keyspace, const btree::Range& range) {
  return btree::Diff(
      pages_, keyspace, before_.roots.Get(keyspace), after_.roots.Get(keyspace), range,
      [&](const btree::Change& change) {
        const char* const how = !change.before ? "put" : !change.after ? "deleted" : "changed";
        return MakeStatus(absl::StatusCode::kAborted, "key \"%s\" of %s was %s meanwhile",
                          Printable(change.key, 64), Where(keyspace), how);
      });
}

absl::Status Validator::SameCount(KeyspaceId keyspace, const btree::Range& range) {
  KEEL_ASSIGN_OR_RETURN(const uint64_t had,
                        btree::Count(pages_, keyspace, before_.roots.Get(keyspace), range));
  KEEL_ASSIGN_OR_RETURN(const uint64_t has,
                        btree::Count(pages_, keyspace, after_.roots.Get(keyspace), range));
  if (had == has) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kAborted,
                    "the range from \"%s\" of %s had %d keys when they were counted, and has %d",
                    Printable(range.begin, 64), Where(keyspace), had, has);
}

absl::Status Validator::Reads(KeyspaceId keyspace, const ReadSet::KeyspaceReads& reads) {
  KEEL_ASSIGN_OR_RETURN(const bool differs, Differs(keyspace));
  if (!differs) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(
      reads.seen.ForEach([&](const btree::Range& range) { return Unchanged(keyspace, range); }));
  for (const auto& [begin, end] : reads.counted) {
    btree::Range range{.begin = begin, .end = {}};
    if (end) range.end = *end;
    KEEL_RETURN_IF_ERROR(SameCount(keyspace, range));
  }
  return absl::OkStatus();
}

absl::Status Validator::Writes(KeyspaceId keyspace, const WriteSet::KeyspaceWrites& writes) {
  KEEL_ASSIGN_OR_RETURN(const bool differs, Differs(keyspace));
  if (!differs) return absl::OkStatus();
  KEEL_RETURN_IF_ERROR(writes.deleted.ForEach(
      [&](const btree::Range& range) { return Unchanged(keyspace, range); }));
  std::string end;
  for (const auto& [key, value] : writes.values) {
    end.assign(key).push_back('\0');
    KEEL_RETURN_IF_ERROR(Unchanged(keyspace, {key, end}));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(pager::PageSource& pages, const TreeState& before, const TreeState& after,
                      const ReadSet& reads, const WriteSet& writes) {
  Validator validator(pages, before, after);
  for (const auto& [id, of_keyspace] : reads.keyspaces()) {
    KEEL_RETURN_IF_ERROR(validator.Reads(KeyspaceId{id}, of_keyspace));
  }
  return writes.ForEachKeyspace(
      [&](KeyspaceId keyspace, const WriteSet::KeyspaceWrites& of_keyspace) {
        return validator.Writes(keyspace, of_keyspace);
      });
}

}  // namespace keel::engine
