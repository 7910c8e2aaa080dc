// -----------------------------------------------------------------------------
// File: coordination/group/classic_group.h
// -----------------------------------------------------------------------------
// A group under the classic protocol: its members, their votes, its leader and its generation. Data
// and its rules; requests, timers and the log are group_coordinator.h's.
//
//   Empty ──join──► PreparingRebalance ──all joined, or timeout──► CompletingRebalance
//     ▲                    ▲   │ none left                            │ the leader's assignments
//     └────────────────────┼───┘                                      ▼ are committed
//                          └──join, leave, expiry, new metadata── Stable
//
// Limits: the owner's.
#ifndef WEIR_COORDINATION_GROUP_CLASSIC_GROUP_H_
#define WEIR_COORDINATION_GROUP_CLASSIC_GROUP_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/group/internal/timer_queue.h"
#include "coordination/group/records.h"
#include "coordination/group/subscription.h"
#include "protocol/api/join_group.h"

namespace weir::group {

enum class GroupState : int8_t {
  kEmpty,
  kPreparingRebalance,
  kCompletingRebalance,
  kStable,
  kDead
};

constexpr absl::string_view GroupStateName(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
    case GroupState::kDead:
      return "Dead";
  }
  return "";
}

using MemberProtocols = std::vector<protocol::JoinGroupRequest::Protocol>;

struct Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  MemberProtocols protocols;  // in the member's order of preference, names distinct
  std::string assignment;

  bool is_new = false;                    // has not seen a generation yet
  std::optional<uint64_t> awaiting_join;  // tokens of requests that wait
  std::optional<uint64_t> awaiting_sync;
  group_internal::Timer session;

  bool is_static() const { return instance_id.has_value(); }

  // Null when the member does not support it.
  const std::string* MetadataOf(absl::string_view protocol_name) const {
    for (const auto& p : protocols) {
      if (p.name == protocol_name) return &p.metadata.value;
    }
    return nullptr;
  }
  bool Matches(const MemberProtocols& others) const {
    return std::equal(
        protocols.begin(), protocols.end(), others.begin(), others.end(),
        [](const auto& a, const auto& b) { return a.name == b.name && a.metadata == b.metadata; });
  }
};

class ClassicGroup {
 public:
  using Members = std::map<std::string, Member, std::less<>>;  // in order: runs must repeat

  GroupState state() const { return state_; }
  int32_t generation() const { return generation_; }
  // Absent for a group that only stores offsets.
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol_name() const { return protocol_name_; }
  const std::optional<std::string>& leader() const { return leader_; }
  TimestampMs state_timestamp_ms() const { return state_timestamp_ms_; }
  const Members& members() const { return members_; }
  Members& members() { return members_; }

  bool IsLeader(absl::string_view member_id) const {
    return leader_.has_value() && *leader_ == member_id;
  }
  bool UsesConsumerProtocol() const {
    return protocol_type_.has_value() && *protocol_type_ == kConsumerProtocolType;
  }

  Member* Find(absl::string_view member_id) {
    const auto it = members_.find(member_id);
    return it == members_.end() ? nullptr : &it->second;
  }
  // Null when no member has this instance id.
  Member* FindStatic(absl::string_view instance_id) {
    const auto it = static_members_.find(instance_id);
    return it == static_members_.end() ? nullptr : Find(it->second);
  }

  // Whether a member with these could be in the group beside its members.
  bool Supports(absl::string_view protocol_type, const MemberProtocols& protocols) const {
    if (members_.empty()) return !protocol_type.empty() && !protocols.empty();
    if (!protocol_type_.has_value() || *protocol_type_ != protocol_type) return false;
    return std::any_of(protocols.begin(), protocols.end(),
                       [&](const auto& p) { return IsCandidate(p.name); });
  }

  // `member` must be supported and new, its instance id too. The first one brings the group's type.
  Member& Add(Member member, absl::string_view protocol_type) {
    if (members_.empty()) {
      leader_.reset();
      protocol_type_ = std::string(protocol_type);
    }
    if (member.instance_id.has_value()) {
      WEIR_CHECK(static_members_.emplace(*member.instance_id, member.id).second);
    }
    if (!leader_.has_value()) leader_ = member.id;
    Count(member.protocols, 1);
    std::string id = member.id;
    const auto [it, added] = members_.emplace(std::move(id), std::move(member));
    WEIR_CHECK(added);
    return it->second;
  }

