// Keel: many changes, made atomically.
//
//   keel::WriteBatch batch;
//   batch.Put("a", "1");
//   batch.Delete("b");
//   absl::StatusOr<keel::Lsn> lsn = db->Write(batch);

#ifndef KEEL_WRITE_BATCH_H_
#define KEEL_WRITE_BATCH_H_

#include <keel/key_range.h>
#include <keel/keyspace.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace keel {

// An ordered list of changes; copies its arguments. Used by one thread at a time; reusable after Clear, which
// keeps its memory. Limits on keys and values are checked by Database::Write, which then changes nothing.
class WriteBatch {
 public:
  void Put(Keyspace keyspace, std::string_view key, std::string_view value);
  void Put(std::string_view key, std::string_view value) { Put({}, key, value); }
  void Delete(Keyspace keyspace, std::string_view key);
  void Delete(std::string_view key) { Delete({}, key); }
  void DeleteRange(Keyspace keyspace, const KeyRange& range);
  void DeleteRange(const KeyRange& range) { DeleteRange({}, range); }

  void Clear();
  // Number of changes.
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Memory that the changes take.
  size_t bytes() const { return operations_.size(); }

 private:
  friend class WriteBatchAccess;

  std::string operations_;  // encoded as in the log (recovery/operations.h), keyspace tags in front
  size_t count_ = 0;
};

}  // namespace keel

#endif  // KEEL_WRITE_BATCH_H_
