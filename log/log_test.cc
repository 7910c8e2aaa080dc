#include "log/log.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::log {
namespace {

absl::StatusOr<std::string> NoDecoder(const protocol::RecordBatchView&) {
  return absl::UnimplementedError("no compression in these tests");
}

class LogTest : public ::testing::Test {
 protected:
  void Open(RecoveryHint hint = {}) {
    auto opened = TryOpen(hint);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = std::move(opened).value();
  }
  absl::StatusOr<std::unique_ptr<Log>> TryOpen(RecoveryHint hint = {}) {
    log_.reset();
    return Log::Open(fs_, "/data/t-0", config_, hint, 1000);
  }
  BatchToAppend Append(const TestBatch& spec, TimestampMs now_ms = 1000, int32_t epoch = 1) {
    std::string bytes = MakeBatch(spec);
    BatchToAppend batch;
    batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
    log_->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(epoch), now_ms);
    batch.bytes = {};
    return batch;
  }
  void CompleteSyncs() {
    std::vector<SyncDone> done;
    fs_.DrainSyncs(&done);
    for (const SyncDone& d : done) log_->OnSyncDone(d.token, d.status);
  }
  LogSlice Read(int64_t from, int64_t max_bytes = 1 << 20, int64_t upper = INT64_MAX,
                bool at_least_one = true) {
    auto slice = log_->Read(Offset(from), max_bytes, Offset(upper), at_least_one);
    EXPECT_TRUE(slice.ok()) << slice.status();
    return slice.value_or(LogSlice());
  }

  MemoryFileSystem fs_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, AppendsAndReads) {
  Open();
  const BatchToAppend first = Append({.records = 3});
  ASSERT_TRUE(first.status.ok()) << first.status;
  EXPECT_EQ(first.outcome, AppendOutcome::kAppended);
  EXPECT_EQ(first.base_offset, Offset(0));
  EXPECT_EQ(first.last_offset, Offset(2));
  EXPECT_EQ(Append({.records = 2, .fill = 'w'}).base_offset, Offset(3));
  EXPECT_EQ(log_->log_end_offset(), Offset(5));

  const std::string two = MakeBatch({.records = 2, .fill = 'w'});
  const LogSlice all = Read(1);
  EXPECT_EQ(all.first_offset, Offset(0));
  EXPECT_EQ(all.next_offset, Offset(5));
  const LogSlice second = Read(3);
  EXPECT_EQ(second.size_bytes, static_cast<int64_t>(two.size()));
  const std::string bytes = SliceBytes(second);
  const auto batch = protocol::RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->CrcIsValid());
  EXPECT_EQ(batch->base_offset(), Offset(3));
  EXPECT_EQ(batch->leader_epoch(), LeaderEpoch(1));
  EXPECT_TRUE(Read(5).empty());
  EXPECT_TRUE(absl::IsOutOfRange(log_->Read(Offset(6), 1, Offset(9), true).status()));
  EXPECT_TRUE(absl::IsOutOfRange(log_->Read(Offset(-1), 1, Offset(9), true).status()));
}

TEST_F(LogTest, SlicesEndAtBatchesBelowTheBounds) {
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append({.records = 2, .value_bytes = 100}).status.ok());
  const int64_t size = static_cast<int64_t>(MakeBatch({.records = 2, .value_bytes = 100}).size());
  EXPECT_EQ(Read(0, 10 * size + size / 2).size_bytes, 10 * size);
  EXPECT_EQ(Read(0, 10 * size).next_offset, Offset(20));
  EXPECT_EQ(Read(100, 1 << 20, 150).next_offset, Offset(150));
  EXPECT_EQ(Read(100, 1 << 20, 151).next_offset, Offset(150)) << "151 is inside a batch";
  EXPECT_EQ(Read(100, 1).size_bytes, size);
  EXPECT_TRUE(Read(100, 1, INT64_MAX, false).empty());
  EXPECT_TRUE(Read(100, 1 << 20, 101).empty());
  for (int64_t from = 0; from < 200; ++from) {
    EXPECT_EQ(Read(from, size).first_offset, Offset(from / 2 * 2)) << from;
  }
}

TEST_F(LogTest, WhereAReadEndedIsForgottenWithWhatIsTruncated) {
  Open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append({}).status.ok());
  const auto size = static_cast<int64_t>(MakeBatch({}).size());
  ASSERT_EQ(Read(0, 3 * size).next_offset, Offset(3));
  EXPECT_EQ(Read(3, size).position, 3 * size);
  ASSERT_EQ(Read(0, 3 * size).next_offset, Offset(3));
  ASSERT_TRUE(log_->TruncateTo(Offset(1)).ok());
  const TestBatch longer{.records = 2, .value_bytes = 100};
  ASSERT_TRUE(Append(longer).status.ok());
  ASSERT_TRUE(Append(longer).status.ok());
  const LogSlice slice = Read(3);
  EXPECT_EQ(slice.first_offset, Offset(3));
  EXPECT_EQ(slice.position, size + static_cast<int64_t>(MakeBatch(longer).size()));
}

