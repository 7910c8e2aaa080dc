// -----------------------------------------------------------------------------
// File: client/group_member_core.h
// -----------------------------------------------------------------------------
// A consumer's membership in a group of the classic protocol, as a pure state machine: it joins,
// leads when it is asked to, gets its share, heartbeats, and joins again when the group changes.
// Its owner asks it for what is to be done, does that, and tells what came of it:
//
//   while (std::optional<GroupStep> step = core.Next(now)) ...    // in the order of the rebalance
//   if (auto heartbeat = core.NextHeartbeat(now)) ...
//   core.OnJoined(now, attempt, response); core.OnSynced(...); core.OnHeartbeat(...); ...
//
// An eager group (some strategy is not cooperative) gives up everything before it joins again. In a
// cooperative one (KIP-429) members keep what they have, give up what the leader took from them
// once they know their new share, and join again so that others can have it.
// What it no longer has a right to, because the coordinator does not know it any more, is lost:
// it may be somebody else's already, and nothing can be committed for it.
// Threading: one thread; pure.
// Errors: TakeFault(). FENCED_INSTANCE_ID, another process took this one's name, is for ever;
// others are told once and tried again. A member of the group whose metadata cannot be read is
// treated as one that wants nothing.
#ifndef WEIR_CLIENT_GROUP_MEMBER_CORE_H_
#define WEIR_CLIENT_GROUP_MEMBER_CORE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "client/assignor.h"
#include "client/consumer_config.h"
#include "client/error_status.h"
#include "client/group_leader.h"
#include "client/group_messages.h"
#include "client/group_requests.h"
#include "client/group_steps.h"
#include "client/member_session.h"
#include "client/topic_and_partition.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/consumer_protocol.h"
#include "protocol/error_code.h"

namespace weir::client {

class GroupMemberCore {
 public:
  using Assignors = std::vector<std::unique_ptr<const Assignor>>;

  GroupMemberCore(const ConsumerConfig& config, Assignors assignors)
      : config_(config), assignors_(std::move(assignors)) {
    for (const auto& assignor : assignors_) cooperative_ = cooperative_ && assignor->cooperative();
  }

  // --- What the application says ---------------------------------------------------------------

  // Wants to read these topics; joins, or joins again when they changed.
  void Subscribe(std::set<std::string> topics) { subscription_ = std::move(topics); }
  // The application asks for records. It was away for too long when it did not do so for
  // max_poll_interval_ms: then the member leaves and begins anew.
  void OnPoll(MonotonicNs now) {
    if (session_.OnPoll(now) || !IsActive()) return;
    PushLeave("the application did not poll for max.poll.interval.ms");
    Reset(/*member_too=*/true, "it had left as it did not poll");
  }
  // Ends the membership. What the member had must have been given up before.
  void Leave(absl::string_view reason) {
    owned_.clear();
    PushLeave(reason);
    Reset(/*member_too=*/true, "it joins");
    subscription_.reset();
    session_.ForgetPolls();
  }

  // --- What is to be done ----------------------------------------------------------------------

  // The next step of a rebalance. Without `can_send` none that needs a coordinator.
  std::optional<GroupStep> Next(MonotonicNs now, bool can_send) {
    if (lost_) {
      lost_ = false;
      return RevokeStep{Take(owned_), true};
    }
    if (!leaves_.empty() && can_send) {
      LeaveStep leave = std::move(leaves_.front());
      leaves_.pop_front();
      return leave;
    }
    switch (state_) {
      case State::kIdle:
        if (!subscription_.has_value() || now < retry_at_) return std::nullopt;
        return Prepare(can_send);
      case State::kStable:
        if (!NeedsRejoin()) return std::nullopt;
        return Prepare(can_send);
      case State::kAskedToRevoke:
        state_ = State::kRevoking;
        return RevokeStep{revoking_, false};
      case State::kAdopting:
        return Adopt();
      case State::kLeading:
        state_ = State::kDescribing;
        return DescribeStep{leader_->topics()};
      case State::kToSync:
        if (!can_send) return std::nullopt;
        state_ = State::kSyncing;
        sync_sent_at_ = now;
        return std::move(sync_);
      default:
        return std::nullopt;
    }
  }

  // A heartbeat when it is time for one. Every one is answered with OnHeartbeat().
  std::optional<protocol::HeartbeatRequest> NextHeartbeat(MonotonicNs now) {
    if (!IsActive() || !session_.TakeHeartbeat(now)) return std::nullopt;
    return MakeHeartbeat(config_, {member_id_, generation_});
  }

  // When Next() or NextHeartbeat() has something that it does not have now, unless something comes.
  MonotonicNs next_event() const {
    MonotonicNs next{std::numeric_limits<int64_t>::max()};
    if (state_ == State::kIdle && subscription_.has_value()) next = retry_at_;
    if (IsActive()) next = std::min(next, session_.heartbeat_at());
    return next;
  }

