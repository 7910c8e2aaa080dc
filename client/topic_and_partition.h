// -----------------------------------------------------------------------------
// File: client/topic_and_partition.h
// -----------------------------------------------------------------------------
// A partition by the name of its topic, as applications call it.
#ifndef WEIR_CLIENT_TOPIC_AND_PARTITION_H_
#define WEIR_CLIENT_TOPIC_AND_PARTITION_H_

#include <compare>
#include <cstdint>
#include <string>

namespace weir::client {

struct TopicAndPartition {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const TopicAndPartition&, const TopicAndPartition&) = default;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_TOPIC_AND_PARTITION_H_