TEST_F(LogTest, SeveralBatchesInOneCallAcrossSegments) {
  config_.segment_bytes = 1000;
  Open();
  std::vector<std::string> bytes(20, MakeBatch({.value_bytes = 100}));
  std::vector<BatchToAppend> batches(20);
  for (int i = 0; i < 20; ++i) batches[i].bytes = absl::MakeSpan(bytes[i].data(), bytes[i].size());
  batches[7].bytes = batches[7].bytes.subspan(0, 50);
  const int64_t before = fs_.boundaries();
  log_->Append(absl::MakeSpan(batches), LeaderEpoch(0), 1000);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(batches[i].status.ok(), i != 7) << i << batches[i].status;
    if (i != 7) {
      EXPECT_EQ(batches[i].base_offset, Offset(i < 7 ? i : i - 1));
    }
  }
  EXPECT_TRUE(absl::IsInvalidArgument(batches[7].status));
  EXPECT_EQ(log_->log_end_offset(), Offset(19));
  EXPECT_GT(log_->segments(), 2u);
  EXPECT_GT(fs_.boundaries(), before);
  Offset next(0);
  while (next < log_->log_end_offset()) next = Read(next.value()).next_offset;
  EXPECT_EQ(next, Offset(19));
}

TEST_F(LogTest, FlushedOffsetAdvancesWhenEverySyncIsDone) {
  config_.segment_bytes = 500;
  Open();
  fs_.set_manual_syncs(true);
  EXPECT_FALSE(log_->StartFlush());
  for (int i = 0; i < 10; ++i) Append({.value_bytes = 100});
  EXPECT_TRUE(log_->StartFlush());
  Append({});
  EXPECT_TRUE(log_->StartFlush());
  SeededRandom random(3);
  while (log_->flushed_offset() == Offset(0)) {
    ASSERT_TRUE(fs_.CompleteOneSync(random));
    const size_t left = fs_.syncs_in_flight();
    CompleteSyncs();
    if (left > 0) {
      EXPECT_EQ(log_->flushed_offset(), Offset(0));
    }
  }
  EXPECT_EQ(log_->flushed_offset(), Offset(10));
  EXPECT_TRUE(log_->flush_in_flight()) << "the one that was asked for meanwhile";
  while (fs_.CompleteOneSync(random)) CompleteSyncs();
  EXPECT_EQ(log_->flushed_offset(), Offset(11));
  EXPECT_FALSE(log_->flush_in_flight());
}

TEST_F(LogTest, AFailedSyncFailsTheLog) {
  Open();
  Append({});
  fs_.InjectFault({FileOp::kSync, ".log"});
  ASSERT_TRUE(log_->StartFlush());
  CompleteSyncs();
  EXPECT_TRUE(absl::IsDataLoss(log_->failed()));
  EXPECT_EQ(log_->flushed_offset(), Offset(0));
  EXPECT_TRUE(absl::IsDataLoss(Append({}).status));
  EXPECT_FALSE(log_->StartFlush());
  EXPECT_FALSE(Read(0).empty()) << "reads go on";
}

TEST_F(LogTest, AFullDiskRefusesAppendsUntilThereIsSpace) {
  Open();
  ASSERT_TRUE(Append({.producer = ProducerId(5), .sequence = 0}).status.ok());
  fs_.set_capacity_bytes(log_->size_bytes() + 100);
  const BatchToAppend refused =
      Append({.value_bytes = 500, .producer = ProducerId(5), .sequence = 1});
  EXPECT_EQ(refused.outcome, AppendOutcome::kRefused);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status));
  EXPECT_TRUE(log_->failed().ok());
  EXPECT_EQ(log_->log_end_offset(), Offset(1));
  fs_.set_capacity_bytes(1 << 20);
  const BatchToAppend accepted =
      Append({.value_bytes = 500, .producer = ProducerId(5), .sequence = 1});
  EXPECT_EQ(accepted.outcome, AppendOutcome::kAppended) << "the refused one left no trace";
  EXPECT_EQ(accepted.base_offset, Offset(1));
}

