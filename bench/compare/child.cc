#include "bench/compare/child.h"

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/status.h"
#include "bench/compare/clock.h"
#include "bench/compare/floors.h"
#include "bench/compare/memory_limit.h"
#include "bench/compare/random.h"
#include "bench/compare/stores.h"

namespace keel::compare {
namespace {

Json ToJson(const Task& task) {
  const RunOptions& options = task.options;
  Json json = {{"rows", options.rows},
               {"value_bytes", options.value_bytes},
               {"memory_bytes", options.memory_bytes},
               {"large_bytes", options.large_bytes},
               {"large_value_bytes", options.large_value_bytes},
               {"small_memory_bytes", options.small_memory_bytes},
               {"seconds", options.seconds},
               {"minutes", options.minutes},
               {"seed", options.seed},
               {"dataset", static_cast<int>(task.dataset)},
               {"store", task.store},
               {"run", task.run},
               {"directory", task.directory.string()},
               {"result", task.result.string()},
               {"group", task.group.string()}};
  if (task.workload) json["workload"] = *task.workload;
  return json;
}

Task FromJson(const Json& json) {
  Task task;
  json.at("rows").get_to(task.options.rows);
  json.at("value_bytes").get_to(task.options.value_bytes);
  json.at("memory_bytes").get_to(task.options.memory_bytes);
  json.at("large_bytes").get_to(task.options.large_bytes);
  json.at("large_value_bytes").get_to(task.options.large_value_bytes);
  json.at("small_memory_bytes").get_to(task.options.small_memory_bytes);
  json.at("seconds").get_to(task.options.seconds);
  json.at("minutes").get_to(task.options.minutes);
  json.at("seed").get_to(task.options.seed);
  task.dataset = static_cast<Dataset>(json.at("dataset").get<int>());
  json.at("store").get_to(task.store);
  json.at("run").get_to(task.run);
  task.directory = json.at("directory").get<std::string>();
  task.result = json.at("result").get<std::string>();
  task.group = json.at("group").get<std::string>();
  if (json.contains("workload")) task.workload = json.at("workload").get<size_t>();
  return task;
}

absl::StatusOr<StoreKind> FindKind(const std::string& name) {
  for (const std::vector<StoreKind>& kinds : {StoreKinds(), FloorKinds()}) {
    for (const StoreKind& kind : kinds) {
      if (kind.name == name) return kind;
    }
  }
  return absl::NotFoundError("no such store: " + name);
}

absl::Status RunTask(const Task& task, Measurement* measurement) {
  if (!task.group.empty()) KEEL_RETURN_IF_ERROR(MemoryLimit::Enter(task.group));
  KEEL_ASSIGN_OR_RETURN(const StoreKind kind, FindKind(task.store));
  const RunOptions& options = task.options;
  const Workload workload =
      task.workload ? Workloads(options)[*task.workload] : Preparation(task.dataset);
  const Rows rows(RowCount(options, workload.dataset), ValueBytes(options, workload.dataset),
                  options.seed);
  const Assignment assignment{
      .kind = kind,
      .options = options,
      .store_options = {.directory = task.directory,
                        .durability = workload.durability,
                        .memory_bytes = workload.small_memory ? options.small_memory_bytes
                                                              : options.memory_bytes,
                        .data_bytes = rows.bytes(),
                        .larger_than_memory = workload.dataset == Dataset::kLarge,
                        .threads = workload.threads},
      .rows = rows,
      .seed = Mix64(options.seed + task.run)};
  return workload.run(assignment, measurement);
}

// Whether the child has ended by then; what it ended with is in `status`.
bool WaitFor(pid_t child, double seconds, int* status) {
  const uint64_t begin = NowNs();
  while (waitpid(child, status, WNOHANG) == 0) {
    if (SecondsSince(begin) > seconds) {
      kill(child, SIGKILL);
      waitpid(child, status, 0);
      return false;
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

Outcome ReadOutcome(const std::filesystem::path& path, int status) {
  std::ifstream file(path);
  const Json json = Json::parse(file, nullptr, false);
  if (json.is_object() && json.contains("measurement")) return {.measurement = json["measurement"]};
  if (json.is_object() && json.contains("message")) {
    return {.failure = json["message"].get<std::string>()};
  }
  if (WIFSIGNALED(status)) {
    return {.failure = absl::StrFormat("ended by signal %d (%s)", WTERMSIG(status),
                                       strsignal(WTERMSIG(status)))};
  }
  return {.failure = absl::StrFormat("ended with status %d", WEXITSTATUS(status))};
}

}  // namespace

Outcome RunInChild(const Task& task, double timeout_seconds) {
  std::error_code ignored;
  std::filesystem::remove(task.result, ignored);
  std::string program = "/proc/self/exe";
  std::string flag = "--child";
  std::string text = ToJson(task).dump();
  char* const arguments[] = {program.data(), flag.data(), text.data(), nullptr};
  pid_t child = 0;
  if (const int error = posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ);
      error != 0) {
    return {.failure = absl::StrFormat("cannot be started: %s", std::strerror(error))};
  }
  int status = 0;
  if (!WaitFor(child, timeout_seconds, &status)) {
    return {.failure = absl::StrFormat("killed after %.0f s", timeout_seconds)};
  }
  return ReadOutcome(task.result, status);
}

int RunAsChild(const std::string& text) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever ends the driver ends its children
  const Task task = FromJson(Json::parse(text));
  Measurement measurement;
  const absl::Status status = RunTask(task, &measurement);
  Json json;
  if (status.ok()) {
    json["measurement"] = compare::ToJson(measurement);
  } else {
    json["message"] = status.ToString();
  }
  std::ofstream(task.result) << json.dump();
  return status.ok() ? 0 : 1;
}

}  // namespace keel::compare
