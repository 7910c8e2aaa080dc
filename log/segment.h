// -----------------------------------------------------------------------------
// File: log/segment.h
// -----------------------------------------------------------------------------
// One append-only file of record batches and its two sparse indexes.
// Format: docs/formats/segment.md. The indexes of the segment that is appended to live in memory;
// Seal writes them. Those of a sealed segment are read when first needed, rebuilt from the batches
// when missing or wrong, and dropped again by ReleaseIndexes.
// Threading: one thread. Errors: kDataLoss names the file, the position, what was expected and what
// came; a failed append leaves the segment as it was.
// Limits: 2 GiB a segment, 2^31-1 offsets from the first to the last.
#ifndef WEIR_LOG_SEGMENT_H_
#define WEIR_LOG_SEGMENT_H_

#include <algorithm>
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
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/internal/batch_reader.h"
#include "log/offset_index.h"
#include "log/segment_config.h"
#include "log/time_index.h"
#include "protocol/record_batch.h"

namespace weir::log {

// Where a batch is.
struct BatchSpot {
  int64_t position = 0;
  int64_t size_bytes = 0;
  Offset base_offset;
  Offset next_offset;
  TimestampMs max_timestamp = kNoTimestamp;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;

  Offset last_offset() const { return next_offset - 1; }
};

// A place between two batches.
struct SegmentCut {
  int64_t position = 0;
  Offset next_offset;  // of the batch that starts there, or would
};

// "00000000000000000042.log" for offset 42.
inline std::string SegmentFileName(Offset base, absl::string_view suffix) {
  return absl::StrFormat("%020d%s", base.value(), suffix);
}

class Segment {
 public:
  static constexpr char kLogSuffix[] = ".log";
  static constexpr char kIndexSuffix[] = ".index";
  static constexpr char kTimeIndexSuffix[] = ".timeindex";

