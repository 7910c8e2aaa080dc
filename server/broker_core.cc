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
#include "coordination/metadata/topic_name.h"
#include "log/log.h"
#include "protocol/record_batch_recompressor.h"
#include "protocol/record_batch_validator.h"
#include "server/acceptor.h"
#include "server/cleaner_schedule.h"
#include "server/connection_table.h"
#include "server/controller_driver.h"
#include "server/data_directory.h"
#include "server/fetch_session.h"
#include "server/gather.h"
#include "server/group_table.h"
#include "server/log_cleaner.h"
#include "server/logger.h"
#include "server/partition_table.h"
#include "server/producer_ids.h"
#include "server/recovery.h"
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

void Shard::set_controller(std::unique_ptr<ControllerDriver> controller) {
  controller_ = std::move(controller);
}

void Shard::Follow(metadata::MetadataImagePtr image) {
  const metadata::ImageDelta delta = metadata::Compare(topics_.image(), std::move(image));
  topics_.Apply(delta);
  std::vector<TopicPartition> gone;
  for (const metadata::TopicImage* topic : delta.deleted_topics) {
    for (int32_t i = 0; i < topic->partition_count(); ++i) {
      const PartitionIndex index(i);
      if (OwnerOf(topic->name, index) == id_) gone.push_back({topic->id, index});
    }
  }
  if (!gone.empty()) Drop(delta.deleted_topics, gone);
  for (const metadata::TopicImage* topic : delta.created_topics) {
    if (topic->name == metadata::kConsumerOffsetsTopic) {
      group_partitions_ = topic->partition_count();
    }
    for (int32_t i = 0; i < topic->partition_count(); ++i) {
      OpenIfOurs(*topic, PartitionIndex(i));
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
      if (change.before == nullptr) {
        OpenIfOurs(*topic.after, change.partition);
      } else if (OwnerOf(topic.after->name, change.partition) == id_) {
        partitions_->Update({topic.after->id, change.partition}, *change.after);
      }
    }
  }
  for (const metadata::ConfigResource& resource : delta.changed_configs) {
    if (resource.type == metadata::ConfigResourceType::kTopic) Reconfigure(resource.name);
  }
}

void Shard::Drop(const std::vector<const metadata::TopicImage*>& topics,
                 const std::vector<TopicPartition>& partitions) {
  for (const metadata::TopicImage* topic : topics) {
    if (topic->name != metadata::kConsumerOffsetsTopic) continue;
    for (const TopicPartition& partition : partitions) {
      if (partition.topic_id == topic->id) groups_->Close(partition);
    }
  }
  cleaner_->Abort(partitions);
  partitions_->Delete(partitions);
}

void Shard::OpenIfOurs(const metadata::TopicImage& topic, PartitionIndex index) {
  const TopicPartition partition{topic.id, index};
  if (OwnerOf(topic.name, index) != id_) return;
  partitions_->Open(partition, topic.name, *topic.Find(index), topics_.Find(topic.id)->settings);
  if (topic.name == metadata::kConsumerOffsetsTopic) groups_->Open(partition);
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
    if (topic->name() != metadata::kConsumerOffsetsTopic) continue;
    groups_->Close(id);
    groups_->Open(id);
  }
}

void Shard::OnSyncDone(const log::SyncDone& sync) {
  if (controller_ != nullptr && controller_->OnSyncDone(sync)) return;
  partitions_->OnSyncDone(sync);
}

void Shard::OnTickEnd() {
  partitions_->OnTickEnd();
  if (controller_ != nullptr) controller_->OnTickEnd();
  if (!timer_armed_ && partitions_->needs_timer()) ArmTimer();
}

void Shard::ArmTimer() {
  timer_armed_ = true;
  loop().timers().Schedule(loop().now() + kTimerNs, [this] {
    partitions_->OnTimer();
    timer_armed_ = false;
    if (partitions_->needs_timer()) ArmTimer();
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
    ScheduleDirectoryCheck();
  });
}

