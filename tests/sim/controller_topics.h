// -----------------------------------------------------------------------------
// File: tests/sim/controller_topics.h
// -----------------------------------------------------------------------------
// What administrators do in the controller's simulator. Topics whose names end with u allow unclean
// elections.
#ifndef WEIR_TESTS_SIM_CONTROLLER_TOPICS_H_
#define WEIR_TESTS_SIM_CONTROLLER_TOPICS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "protocol/api/create_topics.h"
#include "tests/sim/controller_world.h"

namespace weir::sim {

inline void CreateTopic(const std::string& name, Random& random, ControllerHost* host) {
  metadata::CreateTopics event;
  protocol::CreateTopicsRequest::CreatableTopic topic;
  topic.name = name;
  topic.num_partitions = 1 + static_cast<int32_t>(random.Below(3));
  topic.replication_factor = static_cast<int16_t>(2 + random.Below(2));
  if (name.back() == 'u') topic.configs.push_back({"unclean.leader.election.enable", "true"});
  event.request.topics = {std::move(topic)};
  host->Send(std::move(event));
}

// To two or three brokers, or back.
inline void ReassignPartition(const std::string& name, int32_t index,
                              const std::map<BrokerId, SimBroker>& brokers, Random& random,
                              ControllerHost* host) {
  metadata::AlterPartitionReassignments event;
  std::optional<std::vector<int32_t>> target;
  if (!random.OneIn(4)) {
    std::vector<int32_t> ids;
    for (const auto& [id, broker] : brokers) ids.push_back(id.value());
    for (size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random.Below(i)]);
    ids.resize(2 + random.Below(2));
    target = std::move(ids);
  }
  event.request.topics.push_back({name, {{index, std::move(target)}}});
  host->Send(std::move(event));
}

// Somebody creates, deletes or moves a topic, asks for a leader, or takes a broker off.
inline void TurnTopics(const std::map<BrokerId, SimBroker>& brokers, Random& random,
                       ControllerHost* host) {
  const std::string name = absl::StrCat("t", random.Below(4), random.OneIn(3) ? "-u" : "-c");
  const metadata::TopicImage* topic = host->pending().FindTopic(name);
  if (topic == nullptr) return CreateTopic(name, random, host);
  const auto index =
      static_cast<int32_t>(random.Below(static_cast<uint64_t>(topic->partition_count())));
  switch (random.Below(12)) {
    case 0: {
      metadata::DeleteTopics event;
      event.request.topic_names = {name};
      return host->Send(std::move(event));
    }
    case 1:
    case 2: {
      metadata::ElectLeaders event;
      event.request.election_type = name.back() == 'u' && random.OneIn(2) ? 1 : 0;
      event.request.topic_partitions->push_back({name, {index}});
      return host->Send(std::move(event));
    }
    case 3: {
      auto it = brokers.begin();
      std::advance(it, random.Below(brokers.size()));
      if (!it->second.up) host->Send(metadata::UnregisterBroker{0, it->first});
      return;
    }
    default:
      return ReassignPartition(name, index, brokers, random, host);
  }
}

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CONTROLLER_TOPICS_H_
