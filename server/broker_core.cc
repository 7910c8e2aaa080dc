// A node: its shards, and what they do together.

#include "server/broker_core.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/topic_name.h"
#include "log/log.h"
#include "protocol/error_code.h"
#include "protocol/record_batch_recompressor.h"
#include "protocol/record_batch_validator.h"
#include "server/acceptor.h"
#include "server/broker_membership.h"
#include "server/cleaner_schedule.h"
#include "server/cluster_entry.h"
#include "server/connection_table.h"
#include "server/controller_driver.h"
#include "server/data_directory.h"
#include "server/fetch_session.h"
#include "server/gather.h"
#include "server/group_table.h"
#include "server/isr_proposals.h"
#include "server/log_cleaner.h"
#include "server/log_scrubber.h"
#include "server/logger.h"
#include "server/metadata_log.h"
#include "server/partition_table.h"
#include "server/peer_watch.h"
#include "server/producer_ids.h"
#include "server/recovery.h"
#include "server/replicas.h"
#include "server/shard.h"

namespace weir::server {

// --- Shard ---------------------------------------------------------------------------------------

namespace {

constexpr int64_t kTimerNs = 50 * kNsPerMs;  // how late a produce timeout may be noticed
constexpr int64_t kDirectoryCheckNs = 1'000 * kNsPerMs;

}  // namespace

Shard::Shard(ShardId id, Node& node, const ShardEnvironment& environment)
    : id_(id),
      node_(node),
      environment_(environment),
      topics_(node.config),
      partitions_(
          std::make_unique<PartitionTable>(node, environment.files, environment.loop.clock())),
      cleaner_(
          std::make_unique<LogCleaner>(node, *partitions_, environment.loop, environment.random)),
      groups_(
          std::make_unique<GroupTable>(node, *partitions_, environment.loop, environment.random)),
      fetch_sessions_(std::make_unique<FetchSessionCache>(
          static_cast<size_t>(node.config.fetch_session_slots), &environment.random,
          static_cast<int32_t>(id.value()), static_cast<int32_t>(node.shards.size()))),
      validator_(std::make_unique<protocol::RecordBatchValidator>()),
      recompressor_(std::make_unique<protocol::RecordBatchRecompressor>()),
      producer_ids_(std::make_unique<ProducerIds>([this](ProducerIds::GotBlock got) {
        Call<absl::StatusOr<ProducerIdBlock>>(
            kControllerShard,
            [](Shard& shard, Reply<absl::StatusOr<ProducerIdBlock>> reply) {
              shard.controller().AllocateProducerIds(std::move(reply));
            },
            std::move(got));
      })),
      replicas_(std::make_unique<Replicas>(*this)),
      scrubber_(std::make_unique<LogScrubber>(*this)),
      connections_(std::make_unique<ConnectionTable>(*this, node, environment.loop)) {
  loop().SetSyncHandler([this](const log::SyncDone& sync) { OnSyncDone(sync); });
  loop().SetTickEndHook([this] { OnTickEnd(); });
  ScheduleHousekeeping(node_.config.initial_task_delay_ms);
  ScheduleDirectoryCheck();
}

Shard::~Shard() {
  loop().SetSyncHandler(nullptr);
  loop().SetTickEndHook(nullptr);
}

ControllerDriver& Shard::controller() { return *controller_; }
IsrProposals& Shard::isr_proposals() { return *isr_proposals_; }

void Shard::set_controller(std::unique_ptr<ControllerDriver> controller) {
  controller_ = std::move(controller);
  isr_proposals_ = std::make_unique<IsrProposals>(*this);
}

void Shard::Follow(metadata::MetadataImagePtr image) {
  const metadata::ImageDelta delta = metadata::Compare(topics_.image(), std::move(image));
  topics_.Apply(delta);
  std::vector<TopicPartition> gone;
  for (const metadata::TopicImage* topic : delta.deleted_topics) {
    for (int32_t i = 0; i < topic->partition_count(); ++i) {
      const PartitionIndex index(i);
      if (IsOurs(*topic, index, topic->Find(index))) gone.push_back({topic->id, index});
    }
  }
  for (const metadata::TopicDelta& topic : delta.changed_topics) {
    for (const metadata::PartitionDelta& change : topic.partitions) {
      if (IsOurs(*topic.after, change.partition, change.before) &&
          !IsOurs(*topic.after, change.partition, change.after)) {
        gone.push_back({topic.after->id, change.partition});
      }
    }
  }
  if (!gone.empty()) Drop(gone);
  for (const metadata::TopicImage* topic : delta.created_topics) {
    if (topic->name == metadata::kConsumerOffsetsTopic) {
      group_partitions_ = topic->partition_count();
    }
    for (int32_t i = 0; i < topic->partition_count(); ++i) {
      const PartitionIndex index(i);
      FollowPartition(*topic, index, nullptr, *topic->Find(index));
    }
  }
  if (!delta.deleted_topics.empty()) {
    group::TopicsDeleted deleted;
    for (const metadata::TopicImage* topic : delta.deleted_topics) {
      deleted.names.push_back(topic->name);
      deleted.ids.push_back(topic->id);
    }
    groups_->OnTopicsDeleted(deleted);
  }
  for (const metadata::TopicDelta& topic : delta.changed_topics) {
    for (const metadata::PartitionDelta& change : topic.partitions) {
      FollowPartition(*topic.after, change.partition, change.before, *change.after);
    }
  }
  for (const metadata::ConfigResource& resource : delta.changed_configs) {
    if (resource.type == metadata::ConfigResourceType::kTopic) Reconfigure(resource.name);
  }
  replicas_->OnMetadata();
}

// Whether this shard of this node has the partition's log; with no image, there is no such one.
bool Shard::IsOurs(const metadata::TopicImage& topic, PartitionIndex index,
                   const metadata::PartitionImage* image) const {
  return image != nullptr && OwnerOf(topic.name, index) == id_ &&
         std::count(image->replicas.begin(), image->replicas.end(), node_.config.node_id) > 0;
}

void Shard::FollowPartition(const metadata::TopicImage& topic, PartitionIndex index,
                            const metadata::PartitionImage* before,
                            const metadata::PartitionImage& after) {
  if (!IsOurs(topic, index, &after)) return;
  const TopicPartition id{topic.id, index};
  const bool led = IsOurs(topic, index, before) && before->leader == node_.config.node_id;
  const bool leads = after.leader == node_.config.node_id;
  const bool has_groups = topic.name == metadata::kConsumerOffsetsTopic;
  if (has_groups && led && !leads) groups_->Close(id);
  if (IsOurs(topic, index, before)) {
    partitions_->Update(id, after);
  } else {
    partitions_->Open(id, topic.name, after, topics_.Find(topic.id)->settings);
  }
  if (has_groups && leads && !led) groups_->Open(id);
}

void Shard::Drop(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& partition : partitions) groups_->Close(partition);
  cleaner_->Abort(partitions);
  partitions_->Delete(partitions);
}

