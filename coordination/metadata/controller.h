// -----------------------------------------------------------------------------
// File: coordination/metadata/controller.h
// -----------------------------------------------------------------------------
// The active controller: turns requests into records of the cluster metadata log. A pure state
// machine: Step(event) -> effects. It checks each request against the image *with* the records that
// are appended but not committed yet, and answers only once everything that the answer rests on is
// committed; so no client sees what a failover could take back.
//
// While it does not lead, requests are answered NOT_CONTROLLER. When an append fails, what waits
// for it is answered so, and the controller goes on from the image before it.
// On an empty log it first appends the bootstrap records, in a metadata transaction (KIP-868); when
// there was no room for them, again before anything else.
//
// Brokers register, send heartbeats and are fenced when those stay out; their leaderships go to
// replicas in sync, or wait (KIP-631, KIP-841, KIP-966; internal/elections.h).
// Threading: single-threaded.
// Limits: kPartitionsPerRequestMax partitions created by one request.
#ifndef WEIR_COORDINATION_METADATA_CONTROLLER_H_
#define WEIR_COORDINATION_METADATA_CONTROLLER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/acl_planner.h"
#include "coordination/metadata/internal/bounded_messages.h"
#include "coordination/metadata/internal/broker_sessions.h"
#include "coordination/metadata/internal/config_planner.h"
#include "coordination/metadata/internal/election_configs.h"
#include "coordination/metadata/internal/elections.h"
#include "coordination/metadata/internal/feature_planner.h"
#include "coordination/metadata/internal/first_records.h"
#include "coordination/metadata/internal/isr_changes.h"
#include "coordination/metadata/internal/partition_planner.h"
#include "coordination/metadata/internal/pending_log.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/internal/quota_planner.h"
#include "coordination/metadata/internal/reassignment_planner.h"
#include "coordination/metadata/internal/refusal.h"
#include "coordination/metadata/internal/registrations.h"
#include "coordination/metadata/internal/scram_planner.h"
#include "coordination/metadata/internal/topic_planner.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata {

class Controller {
 public:
  // `random` makes topic ids and must outlive the controller.
  Controller(ControllerConfig config, Random& random)
      : config_(std::move(config)), random_(random), sessions_(config_.broker_session_timeout_ms) {}

  // Appends to *effects what is to be done, in order. `now` never goes back.
  void Step(MonotonicNs now, ControllerEvent event, ControllerEffects* effects) {
    now_ = now;
    effects_ = effects;
    if (IsUnprepared() &&
        !IsAny<LeadershipGained, LeadershipLost, AppendFailed, Committed, LogAdvanced>(event))
      Prepare();
    std::visit([this](auto& e) { Handle(e); }, event);
    ScheduleElections();
    effects_ = nullptr;
  }

  // When a Tick is due: a broker's session ends, leaders can be improved, or there was no room for
  // the first records of the epoch. Nothing while this node does not lead.
  std::optional<MonotonicNs> NextDeadline() const {
    if (!active_) return std::nullopt;
    if (IsUnprepared()) return now_;
    const std::optional<MonotonicNs> session = sessions_.NextDeadline(image());
    if (!elections_at_.has_value()) return session;
    return std::min(session.value_or(*elections_at_), *elections_at_);
  }

  bool is_active() const { return active_; }
  // Whether the broker has sent a heartbeat since this node leads.
  bool HasHeardOf(BrokerId broker) const { return sessions_.MetadataOffset(broker) != kNoOffset; }
  LeaderEpoch epoch() const { return log_.epoch(); }
  // The image with everything appended, committed or not; null before the first leadership.
  const MetadataImagePtr& pending_image() const { return log_.image(); }
  // Where the next record goes.
  Offset next_offset() const { return log_.next_offset(); }

 private:
  using Records = std::vector<MetadataRecord>;

  static constexpr size_t kElectionsPerCheck = 1000;  // as Kafka's controller

