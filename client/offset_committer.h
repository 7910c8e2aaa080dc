// -----------------------------------------------------------------------------
// File: client/offset_committer.h
// -----------------------------------------------------------------------------
// Commits a group's offsets with its coordinator, and asks for those that are committed. Requests
// go out when the coordinator is known, and again while what came is worth another try. Commits go
// one after the other, so that a try that is repeated never undoes a later one.
// Threading: that of its Cluster. Callbacks run inside Poll() of it, or in Fail().
// Errors: kAborted when the group has rebalanced, so that what was read may be another member's
// now: it must not be committed again as it is. kDeadlineExceeded when the time is over; the
// offsets may or may not be committed then. Else what the coordinator refused, partition by
// partition; the first such is told.
#ifndef WEIR_CLIENT_OFFSET_COMMITTER_H_
#define WEIR_CLIENT_OFFSET_COMMITTER_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "client/cluster.h"
#include "client/committed_offset.h"
#include "client/connection.h"
#include "client/consumer_config.h"
#include "client/coordinator_finder.h"
#include "client/group_steps.h"
#include "client/topic_and_partition.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/error_code.h"

namespace weir::client {

class OffsetCommitter {
 public:
  using CommitDone = absl::AnyInvocable<void(absl::Status)>;
  using FetchDone = absl::AnyInvocable<void(absl::StatusOr<CommittedOffsets>)>;
  // What the coordinator said to a commit of this generation about the membership.
  using Disowned = absl::AnyInvocable<void(int32_t generation, protocol::ErrorCode)>;

  OffsetCommitter(Cluster& cluster, const ConsumerConfig& config, CoordinatorFinder& finder,
                  Disowned disowned)
      : cluster_(cluster), config_(config), finder_(finder), disowned_(std::move(disowned)) {}
  OffsetCommitter(const OffsetCommitter&) = delete;
  OffsetCommitter& operator=(const OffsetCommitter&) = delete;

  // Without an identity it commits as somebody who is in no group: as long as that has no members.
  void Commit(OffsetsToCommit offsets, GroupIdentity identity, MonotonicNs deadline,
              CommitDone done) {
    if (offsets.empty()) return done(absl::OkStatus());
    Call& call = Add(deadline);
    call.offsets = std::move(offsets);
    call.identity = std::move(identity);
    call.committed = std::move(done);
    Advance();
  }
  void Fetch(std::vector<TopicAndPartition> partitions, MonotonicNs deadline, FetchDone done) {
    if (partitions.empty()) return done(CommittedOffsets());
    Call& call = Add(deadline);
    call.wanted = std::move(partitions);
    call.fetched = std::move(done);
    Advance();
  }

  // While it is held nothing is sent: behind a JoinGroup an answer may take as long as that.
  void Hold(bool held) { held_ = held; }
  // Ends everything with this.
  void Fail(const absl::Status& status) {
    for (const auto& call : std::exchange(calls_, {})) call->Finish(status);
  }
  // Whether anything waits for the coordinator.
  bool empty() const { return calls_.empty(); }

  // Sends what can be sent, and ends what is late.
  void Advance() {
    EndLate();
    const std::optional<int32_t> node = finder_.node();
    if (!node.has_value() || held_) return;
    bool commits = false;
    for (const auto& call : calls_) {
      if (call->committed && std::exchange(commits, true)) continue;
      if (call->under_way || cluster_.Now() < call->retry_at) continue;
      call->under_way = true;
      call->committed ? SendCommit(*node, *call) : SendFetch(*node, *call);
    }
  }

  MonotonicNs next_event() const {
    MonotonicNs next{std::numeric_limits<int64_t>::max()};
    bool commits = false;
    for (const auto& call : calls_) {
      next = std::min(next, call->deadline);
      if (call->committed && std::exchange(commits, true)) continue;
      if (!call->under_way && finder_.node().has_value() && !held_) {
        next = std::min(next, call->retry_at);
      }
    }
    return next;
  }

