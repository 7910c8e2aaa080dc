// -----------------------------------------------------------------------------
// File: log/segment.h
// -----------------------------------------------------------------------------
// One append-only file of record batches, its two sparse indexes and its index of aborted
// transactions.
// Format: docs/formats/segment.md. The indexes of the segment that is appended to live in memory;
// Seal writes them. Those of a sealed segment are read when first needed and dropped again by
// ReleaseIndexes. The sparse ones are rebuilt from the batches when missing or wrong; to rebuild
// the other takes knowledge of the producers, which the log has.
// Threading: one thread. Errors: kDataLoss names the file, the position, what was expected and what
// came; a failed append leaves the segment as it was.
// Limits: 2 GiB a segment, 2^31-1 offsets from the first to the last.
#ifndef WEIR_LOG_SEGMENT_H_
#define WEIR_LOG_SEGMENT_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/internal/batch_reader.h"
#include "log/offset_index.h"
#include "log/segment_config.h"
#include "log/segment_types.h"  // IWYU pragma: export
#include "log/time_index.h"
#include "log/transaction_index.h"
#include "protocol/record_batch.h"

namespace weir::log {

class Segment {
 public:
  static constexpr char kLogSuffix[] = ".log";
  static constexpr char kIndexSuffix[] = ".index";
  static constexpr char kTimeIndexSuffix[] = ".timeindex";
  static constexpr char kTransactionIndexSuffix[] = ".txnindex";
  // Of every file that is the segment's alone; the last two may be missing.
  static constexpr std::array<const char*, 4> kFileSuffixes = {
      kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix};

  // A new, empty segment; a file that is there is emptied.
  static absl::StatusOr<std::unique_ptr<Segment>> Create(FileSystem* fs,
                                                         const std::string& directory, Offset base,
                                                         const SegmentConfig& config,
                                                         TimestampMs now_ms) {
    auto segment = std::make_unique<Segment>(Private(), fs, directory, base, config, now_ms);
    WEIR_ASSIGN_OR_RETURN(segment->file_, fs->Open(segment->Path(kLogSuffix), OpenMode::kCreate));
    if (segment->size_bytes() > 0) WEIR_RETURN_IF_ERROR(segment->file_->Truncate(0));
    if (config.preallocate) {
      WEIR_RETURN_IF_ERROR(segment->file_->Preallocate(config.segment_bytes));
    }
    segment->Reset();
    segment->transactions_.emplace();
    segment->sealed_ = false;
    return segment;
  }

  // A segment that is there, as sealed, with `end` for the offset behind its last. Reads nothing.
  static absl::StatusOr<std::unique_ptr<Segment>> OpenSealed(FileSystem* fs,
                                                             const std::string& directory,
                                                             Offset base, Offset end,
                                                             const SegmentConfig& config,
                                                             TimestampMs now_ms) {
    auto segment = std::make_unique<Segment>(Private(), fs, directory, base, config, now_ms);
    WEIR_ASSIGN_OR_RETURN(segment->file_,
                          fs->Open(segment->Path(kLogSuffix), OpenMode::kReadWrite));
    segment->next_offset_ = end;
    return segment;
  }

  // Makes a sealed segment the one to append to: loads its indexes and walks the headers behind
  // their last entries. kDataLoss when the file does not end with a whole batch. The transactions
  // are loaded already.
  absl::Status Unseal() {
    WEIR_CHECK(transactions_.has_value());
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    sealed_ = false;
    return LearnTail(/*times_complete=*/true);
  }

  // Reads and checks everything; rebuilds the indexes from what is valid, which it does not write:
  // that of transactions from what `visit` gives to NoteAborted. The segment is not sealed
  // afterwards, and ends behind the last valid batch though the file may be longer: see
  // TruncateToValid.
  absl::StatusOr<log_internal::ScanEnd> Recover(
      absl::FunctionRef<void(const protocol::RecordBatchView&)> visit) {
    sealed_ = false;
    transactions_.emplace();
    return Scan(visit);
  }
  absl::Status TruncateToValid(const log_internal::ScanEnd& end) {
    return file_->Truncate(end.valid_bytes);
  }

