// What compaction owes to producers and transactions, and when it is due.

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
#include "log/cleaner.h"
#include "log/cleaning_plan.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/producer_state.h"
#include "log/test_batches.h"
#include "log/test_records.h"
#include "log/transaction_index.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::log {
namespace {

constexpr TimestampMs kNow = 1'000'000;
constexpr char kDirectory[] = "/data/t-0";
constexpr ProducerId kAlice{1};
constexpr ProducerId kBob{2};

class CleanerRulesTest : public ::testing::Test {
 protected:
  CleanerRulesTest() {
    config_.compact = true;
    config_.delete_retention_ms = 500;
    config_.segment_ms = 1000;
    EXPECT_TRUE(fs_.CreateDirectories("/data").ok());
    Open(Offset(0));
  }

  void Open(Offset recovery_point) {
    log_.reset();
    RecoveryHint hint;
    hint.recovery_point = recovery_point;
    hint.cleaned_to = cleaned_to_;
    auto log = Log::Open(fs_, kDirectory, config_, hint, kNow);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }

  BatchToAppend AppendBatch(std::string batch, bool is_marker = false) {
    BatchToAppend append;
    append.bytes = absl::MakeSpan(batch.data(), batch.size());
    if (is_marker) append.terms.origin = AppendOrigin::kCoordinator;
    append.terms.transaction_verified = true;
    log_->Append(absl::MakeSpan(&append, 1), LeaderEpoch(0), kNow);
    return append;
  }
  // Records of one value each, of a producer or of none.
  Offset Write(const std::vector<std::string>& keys, ProducerId producer = kNoProducerId,
               int32_t sequence = -1, bool transactional = false) {
    protocol::RecordBatchOptions options;
    options.producer_id = producer;
    options.producer_epoch = ProducerEpoch(producer == kNoProducerId ? -1 : 0);
    options.base_sequence = sequence;
    options.is_transactional = transactional;
    std::vector<KeyedRecord> records;
    for (const std::string& key : keys) records.push_back({key, "v"});
    const BatchToAppend done = AppendBatch(MakeKeyedBatch(records, options, timestamp_));
    EXPECT_EQ(done.outcome, AppendOutcome::kAppended) << done.status;
    return done.base_offset;
  }
  void End(ProducerId producer, bool aborts) {
    TestMarker marker;
    marker.producer = producer;
    marker.aborts = aborts;
    marker.timestamp = timestamp_;
    const BatchToAppend done = AppendBatch(MakeMarker(marker), true);
    EXPECT_EQ(done.outcome, AppendOutcome::kAppended) << done.status;
    log_->OnHighWatermark(log_->log_end_offset());
  }
  void Roll() {
    timestamp_ += 2 * config_.segment_ms;
    Write({"roll"});
  }
  void Clean(TimestampMs now_ms = kNow) {
    SeededRandom random(1);
    const Cleaner cleaner(fs_, CleanerConfig(), random);
    const auto stats = cleaner.Clean(*log_, now_ms, log_->LastStableOffset(log_->log_end_offset()));
    ASSERT_TRUE(stats.ok()) << stats.status();
    cleaned_to_ = log_->cleaned_to();
  }
  // "0-2:2 3:c" for a batch of offsets 0 to 2 with two records and a marker at 3.
  std::string Batches() {
    std::string told;
    for (const FoundBatch& one : ReadBatches(*log_)) {
      const protocol::RecordBatchView batch = one.view();
      absl::StrAppend(&told, batch.base_offset().value(), "-", batch.last_offset().value(), ":",
                      batch.record_count(), batch.is_control() ? "c" : "",
                      batch.has_delete_horizon() ? "h" : "", " ");
    }
    return told;
  }
  std::vector<AbortedTransaction> Aborted() {
    const auto aborted = log_->AbortedTransactions(Offset(0), log_->log_end_offset());
    EXPECT_TRUE(aborted.ok()) << aborted.status();
    return aborted.ok() ? *aborted : std::vector<AbortedTransaction>();
  }

  std::vector<std::string> Names() { return *fs_.List(kDirectory); }
  void RemoveSnapshots() {
    for (const std::string& name : Names()) {
      if (!absl::EndsWith(name, ".snapshot")) continue;
      ASSERT_TRUE(fs_.Remove(absl::StrCat(kDirectory, "/", name)).ok());
    }
  }

