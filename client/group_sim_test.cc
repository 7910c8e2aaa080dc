// Many members as state machines with a coordinator that keeps Kafka's rules, under lost requests
// and answers, deaths, silences and new partitions: no partition is ever two members', and when
// all is well again every partition has an owner.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "client/assignor.h"
#include "client/assignors.h"
#include "client/consumer_config.h"
#include "client/group_member_core.h"
#include "client/group_steps.h"
#include "client/topic_and_partition.h"
#include "gtest/gtest.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;
using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::SyncGroupRequest;
using protocol::SyncGroupResponse;

constexpr int64_t kSessionMs = 1'000;
constexpr int64_t kRebalanceMs = 3'000;

// The rules of the classic protocol, with one group. Answers that wait are asked for by Take*().
class Coordinator {
 public:
  void Join(const JoinGroupRequest& request, int64_t now, const std::string& who) {
    if (request.member_id.empty()) {
      joined_[who] = JoinGroupResponse();
      joined_[who].error_code = static_cast<int16_t>(ErrorCode::kMemberIdRequired);
      joined_[who].member_id = absl::StrCat("id", ++ids_);
      Member& member = members_[joined_[who].member_id];
      member.seen = now;
      member.pending = true;
      return;
    }
    const auto it = members_.find(request.member_id);
    if (it == members_.end()) {
      joined_[who] = JoinGroupResponse();
      joined_[who].error_code = static_cast<int16_t>(ErrorCode::kUnknownMemberId);
      return;
    }
    Member& member = it->second;
    member.pending = false;
    member.request = request;
    member.who = who;
    member.joins = true;
    member.seen = now;
    if (!rebalancing_) Rebalance(now);
  }

  std::optional<JoinGroupResponse> TakeJoined(const std::string& who) {
    const auto it = joined_.find(who);
    if (it == joined_.end()) return std::nullopt;
    JoinGroupResponse response = std::move(it->second);
    joined_.erase(it);
    return response;
  }

  // Nothing while the leader has not shared out.
  std::optional<SyncGroupResponse> Sync(const SyncGroupRequest& request, int64_t now) {
    SyncGroupResponse response;
    const ErrorCode error = Check(request.member_id, request.generation_id);
    if (error == ErrorCode::kNone && rebalancing_) {
      response.error_code = static_cast<int16_t>(ErrorCode::kRebalanceInProgress);
      return response;
    }
    response.error_code = static_cast<int16_t>(error);
    if (error != ErrorCode::kNone) return response;
    members_[request.member_id].seen = now;
    if (request.member_id == leader_ && !shared_) {
      shared_ = true;
      for (const auto& one : request.assignments) shares_[one.member_id] = one.assignment.value;
    }
    if (!shared_) return std::nullopt;
    response.assignment.value = shares_[request.member_id];
    return response;
  }

  HeartbeatResponse Beat(const HeartbeatRequest& request, int64_t now) {
    HeartbeatResponse response;
    ErrorCode error = Check(request.member_id, request.generation_id);
    if (error == ErrorCode::kNone) {
      members_[request.member_id].seen = now;
      if (rebalancing_) error = ErrorCode::kRebalanceInProgress;
    }
    response.error_code = static_cast<int16_t>(error);
    return response;
  }

  void Leave(const std::string& member, int64_t now) {
    if (members_.erase(member) > 0) Rebalance(now);
  }

  void Tick(int64_t now) {
    for (auto it = members_.begin(); it != members_.end();) {
      const bool waits = rebalancing_ && it->second.joins;
      if (!waits && now - it->second.seen > kSessionMs) {
        const bool was_in = !it->second.pending;
        it = members_.erase(it);
        if (was_in) Rebalance(now);
      } else {
        ++it;
      }
    }
    if (!rebalancing_) return;
    bool complete = now >= until_;
    if (!complete) {
      complete = std::all_of(members_.begin(), members_.end(), [](const auto& entry) {
        return entry.second.pending || entry.second.joins;
      });
    }
    if (complete) Complete(now);
  }

  // Who the coordinator believes to be a member.
  bool Knows(const std::string& member) const { return members_.contains(member); }

 private:
  struct Member {
    JoinGroupRequest request;
    std::string who;
    bool pending = false;  // has an id, but has not joined
    bool joins = false;
    int64_t seen = 0;
  };

