// Administration of groups, configurations, partitions and records; brokers in memory.
#include "client/admin.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/random.h"
#include "client/cluster.h"
#include "client/group_admin.h"
#include "client/log_admin.h"
#include "client/memory_peer.h"
#include "gtest/gtest.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/error_code.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;

constexpr int16_t Code(ErrorCode code) { return static_cast<int16_t>(code); }

// Two brokers; node 8 at b2 coordinates unless a test says otherwise.
class AdminTest : public testing::Test {
 protected:
  AdminTest() : b1_(net_.AddBroker("b1", 9092)), b2_(net_.AddBroker("b2", 9092)) {
    for (MemoryBroker* broker : {&b1_, &b2_}) {
      broker->On<protocol::MetadataRequest>(
          [this](const protocol::MetadataRequest& request, int16_t) { return Metadata(request); });
      SetCoordinator(*broker, {0, 6});
    }
    ClusterConfig config;
    config.bootstrap_servers = "b1:9092";
    cluster_ = *Cluster::Create(config, {net_, net_.clock(), random_});
    admin_ = std::make_unique<Admin>(*cluster_);
    groups_ = std::make_unique<GroupAdmin>(*admin_);
  }

  protocol::MetadataResponse Metadata(const protocol::MetadataRequest& request) {
    protocol::MetadataResponse response;
    response.brokers = {{7, "b1", 9092, std::nullopt}, {8, "b2", 9092, std::nullopt}};
    response.controller_id = 7;
    for (const auto& asked : *request.topics) {
      protocol::MetadataResponse::Topic topic;
      topic.name = asked.name;
      topic.topic_id = {1, 2};
      for (int32_t i = 0; i < partitions_; ++i) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = i;
        partition.leader_id = leader_;
        partition.leader_epoch = ++epoch_;
      }
      response.topics.push_back(topic);
    }
    return response;
  }

  void SetCoordinator(MemoryBroker& broker, protocol::VersionRange versions) {
    broker.On<protocol::FindCoordinatorRequest>(
        [this](const protocol::FindCoordinatorRequest& request, int16_t version) {
          ++finds_;
          protocol::FindCoordinatorResponse response;
          const bool at_b1 = coordinator_ == 7;
          if (version < 4) {
            EXPECT_EQ(request.key, "g");
            response.node_id = coordinator_;
            response.host = at_b1 ? "b1" : "b2";
            response.port = 9092;
          } else {
            EXPECT_EQ(request.coordinator_keys, std::vector<std::string>{"g"});
            response.coordinators.push_back(
                {"g", coordinator_, at_b1 ? "b1" : "b2", 9092, find_error_, std::nullopt});
            if (find_error_ != 0) find_error_ = 0;
          }
          return response;
        },
        versions);
  }

  MemoryNetwork net_;
  MemoryBroker& b1_;
  MemoryBroker& b2_;
  SeededRandom random_{1};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<GroupAdmin> groups_;
  int32_t coordinator_ = 8;
  int32_t leader_ = 7;
  int32_t epoch_ = 0;
  int32_t partitions_ = 1;
  int16_t find_error_ = 0;
  int finds_ = 0;
};

TEST_F(AdminTest, ListsTheGroupsOfAllBrokersAndWaitsWhileOneLoads) {
  int loading = 2;
  b1_.On<protocol::ListGroupsRequest>([&](const protocol::ListGroupsRequest& request, int16_t) {
    EXPECT_EQ(request.states_filter, std::vector<std::string>{"Stable"});
    protocol::ListGroupsResponse response;
    if (loading-- > 0) {
      response.error_code = Code(ErrorCode::kCoordinatorLoadInProgress);
    } else {
      response.groups = {{"z", "consumer", "Stable", "classic"}};
    }
    return response;
  });
  b2_.On<protocol::ListGroupsRequest>([](const protocol::ListGroupsRequest&, int16_t) {
    protocol::ListGroupsResponse response;
    response.groups = {{"a", "consumer", "Stable", "classic"}};
    return response;
  });
  const auto groups = groups_->ListGroups({"Stable"});
  ASSERT_TRUE(groups.ok()) << groups.status();
  ASSERT_EQ(groups->size(), 2u);
  EXPECT_EQ((*groups)[0].id, "a");
  EXPECT_EQ((*groups)[1].id, "z");
  EXPECT_EQ((*groups)[1].state, "Stable");
}

