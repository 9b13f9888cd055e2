// Answers that readers of every kind give.

#ifndef KEEL_ENGINE_ANSWERS_H_
#define KEEL_ENGINE_ANSWERS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <keel/pinned_value.h>

#include <cstddef>
#include <vector>

namespace keel::engine {

// No such key: no error worth an allocation.
inline absl::Status Absent() {
  return absl::Status(absl::StatusCode::kNotFound, absl::string_view());
}

// The same refusal for each of `count` keys.
inline std::vector<absl::StatusOr<PinnedValue>> AllRefused(size_t count,
                                                           const absl::Status& status) {
  std::vector<absl::StatusOr<PinnedValue>> answers;
  answers.reserve(count);
  for (size_t i = 0; i < count; ++i) answers.emplace_back(status);
  return answers;
}

}  // namespace keel::engine

#endif  // KEEL_ENGINE_ANSWERS_H_
