// -----------------------------------------------------------------------------
// File: replication/internal/error_of.h
// -----------------------------------------------------------------------------
// Kafka's codes for what a log says.
#ifndef WEIR_REPLICATION_INTERNAL_ERROR_OF_H_
#define WEIR_REPLICATION_INTERNAL_ERROR_OF_H_

#include "absl/status/status.h"
#include "log/log_types.h"
#include "protocol/error_code.h"

namespace weir::replication::replication_internal {

// Of a log that cannot be read. What is damaged will not get better: a client should not try for
// ever, as it does after a storage error.
inline protocol::ErrorCode ErrorOf(const absl::Status& read) {
  if (absl::IsOutOfRange(read)) return protocol::ErrorCode::kOffsetOutOfRange;
  return absl::IsDataLoss(read) ? protocol::ErrorCode::kCorruptMessage
                                : protocol::ErrorCode::kKafkaStorageError;
}

inline protocol::ErrorCode ErrorOf(const log::BatchToAppend& batch) {
  switch (batch.outcome) {
    case log::AppendOutcome::kAppended:
    case log::AppendOutcome::kDuplicate:
      return protocol::ErrorCode::kNone;
    case log::AppendOutcome::kOutOfOrderSequence:
      return protocol::ErrorCode::kOutOfOrderSequenceNumber;
    case log::AppendOutcome::kInvalidProducerEpoch:
      return protocol::ErrorCode::kInvalidProducerEpoch;
    case log::AppendOutcome::kInvalidTransactionState:
      return protocol::ErrorCode::kInvalidTxnState;
    case log::AppendOutcome::kCoordinatorFenced:
      return protocol::ErrorCode::kTransactionCoordinatorFenced;
    case log::AppendOutcome::kInvalidRecord:
      return protocol::ErrorCode::kInvalidRecord;
    case log::AppendOutcome::kTooLarge:
      return protocol::ErrorCode::kMessageTooLarge;
    case log::AppendOutcome::kRefused:
      break;
  }
  return absl::IsInvalidArgument(batch.status) ? protocol::ErrorCode::kCorruptMessage
                                               : protocol::ErrorCode::kKafkaStorageError;
}

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_INTERNAL_ERROR_OF_H_
