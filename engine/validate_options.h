// Options as given by the caller, checked and with defaults filled in.

#ifndef KEEL_ENGINE_VALIDATE_OPTIONS_H_
#define KEEL_ENGINE_VALIDATE_OPTIONS_H_

#include <absl/status/statusor.h>
#include <keel/options.h>

namespace keel::engine {

// InvalidArgument names the option, its value and what is allowed.
absl::StatusOr<Options> ValidateOptions(const Options& options);

}  // namespace keel::engine

#endif  // KEEL_ENGINE_VALIDATE_OPTIONS_H_
