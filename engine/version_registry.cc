#include "engine/version_registry.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "engine/fork_guard.h"
#include "io/latch.h"

namespace keel::engine {

using Purpose = pager::Reclaimer::Purpose;

namespace {

// Deaths examined with each move of the visible version: a few, and more than it brought, so that the queue drains
// and the file does not grow for want of pages that only had to be looked at.
constexpr uint64_t kExaminePages = 64;
constexpr uint64_t kExamineFactor = 2;
// Retired versions that are worth a look at the guards.
constexpr size_t kRetiredVersions = 64;

}  // namespace

void VersionKeeper::Release() {
  if (registry_ == nullptr) return;
  released_ = version_->shared_from_this();
  Leave();
}

void VersionKeeper::Leave() {
  if (registry_ == nullptr) return;
  VersionRegistry& registry = *std::exchange(registry_, nullptr);
  if (ForkGeneration() != registry.process_) return;  // a thread of the parent may hold its mutex
  const Epoch epoch = version_->epoch;                // behind Leave the version may be gone
  if (version_->readers.Leave()) registry.Settle({epoch, version_});
}

VersionRegistry::VersionRegistry(const std::shared_ptr<const Version>& recovered,
                                 pager::PageCache* cache, pager::GuardDomain* guards)
    : cache_(cache),
      guards_(guards),
      process_(ForkGeneration()),
      visible_raw_(recovered.get()),
      visible_(recovered) {
  reclaimer_.AddKeeper(recovered->epoch, Purpose::kRecovery);
}

std::shared_ptr<const Version> VersionRegistry::Visible() const {
  const io::LatchLock lock(&mutex_);
  return visible_;
}

std::shared_ptr<const Version> VersionRegistry::Newest() const {
  absl::MutexLock lock(&mutex_);
  return published_.empty() ? visible_ : published_.back().version;
}

std::vector<Epoch> VersionRegistry::Keepers() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Epoch> epochs = reclaimer_.Keepers();
  epochs.push_back(visible_->epoch);
  for (const Published& published : published_) epochs.push_back(published.version->epoch);
  std::ranges::sort(epochs);
  return epochs;
}

VersionKeeper VersionRegistry::KeepVisible() {
  KeptKey key;
  {
    const pager::ReadGuard guard(
        *guards_);  // the version stays (V4), until it is known whether it is ours
    const Version* const version = visible();
    if (version == nullptr) return {};
    if (version->readers.Enter()) [[likely]]
      return VersionKeeper(this, version);
    if (version->readers.Leave()) key = {version->epoch, version};
  }
  if (key.second != nullptr) Settle(key);
  const io::LatchLock lock(&mutex_);
  if (hidden_) return {};
  KEEL_CHECK(visible_->readers.Enter());
  return VersionKeeper(this, visible_.get());
}

// From now on those who read the visible version are among the keepers (V7). Does nothing the second time.
void VersionRegistry::CloseVisible() {
  if (visible_->readers.closed() || !visible_->readers.Close()) return;
  reclaimer_.AddKeeper(visible_->epoch);
  kept_.emplace(KeptKey{visible_->epoch, visible_.get()}, visible_);
}

// Gives up a version that was kept, unless somebody has done it, or is in.
void VersionRegistry::Settle(KeptKey key) {
  pager::PageSet freed;
  {
    const io::LatchLock lock(&mutex_);
    const auto kept = kept_.find(key);
    if (kept == kept_.end() || !kept->second->readers.Settle()) return;
    RetireVersion(std::move(kept->second));
    kept_.erase(kept);
    reclaimer_.ReleaseKeeper(key.first, &freed);
  }
  if (!freed.empty()) cache_->Retire(freed);
}

// Whoever is in a guard may look at it yet (V4).
void VersionRegistry::RetireVersion(std::shared_ptr<const Version> version) {
  retired_.push_back(Retired{guards_->Retire(), std::move(version)});
  if (retired_.size() >= kRetiredVersions) DropRetired();
}

void VersionRegistry::ReleaseKeeper(Epoch epoch) {
  pager::PageSet freed;
  {
    absl::MutexLock lock(&mutex_);
    reclaimer_.ReleaseKeeper(epoch, &freed, Purpose::kRecovery);
  }
  if (!freed.empty()) cache_->Retire(freed);
}

pager::Reclaimer::Holder VersionRegistry::HolderOf(Epoch birth) const {
  const io::LatchLock lock(&mutex_);
  KEEL_CHECK(hidden_);
  return reclaimer_.HolderOf(birth, Epoch{std::numeric_limits<uint64_t>::max()});
}

void VersionRegistry::Publish(std::shared_ptr<const Version> version, pager::DeadPages deaths) {
  const io::LatchLock lock(&mutex_);
  published_.push_back(Published{std::move(version), std::move(deaths)});
}

void VersionRegistry::AdvanceVisible(Lsn lsn) { Advance(lsn, /*durable=*/true); }

bool VersionRegistry::AdvanceUndurable(Lsn lsn) { return Advance(lsn, /*durable=*/false); }

