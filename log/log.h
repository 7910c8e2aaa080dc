// -----------------------------------------------------------------------------
// File: log/log.h
// -----------------------------------------------------------------------------
// The log of one partition: segments in a directory, the producers and leader epochs they imply,
// durability, transactions, retention and recovery.
// Format: docs/formats/segment.md.
// Threading: one thread; a LogSlice may be read on any. StartFlush returns at once; Open, Flush,
// Close, TruncateTo, AdvanceLogStart, DeleteOldSegments, ReplaceSegments, rolling a segment and the
// first append of a leader epoch wait for the disk.
// Errors: after an I/O error the log has failed (failed()) and refuses every change; a full disk
// only refuses appends while it is full, but fails a truncation. kDataLoss names the file, the
// position, what was expected and what came.
// The destructor writes nothing: what Close does not do, a crash would not do either.
#ifndef WEIR_LOG_LOG_H_
#define WEIR_LOG_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "log/cleaning_plan.h"
#include "log/file.h"
#include "log/internal/batch_reader.h"
#include "log/leader_epoch_cache.h"
#include "log/log_types.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {

class Log {
 public:
  // Opens the log in `directory`, which is created when missing. Unless `hint.clean`, reads and
  // checks everything from the recovery point's segment on, rebuilds its indexes and drops a tail
  // that is not valid; damage below the recovery point is kDataLoss and the log does not open.
  // Everything in an opened log is durable. `next_token` numbers its syncs uniquely among those of
  // `fs`, so that the owner can route their completions; without it they are numbered process-wide.
  static absl::StatusOr<std::unique_ptr<Log>> Open(FileSystem& fs, std::string directory,
                                                   const LogConfig& config,
                                                   const RecoveryHint& hint, TimestampMs now_ms,
                                                   std::function<SyncToken()> next_token = nullptr);

  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // --- writing ------------------------------------------------------------------------------

  // Appends batches in order, each at the log's end, as the leader of `epoch`. Results go into the
  // batches; one that is refused does not stop those behind it, except by an error of the disk.
  // Sequences of idempotent producers and the state of transactions are checked. One write for all
  // that go into one segment.
  void Append(absl::Span<BatchToAppend> batches, LeaderEpoch epoch, TimestampMs now_ms);

  // Appends whole batches that the leader of `leader_epoch` has in its log, unchanged, with their
  // offsets and epochs. The first may begin behind the log's end (compaction). The bytes are
  // hostile: CRCs, offsets and epochs are checked. Stops at a batch that is refused; what stands
  // before it is appended. kDataLoss: the bytes are no batch, or a damaged one.
  // kFailedPrecondition: offset or epoch go back, or the epoch is later than the leader's.
  // kResourceExhausted: the disk is full. The log has failed only if failed() says so.
  absl::Status AppendAsFollower(absl::string_view batches, LeaderEpoch leader_epoch,
                                TimestampMs now_ms);

  // Makes what was appended until now durable, asynchronously. One flush runs at a time; another
  // that is asked for meanwhile starts behind it. True when one is running now: flushed_offset()
  // will advance through OnSyncDone.
  bool StartFlush();
  // A completion with one of this log's tokens. True when flushed_offset() advanced or the log
  // failed by it. Tokens of no running flush are ignored.
  bool OnSyncDone(SyncToken token, const absl::Status& status);
  // As StartFlush, and waits.
  absl::Status Flush();

  // Drops the batch that holds `offset` and everything behind it, durably. Before either
  // truncation the owner durably lowers the recovery point to 0, and what it has of cleaned_to() to
  // `offset`: a crash may leave any part of it done.
  absl::Status TruncateTo(Offset offset);
  // Drops everything; the log is empty and starts at `offset` then.
  absl::Status TruncateFullyAndStartAt(Offset offset, TimestampMs now_ms);
  // Records before `offset` are gone for readers. kOutOfRange beyond the log's end. The owner
  // persists it; DeleteOldSegments frees the space.
  absl::Status AdvanceLogStart(Offset offset);
  // Applies retention to what is before `upper_bound` (the high watermark). Returns how many
  // segments went. Their files are renamed, and removed by Tick after file_delete_delay_ms.
  absl::StatusOr<int> DeleteOldSegments(TimestampMs now_ms, Offset upper_bound);
  // --- compaction (log/cleaner.h) -----------------------------------------------------------

