#include "cli/report.h"

#include <absl/time/time.h>

#include <nlohmann/json.hpp>

#include "cli/text.h"

namespace keel::cli {
namespace {

using nlohmann::ordered_json;

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

ordered_json ToJson(const DatabaseStats::Log& log) {
  return {{"since_checkpoint_bytes", log.bytes_since_checkpoint},
          {"segments", log.segments},
          {"spare_segments", log.spare_segments},
          {"segment_bytes", log.segment_bytes},
          {"written_bytes", log.bytes_written},
          {"frames", log.frames},
          {"records", log.records},
          {"syncs", log.syncs},
          {"write_retries", log.write_retries}};
}

ordered_json ToJson(const DatabaseStats::Pages& pages) {
  return {
      {"page_bytes", pages.page_bytes},        {"file_bytes", pages.file_pages * pages.page_bytes},
      {"file_pages", pages.file_pages},        {"free_pages", pages.free_pages},
      {"reserve_pages", pages.reserve_pages},  {"dead_pages_held", pages.dead_pages_held},
      {"damaged_groups", pages.damaged_groups}};
}

ordered_json ToJson(const DatabaseStats::Memory& memory) {
  return {{"budget_bytes", memory.budget_bytes},
          {"frames", memory.frames},
          {"free_frames", memory.free_frames},
          {"dirty_frames", memory.dirty_frames},
          {"table_bytes", memory.table_bytes},
          {"hits", memory.hits},
          {"misses", memory.misses},
          {"evictions", memory.evictions},
          {"pages_read", memory.pages_read},
          {"pages_written", memory.pages_written}};
}

ordered_json ToJson(const DatabaseStats::Checkpoints& checkpoints) {
  return {{"generation", checkpoints.generation},
          {"completed", checkpoints.completed},
          {"failed", checkpoints.failed},
          {"last_error", checkpoints.last_error},
          {"last_ms", Milliseconds(checkpoints.last_duration)},
          {"last_pages", checkpoints.last_pages}};
}

ordered_json SnapshotsToJson(const DatabaseStats& stats) {
  ordered_json list = ordered_json::array();
  for (const DatabaseStats::SnapshotInfo& snapshot : stats.snapshots) {
    list.push_back({{"lsn", snapshot.lsn.value},
                    {"count", snapshot.count},
                    {"pages_held", snapshot.pages_held},
                    {"age_ms", Milliseconds(snapshot.age)}});
  }
  return list;
}

ordered_json KeyspacesToJson(const DatabaseStats& stats) {
  ordered_json list = ordered_json::array();
  for (const DatabaseStats::Keyspace& keyspace : stats.keyspaces) {
    list.push_back({{"name", ToText(keyspace.name)},
                    {"entries", keyspace.entries},
                    {"height", keyspace.height}});
  }
  return list;
}

ordered_json ToJson(const Damage& damage) {
  ordered_json json = {{"place", damage.place}, {"problem", ToText(damage.problem)}};
  if (!damage.keyspace.empty()) json["keyspace"] = ToText(damage.keyspace);
  if (damage.has_key_range) json["key_begin"] = ToText(damage.key_begin);
  if (damage.has_key_range && damage.has_key_end) json["key_end"] = ToText(damage.key_end);
  return json;
}

}  // namespace

ordered_json ToJson(const DatabaseStats& stats) {
  return {{"health", {{"ok", stats.health.ok}, {"reason", stats.health.reason}}},
          {"keyspaces", KeyspacesToJson(stats)},
          {"pages", ToJson(stats.pages)},
          {"log", ToJson(stats.log)},
          {"commits",
           {{"number", stats.commits.number},
            {"by_checkpoint", stats.commits.by_checkpoint},
            {"visible_lsn", stats.commits.visible.value},
            {"durable_lsn", stats.commits.durable.value}}},
          {"checkpoints", ToJson(stats.checkpoints)},
          {"memory", ToJson(stats.memory)},
          {"io",
           {{"backend", stats.io.backend},
            {"backend_reason", stats.io.backend_reason},
            {"direct", stats.io.direct},
            {"flush_method", stats.io.flush_method}}},
          {"snapshots", SnapshotsToJson(stats)}};
}

ordered_json ToJson(const RecoveryReport& report) {
  return {{"created", report.created},
          {"clean", report.clean},
          {"generation", report.generation},
          {"checkpoint_lsn", report.checkpoint_lsn.value},
          {"log_end_lsn", report.log_end.value},
          {"log_end_reason", report.log_end_reason},
          {"log_bytes", report.log_bytes},
          {"frames", report.frames},
          {"transactions_replayed", report.transactions_replayed},
          {"operations_replayed", report.operations_replayed},
          {"transactions_rolled_back", report.transactions_rolled_back},
          {"torn_tail", report.torn_tail},
          {"torn_bytes", report.torn_bytes},
          {"pages_written", report.pages_written},
          {"analysis_ms", Milliseconds(report.analysis_time)},
          {"redo_ms", Milliseconds(report.redo_time)},
          {"checkpoint_ms", Milliseconds(report.checkpoint_time)},
          {"repairs", report.repairs}};
}

ordered_json ToJson(const CheckReport& report) {
  ordered_json damages = ordered_json::array();
  for (const Damage& damage : report.damages) damages.push_back(ToJson(damage));
  return {{"ok", report.ok()},
          {"keyspaces", report.keyspaces},
          {"entries", report.entries},
          {"pages_checked", report.pages_checked},
          {"internal_pages", report.internal_pages},
          {"leaf_pages", report.leaf_pages},
          {"value_pages", report.value_pages},
          {"space_checked", report.space_checked},
          {"leaked_pages", report.leaked_pages},
          {"damages", damages}};
}

}  // namespace keel::cli
