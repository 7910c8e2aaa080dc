// -----------------------------------------------------------------------------
// File: log/compaction_model.h
// -----------------------------------------------------------------------------
// A model of a compacted log, for log/crash_sequences.h, that never forgets; cleanings run in steps
// between the other operations. What must hold: offsets keep their records, the last value of each
// key is there, a deletion is told for delete.retention.ms and nothing comes back from behind it.
// Threading: one thread. Errors: gtest's fatal failures.
#ifndef WEIR_LOG_COMPACTION_MODEL_H_
#define WEIR_LOG_COMPACTION_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
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
#include "log/test_batches.h"
#include "log/test_records.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::log {

// A compacted Log, its model, and the disk under both.
class CompactionModel {
  static constexpr char kDirectory[] = "/data/t-0";
  static constexpr int64_t kDeleteRetentionMs = 400;

  struct ModelRecord {
    std::string key;
    Text value;
    TimestampMs timestamp = 0;
    TimestampMs met_ms = -1;  // when the first cleaning began that could have met it
  };
  struct ModelProducer {
    int32_t next_sequence = 0;
    std::vector<std::pair<Offset, int32_t>> batches;  // last offset, last sequence
  };

 public:
  static constexpr int kStepsAfterCrash = 60;

  explicit CompactionModel(uint64_t seed) : random_(seed), fs_(seed) {
    config_.compact = true;
    config_.segment_bytes = 400 + static_cast<int64_t>(random_.Below(1500));
    config_.index_interval_bytes = static_cast<int64_t>(random_.Below(300));
    config_.delete_retention_ms = kDeleteRetentionMs;
    config_.file_delete_delay_ms = 10;
    cleaner_config_.dedupe_buffer_bytes = random_.OneIn(2) ? 24 * 8 : 1 << 20;
    cleaner_config_.io_buffer_bytes = 1;
    keys_ = 3 + random_.Below(10);
    EXPECT_TRUE(fs_.CreateDirectories("/data").ok());
    EXPECT_TRUE(fs_.SyncDirectory("/").ok());
  }

  MemoryFileSystem& fs() { return fs_; }

  // A topic may have another policy by then: what is in the folder must do.
  void Open(bool clean) {
    cleaning_.reset();
    log_.reset();
    config_.compact = !random_.OneIn(3);
    RecoveryHint hint;
    hint.clean = clean;
    hint.recovery_point = recovery_point_;
    hint.cleaned_to = cleaned_hint_;
    auto log = Log::Open(fs_, kDirectory, config_, hint, now_);
    config_.compact = true;
    if (!log.ok() && fs_.crashed()) return;
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    log_->set_config(config_);
  }

  // One random operation. False when the machine went down in it.
  bool Step() {
    now_ += static_cast<int64_t>(random_.Below(40));
    switch (random_.Below(16)) {
      case 0:
      case 1:
        FlushNow();
        break;
      case 2:
        recovery_point_ = log_->flushed_offset();
        cleaned_hint_ = log_->cleaned_to();
        break;
      case 3:
        if (random_.OneIn(4)) Restart();
        break;
      case 4:
        log_->Tick(now_);
        if (random_.OneIn(8)) now_ += kDeleteRetentionMs;
        break;
      case 5:
        if (random_.OneIn(6)) Truncate();
        break;
      case 6:
      case 7:
      case 8:
      case 9:
        CleanSome();
        break;
      default:
        Append();
        break;
    }
    return !fs_.crashed();
  }

  // After a crash: opens the log, and makes the model what is left, if that is allowed.
  void Recover(bool power_loss) {
    if (power_loss) {
      fs_.PowerLoss(random_);
    } else {
      must_have_ = std::max(must_have_, model_end_);
      fs_.KillProcess();
    }
    Open(false);
    ASSERT_NE(log_, nullptr);
    ASSERT_GE(log_->log_end_offset(), must_have_) << "flushed data is lost";
    CutModel(log_->log_end_offset());
    must_have_ = model_end_;
    for (const std::string& name : fs_.List(kDirectory).value_or(std::vector<std::string>())) {
      ASSERT_FALSE(absl::EndsWith(name, ".cleaned") || absl::EndsWith(name, ".swap")) << name;
    }
    Verify();
    RewindSequences();
  }