void VersionRegistry::Freeze() {
  absl::MutexLock lock(&mutex_);
  frozen_ = true;
}

bool VersionRegistry::Advance(Lsn lsn, bool durable) {
  Examined examined;
  {
    const io::LatchLock lock(&mutex_);
    if (frozen_ && !durable) return false;
    AdvanceLocked(lsn, &examined);
  }
  GiveBack(examined);
  return true;
}

void VersionRegistry::AdvanceLocked(Lsn lsn, Examined* examined) {
  absl::InlinedVector<std::shared_ptr<const Version>, 4> passed;
  const uint64_t waiting = reclaimer_.unexamined();
  while (!published_.empty() && published_.front().version->lsn <= lsn) {
    Published& next = published_.front();
    CloseVisible();
    reclaimer_.AddDeaths(next.version->epoch, std::move(next.deaths));
    passed.push_back(std::exchange(visible_, std::move(next.version)));
    published_.pop_front();
  }
  if (passed.empty()) return;
  // Once, and to the last: one in between may be older than what was visible while it was hidden (V5).
  if (!hidden_) visible_raw_.store(visible_.get(), std::memory_order_seq_cst);
  for (std::shared_ptr<const Version>& version : passed) RetireVersion(std::move(version));
  const uint64_t brought = reclaimer_.unexamined() - waiting;
  reclaimer_.Examine(kExaminePages + kExamineFactor * brought, &examined->freed, &examined->unread);
}

void VersionRegistry::GiveBack(const Examined& examined) {
  if (!examined.freed.empty()) cache_->Retire(examined.freed);
  if (!examined.unread.empty()) cache_->Supersede(examined.unread);
}

void VersionRegistry::Hide() {
  const io::LatchLock lock(&mutex_);
  KEEL_CHECK(!hidden_);
  hidden_ = true;
  visible_raw_.store(nullptr, std::memory_order_seq_cst);
  CloseVisible();
}

void VersionRegistry::Reveal(std::shared_ptr<const Version> version, pager::DeadPages deaths) {
  Examined examined;
  {
    const io::LatchLock lock(&mutex_);
    KEEL_CHECK(hidden_ && !frozen_);
    hidden_ = false;
    const Lsn lsn = version->lsn;
    published_.push_back(Published{std::move(version), std::move(deaths)});
    AdvanceLocked(lsn, &examined);
  }
  GiveBack(examined);
}

void VersionRegistry::DropRetired() {
  if (!guards_->Passed(retired_.front().stamp)) guards_->Refresh();
  while (!retired_.empty() && guards_->Passed(retired_.front().stamp)) retired_.pop_front();
}

std::shared_ptr<const Version> VersionRegistry::KeepForCheckpoint() {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(!hidden_);
  reclaimer_.AddKeeper(visible_->epoch, Purpose::kRecovery);
  return visible_;
}

void VersionRegistry::KeepUnpublished(Epoch epoch) {
  absl::MutexLock lock(&mutex_);
  KEEL_CHECK(!hidden_ && published_.empty() && visible_->epoch < epoch);
  reclaimer_.AddKeeper(epoch, Purpose::kRecovery);
}

pager::PageSet VersionRegistry::DiedBetween(Epoch older, Epoch newer) const {
  absl::MutexLock lock(&mutex_);
  return reclaimer_.DiedBetween(older, newer);
}

uint64_t VersionRegistry::Reclaim(uint64_t max_pages) {
  Examined examined;
  uint64_t remaining = 0;
  {
    absl::MutexLock lock(&mutex_);
    reclaimer_.Examine(max_pages, &examined.freed, &examined.unread);
    remaining = reclaimer_.unexamined();
    if (!retired_.empty()) DropRetired();
  }
  GiveBack(examined);
  return remaining;
}

std::vector<VersionRegistry::KeptVersion> VersionRegistry::KeptVersions(size_t most) const {
  absl::MutexLock lock(&mutex_);
  std::vector<KeptVersion> versions;
  for (const auto& [key, version] : kept_) {
    if (versions.size() == most) break;
    const pager::Reclaimer::Held held = reclaimer_.HeldBy(version->epoch);
    versions.push_back(
        {version->epoch, version->lsn, version->readers.count(), held.alone + held.shared});
  }
  return versions;
}

uint64_t VersionRegistry::ReturnedByCheckpoint(Epoch last) const {
  absl::MutexLock lock(&mutex_);
  return reclaimer_.HeldBy(last).alone + reclaimer_.unexamined();
}

uint64_t VersionRegistry::PagesHeldBy(Epoch epoch) const {
  absl::MutexLock lock(&mutex_);
  const pager::Reclaimer::Held held = reclaimer_.HeldBy(epoch);
  return held.alone + held.shared;
}

uint64_t VersionRegistry::dead_pages_held() const {
  absl::MutexLock lock(&mutex_);
  return reclaimer_.held() + reclaimer_.unexamined();
}

uint64_t VersionRegistry::pending() const {
  absl::MutexLock lock(&mutex_);
  return published_.size();
}

}  // namespace keel::engine