absl::Status Shard::Close() {
  connections_->CloseAll();
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

void AddMetadataLog(const ControllerDriver& controller, PartitionCheckpoints* checkpoints) {
  const PartitionName name(std::string(metadata::kClusterMetadataTopic), 0);
  checkpoints->recovery_points[name] = controller.log().flushed_offset();
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
  WEIR_ASSIGN_OR_RETURN(core->node_.directory,
                        DataDirectory::Open(first.files, core->node_.config.data_directory,
                                            core->node_.config.node_id, first.random));
  core->node_.cluster_id = core->node_.directory->properties().cluster_id;
  WEIR_RETURN_IF_ERROR(core->RemoveDeleted());
  core->node_.shards.resize(environments.size());
  for (size_t i = 0; i < environments.size(); ++i) {
    core->shards_.push_back(
        std::make_unique<Shard>(ShardId(static_cast<uint32_t>(i)), core->node_, environments[i]));
    core->node_.shards[i] = core->shards_.back().get();
  }
  WEIR_RETURN_IF_ERROR(core->StartController());
  WEIR_RETURN_IF_ERROR(RecoverLogs(
      core->node_, core->shards_, core->shards_.front()->controller().image(), first.loop.clock()));
  core->cleaner_schedule_ =
      std::make_unique<CleanerSchedule>(*core->shards_.front(), std::move(options.workers));
  core->FollowOnAllShards(core->shards_.front()->controller().image(),
                          [core = core.get(), on_ready = std::move(on_ready)]() mutable {
                            core->all_open_ = true;
                            for (size_t i = 0; i < core->listeners_.size(); ++i) {
                              core->acceptors_.push_back(std::make_unique<Acceptor>(
                                  core->node_, *core->shards_.front(), core->listeners_[i], i));
                            }
                            core->ScheduleCheckpoint();
                            on_ready();
                          });
  return core;
}

BrokerCore::~BrokerCore() {
  acceptors_.clear();
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
  return absl::OkStatus();
}

absl::Status BrokerCore::StartController() {
  const ShardEnvironment& first = environments_.front();
  auto controller = std::make_unique<ControllerDriver>(
      node_, first.files, first.loop.clock(), first.random,
      [this](metadata::MetadataImagePtr image, absl::AnyInvocable<void()> followed) {
        FollowOnAllShards(std::move(image), std::move(followed));
      });
  WEIR_RETURN_IF_ERROR(controller->Start());
  shards_.front()->set_controller(std::move(controller));
  return absl::OkStatus();
}

// By way of the mailboxes even on the first shard, so that all images arrive in their order.
void BrokerCore::FollowOnAllShards(metadata::MetadataImagePtr image,
                                   absl::AnyInvocable<void()> followed) {
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
        AddMetadataLog(shards_.front()->controller(), &all);
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
  node_.logger->Error("the data folder ", node_.directory->path(),
                      " has failed, nothing is served any more: ", why.message());
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
      home.Post([gather, i] { gather->Set(i, Done{}); });
    });
  }
}

absl::Status BrokerCore::Close() {
  acceptors_.clear();
  absl::Status status = failed_;
  for (const std::unique_ptr<Shard>& shard : shards_) status.Update(shard->Close());
  // A log that no shard has opened yet has not been recovered: the next start must do that, from
  // the checkpoints that there are.
  if (!all_open_) return status;
  node_.directory->BeginCheckpoint();
  PartitionCheckpoints all;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    Merge(shard->partitions().Checkpoints(), &all);
  }
  AddMetadataLog(shards_.front()->controller(), &all);
  log::FileSystem& files = environments_.front().files;
  status.Update(node_.directory->WriteCheckpoints(files, std::move(all)));
  WEIR_RETURN_IF_ERROR(status);
  return node_.directory->MarkClean(files);
}

}  // namespace weir::server
