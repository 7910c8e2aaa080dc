#include "server/controller_driver.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/error_code.h"
#include "server/broker_membership.h"
#include "server/controller_calls.h"
#include "server/controller_test_rig.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/metadata_log.h"
#include "server/peer_network.h"
#include "server/peer_watch.h"
#include "server/reply.h"

namespace weir::server {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::ErrorCode;

// A node's part in the metadata, and its membership as a broker.
class Member {
 public:
  Member(RigNode& at, RigClock& clock, const raft::VoterSet& voters) : at_(at), clock_(clock) {
    if (voters.Contains(KeyOf(at))) {
      EXPECT_TRUE(raft::LogStorage::Found(at.files, "/data/__cluster_metadata-0", voters).ok());
    }
    ControllerDriver::Listener listener;
    listener.on_leader = [this](BrokerId now) {
      if (now != kNoBroker && now != leader) leader_changed = clock_.now;
      leader = now;
      if (membership_ != nullptr) membership_->OnLeader(now);
    };
    listener.on_active = [this] {
      if (watch_ != nullptr) watch_->OnActive();
    };
    listener.on_followed = [this](Offset end) {
      if (membership_ != nullptr) membership_->OnFollowed(end);
    };
    driver = std::make_unique<ControllerDriver>(at.node, at.files, at.loop, at.random, &at.peers,
                                                std::move(listener));
    at.loop.SetSyncHandler([this](const log::SyncDone& sync) { driver->OnSyncDone(sync); });
    at.loop.SetTickEndHook([this] { driver->OnTickEnd(); });
    PeerNetwork::Owner owner;
    owner.deliver = [this](raft::Message m) { return driver->log().Deliver(std::move(m)); };
    owner.serve = [this](ControllerCall call, absl::AnyInvocable<void(ControllerAnswer)> answer) {
      driver->Serve(std::move(call), std::move(answer));
    };
    owner.hello = [&at] {
      NodeHello hello;
      hello.node_id = at.node.config.node_id;
      hello.incarnation = at.node.incarnation;
      return hello;
    };
    EXPECT_TRUE(at.peers.Start(std::move(owner)).ok());
    EXPECT_TRUE(driver->Open(KeyOf(at), /*is_alone=*/false).ok());
    watch_ = std::make_unique<PeerWatch>(at.node, at.peers, at.loop, *driver);
  }
  ~Member() { at_.loop.DropAll(); }

  static raft::ReplicaKey KeyOf(const RigNode& node) {
    return {node.node.config.node_id, node.node.directories->metadata().id()};
  }

  void Join() {
    BrokerMembership::Listener listener;
    listener.on_unfenced = [this] { ++unfenced; };
    listener.on_shutdown_granted = [this](const absl::Status& how) { shut_down = how; };
    listener.on_give_up = [this](const absl::Status& why) { gave_up = why; };
    membership_ =
        std::make_unique<BrokerMembership>(at_.node, at_.loop, *driver, -1, std::move(listener));
    membership_->OnLeader(driver->log().raft().leader().id);
  }
  BrokerMembership& membership() { return *membership_; }

  void Create(const std::string& name, int16_t replicas = 1) {
    metadata::CreateTopics event;
    auto& topic = event.request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 1;
    topic.replication_factor = replicas;
    created.reset();
    driver->Ask<CreateTopicsResponse>(
        std::move(event), Reply<CreateTopicsResponse>(nullptr, [this](CreateTopicsResponse r) {
          created = static_cast<ErrorCode>(r.topics[0].error_code);
          answered = clock_.now;
        }));
  }
  template <class Response, class Request>
  void AskQuorum(Request request, std::optional<Response>* into) {
    into->reset();
    driver->AskQuorum<Response>(
        std::move(request), {},
        Reply<std::optional<Response>>(nullptr, [this, into](std::optional<Response> response) {
          answered = clock_.now;
          *into = response.has_value() ? std::move(response) : Response();
        }));
  }
  bool Has(const std::string& topic) { return driver->image()->FindTopic(topic) != nullptr; }