void Shard::Reconfigure(absl::string_view topic_name) {
  const TopicInfo* topic = topics_.Find(topic_name);
  if (topic == nullptr) return;
  for (int32_t i = 0; i < topic->image->partition_count(); ++i) {
    partitions_->Configure({topic->id(), PartitionIndex(i)}, topic->settings);
  }
}

// One that fails again ends the attempt: the others lack the same.
void Shard::ReopenPartitions() {
  for (const TopicPartition& id : partitions_->LackingRoom()) {
    const TopicInfo* topic = topics_.Find(id.topic_id);
    if (topic == nullptr) continue;
    if (!partitions_->Reopen(id, *topic->Partition(id.partition), topic->settings)) return;
    if (topic->name() != metadata::kConsumerOffsetsTopic ||
        topic->Partition(id.partition)->leader != node_.config.node_id) {
      continue;
    }
    groups_->Close(id);
    groups_->Open(id);
  }
}

namespace {

// Whether another broker than `self` has everything that was acknowledged, as far as is known.
bool OthersCount(const metadata::PartitionImage& partition, BrokerId self) {
  const auto is_other = [self](BrokerId broker) { return broker != self; };
  return std::any_of(partition.isr.begin(), partition.isr.end(), is_other) ||
         std::any_of(partition.eligible_leader_replicas.begin(),
                     partition.eligible_leader_replicas.end(), is_other);
}

}  // namespace

