// Keel: the result of verifying a database.

#ifndef KEEL_CHECK_REPORT_H_
#define KEEL_CHECK_REPORT_H_

#include <absl/functional/function_ref.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace keel {

struct CheckOptions {
  bool read_values = true;  // verify large values too
  size_t max_damages = 100;
};

struct Damage {
  std::string place;      // file, page
  std::string keyspace;   // empty if none is affected
  std::string problem;    // what was expected and found
  std::string key_begin;  // affected keys: [key_begin, key_end)
  std::string key_end;
  bool has_key_range = false;
  bool has_key_end = false;
};

struct CheckReport {
  uint64_t keyspaces = 0;
  uint64_t entries = 0;
  uint64_t pages_checked = 0;
  uint64_t internal_pages = 0;
  uint64_t leaf_pages = 0;
  uint64_t value_pages = 0;  // of large values
  // Whether the space map could be compared: not when a checkpoint ended during the check.
  bool space_checked = false;
  // In use in the space map, reachable from nothing. Not counted (0) where damage hides a part of a tree.
  uint64_t leaked_pages = 0;
  std::vector<Damage> damages;

  bool ok() const { return damages.empty() && leaked_pages == 0; }
};

}  // namespace keel

#endif  // KEEL_CHECK_REPORT_H_
