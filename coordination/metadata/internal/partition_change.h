// -----------------------------------------------------------------------------
// File: coordination/metadata/internal/partition_change.h
// -----------------------------------------------------------------------------
// The record that brings one partition from what it is to what it is to become: it completes a
// reassignment whose new replicas are all in sync (KIP-455), keeps the eligible leader replicas
// (KIP-966), and elects a leader. Every change of a partition by the controller goes through here.
//
// With eligible leader replicas, a replica that leaves the ISR while that is below
// min.insync.replicas stays eligible: the high watermark stood still since, so it has all that was
// acknowledged. Without them the last member stays in the ISR for the same reason. Only a replica
// that may have lost records (`lost`) leaves both.
#ifndef WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_CHANGE_H_
#define WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_CHANGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/internal/partition_apply.h"
#include "coordination/metadata/internal/topic_rules.h"
#include "coordination/metadata/records.h"

namespace weir::metadata::metadata_internal {

using BrokerIdList = std::vector<BrokerId>;

inline bool Has(const BrokerIdList& ids, BrokerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}
inline bool HasAll(const BrokerIdList& ids, const BrokerIdList& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](BrokerId id) { return Has(ids, id); });
}
inline BrokerIdList Without(const BrokerIdList& ids, const BrokerIdList& removed) {
  BrokerIdList left;
  for (const BrokerId id : ids) {
    if (!Has(removed, id)) left.push_back(id);
  }
  return left;
}

inline bool IsActive(const MetadataState& image, BrokerId id) {
  const BrokerImage* broker = image.FindBroker(id);
  return broker != nullptr && broker->is_active();
}

// Where a broker puts a new replica, as far as the controller can tell.
inline Uuid DefaultDirectory(const std::vector<Uuid>& directories) {
  if (directories.empty()) return kDirectoryMigrating;  // it does not say where anything is
  return directories.size() == 1 ? directories[0] : kDirectoryUnassigned;
}
inline Uuid DefaultDirectory(const MetadataState& image, BrokerId id) {
  const BrokerImage* broker = image.FindBroker(id);
  return broker == nullptr ? kDirectoryUnassigned : DefaultDirectory(broker->directories);
}

class PartitionChange {
 public:
  enum class Election { kOnline, kPreferred, kUnclean };

  // All outlive the change.
  PartitionChange(const MetadataState& image, const TopicRules& rules, const TopicPartition& tp,
                  const PartitionImage& partition)
      : image_(image),
        rules_(rules),
        tp_(tp),
        before_(partition),
        election_(rules.unclean_election ? Election::kUnclean : Election::kOnline),
        replicas_(partition.replicas),
        isr_(partition.isr),
        adding_(partition.adding_replicas),
        removing_(partition.removing_replicas),
        elr_(partition.eligible_leader_replicas),
        last_known_(partition.last_known_elr),
        directories_(partition.directories),
        recovery_state_(partition.leader_recovery_state) {}

  // What is to become of it; what is not set stays.
  PartitionChange& Elect(Election election) {
    election_ = election;
    return *this;
  }
  PartitionChange& SetIsr(BrokerIdList isr) {
    isr_ = std::move(isr);
    return *this;
  }
  PartitionChange& SetRecoveryState(int8_t state) {
    recovery_state_ = state;
    return *this;
  }
  PartitionChange& SetReplicas(BrokerIdList replicas, BrokerIdList adding, BrokerIdList removing) {
    directories_ = DirectoriesFor(replicas);
    replicas_ = std::move(replicas);
    adding_ = std::move(adding);
    removing_ = std::move(removing);
    return *this;
  }
  PartitionChange& SetDirectory(BrokerId broker, const Uuid& directory) {
    for (size_t i = 0; i < replicas_.size(); ++i) {
      if (replicas_[i] == broker) directories_[i] = directory;
    }
    return *this;
  }
  // Cannot lead, although the image may say that it is active.
  PartitionChange& Exclude(BrokerId broker) {
    excluded_ = broker;
    return *this;
  }
  // May have lost what it acknowledged. With `all`, it has lost everything, so that not even the
  // last known leader may be elected for it.
  PartitionChange& Lost(BrokerId broker, bool all) {
    lost_ = broker;
    if (all) last_known_ = Without(last_known_, {broker});
    lost_all_ = all;
    return *this;
  }

  // Nothing when the partition stays as it is.
  std::optional<PartitionChangeRecord> Build() {
    CompleteReassignment();
    DeriveEligible();
    ElectLeader();
    if (!leader_.has_value() && !HasAll(replicas_, before_.replicas)) {
      leader_ = before_.leader;  // those that are no replicas any more see it by the epoch
    }
    KeepLastKnownLeader();
    return Difference();
  }

  const BrokerIdList& isr() const { return isr_; }

 private:
  bool MayLead(BrokerId id) const {
    const BrokerImage* broker = image_.FindBroker(id);
    if (id == excluded_ || broker == nullptr || !broker->is_active()) return false;
    for (size_t i = 0; i < replicas_.size(); ++i) {
      if (replicas_[i] == id) return broker->HasOnline(directories_[i]);
    }
    return false;
  }
  bool MayLeadCleanly(BrokerId id) const {
    return (Has(isr_, id) || (isr_.empty() && Has(elr_, id))) && MayLead(id);
  }

