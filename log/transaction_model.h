// -----------------------------------------------------------------------------
// File: log/transaction_model.h
// -----------------------------------------------------------------------------
// A simple model of the transactions in a log, for log/crash_sequences.h: what is open, what was
// aborted and the last stable offset must be what the batches say that are left.
// Threading: one thread. Errors: gtest's fatal failures.
#ifndef WEIR_LOG_TRANSACTION_MODEL_H_
#define WEIR_LOG_TRANSACTION_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
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
#include "log/log.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "log/transaction_index.h"
#include "protocol/record_batch.h"

namespace weir::log {

namespace transaction_model {

enum class Kind { kPlain, kTransactional, kCommit, kAbort };

struct Batch {
  Kind kind = Kind::kPlain;
  int64_t producer = 0;
  int16_t epoch = 0;
  int32_t coordinator_epoch = 0;
  Offset base;
  Offset last;
};

struct Transaction {
  int64_t producer = 0;
  std::vector<Offset> batches;  // where they begin
  Offset marker = kNoOffset;

  // The first batch at `from` or behind; kNoOffset when there is none.
  Offset FirstFrom(Offset from) const {
    const auto found = std::lower_bound(batches.begin(), batches.end(), from);
    return found == batches.end() ? kNoOffset : *found;
  }
};

// What the batches that are left say.
struct State {
  std::map<int64_t, Transaction> open;  // by producer
  std::map<int64_t, int32_t> coordinator_epochs;
  std::vector<Transaction> aborted;

  explicit State(const std::vector<Batch>& batches) {
    for (const Batch& batch : batches) {
      if (batch.kind == Kind::kTransactional) {
        Transaction& transaction = open[batch.producer];
        transaction.producer = batch.producer;
        transaction.batches.push_back(batch.base);
      }
      if (batch.kind != Kind::kCommit && batch.kind != Kind::kAbort) continue;
      coordinator_epochs[batch.producer] = batch.coordinator_epoch;
      auto ended = open.extract(batch.producer);
      if (ended.empty() || batch.kind == Kind::kCommit) continue;
      ended.mapped().marker = batch.base;
      aborted.push_back(std::move(ended.mapped()));
    }
  }
};

}  // namespace transaction_model

// A Log with transactions, its model, and the disk under both.
class TransactionModel {
  static constexpr char kDirectory[] = "/data/t-0";
  static constexpr int64_t kProducers = 4;

  using Kind = transaction_model::Kind;
  using ModelBatch = transaction_model::Batch;
  using ModelTransaction = transaction_model::Transaction;
  using ModelState = transaction_model::State;

 public:
  static constexpr int kStepsAfterCrash = 10;

  explicit TransactionModel(uint64_t seed) : random_(seed), fs_(seed) {
    config_.segment_bytes = 400 + static_cast<int64_t>(random_.Below(1200));
    config_.index_interval_bytes = static_cast<int64_t>(random_.Below(300));
    config_.retention_ms = -1;
    config_.retention_bytes = 1500;
    config_.file_delete_delay_ms = 0;
    fs_.set_manual_syncs(random_.OneIn(2));
    EXPECT_TRUE(fs_.CreateDirectories("/data").ok());
    EXPECT_TRUE(fs_.SyncDirectory("/").ok());
  }

  MemoryFileSystem& fs() { return fs_; }

  void Open(bool clean) {
    log_.reset();
    auto log = Log::Open(fs_, kDirectory, config_, {clean, recovery_point_, log_start_hint_}, 1000);
    if (!log.ok() && fs_.crashed()) return;
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }

  // One random operation. False when the machine went down in it.
  bool Step() {
    switch (random_.Below(16)) {
      case 0:
        if (log_->Flush().ok()) Flushed();
        break;
      case 1:
      case 2:
        log_->StartFlush();
        break;
      case 3:
        CompleteSyncs();
        break;
      case 4:
        recovery_point_ = log_->flushed_offset();
        break;
      case 5:
        if (random_.OneIn(4)) Truncate();
        break;
      case 6:
        if (random_.OneIn(2)) Retain();
        break;
      case 7:
        if (random_.OneIn(3)) Restart();
        break;
      case 8:
        log_->Tick(1000);
        if (random_.OneIn(3)) SpoilIndex();
        Verify();
        break;
      default:
        Append();
        break;
    }
    return !fs_.crashed();
  }

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
    log_start_ = log_->log_start_offset();
    Shorten(log_->log_end_offset());
    ASSERT_EQ(batches_.empty() ? log_start_ : std::max(batches_.back().last + 1, log_start_),
              log_->log_end_offset());
    Flushed();
    Verify();
  }

