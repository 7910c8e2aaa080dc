// -----------------------------------------------------------------------------
// File: server/topic_config.h
// -----------------------------------------------------------------------------
// The settings of a topic: what may be set, what it comes to together with the broker's
// configuration, and how DescribeConfigs lists both (KIP-226, KIP-569).
//
// A topic's own value goes before the broker's key of the same meaning, in the order of
// TopicConfigDef::broker_keys where there are several (log.retention.ms, .minutes, .hours); what
// the broker's file sets goes before any default. A setting that would do nothing is refused.
// Errors: kInvalidArgument, for INVALID_CONFIG.
#ifndef WEIR_SERVER_TOPIC_CONFIG_H_
#define WEIR_SERVER_TOPIC_CONFIG_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/record_codec.h"
#include "server/broker_config.h"
#include "server/config_def.h"
#include "server/topic_config_table.h"

namespace weir::server {

// What was set for one topic, by key; from ConfigRecords of the metadata.
using TopicOverrides = std::map<std::string, std::string>;

// A topic's settings as the log, the validator and the partition need them.
struct TopicSettings {
  int64_t segment_bytes = 0;
  int64_t segment_ms = 0;
  int64_t segment_index_bytes = 0;
  int64_t index_interval_bytes = 0;
  int64_t retention_ms = 0;     // -1: no limit
  int64_t retention_bytes = 0;  // -1: no limit
  int64_t file_delete_delay_ms = 0;
  int64_t flush_messages = 0;
  int64_t flush_ms = 0;
  int64_t max_message_bytes = 0;
  int32_t min_insync_replicas = 0;
  bool log_append_time = false;
  bool deletes = true;    // `delete` is among the cleanup policies
  bool compacts = false;  // `compact` is, as Apache Kafka may have set it
  int64_t timestamp_before_max_ms = 0;
  int64_t timestamp_after_max_ms = 0;
  std::optional<protocol::Codec> codec;  // of batches that are kept; none: as they are sent
  std::optional<int> codec_level;        // none: the codec has none
};

// DescribeConfigs' sources (KIP-226).
enum class ConfigSource : int8_t { kTopic = 1, kStaticBroker = 4, kDefault = 5 };

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

inline const TopicConfigDef* FindTopicConfig(absl::string_view name) {
  for (const TopicConfigDef& topic : kTopicConfigs) {
    if (name == topic.def.name) return &topic;
  }
  return nullptr;
}

// Whether a client may set `name` to `value` for a topic.
inline absl::Status ValidateTopicConfig(absl::string_view name, absl::string_view value) {
  const TopicConfigDef* topic = FindTopicConfig(name);
  if (topic != nullptr) return CheckConfigSetting(topic->def, absl::StripAsciiWhitespace(value));
  std::vector<ConfigDef> known;
  for (const TopicConfigDef& row : kTopicConfigs) known.push_back(row.def);
  const ConfigDef* nearest = NearestConfig(known, name);
  if (nearest == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown topic config '", name.substr(0, 100), "'"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown topic config '", name, "': did you mean '", nearest->name, "'?"));
}

namespace config_internal {

// A broker key's value in the unit of the topic key: hours and minutes become milliseconds.
inline std::string InTopicUnit(absl::string_view broker_key, const std::string& value) {
  const int64_t factor = absl::EndsWith(broker_key, ".hours")     ? 3'600'000
                         : absl::EndsWith(broker_key, ".minutes") ? 60'000
                                                                  : 1;
  int64_t number = 0;
  if (factor == 1 || !absl::SimpleAtoi(value, &number)) return value;
  return absl::StrCat(number < 0 ? -1 : number * factor);
}

// compression.type, where it is not "producer".
inline std::optional<protocol::Codec> CodecOf(absl::string_view compression_type) {
  using protocol::Codec;
  if (compression_type == "uncompressed") return Codec::kNone;
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    if (compression_type == protocol::CodecName(codec)) return codec;
  }
  return std::nullopt;
}

inline std::vector<ConfigSynonym> TopicSynonyms(const TopicConfigDef& topic,
                                                const BrokerConfig& broker,
                                                const TopicOverrides& overrides) {
  std::vector<ConfigSynonym> synonyms;
  if (const auto set = overrides.find(topic.def.name); set != overrides.end()) {
    synonyms.push_back({topic.def.name, set->second, ConfigSource::kTopic});
  }
  for (const char* key : topic.broker_keys) {
    if (key == nullptr) break;
    if (const Property* set = broker.settings.Find(key); set != nullptr) {
      synonyms.push_back({key, set->value, ConfigSource::kStaticBroker});
    }
  }
  for (const char* key : topic.broker_keys) {
    if (key == nullptr) break;
    const ConfigDef* def = FindConfig(BrokerConfigTable(), key);
    WEIR_CHECK(def != nullptr);
    if (def->default_value != nullptr) {
      synonyms.push_back({key, def->default_value, ConfigSource::kDefault});
    }
  }
  return synonyms;
}

