// Leaders and followers of one partition, over streams in memory.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/error_code.h"
#include "replication/memory_stream_network.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/stream_messages.h"
#include "replication/test_broker.h"

namespace weir::replication {
namespace {

using protocol::ErrorCode;

const TopicPartition kTp{Uuid{1, 2}, PartitionIndex(0)};
constexpr int64_t kMs = kNsPerMs;

class ReplicaTest : public ::testing::Test {
 protected:
  struct Node {
    log::MemoryFileSystem files{7};
    TestBroker::Checkpoints checkpoints;
    std::unique_ptr<TestBroker> broker;
  };

  void Start(int id) {
    Node& node = nodes_[id];
    node.files.set_manual_syncs(true);
    TestBrokerConfig config = config_;
    config.id = BrokerId(id);
    config.epoch = ++epochs_[id] * 100 + id;
    node.broker = std::make_unique<TestBroker>(
        config, &node.files, &node.checkpoints, &network_.Of(config.id), &random_,
        [this, id](const TopicPartition&, const Effect& effect) { Outside(id, effect); });
    node.broker->SetNow({MonotonicNs(now_), 1000});
    ASSERT_TRUE(node.broker->Open(kTp).ok());
  }
  void Kill(int id) {
    network_.Kill(BrokerId(id), random_);
    nodes_[id].broker.reset();
    nodes_[id].files.KillProcess();
  }
  void Outside(int id, const Effect& effect) {
    if (const auto* done = std::get_if<AppendDone>(&effect)) done_[done->token] = *done;
    if (const auto* proposal = std::get_if<ProposeIsr>(&effect)) proposals_.push_back(*proposal);
    if (const auto* cut = std::get_if<PrepareTruncation>(&effect)) cuts_.emplace_back(id, *cut);
    if (const auto* held = std::get_if<ReplicationHeld>(&effect)) held_.push_back(*held);
  }
  Partition& At(int id) { return *nodes_[id].broker->Find(kTp); }
  const log::Log& LogOf(int id) { return At(id).log(); }

  // The metadata: all that run are told.
  void Elect(int leader, int epoch, std::vector<int> isr, int8_t recovery_state = 0) {
    partition_epoch_ += 1;
    epoch_ = epoch;
    leader_ = leader;
    isr_.clear();
    for (const int id : isr) isr_.push_back(BrokerId(id));
    for (auto& [id, node] : nodes_) Tell(id, recovery_state);
  }
  void Tell(int id, int8_t recovery_state = 0) {
    if (nodes_[id].broker == nullptr) return;
    if (id == leader_) {
      nodes_[id].broker->Step(kTp, BecomeLeader{LeaderEpoch(epoch_), partition_epoch_, replicas_,
                                                isr_, recovery_state});
    } else {
      nodes_[id].broker->Step(kTp, BecomeFollower{BrokerId(leader_), LeaderEpoch(epoch_),
                                                  partition_epoch_, replicas_, isr_});
    }
  }
  // Carries out the last proposal; the metadata tell the leader too.
  void Grant() {
    ASSERT_FALSE(proposals_.empty());
    isr_.clear();
    for (const ProposeIsr::Member& member : proposals_.back().isr) isr_.push_back(member.broker);
    proposals_.clear();
    ++partition_epoch_;
    nodes_[leader_].broker->Step(
        kTp, IsrAnswered{ErrorCode::kNone, LeaderEpoch(epoch_), partition_epoch_, isr_});
    Tell(leader_);
  }

