// Transactions in a Log: markers, the last stable offset, aborted transactions, and what is left of
// them after restarts, truncations and retention.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::log {
namespace {

constexpr char kDirectory[] = "/data/t-0";
constexpr int16_t kTransactional = protocol::record_batch_attribute::kTransactional;

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

class LogTransactionTest : public ::testing::Test {
 protected:
  LogTransactionTest() { Open(); }

  void Open(RecoveryHint hint = {}) {
    log_.reset();
    auto opened = Log::Open(fs_, kDirectory, config_, hint, 1000);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }
  void CloseAndOpen() {
    ASSERT_TRUE(log_->Close().ok());
    Open({.clean = true});
    EXPECT_EQ(log_->recovery_report().bytes_scanned, 0);
  }
  BatchToAppend AppendBytes(std::string bytes, AppendTerms terms) {
    BatchToAppend batch;
    batch.bytes = absl::MakeSpan(bytes.data(), bytes.size());
    batch.terms = terms;
    log_->Append(absl::MakeSpan(&batch, 1), LeaderEpoch(1), 1000);
    batch.bytes = {};
    return batch;
  }
  // A batch of `records` in a transaction of producer `id`; its first offset.
  int64_t Put(int64_t id, int records = 1, size_t value_bytes = 10) {
    const BatchToAppend batch = AppendBytes(MakeBatch({.records = records,
                                                       .value_bytes = value_bytes,
                                                       .producer = ProducerId(id),
                                                       .sequence = sequences_[id],
                                                       .attributes = kTransactional}),
                                            {.transaction_verified = true});
    EXPECT_TRUE(batch.status.ok()) << batch.status;
    if (batch.status.ok()) sequences_[id] += records;
    return batch.base_offset.value();
  }
  BatchToAppend Mark(int64_t id, bool aborts, int32_t coordinator_epoch = 0) {
    return AppendBytes(
        MakeMarker(
            {.producer = ProducerId(id), .aborts = aborts, .coordinator_epoch = coordinator_epoch}),
        {AppendOrigin::kCoordinator});
  }
  void Commit(int64_t id) { EXPECT_TRUE(Mark(id, false).status.ok()); }
  void Abort(int64_t id) { EXPECT_TRUE(Mark(id, true).status.ok()); }
  void Plain(size_t value_bytes = 10) {
    EXPECT_TRUE(AppendBytes(MakeBatch({.value_bytes = value_bytes}), {}).status.ok());
  }

  // Producers and first offsets.
  Pairs AbortedIn(int64_t from, int64_t to) {
    const auto found = log_->AbortedTransactions(Offset(from), Offset(to));
    EXPECT_TRUE(found.ok()) << found.status();
    Pairs pairs;
    if (!found.ok()) return pairs;
    for (const AbortedTransaction& aborted : *found) {
      pairs.emplace_back(aborted.producer_id.value(), aborted.first_offset.value());
    }
    return pairs;
  }
  int64_t Stable() {
    log_->OnHighWatermark(log_->log_end_offset());
    return log_->LastStableOffset(log_->log_end_offset()).value();
  }
  std::string Path(int64_t base, const char* suffix) {
    return std::string(kDirectory) + "/" + SegmentFileName(Offset(base), suffix);
  }

