// Members of a group, as state machines alone: what each says after what it is told; and many of
// them with a coordinator that keeps Kafka's rules, under losses, deaths and silences.
#include "client/group_member_core.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "client/assignor.h"
#include "client/assignors.h"
#include "client/consumer_config.h"
#include "client/group_messages.h"
#include "client/group_steps.h"
#include "client/topic_and_partition.h"
#include "gtest/gtest.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;
using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::SyncGroupRequest;
using protocol::SyncGroupResponse;
using Partitions = std::vector<TopicAndPartition>;

constexpr MonotonicNs At(int64_t ms) { return MonotonicNs((1'000'000 + ms) * kNsPerMs); }

HeartbeatResponse Beat(ErrorCode error) {
  HeartbeatResponse response;
  response.error_code = static_cast<int16_t>(error);
  return response;
}

// One member, told by the test what the coordinator says.
class GroupMemberCoreTest : public testing::Test {
 protected:
  void Make(std::vector<std::string> strategies, bool is_static = false) {
    config_.group_id = "g";
    if (is_static) config_.group_instance_id = "i";
    core_ = std::make_unique<GroupMemberCore>(config_, *MakeAssignors(strategies));
    core_->Subscribe({"t"});
    core_->OnPoll(At(0));
  }

  // The next step, which has to be of this kind.
  template <class Step>
  Step Expect(int64_t ms) {
    std::optional<GroupStep> step = core_->Next(At(ms), true);
    if (!step.has_value() || !std::holds_alternative<Step>(*step)) {
      ADD_FAILURE() << "another step, or none: " << (step.has_value() ? step->index() : 99);
      return {};
    }
    return std::get<Step>(*std::move(step));
  }
  void ExpectNothing(int64_t ms) { EXPECT_FALSE(core_->Next(At(ms), true).has_value()); }

  void TellJoined(int64_t ms, int32_t generation, const std::string& leader = "other") {
    JoinGroupResponse response;
    response.generation_id = generation;
    response.protocol_name = core_strategy();
    response.leader = leader;
    response.member_id = "me";
    core_->OnJoined(At(ms), core_->attempt(), response);
  }
  void RefuseJoin(int64_t ms, ErrorCode error) {
    JoinGroupResponse response;
    response.error_code = static_cast<int16_t>(error);
    response.member_id = error == ErrorCode::kMemberIdRequired ? "me" : "";
    core_->OnJoined(At(ms), core_->attempt(), response);
  }
  void TellShare(int64_t ms, const Partitions& partitions) {
    SyncGroupResponse response;
    response.assignment.value = EncodeAssignment(partitions);
    core_->OnSynced(At(ms), core_->attempt(), response);
  }
  void RefuseSync(int64_t ms, ErrorCode error) {
    SyncGroupResponse response;
    response.error_code = static_cast<int16_t>(error);
    core_->OnSynced(At(ms), core_->attempt(), response);
  }
  // A heartbeat is due, and is answered with this.
  void TellHeartbeat(int64_t ms, ErrorCode error) {
    const auto request = core_->NextHeartbeat(At(ms));
    ASSERT_TRUE(request.has_value());
    core_->OnHeartbeat(At(ms), request->generation_id, Beat(error));
  }
  std::string core_strategy() const { return strategy_; }

  // Through a whole join: this member then has partitions 0 and 1 in generation 1.
  void Join(int64_t ms) {
    EXPECT_EQ(Expect<JoinGroupRequest>(ms).member_id, "");
    RefuseJoin(ms, ErrorCode::kMemberIdRequired);
    EXPECT_EQ(Expect<JoinGroupRequest>(ms).member_id, "me");
    TellJoined(ms, 1);
    Expect<SyncGroupRequest>(ms);
    TellShare(ms, {{"t", 0}, {"t", 1}});
    EXPECT_EQ(Expect<AssignStep>(ms).added.size(), 2u);
    ExpectNothing(ms);
    EXPECT_EQ(core_->identity()->generation, 1);
  }
  void MakeEager(bool is_static = false) {
    strategy_ = "range";
    Make({"range", "cooperative-sticky"}, is_static);
  }
  void MakeCooperative(bool is_static = false) {
    strategy_ = "cooperative-sticky";
    Make({"cooperative-sticky"}, is_static);
  }

  ConsumerConfig config_;
  std::string strategy_;
  std::unique_ptr<GroupMemberCore> core_;
};

