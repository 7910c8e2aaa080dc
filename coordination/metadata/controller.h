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
// On an empty log it first appends the bootstrap records, in a metadata transaction (KIP-868).
// Threading: single-threaded.
// Limits: kPartitionsPerRequestMax partitions created by one request.
#ifndef WEIR_COORDINATION_METADATA_CONTROLLER_H_
#define WEIR_COORDINATION_METADATA_CONTROLLER_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/config_planner.h"
#include "coordination/metadata/internal/feature_planner.h"
#include "coordination/metadata/internal/partition_planner.h"
#include "coordination/metadata/internal/placement.h"
#include "coordination/metadata/internal/refusal.h"
#include "coordination/metadata/internal/topic_planner.h"
#include "coordination/metadata/records.h"
#include "protocol/error_code.h"

namespace weir::metadata {

class Controller {
 public:
  // `random` makes topic ids and must outlive the controller.
  Controller(ControllerConfig config, Random& random)
      : config_(std::move(config)), random_(random) {}

  // Appends to *effects what is to be done, in order.
  void Step(ControllerEvent event, ControllerEffects* effects) {
    effects_ = effects;
    std::visit([this](auto& e) { Handle(e); }, event);
    effects_ = nullptr;
  }

  bool is_active() const { return active_; }
  LeaderEpoch epoch() const { return epoch_; }
  // The image with everything appended, committed or not; null before the first leadership.
  const MetadataImagePtr& pending_image() const { return pending_; }
  // Where the next record goes.
  Offset next_offset() const { return next_offset_; }

 private:
  static constexpr size_t kRecordsPerAppend = 10'000;  // of changes that need not be atomic

  // Appended and not committed yet.
  struct InFlight {
    AppendToken token;
    Offset base_offset;
    MetadataImagePtr before;
  };
  struct Deferred {
    Offset until;  // answered when this is committed
    Respond respond;
  };

  void Handle(LeadershipGained& e) {
    WEIR_CHECK(e.image != nullptr && e.next_offset > e.image->highest_offset);
    StandDown(protocol::ErrorCode::kNotController);
    active_ = true;
    epoch_ = e.epoch;
    next_offset_ = e.next_offset;
    committed_ = e.next_offset - 1;
    pending_ = std::move(e.image);
    std::vector<MetadataRecord> records;
    if (pending_->transaction.has_value()) {
      AbortTransactionRecord abort;
      abort.reason = "Controller failover";
      records.push_back(std::move(abort));
    }
    if (pending_->IsEmpty()) Bootstrap(&records);
    Append(std::move(records));
  }

  void Handle(LeadershipLost&) { StandDown(protocol::ErrorCode::kNotController); }

  void Handle(AppendFailed& e) {
    if (!active_) return;
    while (!in_flight_.empty() && in_flight_.back().token >= e.token) {
      next_offset_ = in_flight_.back().base_offset;
      pending_ = std::move(in_flight_.back().before);
      in_flight_.pop_back();
    }
    while (!deferred_.empty() && deferred_.back().until >= next_offset_) {
      RespondWithError(e.error, std::move(deferred_.back().respond));
      deferred_.pop_back();
    }
  }

  void Handle(Committed& e) {
    if (!active_) return;
    WEIR_CHECK(e.offset < next_offset_);
    committed_ = std::max(committed_, e.offset);
    while (!in_flight_.empty() && in_flight_.front().base_offset <= committed_) {
      in_flight_.pop_front();
    }
    while (!deferred_.empty() && deferred_.front().until <= committed_) {
      effects_->responses.push_back(std::move(deferred_.front().respond));
      deferred_.pop_front();
    }
  }

  void Handle(CreateTopics& e) {
    if (!active_) return Refuse(e.token, metadata_internal::RefusalOf(e.request));
    metadata_internal::TopicCreator creator(*pending_, config_, random_);
    std::vector<MetadataRecord> records;
    protocol::CreateTopicsResponse response =
        creator.Plan(e.request, /*check_configs=*/!e.is_internal, &records);
    Append(std::move(records));
    Answer(e.token, std::move(response));
  }

