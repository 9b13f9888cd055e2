// Lists of commands against a model, shrunk to the shortest one that fails.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "btree/cursor.h"
#include "tests/unit/btree/tree_fixture.h"

namespace keel::testing {
namespace {

enum class Kind {
  kPut,
  kPutLarge,
  kDelete,
  kDeleteRange,
  kFreeze,
  kSnapshot,
  kPinAndPut,
  kPutNeighbours
};

struct Command {
  Kind kind = Kind::kPut;
  std::string key;
  std::string other;
  size_t value_bytes = 0;
};

std::ostream& operator<<(std::ostream& out, const Command& command) {
  static constexpr const char* kNames[] = {"Put",    "PutLarge", "Delete",    "DeleteRange",
                                           "Freeze", "Snapshot", "PinAndPut", "PutNeighbours"};
  return out << kNames[static_cast<int>(command.kind)] << "(\"" << Printable(command.key)
             << "\", \"" << Printable(command.other) << "\", " << command.value_bytes << ")";
}

// Few different bytes and stems, so that keys meet; up to the longest of the test geometry.
rc::Gen<std::string> Keys() {
  const auto stem = rc::gen::element<std::string>("", "stem", "stem/of", std::string(60, 's'),
                                                  std::string(100, '\xff'));
  const auto rest =
      rc::gen::container<std::string>(rc::gen::element('\0', 'a', 'b', 'c', '\x7f', '\xff'));
  return rc::gen::map(rc::gen::pair(stem, rest), [](const auto& parts) {
    return (parts.first + parts.second).substr(0, btree::MaxKeyBytes(pager::kTestPageBytes));
  });
}

rc::Gen<Command> Commands() {
  const auto kind = rc::gen::weightedElement<Kind>({{30, Kind::kPut},
                                                    {3, Kind::kPutLarge},
                                                    {12, Kind::kDelete},
                                                    {1, Kind::kDeleteRange},
                                                    {4, Kind::kFreeze},
                                                    {1, Kind::kSnapshot},
                                                    {2, Kind::kPinAndPut},
                                                    {6, Kind::kPutNeighbours}});
  return rc::gen::build<Command>(rc::gen::set(&Command::kind, kind),
                                 rc::gen::set(&Command::key, Keys()),
                                 rc::gen::set(&Command::other, Keys()),
                                 rc::gen::set(&Command::value_bytes, rc::gen::inRange(0, 90)));
}

class Runner {
 public:
  void Run(const Command& command) {
    switch (command.kind) {
      case Kind::kPut:
        return Put(command.key, std::string(command.value_bytes, 'v'));
      case Kind::kPutLarge:
        return Put(command.key, std::string(command.value_bytes * 20 + 1, 'L'));
      case Kind::kDelete:
        return Delete(command.key);
      case Kind::kDeleteRange:
        return DeleteRange(command.key, command.other);
      case Kind::kFreeze:
        return pages_.Freeze();
      case Kind::kSnapshot:
        pages_.Freeze();
        snapshots_.emplace_back(root_, model_);
        return;
      case Kind::kPinAndPut:
        return PinAndPut(command.key, command.other);
      case Kind::kPutNeighbours:
        return PutNeighbours(command);
    }
  }

  void Check() {
    RC_ASSERT(Damages(pages_, root_) == "");
    RC_ASSERT(root_.reference.entries == model_.size());
    RC_ASSERT(pages_.pins() == 0u);
  }

  void CheckContents() {
    pages_.CheckFrozen();
    RC_ASSERT(Contents(pages_, root_) == model_);
    for (const auto& [root, model] : snapshots_) RC_ASSERT(Contents(pages_, root) == model);
  }

 private:
  void Put(const std::string& key, const std::string& value) {
    const auto added = btree::Put(pages_, kKeyspace, &root_, key, value);
    RC_ASSERT(added.ok());
    RC_ASSERT(*added == !model_.contains(key));
    model_[key] = value;
  }

  void Delete(const std::string& key) {
    const auto at = model_.lower_bound(key);
    const std::string target = at == model_.end() ? key : at->first;
    const auto deleted = btree::Delete(pages_, kKeyspace, &root_, target);
    RC_ASSERT(deleted.ok());
    RC_ASSERT(*deleted == (model_.erase(target) == 1));
  }

  void DeleteRange(const std::string& begin, const std::string& end) {
    const auto count = btree::Count(pages_, kKeyspace, root_, btree::Range{begin, end});
    const auto deleted = btree::DeleteRange(pages_, kKeyspace, &root_, btree::Range{begin, end});
    RC_ASSERT(count.ok() && deleted.ok());
    uint64_t wanted = 0;
    for (auto at = model_.lower_bound(begin); at != model_.end() && at->first < end; ++wanted) {
      at = model_.erase(at);
    }
    RC_ASSERT(*deleted == wanted && *count == wanted);
  }

  // Rows around two keys, some of them twice, one of them large now and then.
  void PutNeighbours(const Command& command) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const std::string& stem : {command.key, command.other, command.key}) {
      for (const char* const end : {"", "a", "a\1", "b"}) {
        const std::string key = (stem + end).substr(0, btree::MaxKeyBytes(pager::kTestPageBytes));
        rows.emplace_back(key, std::string((command.value_bytes + rows.size()) % 50, 'n'));
      }
    }
    if (command.value_bytes % 5 == 0) rows[command.value_bytes % rows.size()].second.resize(2000);
    for (size_t done = 0; done < rows.size();) {
      const auto taken = btree::PutNeighbours(
          pages_, kKeyspace, &root_, [&](size_t number) -> std::optional<btree::Row> {
            if (done + number >= rows.size()) return std::nullopt;
            return btree::Row{rows[done + number].first, rows[done + number].second};
          });
      RC_ASSERT(taken.ok());
      RC_ASSERT(*taken > 0 && *taken <= rows.size() - done);
      done += *taken;
    }
    for (const auto& [key, value] : rows) model_[key] = value;
  }

  // The value of a pinned entry is stored under another key.
  void PinAndPut(const std::string& key, const std::string& other) {
    btree::Cursor cursor(&pages_, kKeyspace, root_, btree::Range{});
    cursor.Seek(key);
    if (!cursor.valid() || cursor.value().large) return;
    const std::string value(cursor.value().bytes);
    const pager::PageHandle leaf = cursor.PinLeaf();
    const auto added = btree::Put(pages_, kKeyspace, &root_, other, cursor.value().bytes);
    RC_ASSERT(added.ok());
    RC_ASSERT(cursor.value().bytes == value);
    model_[other] = value;
  }

  FakePages pages_{pager::kTestPageBytes};
  btree::TreeRoot root_;
  Model model_;
  std::vector<std::pair<btree::TreeRoot, Model>> snapshots_;
};

RC_GTEST_PROP(TreePropertyTest, DoesAsItsModelDoes, ()) {
  const auto count = *rc::gen::inRange<size_t>(0, 300);
  const auto commands = *rc::gen::container<std::vector<Command>>(count, Commands());
  Runner runner;
  for (const Command& command : commands) {
    runner.Run(command);
    runner.Check();
  }
  runner.CheckContents();
}

}  // namespace
}  // namespace keel::testing
