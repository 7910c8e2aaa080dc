// -----------------------------------------------------------------------------
// File: client/group_membership.h
// -----------------------------------------------------------------------------
// Runs client/group_member_core.h over a Cluster: sends its requests to the coordinator, tells it
// of metadata, and keeps the subscription. What concerns the application, partitions that come and
// go, is handed on by Advance().
// Threading: that of its Cluster.
// Errors: as the core's.
#ifndef WEIR_CLIENT_GROUP_MEMBERSHIP_H_
#define WEIR_CLIENT_GROUP_MEMBERSHIP_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "client/assignor.h"
#include "client/cluster.h"
#include "client/connection.h"
#include "client/consumer_config.h"
#include "client/coordinator_finder.h"
#include "client/group_member_core.h"
#include "client/group_steps.h"
#include "client/metadata_cache.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"

namespace weir::client {

// Which topics a subscription takes.
using TopicPredicate = std::function<bool(absl::string_view topic)>;

class GroupMembership {
 public:
  using ApplicationStep = std::variant<RevokeStep, AssignStep>;

  GroupMembership(Cluster& cluster, const ConsumerConfig& config, CoordinatorFinder& finder,
                  GroupMemberCore::Assignors assignors)
      : cluster_(cluster), config_(config), finder_(finder), core_(config, std::move(assignors)) {}
  GroupMembership(const GroupMembership&) = delete;
  GroupMembership& operator=(const GroupMembership&) = delete;

  GroupMemberCore& core() { return core_; }
  const GroupMemberCore& core() const { return core_; }

  void Subscribe(std::set<std::string> topics) {
    predicate_ = nullptr;
    for (const std::string& topic : topics) cluster_.Watch(topic);
    core_.Subscribe(std::move(topics));
  }
  // The topics are found out again with all metadata that comes; joins when it has come once.
  void Subscribe(TopicPredicate predicate) {
    predicate_ = std::move(predicate);
    matched_at_ = cluster_.updates();
    cluster_.WatchAll();
  }

  // Does what is to be done without the application, and returns what is for it, one by one.
  std::optional<ApplicationStep> Advance() {
    OnMetadata();
    while (true) {
      std::optional<GroupStep> step = core_.Next(cluster_.Now(), finder_.node().has_value());
      if (!step.has_value()) break;
      if (auto* revoke = std::get_if<RevokeStep>(&*step)) return std::move(*revoke);
      if (auto* assign = std::get_if<AssignStep>(&*step)) return std::move(*assign);
      Do(*std::move(step));
    }
    KeepAlive();
    return std::nullopt;
  }

  // Sends a heartbeat when it is time for one.
  void KeepAlive() {
    if (!finder_.node().has_value()) return;
    std::optional<protocol::HeartbeatRequest> request = core_.NextHeartbeat(cluster_.Now());
    if (!request.has_value()) return;
    const int32_t generation = request->generation_id;
    Send<protocol::HeartbeatRequest>(*std::move(request), config_.request_timeout_ms,
                                     [this, generation](const auto& response) {
                                       core_.OnHeartbeat(cluster_.Now(), generation, response);
                                     });
  }

  MonotonicNs next_event() const {
    if (finder_.node().has_value()) return core_.next_event();
    return MonotonicNs(std::numeric_limits<int64_t>::max());
  }
  // Whether something is said to the coordinator that it has not answered yet, of leaving.
  bool is_leaving() const { return leaving_ > 0; }

 private:
  // Sends to the coordinator; `on` takes the StatusOr of the response, and what it says of the
  // coordinator is looked after.
  template <class Request, class On, class Source>
  void Send(Source source, int64_t timeout_ms, On on) {
    CallOptions options;
    options.deadline = cluster_.After(timeout_ms);
    cluster_.Send<Request>(
        *finder_.node(), std::move(source),
        [this, alive = std::weak_ptr<int>(alive_),
         on = std::move(on)](absl::StatusOr<ResponseOf<Request>> response) {
          if (alive.expired()) return;
          on(response);
          if (core_.TakeCoordinatorLost()) finder_.Lost();
        },
        options);
  }

