#include "bench/micro/rows.h"

#include <absl/strings/str_format.h>

#include <cstdio>
#include <cstdlib>
#include <random>

namespace keel::bench {

void Must(const absl::Status& status) {
  if (status.ok()) return;
  absl::FPrintF(stderr, "keel_micro: %s\n", status.ToString());
  std::abort();
}

std::string RowKey(uint64_t number) { return absl::StrFormat("key %012d", number); }

std::string RowValue(size_t bytes) {
  std::mt19937_64 random(bytes);
  std::string value(bytes, '\0');
  for (char& byte : value) byte = static_cast<char>(' ' + random() % 95);
  return value;
}

std::vector<std::string> DrawKeys(uint64_t entries, size_t count) {
  std::mt19937_64 random(entries);
  std::vector<std::string> keys;
  keys.reserve(count);
  for (size_t i = 0; i < count; ++i) keys.push_back(RowKey(random() % entries));
  return keys;
}

}  // namespace keel::bench
