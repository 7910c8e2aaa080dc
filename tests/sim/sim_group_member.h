// -----------------------------------------------------------------------------
// File: tests/sim/sim_group_member.h
// -----------------------------------------------------------------------------
// A member of a consumer group in the simulator: joins, deals partitions out when it leads, commits
// and fetches offsets, and does all that real ones do at the wrong time: falls silent, vanishes,
// comes back as a new process, goes on under a generation that is past.
#ifndef WEIR_TESTS_SIM_SIM_GROUP_MEMBER_H_
#define WEIR_TESTS_SIM_SIM_GROUP_MEMBER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/consumer_protocol.h"
#include "protocol/error_code.h"
#include "tests/sim/group_oracle.h"
#include "tests/sim/sim_group_offsets.h"

namespace weir::sim {

class GroupMember final : public OffsetActor {
 public:
  // `instance` is empty for a dynamic member.
  GroupMember(ClientContext& context, std::string name, std::string group, std::string instance)
      : OffsetActor(context, std::move(name)), instance_(std::move(instance)) {
    who_.group = std::move(group);
    session_timeout_ms_ = 300 + static_cast<int32_t>(context.random.Below(1200));
    rebalance_timeout_ms_ = 500 + static_cast<int32_t>(context.random.Below(2500));
    join_version_ = static_cast<int16_t>(instance_.empty() ? 2 + context.random.Below(8)
                                                           : 5 + context.random.Below(5));
  }

  const MemberIdentity& who() const { return who_; }
  const std::string& instance() const { return instance_; }

  // --- after the faults ---------------------------------------------------------------------

  // Is gone for good, without a word.
  void Vanish() {
    retired_ = true;
    session().Close();
  }
  bool retired() const { return retired_; }
  // From now on does what brings the group to work, every now and then.
  void Behave() {
    behaves_ = true;
    stalled_until_ = MonotonicNs();
    settled_ = 0;
  }
  bool IsDue() const { return !retired_ && context_.clock.Monotonic() >= next_act_; }
  // The generation in which the member has its assignment and had a commit and a fetch answered.
  int32_t settled_generation() const {
    return mode_ == Mode::kOwning && settled_ >= 2 ? who_.generation : -1;
  }

 private:
  enum class Mode { kOut, kSyncing, kOwning };
  struct Past {
    MemberIdentity who;
    std::set<TopicPartition> owned;
  };

  static constexpr int64_t kPauseNs = 100 * kNsPerMs;  // between two acts of who behaves

  void Ask() override {
    if (retired_ || context_.clock.Monotonic() < stalled_until_) return;
    if (session_.waiting() > (behaves_ || waits_ ? 0 : 3)) return;
    next_act_ = context_.clock.Monotonic() + kPauseNs;
    if (!found_) return FindCoordinator();
    switch (mode_) {
      case Mode::kOut:
        return Join();
      case Mode::kSyncing:
        return Sync();
      case Mode::kOwning:
        return behaves_ ? Work() : Own();
    }
  }

  void Work() {
    if (settled_ >= 2 || context_.random.OneIn(3)) return Heartbeat();
    const auto is_deleted = [this](const TopicPartition& partition) {
      return context_.oracle.Deletable(partition.topic_id);
    };
    std::erase_if(owned_, is_deleted);  // nothing can be committed for it
    if (owned_.empty()) {
      settled_ = 2;
      return Heartbeat();
    }
    if (settled_ == 0) return CommitAsOwner(false);
    FetchOffsets(who_.group, AnyOf(owned_), [this](bool answered) {
      if (answered && settled_ == 1) settled_ = 2;
    });
  }

