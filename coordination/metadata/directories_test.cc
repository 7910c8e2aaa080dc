// Brokers with several log directories: one that fails, is missing after a restart, or is replaced
// (KIP-858).

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::ErrorCode;

const Uuid kA{100, 1};
const Uuid kB{100, 11};
const Uuid kC{100, 111};  // in place of one of them

// Broker 1 has the directories A and B, brokers 2 and 3 one each.
class DirectoriesTest : public testing::TestWithParam<bool> {
 protected:
  DirectoriesTest() : h_({}, /*elr=*/GetParam()) {
    Restart({kA, kB});
    h_.Join(2);
    h_.Join(3);
  }

  // Broker 1 ends in order and comes back with these directories.
  void Restart(std::vector<Uuid> directories) {
    const int64_t epoch = h_.Epoch(1);
    if (epoch >= 0) h_.Fence(1);
    ASSERT_EQ(h_.Register(TestRegistration(1, ++incarnation_, std::move(directories)), epoch).error,
              ErrorCode::kNone);
    ASSERT_FALSE(h_.Heartbeat(1).is_fenced);
  }
  BrokerHeartbeatReply Lose(std::vector<Uuid> offline, bool want_shut_down = false) {
    BrokerHeartbeat event;
    event.broker = BrokerId(1);
    event.broker_epoch = h_.Epoch(1);
    event.metadata_offset = h_.controller().next_offset() - 1;
    event.want_shut_down = want_shut_down;
    event.offline_log_dirs = std::move(offline);
    return h_.Ask<BrokerHeartbeatReply>(event);
  }
  ErrorCode Assign(const std::string& topic, const Uuid& directory) {
    AssignReplicasToDirs event;
    event.broker = BrokerId(1);
    event.broker_epoch = h_.Epoch(1);
    event.assignments = {{{h_.image().FindTopic(topic)->id, PartitionIndex(0)}, directory}};
    return h_.Ask<ReplicasAssigned>(std::move(event)).errors.at(0);
  }
  void CreateIn(const std::string& topic, std::vector<int32_t> replicas, const Uuid& directory) {
    h_.CreateOn(topic, {std::move(replicas)});
    ASSERT_EQ(Assign(topic, directory), ErrorCode::kNone);
  }
  ErrorCode ElectUncleanly(const std::string& topic) {
    ElectLeaders event;
    event.request.election_type = 1;
    event.request.topic_partitions->push_back({topic, {0}});
    const auto response = h_.Ask<protocol::ElectLeadersResponse>(std::move(event));
    return static_cast<ErrorCode>(
        response.replica_election_results.at(0).partition_result.at(0).error_code);
  }
  const PartitionImage& Of(const std::string& topic) const { return h_.Partition(topic); }

  ControllerHarness h_;
  uint64_t incarnation_ = 1000;
};
INSTANTIATE_TEST_SUITE_P(Elr, DirectoriesTest, testing::Bool());

