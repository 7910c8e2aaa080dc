// -----------------------------------------------------------------------------
// File: client/consumer_config.h
// -----------------------------------------------------------------------------
// How a consumer reads, and how it takes part in its group. Names and defaults of Kafka's consumer.
// Threading: plain values.
#ifndef WEIR_CLIENT_CONSUMER_CONFIG_H_
#define WEIR_CLIENT_CONSUMER_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::client {

enum class OffsetReset { kLatest, kEarliest, kNone };

struct ConsumerConfig {
  // --- The group. Without an id there is none: then Assign() and Seek() alone say what is read.
  std::string group_id;
  // The member's lasting name (KIP-345): it may be away for the session timeout without losing its
  // partitions, and it does not leave the group when it is closed.
  std::optional<std::string> group_instance_id;
  // In order of preference: range, roundrobin, cooperative-sticky. Partitions are kept through a
  // rebalance when every strategy listed can do that: name cooperative-sticky alone.
  std::vector<std::string> partition_assignment_strategy = {"range", "cooperative-sticky"};
  int32_t session_timeout_ms = 45'000;
  int32_t heartbeat_interval_ms = 3'000;
  int32_t max_poll_interval_ms = 300'000;
  bool enable_auto_commit = true;  // of what earlier calls of Poll() gave; only with a group
  int64_t auto_commit_interval_ms = 5'000;
  bool exclude_internal_topics = true;  // from subscriptions by predicate
  std::optional<std::string> client_rack;
  int64_t default_api_timeout_ms = 60'000;  // of calls that wait for the coordinator

  // --- Reading
  OffsetReset auto_offset_reset = OffsetReset::kLatest;
  bool read_committed = false;
  bool check_crcs = true;
  int32_t fetch_min_bytes = 1;
  int32_t fetch_max_wait_ms = 500;
  int32_t fetch_max_bytes = 50 << 20;
  int32_t max_partition_fetch_bytes = 1 << 20;
  size_t max_poll_records = 500;  // batches are not cut: the last one may bring more
  int64_t request_timeout_ms = 30'000;
  int64_t retry_backoff_ms = 100;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_CONSUMER_CONFIG_H_