  void Verify() {
    if (log_ == nullptr) return;
    ASSERT_EQ(log_->log_end_offset(), model_end_);
    std::map<std::string, int64_t> last_found;
    std::map<int64_t, bool> found;
    for (const FoundRecordOf& record : ReadRecords(*log_)) {
      const auto known = records_.find(record.offset);
      ASSERT_NE(known, records_.end()) << "offset " << record.offset << " was never written";
      ASSERT_EQ(record.key, known->second.key) << "offset " << record.offset;
      ASSERT_EQ(record.value, known->second.value) << "offset " << record.offset;
      ASSERT_EQ(record.timestamp, known->second.timestamp) << "offset " << record.offset;
      last_found[known->second.key] = record.offset;
      found[record.offset] = true;
    }
    std::map<std::string, int64_t> last;
    for (const auto& [offset, record] : records_) {
      last[record.key] = offset;
      if (offset >= planned_to_.value()) {
        ASSERT_TRUE(found.count(offset)) << offset;
      }
    }
    for (const auto& [key, offset] : last) {
      const ModelRecord& record = records_[offset];
      const bool may_go = !record.value.has_value() && record.met_ms >= 0 &&
                          now_ >= record.met_ms + kDeleteRetentionMs;
      const auto latest = last_found.find(key);
      if (may_go && latest == last_found.end()) continue;
      ASSERT_NE(latest, last_found.end()) << key << " of offset " << offset << " is gone";
      ASSERT_EQ(latest->second, offset) << "the last of " << key;
    }
    VerifyProducers();
    Find();
  }

 private:
  void RewindSequences() {
    for (auto& [id, producer] : producers_) {
      producer.next_sequence = producer.batches.empty() ? 0 : producer.batches.back().second + 1;
    }
  }

  void VerifyProducers() {
    for (const auto& [id, producer] : producers_) {
      if (producer.batches.empty()) continue;
      const ProducerEntry* entry = log_->producers().Find(ProducerId(id));
      ASSERT_NE(entry, nullptr) << "producer " << id;
      ASSERT_EQ(entry->last_batch()->last_offset, producer.batches.back().first);
      ASSERT_EQ(entry->last_batch()->last_sequence, producer.batches.back().second);
    }
  }

  // Every record that is there is found by its offset, through the indexes.
  void Find() {
    const Offset from(
        static_cast<int64_t>(random_.Below(static_cast<uint64_t>(model_end_.value()) + 1)));
    const auto slice = log_->Read(from, 1, model_end_, true);
    ASSERT_TRUE(slice.ok()) << slice.status();
    if (slice->empty()) return;
    ASSERT_GT(slice->next_offset, from);
    for (const auto& [offset, record] : records_) {
      if (offset < from.value() || offset >= slice->first_offset.value()) continue;
      ASSERT_LT(offset, planned_to_.value()) << "skipped by a read from " << from.value();
    }
  }

  void Append() {
    protocol::RecordBatchOptions options;
    std::vector<KeyedRecord> records;
    const uint64_t count = 1 + random_.Below(4);
    for (uint64_t i = 0; i < count; ++i) {
      KeyedRecord record{absl::StrCat("key", random_.Below(keys_)), std::nullopt};
      if (!random_.OneIn(4)) {
        record.value = absl::StrCat(++values_, std::string(random_.Below(60), 'x'));
      }
      records.push_back(std::move(record));
    }
    int64_t producer = -1;
    if (random_.OneIn(2)) {
      producer = static_cast<int64_t>(random_.Below(3));
      options.producer_id = ProducerId(producer);
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = producers_[producer].next_sequence;
    }
    const auto codec = static_cast<protocol::Codec>(random_.OneIn(2) ? 0 : random_.Below(5));
    std::string batch = MakeKeyedBatch(records, options, now_, codec);
    const int64_t base = model_end_.value();
    for (uint64_t i = 0; i < count; ++i) {
      const auto at = static_cast<int64_t>(i);
      records_[base + at] = {*records[i].key, records[i].value, now_ + at, -1};
    }
    const Offset end = model_end_ + static_cast<int64_t>(count);
    if (producer >= 0) {
      ModelProducer& model = producers_[producer];
      model.next_sequence += static_cast<int32_t>(count);
      model.batches.emplace_back(end - 1, model.next_sequence - 1);
    }
    BatchToAppend append;
    append.bytes = absl::MakeSpan(batch.data(), batch.size());
    log_->Append(absl::MakeSpan(&append, 1), LeaderEpoch(0), now_);
    if (fs_.crashed()) return;  // it may be in the file
    ASSERT_EQ(append.outcome, AppendOutcome::kAppended) << append.status;
    model_end_ = end;
  }