  void Produce(int id, WaitToken token, int16_t acks = kAcksAll, const log::TestBatch& batch = {}) {
    buffers_.push_back(log::MakeBatch(batch));
    nodes_[id].broker->Append(kTp, &buffers_.back(), acks, token, MonotonicNs(now_ + 30'000 * kMs));
  }
  // One tick of everything, with what is under way delivered and syncs completed.
  void Tick(bool syncs = true, int64_t advance_ms = 1) {
    now_ += advance_ms * kMs;
    for (auto& [id, node] : nodes_) {
      if (node.broker == nullptr) continue;
      node.broker->SetNow({MonotonicNs(now_), 1000});
      while (syncs && node.files.CompleteOneSync(random_)) {
      }
      node.broker->TakeSyncs();
      node.broker->EndTick();
      EXPECT_EQ(node.broker->fault(), "");
    }
    while (network_.Deliver(random_)) {
    }
  }
  void Settle(int ticks = 30) {
    for (int i = 0; i < ticks; ++i) Tick();
  }
  std::string Bytes(int id) {
    return nodes_[id].files.Content("/data/t-0/00000000000000000000.log");
  }
  ErrorCode Error(WaitToken token) { return done_.at(token).error; }
  std::vector<BrokerId> Proposed() {
    std::vector<BrokerId> isr;
    if (proposals_.empty()) return isr;
    for (const ProposeIsr::Member& member : proposals_.back().isr) isr.push_back(member.broker);
    return isr;
  }
  static std::vector<BrokerId> Ids(std::vector<int> ids) {
    std::vector<BrokerId> all;
    for (const int id : ids) all.push_back(BrokerId(id));
    return all;
  }

  SeededRandom random_{5};
  MemoryStreamNetwork network_;
  TestBrokerConfig config_;
  std::vector<BrokerId> replicas_{BrokerId(1), BrokerId(2), BrokerId(3)};
  std::map<int, Node> nodes_;
  std::map<int, int> epochs_;
  int64_t now_ = 0;
  int leader_ = 0;
  int epoch_ = 0;
  int32_t partition_epoch_ = 0;
  std::vector<BrokerId> isr_;
  std::deque<std::string> buffers_;
  std::map<WaitToken, AppendDone> done_;
  std::vector<ProposeIsr> proposals_;
  std::vector<std::pair<int, PrepareTruncation>> cuts_;
  std::vector<ReplicationHeld> held_;
};

TEST_F(ReplicaTest, RecordsReachFollowersAndAreAcknowledged) {
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  Produce(1, 1, kAcksAll, {.records = 3});
  Produce(1, 2);
  Settle();
  EXPECT_EQ(Error(1), ErrorCode::kNone);
  EXPECT_EQ(Error(2), ErrorCode::kNone);
  for (const int id : {1, 2, 3}) {
    EXPECT_EQ(At(id).high_watermark(), Offset(4)) << id;
    EXPECT_EQ(Bytes(id), Bytes(1)) << id;
    EXPECT_EQ(LogOf(id).latest_epoch(), LeaderEpoch(5));
  }
  EXPECT_TRUE(proposals_.empty());
  // A follower answers what it knows to be committed (KIP-392).
  const ReadRequest request{.offset = Offset(0), .bytes_max = 1000, .allow_follower = true};
  EXPECT_EQ(At(2).Read(request).slice.next_offset, Offset(4));
  EXPECT_EQ(At(2).Read({.offset = Offset(0), .bytes_max = 1000}).error,
            ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(At(2).Read({.offset = Offset(5), .bytes_max = 1000, .allow_follower = true}).error,
            ErrorCode::kOffsetNotAvailable);
}

TEST_F(ReplicaTest, UnderAckTheSlowestFlushHoldsTheHighWatermark) {
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  Produce(1, 1);
  for (int i = 0; i < 10; ++i) Tick(/*syncs=*/false);
  EXPECT_EQ(LogOf(3).log_end_offset(), Offset(1));
  while (nodes_[1].files.CompleteOneSync(random_) || nodes_[2].files.CompleteOneSync(random_)) {
  }
  for (int i = 0; i < 10; ++i) Tick(/*syncs=*/false);
  EXPECT_EQ(At(1).high_watermark(), Offset(0));
  EXPECT_EQ(done_.count(1), 0u);
  Settle(3);
  EXPECT_EQ(Error(1), ErrorCode::kNone);
}

TEST_F(ReplicaTest, UnderOsItIsTheSlowestWrite) {
  config_.partition.durability = Durability::kOs;
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  Produce(1, 1);
  for (int i = 0; i < 5; ++i) Tick(/*syncs=*/false);
  EXPECT_EQ(Error(1), ErrorCode::kNone);
}

TEST_F(ReplicaTest, AFollowerJoinsWhenItHasAllThatIsCommittedAndBeyondTheEpochsStart) {
  Start(1);
  Elect(1, 5, {1});
  Produce(1, 1, kAcksAll, {.records = 10});
  Settle();
  EXPECT_EQ(Error(1), ErrorCode::kNone);
  Start(2);
  Tell(2);
  for (int i = 0; i < 4; ++i) Tick(/*syncs=*/false);
  EXPECT_EQ(LogOf(2).log_end_offset(), Offset(10));
  EXPECT_TRUE(proposals_.empty()) << "what it has is not durable yet";
  Settle(5);
  EXPECT_EQ(Proposed(), Ids({1, 2}));
  ASSERT_EQ(proposals_.size(), 1u);
  EXPECT_EQ(proposals_[0].leader_epoch, LeaderEpoch(5));
  EXPECT_EQ(proposals_[0].partition_epoch, partition_epoch_);
  EXPECT_EQ(proposals_[0].isr[1].broker_epoch, 102);
  // It counts from the proposal on.
  EXPECT_TRUE(At(1).InMaximalIsr(BrokerId(2)));
  EXPECT_EQ(At(1).isr(), Ids({1}));
  Produce(1, 2);
  for (int i = 0; i < 5; ++i) {
    while (nodes_[1].files.CompleteOneSync(random_)) {
    }
    Tick(/*syncs=*/false);
  }
  EXPECT_EQ(At(1).high_watermark(), Offset(10));
  Settle(5);
  EXPECT_EQ(Error(2), ErrorCode::kNone);
  Grant();
  EXPECT_EQ(At(1).isr(), Ids({1, 2}));
}

TEST_F(ReplicaTest, AFollowerKnowsHowMuchItLacksOfWhatIsCommitted) {
  Start(1);
  Elect(1, 5, {1});
  for (WaitToken token = 1; token <= 20; ++token) {
    Produce(1, token, kAcksAll, {.value_bytes = 400'000});
    Settle(3);
  }
  EXPECT_EQ(At(1).lag(), 0);
  Start(2);
  Tell(2);
  int64_t most = 0;
  for (int i = 0; i < 200 && LogOf(2).log_end_offset() < Offset(20); ++i) {
    Tick();
    if (LogOf(2).log_end_offset() == Offset(0)) continue;
    EXPECT_EQ(At(2).lag(), Offset(20) - LogOf(2).log_end_offset());
    most = std::max(most, At(2).lag());
  }
  EXPECT_GT(most, 10);
  EXPECT_EQ(At(2).lag(), 0);
  // Nothing is known of another leader's yet.
  Kill(1);
  Elect(3, 6, {2});
  EXPECT_EQ(At(2).lag(), 0);
}

TEST_F(ReplicaTest, AFollowerThatStopsLeavesAfterTheLag) {
  config_.partition.replica_lag_time_max_ns = 100 * kMs;
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  Kill(3);
  for (int i = 0; i < 20; ++i) Tick(true, 50);
  EXPECT_TRUE(proposals_.empty()) << "it has all that there is";
  Produce(1, 1);
  Settle(10);
  Tick(true, 85);
  EXPECT_TRUE(proposals_.empty());
  Tick(true, 10);
  Tick();
  EXPECT_EQ(Proposed(), Ids({1, 2}));
  EXPECT_EQ(done_.count(1), 0u) << "until the controller says so, it counts";
  Grant();
  EXPECT_EQ(Error(1), ErrorCode::kNone);
}

// One that is always a little behind is in sync: it gets everything within the time.
TEST_F(ReplicaTest, AFollowerThatIsABitBehindAllTheTimeStays) {
  config_.partition.replica_lag_time_max_ns = 100 * kMs;
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  for (WaitToken i = 1; i < 200; ++i) {
    Produce(1, i);
    Tick(true, 5);
  }
  EXPECT_TRUE(proposals_.empty());
  EXPECT_GT(At(1).high_watermark(), Offset(150));
}

TEST_F(ReplicaTest, AFollowerThatComesBackWithLessLeavesAtOnce) {
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1, 2});
  Settle();
  Produce(1, 1);
  Settle();
  EXPECT_EQ(Error(1), ErrorCode::kNone);
  Kill(2);
  ASSERT_TRUE(nodes_[2].files.RemoveRecursively("/data").ok());
  nodes_[2].checkpoints.clear();
  Start(2);
  Tell(2);
  for (int i = 0; i < 4 && proposals_.empty(); ++i) Tick(/*syncs=*/false, 20);
  EXPECT_EQ(Proposed(), Ids({1}));
}

TEST_F(ReplicaTest, TheHighWatermarkStandsStillBelowMinIsr) {
  config_.partition.min_insync_replicas = 2;
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1, 2});
  Settle();
  Produce(1, 1, 1);
  Settle();
  EXPECT_EQ(At(1).high_watermark(), Offset(1));
  Kill(2);
  Produce(1, 2, kAcksAll);
  Settle(3);
  Elect(1, 5, {1});
  EXPECT_EQ(Error(2), ErrorCode::kNotEnoughReplicasAfterAppend);
  Produce(1, 3, kAcksAll);
  EXPECT_EQ(Error(3), ErrorCode::kNotEnoughReplicas);
  Produce(1, 4, 1);
  Settle();
  EXPECT_EQ(Error(4), ErrorCode::kNone);
  EXPECT_EQ(At(1).high_watermark(), Offset(1));
  EXPECT_EQ(LogOf(1).log_end_offset(), Offset(3));
  Start(2);
  Tell(2);
  Settle();
  Grant();
  EXPECT_EQ(At(1).high_watermark(), Offset(3));
}

// An answer may have been lost, and this one be about asking again.
TEST_F(ReplicaTest, WhatIsRefusedMayHaveBeenDoneUnlessAReplicaIsIneligible) {
  Start(1);
  Elect(1, 5, {1});
  Start(2);
  Tell(2);
  Settle();
  const auto answer = [&](ErrorCode error) {
    proposals_.clear();
    nodes_[1].broker->Step(kTp, IsrAnswered{error, LeaderEpoch(5), partition_epoch_});
    EXPECT_TRUE(proposals_.empty()) << "not again at once";
  };
  ASSERT_EQ(Proposed(), Ids({1, 2}));
  EXPECT_TRUE(At(1).InMaximalIsr(BrokerId(2)));
  answer(ErrorCode::kIneligibleReplica);
  EXPECT_FALSE(At(1).InMaximalIsr(BrokerId(2)));
  for (const ErrorCode error :
       {ErrorCode::kInvalidUpdateVersion, ErrorCode::kInvalidRequest, ErrorCode::kFencedLeaderEpoch,
        ErrorCode::kNotController, ErrorCode::kRequestTimedOut, ErrorCode::kNewLeaderElected}) {
    Tick(true, 600);
    ASSERT_EQ(Proposed(), Ids({1, 2}));
    answer(error);
    EXPECT_TRUE(At(1).InMaximalIsr(BrokerId(2))) << static_cast<int>(error);
  }
}

// What else the metadata say by then may forbid to go on: here that two have to be in sync.
TEST_F(ReplicaTest, WhoLeavesByAnAnswerCountsUntilTheMetadataTell) {
  config_.partition.replica_lag_time_max_ns = 100 * kMs;
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1, 2});
  Settle();
  Kill(2);
  Produce(1, 1);
  Settle();
  Tick(true, 200);
  ASSERT_EQ(Proposed(), Ids({1}));
  partition_epoch_ += 1;
  isr_ = Ids({1});
  nodes_[1].broker->Step(kTp,
                         IsrAnswered{ErrorCode::kNone, LeaderEpoch(5), partition_epoch_, isr_});
  Settle();
  EXPECT_EQ(At(1).isr(), Ids({1}));
  EXPECT_TRUE(At(1).InMaximalIsr(BrokerId(2)));
  EXPECT_EQ(At(1).high_watermark(), Offset(0));
  EXPECT_EQ(done_.count(1), 0u);
  PartitionConfig config = config_.partition;
  config.min_insync_replicas = 2;
  nodes_[1].broker->Step(kTp, Reconfigure{config});
  Tell(1);
  EXPECT_FALSE(At(1).InMaximalIsr(BrokerId(2)));
  EXPECT_EQ(At(1).high_watermark(), Offset(0));
  EXPECT_EQ(Error(1), ErrorCode::kNotEnoughReplicasAfterAppend);
}

TEST_F(ReplicaTest, WhoIsInSyncHasDeletedRecordsUntilItSaysOtherwise) {
  for (const int id : {1, 2}) Start(id);
  replicas_ = Ids({1, 2, 3});
  Elect(1, 5, {1, 2});
  EXPECT_EQ(At(1).low_watermark(), Offset(0)) << "not heard of";
  Settle();
  Produce(1, 1, kAcksAll, {.records = 5});
  Settle();
  Kill(2);
  Settle(2);
  ASSERT_TRUE(nodes_[1].broker->DeleteRecords(kTp, Offset(3)).ok());
  EXPECT_EQ(At(1).low_watermark(), Offset(0));
  Elect(1, 5, {1});
  EXPECT_EQ(At(1).low_watermark(), Offset(3));
}

// The end of a reassignment: one record takes replicas out and changes the ISR, and the answer to
// the proposal, which tells only of the ISR, is first.
TEST_F(ReplicaTest, ReplicasThatLeaveWithAnAnsweredIsrDoNotCount) {
  config_.partition.min_insync_replicas = 2;
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 1, {1});
  Settle();
  ASSERT_FALSE(proposals_.empty());
  partition_epoch_ += 1;
  nodes_[1].broker->Step(
      kTp, IsrAnswered{ErrorCode::kNone, LeaderEpoch(1), partition_epoch_, {BrokerId(1)}});
  replicas_ = {BrokerId(1)};
  isr_ = {BrokerId(1)};
  Tell(1);
  EXPECT_EQ(At(1).replicas(), replicas_);
  Produce(1, 9);
  Settle();
  ASSERT_EQ(done_.count(9), 1u);
  EXPECT_EQ(done_[9].error, ErrorCode::kNone);
}