// librdkafka begins an epoch when it is told of a gap, and sends again all that it has no answer
// to, in all partitions: records would be there twice.
TEST_F(LogTest, WhatComesBehindABatchWithoutRoomIsNoGap) {
  Open();
  const ProducerId known(5), fresh(6);
  ASSERT_TRUE(Append({.producer = known, .sequence = 0}).status.ok());
  fs_.set_capacity_bytes(log_->size_bytes() + 100);
  for (const ProducerId p : {known, fresh}) {
    EXPECT_TRUE(absl::IsResourceExhausted(
        Append({.value_bytes = 500, .producer = p, .sequence = 1}).status));
  }
  fs_.set_capacity_bytes(1 << 20);
  for (const ProducerId p : {known, fresh}) {
    const BatchToAppend behind = Append({.producer = p, .sequence = 2});
    EXPECT_EQ(behind.outcome, AppendOutcome::kRefused);
    EXPECT_TRUE(absl::IsResourceExhausted(behind.status)) << behind.status;
  }
  EXPECT_EQ(Append({.producer = known, .sequence = 0}).outcome, AppendOutcome::kDuplicate);
  for (const ProducerId p : {known, fresh}) {
    EXPECT_EQ(Append({.value_bytes = 500, .producer = p, .sequence = 1}).outcome,
              AppendOutcome::kAppended);
    EXPECT_EQ(Append({.producer = p, .sequence = 2}).outcome, AppendOutcome::kAppended);
    EXPECT_EQ(Append({.producer = p, .sequence = 4}).outcome, AppendOutcome::kOutOfOrderSequence);
  }
}

TEST_F(LogTest, WhoHadNoRoomMayBeginAnEpoch) {
  Open();
  const ProducerId p(5);
  ASSERT_TRUE(Append({.producer = p, .sequence = 0}).status.ok());
  fs_.set_capacity_bytes(log_->size_bytes() + 100);
  Append({.value_bytes = 500, .producer = p, .sequence = 1});
  fs_.set_capacity_bytes(1 << 20);
  EXPECT_EQ(Append({.producer = p, .epoch = 1, .sequence = 0}).outcome, AppendOutcome::kAppended);
  EXPECT_EQ(Append({.producer = p, .epoch = 1, .sequence = 1}).outcome, AppendOutcome::kAppended);
}

// What a roll that was refused leaves behind must not end the segment before it.
TEST_F(LogTest, ARollThatIsRefusedForWantOfSpaceLeavesNothing) {
  constexpr int64_t kPlenty = int64_t{1} << 40;
  config_.segment_bytes = 1000;
  config_.preallocate = true;
  for (const bool clean : {false, true}) {
    fs_ = MemoryFileSystem();
    Open();
    for (int i = 0; i < 5; ++i) Append({.value_bytes = 100});
    fs_.set_capacity_bytes(kPlenty);
    fs_.set_capacity_bytes(kPlenty - *fs_.FreeBytes("/data") + 500);
    EXPECT_TRUE(absl::IsResourceExhausted(Append({.value_bytes = 400}).status));
    EXPECT_EQ(Append({.value_bytes = 5}).base_offset, Offset(5));
    fs_.set_capacity_bytes(kPlenty);
    EXPECT_EQ(Append({.value_bytes = 400}).base_offset, Offset(6));
    if (clean) {
      ASSERT_TRUE(log_->Close().ok());
    } else {
      ASSERT_TRUE(log_->Flush().ok());
      fs_.KillProcess();
    }
    Open({.clean = clean});
    EXPECT_EQ(log_->log_end_offset(), Offset(7));
    EXPECT_EQ(Read(5, 1).first_offset, Offset(5));
    EXPECT_EQ(Read(6, 1).first_offset, Offset(6));
  }
}

TEST_F(LogTest, AStartThatCouldNotBeNotedDoesNotMove) {
  Open();
  for (int i = 1; i <= 3; ++i) Append({}, 1000, /*epoch=*/i);
  fs_.set_capacity_bytes(1);
  EXPECT_TRUE(absl::IsResourceExhausted(log_->AdvanceLogStart(Offset(2))));
  EXPECT_EQ(log_->log_start_offset(), Offset(0));
  fs_.set_capacity_bytes(int64_t{1} << 40);
  EXPECT_TRUE(log_->AdvanceLogStart(Offset(2)).ok());
  EXPECT_EQ(log_->log_start_offset(), Offset(2));
}

TEST_F(LogTest, ABatchThatCouldNotBeReadAgainIsRefused) {
  Open();
  const BatchToAppend batch = Append({.value_bytes = size_t{kRecordBatchBytesMax}});
  EXPECT_EQ(batch.outcome, AppendOutcome::kTooLarge);
  EXPECT_EQ(log_->log_end_offset(), Offset(0));
  EXPECT_EQ(Append({}).base_offset, Offset(0));
}

TEST_F(LogTest, ATruncationThatMeetsAFullDiskFailsTheLog) {
  Open();
  Append({}, 1000, /*epoch=*/1);
  Append({}, 1000, /*epoch=*/2);
  fs_.set_capacity_bytes(1);
  EXPECT_TRUE(absl::IsResourceExhausted(log_->TruncateTo(Offset(1))));
  EXPECT_FALSE(log_->failed().ok());  // a part of it is done
}

