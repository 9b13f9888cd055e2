#include "cli/report.h"

#include <absl/time/time.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

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

ordered_json ToJson(const DatabaseStats::Health& health) {
  return {{"state", HealthStateName(health.state)}, {"ok", health.ok}, {"reason", health.reason}};
}

ordered_json IssuesToJson(const DatabaseStats::Health& health) {
  ordered_json list = ordered_json::array();
  for (const HealthIssue& issue : health.issues) {
    list.push_back({{"issue", HealthIssueName(issue.kind)}, {"message", issue.message}});
  }
  return list;
}

ordered_json ToJson(const DatabaseStats::Disk& disk) {
  ordered_json json;
  if (disk.free_bytes != UINT64_MAX) json["free_bytes"] = disk.free_bytes;
  json["data_file_bytes"] = disk.file_bytes;
  json["data_file_free_bytes"] = disk.file_free_bytes;
  json["writes_refused"] = disk.writes_refused;
  return json;
}

ordered_json ToJson(const DatabaseStats::Commits& commits) {
  return {{"number", commits.number},
          {"visible_lsn", commits.visible.value},
          {"durable_lsn", commits.durable.value},
          {"by_checkpoint", commits.by_checkpoint},
          {"groups", commits.groups},
          {"grouped", commits.grouped},
          {"waiting", commits.waiting},
          {"undurable", commits.undurable},
          {"undurable_bytes", commits.undurable_bytes},
          {"undurable_age_ms", Milliseconds(commits.undurable_age)},
          {"async_waits", commits.async_waits},
          {"durable_callbacks", commits.durable_callbacks},
          {"latched_lookups", commits.latched_lookups}};
}

ordered_json SnapshotsToJson(const DatabaseStats& stats) {
  ordered_json list = ordered_json::array();
  for (const DatabaseStats::SnapshotInfo& snapshot : stats.snapshots) {
    list.push_back({{"kind", SnapshotKindName(snapshot.kind)},
                    {"label", ToText(snapshot.label)},
                    {"age_ms", Milliseconds(snapshot.age)},
                    {"lsn", snapshot.lsn.value},
                    {"pages_held", snapshot.pages_held},
                    {"held_bytes", snapshot.bytes_held}});
  }
  return list;
}

ordered_json ToJson(const DatabaseStats::SnapshotTotals& totals) {
  return {{"open", totals.open},
          {"refused", totals.refused},
          {"warned", totals.warned},
          {"expired", totals.expired}};
}

std::string_view IsolationName(Isolation isolation) {
  switch (isolation) {
    case Isolation::kSerializable:
      return "serializable";
    case Isolation::kSnapshot:
      return "snapshot";
    case Isolation::kReadCommitted:
      return "read committed";
  }
  return "unknown";
}

ordered_json TransactionsToJson(const DatabaseStats& stats) {
  ordered_json list = ordered_json::array();
  for (const DatabaseStats::TransactionInfo& transaction : stats.transactions) {
    const bool exclusive = transaction.concurrency == Concurrency::kExclusive;
    ordered_json json = {{"kind", exclusive ? "exclusive" : "optimistic"},
                         {"isolation", IsolationName(transaction.isolation)},
                         {"label", ToText(transaction.label)},
                         {"age_ms", Milliseconds(transaction.age)},
                         {"changes", transaction.changes},
                         {"memory_bytes", transaction.memory_bytes},
                         {"held_bytes", transaction.bytes_held}};
    if (transaction.time_limit != absl::InfiniteDuration()) {
      json["time_limit_ms"] = Milliseconds(transaction.time_limit);
    }
    list.push_back(std::move(json));
  }
  return list;
}

ordered_json ToJson(const DatabaseStats::TransactionTotals& totals) {
  return {{"exclusive", totals.exclusive},
          {"optimistic", totals.optimistic},
          {"timed_out", totals.timed_out}};
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
  return {{"health", ToJson(stats.health)},
          {"health_issues", IssuesToJson(stats.health)},
          {"disk", ToJson(stats.disk)},
          {"keyspaces", KeyspacesToJson(stats)},
          {"pages", ToJson(stats.pages)},
          {"log", ToJson(stats.log)},
          {"commits", ToJson(stats.commits)},
          {"checkpoints", ToJson(stats.checkpoints)},
          {"memory", ToJson(stats.memory)},
          {"io",
           {{"backend", stats.io.backend},
            {"backend_reason", stats.io.backend_reason},
            {"direct", stats.io.direct},
            {"flush_method", stats.io.flush_method}}},
          {"snapshot_totals", ToJson(stats.snapshot_totals)},
          {"snapshots", SnapshotsToJson(stats)},
          {"transaction_totals", ToJson(stats.transaction_totals)},
          {"transactions", TransactionsToJson(stats)}};
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
