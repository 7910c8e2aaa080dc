#include "gtest/gtest.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/metadata.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, ApiVersions) {
  ExpectAsKafka<protocol::ApiVersionsRequest, protocol::ApiVersionsResponse>("ApiVersions");
}
TEST(Golden, DescribeCluster) {
  ExpectAsKafka<protocol::DescribeClusterRequest, protocol::DescribeClusterResponse>(
      "DescribeCluster");
}
TEST(Golden, FindCoordinator) {
  ExpectAsKafka<protocol::FindCoordinatorRequest, protocol::FindCoordinatorResponse>(
      "FindCoordinator");
}
TEST(Golden, InitProducerId) {
  ExpectAsKafka<protocol::InitProducerIdRequest, protocol::InitProducerIdResponse>(
      "InitProducerId");
}
TEST(Golden, Metadata) {
  ExpectAsKafka<protocol::MetadataRequest, protocol::MetadataResponse>("Metadata");
}

}  // namespace
}  // namespace weir::golden
