// Static members (KIP-345, KIP-814), loading and unloading.
#include <cstdint>
#include <string>

#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "coordination/group/group_harness.h"
#include "coordination/group/records.h"
#include "gtest/gtest.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/list_groups.h"
#include "protocol/error_code.h"

namespace weir::group {
namespace {

using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::SyncGroupResponse;

JoinGroupRequest StaticJoin(const std::string& instance_id, const std::string& member_id = "") {
  JoinGroupRequest join = JoinOf(member_id);
  join.group_instance_id = instance_id;
  return join;
}

protocol::DescribeGroupsResponse::Group Described(GroupHarness& h, const std::string& id = "g",
                                                  int16_t version = 5) {
  return h.Ask<protocol::DescribeGroupsResponse>(DescribeOf(id), version).groups.at(0);
}

ErrorCode Beat(GroupHarness& h, const std::string& id, int32_t generation,
               const std::string& instance_id = "") {
  protocol::HeartbeatRequest heartbeat = HeartbeatOf(id, generation);
  if (!instance_id.empty()) heartbeat.group_instance_id = instance_id;
  return ErrorOf(h.Ask<HeartbeatResponse>(heartbeat));
}

// A stable group of the static members l (leader) and f.
struct StaticGroup {
  std::string l, f;
};
StaticGroup StableGroup(GroupHarness& h) {
  const uint64_t l = h.Send(StaticJoin("l"));
  const uint64_t f = h.Send(StaticJoin("f"));
  h.Advance(10'000);
  StaticGroup ids{h.Answer<JoinGroupResponse>(l).member_id,
                  h.Answer<JoinGroupResponse>(f).member_id};
  EXPECT_EQ(h.Answer<JoinGroupResponse>(l).leader, ids.l);
  h.Send(SyncOf(ids.f, 1));
  h.Send(SyncOf(ids.l, 1, {{ids.l, "L"}, {ids.f, "F"}}));
  EXPECT_EQ(Described(h).group_state, "Stable");
  return ids;
}

TEST(StaticMember, NeedsNoSecondJoin) {
  GroupHarness h;
  const uint64_t join = h.Send(StaticJoin("x"));
  h.Advance(10'000);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(join).generation_id, 1);
}

TEST(StaticMember, ComesBackWithoutARebalance) {
  GroupHarness h;
  const StaticGroup ids = StableGroup(h);
  h.Hold(true);
  const uint64_t back = h.Send(StaticJoin("f"));
  EXPECT_FALSE(h.IsAnswered(back));  // its new id must be in the log first
  EXPECT_EQ(Beat(h, ids.f, 1, "f"), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(Beat(h, ids.f, 1), ErrorCode::kUnknownMemberId);
  h.Commit();
  const auto joined = h.Answer<JoinGroupResponse>(back);
  EXPECT_EQ(ErrorOf(joined), ErrorCode::kNone);
  EXPECT_EQ(joined.generation_id, 1);
  EXPECT_NE(joined.member_id, ids.f);
  EXPECT_EQ(joined.leader, ids.l);
  EXPECT_FALSE(joined.skip_assignment);
  EXPECT_EQ(Described(h).group_state, "Stable");
  EXPECT_EQ(h.Ask<SyncGroupResponse>(SyncOf(joined.member_id, 1)).assignment.value, "F");
  h.Restart();
  EXPECT_EQ(Beat(h, joined.member_id, 1, "f"), ErrorCode::kNone);
  EXPECT_EQ(Beat(h, ids.f, 1, "f"), ErrorCode::kFencedInstanceId);
}

TEST(StaticMember, ALeaderThatComesBackSkipsTheAssignment) {
  GroupHarness h;
  const StaticGroup ids = StableGroup(h);
  const auto joined = h.Ask<JoinGroupResponse>(StaticJoin("l"), 9);
  EXPECT_EQ(joined.leader, joined.member_id);
  EXPECT_TRUE(joined.skip_assignment);
  EXPECT_EQ(joined.members.size(), 2u);
  // Before version 9 it must not take itself for the leader.
  const auto old = h.Ask<JoinGroupResponse>(StaticJoin("l"), 8);
  EXPECT_EQ(old.leader, joined.member_id);
  EXPECT_NE(old.leader, old.member_id);
  EXPECT_FALSE(old.skip_assignment);
  EXPECT_TRUE(old.members.empty());
}

TEST(StaticMember, ChangedProtocolRebalances) {
  GroupHarness h;
  StableGroup(h);
  JoinGroupRequest back = StaticJoin("f");
  back.protocols.insert(back.protocols.begin(), {"new", {""}});
  EXPECT_EQ(h.Ask<JoinGroupResponse>(back).generation_id, 1);  // "new" has one vote of two
  GroupHarness both;
  const uint64_t a = both.Send([] {
    JoinGroupRequest join = StaticJoin("a");
    join.protocols.push_back({"other", {""}});
    return join;
  }());
  both.Advance(10'000);
  const std::string id = both.Answer<JoinGroupResponse>(a).member_id;
  both.Send(SyncOf(id, 1, {{id, "A"}}));
  JoinGroupRequest other = StaticJoin("a");
  other.protocols[0].name = "other";
  EXPECT_EQ(both.Ask<JoinGroupResponse>(other).generation_id, 2);
}

TEST(StaticMember, FencesWhoWaits) {
  GroupHarness h;
  const uint64_t first = h.Send(StaticJoin("x"));
  const uint64_t second = h.Send(StaticJoin("x"));
  EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(first)), ErrorCode::kFencedInstanceId);
  h.Advance(10'000);
  const auto joined = h.Answer<JoinGroupResponse>(second);
  EXPECT_EQ(joined.members.size(), 1u);
  EXPECT_EQ(Described(h).members.size(), 1u);
}

TEST(StaticMember, ComingBackDuringTheSyncPhaseStartsOver) {
  GroupHarness h;
  const uint64_t l = h.Send(StaticJoin("l"));
  h.Send(StaticJoin("f"));
  h.Advance(10'000);
  const std::string id = h.Answer<JoinGroupResponse>(l).member_id;
  h.Hold(true);
  const uint64_t sync = h.Send(SyncOf(id, 1, {{id, "all"}}));
  const uint64_t back = h.Send(StaticJoin("f"));
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(sync)), ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(h.IsAnswered(back));
  h.Commit();
  EXPECT_EQ(Described(h).group_state, "PreparingRebalance");
}

TEST(StaticMember, OtherRequestsAreFencedToo) {
  GroupHarness h;
  const StaticGroup ids = StableGroup(h);
  const auto back = h.Ask<JoinGroupResponse>(StaticJoin("f"));
  EXPECT_EQ(ErrorOf(h.Ask<JoinGroupResponse>(StaticJoin("f", ids.f))),
            ErrorCode::kFencedInstanceId);
  auto sync = SyncOf(ids.f, 1);
  sync.group_instance_id = "f";
  EXPECT_EQ(ErrorOf(h.Ask<SyncGroupResponse>(sync)), ErrorCode::kFencedInstanceId);
  auto commit = CommitOf("t", 0, 5, ids.f, 1);
  commit.group_instance_id = "f";
  EXPECT_EQ(CommitError(h.Ask<protocol::OffsetCommitResponse>(commit)),
            ErrorCode::kFencedInstanceId);
  EXPECT_EQ(ErrorOf(h.Ask<JoinGroupResponse>(StaticJoin("z", back.member_id))),
            ErrorCode::kUnknownMemberId);
}

TEST(StaticMember, StaysThroughARebalanceItMissesButNotBeyondItsSession) {
  GroupHarness h;
  const StaticGroup ids = StableGroup(h);
  const uint64_t third = h.Send(StaticJoin("third"));
  for (int i = 0; i < 10; ++i) {
    Beat(h, ids.f, 1);
    if (i == 0) h.Send(StaticJoin("l", ids.l));
    h.Advance(6'000);
  }
  const auto joined = h.Answer<JoinGroupResponse>(third);
  EXPECT_EQ(joined.generation_id, 2);
  EXPECT_EQ(Described(h).members.size(), 3u);  // f too, though it has not joined
  h.Advance(10'000);
  EXPECT_EQ(Described(h).members.size(), 0u);
}

TEST(StaticMember, ARefusedReplacementIsReportedAndMayBeTriedAgain) {
  GroupHarness h;
  StableGroup(h);
  h.Hold(true);
  const uint64_t back = h.Send(StaticJoin("f"));
  h.Fail(ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(back)), ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(back).member_id, "");
  h.Hold(false);
  EXPECT_EQ(h.Ask<JoinGroupResponse>(StaticJoin("f")).generation_id, 1);
}

// --- Loading and unloading -----------------------------------------------------------------------

TEST(Loading, AStableGroupGoesOnWhereItWas) {
  GroupHarness h;
  const StaticGroup ids = StableGroup(h);
  h.Advance(9'000);
  h.Restart();
  h.Advance(9'000);  // a whole session from the load on
  EXPECT_EQ(Beat(h, ids.l, 1), ErrorCode::kNone);
  EXPECT_EQ(h.Ask<SyncGroupResponse>(SyncOf(ids.f, 1)).assignment.value, "F");
  const auto group = Described(h);
  EXPECT_EQ(group.protocol_data, "range");
  EXPECT_EQ(group.members.at(0).client_host, "/10.0.0.1");
  EXPECT_EQ(group.members.at(0).member_metadata.value, SubscriptionTo("t"));
  h.Advance(20'000);
  EXPECT_EQ(Described(h).group_state, "Empty");
}

TEST(Loading, AGroupAboveItsMaximumRebalances) {
  GroupHarness h;
  StableGroup(h);
  GroupConfig config;
  config.members_max = 1;
  GroupHarness small(config);
  for (const Record& record : h.log()) small.AddToLog(record);
  small.Restart();
  EXPECT_EQ(Described(small).group_state, "PreparingRebalance");
}

TEST(Loading, SkipsWhatItCannotRead) {
  GroupHarness h;
  h.AddToLog({std::string("\0\3\0\1", 4), std::string("\0\0", 2)});
  h.AddToLog({"", std::nullopt});
  h.AddToLog(OffsetCommitRecord({"g", "t", 0}, {}));
  h.Restart();
  EXPECT_EQ(h.notes().size(), 2u);
  EXPECT_EQ(FetchOffset(h, "t", 0), 0);
}

TEST(Phase, AnswersBeforeAndWhileLoading) {
  SeededRandom random(1);
  GroupCoordinator c({}, &random);
  uint64_t token = 0;
  const auto ask = [&](auto body) {
    Effects effects;
    c.Step({}, Request<decltype(body)>{++token, decltype(body)::kApi.versions.max, "", "", body},
           &effects);
    EXPECT_EQ(effects.size(), 1u);
    return std::get<Respond>(effects.at(0)).body;
  };
  const auto join = [&] { return ErrorOf(std::get<JoinGroupResponse>(ask(JoinOf("a")))); };
  const auto beat = [&] { return ErrorOf(std::get<HeartbeatResponse>(ask(HeartbeatOf("a", 1)))); };
  const auto commit = [&] {
    return CommitError(std::get<protocol::OffsetCommitResponse>(ask(CommitOf("t", 0, 1))));
  };
  EXPECT_EQ(join(), ErrorCode::kNotCoordinator);
  EXPECT_EQ(beat(), ErrorCode::kNotCoordinator);
  EXPECT_EQ(commit(), ErrorCode::kNotCoordinator);
  Effects effects;
  c.Step({}, StartLoading{}, &effects);
  EXPECT_EQ(join(), ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(beat(), ErrorCode::kNone);
  EXPECT_EQ(commit(), ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(ErrorOf(std::get<protocol::ListGroupsResponse>(ask(protocol::ListGroupsRequest{}))),
            ErrorCode::kCoordinatorLoadInProgress);
  protocol::OffsetFetchRequest fetch;
  fetch.groups.emplace_back().group_id = "g";
  EXPECT_EQ(ErrorOf(std::get<protocol::OffsetFetchResponse>(ask(fetch)).groups.at(0)),
            ErrorCode::kCoordinatorLoadInProgress);
  c.Step({}, FinishLoading{}, &effects);
  EXPECT_EQ(join(), ErrorCode::kUnknownMemberId);
  EXPECT_TRUE(effects.empty());
}

TEST(Phase, UnloadAnswersAllThatWaitsAndForgetsAll) {
  GroupHarness h;
  const StaticGroup ids = StableGroup(h);
  h.Hold(true);
  const uint64_t commit = h.Send(CommitOf("t", 0, 5, ids.f, 1));
  const uint64_t replacing = h.Send(StaticJoin("f"));
  const uint64_t other = h.Send(JoinOf("", "h"), 3);
  h.Step(Unload{});
  EXPECT_EQ(CommitError(h.Answer<protocol::OffsetCommitResponse>(commit)),
            ErrorCode::kNotCoordinator);
  for (const uint64_t token : {replacing, other}) {
    EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(token)), ErrorCode::kNotCoordinator);
  }
  EXPECT_EQ(h.coordinator().group_count(), 0u);
  EXPECT_FALSE(h.coordinator().NextDeadlineMs().has_value());
  h.Commit();  // of an append from before: no effect
  h.Step(StartLoading{});
  h.Step(FinishLoading{});
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
}

TEST(Phase, UnloadDuringASyncAppendsNothingMore) {
  GroupHarness h;
  const uint64_t l = h.Send(StaticJoin("l"));
  h.Advance(10'000);
  const std::string id = h.Answer<JoinGroupResponse>(l).member_id;
  h.Hold(true);
  const uint64_t sync = h.Send(SyncOf(id, 1, {{id, "L"}}));
  EXPECT_EQ(h.appends_waiting(), 1u);
  h.Step(Unload{});
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(sync)), ErrorCode::kNotCoordinator);
  EXPECT_EQ(h.appends_waiting(), 1u);
}

}  // namespace
}  // namespace weir::group
