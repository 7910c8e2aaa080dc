// -----------------------------------------------------------------------------
// File: log/internal/log_read.h
// -----------------------------------------------------------------------------
// Reading and searching of log/log.h.
#ifndef WEIR_LOG_INTERNAL_LOG_READ_H_
#define WEIR_LOG_INTERNAL_LOG_READ_H_

#include <algorithm>
#include <cstdint>
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
#include "base/status_macros.h"
#include "base/varint.h"
#include "log/log.h"
#include "protocol/record_batch.h"

namespace weir::log {

namespace log_internal {

struct RecordTime {
  TimestampMs timestamp;
  Offset offset;
};

// The first record in `records`, the uncompressed payload of `batch`, that is at `start` or behind
// and whose timestamp is `target` or later. Nothing when there is none or where the records are
// malformed.
inline std::optional<RecordTime> FindRecord(const protocol::RecordBatchHeader& batch,
                                            absl::string_view records, TimestampMs target,
                                            Offset start) {
  const char* at = records.data();
  const char* const end = at + records.size();
  while (at != nullptr && at < end) {
    int32_t length = 0;
    at = GetVarint(at, end, &length);
    if (at == nullptr || length < 1 || length > end - at) break;
    const char* const next = at + length;
    int64_t timestamp_delta = 0;
    int32_t offset_delta = 0;
    at = GetVarlong(at + 1, next, &timestamp_delta);  // behind the attributes
    if (at != nullptr) at = GetVarint(at, next, &offset_delta);
    if (at == nullptr || offset_delta < 0 || offset_delta > batch.last_offset_delta()) break;
    const auto timestamp = static_cast<TimestampMs>(static_cast<uint64_t>(batch.base_timestamp()) +
                                                    static_cast<uint64_t>(timestamp_delta));
    const Offset offset = batch.base_offset() + offset_delta;
    if (timestamp >= target && offset >= start) return RecordTime{timestamp, offset};
    at = next;
  }
  return std::nullopt;
}

// The first of the batches with records that end at `start` or behind and are latest; `latest` is
// the segment's MaxTimestamp.
inline absl::StatusOr<std::optional<BatchSpot>> FindLatest(Segment& segment, TimestampMs latest,
                                                           Offset start) {
  WEIR_ASSIGN_OR_RETURN(std::optional<BatchSpot> found, segment.FindByTimestamp(latest, start));
  if (found.has_value()) return found;
  // Only a batch that compaction left without records is as late.
  WEIR_RETURN_IF_ERROR(
      segment.VisitHeaders(start, [&](const protocol::RecordBatchHeader& batch, int64_t position) {
        if (batch.record_count() > 0 &&
            (!found.has_value() || batch.max_timestamp() > found->max_timestamp)) {
          found = BatchSpot::Of(batch, position);
        }
        return true;
      }));
  return found;
}

}  // namespace log_internal

inline int64_t Log::size_bytes() const {
  int64_t total = 0;
  for (const std::unique_ptr<Segment>& segment : segments_) total += segment->size_bytes();
  return total;
}

// The last segment that starts at `offset` or before.
inline size_t Log::SegmentIndexFor(Offset offset) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                      [](Offset value, const std::unique_ptr<Segment>& segment) {
                                        return value < segment->base_offset();
                                      });
  WEIR_CHECK(after != segments_.begin());
  return static_cast<size_t>(after - segments_.begin()) - 1;
}

inline absl::StatusOr<LogSlice> Log::Read(Offset from, int64_t max_bytes, Offset upper_bound,
                                          bool at_least_one_batch) {
  if (from < log_start_offset_ || from > next_offset_) {
    return absl::OutOfRangeError(absl::StrCat("read of ", directory_, ": expected an offset in [",
                                              log_start_offset_.value(), ", ", next_offset_.value(),
                                              "], came ", from.value()));
  }
  LogSlice slice;
  slice.first_offset = slice.next_offset = from;
  upper_bound = std::min(upper_bound, next_offset_);
  if (from >= upper_bound) return slice;
  std::optional<BatchSpot> first;
  size_t index = SegmentIndexFor(from);
  for (; index < segments_.size() && !first.has_value(); ++index) {
    WEIR_ASSIGN_OR_RETURN(first, segments_[index]->Locate(from));
  }
  if (!first.has_value()) return slice;
  Segment& segment = *segments_[index - 1];
  if (first->next_offset > segment.next_offset()) {
    return absl::DataLossError(absl::StrCat(segment.Path(Segment::kLogSuffix), ": at position ",
                                            first->position, ": expected a batch up to offset ",
                                            segment.next_offset().value(), " at most, came one to ",
                                            first->next_offset.value()));
  }
  if (first->next_offset > upper_bound) return slice;
  // Damage further on is no reason to keep back what stands before it.
  const SegmentCut only_first{first->position + first->size_bytes, first->next_offset};
  SegmentCut end{segment.size_bytes(), segment.next_offset()};
  if (upper_bound < segment.next_offset()) {
    const absl::StatusOr<std::optional<BatchSpot>> bound = segment.Locate(upper_bound);
    if (!bound.ok()) {
      end = only_first;
    } else if (bound->has_value()) {
      end = {(*bound)->position, (*bound)->base_offset};
    }
  }
  if (end.position - first->position > max_bytes) {
    if (max_bytes >= first->size_bytes) {
      const absl::StatusOr<SegmentCut> cut =
          segment.CutBefore(first->position, first->position + max_bytes);
      end = cut.ok() ? *cut : only_first;
    } else if (at_least_one_batch) {
      end = only_first;
    } else {
      return slice;
    }
  }
  if (end.position <= first->position || end.next_offset <= from) {
    return absl::DataLossError(absl::StrCat(segment.Path(Segment::kLogSuffix), ": at position ",
                                            end.position, ": expected an offset behind ",
                                            from.value(), ", came ", end.next_offset.value()));
  }
  slice.file = segment.file();
  slice.position = first->position;
  slice.size_bytes = end.position - first->position;
  slice.first_offset = first->base_offset;
  slice.next_offset = end.next_offset;
  return slice;
}

