#include "gtest/gtest.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/sync_group.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, DeleteGroups) {
  ExpectAsKafka<protocol::DeleteGroupsRequest, protocol::DeleteGroupsResponse>("DeleteGroups");
}
TEST(Golden, DescribeGroups) {
  ExpectAsKafka<protocol::DescribeGroupsRequest, protocol::DescribeGroupsResponse>(
      "DescribeGroups");
}
TEST(Golden, Heartbeat) {
  ExpectAsKafka<protocol::HeartbeatRequest, protocol::HeartbeatResponse>("Heartbeat");
}
TEST(Golden, JoinGroup) {
  ExpectAsKafka<protocol::JoinGroupRequest, protocol::JoinGroupResponse>("JoinGroup");
}
TEST(Golden, LeaveGroup) {
  ExpectAsKafka<protocol::LeaveGroupRequest, protocol::LeaveGroupResponse>("LeaveGroup");
}
TEST(Golden, ListGroups) {
  ExpectAsKafka<protocol::ListGroupsRequest, protocol::ListGroupsResponse>("ListGroups");
}
TEST(Golden, SyncGroup) {
  ExpectAsKafka<protocol::SyncGroupRequest, protocol::SyncGroupResponse>("SyncGroup");
}

}  // namespace
}  // namespace weir::golden