  // Whether `batch` must go into a new segment, behind `pending_bytes` that are to be appended, the
  // first batch of them with `pending_timestamp` as its latest.
  bool ShouldRoll(const protocol::RecordBatchHeader& batch, Offset batch_last,
                  int64_t pending_bytes, TimestampMs pending_timestamp, TimestampMs max_timestamp,
                  TimestampMs now_ms) const {
    if (batch_last - base_ > std::numeric_limits<int32_t>::max()) return true;
    const int64_t size_after = size_bytes() + pending_bytes;
    if (size_after == 0) return false;
    const TimestampMs first = size_bytes() == 0 ? pending_timestamp : rolling_timestamp_;
    int64_t waited = created_ms_ == kNoTimestamp ? 0 : now_ms - created_ms_;
    if (first != kNoTimestamp && max_timestamp != kNoTimestamp &&
        __builtin_sub_overflow(max_timestamp, first, &waited)) {
      waited = max_timestamp > first ? std::numeric_limits<int64_t>::max() : 0;
    }
    return size_after + batch.size_bytes() > config_.segment_bytes || waited > rolls_after_ms_ ||
           IndexesFull();
  }

  // Appends whole batches with their final offsets, in order; one system call where possible.
  absl::Status Append(absl::Span<const absl::string_view> batches) {
    WEIR_CHECK(!sealed_);
    int64_t position = size_bytes();
    WEIR_RETURN_IF_ERROR(file_->Append(batches));
    for (const absl::string_view bytes : batches) {
      const auto batch = protocol::RecordBatchHeader::Parse(bytes);
      WEIR_CHECK(batch.ok());
      Note(*batch, position);
      position += batch->size_bytes();
    }
    return absl::OkStatus();
  }

  // The first batch that holds `target` or what is behind it; nothing when all are before.
  absl::StatusOr<std::optional<BatchSpot>> Locate(Offset target) {
    if (target >= next_offset_) return std::optional<BatchSpot>();
    if (last_cut_.has_value() && last_cut_->base_offset == target) return last_cut_;
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    return Walk(indexes_->offsets.Lookup(target).position,
                [&](const BatchSpot& batch) { return batch.last_offset() >= target; });
  }

  // The last place between batches at `limit` or before; `from` is such a place, not behind it.
  absl::StatusOr<SegmentCut> CutBefore(int64_t from, int64_t limit) {
    WEIR_CHECK(from <= limit);
    if (limit >= size_bytes()) return SegmentCut{size_bytes(), next_offset_};
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    const int64_t start = std::max(from, indexes_->offsets.LookupPosition(limit).position);
    WEIR_ASSIGN_OR_RETURN(const std::optional<BatchSpot> batch,
                          Walk(start, [&](const BatchSpot& spot) {
                            return spot.position + spot.size_bytes > limit;
                          }));
    if (!batch.has_value()) return SegmentCut{size_bytes(), next_offset_};
    last_cut_ = batch;
    return SegmentCut{batch->position, batch->base_offset};
  }

  // The first batch that ends at `start` or behind and has a record at `target` or later.
  absl::StatusOr<std::optional<BatchSpot>> FindByTimestamp(TimestampMs target, Offset start) {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    const Offset from = std::max(indexes_->times.Lookup(target).offset, start);
    return Walk(indexes_->offsets.Lookup(from).position, [&](const BatchSpot& batch) {
      return batch.last_offset() >= from && batch.max_timestamp >= target && batch.record_count > 0;
    });
  }

  // The latest timestamp of any record, and the last offset of the first batch that has it.
  absl::StatusOr<TimestampOffset> MaxTimestamp() {
    if (!max_known_) WEIR_RETURN_IF_ERROR(LoadIndexes());
    return max_;
  }

  // Visits the headers of all batches from the one that holds `from` on, until `visit` says false.
  absl::Status VisitHeaders(
      Offset from,
      absl::FunctionRef<bool(const protocol::RecordBatchHeader&, int64_t position)> visit) {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    return WalkHeaders(indexes_->offsets.Lookup(from).position,
                       [&](const protocol::RecordBatchHeader& batch, int64_t position) {
                         return batch.last_offset() < from || visit(batch, position);
                       });
  }

  // The bytes of a batch that was visited.
  absl::StatusOr<std::string> ReadBatch(int64_t position, int64_t size_bytes) const {
    std::string bytes(static_cast<size_t>(size_bytes), '\0');
    WEIR_ASSIGN_OR_RETURN(const size_t got,
                          file_->ReadAt(position, absl::MakeSpan(&bytes[0], bytes.size())));
    bytes.resize(got);
    return bytes;
  }