// KIP-101: what only the old leader has is cut off where the epochs part, not at the high
// watermark.
TEST_F(ReplicaTest, ADeposedLeaderCutsOffWhereTheLogsPart) {
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  Produce(1, 1, kAcksAll, {.records = 4});
  Settle();
  network_.SetPasses([](BrokerId, BrokerId) { return false; });
  Produce(1, 2, kAcksAll, {.records = 5});
  Settle(5);
  EXPECT_EQ(LogOf(1).log_end_offset(), Offset(9));
  network_.SetPasses(nullptr);
  Elect(2, 6, {2, 3});
  EXPECT_EQ(Error(2), ErrorCode::kNotLeaderOrFollower);
  Produce(2, 3, kAcksAll, {.records = 2});
  Settle();
  EXPECT_EQ(Error(3), ErrorCode::kNone);
  for (const int id : {1, 2, 3}) EXPECT_EQ(Bytes(id), Bytes(2)) << id;
  ASSERT_EQ(cuts_.size(), 1u);
  EXPECT_EQ(cuts_[0].first, 1);
  EXPECT_EQ(cuts_[0].second.to, Offset(4));
  EXPECT_FALSE(cuts_[0].second.loses_committed);
  EXPECT_EQ(nodes_[1].checkpoints[kTp].recovery_point, Offset(0));
  EXPECT_EQ(Proposed(), Ids({1, 2, 3}));
}

