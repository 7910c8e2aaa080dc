// -----------------------------------------------------------------------------
// File: coordination/metadata/controller_types.h
// -----------------------------------------------------------------------------
// What goes into the controller (events) and what comes out of it (effects): see controller.h.
#ifndef WEIR_COORDINATION_METADATA_CONTROLLER_TYPES_H_
#define WEIR_COORDINATION_METADATA_CONTROLLER_TYPES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/describe.h"
#include "protocol/error_code.h"

namespace weir::metadata {

// Finds the answer to a request; chosen by whoever makes the event.
using RequestToken = uint64_t;
// Finds the outcome of an append; chosen by the controller, ascending.
using AppendToken = uint64_t;

inline constexpr int32_t kProducerIdBlockSize = 1000;  // Kafka's ProducerIdsBlock

// What a server keeps of a salted password (RFC 5802).
struct ScramKeys {
  protocol::Bytes stored_key;
  protocol::Bytes server_key;
};

struct ControllerConfig {
  std::string cluster_id;  // brokers of another are refused; empty accepts all
  int32_t num_partitions = 1;
  int16_t default_replication_factor = 1;
  bool delete_topic_enable = true;
  // Defaults of topics, which a dynamic default of the brokers overrides.
  std::optional<int32_t> min_insync_replicas;  // of the controller's file; else 1
  bool unclean_leader_election_enable = false;
  int64_t broker_session_timeout_ms = 9000;
  // How long first replicas that are in sync wait until they lead again.
  bool auto_leader_rebalance_enable = true;
  int64_t leader_imbalance_check_interval_ms = 300'000;
  // Whether a topic may have this config; OK without it. The message goes to the client.
  std::function<absl::Status(absl::string_view name, absl::string_view value)>
      validate_topic_config;
  // Whether a topic may have these configs together, each of which is valid alone.
  std::function<absl::Status(const ConfigMap& set)> validate_topic_configs;
  // The default of a topic config that is a list; nothing for one that is not.
  std::function<std::optional<std::string>(absl::string_view name)> topic_list_default;
  // The effective configs of a topic that sets these in a cluster that sets those for all brokers,
  // for CreateTopics v5+; none without it.
  std::function<std::vector<protocol::CreateTopicsResponse::CreatableTopicConfigs>(
      const ConfigMap& topic, const ConfigMap& cluster)>
      describe_topic_configs;
  // The keys of a salted password; nothing where the mechanism (1 SHA-256, 2 SHA-512) is not
  // known. Without it there are no SCRAM credentials.
  std::function<std::optional<ScramKeys>(int8_t mechanism, const protocol::Bytes& salted_password)>
      derive_scram_keys;
  // What an empty log begins with (bootstrap.checkpoint); when empty, metadata.version and
  // eligible.leader.replicas.version at the newest levels.
  std::vector<MetadataRecord> bootstrap_records;
};

// --- Events -----------------------------------------------------------------------------------

// This node leads the metadata log from now on. To be given once the epoch's LEADER_CHANGE is
// committed and everything before it is in `image`.
struct LeadershipGained {
  LeaderEpoch epoch;
  Offset next_offset;  // the end of the log, behind the LEADER_CHANGE
  MetadataImagePtr image;
};
struct LeadershipLost {};
// Time passed: to be given when Controller::NextDeadline is reached.
struct Tick {};

struct CreateTopics {
  RequestToken token = 0;
  protocol::CreateTopicsRequest request;
  bool is_internal = false;  // of the broker itself: its configs are not checked
};
struct DeleteTopics {
  RequestToken token = 0;
  protocol::DeleteTopicsRequest request;
};
struct CreatePartitions {
  RequestToken token = 0;
  protocol::CreatePartitionsRequest request;
};

// One setting of a resource to change.
struct ConfigEdit {
  // As IncrementalAlterConfigs has them; the latter two are for lists.
  static constexpr int8_t kSet = 0;
  static constexpr int8_t kDelete = 1;
  static constexpr int8_t kAppend = 2;
  static constexpr int8_t kSubtract = 3;

