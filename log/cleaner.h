// -----------------------------------------------------------------------------
// File: log/cleaner.h
// -----------------------------------------------------------------------------
// Log compaction: keeps the last record of each key. A cleaning is made of steps, which a worker
// takes while the log's owner serves readers and appends:
//
//   Cleaner cleaner(files, CleanerConfig(), random);
//   auto cleaning = cleaner.Start(*log.PlanCleaning(now_ms, last_stable_offset));   // owner
//   while (true) {
//     auto step = cleaning->Step(1 << 20);                                          // worker
//     if (!step.ok() || *step == CleanStep::kDone) break;
//     if (*step == CleanStep::kReplace) log.ReplaceSegments(cleaning->cleaned(), now_ms);  // owner
//   }
//   log.FinishCleaning(cleaning->generation(), cleaning->cleaned_to());             // owner
//
// Who has the log for himself calls Cleaner::Clean, which is all of that.
// Rules, steps on disk and crashes: docs/formats/compaction.md.
// Decision: docs/adr/0008-compaction.md.
// Threading: a Cleaning on any thread, one at a time; `files` is of that thread.
// Errors: kDataLoss for a batch that cannot be read or decoded and kFailedPrecondition for one that
// cannot be cleaned, with file and offsets: the log stays as it is, and trying again is no use.
// kResourceExhausted: the disk is full. kAborted: the log was truncated meanwhile.
// Limits: CleanerConfig, and memory for the largest batch, decompressed.
#ifndef WEIR_LOG_CLEANER_H_
#define WEIR_LOG_CLEANER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/siphash.h"
#include "base/status_macros.h"
#include "log/cleaning_plan.h"
#include "log/file.h"
#include "log/internal/batch_filter.h"
#include "log/internal/batch_stream.h"
#include "log/log.h"
#include "log/offset_map.h"
#include "log/segment.h"
#include "log/segment_types.h"
#include "log/time_index.h"
#include "protocol/record_batch.h"

namespace weir::log {

struct CleanerConfig {
  int64_t dedupe_buffer_bytes = int64_t{128} << 20;  // for the last offset of each key
  double dedupe_buffer_load_factor = 0.9;
  int64_t io_buffer_bytes = 512 << 10;  // half for reading, half for writing
};

struct CleaningStats {
  int64_t keys = 0;           // that were met behind first_dirty
  int64_t mapped_bytes = 0;   // read to know them
  int64_t read_bytes = 0;     // of the segments that were cleaned
  int64_t written_bytes = 0;  // that took their place
  int64_t moved_bytes = 0;    // read and written, so far
  int64_t records_read = 0;
  int64_t records_kept = 0;
  int64_t keyless_records = 0;  // gone: a compacted topic has no use for them
  int64_t segments_replaced = 0;
};

enum class CleanStep {
  kMore,
  kReplace,  // cleaned() is to take the place of its sources; then go on
  kDone,
};

// Neighbours that together make a segment within the limits of `config`, as [first, last) of
// `segments`.
inline std::vector<std::pair<size_t, size_t>> GroupSegments(
    absl::Span<const SourceSegment> segments, const LogConfig& config) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  const int64_t bytes_max = std::min(config.segment_bytes, kMax);
  // As many index entries as there may be at most.
  const auto index_bytes = [&](int64_t bytes) {
    return (bytes / std::max(config.index_interval_bytes, protocol::kRecordBatchHeaderBytes) + 1) *
           static_cast<int64_t>(TimeIndex::kEntryBytes);
  };
  std::vector<std::pair<size_t, size_t>> groups;
  for (size_t first = 0; first < segments.size();) {
    int64_t bytes = segments[first].size_bytes;
    size_t last = first + 1;
    while (last < segments.size() && bytes + segments[last].size_bytes <= bytes_max &&
           index_bytes(bytes + segments[last].size_bytes) <= config.segment_index_bytes &&
           segments[last].end - 1 - segments[first].base <= kMax) {
      bytes += segments[last++].size_bytes;
    }
    groups.emplace_back(first, last);
    first = last;
  }
  return groups;
}

// One cleaning of one log.
class Cleaning {
 public:
  Cleaning(FileSystem& files, CleaningPlan plan, const CleanerConfig& config, const SipKey& key)
      : files_(files),
        plan_(std::move(plan)),
        io_bytes_(std::clamp<int64_t>(config.io_buffer_bytes / 2, 4096, kRecordBatchBytesMax)),
        filter_(plan_),
        map_(key, plan_.end() - plan_.first_dirty, config.dedupe_buffer_bytes,
             config.dedupe_buffer_load_factor),
        stream_(io_bytes_),
        mapped_to_(plan_.first_dirty) {}
  Cleaning(const Cleaning&) = delete;
  Cleaning& operator=(const Cleaning&) = delete;

