#include "server/cli/reassign_throttles.h"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/admin_types.h"
#include "gtest/gtest.h"
#include "server/cli/flags.h"

namespace weir::cli {
namespace {

using Lists = std::map<std::string, ThrottleLists>;
using Moves = std::vector<client::PartitionMove>;
using Ids = std::set<int32_t>;

// The lists of a plan: leaders, then followers.
std::map<std::string, std::vector<std::string>> ListsOf(const ThrottlePlan& plan) {
  std::map<std::string, std::vector<std::string>> lists;
  for (const auto& [topic, set] : plan.topics) lists[topic] = {set.leaders, set.followers};
  return lists;
}

using Expected = std::map<std::string, std::vector<std::string>>;

TEST(ReassignThrottlesTest, ThrottlesWhoHasAPartitionAndWhoGetsIt) {
  const Moves present = {{"a", 0, {{1, 2}}}, {"a", 1, {{2, 3}}}, {"b", 7, {{1}}}};
  const Moves moves = {{"a", 0, {{2, 4}}}, {"a", 1, {{3, 2}}}, {"b", 7, {{5}}}};
  const ThrottlePlan plan = PlanThrottles({.moves = moves, .present = present}, {});
  EXPECT_EQ(ListsOf(plan), (Expected{{"a", {"0:1,0:2,1:2,1:3", "0:4"}}, {"b", {"7:1", "7:5"}}}));
  EXPECT_EQ(plan.brokers, (Ids{1, 2, 3, 4, 5}));
  EXPECT_TRUE(plan.log_dir_brokers.empty());
}

TEST(ReassignThrottlesTest, AddsToWhatATopicHas) {
  const Moves present = {{"a", 0, {{1}}}, {"b", 0, {{1}}}, {"c", 0, {{1}}}};
  const Moves moves = {{"a", 0, {{2}}}, {"b", 0, {{2}}}, {"c", 0, {{1}}}};
  const Lists set = {{"a", {"0:1, 3:1", "3:2"}}, {"b", {"*", "9:9"}}, {"other", {"0:8", "0:9"}}};
  const ThrottlePlan plan = PlanThrottles({.moves = moves, .present = present}, set);
  EXPECT_EQ(ListsOf(plan),
            (Expected{{"a", {"0:1,3:1", "0:2,3:2"}}, {"b", {"*", "0:2,9:9"}}, {"c", {"0:1", ""}}}));
}

TEST(ReassignThrottlesTest, MergesLists) {
  EXPECT_EQ(MergeThrottledReplicas("", {}), "");
  EXPECT_EQ(MergeThrottledReplicas("", {"1:2"}), "1:2");
  EXPECT_EQ(MergeThrottledReplicas(" 1:2 ,, 0:1", {"1:2", "2:1"}), "0:1,1:2,2:1");
  EXPECT_EQ(MergeThrottledReplicas(" * ", {"1:2"}), "*");
  EXPECT_EQ(MergeThrottledReplicas("0:1,*", {}), "*");
}

TEST(ReassignThrottlesTest, DoesNotTakeForAReplicaWhatIsStillBeingAdded) {
  const std::vector<client::OngoingMove> ongoing = {{"a", 0, {3, 1, 2}, {3}, {1}}};
  const Moves present = {{"a", 0, {{3, 1, 2}}}};
  const Lists set = {{"a", {"0:1,0:2", "0:3"}}};
  // Once more, so that the throttle changes.
  const Moves again = {{"a", 0, {{3, 2}}}};
  ThrottlePlan plan = PlanThrottles({.moves = again, .present = present, .ongoing = ongoing}, set);
  EXPECT_EQ(ListsOf(plan), (Expected{{"a", {"0:1,0:2", "0:3"}}}));
  EXPECT_EQ(plan.brokers, (Ids{1, 2, 3}));
  // To another broker instead: what was listed for the first stays.
  const Moves instead = {{"a", 0, {{4, 2}}}};
  plan = PlanThrottles({.moves = instead, .present = present, .ongoing = ongoing}, set);
  EXPECT_EQ(ListsOf(plan), (Expected{{"a", {"0:1,0:2", "0:3,0:4"}}}));
  EXPECT_EQ(plan.brokers, (Ids{1, 2, 4}));
}

TEST(ReassignThrottlesTest, ThrottlesOtherMovesThatAreUnderWay) {
  const std::vector<client::OngoingMove> ongoing = {{"a", 1, {5, 6}, {6}, {5}},
                                                    {"z", 0, {7, 8}, {8}, {}}};
  const Moves present = {{"a", 0, {{1}}}};
  const Moves moves = {{"a", 0, {{2}}}};
  const ThrottlePlan plan =
      PlanThrottles({.moves = moves, .present = present, .ongoing = ongoing}, {});
  EXPECT_EQ(ListsOf(plan), (Expected{{"a", {"0:1,1:5", "0:2,1:6"}}, {"z", {"0:7", "0:8"}}}));
  EXPECT_EQ(plan.brokers, (Ids{1, 2, 5, 6, 7, 8}));
}

TEST(ReassignThrottlesTest, KnowsWhoMovesReplicasBetweenFolders) {
  const Moves present = {{"a", 0, {{1, 2, 3}}}};
  const std::vector<client::ReplicaPlace> places = {
      {"a", 0, 3, "/x"}, {"a", 0, 1, "/y"}, {"a", 1, 3, "/x"}};
  const ThrottlePlan plan =
      PlanThrottles({.moves = present, .present = present, .places = places}, {});
  EXPECT_EQ(plan.log_dir_brokers, (Ids{1, 3}));
  EXPECT_EQ(plan.brokers, (Ids{1, 2, 3}));
  EXPECT_EQ(ListsOf(plan), (Expected{{"a", {"0:1,0:2,0:3", ""}}}));
}

TEST(ReassignThrottlesTest, ReadsRates) {
  constexpr FlagSpec kSpecs[] = {
      {"throttle", FlagKind::kOne, "BYTES", ""},
      {"replica-alter-log-dirs-throttle", FlagKind::kOne, "BYTES", ""},
  };
  const auto read = [&](const std::vector<std::string>& words) {
    const auto flags = Flags::Parse(kSpecs, words);
    EXPECT_TRUE(flags.ok()) << flags.status();
    return ReadThrottleRates(*flags);
  };
  absl::StatusOr<ThrottleRates> rates = read({});
  ASSERT_TRUE(rates.ok()) << rates.status();
  EXPECT_EQ(rates->inter_broker_bytes_per_second, std::nullopt);
  EXPECT_EQ(rates->log_dirs_bytes_per_second, std::nullopt);
  rates = read({"--throttle", "9223372036854775807", "--replica-alter-log-dirs-throttle", "0"});
  ASSERT_TRUE(rates.ok()) << rates.status();
  EXPECT_EQ(rates->inter_broker_bytes_per_second, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(rates->log_dirs_bytes_per_second, 0);
  EXPECT_TRUE(IsUsageError(read({"--throttle", "-1"}).status()));
  EXPECT_TRUE(IsUsageError(read({"--replica-alter-log-dirs-throttle", "fast"}).status()));
}

}  // namespace
}  // namespace weir::cli
