// -----------------------------------------------------------------------------
// File: replication/internal/isr_state.h
// -----------------------------------------------------------------------------
// What a leader knows of its partition's other replicas: how far each is, which are in sync, and
// which it wants to be.
//
// The ISR that holds for the high watermark is the maximal one (KIP-497): the controller's, the
// proposed one, and every one that was proposed for the same partition epoch and may still be
// carried out. Of those that make a change to one partition epoch, the controller carries out one.
// Who leaves by the controller's answer counts until the metadata have come as far: what they say
// of min.insync.replicas by then decides whether the high watermark may go on without it (KIP-966).
// Decision: docs/adr/0015-replication-streams.md.
// Threading: one thread.
#ifndef WEIR_REPLICATION_INTERNAL_ISR_STATE_H_
#define WEIR_REPLICATION_INTERNAL_ISR_STATE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/sort.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"

namespace weir::replication::replication_internal {

// Another replica, as its leader sees it.
struct Replica {
  // What one Follow and the reports behind it have told.
  struct Told {
    FollowId follow = 0;
    Offset end = kNoOffset;
    Offset flushed = kNoOffset;
    Offset log_start = kNoOffset;
  };

  BrokerId broker;
  int64_t broker_epoch = -1;
  // What it said last; it may be less than before. kNoOffset until it has said anything.
  Offset end = kNoOffset;
  Offset flushed = kNoOffset;
  Offset log_start = kNoOffset;
  FollowId follow = 0;  // 0: nothing more is told of it
  // Begun before and not ended yet. Streams know no order among each other: the one that counts may
  // have been begun by a message of a stream that its follower has left long ago.
  std::vector<Told> older;
  // It left the ISR for its lag and has not come any further: though it still has all that is
  // committed, it would only leave again.
  bool stalled = false;

  // The lag clock: when it last had all that the leader had. At mark_at that was up to mark_end.
  std::optional<MonotonicNs> caught_up_at;
  Offset mark_end{0};
  MonotonicNs mark_at;
  std::optional<MonotonicNs> ineligible_until;  // the controller said no to it

  // A new Follow. One that comes with less than the last shows that all before are out of date.
  void Begin(const Told& told) {
    if (follow == 0 || told.end < end) older.clear();
    if (follow != 0 && told.end >= end && older.size() < 8) {
      older.push_back({follow, end, flushed, log_start});
    }
    Take(told);
  }
  // A report. False when it is not of the one that counts.
  bool Report(const Told& told) {
    if (told.follow == 0 || told.follow == follow) {
      const FollowId known = follow;
      if (told.end > end || told.flushed > flushed) stalled = false;
      Take(told);
      follow = known;
      return true;
    }
    for (Told& other : older) {
      if (other.follow == told.follow) other = told;
    }
    return false;
  }
  // Nothing more comes of one. False when nothing changes by that.
  bool End(FollowId ended) {
    if (ended != follow) {
      std::erase_if(older, [&](const Told& told) { return told.follow == ended; });
      return false;
    }
    follow = 0;
    if (older.empty()) return true;
    Take(older.back());
    older.pop_back();
    return true;
  }
  void Take(const Told& told) {
    follow = told.follow;
    end = told.end;
    flushed = std::min(told.flushed, told.end);
    log_start = told.log_start;
  }

  Offset SafeEnd(Durability durability) const {
    return durability == Durability::kAck ? flushed : end;
  }

  // Whenever it has told its progress, and before the leader's log grows beyond `leader_end`.
  void NoteReached(MonotonicNs now, Offset leader_end, Durability durability) {
    const Offset safe = SafeEnd(durability);
    if (safe >= leader_end) {
      caught_up_at = now;
    } else if (safe >= mark_end) {
      caught_up_at = std::max(caught_up_at.value_or(mark_at), mark_at);
    } else {
      return;
    }
    mark_end = leader_end;
    mark_at = now;
  }
};

class IsrState {
 public:
  using Brokers = std::vector<BrokerId>;
  using Members = std::vector<ProposeIsr::Member>;

  // --- what the metadata say ------------------------------------------------------------------

