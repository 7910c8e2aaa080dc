#include "gtest/gtest.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_configs.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, CreateTopics) {
  ExpectAsKafka<protocol::CreateTopicsRequest, protocol::CreateTopicsResponse>("CreateTopics");
}
TEST(Golden, DeleteTopics) {
  ExpectAsKafka<protocol::DeleteTopicsRequest, protocol::DeleteTopicsResponse>("DeleteTopics");
}
TEST(Golden, DescribeConfigs) {
  ExpectAsKafka<protocol::DescribeConfigsRequest, protocol::DescribeConfigsResponse>(
      "DescribeConfigs");
}

}  // namespace
}  // namespace weir::golden
