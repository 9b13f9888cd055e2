#include "bench/compare/floors.h"

#include <sys/utsname.h>

#include <cstring>

#include "bench/compare/clock.h"
#include "bench/compare/disk_floor.h"

namespace keel::compare {
namespace {

constexpr const char* kDisk = "disk";
constexpr const char* kMemory = "memory";

// Far more than the processor's caches hold.
absl::Status RunMemcpy(const Assignment& assignment, Measurement* measurement) {
  constexpr size_t kBytes = size_t{64} << 20;
  std::vector<char> source(kBytes, 'k');
  std::vector<char> target(kBytes);
  const uint64_t begin = NowNs();
  while (measurement->seconds < assignment.options.seconds) {
    source[measurement->operations % kBytes] = static_cast<char>(measurement->operations);
    const uint64_t copy_begin = NowNs();
    std::memcpy(target.data(), source.data(), kBytes);
    measurement->latencies.Add(NowNs() - copy_begin);
    if (target[measurement->operations % kBytes] != source[measurement->operations % kBytes]) {
      return absl::DataLossError("memcpy did not copy");
    }
    ++measurement->operations;
    measurement->seconds = SecondsSince(begin);
  }
  measurement->extra = {{"copied_bytes", measurement->operations * kBytes}};
  return absl::OkStatus();
}

Workload Floor(const char* floor, std::string name, Json parameters) {
  Workload workload;
  workload.name = std::move(name);
  workload.parameters = std::move(parameters);
  workload.dataset = Dataset::kNone;
  workload.only = floor;
  return workload;
}

}  // namespace

void AddFloors(std::vector<Workload>* workloads) {
  const auto add_write = [workloads](const char* name, WriteMethod method) {
    workloads->push_back(Floor(kDisk, "floor_write", {{"method", name}, {"bytes", 4096}}));
    workloads->back().run = [method](const Assignment& assignment, Measurement* measurement) {
      return RunDiskWrites(assignment, method, measurement);
    };
  };
  add_write("buffered pwrite + fdatasync", WriteMethod::kBuffered);
  add_write("O_DIRECT pwrite + fdatasync", WriteMethod::kDirect);
  add_write("O_DIRECT|O_DSYNC pwrite", WriteMethod::kDirectDsync);
  for (const unsigned depth : {1U, 32U}) {
    workloads->push_back(Floor(kDisk, "floor_read", {{"depth", depth}, {"bytes", 4096}}));
    workloads->back().run = [depth](const Assignment& assignment, Measurement* measurement) {
      return RunDiskReads(assignment, depth, measurement);
    };
  }
  workloads->push_back(Floor(kMemory, "floor_memcpy", {{"bytes", 64 << 20}}));
  workloads->back().run = RunMemcpy;
}

std::vector<StoreKind> FloorKinds() {
  utsname system = {};
  uname(&system);
  return {{.name = kDisk,
           .version = system.release,
           .configuration = "the file system without a store: 4 KiB writes one after the other "
                            "into zero-written blocks, "
                            "4 KiB O_DIRECT reads at random (pread, or io_uring at depth 32)",
           .has_checkpoint = false,
           .in_memory = false},
          {.name = kMemory,
           .version = "libc",
           .configuration = "memcpy of 64 MiB",
           .has_checkpoint = false,
           .in_memory = true}};
}

}  // namespace keel::compare
