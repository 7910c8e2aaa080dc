// -----------------------------------------------------------------------------
// File: coordination/metadata/apply.h
// -----------------------------------------------------------------------------
// Records of the cluster metadata log, applied to an image: the next image.
// Cost: what the records change, whatever the size of the image (persistent_map.h).
// Errors: kDataLoss when a record contradicts the image (a partition of an unknown topic, a topic
// that exists already, ...): either the log is damaged or the image is not the one before these
// records. The message has the offset. kUnimplemented for a metadata.version above this release's.
#ifndef WEIR_COORDINATION_METADATA_APPLY_H_
#define WEIR_COORDINATION_METADATA_APPLY_H_

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/partition_apply.h"
#include "coordination/metadata/internal/partition_indexes.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/message.h"

namespace weir::metadata {

namespace metadata_internal {

// Finds a quota in MetadataState: all but what may differ between setting and removing.
inline std::string QuotaKey(ClientQuotaRecord r) {
  Sort(r.entity, [](const auto& a, const auto& b) { return a.entity_type < b.entity_type; });
  r.value = 0;
  r.remove = false;
  std::string key;
  protocol::Encode(r, ClientQuotaRecord::kRecord.versions.max, &key);
  return key;
}

// Applies records one by one to a state that nobody else sees yet.
class StateApplier {
 public:
  explicit StateApplier(MetadataState* state) : state_(*state) {}

