#include "log/cleaner.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/cleaning_plan.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "log/test_records.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::log {
namespace {

constexpr TimestampMs kNow = 1'000'000;
constexpr char kDirectory[] = "/data/t-0";

class CleanerTest : public ::testing::Test {
 protected:
  CleanerTest() {
    config_.compact = true;
    config_.delete_retention_ms = 500;
    config_.segment_ms = 1000;
    EXPECT_TRUE(fs_.CreateDirectories("/data").ok());
  }

  void Open(bool clean = false) {
    log_.reset();
    RecoveryHint hint;
    hint.clean = clean;
    hint.cleaned_to = cleaned_to_;
    auto log = Log::Open(fs_, kDirectory, config_, hint, kNow);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }

  // One batch of records like "a=1" (a value), "a" (a tombstone) or "=1" (no key).
  Offset Append(const std::vector<std::string>& records,
                const protocol::RecordBatchOptions& options = {},
                protocol::Codec codec = protocol::Codec::kNone) {
    std::vector<KeyedRecord> keyed;
    for (const std::string& record : records) {
      const size_t sign = record.find('=');
      KeyedRecord one;
      if (sign != 0) one.key = record.substr(0, sign);
      if (sign != std::string::npos) one.value = record.substr(sign + 1);
      keyed.push_back(std::move(one));
    }
    std::string batch = MakeKeyedBatch(keyed, options, timestamp_, codec);
    timestamp_ += static_cast<int64_t>(records.size());
    const BatchToAppend appended = AppendTo(*log_, &batch, append_now_ms_);
    EXPECT_EQ(appended.outcome, AppendOutcome::kAppended) << appended.status;
    return appended.base_offset;
  }
  // Begins a segment, with a record of its own.
  void Roll() {
    timestamp_ += 2 * config_.segment_ms;
    append_now_ms_ += 2 * config_.segment_ms;
    const Offset end = log_->log_end_offset();
    Append({"roll=1"});
    ASSERT_EQ(log_->active_segment_base(), end);
  }

  absl::StatusOr<CleaningStats> Clean(TimestampMs now_ms = kNow) {
    SeededRandom random(1);
    const Cleaner cleaner(fs_, cleaner_config_, random);
    auto stats = cleaner.Clean(*log_, now_ms, log_->log_end_offset());
    cleaned_to_ = log_->cleaned_to();
    return stats;
  }
  void MustClean(TimestampMs now_ms = kNow) {
    const auto stats = Clean(now_ms);
    ASSERT_TRUE(stats.ok()) << stats.status();
  }
  std::string Records() { return Told(ReadRecords(*log_)); }
  std::vector<std::string> Names() { return *fs_.List(kDirectory); }
  bool HasNameWith(const std::string& part) {
    for (const std::string& name : Names()) {
      if (absl::StrContains(name, part)) return true;
    }
    return false;
  }

