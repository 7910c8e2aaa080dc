// -----------------------------------------------------------------------------
// File: client/committed_offset.h
// -----------------------------------------------------------------------------
// The places in partitions that a group commits and has committed.
// Threading: none of this keeps state.
#ifndef WEIR_CLIENT_COMMITTED_OFFSET_H_
#define WEIR_CLIENT_COMMITTED_OFFSET_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/ids.h"
#include "client/topic_and_partition.h"

namespace weir::client {

// What a group keeps of a partition: the offset of the next record to read, the epoch of the leader
// that wrote the record before it (-1 when it is not known), and the application's own words.
struct CommittedOffset {
  Offset offset = kNoOffset;
  int32_t leader_epoch = -1;
  std::string metadata;
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

using OffsetsToCommit = std::map<TopicAndPartition, CommittedOffset>;
// Nothing where the group has not committed.
using CommittedOffsets = std::map<TopicAndPartition, std::optional<CommittedOffset>>;

}  // namespace weir::client

#endif  // WEIR_CLIENT_COMMITTED_OFFSET_H_