  absl::Status operator()(const TopicRecord& r) {
    WEIR_RETURN_IF_ERROR(ValidateTopicName(r.name));
    if (state_.topic_ids.Contains(r.name)) {
      return Contradiction("topic ", r.name, " exists already");
    }
    if (r.topic_id.is_zero() || state_.topics.Contains(r.topic_id)) {
      return Contradiction("topic id ", r.topic_id.ToString(), " of topic ", r.name,
                           " is taken or zero");
    }
    state_.topics.Set(r.topic_id, TopicImage{r.name, r.topic_id, {}});
    state_.topic_ids.Set(r.name, r.topic_id);
    const std::string key = CollisionKey(r.name);
    if (auto* names = state_.names_by_collision_key.Mutable(key); names != nullptr) {
      // Sorted: the order in which topics came must not show in the state.
      names->insert(std::lower_bound(names->begin(), names->end(), r.name), r.name);
    } else {
      state_.names_by_collision_key.Set(key, {r.name});
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const RemoveTopicRecord& r) {
    const TopicImage* topic = state_.topics.Find(r.topic_id);
    if (topic == nullptr) return UnknownTopic(r.topic_id);
    const std::string name = topic->name;
    const std::string key = CollisionKey(name);
    std::vector<std::string>* names = state_.names_by_collision_key.Mutable(key);
    std::erase(*names, name);
    if (names->empty()) state_.names_by_collision_key.Erase(key);
    state_.configs.Erase(ConfigResource{ConfigResourceType::kTopic, name});
    state_.topic_ids.Erase(name);
    ForgetPartitions(*topic, &state_);
    state_.topics.Erase(r.topic_id);
    return absl::OkStatus();
  }

  absl::Status operator()(const PartitionRecord& r) {
    TopicImage* topic = state_.topics.Mutable(r.topic_id);
    if (topic == nullptr) return UnknownTopic(r.topic_id);
    WEIR_ASSIGN_OR_RETURN(PartitionImage partition, PartitionFromRecord(r));
    const PartitionIndex index(r.partition_id);
    const PartitionImage* before = topic->Find(index);
    if (before != nullptr && before->partition_epoch > partition.partition_epoch) {
      return Contradiction("partition ", topic->name, "-", r.partition_id, " goes back from epoch ",
                           before->partition_epoch, " to ", partition.partition_epoch);
    }
    const IndexedPartition was = before == nullptr ? IndexedPartition() : IndexedPartition(*before);
    const IndexedPartition is(partition);
    topic->partitions.Set(index, std::move(partition));
    UpdateIndexes({r.topic_id, index}, was, is, &state_);
    return absl::OkStatus();
  }

  absl::Status operator()(const PartitionChangeRecord& r) {
    TopicImage* topic = state_.topics.Mutable(r.topic_id);
    if (topic == nullptr) return UnknownTopic(r.topic_id);
    PartitionImage* partition = topic->partitions.Mutable(PartitionIndex(r.partition_id));
    if (partition == nullptr) {
      return Contradiction("topic ", topic->name, " has no partition ", r.partition_id);
    }
    const IndexedPartition was(*partition);
    WEIR_RETURN_IF_ERROR(ApplyPartitionChange(r, partition));
    const IndexedPartition is(*partition);
    UpdateIndexes({r.topic_id, PartitionIndex(r.partition_id)}, was, is, &state_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ClearElrRecord& r) {
    if (!r.topic_name.empty()) {
      const Uuid* id = state_.topic_ids.Find(r.topic_name);
      if (id == nullptr) return Contradiction("there is no topic ", r.topic_name);
      ClearElr(*id);
      return absl::OkStatus();
    }
    std::vector<Uuid> ids;
    state_.topics.ForEach([&](const Uuid& id, const TopicImage&) { ids.push_back(id); });
    for (const Uuid& id : ids) ClearElr(id);
    return absl::OkStatus();
  }

  absl::Status operator()(const ConfigRecord& r) {
    ConfigResource resource{static_cast<ConfigResourceType>(r.resource_type), r.resource_name};
    ConfigMap* configs = state_.configs.Mutable(resource);
    if (r.value.has_value()) {
      if (configs == nullptr) {
        state_.configs.Set(std::move(resource), ConfigMap{{r.name, *r.value}});
      } else {
        (*configs)[r.name] = *r.value;
      }
    } else if (configs != nullptr) {
      configs->erase(r.name);
      if (configs->empty()) state_.configs.Erase(resource);
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const RegisterBrokerRecord& r) {
    const BrokerId id(r.broker_id);
    const BrokerImage* before = state_.FindBroker(id);
    if (r.broker_id < 0 || (before != nullptr && r.broker_epoch < before->epoch)) {
      return Contradiction("broker ", r.broker_id, " registers with epoch ", r.broker_epoch,
                           ", it had ", before == nullptr ? -1 : before->epoch);
    }
    state_.brokers.Set(id, BrokerFromRecord(r));
    return absl::OkStatus();
  }
  absl::Status operator()(const UnregisterBrokerRecord& r) {
    WEIR_RETURN_IF_ERROR(RegisteredBroker(r.broker_id, r.broker_epoch).status());
    state_.brokers.Erase(BrokerId(r.broker_id));
    return absl::OkStatus();
  }
  absl::Status operator()(const FenceBrokerRecord& r) {
    WEIR_ASSIGN_OR_RETURN(BrokerImage * broker, RegisteredBroker(r.id, r.epoch));
    broker->fenced = true;
    return absl::OkStatus();
  }
  absl::Status operator()(const UnfenceBrokerRecord& r) {
    WEIR_ASSIGN_OR_RETURN(BrokerImage * broker, RegisteredBroker(r.id, r.epoch));
    broker->fenced = false;
    return absl::OkStatus();
  }
  absl::Status operator()(const BrokerRegistrationChangeRecord& r) {
    WEIR_ASSIGN_OR_RETURN(BrokerImage * broker, RegisteredBroker(r.broker_id, r.broker_epoch));
    if (r.fenced != 0) broker->fenced = r.fenced > 0;
    if (r.in_controlled_shutdown != 0) {
      broker->in_controlled_shutdown = r.in_controlled_shutdown > 0;
    }
    if (!r.log_dirs.empty()) broker->directories = r.log_dirs;
    return absl::OkStatus();
  }
  absl::Status operator()(const RegisterControllerRecord& r) {
    state_.controllers.Set(BrokerId(r.controller_id), {r});
    return absl::OkStatus();
  }

  absl::Status operator()(const FeatureLevelRecord& r) {
    if (r.name == kMetadataVersionFeature && r.feature_level > kMetadataVersionNewest) {
      return absl::UnimplementedError(absl::StrCat(
          "expected metadata.version up to ", kMetadataVersionNewest, ", came ", r.feature_level));
    }
    if (r.feature_level == 0) {
      state_.features.Erase(r.name);
    } else {
      state_.features.Set(r.name, r.feature_level);
    }
    return absl::OkStatus();
  }

  absl::Status operator()(const ProducerIdsRecord& r) {
    if (r.next_producer_id < state_.next_producer_id) {
      return Contradiction("the next producer id goes back from ", state_.next_producer_id, " to ",
                           r.next_producer_id);
    }
    state_.next_producer_id = r.next_producer_id;
    return absl::OkStatus();
  }

  absl::Status operator()(const ClientQuotaRecord& r) {
    return SetOrErase(&state_.quotas, QuotaKey(r), r, r.remove);
  }
  absl::Status operator()(const UserScramCredentialRecord& r) {
    return SetOrErase(&state_.scram_credentials, absl::StrCat(r.mechanism, ":", r.name), r, false);
  }
  absl::Status operator()(const RemoveUserScramCredentialRecord& r) {
    state_.scram_credentials.Erase(absl::StrCat(r.mechanism, ":", r.name));
    return absl::OkStatus();
  }
  absl::Status operator()(const DelegationTokenRecord& r) {
    return SetOrErase(&state_.delegation_tokens, r.token_id, r, false);
  }
  absl::Status operator()(const RemoveDelegationTokenRecord& r) {
    state_.delegation_tokens.Erase(r.token_id);
    return absl::OkStatus();
  }
  absl::Status operator()(const AccessControlEntryRecord& r) {
    return SetOrErase(&state_.access_control_entries, r.id, r, false);
  }
  absl::Status operator()(const RemoveAccessControlEntryRecord& r) {
    if (state_.access_control_entries.Erase(r.id)) return absl::OkStatus();
    return Contradiction("there is no access control entry ", r.id.ToString());
  }

  absl::Status operator()(const NoOpRecord&) { return absl::OkStatus(); }
  absl::Status operator()(const ZkMigrationStateRecord&) { return absl::OkStatus(); }
  // The image's business: see ApplyOne.
  absl::Status operator()(const BeginTransactionRecord&) { return absl::OkStatus(); }
  absl::Status operator()(const EndTransactionRecord&) { return absl::OkStatus(); }
  absl::Status operator()(const AbortTransactionRecord&) { return absl::OkStatus(); }

 private:
  static absl::Status UnknownTopic(const Uuid& id) {
    return Contradiction("there is no topic with id ", id.ToString());
  }

  absl::StatusOr<BrokerImage*> RegisteredBroker(int32_t id, int64_t epoch) {
    BrokerImage* broker = state_.brokers.Mutable(BrokerId(id));
    if (broker == nullptr) return Contradiction("broker ", id, " is not registered");
    if (broker->epoch != epoch) {
      return Contradiction("expected epoch ", broker->epoch, " of broker ", id, ", came ", epoch);
    }
    return broker;
  }

  void ClearElr(const Uuid& id) {
    std::vector<PartitionIndex> with_elr;
    state_.topics.Find(id)->partitions.ForEach([&](PartitionIndex index, const PartitionImage& p) {
      if (!p.eligible_leader_replicas.empty() || !p.last_known_elr.empty()) {
        with_elr.push_back(index);
      }
    });
    for (const PartitionIndex index : with_elr) {
      PartitionImage* partition = state_.topics.Mutable(id)->partitions.Mutable(index);
      partition->eligible_leader_replicas.clear();
      partition->last_known_elr.clear();
      ++partition->partition_epoch;
    }
  }

  template <class Key, class Record>
  static absl::Status SetOrErase(ImageMap<Key, Kept<Record>>* map, Key key, const Record& record,
                                 bool erase) {
    if (erase) {
      map->Erase(key);
    } else {
      map->Set(std::move(key), {record});
    }
    return absl::OkStatus();
  }

  MetadataState& state_;
};

inline absl::Status ApplyOne(const MetadataRecord& record, Offset offset, MetadataImage* image) {
  if (const auto* begin = std::get_if<BeginTransactionRecord>(&record)) {
    if (image->transaction.has_value()) {
      return Contradiction("a transaction begins inside the one that began at offset ",
                           image->transaction->begin.value());
    }
    image->transaction.emplace(
        MetadataImage::Transaction{offset, begin->name.value_or(std::string()), *image});
    return absl::OkStatus();
  }
  const bool ends = std::holds_alternative<EndTransactionRecord>(record);
  if (ends || std::holds_alternative<AbortTransactionRecord>(record)) {
    if (!image->transaction.has_value()) return Contradiction("no transaction is open");
    if (ends) static_cast<MetadataState&>(*image) = std::move(image->transaction->state);
    image->transaction.reset();
    return absl::OkStatus();
  }
  StateApplier applier(image->transaction.has_value() ? &image->transaction->state : image);
  return std::visit(applier, record);
}

// To an image that nobody else sees yet, up to the first record that does not apply.
inline absl::Status ApplyAll(absl::Span<const MetadataRecord> records, Offset base_offset,
                             MetadataImage* image) {
  for (size_t i = 0; i < records.size(); ++i) {
    const Offset offset = base_offset + static_cast<int64_t>(i);
    const absl::Status status = ApplyOne(records[i], offset, image);
    if (status.ok()) continue;
    return absl::Status(
        absl::IsUnimplemented(status) ? status.code() : absl::StatusCode::kDataLoss,
        absl::StrCat("cluster metadata at offset ", offset.value(), ": ", status.message()));
  }
  return absl::OkStatus();
}

}  // namespace metadata_internal

// The image after `records`, which stand at base_offset and the offsets that follow and belong to
// `epoch`. All of them apply, or none and the error says which one could not.
inline absl::StatusOr<MetadataImagePtr> Apply(const MetadataImage& image,
                                              absl::Span<const MetadataRecord> records,
                                              Offset base_offset, LeaderEpoch epoch) {
  auto next = std::make_shared<MetadataImage>(image);
  WEIR_RETURN_IF_ERROR(metadata_internal::ApplyAll(records, base_offset, next.get()));
  next->highest_offset = base_offset + (static_cast<int64_t>(records.size()) - 1);
  next->highest_epoch = epoch;
  return MetadataImagePtr(std::move(next));
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_APPLY_H_
