// Who leads a partition, who is in its ISR and who is eligible to lead, as brokers come and go.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;

constexpr int8_t kPreferred = 0;
constexpr int8_t kUnclean = 1;

ErrorCode Elect(ControllerHarness* h, int8_t type, std::string topic, int32_t index = 0) {
  ElectLeaders event;
  event.request.election_type = type;
  event.request.topic_partitions->push_back({std::move(topic), {index}});
  const auto response = h->Ask<protocol::ElectLeadersResponse>(std::move(event));
  if (response.error_code != 0) return static_cast<ErrorCode>(response.error_code);
  return static_cast<ErrorCode>(
      response.replica_election_results.at(0).partition_result.at(0).error_code);
}

TEST(ElectionsTest, TheNextReplicaInSyncLeads) {
  ControllerHarness h;
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}});
  EXPECT_EQ(h.SetIsr("t", 0, {1, 3}), ErrorCode::kNone);
  h.Fence(1);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(3));
  EXPECT_EQ(h.Partition("t").isr, Ids({3}));
  h.Fence(3);
  EXPECT_EQ(h.Partition("t").leader, kNoBroker);
  EXPECT_EQ(h.Partition("t").isr, Ids({3}));
  h.Unfence(1);  // was not in sync
  EXPECT_EQ(h.Partition("t").leader, kNoBroker);
  h.Unfence(3);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(3));
  EXPECT_EQ(h.Partition("t").leader_epoch, LeaderEpoch(3));
}

TEST(ElectionsTest, UncleanElectionOnlyWhereTheSettingAllowsIt) {
  for (const bool by_default : {false, true}) {
    ControllerHarness h;
    h.JoinAll(2);
    h.CreateOn("t", {{1, 2}},
               by_default ? std::map<std::string, std::string>()
                          : std::map<std::string, std::string>{
                                {"unclean.leader.election.enable", "true"}});
    h.CreateOn("u", {{1, 2}}, {{"unclean.leader.election.enable", "false"}});
    h.SetIsr("t", 0, {1});
    h.SetIsr("u", 0, {1});
    h.Fence(1);
    if (by_default) {
      EXPECT_EQ(h.Partition("t").leader, kNoBroker);
      // As Kafka's dynamic default of all brokers, which this release does not set itself.
      ConfigRecord record;
      record.resource_type = static_cast<int8_t>(ConfigResourceType::kBroker);
      record.resource_name = "";
      record.name = "unclean.leader.election.enable";
      record.value = "true";
      h.Import(record);  // and another controller leads
    }
    EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
    EXPECT_EQ(h.Partition("t").isr, Ids({2}));
    EXPECT_EQ(h.Partition("t").leader_recovery_state, 1);
    EXPECT_EQ(h.Partition("u").leader, kNoBroker);
    EXPECT_EQ(h.Partition("u").isr, Ids({1}));
  }
}

TEST(ElectionsTest, AllowingUncleanElectionElectsAtOnce) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  h.SetIsr("t", 0, {1});
  h.Fence(1);
  EXPECT_EQ(h.SetConfig(ConfigResourceType::kTopic, "t", "unclean.leader.election.enable", "true"),
            ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
}

TEST(ElectionsTest, BelowTheMinimumReplicasStayEligible) {
  ControllerHarness h({}, /*elr=*/true);
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}}, {{"min.insync.replicas", "2"}});
  h.Fence(1);
  EXPECT_EQ(h.Partition("t").isr, Ids({2, 3}));
  EXPECT_TRUE(h.Partition("t").eligible_leader_replicas.empty());
  h.Fence(2);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(3));
  EXPECT_EQ(h.Partition("t").isr, Ids({3}));
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({2}));
  h.Fence(3);
  EXPECT_EQ(h.Partition("t").leader, kNoBroker);
  EXPECT_TRUE(h.Partition("t").isr.empty());
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({2, 3}));
  EXPECT_EQ(h.Partition("t").last_known_elr, Ids({3}));
  h.Unfence(1);
  EXPECT_EQ(h.Partition("t").leader, kNoBroker);
  h.Unfence(2);  // from the eligible ones
  EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t").isr, Ids({2}));
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({3}));
  EXPECT_TRUE(h.Partition("t").last_known_elr.empty());
  EXPECT_EQ(h.Partition("t").leader_recovery_state, 0);
  // Enough are in sync again: nobody else is eligible.
  EXPECT_EQ(h.SetIsr("t", 0, {2, 1}), ErrorCode::kNone);
  EXPECT_TRUE(h.Partition("t").eligible_leader_replicas.empty());
}