  MemoryFileSystem fs_;
  LogConfig config_;
  CleanerConfig cleaner_config_;
  std::unique_ptr<Log> log_;
  Offset cleaned_to_{0};
  TimestampMs timestamp_ = 1000;
  TimestampMs append_now_ms_ = kNow;
};

TEST_F(CleanerTest, KeepsTheLastRecordOfEachKeyWhereItWas) {
  Open();
  Append({"a=1", "b=1"});
  Append({"a=2", "c=1"});
  Roll();
  const std::vector<FoundRecordOf> before = ReadRecords(*log_);
  ASSERT_EQ(Told(before), "0:a=1 1:b=1 2:a=2 3:c=1 4:roll=1 ");
  const auto stats = Clean();
  ASSERT_TRUE(stats.ok()) << stats.status();
  const std::vector<FoundRecordOf> after = ReadRecords(*log_);
  EXPECT_EQ(Told(after), "1:b=1 2:a=2 3:c=1 4:roll=1 ");
  EXPECT_EQ(after[0].timestamp, before[1].timestamp);
  EXPECT_EQ(log_->cleaned_to(), Offset(4));
  EXPECT_EQ(log_->log_end_offset(), Offset(5));
  EXPECT_EQ(stats->keys, 3);
  EXPECT_EQ(stats->records_read, 4);
  EXPECT_EQ(stats->records_kept, 3);
  EXPECT_FALSE(HasNameWith(".cleaned") || HasNameWith(".swap"));
  for (const bool clean : {false, true}) {
    if (clean) {
      ASSERT_TRUE(log_->Close().ok());
    }
    Open(clean);
    EXPECT_EQ(Records(), "1:b=1 2:a=2 3:c=1 4:roll=1 ");
    EXPECT_EQ(log_->cleaned_to(), Offset(4));
  }
}

TEST_F(CleanerTest, TheHeaderOfWhatIsRewrittenStays) {
  protocol::RecordBatchOptions options;
  options.producer_id = ProducerId(7);
  options.producer_epoch = ProducerEpoch(3);
  options.base_sequence = 0;
  Open();
  Append({"a=1", "b=1", "a=2"}, options);
  Roll();
  Append({"b=2"});
  Roll();
  MustClean();
  EXPECT_EQ(Records(), "2:a=2 3:roll=1 4:b=2 5:roll=1 ");
  const std::vector<FoundBatch> batches = ReadBatches(*log_);
  const protocol::RecordBatchView first = batches[0].view();
  EXPECT_EQ(first.base_offset(), Offset(0));
  EXPECT_EQ(first.last_offset(), Offset(2));
  EXPECT_EQ(first.record_count(), 1);
  EXPECT_EQ(first.leader_epoch(), LeaderEpoch(0));
  EXPECT_EQ(first.producer_id(), ProducerId(7));
  EXPECT_EQ(first.producer_epoch(), ProducerEpoch(3));
  EXPECT_EQ(first.base_sequence(), 0);
  EXPECT_EQ(first.base_timestamp(), 1000);
  EXPECT_EQ(first.max_timestamp(), 1002);
  EXPECT_FALSE(first.has_delete_horizon());
}

TEST_F(CleanerTest, BatchesOfWhichNothingGoesStayByteForByte) {
  Open();
  std::string odd = MakeKeyedBatch({{"a", "1"}, {"b", std::string(500, 'x')}}, {}, 1000,
                                   protocol::Codec::kZstd, 19);
  AppendTo(*log_, &odd);
  Append({"c=1"});
  Append({"c=2"});
  Roll();
  MustClean();
  const std::vector<FoundBatch> batches = ReadBatches(*log_);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].bytes, odd);
}

TEST_F(CleanerTest, WhatIsRewrittenKeepsItsCodec) {
  for (const auto codec : {protocol::Codec::kNone, protocol::Codec::kGzip, protocol::Codec::kSnappy,
                           protocol::Codec::kLz4, protocol::Codec::kZstd}) {
    SCOPED_TRACE(protocol::CodecName(codec));
    ASSERT_TRUE(fs_.RemoveRecursively(kDirectory).ok());
    cleaned_to_ = Offset(0);
    Open();
    Append({"a=1", "b=1", "a=2", "c=3"}, {}, codec);
    Roll();
    MustClean();
    EXPECT_EQ(Records(), "1:b=1 2:a=2 3:c=3 4:roll=1 ");
    EXPECT_EQ(ReadBatches(*log_)[0].view().codec(), codec);
    log_.reset();
  }
}

TEST_F(CleanerTest, ATombstoneStaysUntilItsHorizon) {
  Open();
  Append({"a=1", "b=1"});
  Append({"a", "c=1"});
  Roll();
  const std::vector<FoundRecordOf> before = ReadRecords(*log_);
  MustClean(kNow);
  EXPECT_EQ(Records(), "1:b=1 2:a=- 3:c=1 4:roll=1 ");
  {
    const std::vector<FoundRecordOf> after = ReadRecords(*log_);
    EXPECT_EQ(after[1].timestamp, before[2].timestamp);
    EXPECT_EQ(after[2].timestamp, before[3].timestamp);
    const std::vector<FoundBatch> batches = ReadBatches(*log_);
    const protocol::RecordBatchView batch = batches[1].view();
    EXPECT_TRUE(batch.has_delete_horizon());
    EXPECT_EQ(batch.base_timestamp(), kNow + 500);
    EXPECT_EQ(batch.max_timestamp(), before[3].timestamp);
    EXPECT_FALSE(batches[0].view().has_delete_horizon());
  }
  Roll();
  MustClean(kNow + 499);  // does not move the horizon either
  EXPECT_EQ(Records(), "1:b=1 2:a=- 3:c=1 4:roll=1 5:roll=1 ");
  EXPECT_EQ(ReadBatches(*log_)[1].view().base_timestamp(), kNow + 500);
  Roll();
  MustClean(kNow + 500);
  EXPECT_EQ(Records(), "1:b=1 3:c=1 5:roll=1 6:roll=1 ");
}

