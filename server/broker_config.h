// -----------------------------------------------------------------------------
// File: server/broker_config.h
// -----------------------------------------------------------------------------
// A broker's configuration: every key of Kafka 4.2 and Weir's own (docs/CONFIGURATION.md, generated
// from the same tables), read into typed fields by server/broker_config_reader.h. What topics
// inherit is in server/topic_config.h.
#ifndef WEIR_SERVER_BROKER_CONFIG_H_
#define WEIR_SERVER_BROKER_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "server/config_def.h"
#include "server/listener.h"
#include "server/node_tls.h"
#include "server/properties.h"

namespace weir::server {

// The one key of the file that the cluster can overrule while it runs.
inline constexpr char kMinInsyncReplicas[] = "min.insync.replicas";

// All broker keys, by name.
const std::vector<ConfigDef>& BrokerConfigTable();

enum class FlushPolicy : int8_t { kAck, kOs };  // weir.flush.policy; ARCHITECTURE: durability
enum class PollerChoice : int8_t { kAuto, kEpoll, kIoUring };

// A controller of controller.quorum.voters or controller.quorum.bootstrap.servers.
struct QuorumMember {
  BrokerId id = kNoBroker;  // of a bootstrap server, not known
  HostPort address;
};

struct BrokerConfig {
  BrokerId node_id{1};
  bool is_broker = true;
  bool is_controller = true;
  std::optional<std::string> rack;
  std::vector<Listener> listeners;            // for clients: one at least of a broker, names differ
  std::optional<Listener> internal_listener;  // for the other nodes
  std::optional<HostPort> internal_address;   // as advertised to them
  std::optional<NodeTls> internal_tls;        // of mutual TLS with them
  std::vector<QuorumMember> quorum;           // empty: this node is the only controller
  int32_t quorum_election_timeout_ms = 1000;
  int32_t broker_heartbeat_interval_ms = 2000;
  int32_t broker_session_timeout_ms = 9000;
  int32_t broker_registration_timeout_ms = 60'000;
  int64_t metadata_snapshot_bytes = 0;
  int64_t metadata_snapshot_interval_ms = 0;
  bool controlled_shutdown = true;
  bool auto_leader_rebalance = true;
  int64_t leader_imbalance_check_interval_seconds = 300;
  bool unclean_leader_election = false;
  int32_t min_insync_replicas = 1;
  int64_t replica_lag_time_max_ms = 30'000;
  // Consumers are sent to replicas in their own rack (KIP-392).
  bool prefers_replicas_by_rack = false;
  // As clients are told. An empty host or port 0 stands where advertised.listeners is unset and the
  // listener has them: whoever opens the listener fills them in.
  std::vector<Listener> advertised_listeners;
  std::vector<std::string> data_directories;  // none where neither log.dirs nor log.dir is set
  std::string metadata_directory;             // empty: the first of them

  int32_t num_partitions = 1;
  int32_t default_replication_factor = 1;
  bool auto_create_topics = true;
  bool delete_topics_enabled = true;

  int32_t request_bytes_max = 0;
  int32_t socket_send_buffer_bytes = -1;     // -1: the system's
  int32_t socket_receive_buffer_bytes = -1;  // -1: the system's
  int32_t listen_backlog = 1024;
  int64_t connections_idle_ms_max = 0;
  int32_t connections_max = 0;
  int32_t fetch_bytes_max = 0;
  int32_t fetch_session_slots = 0;

  int32_t producer_id_expiration_ms = 0;
  int32_t producer_id_expiration_check_interval_ms = 0;
  int64_t retention_check_interval_ms = 0;
  int64_t initial_task_delay_ms = 0;
  int32_t recovery_point_interval_ms = 0;
  int32_t recovery_threads = 1;

  int32_t cleaner_threads = 0;  // 0: nothing is compacted
  int64_t cleaner_dedupe_buffer_bytes = 0;
  double cleaner_dedupe_buffer_load_factor = 0.9;
  int64_t cleaner_io_buffer_bytes = 0;
  double cleaner_io_bytes_per_second_max = 0;
  int64_t cleaner_backoff_ms = 0;

  int32_t group_initial_rebalance_delay_ms = 0;
  int32_t group_session_timeout_min_ms = 0;
  int32_t group_session_timeout_max_ms = 0;
  int32_t group_members_max = 0;
  int32_t offset_metadata_bytes_max = 0;
  int32_t offsets_commit_timeout_ms = 0;
  int32_t offsets_retention_minutes = 0;
  int64_t offsets_retention_check_interval_ms = 0;
  int32_t offsets_topic_partitions = 0;
  int16_t offsets_topic_replication_factor = 0;
  int32_t offsets_topic_segment_bytes = 0;

  FlushPolicy flush_policy = FlushPolicy::kAck;
  bool full_batch_validation = false;
  int32_t reactors = 0;  // 0: one per core
  int64_t scrub_bytes_per_second = 0;
  int64_t scrub_interval_ms = 0;
  PollerChoice poller = PollerChoice::kAuto;

  Properties settings;  // what was set, validated

  // Whether no other node can be a controller beside this one.
  bool is_alone() const;
  // Where the other nodes reach internal_listener: as it is advertised, or as the quorum has it, or
  // as it is opened, with no host or port 0 then.
  HostPort OwnInternalAddress() const;

  // What was set for `key`, or its default, or nothing.
  std::optional<std::string> Value(absl::string_view key) const {
    if (const Property* set = settings.Find(key); set != nullptr) return set->value;
    const ConfigDef* def = FindConfig(BrokerConfigTable(), key);
    if (def == nullptr || def->default_value == nullptr) return std::nullopt;
    return def->default_value;
  }
};

}  // namespace weir::server

#endif  // WEIR_SERVER_BROKER_CONFIG_H_
