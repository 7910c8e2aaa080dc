#include "server/metadata_log.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "server/controller_test_rig.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/metadata_log_observer.h"

namespace weir::server {
namespace {

constexpr char kFolder[] = "/data/__cluster_metadata-0";

// A replica, and what it tells.
class Replica final : public MetadataLogObserver {
 public:
  Replica(RigNode& at, const raft::VoterSet& voters, int64_t snapshot_bytes) : at_(at) {
    if (voters.Contains(KeyOf(at))) {
      EXPECT_TRUE(raft::LogStorage::Found(at.files, kFolder, voters).ok());
    }
    MetadataLog::Options options;
    options.raft.cluster_id = "c";
    options.raft.self = KeyOf(at);
    options.directory = kFolder;
    options.snapshot_bytes = snapshot_bytes;
    log = std::make_unique<MetadataLog>(options, at.files, at.loop, at.random, at.peers, *this);
    at.loop.SetSyncHandler([this](const log::SyncDone& sync) { log->OnSyncDone(sync); });
    at.loop.SetTickEndHook([this] { log->OnTickEnd(); });
    PeerNetwork::Owner owner;
    owner.deliver = [this](raft::Message message) { return log->Deliver(std::move(message)); };
    EXPECT_TRUE(at.peers.Start(std::move(owner)).ok());
    EXPECT_TRUE(log->Open().ok());
  }
  ~Replica() override { at_.loop.DropAll(); }

  static raft::ReplicaKey KeyOf(const RigNode& node) {
    return {node.node.config.node_id, node.node.directories->metadata().id()};
  }

  // A topic's record, planned behind everything before.
  absl::Status Append(const std::string& topic) {
    metadata::TopicRecord record;
    record.name = topic;
    record.topic_id = Uuid{9, ++last_topic_};
    metadata::AppendRecords append{++last_token, next, epoch, {record}, nullptr};
    const auto image = metadata::Apply(*planned, append.records, next, epoch);
    EXPECT_TRUE(image.ok()) << image.status();
    append.image = *image;
    const absl::Status status = log->Append(std::move(append));
    if (!status.ok()) return status;
    planned = *image;
    next = next + 1;
    return absl::OkStatus();
  }
  bool Has(const std::string& topic) const { return log->image()->FindTopic(topic) != nullptr; }

  void OnLeader(LeaderEpoch, BrokerId leader_now) override { leader = leader_now; }
  void OnGained(LeaderEpoch epoch_now, Offset next_offset) override {
    leads = true;
    epoch = epoch_now;
    next = next_offset;
    planned = log->image();
  }
  void OnLost() override { leads = false; }
  void OnCommitted(Offset end) override { committed = end; }
  void OnAppendFailed(metadata::AppendToken token, const absl::Status&) override {
    failed_appends.push_back(token);
  }
  void OnSnapshotRefused(const absl::Status&) override { ++snapshots_refused; }
  void OnNoRoom(const absl::Status& why) override { no_room.push_back(why); }
  void OnRoomAgain() override { ++room_again; }
  void OnFailed(const absl::Status& why) override { failures.push_back(why); }

  std::unique_ptr<MetadataLog> log;
  BrokerId leader = kNoBroker;
  bool leads = false;
  LeaderEpoch epoch;
  Offset next, committed;
  metadata::MetadataImagePtr planned;
  metadata::AppendToken last_token = 0;
  std::vector<metadata::AppendToken> failed_appends;
  int snapshots_refused = 0, room_again = 0;
  std::vector<absl::Status> no_room, failures;

 private:
  RigNode& at_;
  uint64_t last_topic_ = 0;
};

class MetadataLogTest : public testing::Test {
 protected:
  void Start(int64_t snapshot_bytes = 20 << 20) {
    std::vector<raft::ReplicaKey> keys;
    for (int id = 1; id <= 3; ++id) keys.push_back(Replica::KeyOf(rig_.node(id)));
    for (int id = 1; id <= 3; ++id) {
      replicas_.push_back(
          std::make_unique<Replica>(rig_.node(id), raft::VoterSet(keys), snapshot_bytes));
    }
    ASSERT_TRUE(rig_.Until([&] { return LeaderId() != 0; }));
    leader_ = LeaderId();
    followers_.clear();
    for (int id = 1; id <= 3; ++id) {
      if (id != leader_) followers_.push_back(id);
    }
    rig_.Pass(100);
  }
  int LeaderId() {
    for (int id = 1; id <= 3; ++id) {
      if (replicas_[static_cast<size_t>(id - 1)]->leads && rig_.wire.cut.count(BrokerId(id)) == 0) {
        return id;
      }
    }
    return 0;
  }
  Replica& replica(int id) { return *replicas_[static_cast<size_t>(id - 1)]; }
  Replica& leader() { return replica(leader_); }
  log::MemoryFileSystem& files(int id) { return rig_.node(id).files; }
  // So many bytes may still be written there.
  void LeaveRoom(int id, int64_t bytes) {
    files(id).set_capacity_bytes(int64_t{1} << 50);
    const int64_t used = (int64_t{1} << 50) - *files(id).FreeBytes("/");
    files(id).set_capacity_bytes(used + bytes);
  }
  bool Agreed(const std::string& topic) {
    for (const auto& each : replicas_) {
      if (!each->Has(topic)) return false;
    }
    return true;
  }

