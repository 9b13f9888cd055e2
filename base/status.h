// Errors: absl::Status, made in one style, and the two macros that pass them on.
//
// Debian's Abseil has its own string_view, distinct from std's; the conversion stands here and
// nowhere else (absl::StrFormat takes std::string_view as it is).

#ifndef KEEL_BASE_STATUS_H_
#define KEEL_BASE_STATUS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_format.h>
#include <absl/strings/string_view.h>

#include <string>
#include <string_view>
#include <utility>

#define KEEL_STATUS_CONCAT_INNER_(a, b) a##b
#define KEEL_STATUS_CONCAT_(a, b) KEEL_STATUS_CONCAT_INNER_(a, b)

// Returns from the enclosing function with `expr`'s status if that is an error.
#define KEEL_RETURN_IF_ERROR(expr) \
  KEEL_RETURN_IF_ERROR_IMPL_(KEEL_STATUS_CONCAT_(keel_status_, __LINE__), expr)
#define KEEL_RETURN_IF_ERROR_IMPL_(status, expr) \
  do {                                           \
    absl::Status status = (expr);                \
    if (!status.ok()) [[unlikely]] {             \
      return status;                             \
    }                                            \
  } while (false)

// Evaluates `expr` (a StatusOr); returns its error, or moves its value into `lhs`.
#define KEEL_ASSIGN_OR_RETURN(lhs, expr) \
  KEEL_ASSIGN_OR_RETURN_IMPL_(KEEL_STATUS_CONCAT_(keel_status_or_, __LINE__), lhs, expr)
#define KEEL_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                                \
  if (!result.ok()) [[unlikely]] {                     \
    return std::move(result).status();                 \
  }                                                    \
  lhs = *std::move(result)

namespace keel {

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// A Status from a format string: MakeStatus(absl::StatusCode::kDataLoss, "page %d: ...", id).
template <typename... Args>
absl::Status MakeStatus(absl::StatusCode code, const absl::FormatSpec<Args...>& format,
                        const Args&... args) {
  return absl::Status(code, absl::StrFormat(format, args...));
}

// `status` with "<context>: " in front of its message, and all else as it was; OK stays OK.
absl::Status WithContext(const absl::Status& status, std::string_view context);

// The message of a status as a std::string_view (valid while `status` lives).
inline std::string_view MessageOf(const absl::Status& status) { return ToStd(status.message()); }

// Bytes as text for messages: printable ASCII as it is, others as \xNN, cut after `max_bytes`.
std::string Printable(std::string_view bytes, size_t max_bytes = 64);

}  // namespace keel

#endif  // KEEL_BASE_STATUS_H_
