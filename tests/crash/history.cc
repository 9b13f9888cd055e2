#include "tests/crash/history.h"

#include <absl/strings/str_format.h>

#include <charconv>
#include <random>

#include "base/status.h"

namespace keel::testing {
namespace {

constexpr uint64_t kKeys = 400;
constexpr size_t kLargeBytes = 24 << 10;

std::string KeyNumber(uint64_t number) { return absl::StrFormat("key%05d", number); }

std::string ValueOf(std::mt19937_64& random, size_t bytes) {
  std::string value(bytes, '\0');
  for (char& byte : value) byte = static_cast<char>(random());
  return value;
}

Change DrawChange(std::mt19937_64& random) {
  Change change;
  change.keyspace = random() % 4 == 0 ? 1 : 0;
  const uint64_t key = random() % kKeys;
  change.key = KeyNumber(key);
  const uint64_t kind = random() % 24;
  if (kind == 0) {
    change.kind = Change::Kind::kDeleteRange;
    change.value = KeyNumber(key + random() % 40);
  } else if (kind < 6) {
    change.kind = Change::Kind::kDelete;
  } else {
    change.value = ValueOf(random, kind == 6 ? random() % kLargeBytes : random() % 200);
  }
  return change;
}

}  // namespace

std::vector<Change> ChangesOf(uint64_t seed, uint64_t number) {
  std::mt19937_64 random(seed ^ (number * 0x9e3779b97f4a7c15));
  std::vector<Change> changes(1 + random() % 6);
  for (Change& change : changes) change = DrawChange(random);
  if (random() % 40 != 0) return changes;
  for (int i = 0; i < 16; ++i) {
    changes.push_back({.key = KeyNumber(random() % kKeys), .value = ValueOf(random, kLargeBytes)});
  }
  return changes;
}

absl::Status Apply(const std::vector<Change>& changes, const Keyspaces& keyspaces,
                   Transaction& transaction) {
  for (const Change& change : changes) {
    const Keyspace keyspace = keyspaces[change.keyspace];
    absl::Status status;
    switch (change.kind) {
      case Change::Kind::kPut:
        status = transaction.Put(keyspace, change.key, change.value);
        break;
      case Change::Kind::kDelete:
        status = transaction.Delete(keyspace, change.key);
        break;
      case Change::Kind::kDeleteRange:
        status = transaction.DeleteRange(keyspace, KeyRange(change.key, change.value));
        break;
    }
    KEEL_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SequenceOf(const Reader& reader) {
  const absl::StatusOr<PinnedValue> value = reader.Get(kSequenceKey);
  if (absl::IsNotFound(value.status())) return 0;
  KEEL_RETURN_IF_ERROR(value.status());
  uint64_t number = 0;
  const std::string_view text = value->view();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return absl::InternalError("the sequence is no number");
  return number;
}

absl::StatusOr<Keyspaces> OpenKeyspaces(Database& database) {
  KEEL_ASSIGN_OR_RETURN(const Keyspace second, database.OpenKeyspace(kSecondKeyspace));
  return Keyspaces{Keyspace(), second};
}

void Model::AdvanceTo(uint64_t number) {
  while (number_ < number) {
    for (const Change& change : ChangesOf(seed_, ++number_)) Apply(change);
  }
  if (number_ > 0) contents_[0][std::string(kSequenceKey)] = std::to_string(number_);
}

void Model::Apply(const Change& change) {
  Contents& contents = contents_[change.keyspace];
  switch (change.kind) {
    case Change::Kind::kPut:
      contents.insert_or_assign(change.key, change.value);
      break;
    case Change::Kind::kDelete:
      contents.erase(change.key);
      break;
    case Change::Kind::kDeleteRange:
      if (change.key >= change.value) break;
      contents.erase(contents.lower_bound(change.key), contents.lower_bound(change.value));
      break;
  }
}

std::string Model::Difference(const Database& database) const {
  Keyspaces keyspaces;
  bool has_second = false;
  for (const KeyspaceInfo& info : database.ListKeyspaces()) {
    if (info.name != kSecondKeyspace) continue;
    keyspaces[1] = info.keyspace;
    has_second = true;
  }
  for (size_t i = 0; i < (has_second ? keyspaces.size() : 1); ++i) {
    auto expected = contents_[i].begin();
    const absl::Status status = database.ForEach(
        keyspaces[i], KeyRange::All(), [&](std::string_view key, std::string_view value) {
          if (expected == contents_[i].end() || expected->first != key) {
            return absl::InternalError(absl::StrFormat("%s should not be there", key));
          }
          if (expected->second != value)
            return absl::InternalError("another value of " + expected->first);
          ++expected;
          return absl::OkStatus();
        });
    if (!status.ok()) return status.ToString();
    if (expected != contents_[i].end()) return expected->first + " is missing";
  }
  return has_second || contents_[1].empty() ? "" : "a keyspace is missing";
}

}  // namespace keel::testing
