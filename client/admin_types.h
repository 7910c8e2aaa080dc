// -----------------------------------------------------------------------------
// File: client/admin_types.h
// -----------------------------------------------------------------------------
// What the administrators of client/admin.h, client/group_admin.h, client/log_admin.h and
// client/quorum_admin.h take and return. Where several things are asked at once, each has a Status
// of its own.
#ifndef WEIR_CLIENT_ADMIN_TYPES_H_
#define WEIR_CLIENT_ADMIN_TYPES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "client/topic_and_partition.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/incremental_alter_configs.h"

namespace weir::client {

struct NewTopic {
  std::string name;
  int32_t partitions = -1;          // the broker's default
  int16_t replication_factor = -1;  // the broker's default
  // Not empty: the replicas of each partition, in place of both numbers.
  std::vector<std::vector<int32_t>> assignment;
  std::map<std::string, std::string> configs;
};

struct TopicOutcome {
  std::string name;
  absl::Status status;
  Uuid id;  // where the broker tells it
};

// --- Configurations ------------------------------------------------------------------------------

struct ConfigOutcome {
  int8_t resource_type = 0;
  std::string resource_name;
  absl::Status status;
  std::vector<protocol::DescribeConfigsResponse::DescribeConfigsResourceResult> configs;
};

struct ConfigEdit {
  std::string name;
  int8_t operation = protocol::kSetConfig;  // or kDeleteConfig, kAppendConfig, kSubtractConfig
  std::string value;                        // not with kDeleteConfig
};

// --- Offsets of partitions -----------------------------------------------------------------------

// Times that ListOffsets takes instead of a timestamp.
inline constexpr int64_t kLatestTime = -1;
inline constexpr int64_t kEarliestTime = -2;
inline constexpr int64_t kMaxTimestampTime = -3;

struct OffsetQuery {
  std::string topic;
  int32_t partition = 0;
  int64_t time = kLatestTime;  // or milliseconds: the first record that is not older
};

struct OffsetAnswer {
  std::string topic;
  int32_t partition = 0;
  absl::Status status;
  Offset offset = kNoOffset;  // none when no record is that young
  TimestampMs timestamp = kNoTimestamp;
  int32_t leader_epoch = -1;
};

struct RecordsToDelete {
  std::string topic;
  int32_t partition = 0;
  Offset before{-1};  // -1: all that consumers can read
};

struct DeletedRecords {
  std::string topic;
  int32_t partition = 0;
  absl::Status status;
  Offset low_watermark = kNoOffset;
};

// --- Groups --------------------------------------------------------------------------------------

struct GroupListing {
  std::string id;
  std::string protocol_type;  // "consumer", or empty where only offsets are known
  std::string state;          // empty when the broker is too old to say
  std::string type;           // the same
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string host;
  std::vector<TopicAndPartition> assignment;
};

struct GroupDescription {
  std::string id;
  absl::Status status;  // kNotFound when there is no such group
  std::string state;
  std::string protocol_type;
  std::string assignor;  // what its members agreed on
  int32_t coordinator = -1;
  std::vector<GroupMember> members;
};

struct GroupOutcome {
  std::string id;
  absl::Status status;
};

// An offset that a group has committed, or is to commit.
struct GroupOffset {
  std::string topic;
  int32_t partition = 0;
  Offset offset = kNoOffset;
  int32_t leader_epoch = -1;
  std::string metadata;
  absl::Status status;
};

struct PartitionOutcome {
  std::string topic;
  int32_t partition = 0;
  absl::Status status;
};

// --- Replicas ------------------------------------------------------------------------------------

// Where a partition is to have its replicas; nothing ends a move that is under way.
struct PartitionMove {
  std::string topic;
  int32_t partition = 0;
  std::optional<std::vector<int32_t>> replicas;
};

// A folder of a broker for its replica of a partition (KIP-113).
struct ReplicaPlace {
  std::string topic;
  int32_t partition = 0;
  int32_t broker = -1;
  std::string directory;
};

struct OngoingMove {
  std::string topic;
  int32_t partition = 0;
  std::vector<int32_t> replicas;
  std::vector<int32_t> adding;
  std::vector<int32_t> removing;
};

// Replicas of a partition that are not in sync and may lead all the same (KIP-966).
struct EligibleReplicas {
  std::vector<int32_t> eligible;
  std::vector<int32_t> last_known;
};

inline constexpr int8_t kPreferredElection = 0;
inline constexpr int8_t kUncleanElection = 1;

struct ElectionOutcome {
  std::string topic;
  int32_t partition = 0;
  absl::Status status;
  bool elected = false;  // now; else there was no need, or it failed
};

// --- The metadata quorum -------------------------------------------------------------------------

struct QuorumDescription {
  protocol::DescribeQuorumResponse::PartitionData state;
  std::vector<protocol::DescribeQuorumResponse::Node> nodes;  // none from an older broker
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_ADMIN_TYPES_H_
