#include "replication/partition.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/log_move.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::replication {
namespace {

using protocol::ErrorCode;

constexpr BrokerId kSelf{1};
constexpr BrokerId kOther{2};
constexpr int64_t kNever = int64_t{1} << 60;

absl::StatusOr<std::string> NoDecoder(const protocol::RecordBatchView&) {
  return absl::UnimplementedError("no compression in these tests");
}

class PartitionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs_.set_manual_syncs(true);
    Open({});
    Lead(5);
  }

  void Open(PartitionConfig config) {
    partition_.reset();
    auto log = log::Log::Open(fs_, "/data/t-0", {}, {}, 1000);
    ASSERT_TRUE(log.ok()) << log.status();
    partition_ = std::make_unique<Partition>(kSelf, *std::move(log), config);
  }

  void Do(Event event, int64_t now_ns = 0) {
    partition_->Step({MonotonicNs(now_ns), 1000}, std::move(event), &effects_);
  }
  void Lead(int32_t epoch, std::vector<BrokerId> isr = {kSelf}, int32_t partition_epoch = 0) {
    Do(BecomeLeader{LeaderEpoch(epoch), partition_epoch, {kSelf, kOther}, std::move(isr)});
  }
  // Hands an append in; it is written by the next EndOfTick.
  void Produce(WaitToken token, int16_t acks, const log::TestBatch& batch = {},
               int64_t deadline_ns = kNever) {
    buffers_.push_back(log::MakeBatch(batch));
    std::string& bytes = buffers_.back();
    Do(Append{absl::MakeSpan(bytes.data(), bytes.size()), acks, MonotonicNs(deadline_ns), token});
  }
  // In a transaction, and the marker that ends it.
  void ProduceIn(int64_t producer, int32_t sequence, TimestampMs timestamp = 1000) {
    Hand(log::MakeBatch({.timestamp = timestamp,
                         .producer = ProducerId(producer),
                         .sequence = sequence,
                         .attributes = protocol::record_batch_attribute::kTransactional}),
         {.transaction_verified = true});
  }
  void Mark(int64_t producer, bool aborts) {
    Hand(log::MakeMarker({.producer = ProducerId(producer), .aborts = aborts}),
         {log::AppendOrigin::kCoordinator});
  }
  void Hand(std::string batch, log::AppendTerms terms) {
    buffers_.push_back(std::move(batch));
    std::string& bytes = buffers_.back();
    Do(Append{absl::MakeSpan(bytes.data(), bytes.size()), 1, MonotonicNs(kNever), 77, terms});
    Do(EndOfTick{});
  }
  // Completes syncs in any order.
  void CompleteSyncs(uint64_t seed = 1) {
    SeededRandom random(seed);
    while (fs_.CompleteOneSync(random)) {
      std::vector<log::SyncDone> done;
      fs_.DrainSyncs(&done);
      for (const log::SyncDone& d : done) Do(SyncDone{d});
    }
  }

  std::optional<AppendDone> Done(WaitToken token) {
    for (const Effect& effect : effects_) {
      const AppendDone* done = std::get_if<AppendDone>(&effect);
      if (done != nullptr && done->token == token) return *done;
    }
    return std::nullopt;
  }
  bool Acknowledged(WaitToken token) {
    const std::optional<AppendDone> done = Done(token);
    return done.has_value() && done->error == ErrorCode::kNone;
  }
  bool Woken(WaitToken token) {
    for (const Effect& effect : effects_) {
      const FetchReady* ready = std::get_if<FetchReady>(&effect);
      if (ready != nullptr && ready->token == token) return true;
    }
    return false;
  }
  int Count(size_t index) {
    int count = 0;
    for (const Effect& effect : effects_) count += effect.index() == index ? 1 : 0;
    return count;
  }
  ReadAnswer Read(int64_t offset, int32_t epoch = -1) {
    return partition_->Read({Offset(offset), 1 << 20, true, LeaderEpoch(epoch)});
  }
  ReadAnswer ReadCommitted(int64_t offset) {
    return partition_->Read(
        {Offset(offset), 1 << 20, true, kNoLeaderEpoch, kNoLeaderEpoch, /*read_committed=*/true});
  }
  OffsetAnswer List(TimestampMs timestamp, bool read_committed = false) {
    return partition_->ListOffset(timestamp, kNoLeaderEpoch, read_committed, NoDecoder);
  }

  // Moves the log to another folder, and gives the old one back.
  std::unique_ptr<log::Log> Move(const std::string& from = "/data", const std::string& to = "/b") {
    EXPECT_TRUE(log::CreateDirectoriesDurably(fs_, to).ok());
    auto move = log::LogMove::Begin(fs_, {"t-0", from, to, {}}, random_, 1000);
    EXPECT_TRUE(move.ok()) << move.status();
    log::LogMove::End end = (*move)->Finish(partition_->log(), 1000);
    EXPECT_TRUE(end.status.ok()) << end.status;
    return partition_->ReplaceLog({MonotonicNs(0), 1000}, std::move(end.log), &effects_);
  }

  log::MemoryFileSystem fs_;
  SeededRandom random_{7};
  std::deque<std::string> buffers_;
  std::unique_ptr<Partition> partition_;
  Effects effects_;
};