  // --- What came of it -------------------------------------------------------------------------

  void OnRevoked() {
    if (state_ != State::kRevoking) return;  // what was to be revoked is lost meanwhile
    for (const TopicAndPartition& tp : revoking_) owned_.erase(tp);
    revoking_.clear();
    if (target_.has_value()) {
      state_ = State::kAdopting;
    } else {
      RetryAt(MonotonicNs());
    }
  }

  // Which round of joining and syncing is under way. Its requests are answered with it.
  uint64_t attempt() const { return attempt_; }

  // The coordinator cannot be reached any more or is another one.
  bool TakeCoordinatorLost() { return std::exchange(coordinator_lost_, false); }

  void OnJoined(MonotonicNs now, uint64_t attempt,
                const absl::StatusOr<protocol::JoinGroupResponse>& response) {
    if (state_ != State::kJoining || attempt != attempt_) return;
    if (!response.ok()) return OnNoAnswer(now, response.status());
    const auto error = static_cast<protocol::ErrorCode>(response->error_code);
    if (error == protocol::ErrorCode::kMemberIdRequired) {
      member_id_ = response->member_id;
      return RetryAt(MonotonicNs());
    }
    if (error != protocol::ErrorCode::kNone) return OnRefused(now, error, "JoinGroup");
    const auto it = std::find_if(assignors_.begin(), assignors_.end(), [&](const auto& assignor) {
      return response->protocol_name == assignor->name();
    });
    assignor_ = it == assignors_.end() ? nullptr : it->get();
    if (assignor_ == nullptr || response->protocol_type.value_or(std::string(kType)) != kType) {
      return OnRefused(now, protocol::ErrorCode::kInconsistentGroupProtocol, "JoinGroup");
    }
    member_id_ = response->member_id;
    generation_ = response->generation_id;
    session_.OnJoined(now);
    leader_.reset();
    if (response->leader == member_id_) leader_.emplace(*response);
    sync_ = MakeSyncGroup(config_, {member_id_, generation_}, assignor_->name());
    state_ = leader_.has_value() ? State::kLeading : State::kToSync;
  }

  // How many partitions the topics of DescribeStep have; those that do not exist are left out.
  void OnTopics(const PartitionCounts& counts) {
    if (state_ != State::kDescribing) return;
    sync_.assignments = leader_->Share(*assignor_, counts);
    state_ = State::kToSync;
  }

  void OnSynced(MonotonicNs now, uint64_t attempt,
                const absl::StatusOr<protocol::SyncGroupResponse>& response) {
    if (state_ != State::kSyncing || attempt != attempt_) return;
    if (!response.ok()) return OnNoAnswer(now, response.status());
    const auto error = static_cast<protocol::ErrorCode>(response->error_code);
    if (error == protocol::ErrorCode::kRebalanceInProgress) {
      reason_ = "the group changed before it had its share";
      return RetryAt(MonotonicNs());
    }
    if (error != protocol::ErrorCode::kNone) return OnRefused(now, error, "SyncGroup");
    auto share = DecodeAssignment(response->assignment.value);
    if (!share.ok()) {
      fault_ = share.status();
      return Retry(now);
    }
    session_.Confirm(now, sync_sent_at_);
    OnShare(*std::move(share));
  }

  // `generation` is that of the request.
  void OnHeartbeat(MonotonicNs now, int32_t generation,
                   const absl::StatusOr<protocol::HeartbeatResponse>& response) {
    const auto error = response.ok() ? static_cast<protocol::ErrorCode>(response->error_code)
                                     : protocol::ErrorCode::kNotCoordinator;
    const bool is_well = error == protocol::ErrorCode::kNone;
    // A group that rebalances knows this member still.
    session_.OnHeartbeatAnswered(now,
                                 is_well || error == protocol::ErrorCode::kRebalanceInProgress);
    if (!is_well && !OnDisowned(generation, error) && !protocol::IsRetriable(error)) {
      fault_ = StatusOfError(error, "Heartbeat");
    }
  }

  // What a coordinator said to a heartbeat or a commit of this generation. True when it was about
  // the membership or itself.
  bool OnDisowned(int32_t generation, protocol::ErrorCode error) {
    using protocol::ErrorCode;
    const bool is_current = generation == generation_ && IsActive();
    switch (error) {
      case ErrorCode::kNotCoordinator:
      case ErrorCode::kCoordinatorNotAvailable:
        coordinator_lost_ = true;
        return true;
      case ErrorCode::kRebalanceInProgress:
        if (!is_current) return true;
        if (state_ == State::kStable || target_.has_value()) RequestRejoin("the group rebalances");
        return true;
      case ErrorCode::kUnknownMemberId:
        if (is_current) Reset(/*member_too=*/true, "the coordinator did not know it any more");
        return true;
      case ErrorCode::kIllegalGeneration:
        if (is_current) Reset(/*member_too=*/false, "it had missed a generation");
        return true;
      case ErrorCode::kFencedInstanceId:
        if (is_current) Fence("Heartbeat or OffsetCommit");
        return true;
      default:
        return false;
    }
  }

