// Committed offsets and the administration of groups.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "coordination/group/group_harness.h"
#include "coordination/group/records.h"
#include "gtest/gtest.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_delete.h"
#include "protocol/error_code.h"

namespace weir::group {
namespace {

using protocol::JoinGroupResponse;
using protocol::OffsetCommitResponse;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;

constexpr int64_t kDay = 24LL * 3600 * 1000;

ErrorCode Commit(GroupHarness& h, const protocol::OffsetCommitRequest& commit,
                 int16_t version = 10) {
  return CommitError(h.Ask<OffsetCommitResponse>(commit, version));
}

// The only member, of a stable group in its first generation, subscribed to "t".
std::string StableMember(GroupHarness& h) {
  const auto [id, join] = StartJoin(h);
  h.Advance(3'000);
  EXPECT_EQ(h.Answer<JoinGroupResponse>(join).generation_id, 1);
  h.Send(SyncOf(id, 1, {{id, "A"}}));
  return id;
}

void Live(GroupHarness& h, const std::string& id, int64_t ms) {
  for (int64_t passed = 0; passed < ms; passed += 9'000) {
    h.Send(HeartbeatOf(id, 1));
    h.Advance(9'000);
  }
}

std::string StateOf(GroupHarness& h) {
  return h.Ask<protocol::DescribeGroupsResponse>(DescribeOf()).groups.at(0).group_state;
}

protocol::DeleteGroupsResponse Delete(GroupHarness& h, const std::vector<std::string>& names) {
  protocol::DeleteGroupsRequest request;
  request.groups_names = names;
  return h.Ask<protocol::DeleteGroupsResponse>(request);
}

protocol::OffsetDeleteRequest DeleteOf(const std::string& topic, int32_t partition) {
  protocol::OffsetDeleteRequest request;
  request.group_id = "g";
  auto& t = request.topics.emplace_back();
  t.name = topic;
  t.partitions.emplace_back().partition_index = partition;
  return request;
}

ErrorCode DeleteOffset(GroupHarness& h, const std::string& topic, int32_t partition) {
  const auto response = h.Ask<protocol::OffsetDeleteResponse>(DeleteOf(topic, partition));
  if (ErrorOf(response) != ErrorCode::kNone) return ErrorOf(response);
  return ErrorOf(response.topics.at(0).partitions.at(0));
}

// --- Commit --------------------------------------------------------------------------------------

TEST(OffsetCommit, IsAnsweredAndSeenOnceCommitted) {
  GroupHarness h;
  h.Hold(true);
  const uint64_t first = h.Send(CommitOf("t", 0, 5));
  const uint64_t second = h.Send(CommitOf("t", 0, 6));
  EXPECT_FALSE(h.IsAnswered(first));
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  h.Commit();
  EXPECT_EQ(CommitError(h.Answer<OffsetCommitResponse>(first)), ErrorCode::kNone);
  EXPECT_FALSE(h.IsAnswered(second));
  EXPECT_EQ(FetchOffset(h, "t", 0), 5);
  h.Commit();
  EXPECT_EQ(FetchOffset(h, "t", 0), 6);
  h.Restart();
  EXPECT_EQ(FetchOffset(h, "t", 0), 6);
}

TEST(OffsetCommit, ARefusedOneChangesNothing) {
  GroupHarness h;
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 5)), ErrorCode::kNone);
  h.Hold(true);
  const struct {
    ErrorCode append;
    ErrorCode client;
  } cases[] = {
      {ErrorCode::kNotEnoughReplicas, ErrorCode::kCoordinatorNotAvailable},
      {ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotCoordinator},
      {ErrorCode::kMessageTooLarge, ErrorCode::kInvalidCommitOffsetSize},
  };
  for (const auto& c : cases) {
    const uint64_t token = h.Send(CommitOf("t", 0, 6));
    h.Fail(c.append);
    EXPECT_EQ(CommitError(h.Answer<OffsetCommitResponse>(token)), c.client);
    EXPECT_EQ(FetchOffset(h, "t", 0), 5);
  }
  protocol::OffsetCommitRequest other = CommitOf("t", 0, 6);
  other.group_id = "new";
  h.Send(other);
  EXPECT_EQ(h.coordinator().group_count(), 2u);
  h.Fail(ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(h.coordinator().group_count(), 1u);  // and leaves no group behind
}

TEST(OffsetCommit, OutOfOrderReportsAreAppliedInTheOrderOfTheLog) {
  SeededRandom random(1);
  GroupCoordinator c({}, &random);
  Effects effects;
  c.Step({}, StartLoading{}, &effects);
  c.Step({}, FinishLoading{}, &effects);
  for (const int64_t offset : {5, 6}) {
    c.Step({}, Request<protocol::OffsetCommitRequest>{1, 9, "", "", CommitOf("t", 0, offset)},
           &effects);
  }
  ASSERT_EQ(effects.size(), 2u);
  const uint64_t first = std::get<AppendRecords>(effects[0]).token;
  const uint64_t second = std::get<AppendRecords>(effects[1]).token;
  effects.clear();
  c.Step({}, AppendDone{second, ErrorCode::kNone}, &effects);
  EXPECT_TRUE(effects.empty());
  c.Step({}, AppendDone{first, ErrorCode::kNone}, &effects);
  EXPECT_EQ(effects.size(), 2u);
  OffsetFetchRequest fetch;
  fetch.groups.emplace_back().group_id = "g";
  fetch.groups[0].topics.reset();
  effects.clear();
  c.Step({}, Request<OffsetFetchRequest>{2, 9, "", "", fetch}, &effects);
  const auto answer = std::get<OffsetFetchResponse>(std::get<Respond>(effects.at(0)).body);
  EXPECT_EQ(answer.groups.at(0).topics.at(0).partitions.at(0).committed_offset, 6);
}

TEST(OffsetCommit, ChecksMemberAndGeneration) {
  GroupHarness h;
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 1, "a", 1), 8), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 1, "a", 1), 9), ErrorCode::kGroupIdNotFound);
  const std::string id = StableMember(h);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 1, id, 1)), ErrorCode::kNone);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2, id, 0)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2, id, 2)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2, id, -1)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2, "stranger", 1)), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2)), ErrorCode::kUnknownMemberId);  // not a member
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
}

