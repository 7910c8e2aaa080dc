// A node: its shards, and what they do together.

#include "server/broker_core.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordination/metadata/throttle_rates.h"
#include "log/log.h"
#include "replication/replication_quota.h"
#include "server/acceptor.h"
#include "server/broker_membership.h"
#include "server/cleaner_schedule.h"
#include "server/cluster_entry.h"
#include "server/connection_table.h"
#include "server/controller_driver.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/flushed_run.h"
#include "server/gather.h"
#include "server/log_mover.h"
#include "server/log_scrubber.h"
#include "server/logger.h"
#include "server/metadata_log.h"
#include "server/partition_table.h"
#include "server/peer_watch.h"
#include "server/recovery.h"
#include "server/replicas.h"
#include "server/shard.h"
#include "server/topic_table.h"

namespace weir::server {

namespace {

struct Done {};

bool IsEveryAddress(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

void Merge(PartitionCheckpoints from, PartitionCheckpoints* to) {
  to->recovery_points.merge(from.recovery_points);
  to->log_starts.merge(from.log_starts);
  to->high_watermarks.merge(from.high_watermarks);
  to->cleaned.merge(from.cleaned);
}

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerCore>> BrokerCore::Open(
    Options options, absl::Span<const ShardEnvironment> environments,
    absl::AnyInvocable<void()> on_ready) {
  std::unique_ptr<BrokerCore> core(new BrokerCore());
  core->node_.config = std::move(options.config);
  core->node_.logger = options.logger;
  core->on_failed_ = std::move(options.on_failed);
  core->node_.fail = [core = core.get(), &home = environments.front().loop](absl::Status why) {
    home.Post([core, why = std::move(why)] { core->OnFailed(why); });
  };
  core->node_.fail_directory = [core = core.get(), &home = environments.front().loop](
                                   DataDirectory& directory, const absl::Status& why) {
    if (!directory.Fail(why)) return;
    home.Post([core, &directory] { core->OnDirectoryFailed(directory); });
  };
  core->environments_ = std::vector<ShardEnvironment>(environments.begin(), environments.end());
  const ShardEnvironment& first = environments.front();
  WEIR_RETURN_IF_ERROR(core->OpenListeners(options.host_name));
  const BrokerConfig& config = core->node_.config;
  WEIR_ASSIGN_OR_RETURN(
      core->node_.directories,
      DataDirectories::Open(first.files, config.data_directories, config.metadata_directory,
                            config.node_id, config.is_alone(), first.random));
  core->TellOfOfflineFolders();
  core->node_.cluster_id = core->node_.directories->cluster_id();
  core->node_.shards.resize(environments.size());
  for (size_t i = 0; i < environments.size(); ++i) {
    core->shards_.push_back(
        std::make_unique<Shard>(ShardId(static_cast<uint32_t>(i)), core->node_, environments[i]));
    core->node_.shards[i] = core->shards_.back().get();
  }
  core->node_.incarnation = Uuid::Random(first.random);
  core->workers_ = std::move(options.workers);
  core->replica_reader_ = options.replica_reader;
  core->move_reader_ = options.move_reader;
  core->on_ready_ = std::move(on_ready);
  core->peers_ = options.peers;
  core->StartController();
  if (core->node_.directories->has_cluster()) WEIR_RETURN_IF_ERROR(core->EnterCluster());
  if (core->peers_ != nullptr) WEIR_RETURN_IF_ERROR(core->StartPeers());
  return core;
}

BrokerCore::~BrokerCore() {
  if (peers_ != nullptr) peers_->Stop();
  acceptors_.clear();
  watch_.reset();
  membership_.reset();
  // What waits in the loops holds requests, and with them frames of the node's pool.
  for (const ShardEnvironment& environment : environments_) environment.loop.DropAll();
  for (const SocketId listener : listeners_) environments_.front().loop.poller().Close(listener);
}

absl::Status BrokerCore::OpenListeners(const std::string& host_name) {
  Poller& poller = environments_.front().loop.poller();
  const BrokerConfig& config = node_.config;
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const HostPort& address = config.listeners[i].address;
    absl::StatusOr<SocketId> socket =
        poller.Listen(address.host, address.port, config.listen_backlog);
    if (!socket.ok()) {
      return absl::Status(socket.status().code(),
                          absl::StrCat("listener ", config.listeners[i].ToString(), ": ",
                                       socket.status().message()));
    }
    listeners_.push_back(*socket);
    Listener endpoint = config.advertised_listeners[i];
    if (endpoint.address.host.empty()) {
      endpoint.address.host = IsEveryAddress(address.host) ? host_name : address.host;
    }
    if (endpoint.address.port == 0) {
      endpoint.address.port = static_cast<uint16_t>(poller.LocalPort(*socket));
    }
    node_.endpoints.push_back(std::move(endpoint));
  }
  if (config.internal_listener.has_value() && config.OwnInternalAddress().port != 0) {
    node_.internal_endpoint = config.OwnInternalAddress();
    if (IsEveryAddress(node_.internal_endpoint->host)) node_.internal_endpoint->host = host_name;
  }
  return absl::OkStatus();
}

void BrokerCore::StartController() {
  const ShardEnvironment& first = environments_.front();
  ControllerDriver::Listener listener;
  listener.on_leader = [this](BrokerId leader) {
    if (membership_ != nullptr) return membership_->OnLeader(leader);
    if (leader != kNoBroker && node_.config.is_broker && failed_.ok()) Join();
  };
  listener.on_followed = [this](Offset end) { OnFollowed(end); };
  listener.on_active = [this] {
    if (watch_ != nullptr) watch_->OnActive();
  };
  shards_.front()->set_controller(std::make_unique<ControllerDriver>(
      node_, first.files, first.loop, first.random, peers_, std::move(listener)));
}

ControllerDriver& BrokerCore::controller() { return shards_.front()->controller(); }

// Tells others who this node is, and finds out who they are.
absl::Status BrokerCore::StartPeers() {
  EventLoop& home = environments_.front().loop;
  ClusterEntry::Listener listener;
  listener.on_found = [this](const metadata::FoundCluster& cluster) {
    const absl::Status founded = FoundCluster(cluster);
    if (!founded.ok()) node_.fail(founded);
  };
  listener.on_join = [this](const std::string& cluster_id) {
    const absl::Status joined = JoinCluster(cluster_id);
    if (!joined.ok()) node_.fail(joined);
  };
  entry_ = std::make_unique<ClusterEntry>(node_, *peers_, home, std::move(listener));
  watch_ = std::make_unique<PeerWatch>(node_, *peers_, home, controller());
  PeerNetwork::Owner owner;
  owner.deliver = [this](raft::Message message) {
    return controller().log().Deliver(std::move(message));
  };
  owner.hello = [this] { return entry_->Hello(); };
  owner.peer_lost = [this, &home](BrokerId id) {
    home.Post([this, id] { watch_->OnPeerLost(id); });
  };
  owner.serve = [this, &home](ControllerCall call,
                              absl::AnyInvocable<void(ControllerAnswer)> answer) {
    home.Post([this, call = std::move(call), answer = std::move(answer)]() mutable {
      controller().Serve(std::move(call), std::move(answer));
    });
  };
  WEIR_RETURN_IF_ERROR(peers_->Start(std::move(owner)));
  if (!node_.cluster_id.empty()) {
    peers_->SetCluster(node_.cluster_id);
    entry_->Entered(node_.cluster_id);
  }
  entry_->Start();
  return absl::OkStatus();
}

// First who votes, then that there is a cluster: who is killed in between founds again.
absl::Status BrokerCore::FoundCluster(const metadata::FoundCluster& cluster) {
  std::vector<raft::ReplicaKey> voters;
  for (const auto& [id, directory] : cluster.voters) voters.push_back({id, directory});
  WEIR_RETURN_IF_ERROR(raft::LogStorage::Found(
      environments_.front().files,
      absl::StrCat(node_.directories->metadata().path(), "/", metadata::kMetadataLogFolder),
      raft::VoterSet(std::move(voters))));
  const std::string cluster_id = Uuid::Random(environments_.front().random).ToString();
  node_.logger->Info("founds cluster ", cluster_id, " with ", cluster.voters.size(),
                     " controllers");
  return JoinCluster(cluster_id);
}

absl::Status BrokerCore::JoinCluster(const std::string& cluster_id) {
  WEIR_RETURN_IF_ERROR(node_.directories->JoinCluster(environments_.front().files, cluster_id));
  TellOfOfflineFolders();
  WEIR_RETURN_IF_ERROR(EnterCluster());
  peers_->SetCluster(cluster_id);
  entry_->Entered(cluster_id);
  return absl::OkStatus();
}

void BrokerCore::TellOfOfflineFolders() const {
  for (const std::unique_ptr<DataDirectory>& directory : node_.directories->all()) {
    if (directory->is_online()) continue;
    node_.logger->Error("the data folder ", directory->path(),
                        " is offline: ", directory->failure().message());
  }
}

absl::Status BrokerCore::EnterCluster() {
  node_.cluster_id = node_.directories->cluster_id();
  WEIR_RETURN_IF_ERROR(controller().Open({node_.config.node_id, node_.directories->metadata().id()},
                                         node_.config.is_alone()));
  if (!node_.config.is_broker) {
    all_open_ = true;
    environments_.front().loop.Post([this] { on_ready_(); });
  }
  return absl::OkStatus();
}

void BrokerCore::OnFollowed(Offset end) {
  if (!node_.config.is_broker || !failed_.ok()) return;
  if (membership_ == nullptr) return Join();
  if (serves_) {
    all_open_ = true;
    NoteFlushes();
    return membership_->OnFollowed(end);
  }
  const metadata::BrokerImage* self = controller().image()->FindBroker(node_.config.node_id);
  if (self != nullptr && self->incarnation_id == node_.incarnation) Serve();
}

// Registers this process once the node knows what the cluster thinks of the one before it.
void BrokerCore::Join() {
  const raft::Raft& raft = controller().log().raft();
  if (raft.leader().is_none() || raft.commit() < raft.log_end()) return;
  if (raft.leader() == raft.self() && !controller().is_active()) return;
  BrokerMembership::Listener listener;
  listener.on_unfenced = [this] { OpenAcceptors(); };
  listener.on_shutdown_granted = [this](const absl::Status& how) {
    if (!how.ok()) node_.logger->Warning("leaves without a word: ", how.message());
    if (on_left_) on_left_();
  };
  listener.on_give_up = node_.fail;
  membership_ = std::make_unique<BrokerMembership>(node_, environments_.front().loop, controller(),
                                                   CompleteRun(), std::move(listener));
  membership_->OnLeader(raft.leader().id);
}

// The broker epoch of the run before this one, if it has left all that it promised: if it closed
// well, or flushed before it acknowledged; what the policy is now says nothing of that. -1: it may
// not have. The image of a node that starts may be older, and is asked only where the folders of an
// older version do not say.
int64_t BrokerCore::CompleteRun() {
  const DataDirectories& directories = *node_.directories;
  if (!directories.were_clean()) {
    return FlushedRun(environments_.front().files, directories.metadata().path());
  }
  const metadata::BrokerImage* before = controller().image()->FindBroker(node_.config.node_id);
  return directories.clean_epoch().value_or(before == nullptr ? -1 : before->epoch);
}

// The broker epoch of this process, as the metadata have it, or the controller's answer.
std::optional<int64_t> BrokerCore::OwnEpoch() {
  if (membership_ == nullptr) return std::nullopt;  // nor is there an image, perhaps
  const metadata::BrokerImage* self = controller().image()->FindBroker(node_.config.node_id);
  if (self != nullptr && self->incarnation_id == node_.incarnation) return self->epoch;
  return membership_->broker_epoch();
}

void BrokerCore::Leave(absl::AnyInvocable<void()> done) {
  size_t others = 0;
  if (membership_ != nullptr) {
    controller().image()->brokers.ForEach([&](BrokerId id, const metadata::BrokerImage& broker) {
      others += id != node_.config.node_id && broker.is_active();
    });
  }
  if (others == 0 || !node_.config.controlled_shutdown || !failed_.ok()) return done();
  on_left_ = std::move(done);
  membership_->ShutDown();
}

// Says under each broker epoch of this process whether a crash takes nothing that was acknowledged.
// Where it cannot be said, one costs the broker its places among the replicas in sync.
void BrokerCore::NoteFlushes() {
  const metadata::BrokerImage* self = controller().image()->FindBroker(node_.config.node_id);
  if (node_.config.flush_policy != FlushPolicy::kAck || self == nullptr) return;
  if (self->incarnation_id != node_.incarnation || self->epoch == noted_epoch_) return;
  noted_epoch_ = self->epoch;
  const absl::Status noted = NoteFlushedRun(environments_.front().files,
                                            node_.directories->metadata().path(), noted_epoch_);
  if (!noted.ok()) node_.logger->Error(kFlushedRunName, ": ", noted.message());
}

// The cluster has registered this process: it opens the partitions that it is to have.
void BrokerCore::Serve() {
  NoteFlushes();
  const absl::Status recovered =
      RecoverLogs(node_, shards_, controller().image(), environments_.front().loop.clock());
  if (!recovered.ok()) return node_.fail(recovered);
  cleaner_schedule_ = std::make_unique<CleanerSchedule>(*shards_.front(), std::move(workers_));
  serves_ = true;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    shard->loop().Post([this, shard = shard.get()] { shard->mover().Start(move_reader_); });
  }
  if (peers_ != nullptr) {
    for (const std::unique_ptr<Shard>& shard : shards_) {
      shard->loop().Post([this, shard = shard.get()] {
        shard->replicas().Start(peers_->streams(), replica_reader_);
        if (replica_reader_ != nullptr) shard->scrubber().Start(*replica_reader_);
      });
    }
    peers_->streams().SetAccept(Replicas::Acceptor(node_));
  }
  controller().StartPublishing(
      [this](metadata::MetadataImagePtr image, absl::AnyInvocable<void()> followed) {
        FollowOnAllShards(std::move(image), std::move(followed));
      });
}

void BrokerCore::OpenAcceptors() {
  if (std::exchange(was_unfenced_, true) || !failed_.ok()) return;
  for (size_t i = 0; i < listeners_.size(); ++i) {
    acceptors_.push_back(std::make_unique<Acceptor>(node_, *shards_.front(), listeners_[i], i));
  }
  ScheduleCheckpoint();
  on_ready_();
}

// Where the brokers of `image` are, as far as that is news.
void BrokerCore::SetPeers(const metadata::MetadataImage& image) {
  if (peers_ == nullptr) return;
  image.brokers.ForEach([&](BrokerId id, const metadata::BrokerImage& broker) {
    const metadata::EndpointImage* endpoint = broker.Endpoint(kInternalEndpointName);
    if (endpoint == nullptr || id == node_.config.node_id) return;
    HostPort address{endpoint->host, endpoint->port};
    HostPort& known = peer_addresses_[id];
    if (known == address) return;
    known = address;
    peers_->SetPeer(id, address);
  });
}

void BrokerCore::SetQuotas(const metadata::MetadataImage& image) {
  const auto rate = [own = BrokerOverridesOf(image, node_.config.node_id),
                     all = ClusterOverridesOf(image)](absl::string_view name) {
    return metadata::ThrottledRateOf(own, all, name)
        .value_or(replication::ReplicationQuota::kNoLimit);
  };
  node_.quotas->leader.SetRate(rate(metadata::kLeaderThrottledRate));
  node_.quotas->follower.SetRate(rate(metadata::kFollowerThrottledRate));
  node_.quotas->log_dirs.SetRate(rate(metadata::kLogDirsThrottledRate));
}

// By way of the mailboxes even on the first shard, so that all images arrive in their order.
void BrokerCore::FollowOnAllShards(metadata::MetadataImagePtr image,
                                   absl::AnyInvocable<void()> followed) {
  SetPeers(*image);
  SetQuotas(*image);
  auto gather = Gather<Done>::Create(
      shards_.size(), [followed = std::move(followed)](std::vector<Done>) mutable { followed(); });
  EventLoop& home = environments_.front().loop;
  for (size_t i = 0; i < shards_.size(); ++i) {
    environments_[i].loop.Post([gather, image, i, shard = shards_[i].get(), &home] {
      shard->Follow(image);
      home.Post([gather, i] { gather->Set(i, Done{}); });
    });
  }
}

void BrokerCore::ScheduleCheckpoint() {
  EventLoop& home = environments_.front().loop;
  const int64_t interval_ns = int64_t{node_.config.recovery_point_interval_ms} * kNsPerMs;
  home.timers().Schedule(home.now() + interval_ns, [this] { Checkpoint(); });
}

void BrokerCore::Checkpoint() {
  for (DataDirectory* directory : node_.directories->Online()) directory->BeginCheckpoint();
  using Checkpoints = std::vector<PartitionCheckpoints>;
  auto gather = Gather<Checkpoints>::Create(shards_.size(), [this](std::vector<Checkpoints> all) {
    for (DataDirectory* directory : node_.directories->Online()) {
      const absl::Status written = WriteCheckpoints(*directory, all);
      if (absl::IsResourceExhausted(written)) {
        node_.logger->Error("checkpoints: ", written.message());
      } else if (!written.ok()) {
        node_.fail_directory(*directory, written);
      }
    }
    ScheduleCheckpoint();
  });
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_.front()->Call<Checkpoints>(
        ShardId(static_cast<uint32_t>(i)),
        [](Shard& shard, Reply<Checkpoints> reply) { reply(shard.partitions().Checkpoints()); },
        [gather, i](Checkpoints part) { gather->Set(i, std::move(part)); });
  }
}

