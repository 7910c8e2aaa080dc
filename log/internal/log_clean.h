// -----------------------------------------------------------------------------
// File: log/internal/log_clean.h
// -----------------------------------------------------------------------------
// The owner's part in cleaning log/log.h: what there is to clean, and putting new segments in the
// place of old ones. Steps on disk: docs/formats/compaction.md.
#ifndef WEIR_LOG_INTERNAL_LOG_CLEAN_H_
#define WEIR_LOG_INTERNAL_LOG_CLEAN_H_

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
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/cleaning_plan.h"
#include "log/internal/batch_reader.h"
#include "log/internal/producer_snapshots.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "log/segment_types.h"

namespace weir::log {

namespace log_internal {

// `now_ms` - `lag_ms`, where that is a time.
inline TimestampMs Before(TimestampMs now_ms, int64_t lag_ms) {
  return lag_ms > now_ms ? std::numeric_limits<int64_t>::min() : now_ms - lag_ms;
}

}  // namespace log_internal

// The first segment that may not be cleaned: the active one, one that is not stable as a whole, or
// one with records younger than min.compaction.lag.ms.
inline absl::StatusOr<size_t> Log::FirstUncleanable(TimestampMs now_ms, Offset first_dirty,
                                                    Offset upper_bound) {
  size_t end = segments_.size() - 1;
  while (end > 0 && segments_[end]->base_offset() > upper_bound) --end;
  if (segments_[end]->base_offset() > upper_bound) return size_t{0};
  if (config_.min_compaction_lag_ms <= 0) return end;
  const TimestampMs youngest = log_internal::Before(now_ms, config_.min_compaction_lag_ms);
  for (size_t i = 0; i < end; ++i) {
    if (segments_[i]->next_offset() <= first_dirty) continue;
    WEIR_ASSIGN_OR_RETURN(const TimestampOffset latest, segments_[i]->MaxTimestamp());
    if (latest.timestamp > youngest) return i;
  }
  return end;
}

inline absl::StatusOr<Dirt> Log::MeasureDirt(TimestampMs now_ms, Offset upper_bound) {
  WEIR_RETURN_IF_ERROR(failed_);
  Dirt dirt;
  dirt.first_dirty = std::max(cleaned_to_, log_start_offset_);
  WEIR_ASSIGN_OR_RETURN(const size_t end, FirstUncleanable(now_ms, dirt.first_dirty, upper_bound));
  dirt.first_uncleanable = segments_[end]->base_offset();
  const TimestampMs overdue = log_internal::Before(now_ms, config_.max_compaction_lag_ms);
  for (size_t i = 0; i < end; ++i) {
    if (segments_[i]->next_offset() <= dirt.first_dirty) {
      dirt.clean_bytes += segments_[i]->size_bytes();
      continue;
    }
    dirt.dirty_bytes += segments_[i]->size_bytes();
    if (config_.max_compaction_lag_ms == std::numeric_limits<int64_t>::max() || dirt.is_overdue) {
      continue;
    }
    log_internal::HeaderReader reader(*segments_[i]->file(), segments_[i]->size_bytes());
    WEIR_ASSIGN_OR_RETURN(const auto first, reader.At(0));
    dirt.is_overdue =
        first.has_value() && first->max_timestamp() > 0 && first->max_timestamp() < overdue;
  }
  return dirt;
}

inline absl::StatusOr<CleaningPlan> Log::PlanCleaning(TimestampMs now_ms, Offset upper_bound) {
  WEIR_ASSIGN_OR_RETURN(const Dirt dirt, MeasureDirt(now_ms, upper_bound));
  CleaningPlan plan;
  plan.directory = directory_;
  plan.config = config_;
  plan.generation = truncations_;
  plan.first_dirty = dirt.first_dirty;
  plan.now_ms = now_ms;
  for (const std::unique_ptr<Segment>& segment : segments_) {
    if (segment->base_offset() >= dirt.first_uncleanable) break;
    plan.segments.push_back({segment->file(), segment->Path(Segment::kLogSuffix),
                             segment->size_bytes(), segment->base_offset(),
                             segment->next_offset()});
    if (segment->base_offset() <= dirt.first_dirty && segment->next_offset() > dirt.first_dirty) {
      WEIR_ASSIGN_OR_RETURN(const std::optional<BatchSpot> spot, segment->Locate(dirt.first_dirty));
      plan.first_dirty_position = spot.has_value() ? spot->position : segment->size_bytes();
    }
  }
  // As of the end of what is cleaned: a truncation of what is behind it must not take away the last
  // that is known of a producer.
  ProducerState producers;
  WEIR_RETURN_IF_ERROR(ProducersAt(plan.end(), &producers));
  producers.Expire(now_ms, config_.producer_id_expiration_ms);
  for (const auto& [id, entry] : producers.Sorted()) {
    const ProducerBatch* last = entry.last_batch();
    plan.producers.push_back({id, entry.epoch, last == nullptr ? kNoOffset : last->last_offset});
  }
  WEIR_ASSIGN_OR_RETURN(plan.aborted, AbortedTransactions(log_start_offset_, plan.end()));
  return plan;
}

inline absl::Status Log::ReplaceSegments(const CleanedSegment& cleaned, TimestampMs now_ms) {
  WEIR_RETURN_IF_ERROR(failed_);
  const std::optional<size_t> first = FindSources(cleaned);
  if (!first.has_value()) {
    for (const std::string& suffix : cleaned.suffixes) {
      (void)fs_.Remove(
          absl::StrCat(directory_, "/", SegmentFileName(cleaned.base(), suffix), kCleanedEnding));
    }
    return absl::AbortedError(absl::StrCat(directory_, ": expected the segments from offset ",
                                           cleaned.base().value(), " to ", cleaned.end().value(),
                                           " as they were; they were truncated or deleted"));
  }
  const absl::Status status = Replace(cleaned, *first, now_ms);
  failed_.Update(status);  // whatever it is: the directory is between two states
  return status;
}

// Where the sources of `cleaned` are in segments_; nothing when they have changed.
inline std::optional<size_t> Log::FindSources(const CleanedSegment& cleaned) const {
  if (cleaned.generation != truncations_ || cleaned.base() < segments_.front()->base_offset()) {
    return std::nullopt;
  }
  const size_t first = SegmentIndexFor(cleaned.base());
  if (first + cleaned.replaced.size() >= segments_.size()) return std::nullopt;  // not the active
  for (size_t i = 0; i < cleaned.replaced.size(); ++i) {
    if (segments_[first + i]->file() != cleaned.replaced[i].file) return std::nullopt;
  }
  return first;
}

inline absl::Status Log::Replace(const CleanedSegment& cleaned, size_t first, TimestampMs now_ms) {
  at_rest_ = false;
  const auto rename = [&](absl::Span<const std::string> suffixes, const char* from,
                          const char* to) -> absl::Status {
    for (const std::string& suffix : suffixes) {
      const std::string name =
          absl::StrCat(directory_, "/", SegmentFileName(cleaned.base(), suffix));
      WEIR_RETURN_IF_ERROR(fs_.Rename(absl::StrCat(name, from), absl::StrCat(name, to)));
    }
    return fs_.SyncDirectory(directory_);
  };
  const absl::Span<const std::string> suffixes = cleaned.suffixes;
  // From here on a crash ends in the new segment.
  WEIR_RETURN_IF_ERROR(rename(suffixes, kCleanedEnding, kSwapEnding));
  const size_t count = cleaned.replaced.size();
  WEIR_RETURN_IF_ERROR(SetAside(absl::MakeSpan(segments_).subspan(first, count), now_ms));
  // Durable before the new segment has its name: none of them may ever stand beside it.
  WEIR_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
  // The log durably before its indexes: one that has its name beside a log that has not would be
  // taken for one of the old segments'.
  WEIR_RETURN_IF_ERROR(rename(suffixes.first(1), kSwapEnding, ""));
  WEIR_RETURN_IF_ERROR(rename(suffixes.subspan(1), kSwapEnding, ""));
  WEIR_ASSIGN_OR_RETURN(
      std::unique_ptr<Segment> segment,
      Segment::OpenSealed(&fs_, directory_, cleaned.base(), cleaned.end(), config_, now_ms));
  segments_[first] = std::move(segment);
  segments_.erase(segments_.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                  segments_.begin() + static_cast<std::ptrdiff_t>(first + count));
  return log_internal::RemoveSnapshotsBetween(fs_, directory_, cleaned.base(), cleaned.end());
}

inline void Log::FinishCleaning(uint64_t generation, Offset cleaned_to) {
  if (generation == truncations_) cleaned_to_ = std::max(cleaned_to_, cleaned_to);
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_CLEAN_H_
