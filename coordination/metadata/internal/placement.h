// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/placement.h
// -----------------------------------------------------------------------------
// Which brokers hold the replicas of new partitions, and who leads when a broker comes or goes.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PLACEMENT_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PLACEMENT_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata::metadata_internal {

struct PlanError {
  protocol::ErrorCode code = protocol::ErrorCode::kNone;
  std::string message;

  bool ok() const { return code == protocol::ErrorCode::kNone; }
};

// The replicas of each partition; the first is the preferred leader.
struct Placement {
  std::vector<std::vector<BrokerId>> replicas;
};

inline bool IsActive(const MetadataState& image, BrokerId id) {
  const BrokerImage* broker = image.FindBroker(id);
  return broker != nullptr && broker->is_active();
}

// Leaders go round the active brokers from a random one; the followers of a leader are shifted by
// one more broker on each round, so that the load of a lost broker spreads over all others.
inline PlanError PlaceRoundRobin(const MetadataState& image, int32_t partitions, int16_t replicas,
                                 Random& random, Placement* placement) {
  std::vector<BrokerId> brokers;
  image.brokers.ForEach([&](BrokerId id, const BrokerImage& broker) {
    if (broker.is_active()) brokers.push_back(id);
  });
  std::sort(brokers.begin(), brokers.end());
  const auto count = static_cast<int64_t>(brokers.size());
  if (replicas <= 0 || replicas > count) {
    return {protocol::ErrorCode::kInvalidReplicationFactor,
            absl::StrCat("Replication factor ", replicas, " needs as many live brokers; there are ",
                         count)};
  }
  const auto start = static_cast<int64_t>(random.Below(static_cast<uint64_t>(count)));
  for (int64_t p = 0; p < partitions; ++p) {
    const int64_t leader = (start + p) % count;
    std::vector<BrokerId> chosen = {brokers[leader]};
    for (int64_t r = 0; r + 1 < replicas; ++r) {
      const int64_t step = 1 + (p / count + r) % (count - 1);
      chosen.push_back(brokers[(leader + step) % count]);
    }
    placement->replicas.push_back(std::move(chosen));
  }
  return {};
}

inline PlanError PlaceManually(const MetadataState& image,
                               std::map<int32_t, std::vector<BrokerId>> assignments,
                               Placement* placement) {
  const auto refuse = [](std::string message) {
    return PlanError{protocol::ErrorCode::kInvalidReplicaAssignment, std::move(message)};
  };
  if (assignments.size() > static_cast<size_t>(kPartitionsPerTopicMax)) {
    return {protocol::ErrorCode::kInvalidPartitions,
            absl::StrCat("A topic has at most ", kPartitionsPerTopicMax, " partitions")};
  }
  for (auto& [partition, brokers] : assignments) {
    if (partition != static_cast<int32_t>(placement->replicas.size())) {
      return refuse("Partitions must be numbered from 0 without gaps");
    }
    if (brokers.empty()) return refuse(absl::StrCat("Partition ", partition, " has no replicas"));
    if (!placement->replicas.empty() && brokers.size() != placement->replicas[0].size()) {
      return refuse("All partitions must have the same number of replicas");
    }
    std::vector<BrokerId> sorted = brokers;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      return refuse(absl::StrCat("Partition ", partition, " names a broker twice"));
    }
    bool any_active = false;
    for (const BrokerId id : brokers) {
      if (image.FindBroker(id) == nullptr) {
        return refuse(absl::StrCat("Broker ", id.value(), " is not registered"));
      }
      any_active = any_active || IsActive(image, id);
    }
    if (!any_active) {
      return refuse(absl::StrCat("Partition ", partition, " has no live broker to lead it"));
    }
    placement->replicas.push_back(std::move(brokers));
  }
  return {};
}