  // The metadata changed. Topics of which nothing certain is known are left out.
  void OnMetadata(const PartitionCounts& counts) {
    if (!leader_.has_value()) return;
    const std::optional<std::string> topic = leader_->FindChanged(counts);
    if (topic.has_value()) RequestRejoin(absl::StrCat("the partitions of ", *topic, " changed"));
  }

  // --- How it stands ---------------------------------------------------------------------------

  absl::Status TakeFault() {
    if (!fenced_.ok()) return fenced_;
    return std::exchange(fault_, absl::OkStatus());
  }
  bool fenced() const { return !fenced_.ok(); }
  // As whom offsets can be committed; nothing while the group rebalances.
  std::optional<GroupIdentity> identity() const {
    const bool has_share = state_ == State::kStable || state_ == State::kAskedToRevoke ||
                           state_ == State::kRevoking || state_ == State::kAdopting;
    if (generation_ < 0 || !has_share) return std::nullopt;
    return GroupIdentity{member_id_, generation_};
  }
  bool is_stable() const { return state_ == State::kStable && !NeedsRejoin(); }
  // What it knows of the group while it leads it, else null.
  const GroupLeader* leader() const { return leader_.has_value() ? &*leader_ : nullptr; }
  const std::set<TopicAndPartition>& owned() const { return owned_; }
  // Whether the coordinator answers only when the other members are there.
  bool waits_for_group() const { return state_ == State::kJoining || state_ == State::kSyncing; }
  // Whether it lost what it owns, which Next() tells next.
  bool has_lost() const { return lost_; }
  // Whether what it owns may be somebody else's without its knowing: it is lost, or no heartbeat
  // has been answered for the session timeout. JoinGroup may take longer and vouches for it, while
  // the process itself does not stand still.
  bool MustHold(MonotonicNs now) const {
    if (lost_ || generation_ < 0) return lost_;
    return state_ == State::kJoining ? session_.was_away() : session_.IsStale(now);
  }

 private:
  static constexpr absl::string_view kType = protocol::kConsumerProtocolType;

  enum class State {
    kIdle,           // joins when it may
    kAskedToRevoke,  // RevokeStep is to be given out
    kRevoking,       // waits for OnRevoked()
    kJoining,
    kLeading,  // DescribeStep is to be given out
    kDescribing,
    kToSync,
    kSyncing,
    kAdopting,  // AssignStep is to be given out
    kStable,
    kFenced,
  };

  // A member as the coordinator sees it, with a generation and a session to keep alive.
  bool IsActive() const {
    return generation_ >= 0 && state_ != State::kIdle && state_ != State::kJoining &&
           state_ != State::kFenced;
  }
  bool NeedsRejoin() const {
    return rejoin_ || (subscription_.has_value() && *subscription_ != joined_topics_);
  }
  static std::vector<TopicAndPartition> Take(std::set<TopicAndPartition>& set) {
    std::vector<TopicAndPartition> taken(set.begin(), set.end());
    set.clear();
    return taken;
  }

  void RequestRejoin(absl::string_view reason) {
    if (!rejoin_) reason_ = std::string(reason);
    rejoin_ = true;
  }

  // Before joining, gives up what the kind of rebalance wants given up.
  std::optional<GroupStep> Prepare(bool can_send) {
    revoking_.clear();
    for (const TopicAndPartition& tp : owned_) {
      if (!cooperative_ || !subscription_->contains(tp.topic)) revoking_.push_back(tp);
    }
    if (!revoking_.empty()) {
      target_.reset();
      state_ = State::kRevoking;
      return RevokeStep{revoking_, false};
    }
    if (!can_send) return std::nullopt;
    return Join();
  }

  GroupStep Join() {
    if (*subscription_ != joined_topics_ && !rejoin_ && generation_ >= 0) {
      reason_ = "its subscription changed";
    }
    state_ = State::kJoining;
    ++attempt_;
    joined_topics_ = *subscription_;
    rejoin_ = false;
    leader_.reset();
    target_.reset();
    return MakeJoinGroup(config_, member_id_, assignors_, joined_topics_, owned_,
                         assigned_generation_, reason_);
  }