  void Handle(LeadershipGained& e) {
    StandDown(protocol::ErrorCode::kNotController);
    active_ = true;
    log_.Begin(e);
    sessions_.Restart(image(), now_, log_.next_offset() - 1);
    if (IsUnprepared()) Prepare();
    // What the controller before began when a broker came back, it may not have finished.
    ElectLeaderless();
  }

  void Handle(LeadershipLost&) { StandDown(protocol::ErrorCode::kNotController); }

  void Handle(AppendFailed& e) {
    if (active_) log_.TakeBack(e, effects_);
  }

  void Handle(Committed& e) {
    if (active_) log_.Commit(e.offset, effects_);
  }

  void Handle(LogAdvanced& e) {
    if (active_) log_.Advance(e.next_offset);
  }

  void Handle(Tick&) {
    if (!active_) return;
    // One by one: the next is fenced with the leaders that are left.
    for (const BrokerId broker : sessions_.Expired(image(), now_)) Fence(broker);
    if (!elections_at_.has_value() || now_ < *elections_at_) return;
    elections_at_.reset();
    size_t elected = ElectLeaderless();
    if (config_.auto_leader_rebalance_enable && elected < kElectionsPerCheck) {
      Records records;
      Elections().PlanPreferred(kElectionsPerCheck - elected, &records);
      elected += records.size();
      Append(std::move(records));
    }
    if (elected >= kElectionsPerCheck) elections_at_ = now_;  // there may be more
  }