// A new partition's record. At least one of `replicas` must be active: the first such one leads.
inline PartitionRecord NewPartition(const MetadataState& image, const Uuid& topic, int32_t index,
                                    const std::vector<BrokerId>& replicas) {
  PartitionRecord record;
  record.partition_id = index;
  record.topic_id = topic;
  for (const BrokerId id : replicas) {
    record.replicas.push_back(id.value());
    const BrokerImage* broker = image.FindBroker(id);
    if (broker->is_active()) record.isr.push_back(id.value());
    record.directories.push_back(broker->directories.size() == 1 ? broker->directories[0]
                                                                 : kDirectoryUnassigned);
  }
  record.leader = record.isr.front();
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  return record;
}

// Calls visit(topic, index, partition) for every partition, topics by name and indexes ascending.
template <class Visit>
void ForEachPartition(const MetadataState& image, const Visit& visit) {
  std::vector<const TopicImage*> topics;
  image.topics.ForEach([&](const Uuid&, const TopicImage& topic) { topics.push_back(&topic); });
  std::sort(topics.begin(), topics.end(),
            [](const TopicImage* a, const TopicImage* b) { return a->name < b->name; });
  for (const TopicImage* topic : topics) {
    for (int32_t i = 0; i < topic->partition_count(); ++i) {
      const PartitionImage* partition = topic->Find(PartitionIndex(i));
      if (partition != nullptr) visit(*topic, i, *partition);
    }
  }
}

// What changes when `broker` goes: it leaves every ISR in which it is not the last, and another
// active member leads in its place, or nobody.
inline void PlanBrokerLoss(const MetadataState& image, BrokerId broker,
                           std::vector<MetadataRecord>* records) {
  ForEachPartition(image, [&](const TopicImage& topic, int32_t index, const PartitionImage& p) {
    const bool in_isr = std::find(p.isr.begin(), p.isr.end(), broker) != p.isr.end();
    if (!in_isr && p.leader != broker) return;
    PartitionChangeRecord change;
    change.partition_id = index;
    change.topic_id = topic.id;
    std::vector<int32_t> isr;
    for (const BrokerId id : p.isr) {
      if (id != broker) isr.push_back(id.value());
    }
    if (in_isr && !isr.empty()) change.isr = isr;
    if (p.leader == broker) {
      change.leader = kNoBroker.value();
      for (const BrokerId id : p.replicas) {
        const bool stays = std::find(isr.begin(), isr.end(), id.value()) != isr.end();
        if (stays && IsActive(image, id)) {
          change.leader = id.value();
          break;
        }
      }
    }
    if (change.isr.has_value() || p.leader == broker) records->push_back(std::move(change));
  });
}

// Whether `broker` may lead a partition that nobody leads: it stayed in the ISR or, where the ISR
// is empty, among those that have all that was committed, or it is the last that did (KIP-966).
inline bool MayLead(const PartitionImage& p, BrokerId broker) {
  const auto has = [&](const std::vector<BrokerId>& ids) {
    return std::find(ids.begin(), ids.end(), broker) != ids.end();
  };
  if (!p.isr.empty()) return has(p.isr);
  if (!p.eligible_leader_replicas.empty()) return has(p.eligible_leader_replicas);
  return p.last_known_elr.size() == 1 && has(p.last_known_elr);
}

// What changes when `broker` is back: it leads the leaderless partitions that it may lead.
inline void PlanBrokerReturn(const MetadataState& image, BrokerId broker,
                             std::vector<MetadataRecord>* records) {
  ForEachPartition(image, [&](const TopicImage& topic, int32_t index, const PartitionImage& p) {
    if (p.leader != kNoBroker || !MayLead(p, broker)) return;
    PartitionChangeRecord change;
    change.partition_id = index;
    change.topic_id = topic.id;
    change.leader = broker.value();
    if (p.isr.empty()) {
      change.isr = std::vector<int32_t>{broker.value()};
      std::vector<int32_t> eligible;
      for (const BrokerId id : p.eligible_leader_replicas) {
        if (id != broker) eligible.push_back(id.value());
      }
      change.eligible_leader_replicas = std::move(eligible);
      change.last_known_elr.emplace();
    }
    records->push_back(std::move(change));
  });
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PLACEMENT_H_
