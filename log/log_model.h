// -----------------------------------------------------------------------------
// File: log/log_model.h
// -----------------------------------------------------------------------------
// A simple model of a log for log/crash_sequences.h: appends of idempotent producers and others,
// flushes, checkpoints, truncation, retention, closing.
// Threading: one thread. Errors: gtest's fatal failures.
#ifndef WEIR_LOG_LOG_MODEL_H_
#define WEIR_LOG_LOG_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/record_batch.h"

namespace weir::log {

// A batch that was appended.
struct ModelBatch {
  std::string bytes;  // as they must be in the file
  Offset base;
  Offset last;
  int32_t epoch;
  ProducerId producer;
  int32_t sequence;
};

// A Log, its model, and the disk under both.
class LogModel {
 public:
  static constexpr int64_t kNow = 1'000'000;
  static constexpr int kStepsAfterCrash = 10;

  explicit LogModel(uint64_t seed) : random_(seed), fs_(seed) {
    config_.segment_bytes = 1500 + static_cast<int64_t>(random_.Below(3000));
    config_.index_interval_bytes = static_cast<int64_t>(random_.Below(400));
    config_.retention_ms = 500;
    config_.file_delete_delay_ms = 10;
    fs_.set_manual_syncs(random_.OneIn(2));
    EXPECT_TRUE(fs_.CreateDirectories("/data").ok());
    EXPECT_TRUE(fs_.SyncDirectory("/").ok());
  }

  MemoryFileSystem& fs() { return fs_; }

  void Open(bool clean) {
    log_.reset();
    auto log =
        Log::Open(fs_, "/data/t-0", config_, {clean, recovery_point_, log_start_hint_}, kNow);
    if (!log.ok() && fs_.crashed()) return;
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }

  // One random operation. False when the machine went down in it.
  bool Step() {
    now_ += static_cast<int64_t>(random_.Below(40));
    switch (random_.Below(16)) {
      case 0:
        FlushNow();
        break;
      case 1:
      case 2:
      case 3:
        log_->StartFlush();
        break;
      case 4:
      case 5:
        CompleteSyncs();
        break;
      case 6:
        recovery_point_ = log_->flushed_offset();  // the owner's checkpoint
        break;
      case 7:
        if (random_.OneIn(4)) Truncate();
        break;
      case 8:
        if (random_.OneIn(2)) Retain();
        break;
      case 9:
        if (random_.OneIn(3)) Restart();
        break;
      case 10:
        if (random_.OneIn(3)) AdvanceStart();
        break;
      case 11:
        log_->Tick(now_);
        ReadSomewhere();
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
      snapshots_are_whole_ = false;
    } else {
      must_have_ = std::max(must_have_, model_end_);
      fs_.KillProcess();
    }
    Open(false);
    ASSERT_NE(log_, nullptr);
    ASSERT_GE(log_->log_end_offset(), must_have_) << "flushed data is lost";
    ASSERT_GE(log_->log_start_offset(), log_start_);
    ASSERT_LE(log_->log_start_offset(), std::max(log_start_maybe_, log_start_hint_));
    ASSERT_EQ(log_->flushed_offset(), log_->log_end_offset());
    log_start_ = log_start_maybe_ = log_->log_start_offset();
    while (!batches_.empty() && batches_.back().last >= log_->log_end_offset()) {
      batches_.pop_back();
    }
    model_end_ = batches_.empty() ? log_start_ : batches_.back().last + 1;
    model_end_ = std::max(model_end_, log_start_);
    Flushed();
    Verify();
    RewindSequences();
  }