  ErrorCode Check(const std::string& member, int32_t generation) {
    const auto it = members_.find(member);
    if (it == members_.end() || it->second.pending) return ErrorCode::kUnknownMemberId;
    return generation == generation_ ? ErrorCode::kNone : ErrorCode::kIllegalGeneration;
  }

  void Rebalance(int64_t now) {
    if (!rebalancing_) until_ = now + kRebalanceMs;
    rebalancing_ = true;
  }

  void Complete(int64_t now) {
    rebalancing_ = false;
    shared_ = false;
    shares_.clear();
    ++generation_;
    for (auto it = members_.begin(); it != members_.end();) {
      it = it->second.pending || it->second.joins ? std::next(it) : members_.erase(it);
    }
    leader_.clear();
    for (const auto& [id, member] : members_) {
      if (!member.pending && leader_.empty()) leader_ = id;
    }
    for (auto& [id, member] : members_) {
      if (member.pending) continue;
      JoinGroupResponse response;
      response.generation_id = generation_;
      response.protocol_name = member.request.protocols[0].name;
      response.leader = leader_;
      response.member_id = id;
      if (id == leader_) {
        for (const auto& [other, data] : members_) {
          if (data.pending) continue;
          response.members.push_back({other, std::nullopt, data.request.protocols[0].metadata});
        }
      }
      joined_[member.who] = std::move(response);
      member.joins = false;
      member.seen = now;
    }
  }

  std::map<std::string, Member> members_;
  std::map<std::string, JoinGroupResponse> joined_;  // by process
  std::map<std::string, std::string> shares_;
  std::string leader_;
  int32_t generation_ = 0;
  bool rebalancing_ = false;
  bool shared_ = false;
  int64_t until_ = 0;
  int ids_ = 0;
};

// A member's process: its state machine, and what it waits for.
struct Process {
  explicit Process(const std::string& strategy) {
    config.group_id = "g";
    config.session_timeout_ms = kSessionMs;
    config.heartbeat_interval_ms = 200;
    config.max_poll_interval_ms = kRebalanceMs;
    core = std::make_unique<GroupMemberCore>(config, *MakeAssignors({strategy}));
    core->Subscribe({"t"});
  }
  ConsumerConfig config;
  std::unique_ptr<GroupMemberCore> core;
  bool joining = false;
  std::optional<SyncGroupRequest> syncing;
  int64_t silent_until = 0;
  std::set<TopicAndPartition> reads;  // what the application believes to have
};

class Simulation {
 public:
  Simulation(uint64_t seed, std::string strategy) : random_(seed), strategy_(std::move(strategy)) {}