TEST(ElectionsTest, ALowerMinimumLeavesNobodyEligibleBehind) {
  ControllerHarness h({}, /*elr=*/true);
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}}, {{"min.insync.replicas", "3"}});
  h.SetIsr("t", 0, {1, 2});
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({3}));
  const size_t before = h.log().size();
  h.SetConfig(ConfigResourceType::kTopic, "t", "min.insync.replicas", "2");
  EXPECT_TRUE(h.Partition("t").eligible_leader_replicas.empty());
  // The partition first: a controller that fails in between must not leave it eligible.
  ASSERT_EQ(h.log().size(), before + 2);
  EXPECT_TRUE(std::holds_alternative<PartitionChangeRecord>(h.log()[before]));
  EXPECT_TRUE(std::holds_alternative<ConfigRecord>(h.log()[before + 1]));
}

TEST(ElectionsTest, AnUncleanRestartIsNotEligible) {
  ControllerHarness h({}, /*elr=*/true);
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}}, {{"min.insync.replicas", "2"}});
  h.Fence(1);
  h.Fence(2);
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({1, 2}));
  EXPECT_EQ(h.Partition("t").last_known_elr, Ids({2}));
  h.Register(TestRegistration(1, 50), /*previous_epoch=*/-1);
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({2}));
  h.Register(TestRegistration(2, 51), h.Epoch(2));  // has everything
  EXPECT_EQ(h.Partition("t").eligible_leader_replicas, Ids({2}));
  h.Register(TestRegistration(2, 52), h.Epoch(2) - 1);  // of an epoch before its last
  EXPECT_TRUE(h.Partition("t").eligible_leader_replicas.empty());
  h.Heartbeat(1);
  EXPECT_EQ(h.Partition("t").leader, kNoBroker);
  h.Heartbeat(2);  // the last known leader, when there is nobody better
  EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t").isr, Ids({2}));
  EXPECT_EQ(h.Partition("t").leader_recovery_state, 1);
  // It recovers alone, once.
  AlterPartition both = h.IsrOf("t", 0, {2, 1});
  both.changes[0].leader_recovery_state = 1;
  EXPECT_EQ(h.Ask<PartitionsAltered>(both).results[0].error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(h.SetIsr("t", 0, {2, 1}), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").leader_recovery_state, 0);
  AlterPartition again = h.IsrOf("t", 0, {2});
  again.changes[0].leader_recovery_state = 1;
  EXPECT_EQ(h.Ask<PartitionsAltered>(again).results[0].error, ErrorCode::kInvalidRequest);
}

TEST(ElectionsTest, AWipedDiskNeverLeads) {
  for (const bool elr : {false, true}) {
    ControllerHarness h({}, elr);
    h.JoinAll(2);
    h.CreateOn("both", {{1, 2}});
    h.CreateOn("alone", {{1}});
    h.Fence(1);
    EXPECT_EQ(h.Partition("both").leader, BrokerId(2));
    const int64_t epoch = h.Epoch(1);
    h.Register(TestRegistration(1, 50, {Uuid{200, 1}}), epoch);
    h.Heartbeat(1);
    EXPECT_EQ(h.Partition("alone").leader, kNoBroker) << elr;
    EXPECT_TRUE(h.Partition("alone").isr.empty());
    EXPECT_TRUE(h.Partition("alone").eligible_leader_replicas.empty());
    EXPECT_TRUE(h.Partition("alone").last_known_elr.empty());
    EXPECT_EQ(h.Partition("both").directories, (std::vector<Uuid>{{200, 1}, {100, 2}}));
    EXPECT_EQ(h.SetIsr("both", 0, {2, 1}), ErrorCode::kNone);  // it caught up
    EXPECT_EQ(Elect(&h, kUnclean, "alone"), ErrorCode::kNone);
    EXPECT_EQ(h.Partition("alone").leader, BrokerId(1));
  }
}

ErrorCode AssignTo(ControllerHarness* h, int32_t broker, const char* topic, const Uuid& directory) {
  AssignReplicasToDirs event;
  event.broker = BrokerId(broker);
  event.broker_epoch = h->Epoch(broker);
  event.assignments = {{{h->image().FindTopic(topic)->id, PartitionIndex(0)}, directory}};
  return h->Ask<ReplicasAssigned>(std::move(event)).errors.at(0);
}

TEST(ElectionsTest, AReplicaThatIsLostLeavesAndComesBackFromAnotherDirectory) {
  for (const bool elr : {false, true}) {
    SCOPED_TRACE(elr);
    ControllerConfig config;
    config.min_insync_replicas = 3;  // with ELR, who leaves the ISR in order stays eligible
    ControllerHarness h(config, elr);
    h.JoinAll(3);
    h.CreateOn("t", {{1, 2, 3}});
    EXPECT_EQ(AssignTo(&h, 1, "t", kDirectoryLost), ErrorCode::kNone);
    EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
    EXPECT_EQ(h.Partition("t").isr, Ids({2, 3}));
    EXPECT_TRUE(h.Partition("t").eligible_leader_replicas.empty());
    EXPECT_EQ(h.SetIsr("t", 0, {2, 3, 1}), ErrorCode::kIneligibleReplica);
    const int32_t epoch = h.Partition("t").partition_epoch;
    EXPECT_EQ(AssignTo(&h, 1, "t", kDirectoryLost), ErrorCode::kNone);  // once more
    EXPECT_EQ(h.Partition("t").partition_epoch, epoch);
    EXPECT_EQ(AssignTo(&h, 1, "t", Uuid{100, 1}), ErrorCode::kNone);
    EXPECT_EQ(h.Partition("t").directories[0], (Uuid{100, 1}));
    EXPECT_EQ(h.SetIsr("t", 0, {2, 3, 1}), ErrorCode::kNone);  // it caught up
  }
}

TEST(ElectionsTest, AReplicaThatIsLostIsEligibleNoMore) {
  ControllerConfig config;
  config.min_insync_replicas = 3;
  ControllerHarness h(config, /*elr=*/true);
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}});
  h.Fence(3);
  h.Unfence(3);
  ASSERT_EQ(h.Partition("t").eligible_leader_replicas, Ids({3}));
  EXPECT_EQ(AssignTo(&h, 3, "t", kDirectoryLost), ErrorCode::kNone);
  EXPECT_TRUE(h.Partition("t").eligible_leader_replicas.empty());
  EXPECT_EQ(h.Partition("t").isr, Ids({1, 2}));
}

