// -----------------------------------------------------------------------------
// File: coordination/group/internal/rebalance.h
// -----------------------------------------------------------------------------
// How a classic group gets from one generation to the next, whatever set it off.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_REBALANCE_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_REBALANCE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "coordination/group/classic_group.h"
#include "coordination/group/internal/shard.h"
#include "coordination/group/records.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

class Rebalance {
 public:
  explicit Rebalance(Shard& shard) : shard_(shard) {}

  // --- Answers -----------------------------------------------------------------------------------

  // Of a member of the present generation.
  protocol::JoinGroupResponse Joined(const ClassicGroup& classic, const Member& member) const {
    protocol::JoinGroupResponse response;
    response.generation_id = classic.generation();
    response.protocol_type = classic.protocol_type();
    response.protocol_name = classic.protocol_name();
    response.leader = classic.leader().value_or("");
    response.member_id = member.id;
    if (classic.state() == GroupState::kCompletingRebalance && classic.IsLeader(member.id)) {
      response.members = MembersOf(classic);
    }
    return response;
  }

  std::vector<protocol::JoinGroupResponse::Member> MembersOf(const ClassicGroup& classic) const {
    std::vector<protocol::JoinGroupResponse::Member> members;
    for (const auto& [id, member] : classic.members()) {
      const std::string* metadata = member.MetadataOf(classic.protocol_name().value_or(""));
      WEIR_CHECK(metadata != nullptr);  // the chosen protocol is everyone's
      members.push_back({id, member.instance_id, {*metadata}});
    }
    return members;
  }

  protocol::SyncGroupResponse Assigned(const ClassicGroup& classic, const Member& member) const {
    protocol::SyncGroupResponse response;
    response.protocol_type = classic.protocol_type();
    response.protocol_name = classic.protocol_name();
    response.assignment.value = member.assignment;
    return response;
  }

  void AnswerJoin(Member& member, ErrorCode error) {
    protocol::JoinGroupResponse response;
    response.error_code = Code(error);
    response.member_id = member.id;
    shard_.Answer(*member.awaiting_join, std::move(response));
    member.awaiting_join.reset();
  }

  void AnswerWaiting(Member& member, ErrorCode error) {
    if (member.awaiting_join.has_value()) AnswerJoin(member, error);
    if (!member.awaiting_sync.has_value()) return;
    protocol::SyncGroupResponse response;
    response.error_code = Code(error);
    shard_.Answer(*member.awaiting_sync, std::move(response));
    member.awaiting_sync.reset();
  }

  // --- Members that go ---------------------------------------------------------------------------

  // `member` is gone after this. AfterRemoval must follow.
  void Remove(Group& group, Member& member, ErrorCode error) {
    AnswerWaiting(member, error);
    shard_.timers.Cancel(member.session);
    group.classic.Remove(std::string(member.id));
  }

  bool RemovePending(Group& group, const std::string& member_id) {
    const auto it = group.pending_members.find(member_id);
    if (it == group.pending_members.end()) return false;
    shard_.timers.Cancel(it->second);
    group.pending_members.erase(it);
    return true;
  }

  void AfterRemoval(const std::string& group_id, Group& group) {
    if (group.classic.state() == GroupState::kEmpty) return;
    PrepareOrMaybeComplete(group_id, group);
  }

  // --- Steps of a rebalance ----------------------------------------------------------------------

  void PrepareOrMaybeComplete(const std::string& group_id, Group& group) {
    if (group.classic.state() == GroupState::kPreparingRebalance) {
      MaybeCompleteJoin(group_id, group);
    } else {
      Prepare(group_id, group);
    }
  }

  void Prepare(const std::string& group_id, Group& group) {
    ClassicGroup& classic = group.classic;
    if (classic.state() == GroupState::kCompletingRebalance) {
      DropAssignments(group_id, group, ErrorCode::kRebalanceInProgress);
    }
    shard_.timers.Cancel(group.sync);
    group.in_initial_delay = classic.state() == GroupState::kEmpty;
    classic.StartRebalance(shard_.now.wall_ms);
    const int64_t delay_ms = shard_.config.initial_rebalance_delay_ms;
    if (!group.in_initial_delay) {
      if (group.AllJoined()) return CompleteJoin(group_id, group);
      ArmJoin(group_id, group, classic.RebalanceTimeoutMs());
    } else if (delay_ms == 0) {
      CompleteJoin(group_id, group);
    } else {
      group.new_member_added = false;
      group.initial_delay_ms = delay_ms;
      group.initial_remaining_ms = std::max<int64_t>(classic.RebalanceTimeoutMs() - delay_ms, 0);
      ArmJoin(group_id, group, delay_ms);
    }
  }

