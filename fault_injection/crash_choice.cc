#include "fault_injection/crash_choice.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

namespace keel::fault_injection {
namespace {

// All numbers below `count`, or `most` of them: the last, where new things are, and some others.
std::vector<size_t> Some(size_t count, size_t most, SeededRandom& random) {
  std::set<size_t> chosen;
  if (count <= most) {
    for (size_t i = 0; i < count; ++i) chosen.insert(i);
  } else {
    for (size_t i = 0; i < most / 2; ++i) chosen.insert(count - 1 - i);
    while (chosen.size() < most) chosen.insert(random.Below(count));
  }
  return {chosen.begin(), chosen.end()};
}

class Enumerator {
 public:
  Enumerator(const Durability& durability, const CrashBudget& budget, SeededRandom& random,
             absl::FunctionRef<void(const CrashChoice&)> callback)
      : pending_(durability.pending()), budget_(budget), random_(random), callback_(callback) {}

  void Run() {
    Try(CrashStrategy::kNone, [](size_t) { return false; });
    if (pending_.empty()) return;
    Try(CrashStrategy::kAll, [](size_t) { return true; });
    if (pending_.size() <= budget_.exhaustive_max) {
      EverySubset();
    } else {
      OneByOne();
    }
    ByFile();
    Try(CrashStrategy::kMetadataOnly, [this](size_t i) { return !IsData(i); });
    Try(CrashStrategy::kDataOnly, [this](size_t i) { return IsData(i); });
    Torn();
    Garbage();
    Shredded();
    for (size_t n = 0; n < budget_.random; ++n) Random();
  }

 private:
  bool IsData(size_t i) const { return pending_[i].effect->IsData(); }

  template <typename Keep>
  CrashChoice Make(CrashStrategy strategy, Keep keep) const {
    CrashChoice choice;
    choice.strategy = strategy;
    for (size_t i = 0; i < pending_.size(); ++i) {
      choice.kept.push_back(keep(i) ? pending_[i].sectors : SectorMask{0});
    }
    return choice;
  }

  template <typename Keep>
  void Try(CrashStrategy strategy, Keep keep) {
    callback_(Make(strategy, keep));
  }

  void EverySubset() {
    for (uint64_t bits = 1; bits + 1 < uint64_t{1} << pending_.size(); ++bits) {
      Try(CrashStrategy::kExhaustive, [bits](size_t i) { return (bits >> i & 1) != 0; });
    }
  }

  void OneByOne() {
    const size_t count = pending_.size();
    for (const size_t n : Some(count - 1, budget_.each, random_)) {
      Try(CrashStrategy::kPrefix, [n](size_t i) { return i <= n; });
      Try(CrashStrategy::kSuffix, [n](size_t i) { return i > n; });
    }
    for (const size_t n : Some(count, budget_.each, random_)) {
      Try(CrashStrategy::kAllButOne, [n](size_t i) { return i != n; });
      Try(CrashStrategy::kOnlyOne, [n](size_t i) { return i == n; });
    }
  }

  void ByFile() {
    std::set<std::string> places;
    for (const PendingEffect& pending : pending_) places.insert(PlaceOf(*pending.effect));
    if (places.size() < 2) return;
    for (const std::string& place : places) {
      const auto inside = [&](size_t i) { return PlaceOf(*pending_[i].effect) == place; };
      Try(CrashStrategy::kByFile, inside);
      Try(CrashStrategy::kByFile, [&](size_t i) { return !inside(i); });
    }
  }

  static std::string PlaceOf(const Effect& effect) {
    return effect.IsOfFile() ? std::to_string(effect.inode) : ParentOf(effect.path);
  }

  void Torn() {
    for (size_t n = 0; n < budget_.torn; ++n) {
      CrashChoice choice = Make(CrashStrategy::kTorn, [](size_t) { return true; });
      if (n % 2 == 0 ? TearNewest(&choice) : TearAll(&choice)) callback_(choice);
    }
  }

  void Shredded() {
    for (size_t n = 0; n < budget_.shredded; ++n) {
      CrashChoice choice = Make(CrashStrategy::kShredded, [](size_t) { return true; });
      choice.shredded = true;
      choice.seed = random_.Next();
      if (n % 2 == 0 ? TearNewest(&choice) : TearAll(&choice)) callback_(choice);
    }
  }

