// What the database must hold: a map, with a hash that changes in constant time.

#ifndef KEEL_TORTURE_STATE_H_
#define KEEL_TORTURE_STATE_H_

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace keel::torture {

// Keys of several keyspaces, which are numbered from 0.
class State {
 public:
  using Place = std::pair<int, std::string>;

  void Put(int space, std::string_view key, std::string_view value);
  void Delete(int space, std::string_view key);
  // [begin, end).
  void DeleteRange(int space, std::string_view begin, std::string_view end);

  // Null if there is none.
  const std::string* Find(int space, std::string_view key) const;
  uint64_t Count(int space) const;
  const absl::btree_map<Place, std::string>& entries() const { return entries_; }
  // Equal for equal contents, whatever led to them.
  uint64_t hash() const { return hash_; }

 private:
  absl::btree_map<Place, std::string> entries_;
  uint64_t hash_ = 0;
};

}  // namespace keel::torture

#endif  // KEEL_TORTURE_STATE_H_
