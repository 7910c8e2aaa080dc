// -----------------------------------------------------------------------------
// File: server/node.h
// -----------------------------------------------------------------------------
// What the shards of one node share.
// Threading: filled before the event loops run and constant afterwards, except the atomics.
#ifndef WEIR_SERVER_NODE_H_
#define WEIR_SERVER_NODE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strong_int.h"
#include "base/uuid.h"
#include "replication/replication_quota.h"
#include "server/broker_config.h"
#include "server/frame_buffer.h"
#include "server/listener.h"
#include "server/logger.h"

namespace weir::server {

class DataDirectories;
class DataDirectory;
class Shard;

// The name of internal_endpoint in a broker's registration, which no client's listener has: those
// are in upper case.
inline constexpr char kInternalEndpointName[] = "weir-internal";

// Names one core of a node; shard 0 also holds the controller and accepts connections.
using ShardId = StrongInt<struct ShardIdTag, uint32_t>;
inline constexpr ShardId kControllerShard{0};

struct Node {
  BrokerConfig config;
  Logger* logger = nullptr;  // outlives the node

  std::unique_ptr<DataDirectories> directories;
  std::string cluster_id;
  Uuid incarnation;                 // of this process
  std::vector<Listener> endpoints;  // as clients are told, one for each of config.listeners
  // Where other brokers reach this one, to follow what it leads; none without a listener for them,
  // or where its port is not known before it is open.
  std::optional<HostPort> internal_endpoint;
  std::vector<Shard*> shards;  // by ShardId

  // Says why the node cannot go on: it stops serving. Any thread; the first call counts.
  std::function<void(const absl::Status& why)> fail;
  // Takes a folder of log.dirs offline, for it cannot be relied on any more: the node goes on with
  // the others, if there are any. Any thread; the first call counts.
  std::function<void(DataDirectory& directory, const absl::Status& why)> fail_directory;

  // Of replicas that catch up or change folders; of any thread.
  const std::unique_ptr<replication::ReplicationQuotas> quotas =
      std::make_unique<replication::ReplicationQuotas>();
  // See BrokerLifecycle::session_ends; of any thread.
  std::atomic<MonotonicNs> session_ends{};
  FramePool frames{FramePool::Limits{}};  // of requests that are being received or served
  std::atomic<int32_t> connection_count{0};
};

}  // namespace weir::server

#endif  // WEIR_SERVER_NODE_H_
