#include "server/shard.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coordination/metadata/topic_name.h"
#include "protocol/record_batch_recompressor.h"
#include "protocol/record_batch_validator.h"
#include "server/connection_table.h"
#include "server/controller_driver.h"
#include "server/fetch_session.h"
#include "server/group_table.h"
#include "server/logger.h"
#include "server/partition_table.h"
#include "server/producer_ids.h"

namespace weir::server {
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
  ScheduleHousekeeping();
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

void Shard::ScheduleHousekeeping() {
  const int64_t interval_ns = node_.config.retention_check_interval_ms * kNsPerMs;
  loop().timers().Schedule(loop().now() + interval_ns, [this] {
    partitions_->Housekeep();
    ScheduleHousekeeping();
  });
}

void Shard::ScheduleDirectoryCheck() {
  loop().timers().Schedule(loop().now() + kDirectoryCheckNs, [this] {
    const absl::Status there = partitions_->CheckDirectories();
    if (!there.ok()) return node_.fail(there);
    ScheduleDirectoryCheck();
  });
}

absl::Status Shard::Close() {
  connections_->CloseAll();
  absl::Status status = partitions_->Close();
  if (controller_ != nullptr) status.Update(controller_->Close());
  return status;
}

}  // namespace weir::server
