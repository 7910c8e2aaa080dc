#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "coordination/group/group_harness.h"
#include "coordination/group/records.h"
#include "gtest/gtest.h"
#include "protocol/api/describe_groups.h"
#include "protocol/error_code.h"

namespace weir::group {
namespace {

using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::LeaveGroupRequest;
using protocol::LeaveGroupResponse;
using protocol::SyncGroupResponse;

ErrorCode Beat(GroupHarness& h, const std::string& id, int32_t generation) {
  return ErrorOf(h.Ask<HeartbeatResponse>(HeartbeatOf(id, generation)));
}

std::string StateOf(GroupHarness& h, const std::string& group_id = "g") {
  return h.Ask<protocol::DescribeGroupsResponse>(DescribeOf(group_id)).groups.at(0).group_state;
}

std::vector<std::string> MembersOf(GroupHarness& h) {
  std::vector<std::string> ids;
  const auto described = h.Ask<protocol::DescribeGroupsResponse>(DescribeOf());
  for (const auto& m : described.groups.at(0).members) ids.push_back(m.member_id);
  return ids;
}

// A stable group of `n` dynamic members, each assigned its own id. The first is the leader.
std::vector<std::string> StableGroup(GroupHarness& h, int n) {
  std::vector<std::string> ids;
  std::vector<uint64_t> joins;
  for (int i = 0; i < n; ++i) {
    const auto [id, token] = StartJoin(h);
    ids.push_back(id);
    joins.push_back(token);
  }
  h.Advance(10'000);
  const auto joined = h.Answer<JoinGroupResponse>(joins[0]);
  EXPECT_EQ(joined.members.size(), static_cast<size_t>(n));
  EXPECT_EQ(joined.leader, ids[0]);
  std::map<std::string, std::string> assignments;
  for (const std::string& id : ids) assignments[id] = id;
  for (const std::string& id : ids) {
    h.Send(SyncOf(id, joined.generation_id,
                  id == ids[0] ? assignments : std::map<std::string, std::string>()));
  }
  EXPECT_EQ(StateOf(h), "Stable");
  return ids;
}

JoinGroupRequest StaticJoin(const std::string& instance_id, const std::string& member_id = "") {
  JoinGroupRequest join = JoinOf(member_id);
  join.group_instance_id = instance_id;
  return join;
}

// --- Join ----------------------------------------------------------------------------------------

TEST(Join, GivesAnIdFirstFromVersion4On) {
  GroupHarness h;
  const auto first = h.Ask<JoinGroupResponse>(JoinOf(""));
  EXPECT_EQ(ErrorOf(first), ErrorCode::kMemberIdRequired);
  EXPECT_EQ(first.member_id.substr(0, 7), "client-");
  EXPECT_EQ(first.member_id.size(), 7u + 36u);
  EXPECT_FALSE(h.IsAnswered(h.Send(JoinOf(""), 3)));  // in, and waits for the generation
  EXPECT_EQ(MembersOf(h).size(), 1u);
}

TEST(Join, RefusesWhatItMust) {
  GroupHarness h;
  const auto error = [&](JoinGroupRequest join, int16_t version = 9) {
    return ErrorOf(h.Ask<JoinGroupResponse>(std::move(join), version));
  };
  EXPECT_EQ(error(JoinOf("", "")), ErrorCode::kInvalidGroupId);
  JoinGroupRequest join = JoinOf("");
  join.session_timeout_ms = 5'999;
  EXPECT_EQ(error(join), ErrorCode::kInvalidSessionTimeout);
  join.session_timeout_ms = 1'800'001;
  EXPECT_EQ(error(join), ErrorCode::kInvalidSessionTimeout);
  EXPECT_EQ(error(JoinOf("stranger")), ErrorCode::kUnknownMemberId);
  join = JoinOf("");
  join.protocols.clear();
  EXPECT_EQ(error(join), ErrorCode::kInconsistentGroupProtocol);
  join = JoinOf("");
  join.protocol_type.clear();
  EXPECT_EQ(error(join), ErrorCode::kInconsistentGroupProtocol);
  join = JoinOf("");
  join.protocols[0].metadata.value.assign(2 << 20, 'x');
  EXPECT_EQ(error(join), ErrorCode::kPolicyViolation);
  EXPECT_EQ(h.coordinator().group_count(), 0u);  // none of them left a group behind

  const auto ids = StableGroup(h, 1);
  EXPECT_EQ(error(JoinOf("stranger")), ErrorCode::kUnknownMemberId);
  join = JoinOf("");
  join.protocol_type = "connect";
  EXPECT_EQ(error(join), ErrorCode::kInconsistentGroupProtocol);
  join = JoinOf("");
  join.protocols[0].name = "other";
  EXPECT_EQ(error(join), ErrorCode::kInconsistentGroupProtocol);
}

TEST(Join, Version0UsesTheSessionTimeoutForRebalances) {
  GroupConfig config;
  config.initial_rebalance_delay_ms = 0;
  GroupHarness h(config);
  JoinGroupRequest join = JoinOf("");
  join.rebalance_timeout_ms = -1;
  const auto a = h.Ask<JoinGroupResponse>(join, 0);
  EXPECT_EQ(a.generation_id, 1);
  h.Send(SyncOf(a.member_id, 1, {{a.member_id, "all"}}));
  const uint64_t b = h.Send(join, 0);
  h.Advance(6'000);
  EXPECT_EQ(Beat(h, a.member_id, 1), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(h.IsAnswered(b));
  h.Advance(4'000);  // 10 s: a is out, though its session lives
  EXPECT_EQ(h.Answer<JoinGroupResponse>(b).generation_id, 2);
  EXPECT_EQ(Beat(h, a.member_id, 2), ErrorCode::kUnknownMemberId);
}

TEST(Join, FirstRebalanceWaitsForLatecomers) {
  GroupHarness h;  // delay of 3 s
  const uint64_t a = StartJoin(h).second;
  h.Advance(2'900);
  const uint64_t b = StartJoin(h).second;
  h.Advance(100);  // 3 s: b is new, so 3 s more
  EXPECT_FALSE(h.IsAnswered(a));
  h.Advance(2'999);
  EXPECT_FALSE(h.IsAnswered(a));
  h.Advance(1);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(a).generation_id, 1);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(a).members.size(), 2u);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(b).members.size(), 0u);  // not the leader
  EXPECT_EQ(h.Answer<JoinGroupResponse>(b).protocol_type, "consumer");
  EXPECT_EQ(h.Answer<JoinGroupResponse>(b).protocol_name, "range");
}

TEST(Join, InitialDelayEndsWithTheRebalanceTimeout) {
  GroupHarness h;
  JoinGroupRequest join = JoinOf("");
  join.rebalance_timeout_ms = 7'000;
  const uint64_t a = h.Send(join, 3);
  for (int i = 0; i < 20; ++i) {
    h.Advance(500);
    h.Send(join, 3);
    if (h.IsAnswered(a)) break;
  }
  // 3 s, 3 s and what is left of 7 s by then.
  EXPECT_EQ(h.now().monotonic_ms, 1'000 + 7'000);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(a).generation_id, 1);
}

TEST(Join, PendingMemberHoldsUpTheRebalanceUntilItsSessionEnds) {
  GroupHarness h;
  const auto ids = StableGroup(h, 1);
  const uint64_t waiting = StartJoin(h).second;  // rebalance
  h.Ask<JoinGroupResponse>(JoinOf(""));          // given an id, never comes back
  const uint64_t back = h.Send(JoinOf(ids[0]));
  EXPECT_FALSE(h.IsAnswered(back));
  h.Advance(9'999);
  EXPECT_FALSE(h.IsAnswered(back));
  h.Advance(1);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(back).generation_id, 2);
  EXPECT_TRUE(h.IsAnswered(waiting));
}

TEST(Join, GroupOfNothingButAPendingMemberIsForgotten) {
  GroupHarness h;
  h.Ask<JoinGroupResponse>(JoinOf(""));
  EXPECT_EQ(h.coordinator().group_count(), 1u);
  h.Advance(10'000);
  EXPECT_EQ(h.coordinator().group_count(), 0u);
  EXPECT_TRUE(h.log().empty());
}

TEST(Join, ProtocolWithMostVotesThatAllSupport) {
  GroupHarness h;
  const auto join = [&](std::vector<std::string> names) {
    JoinGroupRequest j = JoinOf("");
    j.protocols.clear();
    for (const auto& name : names) j.protocols.push_back({name, {SubscriptionTo("t") + name}});
    return h.Send(j, 3);
  };
  const uint64_t a = join({"only-a", "x", "y"});
  const uint64_t b = join({"y", "x"});
  const uint64_t c = join({"y", "x", "only-c"});
  h.Advance(10'000);
  for (const uint64_t token : {a, b, c}) {
    EXPECT_EQ(h.Answer<JoinGroupResponse>(token).protocol_name, "y");
  }
  const auto leader = h.Answer<JoinGroupResponse>(a);
  ASSERT_EQ(leader.members.size(), 3u);
  EXPECT_EQ(leader.members[0].metadata.value, SubscriptionTo("t") + "y");
}

TEST(Join, LateMembersAreOutAndTheLeaderChanges) {
  GroupHarness h;
  const auto ids = StableGroup(h, 2);
  const auto [c, c_join] = StartJoin(h);
  for (int i = 0; i < 10; ++i) {
    h.Advance(6'000);
    Beat(h, ids[0], 1);  // alive, yet it does not join
    if (i == 0) h.Send(JoinOf(ids[1]));
  }
  const auto joined = h.Answer<JoinGroupResponse>(c_join);
  EXPECT_EQ(joined.generation_id, 2);
  EXPECT_NE(joined.leader, ids[0]);
  EXPECT_EQ(Beat(h, ids[0], 2), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(MembersOf(h).size(), 2u);
}

TEST(Join, RetryGetsTheSameAnswer) {
  GroupHarness h;
  const auto [a, join] = StartJoin(h);
  h.Advance(10'000);
  const auto again = h.Ask<JoinGroupResponse>(JoinOf(a));  // CompletingRebalance
  EXPECT_EQ(again.generation_id, 1);
  EXPECT_EQ(again.members.size(), 1u);
  EXPECT_EQ(StateOf(h), "CompletingRebalance");
}

TEST(Join, AMemberOfAStableGroupOnlyRebalancesWithNewMetadata) {
  GroupHarness h;
  const auto ids = StableGroup(h, 2);
  const auto same = h.Ask<JoinGroupResponse>(JoinOf(ids[1]));
  EXPECT_EQ(same.generation_id, 1);
  EXPECT_TRUE(same.members.empty());
  EXPECT_EQ(StateOf(h), "Stable");
  JoinGroupRequest changed = JoinOf(ids[1]);
  changed.protocols[0].metadata.value = SubscriptionTo("u");
  EXPECT_FALSE(h.IsAnswered(h.Send(changed)));
  EXPECT_EQ(StateOf(h), "PreparingRebalance");
}

TEST(Join, TheLeaderOfAStableGroupAlwaysRebalances) {
  GroupHarness h;
  const auto ids = StableGroup(h, 2);
  EXPECT_FALSE(h.IsAnswered(h.Send(JoinOf(ids[0]))));
  EXPECT_EQ(Beat(h, ids[1], 1), ErrorCode::kRebalanceInProgress);
}

TEST(Join, ADisplacedRequestIsAnswered) {
  GroupHarness h;
  const auto [a, first] = StartJoin(h);
  const uint64_t second = h.Send(JoinOf(a));
  EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(first)), ErrorCode::kRebalanceInProgress);
  h.Advance(10'000);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(second).generation_id, 1);
}

TEST(Join, NewMembersMayWaitLongerThanTheirSession) {
  GroupHarness h;
  const auto ids = StableGroup(h, 1);
  const auto [b, b_join] = StartJoin(h);
  for (int i = 0; i < 5; ++i) {  // 40 s without a heartbeat of b
    h.Advance(8'000);
    Beat(h, ids[0], 1);
  }
  EXPECT_FALSE(h.IsAnswered(b_join));
  h.Send(JoinOf(ids[0]));
  EXPECT_EQ(h.Answer<JoinGroupResponse>(b_join).generation_id, 2);
}

TEST(Join, GroupMaxSize) {
  GroupConfig config;
  config.members_max = 2;
  GroupHarness h(config);
  const auto ids = StableGroup(h, 2);
  const auto refused = h.Ask<JoinGroupResponse>(JoinOf(""));
  EXPECT_EQ(ErrorOf(refused), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(refused.member_id, "");
  EXPECT_FALSE(h.IsAnswered(h.Send(JoinOf(ids[0]))));  // members may come back
  EXPECT_FALSE(h.IsAnswered(h.Send(JoinOf(ids[1]))) && false);
  EXPECT_EQ(StateOf(h), "CompletingRebalance");
}

TEST(Join, MembersWithJustAnIdAreBoundedToo) {
  GroupConfig config;
  config.members_bound = 3;
  GroupHarness h(config);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ErrorOf(h.Ask<JoinGroupResponse>(JoinOf(""))), ErrorCode::kMemberIdRequired);
  }
  EXPECT_EQ(ErrorOf(h.Ask<JoinGroupResponse>(JoinOf(""))), ErrorCode::kGroupMaxSizeReached);
  config.groups_max = 1;
  GroupHarness one(config);
  one.Ask<JoinGroupResponse>(JoinOf(""));
  EXPECT_EQ(ErrorOf(one.Ask<JoinGroupResponse>(JoinOf("", "h"))), ErrorCode::kPolicyViolation);
}

// --- Sync ----------------------------------------------------------------------------------------

TEST(Sync, AssignmentsGoOutOnceTheyAreInTheLog) {
  GroupHarness h;
  const auto [a, a_join] = StartJoin(h);
  const auto [b, b_join] = StartJoin(h);
  h.Advance(10'000);
  h.Hold(true);
  const uint64_t b_sync = h.Send(SyncOf(b, 1));
  const uint64_t a_sync = h.Send(SyncOf(a, 1, {{a, "A"}, {b, "B"}, {"stranger", "S"}}));
  EXPECT_EQ(h.appends_waiting(), 1u);
  EXPECT_FALSE(h.IsAnswered(a_sync) || h.IsAnswered(b_sync));
  EXPECT_EQ(StateOf(h), "CompletingRebalance");
  h.Commit();
  EXPECT_EQ(h.Answer<SyncGroupResponse>(a_sync).assignment.value, "A");
  EXPECT_EQ(h.Answer<SyncGroupResponse>(b_sync).assignment.value, "B");
  EXPECT_EQ(h.Answer<SyncGroupResponse>(b_sync).protocol_name, "range");
  EXPECT_EQ(StateOf(h), "Stable");
  // Whoever asks again gets it again.
  EXPECT_EQ(h.Ask<SyncGroupResponse>(SyncOf(b, 1)).assignment.value, "B");
}

TEST(Sync, TheFirstAssignmentOfAGenerationStands) {
  GroupHarness h;
  const auto [a, a_join] = StartJoin(h);
  h.Advance(10'000);
  h.Hold(true);
  const uint64_t first = h.Send(SyncOf(a, 1, {{a, "first"}}));
  const uint64_t second = h.Send(SyncOf(a, 1, {{a, "second"}}));
  EXPECT_EQ(h.appends_waiting(), 1u);
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(first)), ErrorCode::kRebalanceInProgress);
  h.Commit();
  EXPECT_EQ(h.Answer<SyncGroupResponse>(second).assignment.value, "first");
}

TEST(Sync, RefusesWhatItMust) {
  GroupHarness h;
  const auto error = [&](protocol::SyncGroupRequest sync) {
    return ErrorOf(h.Ask<SyncGroupResponse>(std::move(sync)));
  };
  EXPECT_EQ(error(SyncOf("a", 1)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(error(SyncOf("a", 1, {}, "")), ErrorCode::kInvalidGroupId);
  const auto ids = StableGroup(h, 1);
  EXPECT_EQ(error(SyncOf("a", 1)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(error(SyncOf(ids[0], 0)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(error(SyncOf(ids[0], 2)), ErrorCode::kIllegalGeneration);
  auto sync = SyncOf(ids[0], 1);
  sync.protocol_type = "connect";
  EXPECT_EQ(error(sync), ErrorCode::kInconsistentGroupProtocol);
  sync.protocol_type = "consumer";
  sync.protocol_name = "sticky";
  EXPECT_EQ(error(sync), ErrorCode::kInconsistentGroupProtocol);
  sync.protocol_name = "range";
  EXPECT_EQ(error(sync), ErrorCode::kNone);
  StartJoin(h);
  EXPECT_EQ(error(SyncOf(ids[0], 1)), ErrorCode::kRebalanceInProgress);
}

TEST(Sync, ARebalanceMeanwhileSendsEveryoneBack) {
  GroupHarness h;
  const auto [a, a_join] = StartJoin(h);
  const auto [b, b_join] = StartJoin(h);
  h.Advance(10'000);
  h.Hold(true);
  const uint64_t a_sync = h.Send(SyncOf(a, 1, {{a, "A"}, {b, "B"}}));
  StartJoin(h);  // a third member
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(a_sync)), ErrorCode::kRebalanceInProgress);
  h.Commit();  // comes too late to matter
  EXPECT_EQ(StateOf(h), "PreparingRebalance");
  EXPECT_EQ(ErrorOf(h.Ask<SyncGroupResponse>(SyncOf(b, 1))), ErrorCode::kRebalanceInProgress);
}

TEST(Sync, ALogThatRefusesStartsTheGenerationAgain) {
  GroupHarness h;
  const auto [a, a_join] = StartJoin(h);
  h.Advance(10'000);
  h.Hold(true);
  const uint64_t sync = h.Send(SyncOf(a, 1, {{a, "A"}}));
  h.Fail(ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(sync)), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(StateOf(h), "PreparingRebalance");
  EXPECT_EQ(h.Ask<JoinGroupResponse>(JoinOf(a)).generation_id, 2);
}

TEST(Sync, WhoNeverSyncsIsOut) {
  GroupHarness h;
  const auto [a, a_join] = StartJoin(h);
  const auto [b, b_join] = StartJoin(h);
  h.Advance(6'000);
  EXPECT_TRUE(h.IsAnswered(a_join));
  h.Send(SyncOf(a, 1, {{a, "A"}}));
  for (int i = 0; i < 10; ++i) {  // 60 s of heartbeats from both
    EXPECT_EQ(Beat(h, a, 1), ErrorCode::kNone);
    EXPECT_EQ(Beat(h, b, 1), ErrorCode::kNone);
    h.Advance(6'000);
  }
  EXPECT_EQ(Beat(h, b, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Beat(h, a, 1), ErrorCode::kRebalanceInProgress);
}

// --- Heartbeat and expiry ------------------------------------------------------------------------

TEST(Heartbeat, RefusesWhatItMust) {
  GroupHarness h;
  EXPECT_EQ(Beat(h, "a", 1), ErrorCode::kUnknownMemberId);
  const auto ids = StableGroup(h, 1);
  EXPECT_EQ(Beat(h, ids[0], 1), ErrorCode::kNone);
  EXPECT_EQ(Beat(h, ids[0], 0), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Beat(h, ids[0], 2), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Beat(h, "stranger", 1), ErrorCode::kUnknownMemberId);
  protocol::HeartbeatRequest no_group = HeartbeatOf(ids[0], 1);
  no_group.group_id.clear();
  EXPECT_EQ(ErrorOf(h.Ask<HeartbeatResponse>(no_group)), ErrorCode::kInvalidGroupId);
}

TEST(Heartbeat, ASilentMemberIsOutWhenItsSessionEnds) {
  GroupHarness h;
  const auto ids = StableGroup(h, 2);
  Beat(h, ids[0], 1);
  Beat(h, ids[1], 1);
  h.Advance(5'000);
  Beat(h, ids[0], 1);
  h.Advance(4'999);
  EXPECT_EQ(Beat(h, ids[0], 1), ErrorCode::kNone);
  h.Advance(1);
  EXPECT_EQ(Beat(h, ids[0], 1), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(Beat(h, ids[1], 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(h.Ask<JoinGroupResponse>(JoinOf(ids[0])).generation_id, 2);
}

TEST(Heartbeat, TheLastMemberLeavesAnEmptyGroupBehind) {
  GroupHarness h;
  StableGroup(h, 1);
  h.Advance(20'000);
  EXPECT_EQ(StateOf(h), "Empty");
  h.Restart();
  EXPECT_EQ(StateOf(h), "Empty");
}

TEST(Heartbeat, ACommitCounts) {
  GroupHarness h;
  const auto ids = StableGroup(h, 1);
  for (int i = 0; i < 5; ++i) {
    h.Advance(9'000);
    EXPECT_EQ(CommitError(h.Ask<protocol::OffsetCommitResponse>(CommitOf("t", 0, i, ids[0], 1))),
              ErrorCode::kNone);
  }
  EXPECT_EQ(StateOf(h), "Stable");
}

// --- Leave ---------------------------------------------------------------------------------------

TEST(Leave, ByMemberId) {
  GroupHarness h;
  const auto ids = StableGroup(h, 2);
  LeaveGroupRequest leave;
  leave.group_id = "g";
  leave.member_id = ids[1];
  EXPECT_EQ(ErrorOf(h.Ask<LeaveGroupResponse>(leave, 1)), ErrorCode::kNone);
  EXPECT_EQ(Beat(h, ids[0], 1), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(ErrorOf(h.Ask<LeaveGroupResponse>(leave, 1)), ErrorCode::kUnknownMemberId);
  leave.group_id = "none";
  EXPECT_EQ(ErrorOf(h.Ask<LeaveGroupResponse>(leave, 1)), ErrorCode::kUnknownMemberId);
}

TEST(Leave, SeveralAtOnce) {
  GroupHarness h;
  const uint64_t s = h.Send(StaticJoin("i1"));
  const auto [a, a_join] = StartJoin(h);
  h.Advance(10'000);
  const std::string s_id = h.Answer<JoinGroupResponse>(s).member_id;
  EXPECT_EQ(s_id.substr(0, 3), "i1-");
  const std::string pending = h.Ask<JoinGroupResponse>(JoinOf("")).member_id;
  LeaveGroupRequest leave;
  leave.group_id = "g";
  leave.members.push_back({"", "i1", "an operator"});
  leave.members.push_back({"", "i2", {}});
  leave.members.push_back({pending, {}, {}});
  leave.members.push_back({"stranger", {}, {}});
  leave.members.push_back({a, "i1", {}});
  leave.members.push_back({a, {}, {}});
  const auto left = h.Ask<LeaveGroupResponse>(leave);
  ASSERT_EQ(left.members.size(), 6u);
  EXPECT_EQ(ErrorOf(left), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(left.members[0]), ErrorCode::kNone);
  EXPECT_EQ(left.members[0].group_instance_id, "i1");
  EXPECT_EQ(ErrorOf(left.members[1]), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(ErrorOf(left.members[2]), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(left.members[3]), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(ErrorOf(left.members[4]), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(ErrorOf(left.members[5]), ErrorCode::kNone);
  EXPECT_EQ(StateOf(h), "Empty");
}

TEST(Leave, AWaitingMemberIsAnswered) {
  GroupHarness h;
  const auto [a, a_join] = StartJoin(h);
  LeaveGroupRequest leave;
  leave.group_id = "g";
  leave.members.push_back({a, {}, {}});
  h.Send(leave);
  EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(a_join)), ErrorCode::kUnknownMemberId);
  const auto [b, b_join] = StartJoin(h);
  const auto [c, c_join] = StartJoin(h);
  h.Advance(20'000);
  ASSERT_TRUE(h.IsAnswered(c_join));
  const int32_t generation = h.Answer<JoinGroupResponse>(c_join).generation_id;
  const uint64_t c_sync = h.Send(SyncOf(c, generation));
  leave.members[0].member_id = c;
  h.Send(leave);
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(c_sync)), ErrorCode::kUnknownMemberId);
}

}  // namespace
}  // namespace weir::group
