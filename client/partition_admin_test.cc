// Moving and leading partitions; a broker in memory.
#include "client/partition_admin.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"
#include "client/admin.h"
#include "client/cluster.h"
#include "client/memory_peer.h"
#include "gtest/gtest.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/metadata.h"
#include "protocol/error_code.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;

constexpr int16_t Code(ErrorCode code) { return static_cast<int16_t>(code); }

class PartitionAdminTest : public testing::Test {
 protected:
  PartitionAdminTest() : broker_(net_.AddBroker("b1", 9092)) {
    broker_.On<protocol::MetadataRequest>([](const protocol::MetadataRequest&, int16_t) {
      protocol::MetadataResponse response;
      response.brokers = {{7, "b1", 9092, std::nullopt}};
      response.controller_id = 7;
      return response;
    });
    ClusterConfig config;
    config.bootstrap_servers = "b1:9092";
    cluster_ = *Cluster::Create(config, {net_, net_.clock(), random_});
    admin_ = std::make_unique<Admin>(*cluster_);
  }

  MemoryNetwork net_;
  MemoryBroker& broker_;
  SeededRandom random_{1};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Admin> admin_;
};

TEST_F(PartitionAdminTest, BeginsAndEndsMoves) {
  int asked = 0;
  broker_.On<protocol::AlterPartitionReassignmentsRequest>(
      [&](const protocol::AlterPartitionReassignmentsRequest& request, int16_t) {
        protocol::AlterPartitionReassignmentsResponse response;
        response.error_message.reset();
        if (++asked == 1) {
          response.error_code = Code(ErrorCode::kNotController);
          return response;
        }
        EXPECT_FALSE(request.allow_replication_factor_change);
        EXPECT_EQ(request.topics.size(), 2u);
        EXPECT_EQ(request.topics[0].name, "a");
        EXPECT_EQ(request.topics[0].partitions[0].replicas, (std::vector<int32_t>{1, 2}));
        EXPECT_EQ(request.topics[0].partitions[1].replicas, std::nullopt);
        response.responses.resize(1);
        response.responses[0].name = "a";
        response.responses[0].partitions = {
            {0, 0, std::nullopt}, {4, Code(ErrorCode::kNoReassignmentInProgress), "none"}};
        return response;
      });
  const std::vector<PartitionMove> moves = {{"a", 0, std::vector<int32_t>{1, 2}},
                                            {"b", 1, std::vector<int32_t>{3}},
                                            {"a", 4, std::nullopt}};
  const auto outcomes =
      PartitionAdmin(*admin_).AlterReassignments(moves, /*may_change_factor=*/false);
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  ASSERT_EQ(outcomes->size(), 2u);
  EXPECT_TRUE((*outcomes)[0].status.ok());
  EXPECT_EQ((*outcomes)[1].status.message(), "a-4: NO_REASSIGNMENT_IN_PROGRESS: none");
  EXPECT_EQ(asked, 2);
}

TEST_F(PartitionAdminTest, ListsMoves) {
  broker_.On<protocol::ListPartitionReassignmentsRequest>(
      [&](const protocol::ListPartitionReassignmentsRequest& request, int16_t) {
        EXPECT_FALSE(request.topics.has_value());
        protocol::ListPartitionReassignmentsResponse response;
        response.error_message.reset();
        response.topics.resize(1);
        response.topics[0].name = "a";
        response.topics[0].partitions = {{3, {1, 2, 4}, {4}, {1}}};
        return response;
      });
  const auto moves = PartitionAdmin(*admin_).ListReassignments();
  ASSERT_TRUE(moves.ok()) << moves.status();
  ASSERT_EQ(moves->size(), 1u);
  EXPECT_EQ((*moves)[0].partition, 3);
  EXPECT_EQ((*moves)[0].adding, std::vector<int32_t>{4});
  EXPECT_EQ((*moves)[0].removing, std::vector<int32_t>{1});
}

TEST_F(PartitionAdminTest, ListsEligibleReplicasPageByPage) {
  broker_.On<protocol::DescribeTopicPartitionsRequest>(
      [&](const protocol::DescribeTopicPartitionsRequest& request, int16_t) {
        EXPECT_EQ(request.topics.size(), 2u);
        protocol::DescribeTopicPartitionsResponse response;
        auto& topic = response.topics.emplace_back();
        auto& partition = topic.partitions.emplace_back();
        if (!request.cursor.has_value()) {
          topic.name = "a";
          partition.eligible_leader_replicas = {2};
          partition.last_known_elr = {3, 4};
          response.next_cursor = {"b", 5};
        } else {
          EXPECT_EQ(request.cursor->topic_name, "b");
          EXPECT_EQ(request.cursor->partition_index, 5);
          topic.name = "b";
          partition.partition_index = 5;
        }
        return response;
      });
  const auto eligible = PartitionAdmin(*admin_).ListEligible(std::vector<std::string>{"a", "b"});
  ASSERT_TRUE(eligible.ok()) << eligible.status();
  ASSERT_EQ(eligible->size(), 2u);
  EXPECT_EQ(eligible->at({"a", 0}).eligible, std::vector<int32_t>{2});
  EXPECT_EQ(eligible->at({"a", 0}).last_known, (std::vector<int32_t>{3, 4}));
  EXPECT_TRUE(eligible->at({"b", 5}).eligible.empty());
}

TEST_F(PartitionAdminTest, PagesThatDoNotGoOnAreAnError) {
  int asked = 0;
  broker_.On<protocol::DescribeTopicPartitionsRequest>(
      [&](const protocol::DescribeTopicPartitionsRequest&, int16_t) {
        EXPECT_LT(++asked, 5);
        protocol::DescribeTopicPartitionsResponse response;
        if (asked < 5) response.next_cursor = {"a", 1};
        return response;
      });
  const auto eligible = PartitionAdmin(*admin_).ListEligible(std::vector<std::string>{"a"});
  EXPECT_EQ(eligible.status().message(), "expected a page behind a-1, came one at a-1");
  EXPECT_EQ(asked, 2);
}

TEST_F(PartitionAdminTest, ElectsLeaders) {
  broker_.On<protocol::ElectLeadersRequest>(
      [&](const protocol::ElectLeadersRequest& request, int16_t) {
        EXPECT_EQ(request.election_type, kUncleanElection);
        EXPECT_EQ(request.topic_partitions->at(0).partitions, (std::vector<int32_t>{0, 1, 2}));
        protocol::ElectLeadersResponse response;
        response.replica_election_results.resize(1);
        response.replica_election_results[0].topic = "a";
        response.replica_election_results[0].partition_result = {
            {0, 0, std::nullopt},
            {1, Code(ErrorCode::kElectionNotNeeded), std::nullopt},
            {2, Code(ErrorCode::kEligibleLeadersNotAvailable), std::nullopt}};
        return response;
      });
  const auto outcomes = PartitionAdmin(*admin_).ElectLeaders(
      kUncleanElection, std::vector<TopicAndPartition>{{"a", 0}, {"a", 1}, {"a", 2}});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  ASSERT_EQ(outcomes->size(), 3u);
  EXPECT_TRUE((*outcomes)[0].status.ok() && (*outcomes)[0].elected);
  EXPECT_TRUE((*outcomes)[1].status.ok() && !(*outcomes)[1].elected);
  EXPECT_FALSE((*outcomes)[2].status.ok());
}

}  // namespace
}  // namespace weir::client
