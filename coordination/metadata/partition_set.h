// -----------------------------------------------------------------------------
// File: coordination/metadata/partition_set.h
// -----------------------------------------------------------------------------
// A set of partitions whose copies share structure, as those of persistent_map.h do: with them an
// image knows where a broker has replicas without a look at every partition.
// Cost: that of a PersistentMap by topic; the indexes of a topic are one sorted list, which is
// copied when it is shared and changes. 4 bytes a partition, some 100 a topic.
// Threading: as PersistentMap.
#ifndef WEIR_COORDINATION_METADATA_PARTITION_SET_H_
#define WEIR_COORDINATION_METADATA_PARTITION_SET_H_

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/persistent_map.h"

namespace weir::metadata {

class PartitionSet {
 public:
  bool empty() const { return topics_.empty(); }

  bool Contains(const TopicPartition& tp) const {
    const std::vector<PartitionIndex>* indexes = topics_.Find(tp.topic_id);
    return indexes != nullptr && std::binary_search(indexes->begin(), indexes->end(), tp.partition);
  }

  // Nothing happens where it is in the set, or is not.
  void Add(const TopicPartition& tp) {
    if (Contains(tp)) return;
    if (std::vector<PartitionIndex>* indexes = topics_.Mutable(tp.topic_id); indexes != nullptr) {
      indexes->insert(std::lower_bound(indexes->begin(), indexes->end(), tp.partition),
                      tp.partition);
    } else {
      topics_.Set(tp.topic_id, {tp.partition});
    }
  }
  void Remove(const TopicPartition& tp) {
    if (!Contains(tp)) return;
    std::vector<PartitionIndex>* indexes = topics_.Mutable(tp.topic_id);
    indexes->erase(std::lower_bound(indexes->begin(), indexes->end(), tp.partition));
    if (indexes->empty()) topics_.Erase(tp.topic_id);
  }
  void RemoveTopic(const Uuid& topic) { topics_.Erase(topic); }

  // Calls visit(TopicPartition) for each, those of a topic together and ascending.
  template <class Visit>
  void ForEach(const Visit& visit) const {
    topics_.ForEach([&](const Uuid& topic, const std::vector<PartitionIndex>& indexes) {
      for (const PartitionIndex index : indexes) visit(TopicPartition{topic, index});
    });
  }
  // All of them, for who changes the set meanwhile or may stop early.
  std::vector<TopicPartition> List() const {
    std::vector<TopicPartition> list;
    ForEach([&](const TopicPartition& tp) { list.push_back(tp); });
    return list;
  }

  friend bool operator==(const PartitionSet&, const PartitionSet&) = default;

 private:
  PersistentMap<Uuid, std::vector<PartitionIndex>> topics_;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_PARTITION_SET_H_
