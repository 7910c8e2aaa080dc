#include "gtest/gtest.h"
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, ConsumerGroupHeartbeat) {
  ExpectAsKafka<protocol::ConsumerGroupHeartbeatRequest, protocol::ConsumerGroupHeartbeatResponse>(
      "ConsumerGroupHeartbeat");
}
TEST(Golden, ConsumerGroupDescribe) {
  ExpectAsKafka<protocol::ConsumerGroupDescribeRequest, protocol::ConsumerGroupDescribeResponse>(
      "ConsumerGroupDescribe");
}

}  // namespace
}  // namespace weir::golden