  void Verify() {
    if (log_ == nullptr || fs_.crashed()) return;
    const ModelState model(batches_);
    const Offset end = log_->log_end_offset();
    ASSERT_EQ(end, model_end_);
    log_->OnHighWatermark(end);
    Offset lowest = end;  // of the last stable offset
    Offset highest = end;
    for (int64_t id = 0; id < kProducers; ++id) {
      const ProducerEntry* entry = log_->producers().Find(ProducerId(id));
      const Offset known = entry == nullptr ? kNoOffset : entry->transaction_first_offset;
      const auto open = model.open.find(id);
      if (open == model.open.end()) {
        ASSERT_EQ(known, kNoOffset) << "producer " << id;
        continue;
      }
      // Of what retention has deleted less may be known, if a snapshot is lost.
      const Offset first = open->second.batches.front();
      const Offset visible = open->second.FirstFrom(log_start_);
      lowest = std::min(lowest, std::max(first, log_start_));
      if (visible != kNoOffset) highest = std::min(highest, visible);
      ASSERT_TRUE(known == kNoOffset ? visible == kNoOffset
                                     : open->second.FirstFrom(known) == known)
          << "producer " << id << " at " << known << ", began at " << first;
      if (visible == kNoOffset) continue;
      ASSERT_LE(known, visible);
      const auto epoch = model.coordinator_epochs.find(id);
      if (epoch == model.coordinator_epochs.end() || !EpochIsVisible(id)) continue;
      ASSERT_EQ(entry->coordinator_epoch, epoch->second);
    }
    const Offset stable = log_->LastStableOffset(end);
    ASSERT_GE(stable, lowest);
    ASSERT_LE(stable, highest);
    CheckAborted(model, log_start_, end);
    const Offset from = RandomOffset();
    CheckAborted(model, from, from + static_cast<int64_t>(random_.Below(20)));
  }

 private:
  void CheckAborted(const ModelState& model, Offset from, Offset to) {
    const auto found = log_->AbortedTransactions(from, to);
    if (!found.ok() && fs_.crashed()) return;
    ASSERT_TRUE(found.ok()) << found.status();
    SCOPED_TRACE(absl::StrCat("aborted from ", from.value(), " to ", to.value()));
    auto next = found->begin();
    for (const ModelTransaction& aborted : model.aborted) {
      const Offset first = aborted.FirstFrom(from);
      const bool must = from < to && first != kNoOffset && first < to;
      if (next == found->end() || next->last_offset != aborted.marker) {
        ASSERT_FALSE(must) << "the marker at " << aborted.marker << " is missing";
        continue;
      }
      ASSERT_EQ(next->producer_id.value(), aborted.producer);
      ASSERT_GE(next->last_offset, from);
      ASSERT_LT(next->first_offset, to);
      ASSERT_EQ(aborted.FirstFrom(next->first_offset), next->first_offset) << "of another batch";
      if (must) {
        ASSERT_LE(next->first_offset, first);
      }
      ++next;
    }
    ASSERT_TRUE(next == found->end()) << "there was no marker at " << next->last_offset;
  }

  // Whether the producer's last marker is in what is left of the log.
  bool EpochIsVisible(int64_t producer) const {
    return std::any_of(batches_.begin(), batches_.end(), [&](const ModelBatch& batch) {
      return batch.producer == producer && batch.base >= log_start_ &&
             (batch.kind == Kind::kCommit || batch.kind == Kind::kAbort);
    });
  }

  void Append() {
    std::vector<std::string> bytes;
    std::vector<BatchToAppend> batches(1 + random_.Below(3));
    ModelState state(batches_);
    Offset end = model_end_;
    for (size_t i = 0; i < batches.size(); ++i) {
      ModelBatch batch = RandomBatch(state);
      const int records = batch.kind == Kind::kPlain || batch.kind == Kind::kTransactional
                              ? 1 + static_cast<int>(random_.Below(3))
                              : 1;
      bytes.push_back(Make(batch, records));
      batch.base = end;
      batch.last = end + (records - 1);
      end = batch.last + 1;
      batches_.push_back(batch);
      state = ModelState(batches_);
    }
    for (size_t i = 0; i < batches.size(); ++i) {
      batches[i].bytes = absl::MakeSpan(bytes[i].data(), bytes[i].size());
      batches[i].terms = {AppendOrigin::kCoordinator, true};
    }
    log_->Append(absl::MakeSpan(batches), LeaderEpoch(0), 1000);
    for (const BatchToAppend& batch : batches) {
      if (fs_.crashed()) return;  // some of them may be in the file, or none
      ASSERT_TRUE(batch.status.ok()) << batch.status;
    }
    model_end_ = end;
    ASSERT_EQ(log_->log_end_offset(), end);
  }

