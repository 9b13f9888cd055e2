#include "engine/merged_cursor.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "engine/optimistic_transaction.h"

namespace keel::engine {

namespace {

const WriteSet::KeyspaceWrites& Nothing() {
  static const WriteSet::KeyspaceWrites* const nothing = new WriteSet::KeyspaceWrites();
  return *nothing;
}

}  // namespace

MergedCursor::MergedCursor(std::shared_ptr<OptimisticTransaction> transaction,
                           std::shared_ptr<SharedVersion> version, KeyspaceId keyspace,
                           const KeyRange& range)
    : transaction_(std::move(transaction)),
      version_(std::move(version)),
      keyspace_(keyspace),
      range_(range),
      base_(&version_->database()->pages(), keyspace, version_->state().roots.Get(keyspace),
            ToRange(range_)) {}

void MergedCursor::Move(Movement movement, std::string_view key) {
  large_read_ = false;
  const bool relative = movement == Movement::kNext || movement == Movement::kPrev;
  if (relative && !valid()) return;  // an error is never stepped over
  status_ = transaction_->Read([&](const WriteSet& writes, ReadSet* reads) {
    const SharedVersion::Use use(*version_);
    KEEL_RETURN_IF_ERROR(use.status());
    if (writes.changes() != changes_seen_) side_ = Side::kNowhere;
    changes_seen_ = writes.changes();
    return MoveMerged(writes, reads, movement, key);
  });
  if (!status_.ok()) {
    valid_ = false;
    side_ = Side::kNowhere;
  }
}

absl::Status MergedCursor::MoveMerged(const WriteSet& writes, ReadSet* reads, Movement movement,
                                      std::string_view key) {
  const WriteSet::KeyspaceWrites* const found = writes.Of(keyspace_);
  const WriteSet::KeyspaceWrites& own = found == nullptr ? Nothing() : *found;
  const bool relative = movement == Movement::kNext || movement == Movement::kPrev;
  // A copy: the movement changes the current key.
  std::string from(relative ? std::string_view(key_) : key);
  if (!relative) side_ = Side::kNowhere;
  switch (movement) {
    case Movement::kFirst:
    case Movement::kSeek:
    case Movement::kNext:
      if (movement == Movement::kFirst || from < range_.begin_key()) from = range_.begin_key();
      KEEL_RETURN_IF_ERROR(Forward(own, from, !relative));
      NoteScan(reads, from, valid_ ? std::optional<std::string_view>(key_) : std::nullopt);
      return absl::OkStatus();
    case Movement::kLast:
    case Movement::kSeekForPrev:
    case Movement::kPrev: {
      const bool from_end =
          movement == Movement::kLast || (range_.end_key() && from >= *range_.end_key());
      const std::optional<std::string_view> start =
          from_end ? std::nullopt : std::optional<std::string_view>(from);
      KEEL_RETURN_IF_ERROR(Backward(own, start, !relative));
      NoteScan(reads, valid_ ? std::string_view(key_) : std::string_view(range_.begin_key()),
               start);
      return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

// --- forward ---

absl::Status MergedCursor::Forward(const WriteSet::KeyspaceWrites& own, std::string_view from,
                                   bool inclusive) {
  if (side_ == Side::kCurrent) {
    base_.Next();
  } else if (side_ != Side::kAhead) {
    base_.Seek(from);
    if (!inclusive && base_.valid() && base_.key() == from) base_.Next();
  }
  SkipForward(own);

  // Beyond the version's next key nothing of its own can be the next one: what was deleted there is passed later.
  auto at = inclusive ? own.values.lower_bound(from) : own.values.upper_bound(from);
  const auto near = [&] {
    if (at == own.values.end() || (range_.end_key() && at->first >= *range_.end_key()))
      return false;
    return !base_valid_ || at->first < base_.key();
  };
  while (near() && !at->second) ++at;
  const bool has_own = near();
  return Choose(has_own ? std::optional(at) : std::nullopt, /*forward=*/true);
}

void MergedCursor::SkipForward(const WriteSet::KeyspaceWrites& own) {
  for (base_valid_ = base_.valid(); base_valid_; base_valid_ = base_.valid()) {
    const std::string_view key = base_.key();
    if (own.values.contains(key)) {
      base_.Next();
    } else if (const auto deleted = own.deleted.Find(key)) {
      if (!deleted->end) {
        base_valid_ = false;
        return;
      }
      base_.Seek(*deleted->end);
    } else {
      return;
    }
  }
}

// --- backward ---

absl::Status MergedCursor::Backward(const WriteSet::KeyspaceWrites& own,
                                    std::optional<std::string_view> from, bool inclusive) {
  if (side_ == Side::kCurrent) {
    base_.Prev();
  } else if (side_ != Side::kBehind) {
    if (from) {
      base_.SeekForPrev(*from);
      if (!inclusive && base_.valid() && base_.key() == *from) base_.Prev();
    } else {
      base_.SeekToLast();
    }
  }
  SkipBackward(own);

  auto at = own.values.end();
  if (from) {
    at = inclusive ? own.values.upper_bound(*from) : own.values.lower_bound(*from);
  } else if (range_.end_key()) {
    at = own.values.lower_bound(*range_.end_key());
  }
  bool has_own = false;
  while (!has_own && at != own.values.begin()) {
    --at;
    if (at->first < range_.begin_key() || (base_valid_ && at->first < base_.key())) break;
    has_own = at->second.has_value();
  }
  return Choose(has_own ? std::optional(at) : std::nullopt, /*forward=*/false);
}

void MergedCursor::SkipBackward(const WriteSet::KeyspaceWrites& own) {
  for (base_valid_ = base_.valid(); base_valid_; base_valid_ = base_.valid()) {
    const std::string_view key = base_.key();
    if (own.values.contains(key)) {
      base_.Prev();
    } else if (const auto deleted = own.deleted.Find(key)) {
      base_.SeekForPrev(deleted->begin);
      if (base_.valid() && base_.key() == deleted->begin) base_.Prev();
    } else {
      return;
    }
  }
}

// --- both ---

absl::Status MergedCursor::Choose(std::optional<WriteSet::Values::const_iterator> own,
                                  bool forward) {
  KEEL_RETURN_IF_ERROR(base_.status());
  valid_ = own.has_value() || base_valid_;
  own_value_.reset();
  if (!valid_) {
    side_ = Side::kNowhere;
    return absl::OkStatus();
  }
  const bool take_own =
      own &&
      (!base_valid_ || (forward ? (*own)->first < base_.key() : (*own)->first > base_.key()));
  if (take_own) {
    key_ = (*own)->first;
    own_value_ = (*own)->second;
    side_ = forward ? Side::kAhead : Side::kBehind;
  } else {
    key_ = base_.key();
    side_ = Side::kCurrent;
  }
  return absl::OkStatus();
}

void MergedCursor::NoteScan(ReadSet* reads, std::optional<std::string_view> first,
                            std::optional<std::string_view> last) {
  if (reads == nullptr) return;
  btree::Range range = ToRange(range_);
  if (first) range.begin = *first;
  std::string end;
  if (last) {
    end = std::string(*last) + '\0';  // the least key behind it
    range.end = end;
  }
  reads->AddRange(keyspace_, range);
}

std::string_view MergedCursor::value() {
  if (own_value_) return *own_value_;
  const btree::ValueSlot slot = base_.value();
  if (!slot.large) return slot.bytes;
  if (!large_read_) status_ = ReadLarge(slot);
  return large_read_ ? large_.view() : std::string_view();
}

absl::Status MergedCursor::ReadLarge(const btree::ValueSlot& slot) {
  const SharedVersion::Use use(*version_);
  KEEL_RETURN_IF_ERROR(use.status());
  Database::Impl& database = *version_->database();
  KEEL_ASSIGN_OR_RETURN(large_, database.Materialize(database.pages(), {}, slot));
  large_read_ = true;
  return absl::OkStatus();
}

}  // namespace keel::engine
