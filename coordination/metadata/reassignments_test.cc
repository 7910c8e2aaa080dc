// Partitions move to other replicas, and back.

#include "coordination/metadata/reassignments.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;

ErrorCode Move(ControllerHarness* h, std::string topic, int32_t index,
               std::optional<std::vector<int32_t>> replicas, bool may_change_count = true) {
  AlterPartitionReassignments event;
  event.request.allow_replication_factor_change = may_change_count;
  event.request.topics.push_back({std::move(topic), {{index, std::move(replicas)}}});
  const auto response = h->Ask<protocol::AlterPartitionReassignmentsResponse>(std::move(event));
  EXPECT_EQ(response.error_code, 0);
  return static_cast<ErrorCode>(response.responses.at(0).partitions.at(0).error_code);
}

TEST(ReassignmentsTest, EndsWhenTheNewReplicasAreInSync) {
  ControllerHarness h;
  h.JoinAll(5);
  h.CreateOn("t", {{1, 2, 3}});
  ASSERT_EQ(Move(&h, "t", 0, {{4, 5, 1}}), ErrorCode::kNone);
  const PartitionImage* p = &h.Partition("t");
  EXPECT_EQ(p->replicas, Ids({4, 5, 1, 2, 3}));
  EXPECT_EQ(p->adding_replicas, Ids({4, 5}));
  EXPECT_EQ(p->removing_replicas, Ids({2, 3}));
  EXPECT_EQ(p->leader, BrokerId(1));
  EXPECT_EQ(p->leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(p->directories.size(), 5);
  EXPECT_EQ(h.SetIsr("t", 0, {1, 2, 3, 4}), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").replicas.size(), 5);
  EXPECT_EQ(h.SetIsr("t", 0, {1, 2, 3, 4, 5}), ErrorCode::kNone);
  p = &h.Partition("t");
  EXPECT_EQ(p->replicas, Ids({4, 5, 1}));
  EXPECT_EQ(p->isr, Ids({1, 4, 5}));
  EXPECT_TRUE(p->adding_replicas.empty());
  EXPECT_TRUE(p->removing_replicas.empty());
  EXPECT_EQ(p->leader, BrokerId(1));
  EXPECT_EQ(p->leader_epoch, LeaderEpoch(1));  // the removed ones see it by that
  EXPECT_EQ(p->directories, (std::vector<Uuid>{{100, 4}, {100, 5}, {100, 1}}));
}

TEST(ReassignmentsTest, ALeaderThatIsRemovedHandsOver) {
  ControllerHarness h;
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2}});
  ASSERT_EQ(Move(&h, "t", 0, {{3, 2}}), ErrorCode::kNone);
  EXPECT_EQ(h.SetIsr("t", 0, {1, 2, 3}), ErrorCode::kNewLeaderElected);
  EXPECT_EQ(h.Partition("t").replicas, Ids({3, 2}));
  EXPECT_EQ(h.Partition("t").leader, BrokerId(3));
}

