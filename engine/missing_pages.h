// Pages that are missing, each once, and the keys that wait for them.

#ifndef KEEL_ENGINE_MISSING_PAGES_H_
#define KEEL_ENGINE_MISSING_PAGES_H_

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pager/page_access.h"

namespace keel::engine {

// A key, by its number, that waits for a page.
struct MissingPage {
  size_t key;
  pager::PageWant page;
};

class MissingPages {
 public:
  // REQUIRES: most > 0.
  explicit MissingPages(size_t most) : most_(most) {}

  // False: it is another page than those that are there, and they are enough.
  bool Add(const MissingPage& missing) {
    const auto [at, is_new] = places_.try_emplace(missing.page.reference.id.value, pages_.size());
    if (is_new) {
      if (pages_.size() == most_) {
        places_.erase(at);
        return false;
      }
      pages_.push_back(missing.page);
      last_.push_back(kNone);
    }
    size_t& last = last_[at->second];
    keys_.push_back({missing.key, last});
    last = keys_.size() - 1;
    return true;
  }

  size_t size() const { return pages_.size(); }
  const pager::PageWant& page(size_t at) const { return pages_[at]; }
  // Valid until the next Add.
  std::span<const pager::PageWant> From(size_t first) const {
    return std::span(pages_).subspan(first);
  }

  // Those that wait for that page.
  template <typename Do>
  void ForKeys(size_t at, Do&& with_key) const {
    for (size_t n = last_[at]; n != kNone; n = keys_[n].before) with_key(keys_[n].key);
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  struct Key {
    size_t key;
    size_t before;  // another one of the same page, or kNone
  };

  const size_t most_;
  std::vector<pager::PageWant> pages_;
  std::vector<size_t> last_;  // by page: among the keys
  std::vector<Key> keys_;
  absl::flat_hash_map<uint64_t, size_t> places_;  // by page id
};

}  // namespace keel::engine

#endif  // KEEL_ENGINE_MISSING_PAGES_H_