  std::string name;
  int8_t operation = kSet;
  std::optional<std::string> value;
};
struct ConfigChange {
  int8_t type = 0;  // ConfigResourceType, if the client knows what it does
  std::string name;
  std::vector<ConfigEdit> edits;
};
struct AlterConfigs {
  RequestToken token = 0;
  std::vector<ConfigChange> changes;
  bool replace = false;  // clears what is not named
  bool validate_only = false;
};

// One feature to bring to a level.
struct FeatureUpdate {
  enum class Kind : int8_t { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };

  std::string feature;
  int16_t level = 0;
  Kind kind = Kind::kUpgrade;  // what a client sent, so perhaps none of the above
};
struct UpdateFeatures {
  RequestToken token = 0;
  std::vector<FeatureUpdate> updates;
  bool validate_only = false;
};
// Asks for the next block of kProducerIdBlockSize producer ids.
struct AllocateProducerIds {
  RequestToken token = 0;
  BrokerId broker;
  int64_t broker_epoch = -1;
};
// A process that wants to be a broker. It is fenced until a heartbeat says that it has followed the
// log up to its own registration.
struct RegisterBroker {
  RequestToken token = 0;
  // The controller sets broker_epoch, fenced and in_controlled_shutdown.
  RegisterBrokerRecord registration;
  std::string cluster_id{};
  // The epoch of the process before it, if the disks still have all that this one acknowledged
  // (KIP-966); -1 if they might not.
  int64_t previous_broker_epoch = -1;
  // Whoever gives this knows that the process before has ended: its session is not waited for.
  bool predecessor_is_gone = false;
};
// Keeps the broker's session, and says what the broker wants (KIP-631, KIP-858).
struct BrokerHeartbeat {
  RequestToken token = 0;
  BrokerId broker;
  int64_t broker_epoch = -1;
  Offset metadata_offset = kNoOffset;  // up to which it has followed the log
  bool want_fence = false;
  bool want_shut_down = false;
  std::vector<Uuid> offline_log_dirs;
};
// An operator takes the broker off the cluster.
struct UnregisterBroker {
  RequestToken token = 0;
  BrokerId broker;
};
// Fences or unfences without a heartbeat.
struct SetBrokerFenced {
  RequestToken token = 0;
  BrokerId broker;
  int64_t broker_epoch = -1;
  bool fenced = false;
};

// The process that was registered with this epoch has ended: its session is not waited for. Nobody
// is told of it; a broker that is there nevertheless is unfenced by its next heartbeat.
struct BrokerLost {
  BrokerId broker;
  int64_t broker_epoch = -1;
};

// Asks for leaders that are preferred, or for any leader at all (KIP-460).
struct ElectLeaders {
  RequestToken token = 0;
  protocol::ElectLeadersRequest request;
};
// Moves partitions to other replicas, or stops that (KIP-455).
struct AlterPartitionReassignments {
  RequestToken token = 0;
  protocol::AlterPartitionReassignmentsRequest request;
};
// Where a broker has put its replicas (KIP-858).
struct AssignReplicasToDirs {
  struct Assignment {
    TopicPartition partition;
    Uuid directory;
  };

  RequestToken token = 0;
  BrokerId broker;
  int64_t broker_epoch = -1;
  std::vector<Assignment> assignments;
};
struct AlterClientQuotas {
  RequestToken token = 0;
  protocol::AlterClientQuotasRequest request;
};
struct AlterUserScramCredentials {
  RequestToken token = 0;
  protocol::AlterUserScramCredentialsRequest request;
};
struct CreateAcls {
  RequestToken token = 0;
  protocol::CreateAclsRequest request;
};
struct DeleteAcls {
  RequestToken token = 0;
  protocol::DeleteAclsRequest request;
};
// What a leader wants the ISR of its partitions to be (KIP-497, KIP-841, KIP-903).
struct AlterPartition {
  struct Member {
    BrokerId broker;
    int64_t broker_epoch = -1;  // -1: not checked
  };
  struct Change {
    TopicPartition partition;
    LeaderEpoch leader_epoch;
    int32_t partition_epoch = -1;
    std::vector<Member> isr;
    int8_t leader_recovery_state = 0;
  };