  // How much there is to clean before `upper_bound`, the last stable offset.
  absl::StatusOr<Dirt> MeasureDirt(TimestampMs now_ms, Offset upper_bound);
  // What a Cleaning of that needs to know. The log may be read and appended to meanwhile.
  absl::StatusOr<CleaningPlan> PlanCleaning(TimestampMs now_ms, Offset upper_bound);
  // Puts a cleaned segment, durably, in the place of its sources, whose files stay readable where a
  // LogSlice has them. kAborted, with the cleaned files removed, when the sources are not there any
  // more. After another error the log has failed.
  absl::Status ReplaceSegments(const CleanedSegment& cleaned, TimestampMs now_ms);
  // All of a plan of that generation is replaced. The owner persists cleaned_to().
  void FinishCleaning(uint64_t generation, Offset cleaned_to);
  // Everything before it has been cleaned.
  Offset cleaned_to() const { return cleaned_to_; }

  // Housekeeping, every few minutes: the two below, and frees indexes that nobody used.
  void Tick(TimestampMs now_ms);
  // Of retired segments, those whose time has come.
  void RemoveRetiredFiles(TimestampMs now_ms);
  void ExpireProducers(TimestampMs now_ms) {
    producers_.Expire(now_ms, config_.producer_id_expiration_ms);
  }

  // Flushes, and leaves everything such that Open with `clean` reads next to nothing. Nothing but
  // destruction may follow.
  absl::Status Close();

  // Settings take effect for what comes; of segments, for the next one.
  void set_config(const LogConfig& config) { config_ = config; }
  const LogConfig& config() const { return config_; }

  // --- reading ------------------------------------------------------------------------------

  // Whole batches from the one that holds `from` on, all below `upper_bound`, in at most
  // `max_bytes` and from one segment. Empty when there are none; with `at_least_one_batch` the
  // first may exceed max_bytes. kOutOfRange when `from` is not in [log_start_offset(),
  // log_end_offset()].
  absl::StatusOr<LogSlice> Read(Offset from, int64_t max_bytes, Offset upper_bound,
                                bool at_least_one_batch);

  // The first record at log_start_offset() or behind whose timestamp is `target` or later, below
  // `upper_bound`. A batch whose records cannot be decoded answers for its first record.
  absl::StatusOr<std::optional<FoundRecord>> FindByTimestamp(TimestampMs target, Offset upper_bound,
                                                             DecodeRecords decode);
  // The first record with the latest timestamp of all.
  absl::StatusOr<std::optional<FoundRecord>> MaxTimestamp(DecodeRecords decode);

  // --- transactions (KIP-98) ----------------------------------------------------------------

  // Everything before it is replicated: transactions whose markers are there are over for good.
  void OnHighWatermark(Offset high_watermark) { producers_.ForgetEndedBefore(high_watermark); }
  // Where the oldest transaction begins that is open, or whose end is not below the high watermark;
  // kNoOffset when there is none. Cleaning ends there, and what read_committed shows.
  Offset FirstUnstableOffset() const;
  Offset LastStableOffset(Offset high_watermark) const;
  // The aborted transactions that have an offset in [from, to), of what is stable: what a reader of
  // committed records leaves out between the two, and the cleaner drops. By their markers.
  absl::StatusOr<std::vector<AbortedTransaction>> AbortedTransactions(Offset from, Offset to);