  std::vector<Uuid> DirectoriesFor(const BrokerIdList& replicas) const {
    std::vector<Uuid> directories;
    for (const BrokerId id : replicas) {
      const auto place = std::find(replicas_.begin(), replicas_.end(), id);
      directories.push_back(place == replicas_.end() ? DefaultDirectory(image_, id)
                                                     : directories_[place - replicas_.begin()]);
    }
    return directories;
  }

  // Ends the reassignment if all replicas that are to stay are in sync.
  void CompleteReassignment() {
    if (adding_.empty() && removing_.empty()) return;
    BrokerIdList isr = Without(isr_, removing_);
    BrokerIdList replicas = Without(replicas_, removing_);
    if (isr.empty() || replicas.empty() || !HasAll(isr, replicas)) return;
    isr_ = std::move(isr);
    SetReplicas(std::move(replicas), {}, {});
  }

  int32_t MinIsr() const {
    return std::min(rules_.min_insync_replicas, static_cast<int32_t>(replicas_.size()));
  }

  void DeriveEligible() {
    const bool none_left = isr_.empty();
    if (lost_ != kNoBroker) isr_ = Without(isr_, {lost_});
    if (!rules_.elr) {
      if (!isr_.empty()) elr_.clear();
      // The last member stays, unless its records are gone.
      if (none_left && !lost_all_) isr_ = Without(before_.isr, Without(before_.isr, replicas_));
      return;
    }
    if (static_cast<int32_t>(isr_.size()) >= MinIsr()) {
      elr_.clear();
      return;
    }
    for (const BrokerId id : before_.isr) {
      if (!Has(elr_, id)) elr_.push_back(id);
    }
    BrokerIdList eligible;
    for (const BrokerId id : elr_) {
      if (!Has(isr_, id) && id != lost_ && Has(replicas_, id)) eligible.push_back(id);
    }
    elr_ = std::move(eligible);
  }

  void ElectLeader() {
    bool unclean = false;
    const BrokerId elected = Choose(&unclean);
    if (unclean) {
      isr_ = {elected};
      elr_.clear();
      recovery_state_ = 1;
    } else if (Has(elr_, elected)) {
      isr_ = {elected};
      elr_ = Without(elr_, {elected});
    }
    if (elected != before_.leader) leader_ = elected;
  }

  BrokerId Choose(bool* unclean) const {
    if (election_ == Election::kPreferred && MayLeadCleanly(replicas_[0])) return replicas_[0];
    if (MayLeadCleanly(before_.leader)) return before_.leader;
    for (const BrokerId id : replicas_) {
      if (MayLeadCleanly(id)) return id;
    }
    *unclean = true;
    // The last leader, when nobody is left that is known to have everything (KIP-966).
    if (isr_.empty() && elr_.empty() && last_known_.size() == 1 && MayLead(last_known_[0])) {
      return last_known_[0];
    }
    if (election_ == Election::kUnclean) {
      for (const BrokerId id : replicas_) {
        if (MayLead(id)) return id;
      }
    }
    *unclean = false;
    return kNoBroker;
  }

  void KeepLastKnownLeader() {
    const BrokerId leader = leader_.value_or(before_.leader);
    if (leader != kNoBroker) {
      last_known_.clear();
    } else if (rules_.elr && isr_.empty() && before_.leader != kNoBroker) {
      last_known_.clear();
      if (!(lost_all_ && before_.leader == lost_)) last_known_ = {before_.leader};
    }
  }

  std::optional<PartitionChangeRecord> Difference() const {
    PartitionChangeRecord record;
    record.topic_id = tp_.topic_id;
    record.partition_id = tp_.partition.value();
    bool changed = false;
    const auto set = [&](const BrokerIdList& now, const BrokerIdList& was,
                         std::optional<std::vector<int32_t>>* field) {
      if (now == was) return;
      *field = Numbers(now);
      changed = true;
    };
    set(isr_, before_.isr, &record.isr);
    set(replicas_, before_.replicas, &record.replicas);
    set(adding_, before_.adding_replicas, &record.adding_replicas);
    set(removing_, before_.removing_replicas, &record.removing_replicas);
    set(elr_, before_.eligible_leader_replicas, &record.eligible_leader_replicas);
    set(last_known_, before_.last_known_elr, &record.last_known_elr);
    if (directories_ != before_.directories || record.replicas.has_value()) {
      record.directories = directories_;
      changed = true;
    }
    if (leader_.has_value()) {
      record.leader = leader_->value();
      changed = true;
    }
    if (recovery_state_ != before_.leader_recovery_state) {
      record.leader_recovery_state = recovery_state_;
      changed = true;
    }
    return changed ? std::optional(std::move(record)) : std::nullopt;
  }

  const MetadataState& image_;
  const TopicRules& rules_;
  const TopicPartition tp_;
  const PartitionImage& before_;
  Election election_;
  BrokerId excluded_ = kNoBroker;
  BrokerId lost_ = kNoBroker;
  bool lost_all_ = false;

  BrokerIdList replicas_;
  BrokerIdList isr_;
  BrokerIdList adding_;
  BrokerIdList removing_;
  BrokerIdList elr_;
  BrokerIdList last_known_;
  std::vector<Uuid> directories_;
  std::optional<BrokerId> leader_;  // if its epoch begins
  int8_t recovery_state_;
};

}  // namespace weir::metadata::metadata_internal

#endif  // WEIR_COORDINATION_METADATA_INTERNAL_PARTITION_CHANGE_H_