  // The aborted transactions whose markers are here; null until they are known.
  const TransactionIndex* transactions() const {
    return transactions_.has_value() ? &*transactions_ : nullptr;
  }
  // Reads them from their file; none without one. kDataLoss when what is there is no index, an I/O
  // error included: see SetTransactions.
  absl::Status LoadTransactions() {
    indexes_used_ = true;
    if (transactions_.has_value()) return absl::OkStatus();
    WEIR_ASSIGN_OR_RETURN(transactions_,
                          TransactionIndex::Load(*fs_, Path(kTransactionIndexSuffix), base_));
    return absl::OkStatus();
  }
  // As they were found otherwise.
  void SetTransactions(TransactionIndex index) { transactions_ = std::move(index); }
  // One whose marker was appended last.
  void NoteAborted(const AbortedTransaction& aborted) {
    WEIR_CHECK(!sealed_);
    transactions_->Append(aborted);
  }

  // Drops the batch that holds `offset` and all behind it. The segment is not sealed afterwards.
  // The transactions are loaded already.
  absl::Status TruncateTo(Offset offset) {
    WEIR_CHECK(transactions_.has_value());
    WEIR_ASSIGN_OR_RETURN(const std::optional<BatchSpot> batch, Locate(offset));
    sealed_ = false;
    last_cut_.reset();
    if (batch.has_value()) {
      WEIR_RETURN_IF_ERROR(file_->Truncate(batch->position));
      indexes_->offsets.TruncateTo(batch->base_offset);
      indexes_->times.TruncateTo(batch->base_offset);
      transactions_->TruncateTo(batch->base_offset);
    }
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    return LearnTail(/*times_complete=*/false);
  }

  // Completes the indexes and writes their files, which the caller makes durable. Gives back what
  // was preallocated.
  absl::Status Seal(std::vector<std::unique_ptr<File>>* to_sync) {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    if (config_.preallocate) WEIR_RETURN_IF_ERROR(file_->Truncate(size_bytes()));
    if (max_.timestamp != kNoTimestamp) indexes_->times.MaybeAppend(max_.timestamp, max_.offset);
    WEIR_RETURN_IF_ERROR(WriteIndex(kIndexSuffix, indexes_->offsets.Encode(), to_sync));
    WEIR_RETURN_IF_ERROR(WriteIndex(kTimeIndexSuffix, indexes_->times.Encode(), to_sync));
    if (!transactions_->empty()) {
      WEIR_RETURN_IF_ERROR(WriteIndex(kTransactionIndexSuffix, transactions_->Encode(), to_sync));
    } else if (fs_->Exists(Path(kTransactionIndexSuffix))) {  // from before a truncation
      WEIR_RETURN_IF_ERROR(fs_->Remove(Path(kTransactionIndexSuffix)));
    }
    sealed_ = true;
    return absl::OkStatus();
  }

  // Drops the indexes of a sealed segment unless they were used since the last call.
  void ReleaseIndexes() {
    if (sealed_ && !indexes_used_) {
      indexes_.reset();
      // To know of none takes no memory, and saves looking for the file.
      if (transactions_.has_value() && !transactions_->empty()) transactions_.reset();
    }
    indexes_used_ = false;
  }

  Offset base_offset() const { return base_; }
  // When it was created or opened; kNoTimestamp when nobody said.
  TimestampMs created_ms() const { return created_ms_; }
  Offset next_offset() const { return next_offset_; }
  int64_t size_bytes() const { return file_->size_bytes(); }
  const std::shared_ptr<File>& file() const { return file_; }
  std::string Path(absl::string_view suffix) const {
    return absl::StrCat(directory_, "/", SegmentFileName(base_, suffix), config_.file_ending);
  }

 private:
  struct Private {};
  struct Indexes {
    explicit Indexes(Offset base) : offsets(base), times(base) {}
    OffsetIndex offsets;
    TimeIndex times;
  };

 public:  // for std::make_unique; Private is what keeps others out
  Segment(Private, FileSystem* fs, std::string directory, Offset base, const SegmentConfig& config,
          TimestampMs now_ms)
      : fs_(fs),
        directory_(std::move(directory)),
        base_(base),
        config_(config),
        rolls_after_ms_(config.segment_ms - Jitter(Path(kLogSuffix), config)),
        created_ms_(now_ms),
        next_offset_(base) {}

