// Where the replicas of new partitions go.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;

ErrorCode Create(ControllerHarness* h, const std::string& name, int32_t partitions,
                 int16_t replicas) {
  protocol::CreateTopicsRequest::CreatableTopic topic;
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = replicas;
  return static_cast<ErrorCode>(h->Create(std::move(topic)).error_code);
}

// Three racks "a", "b" and "c" with brokers 10, 11, ..., 20, 21, ... and 30, 31, ...
void JoinRacks(ControllerHarness* h, int32_t per_rack) {
  for (const auto& [rack, first] : {std::pair("a", 10), std::pair("b", 20), std::pair("c", 30)}) {
    for (int32_t i = 0; i < per_rack; ++i) h->Join(first + i, rack);
  }
}

TEST(PlacementTest, EachPartitionIsOnEveryRackAndLeadersAreBalanced) {
  ControllerHarness h;
  JoinRacks(&h, 2);
  ASSERT_EQ(Create(&h, "t", 60, 3), ErrorCode::kNone);
  std::map<int32_t, int> leads, holds;
  for (int32_t i = 0; i < 60; ++i) {
    const PartitionImage& p = h.Partition("t", i);
    std::set<int32_t> racks;
    for (const BrokerId id : p.replicas) {
      racks.insert(id.value() / 10);
      ++holds[id.value()];
    }
    EXPECT_EQ(racks.size(), 3) << i;
    EXPECT_EQ(p.leader, p.replicas[0]);
    EXPECT_EQ(p.isr, p.replicas);
    ++leads[p.leader.value()];
  }
  for (const auto& [id, count] : leads) EXPECT_EQ(count, 10) << id;
  for (const auto& [id, count] : holds) EXPECT_NEAR(count, 30, 6) << id;
  EXPECT_EQ(holds.size(), 6);
}

TEST(PlacementTest, MoreReplicasThanRacksAreOnDifferentBrokers) {
  ControllerHarness h;
  JoinRacks(&h, 2);
  ASSERT_EQ(Create(&h, "t", 20, 6), ErrorCode::kNone);
  for (int32_t i = 0; i < 20; ++i) {
    const std::vector<BrokerId>& replicas = h.Partition("t", i).replicas;
    EXPECT_EQ(std::set<BrokerId>(replicas.begin(), replicas.end()).size(), 6);
  }
}

TEST(PlacementTest, FencedBrokersFollowButNeverLead) {
  ControllerHarness h;
  h.JoinAll(3);
  h.Fence(2);
  ASSERT_EQ(Create(&h, "t", 20, 3), ErrorCode::kNone);
  for (int32_t i = 0; i < 20; ++i) {
    const PartitionImage& p = h.Partition("t", i);
    EXPECT_NE(p.replicas[0], BrokerId(2));
    EXPECT_EQ(p.isr.size(), 2);
    EXPECT_EQ(p.leader, p.replicas[0]);
  }
  // Not where the others are enough.
  ASSERT_EQ(Create(&h, "u", 20, 2), ErrorCode::kNone);
  for (int32_t i = 0; i < 20; ++i) EXPECT_EQ(h.Partition("u", i).isr.size(), 2);
}

TEST(PlacementTest, TooFewBrokersAreRefused) {
  ControllerHarness h;
  EXPECT_EQ(Create(&h, "t", 1, 1), ErrorCode::kInvalidReplicationFactor);
  h.JoinAll(2);
  EXPECT_EQ(Create(&h, "t", 1, 3), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(Create(&h, "t", 1, 2), ErrorCode::kNone);
  h.Heartbeat(2, std::nullopt, false, /*want_shut_down=*/true);
  EXPECT_EQ(Create(&h, "leaving", 1, 1), ErrorCode::kNone);
  h.Fence(1);
  EXPECT_EQ(Create(&h, "u", 1, 1), ErrorCode::kInvalidReplicationFactor);
}

TEST(PlacementTest, ManualAssignmentsNeedOneLiveBroker) {
  ControllerHarness h;
  h.JoinAll(2);
  h.Fence(2);
  h.CreateOn("t", {{2, 1}});
  EXPECT_EQ(h.Partition("t").leader, BrokerId(1));
  EXPECT_EQ(h.Partition("t").isr, Ids({1}));
  protocol::CreateTopicsRequest::CreatableTopic topic;
  topic.name = "u";
  topic.num_partitions = topic.replication_factor = -1;
  topic.assignments.push_back({0, {2}});
  EXPECT_EQ(h.Create(topic).error_code, static_cast<int16_t>(ErrorCode::kInvalidReplicaAssignment));
}

TEST(PlacementTest, AddedPartitionsAreStripedToo) {
  ControllerHarness h;
  JoinRacks(&h, 1);
  ASSERT_EQ(Create(&h, "t", 1, 2), ErrorCode::kNone);
  CreatePartitions event;
  event.request.topics.push_back({"t", 31, std::nullopt});
  EXPECT_EQ(h.Ask<protocol::CreatePartitionsResponse>(event).results[0].error_code, 0);
  std::map<BrokerId, int> leads;
  for (int32_t i = 1; i < 31; ++i) {
    const PartitionImage& p = h.Partition("t", i);
    EXPECT_EQ(p.replicas.size(), 2);
    EXPECT_NE(p.replicas[0], p.replicas[1]);
    ++leads[p.leader];
  }
  for (const auto& [id, count] : leads) EXPECT_EQ(count, 10) << id;
}

// The racks' order, the first rack and the first brokers are drawn, so that topics of one
// partition do not all begin on one broker.
TEST(PlacementTest, SmallTopicsSpread) {
  ControllerHarness h;
  h.JoinAll(4);
  std::map<BrokerId, int> leads;
  for (int i = 0; i < 80; ++i) {
    const std::string name = "t" + std::to_string(i);
    ASSERT_EQ(Create(&h, name, 1, 1), ErrorCode::kNone);
    ++leads[h.Partition(name).leader];
  }
  for (int32_t id = 1; id <= 4; ++id) EXPECT_GT(leads[BrokerId(id)], 8) << id;
}

}  // namespace
}  // namespace weir::metadata
