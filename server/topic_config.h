// -----------------------------------------------------------------------------
// File: server/topic_config.h
// -----------------------------------------------------------------------------
// The settings of a topic: what may be set, what it comes to together with the broker's
// configuration, and how DescribeConfigs lists both (KIP-226, KIP-569).
//
// A topic's own value goes before the broker's key of the same meaning, in the order of
// TopicConfigDef::broker_keys where there are several (log.retention.ms, .minutes, .hours); what
// is set for the whole cluster goes before the broker's file, and that before any default. A
// setting that would do nothing is refused.
// Errors: kInvalidArgument, for INVALID_CONFIG.
#ifndef WEIR_SERVER_TOPIC_CONFIG_H_
#define WEIR_SERVER_TOPIC_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "protocol/record_codec.h"
#include "server/broker_config.h"
#include "server/config_def.h"
#include "server/throttled_replicas.h"

namespace weir::server {

struct TopicConfigDef;  // server/topic_config_table.h

// What was set for one topic, by key; from ConfigRecords of the metadata.
using TopicOverrides = std::map<std::string, std::string>;
// What was set for all brokers together, by the broker's keys (kafka-configs --entity-default).
using ClusterOverrides = std::map<std::string, std::string>;

// What was set for one broker (kafka-configs --entity-type brokers --entity-name 1).
using BrokerOverrides = std::map<std::string, std::string>;

// A topic's settings as the log, the validator and the partition need them.
struct TopicSettings {
  int64_t segment_bytes = 0;
  int64_t segment_ms = 0;
  int64_t segment_jitter_ms = 0;
  int64_t segment_index_bytes = 0;
  int64_t index_interval_bytes = 0;
  int64_t retention_ms = 0;     // -1: no limit
  int64_t retention_bytes = 0;  // -1: no limit
  int64_t file_delete_delay_ms = 0;
  int64_t flush_messages = 0;
  int64_t flush_ms = 0;
  int64_t max_message_bytes = 0;
  int32_t min_insync_replicas = 0;
  bool preallocate = false;
  bool log_append_time = false;
  bool deletes = true;    // `delete` is among the cleanup policies
  bool compacts = false;  // `compact` is
  double min_cleanable_dirty_ratio = 0;
  int64_t delete_retention_ms = 0;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = 0;
  int64_t timestamp_before_max_ms = 0;
  int64_t timestamp_after_max_ms = 0;
  std::optional<protocol::Codec> codec;  // of batches that are kept; none: as they are sent
  std::optional<int> codec_level;        // none: the codec has none
  ThrottledReplicas leader_throttled, follower_throttled;
};

// DescribeConfigs' sources (KIP-226).
enum class ConfigSource : int8_t {
  kTopic = 1,
  kBroker = 2,
  kCluster = 3,
  kStaticBroker = 4,
  kDefault = 5
};

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;  // nothing where it is a secret
  ConfigSource source = ConfigSource::kDefault;
};

// One key as DescribeConfigs answers it.
struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::kDefault;
  std::vector<ConfigSynonym> synonyms;  // where the value comes from, the effective one first
  ConfigType type = ConfigType::kString;
  bool read_only = false;
  bool sensitive = false;
  std::string doc;
};

const TopicConfigDef* FindTopicConfig(absl::string_view name);

// Whether a client may set `name` to `value` for a topic.
absl::Status ValidateTopicConfig(absl::string_view name, absl::string_view value);
// Whether a topic may have these settings together, each of which is valid alone.
absl::Status ValidateTopicConfigs(const BrokerConfig& broker, const TopicOverrides& overrides);

// What the settings of a topic come to. Overrides may come from a directory that Kafka wrote: one
// that is no number counts as unset, and without `delete` among its policies (a compacted topic)
// nothing of a topic is ever deleted.
TopicSettings EffectiveTopicConfig(const BrokerConfig& broker, const TopicOverrides& overrides,
                                   const ClusterOverrides& cluster = {});

// Every topic key with its value for this topic, by name.
std::vector<ConfigEntry> DescribeTopicConfigs(const BrokerConfig& broker,
                                              const TopicOverrides& overrides,
                                              const ClusterOverrides& cluster = {});

// Every broker key with its value, by name, and behind them throttles where they are set. All but
// these and what can be set for the cluster are read-only: they change with the file and a restart.
// Secrets are listed without values. `own` is set for this broker alone.
std::vector<ConfigEntry> DescribeBrokerConfigs(const BrokerConfig& broker,
                                               const ClusterOverrides& cluster = {},
                                               const BrokerOverrides& own = {});
// What is set for all brokers.
std::vector<ConfigEntry> DescribeClusterConfigs(const ClusterOverrides& cluster);

}  // namespace weir::server

#endif  // WEIR_SERVER_TOPIC_CONFIG_H_
