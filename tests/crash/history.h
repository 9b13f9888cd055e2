// What the n-th transaction of a database does, as a function of a seed and n alone.
//
// Each transaction also stores its number. So whoever finds number k in a database knows what the whole
// database must hold, whoever wrote it, on however many threads, and wherever it was cut off.

#ifndef KEEL_TESTS_CRASH_HISTORY_H_
#define KEEL_TESTS_CRASH_HISTORY_H_

#include <keel/keel.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace keel::testing {

inline constexpr std::string_view kSequenceKey = "sequence";
inline constexpr std::string_view kSecondKeyspace = "second";

using Keyspaces = std::array<Keyspace, 2>;

struct Change {
  enum class Kind : uint8_t { kPut, kDelete, kDeleteRange };

  Kind kind = Kind::kPut;
  size_t keyspace = 0;
  std::string key;
  std::string value;  // or end of the range
};

// Of transaction `number`, its own number aside. One in forty is larger than a log frame.
std::vector<Change> ChangesOf(uint64_t seed, uint64_t number);
absl::Status Apply(const std::vector<Change>& changes, const Keyspaces& keyspaces,
                   Transaction& transaction);

// 0 if none was stored yet.
absl::StatusOr<uint64_t> SequenceOf(const Reader& reader);

// The default keyspace and the second one, which is made if it is missing.
absl::StatusOr<Keyspaces> OpenKeyspaces(Database& database);

// What the first `number()` transactions leave.
class Model {
 public:
  explicit Model(uint64_t seed) : seed_(seed) {}

  uint64_t number() const { return number_; }
  void AdvanceTo(uint64_t number);
  // "" if the database holds exactly this; else the first difference.
  std::string Difference(const Database& database) const;

 private:
  using Contents = std::map<std::string, std::string, std::less<>>;

  void Apply(const Change& change);

  uint64_t seed_;
  uint64_t number_ = 0;
  std::array<Contents, 2> contents_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_CRASH_HISTORY_H_
