#include "client/quorum_admin.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"
#include "base/uuid.h"
#include "client/admin.h"
#include "client/cluster.h"
#include "client/memory_peer.h"
#include "gtest/gtest.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/metadata.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/error_code.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;

constexpr int16_t Code(ErrorCode code) { return static_cast<int16_t>(code); }

class QuorumAdminTest : public testing::Test {
 protected:
  QuorumAdminTest() : broker_(net_.AddBroker("b1", 9092)) {
    broker_.On<protocol::MetadataRequest>([](const protocol::MetadataRequest&, int16_t) {
      protocol::MetadataResponse response;
      response.brokers = {{7, "b1", 9092, std::nullopt}};
      return response;
    });
    ClusterConfig config;
    config.bootstrap_servers = "b1:9092";
    cluster_ = *Cluster::Create(config, {net_, net_.clock(), random_});
    admin_ = std::make_unique<Admin>(*cluster_);
    quorum_ = std::make_unique<QuorumAdmin>(*admin_);
  }

  static protocol::DescribeQuorumResponse Description(ErrorCode error) {
    protocol::DescribeQuorumResponse response;
    protocol::DescribeQuorumResponse::PartitionData partition;
    partition.error_code = Code(error);
    partition.error_message.reset();
    partition.leader_id = 3;
    partition.current_voters.push_back({3, Uuid{1, 2}, 40, 5, 6});
    response.topics = {{"__cluster_metadata", {partition}}};
    return response;
  }

  MemoryNetwork net_;
  SeededRandom random_{1};
  MemoryBroker& broker_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<QuorumAdmin> quorum_;
};

TEST_F(QuorumAdminTest, DescribesWhatTheControllerOfNowSays) {
  int asked = 0;
  broker_.On<protocol::DescribeQuorumRequest>(
      [&](const protocol::DescribeQuorumRequest& request, int16_t) {
        EXPECT_EQ(request.topics.at(0).topic_name, "__cluster_metadata");
        return Description(++asked == 1 ? ErrorCode::kNotLeaderOrFollower : ErrorCode::kNone);
      });
  const auto description = quorum_->DescribeQuorum();
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(description->state.leader_id, 3);
  EXPECT_EQ(description->state.current_voters.at(0).log_end_offset, 40);
}

TEST_F(QuorumAdminTest, ErrorsAndAnswersThatAreNoneAreStatuses) {
  broker_.On<protocol::DescribeQuorumRequest>([](const protocol::DescribeQuorumRequest&, int16_t) {
    return Description(ErrorCode::kClusterAuthorizationFailed);
  });
  EXPECT_EQ(quorum_->DescribeQuorum().status().code(), absl::StatusCode::kPermissionDenied);
  broker_.On<protocol::DescribeQuorumRequest>([](const protocol::DescribeQuorumRequest&, int16_t) {
    protocol::DescribeQuorumResponse response;
    response.error_code = Code(ErrorCode::kInvalidRequest);
    response.error_message = "no";
    return response;
  });
  EXPECT_EQ(quorum_->DescribeQuorum().status().message(), "INVALID_REQUEST: no");
  broker_.On<protocol::DescribeQuorumRequest>([](const protocol::DescribeQuorumRequest&, int16_t) {
    return protocol::DescribeQuorumResponse();
  });
  EXPECT_EQ(quorum_->DescribeQuorum().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(QuorumAdminTest, VotersAreAddedAndRemoved) {
  broker_.On<protocol::AddRaftVoterRequest>(
      [](const protocol::AddRaftVoterRequest& request, int16_t) {
        EXPECT_EQ(request.voter_id, 4);
        EXPECT_EQ(request.voter_directory_id, (Uuid{1, 4}));
        EXPECT_EQ(request.listeners.at(0).port, 19095);
        EXPECT_GT(request.timeout_ms, 0);
        EXPECT_EQ(request.cluster_id, std::nullopt);
        return protocol::AddRaftVoterResponse();
      });
  broker_.On<protocol::RemoveRaftVoterRequest>(
      [](const protocol::RemoveRaftVoterRequest& request, int16_t) {
        EXPECT_EQ(request.voter_directory_id, (Uuid{1, 4}));
        protocol::RemoveRaftVoterResponse response;
        response.error_code = Code(ErrorCode::kVoterNotFound);
        response.error_message = "no such voter";
        return response;
      });
  EXPECT_TRUE(quorum_->AddVoter(4, Uuid{1, 4}, {{"CONTROLLER", "h", 19095}}).ok());
  EXPECT_EQ(quorum_->RemoveVoter(4, Uuid{1, 4}).message(),
            "node 4: VOTER_NOT_FOUND: no such voter");
}

}  // namespace
}  // namespace weir::client
