// -----------------------------------------------------------------------------
// File: coordination/group/internal/membership.h
// -----------------------------------------------------------------------------
// The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup and their timeouts.
// Behaviour follows Apache Kafka 4.2 with these differences, each for the better:
//   - a request that a later one of the same member displaces is answered, not left hanging;
//   - the first assignment of a generation stands: a second SyncGroup of the leader, sent while the
//     first one is on its way to the log, waits for it. So no generation ever has two assignments;
//   - members that were given an id count against the bound on members;
//   - a group leaves nothing in the log before its first generation.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_MEMBERSHIP_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_MEMBERSHIP_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/uuid.h"
#include "coordination/group/classic_group.h"
#include "coordination/group/events.h"
#include "coordination/group/internal/rebalance.h"
#include "coordination/group/internal/shard.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

// kNone, or why a member may not act under this id. The member exists when kNone.
inline ErrorCode CheckMember(ClassicGroup& group, const std::string& member_id,
                             const std::optional<std::string>& instance_id) {
  if (instance_id.has_value()) {
    const Member* holder = group.FindStatic(*instance_id);
    if (holder == nullptr) return ErrorCode::kUnknownMemberId;
    if (holder->id != member_id) return ErrorCode::kFencedInstanceId;
  }
  return group.Find(member_id) == nullptr ? ErrorCode::kUnknownMemberId : ErrorCode::kNone;
}

class Membership {
 public:
  explicit Membership(Shard& shard) : shard_(shard), rebalance_(shard) {}

  void Join(Request<protocol::JoinGroupRequest> request) {
    const ErrorCode error = TryJoin(request);
    if (error == ErrorCode::kNone) return;
    protocol::JoinGroupResponse response;
    response.error_code = Code(error);
    response.member_id = error == ErrorCode::kGroupMaxSizeReached ? "" : request.body.member_id;
    shard_.Answer(request.token, std::move(response));
  }

  void Sync(Request<protocol::SyncGroupRequest> request) {
    Group* group = shard_.Find(request.body.group_id);
    const ErrorCode error = CheckSync(group, request.body);
    if (error != ErrorCode::kNone) return AnswerSync(request.token, error);
    ClassicGroup& classic = group->classic;
    Member& member = *classic.Find(request.body.member_id);
    shard_.ArmSession(request.body.group_id, member, member.session_timeout_ms);
    if (classic.Synced(member.id)) shard_.timers.Cancel(group->sync);
    if (classic.state() == GroupState::kStable) {
      return shard_.Answer(request.token, rebalance_.Assigned(classic, member));
    }
    if (member.awaiting_sync.has_value()) {
      AnswerSync(*member.awaiting_sync, ErrorCode::kRebalanceInProgress);
    }
    member.awaiting_sync = request.token;
    if (classic.IsLeader(member.id) && !group->assignment_in_flight) {
      StoreAssignment(request.body.group_id, *group, std::move(request.body.assignments));
    }
  }

  void Heartbeat(const Request<protocol::HeartbeatRequest>& request) {
    protocol::HeartbeatResponse response;
    response.error_code = Code(OnHeartbeat(request.body));
    shard_.Answer(request.token, std::move(response));
  }

  void Leave(const Request<protocol::LeaveGroupRequest>& request) {
    using protocol::LeaveGroupRequest;
    std::vector<LeaveGroupRequest::Member> leaving = request.body.members;
    if (request.version < 3) {
      leaving.assign(1, {});
      leaving[0].member_id = request.body.member_id;
    }
    protocol::LeaveGroupResponse response;
    if (request.body.group_id.empty()) {
      response.error_code = Code(ErrorCode::kInvalidGroupId);
      return shard_.Answer(request.token, std::move(response));
    }
    Group* group = shard_.Find(request.body.group_id);
    bool any = false;
    for (const LeaveGroupRequest::Member& who : leaving) {
      const ErrorCode error =
          group == nullptr ? ErrorCode::kUnknownMemberId : RemoveLeaving(*group, who);
      any = any || error == ErrorCode::kNone;
      if (request.version < 3) {
        response.error_code = Code(error);
      } else {
        response.members.push_back({who.member_id, who.group_instance_id, Code(error)});
      }
    }
    if (any) rebalance_.AfterRemoval(request.body.group_id, *group);
    shard_.Answer(request.token, std::move(response));
  }