  void Run() {
    for (now_ = 1; now_ < 60'000 && !testing::Test::HasFatalFailure(); now_ += 10) {
      if (now_ < 40'000) Trouble();
      coordinator_.Tick(now_);
      for (auto& [who, process] : processes_) {
        if (process.silent_until <= now_) Turn(who, process);
      }
      ExpectOneOwnerEach();
    }
    ExpectAllIsShared();
  }

 private:
  MonotonicNs Now() const { return MonotonicNs(now_ * kNsPerMs); }
  bool Fails() { return now_ < 40'000 && random_.OneIn(15); }

  void Trouble() {
    if (processes_.empty() || (processes_.size() < 6 && random_.OneIn(300))) {
      processes_.try_emplace(absl::StrCat("p", ++made_), strategy_);
    } else if (random_.OneIn(500)) {  // it dies
      auto it = processes_.begin();
      std::advance(it, random_.Below(processes_.size()));
      processes_.erase(it);
    } else if (random_.OneIn(400)) {  // its machine stands still
      auto it = processes_.begin();
      std::advance(it, random_.Below(processes_.size()));
      it->second.silent_until = now_ + static_cast<int64_t>(random_.Below(2 * kSessionMs));
    } else if (random_.OneIn(2'000)) {
      ++partitions_;
    }
  }

  void Turn(const std::string& who, Process& process) {
    GroupMemberCore& core = *process.core;
    core.OnPoll(Now());
    Answer(who, process);
    core.OnMetadata({{"t", partitions_}});
    while (std::optional<GroupStep> step = core.Next(Now(), true)) Do(who, process, *step);
    core.TakeCoordinatorLost();
    if (const auto beat = core.NextHeartbeat(Now())) {
      if (Fails()) {
        core.OnHeartbeat(Now(), beat->generation_id, absl::UnavailableError("lost"));
      } else {
        const HeartbeatResponse response = coordinator_.Beat(*beat, now_);
        core.OnHeartbeat(Now(), beat->generation_id, response);
      }
    }
    // What the application goes on reading until the next turn.
    if (core.MustHold(Now())) process.reads.clear();
  }

  void Answer(const std::string& who, Process& process) {
    GroupMemberCore& core = *process.core;
    if (process.joining) {
      const auto response = coordinator_.TakeJoined(who);
      if (response.has_value()) {
        process.joining = false;
        Fails() ? core.OnJoined(Now(), core.attempt(), absl::UnavailableError("lost"))
                : core.OnJoined(Now(), core.attempt(), *response);
      }
    }
    if (process.syncing.has_value()) {
      const auto response = coordinator_.Sync(*process.syncing, now_);
      if (response.has_value()) {
        process.syncing.reset();
        Fails() ? core.OnSynced(Now(), core.attempt(), absl::UnavailableError("lost"))
                : core.OnSynced(Now(), core.attempt(), *response);
      }
    }
  }

  void Do(const std::string& who, Process& process, const GroupStep& step) {
    GroupMemberCore& core = *process.core;
    if (const auto* revoke = std::get_if<RevokeStep>(&step)) {
      for (const TopicAndPartition& tp : revoke->partitions) process.reads.erase(tp);
      if (!revoke->lost) core.OnRevoked();
    } else if (const auto* assign = std::get_if<AssignStep>(&step)) {
      process.reads = {assign->all.begin(), assign->all.end()};
      EXPECT_EQ(process.reads, core.owned());
    } else if (std::get_if<DescribeStep>(&step) != nullptr) {
      core.OnTopics({{"t", partitions_}});
    } else if (const auto* leave = std::get_if<LeaveStep>(&step)) {
      coordinator_.Leave(leave->member_id, now_);
    } else if (const auto* join = std::get_if<JoinGroupRequest>(&step)) {
      process.syncing.reset();
      coordinator_.TakeJoined(who);
      if (Fails()) {
        core.OnJoined(Now(), core.attempt(), absl::UnavailableError("lost"));
      } else {
        coordinator_.Join(*join, now_, who);
        process.joining = true;
      }
    } else if (const auto* sync = std::get_if<SyncGroupRequest>(&step)) {
      process.syncing = *sync;
    }
  }

  void ExpectOneOwnerEach() {
    std::map<TopicAndPartition, std::string> owners;
    for (const auto& [who, process] : processes_) {
      if (process.silent_until > now_) continue;  // reads nothing either
      if (process.core->MustHold(Now())) continue;
      for (const TopicAndPartition& tp : process.reads) {
        const auto [it, is_new] = owners.emplace(tp, who);
        ASSERT_TRUE(is_new) << tp.partition << " is read by " << it->second << " and " << who
                            << " at " << now_;
      }
    }
  }

  void ExpectAllIsShared() {
    std::set<TopicAndPartition> all;
    size_t most = 0;
    size_t least = 1'000;
    for (const auto& [who, process] : processes_) {
      EXPECT_TRUE(process.core->is_stable()) << who;
      all.insert(process.reads.begin(), process.reads.end());
      most = std::max(most, process.reads.size());
      least = std::min(least, process.reads.size());
    }
    EXPECT_EQ(all.size(), static_cast<size_t>(partitions_));
    EXPECT_LE(most, least + 1);
  }

  SeededRandom random_;
  const std::string strategy_;
  Coordinator coordinator_;
  std::map<std::string, Process> processes_;
  int made_ = 0;
  int32_t partitions_ = 7;
  int64_t now_ = 0;
};

class GroupSimTest : public testing::TestWithParam<std::string> {};

TEST_P(GroupSimTest, NoPartitionIsEverTwoMembers) {
  for (uint64_t seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE(seed);
    Simulation(seed, GetParam()).Run();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Strategies, GroupSimTest,
                         testing::Values("range", "roundrobin", "cooperative-sticky"),
                         [](const testing::TestParamInfo<std::string>& info) {
                           return info.param == "cooperative-sticky" ? "sticky" : info.param;
                         });

}  // namespace
}  // namespace weir::client