  // A new, empty segment; a file that is there is emptied.
  static absl::StatusOr<std::unique_ptr<Segment>> Create(FileSystem* fs,
                                                         const std::string& directory, Offset base,
                                                         const SegmentConfig& config,
                                                         TimestampMs now_ms) {
    auto segment = std::make_unique<Segment>(Private(), fs, directory, base, config, now_ms);
    WEIR_ASSIGN_OR_RETURN(segment->file_, fs->Open(segment->Path(kLogSuffix), OpenMode::kCreate));
    if (segment->size_bytes() > 0) WEIR_RETURN_IF_ERROR(segment->file_->Truncate(0));
    segment->Reset();
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
  // their last entries. kDataLoss when the file does not end with a whole batch.
  absl::Status Unseal() {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    sealed_ = false;
    return LearnTail(/*times_complete=*/true);
  }

  // Reads and checks everything; rebuilds the indexes from what is valid, which it does not write.
  // The segment is not sealed afterwards, and ends behind the last valid batch though the file may
  // be longer: see TruncateToValid.
  absl::StatusOr<log_internal::ScanEnd> Recover(
      absl::FunctionRef<void(const protocol::RecordBatchView&)> visit) {
    sealed_ = false;
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
  absl::Status TruncateToValid(const log_internal::ScanEnd& end) {
    return file_->Truncate(end.valid_bytes);
  }

  // Whether `batch` must go into a new segment.
  bool ShouldRoll(const protocol::RecordBatchHeader& batch, Offset batch_last, int64_t size_after,
                  TimestampMs max_timestamp, TimestampMs now_ms) const {
    if (batch_last - base_ > std::numeric_limits<int32_t>::max()) return true;
    if (size_after == 0) return false;
    int64_t waited = now_ms - created_ms_;
    if (rolling_timestamp_ != kNoTimestamp && max_timestamp != kNoTimestamp &&
        __builtin_sub_overflow(max_timestamp, rolling_timestamp_, &waited)) {
      waited = max_timestamp > rolling_timestamp_ ? std::numeric_limits<int64_t>::max() : 0;
    }
    return size_after + batch.size_bytes() > config_.segment_bytes || waited > config_.segment_ms ||
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
    return SegmentCut{batch->position, batch->base_offset};
  }

  // The first batch that ends at `start` or behind and has a record at `target` or later.
  absl::StatusOr<std::optional<BatchSpot>> FindByTimestamp(TimestampMs target, Offset start) {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    const Offset from = std::max(indexes_->times.Lookup(target).offset, start);
    return Walk(indexes_->offsets.Lookup(from).position, [&](const BatchSpot& batch) {
      return batch.last_offset() >= from && batch.max_timestamp >= target;
    });
  }

  // The latest timestamp of any record, and the last offset of the first batch that has it.
  absl::StatusOr<TimestampOffset> MaxTimestamp() {
    if (!max_known_) WEIR_RETURN_IF_ERROR(LoadIndexes());
    return max_;
  }

  // Visits the headers of all batches from the one that holds `from` on.
  absl::Status VisitHeaders(Offset from,
                            absl::FunctionRef<void(const protocol::RecordBatchHeader&)> visit) {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    return WalkHeaders(indexes_->offsets.Lookup(from).position,
                       [&](const protocol::RecordBatchHeader& batch, int64_t) {
                         if (batch.last_offset() >= from) visit(batch);
                         return true;
                       });
  }

  // Drops the batch that holds `offset` and all behind it. The segment is not sealed afterwards.
  absl::Status TruncateTo(Offset offset) {
    WEIR_ASSIGN_OR_RETURN(const std::optional<BatchSpot> batch, Locate(offset));
    sealed_ = false;
    if (batch.has_value()) {
      WEIR_RETURN_IF_ERROR(file_->Truncate(batch->position));
      indexes_->offsets.TruncateTo(batch->base_offset);
      indexes_->times.TruncateTo(batch->base_offset);
    }
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    return LearnTail(/*times_complete=*/false);
  }

  // Completes the indexes and writes their files, which the caller makes durable.
  absl::Status Seal(std::vector<std::unique_ptr<File>>* to_sync) {
    WEIR_RETURN_IF_ERROR(LoadIndexes());
    if (max_.timestamp != kNoTimestamp) indexes_->times.MaybeAppend(max_.timestamp, max_.offset);
    WEIR_RETURN_IF_ERROR(WriteIndex(kIndexSuffix, indexes_->offsets.Encode(), to_sync));
    WEIR_RETURN_IF_ERROR(WriteIndex(kTimeIndexSuffix, indexes_->times.Encode(), to_sync));
    sealed_ = true;
    return absl::OkStatus();
  }

  // Drops the indexes of a sealed segment unless they were used since the last call.
  void ReleaseIndexes() {
    if (sealed_ && !indexes_used_) indexes_.reset();
    indexes_used_ = false;
  }
  bool indexes_loaded() const { return indexes_.has_value(); }

  Offset base_offset() const { return base_; }
  Offset next_offset() const { return next_offset_; }
  int64_t size_bytes() const { return file_->size_bytes(); }
  const std::shared_ptr<File>& file() const { return file_; }
  std::string Path(absl::string_view suffix) const {
    return absl::StrCat(directory_, "/", SegmentFileName(base_, suffix));
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
        created_ms_(now_ms),
        next_offset_(base) {}

 private:
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

  // Takes a batch at `position`, behind all before, into the indexes.
  void Note(const protocol::RecordBatchHeader& batch, int64_t position) {
    if (position == 0) rolling_timestamp_ = batch.max_timestamp();
    if (batch.max_timestamp() > max_.timestamp) {
      max_ = {batch.max_timestamp(), batch.last_offset()};
    }
    if (bytes_since_index_ > config_.index_interval_bytes) {
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
    const bool sealed = sealed_;
    const absl::StatusOr<log_internal::ScanEnd> scan =
        Recover([](const protocol::RecordBatchView&) {});
    sealed_ = sealed;
    if (const absl::Status read = scan.ok() ? scan->stopped : scan.status(); !read.ok()) {
      indexes_.reset();
      next_offset_ = end;  // the segment is as long as it was, though it cannot be read now
      return read;
    }
    if (sealed) next_offset_ = std::max(end, next_offset_);
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
          const BatchSpot spot{at,
                               batch.size_bytes(),
                               batch.base_offset(),
                               batch.next_offset(),
                               batch.max_timestamp(),
                               batch.leader_epoch()};
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
  const TimestampMs created_ms_;
  std::shared_ptr<File> file_;
  Offset next_offset_;
  std::optional<Indexes> indexes_;
  TimestampOffset max_;
  TimestampMs rolling_timestamp_ = kNoTimestamp;  // the first batch's latest timestamp
  int64_t bytes_since_index_ = 0;
  bool max_known_ = false;
  bool sealed_ = true;
  bool indexes_used_ = false;
};

}  // namespace weir::log

#endif  // WEIR_LOG_SEGMENT_H_
