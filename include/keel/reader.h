// Keel: what Database, Snapshot and Transaction can all do.
//
//   absl::StatusOr<keel::PinnedValue> value = db->Get("key");
//   absl::StatusOr<uint64_t> users = db->Count(keel::KeyRange::Prefix("user/"));

#ifndef KEEL_READER_H_
#define KEEL_READER_H_

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <keel/cursor.h>
#include <keel/key_range.h>
#include <keel/keyspace.h>
#include <keel/pinned_value.h>

namespace keel {

// Every call takes an optional keyspace first. Errors of all: NotFound (keyspace dropped), InvalidArgument
// (keyspace of another database), DataLoss (damage, with file, page, keyspace and key range), ResourceExhausted
// (memory), FailedPrecondition (closed), Unavailable (I/O error).
class Reader {
 public:
  virtual ~Reader() = default;

  // NotFound if the key is absent, as one longer than kMaxKeyBytes always is.
  absl::StatusOr<PinnedValue> Get(Keyspace keyspace, std::string_view key) const {
    return DoGet(keyspace, key);
  }
  absl::StatusOr<PinnedValue> Get(std::string_view key) const { return DoGet({}, key); }

  // One result a key, in the order of the keys, all of one state.
  std::vector<absl::StatusOr<PinnedValue>> MultiGet(Keyspace keyspace,
                                                    std::span<const std::string_view> keys) const {
    return DoMultiGet(keyspace, keys);
  }
  std::vector<absl::StatusOr<PinnedValue>> MultiGet(std::span<const std::string_view> keys) const {
    return DoMultiGet({}, keys);
  }

  // Unpositioned. Errors are in its status().
  Cursor NewCursor(Keyspace keyspace, const KeyRange& range = KeyRange::All()) const {
    return DoNewCursor(keyspace, range);
  }
  Cursor NewCursor(const KeyRange& range = KeyRange::All()) const { return DoNewCursor({}, range); }

  // Exact, in O(log n).
  absl::StatusOr<uint64_t> Count(Keyspace keyspace, const KeyRange& range = KeyRange::All()) const {
    return DoCount(keyspace, range);
  }
  absl::StatusOr<uint64_t> Count(const KeyRange& range = KeyRange::All()) const {
    return DoCount({}, range);
  }

  // Calls visit(key, value) for each pair in ascending order; ends with the first error, also visit's own.
  absl::Status ForEach(
      Keyspace keyspace, const KeyRange& range,
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)> visit) const;

 protected:
  Reader() = default;
  Reader(Reader&&) = default;
  Reader& operator=(Reader&&) = default;

 private:
  virtual absl::StatusOr<PinnedValue> DoGet(Keyspace keyspace, std::string_view key) const = 0;
  virtual std::vector<absl::StatusOr<PinnedValue>> DoMultiGet(
      Keyspace keyspace, std::span<const std::string_view> keys) const = 0;
  virtual Cursor DoNewCursor(Keyspace keyspace, const KeyRange& range) const = 0;
  virtual absl::StatusOr<uint64_t> DoCount(Keyspace keyspace, const KeyRange& range) const = 0;
};

}  // namespace keel

#endif  // KEEL_READER_H_
