// Keel: keyspaces, the named ordered maps of one database.
//
//   absl::StatusOr<keel::Keyspace> users = db->OpenKeyspace("users");
//   if (users.ok()) status = db->Put(*users, "ada", "1815");

#ifndef KEEL_KEYSPACE_H_
#define KEEL_KEYSPACE_H_

#include <cstdint>
#include <string>

namespace keel {

// A small copyable handle. Default-constructed it means the default keyspace of whatever database it is
// used with. A handle of another database gives InvalidArgument, one of a dropped keyspace NotFound.
class Keyspace {
 public:
  constexpr Keyspace() = default;

  // Number of the keyspace, never reused within its database.
  constexpr uint32_t id() const { return id_; }

  friend constexpr bool operator==(Keyspace, Keyspace) = default;

 private:
  friend class KeyspaceAccess;
  constexpr Keyspace(uint32_t id, uint64_t database) : id_(id), database_(database) {}

  uint32_t id_ = 0;
  uint64_t database_ = 0;  // tag of the open database; 0: any
};

struct KeyspaceInfo {
  std::string name;  // "default" for the default keyspace
  Keyspace keyspace;
  uint64_t entries = 0;
};

}  // namespace keel

#endif  // KEEL_KEYSPACE_H_