  MemoryFileSystem fs_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
  Offset cleaned_to_{0};
  TimestampMs timestamp_ = 1000;
};

TEST_F(CleanerRulesTest, TheLastBatchOfEachProducerStays) {
  Write({"a"}, kAlice, 0);
  Write({"b"}, kBob, 0);
  Write({"a", "c"}, kAlice, 1);
  Write({"a", "b", "c"});
  Roll();
  Clean();
  EXPECT_EQ(Batches(), "1-1:0 2-3:0 4-6:3 7-7:1 ");
  // What is known of the producers is what the log says now.
  RemoveSnapshots();
  Open(Offset(0));
  const ProducerEntry* alice = log_->producers().Find(kAlice);
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->last_batch()->last_sequence, 2);
  EXPECT_EQ(alice->last_batch()->last_offset, Offset(3));
  protocol::RecordBatchOptions options;
  options.producer_id = kAlice;
  options.producer_epoch = ProducerEpoch(0);
  options.base_sequence = 1;
  EXPECT_EQ(AppendBatch(MakeKeyedBatch({{"a", "v"}, {"c", "v"}}, options)).outcome,
            AppendOutcome::kDuplicate);
  Write({"x"}, kAlice, 3);
  Roll();
  Clean();
  EXPECT_EQ(Batches(), "1-1:0 4-6:3 7-7:1 8-8:1 9-9:1 ");
}

// What lies behind the cleaned part may yet be truncated: it counts for nothing.
TEST_F(CleanerRulesTest, TheLastBatchOfAProducerBeforeTheActiveSegmentStays) {
  Write({"a"}, kAlice, 0);
  Write({"a"}, kAlice, 1);
  Write({"a"});
  Roll();
  const Offset behind = Write({"b"}, kAlice, 2);
  Clean();
  EXPECT_EQ(Batches(), "1-1:0 2-2:1 3-3:1 4-4:1 ");
  ASSERT_TRUE(log_->TruncateTo(behind).ok());
  RemoveSnapshots();
  Open(Offset(0));
  const ProducerEntry* alice = log_->producers().Find(kAlice);
  ASSERT_NE(alice, nullptr);
  EXPECT_EQ(alice->last_batch()->last_sequence, 1);
}

TEST_F(CleanerRulesTest, ASegmentEndsWhereTheNextOneBegins) {
  Write({"a"});
  Write({"b"});
  Roll();
  Write({"b"});
  Roll();
  Write({"a"});
  Roll();
  config_.segment_bytes = 1;  // so that each stays alone
  log_->set_config(config_);
  Clean();
  EXPECT_EQ(Batches(), "1-1:0 3-3:1 4-4:1 5-5:1 6-6:1 ");
  config_.compact = false;  // then a gap would be damage
  Open(Offset(0));
  EXPECT_EQ(log_->recovery_report().truncated_bytes, 0);
  EXPECT_EQ(log_->log_end_offset(), Offset(7));
}

TEST_F(CleanerRulesTest, ABatchWithoutRecordsIsNotFoundByItsTime) {
  config_.segment_bytes = 285;  // four batches
  ASSERT_TRUE(fs_.RemoveRecursively(kDirectory).ok());
  Open(Offset(0));
  timestamp_ = 5000;
  Write({"a"}, kAlice, 0);
  timestamp_ = 2000;
  Write({"a"});
  timestamp_ = 3000;
  Write({"b"});
  timestamp_ = 1000;
  Write({"c"});
  timestamp_ = 2500;
  Write({"d"});
  Clean();
  ASSERT_EQ(Batches(), "0-0:0 1-1:1 2-2:1 3-3:1 4-4:1 ");
  const auto decode = [](const protocol::RecordBatchView&) -> absl::StatusOr<std::string> {
    return absl::UnimplementedError("");
  };
  const auto found = log_->FindByTimestamp(1500, log_->log_end_offset(), decode);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->offset, Offset(1));
  const auto latest = log_->MaxTimestamp(decode);
  ASSERT_TRUE(latest.ok() && latest->has_value());
  EXPECT_EQ((*latest)->timestamp, 3000);
  EXPECT_EQ((*latest)->offset, Offset(2));
  EXPECT_FALSE(log_->FindByTimestamp(4000, log_->log_end_offset(), decode)->has_value());
}

// --- transactions -------------------------------------------------------------------------------