  // Of the newest write only the front survives, or only the end. False if there is none.
  bool TearNewest(CrashChoice* choice) {
    for (size_t i = pending_.size(); i-- > 0;) {
      if (!IsData(i)) continue;
      const uint64_t sectors = 1 + random_.Below(kBlockSectors - 1);
      const auto front = static_cast<SectorMask>((1U << sectors) - 1);
      choice->kept[i] &= random_.OneIn(2) ? front : static_cast<SectorMask>(~front);
      return true;
    }
    return false;
  }

  // Of every write some sectors survive.
  bool TearAll(CrashChoice* choice) {
    bool any = false;
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (!IsData(i)) continue;
      choice->kept[i] &= static_cast<SectorMask>(random_.Next());
      any = true;
    }
    return any;
  }

  void Garbage() {
    for (size_t n = 0; n < budget_.garbage; ++n) {
      const double share = n == 0 ? 0 : 0.5;
      CrashChoice choice = Make(CrashStrategy::kGarbage,
                                [&](size_t i) { return !IsData(i) || random_.Chance(share); });
      choice.garbage = true;
      choice.seed = random_.Next();
      callback_(choice);
    }
  }

  void Random() {
    constexpr std::array kShares = {0.1, 0.5, 0.9};
    const double share = kShares[random_.Below(kShares.size())];
    CrashChoice choice =
        Make(CrashStrategy::kRandom, [&](size_t) { return random_.Chance(share); });
    for (size_t i = 0; i < choice.kept.size(); ++i) {
      if (IsData(i) && random_.OneIn(8)) choice.kept[i] &= static_cast<SectorMask>(random_.Next());
    }
    callback_(choice);
  }

  const std::vector<PendingEffect>& pending_;
  const CrashBudget& budget_;
  SeededRandom& random_;
  absl::FunctionRef<void(const CrashChoice&)> callback_;
};

// Drops everything behind the first effect that is missing or torn.
void RestrictToPrefix(const std::vector<PendingEffect>& pending, CrashChoice* choice) {
  bool whole = true;
  for (size_t i = 0; i < pending.size(); ++i) {
    if (!whole) choice->kept[i] = 0;
    whole = whole && choice->kept[i] == pending[i].sectors;
  }
}

// Names only in their order; with `sizes`, sizes among them, and only over data that is there.
void RestrictMetadata(const std::vector<PendingEffect>& pending, bool sizes, CrashChoice* choice) {
  bool in_order = true;
  std::set<InodeId> torn;
  for (size_t i = 0; i < pending.size(); ++i) {
    const Effect& effect = *pending[i].effect;
    SectorMask& kept = choice->kept[i];
    if (effect.IsData()) {
      if (kept != pending[i].sectors) torn.insert(effect.inode);
      continue;
    }
    if (effect.IsOfFile() && !sizes) continue;
    if (effect.IsOfFile() && torn.contains(effect.inode)) kept = 0;
    if (!in_order) kept = 0;
    in_order = in_order && kept != 0;
  }
}

// A rename happens whole or not at all.
void RestrictRenames(const std::vector<PendingEffect>& pending, CrashChoice* choice) {
  std::set<uint64_t> missing;
  for (size_t i = 0; i < pending.size(); ++i) {
    if (pending[i].effect->pair != 0 && choice->kept[i] == 0)
      missing.insert(pending[i].effect->pair);
  }
  for (size_t i = 0; i < pending.size(); ++i) {
    if (missing.contains(pending[i].effect->pair)) choice->kept[i] = 0;
  }
}

// What may stand where nothing was written: anything, or what some other place was given.
BlockRef Garbage(const std::vector<PendingEffect>& pending, SeededRandom& random) {
  const Effect& other = *pending[random.Below(pending.size())].effect;
  if (other.bytes != nullptr && random.OneIn(2)) return other.bytes;
  std::array<std::byte, kBlockBytes> bytes;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next());
  return MakeBlock(bytes);
}

// What may stand where a write was under way: the old, the new up to some byte and the old from there, anything.
BlockRef Shred(const BlockRef& old, const BlockRef& written, SectorMask sectors,
               SeededRandom& random) {
  std::array<std::byte, kBlockBytes> bytes;
  CopyOut(old, 0, bytes);
  for (size_t sector = 0; sector < kBlockSectors; ++sector) {
    const uint64_t what = random.Below(4);
    if ((sectors >> sector & 1) == 0 || what < 2) continue;
    const auto place = std::span(bytes).subspan(sector * kSectorBytes, kSectorBytes);
    if (what == 2) {
      CopyOut(written, sector * kSectorBytes, place.first(1 + random.Below(kSectorBytes - 1)));
    } else {
      for (std::byte& byte : place) byte = static_cast<std::byte>(random.Next());
    }
  }
  return MakeBlock(bytes);
}