  // --- Timeouts ---------------------------------------------------------------------------------

  void OnSessionTimeout(const std::string& group_id, const std::string& member_id) {
    Group* group = shard_.Find(group_id);
    Member* member = group == nullptr ? nullptr : group->classic.Find(member_id);
    if (member == nullptr) return;
    member->session = {};
    // Who waits for an answer of ours is alive; a new member may have given up waiting.
    if (!member->is_new &&
        (member->awaiting_join.has_value() || member->awaiting_sync.has_value())) {
      return;
    }
    rebalance_.Remove(*group, *member, ErrorCode::kUnknownMemberId);
    rebalance_.AfterRemoval(group_id, *group);
  }

  void OnPendingMemberTimeout(const std::string& group_id, const std::string& member_id) {
    Group* group = shard_.Find(group_id);
    if (group == nullptr || group->pending_members.erase(member_id) == 0) return;
    rebalance_.MaybeCompleteJoin(group_id, *group);
  }

  void OnJoinTimeout(const std::string& group_id) {
    if (Group* group = shard_.Find(group_id)) rebalance_.OnJoinTimeout(group_id, *group);
  }

  void OnSyncTimeout(const std::string& group_id) {
    if (Group* group = shard_.Find(group_id)) rebalance_.OnSyncTimeout(group_id, *group);
  }

  void OnUnload(Group& group) {
    for (auto& [id, member] : group.classic.members()) {
      rebalance_.AnswerWaiting(member, ErrorCode::kNotCoordinator);
    }
  }

  // After the log has been read: everyone gets a session to come back in.
  void OnLoaded(const std::string& group_id, Group& group) {
    for (auto& [id, member] : group.classic.members()) {
      shard_.ArmSession(group_id, member, member.session_timeout_ms);
    }
    if (group.classic.members().size() > static_cast<size_t>(shard_.config.members_max)) {
      rebalance_.Prepare(group_id, group);
    }
  }

 private:
  static constexpr size_t kBytesPerProtocol = 64;  // beside name and metadata

  // kNone: the request was answered or waits.
  ErrorCode TryJoin(Request<protocol::JoinGroupRequest>& request) {
    protocol::JoinGroupRequest& join = request.body;
    const GroupConfig& config = shard_.config;
    if (join.group_id.empty()) return ErrorCode::kInvalidGroupId;
    if (join.session_timeout_ms < config.session_timeout_min_ms ||
        join.session_timeout_ms > config.session_timeout_max_ms) {
      return ErrorCode::kInvalidSessionTimeout;
    }
    if (request.version == 0) join.rebalance_timeout_ms = join.session_timeout_ms;
    join.rebalance_timeout_ms = std::max(join.rebalance_timeout_ms, 0);
    KeepFirstOfEachName(join.protocols);
    if (BytesOf(join.protocols) > config.member_metadata_bytes_max) {
      return ErrorCode::kPolicyViolation;
    }
    const bool is_unknown = join.member_id.empty();
    Group* group = shard_.Find(join.group_id);
    if (group == nullptr) {
      if (!is_unknown) return ErrorCode::kUnknownMemberId;
      if (shard_.groups.size() >= config.groups_max) return ErrorCode::kPolicyViolation;
      group = &shard_.groups[join.group_id];
    }
    if (group->is_deleting) return ErrorCode::kCoordinatorLoadInProgress;
    if (!HasRoom(*group, join.member_id)) return RefuseForSize(join.group_id, *group, join);
    if (!group->classic.Supports(join.protocol_type, join.protocols)) {
      return ErrorCode::kInconsistentGroupProtocol;
    }
    return is_unknown ? JoinNew(request, *group) : JoinKnown(request, *group);
  }

  bool HasRoom(Group& group, const std::string& member_id) {
    ClassicGroup& classic = group.classic;
    const Member* member = classic.Find(member_id);
    const bool pending = group.pending_members.count(member_id) > 0;
    if (member == nullptr && !pending &&
        classic.members().size() + group.pending_members.size() >= shard_.config.members_bound) {
      return false;
    }
    const auto most = static_cast<size_t>(shard_.config.members_max);
    switch (classic.state()) {
      case GroupState::kPreparingRebalance:
        return (member != nullptr && member->awaiting_join.has_value()) ||
               classic.AwaitingJoin() < most;
      case GroupState::kCompletingRebalance:
      case GroupState::kStable:
        return member != nullptr || classic.members().size() < most;
      default:
        return true;
    }
  }