TEST_F(LogTest, AnIoErrorOnAppendFailsTheLog) {
  Open();
  Append({});
  fs_.InjectFault({FileOp::kAppend, ".log", 1, 1});
  EXPECT_TRUE(absl::IsDataLoss(Append({}).status));
  EXPECT_TRUE(absl::IsDataLoss(log_->failed()));
  EXPECT_EQ(log_->log_end_offset(), Offset(1));
}

// Found by the simulator: the segment seemed empty after that, and readers went on behind it.
TEST_F(LogTest, ASegmentThatCouldNotBeReadOnceIsReadLater) {
  config_.segment_bytes = 100;
  Open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append({.records = 2, .value_bytes = 80}).status.ok());
  ASSERT_EQ(log_->segments(), 3u);
  log_->Tick(1000);
  log_->Tick(1000);  // nobody used the indexes meanwhile
  ASSERT_TRUE(fs_.Remove("/data/t-0/00000000000000000000.index").ok());
  fs_.InjectFault({FileOp::kRead, "00000000000000000000.log", 1, 1});
  EXPECT_FALSE(log_->Read(Offset(1), 1 << 20, Offset(6), true).ok());
  EXPECT_EQ(Read(1).first_offset, Offset(0));
  EXPECT_EQ(Read(0).next_offset, Offset(2));
}

TEST_F(LogTest, Idempotence) {
  Open();
  const ProducerId p(7);
  EXPECT_EQ(Append({.records = 3, .producer = p, .sequence = 10}).outcome, AppendOutcome::kAppended)
      << "an unknown producer may start anywhere";
  EXPECT_EQ(Append({.records = 2, .producer = p, .sequence = 13}).base_offset, Offset(3));
  const BatchToAppend again = Append({.records = 3, .producer = p, .sequence = 10});
  EXPECT_EQ(again.outcome, AppendOutcome::kDuplicate);
  EXPECT_EQ(again.base_offset, Offset(0));
  EXPECT_EQ(again.last_offset, Offset(2));
  EXPECT_EQ(Append({.records = 1, .producer = p, .sequence = 16}).outcome,
            AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(Append({.producer = p, .epoch = 1, .sequence = 3}).outcome,
            AppendOutcome::kOutOfOrderSequence)
      << "a new epoch starts at 0";
  EXPECT_EQ(Append({.producer = p, .epoch = 1, .sequence = 0}).outcome, AppendOutcome::kAppended);
  EXPECT_EQ(Append({.producer = p, .epoch = 0, .sequence = 15}).outcome,
            AppendOutcome::kInvalidProducerEpoch);
  EXPECT_EQ(log_->log_end_offset(), Offset(6));
}

TEST_F(LogTest, LogAppendTime) {
  config_.log_append_time = true;
  Open();
  EXPECT_EQ(Append({.timestamp = 5}, 777).log_append_time, 777);
  const std::string bytes = SliceBytes(Read(0));
  const auto batch = protocol::RecordBatchView::Parse(bytes);
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->CrcIsValid());
  EXPECT_EQ(batch->max_timestamp(), 777);
  EXPECT_EQ(batch->timestamp_type(), protocol::TimestampType::kLogAppendTime);
}

TEST_F(LogTest, RollsByTime) {
  config_.segment_ms = 100;
  Open();
  Append({.timestamp = 1000});
  Append({.timestamp = 1100});
  EXPECT_EQ(log_->segments(), 1u);
  Append({.timestamp = 1101});
  EXPECT_EQ(log_->segments(), 2u);
}

TEST_F(LogTest, FindsRecordsByTime) {
  config_.segment_bytes = 2000;
  config_.index_interval_bytes = 300;
  Open();
  for (int i = 0; i < 50; ++i) {
    Append({.records = 4, .timestamp = 1000 + i * 40, .timestamp_step = 10});
  }
  ASSERT_GT(log_->segments(), 2u);
  for (int64_t target = 990; target <= 2990; target += 5) {
    const auto found = log_->FindByTimestamp(target, Offset(1000), NoDecoder);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_TRUE(found->has_value()) << target;
    const int64_t expected = target <= 1000 ? 0 : (target - 1000 + 9) / 10;
    EXPECT_EQ((*found)->offset, Offset(expected));
    EXPECT_EQ((*found)->timestamp, 1000 + expected * 10);
    EXPECT_EQ((*found)->leader_epoch, LeaderEpoch(1));
  }
  EXPECT_FALSE((*log_->FindByTimestamp(2991, Offset(1000), NoDecoder)).has_value());
  EXPECT_FALSE((*log_->FindByTimestamp(2000, Offset(50), NoDecoder)).has_value());
  const auto latest = log_->MaxTimestamp(NoDecoder);
  ASSERT_TRUE(latest.ok() && latest->has_value());
  EXPECT_EQ((*latest)->offset, Offset(199));
}

