// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/partition_indexes.h
// -----------------------------------------------------------------------------
// Keeps the sets of partitions in an image (image.h) true to its topics.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_INDEXES_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_INDEXES_H_

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/partition_set.h"

namespace weir::metadata::metadata_internal {

// What the sets know of a partition; of none, nothing.
struct IndexedPartition {
  IndexedPartition() = default;
  explicit IndexedPartition(const PartitionImage& p)
      : replicas(p.replicas),
        leaderless(p.leader == kNoBroker),
        unbalanced(p.leader != kNoBroker && p.leader != p.replicas.front()),
        reassigning(!p.adding_replicas.empty() || !p.removing_replicas.empty()) {}

  std::vector<BrokerId> replicas;
  bool leaderless = false;
  bool unbalanced = false;
  bool reassigning = false;
};

inline void AddReplica(const TopicPartition& tp, BrokerId broker, MetadataState* state) {
  if (PartitionSet* set = state->partitions_of.Mutable(broker); set != nullptr) {
    set->Add(tp);
    return;
  }
  PartitionSet set;
  set.Add(tp);
  state->partitions_of.Set(broker, std::move(set));
}

inline void RemoveReplica(const TopicPartition& tp, BrokerId broker, MetadataState* state) {
  PartitionSet* set = state->partitions_of.Mutable(broker);
  if (set == nullptr) return;  // a damaged log may name a replica twice
  set->Remove(tp);
  if (set->empty()) state->partitions_of.Erase(broker);
}

inline void UpdateIndexes(const TopicPartition& tp, const IndexedPartition& was,
                          const IndexedPartition& is, MetadataState* state) {
  const auto update = [&](PartitionSet* set, bool before, bool after) {
    if (after && !before) set->Add(tp);
    if (before && !after) set->Remove(tp);
  };
  update(&state->leaderless, was.leaderless, is.leaderless);
  update(&state->unbalanced, was.unbalanced, is.unbalanced);
  update(&state->reassigning, was.reassigning, is.reassigning);
  if (was.replicas == is.replicas) return;
  const auto has = [](const std::vector<BrokerId>& ids, BrokerId id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  for (const BrokerId id : is.replicas) {
    if (!has(was.replicas, id)) AddReplica(tp, id, state);
  }
  for (const BrokerId id : was.replicas) {
    if (!has(is.replicas, id)) RemoveReplica(tp, id, state);
  }
}

// Before the topic goes.
inline void ForgetPartitions(const TopicImage& topic, MetadataState* state) {
  std::set<BrokerId> brokers;
  topic.partitions.ForEach([&](PartitionIndex, const PartitionImage& p) {
    brokers.insert(p.replicas.begin(), p.replicas.end());
  });
  for (const BrokerId broker : brokers) {
    PartitionSet* set = state->partitions_of.Mutable(broker);
    set->RemoveTopic(topic.id);
    if (set->empty()) state->partitions_of.Erase(broker);
  }
  state->leaderless.RemoveTopic(topic.id);
  state->unbalanced.RemoveTopic(topic.id);
  state->reassigning.RemoveTopic(topic.id);
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_INDEXES_H_