  // A member for which there is no room any more is out.
  ErrorCode RefuseForSize(const std::string& group_id, Group& group,
                          const protocol::JoinGroupRequest& join) {
    if (Member* member = group.classic.Find(join.member_id)) {
      rebalance_.Remove(group, *member, ErrorCode::kGroupMaxSizeReached);
      rebalance_.AfterRemoval(group_id, group);
    } else {
      rebalance_.RemovePending(group, join.member_id);
      rebalance_.MaybeCompleteJoin(group_id, group);
    }
    return ErrorCode::kGroupMaxSizeReached;
  }

  ErrorCode JoinNew(Request<protocol::JoinGroupRequest>& request, Group& group) {
    protocol::JoinGroupRequest& join = request.body;
    const std::string id =
        absl::StrCat(join.group_instance_id.value_or(request.client_id), "-", RandomSuffix());
    if (join.group_instance_id.has_value()) {
      Member* holder = group.classic.FindStatic(*join.group_instance_id);
      if (holder != nullptr) return ReplaceStatic(request, group, *holder, id);
    } else if (request.version >= 4) {
      shard_.timers.Arm(group.pending_members[id],
                        shard_.now.monotonic_ms + join.session_timeout_ms, [&] {
                          return TimerTarget{TimerKind::kPendingMember, join.group_id, id};
                        });
      protocol::JoinGroupResponse response;
      response.error_code = Code(ErrorCode::kMemberIdRequired);
      response.member_id = id;
      shard_.Answer(request.token, std::move(response));
      return ErrorCode::kNone;
    }
    AddMember(request, group, id);
    return ErrorCode::kNone;
  }

  ErrorCode JoinKnown(Request<protocol::JoinGroupRequest>& request, Group& group) {
    protocol::JoinGroupRequest& join = request.body;
    ClassicGroup& classic = group.classic;
    if (group.pending_members.count(join.member_id) > 0 && !join.group_instance_id.has_value()) {
      rebalance_.RemovePending(group, join.member_id);
      AddMember(request, group, join.member_id);
      return ErrorCode::kNone;
    }
    const ErrorCode error = CheckMember(classic, join.member_id, join.group_instance_id);
    if (error != ErrorCode::kNone) return error;
    Member& member = *classic.Find(join.member_id);
    const bool is_unchanged = member.Matches(join.protocols);
    // Who only lost our answer gets it again. The leader of a stable group asks for a rebalance.
    if (is_unchanged &&
        (classic.state() == GroupState::kCompletingRebalance ||
         (classic.state() == GroupState::kStable && !classic.IsLeader(member.id)))) {
      shard_.Answer(request.token, rebalance_.Joined(classic, member));
      return ErrorCode::kNone;
    }
    Update(request, group, member);
    rebalance_.PrepareOrMaybeComplete(join.group_id, group);
    return ErrorCode::kNone;
  }

  void AddMember(Request<protocol::JoinGroupRequest>& request, Group& group,
                 const std::string& id) {
    protocol::JoinGroupRequest& join = request.body;
    Member member;
    member.id = id;
    member.instance_id = join.group_instance_id;
    member.client_id = request.client_id;
    member.client_host = request.client_host;
    member.rebalance_timeout_ms = join.rebalance_timeout_ms;
    member.session_timeout_ms = join.session_timeout_ms;
    member.protocols = std::move(join.protocols);
    member.is_new = true;
    member.awaiting_join = request.token;
    if (group.in_initial_delay) group.new_member_added = true;
    Member& added = group.classic.Add(std::move(member), join.protocol_type);
    // Not its own session: a client that waits for its first answer sends no heartbeats.
    shard_.ArmSession(join.group_id, added, shard_.config.new_member_join_timeout_ms);
    rebalance_.PrepareOrMaybeComplete(join.group_id, group);
  }