  // Its requests and its timer are the caller's to see to.
  void Remove(absl::string_view member_id) {
    const auto it = members_.find(member_id);
    WEIR_CHECK(it != members_.end());
    Count(it->second.protocols, -1);
    if (it->second.is_static()) static_members_.erase(*it->second.instance_id);
    const bool was_leader = IsLeader(member_id);
    pending_sync_.erase(it->first);
    members_.erase(it);
    if (!was_leader) return;
    leader_.reset();
    if (!members_.empty()) leader_ = members_.begin()->first;
  }

  // The static member `old_id` comes back as `new_id`: all else stays.
  Member& Rename(absl::string_view old_id, const std::string& new_id) {
    auto node = members_.extract(members_.find(old_id));
    WEIR_CHECK(!node.empty());
    if (IsLeader(old_id)) leader_ = new_id;
    if (pending_sync_.erase(node.key()) > 0) pending_sync_.insert(new_id);
    node.key() = new_id;
    node.mapped().id = new_id;
    static_members_[*node.mapped().instance_id] = new_id;
    return members_.insert(std::move(node)).position->second;
  }

  void SetProtocols(Member& member, MemberProtocols protocols) {
    Count(member.protocols, -1);
    member.protocols = std::move(protocols);
    Count(member.protocols, 1);
  }