  void Own() {
    const uint64_t choice = context_.random.Below(100);
    if (choice < 30) {
      Heartbeat();
    } else if (choice < 60) {
      if (!owned_.empty()) CommitAsOwner(context_.random.OneIn(8));
    } else if (choice < 72) {
      if (!owned_.empty()) FetchOffsets(who_.group, AnyOf(owned_), [](bool) {});
    } else if (choice < 78) {
      CommitAsOfPast();
    } else if (choice < 82) {
      Join();  // its subscription has changed, or it forgot
    } else if (choice < 86) {
      Sync();  // asks for its assignment once more
    } else if (choice < 90) {
      Leave();
    } else if (choice < 93) {
      stalled_until_ =
          context_.clock.Monotonic() + static_cast<int64_t>(context_.random.Below(3000)) * kNsPerMs;
    } else if (choice < 96) {
      session_.Reset();
    } else {
      Restart();
    }
  }

  // A new process: it knows no more than its configuration.
  void Restart() {
    context_.trace.Note(session_.name(), ": restarts");
    session_.Reset();
    Forget();
    found_ = false;
  }

  void Forget() {
    Remember();
    who_.member_id.clear();
    mode_ = Mode::kOut;
    owned_.clear();
    ++life_;
    waits_ = false;
  }
  void Remember() {
    if (who_.member_id.empty() || owned_.empty()) return;
    past_.push_back({who_, owned_});
    if (past_.size() > 2) past_.pop_front();
  }

  // --- membership ---------------------------------------------------------------------------

  void FindCoordinator() {
    protocol::FindCoordinatorRequest request;
    request.coordinator_keys.push_back(who_.group);
    Send<protocol::FindCoordinatorResponse>(
        request, 4, "find coordinator",
        [this](const protocol::FindCoordinatorResponse* response, uint64_t) {
          if (response != nullptr && response->coordinators.at(0).error_code == 0) found_ = true;
        });
  }

  std::optional<std::string> Instance() const {
    return instance_.empty() ? std::nullopt : std::optional<std::string>(instance_);
  }
  const std::string& Identity() const { return instance_.empty() ? who_.member_id : instance_; }

  // To the topics t0 and t1: offsets of others may be deleted and may expire.
  std::string Subscription() const {
    protocol::ConsumerProtocolSubscription subscription;
    subscription.topics = {"t0", "t1"};
    return protocol::EncodeConsumerProtocol(subscription);
  }

  void Join() {
    protocol::JoinGroupRequest request;
    request.group_id = who_.group;
    request.session_timeout_ms = session_timeout_ms_;
    request.rebalance_timeout_ms = rebalance_timeout_ms_;
    request.member_id = who_.member_id;
    request.group_instance_id = Instance();
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", {Subscription()}});
    if (!behaves_ && context_.random.OneIn(4)) {
      request.protocols.push_back({"sticky", {Subscription()}});
    }
    Remember();
    mode_ = Mode::kOut;
    owned_.clear();
    waits_ = true;
    Send<protocol::JoinGroupResponse>(
        request, join_version_, absl::StrCat("join ", who_.group, " as \"", who_.member_id, "\""),
        [this, life = life_](const protocol::JoinGroupResponse* response, uint64_t sent) {
          if (life == life_) waits_ = false;
          if (response != nullptr) OnJoined(*response, life == life_, sent);
        });
  }

  void OnJoined(const protocol::JoinGroupResponse& joined, bool mine, uint64_t sent) {
    const auto error = static_cast<ErrorCode>(joined.error_code);
    context_.trace.Note("  join error ", joined.error_code, " generation ", joined.generation_id,
                        " as ", joined.member_id);
    if (error == ErrorCode::kNone) {
      context_.groups.Joined({who_.group, joined.member_id, joined.generation_id}, instance_, sent);
    }
    if (!mine) return;
    if (error == ErrorCode::kMemberIdRequired) who_.member_id = joined.member_id;
    if (error != ErrorCode::kNone) return OnError(error);
    who_.member_id = joined.member_id;
    who_.generation = joined.generation_id;
    leads_ = joined.leader == joined.member_id && !joined.skip_assignment;
    members_.clear();
    for (const auto& member : joined.members) members_.push_back(member.member_id);
    mode_ = Mode::kSyncing;
    settled_ = 0;
  }

