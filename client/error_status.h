// -----------------------------------------------------------------------------
// File: client/error_status.h
// -----------------------------------------------------------------------------
// Error codes of brokers as a Status.
// Threading: none of this keeps state.
#ifndef WEIR_CLIENT_ERROR_STATUS_H_
#define WEIR_CLIENT_ERROR_STATUS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "protocol/error_code.h"

namespace weir::client {

// "TOPIC_ALREADY_EXISTS: ..." with the broker's own words where it sent some; OK for kNone.
inline absl::Status StatusOfError(protocol::ErrorCode code, absl::string_view what,
                                  const std::optional<std::string>& message = std::nullopt) {
  using protocol::ErrorCode;
  if (code == ErrorCode::kNone) return absl::OkStatus();
  const absl::string_view words = message.has_value() && !message->empty()
                                      ? absl::string_view(*message)
                                      : protocol::ErrorMessage(code);
  const std::string text =
      absl::StrCat(what, what.empty() ? "" : ": ", protocol::ErrorName(code), ": ", words);
  switch (code) {
    case ErrorCode::kTopicAlreadyExists:
      return absl::AlreadyExistsError(text);
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kGroupIdNotFound:
    case ErrorCode::kResourceNotFound:
      return absl::NotFoundError(text);
    case ErrorCode::kUnsupportedVersion:
      return absl::UnimplementedError(text);
    case ErrorCode::kTopicAuthorizationFailed:
    case ErrorCode::kGroupAuthorizationFailed:
    case ErrorCode::kClusterAuthorizationFailed:
      return absl::PermissionDeniedError(text);
    case ErrorCode::kRequestTimedOut:
      return absl::DeadlineExceededError(text);
    default:
      if (protocol::IsRetriable(code)) return absl::UnavailableError(text);
      return absl::FailedPreconditionError(text);
  }
}

}  // namespace weir::client

#endif  // WEIR_CLIENT_ERROR_STATUS_H_
