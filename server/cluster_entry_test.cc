#include "server/cluster_entry.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "coordination/metadata/founding.h"
#include "gtest/gtest.h"
#include "server/controller_test_rig.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/listener.h"
#include "server/peer_network.h"

namespace weir::server {
namespace {

// A node that comes into its cluster, as its core has it: who founds one has entered it.
class Newcomer {
 public:
  explicit Newcomer(RigNode& at) : at_(at) {
    entry = std::make_unique<ClusterEntry>(
        at.node, at.peers, at.loop,
        ClusterEntry::Listener{[this](const metadata::FoundCluster& cluster) {
                                 founded = cluster;
                                 entry->Entered("new");
                               },
                               [this](const std::string& cluster_id) {
                                 joined = cluster_id;
                                 entry->Entered(cluster_id);
                               }});
    PeerNetwork::Owner owner;
    owner.hello = [this] { return hello.value_or(entry->Hello()); };
    EXPECT_TRUE(at.peers.Start(std::move(owner)).ok());
    entry->Start();
  }
  ~Newcomer() { at_.loop.DropAll(); }

  std::unique_ptr<ClusterEntry> entry;
  std::optional<NodeHello> hello;  // what it says in place of the truth
  std::optional<metadata::FoundCluster> founded;
  std::optional<std::string> joined;

 private:
  RigNode& at_;
};

TEST(ClusterEntry, TheFirstFoundsWhenAllAreThereAndTheOthersJoin) {
  ControllerRig rig(3, 1);
  Newcomer one(rig.node(1)), two(rig.node(2)), four(rig.node(4));
  rig.Pass(4'000);
  EXPECT_EQ(rig.node(1).logger.lines.size(), 0u);
  rig.Pass(56'000);
  for (const Newcomer* node : {&one, &two, &four}) {
    EXPECT_FALSE(node->founded.has_value() || node->joined.has_value());
  }
  // Every few seconds it is said what is waited for, not each round.
  EXPECT_GE(rig.node(1).logger.Count("waits for the controllers of its configuration"), 8);
  EXPECT_LE(rig.node(1).logger.Count("node:9003"), 13);

  Newcomer three(rig.node(3));
  rig.Pass(1'000);
  ASSERT_TRUE(one.founded.has_value());
  ASSERT_EQ(one.founded->voters.size(), 3u);
  for (int id = 1; id <= 3; ++id) {
    const auto& [voter, directory] = one.founded->voters[static_cast<size_t>(id - 1)];
    EXPECT_EQ(voter, BrokerId(id));
    EXPECT_EQ(directory, rig.node(id).node.directories->metadata().id());
  }
  for (const Newcomer* node : {&two, &three, &four}) {
    EXPECT_FALSE(node->founded.has_value());
    EXPECT_EQ(node->joined, "new");
  }
  // Whose ids are known is told to the network at once; then nobody is asked any more.
  EXPECT_EQ(rig.node(4).peers.peers.size(), 3u);
  const int asked = rig.node(1).peers.hellos;
  rig.Pass(10'000);
  EXPECT_EQ(rig.node(1).peers.hellos, asked);
}

TEST(ClusterEntry, WhoKnowsTheClusterIsJoinedThoughOthersAreMissing) {
  ControllerRig rig(3, 0);
  ASSERT_TRUE(rig.node(3).node.directories->JoinCluster(rig.node(3).files, "old").ok());
  Newcomer one(rig.node(1)), three(rig.node(3));
  three.entry->Entered("old");
  rig.Pass(1'000);
  EXPECT_EQ(one.joined, "old");
  EXPECT_FALSE(one.founded.has_value());
  EXPECT_FALSE(three.joined.has_value());
}

TEST(ClusterEntry, AMemberThatIsSomebodyElseCountsAsNone) {
  ControllerRig rig(2, 0);
  Newcomer one(rig.node(1)), two(rig.node(2));
  two.hello = two.entry->Hello();
  two.hello->node_id = BrokerId(7);
  two.hello->cluster_id = "other";
  rig.Pass(30'000);
  EXPECT_FALSE(one.founded.has_value() || one.joined.has_value());
  EXPECT_EQ(rig.node(1).logger.Count("node 7"), 1);  // once for each text
  two.hello = std::nullopt;
  rig.Pass(1'000);
  EXPECT_TRUE(one.founded.has_value());
}

TEST(ClusterEntry, ServersWithoutIdsAreToldToTheNetworkAsTheyAnswer) {
  ControllerRig rig(2, 1);
  auto& quorum = rig.node(3).node.config.quorum;
  for (QuorumMember& member : quorum) member.id = kNoBroker;
  Newcomer three(rig.node(3)), one(rig.node(1));
  rig.Pass(1'000);
  EXPECT_EQ(rig.node(3).peers.peers.size(), 1u);
  three.entry->Entered("known");
  Newcomer two(rig.node(2));
  rig.Pass(10'000);
  EXPECT_EQ(rig.node(3).peers.peers.size(), 2u);
  EXPECT_EQ(rig.node(3).peers.peers[BrokerId(2)], (HostPort{"node", 9002}));
  const int asked = rig.node(3).peers.hellos;
  rig.Pass(10'000);
  EXPECT_EQ(rig.node(3).peers.hellos, asked);
}

}  // namespace
}  // namespace weir::server