// Of records before the log's start nothing is told.
TEST_F(LogTest, FindsRecordsByTimeBehindALogStartInsideABatch) {
  Open();
  Append({.records = 10, .timestamp = 1000, .timestamp_step = -100});  // the first is the latest
  Append({.timestamp = 1100});
  ASSERT_TRUE(log_->AdvanceLogStart(Offset(5)).ok());
  const auto found = log_->FindByTimestamp(900, Offset(11), NoDecoder);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->offset, Offset(10));
  EXPECT_EQ((*found)->timestamp, 1100);
  EXPECT_EQ((*log_->FindByTimestamp(450, Offset(11), NoDecoder))->offset, Offset(5));
}

// They count from when their segment was made.
TEST_F(LogTest, RetentionByTimeOfRecordsWithoutTimestamps) {
  config_.segment_bytes = 500;
  config_.retention_ms = 100;
  Open();
  for (int i = 0; i < 20; ++i) Append({.value_bytes = 100, .timestamp = kNoTimestamp}, 1000);
  EXPECT_EQ(*log_->DeleteOldSegments(1100, Offset(20)), 0);
  EXPECT_GT(*log_->DeleteOldSegments(1101, Offset(20)), 3);
}

// Apache Kafka's cleaner leaves segments without batches.
TEST_F(LogTest, RetentionTakesAnEmptySegmentInTheMiddle) {
  config_.segment_bytes = 500;
  config_.retention_ms = 100;
  Open();
  for (int i = 0; i < 20; ++i) Append({.value_bytes = 100});
  ASSERT_TRUE(log_->Close().ok());
  {
    const auto file = fs_.Open("/data/t-0/00000000000000000000.log", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->Truncate(0).ok());
  }
  ASSERT_TRUE(fs_.Remove("/data/t-0/00000000000000000000.index").ok());
  ASSERT_TRUE(fs_.Remove("/data/t-0/00000000000000000000.timeindex").ok());
  Open({.clean = true});
  const size_t segments = log_->segments();
  EXPECT_EQ(*log_->DeleteOldSegments(100'000, Offset(20)), static_cast<int>(segments));
}

// The first batch of a run is not in the segment yet when the second is looked at.
TEST_F(LogTest, ARunIntoAnEmptySegmentDoesNotRollByItsAge) {
  config_.segment_ms = 100;
  Open();
  std::string bytes[2] = {MakeBatch({.timestamp = 9000}), MakeBatch({.timestamp = 9001})};
  BatchToAppend batches[2];
  for (int i = 0; i < 2; ++i) batches[i].bytes = absl::MakeSpan(bytes[i].data(), bytes[i].size());
  log_->Append(absl::MakeSpan(batches), LeaderEpoch(1), 9001);
  EXPECT_EQ(log_->segments(), 1u);
}

TEST_F(LogTest, DamageKeepsNothingBackThatStandsBeforeIt) {
  Open();
  for (int i = 0; i < 30; ++i) Append({.value_bytes = 100});
  const int64_t batch_bytes = log_->size_bytes() / 30;
  fs_.Corrupt("/data/t-0/00000000000000000000.log", batch_bytes * 25 + 16);
  EXPECT_FALSE(Read(0, 400, /*upper=*/29).empty());
  EXPECT_FALSE(Read(0, 400, /*upper=*/30).empty());
}

// A batch that claims more offsets than there are: nobody would ever come to it, nor past it.
TEST_F(LogTest, ABatchThatEndsBehindItsSegmentIsDamage) {
  Open();
  for (int i = 0; i < 30; ++i) Append({.value_bytes = 100});
  const int64_t batch_bytes = log_->size_bytes() / 30;
  constexpr auto kLastOffsetDelta =
      static_cast<int64_t>(protocol::record_batch_at::kLastOffsetDelta);
  fs_.Corrupt("/data/t-0/00000000000000000000.log", batch_bytes * 10 + kLastOffsetDelta + 1);
  EXPECT_TRUE(absl::IsDataLoss(log_->Read(Offset(10), 4000, Offset(30), true).status()));
  EXPECT_TRUE(absl::IsDataLoss(log_->Read(Offset(20), 4000, Offset(30), true).status()));
  EXPECT_FALSE(Read(0, 400, /*upper=*/30).empty());
}

TEST_F(LogTest, RetentionByTimeRollsTheLastSegmentAndDeletesLater) {
  config_.retention_ms = 1000;
  config_.segment_bytes = 500;
  Open();
  for (int i = 0; i < 20; ++i) Append({.value_bytes = 100, .timestamp = 1000 + i});
  const size_t before = log_->segments();
  ASSERT_GT(before, 3u);
  EXPECT_EQ(*log_->DeleteOldSegments(2000, Offset(20)), 0);
  const LogSlice kept = Read(0);
  EXPECT_EQ(*log_->DeleteOldSegments(2010, Offset(3)), 1) << "not beyond the high watermark";
  EXPECT_EQ(*log_->DeleteOldSegments(5000, Offset(20)), static_cast<int>(before) - 1);
  EXPECT_EQ(log_->log_start_offset(), Offset(20));
  EXPECT_EQ(log_->segments(), 1u);
  EXPECT_FALSE(SliceBytes(kept).empty()) << "a slice outlives its segment";
  const auto count = [&] { return fs_.List("/data/t-0")->size(); };
  const size_t files = count();
  log_->Tick(5000 + config_.file_delete_delay_ms - 1);
  EXPECT_GT(count(), 5u);
  log_->Tick(5000 + config_.file_delete_delay_ms);
  EXPECT_LT(count(), files);
  EXPECT_EQ(Append({}).base_offset, Offset(20));
}

TEST_F(LogTest, RetentionBySize) {
  config_.retention_ms = -1;
  config_.retention_bytes = 1000;
  config_.segment_bytes = 500;
  Open();
  for (int i = 0; i < 20; ++i) Append({.value_bytes = 100});
  EXPECT_GT(*log_->DeleteOldSegments(1000, Offset(20)), 0);
  EXPECT_GE(log_->size_bytes(), 1000);
  EXPECT_LT(log_->size_bytes(), 1600);
}

// A producer's last batch may be in a segment that goes: its snapshot must be on the disk by then,
// without a sync of all that was appended since.
TEST_F(LogTest, RetentionKeepsProducersWithoutAFlush) {
  config_.retention_ms = -1;
  config_.retention_bytes = 0;
  config_.segment_bytes = 500;
  const ProducerId p(7);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    fs_ = MemoryFileSystem(seed);
    Open();
    ASSERT_TRUE(fs_.SyncDirectory("/").ok() && fs_.SyncDirectory("/data").ok());
    Append({.producer = p, .sequence = 0});
    for (int i = 0; i < 20; ++i) Append({.value_bytes = 100});
    ASSERT_GT(*log_->DeleteOldSegments(1000, Offset(10)), 1);
    EXPECT_EQ(log_->flushed_offset(), Offset(0));
    SeededRandom random(seed);
    fs_.PowerLoss(random);
    Open();
    EXPECT_EQ(Append({.producer = p, .sequence = 0}).outcome, AppendOutcome::kDuplicate);
  }
}

TEST_F(LogTest, LogStartHidesRecordsAndFreesSegments) {
  config_.segment_bytes = 500;
  config_.retention_ms = -1;
  Open();
  for (int i = 0; i < 20; ++i) Append({.value_bytes = 100});
  EXPECT_TRUE(absl::IsOutOfRange(log_->AdvanceLogStart(Offset(21))));
  ASSERT_TRUE(log_->AdvanceLogStart(Offset(10)).ok());
  EXPECT_TRUE(absl::IsOutOfRange(log_->Read(Offset(9), 1, Offset(20), true).status()));
  EXPECT_GT(*log_->DeleteOldSegments(1000, Offset(20)), 0);
  EXPECT_EQ(log_->log_start_offset(), Offset(10));
  EXPECT_EQ(Read(10).first_offset, Offset(10));
}

TEST_F(LogTest, TruncatesRecordsEpochsAndProducers) {
  config_.segment_bytes = 500;
  Open();
  const ProducerId p(7);
  for (int i = 0; i < 20; ++i) {
    Append({.value_bytes = 100, .producer = p, .sequence = i}, 1000, i < 10 ? 1 : 2);
  }
  EXPECT_EQ(log_->EpochEndOffset(LeaderEpoch(1)).end_offset, Offset(10));
  EXPECT_EQ(log_->EpochEndOffset(LeaderEpoch(2)).end_offset, Offset(20));
  ASSERT_TRUE(log_->Flush().ok());
  ASSERT_TRUE(log_->TruncateTo(Offset(8)).ok());
  EXPECT_EQ(log_->log_end_offset(), Offset(8));
  EXPECT_EQ(log_->flushed_offset(), Offset(8));
  EXPECT_EQ(log_->latest_epoch(), LeaderEpoch(1));
  EXPECT_EQ(log_->EpochEndOffset(LeaderEpoch(1)).end_offset, Offset(8));
  EXPECT_EQ(Append({.producer = p, .sequence = 9}).outcome, AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(Append({.producer = p, .sequence = 8}).base_offset, Offset(8));
  ASSERT_TRUE(log_->TruncateFullyAndStartAt(Offset(100), 1000).ok());
  EXPECT_EQ(log_->log_start_offset(), Offset(100));
  EXPECT_EQ(Append({}).base_offset, Offset(100));
}

// A deposed leader whose own records all begin where its log does: what it deleted before by age is
// still the last that it knows of its producers.
TEST_F(LogTest, ATruncationToTheStartKeepsProducersOfDeletedSegments) {
  config_.segment_bytes = 500;
  config_.retention_bytes = 0;
  Open();
  const ProducerId p(7);
  for (int i = 0; i < 20; ++i) Append({.value_bytes = 100, .producer = p, .sequence = i});
  ASSERT_TRUE(log_->Flush().ok());
  ASSERT_GT(*log_->DeleteOldSegments(1000, Offset(10)), 0);
  const Offset start = log_->log_start_offset();
  const auto next = static_cast<int32_t>(start.value());
  ASSERT_TRUE(log_->TruncateTo(start).ok());
  EXPECT_EQ(log_->log_start_offset(), start);
  EXPECT_EQ(log_->log_end_offset(), start);
  EXPECT_EQ(Append({.producer = p, .sequence = next - 1}).outcome, AppendOutcome::kDuplicate);
  EXPECT_EQ(Append({.producer = p, .sequence = next + 1}).outcome,
            AppendOutcome::kOutOfOrderSequence);
  EXPECT_EQ(Append({.producer = p, .sequence = next}).base_offset, start);
}

// What is left of it must begin where the log did: a later start would pass for deleted records,
// here and with those who copy from this log.
TEST_F(LogTest, ATruncationThatIsCutOffLeavesABeginning) {
  config_.segment_bytes = 500;
  SeededRandom random(1);
  for (int64_t boundary = 0, ended = 0; ended == 0; ++boundary) {
    for (int round = 0; round < 20; ++round) {
      log_.reset();
      ASSERT_TRUE(fs_.RemoveRecursively("/data").ok());
      Open();
      for (int i = 0; i < 12; ++i) Append({.value_bytes = 100});
      ASSERT_TRUE(log_->Flush().ok());
      ASSERT_GT(log_->segments(), 2u);
      fs_.CrashAtBoundary(boundary);
      ended = log_->TruncateFullyAndStartAt(Offset(0), 1000).ok() ? 1 : 0;
      log_.reset();
      fs_.PowerLoss(random);
      Open();
      EXPECT_EQ(log_->log_start_offset(), Offset(0)) << "boundary " << boundary;
    }
  }
}

TEST_F(LogTest, CleanCloseAndOpenReadsAlmostNothing) {
  config_.segment_bytes = 100'000;
  Open();
  const ProducerId p(7);
  for (int i = 0; i < 2000; ++i) {
    Append({.value_bytes = 100, .timestamp = 1000 + i, .producer = p, .sequence = i});
  }
  ASSERT_TRUE(log_->Close().ok());
  EXPECT_FALSE(Append({}).status.ok());
  fs_.Corrupt("/data/t-0/00000000000000000000.log", 30);  // nobody looks there
  Open({.clean = true, .recovery_point = Offset(2000)});
  EXPECT_EQ(log_->recovery_report().bytes_scanned, 0);
  EXPECT_EQ(log_->log_end_offset(), Offset(2000));
  EXPECT_EQ(log_->flushed_offset(), Offset(2000));
  EXPECT_EQ(Append({.value_bytes = 100, .producer = p, .sequence = 1999}).outcome,
            AppendOutcome::kDuplicate);
  EXPECT_EQ(Append({.producer = p, .sequence = 2000}).base_offset, Offset(2000));
  const auto found = log_->FindByTimestamp(2500, Offset(3000), NoDecoder);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->offset, Offset(1500));
}

TEST_F(LogTest, ClosingLeavesOneSnapshotOfThePlaceWhereTheLogEnds) {
  Open();
  for (int i = 0; i < 3; ++i) {
    Append({});
    ASSERT_TRUE(log_->Close().ok());
    Open({.clean = true});
  }
  int snapshots = 0;
  const std::vector<std::string> names = *fs_.List("/data/t-0");
  for (const std::string& name : names) snapshots += name.find(".snapshot") != std::string::npos;
  EXPECT_EQ(snapshots, 1);
}

TEST_F(LogTest, RecoveryTruncatesATornTail) {
  Open();
  for (int i = 0; i < 10; ++i) Append({.value_bytes = 100});
  ASSERT_TRUE(log_->Flush().ok());
  const int64_t good = log_->size_bytes();
  Append({.value_bytes = 100});
  const int64_t all = log_->size_bytes();
  fs_.KillProcess();
  fs_.Corrupt("/data/t-0/00000000000000000000.log", all - 3);
  Open({.recovery_point = Offset(10)});
  EXPECT_EQ(log_->log_end_offset(), Offset(10));
  EXPECT_EQ(log_->recovery_report().truncated_bytes, all - good);
  EXPECT_EQ(log_->recovery_report().truncated_position, good);
  EXPECT_EQ(log_->size_bytes(), good);
}

// A process killed in a truncation, or in a recovery that truncates, leaves a shorter file that
// the disk need not know of: the next recovery makes it durable, or what was cut off comes back
// behind the batches that took its place.
TEST_F(LogTest, WhatAKilledProcessCutOffStaysAway) {
  for (const int kept : {0, 1}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      fs_ = MemoryFileSystem(seed);
      Open();
      ASSERT_TRUE(fs_.SyncDirectory("/").ok() && fs_.SyncDirectory("/data").ok());
      for (int i = 0; i < 4; ++i) Append({.value_bytes = 100});
      ASSERT_TRUE(log_->Flush().ok());
      const int64_t batch_bytes = log_->size_bytes() / 4;
      auto file = fs_.Open("/data/t-0/00000000000000000000.log", OpenMode::kCreate);
      ASSERT_TRUE(file.ok() && (*file)->Truncate(kept * batch_bytes).ok());
      fs_.KillProcess();
      Open({.recovery_point = Offset(kept)});
      ASSERT_EQ(log_->log_end_offset(), Offset(kept));
      Append({.value_bytes = 100, .fill = 'n'});
      SeededRandom random(seed);
      fs_.PowerLoss(random);
      Open({.recovery_point = Offset(kept)});
      ASSERT_LE(log_->log_end_offset(), Offset(kept + 1)) << "kept " << kept << ", seed " << seed;
    }
  }
}