// The text of the effective value.
inline std::string TopicValue(const TopicConfigDef& topic,
                              const std::vector<ConfigSynonym>& synonyms) {
  if (synonyms.empty()) return topic.def.default_value != nullptr ? topic.def.default_value : "";
  const ConfigSynonym& first = synonyms.front();
  return first.source == ConfigSource::kTopic ? *first.value
                                              : InTopicUnit(first.name, *first.value);
}

}  // namespace config_internal

// What the settings of a topic come to. Overrides may come from a directory that Kafka wrote: one
// that is no number counts as unset, and without `delete` among its policies (a compacted topic)
// nothing of a topic is ever deleted.
inline TopicSettings EffectiveTopicConfig(const BrokerConfig& broker,
                                          const TopicOverrides& overrides) {
  const auto text = [&](absl::string_view name) {
    const TopicConfigDef* topic = FindTopicConfig(name);
    WEIR_CHECK(topic != nullptr);
    return config_internal::TopicValue(*topic,
                                       config_internal::TopicSynonyms(*topic, broker, overrides));
  };
  const auto number = [&](absl::string_view name) {
    int64_t value = 0;
    if (absl::SimpleAtoi(text(name), &value)) return value;
    WEIR_CHECK(absl::SimpleAtoi(FindTopicConfig(name)->def.default_value, &value));
    return value;
  };
  TopicSettings settings;
  settings.segment_bytes = number("segment.bytes");
  settings.segment_ms = number("segment.ms");
  settings.segment_index_bytes = number("segment.index.bytes");
  settings.index_interval_bytes = number("index.interval.bytes");
  const std::vector<std::string> policies = SplitConfigList(text("cleanup.policy"));
  const bool deletes = std::find(policies.begin(), policies.end(), "delete") != policies.end();
  settings.deletes = deletes;
  settings.compacts = std::find(policies.begin(), policies.end(), "compact") != policies.end();
  settings.retention_ms = deletes ? number("retention.ms") : -1;
  settings.retention_bytes = deletes ? number("retention.bytes") : -1;
  settings.file_delete_delay_ms = number("file.delete.delay.ms");
  settings.flush_messages = number("flush.messages");
  settings.flush_ms = number("flush.ms");
  settings.max_message_bytes = number("max.message.bytes");
  settings.min_insync_replicas = static_cast<int32_t>(number("min.insync.replicas"));
  settings.log_append_time = text("message.timestamp.type") == "LogAppendTime";
  settings.timestamp_before_max_ms = number("message.timestamp.before.max.ms");
  settings.timestamp_after_max_ms = number("message.timestamp.after.max.ms");
  settings.codec = config_internal::CodecOf(text("compression.type"));
  if (settings.codec == protocol::Codec::kGzip || settings.codec == protocol::Codec::kLz4 ||
      settings.codec == protocol::Codec::kZstd) {
    settings.codec_level = static_cast<int>(
        number(absl::StrCat("compression.", protocol::CodecName(*settings.codec), ".level")));
  }
  return settings;
}

// Every topic key with its value for this topic, by name.
inline std::vector<ConfigEntry> DescribeTopicConfigs(const BrokerConfig& broker,
                                                     const TopicOverrides& overrides) {
  std::vector<ConfigEntry> entries;
  for (const TopicConfigDef& topic : kTopicConfigs) {
    ConfigEntry entry;
    entry.name = topic.def.name;
    entry.synonyms = config_internal::TopicSynonyms(topic, broker, overrides);
    entry.value = config_internal::TopicValue(topic, entry.synonyms);
    if (!entry.synonyms.empty()) entry.source = entry.synonyms.front().source;
    entry.type = topic.def.type;
    entry.doc = topic.def.doc;
    entries.push_back(std::move(entry));
  }
  return entries;
}

// Every broker key with its value, by name. All are read-only: they change with the file and a
// restart. Secrets are listed without values.
inline std::vector<ConfigEntry> DescribeBrokerConfigs(const BrokerConfig& broker) {
  std::vector<ConfigEntry> entries;
  for (const ConfigDef& def : BrokerConfigTable()) {
    ConfigEntry entry;
    entry.name = def.name;
    entry.type = def.type;
    entry.doc = def.doc;
    entry.read_only = true;
    entry.sensitive = def.type == ConfigType::kPassword;
    if (const Property* set = broker.settings.Find(def.name); set != nullptr) {
      entry.synonyms.push_back({def.name, set->value, ConfigSource::kStaticBroker});
    }
    if (def.default_value != nullptr) {
      entry.synonyms.push_back({def.name, def.default_value, ConfigSource::kDefault});
    }
    for (ConfigSynonym& synonym : entry.synonyms) {
      if (entry.sensitive) synonym.value = std::nullopt;
    }
    if (!entry.synonyms.empty()) {
      entry.source = entry.synonyms.front().source;
      entry.value = entry.synonyms.front().value;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_TOPIC_CONFIG_H_