  // The leader deals partitions out at random, so that two assignments of one generation show.
  void Sync() {
    protocol::SyncGroupRequest request;
    request.group_id = who_.group;
    request.generation_id = who_.generation;
    request.member_id = who_.member_id;
    request.group_instance_id = Instance();
    request.assignments = Deal();
    // Sometimes it asks twice: the first answer does not matter to it then.
    if (leads_ && !behaves_ && context_.random.OneIn(4)) {
      SendSync(request, /*counts=*/false);
      request.assignments = Deal();
    }
    waits_ = true;
    SendSync(request, /*counts=*/true);
  }

  std::vector<protocol::SyncGroupRequest::Assignment> Deal() {
    if (!leads_ || members_.empty()) return {};
    std::map<std::string, std::string> dealt;
    const uint64_t number = context_.groups.NewAssignment();
    for (const std::string& member : members_) dealt[member] = absl::StrCat(number);
    for (const Oracle::Topic* topic : context_.oracle.Live()) {
      for (int32_t i = 0; i < topic->partitions; ++i) {
        absl::StrAppend(&dealt[members_[context_.random.Below(members_.size())]], ",",
                        topic->id.high, ":", topic->id.low, ":", i);
      }
    }
    std::vector<protocol::SyncGroupRequest::Assignment> assignments;
    for (auto& [member, text] : dealt) assignments.push_back({member, {text}});
    return assignments;
  }

  void SendSync(const protocol::SyncGroupRequest& request, bool counts) {
    const auto version = static_cast<int16_t>(3 + context_.random.Below(3));
    Send<protocol::SyncGroupResponse>(
        request, version, absl::StrCat("sync ", who_.group, " generation ", who_.generation),
        [this, counts, life = life_, who = who_, identity = Identity()](
            const protocol::SyncGroupResponse* response, uint64_t sent) {
          const bool mine = counts && life == life_;
          if (mine) waits_ = false;
          if (response != nullptr) OnSynced(*response, who, identity, mine, sent);
        });
  }

  void OnSynced(const protocol::SyncGroupResponse& synced, const MemberIdentity& who,
                const std::string& identity, bool mine, uint64_t sent) {
    context_.trace.Note("  sync error ", synced.error_code, " ", synced.assignment.value);
    const auto error = static_cast<ErrorCode>(synced.error_code);
    std::set<TopicPartition> owned;
    if (error == ErrorCode::kNone && !synced.assignment.value.empty()) {
      const uint64_t number = Parse(synced.assignment.value, &owned);
      context_.groups.Assigned(who, identity, number, owned, sent);
    }
    if (!mine || who.generation != who_.generation) return;
    if (error != ErrorCode::kNone) return OnError(error);
    owned_ = std::move(owned);
    mode_ = Mode::kOwning;
  }

  uint64_t Parse(const std::string& assignment, std::set<TopicPartition>* owned) {
    uint64_t number = 0;
    const std::vector<std::string> parts = absl::StrSplit(assignment, ',');
    WEIR_CHECK(absl::SimpleAtoi(parts[0], &number));
    for (size_t i = 1; i < parts.size(); ++i) {
      const std::vector<std::string> words = absl::StrSplit(parts[i], ':');
      TopicPartition partition;
      int32_t index = 0;
      WEIR_CHECK(absl::SimpleAtoi(words.at(0), &partition.topic_id.high) &&
                 absl::SimpleAtoi(words.at(1), &partition.topic_id.low) &&
                 absl::SimpleAtoi(words.at(2), &index));
      partition.partition = PartitionIndex(index);
      owned->insert(partition);
    }
    return number;
  }

  void Heartbeat() {
    protocol::HeartbeatRequest request;
    request.group_id = who_.group;
    request.generation_id = who_.generation;
    request.member_id = who_.member_id;
    request.group_instance_id = Instance();
    Send<protocol::HeartbeatResponse>(
        request, 4, absl::StrCat("heartbeat of ", who_.member_id, " ", who_.generation),
        [this, life = life_, who = who_](const protocol::HeartbeatResponse* response,
                                         uint64_t sent) {
          if (response == nullptr) return;
          context_.trace.Note("  heartbeat error ", response->error_code);
          const auto error = static_cast<ErrorCode>(response->error_code);
          if (error == ErrorCode::kNone) context_.groups.Taken(who, sent, "a heartbeat");
          if (life == life_ && who.generation == who_.generation) OnError(error);
        });
  }