TEST_F(AdminTest, DescribesAGroupAtItsCoordinatorWithWhatItsMembersHave) {
  b2_.On<protocol::DescribeGroupsRequest>(
      [](const protocol::DescribeGroupsRequest& request, int16_t) {
        protocol::DescribeGroupsResponse response;
        response.groups.resize(1);
        response.groups[0].group_id = request.groups[0];
        response.groups[0].group_state = "Stable";
        response.groups[0].protocol_data = "range";
        response.groups[0].members.resize(1);
        auto& member = response.groups[0].members[0];
        member.member_id = "m";
        member.client_host = "/127.0.0.1";
        // Version 1; one topic "t" with partitions 3 and 1; user data null.
        member.member_assignment.value =
            std::string("\0\1\0\0\0\1\0\1t\0\0\0\2\0\0\0\3\0\0\0\1\xff\xff\xff\xff", 25);
        return response;
      });
  const auto groups = groups_->DescribeGroups({"g"});
  ASSERT_TRUE(groups.ok()) << groups.status();
  const GroupDescription& group = groups->at(0);
  EXPECT_TRUE(group.status.ok()) << group.status;
  EXPECT_EQ(group.state, "Stable");
  EXPECT_EQ(group.assignor, "range");
  EXPECT_EQ(group.coordinator, 8);
  ASSERT_EQ(group.members.size(), 1u);
  EXPECT_EQ(group.members[0].assignment, (std::vector<TopicAndPartition>{{"t", 1}, {"t", 3}}));
}

TEST(PartitionsOfAssignmentTest, TakesNothingOfBytesThatEndEarly) {
  const std::string whole("\0\1\0\0\0\1\0\1t\0\0\0\2\0\0\0\3\0\0\0\1\xff\xff\xff\xff", 25);
  for (size_t size = 0; size <= whole.size(); ++size) {
    const auto partitions = PartitionsOfAssignment(whole.substr(0, size));
    EXPECT_EQ(partitions.size(), size < 25 ? 0u : 2u) << size;
  }
  const std::string many("\0\1\xff\xff\xff\xff\xff\xff", 8);
  EXPECT_TRUE(PartitionsOfAssignment(many).empty()) << "a count is no reason to allocate";
}

TEST_F(AdminTest, SaysOfAnOldBrokersDeadGroupThatItDoesNotExist) {
  b2_.On<protocol::DescribeGroupsRequest>(
      [](const protocol::DescribeGroupsRequest&, int16_t) {
        protocol::DescribeGroupsResponse response;
        response.groups.resize(1);
        response.groups[0].group_state = "Dead";
        return response;
      },
      {0, 5});
  const auto groups = groups_->DescribeGroups({"g"});
  ASSERT_TRUE(groups.ok());
  EXPECT_EQ(groups->at(0).status.code(), absl::StatusCode::kNotFound);
}

