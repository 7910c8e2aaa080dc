// -----------------------------------------------------------------------------
// File: coordination/metadata/image_delta.h
// -----------------------------------------------------------------------------
// What differs between two images, in whatever way the later one came about: single records, a
// transaction, a snapshot, or many images that a slow reader skipped. Costs what changed.
#ifndef WEIR_COORDINATION_METADATA_IMAGE_DELTA_H_
#define WEIR_COORDINATION_METADATA_IMAGE_DELTA_H_

#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/sort.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"

namespace weir::metadata {

// A partition that is new (before is null), gone (after is null) or changed.
struct PartitionDelta {
  PartitionIndex partition;
  const PartitionImage* before = nullptr;
  const PartitionImage* after = nullptr;
};

// A topic that exists in both images and changed.
struct TopicDelta {
  const TopicImage* before = nullptr;
  const TopicImage* after = nullptr;
  std::vector<PartitionDelta> partitions;  // ascending
};

// Pointers point into the images, which the delta keeps alive. All lists are sorted: topics by
// name, so that whoever acts on them does so in the same order in every run. A topic deleted and
// created again under its name is in both deleted_topics and created_topics.
struct ImageDelta {
  MetadataImagePtr from;
  MetadataImagePtr to;
  std::vector<const TopicImage*> deleted_topics;  // in `from`
  std::vector<const TopicImage*> created_topics;  // in `to`
  std::vector<TopicDelta> changed_topics;
  std::vector<ConfigResource> changed_configs;  // set, changed or cleared
  std::vector<BrokerId> changed_brokers;        // registered, changed or gone
  std::vector<std::string> changed_features;
  // Quotas, credentials, tokens or access control entries; set again counts.
  bool changed_security = false;

  bool empty() const {
    return deleted_topics.empty() && created_topics.empty() && changed_topics.empty() &&
           changed_configs.empty() && changed_brokers.empty() && changed_features.empty() &&
           !changed_security;
  }
};

namespace metadata_internal {

template <class Key, class Value>
std::vector<Key> ChangedKeys(const ImageMap<Key, Value>& from, const ImageMap<Key, Value>& to) {
  std::vector<Key> keys;
  Difference(from, to, [&](const Key& key, const Value* before, const Value* after) {
    if (before == nullptr || after == nullptr || !(*before == *after)) keys.push_back(key);
  });
  Sort(keys);
  return keys;
}

inline TopicDelta CompareTopics(const TopicImage& from, const TopicImage& to) {
  TopicDelta delta{&from, &to, {}};
  Difference(from.partitions, to.partitions,
             [&](PartitionIndex index, const PartitionImage* before, const PartitionImage* after) {
               if (before == nullptr || after == nullptr || !(*before == *after)) {
                 delta.partitions.push_back({index, before, after});
               }
             });
  Sort(delta.partitions, [](const auto& a, const auto& b) { return a.partition < b.partition; });
  return delta;
}

}  // namespace metadata_internal

inline ImageDelta Compare(MetadataImagePtr from, MetadataImagePtr to) {
  using metadata_internal::ChangedKeys;
  ImageDelta delta;
  Difference(from->topics, to->topics,
             [&](const Uuid&, const TopicImage* before, const TopicImage* after) {
               if (after == nullptr) {
                 delta.deleted_topics.push_back(before);
               } else if (before == nullptr) {
                 delta.created_topics.push_back(after);
               } else {
                 TopicDelta topic = metadata_internal::CompareTopics(*before, *after);
                 if (!topic.partitions.empty()) delta.changed_topics.push_back(std::move(topic));
               }
             });
  const auto by_name = [](const TopicImage* a, const TopicImage* b) { return a->name < b->name; };
  Sort(delta.deleted_topics, by_name);
  Sort(delta.created_topics, by_name);
  Sort(delta.changed_topics,
       [&](const TopicDelta& a, const TopicDelta& b) { return by_name(a.after, b.after); });
  delta.changed_configs = ChangedKeys(from->configs, to->configs);
  delta.changed_brokers = ChangedKeys(from->brokers, to->brokers);
  delta.changed_features = ChangedKeys(from->features, to->features);
  delta.changed_security = !from->quotas.IsCopyOf(to->quotas) ||
                           !from->scram_credentials.IsCopyOf(to->scram_credentials) ||
                           !from->access_control_entries.IsCopyOf(to->access_control_entries) ||
                           !from->delegation_tokens.IsCopyOf(to->delegation_tokens);
  delta.from = std::move(from);
  delta.to = std::move(to);
  return delta;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_IMAGE_DELTA_H_
