// Connections, their negotiation and repair, and the metadata of a cluster; brokers in memory.
#include "client/cluster.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/random.h"
#include "client/memory_peer.h"
#include "gtest/gtest.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/metadata.h"
#include "protocol/error_code.h"

namespace weir::client {
namespace {

using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;
using protocol::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

class ClusterTest : public testing::Test {
 protected:
  ClusterTest() : broker_(net_.AddBroker("b1", 9092)) {
    broker_.On<MetadataRequest>(
        [this](const MetadataRequest& request, int16_t) { return Metadata(request); });
    broker_.On<DescribeClusterRequest>([this](const DescribeClusterRequest&, int16_t version) {
      described_at_ = version;
      DescribeClusterResponse response;
      response.cluster_id = "c";
      return response;
    });
    ClusterConfig config;
    config.bootstrap_servers = "b1:9092";
    cluster_ = *Cluster::Create(config, {net_, net_.clock(), random_});
  }

  MetadataResponse Metadata(const MetadataRequest& request) {
    MetadataResponse response;
    response.brokers = {{7, "b1", 9092, std::nullopt}, {8, "b2", 9092, std::nullopt}};
    response.controller_id = 7;
    response.cluster_id = "c";
    for (const MetadataRequest::Topic& asked : *request.topics) {
      MetadataResponse::Topic topic;
      topic.name = asked.name;
      topic.topic_id = {1, 2};
      for (int32_t i = 0; i < 2; ++i) {
        MetadataResponse::Partition partition;
        partition.partition_index = 1 - i;  // in any order
        partition.leader_id = leaders_[1 - i];
        partition.leader_epoch = epoch_;
        topic.partitions.push_back(partition);
      }
      response.topics.push_back(topic);
    }
    return response;
  }

  MemoryNetwork net_;
  MemoryBroker& broker_;
  SeededRandom random_{1};
  std::unique_ptr<Cluster> cluster_;
  int16_t described_at_ = -1;
  int32_t leaders_[2] = {7, 8};
  int32_t epoch_ = 4;
};

TEST_F(ClusterTest, NegotiatesTheNewestCommonVersion) {
  broker_.On<DescribeClusterRequest>(
      [this](const DescribeClusterRequest&, int16_t version) {
        described_at_ = version;
        return DescribeClusterResponse();
      },
      {0, 1});
  const auto response = cluster_->CallAny(DescribeClusterRequest(), cluster_->Deadline());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(described_at_, 1);
  ASSERT_TRUE(cluster_->CallAny(DescribeClusterRequest(), cluster_->Deadline()).ok());
  EXPECT_EQ(broker_.calls(18), 1) << "one negotiation for each connection";
  EXPECT_EQ(net_.connects(), 1);
}

TEST_F(ClusterTest, NegotiatesWithABrokerThatKnowsOnlyOldApiVersions) {
  broker_.SetApiVersionsMax(0);
  const auto response = cluster_->CallAny(DescribeClusterRequest(), cluster_->Deadline());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(broker_.calls(18), 2);
}

TEST_F(ClusterTest, SaysWhichVersionsAreMissing) {
  broker_.On<DescribeClusterRequest>(
      [](const DescribeClusterRequest&, int16_t) { return DescribeClusterResponse(); }, {5, 6});
  const auto response = cluster_->CallAny(DescribeClusterRequest(), cluster_->Deadline());
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(response.status().message(),
            "DescribeCluster: the broker has versions 5 to 6, we 0 to 2");
  const auto absent = cluster_->CallAny(FindCoordinatorRequest(), cluster_->Deadline());
  EXPECT_EQ(absent.status().message(), "the broker does not offer FindCoordinator");
}

TEST_F(ClusterTest, RefusesToDropWhatAVersionCannotCarry) {
  broker_.On<DescribeClusterRequest>(
      [](const DescribeClusterRequest&, int16_t) { return DescribeClusterResponse(); }, {0, 1});
  DescribeClusterRequest request;
  request.include_fenced_brokers = true;  // since version 2
  const auto response = cluster_->CallAny(request, cluster_->Deadline());
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ClusterTest, BuildsARequestForTheVersionThatWasAgreed) {
  broker_.On<FindCoordinatorRequest>(
      [](const FindCoordinatorRequest& request, int16_t) {
        FindCoordinatorResponse response;
        response.host = request.key;
        return response;
      },
      {0, 2});
  const auto response = cluster_->Call<FindCoordinatorRequest>(
      cluster_->AnyNode(),
      [](int16_t version) {
        FindCoordinatorRequest request;
        if (version < 4) request.key = "group";
        return request;
      },
      cluster_->Deadline());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->host, "group");
}

TEST_F(ClusterTest, TriesAgainWhenTheConnectionBreaks) {
  broker_.CloseOnNextRequest();
  const auto response = cluster_->CallAny(DescribeClusterRequest(), cluster_->Deadline());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(net_.connects(), 2);
  EXPECT_EQ(net_.open_streams(), 1u);
}

TEST_F(ClusterTest, PausesBetweenTriesAndGivesUpInTime) {
  broker_.SetDown(true);
  const MonotonicNs before = cluster_->Now();
  const auto response = cluster_->CallAny(DescribeClusterRequest(), cluster_->After(10'000));
  EXPECT_FALSE(response.ok());
  EXPECT_NE(std::string(response.status().message()).find("refused"), std::string::npos)
      << response.status();
  EXPECT_EQ(cluster_->Now() - before, 10'000 * kNsPerMs);
  EXPECT_GT(net_.connects(), 5);
  EXPECT_LT(net_.connects(), 30);
}

TEST_F(ClusterTest, ALateResponseEndsTheConnection) {
  bool answers = false;
  broker_.On<DescribeClusterRequest>(
      [&](const DescribeClusterRequest&, int16_t) -> std::optional<DescribeClusterResponse> {
        if (!answers) return std::nullopt;
        return DescribeClusterResponse();
      });
  const auto late = cluster_->Call<DescribeClusterRequest>(
      cluster_->AnyNode(), DescribeClusterRequest(), cluster_->After(500));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(net_.open_streams(), 0u);
  answers = true;
  EXPECT_TRUE(cluster_->CallAny(DescribeClusterRequest(), cluster_->Deadline()).ok());
}

TEST_F(ClusterTest, FindsLeadersAndConnectsToThem) {
  MemoryBroker& second = net_.AddBroker("b2", 9092);
  second.On<DescribeClusterRequest>([](const DescribeClusterRequest&, int16_t) {
    DescribeClusterResponse response;
    response.cluster_id = "from the second";
    return response;
  });
  ASSERT_TRUE(cluster_->Refresh({"t"}, cluster_->Deadline()).ok());
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 0), 7);
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 1), 8);
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 2), kNoNode);
  EXPECT_EQ(cluster_->metadata().LeaderOf("u", 0), kNoNode);
  EXPECT_EQ(cluster_->metadata().NameOf({1, 2}), "t");
  const auto response =
      cluster_->Call<DescribeClusterRequest>(8, DescribeClusterRequest(), cluster_->Deadline());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->cluster_id, "from the second");
}

