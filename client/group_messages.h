// -----------------------------------------------------------------------------
// File: client/group_messages.h
// -----------------------------------------------------------------------------
// What members and leaders tell each other through the coordinator, between the client's types and
// those of the wire.
// Threading: pure.
// Errors: kInvalidArgument for an assignment that cannot be read.
#ifndef WEIR_CLIENT_GROUP_MESSAGES_H_
#define WEIR_CLIENT_GROUP_MESSAGES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "client/assignor.h"
#include "client/topic_and_partition.h"
#include "protocol/api/join_group.h"
#include "protocol/consumer_protocol.h"
#include "protocol/message.h"
#include "protocol/prefixed.h"

namespace weir::client {

namespace client_internal {

template <class Partitions>
std::vector<protocol::ConsumerProtocolTopic> ByTopic(const Partitions& partitions) {
  std::map<std::string, std::vector<int32_t>> topics;
  for (const TopicAndPartition& tp : partitions) topics[tp.topic].push_back(tp.partition);
  std::vector<protocol::ConsumerProtocolTopic> out;
  for (auto& [topic, indexes] : topics) out.push_back({topic, std::move(indexes)});
  return out;
}

}  // namespace client_internal

inline std::string EncodeSubscription(const std::set<std::string>& topics,
                                      const std::set<TopicAndPartition>& owned, int32_t generation,
                                      std::optional<std::string> user_data,
                                      const std::optional<std::string>& rack) {
  protocol::ConsumerProtocolSubscription subscription;
  subscription.topics.assign(topics.begin(), topics.end());
  if (user_data.has_value()) subscription.user_data = protocol::Bytes{*std::move(user_data)};
  subscription.owned_partitions = client_internal::ByTopic(owned);
  subscription.generation_id = generation;
  subscription.rack_id = rack;
  return protocol::EncodeConsumerProtocol(subscription);
}

// What a member of the group told; one that cannot be read wants nothing. Members older than
// version 2 tell their generation in the user data, as the first four bytes.
inline MemberSubscription DecodeMember(const protocol::JoinGroupResponse::Member& member) {
  MemberSubscription out;
  out.member_id = member.member_id;
  out.group_instance_id = member.group_instance_id;
  const auto subscription =
      protocol::DecodeConsumerProtocol<protocol::ConsumerProtocolSubscription>(
          member.metadata.value);
  if (!subscription.ok()) return out;
  out.topics.insert(subscription->topics.begin(), subscription->topics.end());
  for (const auto& topic : subscription->owned_partitions) {
    for (const int32_t partition : topic.partitions) out.owned.push_back({topic.topic, partition});
  }
  out.generation = subscription->generation_id;
  absl::string_view metadata = member.metadata.value;
  const absl::StatusOr<int16_t> version = protocol::TakePrefix(&metadata, "version");
  if (version.ok() && *version < 2 && subscription->user_data.has_value()) {
    absl::string_view data = subscription->user_data->value;
    const auto told = protocol::DecodePrefix<protocol::StickyUserData>(&data, 0);
    if (told.ok()) out.generation = told->generation;
  }
  return out;
}

inline std::string EncodeAssignment(const std::vector<TopicAndPartition>& partitions) {
  protocol::ConsumerProtocolAssignment assignment;
  assignment.assigned_partitions = client_internal::ByTopic(partitions);
  return protocol::EncodeConsumerProtocol(assignment);
}

// No bytes are no partitions: the leader left this member out.
inline absl::StatusOr<std::set<TopicAndPartition>> DecodeAssignment(absl::string_view bytes) {
  std::set<TopicAndPartition> partitions;
  if (bytes.empty()) return partitions;
  WEIR_ASSIGN_OR_RETURN(
      const auto assignment,
      protocol::DecodeConsumerProtocol<protocol::ConsumerProtocolAssignment>(bytes));
  for (const auto& topic : assignment.assigned_partitions) {
    for (const int32_t partition : topic.partitions) {
      if (partition < 0) return absl::InvalidArgumentError("assignment: a negative partition");
      partitions.insert({topic.topic, partition});
    }
  }
  return partitions;
}

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_MESSAGES_H_
