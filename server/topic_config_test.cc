#include "server/topic_config.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "protocol/record_codec.h"
#include "server/broker_config_reader.h"
#include "server/topic_config_table.h"

namespace weir::server {
namespace {

BrokerConfig Broker(absl::string_view text) {
  absl::StatusOr<Properties> properties = ParseProperties(text, "f");
  EXPECT_TRUE(properties.ok());
  absl::StatusOr<BrokerConfig> config = ReadBrokerConfig(*properties, nullptr);
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

ConfigEntry Find(const std::vector<ConfigEntry>& entries, absl::string_view name) {
  for (const ConfigEntry& entry : entries) {
    if (absl::string_view(entry.name) == name) return entry;
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(TopicConfig, DefaultsAreKafkas) {
  const TopicSettings settings = EffectiveTopicConfig(Broker(""), {});
  EXPECT_EQ(settings.segment_bytes, 1 << 30);
  EXPECT_EQ(settings.segment_ms, 604'800'000);
  EXPECT_EQ(settings.segment_index_bytes, 10 << 20);
  EXPECT_EQ(settings.index_interval_bytes, 4096);
  EXPECT_EQ(settings.retention_ms, 604'800'000);
  EXPECT_EQ(settings.retention_bytes, -1);
  EXPECT_EQ(settings.file_delete_delay_ms, 60'000);
  EXPECT_EQ(settings.max_message_bytes, 1'048'588);
  EXPECT_EQ(settings.min_insync_replicas, 1);
  EXPECT_FALSE(settings.log_append_time);
  EXPECT_EQ(settings.timestamp_after_max_ms, 3'600'000);
  EXPECT_EQ(settings.timestamp_before_max_ms, kNoMax);
}

TEST(TopicConfig, RetentionTakesTheFinestUnitThatIsSet) {
  const auto retention = [](absl::string_view text, const TopicOverrides& overrides) {
    return EffectiveTopicConfig(Broker(text), overrides).retention_ms;
  };
  EXPECT_EQ(retention("log.retention.hours=2", {}), 7'200'000);
  EXPECT_EQ(retention("log.retention.hours=2\nlog.retention.minutes=3", {}), 180'000);
  EXPECT_EQ(retention("log.retention.hours=2\nlog.retention.minutes=3\nlog.retention.ms=5", {}), 5);
  EXPECT_EQ(retention("log.retention.hours=-1", {}), -1);
  EXPECT_EQ(retention("log.retention.ms=5", {{"retention.ms", "7"}}), 7);
  EXPECT_EQ(EffectiveTopicConfig(Broker("log.roll.hours=1"), {}).segment_ms, 3'600'000);
  EXPECT_EQ(EffectiveTopicConfig(Broker("log.roll.hours=1\nlog.roll.ms=9"), {}).segment_ms, 9);
  EXPECT_EQ(EffectiveTopicConfig(Broker("message.max.bytes=77"), {}).max_message_bytes, 77);
}

TEST(TopicConfig, JitterAndPreallocation) {
  const TopicSettings plain = EffectiveTopicConfig(Broker(""), {});
  EXPECT_EQ(plain.segment_jitter_ms, 0);
  EXPECT_FALSE(plain.preallocate);
  const TopicSettings set =
      EffectiveTopicConfig(Broker("log.roll.jitter.hours=2\nlog.preallocate=true"), {});
  EXPECT_EQ(set.segment_jitter_ms, 7'200'000);
  EXPECT_TRUE(set.preallocate);
  const BrokerConfig finer = Broker("log.roll.jitter.hours=2\nlog.roll.jitter.ms=7");
  EXPECT_EQ(EffectiveTopicConfig(finer, {}).segment_jitter_ms, 7);
  EXPECT_EQ(EffectiveTopicConfig(finer, {{"segment.jitter.ms", "9"}}).segment_jitter_ms, 9);
  EXPECT_TRUE(EffectiveTopicConfig(finer, {{"preallocate", "True"}}).preallocate);
}

TEST(TopicConfig, WithoutDeleteNothingIsEverDeleted) {
  const TopicSettings settings = EffectiveTopicConfig(
      Broker(""), {{"cleanup.policy", "compact"}, {"retention.ms", "5"}, {"retention.bytes", "5"}});
  EXPECT_EQ(settings.retention_ms, -1);
  EXPECT_EQ(settings.retention_bytes, -1);
}

TEST(TopicConfig, CompactionComesWithItsSettings) {
  const TopicSettings defaults = EffectiveTopicConfig(Broker(""), {});
  EXPECT_FALSE(defaults.compacts);
  EXPECT_EQ(defaults.min_cleanable_dirty_ratio, 0.5);
  EXPECT_EQ(defaults.delete_retention_ms, 86'400'000);
  EXPECT_EQ(defaults.max_compaction_lag_ms, std::numeric_limits<int64_t>::max());
  const TopicSettings settings = EffectiveTopicConfig(
      Broker("log.cleaner.min.cleanable.ratio=0.25\nlog.cleaner.delete.retention.ms=7"),
      {{"cleanup.policy", "compact, delete"},
       {"min.compaction.lag.ms", "3"},
       {"max.compaction.lag.ms", "4"},
       {"retention.ms", "5"}});
  EXPECT_TRUE(settings.compacts && settings.deletes);
  EXPECT_EQ(settings.min_cleanable_dirty_ratio, 0.25);
  EXPECT_EQ(settings.delete_retention_ms, 7);
  EXPECT_EQ(settings.min_compaction_lag_ms, 3);
  EXPECT_EQ(settings.max_compaction_lag_ms, 4);
  EXPECT_EQ(settings.retention_ms, 5);
}

TEST(TopicConfig, TheCodecComesWithItsLevel) {
  using protocol::Codec;
  EXPECT_EQ(EffectiveTopicConfig(Broker(""), {}).codec, std::nullopt);
  const TopicSettings zstd =
      EffectiveTopicConfig(Broker("compression.zstd.level=7"), {{"compression.type", "zstd"}});
  EXPECT_EQ(zstd.codec, Codec::kZstd);
  EXPECT_EQ(zstd.codec_level, 7);
  const TopicSettings plain =
      EffectiveTopicConfig(Broker("compression.type=lz4"), {{"compression.type", "uncompressed"}});
  EXPECT_EQ(plain.codec, Codec::kNone);
  EXPECT_EQ(plain.codec_level, std::nullopt);
}

TEST(TopicConfig, AnUnreadableOverrideCountsAsUnset) {
  EXPECT_EQ(EffectiveTopicConfig(Broker(""), {{"segment.bytes", "many"}}).segment_bytes, 1 << 30);
}

TEST(TopicConfig, SettingsThatAreValidAloneMayContradictEachOther) {
  EXPECT_TRUE(ValidateTopicConfigs(Broker(""), {{"min.compaction.lag.ms", "2000"}}).ok());
  EXPECT_FALSE(ValidateTopicConfigs(Broker(""), {{"min.compaction.lag.ms", "2000"},
                                                 {"max.compaction.lag.ms", "1000"}})
                   .ok());
  EXPECT_FALSE(ValidateTopicConfigs(Broker("log.cleaner.max.compaction.lag.ms=1000"),
                                    {{"min.compaction.lag.ms", "2000"}})
                   .ok());
}

TEST(TopicConfig, ValidationSaysWhatIsWrong) {
  EXPECT_TRUE(ValidateTopicConfig("retention.ms", "-1").ok());
  EXPECT_TRUE(ValidateTopicConfig("cleanup.policy", "delete").ok());
  EXPECT_TRUE(ValidateTopicConfig("cleanup.policy", "compact,delete").ok());
  EXPECT_FALSE(ValidateTopicConfig("min.cleanable.dirty.ratio", "1.5").ok());
  EXPECT_TRUE(ValidateTopicConfig("compression.type", "producer").ok());
  EXPECT_TRUE(ValidateTopicConfig("compression.type", "lz4").ok());
  EXPECT_FALSE(ValidateTopicConfig("compression.gzip.level", "10").ok());
  EXPECT_TRUE(ValidateTopicConfig("message.timestamp.type", "LogAppendTime").ok());
  EXPECT_EQ(ValidateTopicConfig("retention.ms", "-2").message(),
            "bad value '-2' for retention.ms: expected a long of at least -1");
  EXPECT_EQ(ValidateTopicConfig("segment.bytes", "1").message(),
            "bad value '1' for segment.bytes: expected an int of at least 1048576");
  EXPECT_EQ(ValidateTopicConfig("retention.mss", "1").message(),
            "unknown topic config 'retention.mss': did you mean 'retention.ms'?");
  EXPECT_FALSE(ValidateTopicConfig(std::string(100'000, 'x'), "1").ok());
}

TEST(TopicConfig, ASettingWithoutEffectIsRefused) {
  EXPECT_TRUE(ValidateTopicConfig("unclean.leader.election.enable", "true").ok());
  EXPECT_FALSE(ValidateTopicConfig("remote.storage.enable", "true").ok());
  EXPECT_TRUE(ValidateTopicConfig("unclean.leader.election.enable", "False").ok());
}

TEST(TopicConfig, ThrottledReplicasAreListedByPartitionAndBroker) {
  const std::string key = "leader.replication.throttled.replicas";
  const TopicSettings settings = EffectiveTopicConfig(Broker(""), {{key, " 0:1, 2:7"}});
  EXPECT_TRUE(settings.leader_throttled.Contains(PartitionIndex(0), BrokerId(1)));
  EXPECT_TRUE(settings.leader_throttled.Contains(PartitionIndex(2), BrokerId(7)));
  EXPECT_FALSE(settings.leader_throttled.Contains(PartitionIndex(2), BrokerId(1)));
  EXPECT_TRUE(settings.follower_throttled.empty());
  EXPECT_TRUE(EffectiveTopicConfig(Broker(""), {{key, "*"}})
                  .leader_throttled.Contains(PartitionIndex(9), BrokerId(9)));
  for (const char* listed : {"", "*", "0:1", "0:1,1:0", "*,0:1"}) {
    EXPECT_TRUE(ValidateTopicConfig(key, listed).ok()) << listed;
  }
  for (const char* wrong : {"1", "0:1:2", ":", "0:", ":1", "a:b", "0:1,", "-1:0", "0:-1", "**"}) {
    EXPECT_FALSE(ValidateTopicConfig(key, wrong).ok()) << wrong;
  }
  EXPECT_EQ(ValidateTopicConfig(key, "7").message(),
            "leader.replication.throttled.replicas: expected * or a list of partition:broker, "
            "came '7'");
}

TEST(TopicConfig, TableIsSound) {
  for (const TopicConfigDef& topic : kTopicConfigs) {
    ASSERT_NE(topic.def.default_value, nullptr) << topic.def.name;
    EXPECT_TRUE(ValidateTopicConfig(topic.def.name, topic.def.default_value).ok())
        << topic.def.name;
    EXPECT_NE(topic.def.effect, ConfigEffect::kNoEffect) << topic.def.name;
  }
}

TEST(DescribeConfigs, TopicValuesSayWhereTheyComeFrom) {
  const std::vector<ConfigEntry> entries = DescribeTopicConfigs(
      Broker("log.retention.hours=2\nlog.segment.bytes=2000000"), {{"segment.bytes", "3000000"}});

  const ConfigEntry segment = Find(entries, "segment.bytes");
  EXPECT_EQ(segment.value, "3000000");
  EXPECT_EQ(segment.source, ConfigSource::kTopic);
  ASSERT_EQ(segment.synonyms.size(), 3u);
  EXPECT_EQ(segment.synonyms[1].name, "log.segment.bytes");
  EXPECT_EQ(segment.synonyms[1].value, "2000000");
  EXPECT_EQ(segment.synonyms[1].source, ConfigSource::kStaticBroker);
  EXPECT_EQ(segment.synonyms[2].value, "1073741824");
  EXPECT_EQ(segment.type, ConfigType::kInt);
  EXPECT_FALSE(segment.read_only);

  const ConfigEntry retention = Find(entries, "retention.ms");
  EXPECT_EQ(retention.value, "7200000");
  EXPECT_EQ(retention.source, ConfigSource::kStaticBroker);
  EXPECT_EQ(retention.synonyms[0].name, "log.retention.hours");
  EXPECT_EQ(retention.synonyms[0].value, "2");

  EXPECT_EQ(Find(entries, "flush.ms").value, "9223372036854775807");
  EXPECT_EQ(Find(entries, "flush.ms").source, ConfigSource::kDefault);
  EXPECT_EQ(Find(entries, "remote.storage.enable").value, "false");
}

TEST(DescribeConfigs, WhatIsSetForTheClusterGoesBeforeTheFile) {
  const BrokerConfig broker = Broker("min.insync.replicas=2\nlog.retention.hours=1");
  const ClusterOverrides cluster = {{"log.retention.ms", "5"}, {"min.insync.replicas", "3"}};
  EXPECT_EQ(EffectiveTopicConfig(broker, {}, cluster).min_insync_replicas, 3);
  EXPECT_EQ(EffectiveTopicConfig(broker, {}, cluster).retention_ms, 5);
  EXPECT_EQ(EffectiveTopicConfig(broker, {{"retention.ms", "7"}}, cluster).retention_ms, 7);

  const ConfigEntry of_topic =
      Find(DescribeTopicConfigs(broker, {}, cluster), "min.insync.replicas");
  EXPECT_EQ(of_topic.value, "3");
  EXPECT_EQ(of_topic.source, ConfigSource::kCluster);
  EXPECT_EQ(of_topic.synonyms.size(), 3u);
  const ConfigEntry of_broker = Find(DescribeBrokerConfigs(broker, cluster), "min.insync.replicas");
  EXPECT_EQ(of_broker.value, "3");
  EXPECT_FALSE(of_broker.read_only);
  EXPECT_EQ(Find(DescribeClusterConfigs(cluster), "log.retention.ms").value, "5");
  const ClusterOverrides secret = {{"ssl.key.password", "x"}};
  EXPECT_FALSE(Find(DescribeClusterConfigs(secret), "ssl.key.password").value.has_value());
}

TEST(DescribeConfigs, BrokerValuesSayWhereTheyComeFrom) {
  const std::vector<ConfigEntry> entries = DescribeBrokerConfigs(Broker("num.partitions=4"));
  const ConfigEntry partitions = Find(entries, "num.partitions");
  EXPECT_EQ(partitions.value, "4");
  EXPECT_EQ(partitions.source, ConfigSource::kStaticBroker);
  EXPECT_TRUE(partitions.read_only);
  EXPECT_EQ(partitions.synonyms.size(), 2u);
  const ConfigEntry secret = Find(entries, "ssl.key.password");
  EXPECT_TRUE(secret.sensitive);
  EXPECT_FALSE(secret.value.has_value());
  EXPECT_EQ(Find(entries, "weir.flush.policy").value, "ack");
  EXPECT_EQ(Find(entries, "weir.flush.policy").source, ConfigSource::kDefault);
}

}  // namespace
}  // namespace weir::server
