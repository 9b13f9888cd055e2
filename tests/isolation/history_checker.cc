#include "tests/isolation/history_checker.h"

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace keel::testing {
namespace {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

class Checker {
 public:
  explicit Checker(const History& history) : history_(history) {}

  std::vector<std::string> Run() {
    OrderVersions();
    for (size_t i = 0; i < history_.size(); ++i) CheckTransaction(i);
    CheckCycles();
    return std::move(anomalies_);
  }

 private:
  struct Writer {
    size_t transaction = 0;
    bool final = true;  // not written over by the same transaction
  };
  struct Version {
    uint64_t lsn = 0;
    VersionId id = 0;
    size_t transaction = 0;
  };
  // Versions of a key by commit; the first one is its absence.
  using Versions = std::vector<Version>;

  void OrderVersions() {
    for (size_t i = 0; i < history_.size(); ++i) {
      const RecordedTransaction& transaction = history_[i];
      for (const Access& write : transaction.writes) {
        writers_[write.version] = {i, true};
        if (!transaction.committed) continue;
        versions_[write.key].push_back({transaction.lsn, write.version, i});
      }
      for (const Access& write : transaction.written_over) writers_[write.version] = {i, false};
    }
    for (auto& [key, versions] : versions_) {
      std::ranges::sort(versions, {}, &Version::lsn);
      for (size_t n = 0; n < versions.size(); ++n) places_[versions[n].id] = n;
    }
  }

  // The version after this one; none: it is the last.
  const Version* Next(const Access& access) const {
    const auto versions = versions_.find(access.key);
    if (versions == versions_.end()) return nullptr;
    const size_t next = access.version == 0 ? 0 : places_.at(access.version) + 1;
    return next < versions->second.size() ? &versions->second[next] : nullptr;
  }
  uint64_t LsnOf(const Access& access) const {
    return access.version == 0 ? 0 : history_[writers_.at(access.version).transaction].lsn;
  }

  void CheckTransaction(size_t number) {
    const RecordedTransaction& transaction = history_[number];
    for (const Access& read : transaction.reads) {
      if (!WasCommitted(number, read)) return;
    }
    switch (transaction.level) {
      case Isolation::kReadCommitted:
        return;
      case Isolation::kSnapshot:
        return CheckOneState(number);
      case Isolation::kSerializable:
        CheckOneState(number);
        if (transaction.committed && !transaction.writes.empty()) CheckStillSo(number);
    }
  }

  bool WasCommitted(size_t number, const Access& read) {
    if (read.version == 0) return true;
    const auto writer = writers_.find(read.version);
    if (writer == writers_.end() || !history_[writer->second.transaction].committed) {
      Found("G1a", number, read, "was rolled back, or never written");
      return false;
    }
    if (!writer->second.final) {
      Found("G1b", number, read, "was written over by its writer");
      return false;
    }
    return true;
  }

  // There is a moment at which all reads are of the newest version, and from which on nobody else wrote what this one
  // writes.
  void CheckOneState(size_t number) {
    const RecordedTransaction& transaction = history_[number];
    uint64_t from = 0;
    uint64_t before = kNever;
    for (const Access& read : transaction.reads) {
      from = std::max(from, LsnOf(read));
      const Version* const next = Next(read);
      if (next != nullptr && next->transaction != number) before = std::min(before, next->lsn);
      if (from >= before)
        return Found("G-single", number, read, "is of another state than the rest");
    }
    if (transaction.level != Isolation::kSnapshot || !transaction.committed) return;
    for (const Access& write : transaction.writes) {
      const size_t place = places_.at(write.version);
      if (place == 0) continue;
      const Version& last = versions_.at(write.key)[place - 1];
      if (last.lsn >= before) return Found("P4", number, write, "replaced what it had not seen");
    }
  }

  void CheckStillSo(size_t number) {
    for (const Access& read : history_[number].reads) {
      const Version* const next = Next(read);
      if (next == nullptr || next->transaction == number) continue;
      if (next->lsn < history_[number].lsn) Found("G2", number, read, "was no longer so at commit");
    }
  }

  // Edges: wrote after, read from, was written after a serializable one read. What nobody points to is taken away
  // again and again; what then is left holds a cycle.
  void CheckCycles() {
    std::vector<std::vector<size_t>> after(history_.size());
    std::vector<size_t> before(history_.size());
    const auto add = [&](size_t one, size_t other) {
      if (one == other) return;
      after[one].push_back(other);
      ++before[other];
    };
    for (const auto& [key, versions] : versions_) {
      for (size_t n = 1; n < versions.size(); ++n) {
        add(versions[n - 1].transaction, versions[n].transaction);
      }
    }
    for (size_t i = 0; i < history_.size(); ++i) {
      if (!history_[i].committed) continue;
      for (const Access& read : history_[i].reads) {
        const auto writer = writers_.find(read.version);
        if (read.version != 0 && (writer == writers_.end() || !places_.contains(read.version))) {
          continue;  // told above
        }
        if (read.version != 0) add(writer->second.transaction, i);
        const Version* const next = Next(read);
        if (next != nullptr && history_[i].level == Isolation::kSerializable) {
          add(i, next->transaction);
        }
      }
    }
    std::vector<size_t> ready;
    size_t taken = 0;
    for (size_t i = 0; i < history_.size(); ++i) {
      if (before[i] == 0) ready.push_back(i);
    }
    for (; !ready.empty(); ++taken) {
      const size_t one = ready.back();
      ready.pop_back();
      for (const size_t other : after[one]) {
        if (--before[other] == 0) ready.push_back(other);
      }
    }
    if (taken == history_.size()) return;
    std::string members;
    for (size_t i = 0; i < history_.size() && members.size() < 100; ++i) {
      if (before[i] > 0) absl::StrAppendFormat(&members, " %d", i);
    }
    anomalies_.push_back("cycle: in or behind it are transactions" + members);
  }

  void Found(std::string_view what, size_t number, const Access& access, std::string_view problem) {
    anomalies_.push_back(absl::StrFormat("%s: transaction %d (LSN %d), key %d: version %d %s", what,
                                         number, history_[number].lsn, access.key, access.version,
                                         problem));
  }

  const History& history_;
  absl::flat_hash_map<VersionId, Writer> writers_;
  std::map<int, Versions> versions_;               // by key
  absl::flat_hash_map<VersionId, size_t> places_;  // of committed versions, in their key's order
  std::vector<std::string> anomalies_;
};

}  // namespace

std::vector<std::string> FindAnomalies(const History& history) { return Checker(history).Run(); }

}  // namespace keel::testing
