#include "coordination/metadata/founding.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

NodeHello Empty(int32_t id) { return {BrokerId(id), Uuid{1, static_cast<uint64_t>(id)}, "", true}; }
NodeHello Of(int32_t id, const std::string& cluster) {
  NodeHello hello = Empty(id);
  hello.cluster_id = cluster;
  return hello;
}

Founding Three(int32_t self) {
  return Founding(Empty(self), {BrokerId(1), BrokerId(2), BrokerId(3)});
}

TEST(Founding, TheLowestIdFoundsWhenAllAreEmpty) {
  Founding founding = Three(1);
  founding.Begin();
  for (const int32_t id : {3, 1, 2}) {
    ASSERT_FALSE(founding.Decide()->found.has_value()) << "before node " << id;
    ASSERT_TRUE(founding.Heard(static_cast<size_t>(id - 1), Empty(id)).ok());
  }
  const auto decision = founding.Decide();
  ASSERT_TRUE(decision->found.has_value());
  EXPECT_FALSE(decision->join.has_value());
  EXPECT_THAT(decision->found->voters,
              ElementsAre(Pair(BrokerId(1), Uuid{1, 1}), Pair(BrokerId(2), Uuid{1, 2}),
                          Pair(BrokerId(3), Uuid{1, 3})));
}

TEST(Founding, TheOthersWaitForIt) {
  Founding founding = Three(2);
  for (const int32_t id : {1, 2, 3}) {
    ASSERT_TRUE(founding.Heard(static_cast<size_t>(id - 1), Empty(id)).ok());
  }
  EXPECT_FALSE(founding.Decide()->found.has_value());
  EXPECT_FALSE(founding.Decide()->join.has_value());
}

TEST(Founding, OneThatHasAClusterIsEnoughToJoinIt) {
  Founding founding = Three(1);
  ASSERT_TRUE(founding.Heard(2, Of(3, "C")).ok());
  EXPECT_EQ(founding.Decide()->join->cluster_id, "C");
  ASSERT_TRUE(founding.Heard(0, Empty(1)).ok());
  ASSERT_TRUE(founding.Heard(1, Empty(2)).ok());
  EXPECT_EQ(founding.Decide()->join->cluster_id, "C");
  EXPECT_FALSE(founding.Decide()->found.has_value());
}

TEST(Founding, ARoundForgetsWhatTheOneBeforeHeard) {
  Founding founding = Three(1);
  for (const int32_t id : {1, 2}) {
    ASSERT_TRUE(founding.Heard(static_cast<size_t>(id - 1), Empty(id)).ok());
  }
  founding.Begin();
  ASSERT_TRUE(founding.Heard(2, Empty(3)).ok());
  EXPECT_FALSE(founding.Decide()->found.has_value());
}

TEST(Founding, ServersWithoutIdsAreKnownByTheirAnswers) {
  Founding founding(Empty(4), {kNoBroker, kNoBroker});
  ASSERT_TRUE(founding.Heard(0, Empty(7)).ok());
  ASSERT_TRUE(founding.Heard(1, Empty(4)).ok());
  EXPECT_THAT(founding.Decide()->found->voters,
              ElementsAre(Pair(BrokerId(4), Uuid{1, 4}), Pair(BrokerId(7), Uuid{1, 7})));
}

TEST(Founding, TwoServersThatAreOneNodeFoundNothing) {
  Founding founding(Empty(4), {kNoBroker, kNoBroker});
  ASSERT_TRUE(founding.Heard(0, Empty(4)).ok());
  ASSERT_TRUE(founding.Heard(1, Empty(4)).ok());
  EXPECT_FALSE(founding.Decide()->found.has_value());
}

TEST(Founding, WhoIsNotAmongThemOnlyJoins) {
  Founding founding(Empty(1), {BrokerId(2), BrokerId(3)});
  ASSERT_TRUE(founding.Heard(0, Empty(2)).ok());
  ASSERT_TRUE(founding.Heard(1, Empty(3)).ok());
  EXPECT_FALSE(founding.Decide()->found.has_value());
}

TEST(Founding, NamesWhatContradicts) {
  Founding founding = Three(1);
  EXPECT_THAT(std::string(founding.Heard(1, Empty(3)).message()),
              HasSubstr("expected node 2, came node 3"));
  NodeHello broker = Empty(2);
  broker.is_controller = false;
  EXPECT_THAT(std::string(founding.Heard(1, broker).message()), HasSubstr("node 2, which is none"));
  NodeHello twin = Empty(1);
  twin.directory_id = Uuid{9, 9};
  EXPECT_THAT(std::string(founding.Heard(0, twin).message()), HasSubstr("on another disk"));
  ASSERT_TRUE(founding.Heard(1, Of(2, "C")).ok());
  ASSERT_TRUE(founding.Heard(2, Of(3, "D")).ok());
  EXPECT_THAT(std::string(founding.Decide().status().message()),
              HasSubstr("some of C and some of D"));
}

// Nodes start, ask each other with messages that get lost, end, and lose their disks, in any order.
// As long as one voter of the first cluster still has its disk, nobody founds another.
TEST(Founding, NobodyFoundsASecondClusterWhileAMemberKnowsTheFirst) {
  int founded_seeds = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SeededRandom random(seed);
    struct Node {
      NodeHello hello;
      bool up = false;
    };
    std::map<int32_t, Node> nodes;
    uint64_t disks = 0;
    for (const int32_t id : {1, 2, 3}) {
      nodes[id].hello = Empty(id);
      nodes[id].hello.directory_id = Uuid{seed, ++disks};
    }
    int clusters = 0;
    for (int step = 0; step < 100; ++step) {
      const int32_t id = static_cast<int32_t>(1 + random.Below(3));
      Node& node = nodes[id];
      if (random.OneIn(4)) node.up = !node.up;
      int knowing = 0;
      for (const auto& [other, n] : nodes) knowing += n.hello.cluster_id.empty() ? 0 : 1;
      // A disk is lost, but never the last that knows of the cluster.
      if (random.OneIn(10) && (node.hello.cluster_id.empty() || knowing > 1)) {
        node.hello = Empty(id);
        node.hello.directory_id = Uuid{seed, ++disks};
      }
      if (!node.up || !node.hello.cluster_id.empty()) continue;
      Founding founding(node.hello, {BrokerId(1), BrokerId(2), BrokerId(3)});
      founding.Begin();
      for (const auto& [other, n] : nodes) {
        if (!n.up || random.OneIn(8)) continue;
        ASSERT_TRUE(founding.Heard(static_cast<size_t>(other - 1), n.hello).ok());
      }
      const auto decision = founding.Decide();
      ASSERT_TRUE(decision.ok());
      if (decision->join.has_value()) node.hello.cluster_id = decision->join->cluster_id;
      if (!decision->found.has_value()) continue;
      ASSERT_EQ(id, 1);
      ASSERT_EQ(++clusters, 1) << "seed " << seed;
      node.hello.cluster_id = "C";
    }
    founded_seeds += clusters;
  }
  EXPECT_GT(founded_seeds, 1000);
}

}  // namespace
}  // namespace weir::metadata