  void Do(GroupStep step) {
    if (auto* describe = std::get_if<DescribeStep>(&step)) return Describe(describe->topics);
    if (auto* leave = std::get_if<LeaveStep>(&step)) return Leave(*std::move(leave));
    // The coordinator answers when the others are there, within the rebalance timeout.
    const int64_t timeout_ms =
        std::max(config_.request_timeout_ms, int64_t{config_.max_poll_interval_ms} + 5'000);
    const uint64_t attempt = core_.attempt();
    if (auto* join = std::get_if<protocol::JoinGroupRequest>(&step)) {
      Send<protocol::JoinGroupRequest>(std::move(*join), timeout_ms,
                                       [this, attempt](const auto& response) {
                                         core_.OnJoined(cluster_.Now(), attempt, response);
                                       });
    } else if (auto* sync = std::get_if<protocol::SyncGroupRequest>(&step)) {
      Send<protocol::SyncGroupRequest>(std::move(*sync), timeout_ms,
                                       [this, attempt](const auto& response) {
                                         core_.OnSynced(cluster_.Now(), attempt, response);
                                       });
    }
  }

  void Leave(LeaveStep leave) {
    ++leaving_;
    Send<protocol::LeaveGroupRequest>(
        [group_id = config_.group_id, leave = std::move(leave)](int16_t version) {
          protocol::LeaveGroupRequest request;
          request.group_id = group_id;
          if (version < 3) {
            request.member_id = leave.member_id;
          } else {
            request.members.push_back({leave.member_id, std::nullopt, leave.reason});
          }
          return request;
        },
        config_.request_timeout_ms, [this](const auto&) { --leaving_; });
  }

  // --- Metadata --------------------------------------------------------------------------------

  void Describe(const std::set<std::string>& topics) {
    describing_ = topics;
    // A refresh that is under way may have been asked for too early; the second is not.
    describe_until_ = cluster_.updates() + (IsKnown(topics) ? 0 : 2);
    for (const std::string& topic : topics) cluster_.Watch(topic);
    OnMetadata();
  }

  bool IsKnown(const std::set<std::string>& topics) const {
    return std::all_of(topics.begin(), topics.end(), [this](const std::string& topic) {
      return cluster_.metadata().Find(topic) != nullptr;
    });
  }

  // Topics that do not exist have no partitions; what may be otherwise in a moment is left out.
  PartitionCounts CountPartitions(const std::set<std::string>& topics) const {
    PartitionCounts counts;
    for (const std::string& topic : topics) {
      const TopicInfo* info = cluster_.metadata().Find(topic);
      if (info == nullptr) continue;
      if (info->error != protocol::ErrorCode::kNone &&
          info->error != protocol::ErrorCode::kUnknownTopicOrPartition &&
          protocol::IsRetriable(info->error)) {
        continue;
      }
      counts[topic] = static_cast<int32_t>(info->partitions.size());
    }
    return counts;
  }

  void OnMetadata() {
    if (predicate_ != nullptr && cluster_.updates() != matched_at_) MatchTopics();
    if (describing_.has_value()) {
      if (IsKnown(*describing_) || cluster_.updates() >= describe_until_) {
        core_.OnTopics(CountPartitions(*std::exchange(describing_, std::nullopt)));
      } else if (!cluster_.refresh_pending()) {
        cluster_.WantRefresh();
      }
    } else if (core_.leader() != nullptr && cluster_.updates() != compared_at_) {
      compared_at_ = cluster_.updates();
      core_.OnMetadata(CountPartitions(core_.leader()->topics()));
    }
  }

  void MatchTopics() {
    matched_at_ = cluster_.updates();
    std::set<std::string> topics;
    for (const auto& [name, info] : cluster_.metadata().topics()) {
      if (info.is_internal && config_.exclude_internal_topics) continue;
      if (info.error == protocol::ErrorCode::kNone && predicate_(name)) topics.insert(name);
    }
    core_.Subscribe(std::move(topics));
  }

  Cluster& cluster_;
  const ConsumerConfig& config_;
  CoordinatorFinder& finder_;
  GroupMemberCore core_;
  TopicPredicate predicate_;
  uint64_t matched_at_ = 0;   // what updates() was then
  uint64_t compared_at_ = 0;  // likewise
  std::optional<std::set<std::string>> describing_;
  uint64_t describe_until_ = 0;
  int leaving_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_MEMBERSHIP_H_