// KIP-279: several leaders one after the other, each with records of its own.
TEST_F(ReplicaTest, FastFailoversConverge) {
  for (const int id : {1, 2, 3}) Start(id);
  network_.SetPasses([](BrokerId, BrokerId) { return false; });
  Elect(1, 1, {1});
  Produce(1, 1, 1, {.records = 3, .fill = 'a'});
  Settle(3);
  Elect(2, 2, {2});
  Produce(2, 2, 1, {.records = 2, .fill = 'b'});
  Settle(3);
  Elect(1, 3, {1});
  Produce(1, 3, 1, {.records = 4, .fill = 'c'});
  Settle(3);
  Elect(2, 4, {2});
  Produce(2, 4, 1, {.records = 1, .fill = 'd'});
  Settle(3);
  network_.SetPasses(nullptr);
  Elect(3, 5, {3});
  Produce(3, 5, 1, {.records = 1, .fill = 'e'});
  Settle();
  for (const int id : {1, 2, 3}) {
    EXPECT_EQ(Bytes(id), Bytes(3)) << id;
    EXPECT_EQ(LogOf(id).epochs().entries(), LogOf(3).epochs().entries()) << id;
  }
}

TEST_F(ReplicaTest, AFollowerBehindTheLogsStartBeginsThere) {
  config_.log.segment_bytes = 300;
  config_.log.retention_ms = -1;
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1});
  network_.SetPasses([](BrokerId, BrokerId) { return false; });
  for (WaitToken i = 1; i <= 10; ++i) Produce(1, i, 1, {.records = 3});
  Settle(5);
  // Inside of a batch: the follower gets it whole, and starts where the leader does.
  ASSERT_TRUE(nodes_[1].broker->DeleteRecords(kTp, Offset(22)).ok());
  network_.SetPasses(nullptr);
  Settle();
  EXPECT_EQ(LogOf(2).log_end_offset(), Offset(30));
  EXPECT_EQ(LogOf(2).log_start_offset(), Offset(22));
  EXPECT_EQ(At(1).low_watermark(), Offset(22));
  EXPECT_EQ(Proposed(), Ids({1, 2}));
  // Later deletions reach it too.
  ASSERT_TRUE(nodes_[1].broker->DeleteRecords(kTp, Offset(25)).ok());
  EXPECT_EQ(At(1).low_watermark(), Offset(22));
  Settle();
  EXPECT_EQ(LogOf(2).log_start_offset(), Offset(25));
  EXPECT_EQ(At(1).low_watermark(), Offset(25));
  EXPECT_TRUE(held_.empty());
}

