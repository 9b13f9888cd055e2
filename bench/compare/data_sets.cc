#include "bench/compare/data_sets.h"

#include "base/status.h"
#include "bench/compare/child.h"
#include "bench/compare/copy_files.h"

namespace keel::compare {
namespace {

constexpr double kPreparationSeconds = 3600;

absl::Status MakeFolder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(path.string() + ": " + error.message());
}

}  // namespace

DataSets::DataSets(const RunOptions& options, std::filesystem::path directory)
    : options_(options), directory_(std::move(directory)) {}

std::filesystem::path DataSets::PlaceOf(const std::string& store, Dataset dataset) const {
  return directory_ / (store + "-" + DatasetName(dataset));
}

absl::Status DataSets::Make(const StoreKind& kind, Dataset dataset) {
  const std::filesystem::path place = PlaceOf(kind.name, dataset);
  if (const auto made = made_.find(place); made != made_.end()) return made->second;
  absl::Status status = MakeFolder(place);
  if (status.ok()) {
    const Outcome outcome = RunInChild({.options = options_,
                                        .workload = std::nullopt,
                                        .dataset = dataset,
                                        .store = kind.name,
                                        .directory = place,
                                        .result = place.string() + ".json"},
                                       kPreparationSeconds);
    if (!outcome.failure.empty()) {
      status = absl::InternalError("no data set could be made: " + outcome.failure);
    }
  }
  made_[place] = status;
  return status;
}

absl::StatusOr<std::filesystem::path> DataSets::Provide(const StoreKind& kind,
                                                        const Workload& workload,
                                                        const std::filesystem::path& copy) {
  if (workload.dataset == Dataset::kNone || kind.in_memory) {
    KEEL_RETURN_IF_ERROR(MakeFolder(copy));
    return copy;
  }
  KEEL_RETURN_IF_ERROR(Make(kind, workload.dataset));
  const std::filesystem::path place = PlaceOf(kind.name, workload.dataset);
  const std::filesystem::path& provided = workload.read_only ? place : copy;
  if (!workload.read_only) KEEL_RETURN_IF_ERROR(CopyFiles(place, copy));
  // Writes of the copying must not fall into the measurement; nor, where it counts, reads find what it left.
  KEEL_RETURN_IF_ERROR(SyncFiles(provided, workload.small_memory));
  return provided;
}

void DataSets::Drop(Dataset dataset) {
  const std::string ending = std::string("-") + DatasetName(dataset);
  for (auto made = made_.begin(); made != made_.end();) {
    if (!made->first.string().ends_with(ending)) {
      ++made;
      continue;
    }
    std::error_code ignored;
    std::filesystem::remove_all(made->first, ignored);
    made = made_.erase(made);
  }
}

}  // namespace keel::compare