TEST(OffsetCommit, DuringARebalance) {
  GroupHarness h;
  const std::string id = StableMember(h);
  const uint64_t other = StartJoin(h).second;
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 1, id, 1)), ErrorCode::kNone);  // until the next generation
  h.Send(JoinOf(id));
  EXPECT_EQ(h.Answer<JoinGroupResponse>(other).generation_id, 2);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2, id, 1)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 2, id, 2)), ErrorCode::kRebalanceInProgress);
}

TEST(OffsetCommit, MetadataIsBoundedInUtf16Units) {
  GroupHarness h;
  auto commit = CommitOf("t", 0, 1);
  std::string text;
  for (int i = 0; i < 4'096; ++i) text += "\xc3\xbc";
  commit.topics[0].partitions[0].committed_metadata = text;
  commit.topics[0].partitions.push_back(commit.topics[0].partitions[0]);
  commit.topics[0].partitions[1].partition_index = 1;
  *commit.topics[0].partitions[1].committed_metadata += "x";
  const auto response = h.Ask<OffsetCommitResponse>(commit);
  EXPECT_EQ(ErrorOf(response.topics[0].partitions[0]), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(response.topics[0].partitions[1]), ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  EXPECT_EQ(FetchOffset(h, "t", 1), -1);
}

TEST(OffsetCommit, OffsetsOfAGroupAreBounded) {
  GroupConfig config;
  config.offsets_per_group_max = 2;
  GroupHarness h(config);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 1)), ErrorCode::kNone);
  EXPECT_EQ(Commit(h, CommitOf("t", 1, 1)), ErrorCode::kNone);
  EXPECT_EQ(Commit(h, CommitOf("t", 2, 1)), ErrorCode::kInvalidCommitOffsetSize);
  EXPECT_EQ(Commit(h, CommitOf("t", 1, 2)), ErrorCode::kNone);
}

// --- Fetch ---------------------------------------------------------------------------------------

