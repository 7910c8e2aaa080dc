// Assignors: those that Java has too against what kafka-clients 4.2.0 gives for the same groups
// (RangeAssignor and RoundRobinAssignor), cooperative-sticky against what it promises.
#include "client/assignor.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "client/assignors.h"
#include "client/sticky_assignor.h"
#include "client/topic_and_partition.h"
#include "gtest/gtest.h"

namespace weir::client {
namespace {

// "c1 t0,t1" or "c1 t0,t1 instance"
std::vector<MemberSubscription> Members(const std::vector<std::string>& lines) {
  std::vector<MemberSubscription> members;
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    MemberSubscription& member = members.emplace_back();
    member.member_id = words[0];
    const std::vector<std::string> topics = absl::StrSplit(words[1], ',');
    member.topics = {topics.begin(), topics.end()};
    if (words.size() > 2) member.group_instance_id = words[2];
  }
  return members;
}

// "c1=t0-0,t0-1 c2=t0-2"
std::string Print(const Assignment& assignment) {
  std::vector<std::string> words;
  for (const auto& [member, partitions] : assignment) {
    std::vector<std::string> names;
    for (const TopicAndPartition& tp : partitions) {
      names.push_back(absl::StrCat(tp.topic, "-", tp.partition));
    }
    std::sort(names.begin(), names.end());
    words.push_back(absl::StrCat(member, "=", absl::StrJoin(names, ",")));
  }
  return absl::StrJoin(words, " ");
}

struct Vector {
  std::vector<std::string> members;
  PartitionCounts partitions;
  std::string range;
  std::string round_robin;
};

const std::vector<Vector>& JavaVectors() {
  static const auto& vectors = *new std::vector<Vector>{
      {{"c1 t0,t1", "c2 t0,t1"},
       {{"t0", 3}, {"t1", 3}},
       "c1=t0-0,t0-1,t1-0,t1-1 c2=t0-2,t1-2",
       "c1=t0-0,t0-2,t1-1 c2=t0-1,t1-0,t1-2"},
      {{"c3 t0,t1", "c1 t0", "c2 t0,t1"},
       {{"t0", 7}, {"t1", 2}},
       "c1=t0-0,t0-1,t0-2 c2=t0-3,t0-4,t1-0 c3=t0-5,t0-6,t1-1",
       "c1=t0-0,t0-3,t0-6 c2=t0-1,t0-4,t1-0 c3=t0-2,t0-5,t1-1"},
      {{"zz t0,t1 i1", "aa t0,t1", "bb t0,t1 i0", "mm t1"},
       {{"t0", 5}, {"t1", 6}, {"t9", 3}},
       "aa=t0-4,t1-4 bb=t0-0,t0-1,t1-0,t1-1 mm=t1-5 zz=t0-2,t0-3,t1-2,t1-3",
       "aa=t0-2,t1-0,t1-4 bb=t0-0,t0-3,t1-2 mm=t1-1,t1-5 zz=t0-1,t0-4,t1-3"},
      {{"c1 t0", "c2 t0", "c3 t0"}, {{"t0", 2}}, "c1=t0-0 c2=t0-1 c3=", "c1=t0-0 c2=t0-1 c3="},
      {{"c1 a,b,c", "c2 b", "c3 c,a"},
       {{"a", 4}, {"b", 3}, {"c", 5}},
       "c1=a-0,a-1,b-0,b-1,c-0,c-1,c-2 c2=b-2 c3=a-2,a-3,c-3,c-4",
       "c1=a-0,a-2,b-0,b-2,c-1,c-3 c2=b-1 c3=a-1,a-3,c-0,c-2,c-4"},
      {{"c1 a,missing", "c2 missing"},
       {{"a", 4}},
       "c1=a-0,a-1,a-2,a-3 c2=",
       "c1=a-0,a-1,a-2,a-3 c2="}};
  return vectors;
}

TEST(AssignorTest, RangeAndRoundRobinAreJavas) {
  for (const Vector& vector : JavaVectors()) {
    const auto members = Members(vector.members);
    EXPECT_EQ(Print(RangeAssignor().Assign(vector.partitions, members)), vector.range);
    EXPECT_EQ(Print(RoundRobinAssignor().Assign(vector.partitions, members)), vector.round_robin);
  }
}

TEST(AssignorTest, AreFoundByTheirNames) {
  const auto assignors = MakeAssignors({"cooperative-sticky", "range", "roundrobin"});
  ASSERT_TRUE(assignors.ok());
  EXPECT_EQ((*assignors)[0]->name(), "cooperative-sticky");
  EXPECT_TRUE((*assignors)[0]->cooperative());
  EXPECT_FALSE((*assignors)[1]->cooperative());
  EXPECT_FALSE(MakeAssignors({"Range"}).ok());
  EXPECT_FALSE(MakeAssignors({}).ok());
}

// --- cooperative-sticky --------------------------------------------------------------------------

// A group whose members obey: each round they give up what is not in their share, and have what is.
class StickyGroup {
 public:
  std::vector<MemberSubscription> members;
  PartitionCounts partitions;
  int32_t generation = 0;
  int handed_over = 0;  // partitions that changed from one living member to another

