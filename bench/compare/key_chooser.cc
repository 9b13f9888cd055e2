#include "bench/compare/key_chooser.h"

#include <algorithm>
#include <bit>

#include "bench/compare/zipfian.h"

namespace keel::compare {
namespace {

template <typename Source>
std::vector<uint64_t> DrawMany(const Rows& rows, uint64_t seed) {
  constexpr uint64_t kLeast = uint64_t{1} << 20;
  constexpr uint64_t kMost = uint64_t{1} << 24;
  const Source source(rows.count());
  Random random(seed);
  std::vector<uint64_t> draws(std::bit_ceil(std::clamp(rows.count(), kLeast, kMost)));
  for (uint64_t& draw : draws) draw = source.Draw(random);
  return draws;
}

}  // namespace

KeyChooser::KeyChooser(const Rows& rows, Distribution distribution, uint64_t seed)
    : rows_(rows), distribution_(distribution), inserts_(rows.count()) {
  if (distribution == Distribution::kZipfian) draws_ = DrawMany<ScrambledZipfian>(rows, seed);
  if (distribution == Distribution::kLatest) draws_ = DrawMany<Zipfian>(rows, seed);
}

}  // namespace keel::compare