// What has lost records says so to the controller, and is copied anew when the controller counts on
// it no more; then it says where. Looked at again and again, until the metadata have it.
void Shard::RepairPartitions() {
  const BrokerId self = node_.config.node_id;
  metadata::AssignReplicasToDirs report;
  for (const TopicPartition& id : partitions_->Damaged()) {
    const metadata::PartitionImage* image = this->image()->FindPartition(id);
    const TopicInfo* topic = topics_.Find(id.topic_id);
    if (image == nullptr || topic == nullptr || image->replicas.size() < 2) continue;
    const auto at = static_cast<size_t>(
        std::find(image->replicas.begin(), image->replicas.end(), self) - image->replicas.begin());
    if (at >= image->directories.size()) continue;
    if (image->directories[at] != metadata::kDirectoryLost) {
      // Who gives up the last copy that counts leaves the partition without a leader for good; what
      // cannot be opened now may be another time.
      if (OthersCount(*image, self)) report.assignments.push_back({id, metadata::kDirectoryLost});
    } else if (image->leader != kNoBroker && image->leader != self &&
               std::count(image->isr.begin(), image->isr.end(), self) == 0) {
      partitions_->BeginAnew(id, *image, topic->settings);
    }
  }
  for (const TopicPartition& id : partitions_->BegunAnew()) {
    report.assignments.push_back({id, node_.directory->properties().directory_id});
  }
  if (report.assignments.empty()) return;
  const metadata::BrokerImage* broker = image()->FindBroker(self);
  report.broker = self;
  report.broker_epoch = broker == nullptr ? -1 : broker->epoch;
  Tell(kControllerShard, [report = std::move(report)](Shard& home) mutable {
    const auto answered = [logger = home.node().logger](const metadata::ReplicasAssigned& answer) {
      if (answer.error == protocol::ErrorCode::kNone) return;
      logger->Warning("the controller was told of replicas that are lost, or were: ",
                      protocol::ErrorName(answer.error));
    };
    home.controller().Ask<metadata::ReplicasAssigned>(std::move(report), {nullptr, answered});
  });
}

void Shard::OnDamage(const TopicPartition& id, const absl::Status& damage) {
  const metadata::PartitionImage* partition = image()->FindPartition(id);
  if (partition == nullptr) return;
  if (!OthersCount(*partition, node_.config.node_id)) return;
  groups_->Close(id);
  cleaner_->Abort({id});
  partitions_->TakeOffline(id, damage);
  RepairPartitions();
}

void Shard::OnSyncDone(const log::SyncDone& sync) {
  if (controller_ != nullptr && controller_->OnSyncDone(sync)) return;
  partitions_->OnSyncDone(sync);
}

void Shard::OnTickEnd() {
  // What followers have told may let producers go on, who append again.
  do {
    partitions_->OnTickEnd();
    replicas_->OnTickEnd();
  } while (partitions_->has_tick_work());
  if (controller_ != nullptr) controller_->OnTickEnd();
  ArmTimer();
}

// So that what is due is done at most kTimerNs late, and that often at most.
void Shard::ArmTimer() {
  const std::optional<MonotonicNs> due = partitions_->next_due();
  if (!due.has_value()) return;
  const MonotonicNs at = std::max(*due, loop().now() + kTimerNs);
  if (timer_ != TimerId() && timer_at_ <= at) return;
  loop().timers().Cancel(timer_);
  timer_at_ = at;
  timer_ = loop().timers().Schedule(at, [this] {
    timer_ = TimerId();
    partitions_->OnTimer();
    ArmTimer();
  });
}