TEST_F(AdminTest, FindsTheCoordinatorAgainWhenItMoved) {
  b2_.On<protocol::DeleteGroupsRequest>([this](const protocol::DeleteGroupsRequest&, int16_t) {
    coordinator_ = 7;
    protocol::DeleteGroupsResponse response;
    response.results = {{"g", Code(ErrorCode::kNotCoordinator)}};
    return response;
  });
  b1_.On<protocol::DeleteGroupsRequest>([](const protocol::DeleteGroupsRequest&, int16_t) {
    protocol::DeleteGroupsResponse response;
    response.results = {{"g", Code(ErrorCode::kNonEmptyGroup)}};
    return response;
  });
  find_error_ = Code(ErrorCode::kCoordinatorNotAvailable);  // at first
  const auto outcomes = groups_->DeleteGroups({"g"});
  ASSERT_TRUE(outcomes.ok());
  EXPECT_EQ(outcomes->at(0).status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(finds_, 3);
}

TEST_F(AdminTest, GivesUpOnACoordinatorThatNeverComes) {
  coordinator_ = 8;
  b2_.SetDown(true);
  const auto outcomes = groups_->DeleteGroups({"g"});
  ASSERT_TRUE(outcomes.ok());
  EXPECT_FALSE(outcomes->at(0).status.ok());
}

TEST_F(AdminTest, FetchesOffsetsFromOldAndNewBrokers) {
  for (const int16_t newest : {7, 10}) {
    const protocol::VersionRange coordinators =
        newest == 7 ? protocol::VersionRange{0, 3} : protocol::VersionRange{0, 6};
    SetCoordinator(b1_, coordinators);
    SetCoordinator(b2_, coordinators);
    b2_.On<protocol::OffsetFetchRequest>(
        [&](const protocol::OffsetFetchRequest& request, int16_t version) {
          EXPECT_EQ(version, newest == 7 ? 7 : 9);
          protocol::OffsetFetchResponse response;
          if (version < 8) {
            EXPECT_FALSE(request.topics.has_value());
            response.topics = {
                {"t", {{1, 11, 0, "note", 0}, {0, 10, 0, "", 0}, {2, -1, 0, "", 0}}}};
          } else {
            EXPECT_FALSE(request.groups.at(0).topics.has_value());
            response.groups.resize(1);
            response.groups[0].topics.resize(1);
            response.groups[0].topics[0].name = "t";
            response.groups[0].topics[0].partitions = {
                {1, 11, 0, "note", 0}, {0, 10, 0, "", 0}, {2, -1, 0, "", 0}};
          }
          return response;
        },
        {1, newest});
    // Versions are asked for once for each connection.
    ClusterConfig config;
    config.bootstrap_servers = "b1:9092";
    const auto cluster = *Cluster::Create(config, {net_, net_.clock(), random_});
    Admin admin(*cluster);
    GroupAdmin groups(admin);
    const auto offsets = groups.ListGroupOffsets("g");
    ASSERT_TRUE(offsets.ok()) << offsets.status();
    ASSERT_EQ(offsets->size(), 2u) << "-1 says that nothing was committed";
    EXPECT_EQ((*offsets)[0].partition, 0);
    EXPECT_EQ((*offsets)[1].offset, Offset(11));
    EXPECT_EQ((*offsets)[1].metadata, "note");
  }
}

TEST_F(AdminTest, CommitsInTheGroupsPlace) {
  int calls = 0;
  b2_.On<protocol::OffsetCommitRequest>(
      [&](const protocol::OffsetCommitRequest& request, int16_t version) {
        EXPECT_EQ(version, 9);
        EXPECT_EQ(request.generation_id_or_member_epoch, -1);
        EXPECT_EQ(request.topics.size(), 1u);
        protocol::OffsetCommitResponse response;
        response.topics.resize(1);
        response.topics[0].name = "t";
        const ErrorCode error =
            ++calls == 1 ? ErrorCode::kCoordinatorLoadInProgress : ErrorCode::kUnknownMemberId;
        response.topics[0].partitions = {{0, 0}, {1, Code(error)}};
        return response;
      });
  GroupOffset first{"t", 0, Offset(5), -1, "", absl::OkStatus()};
  GroupOffset second{"t", 1, Offset(6), -1, "", absl::OkStatus()};
  const auto outcomes = groups_->AlterGroupOffsets("g", {first, second});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  ASSERT_EQ(outcomes->size(), 2u);
  EXPECT_TRUE((*outcomes)[0].status.ok());
  EXPECT_EQ((*outcomes)[1].status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(calls, 2);
}

TEST_F(AdminTest, AsksABrokerForItsOwnConfiguration) {
  const auto handler = [](const protocol::IncrementalAlterConfigsRequest& request, int16_t) {
    protocol::IncrementalAlterConfigsResponse response;
    response.responses.resize(1);
    const auto& configs = request.resources.at(0).configs;
    EXPECT_EQ(configs.size(), 2u);
    EXPECT_EQ(configs[0].value, "v");
    EXPECT_FALSE(configs[1].value.has_value());
    response.responses[0].error_code = Code(ErrorCode::kInvalidConfig);
    response.responses[0].error_message = "no";
    return response;
  };
  b2_.On<protocol::IncrementalAlterConfigsRequest>(handler);
  const absl::Status status = admin_->IncrementalAlterConfigs(
      protocol::kBrokerResource, "8",
      {{"k", protocol::kSetConfig, "v"}, {"l", protocol::kDeleteConfig, ""}});
  EXPECT_EQ(b2_.calls(44), 1);
  EXPECT_EQ(status.message(), "8: INVALID_CONFIG: no");
}

TEST_F(AdminTest, CreatesPartitionsAtTheController) {
  b1_.On<protocol::CreatePartitionsRequest>(
      [](const protocol::CreatePartitionsRequest& request, int16_t) {
        EXPECT_EQ(request.topics.at(0).count, 5);
        EXPECT_FALSE(request.topics[0].assignments.has_value());
        protocol::CreatePartitionsResponse response;
        response.results = {{"t", Code(ErrorCode::kInvalidPartitions), "too few"}};
        return response;
      });
  const auto outcomes = admin_->CreatePartitions({{"t", 5}});
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  EXPECT_EQ(outcomes->at(0).status.message(), "t: INVALID_PARTITIONS: too few");
}

TEST_F(AdminTest, DeletesRecordsAtTheLeaderOfNow) {
  b1_.On<protocol::DeleteRecordsRequest>([this](const protocol::DeleteRecordsRequest&, int16_t) {
    leader_ = 8;
    protocol::DeleteRecordsResponse response;
    response.topics = {{"t", {{0, -1, Code(ErrorCode::kNotLeaderOrFollower)}}}};
    return response;
  });
  b2_.On<protocol::DeleteRecordsRequest>(
      [](const protocol::DeleteRecordsRequest& request, int16_t) {
        EXPECT_EQ(request.topics.at(0).partitions.at(0).offset, 4);
        protocol::DeleteRecordsResponse response;
        response.topics = {{"t", {{0, 4, 0}}}};
        return response;
      });
  LogAdmin logs(*admin_);
  const auto deleted = logs.DeleteRecords({{"t", 0, Offset(4)}, {"t", 9, Offset(4)}});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_TRUE((*deleted)[0].status.ok()) << (*deleted)[0].status;
  EXPECT_EQ((*deleted)[0].low_watermark, Offset(4));
  EXPECT_EQ((*deleted)[1].status.code(), absl::StatusCode::kNotFound);
}

// Its name stands once in the request, however many of its partitions are asked about.
TEST_F(AdminTest, AsksALeaderAboutAllPartitionsOfATopicAtOnce) {
  partitions_ = 3;
  int requests = 0;
  b1_.On<protocol::ListOffsetsRequest>([&](const protocol::ListOffsetsRequest& request, int16_t) {
    ++requests;
    protocol::ListOffsetsResponse response;
    EXPECT_EQ(request.topics.size(), 2u);
    for (const auto& topic : request.topics) {
      EXPECT_EQ(topic.partitions.size(), topic.name == "t" ? 3u : 1u);
      auto& answered = response.topics.emplace_back();
      answered.name = topic.name;
      for (const auto& asked : topic.partitions) {
        auto& partition = answered.partitions.emplace_back();
        partition.partition_index = asked.partition_index;
        partition.offset = 100 + asked.partition_index;
      }
    }
    response.topics.push_back({"another", {{}}});  // that nobody asked about
    return response;
  });
  const auto answers = admin_->ListOffsets({{"t", 2}, {"u", 1}, {"t", 0}, {"t", 1}, {"t", 3}});
  ASSERT_TRUE(answers.ok()) << answers.status();
  ASSERT_EQ(answers->size(), 5u);
  const int32_t partitions[] = {2, 1, 0, 1};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE((*answers)[i].status.ok()) << (*answers)[i].status;
    EXPECT_EQ((*answers)[i].partition, partitions[i]);
    EXPECT_EQ((*answers)[i].offset, Offset(100 + partitions[i]));
  }
  EXPECT_TRUE(absl::IsNotFound((*answers)[4].status)) << (*answers)[4].status;
  EXPECT_EQ(requests, 1);
}

}  // namespace
}  // namespace weir::client