TEST_F(LogTest, DamageBelowTheRecoveryPointIsNotDropped) {
  Open();
  for (int i = 0; i < 10; ++i) Append({.value_bytes = 100});
  ASSERT_TRUE(log_->Flush().ok());
  fs_.KillProcess();
  fs_.Corrupt("/data/t-0/00000000000000000000.log", log_->size_bytes() - 3);
  const auto opened = TryOpen({.recovery_point = Offset(10)});
  ASSERT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
  const std::string message(opened.status().message());
  EXPECT_NE(message.find("00000000000000000000.log"), std::string::npos) << message;
  EXPECT_NE(message.find("at position"), std::string::npos) << message;
  EXPECT_NE(message.find("expected CRC"), std::string::npos) << message;
  EXPECT_TRUE(absl::IsDataLoss(TryOpen({.recovery_point = Offset(11)}).status()));
}

// As Apache Kafka's cleaner leaves a log: records are missing inside segments and up to their ends,
// whole segments are empty.
TEST_F(LogTest, RecoveryOfACompactedLogKeepsWhatIsBehindGaps) {
  config_.segment_bytes = 3000;
  config_.compact = true;
  Open();
  for (int i = 0; i < 100; ++i) Append({.value_bytes = 100});
  ASSERT_TRUE(log_->Flush().ok());
  std::vector<std::string> segments;
  const std::vector<std::string> names = *fs_.List("/data/t-0");
  for (const std::string& name : names) {
    if (name.ends_with(".log")) segments.push_back("/data/t-0/" + name);
  }
  ASSERT_GT(segments.size(), 3);
  const Offset third(std::stoll(segments[2].substr(segments[2].size() - 24, 20)));
  const int64_t batch_bytes = Read(0, 1).size_bytes;
  fs_.KillProcess();
  ASSERT_TRUE((*fs_.Open(segments[0], OpenMode::kReadWrite))->Truncate(batch_bytes).ok());
  ASSERT_TRUE((*fs_.Open(segments[1], OpenMode::kReadWrite))->Truncate(0).ok());
  for (int round = 0; round < 2; ++round) {
    Open();
    EXPECT_EQ(log_->recovery_report().truncated_bytes, 0)
        << log_->recovery_report().truncated_reason;
    EXPECT_EQ(log_->log_end_offset(), Offset(100));
    EXPECT_EQ(Read(0, 1).first_offset, Offset(0));
    EXPECT_EQ(Read(1, 1).first_offset, third);
    EXPECT_EQ(Read(99, 1).first_offset, Offset(99));
  }
}

TEST_F(LogTest, IndexesAreRebuiltWhenMissing) {
  config_.segment_bytes = 3000;
  config_.index_interval_bytes = 200;
  Open();
  for (int i = 0; i < 100; ++i) Append({.value_bytes = 100, .timestamp = 1000 + i});
  ASSERT_TRUE(log_->Close().ok());
  log_.reset();
  const std::string index = fs_.Content("/data/t-0/00000000000000000000.index");
  ASSERT_FALSE(index.empty());
  ASSERT_TRUE(fs_.Remove("/data/t-0/00000000000000000000.index").ok());
  Open({.clean = true});
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(Read(i, 1).first_offset, Offset(i));
}

}  // namespace
}  // namespace weir::log