void Shard::ScheduleHousekeeping(int64_t delay_ms) {
  constexpr int64_t kDelayMsMax = int64_t{1} << 40;
  const int64_t delay_ns = std::min(delay_ms, kDelayMsMax) * kNsPerMs;
  loop().timers().Schedule(loop().now() + delay_ns, [this] {
    partitions_->Housekeep();
    ScheduleHousekeeping(node_.config.retention_check_interval_ms);
  });
}

void Shard::ScheduleDirectoryCheck() {
  loop().timers().Schedule(loop().now() + kDirectoryCheckNs, [this] {
    const absl::Status there = partitions_->CheckDirectories();
    if (!there.ok()) return node_.fail(there);
    partitions_->Tidy();
    ReopenPartitions();
    RepairPartitions();
    ScheduleDirectoryCheck();
  });
}

absl::Status Shard::Close() {
  connections_->CloseAll();
  replicas_->Close();
  absl::Status status = partitions_->Close();
  if (controller_ != nullptr) status.Update(controller_->Close());
  return status;
}

// --- BrokerCore ----------------------------------------------------------------------------------

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
  core->environments_ = std::vector<ShardEnvironment>(environments.begin(), environments.end());
  const ShardEnvironment& first = environments.front();
  WEIR_RETURN_IF_ERROR(core->OpenListeners(options.host_name));
  WEIR_ASSIGN_OR_RETURN(
      core->node_.directory,
      DataDirectory::Open(first.files, core->node_.config.data_directory,
                          core->node_.config.node_id, core->node_.config.is_alone(), first.random));
  core->node_.cluster_id = core->node_.directory->properties().cluster_id;
  WEIR_RETURN_IF_ERROR(core->RemoveDeleted());
  core->node_.shards.resize(environments.size());
  for (size_t i = 0; i < environments.size(); ++i) {
    core->shards_.push_back(
        std::make_unique<Shard>(ShardId(static_cast<uint32_t>(i)), core->node_, environments[i]));
    core->node_.shards[i] = core->shards_.back().get();
  }
  core->node_.incarnation = Uuid::Random(first.random);
  core->workers_ = std::move(options.workers);
  core->replica_reader_ = options.replica_reader;
  core->on_ready_ = std::move(on_ready);
  core->peers_ = options.peers;
  core->StartController();
  if (core->node_.directory->has_cluster()) WEIR_RETURN_IF_ERROR(core->EnterCluster());
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
      absl::StrCat(node_.directory->path(), "/", metadata::kMetadataLogFolder),
      raft::VoterSet(std::move(voters))));
  const std::string cluster_id = Uuid::Random(environments_.front().random).ToString();
  node_.logger->Info("founds cluster ", cluster_id, " with ", cluster.voters.size(),
                     " controllers");
  return JoinCluster(cluster_id);
}

absl::Status BrokerCore::JoinCluster(const std::string& cluster_id) {
  WEIR_RETURN_IF_ERROR(node_.directory->JoinCluster(environments_.front().files, cluster_id));
  WEIR_RETURN_IF_ERROR(EnterCluster());
  peers_->SetCluster(cluster_id);
  entry_->Entered(cluster_id);
  return absl::OkStatus();
}