  // Where `epoch` ends (KIP-101) for who leads in `leading`; see LeaderEpochCache::EndOffsetFor.
  EpochEnd EpochEndOffset(LeaderEpoch epoch, LeaderEpoch leading = kNoLeaderEpoch) const {
    return epochs_.EndOffsetFor(epoch, next_offset_, leading);
  }
  LeaderEpoch latest_epoch() const { return epochs_.latest(); }
  const LeaderEpochCache& epochs() const { return epochs_; }
  const ProducerState& producers() const { return producers_; }
  // Of a log with the same records: what files do not tell, as which transactions are not stable
  // yet, is as that one knows it.
  void TakeProducersOf(const Log& same) { producers_ = same.producers_; }

  Offset log_start_offset() const { return log_start_offset_; }
  Offset log_end_offset() const { return next_offset_; }
  // Everything before it is durable.
  Offset flushed_offset() const { return flushed_offset_; }
  bool flush_in_flight() const { return !flush_.tokens.empty(); }

  // How often this object has cut off or dropped records at its end.
  uint64_t truncations() const { return truncations_; }
  // OK, or why the log refuses changes.
  const absl::Status& failed() const { return failed_; }
  const RecoveryReport& recovery_report() const { return report_; }
  const std::string& directory() const { return directory_; }
  // Whether the disk can take some more batches.
  bool HasRoom();
  int64_t size_bytes() const;
  size_t segments() const { return segments_.size(); }
  Offset active_segment_base() const { return segments_.back()->base_offset(); }

 private:
  struct FlushInFlight {
    std::vector<SyncToken> tokens;  // not completed
    Offset target = kNoOffset;      // the log's end when it started
    std::vector<std::unique_ptr<File>> indexes;
    bool again = false;  // start another one behind it
  };

  // The batches of one Append call that go to the disk in one write.
  struct AppendRun {
    size_t first = 0;  // index of its first batch in the call
    Offset first_offset;
    int64_t bytes = 0;
    TimestampMs first_timestamp = kNoTimestamp;  // the latest of its first batch
    std::vector<absl::string_view> pieces;
    std::vector<std::pair<ProducerId, std::optional<ProducerEntry>>> producers_before;
    std::vector<AbortedTransaction> aborted;
  };

  struct DelayedDelete {
    std::string path;
    TimestampMs at_ms;
  };

  Log(FileSystem& fs, std::string directory, const LogConfig& config,
      std::function<SyncToken()> next_token);

  // internal/log_open.h
  absl::Status OpenSegments(const RecoveryHint& hint, TimestampMs now_ms);
  absl::StatusOr<std::vector<Offset>> CleanDirectory();
  absl::Status RecoverSegments(const RecoveryHint& hint);
  absl::StatusOr<log_internal::ScanEnd> RecoverSegment(Segment& segment, ProducerState& producers);
  absl::Status FinishRecovery(size_t first_scanned, bool new_epochs);
  absl::Status DropSegmentsFrom(size_t index);
  absl::Status LoadProducers(TimestampMs now_ms);
  absl::Status ProducersAt(Offset end, ProducerState* producers);
  absl::Status VisitProducers(Segment& segment, Offset from, Offset end,
                              absl::FunctionRef<void(const protocol::RecordBatchHeader&,
                                                     const std::optional<TransactionMarker>&)>
                                  visit);
  static Offset MustReach(const RecoveryHint& hint);
  bool MayFollow(const Segment& before, const Segment& segment, const RecoveryHint& hint) const;
  absl::Status CheckReached(Offset recovery_point) const;

