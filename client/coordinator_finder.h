// -----------------------------------------------------------------------------
// File: client/coordinator_finder.h
// -----------------------------------------------------------------------------
// Finds the broker that coordinates a group, and again when it is another one. The coordinator has
// a connection of its own, as a JoinGroup or a long fetch would hold up what comes behind it.
// Threading: that of its Cluster.
// Errors: TakeFault() for what does not pass, such as a missing permission; the rest is retried.
#ifndef WEIR_CLIENT_COORDINATOR_FINDER_H_
#define WEIR_CLIENT_COORDINATOR_FINDER_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "client/cluster.h"
#include "client/connection.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/error_code.h"

namespace weir::client {

class CoordinatorFinder {
 public:
  CoordinatorFinder(Cluster& cluster, std::string group_id, int64_t retry_backoff_ms)
      : cluster_(cluster), group_id_(std::move(group_id)), retry_backoff_ms_(retry_backoff_ms) {}
  CoordinatorFinder(const CoordinatorFinder&) = delete;
  CoordinatorFinder& operator=(const CoordinatorFinder&) = delete;
  ~CoordinatorFinder() {
    if (connection_.has_value()) cluster_.network().RemoveNode(*connection_);
  }

  // The node to send to; nothing while it is not known.
  std::optional<int32_t> node() const { return known_ ? connection_ : std::nullopt; }
  // It is not there, or not the coordinator: looks again.
  void Lost() {
    if (known_) retry_at_ = cluster_.After(retry_backoff_ms_);
    known_ = false;
  }

  // Asks when it is time to; call it while the coordinator is needed.
  void Advance() {
    if (known_ || asking_ || cluster_.Now() < retry_at_) return;
    asking_ = true;
    CallOptions options;
    options.deadline = cluster_.Deadline();
    cluster_.Send<protocol::FindCoordinatorRequest>(
        cluster_.AnyNode(),
        [group_id = group_id_](int16_t version) {
          protocol::FindCoordinatorRequest request;
          request.key_type = protocol::kGroupCoordinator;
          if (version >= 4) {
            request.coordinator_keys = {group_id};
          } else {
            request.key = group_id;
          }
          return request;
        },
        [this, alive = std::weak_ptr<int>(alive_)](
            absl::StatusOr<protocol::FindCoordinatorResponse> response) {
          if (!alive.expired()) OnResponse(response);
        },
        options);
  }
  // When Advance() has something to do, unless something comes.
  MonotonicNs next_event() const {
    return known_ || asking_ ? MonotonicNs(std::numeric_limits<int64_t>::max()) : retry_at_;
  }

  absl::Status TakeFault() { return std::exchange(fault_, absl::OkStatus()); }

 private:
  void OnResponse(const absl::StatusOr<protocol::FindCoordinatorResponse>& response) {
    asking_ = false;
    retry_at_ = cluster_.After(retry_backoff_ms_);
    if (!response.ok()) {
      if (!cluster_.MayRetry(response.status(), cluster_.Deadline()) &&
          response.status().code() != absl::StatusCode::kDeadlineExceeded) {
        fault_ = response.status();
      }
      return;
    }
    if (response->coordinators.empty()) {
      return OnCoordinator(response->error_code, response->error_message, response->host,
                           response->port);
    }
    const auto& one = response->coordinators[0];
    OnCoordinator(one.error_code, one.error_message, one.host, one.port);
  }

  void OnCoordinator(int16_t error_code, const std::optional<std::string>& message,
                     const std::string& host, int32_t port) {
    const auto error = static_cast<protocol::ErrorCode>(error_code);
    if (error != protocol::ErrorCode::kNone) {
      if (!protocol::IsRetriable(error)) {
        fault_ =
            StatusOfError(error, absl::StrCat("the coordinator of group ", group_id_), message);
      }
      return;
    }
    if (!connection_.has_value()) connection_ = cluster_.network().NewNode();
    cluster_.network().SetNode(*connection_, host, port);
    known_ = true;
  }

  Cluster& cluster_;
  const std::string group_id_;
  const int64_t retry_backoff_ms_;
  std::optional<int32_t> connection_;
  bool known_ = false;
  bool asking_ = false;
  MonotonicNs retry_at_;
  absl::Status fault_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_COORDINATOR_FINDER_H_