  void Update(Request<protocol::JoinGroupRequest>& request, Group& group, Member& member) {
    if (member.awaiting_join.has_value()) {
      rebalance_.AnswerJoin(member, ErrorCode::kRebalanceInProgress);
    }
    group.classic.SetProtocols(member, std::move(request.body.protocols));
    member.rebalance_timeout_ms = request.body.rebalance_timeout_ms;
    member.session_timeout_ms = request.body.session_timeout_ms;
    member.client_id = request.client_id;
    member.client_host = request.client_host;
    member.awaiting_join = request.token;
  }

  // A static member came back without its id: whoever holds the instance id is fenced from now on.
  ErrorCode ReplaceStatic(Request<protocol::JoinGroupRequest>& request, Group& group,
                          Member& holder, const std::string& id) {
    const std::string group_id = request.body.group_id;
    ClassicGroup& classic = group.classic;
    const std::string leader_before = classic.leader().value_or("");
    rebalance_.AnswerWaiting(holder, ErrorCode::kFencedInstanceId);
    shard_.timers.Cancel(holder.session);
    Member& member = classic.Rename(std::string(holder.id), id);
    Update(request, group, member);
    shard_.ArmSession(group_id, member, member.session_timeout_ms);
    if (classic.state() == GroupState::kStable &&
        classic.SelectProtocol() == classic.protocol_name().value_or("")) {
      StoreReplacement(request, group, member, leader_before);
    } else if (classic.state() == GroupState::kCompletingRebalance) {
      rebalance_.Prepare(group_id, group);
    } else {
      rebalance_.PrepareOrMaybeComplete(group_id, group);
    }
    return ErrorCode::kNone;
  }

  // The new id goes to the log and no rebalance is needed. A refused write leaves the new id in
  // memory: the client comes back without an id and takes the place again.
  void StoreReplacement(const Request<protocol::JoinGroupRequest>& request, Group& group,
                        const Member& member, const std::string& leader_before) {
    const std::string group_id = request.body.group_id;
    const auto then = [this, group_id, id = member.id, token = request.token,
                       version = request.version, leader_before](ErrorCode error) {
      Group& group = shard_.groups.at(group_id);
      Member* member = group.classic.Find(id);
      // A rebalance that began meanwhile answers the member.
      if (member == nullptr || member->awaiting_join != token ||
          group.classic.state() != GroupState::kStable) {
        return;
      }
      member->awaiting_join.reset();
      protocol::JoinGroupResponse response = rebalance_.Joined(group.classic, *member);
      if (error != ErrorCode::kNone) {
        response.error_code = Code(ClientErrorOf(error));
        response.members.clear();
        response.member_id.clear();
      } else if (version >= 9) {
        response.skip_assignment = group.classic.IsLeader(id);
        if (response.skip_assignment) response.members = rebalance_.MembersOf(group.classic);
      } else {
        response.leader = leader_before;  // so that an older client does not assign anew
        response.members.clear();
      }
      shard_.Answer(token, std::move(response));
    };
    shard_.Append(group_id, {GroupMetadataRecord(group_id, group.classic.ToRecord())}, then,
                  [then] { then(ErrorCode::kRequestTimedOut); });
  }

  ErrorCode CheckSync(Group* group, const protocol::SyncGroupRequest& sync) {
    if (sync.group_id.empty()) return ErrorCode::kInvalidGroupId;
    if (group == nullptr) return ErrorCode::kUnknownMemberId;
    ClassicGroup& classic = group->classic;
    const ErrorCode error = CheckMember(classic, sync.member_id, sync.group_instance_id);
    if (error != ErrorCode::kNone) return error;
    if (sync.generation_id != classic.generation()) return ErrorCode::kIllegalGeneration;
    const auto differs = [](const auto& theirs, const auto& ours) {
      return theirs.has_value() && ours.has_value() && *theirs != *ours;
    };
    if (differs(sync.protocol_type, classic.protocol_type()) ||
        differs(sync.protocol_name, classic.protocol_name())) {
      return ErrorCode::kInconsistentGroupProtocol;
    }
    return classic.state() == GroupState::kPreparingRebalance ? ErrorCode::kRebalanceInProgress
                                                              : ErrorCode::kNone;
  }