  // Everything that can be read is what the model says.
  void Verify() {
    if (log_ == nullptr) return;
    ASSERT_EQ(log_->log_end_offset(), model_end_) << "ends inside a batch, or holds others";
    std::map<int64_t, const ModelBatch*> last_of_producer;
    for (const ModelBatch& batch : batches_) {
      if (batch.last < log_start_) continue;
      const Offset from = std::max(batch.base, log_start_);
      for (const Offset offset : {from, batch.last}) {
        auto slice = log_->Read(offset, 1, model_end_, true);
        ASSERT_TRUE(slice.ok()) << slice.status();
        ASSERT_EQ(slice->first_offset, batch.base);
        ASSERT_EQ(slice->next_offset, batch.last + 1);
        ASSERT_EQ(SliceBytes(*slice), batch.bytes);
      }
      ASSERT_EQ(log_->epochs().EpochForOffset(from), LeaderEpoch(batch.epoch))
          << "at offset " << from;
      if (batch.producer != kNoProducerId) last_of_producer[batch.producer.value()] = &batch;
    }
    for (const auto& [id, batch] : last_of_producer) {
      if (batch->base < log_start_) continue;
      const ProducerEntry* entry = log_->producers().Find(ProducerId(id));
      ASSERT_NE(entry, nullptr) << "producer " << id;
      ASSERT_EQ(entry->last_batch()->last_offset, batch->last);
      ASSERT_EQ(entry->last_batch()->first_sequence(), batch->sequence);
    }
    ASSERT_TRUE(log_->FindByTimestamp(now_, model_end_, Undecoded).ok());
    ASSERT_TRUE(log_->MaxTimestamp(Undecoded).ok());
  }

 private:
  static absl::StatusOr<std::string> Undecoded(const protocol::RecordBatchView&) {
    return absl::UnimplementedError("");
  }

  void Append() {
    if (random_.OneIn(10)) ++epoch_;
    std::vector<std::string> bytes;
    std::vector<BatchToAppend> batches(1 + random_.Below(3));
    std::vector<TestBatch> specs(batches.size());
    Offset end = model_end_;
    for (size_t i = 0; i < batches.size(); ++i) {
      TestBatch& spec = specs[i];
      spec.records = 1 + static_cast<int>(random_.Below(4));
      spec.value_bytes = random_.OneIn(8) ? 900 : random_.Below(150);
      spec.timestamp = now_ + static_cast<int64_t>(random_.Below(20));
      spec.fill = static_cast<char>('a' + random_.Below(26));
      if (random_.OneIn(2)) {
        spec.producer = ProducerId(static_cast<int64_t>(random_.Below(3)));
        int32_t& next = next_sequence_[spec.producer.value()];
        spec.sequence = next;
        next += spec.records;
      }
      bytes.push_back(MakeBatch(spec));
      std::string expected = bytes.back();
      protocol::SetBaseOffset(expected.data(), end);
      protocol::SetLeaderEpoch(expected.data(), LeaderEpoch(epoch_));
      batches_.push_back(
          {expected, end, end + (spec.records - 1), epoch_, spec.producer, spec.sequence});
      end += spec.records;
    }
    for (size_t i = 0; i < batches.size(); ++i) {
      batches[i].bytes = absl::MakeSpan(bytes[i].data(), bytes[i].size());
    }
    log_->Append(absl::MakeSpan(batches), LeaderEpoch(epoch_), now_);
    for (size_t i = 0; i < batches.size(); ++i) {
      if (fs_.crashed()) continue;  // some of them may be in the file, or none
      ASSERT_TRUE(batches[i].status.ok()) << batches[i].status;
      ASSERT_EQ(batches[i].outcome, AppendOutcome::kAppended);
      model_end_ = batches[i].last_offset + 1;
    }
    if (!fs_.crashed()) {
      ASSERT_EQ(model_end_, end);
    }
  }

  void Flushed() { must_have_ = std::max(must_have_, log_->flushed_offset()); }

  void FlushNow() {
    const absl::Status status = log_->Flush();
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(log_->flushed_offset(), model_end_);
    Flushed();
  }

  void CompleteSyncs() {
    std::vector<SyncDone> done;
    if (random_.OneIn(2)) fs_.CompleteOneSync(random_);
    fs_.DrainSyncs(&done);
    for (const SyncDone& d : done) log_->OnSyncDone(d.token, d.status);
    Flushed();
  }

  Offset RandomOffset() {
    return log_start_ +
           static_cast<int64_t>(random_.Below(static_cast<uint64_t>(model_end_ - log_start_) + 1));
  }

