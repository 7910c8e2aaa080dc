#include "server/cli/local_plan.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "server/broker_config.h"
#include "server/broker_config_reader.h"
#include "server/cli/flags.h"
#include "server/properties.h"

namespace weir::cli {
namespace {

std::string Value(const LocalShape& shape, int node, const std::string& key) {
  const auto text = NodeProperties(shape, node, "/w/" + NodeName(node));
  if (!text.ok()) return "bad";
  const auto properties = server::ParseProperties(*text, "f");
  if (!properties.ok() || properties->Find(key) == nullptr) return "none";
  return properties->Find(key)->value;
}

TEST(LocalPlanTest, OneNodeIsAllThereIs) {
  const LocalShape shape{1, ControllersOf(1), 9092};
  EXPECT_EQ(Value(shape, 1, "process.roles"), "broker,controller");
  EXPECT_EQ(Value(shape, 1, "node.id"), "1");
  EXPECT_EQ(Value(shape, 1, "listeners"),
            "PLAINTEXT://localhost:9092,CONTROLLER://localhost:19092");
  EXPECT_EQ(Value(shape, 1, "controller.listener.names"), "CONTROLLER");
  EXPECT_EQ(Value(shape, 1, "controller.quorum.voters"), "1@localhost:19092");
  EXPECT_EQ(Value(shape, 1, "log.dirs"), "/w/node-1/data");
  EXPECT_EQ(Value(shape, 1, "offsets.topic.replication.factor"), "1");
}

TEST(LocalPlanTest, TheServerTakesWhatIsPlanned) {
  const auto text = NodeProperties({1, 1, 9092}, 1, "/w/a b\\c");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto properties = server::ParseProperties(*text, "f");
  ASSERT_TRUE(properties.ok()) << properties.status();
  const auto config = server::ReadBrokerConfig(*properties, nullptr);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_directories, std::vector<std::string>{"/w/a b\\c/data"});
}

TEST(LocalPlanTest, TwoBrokersHaveOneController) {
  const LocalShape shape{2, ControllersOf(2), 9092};
  EXPECT_EQ(Value(shape, 1, "controller.quorum.voters"), "1@localhost:19092");
  EXPECT_EQ(Value(shape, 2, "controller.quorum.voters"), "1@localhost:19092");
  EXPECT_EQ(Value(shape, 2, "process.roles"), "broker");
  EXPECT_EQ(Value(shape, 2, "listeners"), "PLAINTEXT://localhost:9093,INTERNAL://localhost:19093");
  EXPECT_EQ(Value(shape, 2, "default.replication.factor"), "2");
}

TEST(LocalPlanTest, ThreeOfFiveVote) {
  const LocalShape shape{5, ControllersOf(5), 7000};
  for (const int node : {1, 2, 3, 4, 5}) {
    EXPECT_EQ(Value(shape, node, "controller.quorum.voters"),
              "1@localhost:17000,2@localhost:17001,3@localhost:17002");
    EXPECT_EQ(Value(shape, node, "process.roles"), node <= 3 ? "broker,controller" : "broker");
    EXPECT_EQ(Value(shape, node, "transaction.state.log.min.isr"), "2");
    EXPECT_EQ(Value(shape, node, "default.replication.factor"), "3");
  }
}

TEST(LocalPlanTest, AClusterThatGrewHasTheVotersThatItHad) {
  const LocalShape shape{3, 1, 9092};
  EXPECT_EQ(Value(shape, 3, "process.roles"), "broker");
  EXPECT_EQ(Value(shape, 3, "controller.quorum.voters"), "1@localhost:19092");
}

TEST(LocalPlanTest, PortsStayWhereThereAreSome) {
  EXPECT_EQ(InternalPort({3, 3, 55'000}, 3), 65'002);
  EXPECT_EQ(InternalPort({3, 3, 65'000}, 3), 55'002);
}

TEST(LocalPlanTest, FoldersThatAListWouldTearAreRefused) {
  EXPECT_EQ(NodeProperties({}, 1, "/w/a,b").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LocalPlanTest, TheFolderIsNotThatOfThePlainBroker) {
  EXPECT_EQ(LocalFolder("/h", "/x", "/home/a"), "/h");
  EXPECT_EQ(LocalFolder("", "/x", "/home/a"), "/x/weir-local");
  EXPECT_EQ(LocalFolder("", "", "/home/a"), "/home/a/.local/share/weir-local");
}

TEST(LocalPlanTest, NodesHaveNames) {
  EXPECT_EQ(*ParseNodeName("node-12"), 12);
  EXPECT_EQ(*ParseNodeName("3"), 3);
  for (const char* bad : {"", "node-", "node-0", "-1", "a", "101"}) {
    EXPECT_TRUE(IsUsageError(ParseNodeName(bad).status())) << bad;
  }
}

TEST(LocalPlanTest, OverridesAreLinesButNotOfWhatIsDecided) {
  EXPECT_EQ(*OverrideLine("num.partitions=3"), "num.partitions=3\n");
  EXPECT_EQ(*OverrideLine("a.b=c\\d=e"), "a.b=c\\\\d=e\n");
  for (const char* bad : {"listeners=PLAINTEXT://:1", "node.id=2", "log.dirs=/x", "no value",
                          "a b=c", "=x", "a=b\nlog.dirs=/x"}) {
    EXPECT_TRUE(IsUsageError(OverrideLine(bad).status())) << bad;
  }
}

}  // namespace
}  // namespace weir::cli