TEST_F(PartitionTest, UnderAckEverythingWaitsForTheFlush) {
  Produce(1, kAcksAll, {.records = 3});
  Produce(2, 1);
  Produce(3, 0);
  EXPECT_TRUE(effects_.empty());  // nothing before the end of the tick
  Do(EndOfTick{});
  EXPECT_FALSE(Done(1).has_value());
  EXPECT_FALSE(Done(2).has_value());
  EXPECT_TRUE(Acknowledged(3));
  EXPECT_EQ(fs_.syncs_in_flight(), 1u);
  EXPECT_EQ(partition_->high_watermark(), Offset(0));
  EXPECT_TRUE(Read(0).slice.empty());

  CompleteSyncs();
  EXPECT_EQ(partition_->high_watermark(), Offset(5));
  ASSERT_TRUE(Acknowledged(1));
  EXPECT_EQ(Done(1)->base_offset, Offset(0));
  EXPECT_EQ(Done(2)->base_offset, Offset(3));
  EXPECT_EQ(Done(1)->log_start_offset, Offset(0));
  EXPECT_EQ(Read(0).slice.next_offset, Offset(5));
}

TEST_F(PartitionTest, UnderOsNothingWaits) {
  Open({.durability = Durability::kOs});
  Lead(1);
  Produce(1, kAcksAll);
  Produce(2, 1);
  Do(EndOfTick{});
  EXPECT_TRUE(Acknowledged(1));
  EXPECT_TRUE(Acknowledged(2));
  EXPECT_EQ(partition_->high_watermark(), Offset(2));
  EXPECT_EQ(fs_.syncs_in_flight(), 0u);
}

TEST_F(PartitionTest, UnderOsFlushesByCountAndByTime) {
  Open({.durability = Durability::kOs, .flush_messages = 2, .flush_interval_ns = 100});
  Lead(1);
  EXPECT_FALSE(partition_->NextDeadline().has_value());
  Produce(1, 0);
  Do(EndOfTick{}, 7);
  EXPECT_EQ(fs_.syncs_in_flight(), 0u);
  EXPECT_EQ(partition_->NextDeadline(), MonotonicNs(107));
  Do(Tick{}, 106);
  EXPECT_EQ(fs_.syncs_in_flight(), 0u);
  Do(Tick{}, 107);
  EXPECT_EQ(fs_.syncs_in_flight(), 1u);
  CompleteSyncs();
  Produce(2, 0, {.records = 2});
  Do(EndOfTick{}, 200);
  EXPECT_EQ(fs_.syncs_in_flight(), 1u);
}

TEST_F(PartitionTest, AppendsDuringAFlushAreCoveredByTheNext) {
  Produce(1, kAcksAll);
  Do(EndOfTick{});
  Produce(2, kAcksAll);
  Do(EndOfTick{});
  EXPECT_EQ(fs_.syncs_in_flight(), 1u);
  SeededRandom random(1);
  ASSERT_TRUE(fs_.CompleteOneSync(random));
  std::vector<log::SyncDone> done;
  fs_.DrainSyncs(&done);
  Do(SyncDone{done.at(0)});
  EXPECT_TRUE(Acknowledged(1));
  EXPECT_FALSE(Done(2).has_value());
  EXPECT_EQ(partition_->high_watermark(), Offset(1));
  CompleteSyncs();
  EXPECT_TRUE(Acknowledged(2));
}

