// -----------------------------------------------------------------------------
// File: coordination/metadata/controller_harness.h
// -----------------------------------------------------------------------------
// For tests: a controller whose log is a list of records that commit at once, a clock that the test
// moves, and brokers that are a few calls.
#ifndef WEIR_COORDINATION_METADATA_CONTROLLER_HARNESS_H_
#define WEIR_COORDINATION_METADATA_CONTROLLER_HARNESS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "protocol/api/create_topics.h"
#include "protocol/error_code.h"

namespace weir::metadata {

inline RegisterBrokerRecord TestRegistration(int32_t id, uint64_t incarnation,
                                             std::vector<Uuid> directories = {}) {
  RegisterBrokerRecord r;
  r.broker_id = id;
  r.incarnation_id = {7, incarnation};
  MetadataEndpoint endpoint;
  endpoint.name = "PLAINTEXT";
  endpoint.host = "localhost";
  endpoint.port = 9092;
  r.end_points.push_back(endpoint);
  r.rack.reset();
  r.log_dirs = std::move(directories);
  if (r.log_dirs.empty()) r.log_dirs = {Uuid{100, static_cast<uint64_t>(id)}};
  return r;
}

inline std::vector<BrokerId> Ids(std::vector<int32_t> numbers) {
  std::vector<BrokerId> ids;
  for (const int32_t number : numbers) ids.push_back(BrokerId(number));
  return ids;
}

class ControllerHarness {
 public:
  explicit ControllerHarness(ControllerConfig config = {}, bool elr = false)
      : config_(std::move(config)) {
    const bool own_records = !config_.bootstrap_records.empty();
    WEIR_CHECK(!(own_records && elr));  // they say what is on
    for (const auto& [name, level] : {std::pair(kMetadataVersionFeature, kMetadataVersionNewest),
                                      std::pair(kElrFeature, int16_t{elr})}) {
      if (level == 0 || own_records) continue;
      FeatureLevelRecord record;
      record.name = std::string(name);
      record.feature_level = level;
      config_.bootstrap_records.push_back(std::move(record));
    }
    controller_.emplace(config_, random_);
    Give(LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()});
  }

  // Steps and commits what that appends.
  void Give(ControllerEvent event) {
    ControllerEffects effects;
    controller_->Step(now_, std::move(event), &effects);
    for (AppendRecords& append : effects.appends) {
      WEIR_CHECK(append.base_offset == Offset(1 + static_cast<int64_t>(log_.size())));
      for (MetadataRecord& record : append.records) log_.push_back(std::move(record));
    }
    controller_->Step(now_, Committed{controller_->next_offset() - 1}, &effects);
    for (Respond& respond : effects.responses) responses_.push_back(std::move(respond));
  }
  template <class Response, class Event>
  Response Ask(Event event) {
    responses_.clear();
    Give(std::move(event));
    WEIR_CHECK(responses_.size() == 1);
    return std::get<Response>(std::move(responses_.back().response));
  }

  // Another controller goes on from the log.
  void Failover() {
    absl::StatusOr<MetadataImagePtr> image = Apply(*EmptyImage(), log_, Offset(1), LeaderEpoch(1));
    WEIR_CHECK(image.ok());
    const LeaderEpoch epoch(controller_->epoch().value() + 1);
    controller_.emplace(config_, random_);
    log_.push_back(NoOpRecord());  // stands for the control record of the epoch
    Give(LeadershipGained{epoch, Offset(1 + static_cast<int64_t>(log_.size())), *image});
  }

  // A record that another release wrote.
  void Import(MetadataRecord record) {
    controller_->Step(now_, LeadershipLost(), &ignored_);
    log_.push_back(std::move(record));
    Failover();
  }

  void Advance(int64_t ms) { now_ = now_ + ms * kNsPerMs; }
  void AdvanceAndTick(int64_t ms) {
    Advance(ms);
    Give(Tick());
  }