 private:
  // Another one for each segment, and always the same for one.
  static int64_t Jitter(const std::string& path, const SegmentConfig& config) {
    const int64_t bound = std::min(config.segment_jitter_ms, config.segment_ms);
    return bound <= 0 ? 0 : int64_t{Crc32c(path)} % bound;
  }

  absl::Status Named(const absl::Status& status) const {
    if (status.ok()) return status;
    return absl::Status(status.code(), absl::StrCat(Path(kLogSuffix), ": ", status.message()));
  }

  bool IndexesFull() const {
    return indexes_->offsets.encoded_bytes() >= config_.segment_index_bytes ||
           indexes_->times.encoded_bytes() + int64_t{TimeIndex::kEntryBytes} >=
               config_.segment_index_bytes;
  }

  void Reset() {
    indexes_.emplace(base_);
    max_ = {kNoTimestamp, base_};
    max_known_ = true;
    bytes_since_index_ = 0;
    rolling_timestamp_ = kNoTimestamp;
    next_offset_ = base_;
  }

  absl::StatusOr<log_internal::ScanEnd> Scan(
      absl::FunctionRef<void(const protocol::RecordBatchView&)> visit) {
    Reset();
    WEIR_ASSIGN_OR_RETURN(
        log_internal::ScanEnd end,
        log_internal::ScanBatches(*file_, base_,
                                  [&](const protocol::RecordBatchView& batch, int64_t position) {
                                    Note(batch, position);
                                    visit(batch);
                                  }));
    end.stopped = Named(end.stopped);
    return end;
  }

  // Takes a batch at `position`, behind all before, into the indexes.
  void Note(const protocol::RecordBatchHeader& batch, int64_t position) {
    if (position == 0) rolling_timestamp_ = batch.max_timestamp();
    if (batch.max_timestamp() > max_.timestamp) {
      max_ = {batch.max_timestamp(), batch.last_offset()};
    }
    if (bytes_since_index_ > config_.index_interval_bytes && !IndexesFull()) {
      indexes_->offsets.Append(batch.last_offset(), position);
      if (max_.timestamp != kNoTimestamp) indexes_->times.MaybeAppend(max_.timestamp, max_.offset);
      bytes_since_index_ = 0;
    }
    bytes_since_index_ += batch.size_bytes();
    next_offset_ = batch.next_offset();
  }

  absl::Status LoadIndexes() {
    indexes_used_ = true;
    if (indexes_.has_value()) return absl::OkStatus();
    const auto offsets = ReadWholeFile(*fs_, Path(kIndexSuffix));
    const auto times = ReadWholeFile(*fs_, Path(kTimeIndexSuffix));
    if (offsets.ok() && times.ok()) {
      auto offset_index = OffsetIndex::Decode(base_, *offsets, size_bytes());
      auto time_index = TimeIndex::Decode(base_, *times);
      if (offset_index.ok() && time_index.ok()) {
        indexes_.emplace(base_);
        indexes_->offsets = *std::move(offset_index);
        indexes_->times = *std::move(time_index);
        max_ = indexes_->times.Last();
        max_known_ = true;
        return absl::OkStatus();
      }
    }
    return RebuildIndexes();
  }

  absl::Status RebuildIndexes() {
    const Offset end = next_offset_;
    const absl::StatusOr<log_internal::ScanEnd> scan =
        Scan([](const protocol::RecordBatchView&) {});
    if (const absl::Status read = scan.ok() ? scan->stopped : scan.status(); !read.ok()) {
      indexes_.reset();
      next_offset_ = end;  // the segment is as long as it was, though it cannot be read now
      return read;
    }
    if (sealed_) next_offset_ = std::max(end, next_offset_);
    if (max_.timestamp != kNoTimestamp) indexes_->times.MaybeAppend(max_.timestamp, max_.offset);
    return absl::OkStatus();
  }