absl::Status BrokerCore::WriteCheckpoints(
    DataDirectory& directory, std::vector<std::vector<PartitionCheckpoints>>& of_shards) {
  PartitionCheckpoints all;
  for (std::vector<PartitionCheckpoints>& part : of_shards) {
    Merge(std::move(part[directory.index()]), &all);
  }
  return directory.WriteCheckpoints(environments_.front().files, std::move(all));
}

// What is in the folder is for other brokers now, if they have it too.
void BrokerCore::OnDirectoryFailed(DataDirectory& directory) {
  if (!failed_.ok()) return;
  const absl::Status why(directory.failure().code(),
                         absl::StrCat("the data folder ", directory.path(),
                                      " has failed: ", directory.failure().message()));
  if (!node_.directories->suffice()) return OnFailed(why);
  node_.logger->Error(why.message(), "; it is offline until this node starts again");
  for (size_t i = 0; i < shards_.size(); ++i) {
    environments_[i].loop.Post(
        [shard = shards_[i].get(), &directory] { shard->OnDirectoryFailed(directory); });
  }
  if (membership_ != nullptr) membership_->OnDirectoryFailed(directory.id());
}

void BrokerCore::OnFailed(const absl::Status& why) {
  if (!failed_.ok()) return;
  failed_ = why;
  if (!acceptors_.empty()) {
    node_.logger->Error(why.message(), "; nothing is served any more");
  }
  EventLoop& home = environments_.front().loop;
  acceptors_.clear();
  for (const SocketId listener : listeners_) home.poller().Close(listener);
  listeners_.clear();
  auto gather = Gather<Done>::Create(shards_.size(), [this](std::vector<Done>) {
    if (on_failed_) on_failed_(failed_);
  });
  for (size_t i = 0; i < shards_.size(); ++i) {
    environments_[i].loop.Post([gather, i, shard = shards_[i].get(), &home] {
      shard->connections().CloseAll();
      shard->replicas().Close();
      home.Post([gather, i] { gather->Set(i, Done{}); });
    });
  }
}

