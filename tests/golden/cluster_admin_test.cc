#include "gtest/gtest.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/list_partition_reassignments.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, DescribeClientQuotas) {
  ExpectAsKafka<protocol::DescribeClientQuotasRequest, protocol::DescribeClientQuotasResponse>(
      "DescribeClientQuotas");
}
TEST(Golden, AlterClientQuotas) {
  ExpectAsKafka<protocol::AlterClientQuotasRequest, protocol::AlterClientQuotasResponse>(
      "AlterClientQuotas");
}
TEST(Golden, ElectLeaders) {
  ExpectAsKafka<protocol::ElectLeadersRequest, protocol::ElectLeadersResponse>("ElectLeaders");
}
TEST(Golden, AlterPartitionReassignments) {
  ExpectAsKafka<protocol::AlterPartitionReassignmentsRequest,
                protocol::AlterPartitionReassignmentsResponse>("AlterPartitionReassignments");
}
TEST(Golden, ListPartitionReassignments) {
  ExpectAsKafka<protocol::ListPartitionReassignmentsRequest,
                protocol::ListPartitionReassignmentsResponse>("ListPartitionReassignments");
}
TEST(Golden, AlterReplicaLogDirs) {
  ExpectAsKafka<protocol::AlterReplicaLogDirsRequest, protocol::AlterReplicaLogDirsResponse>(
      "AlterReplicaLogDirs");
}

}  // namespace
}  // namespace weir::golden
