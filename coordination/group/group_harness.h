// -----------------------------------------------------------------------------
// File: coordination/group/group_harness.h
// -----------------------------------------------------------------------------
// For tests: a group coordinator with a log in memory, a clock to turn and the answers it gave.
#ifndef WEIR_COORDINATION_GROUP_GROUP_HARNESS_H_
#define WEIR_COORDINATION_GROUP_GROUP_HARNESS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/random.h"
#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "coordination/group/records.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/consumer_protocol.h"
#include "protocol/error_code.h"

namespace weir::group {

using protocol::ErrorCode;

template <class Response>
ErrorCode ErrorOf(const Response& response) {
  return static_cast<ErrorCode>(response.error_code);
}

class GroupHarness {
 public:
  explicit GroupHarness(GroupConfig config = {}, uint64_t seed = 1)
      : config_(config), random_(seed) {
    now_ = {1'000, 1'700'000'000'000};
    Restart();
  }

  // --- Log ---------------------------------------------------------------------------------------

  // While held, appends wait for Commit or Fail; else each is committed at once.
  void Hold(bool hold) { hold_ = hold; }
  size_t appends_waiting() const { return waiting_.size(); }
  void Commit() { FinishFirst(ErrorCode::kNone); }
  void Fail(ErrorCode error) { FinishFirst(error); }
  const std::vector<Record>& log() const { return log_; }
  void AddToLog(Record record) { log_.push_back(std::move(record)); }

  // The coordinator dies, with requests that wait, and another one reads the log. So it does in
  // Crash, with the first `kept` of the appends that wait in the log.
  void Crash(size_t kept) {
    for (size_t i = 0; i < kept; ++i) {
      log_.insert(log_.end(), waiting_[i].records.begin(), waiting_[i].records.end());
    }
    Restart();
  }
  void Restart() {
    waiting_.clear();
    lost_ += unanswered();
    coordinator_ = std::make_unique<GroupCoordinator>(config_, &random_);
    Step(StartLoading{});
    for (size_t i = 0; i < log_.size(); ++i) {
      LoadedRecord record;
      record.offset = static_cast<int64_t>(i);
      record.key = log_[i].key;
      if (log_[i].value.has_value()) record.value = *log_[i].value;
      Step(record);
    }
    Step(FinishLoading{});
  }

  // --- Time --------------------------------------------------------------------------------------

  // Lets `ms` pass, with a Tick whenever one is due.
  void Advance(int64_t ms) {
    const int64_t end = now_.monotonic_ms + ms;
    while (true) {
      const std::optional<int64_t> next = coordinator_->NextDeadlineMs();
      if (!next.has_value() || *next > end) break;
      MoveTo(std::max(*next, now_.monotonic_ms));
      Step(Tick{});
    }
    MoveTo(end);
  }
  const Now& now() const { return now_; }

  // --- Requests ----------------------------------------------------------------------------------

  template <class M>
  uint64_t Send(M body, int16_t version = M::kApi.versions.max,
                const std::string& client_id = "client") {
    const uint64_t token = ++last_token_;
    Step(Request<M>{token, version, client_id, "/10.0.0.1", std::move(body)});
    return token;
  }

  // Requests that wait for an answer of the present coordinator.
  size_t unanswered() const { return last_token_ - answers_.size() - lost_; }
  bool IsAnswered(uint64_t token) const { return answers_.count(token) > 0; }

  template <class Response>
  Response Answer(uint64_t token) {
    const auto it = answers_.find(token);
    WEIR_CHECK(it != answers_.end());
    return std::get<Response>(it->second);
  }

  // Sends and expects an answer at once.
  template <class Response, class M>
  Response Ask(M body, int16_t version = M::kApi.versions.max) {
    return Answer<Response>(Send(std::move(body), version));
  }

  void Step(Event event) {
    Effects effects;
    coordinator_->Step(now_, std::move(event), &effects);
    for (Effect& effect : effects) Apply(effect);
    while (!hold_ && !waiting_.empty()) Commit();
  }

  GroupCoordinator& coordinator() { return *coordinator_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void MoveTo(int64_t monotonic_ms) {
    now_.wall_ms += monotonic_ms - now_.monotonic_ms;
    now_.monotonic_ms = monotonic_ms;
  }

  void Apply(Effect& effect) {
    if (auto* append = std::get_if<AppendRecords>(&effect)) {
      WEIR_CHECK(!append->records.empty());
      waiting_.push_back(std::move(*append));
    } else if (auto* respond = std::get_if<Respond>(&effect)) {
      WEIR_CHECK(respond->token <= last_token_);
      WEIR_CHECK(answers_.emplace(respond->token, std::move(respond->body)).second);
    } else {
      notes_.push_back(std::get<Note>(effect).text);
    }
  }

  void FinishFirst(ErrorCode error) {
    WEIR_CHECK(!waiting_.empty());
    const AppendRecords append = std::move(waiting_.front());
    waiting_.pop_front();
    if (error == ErrorCode::kNone) {
      log_.insert(log_.end(), append.records.begin(), append.records.end());
    }
    Step(AppendDone{append.token, error});
  }

  GroupConfig config_;
  SeededRandom random_;
  std::unique_ptr<GroupCoordinator> coordinator_;
  Now now_;
  bool hold_ = false;
  std::vector<Record> log_;
  std::deque<AppendRecords> waiting_;
  uint64_t last_token_ = 0;
  size_t lost_ = 0;  // requests that died with a coordinator
  std::map<uint64_t, ResponseBody> answers_;
  std::vector<std::string> notes_;
};

// --- Requests that tests make over and over ------------------------------------------------------

inline std::string SubscriptionTo(absl::string_view topic) {
  protocol::ConsumerProtocolSubscription subscription;
  subscription.topics.emplace_back(topic);
  return protocol::EncodeConsumerProtocol(subscription);
}

inline protocol::JoinGroupRequest JoinOf(const std::string& member_id,
                                         const std::string& group_id = "g") {
  protocol::JoinGroupRequest join;
  join.group_id = group_id;
  join.session_timeout_ms = 10'000;
  join.rebalance_timeout_ms = 60'000;
  join.member_id = member_id;
  join.protocol_type = "consumer";
  join.protocols.push_back({"range", {SubscriptionTo("t")}});
  return join;
}

inline protocol::SyncGroupRequest SyncOf(const std::string& member_id, int32_t generation,
                                         const std::map<std::string, std::string>& assignments = {},
                                         const std::string& group_id = "g") {
  protocol::SyncGroupRequest sync;
  sync.group_id = group_id;
  sync.member_id = member_id;
  sync.generation_id = generation;
  for (const auto& [id, assignment] : assignments) sync.assignments.push_back({id, {assignment}});
  return sync;
}

inline protocol::HeartbeatRequest HeartbeatOf(const std::string& member_id, int32_t generation) {
  protocol::HeartbeatRequest heartbeat;
  heartbeat.group_id = "g";
  heartbeat.member_id = member_id;
  heartbeat.generation_id = generation;
  return heartbeat;
}

inline protocol::OffsetCommitRequest CommitOf(const std::string& topic, int32_t partition,
                                              int64_t offset, const std::string& member_id = "",
                                              int32_t generation = -1) {
  protocol::OffsetCommitRequest commit;
  commit.group_id = "g";
  commit.member_id = member_id;
  commit.generation_id_or_member_epoch = generation;
  auto& t = commit.topics.emplace_back();
  t.name = topic;
  auto& p = t.partitions.emplace_back();
  p.partition_index = partition;
  p.committed_offset = offset;
  return commit;
}

inline protocol::DescribeGroupsRequest DescribeOf(const std::string& group_id = "g") {
  protocol::DescribeGroupsRequest describe;
  describe.groups.push_back(group_id);
  return describe;
}

// The committed offset, -1 without one.
inline int64_t FetchOffset(GroupHarness& harness, const std::string& topic, int32_t partition,
                           const std::string& group_id = "g") {
  protocol::OffsetFetchRequest fetch;
  auto& group = fetch.groups.emplace_back();
  group.group_id = group_id;
  group.topics->push_back({topic, {}, {partition}});
  const auto response = harness.Ask<protocol::OffsetFetchResponse>(fetch);
  return response.groups.at(0).topics.at(0).partitions.at(0).committed_offset;
}

inline ErrorCode CommitError(const protocol::OffsetCommitResponse& response) {
  return ErrorOf(response.topics.at(0).partitions.at(0));
}

// A new dynamic member goes as far as waiting for the generation: its id and its token.
inline std::pair<std::string, uint64_t> StartJoin(GroupHarness& harness,
                                                  const std::string& group_id = "g") {
  const auto first = harness.Ask<protocol::JoinGroupResponse>(JoinOf("", group_id));
  WEIR_CHECK(ErrorOf(first) == ErrorCode::kMemberIdRequired);
  return {first.member_id, harness.Send(JoinOf(first.member_id, group_id))};
}

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_GROUP_HARNESS_H_