  // Reads about as many bytes and does what comes of them. After an error nothing but destruction
  // may follow; what the cleaning had written and was not taken is removed.
  absl::StatusOr<CleanStep> Step(int64_t bytes) {
    CleanStep step = CleanStep::kMore;
    const absl::Status status = Advance(bytes, &step);
    if (status.ok()) return step;
    Discard();
    return status;
  }

  // After kReplace, until the next step: what Log::ReplaceSegments takes.
  const CleanedSegment& cleaned() const { return cleaned_; }
  uint64_t generation() const { return plan_.generation; }
  // After kDone: nothing before it is dirty.
  Offset cleaned_to() const { return mapped_to_; }
  const CleaningPlan& plan() const { return plan_; }
  const CleaningStats& stats() const { return stats_; }

  // Removes what was written and not handed out. Whoever gives up a cleaning calls it, unless the
  // log's directory goes as well.
  void Discard() {
    if (out_ == nullptr) return;
    const Offset base = out_->base_offset();
    out_.reset();
    RemoveCleaned(base);
  }

 private:
  enum class Phase { kStart, kMap, kGroup, kCopy, kSeal, kReplaced, kDone };

  absl::Status Advance(int64_t bytes, CleanStep* step) {
    budget_ = bytes;
    while (budget_ > 0 && *step == CleanStep::kMore) {
      switch (phase_) {
        case Phase::kStart:
          StartMapping();
          break;
        case Phase::kMap:
          WEIR_RETURN_IF_ERROR(MapBatch());
          break;
        case Phase::kGroup:
          WEIR_RETURN_IF_ERROR(StartGroup());
          break;
        case Phase::kCopy:
          WEIR_RETURN_IF_ERROR(CopyBatch());
          break;
        case Phase::kSeal:
          WEIR_RETURN_IF_ERROR(Seal());
          *step = CleanStep::kReplace;
          break;
        case Phase::kReplaced:
          stats_.segments_replaced += static_cast<int64_t>(cleaned_.replaced.size());
          EndGroup();
          break;
        case Phase::kDone:
          *step = CleanStep::kDone;
          break;
      }
    }
    return absl::OkStatus();
  }

  // --- the last offset of each key ----------------------------------------------------------

  void StartMapping() {
    source_ = 0;
    while (source_ < plan_.segments.size() && plan_.segments[source_].end <= plan_.first_dirty) {
      ++source_;
    }
    OpenSource(plan_.first_dirty_position);
    phase_ = Phase::kMap;
  }

  void OpenSource(int64_t position = 0) {
    if (source_ >= plan_.segments.size()) return stream_.Close();
    const SourceSegment& source = plan_.segments[source_];
    stream_.Open(source.file, source.name, position, source.size_bytes, source.base, source.end);
  }

  absl::Status MapBatch() {
    if (source_ >= plan_.segments.size()) return EndMapping();
    const int64_t position = stream_.position();
    WEIR_ASSIGN_OR_RETURN(const std::optional<protocol::RecordBatchView> batch, stream_.Next());
    if (!batch.has_value()) {
      mapped_to_ = plan_.segments[source_++].end;
      OpenSource();
      return absl::OkStatus();
    }
    budget_ -= batch->size_bytes();
    stats_.mapped_bytes += batch->size_bytes();
    stats_.moved_bytes += batch->size_bytes();
    const absl::StatusOr<bool> taken = filter_.Map(*batch, &map_);
    if (!taken.ok()) return At(position, taken.status());
    if (!*taken) return EndMapping();
    mapped_to_ = std::max(mapped_to_, batch->next_offset());
    return absl::OkStatus();
  }

  absl::Status EndMapping() {
    stats_.keys = map_.size();
    // A segment in which mapping ended is cleaned up to there; later ones wait.
    size_t count = 0;
    while (count < plan_.segments.size() && plan_.segments[count].base < mapped_to_) ++count;
    groups_ = GroupSegments(absl::MakeSpan(plan_.segments.data(), count), plan_.config);
    group_ = 0;
    phase_ = groups_.empty() ? Phase::kDone : Phase::kGroup;
    return absl::OkStatus();
  }