TEST(OffsetFetch, OldAndNewForm) {
  GroupHarness h;
  auto commit = CommitOf("t", 1, 7);
  commit.topics[0].partitions[0].committed_leader_epoch = 3;
  commit.topics[0].partitions[0].committed_metadata = "m";
  Commit(h, commit);
  OffsetFetchRequest one;
  one.group_id = "g";
  one.topics->push_back({"t", {0, 1}});
  const auto old = h.Ask<OffsetFetchResponse>(one, 7);
  ASSERT_EQ(old.topics.size(), 1u);
  EXPECT_EQ(old.topics[0].partitions[0].committed_offset, -1);
  EXPECT_EQ(old.topics[0].partitions[0].metadata, "");
  EXPECT_EQ(old.topics[0].partitions[1].committed_offset, 7);
  EXPECT_EQ(old.topics[0].partitions[1].committed_leader_epoch, 3);
  EXPECT_EQ(old.topics[0].partitions[1].metadata, "m");
  one.topics.reset();  // all
  EXPECT_EQ(h.Ask<OffsetFetchResponse>(one, 2).topics.at(0).partitions.at(0).partition_index, 1);

  OffsetFetchRequest several;
  several.groups.resize(2);
  several.groups[0].group_id = "none";
  several.groups[1].group_id = "g";
  several.groups[1].topics.reset();
  const auto response = h.Ask<OffsetFetchResponse>(several, 8);
  ASSERT_EQ(response.groups.size(), 2u);
  EXPECT_EQ(ErrorOf(response.groups[0]), ErrorCode::kNone);
  EXPECT_TRUE(response.groups[0].topics.empty());
  EXPECT_EQ(response.groups[1].topics.at(0).partitions.at(0).committed_offset, 7);
}

TEST(OffsetFetch, AnOffsetOfAnEarlierTopicOfTheNameIsNone) {
  GroupHarness h;
  auto commit = CommitOf("t", 0, 7);
  commit.topics[0].topic_id = {1, 1};
  Commit(h, commit);
  OffsetFetchRequest fetch;
  fetch.groups.emplace_back().group_id = "g";
  fetch.groups[0].topics->push_back({"t", {1, 1}, {0}});
  fetch.groups[0].topics->push_back({"t", {2, 2}, {0}});
  const auto response = h.Ask<OffsetFetchResponse>(fetch);
  EXPECT_EQ(response.groups[0].topics[0].partitions[0].committed_offset, 7);
  EXPECT_EQ(response.groups[0].topics[1].partitions[0].committed_offset, -1);
  EXPECT_EQ(response.groups[0].topics[1].topic_id, (Uuid{2, 2}));
}

TEST(OffsetFetch, OffsetsOfOpenTransactionsAreUnstable) {
  SeededRandom random(1);
  for (const bool commits : {true, false}) {
    GroupCoordinator c({}, &random);
    Effects effects;
    c.Step({}, StartLoading{}, &effects);
    OffsetCommitValue value;
    const auto load = [&](int64_t at, int64_t offset, int32_t partition, int64_t producer) {
      value.offset = offset;
      const Record record = OffsetCommitRecord({"g", "t", partition}, value);
      LoadedRecord loaded{at, record.key, absl::string_view(*record.value), producer >= 0,
                          producer};
      c.Step({}, loaded, &effects);
    };
    load(0, 1, 0, -1);
    load(1, 2, 0, 9);
    load(2, 3, 1, 9);
    load(3, 4, 1, -1);  // later than the transaction's
    load(4, 5, 2, 8);   // stays open
    c.Step({}, LoadedMarker{9, commits}, &effects);
    c.Step({}, FinishLoading{}, &effects);
    ASSERT_TRUE(effects.empty());
    OffsetFetchRequest fetch;
    fetch.require_stable = true;
    fetch.groups.emplace_back().group_id = "g";
    fetch.groups[0].topics->push_back({"t", {}, {0, 1, 2}});
    c.Step({}, Request<OffsetFetchRequest>{1, 9, "", "", fetch}, &effects);
    const auto response = std::get<OffsetFetchResponse>(std::get<Respond>(effects.at(0)).body);
    const auto& partitions = response.groups[0].topics[0].partitions;
    EXPECT_EQ(partitions[0].committed_offset, commits ? 2 : 1);
    EXPECT_EQ(partitions[1].committed_offset, 4);
    EXPECT_EQ(ErrorOf(partitions[2]), ErrorCode::kUnstableOffsetCommit);
  }
}