TEST_F(CleanerTest, ATombstoneOfLogAppendTimeKeepsItsTime) {
  config_.log_append_time = true;
  Open();
  Append({"a", "b=1"});
  Roll();
  MustClean();
  const std::vector<FoundRecordOf> after = ReadRecords(*log_);
  ASSERT_EQ(Told(after), "0:a=- 1:b=1 2:roll=1 ");
  EXPECT_EQ(after[0].timestamp, kNow);
  EXPECT_TRUE(ReadBatches(*log_)[0].view().has_delete_horizon());
  EXPECT_EQ(ReadBatches(*log_)[0].view().max_timestamp(), kNow);
}

TEST_F(CleanerTest, AHorizonBeyondTimeIsNever) {
  config_.delete_retention_ms = std::numeric_limits<int64_t>::max();
  Open();
  Append({"a", "b=1"});
  Roll();
  const std::vector<FoundRecordOf> before = ReadRecords(*log_);
  MustClean();
  EXPECT_EQ(ReadBatches(*log_)[0].view().base_timestamp(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ReadRecords(*log_), before);
}

TEST_F(CleanerTest, RecordsWithoutAKeyGo) {
  Open();
  Append({"=1", "a=1", "=2"});
  Append({"=3"});
  Append({"b=1"});
  Roll();
  const auto stats = Clean();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(Records(), "1:a=1 4:b=1 5:roll=1 ");
  EXPECT_EQ(stats->keyless_records, 3);
}

TEST_F(CleanerTest, NothingBehindTheBoundOrInTheActiveSegmentIsTouched) {
  Open();
  Append({"a=1"});
  Append({"a=2"});
  Roll();
  Append({"a=3"});
  Roll();
  Append({"a=4"});
  SeededRandom random(1);
  const Cleaner cleaner(fs_, cleaner_config_, random);
  ASSERT_TRUE(cleaner.Clean(*log_, kNow, Offset(1)).ok());  // not stable as a whole
  EXPECT_EQ(Records(), "0:a=1 1:a=2 2:roll=1 3:a=3 4:roll=1 5:a=4 ");
  ASSERT_TRUE(cleaner.Clean(*log_, kNow, Offset(3)).ok());
  EXPECT_EQ(Records(), "1:a=2 2:roll=1 3:a=3 4:roll=1 5:a=4 ");
  EXPECT_EQ(log_->cleaned_to(), Offset(2));
  ASSERT_TRUE(cleaner.Clean(*log_, kNow, Offset(6)).ok());
  EXPECT_EQ(Records(), "2:roll=1 3:a=3 4:roll=1 5:a=4 ");
  EXPECT_EQ(log_->cleaned_to(), Offset(4));
}

TEST_F(CleanerTest, SmallSegmentsBecomeOne) {
  config_.index_interval_bytes = 1;
  Open();
  for (int i = 0; i < 20; ++i) {
    Append({absl::StrCat("key", i % 7, "=", i)});
    Roll();
  }
  EXPECT_EQ(log_->segments(), 21u);
  MustClean();
  EXPECT_EQ(log_->segments(), 2u);
  Open();
  for (const FoundRecordOf& record : ReadRecords(*log_)) {  // by its index as well
    const auto slice = log_->Read(Offset(record.offset), 1, log_->log_end_offset(), true);
    ASSERT_TRUE(slice.ok());
    EXPECT_EQ(slice->first_offset, Offset(record.offset));
  }
  EXPECT_EQ(ReadRecords(*log_).size(), 9u);
  EXPECT_FALSE(HasNameWith("00000000000000000003.snapshot"));
}

TEST_F(CleanerTest, AFullMapTakesSeveralRounds) {
  cleaner_config_.dedupe_buffer_bytes = 24 * 10;
  cleaner_config_.dedupe_buffer_load_factor = 0.8;
  Open();
  for (int i = 0; i < 40; ++i) Append({absl::StrCat("k", i % 20, "=", i)});
  Roll();
  int rounds = 0;
  while (log_->cleaned_to() < Offset(40)) {
    const Offset before = log_->cleaned_to();
    MustClean();
    ASSERT_GT(log_->cleaned_to(), before);
    ++rounds;
  }
  EXPECT_EQ(rounds, 5);
  std::string expected;
  for (int i = 20; i < 40; ++i) absl::StrAppend(&expected, i, ":k", i - 20, "=", i, " ");
  EXPECT_EQ(Records(), expected + "40:roll=1 ");
}

TEST_F(CleanerTest, ABatchOfMoreKeysThanTheMapHoldsIsNamed) {
  cleaner_config_.dedupe_buffer_bytes = 24 * 4;
  Open();
  Append({"a=1", "b=1", "c=1", "d=1", "e=1", "f=1"});
  Roll();
  const absl::Status status = Clean().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "offsets 0 to 5")) << status;
}

