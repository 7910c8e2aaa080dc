#include "coordination/metadata/node_directory.h"

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

using ::testing::HasSubstr;

// As `kafka-storage.sh format` of Kafka 4.2.0 wrote it.
constexpr char kKafkasProperties[] =
    "#\n#Sat Nov 21 03:19:03 UTC 2026\nnode.id=1\ndirectory.id=T1T2iv5pxJbl05gxhNx5vw\nversion=1\n"
    "cluster.id=AAAAAAAAQACAAAAAAAAAAQ\n";
// As a node of Kafka 4.2.0 with controller.quorum.voters wrote it.
constexpr char kKafkasQuorumState[] =
    "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"appliedOffset\":0,"
    "\"currentVoters\":[{\"voterId\":1}],\"data_version\":0}";

TEST(MetaPropertiesTest, ReadsWhatKafkaWrites) {
  const auto p = ParseMetaProperties(kKafkasProperties);
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->cluster_id, "AAAAAAAAQACAAAAAAAAAAQ");
  EXPECT_EQ(p->node_id, BrokerId(1));
  EXPECT_EQ(p->directory_id.ToString(), "T1T2iv5pxJbl05gxhNx5vw");
  EXPECT_EQ(*ParseMetaProperties(FormatMetaProperties(*p)), *p);
}

TEST(MetaPropertiesTest, SaysWhatIsWrong) {
  const auto message = [](const char* text) {
    return std::string(ParseMetaProperties(text).status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("version=1"));
  EXPECT_THAT(message("version=0\nbroker.id=1\n"), HasSubstr("came version=0"));
  EXPECT_THAT(message("version=1\nnode.id=x\n"), HasSubstr("node.id=x"));
  EXPECT_THAT(message("version=1\nnode.id=-1\n"), HasSubstr("node.id=-1"));
  EXPECT_THAT(message("version=1\nnode.id=1\n"), HasSubstr("cluster.id"));
  EXPECT_THAT(message("version=1\nnode.id=1\ncluster.id=c\ndirectory.id=short\n"),
              HasSubstr("directory.id=short"));
  EXPECT_THAT(message("version=1\nno line\n"), HasSubstr("'no line'"));
}

TEST(IdentifyTest, FoundsAClusterOnlyInEmptyFolders) {
  SeededRandom random(1);
  const std::vector<DataFolder> empty = {{"/a", {}}, {"/b", {}}};
  const auto founded = Identify(empty, BrokerId(1), random);
  ASSERT_TRUE(founded.ok());
  EXPECT_TRUE(founded->is_new_cluster);
  EXPECT_EQ(founded->to_write, (std::vector<bool>{true, true}));
  EXPECT_NE(founded->properties[0].directory_id, founded->properties[1].directory_id);

  const std::vector<DataFolder> added = {{"/a", founded->properties[0]}, {"/c", {}}};
  const auto joined = Identify(added, BrokerId(1), random);
  ASSERT_TRUE(joined.ok());
  EXPECT_FALSE(joined->is_new_cluster);
  EXPECT_EQ(joined->cluster_id, founded->cluster_id);
  EXPECT_EQ(joined->to_write, (std::vector<bool>{false, true}));
  EXPECT_EQ(joined->properties[0], founded->properties[0]);
}

TEST(IdentifyTest, RefusesFoldersOfOthers) {
  SeededRandom random(1);
  const MetaProperties mine{"cluster", BrokerId(1), {1, 1}};
  const auto message = [&](std::vector<DataFolder> folders) {
    return std::string(Identify(folders, BrokerId(1), random).status().message());
  };
  EXPECT_THAT(message({{"/a", MetaProperties{"cluster", BrokerId(2), {1, 1}}}}),
              HasSubstr("expected node.id=1 as configured, came node.id=2"));
  EXPECT_THAT(message({{"/a", mine}, {"/b", MetaProperties{"other", BrokerId(1), {2, 2}}}}),
              HasSubstr("came cluster.id=other"));
  EXPECT_THAT(message({{"/a", mine}, {"/b", mine}}), HasSubstr("copy"));
}

TEST(QuorumStateTest, ReadsAndWritesWhatKafkaWrites) {
  const auto state = ParseQuorumState(kKafkasQuorumState);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->leader_id, BrokerId(1));
  EXPECT_EQ(state->leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(state->voted_id, kNoBroker);
  EXPECT_EQ(state->voters, std::vector<BrokerId>{BrokerId(1)});
  EXPECT_EQ(FormatQuorumState(*state), kKafkasQuorumState);
}

TEST(QuorumStateTest, RefusesWhatIsNoState) {
  for (const char* text :
       {"", "{}", "{\"leaderId\":1", "{\"leaderId\":x,\"data_version\":0}",
        "{\"leaderId\":1,\"leaderEpoch\":99999999999,\"votedId\":1,\"data_version\":0}",
        "{\"leaderId\":1,\"leaderEpoch\":-2,\"votedId\":1,\"data_version\":0}",
        "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":1,\"data_version\":2}",
        "{\"leaderId\":1,\"leaderEpoch\":1,\"leaderEpoch\":2,\"votedId\":1,\"data_version\":0}"}) {
    EXPECT_FALSE(ParseQuorumState(text).ok()) << text;
  }
}

}  // namespace
}  // namespace weir::metadata
