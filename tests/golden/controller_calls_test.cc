#include "gtest/gtest.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, BrokerRegistration) {
  ExpectAsKafka<protocol::BrokerRegistrationRequest, protocol::BrokerRegistrationResponse>(
      "BrokerRegistration");
}
TEST(Golden, BrokerHeartbeat) {
  ExpectAsKafka<protocol::BrokerHeartbeatRequest, protocol::BrokerHeartbeatResponse>(
      "BrokerHeartbeat");
}
TEST(Golden, AlterPartition) {
  ExpectAsKafka<protocol::AlterPartitionRequest, protocol::AlterPartitionResponse>(
      "AlterPartition");
}
TEST(Golden, AssignReplicasToDirs) {
  ExpectAsKafka<protocol::AssignReplicasToDirsRequest, protocol::AssignReplicasToDirsResponse>(
      "AssignReplicasToDirs");
}
TEST(Golden, AllocateProducerIds) {
  ExpectAsKafka<protocol::AllocateProducerIdsRequest, protocol::AllocateProducerIdsResponse>(
      "AllocateProducerIds");
}

}  // namespace
}  // namespace weir::golden