// A tombstone that the map does not reach yet must not get its horizon: what it deletes is there.
TEST_F(CleanerTest, WhatTheMapDoesNotReachStaysAsItIs) {
  cleaner_config_.dedupe_buffer_bytes = 24 * 4;
  cleaner_config_.dedupe_buffer_load_factor = 0.5;
  Open();
  Append({"a=1"});
  Append({"b=1", "c=1"});
  Append({"a", "b=2"});
  Roll();
  MustClean();
  EXPECT_EQ(log_->cleaned_to(), Offset(1));
  EXPECT_EQ(Records(), "0:a=1 1:b=1 2:c=1 3:a=- 4:b=2 5:roll=1 ");
  EXPECT_FALSE(ReadBatches(*log_)[2].view().has_delete_horizon());
}

TEST_F(CleanerTest, ABatchThatCannotBeDecodedStopsIt) {
  Open();
  Append({"a=1"});
  std::string broken = MakeKeyedBatch({{"b", "1"}, {"c", "1"}});
  broken[protocol::record_batch_at::kRecords] = 0x7e;  // the first record's length
  protocol::SealCrc(broken.data());
  ASSERT_EQ(AppendTo(*log_, &broken).outcome, AppendOutcome::kAppended);
  Append({"a=2"});
  Roll();
  const std::vector<std::string> names = Names();
  const absl::Status status = Clean().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "00000000000000000000.log: at position 70: "))
      << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "batch of offsets 1 to 2")) << status;
  EXPECT_EQ(Names(), names);
  EXPECT_EQ(ReadBatches(*log_).size(), 4u);
  EXPECT_TRUE(log_->failed().ok());
}

// Also where the map was made in an earlier round, so that only copying meets it.
TEST_F(CleanerTest, BitRotStopsItAndNothingIsReplaced) {
  Open();
  Append({"a=1"});
  Append({"b=1"});
  Roll();
  MustClean();
  Append({"a=2"});
  Roll();
  const std::string segment = absl::StrCat(kDirectory, "/00000000000000000000.log");
  fs_.Corrupt(segment, 70 + 65);
  const std::vector<std::string> names = Names();
  const absl::Status status = Clean().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "expected CRC")) << status;
  EXPECT_EQ(Names(), names);
  EXPECT_TRUE(log_->failed().ok());
}

TEST_F(CleanerTest, AFullDiskLeavesTheLogAsItWas) {
  Open();
  for (int i = 0; i < 50; ++i) Append({"a=" + std::string(200, 'x')});
  for (int i = 0; i < 50; ++i) Append({absl::StrCat("b", i, "=1")});
  Roll();
  const std::vector<std::string> names = Names();
  const auto free = fs_.FreeBytes("/");
  fs_.set_capacity_bytes((int64_t{1} << 50) - *free + 100);
  EXPECT_TRUE(absl::IsResourceExhausted(Clean().status()));
  EXPECT_EQ(Names(), names);
  EXPECT_TRUE(log_->failed().ok());
  fs_.set_capacity_bytes(int64_t{1} << 50);
  MustClean();
  EXPECT_EQ(ReadRecords(*log_).size(), 52u);
}

TEST_F(CleanerTest, ReadersKeepWhatTheyHave) {
  Open();
  Append({"a=1"});
  Append({"a=2"});
  Roll();
  const auto slice = log_->Read(Offset(0), 1 << 20, log_->log_end_offset(), true);
  ASSERT_TRUE(slice.ok());
  const std::string before = SliceBytes(*slice);
  MustClean();
  EXPECT_EQ(SliceBytes(*slice), before);
  EXPECT_TRUE(HasNameWith(".deleted"));
  log_->Tick(kNow + config_.file_delete_delay_ms);
  EXPECT_FALSE(HasNameWith(".deleted"));
  EXPECT_EQ(SliceBytes(*slice), before);
}

