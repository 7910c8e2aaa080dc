// -----------------------------------------------------------------------------
// File: log/internal/log_transactions.h
// -----------------------------------------------------------------------------
// What log/log.h tells of transactions.
#ifndef WEIR_LOG_INTERNAL_LOG_TRANSACTIONS_H_
#define WEIR_LOG_INTERNAL_LOG_TRANSACTIONS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/record_batch.h"

namespace weir::log {

inline Offset Log::FirstUnstableOffset() const {
  const Offset first = producers_.FirstUnstableOffset();
  // The transaction may have begun with records that are deleted.
  return first == kNoOffset ? first : std::max(first, log_start_offset_);
}

inline Offset Log::LastStableOffset(Offset high_watermark) const {
  const Offset first = FirstUnstableOffset();
  return first == kNoOffset ? high_watermark : std::min(first, high_watermark);
}

inline absl::StatusOr<std::vector<AbortedTransaction>> Log::AbortedTransactions(Offset from,
                                                                                Offset to) {
  std::vector<AbortedTransaction> found;
  from = std::max(from, log_start_offset_);
  if (from >= to) return found;
  for (size_t i = SegmentIndexFor(from); i < segments_.size(); ++i) {
    WEIR_RETURN_IF_ERROR(LoadTransactions(*segments_[i]));
    if (segments_[i]->transactions()->Collect(from, to, &found)) break;
  }
  return found;
}

// Makes the segment's aborted transactions known: from their file, or where that is damaged from
// the log.
inline absl::Status Log::LoadTransactions(Segment& segment) {
  const absl::Status loaded = segment.LoadTransactions();
  return absl::IsDataLoss(loaded) ? RebuildTransactions(segment) : loaded;
}

inline absl::Status Log::RebuildTransactions(Segment& segment) {
  ProducerState producers;
  WEIR_RETURN_IF_ERROR(ProducersAt(segment.base_offset(), &producers));
  TransactionIndex index;
  Offset next = segment.base_offset();
  absl::Status status;
  const auto note = [&](const protocol::RecordBatchHeader& batch,
                        const std::optional<TransactionMarker>& marker) {
    if (batch.base_offset() < next) {
      status = absl::DataLossError(absl::StrCat(segment.Path(Segment::kLogSuffix),
                                                ": expected offset ", next.value(),
                                                " or more, came ", batch.base_offset().value()));
    }
    if (!status.ok()) return;
    next = batch.next_offset();
    const std::optional<EndedTransaction> ended = producers.Update(batch, marker);
    if (ended.has_value() && ended->aborted) index.Append(producers.IndexEntry(*ended));
  };
  WEIR_RETURN_IF_ERROR(
      VisitProducers(segment, next, Offset(std::numeric_limits<int64_t>::max()), note));
  WEIR_RETURN_IF_ERROR(status);
  segment.SetTransactions(std::move(index));
  return absl::OkStatus();
}

}  // namespace weir::log

#endif  // WEIR_LOG_INTERNAL_LOG_TRANSACTIONS_H_