// In the order of the writes: what came later stands over what was torn before.
void ApplyShredded(const PendingEffect& pending, SectorMask kept, SeededRandom& random,
                   DiskImage* image) {
  const Effect& effect = *pending.effect;
  const auto missing = static_cast<SectorMask>(pending.sectors & ~kept);
  if (!effect.IsData() || missing == 0) return;
  const BlockRef old = image->file(effect.inode).GetBlock(effect.block);
  image->MutableFile(effect.inode)
      ->SetBlock(effect.block, Shred(old, effect.bytes, missing, random));
}

void AddGarbage(const Durability& durability, const CrashChoice& choice, DiskImage* image) {
  SeededRandom random(choice.seed);
  const auto& pending = durability.pending();
  for (size_t i = 0; i < pending.size(); ++i) {
    const Effect& effect = *pending[i].effect;
    if (!effect.IsData() || choice.kept[i] == pending[i].sectors) continue;
    const uint64_t begin = effect.block * kBlockBytes;
    if (begin < durability.durable().file(effect.inode).size()) continue;
    if (begin >= image->file(effect.inode).size()) continue;
    const auto missing = static_cast<SectorMask>(pending[i].sectors & ~choice.kept[i]);
    const BlockRef before = image->file(effect.inode).GetBlock(effect.block);
    image->MutableFile(effect.inode)
        ->SetBlock(effect.block, MergeSectors(before, Garbage(pending, random), missing));
  }
}

}  // namespace

std::string_view CrashProfileName(CrashProfile profile) {
  switch (profile) {
    case CrashProfile::kPrefix:
      return "prefix";
    case CrashProfile::kOrdered:
      return "ordered";
    case CrashProfile::kUnordered:
      return "unordered";
    case CrashProfile::kHostile:
      return "hostile";
  }
  return "unknown";
}

std::string_view CrashStrategyName(CrashStrategy strategy) {
  switch (strategy) {
    case CrashStrategy::kNone:
      return "none";
    case CrashStrategy::kAll:
      return "all";
    case CrashStrategy::kPrefix:
      return "prefix";
    case CrashStrategy::kSuffix:
      return "suffix";
    case CrashStrategy::kAllButOne:
      return "all but one";
    case CrashStrategy::kOnlyOne:
      return "only one";
    case CrashStrategy::kByFile:
      return "by file";
    case CrashStrategy::kMetadataOnly:
      return "metadata only";
    case CrashStrategy::kDataOnly:
      return "data only";
    case CrashStrategy::kTorn:
      return "torn";
    case CrashStrategy::kGarbage:
      return "garbage";
    case CrashStrategy::kShredded:
      return "shredded";
    case CrashStrategy::kExhaustive:
      return "exhaustive";
    case CrashStrategy::kRandom:
      return "random";
  }
  return "unknown";
}

void ForEachCrashChoice(const Durability& durability, const CrashBudget& budget,
                        SeededRandom& random,
                        absl::FunctionRef<void(const CrashChoice&)> callback) {
  Enumerator(durability, budget, random, callback).Run();
}

CrashChoice Restrict(CrashProfile profile, const Durability& durability, CrashChoice choice) {
  const auto& pending = durability.pending();
  if (profile != CrashProfile::kHostile) choice.garbage = choice.shredded = false;
  switch (profile) {
    case CrashProfile::kPrefix:
      RestrictRenames(pending, &choice);
      RestrictToPrefix(pending, &choice);
      break;
    case CrashProfile::kOrdered:
    case CrashProfile::kUnordered:
      RestrictRenames(pending, &choice);
      RestrictMetadata(pending, profile == CrashProfile::kOrdered, &choice);
      RestrictRenames(pending, &choice);
      break;
    case CrashProfile::kHostile:
      break;
  }
  return choice;
}

DiskImage BuildCrashImage(const Durability& durability, const CrashChoice& choice) {
  DiskImage image = durability.durable();
  const auto& pending = durability.pending();
  SeededRandom random(choice.seed);
  for (size_t i = 0; i < pending.size(); ++i) {
    if (choice.kept[i] != 0) image.Apply(*pending[i].effect, choice.kept[i]);
    if (choice.shredded) ApplyShredded(pending[i], choice.kept[i], random, &image);
  }
  if (choice.garbage) AddGarbage(durability, choice, &image);
  image.Settle();
  return image;
}

}  // namespace keel::fault_injection