  void Handle(DeleteTopics& e) {
    if (!active_) return Refuse(e.token, metadata_internal::RefusalOf(e.request));
    metadata_internal::TopicDeleter deleter(*pending_, config_.delete_topic_enable);
    std::vector<MetadataRecord> records;
    protocol::DeleteTopicsResponse response = deleter.Plan(e.request, &records);
    Append(std::move(records));
    Answer(e.token, std::move(response));
  }

  void Handle(CreatePartitions& e) {
    if (!active_) return Refuse(e.token, metadata_internal::RefusalOf(e.request));
    metadata_internal::PartitionCreator creator(*pending_, random_);
    std::vector<MetadataRecord> records;
    protocol::CreatePartitionsResponse response = creator.Plan(e.request, &records);
    Append(std::move(records));
    Answer(e.token, std::move(response));
  }

  void Handle(AlterConfigs& e) {
    if (!active_) return Refuse(e.token, metadata_internal::RefusalOf(e));
    std::vector<MetadataRecord> records;
    ConfigsAltered response =
        metadata_internal::ConfigPlanner(*pending_, config_).Plan(e, &records);
    AppendInParts(std::move(records));
    Answer(e.token, std::move(response));
  }

  void Handle(UpdateFeatures& e) {
    if (!active_) return Refuse(e.token, FeaturesUpdated());
    std::vector<MetadataRecord> records;
    FeaturesUpdated response = metadata_internal::PlanFeatures(*pending_, e, &records);
    Append(std::move(records));
    Answer(e.token, std::move(response));
  }

  void Handle(AllocateProducerIds& e) {
    if (!active_) return Refuse(e.token, ProducerIdBlock());
    ProducerIdBlock block;
    block.error = CheckBroker(e.broker, e.broker_epoch);
    const int64_t first = pending_->next_producer_id;
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
    BrokerRegistered response;
    if (std::string fault = RegistrationFault(registration); !fault.empty()) {
      response.error = protocol::ErrorCode::kInvalidRegistration;
      response.message = std::move(fault);
      return Answer(e.token, std::move(response));
    }
    const BrokerId id(registration.broker_id);
    const BrokerImage* before = pending_->FindBroker(id);
    if (before != nullptr && before->incarnation_id == registration.incarnation_id) {
      response.broker_epoch = before->epoch;  // the answer to the first attempt was lost
      return Answer(e.token, std::move(response));
    }
    // What the previous incarnation led needs a new leader epoch, whoever leads it next.
    std::vector<MetadataRecord> changes;
    if (before != nullptr) metadata_internal::PlanBrokerLoss(*pending_, id, &changes);
    registration.broker_epoch = response.broker_epoch = next_offset_.value();
    registration.fenced = true;
    registration.in_controlled_shutdown = false;
    AppendOne(std::move(registration));
    AppendInParts(std::move(changes));
    Answer(e.token, std::move(response));
  }

  void Handle(SetBrokerFenced& e) {
    if (!active_) return Refuse(e.token, BrokerFencingSet());
    BrokerFencingSet response{CheckBroker(e.broker, e.broker_epoch)};
    if (response.error == protocol::ErrorCode::kNone &&
        pending_->FindBroker(e.broker)->fenced != e.fenced) {
      BrokerRegistrationChangeRecord change;
      change.broker_id = e.broker.value();
      change.broker_epoch = e.broker_epoch;
      change.fenced = e.fenced ? 1 : -1;
      AppendOne(std::move(change));
      std::vector<MetadataRecord> changes;
      if (e.fenced) {
        metadata_internal::PlanBrokerLoss(*pending_, e.broker, &changes);
      } else {
        metadata_internal::PlanBrokerReturn(*pending_, e.broker, &changes);
      }
      AppendInParts(std::move(changes));
    }
    Answer(e.token, response);
  }

  void Bootstrap(std::vector<MetadataRecord>* records) const {
    BeginTransactionRecord begin;
    begin.name = "Bootstrap records";
    records->push_back(std::move(begin));
    for (const MetadataRecord& record : config_.bootstrap_records) records->push_back(record);
    if (config_.bootstrap_records.empty()) {
      FeatureLevelRecord version;
      version.name = std::string(kMetadataVersionFeature);
      version.feature_level = kMetadataVersionNewest;
      records->push_back(std::move(version));
    }
    records->push_back(EndTransactionRecord());
  }

