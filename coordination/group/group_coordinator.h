// -----------------------------------------------------------------------------
// File: coordination/group/group_coordinator.h
// -----------------------------------------------------------------------------
// The coordinator of the groups of one partition of __consumer_offsets: the classic group protocol
// and committed offsets, as a state machine over that partition.
//
//   GroupCoordinator coordinator(config, &random);
//   coordinator.Step(now, StartLoading{}, &effects);
//   ... one LoadedRecord or LoadedMarker for each record of the partition, in order ...
//   coordinator.Step(now, FinishLoading{}, &effects);
//   coordinator.Step(now, Request<protocol::JoinGroupRequest>{...}, &effects);
//   coordinator.Step(now, Tick{}, &effects);         // when NextDeadlineMs() has passed
//   coordinator.Step(now, AppendDone{token, error}, &effects);
//
// What durability has to do with it: an assignment and a committed offset are answered, and seen by
// anyone, once their records are committed. So what a client was told survives any crash.
// Decision: one machine per partition, as Kafka has it: groups share nothing, and a partition's
// groups move to another broker with it.
// Threading: one thread at a time.
// Errors: whatever a client asks is answered; a record that cannot be read is a Note and is
// skipped, as its group would be lost to all otherwise.
// Limits: GroupConfig.
#ifndef WEIR_COORDINATION_GROUP_GROUP_COORDINATOR_H_
#define WEIR_COORDINATION_GROUP_GROUP_COORDINATOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/random.h"
#include "coordination/group/classic_group.h"
#include "coordination/group/events.h"
#include "coordination/group/internal/admin_requests.h"
#include "coordination/group/internal/membership.h"
#include "coordination/group/internal/offset_requests.h"
#include "coordination/group/internal/refusal.h"
#include "coordination/group/internal/shard.h"
#include "coordination/group/records.h"
#include "protocol/error_code.h"

namespace weir::group {

class GroupCoordinator {
 public:
  enum class Phase : int8_t { kUnloaded, kLoading, kActive };

  // `random` makes member ids and must outlive the coordinator.
  GroupCoordinator(GroupConfig config, Random* random)
      : shard_(std::move(config), random), membership_(shard_), offsets_(shard_), admin_(shard_) {}
  GroupCoordinator(const GroupCoordinator&) = delete;
  GroupCoordinator& operator=(const GroupCoordinator&) = delete;

  Phase phase() const { return phase_; }
  size_t group_count() const { return shard_.groups.size(); }
  // When to send a Tick, on the monotonic clock; nothing when no time-out runs. May change with
  // every Step.
  std::optional<int64_t> NextDeadlineMs() const { return shard_.timers.NextDeadlineMs(); }

  // Time-outs of members and of rebalances that run.
  size_t timeout_count() const { return shard_.timers.size() - (shard_.retention.armed() ? 1 : 0); }

  // Appends what is to be done to *effects.
  void Step(const Now& now, Event event, Effects* effects) {
    shard_.now = now;
    shard_.effects = effects;
    std::visit([this](auto& e) { On(e); }, event);
    shard_.effects = nullptr;
  }

 private:
  template <class M>
  void On(Request<M>& request) {
    using protocol::ErrorCode;
    if (phase_ == Phase::kActive) return Handle(request);
    const ErrorCode error = phase_ == Phase::kLoading ? ErrorCode::kCoordinatorLoadInProgress
                                                      : ErrorCode::kNotCoordinator;
    shard_.effects->push_back(Respond{request.token, group_internal::Refused(request, error)});
  }

  void Handle(Request<protocol::JoinGroupRequest>& request) {
    const std::string group_id = request.body.group_id;
    membership_.Join(std::move(request));
    shard_.MaybeForget(group_id);
  }
  void Handle(Request<protocol::SyncGroupRequest>& r) { membership_.Sync(std::move(r)); }
  void Handle(Request<protocol::HeartbeatRequest>& r) { membership_.Heartbeat(r); }
  void Handle(Request<protocol::LeaveGroupRequest>& r) {
    membership_.Leave(r);
    shard_.MaybeForget(r.body.group_id);
  }
  void Handle(Request<protocol::OffsetCommitRequest>& request) {
    const std::string group_id = request.body.group_id;
    offsets_.Commit(std::move(request));
    shard_.MaybeForget(group_id);
  }
  void Handle(Request<protocol::OffsetFetchRequest>& r) { offsets_.Fetch(r); }
  void Handle(Request<protocol::OffsetDeleteRequest>& r) { offsets_.Delete(r); }
  void Handle(Request<protocol::DescribeGroupsRequest>& r) { admin_.Describe(r); }
  void Handle(Request<protocol::ListGroupsRequest>& r) { admin_.List(r); }
  void Handle(Request<protocol::DeleteGroupsRequest>& r) { admin_.Delete(r); }

  void On(const AppendDone& done) { shard_.OnAppendDone(done); }

