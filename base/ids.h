// -----------------------------------------------------------------------------
// File: base/ids.h
// -----------------------------------------------------------------------------
// The ids that components pass to each other. Wire structs (protocol/api/) keep plain integers, as
// Kafka's definitions have them; the broker's handlers convert at the border.
#ifndef WEIR_BASE_IDS_H_
#define WEIR_BASE_IDS_H_

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "base/strong_int.h"
#include "base/uuid.h"

namespace weir {

using Offset =
    Ordinal<struct OffsetTag, int64_t>;  // of a record in a partition; -1 where there is none
using LeaderEpoch = StrongInt<struct LeaderEpochTag, int32_t>;  // -1 where unknown
using BrokerId = StrongInt<struct BrokerIdTag, int32_t>;        // Kafka's node.id
using PartitionIndex = StrongInt<struct PartitionIndexTag, int32_t>;
using ProducerId =
    StrongInt<struct ProducerIdTag, int64_t>;  // -1 for a producer without idempotence
using ProducerEpoch = StrongInt<struct ProducerEpochTag, int16_t>;

inline constexpr Offset kNoOffset{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

// Milliseconds since 1970-01-01T00:00:00Z, as record timestamps are; -1 where there is none.
using TimestampMs = int64_t;
inline constexpr TimestampMs kNoTimestamp = -1;

// A partition of one incarnation of a topic: a topic that is deleted and created again has a new id
// (KIP-516).
struct TopicPartition {
  Uuid topic_id;
  PartitionIndex partition;

  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
  template <class H>
  friend H AbslHashValue(H state, const TopicPartition& tp) {
    return H::combine(std::move(state), tp.topic_id, tp.partition);
  }
};

}  // namespace weir

#endif  // WEIR_BASE_IDS_H_
