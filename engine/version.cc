#include "engine/version.h"

#include <algorithm>

namespace keel::engine {

void RootTable::Set(KeyspaceId id, const pager::TreeRoot& root) {
  const size_t index = id.value / kChunk;
  if (index >= chunks_.size()) chunks_.resize(index + 1);
  std::shared_ptr<Chunk>& chunk = chunks_[index];
  if (chunk == nullptr) {
    chunk = std::make_shared<Chunk>();
  } else if (chunk.use_count() > 1) {
    chunk = std::make_shared<Chunk>(*chunk);
  }
  (*chunk)[id.value % kChunk] = root;
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