  ControllerRig rig_{3, 0};
  std::vector<std::unique_ptr<Replica>> replicas_;
  int leader_ = 0;
  std::vector<int> followers_;
};

TEST_F(MetadataLogTest, WhatIsAppendedIsOnAllReplicas) {
  Start();
  ASSERT_TRUE(leader().Append("a").ok());
  ASSERT_TRUE(leader().Append("b").ok());
  ASSERT_TRUE(rig_.Until([&] { return Agreed("b"); }));
  EXPECT_TRUE(Agreed("a"));
  for (const auto& each : replicas_) {
    EXPECT_EQ(each->committed, leader().next);
    EXPECT_EQ(each->leader, BrokerId(leader_));
    EXPECT_EQ(*each->log->image(), *leader().log->image());
  }
}

// The controller has planned the places of its appends; a change of voters takes one as well.
TEST_F(MetadataLogTest, AChangeOfVotersGoesBehindTheAppendsOfItsTick) {
  Start();
  absl::Status removed = absl::UnknownError("not yet");
  const raft::ReplicaKey out = Replica::KeyOf(rig_.node(followers_[0]));
  ASSERT_TRUE(leader().Append("a").ok());
  leader().log->RemoveVoter(out, [&](absl::Status status) { removed = std::move(status); });
  ASSERT_TRUE(leader().Append("b").ok());
  ASSERT_TRUE(leader().Append("c").ok());
  ASSERT_TRUE(rig_.Until([&] { return leader().Has("c"); }));
  EXPECT_TRUE(rig_.Until([&] { return removed.ok(); })) << removed;
  EXPECT_TRUE(leader().failed_appends.empty());
  EXPECT_FALSE(leader().log->raft().voters().Contains(out));
  EXPECT_EQ(leader().log->raft().log_end(), leader().next + 1);
}

TEST_F(MetadataLogTest, AnAppendAtAWrongPlaceFailsWithAllBehindIt) {
  Start();
  leader().next = leader().next + 5;
  ASSERT_TRUE(leader().Append("a").ok());
  ASSERT_TRUE(leader().Append("b").ok());
  rig_.Pass(100);
  EXPECT_EQ(leader().failed_appends, (std::vector<metadata::AppendToken>{1}));
  EXPECT_FALSE(leader().Has("a"));
}

TEST_F(MetadataLogTest, AFollowerWithoutRoomWaitsForIt) {
  Start();
  const int full = followers_[0];
  LeaveRoom(full, 16 << 10);  // votes have room, entries do not
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(leader().Append(absl::StrCat("t", i)).ok());
    rig_.Pass(500);
  }
  EXPECT_TRUE(leader().Has("t19"));  // the other one has it
  EXPECT_TRUE(replica(followers_[1]).Has("t19"));
  EXPECT_FALSE(replica(full).Has("t0"));
  EXPECT_TRUE(replica(full).failures.empty());
  ASSERT_EQ(replica(full).no_room.size(), 1u);
  EXPECT_TRUE(absl::IsResourceExhausted(replica(full).no_room[0]));
  EXPECT_EQ(replica(full).leader, BrokerId(leader_));  // it hears the leader all the while
  EXPECT_EQ(LeaderId(), leader_);
  const auto match = [&] {
    for (const auto& follower : leader().log->raft().Followers()) {
      if (follower.key.id == BrokerId(full)) return follower.match;
    }
    return Offset(-1);
  };
  EXPECT_LT(match(), leader().log->raft().commit());  // it acknowledges nothing that it has not