  // Rebalances until nobody has to give anything up, at most twice. False when an invariant broke.
  void Rebalance() {
    for (int round = 0;; ++round) {
      ASSERT_LE(round, 2) << "it does not settle";
      bool revoked = false;
      Round(&revoked);
      if (testing::Test::HasFatalFailure() || !revoked) return;
    }
  }

  std::map<std::string, std::set<TopicAndPartition>> Owned() const {
    std::map<std::string, std::set<TopicAndPartition>> owned;
    for (const MemberSubscription& member : members) {
      owned[member.member_id].insert(member.owned.begin(), member.owned.end());
    }
    return owned;
  }

  // Every partition that somebody reads has an owner, and nobody could help anybody.
  void ExpectCompleteAndEven() const {
    std::map<std::string, std::vector<const MemberSubscription*>> readers;
    for (const MemberSubscription& member : members) {
      for (const std::string& topic : member.topics) readers[topic].push_back(&member);
    }
    std::set<TopicAndPartition> owned;
    for (const MemberSubscription& member : members) {
      for (const TopicAndPartition& tp : member.owned) {
        EXPECT_TRUE(owned.insert(tp).second) << tp.topic << "-" << tp.partition;
        EXPECT_TRUE(member.topics.contains(tp.topic));
        for (const MemberSubscription* other : readers[tp.topic]) {
          EXPECT_LT(member.owned.size(), other->owned.size() + 2)
              << member.member_id << " could give to " << other->member_id;
        }
      }
    }
    for (const auto& [topic, count] : partitions) {
      if (readers[topic].empty()) continue;
      for (int32_t i = 0; i < count; ++i) EXPECT_TRUE(owned.contains({topic, i})) << topic << i;
    }
  }

