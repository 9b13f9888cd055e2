#include "engine/version.h"

#include <algorithm>

namespace keel::engine {

void RootTable::Set(KeyspaceId id, const pager::TreeRoot& root) {
  const uint32_t number = id.value / kRoots;
  const size_t at = LowerBound(number);
  if (at == chunks_.size() || chunks_[at].number != number) {
    chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(at),
                   Chunk{number, std::make_shared<Roots>()});
  }
  std::shared_ptr<Roots>& roots = chunks_[at].roots;
  if (roots.use_count() > 1) roots = std::make_shared<Roots>(*roots);
  (*roots)[id.value % kRoots] = root;
}

KeyspaceNames::KeyspaceNames() { names_.emplace(kDefaultKeyspace.value, kDefaultKeyspaceName); }

std::optional<KeyspaceId> KeyspaceNames::Find(std::string_view name) const {
  // Few keyspaces, looked up when opened: a walk is good enough.
  for (const auto& [id, known] : names_) {
    if (known == name) return KeyspaceId{id};
  }
  return std::nullopt;
}

std::string_view KeyspaceNames::Name(KeyspaceId id) const {
  const auto found = names_.find(id.value);
  return found == names_.end() ? std::string_view() : std::string_view(found->second);
}

void KeyspaceNames::Add(KeyspaceId id, std::string_view name) {
  names_.insert_or_assign(id.value, std::string(name));
  next_ = std::max(next_, id.value + 1);
}

void KeyspaceNames::Remove(KeyspaceId id) { names_.erase(id.value); }

}  // namespace keel::engine