  void On(const TopicsDeleted& deleted) {
    if (phase_ == Phase::kActive) offsets_.OnTopicsDeleted(deleted);
  }

  void On(const Tick&) {
    while (std::optional<group_internal::TimerTarget> due =
               shard_.timers.PopDue(shard_.now.monotonic_ms)) {
      OnTimer(*due);
      shard_.MaybeForget(due->group_id);
    }
  }

  void OnTimer(const group_internal::TimerTarget& timer) {
    using group_internal::TimerKind;
    switch (timer.kind) {
      case TimerKind::kSession:
        return membership_.OnSessionTimeout(timer.group_id, timer.member_id);
      case TimerKind::kPendingMember:
        return membership_.OnPendingMemberTimeout(timer.group_id, timer.member_id);
      case TimerKind::kJoin:
        return membership_.OnJoinTimeout(timer.group_id);
      case TimerKind::kSync:
        return membership_.OnSyncTimeout(timer.group_id);
      case TimerKind::kAppend:
        return shard_.OnAppendTimeout();
      case TimerKind::kRetention:
        shard_.retention = {};
        offsets_.Expire();
        return ArmRetention();
    }
  }

  void ArmRetention() {
    shard_.ArmGroupTimer(group_internal::TimerKind::kRetention, std::string(), shard_.retention,
                         shard_.config.retention_check_interval_ms);
  }

  // --- Loading -----------------------------------------------------------------------------------

  void On(const StartLoading&) {
    WEIR_CHECK(phase_ == Phase::kUnloaded);
    phase_ = Phase::kLoading;
    skipped_ = 0;
  }

  void On(const LoadedRecord& record) {
    WEIR_CHECK(phase_ == Phase::kLoading);
    absl::StatusOr<DecodedRecord> decoded = DecodeRecord(record.key, record.value);
    if (!decoded.ok()) {
      return AddNote(record.offset, decoded.status().message());
    }
    if (auto* commit = std::get_if<OffsetCommit>(&*decoded)) {
      Load(record, *commit);
    } else if (const auto* group = std::get_if<GroupMetadata>(&*decoded)) {
      Load(*group);
    } else {
      ++skipped_;  // there is one for each step of such a group: not a note each
    }
  }

  void Load(const LoadedRecord& record, OffsetCommit& commit) {
    const OffsetCommitKey& key = commit.key;
    OffsetStore& offsets = shard_.groups[key.group].offsets;
    if (record.is_transactional && commit.value.has_value()) {
      offsets.LoadTransactional(record.producer_id, key.topic, key.partition, record.offset,
                                *std::move(commit.value));
      shard_.open_transactions[record.producer_id].insert(key.group);
    } else {
      offsets.Load(key.topic, key.partition, record.offset, std::move(commit.value));
    }
    shard_.MaybeForget(key.group);
  }

  void Load(const GroupMetadata& metadata) {
    group_internal::Group& group = shard_.groups[metadata.key.group];
    group.is_persisted = metadata.value.has_value();
    group.classic =
        metadata.value.has_value() ? ClassicGroup::FromRecord(*metadata.value) : ClassicGroup();
    shard_.MaybeForget(metadata.key.group);
  }

  void On(const LoadedMarker& marker) {
    WEIR_CHECK(phase_ == Phase::kLoading);
    auto node = shard_.open_transactions.extract(marker.producer_id);
    if (node.empty()) return;
    for (const std::string& group_id : node.mapped()) {
      group_internal::Group* group = shard_.Find(group_id);
      if (group != nullptr) group->offsets.EndTransaction(marker.producer_id, marker.is_commit);
      shard_.MaybeForget(group_id);
    }
  }

  void AddNote(int64_t offset, absl::string_view text) {
    shard_.effects->push_back(Note{absl::StrCat("record at offset ", offset, " skipped: ", text)});
  }

  void On(const FinishLoading&) {
    WEIR_CHECK(phase_ == Phase::kLoading);
    phase_ = Phase::kActive;
    if (skipped_ > 0) {
      shard_.effects->push_back(Note{absl::StrCat(
          skipped_, " records of consumer, share or streams groups skipped: classic groups only")});
    }
    for (auto& [group_id, group] : shard_.groups) membership_.OnLoaded(group_id, group);
    ArmRetention();
  }

  void On(const Unload&) {
    using protocol::ErrorCode;
    phase_ = Phase::kUnloaded;
    shard_.StopAppending();
    for (auto& [group_id, group] : shard_.groups) membership_.OnUnload(group);
    shard_.FailAppends(ErrorCode::kNotCoordinator);
    shard_.Clear();
  }

  Phase phase_ = Phase::kUnloaded;
  int64_t skipped_ = 0;  // records of other kinds, while loading
  group_internal::Shard shard_;
  group_internal::Membership membership_;
  group_internal::OffsetRequests offsets_;
  group_internal::AdminRequests admin_;
};

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_GROUP_COORDINATOR_H_