  void StoreAssignment(const std::string& group_id, Group& group,
                       std::vector<protocol::SyncGroupRequest::Assignment> assignments) {
    std::map<std::string, std::string> by_member;
    for (auto& a : assignments) by_member[a.member_id] = std::move(a.assignment.value);
    GroupMetadataValue value = group.classic.ToRecord();
    for (GroupMetadataValue::Member& member : value.members) {
      member.assignment.value = by_member[member.member_id];
    }
    group.assignment_in_flight = true;
    group.is_persisted = true;
    const auto then = [this, group_id, generation = value.generation,
                       by_member = std::move(by_member)](ErrorCode error) {
      rebalance_.OnAssignmentStored(group_id, shard_.groups.at(group_id), generation, by_member,
                                    error);
    };
    shard_.Append(group_id, {GroupMetadataRecord(group_id, value)}, then,
                  [then] { then(ErrorCode::kRequestTimedOut); });
  }

  ErrorCode OnHeartbeat(const protocol::HeartbeatRequest& heartbeat) {
    if (heartbeat.group_id.empty()) return ErrorCode::kInvalidGroupId;
    Group* group = shard_.Find(heartbeat.group_id);
    if (group == nullptr) return ErrorCode::kUnknownMemberId;
    ClassicGroup& classic = group->classic;
    const ErrorCode error = CheckMember(classic, heartbeat.member_id, heartbeat.group_instance_id);
    if (error != ErrorCode::kNone) return error;
    if (heartbeat.generation_id != classic.generation()) return ErrorCode::kIllegalGeneration;
    Member& member = *classic.Find(heartbeat.member_id);
    shard_.ArmSession(heartbeat.group_id, member, member.session_timeout_ms);
    return classic.state() == GroupState::kPreparingRebalance ? ErrorCode::kRebalanceInProgress
                                                              : ErrorCode::kNone;
  }

  ErrorCode RemoveLeaving(Group& group, const protocol::LeaveGroupRequest::Member& who) {
    ClassicGroup& classic = group.classic;
    if (who.member_id.empty()) {  // an operator removes a static member
      Member* member =
          who.group_instance_id.has_value() ? classic.FindStatic(*who.group_instance_id) : nullptr;
      if (member == nullptr) return ErrorCode::kUnknownMemberId;
      rebalance_.Remove(group, *member, ErrorCode::kUnknownMemberId);
      return ErrorCode::kNone;
    }
    if (rebalance_.RemovePending(group, who.member_id)) return ErrorCode::kNone;
    const ErrorCode error = CheckMember(classic, who.member_id, who.group_instance_id);
    if (error != ErrorCode::kNone) return error;
    rebalance_.Remove(group, *classic.Find(who.member_id), ErrorCode::kUnknownMemberId);
    return ErrorCode::kNone;
  }

  void AnswerSync(uint64_t token, ErrorCode error) {
    protocol::SyncGroupResponse response;
    response.error_code = Code(error);
    shard_.Answer(token, std::move(response));
  }

  static void KeepFirstOfEachName(MemberProtocols& protocols) {
    std::map<absl::string_view, bool> seen;
    MemberProtocols kept;
    for (auto& p : protocols) {
      if (!seen.emplace(p.name, true).second) continue;
      kept.push_back(p);
    }
    protocols = std::move(kept);
  }
  static size_t BytesOf(const MemberProtocols& protocols) {
    size_t bytes = 0;
    for (const auto& p : protocols) {
      bytes += kBytesPerProtocol + p.name.size() + p.metadata.value.size();
    }
    return bytes;
  }

  // A random (version 4) UUID in its usual form, as in Kafka's member ids.
  std::string RandomSuffix() {
    const Uuid id = Uuid::Random(shard_.random);
    return absl::StrCat(absl::Hex(id.high >> 32, absl::kZeroPad8), "-",
                        absl::Hex((id.high >> 16) & 0xffff, absl::kZeroPad4), "-",
                        absl::Hex(id.high & 0xffff, absl::kZeroPad4), "-",
                        absl::Hex(id.low >> 48, absl::kZeroPad4), "-",
                        absl::Hex(id.low & 0xffffffffffff, absl::kZeroPad12));
  }

  Shard& shard_;
  Rebalance rebalance_;
};

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_MEMBERSHIP_H_
