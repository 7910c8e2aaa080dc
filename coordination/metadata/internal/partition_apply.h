// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/partition_apply.h
// -----------------------------------------------------------------------------
// Partition and broker records turned into their images, with the rules that every partition keeps.
// Errors: kDataLoss, with what contradicts what.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_APPLY_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_APPLY_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records/cluster.h"
#include "coordination/metadata/records/topic.h"

namespace weir::metadata::metadata_internal {

template <class... Parts>
absl::Status Contradiction(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat(parts...));
}

inline std::vector<BrokerId> BrokerIds(const std::vector<int32_t>& ids) {
  std::vector<BrokerId> out;
  out.reserve(ids.size());
  for (const int32_t id : ids) out.push_back(BrokerId(id));
  return out;
}
inline std::vector<BrokerId> BrokerIds(const std::optional<std::vector<int32_t>>& ids) {
  return ids.has_value() ? BrokerIds(*ids) : std::vector<BrokerId>();
}
inline std::vector<int32_t> Numbers(const std::vector<BrokerId>& ids) {
  std::vector<int32_t> numbers;
  numbers.reserve(ids.size());
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return numbers;
}

inline absl::Status CheckPartition(const PartitionImage& p) {
  const auto is_replica = [&](BrokerId id) {
    return std::find(p.replicas.begin(), p.replicas.end(), id) != p.replicas.end();
  };
  if (p.replicas.empty()) return Contradiction("a partition without replicas");
  if (p.directories.size() != p.replicas.size()) {
    return Contradiction("expected a directory for each of ", p.replicas.size(), " replicas, came ",
                         p.directories.size());
  }
  for (const BrokerId id : p.isr) {
    if (!is_replica(id)) return Contradiction("broker ", id.value(), " in the ISR is no replica");
  }
  if (p.leader != kNoBroker && !is_replica(p.leader)) {
    return Contradiction("leader ", p.leader.value(), " is no replica");
  }
  return absl::OkStatus();
}

inline absl::StatusOr<PartitionImage> PartitionFromRecord(const PartitionRecord& r) {
  if (r.partition_id < 0 || r.partition_id >= kPartitionsPerTopicMax) {
    return Contradiction("expected a partition from 0 to ", kPartitionsPerTopicMax - 1, ", came ",
                         r.partition_id);
  }
  PartitionImage p;
  p.replicas = BrokerIds(r.replicas);
  p.isr = BrokerIds(r.isr);
  p.removing_replicas = BrokerIds(r.removing_replicas);
  p.adding_replicas = BrokerIds(r.adding_replicas);
  p.eligible_leader_replicas = BrokerIds(r.eligible_leader_replicas);
  p.last_known_elr = BrokerIds(r.last_known_elr);
  p.directories = r.directories;
  // Version 0 has no directories: as Kafka reads it, they are still to be found out.
  if (p.directories.empty()) p.directories.resize(p.replicas.size(), kDirectoryMigrating);
  p.leader = BrokerId(r.leader);
  p.leader_epoch = LeaderEpoch(r.leader_epoch);
  p.partition_epoch = r.partition_epoch;
  p.leader_recovery_state = r.leader_recovery_state;
  WEIR_RETURN_IF_ERROR(CheckPartition(p));
  return p;
}

inline absl::Status ApplyPartitionChange(const PartitionChangeRecord& r, PartitionImage* p) {
  constexpr int32_t kLeaderUnchanged = -2;
  if (r.replicas.has_value()) {
    p->replicas = BrokerIds(*r.replicas);
    if (!r.directories.has_value()) {
      return Contradiction("replicas change without their directories");
    }
  }
  if (r.directories.has_value()) p->directories = *r.directories;
  if (r.isr.has_value()) p->isr = BrokerIds(*r.isr);
  if (r.removing_replicas.has_value()) p->removing_replicas = BrokerIds(*r.removing_replicas);
  if (r.adding_replicas.has_value()) p->adding_replicas = BrokerIds(*r.adding_replicas);
  if (r.eligible_leader_replicas.has_value()) {
    p->eligible_leader_replicas = BrokerIds(*r.eligible_leader_replicas);
  }
  if (r.last_known_elr.has_value()) p->last_known_elr = BrokerIds(*r.last_known_elr);
  if (r.leader != kLeaderUnchanged) {
    p->leader = BrokerId(r.leader);
    p->leader_epoch = LeaderEpoch(p->leader_epoch.value() + 1);
  }
  if (r.leader_recovery_state >= 0) p->leader_recovery_state = r.leader_recovery_state;
  ++p->partition_epoch;
  return CheckPartition(*p);
}

inline BrokerImage BrokerFromRecord(const RegisterBrokerRecord& r) {
  BrokerImage broker;
  broker.id = BrokerId(r.broker_id);
  broker.epoch = r.broker_epoch;
  broker.incarnation_id = r.incarnation_id;
  for (const MetadataEndpoint& e : r.end_points) {
    broker.endpoints.push_back({e.name, e.host, e.port, e.security_protocol});
  }
  for (const MetadataFeature& f : r.features) {
    broker.features[f.name] = {f.min_supported_version, f.max_supported_version};
  }
  broker.rack = r.rack;
  broker.fenced = r.fenced;
  broker.in_controlled_shutdown = r.in_controlled_shutdown;
  broker.directories = r.log_dirs;
  return broker;
}

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_APPLY_H_