  void Leave() {
    protocol::LeaveGroupRequest request;
    request.group_id = who_.group;
    request.member_id = who_.member_id;
    request.members.push_back({who_.member_id, Instance(), std::nullopt});
    const auto version = static_cast<int16_t>(context_.random.Below(6));
    if (version < 3) {
      request.members.clear();
    } else {
      request.member_id.clear();
    }
    Send<protocol::LeaveGroupResponse>(
        request, version, absl::StrCat("leave ", who_.group, " as ", who_.member_id),
        [this, who = who_](const protocol::LeaveGroupResponse* response, uint64_t) {
          if (response == nullptr || response->error_code != 0) return;
          for (const auto& member : response->members) {
            if (member.error_code != 0) return;
          }
          context_.groups.Left(who.group, who.member_id);
        });
    Forget();
  }

  void OnError(ErrorCode error) {
    switch (error) {
      case ErrorCode::kNone:
        return;
      case ErrorCode::kUnknownMemberId:
      case ErrorCode::kFencedInstanceId:
      case ErrorCode::kGroupIdNotFound:
        return Forget();
      case ErrorCode::kNotCoordinator:
      case ErrorCode::kCoordinatorNotAvailable:
        found_ = false;
        return;
      case ErrorCode::kCoordinatorLoadInProgress:
        return;
      case ErrorCode::kMemberIdRequired:
        mode_ = Mode::kOut;
        return;
      case ErrorCode::kRebalanceInProgress:
      case ErrorCode::kIllegalGeneration:
        // Who is slow to learn goes on with its generation for a while.
        if (!behaves_ && context_.random.OneIn(3)) return;
        Remember();
        mode_ = Mode::kOut;
        owned_.clear();
        return;
      default:
        return context_.trace.Fail(session_.name(), ": unexpected error ", static_cast<int>(error));
    }
  }

  // --- offsets ------------------------------------------------------------------------------

  // With `other_generation` it claims a generation that it is not in.
  void CommitAsOwner(bool other_generation) {
    MemberIdentity who = who_;
    if (other_generation) --who.generation;
    CommitOffsets(who, Instance(), AnyOf(owned_),
                  [this, life = life_, generation = who.generation](ErrorCode error) {
                    if (life != life_ || generation != who_.generation) return;
                    if (error == ErrorCode::kNone && settled_ == 0) settled_ = 1;
                    OnError(error);
                  });
  }
  void CommitAsOfPast() {
    if (past_.empty()) return;
    const Past& past = past_[context_.random.Below(past_.size())];
    CommitOffsets(past.who, Instance(), AnyOf(past.owned), [](ErrorCode) {});
  }
  TopicPartition AnyOf(const std::set<TopicPartition>& partitions) {
    const auto at = static_cast<std::ptrdiff_t>(context_.random.Below(partitions.size()));
    return *std::next(partitions.begin(), at);
  }

  const std::string instance_;
  int32_t session_timeout_ms_ = 0, rebalance_timeout_ms_ = 0;
  int16_t join_version_ = 0;
  MemberIdentity who_;
  Mode mode_ = Mode::kOut;
  bool found_ = false;
  bool waits_ = false;  // for Join or Sync
  bool leads_ = false;
  uint64_t life_ = 0;                 // changes when the member forgets who it is
  std::vector<std::string> members_;  // of the generation, for the leader
  std::set<TopicPartition> owned_;
  std::deque<Past> past_;
  MonotonicNs stalled_until_;
  MonotonicNs next_act_;
  bool behaves_ = false, retired_ = false;
  int settled_ = 0;  // 1: committed, 2: fetched as well
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_GROUP_MEMBER_H_
