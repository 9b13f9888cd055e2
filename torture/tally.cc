#include "torture/tally.h"

#include <absl/strings/str_format.h>

#include <numeric>

namespace keel::torture {

using fault_injection::CrashProfileName;
using fault_injection::CrashStrategy;
using fault_injection::CrashStrategyName;
using fault_injection::kCrashProfiles;
using fault_injection::kCrashStrategies;

void Tally::Add(const Tally& other) {
  cases += other.cases;
  cut_short += other.cut_short;
  operations += other.operations;
  crash_points += other.crash_points;
  faults += other.faults;
  for (size_t s = 0; s < images.size(); ++s) {
    for (size_t p = 0; p < images[s].size(); ++p) images[s][p] += other.images[s][p];
  }
  for (size_t d = 0; d < recoveries.size(); ++d) recoveries[d] += other.recoveries[d];
  for (const auto& [state, count] : other.sometimes) sometimes[state] += count;
  violations.insert(violations.end(), other.violations.begin(), other.violations.end());
}

uint64_t Tally::Images() const {
  uint64_t total = 0;
  for (const auto& row : images) total = std::accumulate(row.begin(), row.end(), total);
  return total;
}

uint64_t Tally::Nested() const {
  return std::accumulate(recoveries.begin() + 2, recoveries.end(), uint64_t{0});
}

namespace {

std::string ImageTable(const Tally& tally) {
  std::string text = absl::StrFormat("%-14s", "distinct images");
  for (const auto profile : kCrashProfiles) {
    absl::StrAppendFormat(&text, "%12s", CrashProfileName(profile));
  }
  text += '\n';
  for (size_t s = 0; s < kCrashStrategies; ++s) {
    absl::StrAppendFormat(&text, "  %-13s", CrashStrategyName(static_cast<CrashStrategy>(s)));
    for (const uint64_t count : tally.images[s]) absl::StrAppendFormat(&text, "%12d", count);
    text += '\n';
  }
  return text;
}

}  // namespace

std::string Describe(const Tally& tally) {
  std::string text;
  if (tally.Images() > 0) text = ImageTable(tally);
  absl::StrAppendFormat(&text, "%d cases, %d operations, %d crash points, %d injected faults\n",
                        tally.cases, tally.operations, tally.crash_points, tally.faults);
  if (tally.cut_short > 0) {
    absl::StrAppendFormat(&text, "%d cases cut short, since time was up\n", tally.cut_short);
  }
  absl::StrAppendFormat(&text, "%d distinct crash images, %d recoveries within recoveries\n",
                        tally.Images(), tally.Nested());
  for (const auto& [state, count] : tally.sometimes) {
    absl::StrAppendFormat(&text, "  %-60s %12d%s\n", state, count, count == 0 ? "  NEVER" : "");
  }
  return text;
}

}  // namespace keel::torture