// Two brokers whose disks cannot be read for a moment say so of the same partition.
TEST(ElectionsTest, TheLastReplicaThatCountsIsNotGivenUp) {
  for (const bool elr : {false, true}) {
    SCOPED_TRACE(elr);
    ControllerConfig config;
    config.min_insync_replicas = 2;
    ControllerHarness h(config, elr);
    h.JoinAll(2);
    h.CreateOn("t", {{1, 2}});
    EXPECT_EQ(AssignTo(&h, 1, "t", kDirectoryLost), ErrorCode::kNone);
    const PartitionImage before = h.Partition("t");
    EXPECT_EQ(before.isr, Ids({2}));
    EXPECT_EQ(AssignTo(&h, 2, "t", kDirectoryLost), ErrorCode::kIneligibleReplica);
    EXPECT_EQ(h.Partition("t"), before);
    h.Fence(2);
    EXPECT_EQ(AssignTo(&h, 2, "t", kDirectoryLost), ErrorCode::kIneligibleReplica);
    h.Unfence(2);
    EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
  }
}

TEST(ElectionsTest, ElectsPreferredLeadersWhenAsked) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}, {2, 1}});
  EXPECT_EQ(Elect(&h, kPreferred, "t"), ErrorCode::kElectionNotNeeded);
  h.Fence(1);
  EXPECT_EQ(Elect(&h, kPreferred, "t"), ErrorCode::kPreferredLeaderNotAvailable);
  h.Unfence(1);
  EXPECT_EQ(Elect(&h, kPreferred, "t"), ErrorCode::kPreferredLeaderNotAvailable);
  h.SetIsr("t", 0, {2, 1});
  EXPECT_EQ(Elect(&h, kPreferred, "t"), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(1));
  EXPECT_EQ(Elect(&h, kPreferred, "t", 7), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Elect(&h, kPreferred, "x"), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Elect(&h, 2, "t"), ErrorCode::kInvalidRequest);
  // All of them: only those that were not as they should be are named.
  h.Fence(2);
  ElectLeaders all;
  all.request.topic_partitions.reset();
  const auto response = h.Ask<protocol::ElectLeadersResponse>(all);
  ASSERT_EQ(response.replica_election_results.size(), 1);
  ASSERT_EQ(response.replica_election_results[0].partition_result.size(), 1);
  EXPECT_EQ(response.replica_election_results[0].partition_result[0].partition_id, 1);
}