  MemoryFileSystem fs_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
  std::map<int64_t, int32_t> sequences_;
};

TEST_F(LogTransactionTest, OnlyACoordinatorEndsTransactions) {
  Put(1);
  const std::string marker = MakeMarker({.producer = ProducerId(1)});
  EXPECT_EQ(AppendBytes(marker, {}).outcome, AppendOutcome::kInvalidRecord);
  EXPECT_EQ(Stable(), 0);
  EXPECT_TRUE(Mark(1, false, 7).status.ok());
  EXPECT_EQ(Stable(), 2);
  EXPECT_EQ(Mark(1, false, 6).outcome, AppendOutcome::kCoordinatorFenced);
  EXPECT_EQ(log_->log_end_offset(), Offset(2));
}

TEST_F(LogTransactionTest, TransactionalBatchesOfUnknownTransactionsAreRefused) {
  const TestBatch spec{.producer = ProducerId(1), .sequence = 0, .attributes = kTransactional};
  EXPECT_EQ(AppendBytes(MakeBatch(spec), {}).outcome, AppendOutcome::kInvalidTransactionState);
  EXPECT_EQ(log_->log_end_offset(), Offset(0));
  EXPECT_EQ(AppendBytes(MakeBatch(spec), {.transaction_verified = true}).outcome,
            AppendOutcome::kAppended);
}

TEST_F(LogTransactionTest, NoControlBatchButMarkersIsLetIn) {
  std::string other = MakeMarker({.producer = ProducerId(1)});
  other[61 + 1 + 3 + 4] = 2;  // the type of the control record: a change of leaders
  protocol::SealCrc(other.data());
  EXPECT_EQ(AppendBytes(other, {AppendOrigin::kCoordinator}).outcome,
            AppendOutcome::kInvalidRecord);
}

TEST_F(LogTransactionTest, TheLastStableOffset) {
  Plain();
  EXPECT_EQ(Stable(), 1);
  Put(1);  // 1
  Put(2);  // 2
  EXPECT_EQ(Stable(), 1);
  Commit(1);  // 3
  EXPECT_EQ(Stable(), 2);
  Plain();
  EXPECT_EQ(Stable(), 2);
  EXPECT_EQ(log_->LastStableOffset(Offset(1)), Offset(1)) << "never behind the high watermark";
  Abort(2);
  EXPECT_EQ(log_->LastStableOffset(Offset(5)), Offset(2)) << "the marker is not replicated";
  EXPECT_EQ(Stable(), 6);
  EXPECT_EQ(log_->FirstUnstableOffset(), kNoOffset);
}

TEST_F(LogTransactionTest, AbortedTransactionsOfARange) {
  Put(1);     // 0
  Put(2);     // 1
  Abort(1);   // 2
  Put(1);     // 3
  Abort(2);   // 4
  Put(3);     // 5
  Commit(3);  // 6
  Abort(1);   // 7
  EXPECT_EQ(AbortedIn(0, 8), (Pairs{{1, 0}, {2, 1}, {1, 3}}));
  EXPECT_EQ(AbortedIn(0, 1), (Pairs{{1, 0}}));
  EXPECT_EQ(AbortedIn(3, 4), (Pairs{{2, 1}, {1, 3}}));
  EXPECT_EQ(AbortedIn(5, 6), (Pairs{{1, 3}}));
  EXPECT_EQ(AbortedIn(8, 8), (Pairs{}));
}

// A transaction that begins in one segment and is aborted in another.
TEST_F(LogTransactionTest, AcrossSegmentsAndRestarts) {
  config_.segment_bytes = 300;
  Open();
  Put(1);
  for (int i = 0; i < 4; ++i) Plain(100);
  Put(2);
  Abort(1);
  for (int i = 0; i < 4; ++i) Plain(100);
  Put(3);
  const int64_t end = log_->log_end_offset().value();
  ASSERT_GT(log_->segments(), 4u);
  const auto check = [&] {
    EXPECT_EQ(AbortedIn(0, end), (Pairs{{1, 0}}));
    EXPECT_EQ(AbortedIn(0, 1), (Pairs{{1, 0}}));
    EXPECT_EQ(AbortedIn(7, end), (Pairs{}));
    EXPECT_EQ(Stable(), 5);
  };
  check();
  CloseAndOpen();
  check();
  ASSERT_TRUE(log_->Flush().ok());
  Open({.recovery_point = log_->flushed_offset()});
  check();
  Open();  // as if nothing were known to be flushed
  check();
  Abort(2);
  EXPECT_EQ(AbortedIn(0, end), (Pairs{{1, 0}, {2, 5}}));
}

TEST_F(LogTransactionTest, ADamagedIndexIsBuiltAnew) {
  config_.segment_bytes = 600;
  Open();
  Put(1);
  for (int i = 0; i < 3; ++i) Plain(100);
  Abort(1);
  Put(2);
  Abort(2);
  for (int i = 0; i < 4; ++i) Plain(100);
  ASSERT_TRUE(log_->Close().ok());
  std::string index;
  const std::vector<std::string> names = *fs_.List(kDirectory);
  for (const std::string& name : names) {
    if (name.ends_with(".txnindex")) index = std::string(kDirectory) + "/" + name;
  }
  const std::string good = fs_.Content(index);
  ASSERT_EQ(good.size(), 68u);
  for (const bool with_snapshots : {true, false}) {
    if (!with_snapshots) {
      for (const std::string& name : names) {
        if (name.ends_with(".snapshot")) {
          ASSERT_TRUE(fs_.Remove(std::string(kDirectory) + "/" + name).ok());
        }
      }
    }
    for (const int64_t at : {int64_t{0}, int64_t{18}, int64_t{44}}) {
      fs_.Corrupt(index, at);
      Open({.clean = true});
      EXPECT_EQ(AbortedIn(0, 100), (Pairs{{1, 0}, {2, 5}})) << at;
      fs_.Corrupt(index, at);
    }
    ASSERT_TRUE((*fs_.Open(index, OpenMode::kReadWrite))->Truncate(30).ok());
    Open({.clean = true});
    EXPECT_EQ(AbortedIn(0, 100), (Pairs{{1, 0}, {2, 5}}));
    const auto file = *fs_.Open(index, OpenMode::kReadWrite);
    ASSERT_TRUE(file->Truncate(0).ok() && file->Append({good}).ok());
  }
}

TEST_F(LogTransactionTest, TruncationTakesMarkersBack) {
  Put(1);    // 0
  Abort(1);  // 1
  Put(2);    // 2
  Plain();   // 3
  Abort(2);  // 4
  ASSERT_TRUE(log_->Flush().ok());
  ASSERT_TRUE(log_->TruncateTo(Offset(4)).ok());
  EXPECT_EQ(AbortedIn(0, 4), (Pairs{{1, 0}}));
  EXPECT_EQ(log_->LastStableOffset(Offset(4)), Offset(0)) << "not even the first was replicated";
  EXPECT_EQ(Stable(), 2);
  Commit(2);
  EXPECT_EQ(Stable(), 5);
  CloseAndOpen();
  EXPECT_EQ(AbortedIn(0, 5), (Pairs{{1, 0}}));
  ASSERT_TRUE(log_->TruncateTo(Offset(1)).ok());
  EXPECT_EQ(AbortedIn(0, 5), (Pairs{}));
  EXPECT_EQ(Stable(), 0);
  Commit(1);
  CloseAndOpen();
  EXPECT_EQ(AbortedIn(0, 5), (Pairs{})) << "the file from before is gone";
  EXPECT_FALSE(fs_.Exists(Path(0, ".txnindex")));
}

// Into an earlier segment, whose index is on the disk.
TEST_F(LogTransactionTest, TruncationIntoASealedSegment) {
  config_.segment_bytes = 300;
  Open();
  Put(1);
  Abort(1);
  Put(2);
  Abort(2);
  for (int i = 0; i < 4; ++i) Plain(100);
  CloseAndOpen();
  ASSERT_TRUE(log_->TruncateTo(Offset(3)).ok());
  EXPECT_EQ(AbortedIn(0, 100), (Pairs{{1, 0}}));
  EXPECT_EQ(Stable(), 2);
}

TEST_F(LogTransactionTest, RetentionTakesTheIndexWithItsSegment) {
  config_.segment_bytes = 300;
  config_.retention_bytes = 300;
  config_.retention_ms = -1;
  Open();
  Put(1);
  Abort(1);
  Put(2);
  for (int i = 0; i < 4; ++i) Plain(100);
  ASSERT_TRUE(fs_.Exists(Path(0, ".txnindex")));
  ASSERT_GT(*log_->DeleteOldSegments(1000, log_->log_end_offset()), 0);
  EXPECT_FALSE(fs_.Exists(Path(0, ".txnindex")));
  EXPECT_TRUE(fs_.Exists(Path(0, ".txnindex.deleted")));
  log_->Tick(1000 + config_.file_delete_delay_ms);
  EXPECT_FALSE(fs_.Exists(Path(0, ".txnindex.deleted")));
  EXPECT_EQ(AbortedIn(0, 100), (Pairs{}));
  const Offset start = log_->log_start_offset();
  ASSERT_GT(start, Offset(2));
  EXPECT_EQ(log_->FirstUnstableOffset(), start) << "of producer 2, whose records are gone";
  Open({.log_start_offset = start});
  EXPECT_EQ(log_->FirstUnstableOffset(), start);
  Abort(2);
  EXPECT_EQ(Stable(), log_->log_end_offset().value());
}

TEST_F(LogTransactionTest, AFullDiskTakesNoTransactionsWithIt) {
  Put(1);
  fs_.set_capacity_bytes(log_->size_bytes() + 20);
  EXPECT_TRUE(absl::IsResourceExhausted(Mark(1, true).status));
  EXPECT_EQ(log_->FirstUnstableOffset(), Offset(0));
  EXPECT_EQ(AbortedIn(0, 10), (Pairs{}));
  fs_.set_capacity_bytes(1 << 20);
  Abort(1);
  EXPECT_EQ(AbortedIn(0, 10), (Pairs{{1, 0}}));
  EXPECT_EQ(Stable(), 2);
}

// Markers go to the segment that they end in, also of one call.
TEST_F(LogTransactionTest, OneCallThatRollsSegments) {
  config_.segment_bytes = 300;
  Open();
  std::vector<std::string> bytes;
  std::vector<BatchToAppend> batches(12);
  for (int i = 0; i < 12; ++i) {
    bytes.push_back(i % 3 < 2 ? MakeBatch({.value_bytes = 80,
                                           .producer = ProducerId(1),
                                           .sequence = i - i / 3,
                                           .attributes = kTransactional})
                              : MakeMarker({.producer = ProducerId(1), .aborts = true}));
  }
  for (int i = 0; i < 12; ++i) {
    batches[i].bytes = absl::MakeSpan(bytes[i].data(), bytes[i].size());
    batches[i].terms = {i % 3 < 2 ? AppendOrigin::kClient : AppendOrigin::kCoordinator, true};
  }
  log_->Append(absl::MakeSpan(batches), LeaderEpoch(0), 1000);
  for (const BatchToAppend& batch : batches) ASSERT_TRUE(batch.status.ok()) << batch.status;
  EXPECT_GT(log_->segments(), 3u);
  const Pairs all = {{1, 0}, {1, 3}, {1, 6}, {1, 9}};
  EXPECT_EQ(AbortedIn(0, 12), all);
  CloseAndOpen();
  EXPECT_EQ(AbortedIn(0, 12), all);
  EXPECT_EQ(AbortedIn(3, 9), (Pairs{{1, 3}, {1, 6}}));
  log_->Tick(1000);
  log_->Tick(1000);  // what nobody used is forgotten, and read again
  EXPECT_EQ(AbortedIn(0, 12), all);
}

// What is stable stays so when the log is cut off behind it.
TEST_F(LogTransactionTest, ATruncationLeavesTheLastStableOffset) {
  Put(7);
  Commit(7);
  Put(8);
  log_->OnHighWatermark(Offset(2));
  ASSERT_EQ(log_->LastStableOffset(Offset(2)), Offset(2));
  ASSERT_TRUE(log_->TruncateTo(Offset(2)).ok());
  EXPECT_EQ(log_->LastStableOffset(Offset(2)), Offset(2));
}

// The coordinator was asked about the transaction of another epoch.
TEST_F(LogTransactionTest, AnOpenTransactionVerifiesNoBatchOfANewerEpoch) {
  const auto put = [&](int16_t epoch, bool verified) {
    return AppendBytes(MakeBatch({.producer = ProducerId(7),
                                  .epoch = epoch,
                                  .sequence = 0,
                                  .attributes = kTransactional}),
                       {.transaction_verified = verified})
        .outcome;
  };
  EXPECT_EQ(put(5, true), AppendOutcome::kAppended);
  EXPECT_EQ(put(7, false), AppendOutcome::kInvalidTransactionState);
}

}  // namespace
}  // namespace weir::log
