// -----------------------------------------------------------------------------
// File: client/metadata_cache.h
// -----------------------------------------------------------------------------
// What the client knows of the cluster: its brokers, and the topics it asked for with their
// leaders. Built from Metadata responses and from the hints that brokers add to errors (KIP-951).
// Threading: one thread; pure.
// Errors: a topic that the broker answered with an error is kept with it.
#ifndef WEIR_CLIENT_METADATA_CACHE_H_
#define WEIR_CLIENT_METADATA_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "protocol/api/metadata.h"
#include "protocol/error_code.h"

namespace weir::client {

inline constexpr int32_t kNoNode = -1;

struct BrokerInfo {
  int32_t id = kNoNode;
  std::string host;
  int32_t port = 0;
  std::optional<std::string> rack;
};

struct PartitionInfo {
  int32_t leader = kNoNode;
  int32_t leader_epoch = -1;
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  std::vector<int32_t> replicas;
  std::vector<int32_t> isr;
  std::vector<int32_t> offline;
};

struct TopicInfo {
  Uuid id;  // zero when the broker is too old to have ids
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
  bool is_internal = false;
  std::vector<PartitionInfo> partitions;  // by index
};

class MetadataCache {
 public:
  // Topics that the response has replace what was known of them; brokers are replaced as a whole.
  void Update(const protocol::MetadataResponse& response) {
    brokers_.clear();
    for (const protocol::MetadataResponse::Broker& broker : response.brokers) {
      brokers_[broker.node_id] = {broker.node_id, broker.host, broker.port, broker.rack};
    }
    controller_id_ = response.controller_id;
    cluster_id_ = response.cluster_id.value_or("");
    for (const protocol::MetadataResponse::Topic& topic : response.topics) {
      if (topic.name.has_value()) UpdateTopic(topic);
    }
  }

  // `response` is of all topics: those that it lacks do not exist any more.
  void ForgetOthers(const protocol::MetadataResponse& response) {
    std::set<absl::string_view> present;
    for (const protocol::MetadataResponse::Topic& topic : response.topics) {
      if (topic.name.has_value()) present.insert(*topic.name);
    }
    std::vector<std::string> gone;
    for (const auto& [name, info] : topics_) {
      if (!present.contains(name)) gone.push_back(name);
    }
    for (const std::string& name : gone) Forget(name);
  }

  const TopicInfo* Find(absl::string_view topic) const {
    const auto it = topics_.find(topic);
    return it == topics_.end() ? nullptr : &it->second;
  }
  const PartitionInfo* Find(absl::string_view topic, int32_t partition) const {
    const TopicInfo* info = Find(topic);
    if (info == nullptr || partition < 0 ||
        static_cast<size_t>(partition) >= info->partitions.size()) {
      return nullptr;
    }
    return &info->partitions[static_cast<size_t>(partition)];
  }
  // kNoNode where it is unknown or there is none.
  int32_t LeaderOf(absl::string_view topic, int32_t partition) const {
    const PartitionInfo* info = Find(topic, partition);
    if (info == nullptr || !brokers_.contains(info->leader)) return kNoNode;
    return info->leader;
  }
  // The name of a topic that is known by this id, or empty.
  absl::string_view NameOf(const Uuid& id) const {
    const auto it = names_.find(id);
    return it == names_.end() ? absl::string_view() : absl::string_view(it->second);
  }

  // A broker said who leads now. Ignored when it is older news or an unknown node.
  void OnNewLeader(absl::string_view topic, int32_t partition, int32_t leader, int32_t epoch) {
    const auto it = topics_.find(topic);
    if (it == topics_.end() || Find(topic, partition) == nullptr) return;
    PartitionInfo& info = it->second.partitions[static_cast<size_t>(partition)];
    if (epoch <= info.leader_epoch || !brokers_.contains(leader)) return;
    info.leader = leader;
    info.leader_epoch = epoch;
  }

  void Forget(absl::string_view topic) {
    const auto it = topics_.find(topic);
    if (it == topics_.end()) return;
    names_.erase(it->second.id);
    topics_.erase(it);
  }

  const std::map<int32_t, BrokerInfo>& brokers() const { return brokers_; }
  const std::map<std::string, TopicInfo, std::less<>>& topics() const { return topics_; }
  int32_t controller_id() const { return controller_id_; }
  const std::string& cluster_id() const { return cluster_id_; }

 private:
  void UpdateTopic(const protocol::MetadataResponse::Topic& topic) {
    TopicInfo info;
    info.id = topic.topic_id;
    info.error = static_cast<protocol::ErrorCode>(topic.error_code);
    info.is_internal = topic.is_internal;
    for (const protocol::MetadataResponse::Partition& partition : topic.partitions) {
      if (partition.partition_index < 0 || partition.partition_index >= kPartitionsPerTopicMax) {
        continue;
      }
      const size_t index = static_cast<size_t>(partition.partition_index);
      if (index >= info.partitions.size()) info.partitions.resize(index + 1);
      info.partitions[index] = {
          partition.leader_id,
          partition.leader_epoch,
          static_cast<protocol::ErrorCode>(partition.error_code),
          {partition.replica_nodes.begin(), partition.replica_nodes.end()},
          {partition.isr_nodes.begin(), partition.isr_nodes.end()},
          {partition.offline_replicas.begin(), partition.offline_replicas.end()}};
    }
    const auto old = topics_.find(*topic.name);
    if (old != topics_.end()) {
      KeepNewerLeaders(old->second, &info);
      if (old->second.id != info.id) names_.erase(old->second.id);
    }
    if (!info.id.is_zero()) names_[info.id] = *topic.name;
    topics_[*topic.name] = std::move(info);
  }

  // A broker that lags may still answer with an older leader epoch (KIP-320).
  static void KeepNewerLeaders(const TopicInfo& old, TopicInfo* info) {
    if (old.id != info->id) return;
    for (size_t i = 0; i < info->partitions.size() && i < old.partitions.size(); ++i) {
      PartitionInfo& now = info->partitions[i];
      const PartitionInfo& before = old.partitions[i];
      if (now.leader_epoch < 0 || now.leader_epoch >= before.leader_epoch) continue;
      now.leader = before.leader;
      now.leader_epoch = before.leader_epoch;
    }
  }

  std::map<int32_t, BrokerInfo> brokers_;
  std::map<std::string, TopicInfo, std::less<>> topics_;
  absl::flat_hash_map<Uuid, std::string> names_;
  int32_t controller_id_ = kNoNode;
  std::string cluster_id_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_METADATA_CACHE_H_