// The first record of the batch at `start` or behind with `target` or later: nothing when only
// those before are as late.
inline absl::StatusOr<std::optional<FoundRecord>> Log::FindInBatch(Segment& segment,
                                                                   const BatchSpot& spot,
                                                                   TimestampMs target, Offset start,
                                                                   DecodeRecords decode) {
  std::string bytes(static_cast<size_t>(spot.size_bytes), '\0');
  WEIR_ASSIGN_OR_RETURN(
      const size_t got,
      segment.file()->ReadAt(spot.position, absl::MakeSpan(&bytes[0], bytes.size())));
  bytes.resize(got);
  WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView batch,
                        protocol::RecordBatchView::Parse(bytes));
  std::optional<log_internal::RecordTime> record;
  if (batch.timestamp_type() == protocol::TimestampType::kLogAppendTime) {
    record = log_internal::RecordTime{batch.max_timestamp(), std::max(batch.base_offset(), start)};
  } else if (batch.codec() == protocol::Codec::kNone) {
    record = log_internal::FindRecord(batch, batch.records(), target, start);
  } else if (const absl::StatusOr<std::string> records = decode(batch); records.ok()) {
    record = log_internal::FindRecord(batch, *records, target, start);
  }
  if (!record.has_value()) {
    if (batch.base_offset() < start) return std::optional<FoundRecord>();
    record = log_internal::RecordTime{batch.max_timestamp(), batch.base_offset()};
  }
  return std::optional<FoundRecord>({record->timestamp, record->offset, batch.leader_epoch()});
}

inline absl::StatusOr<std::optional<FoundRecord>> Log::FindByTimestamp(TimestampMs target,
                                                                       Offset upper_bound,
                                                                       DecodeRecords decode) {
  Offset from = log_start_offset_;
  for (size_t i = SegmentIndexFor(from); i < segments_.size();) {
    Segment& segment = *segments_[i];
    WEIR_ASSIGN_OR_RETURN(const TimestampOffset latest, segment.MaxTimestamp());
    std::optional<BatchSpot> spot;
    if (latest.timestamp >= target) {
      WEIR_ASSIGN_OR_RETURN(spot, segment.FindByTimestamp(target, from));
    }
    if (!spot.has_value()) {
      ++i;
      continue;
    }
    if (spot->base_offset >= upper_bound) break;
    WEIR_ASSIGN_OR_RETURN(const std::optional<FoundRecord> found,
                          FindInBatch(segment, *spot, target, from, decode));
    if (found.has_value() && found->offset >= upper_bound) break;
    if (found.has_value()) return found;
    from = spot->next_offset;
  }
  return std::optional<FoundRecord>();
}

inline absl::StatusOr<std::optional<FoundRecord>> Log::MaxTimestamp(DecodeRecords decode) {
  // From the latest on: what a segment has latest may be a batch without records.
  std::vector<std::pair<TimestampMs, Segment*>> by_time;
  for (const std::unique_ptr<Segment>& segment : segments_) {
    WEIR_ASSIGN_OR_RETURN(const TimestampOffset last, segment->MaxTimestamp());
    if (last.timestamp != kNoTimestamp) by_time.emplace_back(last.timestamp, segment.get());
  }
  std::stable_sort(by_time.begin(), by_time.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::optional<BatchSpot> best;
  Segment* in = nullptr;
  for (const auto& [latest, segment] : by_time) {
    if (best.has_value() && best->max_timestamp >= latest) break;
    WEIR_ASSIGN_OR_RETURN(const std::optional<BatchSpot> spot,
                          log_internal::FindLatest(*segment, latest, log_start_offset_));
    if (!spot.has_value() || (best.has_value() && spot->max_timestamp <= best->max_timestamp)) {
      continue;
    }
    best = spot;
    in = segment;
  }
  if (!best.has_value()) return std::optional<FoundRecord>();
  return FindInBatch(*in, *best, best->max_timestamp, Offset(0), decode);
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_READ_H_