  ModelBatch RandomBatch(const ModelState& state) {
    ModelBatch batch;
    batch.producer = static_cast<int64_t>(random_.Below(kProducers));
    const bool open = state.open.contains(batch.producer);
    const uint64_t dice = random_.Below(10);
    if (dice < 3) return batch;
    batch.kind = dice < 7 ? Kind::kTransactional : dice < 9 ? Kind::kAbort : Kind::kCommit;
    if (batch.kind == Kind::kTransactional) {
      batch.epoch = epochs_[batch.producer];
    } else {
      // A marker raises the producer's epoch, or does not; without a transaction it is a late one.
      if (open && random_.OneIn(2)) ++epochs_[batch.producer];
      batch.epoch = epochs_[batch.producer];
      coordinator_epoch_ += random_.OneIn(5) ? 1 : 0;
      batch.coordinator_epoch = coordinator_epoch_;
    }
    return batch;
  }

  std::string Make(const ModelBatch& batch, int records) {
    if (batch.kind == Kind::kCommit || batch.kind == Kind::kAbort) {
      return MakeMarker({.producer = ProducerId(batch.producer),
                         .epoch = batch.epoch,
                         .aborts = batch.kind == Kind::kAbort,
                         .coordinator_epoch = batch.coordinator_epoch});
    }
    TestBatch spec{.records = records, .value_bytes = random_.Below(120)};
    if (batch.kind == Kind::kTransactional) {
      spec.producer = ProducerId(batch.producer);
      spec.epoch = batch.epoch;
      spec.sequence = 0;
      spec.attributes = protocol::record_batch_attribute::kTransactional;
    }
    return MakeBatch(spec);
  }

  void Flushed() { must_have_ = std::max(must_have_, log_->flushed_offset()); }

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

  void Shorten(Offset end) {
    while (!batches_.empty() && batches_.back().last >= end) batches_.pop_back();
    model_end_ = end;
    // What the log no longer knows of, it lets in again; here epochs just rise.
  }

  void Truncate() {
    const Offset to = RandomOffset();
    if (to <= log_start_) return;
    recovery_point_ = Offset(0);
    Offset end = model_end_;
    for (const ModelBatch& batch : batches_) {
      if (batch.last >= to) {
        end = batch.base;
        break;
      }
    }
    if (end < log_start_) return;
    must_have_ = std::min(must_have_, end);
    const absl::Status status = log_->TruncateTo(to);
    if (fs_.crashed()) {
      model_end_ = std::min(model_end_, end);
      return;
    }
    ASSERT_TRUE(status.ok()) << status;
    Shorten(end);
    Verify();
  }

  void Retain() {
    const auto deleted = log_->DeleteOldSegments(1000, log_->flushed_offset());
    if (fs_.crashed()) return;
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    log_start_ = log_->log_start_offset();
    Verify();
  }

  void Restart() {
    const absl::Status status = log_->Close();
    if (fs_.crashed()) return;
    ASSERT_TRUE(status.ok()) << status;
    recovery_point_ = must_have_ = model_end_;
    std::vector<SyncDone> dropped;
    SeededRandom any(1);
    while (fs_.CompleteOneSync(any)) fs_.DrainSyncs(&dropped);
    Open(true);
    if (fs_.crashed()) return;
    Verify();
  }

  // Damages the index of transactions of a sealed segment, or none. It stays damaged.
  void SpoilIndex() {
    const auto names = fs_.List(kDirectory);
    if (!names.ok()) return;
    for (const std::string& name : *names) {
      if (!absl::EndsWith(name, ".txnindex") || random_.OneIn(2)) continue;
      const std::string path = absl::StrCat(kDirectory, "/", name);
      // The format has no checksum: only what no log writes can be noticed.
      const size_t entries = fs_.Content(path).size() / TransactionIndex::kEntryBytes;
      if (entries == 0) continue;
      const size_t field = random_.Below(5);  // the version or the sign of a number
      const size_t at = random_.Below(entries) * TransactionIndex::kEntryBytes +
                        (field == 0 ? 0 : 2 + 8 * (field - 1));
      fs_.Corrupt(path, static_cast<int64_t>(at), '\x80');
      log_->Tick(1000);
      return;
    }
  }

  SeededRandom random_;
  MemoryFileSystem fs_;
  LogConfig config_;
  std::unique_ptr<Log> log_;
  std::vector<ModelBatch> batches_;  // beyond model_end_: appended when the machine went down
  std::map<int64_t, int16_t> epochs_;
  int32_t coordinator_epoch_ = 0;
  Offset model_end_{0};
  Offset must_have_{0};  // nothing before it may be lost
  Offset log_start_{0};
  Offset recovery_point_{0};
  Offset log_start_hint_{0};
};

}  // namespace weir::log

#endif  // WEIR_LOG_TRANSACTION_MODEL_H_