  // A leader epoch begins, with a log that ends at `log_end`: replicas report afresh.
  void BeginEpoch(MonotonicNs now, Offset log_end) {
    others_.clear();
    epoch_start_ = log_end;
    begins_at_ = now;
  }
  // Of a newer partition epoch: no proposal to an older one can be carried out any more.
  void Set(MonotonicNs now, BrokerId self, const Brokers& replicas, Brokers isr,
           int8_t recovery_state) {
    const Brokers before = std::exchange(isr_, std::move(isr));
    recovery_state_ = recovery_state;
    SetReplicas(now, self, replicas, before);
    leaving_.clear();
    EndProposals();
  }
  // As Set, by the controller's answer, ahead of the metadata.
  void Answered(MonotonicNs now, BrokerId self, const Brokers& replicas, Brokers isr) {
    Brokers leaving = std::move(leaving_);
    for (const BrokerId broker : isr_) {
      if (!Has(leaving, broker)) leaving.push_back(broker);
    }
    Set(now, self, replicas, std::move(isr), /*recovery_state=*/0);
    leaving_ = std::move(leaving);
  }
  // The metadata have come as far as what was answered.
  void MetadataCaughtUp() { leaving_.clear(); }
  // `before`: who was in sync until now.
  void SetReplicas(MonotonicNs now, BrokerId self, const Brokers& replicas, const Brokers& before) {
    self_ = self;
    std::vector<Replica> others;
    for (const BrokerId broker : replicas) {
      if (broker == self) continue;
      const Replica* known = Find(broker);
      others.push_back(known != nullptr ? *known : Fresh(broker));
      Replica& replica = others.back();
      if (!InSync(broker) || (known != nullptr && Has(before, broker))) continue;
      replica.caught_up_at = now;  // who comes to be in sync has the whole time from here
      replica.stalled = false;
    }
    others_ = std::move(others);
    replica_count_ = replicas.size();
  }
  void Clear() {
    others_.clear();
    isr_.clear();
    leaving_.clear();
    EndProposals();
  }

  // --- replicas -------------------------------------------------------------------------------

  Replica* Find(BrokerId broker) {
    for (Replica& replica : others_) {
      if (replica.broker == broker) return &replica;
    }
    return nullptr;
  }
  const std::vector<Replica>& others() const { return others_; }
  std::vector<Replica>& others() { return others_; }
  const Brokers& isr() const { return isr_; }
  bool InSync(BrokerId broker) const { return Has(isr_, broker); }
  bool InMaximalIsr(BrokerId broker) const {
    if (InSync(broker) || Has(leaving_, broker)) return true;
    if (proposed_.has_value() && Has(*proposed_, broker)) return true;
    return std::any_of(uncertain_.begin(), uncertain_.end(),
                       [&](const Members& isr) { return Has(isr, broker); });
  }
  // More than there are replicas is never asked for (KIP-966, "effective min ISR").
  bool EnoughInSync(int32_t min_insync_replicas) const {
    return isr_.size() >=
           std::min(static_cast<size_t>(std::max(min_insync_replicas, 0)), replica_count_);
  }
  Offset epoch_start() const { return epoch_start_; }

  bool IsCaughtUp(const Replica& replica, MonotonicNs now, Offset log_end,
                  const PartitionConfig& config) const {
    return replica.SafeEnd(config.durability) >= log_end ||
           (replica.caught_up_at.has_value() &&
            now - *replica.caught_up_at <= config.replica_lag_time_max_ns);
  }

  // The high watermark that they allow; `own_safe_end` is this broker's. Beside the maximal ISR it
  // waits for those that are about to join: under load they would never reach it otherwise, as it
  // would run ahead of them with the leader.
  Offset SafeEnd(MonotonicNs now, Offset own_safe_end, Offset log_end,
                 const PartitionConfig& config) const {
    Offset safe = own_safe_end;
    for (const Replica& replica : others_) {
      const Offset end = replica.SafeEnd(config.durability);
      if (end >= safe) continue;
      const bool waits =
          InMaximalIsr(replica.broker) || (replica.follow != 0 && !IsIneligible(replica, now) &&
                                           IsCaughtUp(replica, now, log_end, config));
      if (waits) safe = end;
    }
    return safe;
  }

  // --- proposals ------------------------------------------------------------------------------

  // What the ISR should be, if that is not what it is and nothing is under way.
  std::optional<Members> Wanted(MonotonicNs now, Offset log_end, Offset high_watermark,
                                const PartitionConfig& config) {
    if (proposed_.has_value()) return std::nullopt;
    if (retry_at_.has_value()) {
      if (now < *retry_at_) return std::nullopt;
      retry_at_.reset();
    }
    Members wanted{{self_, -1}};
    for (Replica& replica : others_) {
      if (InSync(replica.broker)
              ? MayStay(&replica, now, log_end, high_watermark, config)
              : replica.follow != 0 && !replica.stalled && !IsIneligible(replica, now) &&
                    MayJoin(replica.SafeEnd(config.durability), high_watermark)) {
        wanted.push_back({replica.broker, replica.broker_epoch});
      }
    }
    Sort(wanted, [](const auto& a, const auto& b) { return a.broker < b.broker; });
    if (recovery_state_ != 0 || !IsSame(wanted, isr_)) return wanted;
    // What may be carried out still is: asked for again, it comes to an end.
    if (!uncertain_.empty()) return uncertain_.back();
    return std::nullopt;
  }
  void Proposed(Members isr) { proposed_ = std::move(isr); }