TEST_F(CleanerRulesTest, AbortedDataGoesAndItsKeysCountForNothing) {
  Write({"a"});
  Write({"a", "b"}, kAlice, 0, true);
  End(kAlice, true);
  Write({"z"}, kAlice, 2, true);  // its last word: the batch before may go
  End(kAlice, false);
  Roll();
  Clean();
  // The marker waits for a cleaning that meets nothing of its transaction, then for its horizon.
  EXPECT_EQ(Batches(), "0-0:1 3-3:1c 4-4:1 5-5:1c 6-6:1 ");
  ASSERT_EQ(Aborted().size(), 1u);
  EXPECT_EQ(Aborted()[0].last_offset, Offset(3));
  Roll();
  Clean(kNow + 100);
  EXPECT_EQ(Batches(), "0-0:1 3-3:1ch 4-4:1 5-5:1c 6-6:1 7-7:1 ");
  EXPECT_TRUE(Aborted().empty());
  Roll();
  Clean(kNow + 599);
  EXPECT_EQ(Batches(), "0-0:1 3-3:1ch 4-4:1 5-5:1c 7-7:1 8-8:1 ");
  Roll();
  Clean(kNow + 600);
  EXPECT_EQ(Batches(), "0-0:1 4-4:1 5-5:1c 8-8:1 9-9:1 ");
}

TEST_F(CleanerRulesTest, ACommitMarkerGoesAfterTheLastOfItsData) {
  Write({"a"}, kAlice, 0, true);
  End(kAlice, false);
  Write({"z"}, kAlice, 1, true);
  End(kAlice, false);
  Roll();
  Clean();
  EXPECT_EQ(Batches(), "0-0:1 1-1:1c 2-2:1 3-3:1c 4-4:1 ");
  Write({"a"});
  Roll();
  Clean();
  EXPECT_EQ(Batches(), "1-1:1c 2-2:1 3-3:1c 4-4:1 5-5:1 6-6:1 ");
  Roll();
  Clean();
  EXPECT_EQ(Batches(), "1-1:1ch 2-2:1 3-3:1c 5-5:1 6-6:1 7-7:1 ");
  Roll();
  Clean(kNow + 500);
  EXPECT_EQ(Batches(), "2-2:1 3-3:1c 5-5:1 7-7:1 8-8:1 ");
}

// Aborted data behind the end of the keys' map is copied as it is: its entry in the new index must
// be there whenever the data is.
TEST_F(CleanerRulesTest, APowerLossInAReplacementLosesNoAbortedTransaction) {
  bool crashed = true;
  for (int64_t boundary = 0; crashed; ++boundary) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(absl::StrCat("boundary ", boundary, ", seed ", seed));
      log_.reset();
      fs_ = MemoryFileSystem(seed);
      ASSERT_TRUE(fs_.CreateDirectories("/data").ok() && fs_.SyncDirectory("/").ok());
      cleaned_to_ = Offset(0);
      Open(Offset(0));
      Write({"a"});
      Write({"a"});
      Write({"b"});
      Write({"d"});  // for which there is no room
      const Offset aborted = Write({"c"}, kAlice, 0, true);
      End(kAlice, true);
      Roll();
      ASSERT_TRUE(log_->Flush().ok());
      const Offset end = log_->log_end_offset();

      CleanerConfig config;
      config.dedupe_buffer_bytes = 72;
      SeededRandom random(seed);
      const Cleaner cleaner(fs_, config, random);
      auto plan = log_->PlanCleaning(kNow, end);
      ASSERT_TRUE(plan.ok()) << plan.status();
      const std::unique_ptr<Cleaning> cleaning = cleaner.Start(*std::move(plan));
      ASSERT_EQ(*cleaning->Step(1 << 20), CleanStep::kReplace);
      fs_.CrashAtBoundary(boundary);
      (void)log_->ReplaceSegments(cleaning->cleaned(), kNow);
      crashed = fs_.crashed();
      fs_.PowerLoss(random);
      Open(end);
      ASSERT_FALSE(log_->Read(aborted, 1, end, true)->empty());
      ASSERT_EQ(Aborted().size(), 1u);
    }
  }
}

TEST_F(CleanerRulesTest, NothingOfAnOpenTransactionIsTouched) {
  Write({"a"});
  Roll();
  Write({"a"}, kAlice, 0, true);
  Roll();
  Write({"a"});
  Roll();
  Clean();
  EXPECT_EQ(cleaned_to_, Offset(1));
  EXPECT_EQ(Batches(), "0-0:1 1-1:1 2-2:1 3-3:1 4-4:1 5-5:1 ");
  End(kAlice, true);
  Roll();
  Clean();
  EXPECT_EQ(Batches(), "2-2:0 4-4:1 5-5:1 6-6:1c 7-7:1 ");
  ASSERT_EQ(Aborted().size(), 1u);
  EXPECT_EQ(Aborted()[0], (AbortedTransaction{kAlice, Offset(2), Offset(6), Offset(7)}));
}

