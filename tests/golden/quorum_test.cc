#include "gtest/gtest.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/unregister_broker.h"
#include "tests/golden/golden.h"

namespace weir::golden {
namespace {

TEST(Golden, DescribeQuorum) {
  ExpectAsKafka<protocol::DescribeQuorumRequest, protocol::DescribeQuorumResponse>(
      "DescribeQuorum");
}
TEST(Golden, UnregisterBroker) {
  ExpectAsKafka<protocol::UnregisterBrokerRequest, protocol::UnregisterBrokerResponse>(
      "UnregisterBroker");
}
TEST(Golden, AddRaftVoter) {
  ExpectAsKafka<protocol::AddRaftVoterRequest, protocol::AddRaftVoterResponse>("AddRaftVoter");
}
TEST(Golden, RemoveRaftVoter) {
  ExpectAsKafka<protocol::RemoveRaftVoterRequest, protocol::RemoveRaftVoterResponse>(
      "RemoveRaftVoter");
}

}  // namespace
}  // namespace weir::golden