TEST_F(ReplicaTest, AFullDiskHoldsAFollowerUpUntilThereIsRoom) {
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1, 2});
  Settle();
  nodes_[2].files.set_capacity_bytes(0);
  Produce(1, 1);
  Settle();
  EXPECT_EQ(done_.count(1), 0u);
  EXPECT_FALSE(held_.empty());
  EXPECT_TRUE(LogOf(2).failed().ok());
  nodes_[2].files.set_capacity_bytes(int64_t{1} << 40);
  for (int i = 0; i < 40; ++i) Tick(true, 50);
  EXPECT_EQ(Error(1), ErrorCode::kNone);
}

TEST_F(ReplicaTest, AFollowerGoesOnAsSoonAsItsDiskHasRoom) {
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1, 2});
  Settle();
  nodes_[2].files.set_capacity_bytes(0);
  Produce(1, 1);
  for (int i = 0; i < 100; ++i) Tick(true, 50);  // it waits for seconds now
  EXPECT_GT(held_.size(), 4u);
  EXPECT_LT(held_.size(), 10u) << "it does not ask for records while there is no room";
  nodes_[2].files.set_capacity_bytes(int64_t{1} << 40);
  for (int i = 0; i < 8; ++i) Tick(true, 25);
  EXPECT_EQ(done_.count(1), 1u);
}

