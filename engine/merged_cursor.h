// A cursor over what an optimistic transaction sees: its version with its own changes on top.

#ifndef KEEL_ENGINE_MERGED_CURSOR_H_
#define KEEL_ENGINE_MERGED_CURSOR_H_

#include <absl/status/status.h>
#include <keel/key_range.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "btree/cursor.h"
#include "engine/cursor_impl.h"
#include "engine/read_set.h"
#include "engine/shared_version.h"
#include "engine/write_set.h"

namespace keel::engine {

class OptimisticTransaction;

// Two positions move in step: the version's, which steps over keys that the transaction has decided about, and
// that among its own changes, which is looked up by key at each movement, since changes may come between.
//
// M1  side_ tells where the version's cursor stands: at the current key; at the version's next key ahead of it or
//     behind it, or past its last one; or nowhere that counts.
class MergedCursor final : public Cursor::Impl {
 public:
  MergedCursor(std::shared_ptr<OptimisticTransaction> transaction,
               std::shared_ptr<SharedVersion> version, KeyspaceId keyspace, const KeyRange& range);

  void Move(Movement movement, std::string_view key) override;
  bool valid() const override { return status_.ok() && valid_; }
  absl::Status status() const override { return status_; }
  std::string_view key() const override { return key_; }
  std::string_view value() override;

 private:
  enum class Side : uint8_t { kCurrent, kAhead, kBehind, kNowhere };

  absl::Status MoveMerged(const WriteSet& writes, ReadSet* reads, Movement movement,
                          std::string_view key);
  // To the first key at or after `from`, or behind it.
  absl::Status Forward(const WriteSet::KeyspaceWrites& own, std::string_view from, bool inclusive);
  // To the last key at or before `from`, or before it; without `from` to the last one of the range.
  absl::Status Backward(const WriteSet::KeyspaceWrites& own, std::optional<std::string_view> from,
                        bool inclusive);
  // Lets the version's cursor step over what the transaction has decided about.
  void SkipForward(const WriteSet::KeyspaceWrites& own);
  void SkipBackward(const WriteSet::KeyspaceWrites& own);
  // Settles on the better one of both: `own` is that of the transaction, if it has one.
  absl::Status Choose(std::optional<WriteSet::Values::const_iterator> own, bool forward);
  absl::Status ReadLarge(const btree::ValueSlot& slot);
  // The keys from the first to the last, both included, have been looked at; none: from or to the range's bound.
  void NoteScan(ReadSet* reads, std::optional<std::string_view> first,
                std::optional<std::string_view> last);

  std::shared_ptr<OptimisticTransaction> transaction_;
  std::shared_ptr<SharedVersion> version_;
  const KeyspaceId keyspace_;
  const KeyRange range_;
  btree::Cursor base_;
  bool base_valid_ = false;  // at a key that the transaction has not decided about
  Side side_ = Side::kNowhere;
  uint64_t changes_seen_ = 0;
  bool valid_ = false;
  std::string key_;
  std::optional<std::string> own_value_;  // none: the version's
  absl::Status status_;
  PinnedValue large_;
  bool large_read_ = false;
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_MERGED_CURSOR_H_
