#include "gtest/gtest.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, OffsetForLeaderEpoch) {
  ExpectAsKafka<protocol::OffsetForLeaderEpochRequest, protocol::OffsetForLeaderEpochResponse>(
      "OffsetForLeaderEpoch");
}
TEST(Golden, DescribeLogDirs) {
  ExpectAsKafka<protocol::DescribeLogDirsRequest, protocol::DescribeLogDirsResponse>(
      "DescribeLogDirs");
}
TEST(Golden, DescribeTopicPartitions) {
  ExpectAsKafka<protocol::DescribeTopicPartitionsRequest,
                protocol::DescribeTopicPartitionsResponse>("DescribeTopicPartitions");
}
TEST(Golden, DescribeProducers) {
  ExpectAsKafka<protocol::DescribeProducersRequest, protocol::DescribeProducersResponse>(
      "DescribeProducers");
}

}  // namespace
}  // namespace weir::golden
