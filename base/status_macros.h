// -----------------------------------------------------------------------------
// File: base/status_macros.h
// -----------------------------------------------------------------------------
// Early returns for absl::Status and absl::StatusOr (docs/adr/0006-error-policy.md).
#ifndef WEIR_BASE_STATUS_MACROS_H_
#define WEIR_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"

// Returns from the enclosing function when `expression`, an absl::Status, is an error.
#define WEIR_RETURN_IF_ERROR(expression)                                \
  do {                                                                  \
    if (absl::Status weir_status_ = (expression); !weir_status_.ok()) { \
      return weir_status_;                                              \
    }                                                                   \
  } while (false)

// Evaluates `expression`, an absl::StatusOr<T>; returns its error, or moves its value into
// `target`.
#define WEIR_ASSIGN_OR_RETURN(target, expression) \
  WEIR_ASSIGN_OR_RETURN_IMPL_(WEIR_CONCAT_(weir_status_or_, __LINE__), target, expression)

#define WEIR_ASSIGN_OR_RETURN_IMPL_(result, target, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  target = std::move(result).value()

#define WEIR_CONCAT_(a, b) WEIR_CONCAT_INNER_(a, b)
#define WEIR_CONCAT_INNER_(a, b) a##b

#endif  // WEIR_BASE_STATUS_MACROS_H_
