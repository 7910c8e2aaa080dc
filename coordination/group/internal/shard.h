// -----------------------------------------------------------------------------
// File: coordination/group/internal/shard.h
// -----------------------------------------------------------------------------
// What the parts of a group coordinator share: the groups of one partition, their timers, the
// appends on their way, and the clock and effects of the step that runs.
// Decision: what depends on an append is a continuation kept under the append's token. It names
// groups and members by id, never by pointer: both may be gone by then. Continuations run in the
// order of the log even when the driver reports out of order.
// Who waits for an append too long is told so; what the append does is done when it is done, be it
// later: memory follows the log, whatever clients were told.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_SHARD_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_SHARD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/random.h"
#include "coordination/group/classic_group.h"
#include "coordination/group/events.h"
#include "coordination/group/internal/timer_queue.h"
#include "coordination/group/offset_store.h"
#include "coordination/group/records.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

using protocol::ErrorCode;

constexpr int16_t Code(ErrorCode error) { return static_cast<int16_t>(error); }

struct Group {
  ClassicGroup classic;
  OffsetStore offsets;

  // Ids given to new members that have not come back with them (KIP-394).
  std::map<std::string, Timer, std::less<>> pending_members;
  Timer join;
  Timer sync;
  // The first rebalance waits for latecomers, again and again up to the rebalance timeout.
  bool in_initial_delay = false;
  bool new_member_added = false;
  int64_t initial_delay_ms = 0;
  int64_t initial_remaining_ms = 0;

  int32_t appends = 0;                // on their way with records of this group
  bool is_persisted = false;          // has a group record in the log, or one on its way
  bool is_deleting = false;           // a tombstone of the group is on its way
  bool assignment_in_flight = false;  // of the present generation

  bool AllJoined() const { return pending_members.empty() && classic.AllJoined(); }
};

class Shard {
 public:
  using Continuation = std::function<void(ErrorCode)>;
  using GiveUp = std::function<void()>;

  Shard(GroupConfig config, Random* random) : config(std::move(config)), random(*random) {}

  Group* Find(absl::string_view group_id) {
    const auto it = groups.find(group_id);
    return it == groups.end() ? nullptr : &it->second;
  }

  template <class Response>
  void Answer(uint64_t token, Response response) {
    effects->push_back(Respond{token, std::move(response)});
  }

  // Appends records of one group; `then` runs when they are committed or refused. When that takes
  // longer than append_timeout_ms, `give_up` runs once meanwhile.
  void Append(const std::string& group_id, std::vector<Record> records, Continuation then,
              GiveUp give_up) {
    if (!is_appending_) return;  // nobody waits for what an unload sets off
    ++groups.at(group_id).appends;
    const uint64_t token = ++last_append_token_;
    appends_.emplace(token,
                     PendingAppend{group_id, std::move(then), std::move(give_up),
                                   now.monotonic_ms + config.append_timeout_ms, std::nullopt});
    ArmAppendTimer();
    effects->push_back(AppendRecords{token, std::move(records), now.wall_ms});
  }

  void OnAppendDone(const AppendDone& done) {
    const auto it = appends_.find(done.token);
    if (it == appends_.end()) return;  // of before an Unload
    it->second.result = done.error;
    while (!appends_.empty() && appends_.begin()->second.result.has_value()) {
      auto node = appends_.extract(appends_.begin());
      PendingAppend& append = node.mapped();
      --groups.at(append.group_id).appends;
      append.then(*append.result);
      MaybeForget(append.group_id);
    }
    if (appends_.empty()) timers.Cancel(append_timer_);
  }

  // Appends that have taken too long by now.
  void OnAppendTimeout() {
    append_timer_ = {};
    for (auto& [token, append] : appends_) {
      if (append.deadline_ms > now.monotonic_ms) break;
      if (append.give_up) std::exchange(append.give_up, nullptr)();
    }
    ArmAppendTimer();
  }

  void ArmSession(const std::string& group_id, Member& member, int64_t delay_ms) {
    timers.Arm(member.session, now.monotonic_ms + delay_ms, [&] {
      return TimerTarget{TimerKind::kSession, group_id, member.id};
    });
  }
  void ArmGroupTimer(TimerKind kind, const std::string& group_id, Timer& timer, int64_t delay_ms) {
    timers.Arm(timer, now.monotonic_ms + delay_ms, [&] {
      return TimerTarget{kind, group_id, std::string()};
    });
  }

  // A group that nobody is in, that holds nothing and that the log does not know takes no memory.
  void MaybeForget(const std::string& group_id) {
    const auto it = groups.find(group_id);
    if (it == groups.end()) return;
    const Group& group = it->second;
    if (group.is_persisted || group.appends > 0 || !group.offsets.empty() ||
        !group.pending_members.empty() || group.classic.state() != GroupState::kEmpty) {
      return;
    }
    Erase(it);
  }
  void Forget(const std::string& group_id) {
    const auto it = groups.find(group_id);
    if (it != groups.end()) Erase(it);
  }

  void StopAppending() { is_appending_ = false; }

  // Drops all, without answering anyone.
  void Clear() {
    groups.clear();
    open_transactions.clear();
    timers.Clear();
    appends_.clear();
    retention = {};
    append_timer_ = {};
    is_appending_ = true;
  }
  // Runs every continuation as if its append had failed with `error`, in order.
  void FailAppends(ErrorCode error) {
    while (!appends_.empty()) {
      auto node = appends_.extract(appends_.begin());
      --groups.at(node.mapped().group_id).appends;
      node.mapped().then(error);
    }
  }

  const GroupConfig config;
  Random& random;
  std::map<std::string, Group, std::less<>> groups;  // in order: runs must repeat
  // Groups with offsets of a transaction that the log left open, by producer id.
  std::map<int64_t, std::set<std::string>> open_transactions;
  TimerQueue timers;
  Timer retention;
  Now now;                     // of the step that runs
  Effects* effects = nullptr;  // of the step that runs

 private:
  struct PendingAppend {
    std::string group_id;
    Continuation then;
    GiveUp give_up;  // null: done, or nobody waits
    int64_t deadline_ms = 0;
    std::optional<ErrorCode> result;
  };

  // For the first append that somebody waits for.
  void ArmAppendTimer() {
    if (append_timer_.armed()) return;
    for (const auto& [token, append] : appends_) {
      if (!append.give_up) continue;
      return ArmGroupTimer(TimerKind::kAppend, std::string(), append_timer_,
                           append.deadline_ms - now.monotonic_ms);
    }
  }

  void Erase(std::map<std::string, Group, std::less<>>::iterator it) {
    Group& group = it->second;
    timers.Cancel(group.join);
    timers.Cancel(group.sync);
    for (auto& [id, timer] : group.pending_members) timers.Cancel(timer);
    for (auto& [id, member] : group.classic.members()) timers.Cancel(member.session);
    groups.erase(it);
  }

  std::map<uint64_t, PendingAppend> appends_;  // by token, thus in the order of the log
  uint64_t last_append_token_ = 0;
  Timer append_timer_;
  bool is_appending_ = true;
};

// What a client hears when the log refused a group's records.
constexpr ErrorCode ClientErrorOf(ErrorCode append_error) {
  switch (append_error) {
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
      return ErrorCode::kCoordinatorNotAvailable;
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kKafkaStorageError:
      return ErrorCode::kNotCoordinator;
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge:
    case ErrorCode::kInvalidFetchSize:
      return ErrorCode::kUnknownServerError;
    default:
      return append_error;
  }
}

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_SHARD_H_