// --- Expiry and deletion -------------------------------------------------------------------------

TEST(Expiry, OfAGroupThatOnlyStoresOffsets) {
  GroupHarness h;
  Commit(h, CommitOf("t", 0, 1));
  h.Advance(3 * kDay);
  Commit(h, CommitOf("t", 1, 1));
  h.Advance(4 * kDay - 1'200'000);
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  h.Advance(1'800'000);
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  EXPECT_EQ(FetchOffset(h, "t", 1), 1);
  h.Advance(3 * kDay);
  EXPECT_EQ(h.coordinator().group_count(), 0u);
  h.Restart();
  EXPECT_EQ(h.coordinator().group_count(), 0u);
}

TEST(Expiry, CountsFromWhenTheGroupBecameEmpty) {
  GroupHarness h;
  const std::string id = StableMember(h);
  Commit(h, CommitOf("t", 0, 1, id, 1));
  Live(h, id, 8 * kDay);  // subscribed: stays
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  h.Advance(7 * kDay - 1'200'000);
  h.Restart();
  h.Advance(600'000);
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  h.Advance(1'800'000);
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  EXPECT_EQ(h.coordinator().group_count(), 0u);
  EXPECT_EQ(h.log().back(), GroupMetadataTombstone("g"));
}

TEST(Expiry, OfATopicThatAStableGroupDoesNotSubscribeTo) {
  GroupHarness h;
  const std::string id = StableMember(h);
  Commit(h, CommitOf("t", 0, 1, id, 1));
  Commit(h, CommitOf("unsubscribed", 0, 1, id, 1));
  Live(h, id, 7 * kDay + 1'200'000);
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  EXPECT_EQ(FetchOffset(h, "unsubscribed", 0), -1);
  EXPECT_EQ(StateOf(h), "Stable");
}

TEST(Expiry, AsAnOldClientAsked) {
  GroupHarness h;
  auto commit = CommitOf("t", 0, 1);
  commit.retention_time_ms = 3'600'000;
  Commit(h, commit, 4);
  h.Advance(3'000'000);
  h.Restart();
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  h.Advance(1'200'000);
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
}

TEST(Expiry, NotWithANewerOneOnItsWay) {
  GroupHarness h;
  Commit(h, CommitOf("t", 0, 1));
  h.Hold(true);
  h.Send(CommitOf("t", 0, 2));
  h.Advance(8 * kDay);
  EXPECT_EQ(h.appends_waiting(), 1u);
}

TEST(TopicsDeleted, TakeTheirOffsetsAlong) {
  GroupHarness h;
  Commit(h, CommitOf("t", 0, 1));
  Commit(h, CommitOf("u", 0, 1));
  h.Hold(true);
  h.Send(CommitOf("t", 1, 1));  // on its way
  h.Step(TopicsDeleted{{"t", "never"}});
  h.Commit();
  EXPECT_EQ(FetchOffset(h, "t", 1), 1);
  h.Commit();
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  EXPECT_EQ(FetchOffset(h, "t", 1), -1);
  EXPECT_EQ(FetchOffset(h, "u", 0), 1);
  h.Restart();
  EXPECT_EQ(FetchOffset(h, "t", 1), -1);
}

// A topic of the same name may be there again, with commits of its own, before the group hears.
TEST(TopicsDeleted, LeaveTheOffsetsOfTheNextTopicOfTheName) {
  GroupHarness h;
  const Uuid before{1, 1}, next{2, 2};
  const auto commit = [&](int32_t partition, const Uuid& topic) {
    protocol::OffsetCommitRequest request = CommitOf("t", partition, 5);
    request.topics.at(0).topic_id = topic;
    return Commit(h, request);
  };
  for (const int32_t partition : {0, 1}) EXPECT_EQ(commit(partition, before), ErrorCode::kNone);
  EXPECT_EQ(commit(0, next), ErrorCode::kNone);
  h.Step(TopicsDeleted{{"t"}, {before}});
  EXPECT_EQ(FetchOffset(h, "t", 0), 5);
  EXPECT_EQ(FetchOffset(h, "t", 1), -1);
}

TEST(OffsetFetch, TellsNothingOfAnEarlierTopicOfTheName) {
  GroupHarness h;
  protocol::OffsetCommitRequest commit = CommitOf("t", 0, 5);
  commit.topics.at(0).topic_id = {1, 1};
  EXPECT_EQ(Commit(h, commit), ErrorCode::kNone);
  const auto fetch = [&](const Uuid& topic) {
    OffsetFetchRequest request;
    auto& group = request.groups.emplace_back();
    group.group_id = "g";
    group.topics->push_back({"t", topic, {0}});
    return h.Ask<OffsetFetchResponse>(request).groups.at(0).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(fetch({1, 1}).committed_offset, 5);
  EXPECT_EQ(fetch({2, 2}).committed_offset, -1);
  EXPECT_EQ(fetch({}).committed_offset, 5) << "of a topic that nobody knows now";
}

TEST(OffsetDelete, OnlyWhatIsNotInUse) {
  GroupHarness h;
  EXPECT_EQ(DeleteOffset(h, "t", 0), ErrorCode::kGroupIdNotFound);
  const std::string id = StableMember(h);
  Commit(h, CommitOf("t", 0, 1, id, 1));
  Commit(h, CommitOf("u", 0, 1, id, 1));
  EXPECT_EQ(DeleteOffset(h, "t", 0), ErrorCode::kGroupSubscribedToTopic);
  EXPECT_EQ(DeleteOffset(h, "u", 0), ErrorCode::kNone);
  EXPECT_EQ(DeleteOffset(h, "u", 5), ErrorCode::kNone);
  EXPECT_EQ(FetchOffset(h, "t", 0), 1);
  EXPECT_EQ(FetchOffset(h, "u", 0), -1);
  h.Advance(10'000);  // empty
  EXPECT_EQ(DeleteOffset(h, "t", 0), ErrorCode::kNone);
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  auto nameless = DeleteOf("t", 0);
  nameless.group_id.clear();
  EXPECT_EQ(ErrorOf(h.Ask<protocol::OffsetDeleteResponse>(nameless)), ErrorCode::kInvalidGroupId);
}

TEST(OffsetDelete, AGroupOfAnotherProtocolMustBeEmpty) {
  GroupHarness h;
  auto join = JoinOf("");
  join.protocol_type = "connect";
  const uint64_t token = h.Send(join, 3);
  h.Advance(3'000);
  EXPECT_TRUE(h.IsAnswered(token));
  EXPECT_EQ(DeleteOffset(h, "t", 0), ErrorCode::kNonEmptyGroup);
}

TEST(DeleteGroups, EmptyOnesWithAllTheirOffsets) {
  GroupConfig config;
  config.records_per_append_max = 2;
  GroupHarness h(config);
  StableMember(h);
  auto response = Delete(h, {"g", "none", "g"});
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(ErrorOf(response.results[0]), ErrorCode::kNonEmptyGroup);
  EXPECT_EQ(ErrorOf(response.results[1]), ErrorCode::kGroupIdNotFound);
  h.Advance(10'000);
  for (int32_t p = 0; p < 5; ++p) Commit(h, CommitOf("t", p, p));
  response = Delete(h, {"g"});
  EXPECT_EQ(ErrorOf(response.results[0]), ErrorCode::kNone);
  EXPECT_EQ(StateOf(h), "Dead");
  h.Restart();
  EXPECT_EQ(h.coordinator().group_count(), 0u);
}

TEST(DeleteGroups, BetweenRequestAndCommit) {
  GroupHarness h;
  h.Hold(true);
  const uint64_t commit = h.Send(CommitOf("t", 0, 5));  // on its way, too
  protocol::DeleteGroupsRequest request;
  request.groups_names = {"g"};
  const uint64_t deletion = h.Send(request);
  EXPECT_FALSE(h.IsAnswered(deletion));
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 6)), ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(ErrorOf(h.Ask<JoinGroupResponse>(JoinOf(""))), ErrorCode::kCoordinatorLoadInProgress);
  h.Commit();
  EXPECT_TRUE(h.IsAnswered(commit));
  h.Commit();
  EXPECT_EQ(ErrorOf(h.Answer<protocol::DeleteGroupsResponse>(deletion).results.at(0)),
            ErrorCode::kNone);
  EXPECT_EQ(h.coordinator().group_count(), 0u);
  h.Hold(false);
  EXPECT_EQ(FetchOffset(h, "t", 0), -1);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 6)), ErrorCode::kNone);
}