  // Learns what the indexes do not say; where they say what is not so, does without them.
  absl::Status LearnTail(bool times_complete) {
    WEIR_RETURN_IF_ERROR(WalkTail(times_complete));
    const OffsetIndex& offsets = indexes_->offsets;
    const TimeIndex& times = indexes_->times;
    const bool right =
        (offsets.entries() == 0 || offsets.Last().offset < next_offset_) &&
        (times.entries() == 0 ||
         (times.Last().offset < next_offset_ &&
          (max_.timestamp == times.Last().timestamp || max_.offset > times.Last().offset)));
    return right ? absl::OkStatus() : RebuildIndexes();
  }

  // Walks the headers behind the last index entry. The time index that Seal wrote ends with the
  // latest timestamp of all; any other may end before the offset index does, never the other way
  // around.
  absl::Status WalkTail(bool times_complete) {
    max_ = indexes_->times.Last();
    max_known_ = true;
    next_offset_ = base_;
    rolling_timestamp_ = kNoTimestamp;
    const OffsetPosition last = indexes_->offsets.Last();
    bytes_since_index_ = size_bytes() - last.position;
    const int64_t from =
        times_complete ? last.position
                       : std::min(last.position, indexes_->offsets.Lookup(max_.offset).position);
    if (from > 0) {
      WEIR_RETURN_IF_ERROR(WalkHeaders(0, [&](const protocol::RecordBatchHeader& batch, int64_t) {
        rolling_timestamp_ = batch.max_timestamp();
        return false;
      }));
    }
    absl::Status misplaced;
    WEIR_RETURN_IF_ERROR(
        WalkHeaders(from, [&](const protocol::RecordBatchHeader& batch, int64_t position) {
          misplaced = Named(log_internal::CheckPlace(batch, position, base_, next_offset_));
          if (!misplaced.ok()) return false;
          if (position == 0) rolling_timestamp_ = batch.max_timestamp();
          if (batch.max_timestamp() > max_.timestamp) {
            max_ = {batch.max_timestamp(), batch.last_offset()};
          }
          next_offset_ = batch.next_offset();
          return true;
        }));
    return misplaced;
  }

  // Calls `visit` for the batches from `position`, a place between batches, until it says false.
  absl::Status WalkHeaders(
      int64_t position,
      absl::FunctionRef<bool(const protocol::RecordBatchHeader&, int64_t position)> visit) const {
    log_internal::HeaderReader reader(*file_, size_bytes());
    while (true) {
      auto header = reader.At(position);
      if (!header.ok()) return Named(header.status());
      if (!header->has_value()) return absl::OkStatus();
      const int64_t size = (*header)->size_bytes();
      if (!visit(**header, position)) return absl::OkStatus();
      position += size;
    }
  }

  // The first batch from `position` on that `matches`.
  absl::StatusOr<std::optional<BatchSpot>> Walk(
      int64_t position, absl::FunctionRef<bool(const BatchSpot&)> matches) const {
    std::optional<BatchSpot> found;
    WEIR_RETURN_IF_ERROR(
        WalkHeaders(position, [&](const protocol::RecordBatchHeader& batch, int64_t at) {
          const BatchSpot spot = BatchSpot::Of(batch, at);
          if (matches(spot)) found = spot;
          return !found.has_value();
        }));
    return found;
  }

  absl::Status WriteIndex(absl::string_view suffix, const std::string& content,
                          std::vector<std::unique_ptr<File>>* to_sync) {
    WEIR_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs_->Open(Path(suffix), OpenMode::kCreate));
    WEIR_RETURN_IF_ERROR(file->Truncate(0));
    WEIR_RETURN_IF_ERROR(file->Append({content}));
    to_sync->push_back(std::move(file));
    return absl::OkStatus();
  }

  FileSystem* const fs_;
  const std::string directory_;
  const Offset base_;
  const SegmentConfig config_;
  const int64_t rolls_after_ms_;
  const TimestampMs created_ms_;
  std::shared_ptr<File> file_;
  Offset next_offset_;
  std::optional<Indexes> indexes_;
  std::optional<TransactionIndex> transactions_;
  std::optional<BatchSpot> last_cut_;  // where a read ended, the next one of a consumer begins
  TimestampOffset max_;
  TimestampMs rolling_timestamp_ = kNoTimestamp;  // the first batch's latest timestamp
  int64_t bytes_since_index_ = 0;
  bool max_known_ = false;
  bool sealed_ = true;
  bool indexes_used_ = false;
};

}  // namespace weir::log

#endif  // WEIR_LOG_SEGMENT_H_
