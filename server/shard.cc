// A shard: its partitions as the metadata have them, and the ends of its ticks.

#include "server/shard.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/error_code.h"
#include "protocol/record_batch_recompressor.h"
#include "protocol/record_batch_validator.h"
#include "server/connection_table.h"
#include "server/controller_driver.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/fetch_session.h"
#include "server/group_table.h"
#include "server/isr_proposals.h"
#include "server/log_cleaner.h"
#include "server/log_mover.h"
#include "server/log_scrubber.h"
#include "server/logger.h"
#include "server/partition_table.h"
#include "server/producer_ids.h"
#include "server/replicas.h"

namespace weir::server {

namespace {

constexpr int64_t kTimerNs = 50 * kNsPerMs;  // how late a produce timeout may be noticed
constexpr int64_t kDoubtNs = 5 * kNsPerMs;   // between two looks at whether it is over
constexpr int64_t kDirectoryCheckNs = 1'000 * kNsPerMs;
constexpr size_t kAssignmentsMax = 2'000;  // of one request

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
      mover_(std::make_unique<LogMover>(*this)),
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

void Shard::OnceCertainOf(BrokerId leader, absl::AnyInvocable<void()> work) {
  if (!Doubts(leader)) return work();
  loop().timers().Schedule(
      loop().now() + kDoubtNs,
      [this, leader, work = std::move(work)]() mutable { OnceCertainOf(leader, std::move(work)); });
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
  // Before the partitions: with a smaller ISR a leader must not wait for fewer than is set by now.
  for (const metadata::ConfigResource& resource : delta.changed_configs) {
    if (resource.type == metadata::ConfigResourceType::kTopic) Reconfigure(resource.name);
    if (IsOfCluster(resource)) {
      for (const metadata::TopicImage* topic : topics_.SortedByName()) Reconfigure(topic->name);
    }
  }
  for (const metadata::TopicDelta& topic : delta.changed_topics) {
    for (const metadata::PartitionDelta& change : topic.partitions) {
      FollowPartition(*topic.after, change.partition, change.before, *change.after);
    }
  }
  replicas_->OnMetadata();
  // What is new waits for its place to be known.
  if (!delta.created_topics.empty() || !delta.changed_topics.empty()) RepairPartitions();
}

// Whether this shard of this node has the partition's log; with no image, there is no such one.
bool Shard::IsOurs(const metadata::TopicImage& topic, PartitionIndex index,
                   const metadata::PartitionImage* image) const {
  return image != nullptr && OwnerOf(topic.name, index) == id_ &&
         std::count(image->replicas.begin(), image->replicas.end(), node_.config.node_id) > 0;
}

bool Shard::Leads(const metadata::PartitionImage& image) const {
  return image.leader == node_.config.node_id && partitions_->HasPlace(image);
}

void Shard::FollowPartition(const metadata::TopicImage& topic, PartitionIndex index,
                            const metadata::PartitionImage* before,
                            const metadata::PartitionImage& after) {
  if (!IsOurs(topic, index, &after)) return;
  const TopicPartition id{topic.id, index};
  const bool led = IsOurs(topic, index, before) && Leads(*before);
  const bool leads = Leads(after);
  const bool has_groups = topic.name == metadata::kConsumerOffsetsTopic;
  if (has_groups && led && !leads) groups_->Close(id);
  if (IsOurs(topic, index, before)) {
    partitions_->Update(id, after);
  } else {
    partitions_->Open(id, topic.name, after, topics_.Find(topic.id)->settings);
    mover_->Resume(id);
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
    if (topic->name() != metadata::kConsumerOffsetsTopic) continue;
    if (!Leads(*topic->Partition(id.partition))) continue;
    groups_->Close(id);
    groups_->Open(id);
  }
}

// What has lost records says so to the controller, and is copied anew when the controller counts on
// it no more; then it says where. Looked at again and again, until the metadata have it.
void Shard::RepairPartitions() {
  if (reports_) {
    reports_again_ = true;
    return;
  }
  const BrokerId self = node_.config.node_id;
  metadata::AssignReplicasToDirs report;
  for (const TopicPartition& id : partitions_->Damaged()) {
    if (report.assignments.size() >= kAssignmentsMax) break;
    const metadata::PartitionImage* image = this->image()->FindPartition(id);
    const TopicInfo* topic = topics_.Find(id.topic_id);
    if (image == nullptr || topic == nullptr || image->replicas.size() < 2) continue;
    const auto at = static_cast<size_t>(
        std::find(image->replicas.begin(), image->replicas.end(), self) - image->replicas.begin());
    if (at >= image->directories.size()) continue;
    if (image->directories[at] != metadata::kDirectoryLost) {
      // Who gives up the last copy that counts leaves the partition without a leader for good; what
      // cannot be opened now may be another time.
      if (image->OthersCount(self)) report.assignments.push_back({id, metadata::kDirectoryLost});
    } else if (image->leader != kNoBroker && image->leader != self &&
               std::count(image->isr.begin(), image->isr.end(), self) == 0) {
      partitions_->BeginAnew(id, *image, topic->settings);
    }
  }
  for (const auto& [id, directory] : partitions_->UnknownPlaces()) {
    if (report.assignments.size() >= kAssignmentsMax) break;
    report.assignments.push_back({id, directory});
  }
  if (report.assignments.empty()) return;
  const metadata::BrokerImage* broker = image()->FindBroker(self);
  report.broker = self;
  report.broker_epoch = broker == nullptr ? -1 : broker->epoch;
  reports_ = true;
  Call<metadata::ReplicasAssigned>(
      kControllerShard,
      [report = std::move(report)](Shard& home, Reply<metadata::ReplicasAssigned> reply) mutable {
        home.controller().Ask<metadata::ReplicasAssigned>(std::move(report), std::move(reply));
      },
      [this](const metadata::ReplicasAssigned& answer) {
        reports_ = false;
        if (answer.error != protocol::ErrorCode::kNone) {
          node_.logger->Warning("the controller was told where replicas are: ",
                                protocol::ErrorName(answer.error));
        }
        if (std::exchange(reports_again_, false)) RepairPartitions();
      });
}

void Shard::OnDamage(const TopicPartition& id, const absl::Status& damage) {
  const metadata::PartitionImage* partition = image()->FindPartition(id);
  if (partition == nullptr) return;
  if (!partition->OthersCount(node_.config.node_id)) return;
  node_.logger->Error(topics_.Find(id.topic_id)->name(), "-", id.partition.value(),
                      " is taken offline: ", damage.message());
  TakeOffline({id}, damage);
  RepairPartitions();
}

void Shard::OnDirectoryFailed(const DataDirectory& directory) {
  mover_->OnDirectoryFailed(directory);
  TakeOffline(partitions_->In(directory), directory.Offline());
  RepairPartitions();
}

void Shard::TakeOffline(const std::vector<TopicPartition>& ids, const absl::Status& why) {
  for (const TopicPartition& id : ids) groups_->Close(id);
  cleaner_->Abort(ids);
  for (const TopicPartition& id : ids) partitions_->TakeOffline(id, why);
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
    partitions_->CheckDirectories();
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
  if (controller_ == nullptr) return status;
  const absl::Status closed = controller_->Close();
  if (!closed.ok()) node_.directories->metadata().NoteUnclean();
  status.Update(closed);
  return status;
}

}  // namespace weir::server