 private:
  struct Call {
    uint64_t id = 0;
    OffsetsToCommit offsets;
    GroupIdentity identity;
    std::vector<TopicAndPartition> wanted;
    CommitDone committed;  // one of these two
    FetchDone fetched;
    MonotonicNs deadline;
    MonotonicNs retry_at;
    bool under_way = false;
    absl::Status last_failure = absl::UnavailableError("it was not found");

    void Finish(const absl::Status& status) { committed ? committed(status) : fetched(status); }
  };

  Call& Add(MonotonicNs deadline) {
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    call.id = ++calls_made_;
    call.deadline = deadline;
    return call;
  }
  // Null when it has ended meanwhile.
  Call* Find(uint64_t id) {
    for (const auto& call : calls_) {
      if (call->id == id) return call.get();
    }
    return nullptr;
  }
  // Takes a call off the list; its callback may make others.
  std::unique_ptr<Call> Remove(const Call& call) {
    const auto it = std::find_if(calls_.begin(), calls_.end(),
                                 [&call](const auto& one) { return one->id == call.id; });
    std::unique_ptr<Call> out = std::move(*it);
    calls_.erase(it);
    return out;
  }
  void EndLate() {
    const MonotonicNs now = cluster_.Now();
    std::vector<uint64_t> late;
    for (const auto& call : calls_) {
      if (call->deadline <= now) late.push_back(call->id);
    }
    for (const uint64_t id : late) {
      if (Find(id) == nullptr) continue;
      const std::unique_ptr<Call> call = Remove(*Find(id));
      call->Finish(absl::DeadlineExceededError(
          absl::StrCat("the coordinator of group ", config_.group_id,
                       " did not answer about offsets in time: ", call->last_failure.message())));
    }
  }

  CallOptions Options() const {
    CallOptions options;
    options.deadline = cluster_.After(config_.request_timeout_ms);
    options.version_max = 9;  // the last that names topics
    return options;
  }

  void Retry(Call& call, const absl::Status& why, bool coordinator_lost) {
    call.under_way = false;
    call.last_failure = why;
    call.retry_at = cluster_.After(config_.retry_backoff_ms);
    if (coordinator_lost) finder_.Lost();
  }
  // True when it was worth another try.
  bool RetryIf(Call& call, protocol::ErrorCode error) {
    using protocol::ErrorCode;
    const bool lost = error == ErrorCode::kNotCoordinator ||
                      error == ErrorCode::kCoordinatorNotAvailable ||
                      error == ErrorCode::kRequestTimedOut;
    if (!lost && !protocol::IsRetriable(error)) return false;
    Retry(call, StatusOfError(error, ""), lost);
    return true;
  }
  void OnNoAnswer(Call& call, const absl::Status& status) {
    if (status.code() == absl::StatusCode::kUnavailable ||
        status.code() == absl::StatusCode::kDeadlineExceeded) {
      return Retry(call, status, true);
    }
    Remove(call)->Finish(status);
  }

  // --- Commit ----------------------------------------------------------------------------------

  void SendCommit(int32_t node, Call& call) {
    protocol::OffsetCommitRequest request;
    request.group_id = config_.group_id;
    request.generation_id_or_member_epoch = call.identity.generation;
    request.member_id = call.identity.member_id;
    if (call.identity.generation >= 0) request.group_instance_id = config_.group_instance_id;
    for (const auto& [tp, committed] : call.offsets) {
      if (request.topics.empty() || request.topics.back().name != tp.topic) {
        request.topics.emplace_back().name = tp.topic;
      }
      request.topics.back().partitions.push_back(
          {tp.partition, committed.offset.value(), committed.leader_epoch, committed.metadata});
    }
    cluster_.Send<protocol::OffsetCommitRequest>(
        node, std::move(request),
        [this, alive = std::weak_ptr<int>(alive_),
         id = call.id](absl::StatusOr<protocol::OffsetCommitResponse> response) {
          if (!alive.expired() && Find(id) != nullptr) OnCommitted(*Find(id), response);
        },
        Options());
  }