TEST_F(ClusterTest, KeepsTheNewerLeaderWhenABrokerLags) {
  ASSERT_TRUE(cluster_->Refresh({"t"}, cluster_->Deadline()).ok());
  cluster_->mutable_metadata().OnNewLeader("t", 0, 8, 5);
  cluster_->mutable_metadata().OnNewLeader("t", 0, 7, 5);   // no news
  cluster_->mutable_metadata().OnNewLeader("t", 1, 99, 9);  // no such broker
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 0), 8);
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 1), 8);
  ASSERT_TRUE(cluster_->Refresh({"t"}, cluster_->Deadline()).ok());  // still epoch 4
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 0), 8);
  epoch_ = 6;
  ASSERT_TRUE(cluster_->Refresh({"t"}, cluster_->Deadline()).ok());
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 0), 7);
}

TEST_F(ClusterTest, RefreshesWhatItWatchesInTheBackground) {
  cluster_->Watch("t");
  while (cluster_->refresh_pending()) cluster_->Poll(cluster_->After(100));
  EXPECT_EQ(cluster_->metadata().LeaderOf("t", 0), 7);
  const int calls = broker_.calls(3);
  cluster_->WantRefresh();
  cluster_->WantRefresh();
  while (cluster_->refresh_pending()) cluster_->Poll(cluster_->After(100));
  EXPECT_EQ(broker_.calls(3), calls + 1);
}

TEST(ParseServers, TakesListsAndIpv6) {
  const auto servers = ParseServers("a:1, [::1]:9092");
  ASSERT_TRUE(servers.ok());
  ASSERT_EQ(servers->size(), 2u);
  EXPECT_EQ((*servers)[1].host, "::1");
  EXPECT_EQ((*servers)[1].port, 9092);
  for (const absl::string_view bad : {"", "a", "a:", ":1", "a:0", "a:65536", "a:x", "a:1,b"}) {
    EXPECT_FALSE(ParseServers(bad).ok()) << bad;
  }
}

TEST(StatusOfError, KeepsTheNameOfTheCode) {
  EXPECT_TRUE(StatusOfError(ErrorCode::kNone, "x").ok());
  const absl::Status status = StatusOfError(ErrorCode::kTopicAlreadyExists, "t", "it is there");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "t: TOPIC_ALREADY_EXISTS: it is there");
}

}  // namespace
}  // namespace weir::client
