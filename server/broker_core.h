// -----------------------------------------------------------------------------
// File: server/broker_core.h
// -----------------------------------------------------------------------------
// One node without its threads: what the broker's threads (server/broker.h) and the simulator both
// run. Open brings the node up to where its event loops can run; the loops do the rest.
// Threading: Open, Close and destruction while no loop runs.
// Errors: Open fails when the data folder is in use or belongs to another node, when a port is in
//   use, or when the metadata log cannot be read; partitions that cannot be opened are offline.
//   Later, an I/O error of any log or a folder that is gone takes its folder offline. With the last
//   of them, or that of the metadata log, the service ends: what cannot be kept is not
//   acknowledged. A full disk does neither.
#ifndef WEIR_SERVER_BROKER_CORE_H_
#define WEIR_SERVER_BROKER_CORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "coordination/metadata/founding.h"
#include "coordination/metadata/image.h"
#include "server/node.h"
#include "server/shard.h"
#include "server/worker.h"

namespace weir::server {

class Acceptor;
class BrokerMembership;
class CleanerSchedule;
class ClusterEntry;
class ControllerDriver;
class PeerNetwork;
class PeerWatch;
struct PartitionCheckpoints;

class BrokerCore {
 public:
  struct Options {
    BrokerConfig config;       // data_directory must be set
    std::string host_name;     // told to clients where a listener is on every address
    Logger* logger = nullptr;  // outlives the core
    // Called once, on the first shard's loop, when the node cannot go on, mostly because its data
    // folder has failed, and every connection is closed: the owner ends the loops and closes the
    // core.
    std::function<void(const absl::Status& why)> on_failed;
    // Where other nodes are, of a node with config.internal_listener; outlives the core.
    PeerNetwork* peers = nullptr;
    // That compact: config.cleaner_threads of them. They outlive the core and do nothing any more
    // when it is closed.
    std::vector<Worker*> workers;
    // That reads from the disk what replicas far behind lack; outlives the core as those do. None:
    // the shards wait for the disk.
    Worker* replica_reader = nullptr;
    // That reads what is moved between folders, in the same way.
    Worker* move_reader = nullptr;
  };

  // A shard for each environment; the first is the controller's. `on_ready` is called on the first
  // shard's loop when the cluster has taken the broker in, every partition is open and the
  // listeners take connections; of a node that is only a controller, when it takes part.
  static absl::StatusOr<std::unique_ptr<BrokerCore>> Open(
      Options options, absl::Span<const ShardEnvironment> environments,
      absl::AnyInvocable<void()> on_ready);
  ~BrokerCore();

  const Node& node() const { return node_; }
  const Shard& shard(ShardId id) const { return *shards_[id.value()]; }
  // The port of a listener of the configuration, chosen by the system where that says 0.
  int port(size_t listener) const { return node_.endpoints[listener].address.port; }

  // Hands this broker's leaderships to others, where there are any, and calls `done` when it may
  // go: at the latest when no controller has answered for broker.session.timeout.ms. On the first
  // shard's loop.
  void Leave(absl::AnyInvocable<void()> done);

  // Closes connections and logs and, if all is well, leaves the mark of a clean shutdown. Nothing
  // but destruction may follow. Why the data folder failed, where it did.
  absl::Status Close();

 private:
  BrokerCore() = default;

  absl::Status OpenListeners(const std::string& host_name);
  ControllerDriver& controller();
  void StartController();
  absl::Status StartPeers();
  absl::Status FoundCluster(const metadata::FoundCluster& cluster);
  absl::Status JoinCluster(const std::string& cluster_id);
  void TellOfOfflineFolders() const;
  absl::Status EnterCluster();
  void OnFollowed(Offset end);
  void Join();
  int64_t CompleteRun();
  std::optional<int64_t> OwnEpoch();
  void NoteFlushes();
  void Serve();
  void OpenAcceptors();
  void SetPeers(const metadata::MetadataImage& image);
  void SetQuotas(const metadata::MetadataImage& image);
  void FollowOnAllShards(metadata::MetadataImagePtr image, absl::AnyInvocable<void()> followed);
  void ScheduleCheckpoint();
  void Checkpoint();
  absl::Status WriteCheckpoints(DataDirectory& directory,
                                std::vector<std::vector<PartitionCheckpoints>>& of_shards);
  void OnDirectoryFailed(DataDirectory& directory);
  void OnFailed(const absl::Status& why);

  Node node_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<ShardEnvironment> environments_;
  std::vector<SocketId> listeners_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unique_ptr<CleanerSchedule> cleaner_schedule_;
  PeerNetwork* peers_ = nullptr;
  std::map<BrokerId, HostPort> peer_addresses_;  // of the brokers, as the metadata have them
  std::unique_ptr<ClusterEntry> entry_;
  std::unique_ptr<PeerWatch> watch_;
  std::unique_ptr<BrokerMembership> membership_;
  std::vector<Worker*> workers_;
  Worker* replica_reader_ = nullptr;
  Worker* move_reader_ = nullptr;
  absl::AnyInvocable<void()> on_ready_;
  absl::AnyInvocable<void()> on_left_;
  int64_t noted_epoch_ = -1;   // by NoteFlushes
  bool serves_ = false;        // the shards follow
  bool was_unfenced_ = false;  // so the listeners were opened
  std::function<void(const absl::Status& why)> on_failed_;
  absl::Status failed_;
  bool all_open_ = false;  // every shard has opened what was there at the start
};

}  // namespace weir::server

#endif  // WEIR_SERVER_BROKER_CORE_H_