  // Starts a cleaning or takes one on by a step.
  void CleanSome() {
    if (cleaning_ == nullptr) {
      auto plan = log_->PlanCleaning(now_, log_->flushed_offset());
      if (fs_.crashed()) return;
      ASSERT_TRUE(plan.ok()) << plan.status();
      planned_to_ = std::max(planned_to_, plan->end());
      for (auto& [offset, record] : records_) {
        if (offset < plan->end().value() && record.met_ms < 0) record.met_ms = now_;
      }
      SeededRandom secret(7);
      cleaning_ = Cleaner(fs_, cleaner_config_, secret).Start(*std::move(plan));
      return;
    }
    const auto step = cleaning_->Step(static_cast<int64_t>(1 + random_.Below(600)));
    if (fs_.crashed()) return;
    ASSERT_TRUE(step.ok()) << step.status();
    if (*step == CleanStep::kReplace) {
      const absl::Status replaced = log_->ReplaceSegments(cleaning_->cleaned(), now_);
      if (fs_.crashed()) return;
      if (absl::IsAborted(replaced)) return cleaning_.reset();
      ASSERT_TRUE(replaced.ok()) << replaced;
      if (random_.OneIn(4)) cleaning_.reset();  // given up
    } else if (*step == CleanStep::kDone) {
      FinishCleaning();
    } else if (random_.OneIn(30)) {
      cleaning_->Discard();
      cleaning_.reset();
    }
    if (!fs_.crashed()) Verify();
  }

  // Below what was cleaned, each key is there once.
  void FinishCleaning() {
    log_->FinishCleaning(cleaning_->generation(), cleaning_->cleaned_to());
    const bool is_of_now = log_->cleaned_to() >= cleaning_->cleaned_to();
    const int64_t end = cleaning_->cleaned_to().value();
    cleaning_.reset();
    if (!is_of_now) return;
    std::map<std::string, int64_t> seen;
    for (const FoundRecordOf& record : ReadRecords(*log_)) {
      if (record.offset >= end) break;
      ASSERT_TRUE(seen.emplace(*record.key, record.offset).second)
          << *record.key << " is at " << seen[*record.key] << " and at " << record.offset
          << ", cleaned to " << end;
    }
  }

  void FlushNow() {
    const absl::Status status = log_->Flush();
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    must_have_ = model_end_;
  }

  // Of what was not flushed: nothing that cleaning could have looked at.
  void Truncate() {
    const Offset to = std::max(planned_to_, log_->flushed_offset());
    if (to >= model_end_) return;
    recovery_point_ = Offset(0);
    cleaned_hint_ = std::min(cleaned_hint_, to);
    model_end_ = to;  // the records behind it may be left when it crashes
    const absl::Status status = log_->TruncateTo(to);
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_LE(log_->log_end_offset(), to);
    CutModel(log_->log_end_offset());
    RewindSequences();
  }

  void CutModel(Offset end) {
    model_end_ = end;
    records_.erase(records_.lower_bound(end.value()), records_.end());
    for (auto& [id, producer] : producers_) {
      while (!producer.batches.empty() && producer.batches.back().first >= end) {
        producer.batches.pop_back();
      }
    }
  }

  void Restart() {
    if (cleaning_ != nullptr && random_.OneIn(2)) cleaning_->Discard();
    const absl::Status status = log_->Close();
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    recovery_point_ = must_have_ = model_end_;
    cleaned_hint_ = log_->cleaned_to();
    Open(true);
    if (fs_.crashed()) return;
    Verify();
  }

  SeededRandom random_;
  MemoryFileSystem fs_;
  LogConfig config_;
  CleanerConfig cleaner_config_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Cleaning> cleaning_;
  std::map<int64_t, ModelRecord> records_;
  std::map<int64_t, ModelProducer> producers_;
  uint64_t keys_ = 0;
  int64_t values_ = 0;
  TimestampMs now_ = 1'000'000;
  Offset model_end_{0};
  Offset must_have_{0};   // nothing before it may be lost
  Offset planned_to_{0};  // no cleaning ever looked at what is behind
  Offset recovery_point_{0};
  Offset cleaned_hint_{0};
};

}  // namespace weir::log

#endif  // WEIR_LOG_COMPACTION_MODEL_H_