absl::Status BrokerCore::Close() {
  if (peers_ != nullptr) peers_->Stop();
  acceptors_.clear();
  log::FileSystem& files = environments_.front().files;
  absl::Status status = failed_;
  const std::optional<int64_t> epoch = OwnEpoch();
  for (const std::unique_ptr<Shard>& shard : shards_) status.Update(shard->Close());
  // A log that no shard has opened yet has not been recovered: the next start must do that, from
  // the checkpoints that there are.
  if (!all_open_) {
    // Who has opened nothing has changed nothing.
    if (!status.ok() || serves_) return status;
    for (const std::unique_ptr<DataDirectory>& directory : node_.directories->all()) {
      if (!directory->is_online() || !directory->was_clean()) continue;
      status.Update(
          directory->MarkClean(files, epoch.has_value() ? epoch : directory->clean_epoch()));
    }
    return status;
  }
  for (DataDirectory* directory : node_.directories->Online()) directory->BeginCheckpoint();
  std::vector<std::vector<PartitionCheckpoints>> of_shards;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    of_shards.push_back(shard->partitions().Checkpoints());
  }
  for (DataDirectory* directory : node_.directories->Online()) {
    const absl::Status written = WriteCheckpoints(*directory, of_shards);
    if (!written.ok()) directory->NoteUnclean();
    status.Update(written);
  }
  if (!failed_.ok()) return status;
  for (const std::unique_ptr<DataDirectory>& directory : node_.directories->all()) {
    if (directory->is_online()) status.Update(directory->MarkClean(files, epoch));
  }
  return status;
}

}  // namespace weir::server