  std::unique_ptr<ControllerDriver> driver;
  BrokerId leader = kNoBroker;
  MonotonicNs leader_changed, answered;
  std::optional<ErrorCode> created;
  int unfenced = 0;
  std::optional<absl::Status> shut_down, gave_up;

 private:
  RigNode& at_;
  RigClock& clock_;
  std::unique_ptr<BrokerMembership> membership_;
  std::unique_ptr<PeerWatch> watch_;
};

class ControllerDriverTest : public testing::Test {
 protected:
  // Three controllers, and a fourth node that has no vote and comes when a test wants it.
  void Start() {
    std::vector<raft::ReplicaKey> keys;
    for (int id = 1; id <= 3; ++id) keys.push_back(Member::KeyOf(rig_.node(id)));
    voters_ = raft::VoterSet(keys);
    members_.resize(4);
    for (int id = 1; id <= 3; ++id) Come(id);
    ASSERT_TRUE(rig_.Until([&] { return Leader() != 0 && member(1).leader == member(2).leader; }));
    leader_ = Leader();
    rig_.Pass(100);
  }
  void Come(int id) {
    for (int other = 1; other <= 3; ++other) {
      rig_.node(id).peers.SetPeer(BrokerId(other), {"node", static_cast<uint16_t>(9000 + other)});
    }
    members_[static_cast<size_t>(id - 1)] =
        std::make_unique<Member>(rig_.node(id), rig_.clock, voters_);
  }
  int Leader() {
    for (int id = 1; id <= 3; ++id) {
      if (members_[static_cast<size_t>(id - 1)] != nullptr && member(id).driver->is_active() &&
          rig_.wire.cut.count(BrokerId(id)) == 0 && rig_.wire.paused.count(BrokerId(id)) == 0) {
        return id;
      }
    }
    return 0;
  }
  Member& member(int id) { return *members_[static_cast<size_t>(id - 1)]; }
  Member& leader() { return member(leader_); }
  int follower(int n = 0) {
    for (int id = 1; id <= 3; ++id) {
      if (id != leader_ && n-- == 0) return id;
    }
    return 0;
  }
  void JoinAll() {
    for (int id = 1; id <= 3; ++id) member(id).Join();
    ASSERT_TRUE(rig_.Until(
        [&] { return member(1).unfenced + member(2).unfenced + member(3).unfenced == 3; }));
  }
  // A broker that has no vote is unfenced, and then another controller becomes active.
  void ChangeControllerOfFourth() {
    Start();
    JoinAll();
    Come(4);
    rig_.Pass(500);
    member(4).Join();
    ASSERT_TRUE(rig_.Until([&] { return member(4).unfenced == 1; }));
    rig_.wire.cut.insert(BrokerId(leader_));
    ASSERT_TRUE(rig_.Until([&] { return (leader_ = Leader()) != 0; }));
  }
  bool IsFourthFencedWithin(int64_t ms) {
    return rig_.Until([&] { return leader().driver->image()->FindBroker(BrokerId(4))->fenced; },
                      ms);
  }
  const raft::Raft& raft() { return leader().driver->log().raft(); }
  int64_t MsSince(MonotonicNs then, MonotonicNs now) { return (now - then) / kNsPerMs; }