 private:
  void Round(bool* revoked) {
    const Assignment assignment = CooperativeStickyAssignor().Assign(partitions, members);
    ++generation;
    ASSERT_EQ(assignment.size(), members.size());
    std::map<TopicAndPartition, std::string> before;
    for (const MemberSubscription& member : members) {
      for (const TopicAndPartition& tp : member.owned) before[tp] = member.member_id;
    }
    for (MemberSubscription& member : members) {
      const std::vector<TopicAndPartition>& share = assignment.at(member.member_id);
      for (const TopicAndPartition& tp : share) {
        const auto owner = before.find(tp);
        ASSERT_TRUE(owner == before.end() || owner->second == member.member_id)
            << tp.topic << "-" << tp.partition << " went straight from " << owner->second;
      }
      for (const TopicAndPartition& tp : member.owned) {
        if (std::find(share.begin(), share.end(), tp) != share.end()) continue;
        *revoked = true;
        const bool exists = partitions.contains(tp.topic) && member.topics.contains(tp.topic);
        if (exists) ++handed_over;
      }
      member.owned = share;
      member.generation = generation;
    }
  }
};

TEST(StickyAssignorTest, SharesANewTopicOutEvenly) {
  StickyGroup group;
  group.members = Members({"c1 t", "c2 t", "c3 t"});
  group.partitions = {{"t", 7}};
  group.Rebalance();
  group.ExpectCompleteAndEven();
  EXPECT_EQ(group.generation, 1);
}

TEST(StickyAssignorTest, ANewMemberGetsItsPartInTwoSteps) {
  StickyGroup group;
  group.members = Members({"c1 t", "c2 t"});
  group.partitions = {{"t", 6}};
  group.Rebalance();
  const auto before = group.Owned();
  group.members.push_back(Members({"c3 t"})[0]);
  const Assignment first = CooperativeStickyAssignor().Assign(group.partitions, group.members);
  EXPECT_TRUE(first.at("c3").empty());
  EXPECT_EQ(first.at("c1").size(), 2u);
  EXPECT_EQ(first.at("c2").size(), 2u);
  group.Rebalance();
  group.ExpectCompleteAndEven();
  EXPECT_EQ(group.handed_over, 2);  // no more than had to be
  for (const auto& [member, owned] : group.Owned()) {
    if (member == "c3") continue;
    EXPECT_TRUE(std::includes(before.at(member).begin(), before.at(member).end(), owned.begin(),
                              owned.end()));
  }
}

TEST(StickyAssignorTest, WhatADeadMemberHadIsAllThatMoves) {
  StickyGroup group;
  group.members = Members({"c1 t", "c2 t", "c3 t"});
  group.partitions = {{"t", 9}};
  group.Rebalance();
  group.members.erase(group.members.begin() + 1);
  group.Rebalance();
  group.ExpectCompleteAndEven();
  EXPECT_EQ(group.handed_over, 0);
  EXPECT_EQ(group.generation, 2);  // nobody had to give anything up
}

TEST(StickyAssignorTest, OfTwoClaimsTheYoungerHolds) {
  std::vector<MemberSubscription> members = Members({"c1 t", "c2 t"});
  members[0].owned = {{"t", 0}, {"t", 1}};
  members[0].generation = 3;
  members[1].owned = {{"t", 0}, {"t", 2}};
  members[1].generation = 5;
  EXPECT_EQ(Print(CooperativeStickyAssignor().Assign({{"t", 4}}, members)),
            "c1=t-1,t-3 c2=t-0,t-2");
}

TEST(StickyAssignorTest, EqualClaimsAreBothGivenUpFirst) {
  std::vector<MemberSubscription> members = Members({"c1 t", "c2 t"});
  members[0].owned = {{"t", 0}};
  members[1].owned = {{"t", 0}};
  members[0].generation = members[1].generation = 5;
  const Assignment first = CooperativeStickyAssignor().Assign({{"t", 2}}, members);
  for (const auto& [member, partitions] : first) {
    for (const TopicAndPartition& tp : partitions) EXPECT_EQ(tp.partition, 1);
  }
}

TEST(StickyAssignorTest, ClaimsOfWhatDoesNotExistAreIgnored) {
  std::vector<MemberSubscription> members = Members({"c1 t"});
  members[0].owned = {{"gone", 0}, {"t", 9}, {"t", -1}, {"t", 1}};
  EXPECT_EQ(Print(CooperativeStickyAssignor().Assign({{"t", 2}}, members)), "c1=t-0,t-1");
}

// Random groups that change at random: nothing is handed over directly, all is shared out evenly,
// and with equal subscriptions no more moves than must.
TEST(StickyAssignorTest, KeepsItsPromisesThroughRandomChanges) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    const bool equal = seed % 2 == 0;
    StickyGroup group;
    for (uint64_t t = 0; t < 1 + random.Below(5); ++t) {
      group.partitions[absl::StrCat("t", t)] = static_cast<int32_t>(1 + random.Below(12));
    }
    int members_made = 0;
    for (int step = 0; step < 12; ++step) {
      const uint64_t what = random.Below(10);
      if (what < 4 || group.members.empty()) {
        MemberSubscription member;
        member.member_id = absl::StrCat("m", members_made++);
        for (const auto& [topic, count] : group.partitions) {
          if (equal || random.Below(3) > 0) member.topics.insert(topic);
        }
        group.members.push_back(member);
      } else if (what < 7) {
        group.members.erase(group.members.begin() +
                            static_cast<int64_t>(random.Below(group.members.size())));
      } else if (what < 9) {
        group.partitions["t0"] += static_cast<int32_t>(random.Below(4));
      } else if (!equal) {
        MemberSubscription& member = group.members[random.Below(group.members.size())];
        if (member.topics.size() > 1) member.topics.erase(member.topics.begin());
      }
      if (group.members.empty()) continue;
      // With equal subscriptions, exactly what is above the new shares has to move.
      size_t total = 0;
      for (const auto& [topic, count] : group.partitions) total += static_cast<size_t>(count);
      const size_t low = total / group.members.size();
      size_t extra = total % group.members.size();
      std::vector<size_t> sizes;
      for (const MemberSubscription& member : group.members) sizes.push_back(member.owned.size());
      std::sort(sizes.rbegin(), sizes.rend());
      size_t must_move = 0;
      for (const size_t size : sizes) {
        const size_t share = low + (extra > 0 ? 1 : 0);
        if (extra > 0) --extra;
        if (size > share) must_move += size - share;
      }
      const int before = group.handed_over;
      group.Rebalance();
      if (HasFatalFailure()) return;
      group.ExpectCompleteAndEven();
      if (equal) {
        EXPECT_EQ(group.handed_over - before, static_cast<int>(must_move));
      }
      if (HasFailure()) return;
    }
  }
}

TEST(StickyAssignorTest, ManyMembersAndPartitionsTakeNoLongTime) {
  StickyGroup group;
  for (int i = 0; i < 100; ++i) group.members.push_back(Members({absl::StrCat("m", i, " a,b")})[0]);
  group.partitions = {{"a", 500}, {"b", 501}};
  group.Rebalance();
  group.members.resize(50);
  group.Rebalance();
  group.ExpectCompleteAndEven();
  EXPECT_EQ(group.handed_over, 0);
}

}  // namespace
}  // namespace weir::client
