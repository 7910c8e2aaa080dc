#include "server/cli/reassign_plan.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_replace.h"
#include "client/admin_types.h"
#include "gtest/gtest.h"
#include "server/cli/flags.h"

namespace weir::cli {
namespace {

TEST(ReassignPlanTest, ReadsWhatItWrites) {
  const std::string text =
      R"({"version":1,"partitions":[)"
      R"({"topic":"a","partition":3,"replicas":[1,2],"log_dirs":["any","any"]},)"
      R"({"topic":"b","partition":0,"replicas":[2],"log_dirs":["any"]}]})";
  std::vector<client::ReplicaPlace> places;
  const auto moves = ParseMoves(text, &places);
  ASSERT_TRUE(moves.ok()) << moves.status();
  ASSERT_EQ(moves->size(), 2u);
  EXPECT_EQ((*moves)[0].topic, "a");
  EXPECT_EQ((*moves)[0].partition, 3);
  EXPECT_EQ((*moves)[0].replicas, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(absl::StrReplaceAll(MovesAsJson(*moves), {{" ", ""}}), text);
  EXPECT_TRUE(places.empty());
  ASSERT_TRUE(ParseMoves(R"({"partitions":[{"topic":"a","partition":0,"replicas":[1,2],)"
                         R"("log_dirs":["any","/data"]}]})",
                         &places)
                  .ok());
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].topic, "a");
  EXPECT_EQ(places[0].partition, 0);
  EXPECT_EQ(places[0].broker, 2);
  EXPECT_EQ(places[0].directory, "/data");
}

TEST(ReassignPlanTest, SaysWhatIsWrongWithAFile) {
  const std::map<std::string, std::string> faults = {
      {R"({"version":2,"partitions":[]})", "'version': expected 1"},
      {R"({"version":1})", "'partitions': expected an array, came nothing"},
      {R"({"partitions":[]})", "'partitions': expected at least one"},
      {R"({"partitions":[{"topic":"a","replicas":[1]}]})",
       "'partition': expected a whole number, came nothing"},
      {R"({"partitions":[{"topic":"a","partition":0,"replicas":[]}]})",
       "a-0: 'replicas': expected at least one broker"},
      {R"({"partitions":[{"topic":"a","partition":0,"replicas":[1,1]}]})",
       "a-0: 'replicas': 1 is named twice"},
      {R"({"partitions":[{"topic":"a","partition":0,"replicas":[1],"log_dirs":[]}]})",
       "a-0: 'log_dirs': expected one for each replica"},
      {R"({"partitions":[{"topic":"a","partition":0,"replicas":[1],"log_dirs":[7]}]})",
       "a-0: 'log_dirs': expected paths, or \"any\""},
      {R"({"partitions":[{"topic":"a","partition":0,"replicas":[1]},)"
       R"({"topic":"a","partition":0,"replicas":[2]}]})",
       "a-0 is named twice"},
  };
  std::vector<client::ReplicaPlace> places;
  for (const auto& [text, fault] : faults) {
    EXPECT_EQ(ParseMoves(text, &places).status().message(), fault);
  }
  EXPECT_EQ(ParseTopicsToMove(R"({"topics":[{"topic":"a"},{"topic":"a"}]})").status().message(),
            "topic a is named twice");
  EXPECT_EQ(*ParseTopicsToMove(R"({"topics":[{"topic":"b"},{"topic":"a"}],"version":1})"),
            (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(ParsePartitions(R"({"partitions":[{"topic":"a","partition":1}]})")->at(0).partition, 1);
  EXPECT_FALSE(ParsePartitions(R"({"partitions":[{"topic":"a","partition":-1}]})").ok());
}

TEST(ReassignPlanTest, ReadsIdsOfBrokers) {
  EXPECT_EQ(*ParseBrokerIds("broker-list", "3,1, 2"), (std::vector<int32_t>{3, 1, 2}));
  for (const char* text : {"", "1,1", "1,x", "-1"}) {
    EXPECT_TRUE(IsUsageError(ParseBrokerIds("broker-list", text).status())) << text;
  }
}

TEST(ReassignPlanTest, ReadsReplicaAssignments) {
  EXPECT_EQ(*ParseReplicaAssignment("replica-assignment", "1:2, 2:3"),
            (std::vector<std::vector<int32_t>>{{1, 2}, {2, 3}}));
  EXPECT_EQ(*ParseReplicaAssignment("replica-assignment", "7"),
            (std::vector<std::vector<int32_t>>{{7}}));
  for (const char* text : {"", "1:1", "1:2,3", "1:", "1,", ":1", "1:x", "-1"}) {
    EXPECT_TRUE(IsUsageError(ParseReplicaAssignment("replica-assignment", text).status())) << text;
  }
}

TEST(ReassignPlanTest, SpreadsLeadersAndReplicasEvenly) {
  const auto moves = ProposeMoves({{4, ""}, {1, ""}, {2, ""}, {3, ""}}, {{"a", 8, 2}, {"b", 4, 2}},
                                  /*by_rack=*/true);
  ASSERT_TRUE(moves.ok()) << moves.status();
  ASSERT_EQ(moves->size(), 12u);
  std::map<int32_t, int> leads, has;
  std::set<std::vector<int32_t>> pairs;
  for (const client::PartitionMove& move : *moves) {
    const std::vector<int32_t>& replicas = *move.replicas;
    ASSERT_EQ(replicas.size(), 2u);
    EXPECT_NE(replicas[0], replicas[1]);
    ++leads[replicas[0]];
    for (const int32_t id : replicas) ++has[id];
    pairs.insert(replicas);
  }
  for (const int32_t id : {1, 2, 3, 4}) {
    EXPECT_EQ(leads[id], 3) << id;
    EXPECT_EQ(has[id], 6) << id;
  }
  EXPECT_EQ(pairs.size(), 12u) << "nobody always follows the same leader";
}

TEST(ReassignPlanTest, PutsReplicasInDifferentRacks) {
  const std::vector<PlanBroker> brokers = {{1, "x"}, {2, "x"}, {3, "y"},
                                           {4, "y"}, {5, "z"}, {6, "z"}};
  const auto moves = ProposeMoves(brokers, {{"a", 30, 3}}, /*by_rack=*/true);
  ASSERT_TRUE(moves.ok()) << moves.status();
  for (const client::PartitionMove& move : *moves) {
    std::set<std::string> racks;
    for (const int32_t id : *move.replicas) racks.insert(brokers[static_cast<size_t>(id) - 1].rack);
    EXPECT_EQ(racks.size(), 3u) << move.partition;
  }
  const auto more = ProposeMoves(brokers, {{"a", 2, 5}}, /*by_rack=*/true);
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_EQ(more->at(0).replicas->size(), 5u) << "more replicas than racks";
}

TEST(ReassignPlanTest, RefusesWhatCannotBe) {
  EXPECT_TRUE(
      absl::IsFailedPrecondition(ProposeMoves({{1, ""}, {2, ""}}, {{"a", 1, 3}}, true).status()));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(ProposeMoves({{1, "x"}, {2, ""}}, {{"a", 1, 1}}, true).status()));
  EXPECT_TRUE(ProposeMoves({{1, "x"}, {2, ""}}, {{"a", 1, 1}}, false).ok());
}

}  // namespace
}  // namespace weir::cli