  void Truncate() {
    const Offset to = RandomOffset();
    recovery_point_ = Offset(0);
    Offset end = model_end_;
    bool cuts_start = false;  // the batch that the log begins in
    for (const ModelBatch& batch : batches_) {
      if (batch.last >= to) {
        end = std::min(end, std::max(batch.base, log_start_));
        cuts_start = batch.base < log_start_;
        break;
      }
    }
    if (to <= log_start_) end = std::min(end, to);
    must_have_ = std::min(must_have_, end);
    const bool all = end <= log_start_;  // then any of the segments may be left by a crash
    const Offset before = model_end_;
    const absl::Status status = log_->TruncateTo(to);
    if (fs_.crashed()) {
      if (all) {
        log_start_maybe_ = std::max(log_start_maybe_, before);
        must_have_ = log_start_ = model_end_ = Offset(0);
      }
      model_end_ = std::min(model_end_, end);
      return;
    }
    ASSERT_TRUE(status.ok()) << status;
    model_end_ = log_->log_end_offset();
    ASSERT_EQ(model_end_, end);
    while (!batches_.empty() && batches_.back().last >= model_end_) batches_.pop_back();
    if (cuts_start) batches_.clear();  // the log begins anew
    RewindSequences();
    CheckProducers();
  }

  // Each is known by its last batch below the end, also where retention has taken that: by the
  // snapshot of the segment's end, or a later one, which a truncation takes.
  void CheckProducers() {
    if (!snapshots_are_whole_) return;
    std::map<int64_t, int32_t> next;
    for (const ModelBatch& batch : batches_) {
      const auto records = static_cast<int32_t>(batch.last - batch.base + 1);
      if (batch.sequence >= 0) next[batch.producer.value()] = batch.sequence + records;
    }
    for (const auto& [id, sequence] : next) {
      ASSERT_EQ(next_sequence_[id], sequence) << "of producer " << id;
    }
  }

  void RewindSequences() {
    for (auto& [id, next] : next_sequence_) {
      const ProducerEntry* entry = log_->producers().Find(ProducerId(id));
      next = entry == nullptr || entry->last_batch() == nullptr
                 ? 0
                 : entry->last_batch()->last_sequence + 1;
    }
  }

  void Retain() {
    const Offset bound = std::max(log_start_, log_->flushed_offset());
    log_start_maybe_ = std::max(log_start_maybe_, bound);
    const auto deleted = log_->DeleteOldSegments(now_, bound);
    if (fs_.crashed()) return;
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    log_start_ = log_start_maybe_ = log_->log_start_offset();
    ASSERT_LE(log_start_, bound);
  }

  void AdvanceStart() {
    const Offset to = RandomOffset();
    if (to > log_->flushed_offset()) return;
    log_start_maybe_ = std::max(log_start_maybe_, to);
    log_start_hint_ = std::max(log_start_hint_, to);
    const absl::Status status = log_->AdvanceLogStart(to);
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    log_start_ = log_start_maybe_ = log_->log_start_offset();
  }

  void Restart() {
    const absl::Status status = log_->Close();
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    recovery_point_ = model_end_;
    must_have_ = model_end_;
    std::vector<SyncDone> dropped;
    SeededRandom any(1);
    while (fs_.CompleteOneSync(any)) fs_.DrainSyncs(&dropped);
    Open(true);
    if (fs_.crashed()) return;
    ASSERT_EQ(log_->recovery_report().bytes_scanned, 0);
    Verify();
  }

  void ReadSomewhere() {
    const Offset from = RandomOffset();
    const auto slice =
        log_->Read(from, static_cast<int64_t>(random_.Below(3000)), model_end_, true);
    if (fs_.crashed()) return;
    ASSERT_TRUE(slice.ok()) << slice.status();
    std::string expected;
    for (const ModelBatch& batch : batches_) {
      if (batch.base >= slice->first_offset && batch.base < slice->next_offset) {
        expected += batch.bytes;
      }
    }
    ASSERT_EQ(SliceBytes(*slice), expected);
    ASSERT_EQ(slice->empty(), from == model_end_);
  }

  SeededRandom random_;
  MemoryFileSystem fs_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
  std::vector<ModelBatch> batches_;  // beyond model_end_: appended when the machine went down
  std::map<int64_t, int32_t> next_sequence_;
  bool snapshots_are_whole_ = true;  // no power loss has torn one
  int64_t now_ = kNow;
  int32_t epoch_ = 0;
  Offset model_end_{0};
  Offset must_have_{0};  // nothing before it may be lost
  Offset log_start_{0};
  Offset log_start_maybe_{0};
  Offset recovery_point_{0};
  Offset log_start_hint_{0};
};

}  // namespace weir::log

#endif  // WEIR_LOG_LOG_MODEL_H_