TEST_P(DirectoriesTest, ADirectoryThatFailsTakesItsLeadersAlongAndNothingElse) {
  CreateIn("in-a", {1, 2, 3}, kA);
  CreateIn("in-b", {1, 2, 3}, kB);
  CreateIn("alone", {1}, kA);
  h_.CreateOn("anywhere", {{1, 2}});
  EXPECT_FALSE(Lose({kA}).is_fenced);
  EXPECT_EQ(h_.image().FindBroker(BrokerId(1))->directories, std::vector<Uuid>{kB});
  EXPECT_EQ(Of("in-a").leader, BrokerId(2));
  EXPECT_EQ(Of("in-a").isr, Ids({2, 3}));
  EXPECT_EQ(Of("in-b").leader, BrokerId(1));
  EXPECT_EQ(Of("in-b").leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(Of("in-b").isr, Ids({1, 2, 3}));
  EXPECT_EQ(Of("alone").leader, kNoBroker);
  EXPECT_EQ(Of("anywhere").leader, BrokerId(1));
  // The broker says in which directory the rest was.
  EXPECT_EQ(Assign("anywhere", kA), ErrorCode::kNone);
  EXPECT_EQ(Of("anywhere").leader, BrokerId(2));
  EXPECT_EQ(Of("anywhere").isr, Ids({2}));
  // Not even on demand, or as the broker that everybody else left.
  EXPECT_EQ(ElectUncleanly("alone"), ErrorCode::kEligibleLeadersNotAvailable);
  h_.Fence(2);
  EXPECT_EQ(Of("anywhere").leader, kNoBroker);
  EXPECT_EQ(ElectUncleanly("anywhere"), ErrorCode::kEligibleLeadersNotAvailable);
  const size_t length = h_.log().size();
  EXPECT_FALSE(Lose({kA}).is_fenced);  // said again
  EXPECT_EQ(h_.log().size(), length);
}

TEST_P(DirectoriesTest, NobodyEntersTheIsrFromADirectoryThatFailed) {
  CreateIn("t", {2, 1}, kA);
  ASSERT_EQ(h_.SetIsr("t", 0, {2}), ErrorCode::kNone);
  const AlterPartition asked = h_.IsrOf("t", 0, {2, 1});  // on its way meanwhile
  Lose({kA});
  EXPECT_EQ(h_.Ask<PartitionsAltered>(asked).results.at(0).error, ErrorCode::kIneligibleReplica);
  EXPECT_EQ(Assign("t", kB), ErrorCode::kNone);  // begins anew
  EXPECT_EQ(h_.SetIsr("t", 0, {2, 1}), ErrorCode::kNone);
}

TEST_P(DirectoriesTest, ABrokerWithoutAnyDirectoryIsFencedUntilItRegistersAnew) {
  CreateIn("t", {1, 2}, kA);
  EXPECT_TRUE(Lose({kA, kB}).is_fenced);
  EXPECT_EQ(Of("t").leader, BrokerId(2));
  const size_t length = h_.log().size();
  EXPECT_TRUE(Lose({kA, kB}).is_fenced);
  EXPECT_EQ(h_.log().size(), length);
  EXPECT_TRUE(Lose({kA, kB}, /*want_shut_down=*/true).should_shut_down);
  Restart({kA, kB});
  EXPECT_EQ(h_.SetIsr("t", 0, {2, 1}), ErrorCode::kNone);
}

TEST_P(DirectoriesTest, WhatLiesInAMissingDirectoryWaitsForIt) {
  CreateIn("in-a", {1, 2}, kA);
  CreateIn("alone", {1}, kA);
  CreateIn("in-b", {1}, kB);
  Restart({kB});
  EXPECT_EQ(Of("in-a").directories[0], kA);
  EXPECT_EQ(Of("in-a").isr, Ids({2}));
  EXPECT_EQ(h_.SetIsr("in-a", 0, {2, 1}), ErrorCode::kIneligibleReplica);
  EXPECT_EQ(Of("alone").directories[0], kA);
  EXPECT_EQ(Of("alone").leader, kNoBroker);
  EXPECT_EQ(ElectUncleanly("alone"), ErrorCode::kEligibleLeadersNotAvailable);
  EXPECT_EQ(Of("in-b").leader, BrokerId(1));
  EXPECT_EQ(Of("in-b").leader_recovery_state, 0);
  Restart({kB});  // once more without it
  EXPECT_EQ(Of("alone").leader, kNoBroker);
  Restart({kA, kB});
  EXPECT_EQ(Of("alone").leader, BrokerId(1));
  // With ELR nobody knows whether its directory failed before it had all.
  EXPECT_EQ(Of("alone").leader_recovery_state, GetParam() ? 1 : 0);
  EXPECT_EQ(h_.SetIsr("in-a", 0, {2, 1}), ErrorCode::kNone);
}

TEST_P(DirectoriesTest, WhatBeginsAnewInAnotherDirectoryHasNothing) {
  CreateIn("both", {1, 2}, kA);
  CreateIn("alone", {1}, kA);
  ASSERT_EQ(h_.SetIsr("both", 0, {1}), ErrorCode::kNone);
  Restart({kB, kC});  // A was replaced by an empty one
  EXPECT_EQ(Of("alone").leader, kNoBroker);
  EXPECT_EQ(Assign("alone", kC), ErrorCode::kNone);
  EXPECT_EQ(Assign("both", kC), ErrorCode::kNone);
  for (const char* topic : {"alone", "both"}) {
    EXPECT_EQ(Of(topic).directories[0], kC);
    EXPECT_EQ(Of(topic).leader, kNoBroker) << topic;
    EXPECT_TRUE(Of(topic).isr.empty()) << topic;
    EXPECT_TRUE(Of(topic).eligible_leader_replicas.empty());
    EXPECT_TRUE(Of(topic).last_known_elr.empty());
  }
  EXPECT_EQ(ElectUncleanly("alone"), ErrorCode::kNone);  // the loss is somebody's decision
  EXPECT_EQ(Of("alone").leader, BrokerId(1));
  EXPECT_EQ(Of("alone").leader_recovery_state, 1);
}

TEST_P(DirectoriesTest, AMoveBetweenTwoDirectoriesChangesNothingElse) {
  CreateIn("t", {1, 2}, kA);
  const PartitionImage before = Of("t");
  EXPECT_EQ(Assign("t", kB), ErrorCode::kNone);
  PartitionImage after = Of("t");
  EXPECT_EQ(after.directories[0], kB);
  EXPECT_EQ(after.partition_epoch, before.partition_epoch + 1);
  after.directories = before.directories;
  after.partition_epoch = before.partition_epoch;
  EXPECT_EQ(after, before);
  Lose({kA});
  EXPECT_EQ(Of("t").leader, BrokerId(1));
}

TEST_P(DirectoriesTest, WhatMovesMayBeInADirectoryThatIsMissing) {
  CreateIn("both", {1, 2}, kA);
  CreateIn("alone", {1}, kA);
  for (const char* topic : {"both", "alone"}) {
    EXPECT_EQ(Assign(topic, kDirectoryMigrating), ErrorCode::kNone);
    EXPECT_EQ(Of(topic).leader, BrokerId(1));  // it goes on meanwhile
  }
  Restart({kB, kC});
  EXPECT_EQ(Of("alone").leader, kNoBroker);
  EXPECT_TRUE(Of("alone").isr.empty());
  EXPECT_EQ(Of("both").isr, Ids({2}));
  EXPECT_EQ(h_.SetIsr("both", 0, {2, 1}), ErrorCode::kNone);  // it has caught up, wherever it is
  EXPECT_EQ(Assign("alone", kB), ErrorCode::kNone);
  EXPECT_EQ(ElectUncleanly("alone"), ErrorCode::kNone);
}

// As of partitions that Kafka wrote before it knew of directories.
TEST_P(DirectoriesTest, WhatWasNeverToldHasItsPlaceWhileThereIsOnlyOne) {
  Restart({kA});
  h_.CreateOn("alone", {{1}});
  EXPECT_EQ(Assign("alone", kDirectoryMigrating), ErrorCode::kNone);
  Restart({kA});
  EXPECT_EQ(Of("alone").directories[0], kA);
  Restart({kA, kB});
  EXPECT_EQ(Of("alone").leader, BrokerId(1));
  EXPECT_EQ(Of("alone").isr, Ids({1}));
}

// A broker of several directories appends nothing before the metadata know where.
TEST_P(DirectoriesTest, WhatHasNoPlaceYetIsEmptyWhateverIsMissing) {
  h_.CreateOn("alone", {{1}});
  Restart({kA, kB});
  EXPECT_EQ(Of("alone").directories[0], kDirectoryUnassigned);
  Restart({kB, kC});
  EXPECT_EQ(Of("alone").leader, BrokerId(1));
  EXPECT_EQ(Of("alone").isr, Ids({1}));
}

TEST_P(DirectoriesTest, WhenAllDirectoriesAreNewNothingIsLeft) {
  CreateIn("alone", {1}, kA);
  Restart({kC});
  EXPECT_EQ(Of("alone").directories[0], kC);
  EXPECT_TRUE(Of("alone").isr.empty());
  EXPECT_EQ(Of("alone").leader, kNoBroker);
}

}  // namespace
}  // namespace weir::metadata