  // --- copying ------------------------------------------------------------------------------

  size_t group_begin() const { return groups_[group_].first; }
  size_t group_end() const { return groups_[group_].second; }

  absl::Status StartGroup() {
    before_group_ = filter_.Save();
    last_source_ = group_begin();
    group_bytes_left_ = 0;
    for (size_t i = group_begin(); i < group_end(); ++i) {
      group_bytes_left_ += plan_.segments[i].size_bytes;
      if (plan_.segments[i].size_bytes > 0) last_source_ = i;
    }
    stats_.read_bytes += group_bytes_left_;
    // A segment alone is not written before something of it goes.
    if (group_end() - group_begin() > 1) WEIR_RETURN_IF_ERROR(CreateOut());
    source_ = group_begin();
    OpenSource();
    phase_ = Phase::kCopy;
    return absl::OkStatus();
  }

  absl::Status CreateOut() {
    const Offset base = plan_.segments[group_begin()].base;
    RemoveCleaned(base);  // of a cleaning that was given up
    SegmentConfig config = plan_.config;
    config.file_ending = kCleanedEnding;
    config.preallocate = false;
    WEIR_ASSIGN_OR_RETURN(out_,
                          Segment::Create(&files_, plan_.directory, base, config, plan_.now_ms));
    return absl::OkStatus();
  }

  absl::Status CopyBatch() {
    const int64_t position = stream_.position();
    WEIR_ASSIGN_OR_RETURN(const std::optional<protocol::RecordBatchView> batch, stream_.Next());
    if (!batch.has_value()) {
      if (++source_ < group_end()) {
        OpenSource();
      } else if (out_ == nullptr) {
        EndGroup();
      } else {
        phase_ = Phase::kSeal;
      }
      return absl::OkStatus();
    }
    budget_ -= batch->size_bytes();
    stats_.moved_bytes += batch->size_bytes();
    group_bytes_left_ -= batch->size_bytes();
    // The last batch of all stays, without records if need be: the segment ends where it did.
    const bool is_last = source_ == last_source_ && stream_.at_end();
    const absl::StatusOr<absl::string_view> bytes =
        filter_.Filter(*batch, map_, mapped_to_, is_last, Room());
    if (!bytes.ok()) return At(position, bytes.status());
    if (out_ != nullptr) return Write(*bytes);
    if (bytes->data() == batch->bytes().data()) return absl::OkStatus();
    return StartOver();
  }

  // How large the next batch may become.
  int64_t Room() const {
    const int64_t written = out_ == nullptr ? 0 : out_->size_bytes();
    return std::min<int64_t>(kRecordBatchBytesMax, std::numeric_limits<int32_t>::max() - written -
                                                       static_cast<int64_t>(pending_.size()) -
                                                       group_bytes_left_);
  }

  // The segment is to be written after all.
  absl::Status StartOver() {
    filter_.Restore(before_group_);
    WEIR_RETURN_IF_ERROR(CreateOut());
    group_bytes_left_ = plan_.segments[source_].size_bytes;
    OpenSource();
    return absl::OkStatus();
  }

  absl::Status Write(absl::string_view bytes) {
    if (filter_.aborted().has_value()) out_->NoteAborted(*filter_.aborted());
    if (bytes.empty()) return absl::OkStatus();
    pending_.append(bytes.data(), bytes.size());
    pending_sizes_.push_back(bytes.size());
    return static_cast<int64_t>(pending_.size()) >= io_bytes_ ? Flush() : absl::OkStatus();
  }