TEST_F(CleanerTest, ATruncationMeanwhileAbortsIt) {
  Open();
  Append({"a=1"});
  Append({"a=2"});
  Roll();
  SeededRandom random(1);
  const Cleaner cleaner(fs_, cleaner_config_, random);
  auto plan = log_->PlanCleaning(kNow, log_->log_end_offset());
  ASSERT_TRUE(plan.ok());
  const auto cleaning = cleaner.Start(*std::move(plan));
  auto step = cleaning->Step(1);
  while (step.ok() && *step == CleanStep::kMore) step = cleaning->Step(1);
  ASSERT_TRUE(step.ok());
  ASSERT_EQ(*step, CleanStep::kReplace);
  ASSERT_TRUE(log_->TruncateTo(Offset(1)).ok());
  Append({"b=1"});
  Roll();  // the file is sealed once more, with other batches
  EXPECT_TRUE(absl::IsAborted(log_->ReplaceSegments(cleaning->cleaned(), kNow)));
  EXPECT_FALSE(HasNameWith(".cleaned"));
  log_->FinishCleaning(cleaning->generation(), Offset(2));
  EXPECT_EQ(log_->cleaned_to(), Offset(0));
  EXPECT_EQ(Records(), "0:a=1 1:b=1 2:roll=1 ");
}

TEST_F(CleanerTest, RetentionMeanwhileAbortsIt) {
  config_.retention_ms = 10;
  Open();
  Append({"a=1"});
  Append({"a=2"});
  Roll();
  SeededRandom random(1);
  const Cleaner cleaner(fs_, cleaner_config_, random);
  auto plan = log_->PlanCleaning(kNow, log_->log_end_offset());
  ASSERT_TRUE(plan.ok());
  const auto cleaning = cleaner.Start(*std::move(plan));
  auto step = cleaning->Step(1 << 20);
  ASSERT_TRUE(step.ok());
  ASSERT_EQ(*step, CleanStep::kReplace);
  ASSERT_EQ(log_->DeleteOldSegments(kNow, Offset(2)).value(), 1);
  EXPECT_TRUE(absl::IsAborted(log_->ReplaceSegments(cleaning->cleaned(), kNow)));
  EXPECT_EQ(Records(), "2:roll=1 ");
}

TEST_F(CleanerTest, GivingUpLeavesNothing) {
  Open();
  Append({"a=1"});
  Append({"a=2"});
  Append({"b=2"});
  Roll();
  SeededRandom random(1);
  const Cleaner cleaner(fs_, cleaner_config_, random);
  const std::vector<std::string> names = Names();
  auto plan = log_->PlanCleaning(kNow, log_->log_end_offset());
  const auto cleaning = cleaner.Start(*std::move(plan));
  for (int i = 0; i < 100 && !HasNameWith(".cleaned"); ++i) ASSERT_TRUE(cleaning->Step(1).ok());
  ASSERT_TRUE(HasNameWith(".cleaned"));
  cleaning->Discard();
  EXPECT_EQ(Names(), names);
}

TEST_F(CleanerTest, ASegmentThatIsCleanIsNotWrittenAgain) {
  config_.segment_bytes = 500;
  Open();
  for (int i = 0; i < 20; ++i) Append({absl::StrCat("key", i, "=", i)});
  ASSERT_GT(log_->segments(), 2u);
  MustClean();
  Append({"key19=new"});
  Roll();
  const auto stats = Clean();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_GT(stats->read_bytes, 1000);
  EXPECT_LT(stats->written_bytes, 500);
}

TEST(GroupSegments, KeepsWithinBytesIndexesAndOffsets) {
  LogConfig config;
  config.segment_bytes = 1000;
  const auto segment = [](int64_t base, int64_t end, int64_t bytes) {
    return SourceSegment{nullptr, "", bytes, Offset(base), Offset(end)};
  };
  using Groups = std::vector<std::pair<size_t, size_t>>;
  const std::vector<SourceSegment> segments = {segment(0, 10, 400), segment(10, 20, 600),
                                               segment(20, 30, 1), segment(30, 40, 2000),
                                               segment(40, 50, 0)};
  EXPECT_EQ(GroupSegments(segments, config), (Groups{{0, 2}, {2, 3}, {3, 4}, {4, 5}}));
  config.segment_bytes = 1 << 30;
  EXPECT_EQ(GroupSegments(segments, config), (Groups{{0, 5}}));
  constexpr int64_t kFar = int64_t{1} << 31;
  EXPECT_EQ(GroupSegments({segment(0, 10, 1), segment(10, kFar, 1)}, config), (Groups{{0, 2}}));
  EXPECT_EQ(GroupSegments({segment(0, 10, 1), segment(10, kFar + 1, 1)}, config),
            (Groups{{0, 1}, {1, 2}}));
  config.index_interval_bytes = 100;
  config.segment_index_bytes = 120;  // ten entries of the time index
  EXPECT_EQ(GroupSegments({segment(0, 10, 500), segment(10, 20, 499), segment(20, 30, 1)}, config),
            (Groups{{0, 2}, {2, 3}}));
}

}  // namespace
}  // namespace weir::log
