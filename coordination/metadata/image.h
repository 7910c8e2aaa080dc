// -----------------------------------------------------------------------------
// File: coordination/metadata/image.h
// -----------------------------------------------------------------------------
// What the cluster metadata log says up to an offset: topics, partitions, brokers, configs and the
// rest, as an immutable value. Images share what they have in common (persistent_map.h), so that
// the next image costs what changed. apply.h makes images from records, image_delta.h compares two.
// Threading: an image is never changed once it is shared; any thread reads it.
#ifndef WEIR_COORDINATION_METADATA_IMAGE_H_
#define WEIR_COORDINATION_METADATA_IMAGE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/partition_set.h"
#include "coordination/metadata/persistent_map.h"
#include "coordination/metadata/records/cluster.h"
#include "coordination/metadata/records/security.h"
#include "protocol/message.h"

namespace weir::metadata {

// Directory ids with a meaning of their own (KIP-858).
inline constexpr Uuid kDirectoryMigrating{0, 0};
inline constexpr Uuid kDirectoryUnassigned{0, 1};
inline constexpr Uuid kDirectoryLost{0, 2};
inline bool IsReservedDirectory(const Uuid& id) { return id.high == 0 && id.low < 100; }
inline bool HasDirectory(const std::vector<Uuid>& directories, const Uuid& id) {
  return std::find(directories.begin(), directories.end(), id) != directories.end();
}

struct PartitionImage {
  std::vector<BrokerId> replicas;  // the first is the preferred leader
  std::vector<BrokerId> isr;
  std::vector<BrokerId> removing_replicas;
  std::vector<BrokerId> adding_replicas;
  std::vector<BrokerId> eligible_leader_replicas;  // KIP-966
  std::vector<BrokerId> last_known_elr;
  std::vector<Uuid> directories;  // one for each of `replicas`
  BrokerId leader = kNoBroker;    // kNoBroker while there is none
  LeaderEpoch leader_epoch;
  int32_t partition_epoch = 0;
  int8_t leader_recovery_state = 0;  // 1 after an unclean election until the leader has recovered

  // Whether another than `broker` has everything that was acknowledged, as far as is known.
  bool OthersCount(BrokerId broker) const {
    const auto is_other = [broker](BrokerId id) { return id != broker; };
    return std::any_of(isr.begin(), isr.end(), is_other) ||
           std::any_of(eligible_leader_replicas.begin(), eligible_leader_replicas.end(), is_other);
  }
  friend bool operator==(const PartitionImage&, const PartitionImage&) = default;
};

struct TopicImage {
  std::string name;
  Uuid id;
  PersistentMap<PartitionIndex, PartitionImage> partitions;

  // Null if the topic has no such partition. Indexes run from 0 to partition_count() - 1.
  const PartitionImage* Find(PartitionIndex index) const { return partitions.Find(index); }
  int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }

  friend bool operator==(const TopicImage&, const TopicImage&) = default;
};

struct EndpointImage {
  std::string listener;  // PLAINTEXT, ...
  std::string host;
  uint16_t port = 0;
  int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL

  friend bool operator==(const EndpointImage&, const EndpointImage&) = default;
};

struct FeatureRange {
  int16_t min = 0;
  int16_t max = 0;

  friend bool operator==(const FeatureRange&, const FeatureRange&) = default;
};

struct BrokerImage {
  BrokerId id;
  int64_t epoch = -1;  // offset of the registration
  Uuid incarnation_id;
  std::vector<EndpointImage> endpoints;
  std::map<std::string, FeatureRange> features;
  std::optional<std::string> rack;
  bool fenced = true;  // leads nothing, is in no ISR, is not shown to clients
  bool in_controlled_shutdown = false;
  std::vector<Uuid> directories;

  bool is_active() const { return !fenced && !in_controlled_shutdown; }
  // Whether a replica in this directory can be served (KIP-858). An older broker names none.
  bool HasOnline(const Uuid& directory) const {
    if (IsReservedDirectory(directory)) return directory != kDirectoryLost;
    return directories.empty() || HasDirectory(directories, directory);
  }
  // Null if the broker has no such listener.
  const EndpointImage* Endpoint(absl::string_view listener) const {
    for (const EndpointImage& endpoint : endpoints) {
      if (endpoint.listener == listener) return &endpoint;
    }
    return nullptr;
  }

  friend bool operator==(const BrokerImage&, const BrokerImage&) = default;
};