  void Handle(CreateTopics& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::TopicCreator(image(), config_, random_)
          .Plan(e.request, /*check_configs=*/!e.is_internal, records);
    });
  }
  void Handle(DeleteTopics& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::TopicDeleter(image(), config_.delete_topic_enable)
          .Plan(e.request, records);
    });
  }
  void Handle(CreatePartitions& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::PartitionCreator(image(), random_).Plan(e.request, records);
    });
  }
  void Handle(ElectLeaders& e) {
    Serve(e, [&](Records* records) { return Elections().Plan(e.request, records); });
  }
  void Handle(AlterPartitionReassignments& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::ReassignmentPlanner(image(), config_).Plan(e.request, records);
    });
  }
  void Handle(AlterClientQuotas& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::QuotaPlanner(image()).Plan(e.request, records);
    });
  }
  void Handle(AlterUserScramCredentials& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::ScramPlanner(image(), config_).Plan(e.request, records);
    });
  }
  void Handle(CreateAcls& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::AclPlanner(image()).Create(e.request, random_, records);
    });
  }
  void Handle(DeleteAcls& e) {
    Serve(e, [&](Records* records) {
      return metadata_internal::AclPlanner(image()).Delete(e.request, records);
    });
  }

  void Handle(AlterConfigs& e) {
    if (!active_) return Refuse(e.token, metadata_internal::RefusalOf(e));
    std::vector<MetadataRecord> records;
    ConfigsAltered response = metadata_internal::ConfigPlanner(image(), config_).Plan(e, &records);
    const metadata_internal::ElectionConfigs elections(records);
    if (elections.min_insync_replicas) {
      // Before the settings: a replica must not stay eligible where fewer are waited for.
      AppendInParts(elections.PlanEligible(image(), config_));
    }
    AppendInParts(std::move(records));
    if (elections.unclean_election) ElectLeaderless();
    Answer(e.token, std::move(response));
  }

  void Handle(UpdateFeatures& e) {
    if (!active_) return Refuse(e.token, FeaturesUpdated());
    std::vector<MetadataRecord> records;
    FeaturesUpdated response = metadata_internal::PlanFeatures(image(), e, &records);
    Append(std::move(records));
    Answer(e.token, std::move(response));
  }

  void Handle(AllocateProducerIds& e) {
    if (!active_) return Refuse(e.token, ProducerIdBlock());
    ProducerIdBlock block;
    block.error = CheckBroker(e.broker, e.broker_epoch);
    const int64_t first = image().next_producer_id;
    if (block.error == protocol::ErrorCode::kNone &&
        first > std::numeric_limits<int64_t>::max() - kProducerIdBlockSize) {
      block.error = protocol::ErrorCode::kUnknownServerError;  // all ids are used up
    }
    if (block.error == protocol::ErrorCode::kNone) {
      block.first_id = first;
      block.count = kProducerIdBlockSize;
      ProducerIdsRecord record;
      record.broker_id = e.broker.value();
      record.broker_epoch = e.broker_epoch;
      record.next_producer_id = first + kProducerIdBlockSize;
      AppendOne(std::move(record));
    }
    Answer(e.token, block);
  }

  void Handle(RegisterBroker& e) {
    if (!active_) return Refuse(e.token, BrokerRegistered());
    RegisterBrokerRecord& registration = e.registration;
    const BrokerId id(registration.broker_id);
    BrokerRegistered response;
    metadata_internal::PlanError fault =
        metadata_internal::CheckRegistration(image(), config_, e, sessions_.IsAlive(id, now_));
    if (!fault.ok()) return Answer(e.token, BrokerRegistered{fault.code, std::move(fault.message)});
    const BrokerImage* before = image().FindBroker(id);
    if (before != nullptr && before->incarnation_id == registration.incarnation_id) {
      response.broker_epoch = before->epoch;  // the answer to the first attempt was lost
      return Answer(e.token, std::move(response));
    }
    // What the previous incarnation led needs a new leader epoch, whoever leads it next. If this
    // node fails in between, the broker only registers again.
    Records changes;
    const bool complete = before != nullptr && e.previous_broker_epoch == before->epoch;
    Elections().PlanRestart(id, registration.log_dirs, complete, &changes);
    AppendInParts(std::move(changes));
    registration.broker_epoch = response.broker_epoch = log_.next_offset().value();
    registration.fenced = true;
    registration.in_controlled_shutdown = false;
    AppendOne(std::move(registration));
    sessions_.Register(id, now_);
    Answer(e.token, std::move(response));
  }

  void Handle(BrokerHeartbeat& e) {
    if (!active_) return Refuse(e.token, BrokerHeartbeatReply());
    BrokerHeartbeatReply reply;
    reply.error = CheckBroker(e.broker, e.broker_epoch);
    if (reply.error != protocol::ErrorCode::kNone) return Answer(e.token, reply);
    sessions_.Touch(e.broker, now_, e.metadata_offset);
    const bool can_serve = LoseDirectories(e);
    reply.is_caught_up = e.metadata_offset >= Offset(e.broker_epoch);
    const BrokerImage broker = *image().FindBroker(e.broker);
    if (broker.fenced) {
      reply.should_shut_down = e.want_shut_down;
      // Who was shutting down comes back only with a new registration.
      const bool unfence =
          can_serve && !e.want_shut_down && !e.want_fence && !broker.in_controlled_shutdown;
      if (unfence && reply.is_caught_up) Unfence(e.broker);
    } else if (!can_serve || (e.want_fence && !broker.in_controlled_shutdown)) {
      reply.should_shut_down = e.want_shut_down;
      Fence(e.broker);
    } else if (broker.in_controlled_shutdown) {
      // It may lead again what a controller before this one did not come to move.
      reply.should_shut_down =
          !BeginShutdown(e.broker) && sessions_.OthersFollowed(image(), e.broker);
      if (reply.should_shut_down) Fence(e.broker);
    } else if (e.want_shut_down) {
      reply.should_shut_down = !BeginShutdown(e.broker);
      if (reply.should_shut_down) Fence(e.broker);
    }
    reply.is_fenced = image().FindBroker(e.broker)->fenced;
    Answer(e.token, reply);
  }

  void Handle(UnregisterBroker& e) {
    if (!active_) return Refuse(e.token, BrokerUnregistered());
    const BrokerImage* broker = image().FindBroker(e.broker);
    if (broker == nullptr) {
      return Answer(e.token, BrokerUnregistered{protocol::ErrorCode::kBrokerIdNotRegistered,
                                                "There is no broker with this id"});
    }
    UnregisterBrokerRecord record;
    record.broker_id = e.broker.value();
    record.broker_epoch = broker->epoch;
    MoveLeaders(e.broker);
    AppendOne(std::move(record));
    Answer(e.token, BrokerUnregistered());
  }

  void Handle(SetBrokerFenced& e) {
    if (!active_) return Refuse(e.token, BrokerFencingSet());
    BrokerFencingSet response{CheckBroker(e.broker, e.broker_epoch)};
    if (response.error == protocol::ErrorCode::kNone &&
        image().FindBroker(e.broker)->fenced != e.fenced) {
      e.fenced ? Fence(e.broker) : Unfence(e.broker);
    }
    Answer(e.token, response);
  }

  void Handle(BrokerLost& e) {
    if (!active_ || CheckBroker(e.broker, e.broker_epoch) != protocol::ErrorCode::kNone) return;
    if (!image().FindBroker(e.broker)->fenced) Fence(e.broker);
  }

  void Handle(AlterPartition& e) {
    if (!active_) return Refuse(e.token, PartitionsAltered());
    PartitionsAltered response{.error = CheckBroker(e.broker, e.broker_epoch), .results = {}};
    if (response.error == protocol::ErrorCode::kNone) {
      Records records;
      response = metadata_internal::IsrChanger(image(), config_).Plan(e, &records);
      AppendInParts(std::move(records));
    }
    Answer(e.token, std::move(response));
  }

  void Handle(AssignReplicasToDirs& e) {
    if (!active_) return Refuse(e.token, ReplicasAssigned());
    ReplicasAssigned response{.error = CheckBroker(e.broker, e.broker_epoch), .errors = {}};
    if (response.error == protocol::ErrorCode::kNone) {
      Records records;
      response.errors = Elections().PlanAssignments(e, &records);
      AppendInParts(std::move(records));
    }
    Answer(e.token, std::move(response));
  }

  // --- brokers ---------------------------------------------------------------------------------

  // First the leaders, then the broker: at no point does a fenced broker lead.
  void Fence(BrokerId broker) {
    MoveLeaders(broker);
    AppendOne(FencingOf(broker, 1));
  }

  void Unfence(BrokerId broker) {
    AppendOne(FencingOf(broker, -1));
    sessions_.Touch(broker, now_, sessions_.MetadataOffset(broker));
    Records changes;
    Elections().PlanReturn(broker, &changes);
    AppendInParts(std::move(changes));
  }

  BrokerRegistrationChangeRecord FencingOf(BrokerId broker, int8_t fenced) const {
    BrokerRegistrationChangeRecord change;
    change.broker_id = broker.value();
    change.broker_epoch = image().FindBroker(broker)->epoch;
    change.fenced = fenced;
    return change;
  }

  void MoveLeaders(BrokerId broker) {
    Records changes;
    Elections().PlanLoss(broker, &changes);
    AppendInParts(std::move(changes));
  }

  // False when the broker leads nothing, so that it may go at once.
  bool BeginShutdown(BrokerId broker) {
    if (!Elections().LeadsAny(broker)) return false;
    if (!image().FindBroker(broker)->in_controlled_shutdown) {
      BrokerRegistrationChangeRecord change = FencingOf(broker, 0);
      change.in_controlled_shutdown = 1;
      AppendOne(std::move(change));
    }
    MoveLeaders(broker);
    sessions_.BeginShutdown(broker, log_.next_offset() - 1);
    return true;
  }

  // False when the broker has none left: it can serve nothing.
  bool LoseDirectories(const BrokerHeartbeat& e) {
    std::vector<Uuid> lost, left;
    for (const Uuid& directory : image().FindBroker(e.broker)->directories) {
      const bool is_lost = HasDirectory(e.offline_log_dirs, directory);
      (is_lost ? lost : left).push_back(directory);
    }
    if (lost.empty()) return true;
    if (left.empty()) return false;
    // If this node fails in between, the next heartbeat says it again.
    Records changes;
    Elections().PlanDirectoryLoss(e.broker, left, &changes);
    AppendInParts(std::move(changes));
    BrokerRegistrationChangeRecord change = FencingOf(e.broker, 0);
    change.log_dirs = std::move(left);
    AppendOne(std::move(change));
    return true;
  }

  // The number of partitions that changed.
  size_t ElectLeaderless() {
    Records records;
    Elections().PlanLeaderless(kElectionsPerCheck, &records);
    const size_t count = records.size();
    Append(std::move(records));
    return count;
  }

  // The next look at leaders is an interval after there is something to improve.
  void ScheduleElections() {
    const bool wanted =
        active_ && (!image().leaderless.empty() ||
                    (config_.auto_leader_rebalance_enable && !image().unbalanced.empty()));
    if (!wanted) {
      elections_at_.reset();
    } else if (!elections_at_.has_value()) {
      elections_at_ = now_ + config_.leader_imbalance_check_interval_ms * kNsPerMs;
    }
  }

  metadata_internal::ElectionPlanner Elections() const { return {image(), config_}; }

  bool IsUnprepared() const {
    return active_ && metadata_internal::LacksFirstRecords(image(), config_);
  }
  void Prepare() {
    Append(metadata_internal::FirstRecords(image(), config_));
    Append(metadata_internal::MinimumRecords(image(), config_));
  }
  template <class... E>
  static bool IsAny(const ControllerEvent& event) {
    return (std::holds_alternative<E>(event) || ...);
  }

  protocol::ErrorCode CheckBroker(BrokerId id, int64_t epoch) const {
    const BrokerImage* broker = image().FindBroker(id);
    if (broker == nullptr) return protocol::ErrorCode::kBrokerIdNotRegistered;
    if (broker->epoch != epoch) return protocol::ErrorCode::kStaleBrokerEpoch;
    return protocol::ErrorCode::kNone;
  }

  // Plans one request of a client, in one batch or, where its parts stand alone, in several.
  template <class Event, class Plan>
  void Serve(Event& e, const Plan& plan) {
    if (!active_) return Refuse(e.token, metadata_internal::RefusalOf(e.request));
    Records records;
    auto response = plan(&records);
    constexpr bool kAtomic =
        !std::is_same_v<Event, ElectLeaders> && !std::is_same_v<Event, AlterPartitionReassignments>;
    kAtomic ? Append(std::move(records)) : AppendInParts(std::move(records));
    Answer(e.token, std::move(response));
  }

  const MetadataImage& image() const { return *log_.image(); }

  void AppendOne(MetadataRecord record) {
    Records records;
    records.push_back(std::move(record));
    Append(std::move(records));
  }
  void Append(Records records) { log_.Append(std::move(records), effects_); }
  void AppendInParts(Records records) { log_.AppendInParts(std::move(records), effects_); }

  // Answers once all that the pending image says is committed.
  void Answer(RequestToken token, ControllerResponse response) {
    metadata_internal::BoundMessages(&response);
    log_.Answer({token, std::move(response)}, effects_);
  }

  void Refuse(RequestToken token, ControllerResponse response) {
    metadata_internal::SetError(protocol::ErrorCode::kNotController, &response);
    effects_->responses.push_back({token, std::move(response)});
  }

  void StandDown(protocol::ErrorCode error) {
    active_ = false;
    elections_at_.reset();
    log_.End(error, effects_);
  }

  const ControllerConfig config_;
  Random& random_;
  MonotonicNs now_;                       // of the Step under way
  ControllerEffects* effects_ = nullptr;  // of the Step under way
  bool active_ = false;
  metadata_internal::PendingLog log_;
  metadata_internal::BrokerSessions sessions_;
  std::optional<MonotonicNs> elections_at_;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_CONTROLLER_H_
