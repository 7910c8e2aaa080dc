// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/placement.h
// -----------------------------------------------------------------------------
// Which brokers hold the replicas of new partitions (KIP-36, KIP-631).
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PLACEMENT_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PLACEMENT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/sort.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/partition_change.h"
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

// Brokers that take turns: on each new round the one that was second begins.
class BrokerRound {
 public:
  void Add(BrokerId id) { brokers_.push_back(id); }
  void Start(Random& random) {
    Sort(brokers_);
    if (!brokers_.empty()) offset_ = random.Below(brokers_.size());
  }
  void Shuffle(Random& random) {
    for (size_t i = brokers_.size(); i > 1; --i) {
      std::swap(brokers_[i - 1], brokers_[random.Below(i)]);
    }
  }
  // Nothing when all had their turn in this round.
  std::optional<BrokerId> Next(int64_t round) {
    if (brokers_.empty()) return std::nullopt;
    if (round != round_) {
      round_ = round;
      used_ = 0;
      offset_ = (offset_ + 1) % brokers_.size();
    }
    if (used_ == brokers_.size()) return std::nullopt;
    return brokers_[(used_++ + offset_) % brokers_.size()];
  }

 private:
  std::vector<BrokerId> brokers_;
  size_t offset_ = 0;
  size_t used_ = 0;
  int64_t round_ = 0;
};

// Places replicas in stripes over the racks, as Kafka's StripedReplicaPlacer does: the replicas of
// a partition are on as many racks as there are, each rack and each of its brokers leads in turn,
// and fenced brokers are taken only where a rack has no other left. A broker that shuts down is
// not taken at all; leaders are never fenced.
class StripedPlacer {
 public:
  StripedPlacer(const MetadataState& image, Random& random) : random_(random) {
    std::map<std::optional<std::string>, Rack> racks;
    image.brokers.ForEach([&](BrokerId id, const BrokerImage& broker) {
      if (broker.in_controlled_shutdown) return;
      Rack& rack = racks[broker.rack];
      (broker.fenced ? rack.fenced : rack.unfenced).Add(id);
      ++usable_;
      if (!broker.fenced) ++unfenced_;
    });
    for (auto& [name, rack] : racks) {
      rack.unfenced.Start(random_);
      rack.fenced.Start(random_);
      racks_.push_back(std::move(rack));
    }
    if (!racks_.empty()) offset_ = random_.Below(racks_.size());
  }

  PlanError Place(int32_t partitions, int16_t replicas, Placement* placement) {
    const auto refuse = [](std::string message) {
      return PlanError{protocol::ErrorCode::kInvalidReplicationFactor, std::move(message)};
    };
    if (replicas <= 0) {
      return refuse(absl::StrCat("Replication factor must be positive, came ", replicas));
    }
    if (unfenced_ == 0) return refuse("No broker is alive: all of them are fenced");
    if (replicas > usable_) {
      return refuse(absl::StrCat("Replication factor ", replicas,
                                 " needs as many brokers; registered are ", usable_));
    }
    for (int32_t i = 0; i < partitions; ++i) placement->replicas.push_back(PlaceOne(replicas));
    return {};
  }

 private:
  struct Rack {
    BrokerRound unfenced;
    BrokerRound fenced;
  };

  std::vector<BrokerId> PlaceOne(int16_t replicas) {
    if (round_ == unfenced_ && unfenced_ > 1) {  // the turns would repeat from here on
      Shuffle();
      round_ = 0;
    }
    std::vector<BrokerId> chosen;
    std::optional<size_t> skip = offset_;  // the leader's rack, once
    while (chosen.empty()) {
      const std::optional<BrokerId> leader = racks_[*skip].unfenced.Next(round_);
      if (leader.has_value()) {
        chosen.push_back(*leader);
      } else {
        *skip = (*skip + 1) % racks_.size();
      }
    }
    for (size_t at = offset_; chosen.size() < static_cast<size_t>(replicas);
         at = (at + 1) % racks_.size()) {
      if (at == skip) {
        skip.reset();
        continue;
      }
      std::optional<BrokerId> next = racks_[at].unfenced.Next(round_);
      if (!next.has_value()) next = racks_[at].fenced.Next(round_);
      if (next.has_value()) chosen.push_back(*next);
    }
    ++round_;
    offset_ = (offset_ + 1) % racks_.size();
    return chosen;
  }

  void Shuffle() {
    for (size_t i = racks_.size(); i > 1; --i) {
      std::swap(racks_[i - 1], racks_[random_.Below(i)]);
    }
    for (Rack& rack : racks_) {
      rack.unfenced.Shuffle(random_);
      rack.fenced.Shuffle(random_);
    }
  }

  Random& random_;
  std::vector<Rack> racks_;
  size_t offset_ = 0;  // of the next partition's first rack
  int64_t round_ = 0;
  int64_t usable_ = 0;
  int64_t unfenced_ = 0;
};

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
    Sort(sorted);
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
    if (IsActive(image, id)) record.isr.push_back(id.value());
    record.directories.push_back(DefaultDirectory(image, id));
  }
  record.leader = record.isr.front();
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  return record;
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PLACEMENT_H_