  // Empty when the registration is well formed and takes nothing that another broker has.
  std::string RegistrationFault(const RegisterBrokerRecord& r) const {
    if (r.broker_id < 0) return "expected a broker id of at least 0";
    if (r.incarnation_id.is_zero()) return "expected an incarnation id";
    if (r.end_points.empty()) return "expected at least one listener";
    if (r.log_dirs.empty()) return "expected at least one log directory";
    const std::set<Uuid> directories(r.log_dirs.begin(), r.log_dirs.end());
    if (directories.size() != r.log_dirs.size()) return "a log directory is named twice";
    std::string fault;
    pending_->brokers.ForEach([&](BrokerId id, const BrokerImage& broker) {
      if (id.value() == r.broker_id) return;
      for (const Uuid& directory : broker.directories) {
        if (directories.count(directory) != 0) fault = "another broker has the same log directory";
      }
    });
    return fault;
  }

  protocol::ErrorCode CheckBroker(BrokerId id, int64_t epoch) const {
    const BrokerImage* broker = pending_->FindBroker(id);
    if (broker == nullptr) return protocol::ErrorCode::kBrokerIdNotRegistered;
    if (broker->epoch != epoch) return protocol::ErrorCode::kStaleBrokerEpoch;
    return protocol::ErrorCode::kNone;
  }

  void AppendOne(MetadataRecord record) {
    std::vector<MetadataRecord> records;
    records.push_back(std::move(record));
    Append(std::move(records));
  }

  // One batch: all of it takes effect, or nothing.
  void Append(std::vector<MetadataRecord> records) {
    if (records.empty()) return;
    absl::StatusOr<MetadataImagePtr> next = Apply(*pending_, records, next_offset_, epoch_);
    WEIR_CHECK(next.ok());  // records planned from this image never contradict it
    in_flight_.push_back({next_token_, next_offset_, std::move(pending_)});
    pending_ = *std::move(next);
    const auto count = static_cast<int64_t>(records.size());
    effects_->appends.push_back(
        {next_token_++, next_offset_, epoch_, std::move(records), pending_});
    next_offset_ += count;
  }

  void AppendInParts(std::vector<MetadataRecord> records) {
    for (size_t from = 0; from < records.size(); from += kRecordsPerAppend) {
      const size_t to = std::min(records.size(), from + kRecordsPerAppend);
      Append({std::make_move_iterator(records.begin() + static_cast<int64_t>(from)),
              std::make_move_iterator(records.begin() + static_cast<int64_t>(to))});
    }
  }

  // Answers once all that the pending image says is committed.
  void Answer(RequestToken token, ControllerResponse response) {
    Respond respond{token, std::move(response)};
    if (next_offset_ - 1 <= committed_) {
      effects_->responses.push_back(std::move(respond));
    } else {
      deferred_.push_back({next_offset_ - 1, std::move(respond)});
    }
  }

  void Refuse(RequestToken token, ControllerResponse response) {
    metadata_internal::SetError(protocol::ErrorCode::kNotController, &response);
    effects_->responses.push_back({token, std::move(response)});
  }

  void StandDown(protocol::ErrorCode error) {
    active_ = false;
    in_flight_.clear();
    for (Deferred& deferred : deferred_) RespondWithError(error, std::move(deferred.respond));
    deferred_.clear();
  }

  void RespondWithError(protocol::ErrorCode error, Respond respond) {
    metadata_internal::SetError(error, &respond.response);
    effects_->responses.push_back(std::move(respond));
  }

  const ControllerConfig config_;
  Random& random_;
  ControllerEffects* effects_ = nullptr;  // of the Step under way
  bool active_ = false;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  Offset next_offset_;
  Offset committed_ = kNoOffset;
  AppendToken next_token_ = 1;
  MetadataImagePtr pending_;
  std::deque<InFlight> in_flight_;  // ascending
  std::deque<Deferred> deferred_;   // ascending `until`
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_CONTROLLER_H_