  void OnShare(std::set<TopicAndPartition> share) {
    for (const TopicAndPartition& tp : share) {
      if (subscription_->contains(tp.topic)) continue;
      // The subscription changed meanwhile: what was shared out is of no use.
      state_ = State::kStable;
      return RequestRejoin("its subscription changed");
    }
    revoking_.clear();
    for (const TopicAndPartition& tp : owned_) {
      if (!share.contains(tp)) revoking_.push_back(tp);
    }
    target_ = std::move(share);
    if (revoking_.empty()) {
      state_ = State::kAdopting;
    } else {
      state_ = State::kAskedToRevoke;
      RequestRejoin("it gave partitions up for others to have");
    }
  }

  GroupStep Adopt() {
    AssignStep step;
    for (const TopicAndPartition& tp : *target_) {
      step.all.push_back(tp);
      if (!owned_.contains(tp)) step.added.push_back(tp);
    }
    owned_ = *std::exchange(target_, std::nullopt);
    assigned_generation_ = generation_;
    state_ = State::kStable;
    return step;
  }

  void RetryAt(MonotonicNs at) {
    state_ = State::kIdle;
    retry_at_ = at;
  }
  void Retry(MonotonicNs now) { RetryAt(now + config_.retry_backoff_ms * kNsPerMs); }

  void OnNoAnswer(MonotonicNs now, const absl::Status& status) {
    coordinator_lost_ = true;
    if (status.code() != absl::StatusCode::kUnavailable &&
        status.code() != absl::StatusCode::kDeadlineExceeded) {
      fault_ = status;
    }
    Retry(now);
  }

  // JoinGroup or SyncGroup was refused.
  void OnRefused(MonotonicNs now, protocol::ErrorCode error, absl::string_view what) {
    using protocol::ErrorCode;
    Retry(now);
    switch (error) {
      case ErrorCode::kUnknownMemberId:
        return Reset(/*member_too=*/true, "the coordinator did not know it any more", false);
      case ErrorCode::kIllegalGeneration:
        return Reset(/*member_too=*/false, "it had missed a generation", false);
      case ErrorCode::kFencedInstanceId:
        return Fence(what);
      case ErrorCode::kNotCoordinator:
      case ErrorCode::kCoordinatorNotAvailable:
        coordinator_lost_ = true;
        return;
      case ErrorCode::kCoordinatorLoadInProgress:
      case ErrorCode::kRebalanceInProgress:
        return;
      default:
        fault_ = StatusOfError(error, absl::StrCat(what, " of group ", config_.group_id));
    }
  }

  // The membership is over as far as the coordinator goes; joins again.
  void Reset(bool member_too, absl::string_view reason, bool at_once = true) {
    ++attempt_;
    generation_ = -1;
    if (member_too) member_id_.clear();
    lost_ = !owned_.empty();
    target_.reset();
    revoking_.clear();
    leader_.reset();
    rejoin_ = false;
    reason_ = std::string(reason);
    RetryAt(at_once ? MonotonicNs() : retry_at_);
  }

  void Fence(absl::string_view what) {
    Reset(/*member_too=*/true, "", false);
    state_ = State::kFenced;
    fenced_ = StatusOfError(protocol::ErrorCode::kFencedInstanceId,
                            absl::StrCat(what, " of group ", config_.group_id, " as ",
                                         config_.group_instance_id.value_or("")));
  }

  // Static members do not leave: they are expected back (KIP-345).
  void PushLeave(absl::string_view reason) {
    if (member_id_.empty() || config_.group_instance_id.has_value()) return;
    leaves_.push_back({member_id_, std::string(reason)});
  }

  const ConsumerConfig& config_;
  const Assignors assignors_;
  bool cooperative_ = true;
  State state_ = State::kIdle;
  std::optional<std::set<std::string>> subscription_;
  std::set<std::string> joined_topics_;  // what was subscribed to when it joined last
  std::string member_id_;
  int32_t generation_ = -1;
  std::set<TopicAndPartition> owned_;
  int32_t assigned_generation_ = -1;  // when it got what it owns
  bool lost_ = false;                 // what it owns
  bool rejoin_ = false;
  std::string reason_ = "it joins";  // for the coordinator's log
  uint64_t attempt_ = 0;
  MonotonicNs retry_at_;
  MemberSession session_{config_};
  MonotonicNs sync_sent_at_;
  bool coordinator_lost_ = false;
  absl::Status fault_;
  absl::Status fenced_;
  std::deque<LeaveStep> leaves_;
  // Of the rebalance that is under way.
  const Assignor* assignor_ = nullptr;
  std::optional<GroupLeader> leader_;  // while it leads
  protocol::SyncGroupRequest sync_;
  std::optional<std::set<TopicAndPartition>> target_;
  std::vector<TopicAndPartition> revoking_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_MEMBER_CORE_H_