TEST(ElectionsTest, ElectsUncleanLeadersWhenAsked) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  EXPECT_EQ(Elect(&h, kUnclean, "t"), ErrorCode::kElectionNotNeeded);
  h.SetIsr("t", 0, {1});
  h.Fence(1);
  EXPECT_EQ(Elect(&h, kUnclean, "t"), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
  EXPECT_EQ(h.Partition("t").leader_recovery_state, 1);
  h.Fence(2);
  EXPECT_EQ(Elect(&h, kUnclean, "t"), ErrorCode::kEligibleLeadersNotAvailable);
}

TEST(ElectionsTest, LeadershipGoesBackToTheFirstReplicaInTime) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  h.Fence(1);
  h.Unfence(1);
  h.SetIsr("t", 0, {2, 1});
  for (int i = 0; i < 60; ++i) {
    h.Heartbeat(1);
    h.Heartbeat(2);
    EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
    h.AdvanceAndTick(5000);
  }
  EXPECT_EQ(h.Partition("t").leader, BrokerId(1));
  EXPECT_EQ(h.Partition("t").isr, Ids({2, 1}));

  ControllerConfig config;
  config.auto_leader_rebalance_enable = false;
  ControllerHarness off(config);
  off.JoinAll(2);
  off.CreateOn("t", {{1, 2}});
  off.Fence(1);
  off.Unfence(1);
  off.SetIsr("t", 0, {2, 1});
  off.Fence(1);  // so that no session runs out
  off.Unfence(1);
  off.AdvanceAndTick(8000);
  EXPECT_EQ(off.Partition("t").leader, BrokerId(2));
}

TEST(ElectionsTest, OnlyTheLeaderOfTheseEpochsChangesTheIsr) {
  ControllerHarness h;
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}});
  const auto ask = [&](auto change) {
    AlterPartition event = h.IsrOf("t", 0, {1, 2});
    change(&event, &event.changes[0]);
    const auto response = h.Ask<PartitionsAltered>(event);
    return response.error != ErrorCode::kNone ? response.error : response.results.at(0).error;
  };
  using E = AlterPartition*;
  using C = AlterPartition::Change*;
  const size_t before = h.log().size();
  EXPECT_EQ(ask([](E e, C) { ++e->broker_epoch; }), ErrorCode::kStaleBrokerEpoch);
  EXPECT_EQ(ask([](E e, C) { e->broker = BrokerId(9); }), ErrorCode::kBrokerIdNotRegistered);
  EXPECT_EQ(ask([](E, C c) { c->partition.topic_id = Uuid{9, 9}; }), ErrorCode::kUnknownTopicId);
  EXPECT_EQ(ask([](E, C c) { c->partition.partition = PartitionIndex(9); }),
            ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(ask([](E, C c) { c->leader_epoch = LeaderEpoch(1); }), ErrorCode::kNotController);
  EXPECT_EQ(ask([](E, C c) { c->partition_epoch = 1; }), ErrorCode::kNotController);
  EXPECT_EQ(ask([&](E e, C) {
              e->broker = BrokerId(2);
              e->broker_epoch = h.Epoch(2);
            }),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(ask([](E, C c) { c->isr.erase(c->isr.begin()); }), ErrorCode::kInvalidRequest);
  EXPECT_EQ(ask([](E, C c) { c->isr.push_back({BrokerId(4), -1}); }), ErrorCode::kInvalidRequest);
  EXPECT_EQ(ask([](E, C c) { c->isr.push_back(c->isr[0]); }), ErrorCode::kInvalidRequest);
  EXPECT_EQ(ask([](E, C c) { ++c->isr[1].broker_epoch; }), ErrorCode::kIneligibleReplica);
  EXPECT_EQ(ask([](E, C c) { c->leader_recovery_state = 2; }), ErrorCode::kInvalidRequest);
  EXPECT_EQ(h.log().size(), before);

  const AlterPartition stale = h.IsrOf("t", 0, {1, 2});
  const auto response = h.Ask<PartitionsAltered>(stale);
  EXPECT_EQ(response.results[0].error, ErrorCode::kNone);
  EXPECT_EQ(response.results[0].isr, Ids({1, 2}));
  EXPECT_EQ(response.results[0].partition_epoch, 1);
  EXPECT_EQ(response.results[0].leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(h.Ask<PartitionsAltered>(stale).results[0].error, ErrorCode::kInvalidUpdateVersion);
  h.Fence(3);
  EXPECT_EQ(h.SetIsr("t", 0, {1, 2, 3}), ErrorCode::kIneligibleReplica);
  const AlterPartition deposed = h.IsrOf("t", 0, {1});
  h.Fence(1);
  EXPECT_EQ(h.Ask<PartitionsAltered>(deposed).results[0].error, ErrorCode::kFencedLeaderEpoch);
}

}  // namespace
}  // namespace weir::metadata