  BrokerRegistered Register(RegisterBrokerRecord registration, int64_t previous_epoch = -1) {
    RegisterBroker event;
    event.registration = std::move(registration);
    event.previous_broker_epoch = previous_epoch;
    event.cluster_id = config_.cluster_id;
    return Ask<BrokerRegistered>(std::move(event));
  }
  BrokerHeartbeatReply Heartbeat(int32_t id, std::optional<Offset> offset = std::nullopt,
                                 bool want_fence = false, bool want_shut_down = false) {
    BrokerHeartbeat event;
    event.broker = BrokerId(id);
    event.broker_epoch = Epoch(id);
    event.metadata_offset = offset.value_or(controller_->next_offset() - 1);
    event.want_fence = want_fence;
    event.want_shut_down = want_shut_down;
    return Ask<BrokerHeartbeatReply>(event);
  }
  // Registers and unfences.
  void Join(int32_t id, std::optional<std::string> rack = std::nullopt) {
    RegisterBrokerRecord registration = TestRegistration(id, ++incarnation_);
    registration.rack = std::move(rack);
    WEIR_CHECK(Register(std::move(registration)).error == protocol::ErrorCode::kNone);
    WEIR_CHECK(!Heartbeat(id).is_fenced);
  }
  void JoinAll(int32_t brokers) {
    for (int32_t id = 1; id <= brokers; ++id) Join(id);
  }
  void Fence(int32_t id) {
    Ask<BrokerFencingSet>(SetBrokerFenced{0, BrokerId(id), Epoch(id), true});
  }
  void Unfence(int32_t id) {
    Ask<BrokerFencingSet>(SetBrokerFenced{0, BrokerId(id), Epoch(id), false});
  }

  protocol::CreateTopicsResponse::CreatableTopicResult Create(
      protocol::CreateTopicsRequest::CreatableTopic topic) {
    CreateTopics event;
    event.request.topics = {std::move(topic)};
    return Ask<protocol::CreateTopicsResponse>(std::move(event)).topics.at(0);
  }
  // A topic whose partitions have these replicas, with settings.
  void CreateOn(std::string name, std::vector<std::vector<int32_t>> replicas,
                std::map<std::string, std::string> configs = {}) {
    protocol::CreateTopicsRequest::CreatableTopic topic;
    topic.name = std::move(name);
    topic.num_partitions = -1;
    topic.replication_factor = -1;
    for (size_t i = 0; i < replicas.size(); ++i) {
      topic.assignments.push_back({static_cast<int32_t>(i), replicas[i]});
    }
    for (const auto& [key, value] : configs) topic.configs.push_back({key, value});
    WEIR_CHECK(Create(std::move(topic)).error_code == 0);
  }
  protocol::ErrorCode SetConfig(ConfigResourceType type, std::string resource, std::string name,
                                std::optional<std::string> value) {
    ConfigEdit edit{std::move(name), value.has_value() ? ConfigEdit::kSet : ConfigEdit::kDelete,
                    std::move(value)};
    AlterConfigs event;
    event.changes = {{static_cast<int8_t>(type), std::move(resource), {std::move(edit)}}};
    return Ask<ConfigsAltered>(std::move(event)).results.at(0).error;
  }

  // The leader asks for this ISR with the epochs that it and everybody know.
  AlterPartition IsrOf(const std::string& topic, int32_t index, std::vector<int32_t> isr) const {
    const PartitionImage& p = Partition(topic, index);
    AlterPartition event;
    event.broker = p.leader;
    event.broker_epoch = Epoch(p.leader.value());
    AlterPartition::Change change;
    change.partition = {image().FindTopic(topic)->id, PartitionIndex(index)};
    change.leader_epoch = p.leader_epoch;
    change.partition_epoch = p.partition_epoch;
    change.leader_recovery_state = 0;
    for (const int32_t id : isr) change.isr.push_back({BrokerId(id), Epoch(id)});
    event.changes = {std::move(change)};
    return event;
  }
  protocol::ErrorCode SetIsr(const std::string& topic, int32_t index, std::vector<int32_t> isr) {
    const auto response = Ask<PartitionsAltered>(IsrOf(topic, index, std::move(isr)));
    return response.error != protocol::ErrorCode::kNone ? response.error
                                                        : response.results.at(0).error;
  }

  const PartitionImage& Partition(const std::string& topic, int32_t index = 0) const {
    return *image().FindTopic(topic)->Find(PartitionIndex(index));
  }
  int64_t Epoch(int32_t id) const {
    const BrokerImage* broker = image().FindBroker(BrokerId(id));
    return broker == nullptr ? -1 : broker->epoch;
  }
  const MetadataImage& image() const { return *controller_->pending_image(); }
  Controller& controller() { return *controller_; }
  const std::vector<MetadataRecord>& log() const { return log_; }
  MonotonicNs now() const { return now_; }

 private:
  ControllerConfig config_;
  SeededRandom random_{1};
  std::optional<Controller> controller_;
  std::vector<MetadataRecord> log_;  // from offset 1 on
  std::vector<Respond> responses_;
  ControllerEffects ignored_;
  MonotonicNs now_{1'000'000'000};
  uint64_t incarnation_ = 0;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_CONTROLLER_HARNESS_H_