TEST(ReassignmentsTest, CanBeCancelled) {
  ControllerHarness h;
  h.JoinAll(4);
  h.CreateOn("t", {{1, 2}});
  EXPECT_EQ(Move(&h, "t", 0, std::nullopt), ErrorCode::kNoReassignmentInProgress);
  ASSERT_EQ(Move(&h, "t", 0, {{3, 4}}), ErrorCode::kNone);
  h.SetIsr("t", 0, {1, 2, 3});
  ASSERT_EQ(Move(&h, "t", 0, std::nullopt), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").replicas, Ids({1, 2}));
  EXPECT_EQ(h.Partition("t").isr, Ids({1, 2}));
  EXPECT_TRUE(h.Partition("t").adding_replicas.empty());
  EXPECT_TRUE(h.Partition("t").removing_replicas.empty());
}

TEST(ReassignmentsTest, ACancellationThatWouldLoseRecordsNeedsLeave) {
  for (const bool allowed : {false, true}) {
    ControllerHarness h;
    h.JoinAll(3);
    h.CreateOn("t", {{1, 2}}, {{"unclean.leader.election.enable", allowed ? "true" : "false"}});
    h.SetIsr("t", 0, {1});
    ASSERT_EQ(Move(&h, "t", 0, {{3, 2}}), ErrorCode::kNone);
    h.SetIsr("t", 0, {1, 3});
    h.Fence(1);
    EXPECT_EQ(h.Partition("t").isr, Ids({3}));
    EXPECT_EQ(h.Partition("t").leader, BrokerId(3));
    EXPECT_EQ(Move(&h, "t", 0, std::nullopt),
              allowed ? ErrorCode::kNone : ErrorCode::kInvalidReplicaAssignment);
    if (!allowed) continue;
    EXPECT_EQ(h.Partition("t").replicas, Ids({2, 1}));
    EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
    EXPECT_EQ(h.Partition("t").isr, Ids({2}));
    EXPECT_EQ(h.Partition("t").leader_recovery_state, 1);
  }
}

TEST(ReassignmentsTest, AnotherTargetOnTheWayKeepsTheWayBack) {
  ControllerHarness h;
  h.JoinAll(5);
  h.CreateOn("t", {{1, 2}});
  ASSERT_EQ(Move(&h, "t", 0, {{3, 4}}), ErrorCode::kNone);
  ASSERT_EQ(Move(&h, "t", 0, {{3, 5}}), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").replicas, Ids({3, 5, 4, 1, 2}));
  EXPECT_EQ(h.Partition("t").adding_replicas, Ids({3, 5, 4}));
  EXPECT_EQ(h.Partition("t").removing_replicas, Ids({4, 1, 2}));
  ASSERT_EQ(Move(&h, "t", 0, std::nullopt), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").replicas, Ids({1, 2}));
}

TEST(ReassignmentsTest, FewerReplicasOrAnotherOrderTakeEffectAtOnce) {
  ControllerHarness h;
  h.JoinAll(3);
  h.CreateOn("t", {{1, 2, 3}});
  EXPECT_EQ(Move(&h, "t", 0, {{1, 2}}, false), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(Move(&h, "t", 0, {{3, 1, 2}}, false), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").replicas, Ids({3, 1, 2}));
  EXPECT_EQ(h.Partition("t").leader, BrokerId(1));
  EXPECT_EQ(Move(&h, "t", 0, {{3, 2}}), ErrorCode::kNone);
  EXPECT_EQ(h.Partition("t").replicas, Ids({3, 2}));
  EXPECT_EQ(h.Partition("t").isr, Ids({2, 3}));
  EXPECT_EQ(h.Partition("t").leader, BrokerId(3));
}

// KIP-860: where the move that is under way is headed counts, not where it began.
TEST(ReassignmentsTest, TheNumberOfReplicasIsThatOfTheMoveUnderWay) {
  ControllerHarness h;
  h.JoinAll(5);
  h.CreateOn("t", {{1, 2}, {1, 2}});
  ASSERT_EQ(Move(&h, "t", 0, {{1, 2, 3}}), ErrorCode::kNone);
  EXPECT_EQ(Move(&h, "t", 0, {{1, 4}}, false), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(Move(&h, "t", 0, {{1, 2, 4}}, false), ErrorCode::kNone);
  ASSERT_EQ(Move(&h, "t", 1, {{3, 4, 5}}), ErrorCode::kNone);
  EXPECT_EQ(Move(&h, "t", 1, {{1, 2}}, false), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(Move(&h, "t", 1, {{1, 2, 4}}, false), ErrorCode::kNone);
}

TEST(ReassignmentsTest, BadTargetsAreRefused) {
  ControllerHarness h;
  h.JoinAll(2);
  h.CreateOn("t", {{1, 2}});
  const size_t before = h.log().size();
  EXPECT_EQ(Move(&h, "x", 0, {{1}}), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Move(&h, "t", 1, {{1}}), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Move(&h, "t", 0, std::vector<int32_t>()), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(Move(&h, "t", 0, {{1, 1}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(Move(&h, "t", 0, {{1, 7}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(h.log().size(), before);
}

TEST(ReassignmentsTest, AreListed) {
  ControllerHarness h;
  h.JoinAll(3);
  h.CreateOn("b", {{1}, {1}, {1}});
  h.CreateOn("a", {{1}});
  Move(&h, "b", 2, {{2}});
  Move(&h, "b", 0, {{3}});
  Move(&h, "a", 0, {{2}});
  protocol::ListPartitionReassignmentsRequest request;
  auto response = ListReassignments(h.image(), request);
  ASSERT_EQ(response.topics.size(), 2);
  EXPECT_EQ(response.topics[0].name, "a");
  ASSERT_EQ(response.topics[1].partitions.size(), 2);
  EXPECT_EQ(response.topics[1].partitions[0].partition_index, 0);
  EXPECT_EQ(response.topics[1].partitions[1].replicas, (std::vector<int32_t>{2, 1}));
  EXPECT_EQ(response.topics[1].partitions[1].adding_replicas, (std::vector<int32_t>{2}));
  EXPECT_EQ(response.topics[1].partitions[1].removing_replicas, (std::vector<int32_t>{1}));
  request.topics = {{"b", {1, 2, 9, 2}}, {"none", {0}}};
  response = ListReassignments(h.image(), request);
  ASSERT_EQ(response.topics.size(), 1);
  ASSERT_EQ(response.topics[0].partitions.size(), 1);
  EXPECT_EQ(response.topics[0].partitions[0].partition_index, 2);
}

TEST(ReassignmentsTest, BrokersSayWhereTheirReplicasAre) {
  ControllerHarness h;
  h.Register(TestRegistration(1, 1, {Uuid{100, 1}, Uuid{100, 11}}));
  h.Heartbeat(1);
  h.Join(2);
  h.CreateOn("t", {{1, 2}});
  EXPECT_EQ(h.Partition("t").directories[0], kDirectoryUnassigned);
  const Uuid id = h.image().FindTopic("t")->id;
  AssignReplicasToDirs event;
  event.broker = BrokerId(1);
  event.broker_epoch = h.Epoch(1);
  event.assignments = {{{id, PartitionIndex(0)}, {100, 11}},
                       {{id, PartitionIndex(1)}, {100, 11}},
                       {{{9, 9}, PartitionIndex(0)}, {100, 11}}};
  const auto response = h.Ask<ReplicasAssigned>(event);
  EXPECT_EQ(response.errors,
            (std::vector<ErrorCode>{ErrorCode::kNone, ErrorCode::kUnknownTopicOrPartition,
                                    ErrorCode::kUnknownTopicId}));
  EXPECT_EQ(h.Partition("t").directories[0], (Uuid{100, 11}));
  EXPECT_EQ(h.Partition("t").leader_epoch, LeaderEpoch(0));
  event.assignments = {{{id, PartitionIndex(0)}, {100, 12}}};  // one that is not online
  h.Ask<ReplicasAssigned>(event);
  EXPECT_EQ(h.Partition("t").isr, Ids({2}));
  EXPECT_EQ(h.Partition("t").leader, BrokerId(2));
  ++event.broker_epoch;
  EXPECT_EQ(h.Ask<ReplicasAssigned>(event).error, ErrorCode::kStaleBrokerEpoch);
}

}  // namespace
}  // namespace weir::metadata