// Where mapping ends within a transaction, what is behind is still there: readers must know.
TEST_F(CleanerRulesTest, ATransactionThatIsCleanedInParts) {
  Write({"a", "b"}, kAlice, 0, true);
  Write({"c"});
  Write({"a"}, kAlice, 2, true);
  End(kAlice, true);
  Write({"z"}, kAlice, 3);
  Roll();
  SeededRandom random(1);
  CleanerConfig small;
  small.dedupe_buffer_bytes = 24 * 2;
  const Cleaner cleaner(fs_, small, random);
  ASSERT_TRUE(cleaner.Clean(*log_, kNow, log_->log_end_offset()).ok());
  EXPECT_EQ(log_->cleaned_to(), Offset(5));
  EXPECT_EQ(Batches(), "2-2:1 4-4:1c 5-5:1 6-6:1 ");
  EXPECT_EQ(Aborted().size(), 1u);
  Open(Offset(7));
  EXPECT_EQ(Aborted().size(), 1u);
}

// --- when it is due -----------------------------------------------------------------------------

TEST_F(CleanerRulesTest, Dirt) {
  Write({"a"});
  Write({"b"});
  Roll();
  Write({"a"});
  Roll();
  const auto bytes = log_->Read(Offset(0), 1 << 20, Offset(1), true)->size_bytes;
  auto dirt = *log_->MeasureDirt(kNow, log_->log_end_offset());
  EXPECT_EQ(dirt.first_dirty, Offset(0));
  EXPECT_EQ(dirt.first_uncleanable, Offset(4));
  EXPECT_EQ(dirt.clean_bytes, 0);
  EXPECT_EQ(dirt.ratio(), 1.0);
  EXPECT_FALSE(dirt.is_overdue);
  Clean();
  dirt = *log_->MeasureDirt(kNow, log_->log_end_offset());
  EXPECT_EQ(dirt.dirty_bytes, 0);
  EXPECT_FALSE(dirt.IsWorthCleaning(config_));
  Write({"a"});
  Roll();
  dirt = *log_->MeasureDirt(kNow, log_->log_end_offset());
  EXPECT_GT(dirt.clean_bytes, 2 * bytes);
  EXPECT_GT(dirt.dirty_bytes, bytes);
  EXPECT_LT(dirt.ratio(), 0.5);
  EXPECT_FALSE(dirt.IsWorthCleaning(config_));
  config_.min_cleanable_dirty_ratio = 0.1;
  EXPECT_TRUE(dirt.IsWorthCleaning(config_));
  EXPECT_EQ(log_->MeasureDirt(kNow, Offset(5))->dirty_bytes, 0);
  EXPECT_EQ(log_->MeasureDirt(kNow, Offset(0))->dirty_bytes, 0);
}

TEST_F(CleanerRulesTest, MinCompactionLagKeepsYoungSegments) {
  timestamp_ = kNow - 10'000;
  Write({"a"});
  Roll();  // at -8000
  Write({"a"});
  Roll();  // at -6000
  Write({"a"});
  Roll();
  config_.min_compaction_lag_ms = 8000;
  log_->set_config(config_);
  EXPECT_EQ(log_->MeasureDirt(kNow, Offset(6))->first_uncleanable, Offset(3));
  EXPECT_EQ(log_->MeasureDirt(kNow - 1, Offset(6))->first_uncleanable, Offset(1));
  config_.min_compaction_lag_ms = std::numeric_limits<int64_t>::max();
  log_->set_config(config_);
  EXPECT_EQ(log_->MeasureDirt(kNow, Offset(6))->first_uncleanable, Offset(0));
}

TEST_F(CleanerRulesTest, MaxCompactionLagMakesItDue) {
  config_.min_cleanable_dirty_ratio = 1;
  config_.max_compaction_lag_ms = 5000;
  log_->set_config(config_);
  timestamp_ = kNow - 5000;
  Write({"a"});
  Roll();
  EXPECT_FALSE(log_->MeasureDirt(kNow, Offset(2))->IsWorthCleaning(config_));
  EXPECT_TRUE(log_->MeasureDirt(kNow + 1, Offset(2))->IsWorthCleaning(config_));
  Clean(kNow + 1);
  EXPECT_FALSE(log_->MeasureDirt(kNow + 1, Offset(2))->IsWorthCleaning(config_));
}

}  // namespace
}  // namespace weir::log