  absl::Status Flush() {
    std::vector<absl::string_view> pieces;
    pieces.reserve(pending_sizes_.size());
    absl::string_view rest = pending_;
    for (const size_t size : pending_sizes_) {
      pieces.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    if (!pieces.empty()) WEIR_RETURN_IF_ERROR(out_->Append(pieces));
    stats_.written_bytes += static_cast<int64_t>(pending_.size());
    stats_.moved_bytes += static_cast<int64_t>(pending_.size());
    pending_.clear();
    pending_sizes_.clear();
    if (static_cast<int64_t>(pending_.capacity()) > 4 * io_bytes_) pending_.shrink_to_fit();
    return absl::OkStatus();
  }

  // Makes the new segment durable; its owner has only to rename it.
  absl::Status Seal() {
    WEIR_RETURN_IF_ERROR(Flush());
    cleaned_ = CleanedSegment();
    cleaned_.generation = plan_.generation;
    for (size_t i = group_begin(); i < group_end(); ++i) {
      cleaned_.replaced.push_back(plan_.segments[i]);
    }
    cleaned_.suffixes = {Segment::kLogSuffix, Segment::kIndexSuffix, Segment::kTimeIndexSuffix};
    if (!out_->transactions()->empty()) {
      cleaned_.suffixes.push_back(Segment::kTransactionIndexSuffix);
    }
    std::vector<std::unique_ptr<File>> indexes;
    WEIR_RETURN_IF_ERROR(out_->Seal(&indexes));
    WEIR_RETURN_IF_ERROR(out_->file()->Sync());
    for (const std::unique_ptr<File>& index : indexes) WEIR_RETURN_IF_ERROR(index->Sync());
    WEIR_RETURN_IF_ERROR(files_.SyncDirectory(plan_.directory));
    out_.reset();
    phase_ = Phase::kReplaced;
    return absl::OkStatus();
  }

  void EndGroup() {
    ++group_;
    phase_ = group_ < groups_.size() ? Phase::kGroup : Phase::kDone;
    stats_.records_read = filter_.counters().records_read;
    stats_.records_kept = filter_.counters().records_kept;
    stats_.keyless_records = filter_.counters().keyless_records;
    if (phase_ == Phase::kDone) stream_.Close();
  }

  absl::Status At(int64_t position, const absl::Status& status) const {
    return absl::Status(status.code(), absl::StrCat(stream_.name(), ": at position ", position,
                                                    ": ", status.message()));
  }

  void RemoveCleaned(Offset base) {
    for (const char* suffix : Segment::kFileSuffixes) {
      (void)files_.Remove(
          absl::StrCat(plan_.directory, "/", SegmentFileName(base, suffix), kCleanedEnding));
    }
    pending_.clear();
    pending_sizes_.clear();
  }

  FileSystem& files_;
  const CleaningPlan plan_;
  const int64_t io_bytes_;
  log_internal::BatchFilter filter_;
  OffsetMap map_;
  log_internal::BatchStream stream_;
  Phase phase_ = Phase::kStart;
  int64_t budget_ = 0;  // bytes that this step may still read
  size_t source_ = 0;   // in plan_.segments: what stream_ reads
  Offset mapped_to_;    // map_ knows everything from first_dirty to here

  std::vector<std::pair<size_t, size_t>> groups_;
  size_t group_ = 0;
  size_t last_source_ = 0;        // of the group, that has batches
  int64_t group_bytes_left_ = 0;  // of the group, not read yet
  log_internal::BatchFilter::State before_group_;
  std::unique_ptr<Segment> out_;  // null while nothing of the group goes
  std::string pending_;           // batches on their way to out_
  std::vector<size_t> pending_sizes_;
  CleanedSegment cleaned_;
  CleaningStats stats_;
};

class Cleaner {
 public:
  // `files` outlives the cleaner and its cleanings. Keys are hashed under a secret of `random`.
  Cleaner(FileSystem& files, const CleanerConfig& config, Random& random)
      : files_(files), config_(config), key_(SipKey::Draw(random)) {}

  std::unique_ptr<Cleaning> Start(CleaningPlan plan) const {
    return std::make_unique<Cleaning>(files_, std::move(plan), config_, key_);
  }

  // Cleans `log` up to `upper_bound`, the last stable offset, as far as one round gets: as many
  // keys as the dedupe buffer holds. On the log's thread.
  absl::StatusOr<CleaningStats> Clean(Log& log, TimestampMs now_ms, Offset upper_bound) const {
    WEIR_ASSIGN_OR_RETURN(CleaningPlan plan, log.PlanCleaning(now_ms, upper_bound));
    const std::unique_ptr<Cleaning> cleaning = Start(std::move(plan));
    while (true) {
      WEIR_ASSIGN_OR_RETURN(const CleanStep step,
                            cleaning->Step(std::numeric_limits<int64_t>::max()));
      if (step == CleanStep::kDone) break;
      if (step == CleanStep::kReplace) {
        WEIR_RETURN_IF_ERROR(log.ReplaceSegments(cleaning->cleaned(), now_ms));
      }
    }
    log.FinishCleaning(cleaning->generation(), cleaning->cleaned_to());
    return cleaning->stats();
  }

 private:
  FileSystem& files_;
  const CleanerConfig config_;
  const SipKey key_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_CLEANER_H_
