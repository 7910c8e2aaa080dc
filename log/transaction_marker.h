// -----------------------------------------------------------------------------
// File: log/transaction_marker.h
// -----------------------------------------------------------------------------
// What a control batch says of its producer's transaction (KIP-98).
#ifndef WEIR_LOG_TRANSACTION_MARKER_H_
#define WEIR_LOG_TRANSACTION_MARKER_H_

#include <cstdint>
#include <optional>

#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"

namespace weir::log {

struct TransactionMarker {
  bool aborts = false;
  int32_t coordinator_epoch = -1;  // -1: not told, as in a batch that compaction left empty
};

// The marker in `batch`; nothing when it holds none: a data batch, another kind of control record,
// a damaged one. A control batch without records stands for a transaction of which compaction left
// nothing, so that it ends one like a commit.
inline std::optional<TransactionMarker> MarkerOf(const protocol::RecordBatchView& batch) {
  if (!batch.is_control() || !batch.has_producer_id()) return std::nullopt;
  if (batch.record_count() == 0) return TransactionMarker();
  if (batch.codec() != protocol::Codec::kNone) return std::nullopt;
  protocol::RecordIterator it(batch.records(), batch.record_count());
  protocol::Record record;
  if (!it.Next(&record)) return std::nullopt;
  const std::optional<protocol::ControlType> type = protocol::GetControlType(record);
  if (type != protocol::ControlType::kAbort && type != protocol::ControlType::kCommit) {
    return std::nullopt;
  }
  TransactionMarker marker;
  marker.aborts = type == protocol::ControlType::kAbort;
  marker.coordinator_epoch = protocol::CoordinatorEpochOf(record).value_or(-1);
  return marker;
}

}  // namespace weir::log

#endif  // WEIR_LOG_TRANSACTION_MARKER_H_