  RequestToken token = 0;
  BrokerId broker;  // the leader
  int64_t broker_epoch = -1;
  std::vector<Change> changes;
};

// The log is committed up to and including `offset`.
struct Committed {
  Offset offset;
};
// Others than the controller have appended: the next record goes to `next_offset`.
struct LogAdvanced {
  Offset next_offset;
};
// The append did not happen, nor those after it: what they changed is taken back, and what waits
// for them is answered `error`. Who can append nothing at all gives LeadershipLost behind it.
struct AppendFailed {
  AppendToken token = 0;
  protocol::ErrorCode error = protocol::ErrorCode::kKafkaStorageError;
};

using ControllerEvent =
    std::variant<LeadershipGained, LeadershipLost, Tick, CreateTopics, DeleteTopics,
                 CreatePartitions, AlterConfigs, UpdateFeatures, AllocateProducerIds,
                 RegisterBroker, BrokerHeartbeat, UnregisterBroker, SetBrokerFenced, BrokerLost,
                 ElectLeaders, AlterPartition, AlterPartitionReassignments, AssignReplicasToDirs,
                 AlterClientQuotas, AlterUserScramCredentials, CreateAcls, DeleteAcls, Committed,
                 LogAdvanced, AppendFailed>;

// --- Effects -----------------------------------------------------------------------------------

// Append `records` as one batch at base_offset, behind everything appended before.
struct AppendRecords {
  AppendToken token = 0;
  Offset base_offset;
  LeaderEpoch epoch;
  std::vector<MetadataRecord> records;
  MetadataImagePtr image;  // after these records; to be published once they are committed
};

struct ProducerIdBlock {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  int64_t first_id = -1;
  int32_t count = 0;
};
struct BrokerRegistered {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  std::string message;  // why not
  int64_t broker_epoch = -1;
};
struct BrokerHeartbeatReply {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  bool is_caught_up = false;  // has followed the log up to its own registration
  bool is_fenced = true;
  bool should_shut_down = false;
};
struct BrokerUnregistered {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  std::string message;  // why not
};
struct BrokerFencingSet {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
};
// The partitions of AlterPartition, in their order, as they are now.
struct PartitionsAltered {
  struct Result {
    TopicPartition partition;
    protocol::ErrorCode error = protocol::ErrorCode::kNone;  // without it, the rest is set
    BrokerId leader = kNoBroker;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    int32_t partition_epoch = -1;
    std::vector<BrokerId> isr;
    int8_t leader_recovery_state = 0;
  };

  protocol::ErrorCode error = protocol::ErrorCode::kNone;  // of the broker, for all of them
  std::vector<Result> results;
};

// What became of each assignment, in their order.
struct ReplicasAssigned {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;  // of the broker, for all of them
  std::vector<protocol::ErrorCode> errors;
};

// What became of each resource of AlterConfigs, in their order.
struct ConfigsAltered {
  struct Result {
    protocol::ErrorCode error = protocol::ErrorCode::kNone;
    std::string message;  // why not
  };
  std::vector<Result> results;
};
// All updates, or none because of one.
struct FeaturesUpdated {
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  std::string message;  // why not
};

using ControllerResponse =
    std::variant<protocol::CreateTopicsResponse, protocol::DeleteTopicsResponse,
                 protocol::CreatePartitionsResponse, protocol::ElectLeadersResponse, ConfigsAltered,
                 FeaturesUpdated, ProducerIdBlock, BrokerRegistered, BrokerHeartbeatReply,
                 BrokerUnregistered, BrokerFencingSet, PartitionsAltered,
                 protocol::AlterPartitionReassignmentsResponse, ReplicasAssigned,
                 protocol::AlterClientQuotasResponse, protocol::AlterUserScramCredentialsResponse,
                 protocol::CreateAclsResponse, protocol::DeleteAclsResponse>;

struct Respond {
  RequestToken token = 0;
  ControllerResponse response;
};

struct ControllerEffects {
  std::vector<AppendRecords> appends;
  std::vector<Respond> responses;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_CONTROLLER_TYPES_H_