  protocol::AddRaftVoterRequest AddFourth(int32_t timeout_ms, bool until_committed = true) {
    protocol::AddRaftVoterRequest request;
    request.cluster_id = "c";
    request.timeout_ms = timeout_ms;
    request.voter_id = 4;
    request.voter_directory_id = Member::KeyOf(rig_.node(4)).directory_id;
    request.ack_when_committed = until_committed;
    return request;
  }
  protocol::DescribeQuorumResponse DescribeQuorum(int asks) {
    protocol::DescribeQuorumRequest request;
    auto& topic = request.topics.emplace_back();
    topic.topic_name = "__cluster_metadata";
    topic.partitions.emplace_back();
    std::optional<protocol::DescribeQuorumResponse> response;
    member(asks).AskQuorum(request, &response);
    EXPECT_TRUE(rig_.Until([&] { return response.has_value(); }, 1'000));
    return response.value_or(protocol::DescribeQuorumResponse());
  }
  static ErrorCode Code(const std::optional<protocol::AddRaftVoterResponse>& response) {
    return static_cast<ErrorCode>(response->error_code);
  }
  bool Votes(int id) { return raft().voters().Contains(Member::KeyOf(rig_.node(id))); }

  ControllerRig rig_{3, 1};
  raft::VoterSet voters_;
  std::vector<std::unique_ptr<Member>> members_;
  int leader_ = 0;
};

// --- requests -----------------------------------------------------------------------------------

TEST_F(ControllerDriverTest, RequestsGoToTheActiveController) {
  Start();
  JoinAll();
  member(follower()).Create("a", 3);
  ASSERT_TRUE(rig_.Until([&] { return member(follower()).created.has_value(); }));
  EXPECT_EQ(*member(follower()).created, ErrorCode::kNone);
  leader().Create("b", 3);
  ASSERT_TRUE(rig_.Until([&] { return leader().created.has_value(); }));
  EXPECT_TRUE(
      rig_.Until([&] { return member(follower(1)).Has("a") && member(follower(1)).Has("b"); }));
  EXPECT_EQ(rig_.node(leader_).peers.calls, 0);
}

TEST_F(ControllerDriverTest, ACallThatComesTwiceIsCarriedOutOnce) {
  Start();
  JoinAll();
  CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "a";
  topic.num_partitions = topic.replication_factor = 1;
  const auto encoded = EncodeCall(metadata::CreateTopics{0, request});
  ControllerCall call;
  call.from = BrokerId(follower());
  call.incarnation = Uuid{7, 7};
  call.number = 5;
  call.api_key = encoded->api_key;
  call.api_version = encoded->api_version;
  call.request = encoded->request;
  std::vector<ControllerAnswer> answers;
  const auto keep = [&](ControllerAnswer answer) { answers.push_back(std::move(answer)); };
  leader().driver->Serve(call, keep);
  leader().driver->Serve(call, keep);  // the first is not committed yet
  ASSERT_TRUE(rig_.Until([&] { return answers.size() == 2; }));
  leader().driver->Serve(call, keep);
  call.number = 6;
  leader().driver->Serve(call, keep);
  ASSERT_TRUE(rig_.Until([&] { return answers.size() == 4; }));
  EXPECT_EQ(answers[0].response, answers[1].response);
  EXPECT_EQ(answers[0].response, answers[2].response);
  EXPECT_NE(answers[0].response, answers[3].response);  // there is such a topic

  member(follower()).driver->Serve(call, keep);
  EXPECT_EQ(answers.back().error, ErrorCode::kNotController);
}

TEST_F(ControllerDriverTest, WhatNeverLeftGoesToTheNextController) {
  Start();
  JoinAll();
  const int asks = follower();
  rig_.wire.cut.insert(BrokerId(leader_));
  member(asks).Create("a");
  ASSERT_TRUE(rig_.Until([&] { return member(asks).created.has_value(); }));
  EXPECT_EQ(*member(asks).created, ErrorCode::kNone);
  EXPECT_TRUE(member(asks).Has("a"));
}

TEST_F(ControllerDriverTest, AControllerThatStandsStillIsNotWaitedForOnceAnotherLeads) {
  Start();
  JoinAll();
  const int asks = follower();
  rig_.wire.paused.insert(BrokerId(leader_));
  member(asks).Create("a");
  ASSERT_TRUE(rig_.Until([&] { return Leader() != 0; }));
  ASSERT_TRUE(rig_.Until([&] { return member(asks).created.has_value(); }));
  EXPECT_EQ(*member(asks).created, ErrorCode::kNotController);  // it may have been carried out
  EXPECT_LE(MsSince(member(asks).leader_changed, member(asks).answered), 1'000);
  member(asks).Create("b");
  ASSERT_TRUE(rig_.Until([&] { return member(asks).created.has_value(); }));
  EXPECT_EQ(*member(asks).created, ErrorCode::kNone);
  // The answer that comes in the end is of no use to anybody.
  rig_.wire.paused.clear();
  rig_.Pass(15'000);
  EXPECT_EQ(*member(asks).created, ErrorCode::kNone);
}

TEST_F(ControllerDriverTest, WithoutAnyControllerARequestIsRefusedInTheEnd) {
  Start();
  rig_.wire.cut = {BrokerId(leader_), BrokerId(follower(1))};
  const int asks = follower();
  const MonotonicNs asked = rig_.clock.now;
  member(asks).Create("a");
  ASSERT_TRUE(rig_.Until([&] { return member(asks).created.has_value(); }, 60'000));
  EXPECT_EQ(*member(asks).created, ErrorCode::kNotController);
  EXPECT_GE(MsSince(asked, member(asks).answered), 30'000);
}

TEST_F(ControllerDriverTest, BootstrapRecordsComeOnceThereIsRoom) {
  for (int id = 1; id <= 3; ++id) {
    auto& files = rig_.node(id).files;
    files.set_capacity_bytes(int64_t{1} << 40);
    files.set_capacity_bytes((int64_t{1} << 40) - *files.FreeBytes("/") + (40 << 10));
  }
  Start();
  rig_.Pass(5'000);
  EXPECT_TRUE(leader().driver->image()->IsEmpty());
  EXPECT_TRUE(rig_.node(leader_).failure.ok()) << rig_.node(leader_).failure;
  EXPECT_LE(rig_.node(leader_).logger.Count("reserve"), 6);  // a line a second at most
  for (int id = 1; id <= 3; ++id) rig_.node(id).files.set_capacity_bytes(int64_t{1} << 40);
  ASSERT_TRUE(rig_.Until(
      [&] {
        return leader().driver->image()->FeatureLevel(metadata::kMetadataVersionFeature) ==
               metadata::kMetadataVersionNewest;
      },
      2'000));
  JoinAll();
}

// --- the quorum ---------------------------------------------------------------------------------

TEST_F(ControllerDriverTest, AVoterIsAddedOnceItHasCaughtUp) {
  Start();
  std::optional<protocol::AddRaftVoterResponse> response;
  const int asks = follower();
  member(asks).AskQuorum(AddFourth(8'000), &response);
  rig_.Pass(3'000);
  EXPECT_FALSE(response.has_value());  // nobody has heard of it
  Come(4);
  ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 3'000));
  EXPECT_EQ(Code(response), ErrorCode::kNone) << response->error_message.value_or("");
  EXPECT_TRUE(Votes(4));
  EXPECT_GT(raft().commit(), raft().log_start());

  member(asks).AskQuorum(AddFourth(8'000), &response);
  ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 1'000));
  EXPECT_EQ(Code(response), ErrorCode::kDuplicateVoter);
}

// The record of the voters is the log's own: an answer that rests on it waits for no other one.
TEST_F(ControllerDriverTest, WhatIsAskedBehindAChangeOfVotersIsAnswered) {
  Start();
  JoinAll();
  leader().Create("t");
  ASSERT_TRUE(rig_.Until([&] { return leader().created == ErrorCode::kNone; }, 1'000));
  Come(4);
  std::optional<protocol::AddRaftVoterResponse> response;
  member(follower()).AskQuorum(AddFourth(8'000), &response);
  ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 3'000));
  ASSERT_EQ(Code(response), ErrorCode::kNone) << response->error_message.value_or("");
  leader().Create("t");  // writes nothing
  EXPECT_TRUE(
      rig_.Until([&] { return leader().created == ErrorCode::kTopicAlreadyExists; }, 1'000));
}

TEST_F(ControllerDriverTest, AVoterIsWaitedForAsLongAsTheRequestSays) {
  Start();
  std::optional<protocol::AddRaftVoterResponse> response;
  for (const int asks : {leader_, follower()}) {
    for (const int32_t timeout_ms : {1'000, 15'000, 40'000}) {
      const MonotonicNs asked = rig_.clock.now;
      member(asks).AskQuorum(AddFourth(timeout_ms), &response);
      ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 60'000));
      EXPECT_EQ(Code(response), ErrorCode::kRequestTimedOut);
      EXPECT_GE(MsSince(asked, member(asks).answered), timeout_ms);
      EXPECT_LE(MsSince(asked, member(asks).answered), timeout_ms + 100);
    }
  }
  Come(4);
  rig_.Pass(5'000);
  EXPECT_FALSE(Votes(4));  // who gave up has given up
}

TEST_F(ControllerDriverTest, OnlyWhoWantsToWaitsForTheCommitOfAVoter) {
  Start();
  std::optional<protocol::AddRaftVoterResponse> response;
  leader().AskQuorum(AddFourth(500, /*until_committed=*/false), &response);
  ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 1'000));
  EXPECT_EQ(Code(response), ErrorCode::kRequestTimedOut);  // it was never appended
  Come(4);
  rig_.Pass(3'000);
  rig_.wire.cut = {BrokerId(follower(0)), BrokerId(follower(1))};
  const MonotonicNs asked = rig_.clock.now;
  leader().AskQuorum(AddFourth(500, /*until_committed=*/false), &response);
  ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 200));
  EXPECT_EQ(Code(response), ErrorCode::kNone) << response->error_message.value_or("");
  EXPECT_LE(MsSince(asked, leader().answered), 50);
  EXPECT_TRUE(Votes(4));
  EXPECT_LT(raft().commit(), raft().log_end());
}

TEST_F(ControllerDriverTest, AVoterThatIsNotCommittedInTimeIsSaidSo) {
  Start();
  Come(4);
  rig_.Pass(3'000);
  rig_.wire.cut = {BrokerId(follower(0)), BrokerId(follower(1))};
  std::optional<protocol::AddRaftVoterResponse> response;
  const MonotonicNs asked = rig_.clock.now;
  leader().AskQuorum(AddFourth(500), &response);
  ASSERT_TRUE(rig_.Until([&] { return response.has_value(); }, 1'000));
  EXPECT_EQ(Code(response), ErrorCode::kRequestTimedOut);
  EXPECT_GE(MsSince(asked, leader().answered), 500);
  EXPECT_TRUE(absl::StrContains(*response->error_message, "may still be committed"));
}

TEST_F(ControllerDriverTest, TheQuorumIsDescribedByItsLeader) {
  Start();
  Come(4);
  rig_.Pass(3'000);
  const protocol::DescribeQuorumResponse response = DescribeQuorum(4);
  ASSERT_EQ(response.topics.size(), 1u);
  const auto& partition = response.topics[0].partitions[0];
  EXPECT_EQ(partition.leader_id, leader_);
  EXPECT_EQ(partition.leader_epoch, raft().term().value());
  ASSERT_EQ(partition.current_voters.size(), 3u);
  ASSERT_EQ(partition.observers.size(), 1u);
  EXPECT_EQ(partition.observers[0].replica_id, 4);
  EXPECT_EQ(partition.observers[0].log_end_offset, raft().log_end().value());
}

// MaxFollowerLagTimeMs of Kafka's tools is reckoned from it.
TEST_F(ControllerDriverTest, AVoterThatLagsIsDescribedWithTheTimeWhenItLastDidNot) {
  Start();
  JoinAll();
  const int lags = follower();
  rig_.wire.cut = {BrokerId(lags)};
  const TimestampMs cut = rig_.clock.WallMs();
  leader().Create("a");
  ASSERT_TRUE(rig_.Until([&] { return leader().created.has_value(); }));
  rig_.Pass(2'000);
  const protocol::DescribeQuorumResponse response = DescribeQuorum(leader_);
  bool found = false;
  for (const auto& voter : response.topics.at(0).partitions[0].current_voters) {
    if (voter.replica_id != lags) {
      EXPECT_GE(voter.last_caught_up_timestamp, cut + 1'000);
      continue;
    }
    found = true;
    EXPECT_LT(voter.log_end_offset, raft().commit().value());
    EXPECT_LE(voter.last_caught_up_timestamp, cut);
    EXPECT_GE(voter.last_caught_up_timestamp, cut - 1'000);
  }
  EXPECT_TRUE(found);
}

TEST_F(ControllerDriverTest, VotersAreDescribedWithTheListenersThatTheyHave) {
  for (int id = 1; id <= 4; ++id) rig_.node(id).node.config.internal_listener->name = "QUORUM";
  Start();
  Come(4);
  rig_.Pass(3'000);
  auto add = AddFourth(8'000);
  add.listeners = {{"QUORUM", "fourth", 9004}};
  std::optional<protocol::AddRaftVoterResponse> added;
  leader().AskQuorum(add, &added);
  ASSERT_TRUE(rig_.Until([&] { return added.has_value(); }, 8'000));
  ASSERT_EQ(Code(added), ErrorCode::kNone) << added->error_message.value_or("");
  const protocol::DescribeQuorumResponse response = DescribeQuorum(leader_);
  ASSERT_EQ(response.nodes.size(), 4u);
  for (const auto& node : response.nodes) {
    ASSERT_EQ(node.listeners.size(), 1u) << node.node_id;
    EXPECT_EQ(node.listeners[0].name, "QUORUM");
    EXPECT_EQ(node.listeners[0].host, node.node_id == 4 ? "fourth" : "node");
    EXPECT_EQ(node.listeners[0].port, 9000 + node.node_id);
  }
}

TEST_F(ControllerDriverTest, ChangesOfVotersThatCannotBeAreRefused) {
  Start();
  std::optional<protocol::AddRaftVoterResponse> added;
  auto add = AddFourth(100);
  add.cluster_id = "another";
  leader().AskQuorum(add, &added);
  ASSERT_TRUE(rig_.Until([&] { return added.has_value(); }, 100));
  EXPECT_EQ(Code(added), ErrorCode::kInconsistentClusterId);
  add = AddFourth(-5);
  add.voter_id = -1;
  leader().AskQuorum(add, &added);
  ASSERT_TRUE(rig_.Until([&] { return added.has_value(); }, 100));
  EXPECT_EQ(Code(added), ErrorCode::kInvalidRequest);

  std::optional<protocol::RemoveRaftVoterResponse> removed;
  protocol::RemoveRaftVoterRequest remove;
  remove.cluster_id = "c";
  remove.voter_id = 4;
  remove.voter_directory_id = Uuid{1, 1};
  member(follower()).AskQuorum(remove, &removed);
  ASSERT_TRUE(rig_.Until([&] { return removed.has_value(); }, 1'000));
  EXPECT_EQ(static_cast<ErrorCode>(removed->error_code), ErrorCode::kVoterNotFound);
  remove.voter_id = follower();
  remove.voter_directory_id = Member::KeyOf(rig_.node(follower())).directory_id;
  member(follower()).AskQuorum(remove, &removed);
  ASSERT_TRUE(rig_.Until([&] { return removed.has_value(); }, 1'000));
  EXPECT_EQ(static_cast<ErrorCode>(removed->error_code), ErrorCode::kNone);
  EXPECT_FALSE(Votes(follower()));
}

TEST_F(ControllerDriverTest, AControllerOnAnotherDiskTakesThePlaceOfWhatItWas) {
  Start();
  const int lost = follower();
  const raft::ReplicaKey before = Member::KeyOf(rig_.node(lost));
  members_[static_cast<size_t>(lost - 1)].reset();
  rig_.Replace(lost);
  const raft::ReplicaKey after = Member::KeyOf(rig_.node(lost));
  ASSERT_NE(before, after);
  const MonotonicNs lost_at = rig_.clock.now;
  Come(lost);
  ASSERT_TRUE(rig_.Until([&] { return !raft().voters().Contains(before); }));
  EXPECT_GE(MsSince(lost_at, rig_.clock.now), 3'000);  // three election timeouts: it may be slow
  EXPECT_TRUE(rig_.Until([&] { return raft().voters().Contains(after); }));
  EXPECT_FALSE(raft().voters().Contains(before));
  EXPECT_EQ(raft().voters().size(), 3u);
  EXPECT_EQ(rig_.node(leader_).logger.Count("votes no more on disk"), 1);
}

// --- the broker's membership --------------------------------------------------------------------

TEST_F(ControllerDriverTest, ABrokerIsUnfencedOnceItHasFollowed) {
  Start();
  JoinAll();
  Come(4);
  member(4).Join();
  ASSERT_TRUE(rig_.Until([&] { return member(4).unfenced == 1; }));
  const metadata::BrokerImage* broker = leader().driver->image()->FindBroker(BrokerId(4));
  ASSERT_NE(broker, nullptr);
  EXPECT_FALSE(broker->fenced);
  EXPECT_FALSE(member(4).gave_up.has_value());
}

TEST_F(ControllerDriverTest, ABrokerThatIsSilentIsFencedAndComesBack) {
  Start();
  JoinAll();
  Come(4);
  member(4).Join();
  ASSERT_TRUE(rig_.Until([&] { return member(4).unfenced == 1; }));
  const auto fenced = [&] { return leader().driver->image()->FindBroker(BrokerId(4))->fenced; };
  rig_.wire.cut.insert(BrokerId(4));
  rig_.Pass(5'000);
  EXPECT_FALSE(fenced());  // the session lasts 9 s
  EXPECT_TRUE(rig_.Until(fenced));
  rig_.wire.cut.clear();
  EXPECT_TRUE(rig_.Until([&] { return !fenced(); }));
}

TEST_F(ControllerDriverTest, ABrokerKeepsItsPlaceWhenAnotherControllerLeads) {
  Start();
  JoinAll();
  rig_.wire.cut.insert(BrokerId(leader_));
  ASSERT_TRUE(rig_.Until([&] { return Leader() != 0; }));
  leader_ = Leader();
  rig_.Pass(7'000);
  for (int id = 1; id <= 3; ++id) {
    if (rig_.wire.cut.count(BrokerId(id)) > 0) continue;
    EXPECT_FALSE(leader().driver->image()->FindBroker(BrokerId(id))->fenced) << id;
  }
}

// It answers the new controller's first probe, and ends before it has a connection to it that would
// break.
TEST_F(ControllerDriverTest, ABrokerThatEndsAsAnotherControllerLeadsIsFenced) {
  ASSERT_NO_FATAL_FAILURE(ChangeControllerOfFourth());
  rig_.wire.ended.insert(BrokerId(4));
  EXPECT_TRUE(IsFourthFencedWithin(2'000));
}

// It has sent the new controller a heartbeat too, over a connection whose end tells nothing.
TEST_F(ControllerDriverTest, ABrokerThatEndsOnceAnotherControllerHasHeardOfItIsFenced) {
  ASSERT_NO_FATAL_FAILURE(ChangeControllerOfFourth());
  ASSERT_TRUE(rig_.Until([&] { return leader().driver->HasHeardOf(BrokerId(4)); }, 2'500));
  rig_.Pass(1'000);  // and the answer to the last probe
  rig_.wire.ended.insert(BrokerId(4));
  EXPECT_TRUE(IsFourthFencedWithin(2'000));
}

TEST_F(ControllerDriverTest, ABrokerThatLeavesIsLetGo) {
  Start();
  JoinAll();
  Come(4);
  member(4).Join();
  ASSERT_TRUE(rig_.Until([&] { return member(4).unfenced == 1; }));
  member(4).membership().ShutDown();
  ASSERT_TRUE(rig_.Until([&] { return member(4).shut_down.has_value(); }));
  EXPECT_TRUE(member(4).shut_down->ok()) << *member(4).shut_down;
}

TEST_F(ControllerDriverTest, ABrokerThatNoControllerTakesInGivesUp) {
  Start();
  Come(4);
  rig_.Pass(1'000);
  rig_.wire.cut.insert(BrokerId(4));
  member(4).Join();
  rig_.Pass(50'000);
  EXPECT_FALSE(member(4).gave_up.has_value());
  EXPECT_TRUE(rig_.Until([&] { return member(4).gave_up.has_value(); }));
  EXPECT_EQ(member(4).unfenced, 0);
}

}  // namespace
}  // namespace weir::server
