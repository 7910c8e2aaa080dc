// -----------------------------------------------------------------------------
// File: server/topic_config_table.h
// -----------------------------------------------------------------------------
// The topic configuration keys of Kafka 4.2, by name, each with the broker keys that give its
// default.
#ifndef WEIR_SERVER_TOPIC_CONFIG_TABLE_H_
#define WEIR_SERVER_TOPIC_CONFIG_TABLE_H_

#include "server/config_def.h"

namespace weir::server {

struct TopicConfigDef {
  ConfigDef def;
  const char* broker_keys[3];  // the first that is set goes first; nullptr where there are fewer
};

inline constexpr TopicConfigDef kTopicConfigs[] = {
    {{"cleanup.policy", ConfigType::kList, "delete", ConfigEffect::kEffective,
      "What becomes of old segments: delete removes them by age and size, compact keeps the last "
      "record of each key.",
      kNoMin, kNoMax, "compact|delete"},
     {"log.cleanup.policy"}},
    {{"compression.gzip.level", ConfigType::kInt, "-1", ConfigEffect::kEffective,
      "How hard compression.type=gzip tries; -1 leaves it to the library.", kNoMin, kNoMax,
      "-1|1|2|3|4|5|6|7|8|9"},
     {"compression.gzip.level"}},
    {{"compression.lz4.level", ConfigType::kInt, "9", ConfigEffect::kEffective,
      "How hard compression.type=lz4 tries.", 1, 17},
     {"compression.lz4.level"}},
    {{"compression.type", ConfigType::kString, "producer", ConfigEffect::kEffective,
      "The codec in which batches are kept; producer keeps them as they were sent.", kNoMin, kNoMax,
      "uncompressed|zstd|lz4|snappy|gzip|producer"},
     {"compression.type"}},
    {{"compression.zstd.level", ConfigType::kInt, "3", ConfigEffect::kEffective,
      "How hard compression.type=zstd tries.", -131072, 22},
     {"compression.zstd.level"}},
    {{"delete.retention.ms", ConfigType::kLong, "86400000", ConfigEffect::kEffective,
      "How long compaction tells of a deletion after it met it.", 0},
     {"log.cleaner.delete.retention.ms"}},
    {{"file.delete.delay.ms", ConfigType::kLong, "60000", ConfigEffect::kEffective,
      "How long the files of a deleted segment stay.", 0},
     {"log.segment.delete.delay.ms"}},
    {{"flush.messages", ConfigType::kLong, "9223372036854775807", ConfigEffect::kEffective,
      "With weir.flush.policy=os: a partition is flushed after this many records.", 1},
     {"log.flush.interval.messages"}},
    {{"flush.ms", ConfigType::kLong, "9223372036854775807", ConfigEffect::kEffective,
      "With weir.flush.policy=os: records are flushed at the latest after this time.", 0},
     {"log.flush.interval.ms", "log.flush.scheduler.interval.ms"}},
    {{"follower.replication.throttled.replicas", ConfigType::kList, "", ConfigEffect::kEffective,
      "Whose followers heed follower.replication.throttled.rate while they are not in sync: a list "
      "of "
      "partition:broker, or *."},
     {}},
    {{"index.interval.bytes", ConfigType::kInt, "4096", ConfigEffect::kEffective,
      "How many bytes of records lie between two entries of the offset index.", 0},
     {"log.index.interval.bytes"}},
    {{"leader.replication.throttled.replicas", ConfigType::kList, "", ConfigEffect::kEffective,
      "Whose leaders heed leader.replication.throttled.rate while they are not in sync: a list of "
      "partition:broker, or *."},
     {}},
    {{"local.retention.bytes", ConfigType::kLong, "-2", ConfigEffect::kNotYet,
      "Tiered storage is not available in Weir.", -2},
     {"log.local.retention.bytes"}},
    {{"local.retention.ms", ConfigType::kLong, "-2", ConfigEffect::kNotYet,
      "Tiered storage is not available in Weir.", -2},
     {"log.local.retention.ms"}},
    {{"max.compaction.lag.ms", ConfigType::kLong, "9223372036854775807", ConfigEffect::kEffective,
      "A record is compacted at this age whatever else holds.", 1},
     {"log.cleaner.max.compaction.lag.ms"}},
    {{"max.message.bytes", ConfigType::kInt, "1048588", ConfigEffect::kEffective,
      "The largest batch that is accepted.", 0},
     {"message.max.bytes"}},
    {{"message.timestamp.after.max.ms", ConfigType::kLong, "3600000", ConfigEffect::kEffective,
      "How far a record's time may lie ahead of the broker's clock.", 0},
     {"log.message.timestamp.after.max.ms"}},
    {{"message.timestamp.before.max.ms", ConfigType::kLong, "9223372036854775807",
      ConfigEffect::kEffective, "How far a record's time may lie behind the broker's clock.", 0},
     {"log.message.timestamp.before.max.ms"}},
    {{"message.timestamp.type", ConfigType::kString, "CreateTime", ConfigEffect::kEffective,
      "Whether records keep the producer's time or take the broker's.", kNoMin, kNoMax,
      "CreateTime|LogAppendTime"},
     {"log.message.timestamp.type"}},
    {{"min.cleanable.dirty.ratio", ConfigType::kDouble, "0.5", ConfigEffect::kEffective,
      "Which part of a log may not have been compacted.", 0, 1},
     {"log.cleaner.min.cleanable.ratio"}},
    {{"min.compaction.lag.ms", ConfigType::kLong, "0", ConfigEffect::kEffective,
      "A record is not compacted before this age.", 0},
     {"log.cleaner.min.compaction.lag.ms"}},
    {{"min.insync.replicas", ConfigType::kInt, "1", ConfigEffect::kEffective,
      "How many replicas, of those that there are, must be in sync for acks=all to be accepted.",
      1},
     {"min.insync.replicas"}},
    {{"preallocate", ConfigType::kBool, "false", ConfigEffect::kEffective,
      "Whether a new segment takes its room on the disk at once; what it does not use is given "
      "back "
      "when it ends."},
     {"log.preallocate"}},
    {{"remote.log.copy.disable", ConfigType::kBool, "false", ConfigEffect::kNotYet,
      "Tiered storage is not available in Weir."},
     {}},
    {{"remote.log.delete.on.disable", ConfigType::kBool, "false", ConfigEffect::kNotYet,
      "Tiered storage is not available in Weir."},
     {}},
    {{"remote.storage.enable", ConfigType::kBool, "false", ConfigEffect::kNotYet,
      "Tiered storage is not available in Weir."},
     {}},
    {{"retention.bytes", ConfigType::kLong, "-1", ConfigEffect::kEffective,
      "Old segments are deleted while a partition is larger than this; -1 for no limit.", -1},
     {"log.retention.bytes"}},
    {{"retention.ms", ConfigType::kLong, "604800000", ConfigEffect::kEffective,
      "Segments older than this are deleted; -1 for never.", -1},
     {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}},
    {{"segment.bytes", ConfigType::kInt, "1073741824", ConfigEffect::kEffective,
      "A segment ends when it would grow beyond this.", 1048576},
     {"log.segment.bytes"}},
    {{"segment.index.bytes", ConfigType::kInt, "10485760", ConfigEffect::kEffective,
      "A segment ends when its index has this size.", 4},
     {"log.index.size.max.bytes"}},
    {{"segment.jitter.ms", ConfigType::kLong, "0", ConfigEffect::kEffective,
      "A segment ends earlier than segment.ms says, by up to this.", 0},
     {"log.roll.jitter.ms", "log.roll.jitter.hours"}},
    {{"segment.ms", ConfigType::kLong, "604800000", ConfigEffect::kEffective,
      "A segment ends when it is this old.", 1},
     {"log.roll.ms", "log.roll.hours"}},
    {{"unclean.leader.election.enable", ConfigType::kBool, "false", ConfigEffect::kEffective,
      "Whether a replica that is not in sync may lead when no other is left."},
     {"unclean.leader.election.enable"}},
};

}  // namespace weir::server

#endif  // WEIR_SERVER_TOPIC_CONFIG_TABLE_H_