  LeaveRoom(full, 10 << 20);
  EXPECT_TRUE(rig_.Until([&] { return Agreed("t19"); }));
  EXPECT_EQ(replica(full).room_again, 1);
  EXPECT_EQ(replica(full).no_room.size(), 1u);
}

// What came together is counted together: it is on the disk only at the end of the tick.
TEST_F(MetadataLogTest, ManyMessagesAtOnceDoNotTakeTheReserve) {
  Start();
  const int full = followers_[0];
  rig_.wire.paused.insert(BrokerId(full));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(leader().Append(absl::StrCat(std::string(200, 'x'), i)).ok());
    rig_.Settle();
  }
  LeaveRoom(full, 20 << 10);
  rig_.wire.paused.clear();
  rig_.Pass(5'000);
  EXPECT_TRUE(replica(full).failures.empty());
  EXPECT_GE(*files(full).FreeBytes("/"), 8 << 10);
  LeaveRoom(full, 10 << 20);
  EXPECT_TRUE(rig_.Until([&] { return Agreed(absl::StrCat(std::string(200, 'x'), 199)); }));
}

TEST_F(MetadataLogTest, AReplicaWithoutRoomForAVoteNeitherVotesNorEnds) {
  Start();
  const int full = followers_[0], other = followers_[1];
  LeaveRoom(full, 0);
  rig_.wire.cut.insert(BrokerId(leader_));
  rig_.Pass(30'000);
  EXPECT_EQ(LeaderId(), 0);
  EXPECT_TRUE(replica(full).failures.empty());
  EXPECT_TRUE(replica(other).failures.empty());
  EXPECT_EQ(replica(full).no_room.size(), 1u);

  LeaveRoom(full, 10 << 20);
  ASSERT_TRUE(rig_.Until([&] { return LeaderId() != 0; }));
  leader_ = LeaderId();
  ASSERT_TRUE(leader().Append("a").ok());
  EXPECT_TRUE(rig_.Until([&] { return replica(full).Has("a") && replica(other).Has("a"); }));
  EXPECT_EQ(replica(full).room_again, 1);
}

TEST_F(MetadataLogTest, ALeaderWithoutRoomRefusesAndGoesOn) {
  Start();
  LeaveRoom(leader_, 30 << 10);
  EXPECT_TRUE(absl::IsResourceExhausted(leader().Append("a")));
  rig_.Pass(10'000);
  EXPECT_TRUE(leader().leads);
  EXPECT_TRUE(leader().failures.empty());
  LeaveRoom(leader_, 10 << 20);
  ASSERT_TRUE(leader().Append("a").ok());
  EXPECT_TRUE(rig_.Until([&] { return Agreed("a"); }));
}

TEST_F(MetadataLogTest, ASnapshotThatFindsNoRoomIsRefusedAndTheLogKept) {
  Start(/*snapshot_bytes=*/180'000);
  const auto append = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      ASSERT_TRUE(leader().Append(absl::StrCat(std::string(200, 'x'), i)).ok());
    }
    rig_.Pass(1'000);
  };
  append(0, 500);
  EXPECT_EQ(leader().snapshots_refused, 0);
  LeaveRoom(leader_, 110 << 10);  // for the records, and not for all of them again
  append(500, 640);
  EXPECT_EQ(leader().snapshots_refused, 1);
  EXPECT_EQ(leader().log->raft().snapshot().id.end_offset, Offset(0));
  EXPECT_TRUE(leader().Has(absl::StrCat(std::string(200, 'x'), 639)));
  EXPECT_TRUE(leader().failures.empty());
  EXPECT_TRUE(leader().leads);
  EXPECT_GT(*files(leader_).FreeBytes("/"), 60 << 10);  // nothing is left of it
  EXPECT_GT(replica(followers_[0]).log->raft().snapshot().id.end_offset, Offset(0));
}

TEST_F(MetadataLogTest, ADiskThatFailsEndsTheReplicaOnce) {
  Start();
  files(leader_).InjectFault({log::FileOp::kSync, "", 1});
  ASSERT_TRUE(leader().Append("a").ok());
  rig_.Pass(100);
  EXPECT_EQ(leader().failures.size(), 1u);
  EXPECT_FALSE(leader().leads);
  EXPECT_TRUE(rig_.Until([&] { return LeaderId() != 0; }));
  EXPECT_NE(LeaderId(), leader_);
}

TEST_F(MetadataLogTest, TooManyMessagesAreRefused) {
  Start();
  raft::Message message;
  message.cluster_id = "c";
  message.from = Replica::KeyOf(rig_.node(followers_[0]));
  message.to = Replica::KeyOf(rig_.node(leader_));
  message.body = raft::FollowRequest{};
  int taken = 0;
  while (taken <= MetadataLog::kMessagesWaitingMax && leader().log->Deliver(message)) ++taken;
  EXPECT_EQ(taken, MetadataLog::kMessagesWaitingMax);
  rig_.Settle();
  EXPECT_TRUE(leader().log->Deliver(message));
}

}  // namespace
}  // namespace weir::server
