#include "bench/compare/measurement.h"

namespace keel::compare {
namespace {

// Sixteen buckets a power of two are enough to draw; the percentiles are of the fine ones.
constexpr int kDrawnBits = 4;

Json Percentiles(const Histogram& latencies) {
  return {{"p50", latencies.Percentile(50)},
          {"p95", latencies.Percentile(95)},
          {"p99", latencies.Percentile(99)},
          {"p99.9", latencies.Percentile(99.9)},
          {"max", latencies.max()}};
}

Json Buckets(const Histogram& latencies) {
  Histogram drawn(kDrawnBits);
  drawn.Merge(latencies);
  Json buckets = Json::array();
  for (const Histogram::Bucket& bucket : drawn.buckets()) {
    buckets.push_back({bucket.upper, bucket.count});
  }
  return buckets;
}

Json Seconds(const std::vector<Measurement::Second>& timeline) {
  Json seconds = Json::array();
  for (const Measurement::Second& second : timeline) {
    Json entry = {{"second", second.second}, {"operations", second.operations}};
    if (second.p99_ns) entry["p99_ns"] = *second.p99_ns;
    seconds.push_back(std::move(entry));
  }
  return seconds;
}

}  // namespace

Json ToJson(const Measurement& measurement) {
  Json json = {{"operations", measurement.operations}, {"seconds", measurement.seconds}};
  if (measurement.latencies.count() > 0) {
    json["latency_ns"] = Percentiles(measurement.latencies);
    json["histogram"] = Buckets(measurement.latencies);
  }
  if (!measurement.timeline.empty()) json["timeline"] = Seconds(measurement.timeline);
  const auto add = [&json](const char* name, const std::optional<uint64_t>& figure) {
    if (figure) json[name] = *figure;
  };
  add("peak_memory_bytes", measurement.peak_memory_bytes);
  add("bytes_written", measurement.bytes_written);
  add("file_bytes", measurement.file_bytes);
  add("user_bytes", measurement.user_bytes);
  if (!measurement.extra.empty()) json["extra"] = measurement.extra;
  return json;
}

}  // namespace keel::compare