absl::Status BrokerCore::EnterCluster() {
  const metadata::MetaProperties& properties = node_.directory->properties();
  node_.cluster_id = properties.cluster_id;
  WEIR_RETURN_IF_ERROR(
      controller().Open({node_.config.node_id, properties.directory_id}, node_.config.is_alone()));
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
  // A process that flushed before it acknowledged, or closed well, has left all that it promised.
  const bool complete =
      node_.directory->was_clean() || node_.config.flush_policy == FlushPolicy::kAck;
  const metadata::BrokerImage* before = controller().image()->FindBroker(node_.config.node_id);
  BrokerMembership::Listener listener;
  listener.on_unfenced = [this] { OpenAcceptors(); };
  listener.on_shutdown_granted = [this](const absl::Status& how) {
    if (!how.ok()) node_.logger->Warning("leaves without a word: ", how.message());
    if (on_left_) on_left_();
  };
  listener.on_give_up = node_.fail;
  membership_ = std::make_unique<BrokerMembership>(
      node_, environments_.front().loop, controller(),
      complete && before != nullptr ? before->epoch : -1, std::move(listener));
  membership_->OnLeader(raft.leader().id);
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

// The cluster has registered this process: it opens the partitions that it is to have.
void BrokerCore::Serve() {
  const absl::Status recovered =
      RecoverLogs(node_, shards_, controller().image(), environments_.front().loop.clock());
  if (!recovered.ok()) return node_.fail(recovered);
  cleaner_schedule_ = std::make_unique<CleanerSchedule>(*shards_.front(), std::move(workers_));
  serves_ = true;
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

// By way of the mailboxes even on the first shard, so that all images arrive in their order.
void BrokerCore::FollowOnAllShards(metadata::MetadataImagePtr image,
                                   absl::AnyInvocable<void()> followed) {
  SetPeers(*image);
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

// Finishes what Delete of the last run began.
absl::Status BrokerCore::RemoveDeleted() {
  log::FileSystem& files = environments_.front().files;
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(node_.directory->path()));
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, "-delete")) continue;
    WEIR_RETURN_IF_ERROR(files.RemoveRecursively(absl::StrCat(node_.directory->path(), "/", name)));
  }
  return absl::OkStatus();
}

void BrokerCore::ScheduleCheckpoint() {
  EventLoop& home = environments_.front().loop;
  const int64_t interval_ns = int64_t{node_.config.recovery_point_interval_ms} * kNsPerMs;
  home.timers().Schedule(home.now() + interval_ns, [this] { Checkpoint(); });
}

void BrokerCore::Checkpoint() {
  node_.directory->BeginCheckpoint();
  auto gather = Gather<PartitionCheckpoints>::Create(
      shards_.size(), [this](std::vector<PartitionCheckpoints> parts) {
        PartitionCheckpoints all;
        for (PartitionCheckpoints& part : parts) Merge(std::move(part), &all);
        const absl::Status written =
            node_.directory->WriteCheckpoints(environments_.front().files, std::move(all));
        if (absl::IsResourceExhausted(written)) {
          node_.logger->Error("checkpoints: ", written.message());
        } else if (!written.ok()) {
          node_.fail(written);
        }
        ScheduleCheckpoint();
      });
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_.front()->Call<PartitionCheckpoints>(
        ShardId(static_cast<uint32_t>(i)),
        [](Shard& shard, Reply<PartitionCheckpoints> reply) {
          reply(shard.partitions().Checkpoints());
        },
        [gather, i](PartitionCheckpoints part) { gather->Set(i, std::move(part)); });
  }
}

void BrokerCore::OnFailed(const absl::Status& why) {
  if (!failed_.ok()) return;
  failed_ = why;
  if (!acceptors_.empty()) {
    node_.logger->Error("the data folder ", node_.directory->path(),
                        " has failed, nothing is served any more: ", why.message());
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
  absl::Status status = failed_;
  for (const std::unique_ptr<Shard>& shard : shards_) status.Update(shard->Close());
  // A log that no shard has opened yet has not been recovered: the next start must do that, from
  // the checkpoints that there are.
  if (!all_open_) {
    // Who has opened nothing has changed nothing.
    if (status.ok() && !serves_ && node_.directory->was_clean()) {
      status.Update(node_.directory->MarkClean(environments_.front().files));
    }
    return status;
  }
  node_.directory->BeginCheckpoint();
  PartitionCheckpoints all;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    Merge(shard->partitions().Checkpoints(), &all);
  }
  log::FileSystem& files = environments_.front().files;
  status.Update(node_.directory->WriteCheckpoints(files, std::move(all)));
  WEIR_RETURN_IF_ERROR(status);
  return node_.directory->MarkClean(files);
}

}  // namespace weir::server