TEST_F(ReplicaTest, ABrokenStreamIsMadeAgainWithWhatThereIs) {
  for (const int id : {1, 2, 3}) Start(id);
  Elect(1, 5, {1, 2, 3});
  Settle();
  for (WaitToken i = 1; i <= 60; ++i) {
    Produce(1, i);
    if (i % 5 == 0) {
      network_.Break(random_, [](const StreamHello&) { return true; });
    }
    Tick(true, 20);
  }
  for (int i = 0; i < 20; ++i) Tick(true, 50);
  for (WaitToken i = 1; i <= 60; ++i) EXPECT_EQ(Error(i), ErrorCode::kNone) << i;
  EXPECT_EQ(Bytes(2), Bytes(1));
  EXPECT_EQ(Bytes(3), Bytes(1));
}

TEST_F(ReplicaTest, LargeLogsAndBatchesCatchUpWithinTheCredit) {
  config_.stream.credit_bytes = 64 << 10;
  for (const int id : {1, 2}) Start(id);
  Elect(1, 5, {1});
  network_.SetPasses([](BrokerId, BrokerId) { return false; });
  for (WaitToken i = 1; i <= 300; ++i) {
    const size_t bytes = i % 50 == 0 ? 3u << 20 : 20'000;
    Produce(1, i, 1, {.value_bytes = bytes});
    if (i % 10 == 0) Tick();
  }
  network_.SetPasses(nullptr);
  for (int i = 0; i < 800; ++i) Tick();
  EXPECT_EQ(LogOf(2).log_end_offset(), Offset(300));
  EXPECT_TRUE(Bytes(2) == Bytes(1));
}

}  // namespace
}  // namespace weir::replication