  void OnCommitted(Call& call, const absl::StatusOr<protocol::OffsetCommitResponse>& response) {
    if (!response.ok()) return OnNoAnswer(call, response.status());
    using protocol::ErrorCode;
    absl::Status status;
    for (const auto& topic : response->topics) {
      for (const auto& partition : topic.partitions) {
        const auto error = static_cast<ErrorCode>(partition.error_code);
        if (error == ErrorCode::kNone) continue;
        if (RetryIf(call, error)) return;
        disowned_(call.identity.generation, error);
        status.Update(StatusOfCommit(error, topic.name, partition.partition_index));
      }
    }
    Remove(call)->committed(status);
  }

  static absl::Status StatusOfCommit(protocol::ErrorCode error, absl::string_view topic,
                                     int32_t partition) {
    using protocol::ErrorCode;
    const absl::Status status =
        StatusOfError(error, absl::StrCat("commit of ", topic, "-", partition));
    const bool rebalanced = error == ErrorCode::kUnknownMemberId ||
                            error == ErrorCode::kIllegalGeneration ||
                            error == ErrorCode::kRebalanceInProgress;
    return rebalanced ? absl::AbortedError(status.message()) : status;
  }

  // --- Fetch -----------------------------------------------------------------------------------

  void SendFetch(int32_t node, Call& call) {
    std::map<std::string, std::vector<int32_t>> topics;
    for (const TopicAndPartition& tp : call.wanted) topics[tp.topic].push_back(tp.partition);
    cluster_.Send<protocol::OffsetFetchRequest>(
        node,
        [group_id = config_.group_id, topics = std::move(topics)](int16_t version) {
          protocol::OffsetFetchRequest request;
          // Offsets that a transaction may still change are not told then (KIP-447).
          request.require_stable = version >= 7;
          if (version < 8) {
            request.group_id = group_id;
            for (const auto& [name, partitions] : topics) {
              request.topics->push_back({name, partitions});
            }
            return request;
          }
          auto& group = request.groups.emplace_back();
          group.group_id = group_id;
          for (const auto& [name, partitions] : topics) {
            group.topics->push_back({name, {}, partitions});
          }
          return request;
        },
        [this, alive = std::weak_ptr<int>(alive_),
         id = call.id](absl::StatusOr<protocol::OffsetFetchResponse> response) {
          if (!alive.expired() && Find(id) != nullptr) OnFetched(*Find(id), response);
        },
        Options());
  }

  void OnFetched(Call& call, const absl::StatusOr<protocol::OffsetFetchResponse>& response) {
    if (!response.ok()) return OnNoAnswer(call, response.status());
    if (response->groups.empty()) return OnFetched(call, response->error_code, response->topics);
    OnFetched(call, response->groups[0].error_code, response->groups[0].topics);
  }

  template <class Topics>
  void OnFetched(Call& call, int16_t error_code, const Topics& topics) {
    using protocol::ErrorCode;
    const auto error = static_cast<ErrorCode>(error_code);
    if (error != ErrorCode::kNone) {
      if (RetryIf(call, error)) return;
      return Remove(call)->Finish(
          StatusOfError(error, absl::StrCat("offsets of group ", config_.group_id)));
    }
    CommittedOffsets offsets;
    for (const TopicAndPartition& tp : call.wanted) offsets[tp];
    for (const auto& topic : topics) {
      for (const auto& partition : topic.partitions) {
        const auto why = static_cast<ErrorCode>(partition.error_code);
        if (why != ErrorCode::kNone) {
          if (RetryIf(call, why)) return;
          return Remove(call)->Finish(StatusOfError(
              why, absl::StrCat("offset of ", topic.name, "-", partition.partition_index)));
        }
        if (partition.committed_offset < 0) continue;
        offsets[{topic.name, partition.partition_index}] =
            CommittedOffset{Offset(partition.committed_offset), partition.committed_leader_epoch,
                            partition.metadata.value_or("")};
      }
    }
    Remove(call)->fetched(std::move(offsets));
  }

  Cluster& cluster_;
  const ConsumerConfig& config_;
  CoordinatorFinder& finder_;
  Disowned disowned_;
  std::list<std::unique_ptr<Call>> calls_;
  uint64_t calls_made_ = 0;
  bool held_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_OFFSET_COMMITTER_H_