  // The controller had the ISR that was proposed, in this partition epoch already. Any other that
  // it tells of is the answer to an earlier proposal.
  void NothingToDo(const Brokers& isr) {
    if (!proposed_.has_value() || !IsSame(*proposed_, isr)) return;
    proposed_.reset();
    recovery_state_ = 0;
  }
  void Refused(MonotonicNs now, protocol::ErrorCode error) {
    if (!proposed_.has_value()) return;
    retry_at_ = now + kRetryNs;
    if (error != protocol::ErrorCode::kIneligibleReplica) {
      if (std::find(uncertain_.begin(), uncertain_.end(), *proposed_) == uncertain_.end()) {
        uncertain_.push_back(*std::move(proposed_));
      }
    } else {
      for (Replica& replica : others_) {
        if (Has(*proposed_, replica.broker) && !InSync(replica.broker)) {
          replica.ineligible_until = *retry_at_;
        }
      }
      // The partition epoch was the one that was named: none was carried out until then. Those that
      // name an earlier life of a replica never will be.
      std::erase_if(uncertain_, [&](const Members& members) { return NamesEarlierLife(members); });
    }
    proposed_.reset();
  }

  // When time alone may change what is wanted, or how far the high watermark may go.
  std::optional<MonotonicNs> NextDeadline(Offset log_end, const PartitionConfig& config) const {
    std::optional<MonotonicNs> next = retry_at_;
    for (const Replica& replica : others_) {
      if (replica.ineligible_until.has_value() &&
          (!next.has_value() || *replica.ineligible_until < *next)) {
        next = replica.ineligible_until;
      }
      if (!replica.caught_up_at.has_value() || replica.SafeEnd(config.durability) >= log_end) {
        continue;
      }
      if (replica.follow == 0 && !InSync(replica.broker)) continue;
      const MonotonicNs at = *replica.caught_up_at + config.replica_lag_time_max_ns + 1;
      // One that has fallen behind is noticed once; a proposal that is refused has its own time.
      const bool passed = proposed_.has_value() || (retry_at_.has_value() && at < *retry_at_);
      if (!passed && (!next.has_value() || at < *next)) next = at;
    }
    return next;
  }
  // Those that are not in sync do not count for NextDeadline any more once they are behind.
  void NoteTime(MonotonicNs now, const PartitionConfig& config) {
    for (Replica& replica : others_) {
      if (replica.ineligible_until.has_value() && now >= *replica.ineligible_until) {
        replica.ineligible_until.reset();
      }
      if (!InSync(replica.broker) && replica.caught_up_at.has_value() &&
          now - *replica.caught_up_at > config.replica_lag_time_max_ns) {
        replica.caught_up_at.reset();
      }
    }
  }

 private:
  static constexpr int64_t kRetryNs = 500 * kNsPerMs;

  static bool Has(const Brokers& brokers, BrokerId broker) {
    return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
  }
  static bool Has(const Members& members, BrokerId broker) {
    return std::any_of(members.begin(), members.end(),
                       [&](const ProposeIsr::Member& member) { return member.broker == broker; });
  }
  static bool IsSame(const Members& members, const Brokers& isr) {
    return members.size() == isr.size() &&
           std::all_of(isr.begin(), isr.end(), [&](BrokerId b) { return Has(members, b); });
  }
  bool NamesEarlierLife(const Members& members) {
    return std::any_of(members.begin(), members.end(), [&](const ProposeIsr::Member& member) {
      const Replica* replica = Find(member.broker);
      return replica != nullptr && member.broker_epoch < replica->broker_epoch;
    });
  }
  static bool IsIneligible(const Replica& replica, MonotonicNs now) {
    return replica.ineligible_until.has_value() && now < *replica.ineligible_until;
  }
  // Has not come back with less than what is committed, and is not behind for too long.
  bool MayStay(Replica* replica, MonotonicNs now, Offset log_end, Offset high_watermark,
               const PartitionConfig& config) const {
    const Offset safe = replica->SafeEnd(config.durability);
    if (safe != kNoOffset && safe < high_watermark) return false;
    if (IsCaughtUp(*replica, now, log_end, config)) return true;
    replica->stalled = true;
    return false;
  }
  // Has all that is committed, in this leader's epoch and before.
  bool MayJoin(Offset safe, Offset high_watermark) const {
    return safe >= high_watermark && safe >= epoch_start_;
  }
  Replica Fresh(BrokerId broker) const {
    Replica replica;
    replica.broker = broker;
    replica.mark_end = epoch_start_;
    replica.mark_at = begins_at_;
    return replica;
  }
  void EndProposals() {
    proposed_.reset();
    uncertain_.clear();
    retry_at_.reset();
  }

  BrokerId self_ = kNoBroker;
  std::vector<Replica> others_;
  Brokers isr_;      // the controller's
  Brokers leaving_;  // left it, which the metadata do not tell yet
  size_t replica_count_ = 0;
  int8_t recovery_state_ = 0;
  Offset epoch_start_{0};  // the log's end when the leader epoch began
  MonotonicNs begins_at_;
  std::optional<Members> proposed_;
  std::vector<Members> uncertain_;  // to the same partition epoch; perhaps carried out
  std::optional<MonotonicNs> retry_at_;
};

}  // namespace weir::replication::replication_internal

#endif  // WEIR_REPLICATION_INTERNAL_ISR_STATE_H_