TEST_F(PartitionTest, TheHighWatermarkIsTheLeastOfTheReplicasInSync) {
  Lead(6, {kSelf, kOther});
  Produce(1, kAcksAll);
  Produce(2, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_TRUE(Acknowledged(2));
  EXPECT_FALSE(Done(1).has_value());
  EXPECT_EQ(partition_->high_watermark(), Offset(0));
  Do(ReplicaProgress{kOther, -1, Offset(2), Offset(1)});
  EXPECT_TRUE(Acknowledged(1));
  EXPECT_EQ(partition_->high_watermark(), Offset(1));
  Do(ReplicaProgress{kOther, -1, Offset(1), Offset(0)});  // late: nothing goes back
  EXPECT_EQ(partition_->high_watermark(), Offset(1));
  Lead(6, {kSelf}, 1);  // the follower drops out of the ISR
  EXPECT_EQ(partition_->high_watermark(), Offset(2));
}

TEST_F(PartitionTest, TooFewInSync) {
  Do(Reconfigure{{.min_insync_replicas = 2}});
  Produce(1, kAcksAll);
  EXPECT_EQ(Done(1)->error, ErrorCode::kNotEnoughReplicas);
  Produce(2, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_TRUE(Acknowledged(2));

  Lead(6, {kSelf, kOther});
  Produce(3, kAcksAll);
  Do(EndOfTick{});
  CompleteSyncs();
  Lead(6, {kSelf}, 1);  // written, but not on enough replicas any more
  Do(ReplicaProgress{kOther, -1, Offset(2), Offset(2)});
  EXPECT_EQ(Done(3)->error, ErrorCode::kNotEnoughReplicasAfterAppend);
}

TEST_F(PartitionTest, ALowerMinimumShowsWhatWaitedForMoreInSync) {
  Do(Reconfigure{{.min_insync_replicas = 2}});
  Produce(1, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_EQ(partition_->high_watermark(), Offset(0));
  Do(Reconfigure{{.min_insync_replicas = 1}});
  EXPECT_EQ(partition_->high_watermark(), Offset(1));
}

TEST_F(PartitionTest, NotMoreInSyncThanThereAreReplicas) {
  Do(Reconfigure{{.min_insync_replicas = 3}});
  Do(BecomeLeader{LeaderEpoch(6), 0, {kSelf, kOther}, {kSelf}});
  Produce(1, kAcksAll);
  EXPECT_EQ(Done(1)->error, ErrorCode::kNotEnoughReplicas);
  Do(BecomeLeader{LeaderEpoch(7), 0, {kSelf}, {kSelf}});
  Produce(2, kAcksAll);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_TRUE(Acknowledged(2));
}

TEST_F(PartitionTest, AFollowerThatLeavesTheIsrHoldsUpNothingAnyMore) {
  Lead(6, {kSelf, kOther});
  Produce(1, kAcksAll);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_FALSE(Done(1).has_value());
  Lead(6, {kSelf}, 1);
  EXPECT_TRUE(Acknowledged(1));
}

TEST_F(PartitionTest, WaitsEnd) {
  Produce(1, kAcksAll, {}, /*deadline_ns=*/50);
  Produce(2, kAcksAll, {}, /*deadline_ns=*/90);
  Do(EndOfTick{});
  EXPECT_EQ(partition_->NextDeadline(), MonotonicNs(50));
  Do(Tick{}, 49);
  EXPECT_FALSE(Done(1).has_value());
  Do(Tick{}, 50);
  EXPECT_EQ(Done(1)->error, ErrorCode::kRequestTimedOut);
  EXPECT_FALSE(Done(2).has_value());
  CompleteSyncs();
  EXPECT_TRUE(Acknowledged(2));
  EXPECT_EQ(Count(0), 2);  // nobody is answered twice
}

TEST_F(PartitionTest, RefusalsOfOneBatchLeaveTheOthers) {
  const log::TestBatch first = {.producer = ProducerId(7), .sequence = 0};
  Produce(1, kAcksAll, first);
  Produce(2, kAcksAll, {.producer = ProducerId(7), .sequence = 5});
  Produce(3, kAcksAll, first);
  Produce(4, 7);
  EXPECT_EQ(Done(4)->error, ErrorCode::kInvalidRequiredAcks);
  Do(EndOfTick{});
  EXPECT_EQ(Done(2)->error, ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_FALSE(Done(3).has_value());  // the duplicate is not safer than the original
  CompleteSyncs();
  EXPECT_TRUE(Acknowledged(1));
  ASSERT_TRUE(Acknowledged(3));
  EXPECT_EQ(Done(3)->base_offset, Offset(0));
  EXPECT_EQ(partition_->high_watermark(), Offset(1));
}

TEST_F(PartitionTest, LeaderEpochsFence) {
  EXPECT_EQ(Read(0, 4).error, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(Read(0, 6).error, ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(Read(0, 5).error, ErrorCode::kNone);
  EXPECT_EQ(Read(0).error, ErrorCode::kNone);
  Lead(4);  // stale
  EXPECT_EQ(partition_->leader_epoch(), LeaderEpoch(5));
  Lead(5, {kSelf, kOther}, 0);  // not newer
  EXPECT_EQ(partition_->isr().size(), 1u);
  EXPECT_EQ(partition_->EpochEndOffset(LeaderEpoch(4), LeaderEpoch(1)).error,
            ErrorCode::kFencedLeaderEpoch);
}

// A leader that has written nothing yet ends its epoch, and begins it, at the log's end.
TEST_F(PartitionTest, AnEpochWithoutRecordsHasAnEnd) {
  Produce(1, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  Lead(8);
  const auto end_of = [&](int32_t epoch) {
    return partition_->EpochEndOffset(LeaderEpoch(8), LeaderEpoch(epoch)).end;
  };
  EXPECT_EQ(end_of(8).epoch, LeaderEpoch(8));
  EXPECT_EQ(end_of(8).end_offset, Offset(1));
  EXPECT_EQ(end_of(7).epoch, LeaderEpoch(5));
  EXPECT_EQ(end_of(7).end_offset, Offset(1));
  EXPECT_EQ(end_of(9).end_offset, kNoOffset);
  const ReadAnswer answer =
      partition_->Read({Offset(1), 1000, false, LeaderEpoch(8), LeaderEpoch(8)});
  EXPECT_EQ(answer.error, ErrorCode::kNone);
  EXPECT_EQ(answer.diverging.end_offset, kNoOffset);
}

// Its epochs went with its log's start, which a crash has moved back: what lies before the leader's
// start is no reason to begin anew, or its offsets would count from 0 again when it leads.
TEST_F(PartitionTest, AFollowerWithoutEpochsIsCutOffAtTheLeadersStart) {
  for (WaitToken i = 1; i <= 4; ++i) Produce(i, 1, {.records = 3});
  Do(EndOfTick{});
  CompleteSyncs();
  const Now now{MonotonicNs(0), 1000};
  Effects effects;
  ASSERT_EQ(partition_->DeleteRecords(Offset(9), &effects).error, ErrorCode::kNone);
  FollowRequest request;
  request.broker = kOther;
  request.leader_epoch = LeaderEpoch(5);
  request.log_end = request.flushed = Offset(12);
  FollowAnswer answer = partition_->Follow(now, request, &effects);
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.ended.error, ErrorCode::kNone);
  EXPECT_EQ(answer.ended.diverging.end_offset, Offset(9));
  request.log_end = request.flushed = Offset(9);
  answer = partition_->Follow(now, request, &effects);
  EXPECT_TRUE(answer.ok) << answer.ended.diverging.end_offset.value();
  request.log_end = request.flushed = Offset(8);
  EXPECT_EQ(partition_->Follow(now, request, &effects).ended.error, ErrorCode::kOffsetOutOfRange);
}

TEST_F(PartitionTest, StoppingRefusesEverythingThatWaits) {
  Produce(1, kAcksAll);
  Do(EndOfTick{});
  Produce(2, kAcksAll);
  Do(RegisterFetchWaiter{9, Offset(0)});
  Do(StopLeading{});
  EXPECT_EQ(Done(1)->error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Done(2)->error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_TRUE(Woken(9));
  EXPECT_EQ(Read(0).error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(List(kLatestTimestamp).error, ErrorCode::kNotLeaderOrFollower);
  Produce(3, 1);
  EXPECT_EQ(Done(3)->error, ErrorCode::kNotLeaderOrFollower);
  Do(EndOfTick{});
  EXPECT_EQ(partition_->log().log_end_offset(), Offset(1));
}

TEST_F(PartitionTest, AFailedFlushIsNeverAcknowledged) {
  Produce(1, kAcksAll);
  Do(EndOfTick{});
  Do(RegisterFetchWaiter{9, Offset(0)});
  fs_.InjectFault({.op = log::FileOp::kSync, .path_contains = "", .times = 1});
  CompleteSyncs();
  EXPECT_EQ(Done(1)->error, ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(Woken(9));
  EXPECT_EQ(Count(3), 1);  // LogFailed
  EXPECT_EQ(partition_->high_watermark(), Offset(0));
  Produce(2, 1);
  EXPECT_EQ(Done(2)->error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(Read(0).error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(Count(3), 1);
}

// What is there counts whole, wherever batches and segments end.
TEST_F(PartitionTest, ReadersOfSeveralSegmentsFindTheirBytes) {
  const int64_t batch_bytes = static_cast<int64_t>(log::MakeBatch({}).size());
  log::LogConfig config;
  config.segment_bytes = 3 * batch_bytes;
  partition_->log().set_config(config);
  for (int i = 0; i < 10; ++i) {
    Produce(1, 1);
    Do(EndOfTick{});
  }
  CompleteSyncs();
  Do(RegisterFetchWaiter{1, Offset(2), 5 * batch_bytes});
  EXPECT_TRUE(Woken(1));
  Do(RegisterFetchWaiter{2, Offset(2), 5 * batch_bytes + 1, /*read_committed=*/true});
  EXPECT_TRUE(Woken(2));
  Do(RegisterFetchWaiter{3, Offset(2), 8 * batch_bytes + 1});
  EXPECT_FALSE(Woken(3));
}

TEST_F(PartitionTest, ReadersOfCommittedRecordsCountWhatBecomesStable) {
  Do(RegisterFetchWaiter{1, Offset(0), 250, /*read_committed=*/true});
  for (int i = 0; i < 10; ++i) ProduceIn(7, i);
  CompleteSyncs();
  EXPECT_FALSE(Woken(1));
  Mark(7, /*aborts=*/false);
  CompleteSyncs();
  EXPECT_TRUE(Woken(1));
}

TEST_F(PartitionTest, ReadersWaitForEnoughReadableBytes) {
  const int64_t batch_bytes = static_cast<int64_t>(log::MakeBatch({}).size());
  Do(RegisterFetchWaiter{1, Offset(0), 1});
  Do(RegisterFetchWaiter{2, Offset(0), 2 * batch_bytes});
  Do(RegisterFetchWaiter{3, Offset(0), 1});
  Do(CancelFetchWaiter{3});
  Produce(1, 1);
  Do(EndOfTick{});
  EXPECT_FALSE(Woken(1));  // written, not yet safe
  CompleteSyncs();
  EXPECT_TRUE(Woken(1));
  EXPECT_FALSE(Woken(2));
  EXPECT_FALSE(Woken(3));
  Do(RegisterFetchWaiter{4, Offset(0), 1});  // there is something already
  EXPECT_TRUE(Woken(4));
  Do(RegisterFetchWaiter{5, Offset(0), 2 * batch_bytes});  // half of it is there
  EXPECT_FALSE(Woken(5));
  Produce(2, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_TRUE(Woken(2));
  EXPECT_TRUE(Woken(5));
  Do(RegisterFetchWaiter{6, Offset(99), 1});  // out of range: has to be told
  EXPECT_TRUE(Woken(6));
}

TEST_F(PartitionTest, ReadsAreBoundedAndChecked) {
  Produce(1, 1, {.records = 2});
  Do(EndOfTick{});
  EXPECT_EQ(Read(2).error, ErrorCode::kNone);  // written, hidden: empty
  EXPECT_TRUE(Read(2).slice.empty());
  EXPECT_EQ(Read(3).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(Read(-1).error, ErrorCode::kOffsetOutOfRange);
  CompleteSyncs();
  const ReadAnswer answer = Read(0);
  EXPECT_EQ(answer.high_watermark, Offset(2));
  EXPECT_EQ(answer.last_stable_offset, Offset(2));
  EXPECT_EQ(answer.log_start_offset, Offset(0));
  // A reader whose log went on in an epoch that ended here earlier.
  Lead(8);
  Produce(2, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  const ReadAnswer diverged = partition_->Read(
      {.offset = Offset(3), .bytes_max = 1000, .last_fetched_epoch = LeaderEpoch(5)});
  EXPECT_EQ(diverged.diverging, (log::EpochEnd{LeaderEpoch(5), Offset(2)}));
  EXPECT_EQ(partition_->EpochEndOffset(LeaderEpoch(8), LeaderEpoch(5)).end,
            (log::EpochEnd{LeaderEpoch(5), Offset(2)}));
}

TEST_F(PartitionTest, OffsetsByTimestamp) {
  EXPECT_EQ(List(kMaxTimestamp).offset, kNoOffset);
  EXPECT_EQ(List(kEarliestTimestamp).leader_epoch, LeaderEpoch(5));
  Produce(1, 1, {.records = 2, .timestamp = 100, .timestamp_step = 50});
  Produce(2, 1, {.timestamp = 120});
  Do(EndOfTick{});
  EXPECT_EQ(List(kLatestTimestamp).offset, Offset(0));
  EXPECT_EQ(List(kMaxTimestamp).offset, kNoOffset);  // not readable yet
  EXPECT_EQ(List(100).offset, kNoOffset);
  CompleteSyncs();
  EXPECT_EQ(List(kLatestTimestamp).offset, Offset(3));
  EXPECT_EQ(List(kLatestTimestamp).leader_epoch, LeaderEpoch(5));
  EXPECT_EQ(List(kEarliestTimestamp).offset, Offset(0));
  EXPECT_EQ(List(kEarliestLocalTimestamp).offset, Offset(0));
  EXPECT_EQ(List(kMaxTimestamp).offset, Offset(1));
  EXPECT_EQ(List(kMaxTimestamp).timestamp, 150);
  EXPECT_EQ(List(101).offset, Offset(1));
  EXPECT_EQ(List(151).offset, kNoOffset);
  EXPECT_EQ(List(kLatestTieredTimestamp).offset, kNoOffset);
  EXPECT_EQ(List(kEarliestPendingUploadTimestamp).offset, kNoOffset);
  EXPECT_EQ(List(-7).error, ErrorCode::kUnsupportedVersion);
}

TEST_F(PartitionTest, ANewLeaderTellsOfOffsetsOnceItShowsAllOfTheEpochsBefore) {
  Produce(1, 1);
  Do(EndOfTick{});
  Lead(6);
  EXPECT_EQ(List(kLatestTimestamp).error, ErrorCode::kOffsetNotAvailable);
  CompleteSyncs();
  EXPECT_EQ(List(kLatestTimestamp).offset, Offset(1));
}

// As Kafka: what is committed was, whoever led.
TEST_F(PartitionTest, ANewLeaderFindsByTimestampWhatIsCommitted) {
  Produce(1, 1, {.timestamp = 100});
  Do(EndOfTick{});
  CompleteSyncs();
  Produce(2, 1, {.timestamp = 200});
  Do(EndOfTick{});
  Lead(6);
  EXPECT_EQ(List(100).error, ErrorCode::kNone);
  EXPECT_EQ(List(100).offset, Offset(0));
  EXPECT_EQ(List(200).error, ErrorCode::kOffsetNotAvailable);
  EXPECT_EQ(List(kMaxTimestamp).error, ErrorCode::kOffsetNotAvailable);
  EXPECT_EQ(List(300).error, ErrorCode::kNone);
  EXPECT_EQ(List(300).offset, kNoOffset);
  CompleteSyncs();
  EXPECT_EQ(List(200).offset, Offset(1));
}

TEST_F(PartitionTest, CommittedReadersEndAtTheLastStableOffset) {
  Produce(1, 1);
  Do(EndOfTick{});        // 0
  ProduceIn(7, 0, 2000);  // 1
  ProduceIn(8, 0, 3000);  // 2
  CompleteSyncs();
  EXPECT_EQ(partition_->last_stable_offset(), Offset(1));
  EXPECT_EQ(ReadCommitted(0).slice.next_offset, Offset(1));
  EXPECT_EQ(ReadCommitted(0).last_stable_offset, Offset(1));
  EXPECT_EQ(Read(0).slice.next_offset, Offset(3));
  EXPECT_TRUE(ReadCommitted(2).slice.empty());
  EXPECT_EQ(ReadCommitted(2).error, ErrorCode::kNone);
  EXPECT_EQ(List(kLatestTimestamp, true).offset, Offset(1));
  EXPECT_EQ(List(kLatestTimestamp).offset, Offset(3));
  EXPECT_EQ(List(1500, true).offset, kNoOffset) << "it is there, but not stable";
  EXPECT_EQ(List(1500).offset, Offset(1));
  EXPECT_EQ(List(kMaxTimestamp, true).offset, kNoOffset);

  Mark(7, /*aborts=*/true);  // 3
  EXPECT_EQ(partition_->last_stable_offset(), Offset(1)) << "the marker can still be lost";
  CompleteSyncs();
  EXPECT_EQ(partition_->last_stable_offset(), Offset(2));
  const ReadAnswer answer = ReadCommitted(0);
  EXPECT_EQ(answer.slice.next_offset, Offset(2));
  ASSERT_EQ(answer.aborted.size(), 1u);
  EXPECT_EQ(answer.aborted[0].producer_id, ProducerId(7));
  EXPECT_EQ(answer.aborted[0].first_offset, Offset(1));
  EXPECT_TRUE(Read(0).aborted.empty());
  Mark(8, /*aborts=*/false);  // 4
  CompleteSyncs();
  EXPECT_EQ(ReadCommitted(0).slice.next_offset, Offset(5));
  EXPECT_EQ(List(2500, true).offset, Offset(2));
  // What the log held when it opened.
  Open({});
  Lead(6);
  EXPECT_EQ(partition_->last_stable_offset(), Offset(5));
  EXPECT_EQ(ReadCommitted(0).aborted.size(), 1u);
}

TEST_F(PartitionTest, CommittedReadersWaitForTheLastStableOffset) {
  const int64_t batch_bytes = static_cast<int64_t>(log::MakeBatch({}).size());
  const auto wait = [&](WaitToken token, int64_t offset, int64_t bytes) {
    Do(RegisterFetchWaiter{token, Offset(offset), bytes, /*read_committed=*/true});
  };
  wait(1, 0, 1);
  wait(2, 0, 2 * batch_bytes);
  ProduceIn(7, 0);
  ProduceIn(8, 0);
  CompleteSyncs();
  wait(3, 1, 1);
  EXPECT_FALSE(Woken(1));
  Mark(7, false);
  EXPECT_FALSE(Woken(1));
  CompleteSyncs();
  EXPECT_TRUE(Woken(1));
  EXPECT_FALSE(Woken(2)) << "one batch is not enough";
  EXPECT_FALSE(Woken(3));
  wait(4, 0, 1);  // there is something already
  EXPECT_TRUE(Woken(4));
  Mark(8, true);
  CompleteSyncs();
  EXPECT_TRUE(Woken(2));
  EXPECT_TRUE(Woken(3));
  wait(5, 4, 1);
  Produce(1, 1);
  Do(EndOfTick{});
  CompleteSyncs();
  EXPECT_TRUE(Woken(5));
  EXPECT_EQ(partition_->reader_count(), 0u);
}

TEST_F(PartitionTest, WhatTransactionsRefuseHasKafkasErrors) {
  const log::TestBatch transactional{
      .producer = ProducerId(7),
      .sequence = 0,
      .attributes = protocol::record_batch_attribute::kTransactional};
  Produce(1, 1, transactional);
  Do(EndOfTick{});
  EXPECT_EQ(Done(1)->error, ErrorCode::kInvalidTxnState);
  ProduceIn(7, 0);
  buffers_.push_back(log::MakeMarker({.producer = ProducerId(7)}));
  Do(Append{absl::MakeSpan(buffers_.back().data(), buffers_.back().size()), 1, MonotonicNs(kNever),
            2});
  Do(EndOfTick{});
  EXPECT_EQ(Done(2)->error, ErrorCode::kInvalidRecord);
  Mark(7, false);
  buffers_.push_back(log::MakeMarker({.producer = ProducerId(7), .coordinator_epoch = -1}));
  Do(Append{absl::MakeSpan(buffers_.back().data(), buffers_.back().size()),
            1,
            MonotonicNs(kNever),
            3,
            {log::AppendOrigin::kCoordinator}});
  Do(EndOfTick{});
  EXPECT_EQ(Done(3)->error, ErrorCode::kTransactionCoordinatorFenced);
}

TEST_F(PartitionTest, GoesOnWithTheLogInAnotherFolder) {
  const int64_t batch_bytes = static_cast<int64_t>(log::MakeBatch({}).size());
  Produce(1, kAcksAll, {.producer = ProducerId(7), .sequence = 0});
  Do(EndOfTick{});
  CompleteSyncs();
  const ReadAnswer before = Read(0);
  Produce(2, kAcksAll);
  Do(EndOfTick{});  // its flush is under way
  Do(RegisterFetchWaiter{9, Offset(1), 1});
  Do(RegisterFetchWaiter{10, Offset(1), 2 * batch_bytes});
  Produce(3, kAcksAll);  // for the end of the tick
  EXPECT_FALSE(Done(2).has_value());

  std::unique_ptr<log::Log> old = Move();
  EXPECT_EQ(old->directory(), "/data/t-0");
  EXPECT_EQ(partition_->log().directory(), "/b/t-0");
  EXPECT_EQ(partition_->high_watermark(), Offset(2));
  ASSERT_TRUE(Acknowledged(2)) << "all of it is durable";
  EXPECT_EQ(Done(2)->base_offset, Offset(1));
  EXPECT_TRUE(Woken(9));
  EXPECT_FALSE(Woken(10));
  old.reset();
  EXPECT_EQ(log::SliceBytes(before.slice), log::SliceBytes(Read(0).slice).substr(0, batch_bytes));
  fs_.InjectFault({.op = log::FileOp::kSync, .path_contains = "/data", .times = 1});
  CompleteSyncs();
  EXPECT_TRUE(partition_->log().failed().ok()) << "of the old folder";

  Do(EndOfTick{});
  EXPECT_FALSE(Done(3).has_value());
  CompleteSyncs();
  ASSERT_TRUE(Acknowledged(3));
  EXPECT_EQ(Done(3)->base_offset, Offset(2));
  EXPECT_TRUE(Woken(10));
  Produce(4, kAcksAll, {.producer = ProducerId(7), .sequence = 0});
  Do(EndOfTick{});
  EXPECT_EQ(Done(4)->base_offset, Offset(0)) << "a repetition is known as one";
  EXPECT_EQ(partition_->log().log_end_offset(), Offset(3));
  Open({});
  EXPECT_EQ(partition_->log().log_end_offset(), Offset(0)) << "nothing is where it was";
}

// It need not advance for what readers see of transactions that were recovered with the log.
TEST_F(PartitionTest, WhatIsBelowTheHighWatermarkOfBeforeIsStable) {
  Lead(1);
  ProduceIn(7, 0);
  Mark(7, /*aborts=*/false);
  CompleteSyncs();
  ASSERT_EQ(partition_->last_stable_offset(), Offset(2));
  Open({.initial_high_watermark = Offset(2)});
  Lead(2);
  EXPECT_EQ(partition_->high_watermark(), Offset(2));
  EXPECT_EQ(partition_->last_stable_offset(), Offset(2));
}

TEST_F(PartitionTest, AMoveTellsOfNoTransactionThatIsNotStable) {
  Lead(6, {kSelf, kOther});
  ProduceIn(7, 0);
  Mark(7, /*aborts=*/true);
  ProduceIn(8, 0);
  Do(ReplicaProgress{kOther, -1, Offset(1), Offset(1)});
  CompleteSyncs();
  EXPECT_EQ(partition_->last_stable_offset(), Offset(0));
  Do(RegisterFetchWaiter{9, Offset(0), 1, /*read_committed=*/true});
  Move();
  EXPECT_EQ(partition_->last_stable_offset(), Offset(0)) << "the marker can still be lost";
  EXPECT_FALSE(Woken(9));
  Do(ReplicaProgress{kOther, -1, Offset(3), Offset(3)});
  EXPECT_EQ(partition_->last_stable_offset(), Offset(2));
  EXPECT_TRUE(Woken(9));
  EXPECT_EQ(ReadCommitted(0).aborted.size(), 1u);
  Mark(8, /*aborts=*/false);
  Do(ReplicaProgress{kOther, -1, Offset(4), Offset(4)});
  CompleteSyncs();
  EXPECT_EQ(partition_->last_stable_offset(), Offset(4));
  EXPECT_EQ(partition_->high_watermark(), Offset(4));
}

TEST_F(PartitionTest, FlushesByTimeGoOnInTheOtherFolder) {
  Open({.durability = Durability::kOs, .flush_interval_ns = 100});
  Lead(1);
  Produce(1, kAcksAll);
  Do(EndOfTick{}, 7);
  EXPECT_EQ(partition_->NextDeadline(), MonotonicNs(107));
  Move();
  EXPECT_FALSE(partition_->NextDeadline().has_value()) << "it is flushed";
  Produce(2, kAcksAll);
  Do(EndOfTick{}, 50);
  EXPECT_EQ(partition_->NextDeadline(), MonotonicNs(150));
  Do(Tick{}, 150);
  CompleteSyncs();
  EXPECT_EQ(partition_->log().flushed_offset(), Offset(2));
}

TEST_F(PartitionTest, WhatALogHeldWhenItOpenedIsReadable) {
  Produce(1, 1, {.records = 4});
  Do(EndOfTick{});
  CompleteSyncs();
  Open({});
  Lead(6);
  EXPECT_EQ(partition_->high_watermark(), Offset(4));
  EXPECT_EQ(Read(0).slice.next_offset, Offset(4));
}

}  // namespace
}  // namespace weir::replication