// Resource types of configs, as in the wire protocol.
enum class ConfigResourceType : int8_t {
  kTopic = 2,
  kBroker = 4,  // an empty name is the default of all brokers
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::kTopic;
  std::string name;

  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

using ConfigMap = std::map<std::string, std::string>;  // only what was set, no defaults

struct ImageHash : PersistentHash {
  using PersistentHash::operator();
  uint64_t operator()(const ConfigResource& resource) const {
    return (*this)(absl::string_view(resource.name)) + static_cast<uint8_t>(resource.type);
  }
};

// A record that later steps will give a form of its own.
template <class Record>
struct Kept {
  Record record;

  friend bool operator==(const Kept& a, const Kept& b) { return a.Bytes() == b.Bytes(); }

 private:
  std::string Bytes() const {
    std::string bytes;
    protocol::Encode(record, Record::kRecord.versions.max, &bytes);
    return bytes;
  }
};

template <class Key, class Value>
using ImageMap = PersistentMap<Key, Value, ImageHash>;

// Everything but the place in the log.
struct MetadataState {
  ImageMap<Uuid, TopicImage> topics;
  ImageMap<std::string, Uuid> topic_ids;                                   // by name
  ImageMap<std::string, std::vector<std::string>> names_by_collision_key;  // topic_name.h
  ImageMap<BrokerId, BrokerImage> brokers;
  ImageMap<BrokerId, Kept<RegisterControllerRecord>> controllers;
  ImageMap<ConfigResource, ConfigMap> configs;
  ImageMap<std::string, int16_t> features;  // finalized levels; absent means 0
  int64_t next_producer_id = 0;
  ImageMap<std::string, Kept<ClientQuotaRecord>> quotas;  // by entity and key, encoded
  ImageMap<std::string, Kept<UserScramCredentialRecord>> scram_credentials;  // mechanism, ':', user
  ImageMap<Uuid, Kept<AccessControlEntryRecord>> access_control_entries;
  ImageMap<std::string, Kept<DelegationTokenRecord>> delegation_tokens;  // by token id

  // These follow from `topics`, so that nobody needs to look at every partition.
  ImageMap<BrokerId, PartitionSet> partitions_of;  // where the broker is a replica
  PartitionSet leaderless;
  PartitionSet unbalanced;   // led, but not by the first replica
  PartitionSet reassigning;  // with replicas to add or to remove

  // Null if there is no such topic, partition or broker. Pointers live as long as the image.
  const TopicImage* FindTopic(const Uuid& id) const { return topics.Find(id); }
  const TopicImage* FindTopic(absl::string_view name) const {
    const Uuid* id = topic_ids.Find(name);
    return id == nullptr ? nullptr : topics.Find(*id);
  }
  const PartitionImage* FindPartition(const TopicPartition& tp) const {
    const TopicImage* topic = topics.Find(tp.topic_id);
    return topic == nullptr ? nullptr : topic->Find(tp.partition);
  }
  const BrokerImage* FindBroker(BrokerId id) const { return brokers.Find(id); }
  // Null where the broker is no replica of any partition.
  const PartitionSet* PartitionsOf(BrokerId id) const { return partitions_of.Find(id); }

  // Null where nothing is set: the defaults hold.
  const ConfigMap* FindConfigs(ConfigResourceType type, absl::string_view name) const {
    return configs.Find(ConfigResource{type, std::string(name)});
  }
  int16_t FeatureLevel(absl::string_view name) const {
    const int16_t* level = features.Find(name);
    return level == nullptr ? int16_t{0} : *level;
  }

  // Whether it is what an empty log says.
  bool IsEmpty() const {
    return topics.empty() && topic_ids.empty() && names_by_collision_key.empty() &&
           brokers.empty() && controllers.empty() && configs.empty() && features.empty() &&
           next_producer_id == 0 && quotas.empty() && scram_credentials.empty() &&
           access_control_entries.empty() && delegation_tokens.empty();
  }

  friend bool operator==(const MetadataState&, const MetadataState&) = default;
};

struct MetadataImage : MetadataState {
  // Changes of a metadata transaction that has not ended count only when it does (KIP-868).
  struct Transaction {
    Offset begin;
    std::string name;
    MetadataState state;

    friend bool operator==(const Transaction&, const Transaction&) = default;
  };

  Offset highest_offset = kNoOffset;  // of the last record that this image includes
  LeaderEpoch highest_epoch = kNoLeaderEpoch;
  std::optional<Transaction> transaction;

  friend bool operator==(const MetadataImage&, const MetadataImage&) = default;
};

using MetadataImagePtr = std::shared_ptr<const MetadataImage>;

// The image of an empty log.
inline MetadataImagePtr EmptyImage() { return std::make_shared<const MetadataImage>(); }

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_IMAGE_H_