TEST_F(GroupMemberCoreTest, AnEagerMemberGivesAllUpBeforeItJoinsAgain) {
  MakeEager();
  Join(0);
  TellHeartbeat(3'000, ErrorCode::kRebalanceInProgress);
  const auto revoke = Expect<RevokeStep>(3'000);
  EXPECT_EQ(revoke.partitions, (Partitions{{"t", 0}, {"t", 1}}));
  EXPECT_FALSE(revoke.lost);
  EXPECT_TRUE(core_->identity().has_value());  // can commit until it joins
  ExpectNothing(3'000);
  core_->OnRevoked();
  const auto join = Expect<JoinGroupRequest>(3'000);
  EXPECT_FALSE(core_->identity().has_value());
  EXPECT_EQ(join.member_id, "me");
  EXPECT_EQ(join.reason, "the group rebalances");
  EXPECT_EQ(join.protocols.size(), 2u);
  EXPECT_TRUE(DecodeMember({"me", std::nullopt, join.protocols[1].metadata}).owned.empty());
}

TEST_F(GroupMemberCoreTest, ACooperativeMemberKeepsWhatItHasAndSaysSo) {
  MakeCooperative();
  Join(0);
  TellHeartbeat(3'000, ErrorCode::kRebalanceInProgress);
  const auto join = Expect<JoinGroupRequest>(3'000);
  const MemberSubscription told = DecodeMember({"me", std::nullopt, join.protocols[0].metadata});
  EXPECT_EQ(told.owned, (Partitions{{"t", 0}, {"t", 1}}));
  EXPECT_EQ(told.generation, 1);
  EXPECT_EQ(core_->owned().size(), 2u);
  TellJoined(3'100, 2);
  Expect<SyncGroupRequest>(3'100);
  TellShare(3'100, {{"t", 1}, {"t", 2}});
  // First gives up, still able to commit; then takes; then joins again for others to have it.
  EXPECT_EQ(Expect<RevokeStep>(3'100).partitions, (Partitions{{"t", 0}}));
  EXPECT_EQ(core_->identity()->generation, 2);
  ExpectNothing(3'100);
  core_->OnRevoked();
  const auto assign = Expect<AssignStep>(3'100);
  EXPECT_EQ(assign.added, (Partitions{{"t", 2}}));
  EXPECT_EQ(assign.all, (Partitions{{"t", 1}, {"t", 2}}));
  const auto again = Expect<JoinGroupRequest>(3'100);
  EXPECT_EQ(DecodeMember({"me", std::nullopt, again.protocols[0].metadata}).owned,
            (Partitions{{"t", 1}, {"t", 2}}));
}

TEST_F(GroupMemberCoreTest, AMemberThatIsNotKnownAnyMoreHasLostWhatItHad) {
  MakeCooperative();
  Join(0);
  TellHeartbeat(3'000, ErrorCode::kUnknownMemberId);
  EXPECT_TRUE(core_->MustHold(At(3'000)));
  EXPECT_FALSE(core_->identity().has_value());
  const auto lost = Expect<RevokeStep>(3'000);
  EXPECT_TRUE(lost.lost);
  EXPECT_EQ(lost.partitions.size(), 2u);
  const auto join = Expect<JoinGroupRequest>(3'000);
  EXPECT_EQ(join.member_id, "");
  EXPECT_TRUE(DecodeMember({"me", std::nullopt, join.protocols[0].metadata}).owned.empty());
}

TEST_F(GroupMemberCoreTest, AMissedGenerationLosesPartitionsButNotTheName) {
  MakeEager();
  Join(0);
  TellHeartbeat(3'000, ErrorCode::kIllegalGeneration);
  EXPECT_TRUE(Expect<RevokeStep>(3'000).lost);
  EXPECT_EQ(Expect<JoinGroupRequest>(3'000).member_id, "me");
}

TEST_F(GroupMemberCoreTest, ACommitTellsOfTheMembershipToo) {
  MakeEager();
  Join(0);
  core_->OnDisowned(0, ErrorCode::kUnknownMemberId);  // of an older generation: not its concern
  ExpectNothing(100);
  core_->OnDisowned(1, ErrorCode::kUnknownMemberId);
  EXPECT_TRUE(Expect<RevokeStep>(100).lost);
}

TEST_F(GroupMemberCoreTest, WhatIsLostWhileItIsGivenUpIsLost) {
  MakeEager();
  Join(0);
  TellHeartbeat(3'000, ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(Expect<RevokeStep>(3'000).lost);
  core_->OnDisowned(1, ErrorCode::kUnknownMemberId);  // the commit before it is refused
  core_->OnRevoked();
  EXPECT_TRUE(Expect<RevokeStep>(3'000).lost);
  Expect<JoinGroupRequest>(3'000);
}

TEST_F(GroupMemberCoreTest, AFencedMemberIsDoneForGood) {
  MakeEager(/*is_static=*/true);
  EXPECT_EQ(Expect<JoinGroupRequest>(0).group_instance_id, "i");
  TellJoined(0, 1);
  EXPECT_EQ(Expect<SyncGroupRequest>(0).group_instance_id, "i");
  TellShare(0, {{"t", 0}});
  Expect<AssignStep>(0);
  TellHeartbeat(3'000, ErrorCode::kFencedInstanceId);
  EXPECT_TRUE(Expect<RevokeStep>(3'000).lost);
  for (int i = 0; i < 3; ++i) {
    ExpectNothing(100'000 * i);
    EXPECT_EQ(core_->TakeFault().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_FALSE(core_->NextHeartbeat(At(100'000 * i)).has_value());
  }
}

TEST_F(GroupMemberCoreTest, OnlyDynamicMembersLeave) {
  MakeEager();
  Join(0);
  core_->Leave("closed");
  EXPECT_EQ(Expect<LeaveStep>(0).member_id, "me");
  ExpectNothing(0);
  MakeEager(/*is_static=*/true);
  Expect<JoinGroupRequest>(0);
  TellJoined(0, 1);
  Expect<SyncGroupRequest>(0);
  TellShare(0, {});
  Expect<AssignStep>(0);
  core_->Leave("closed");
  ExpectNothing(0);
}

TEST_F(GroupMemberCoreTest, WhoDoesNotPollLeavesAndComesBack) {
  MakeEager();
  Join(0);
  core_->OnPoll(At(300'000));  // just in time
  ExpectNothing(300'000);
  core_->OnPoll(At(600'001));
  EXPECT_TRUE(Expect<RevokeStep>(600'001).lost);
  EXPECT_EQ(Expect<LeaveStep>(600'001).member_id, "me");
  EXPECT_EQ(Expect<JoinGroupRequest>(600'001).member_id, "");
}

TEST_F(GroupMemberCoreTest, HoldsBackWhenNoHeartbeatIsAnsweredForTheSessionTimeout) {
  MakeEager();
  Join(0);
  EXPECT_FALSE(core_->MustHold(At(45'000)));
  EXPECT_TRUE(core_->MustHold(At(45'001)));
  TellHeartbeat(46'000, ErrorCode::kNone);
  EXPECT_FALSE(core_->MustHold(At(46'000)));
}

TEST_F(GroupMemberCoreTest, BeatsAtItsIntervalAndOneAtATime) {
  MakeEager();
  EXPECT_FALSE(core_->NextHeartbeat(At(0)).has_value());
  Join(0);
  EXPECT_FALSE(core_->NextHeartbeat(At(2'999)).has_value());
  EXPECT_EQ(core_->next_event(), At(3'000));
  ASSERT_TRUE(core_->NextHeartbeat(At(3'000)).has_value());
  EXPECT_FALSE(core_->NextHeartbeat(At(9'000)).has_value());
  core_->OnHeartbeat(At(9'000), 1, absl::UnavailableError("gone"));
  EXPECT_TRUE(core_->TakeCoordinatorLost());
  EXPECT_FALSE(core_->TakeCoordinatorLost());
  EXPECT_TRUE(core_->NextHeartbeat(At(9'100)).has_value());
}

TEST_F(GroupMemberCoreTest, RetriesWhatPassesAndTellsWhatDoesNot) {
  MakeEager();
  Expect<JoinGroupRequest>(0);
  RefuseJoin(0, ErrorCode::kCoordinatorLoadInProgress);
  ExpectNothing(99);
  Expect<JoinGroupRequest>(100);
  RefuseJoin(100, ErrorCode::kNotCoordinator);
  EXPECT_TRUE(core_->TakeCoordinatorLost());
  EXPECT_FALSE(core_->Next(At(200), /*can_send=*/false).has_value());
  Expect<JoinGroupRequest>(200);
  core_->OnJoined(At(200), core_->attempt(), absl::UnavailableError("the connection ended"));
  EXPECT_TRUE(core_->TakeCoordinatorLost());
  EXPECT_TRUE(core_->TakeFault().ok());
  Expect<JoinGroupRequest>(300);
  RefuseJoin(300, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(core_->TakeFault().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(core_->TakeFault().ok());
  Expect<JoinGroupRequest>(400);
  TellJoined(400, 1);
  Expect<SyncGroupRequest>(400);
  RefuseSync(400, ErrorCode::kRebalanceInProgress);
  Expect<JoinGroupRequest>(400);
}

TEST_F(GroupMemberCoreTest, AnswersOfAnEarlierRoundAreIgnored) {
  MakeEager();
  Expect<JoinGroupRequest>(0);
  const uint64_t attempt = core_->attempt();
  core_->Leave("unsubscribed");
  core_->Subscribe({"t"});
  Expect<JoinGroupRequest>(0);
  JoinGroupResponse late;
  late.generation_id = 9;
  late.protocol_name = "range";
  late.member_id = "old";
  core_->OnJoined(At(0), attempt, late);
  ExpectNothing(0);
  TellJoined(0, 1);
  EXPECT_EQ(Expect<SyncGroupRequest>(0).generation_id, 1);
}

TEST_F(GroupMemberCoreTest, AChangedSubscriptionIsToldToTheGroup) {
  MakeCooperative();
  Join(0);
  core_->Subscribe({"t", "u"});
  const auto join = Expect<JoinGroupRequest>(100);
  EXPECT_EQ(DecodeMember({"me", std::nullopt, join.protocols[0].metadata}).topics.size(), 2u);
  TellJoined(100, 2);
  Expect<SyncGroupRequest>(100);
  core_->Subscribe({"u"});
  TellShare(100, {{"t", 0}, {"u", 0}});  // made for what it wanted before
  EXPECT_EQ(Expect<RevokeStep>(100).partitions, (Partitions{{"t", 0}, {"t", 1}}));
  core_->OnRevoked();
  Expect<JoinGroupRequest>(100);
}

TEST_F(GroupMemberCoreTest, TheLeaderSharesOutAndWatchesTheTopics) {
  MakeEager();
  const auto join = Expect<JoinGroupRequest>(0);
  JoinGroupResponse response;
  response.generation_id = 1;
  response.protocol_name = "range";
  response.leader = response.member_id = "me";
  response.members.push_back({"me", std::nullopt, join.protocols[0].metadata});
  response.members.push_back({"you", std::nullopt, join.protocols[0].metadata});
  response.members.push_back({"broken", std::nullopt, {"\x01"}});
  core_->OnJoined(At(0), core_->attempt(), response);
  EXPECT_EQ(Expect<DescribeStep>(0).topics, (std::set<std::string>{"t"}));
  ExpectNothing(0);
  core_->OnTopics({{"t", 3}});
  const auto sync = Expect<SyncGroupRequest>(0);
  ASSERT_EQ(sync.assignments.size(), 3u);
  EXPECT_TRUE(DecodeAssignment(sync.assignments[0].assignment.value)->empty());  // broken
  EXPECT_EQ(DecodeAssignment(sync.assignments[1].assignment.value)->size(), 2u);
  EXPECT_EQ(DecodeAssignment(sync.assignments[2].assignment.value)->size(), 1u);
  TellShare(0, {{"t", 0}, {"t", 1}});
  Expect<AssignStep>(0);
  core_->OnMetadata({{"t", 3}, {"u", 1}});
  core_->OnMetadata({});  // nothing certain is known
  ExpectNothing(0);
  core_->OnMetadata({{"t", 4}});
  Expect<RevokeStep>(0);
}

TEST_F(GroupMemberCoreTest, AStaticLeaderThatCameBackSharesNothingOut) {
  MakeEager(/*is_static=*/true);
  const auto join = Expect<JoinGroupRequest>(0);
  JoinGroupResponse response;
  response.generation_id = 4;
  response.protocol_name = "range";
  response.leader = response.member_id = "me";
  response.skip_assignment = true;
  response.members.push_back({"me", "i", join.protocols[0].metadata});
  core_->OnJoined(At(0), core_->attempt(), response);
  EXPECT_EQ(Expect<DescribeStep>(0).topics, (std::set<std::string>{"t"}));
  core_->OnTopics({{"t", 3}});
  EXPECT_TRUE(Expect<SyncGroupRequest>(0).assignments.empty());
  TellShare(0, {{"t", 0}});
  Expect<AssignStep>(0);
  core_->OnMetadata({{"t", 4}});
  Expect<RevokeStep>(0);
}

}  // namespace
}  // namespace weir::client
