// -----------------------------------------------------------------------------
// File: client/group_steps.h
// -----------------------------------------------------------------------------
// What a member of a group has to do next: the effects of client/group_member_core.h.
// Threading: plain values.
#ifndef WEIR_CLIENT_GROUP_STEPS_H_
#define WEIR_CLIENT_GROUP_STEPS_H_

#include <cstdint>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "client/topic_and_partition.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"

namespace weir::client {

// Give these up, then call OnRevoked(). What is lost is gone already: OnRevoked() is not called.
struct RevokeStep {
  std::vector<TopicAndPartition> partitions;
  bool lost = false;
};
// The member has `all` of these from now on, of which `added` are new.
struct AssignStep {
  std::vector<TopicAndPartition> all;
  std::vector<TopicAndPartition> added;
};
// Find out how many partitions these topics have, keep watching them, then call OnTopics().
struct DescribeStep {
  std::set<std::string> topics;
};
// Tell the coordinator that this member is gone; nobody waits for the answer.
struct LeaveStep {
  std::string member_id;
  std::string reason;
};
using GroupStep = std::variant<RevokeStep, AssignStep, DescribeStep, LeaveStep,
                               protocol::JoinGroupRequest, protocol::SyncGroupRequest>;

// Who a commit comes from.
struct GroupIdentity {
  std::string member_id;
  int32_t generation = -1;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_STEPS_H_