TEST(DeleteGroups, ARefusedOneLeavesTheGroup) {
  GroupHarness h;
  Commit(h, CommitOf("t", 0, 5));
  h.Hold(true);
  protocol::DeleteGroupsRequest request;
  request.groups_names = {"g"};
  const uint64_t deletion = h.Send(request);
  h.Fail(ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(ErrorOf(h.Answer<protocol::DeleteGroupsResponse>(deletion).results.at(0)),
            ErrorCode::kCoordinatorNotAvailable);
  h.Hold(false);
  EXPECT_EQ(FetchOffset(h, "t", 0), 5);
  EXPECT_EQ(Commit(h, CommitOf("t", 0, 6)), ErrorCode::kNone);
}

// --- Describe and list ---------------------------------------------------------------------------

TEST(DescribeGroups, UnknownOnes) {
  GroupHarness h;
  const auto old = h.Ask<protocol::DescribeGroupsResponse>(DescribeOf("none"), 5).groups.at(0);
  EXPECT_EQ(old.group_state, "Dead");
  EXPECT_EQ(ErrorOf(old), ErrorCode::kNone);
  const auto now = h.Ask<protocol::DescribeGroupsResponse>(DescribeOf("none"), 6).groups.at(0);
  EXPECT_EQ(ErrorOf(now), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(now.error_message, "Group none not found.");
}

TEST(DescribeGroups, MembersWithMetadataOnlyWhenStable) {
  GroupHarness h;
  const std::string id = StableMember(h);
  const auto stable = h.Ask<protocol::DescribeGroupsResponse>(DescribeOf()).groups.at(0);
  EXPECT_EQ(stable.protocol_type, "consumer");
  EXPECT_EQ(stable.protocol_data, "range");
  ASSERT_EQ(stable.members.size(), 1u);
  EXPECT_EQ(stable.members[0].member_id, id);
  EXPECT_EQ(stable.members[0].client_id, "client");
  EXPECT_EQ(stable.members[0].member_assignment.value, "A");
  EXPECT_EQ(stable.members[0].member_metadata.value, SubscriptionTo("t"));
  StartJoin(h);
  const auto rebalancing = h.Ask<protocol::DescribeGroupsResponse>(DescribeOf()).groups.at(0);
  EXPECT_EQ(rebalancing.group_state, "PreparingRebalance");
  EXPECT_EQ(rebalancing.protocol_data, "");
  EXPECT_EQ(rebalancing.members.at(0).member_metadata.value, "");
}

TEST(ListGroups, FiltersByStateAndType) {
  GroupHarness h;
  StableMember(h);
  auto commit = CommitOf("t", 0, 1);
  commit.group_id = "a-simple-one";
  Commit(h, commit);
  const auto list = [&](std::vector<std::string> states, std::vector<std::string> types) {
    protocol::ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    std::string found;
    for (const auto& g : h.Ask<protocol::ListGroupsResponse>(request).groups) {
      found += g.group_id + "/" + g.protocol_type + "/" + g.group_state + "/" + g.group_type + " ";
    }
    return found;
  };
  const std::string simple = "a-simple-one//Empty/Classic ";
  const std::string stable = "g/consumer/Stable/Classic ";
  EXPECT_EQ(list({}, {}), simple + stable);
  EXPECT_EQ(list({"stable"}, {}), stable);
  EXPECT_EQ(list({" EMPTY ", "Dead"}, {"classic"}), simple);
  EXPECT_EQ(list({}, {"Consumer"}), "");
  EXPECT_EQ(list({}, {"consumer", "CLASSIC"}), simple + stable);
  EXPECT_EQ(list({"nonsense"}, {}), "");
}

}  // namespace
}  // namespace weir::group
