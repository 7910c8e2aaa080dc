// Appends that take longer than clients wait for: they are told so, and what is in the log counts
// all the same.
#include <cstdint>
#include <string>
#include <vector>

#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "coordination/group/group_harness.h"
#include "gtest/gtest.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/error_code.h"

namespace weir::group {
namespace {

using protocol::JoinGroupResponse;
using protocol::OffsetCommitResponse;
using protocol::SyncGroupResponse;

constexpr int64_t kTimeoutMs = GroupConfig().append_timeout_ms;

TEST(AppendTimeout, ACommitIsAnsweredAndTakesEffectWhenItIsInTheLog) {
  GroupHarness h;
  h.Hold(true);
  const uint64_t commit = h.Send(CommitOf("t", 0, 7));
  h.Advance(kTimeoutMs - 1);
  EXPECT_FALSE(h.IsAnswered(commit));
  h.Advance(1);
  ASSERT_TRUE(h.IsAnswered(commit));
  EXPECT_EQ(CommitError(h.Answer<OffsetCommitResponse>(commit)),
            ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  h.Commit();
  EXPECT_EQ(FetchOffset(h, "t", 0), 7);
  EXPECT_EQ(h.coordinator().timeout_count(), 0u);
}

TEST(AppendTimeout, EachCommitHasItsOwnTime) {
  GroupHarness h;
  h.Hold(true);
  const uint64_t first = h.Send(CommitOf("t", 0, 1));
  h.Advance(kTimeoutMs / 2);
  const uint64_t second = h.Send(CommitOf("t", 0, 2));
  h.Advance(kTimeoutMs / 2);
  EXPECT_TRUE(h.IsAnswered(first));
  EXPECT_FALSE(h.IsAnswered(second));
  h.Commit();
  h.Commit();
  EXPECT_EQ(CommitError(h.Answer<OffsetCommitResponse>(second)), ErrorCode::kNone);
  EXPECT_EQ(FetchOffset(h, "t", 0), 2);
}

TEST(AppendTimeout, AnOffsetOnItsWayIsDeletedWithTheGroup) {
  GroupHarness h;
  h.Hold(true);
  h.Send(CommitOf("t", 0, 7));
  h.Advance(kTimeoutMs);
  protocol::DeleteGroupsRequest request;
  request.groups_names = {"g"};
  const uint64_t deletion = h.Send(request);
  h.Advance(kTimeoutMs);
  ASSERT_TRUE(h.IsAnswered(deletion));
  EXPECT_EQ(ErrorOf(h.Answer<protocol::DeleteGroupsResponse>(deletion).results.at(0)),
            ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(CommitError(h.Ask<OffsetCommitResponse>(CommitOf("t", 0, 8))),
            ErrorCode::kCoordinatorLoadInProgress)
      << "it is still being deleted";
  h.Commit();
  h.Commit();
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  h.Restart();
  EXPECT_EQ(FetchOffset(h, "t", 0), -1) << "the log agrees";
  EXPECT_EQ(h.coordinator().group_count(), 0u);
}

TEST(AppendTimeout, AnAssignmentThatTakesTooLongIsNeverGivenOut) {
  GroupHarness h;
  h.Hold(true);
  const auto [id, join] = StartJoin(h);
  h.Advance(3'000);
  ASSERT_EQ(h.Answer<JoinGroupResponse>(join).generation_id, 1);
  const uint64_t sync = h.Send(SyncOf(id, 1, {{id, "A"}}));
  h.Send(HeartbeatOf(id, 1));
  h.Advance(kTimeoutMs);
  ASSERT_TRUE(h.IsAnswered(sync));
  EXPECT_EQ(ErrorOf(h.Answer<SyncGroupResponse>(sync)), ErrorCode::kCoordinatorNotAvailable);
  const uint64_t again = h.Send(JoinOf(id));
  ASSERT_TRUE(h.IsAnswered(again));
  EXPECT_EQ(h.Answer<JoinGroupResponse>(again).generation_id, 2);
  h.Commit();
  const auto group = h.Ask<protocol::DescribeGroupsResponse>(DescribeOf()).groups.at(0);
  EXPECT_EQ(group.group_state, "CompletingRebalance");
  EXPECT_EQ(group.members.at(0).member_assignment.value, "");
}

TEST(AppendTimeout, AStaticMemberThatComesBackIsAnswered) {
  GroupHarness h;
  protocol::JoinGroupRequest join = JoinOf("");
  join.group_instance_id = "i";
  const uint64_t first = h.Send(join);
  h.Advance(3'000);
  const std::string id = h.Answer<JoinGroupResponse>(first).member_id;
  protocol::SyncGroupRequest sync = SyncOf(id, 1, {{id, "A"}});
  sync.group_instance_id = "i";
  h.Send(sync);
  h.Hold(true);
  const uint64_t back = h.Send(join);
  EXPECT_FALSE(h.IsAnswered(back));
  h.Advance(kTimeoutMs);
  ASSERT_TRUE(h.IsAnswered(back));
  EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(back)), ErrorCode::kCoordinatorNotAvailable);
  h.Commit();
  const uint64_t third = h.Send(join);
  h.Commit();
  EXPECT_EQ(ErrorOf(h.Answer<JoinGroupResponse>(third)), ErrorCode::kNone);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(third).generation_id, 1);
}

TEST(AppendTimeout, UnloadingAnswersOnce) {
  GroupHarness h;
  h.Hold(true);
  h.Send(CommitOf("t", 0, 7));
  h.Advance(kTimeoutMs);
  const uint64_t second = h.Send(CommitOf("t", 0, 8));
  h.Step(Unload{});
  EXPECT_EQ(CommitError(h.Answer<OffsetCommitResponse>(second)), ErrorCode::kNotCoordinator);
  EXPECT_EQ(h.unanswered(), 0u);
}

}  // namespace
}  // namespace weir::group