  void MaybeCompleteJoin(const std::string& group_id, Group& group) {
    if (group.classic.state() != GroupState::kPreparingRebalance) return;
    if (group.in_initial_delay || !group.AllJoined()) return;
    CompleteJoin(group_id, group);
  }

  void OnJoinTimeout(const std::string& group_id, Group& group) {
    group.join = {};
    if (group.classic.state() != GroupState::kPreparingRebalance) return;
    if (!group.in_initial_delay || !group.new_member_added || group.initial_remaining_ms == 0) {
      return CompleteJoin(group_id, group);
    }
    group.new_member_added = false;
    const int64_t delay_ms =
        std::min<int64_t>(shard_.config.initial_rebalance_delay_ms, group.initial_remaining_ms);
    group.initial_remaining_ms =
        std::max<int64_t>(group.initial_remaining_ms - group.initial_delay_ms, 0);
    group.initial_delay_ms = delay_ms;
    ArmJoin(group_id, group, delay_ms);
  }

  // Who took part in the join but never asked for its assignment is out.
  void OnSyncTimeout(const std::string& group_id, Group& group) {
    group.sync = {};
    const std::vector<std::string> late(group.classic.pending_sync().begin(),
                                        group.classic.pending_sync().end());
    if (late.empty()) return;
    for (const std::string& id : late) {
      Remove(group, *group.classic.Find(id), ErrorCode::kUnknownMemberId);
    }
    AfterRemoval(group_id, group);
  }

  // The leader's assignments of `generation` are in the log, or were refused, or take too long:
  // then another generation begins, whether they get there or not.
  void OnAssignmentStored(const std::string& group_id, Group& group, int32_t generation,
                          const std::map<std::string, std::string>& by_member, ErrorCode error) {
    ClassicGroup& classic = group.classic;
    if (classic.state() != GroupState::kCompletingRebalance || classic.generation() != generation) {
      return;  // another rebalance has begun
    }
    group.assignment_in_flight = false;
    if (error != ErrorCode::kNone) {
      DropAssignments(group_id, group, ClientErrorOf(error));
      return Prepare(group_id, group);
    }
    classic.BecomeStable(shard_.now.wall_ms);
    for (auto& [id, member] : classic.members()) {
      const auto it = by_member.find(id);
      member.assignment = it == by_member.end() ? std::string() : it->second;
      if (!member.awaiting_sync.has_value()) continue;
      shard_.Answer(*member.awaiting_sync, Assigned(classic, member));
      member.awaiting_sync.reset();
      shard_.ArmSession(group_id, member, member.session_timeout_ms);
    }
  }

 private:
  void ArmJoin(const std::string& group_id, Group& group, int64_t delay_ms) {
    shard_.ArmGroupTimer(TimerKind::kJoin, group_id, group.join, delay_ms);
  }

  void DropAssignments(const std::string& group_id, Group& group, ErrorCode error) {
    for (auto& [id, member] : group.classic.members()) {
      member.assignment.clear();
      if (!member.awaiting_sync.has_value()) continue;
      AnswerWaiting(member, error);
      shard_.ArmSession(group_id, member, member.session_timeout_ms);
    }
  }

  // All have joined or the time is up: who has not joined is out, static members excepted, whose
  // session decides.
  void CompleteJoin(const std::string& group_id, Group& group) {
    ClassicGroup& classic = group.classic;
    shard_.timers.Cancel(group.join);
    group.in_initial_delay = false;
    std::vector<std::string> absent;
    for (const auto& [id, member] : classic.members()) {
      if (!member.awaiting_join.has_value() && !member.is_static()) absent.push_back(id);
    }
    for (const std::string& id : absent) {
      Remove(group, *classic.Find(id), ErrorCode::kUnknownMemberId);
    }
    if (!classic.members().empty() && !classic.ElectJoinedLeader()) {
      return ArmJoin(group_id, group, classic.RebalanceTimeoutMs());
    }
    classic.StartGeneration(shard_.now.wall_ms);
    group.assignment_in_flight = false;
    if (classic.state() == GroupState::kEmpty) {
      group.is_persisted = true;
      return shard_.Append(
          group_id, {GroupMetadataRecord(group_id, classic.ToRecord())}, [](ErrorCode) {}, nullptr);
    }
    for (auto& [id, member] : classic.members()) {
      member.is_new = false;
      shard_.ArmSession(group_id, member, member.session_timeout_ms);
      if (!member.awaiting_join.has_value()) continue;
      shard_.Answer(*member.awaiting_join, Joined(classic, member));
      member.awaiting_join.reset();
    }
    shard_.ArmGroupTimer(TimerKind::kSync, group_id, group.sync, classic.RebalanceTimeoutMs());
  }

  Shard& shard_;
};

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_REBALANCE_H_