  bool AllJoined() const {
    return std::all_of(members_.begin(), members_.end(),
                       [](const auto& m) { return m.second.awaiting_join.has_value(); });
  }
  size_t AwaitingJoin() const {
    return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [](const auto& m) {
      return m.second.awaiting_join.has_value();
    }));
  }
  // The longest that any member asks for.
  int32_t RebalanceTimeoutMs() const {
    int32_t most = 0;
    for (const auto& [id, member] : members_) most = std::max(most, member.rebalance_timeout_ms);
    return most;
  }

  // Sees to it that the leader has joined; false when no member has.
  bool ElectJoinedLeader() {
    if (!leader_.has_value()) return false;
    const Member* leader = Find(*leader_);
    if (leader != nullptr && leader->awaiting_join.has_value()) return true;
    for (const auto& [id, member] : members_) {
      if (!member.awaiting_join.has_value()) continue;
      leader_ = id;
      return true;
    }
    return false;
  }

  // The protocol with most votes, each member voting for the first of its own that all support.
  // Among equals, the one the leader likes best. There must be members.
  std::string SelectProtocol() const {
    std::map<absl::string_view, int> votes;
    for (const auto& [id, member] : members_) {
      for (const auto& p : member.protocols) {
        if (!IsCandidate(p.name)) continue;
        ++votes[p.name];
        break;
      }
    }
    const auto leader = leader_.has_value() ? members_.find(*leader_) : members_.begin();
    const MemberProtocols& order =
        (leader == members_.end() ? members_.begin() : leader)->second.protocols;
    std::string best;
    int most = 0;
    for (const auto& p : order) {
      const auto it = votes.find(p.name);
      if (it == votes.end() || it->second <= most) continue;
      most = it->second;
      best = p.name;
    }
    WEIR_CHECK(most > 0);
    return best;
  }

  void StartRebalance(TimestampMs now_ms) {
    WEIR_CHECK(state_ != GroupState::kPreparingRebalance);
    pending_sync_.clear();
    Become(GroupState::kPreparingRebalance, now_ms);
  }
  // To CompletingRebalance, or to Empty without members.
  void StartGeneration(TimestampMs now_ms) {
    WEIR_CHECK(state_ == GroupState::kPreparingRebalance);
    generation_ = generation_ == std::numeric_limits<int32_t>::max() ? 1 : generation_ + 1;
    pending_sync_.clear();
    protocol_name_.reset();
    if (!members_.empty()) {
      protocol_name_ = SelectProtocol();
      for (const auto& [id, member] : members_) pending_sync_.insert(id);
    }
    FindSubscribedTopics();
    Become(members_.empty() ? GroupState::kEmpty : GroupState::kCompletingRebalance, now_ms);
  }
  void BecomeStable(TimestampMs now_ms) {
    WEIR_CHECK(state_ == GroupState::kCompletingRebalance);
    Become(GroupState::kStable, now_ms);
  }

  // Members that have not sent SyncGroup in this generation.
  const std::set<std::string, std::less<>>& pending_sync() const { return pending_sync_; }
  // True when that was the last one.
  bool Synced(absl::string_view member_id) {
    const auto it = pending_sync_.find(member_id);
    if (it == pending_sync_.end()) return false;
    pending_sync_.erase(it);
    return pending_sync_.empty();
  }

  // Where that cannot be told, a consumer group counts as subscribed to everything.
  bool IsSubscribedTo(const std::string& topic) const {
    return subscribed_topics_.has_value() ? subscribed_topics_->count(topic) > 0
                                          : UsesConsumerProtocol();
  }
  bool KnowsSubscribedTopics() const { return subscribed_topics_.has_value(); }

  GroupMetadataValue ToRecord() const {
    GroupMetadataValue value;
    value.protocol_type = protocol_type_.value_or("");
    value.generation = generation_;
    value.protocol = protocol_name_;
    value.leader = leader_;
    value.current_state_timestamp = state_timestamp_ms_;
    for (const auto& [id, member] : members_) {
      GroupMetadataValue::Member m;
      m.member_id = id;
      m.group_instance_id = member.instance_id;
      m.client_id = member.client_id;
      m.client_host = member.client_host;
      m.rebalance_timeout = member.rebalance_timeout_ms;
      m.session_timeout = member.session_timeout_ms;
      const std::string* metadata = member.MetadataOf(protocol_name_.value_or(""));
      if (metadata != nullptr) m.subscription.value = *metadata;
      m.assignment.value = member.assignment;
      value.members.push_back(std::move(m));
    }
    return value;
  }

  // A group as it was when `value` was written.
  static ClassicGroup FromRecord(const GroupMetadataValue& value) {
    ClassicGroup group;
    group.generation_ = value.generation;
    if (!value.protocol_type.empty()) group.protocol_type_ = value.protocol_type;
    group.protocol_name_ = value.protocol;
    group.state_timestamp_ms_ = value.current_state_timestamp;
    for (const auto& m : value.members) {
      if (group.members_.count(m.member_id) > 0) continue;
      if (m.group_instance_id.has_value() && group.static_members_.count(*m.group_instance_id) > 0)
        continue;
      Member member;
      member.id = m.member_id;
      member.instance_id = m.group_instance_id;
      member.client_id = m.client_id;
      member.client_host = m.client_host;
      member.session_timeout_ms = m.session_timeout;
      member.rebalance_timeout_ms =
          m.rebalance_timeout < 0 ? m.session_timeout : m.rebalance_timeout;
      member.protocols.push_back({value.protocol.value_or(""), m.subscription});
      member.assignment = m.assignment.value;
      group.Add(std::move(member), value.protocol_type);
    }
    group.state_ = group.members_.empty() ? GroupState::kEmpty : GroupState::kStable;
    if (value.leader.has_value() && group.members_.count(*value.leader) > 0)
      group.leader_ = value.leader;
    group.FindSubscribedTopics();
    return group;
  }

 private:
  bool IsCandidate(const std::string& protocol_name) const {
    const auto it = supporters_.find(protocol_name);
    return it != supporters_.end() && it->second == members_.size();
  }
  void Count(const MemberProtocols& protocols, int change) {
    for (const auto& p : protocols) {
      const auto it = supporters_.try_emplace(p.name, 0).first;
      it->second += static_cast<size_t>(change);
      if (it->second == 0) supporters_.erase(it);
    }
  }
  void Become(GroupState state, TimestampMs now_ms) {
    state_ = state;
    state_timestamp_ms_ = now_ms;
  }
  void FindSubscribedTopics() {
    subscribed_topics_.reset();
    if (!UsesConsumerProtocol()) return;
    if (!members_.empty() && !protocol_name_.has_value()) return;
    std::set<std::string> topics;
    for (const auto& [id, member] : members_) {
      const std::string* metadata = member.MetadataOf(*protocol_name_);
      if (metadata == nullptr || !AddSubscribedTopics(*metadata, &topics)) return;
    }
    subscribed_topics_ = std::move(topics);
  }

  GroupState state_ = GroupState::kEmpty;
  TimestampMs state_timestamp_ms_ = kNoTimestamp;
  int32_t generation_ = 0;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_name_;
  std::optional<std::string> leader_;
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id to member id
  std::map<std::string, size_t> supporters_;                        // members by protocol name
  std::set<std::string, std::less<>> pending_sync_;
  std::optional<std::set<std::string>> subscribed_topics_;
};

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_CLASSIC_GROUP_H_
