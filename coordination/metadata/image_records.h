// -----------------------------------------------------------------------------
// File: coordination/metadata/image_records.h
// -----------------------------------------------------------------------------
// The records that make an image from nothing: what a snapshot of the cluster metadata holds. They
// come in the order in which Apache Kafka writes its snapshots: features with metadata.version
// first, brokers, controllers, each topic before its partitions, then configs, quotas, producer ids
// and what belongs to security. Within a kind they are sorted, so that equal images give the same
// records.
// Format: docs/formats/metadata.md.
// Cost: one record at a time, and a pointer for each entry of one map.
// Threading: an image never changes; any thread may do this.
#ifndef WEIR_COORDINATION_METADATA_IMAGE_RECORDS_H_
#define WEIR_COORDINATION_METADATA_IMAGE_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/partition_apply.h"
#include "coordination/metadata/persistent_map.h"
#include "coordination/metadata/records.h"

namespace weir::metadata {

using RecordVisitor = absl::FunctionRef<absl::Status(const MetadataRecord&)>;

namespace metadata_internal {

template <class Key, class Value, class Hash>
std::vector<std::pair<const Key*, const Value*>> SortedEntries(
    const PersistentMap<Key, Value, Hash>& map) {
  std::vector<std::pair<const Key*, const Value*>> entries;
  entries.reserve(map.size());
  map.ForEach([&](const Key& key, const Value& value) { entries.emplace_back(&key, &value); });
  Sort(entries, [](const auto& a, const auto& b) { return *a.first < *b.first; });
  return entries;
}

// Tagged fields, which take no room where there is nothing to say.
inline std::optional<std::vector<int32_t>> NumbersIfAny(const std::vector<BrokerId>& ids) {
  if (ids.empty()) return std::nullopt;
  return Numbers(ids);
}

// The inverse of PartitionFromRecord.
inline PartitionRecord RecordOf(const Uuid& topic, PartitionIndex index, const PartitionImage& p) {
  PartitionRecord r;
  r.partition_id = index.value();
  r.topic_id = topic;
  r.replicas = Numbers(p.replicas);
  r.isr = Numbers(p.isr);
  r.removing_replicas = Numbers(p.removing_replicas);
  r.adding_replicas = Numbers(p.adding_replicas);
  r.leader = p.leader.value();
  r.leader_recovery_state = p.leader_recovery_state;
  r.leader_epoch = p.leader_epoch.value();
  r.partition_epoch = p.partition_epoch;
  r.directories = p.directories;
  r.eligible_leader_replicas = NumbersIfAny(p.eligible_leader_replicas);
  r.last_known_elr = NumbersIfAny(p.last_known_elr);
  return r;
}

// The inverse of BrokerFromRecord.
inline RegisterBrokerRecord RecordOf(const BrokerImage& broker) {
  RegisterBrokerRecord r;
  r.broker_id = broker.id.value();
  r.incarnation_id = broker.incarnation_id;
  r.broker_epoch = broker.epoch;
  for (const EndpointImage& e : broker.endpoints) {
    r.end_points.push_back({e.listener, e.host, e.port, e.security_protocol, {}});
  }
  for (const auto& [name, range] : broker.features) {
    r.features.push_back({name, range.min, range.max, {}});
  }
  r.rack = broker.rack;
  r.fenced = broker.fenced;
  r.in_controlled_shutdown = broker.in_controlled_shutdown;
  r.log_dirs = broker.directories;
  return r;
}

// metadata.version comes first: readers may need it to make sense of all else.
inline absl::Status VisitFeatures(const MetadataState& state, RecordVisitor visit) {
  if (const int16_t level = state.FeatureLevel(kMetadataVersionFeature); level != 0) {
    WEIR_RETURN_IF_ERROR(
        visit(FeatureLevelRecord{std::string(kMetadataVersionFeature), level, {}}));
  }
  for (const auto& [name, level] : SortedEntries(state.features)) {
    if (*name == kMetadataVersionFeature) continue;
    WEIR_RETURN_IF_ERROR(visit(FeatureLevelRecord{*name, *level, {}}));
  }
  return absl::OkStatus();
}

template <class Key, class Record>
absl::Status VisitKept(const ImageMap<Key, Kept<Record>>& map, RecordVisitor visit) {
  for (const auto& [key, kept] : SortedEntries(map)) WEIR_RETURN_IF_ERROR(visit(kept->record));
  return absl::OkStatus();
}

inline absl::Status VisitCluster(const MetadataState& state, RecordVisitor visit) {
  for (const auto& [id, broker] : SortedEntries(state.brokers)) {
    WEIR_RETURN_IF_ERROR(visit(RecordOf(*broker)));
  }
  return VisitKept(state.controllers, visit);
}

inline absl::Status VisitTopics(const MetadataState& state, RecordVisitor visit) {
  for (const auto& [name, id] : SortedEntries(state.topic_ids)) {
    WEIR_RETURN_IF_ERROR(visit(TopicRecord{*name, *id, {}}));
    for (const auto& [index, partition] : SortedEntries(state.topics.Find(*id)->partitions)) {
      WEIR_RETURN_IF_ERROR(visit(RecordOf(*id, *index, *partition)));
    }
  }
  return absl::OkStatus();
}

inline absl::Status VisitConfigs(const MetadataState& state, RecordVisitor visit) {
  for (const auto& [resource, configs] : SortedEntries(state.configs)) {
    for (const auto& [name, value] : *configs) {
      WEIR_RETURN_IF_ERROR(visit(
          ConfigRecord{static_cast<int8_t>(resource->type), resource->name, name, value, {}}));
    }
  }
  return absl::OkStatus();
}

}  // namespace metadata_internal

// Calls `visit` with each record until one is refused, and returns that refusal. Applied in this
// order to an empty state they make `state`.
inline absl::Status VisitRecordsOf(const MetadataState& state, RecordVisitor visit) {
  using metadata_internal::VisitKept;
  WEIR_RETURN_IF_ERROR(metadata_internal::VisitFeatures(state, visit));
  WEIR_RETURN_IF_ERROR(metadata_internal::VisitCluster(state, visit));
  WEIR_RETURN_IF_ERROR(metadata_internal::VisitTopics(state, visit));
  WEIR_RETURN_IF_ERROR(metadata_internal::VisitConfigs(state, visit));
  WEIR_RETURN_IF_ERROR(VisitKept(state.quotas, visit));
  if (state.next_producer_id != 0) {
    WEIR_RETURN_IF_ERROR(visit(ProducerIdsRecord{-1, -1, state.next_producer_id, {}}));
  }
  WEIR_RETURN_IF_ERROR(VisitKept(state.access_control_entries, visit));
  WEIR_RETURN_IF_ERROR(VisitKept(state.scram_credentials, visit));
  return VisitKept(state.delegation_tokens, visit);
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_IMAGE_RECORDS_H_
