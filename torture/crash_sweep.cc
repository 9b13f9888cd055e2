#include "torture/crash_sweep.h"

#include <absl/strings/str_format.h>

#include <utility>

#include "torture/player.h"

namespace keel::torture {

using fault_injection::BuildCrashImage;
using fault_injection::CrashChoice;
using fault_injection::CrashProfile;
using fault_injection::DiskImage;
using fault_injection::Durability;
using fault_injection::kCrashProfiles;
using fault_injection::Mix;
using fault_injection::SimFileSystem;
using fault_injection::TraceEvent;

namespace {

// Recoveries that found a damaged copy of the superblock, and are swept in turn.
constexpr uint64_t kRepairedOneIn = 2;
// Recoveries after which there may be huge transactions: they cost as much as many recoveries.
constexpr uint64_t kHugeAfterOneIn = 16;

// Whether what happens there is made durable by the next sync of a superblock.
bool WritesSuperblock(const fault_injection::Trace& trace, size_t event) {
  for (; event < trace.size(); ++event) {
    if (trace[event].kind != TraceEvent::Kind::kBarrier) continue;
    return trace[event].purpose == io::SyncPurpose::kSuperblock;
  }
  return false;
}

std::string Describe(const DiskImage& image) {
  std::string text = "\n    the image:";
  for (const std::string& path : image.directories()) absl::StrAppendFormat(&text, " %s/", path);
  for (const auto& [path, inode] : image.names()) {
    absl::StrAppendFormat(&text, " %s (%d bytes)", path, image.file(inode).size());
  }
  return text;
}

}  // namespace

CrashSweep::CrashSweep(const CrashSweepOptions& options, Tally* tally)
    : options_(options), tally_(tally), random_(options.seed) {}

std::optional<CrashFinding> CrashSweep::Run() {
  const std::optional<Recording> recording = RecordWorkload();
  if (recording.has_value()) Sweep(*recording);
  return finding_;
}

std::optional<CrashSweep::Recording> CrashSweep::RecordWorkload() {
  SimFileSystem world({.seed = options_.seed,
                       .direct_io = options_.shape.direct_io,
                       .quickest_flush = options_.shape.flush},
                      options_.start);
  Recording recording{.start = options_.start, .history = options_.history, .depth = 1};
  recording.number = recordings_++;
  recording.bounds = recording.history.bounds();
  Player player(&world, options_.shape, &recording.history);
  player.Open();
  for (const Step& step : options_.script) {
    if (options_.last_step_only) recording.first = world.trace_size();
    player.Do(step);
  }
  tally_->operations += options_.script.size();
  if (options_.last_step_only) recording.trace = world.trace();
  player.Tell(tally_);
  player.Verify();
  player.Close();
  if (!options_.last_step_only) recording.trace = world.trace();
  if (!player.violation().empty()) {
    Fail(recording, {}, "without any crash: " + player.violation());
    return std::nullopt;
  }
  return recording;
}

bool CrashSweep::Chosen(const Recording& recording, size_t event) {
  const size_t events = recording.trace.size();
  if (recording.depth > 1) {
    const uint64_t points = options_.nested_points;
    // A recovery writes both copies of the superblock anew, one after the other: who is cut off
    // there leaves one of them, and the next recovery must not endanger that.
    if (event < recording.recovered && WritesSuperblock(recording.trace, event)) return true;
    if (event < recording.recovered) return random_.Below(recording.recovered) < points;
    return random_.Below(events - recording.recovered) < points / 2;
  }
  if (event < recording.first || event % options_.slices != options_.slice) return false;
  return options_.points == 0 || random_.Below(events - recording.first) < options_.points;
}

bool CrashSweep::Sweep(const Recording& recording) {
  Durability durability(recording.start);
  Bounds bounds = recording.bounds;
  for (size_t event = 0; event < recording.trace.size(); ++event) {
    const TraceEvent& happened = recording.trace[event];
    durability.Replay(happened);
    if (happened.kind == TraceEvent::Kind::kMark) DecodeMark(happened.mark, &bounds);
    if (happened.kind == TraceEvent::Kind::kBarrier) {
      last_sync_ = happened.purpose;
      continue;
    }
    if (!Chosen(recording, event)) continue;
    if (options_.stop()) {
      ++tally_->cut_short;
      return false;
    }
    ++tally_->crash_points;
    if (!CrashHere(recording, durability, bounds, event)) return false;
  }
  return true;
}

bool CrashSweep::CrashHere(const Recording& recording, const Durability& durability,
                           const Bounds& bounds, size_t event) {
  bool good = true;
  fault_injection::ForEachCrashChoice(
      durability, options_.budget, random_, [&](const CrashChoice& choice) {
        for (const CrashProfile profile : kCrashProfiles) {
          if (!good) return;
          const DiskImage image =
              BuildCrashImage(durability, Restrict(profile, durability, choice));
          good = Try(recording, image, bounds, {event, choice.strategy, profile});
        }
      });
  return good;
}

bool CrashSweep::Try(const Recording& recording, const DiskImage& image, const Bounds& bounds,
                     const Place& place) {
  const uint64_t key = Mix(image.Hash() ^ Mix(recording.number));
  const auto seen = seen_.find(key);
  if (seen == seen_.end()) return Recover(recording, image, bounds, place);
  const uint64_t commits = seen->second;
  if (commits >= bounds.acknowledged && commits <= bounds.begun) return true;
  return Fail(recording, place,
              absl::StrFormat("an image seen before has %d commits; %d were durable, %d begun",
                              commits, bounds.acknowledged, bounds.begun));
}

bool CrashSweep::Recover(const Recording& recording, const DiskImage& image, const Bounds& bounds,
                         const Place& place) {
  const uint64_t seed = random_.Next();
  const bool may_nest = recording.depth < options_.max_depth;
  SimFileSystem world({.seed = seed,
                       .direct_io = options_.shape.direct_io,
                       .keep_trace = may_nest,
                       .quickest_flush = options_.shape.flush},
                      image);
  Recording next{.start = image,
                 .history = recording.history,
                 .depth = recording.depth + 1,
                 .number = recordings_};
  next.history.set_bounds(bounds);
  Player player(&world, options_.shape, &next.history);
  player.Open();
  next.recovered = may_nest ? world.trace_size() : 0;
  const uint64_t commits = player.commits();
  next.bounds = {commits, commits};
  ++tally_->images[static_cast<size_t>(place.strategy)][static_cast<size_t>(place.profile)];
  ++tally_->recoveries[recording.depth];
  if (player.violation().empty()) Note(player.recovery_report(), bounds, commits, recording.depth);
  if (player.violation().empty()) player.Verify();
  Shape after = options_.shape;
  after.huge = seed % kHugeAfterOneIn == 0;
  player.Play(MakeScript(after, seed, options_.after));
  player.Play({{Operation::kBatch, seed}, {Operation::kCheckpoint}, {Operation::kReopen}});
  if (player.violation().empty()) player.Verify();
  player.Close();
  if (!player.violation().empty()) {
    return Fail(recording, place, player.violation() + Describe(image));
  }
  seen_.emplace(Mix(image.Hash() ^ Mix(recording.number)), commits);
  if (random_.OneIn(16) && !ReadOnlyLeavesNoTrace(image, commits, recording, place)) return false;
  // With one copy of the superblock damaged, the other is all there is: the moments after that are
  // rare, and worth more than others.
  const bool repaired = !player.recovery_report().repairs.empty();
  if (!may_nest || !random_.OneIn(repaired ? kRepairedOneIn : options_.nested_one_in)) return true;
  ++recordings_;
  next.trace = world.trace();
  return Sweep(next);
}

bool CrashSweep::ReadOnlyLeavesNoTrace(const DiskImage& image, uint64_t commits,
                                       const Recording& recording, const Place& place) {
  SimFileSystem world({.seed = options_.seed, .direct_io = options_.shape.direct_io}, image);
  Options options = options_.shape.Options(&world);
  options.read_only = true;
  const auto opened = Database::Open("/db", options);
  const bool made = !absl::IsNotFound(opened.status());
  if (!opened.ok() && made) {
    return Fail(recording, place, "read-only open: " + opened.status().ToString());
  }
  const uint64_t found = opened.ok() ? CommitsIn(**opened) : 0;
  if (found != commits) {
    return Fail(recording, place,
                absl::StrFormat("read-only open shows %d commits, recovery %d", found, commits));
  }
  tally_->Met("opened read only after a crash", opened.ok());
  if (world.trace_size() == 0) return true;
  return Fail(recording, place, "read-only open has changed the disk");
}

void CrashSweep::Note(const RecoveryReport& report, const Bounds& bounds, uint64_t commits,
                      size_t depth) {
  if (options_.start.names().empty()) {
    tally_->Met("created anew after a crash while it was created", report.created);
  }
  tally_->Met("log replayed", report.transactions_replayed > 0);
  tally_->Met("streamed transaction rolled back", report.transactions_rolled_back > 0);
  tally_->Met("torn log tail discarded", report.torn_tail);
  tally_->Met("damaged superblock copy rewritten", !report.repairs.empty());
  tally_->Met("clean after a crash", report.clean && !report.created);
  tally_->Met("a commit survived that nobody had been told of", commits > bounds.acknowledged);
  tally_->Met("a commit that was begun has vanished", commits < bounds.begun);
  const bool by_checkpoint =
      bounds.by_checkpoint == bounds.begun && bounds.acknowledged < bounds.begun;
  tally_->Met("crash within a commit by checkpoint: it is not there",
              by_checkpoint && commits < bounds.begun);
  if (options_.max_depth < 2) {
    tally_->Met("crash within a commit by checkpoint: it is there",
                by_checkpoint && commits == bounds.begun);
  }
  tally_->Met(absl::StrFormat("crash after a sync of: %s", SyncPurposeName(last_sync_)));
  if (options_.shape.ballast) {
    tally_->Met("crash after a sync of: data growth", last_sync_ == io::SyncPurpose::kDataGrowth);
  }
  if (options_.max_depth < 2) return;
  tally_->Met("crash within a recovery (depth 2)", depth == 2);
  tally_->Met("crash within a recovery from such a crash (depth 3)", depth == 3);
}

bool CrashSweep::Fail(const Recording& recording, const Place& place, const std::string& what) {
  const std::string where = absl::StrFormat(
      "depth %d, event %d of %d, strategy %s, profile %s", recording.depth, place.event,
      recording.trace.size(), CrashStrategyName(place.strategy), CrashProfileName(place.profile));
  finding_ = {where, what};
  return false;
}

}  // namespace keel::torture