  // internal/log_append.h
  void AppendOne(BatchToAppend* batch, size_t index, absl::Span<BatchToAppend> all,
                 LeaderEpoch epoch, TimestampMs now_ms, absl::Status* refused);
  bool CheckProducer(const protocol::RecordBatchHeader& header,
                     const std::optional<TransactionMarker>& marker, BatchToAppend* batch) const;
  void NoteProducer(const protocol::RecordBatchHeader& header,
                    const std::optional<TransactionMarker>& marker);
  absl::Status WriteRun(absl::Span<BatchToAppend> all, size_t end);
  absl::Status UndoRoll();
  absl::Status Roll(TimestampMs now_ms);
  void NoteRefused(absl::Span<const BatchToAppend> batches);
  absl::Status AssignEpoch(LeaderEpoch epoch);
  // Notes that the log failed, unless the disk is merely full.
  absl::Status Failed(absl::Status status);

  // internal/log_follow.h
  absl::Status FollowOne(absl::string_view* bytes, LeaderEpoch leader_epoch, TimestampMs now_ms);
  absl::StatusOr<protocol::RecordBatchView> CheckFollowing(absl::string_view bytes,
                                                           LeaderEpoch leader_epoch) const;
  absl::Status ForgetEmptyEpochs(const char* batch);

  // internal/log_transactions.h
  absl::Status LoadTransactions(Segment& segment);
  absl::Status RebuildTransactions(Segment& segment);

  // internal/log_flush.h
  void BeginFlush();
  void ForgetFlushBeyond(Offset end);
  absl::Status RemoveStraySnapshots();

  // internal/log_retention.h
  bool ShouldDelete(Segment& segment, Offset end, int64_t bytes_over, TimestampMs now_ms) const;
  absl::Status KeepProducers(Offset start);
  absl::Status SetAside(absl::Span<const std::unique_ptr<Segment>> segments, TimestampMs now_ms);
  absl::Status RetireFirstSegment(TimestampMs now_ms);
  absl::Status RemoveFiles(const Segment& segment);
  absl::Status SyncRemoval();

  // internal/log_clean.h
  absl::StatusOr<size_t> FirstUncleanable(TimestampMs now_ms, Offset first_dirty,
                                          Offset upper_bound);
  std::optional<size_t> FindSources(const CleanedSegment& cleaned) const;
  absl::Status Replace(const CleanedSegment& cleaned, size_t first, TimestampMs now_ms);

  // internal/log_read.h
  size_t SegmentIndexFor(Offset offset) const;
  absl::StatusOr<std::optional<FoundRecord>> FindInBatch(Segment& segment, const BatchSpot& spot,
                                                         TimestampMs target, Offset start,
                                                         DecodeRecords decode);

  Segment& active() { return *segments_.back(); }

  FileSystem& fs_;
  const std::string directory_;
  LogConfig config_;
  const std::function<SyncToken()> next_token_;
  std::vector<std::unique_ptr<Segment>> segments_;  // ascending; the last is appended to
  LeaderEpochCache epochs_;
  ProducerState producers_;
  Offset log_start_offset_{0};
  Offset next_offset_{0};
  Offset flushed_offset_{0};
  Offset cleaned_to_{0};
  uint64_t truncations_ = 0;
  bool at_rest_ = false;  // opened as Close had left it, and nothing was changed since
  absl::Status failed_;
  FlushInFlight flush_;
  std::vector<std::unique_ptr<File>> unsynced_indexes_;  // of segments sealed since the last flush
  std::vector<DelayedDelete> delayed_deletes_;
  AppendRun run_;  // kept for its memory
  RecoveryReport report_;
};

}  // namespace weir::log

#include "log/internal/log_append.h"        // IWYU pragma: export
#include "log/internal/log_clean.h"         // IWYU pragma: export
#include "log/internal/log_flush.h"         // IWYU pragma: export
#include "log/internal/log_follow.h"        // IWYU pragma: export
#include "log/internal/log_open.h"          // IWYU pragma: export
#include "log/internal/log_read.h"          // IWYU pragma: export
#include "log/internal/log_retention.h"     // IWYU pragma: export
#include "log/internal/log_transactions.h"  // IWYU pragma: export

#endif  // WEIR_LOG_LOG_H_
