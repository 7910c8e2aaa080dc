// -----------------------------------------------------------------------------
// File: coordination/transaction/records.h
// -----------------------------------------------------------------------------
// What a transaction coordinator writes to __transaction_state, and the marker that ends a
// transaction in the logs of its partitions (KIP-98, KIP-890).
// Format: a key is int16 type (0) and its fields; a value is int16 version and its fields; a record
// without a value deletes its transactional id. A marker is the value of a control record of type
// ABORT or COMMIT: int16 version (0) and its field.
// Source: TransactionLogKey.json, TransactionLogValue.json and EndTxnMarker.json of Apache Kafka
// 4.2.0; numbers of states as in its TransactionState.
#ifndef WEIR_COORDINATION_TRANSACTION_RECORDS_H_
#define WEIR_COORDINATION_TRANSACTION_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::transaction {

using protocol::NullableSince;
using protocol::Since;
using protocol::Tag;

// Values of transaction_status.
inline constexpr int8_t kTransactionEmpty = 0;
inline constexpr int8_t kTransactionOngoing = 1;
inline constexpr int8_t kTransactionPrepareCommit = 2;
inline constexpr int8_t kTransactionPrepareAbort = 3;
inline constexpr int8_t kTransactionCompleteCommit = 4;
inline constexpr int8_t kTransactionCompleteAbort = 5;
inline constexpr int8_t kTransactionDead = 6;
inline constexpr int8_t kTransactionPrepareEpochFence = 7;

struct TransactionLogKey {
  static constexpr protocol::RecordInfo kRecord{.type = 0, .versions = {0, 0}};

  std::string transactional_id;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"transactional_id", Since(0)}, m.transactional_id);
  }
};

struct TransactionLogValue {
  static constexpr protocol::RecordInfo kRecord{.type = 0, .versions = {0, 1}, .flexible_since = 1};

  struct PartitionsSchema {
    std::string topic;
    std::vector<int32_t> partition_ids;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"topic", Since(0)}, m.topic);
      v.Field({"partition_ids", Since(0)}, m.partition_ids);
    }
  };

  int64_t producer_id = 0;
  int64_t previous_producer_id = -1;
  int64_t next_producer_id = -1;
  int16_t producer_epoch = 0;
  int16_t next_producer_epoch = -1;
  int32_t transaction_timeout_ms = 0;
  int8_t transaction_status = 0;  // kTransactionEmpty and so on
  std::optional<std::vector<PartitionsSchema>> transaction_partitions{std::in_place};
  int64_t transaction_last_update_timestamp_ms = 0;
  int64_t transaction_start_timestamp_ms = 0;
  int16_t client_transaction_version = 0;
  protocol::UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"producer_id", Since(0)}, m.producer_id);
    v.Field({"previous_producer_id", Since(1), Tag(0, 1)}, m.previous_producer_id);
    v.Field({"next_producer_id", Since(1), Tag(1, 1)}, m.next_producer_id);
    v.Field({"producer_epoch", Since(0)}, m.producer_epoch);
    v.Field({"next_producer_epoch", Since(1), Tag(3, 1)}, m.next_producer_epoch);
    v.Field({"transaction_timeout_ms", Since(0)}, m.transaction_timeout_ms);
    v.Field({"transaction_status", Since(0)}, m.transaction_status);
    v.Field({"transaction_partitions", Since(0), NullableSince(0)}, m.transaction_partitions);
    v.Field({"transaction_last_update_timestamp_ms", Since(0)},
            m.transaction_last_update_timestamp_ms);
    v.Field({"transaction_start_timestamp_ms", Since(0)}, m.transaction_start_timestamp_ms);
    v.Field({"client_transaction_version", Since(1), Tag(2, 1)}, m.client_transaction_version);
  }
};

// Ends a transaction; the control record's type says how.
struct EndTxnMarker {
  static constexpr protocol::RecordInfo kRecord{.type = -1, .versions = {0, 0}};

  int32_t coordinator_epoch = 0;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"coordinator_epoch", Since(0)}, m.coordinator_epoch);
  }
};

}  // namespace weir::transaction

#endif  // WEIR_COORDINATION_TRANSACTION_RECORDS_H_
