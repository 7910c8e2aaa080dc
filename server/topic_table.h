// -----------------------------------------------------------------------------
// File: server/topic_table.h
// -----------------------------------------------------------------------------
// The topics of the metadata image with their effective settings, as one shard looks them up on
// every produce and fetch. Follows the image by deltas.
// Threading: one per shard. Pointers hold until the next Apply.
#ifndef WEIR_SERVER_TOPIC_TABLE_H_
#define WEIR_SERVER_TOPIC_TABLE_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_delta.h"
#include "server/broker_config.h"
#include "server/topic_config.h"

namespace weir::server {

struct TopicInfo {
  const metadata::TopicImage* image = nullptr;  // of the table's image
  TopicSettings settings;

  const std::string& name() const { return image->name; }
  const Uuid& id() const { return image->id; }
  // Null if the topic has no such partition.
  const metadata::PartitionImage* Partition(PartitionIndex index) const {
    return image->Find(index);
  }
};

// What is set in `image` for all brokers together.
inline ClusterOverrides ClusterOverridesOf(const metadata::MetadataImage& image) {
  const metadata::ConfigMap* configs = image.FindConfigs(metadata::ConfigResourceType::kBroker, "");
  return configs == nullptr ? ClusterOverrides() : ClusterOverrides(*configs);
}
// What is set in `image` for one broker alone.
inline BrokerOverrides BrokerOverridesOf(const metadata::MetadataImage& image, BrokerId broker) {
  const metadata::ConfigMap* configs =
      image.FindConfigs(metadata::ConfigResourceType::kBroker, absl::StrCat(broker.value()));
  return configs == nullptr ? BrokerOverrides() : BrokerOverrides(*configs);
}
inline bool IsOfCluster(const metadata::ConfigResource& resource) {
  return resource.type == metadata::ConfigResourceType::kBroker && resource.name.empty();
}
// What is set in `image` for one topic.
inline TopicOverrides TopicOverridesOf(const metadata::MetadataImage& image,
                                       absl::string_view topic) {
  const metadata::ConfigMap* configs =
      image.FindConfigs(metadata::ConfigResourceType::kTopic, topic);
  return configs == nullptr ? TopicOverrides() : TopicOverrides(*configs);
}

class TopicTable {
 public:
  // `config` outlives the table.
  explicit TopicTable(const BrokerConfig& config)
      : config_(config), image_(metadata::EmptyImage()) {}

  const metadata::MetadataImagePtr& image() const { return image_; }

  // `delta` begins at the table's image.
  void Apply(const metadata::ImageDelta& delta) {
    // A topic that says the same in the new image may be another object there, as when the image
    // was read from a snapshot. Of one that changed, its settings stay: those are in the configs.
    Difference(image_->topics, delta.to->topics,
               [&](const Uuid& id, const metadata::TopicImage*, const metadata::TopicImage* after) {
                 const auto found = topics_.find(id);
                 if (found != topics_.end()) found->second.image = after;
               });
    image_ = delta.to;
    for (const metadata::TopicImage* topic : delta.deleted_topics) topics_.erase(topic->id);
    for (const metadata::TopicImage* topic : delta.created_topics) Put(topic->id);
    for (const metadata::ConfigResource& resource : delta.changed_configs) {
      if (IsOfCluster(resource)) {
        image_->topics.ForEach([&](const Uuid& id, const metadata::TopicImage&) { Put(id); });
      }
      if (resource.type != metadata::ConfigResourceType::kTopic) continue;
      const Uuid* id = image_->topic_ids.Find(resource.name);
      if (id != nullptr) Put(*id);
    }
  }

  // Null if there is no such topic.
  const TopicInfo* Find(const Uuid& id) const {
    const auto found = topics_.find(id);
    return found == topics_.end() ? nullptr : &found->second;
  }
  const TopicInfo* Find(absl::string_view name) const {
    const Uuid* id = image_->topic_ids.Find(name);
    return id == nullptr ? nullptr : Find(*id);
  }

  // All topics, by name.
  std::vector<const metadata::TopicImage*> SortedByName() const {
    std::vector<const metadata::TopicImage*> topics;
    topics.reserve(topics_.size());
    for (const auto& [id, topic] : topics_) topics.push_back(topic.image);
    Sort(topics, [](const auto* a, const auto* b) { return a->name < b->name; });
    return topics;
  }

 private:
  void Put(const Uuid& id) {
    const metadata::TopicImage* topic = image_->FindTopic(id);
    topics_[id] =
        TopicInfo{topic, EffectiveTopicConfig(config_, TopicOverridesOf(*image_, topic->name),
                                              ClusterOverridesOf(*image_))};
  }

  const BrokerConfig& config_;
  metadata::MetadataImagePtr image_;
  absl::flat_hash_map<Uuid, TopicInfo> topics_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_TOPIC_TABLE_H_
