// -----------------------------------------------------------------------------
// File: client/group_requests.h
// -----------------------------------------------------------------------------
// The requests of a member of a group.
// Threading: pure.
#ifndef WEIR_CLIENT_GROUP_REQUESTS_H_
#define WEIR_CLIENT_GROUP_REQUESTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/assignor.h"
#include "client/consumer_config.h"
#include "client/group_messages.h"
#include "client/group_steps.h"
#include "client/topic_and_partition.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/consumer_protocol.h"

namespace weir::client {

// `owned` is what the member has had since `generation`; `reason` is for the coordinator's log.
inline protocol::JoinGroupRequest MakeJoinGroup(
    const ConsumerConfig& config, const std::string& member_id,
    const std::vector<std::unique_ptr<const Assignor>>& assignors,
    const std::set<std::string>& topics, const std::set<TopicAndPartition>& owned,
    int32_t generation, const std::string& reason) {
  protocol::JoinGroupRequest request;
  request.group_id = config.group_id;
  request.session_timeout_ms = config.session_timeout_ms;
  request.rebalance_timeout_ms = config.max_poll_interval_ms;
  request.member_id = member_id;
  request.group_instance_id = config.group_instance_id;
  request.protocol_type = std::string(protocol::kConsumerProtocolType);
  request.reason = reason;
  for (const auto& assignor : assignors) {
    request.protocols.push_back(
        {std::string(assignor->name()),
         {EncodeSubscription(topics, owned, generation, assignor->UserData(generation),
                             config.client_rack)}});
  }
  return request;
}

inline protocol::SyncGroupRequest MakeSyncGroup(const ConsumerConfig& config,
                                                const GroupIdentity& identity,
                                                absl::string_view assignor) {
  protocol::SyncGroupRequest request;
  request.group_id = config.group_id;
  request.generation_id = identity.generation;
  request.member_id = identity.member_id;
  request.group_instance_id = config.group_instance_id;
  request.protocol_type = std::string(protocol::kConsumerProtocolType);
  request.protocol_name = std::string(assignor);
  return request;
}

inline protocol::HeartbeatRequest MakeHeartbeat(const ConsumerConfig& config,
                                                const GroupIdentity& identity) {
  protocol::HeartbeatRequest request;
  request.group_id = config.group_id;
  request.generation_id = identity.generation;
  request.member_id = identity.member_id;
  request.group_instance_id = config.group_instance_id;
  return request;
}

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_REQUESTS_H_
