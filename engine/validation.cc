#include "engine/validation.h"

#include <absl/functional/function_ref.h>

#include <optional>
#include <string>

#include "base/status.h"
#include "btree/diff.h"

namespace keel::engine {

namespace {

// Up to so many keys and ranges are looked up one by one in any case.
constexpr size_t kFew = 8;

class Validator {
 public:
  Validator(pager::PageSource& pages, const TreeState& before, const TreeState& after,
            DescribeWinner winner)
      : pages_(pages), before_(before), after_(after), winner_(winner) {}

  absl::Status Reads(KeyspaceId keyspace, const ReadSet::KeyspaceReads& reads);
  absl::Status Writes(KeyspaceId keyspace, const WriteSet::KeyspaceWrites& writes);

 private:
  // Whether there is anything to compare; Aborted if the keyspace came or went.
  absl::StatusOr<bool> Differs(KeyspaceId keyspace) const;
  // Whether everything that has changed in the keyspace is no more than `most` keys, and was looked at: Aborted if
  // one of them is relied on.
  absl::StatusOr<bool> LookedAtAll(KeyspaceId keyspace, size_t most,
                                   absl::FunctionRef<bool(std::string_view key)> relied_on);
  absl::Status Unchanged(KeyspaceId keyspace, const btree::Range& range);
  absl::Status SameCount(KeyspaceId keyspace, const btree::Range& range);
  absl::Status Conflict(KeyspaceId keyspace, const btree::Change& change) const;
  // When the page was made that has the key in the later state, or, where it has none, the tree's root.
  std::optional<Epoch> BirthOf(KeyspaceId keyspace, std::string_view key) const;
  std::string Where(KeyspaceId keyspace) const;

  pager::PageSource& pages_;
  const TreeState& before_;
  const TreeState& after_;
  const DescribeWinner winner_;
};

std::string Validator::Where(KeyspaceId keyspace) const {
  const TreeState& state = before_.names->Exists(keyspace) ? before_ : after_;
  return absl::StrFormat("keyspace \"%s\"", Printable(state.names->Name(keyspace)));
}

std::optional<Epoch> Validator::BirthOf(KeyspaceId keyspace, std::string_view key) const {
  const pager::TreeRoot root = after_.roots.Get(keyspace);
  if (root.empty()) return std::nullopt;
  const absl::StatusOr<btree::Found> found = btree::Find(pages_, keyspace, root, key);
  if (found.ok() && *found) return Epoch{found->leaf.header().birth};
  return root.reference.birth;
}

absl::Status Validator::Conflict(KeyspaceId keyspace, const btree::Change& change) const {
  const char* const how = !change.before ? "put" : !change.after ? "deleted" : "changed";
  return MakeStatus(absl::StatusCode::kAborted, "key \"%s\" of %s was %s meanwhile by %s",
                    Printable(change.key, 64), Where(keyspace), how,
                    winner_(BirthOf(keyspace, change.key)));
}

absl::StatusOr<bool> Validator::Differs(KeyspaceId keyspace) const {
  const bool was = before_.names->Exists(keyspace);
  const bool is = after_.names->Exists(keyspace);
  if (was != is) {
    return MakeStatus(absl::StatusCode::kAborted, "%s was %s meanwhile by %s", Where(keyspace),
                      is ? "made" : "dropped", winner_(std::nullopt));
  }
  return was && before_.roots.Get(keyspace) != after_.roots.Get(keyspace);
}

absl::StatusOr<bool> Validator::LookedAtAll(
    KeyspaceId keyspace, size_t most, absl::FunctionRef<bool(std::string_view key)> relied_on) {
  if (most <= kFew) return false;
  size_t changes = 0;
  const absl::Status status =
      btree::Diff(pages_, keyspace, before_.roots.Get(keyspace), after_.roots.Get(keyspace), {},
                  [&](const btree::Change& change) {
                    if (++changes > most) return absl::CancelledError();
                    return relied_on(change.key) ? Conflict(keyspace, change) : absl::OkStatus();
                  });
  // Too much has changed, or a page on the way is damaged that what is relied on may have nothing
  // to do with: then it is looked up one by one, and tells of damage that it meets.
  if (absl::IsAborted(status)) return status;
  return status.ok();
}

absl::Status Validator::Unchanged(KeyspaceId keyspace, const btree::Range& range) {
  return btree::Diff(pages_, keyspace, before_.roots.Get(keyspace), after_.roots.Get(keyspace),
                     range,
                     [&](const btree::Change& change) { return Conflict(keyspace, change); });
}

absl::Status Validator::SameCount(KeyspaceId keyspace, const btree::Range& range) {
  KEEL_ASSIGN_OR_RETURN(const uint64_t had,
                        btree::Count(pages_, keyspace, before_.roots.Get(keyspace), range));
  KEEL_ASSIGN_OR_RETURN(const uint64_t has,
                        btree::Count(pages_, keyspace, after_.roots.Get(keyspace), range));
  if (had == has) return absl::OkStatus();
  const pager::TreeRoot root = after_.roots.Get(keyspace);
  return MakeStatus(
      absl::StatusCode::kAborted,
      "the range from \"%s\" of %s had %d keys when they were counted, and has %d since %s",
      Printable(range.begin, 64), Where(keyspace), had, has,
      winner_(root.empty() ? std::nullopt : std::optional(root.reference.birth)));
}

absl::Status Validator::Reads(KeyspaceId keyspace, const ReadSet::KeyspaceReads& reads) {
  KEEL_ASSIGN_OR_RETURN(const bool differs, Differs(keyspace));
  if (!differs) return absl::OkStatus();
  KEEL_ASSIGN_OR_RETURN(
      const bool done, LookedAtAll(keyspace, reads.seen.size(),
                                   [&](std::string_view key) { return reads.seen.Contains(key); }));
  if (!done) {
    KEEL_RETURN_IF_ERROR(
        reads.seen.ForEach([&](const btree::Range& range) { return Unchanged(keyspace, range); }));
  }
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
  KEEL_ASSIGN_OR_RETURN(const bool done,
                        LookedAtAll(keyspace, writes.deleted.size() + writes.values.size(),
                                    [&](std::string_view key) {
                                      return writes.values.contains(key) ||
                                             writes.deleted.Contains(key);
                                    }));
  if (done) return absl::OkStatus();
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

absl::Status ValidateReads(pager::PageSource& pages, const TreeState& before,
                           const TreeState& after, const ReadSet& reads, DescribeWinner winner) {
  Validator validator(pages, before, after, winner);
  for (const auto& [id, of_keyspace] : reads.keyspaces()) {
    KEEL_RETURN_IF_ERROR(validator.Reads(KeyspaceId{id}, of_keyspace));
  }
  return absl::OkStatus();
}

absl::Status ValidateWrites(pager::PageSource& pages, const TreeState& before,
                            const TreeState& after, const WriteSet& writes, DescribeWinner winner) {
  Validator validator(pages, before, after, winner);
  return writes.ForEachKeyspace(
      [&](KeyspaceId keyspace, const WriteSet::KeyspaceWrites& of_keyspace) {
        return validator.Writes(keyspace, of_keyspace);
      });
}

}  // namespace keel::engine
