#include "server/quorum_requests.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/sort.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/error_code.h"
#include "server/logger.h"

namespace weir::server {
namespace {

using protocol::DescribeQuorumResponse;
using protocol::ErrorCode;

constexpr int64_t kSilentTimeouts = 3;  // election timeouts without a word: a disk is lost

ErrorCode ErrorOf(const absl::Status& status) {
  if (status.ok()) return ErrorCode::kNone;
  if (absl::IsAlreadyExists(status)) return ErrorCode::kDuplicateVoter;
  if (absl::IsNotFound(status)) return ErrorCode::kVoterNotFound;
  if (absl::IsInvalidArgument(status)) return ErrorCode::kInvalidRequest;
  if (absl::IsPermissionDenied(status)) return ErrorCode::kInconsistentClusterId;
  return ErrorCode::kRequestTimedOut;  // it may succeed later, or have succeeded
}

template <class Response>
Response ResponseOf(const absl::Status& status) {
  Response response;
  response.error_code = static_cast<int16_t>(ErrorOf(status));
  response.error_message = std::nullopt;
  if (!status.ok()) response.error_message = std::string(status.message());
  return response;
}

template <class Request>
absl::Status CheckChange(const Request& request, const std::string& cluster_id) {
  if (request.cluster_id.has_value() && *request.cluster_id != cluster_id) {
    return absl::PermissionDeniedError(
        absl::StrCat("expected cluster ", cluster_id, ", came ", *request.cluster_id));
  }
  if (request.voter_id < 0 || request.voter_directory_id.is_zero()) {
    return absl::InvalidArgumentError("expected the id of a node and of its directory");
  }
  return absl::OkStatus();
}

}  // namespace

DescribeQuorumResponse::ReplicaState QuorumRequests::StateOf(const raft::Raft::Follower& follower) {
  const raft::Raft& raft = log_.raft();
  DescribeQuorumResponse::ReplicaState state;
  state.replica_id = follower.key.id.value();
  state.replica_directory_id = follower.key.directory_id;
  const TimestampMs now = loop_.clock().WallMs();
  if (follower.key == raft.self()) {
    state.log_end_offset = raft.log_end().value();
    state.last_fetch_timestamp = state.last_caught_up_timestamp = now;
    return state;
  }
  state.log_end_offset = follower.match.value();
  if (follower.heard == MonotonicNs()) return state;
  const auto wall = [&](MonotonicNs at) {
    return now - (loop_.clock().Monotonic() - at) / kNsPerMs;
  };
  state.last_fetch_timestamp = wall(follower.heard);
  if (follower.caught_up != MonotonicNs()) {
    state.last_caught_up_timestamp = wall(follower.caught_up);
  }
  return state;
}

std::optional<HostPort> QuorumRequests::AddressOf(const raft::ReplicaKey& voter) const {
  if (const auto added = added_.find(voter); added != added_.end()) return added->second;
  for (const QuorumMember& member : node_.config.quorum) {
    if (member.id == voter.id) return member.address;
  }
  return std::nullopt;
}

void QuorumRequests::Handle(const protocol::DescribeQuorumRequest& request,
                            Answer<DescribeQuorumResponse> answer) {
  const raft::Raft& raft = log_.raft();
  std::vector<raft::Raft::Follower> replicas = raft.Followers();
  replicas.push_back({raft.self(), raft.log_end(), MonotonicNs(), MonotonicNs()});
  Sort(replicas, [](const auto& a, const auto& b) { return a.key < b.key; });
  DescribeQuorumResponse response;
  response.error_message = std::nullopt;
  for (const auto& topic : request.topics) {
    auto& described = response.topics.emplace_back();
    described.topic_name = topic.topic_name;
    for (const auto& asked : topic.partitions) {
      auto& partition = described.partitions.emplace_back();
      partition.partition_index = asked.partition_index;
      partition.error_message = std::nullopt;
      if (topic.topic_name != metadata::kClusterMetadataTopic || asked.partition_index != 0) {
        partition.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
        partition.leader_id = partition.leader_epoch = -1;
        partition.high_watermark = -1;
        continue;
      }
      partition.leader_id = raft.self().id.value();
      partition.leader_epoch = raft.term().value();
      partition.high_watermark = raft.commit().value();
      for (const raft::Raft::Follower& replica : replicas) {
        auto& list =
            raft.voters().Contains(replica.key) ? partition.current_voters : partition.observers;
        list.push_back(StateOf(replica));
      }
    }
  }
  for (const raft::ReplicaKey& voter : raft.voters()) {
    auto& node = response.nodes.emplace_back();
    node.node_id = voter.id.value();
    const std::optional<HostPort> address = AddressOf(voter);
    if (!address.has_value() || !node_.config.internal_listener.has_value()) continue;
    node.listeners.push_back({node_.config.internal_listener->name, address->host, address->port});
  }
  answer(std::move(response));
}

void QuorumRequests::Handle(const protocol::AddRaftVoterRequest& request,
                            Answer<protocol::AddRaftVoterResponse> answer) {
  using Response = protocol::AddRaftVoterResponse;
  const absl::Status valid = CheckChange(request, node_.cluster_id);
  if (!valid.ok()) return answer(ResponseOf<Response>(valid));
  const BrokerId id(request.voter_id);
  std::optional<HostPort> address;
  for (const auto& listener : request.listeners) {
    const bool is_internal = node_.config.internal_listener.has_value() &&
                             listener.name == node_.config.internal_listener->name;
    if (is_internal && !listener.host.empty() && listener.port > 0) {
      address = HostPort{listener.host, listener.port};
    }
  }
  const int32_t timeout_ms = std::clamp(request.timeout_ms, 0, kTimeoutMsMax);
  const auto adding =
      std::make_shared<Adding>(Adding{{id, request.voter_directory_id},
                                      address,
                                      loop_.clock().Monotonic() + timeout_ms * kNsPerMs,
                                      request.ack_when_committed,
                                      absl::OkStatus(),
                                      std::move(answer)});
  TryToAdd(adding);
  if (adding->answer == nullptr) return;
  loop_.timers().Schedule(adding->deadline, [this, adding] {
    Finish(*adding, absl::DeadlineExceededError(absl::StrCat(
                        "not in time: ", adding->refusal.ok() ? "it may still be committed"
                                                              : adding->refusal.message())));
  });
}

void QuorumRequests::TryToAdd(const std::shared_ptr<Adding>& adding) {
  log_.AddVoter(adding->voter, [this, adding](const absl::Status& status) {
    const MonotonicNs now = loop_.clock().Monotonic();
    adding->refusal = status;
    const bool may_come = absl::IsFailedPrecondition(status) || absl::IsUnavailable(status);
    if (!may_come || !Leads() || now >= adding->deadline) return Finish(*adding, status);
    loop_.timers().Schedule(now + kRetryMs * kNsPerMs, [this, adding] {
      if (adding->answer == nullptr) return;
      adding->refusal = absl::OkStatus();
      TryToAdd(adding);
    });
  });
  if (!adding->until_committed) FinishOnceAppended(adding);
}

// The log takes the change up at the end of a tick, or refuses it.
void QuorumRequests::FinishOnceAppended(const std::shared_ptr<Adding>& adding) {
  loop_.Defer([this, adding] {
    if (adding->answer == nullptr || !adding->refusal.ok()) return;
    if (!log_.raft().voters().Contains(adding->voter)) return FinishOnceAppended(adding);
    Finish(*adding, absl::OkStatus());
  });
}

void QuorumRequests::Finish(Adding& adding, const absl::Status& status) {
  if (status.ok() && adding.address.has_value()) added_[adding.voter] = *adding.address;
  if (status.ok() && adding.address.has_value() && peers_ != nullptr &&
      adding.voter.id != node_.config.node_id) {
    peers_->SetPeer(adding.voter.id, *adding.address);
  }
  if (adding.answer == nullptr) return;
  std::exchange(adding.answer, nullptr)(ResponseOf<protocol::AddRaftVoterResponse>(status));
}

void QuorumRequests::Handle(const protocol::RemoveRaftVoterRequest& request,
                            Answer<protocol::RemoveRaftVoterResponse> answer) {
  using Response = protocol::RemoveRaftVoterResponse;
  const absl::Status valid = CheckChange(request, node_.cluster_id);
  if (!valid.ok()) return answer(ResponseOf<Response>(valid));
  const raft::ReplicaKey voter{BrokerId(request.voter_id), request.voter_directory_id};
  log_.RemoveVoter(voter, [this, voter, answer = std::move(answer)](absl::Status status) mutable {
    if (status.ok()) added_.erase(voter);
    if (absl::IsFailedPrecondition(status)) {  // never: it is the last one
      status = absl::InvalidArgumentError(status.message());
    }
    answer(ResponseOf<Response>(status));
  });
}

void QuorumRequests::ReplaceLostVoters() {
  if (!Leads()) return to_add_.clear();
  if (is_changing_) return;
  const raft::Raft& raft = log_.raft();
  const std::vector<raft::Raft::Follower> followers = raft.Followers();
  for (const raft::Raft::Follower& follower : followers) {
    if (raft.voters().Contains(follower.key)) continue;
    const auto waits = to_add_.find(follower.key.id);
    if (waits != to_add_.end() && waits->second == follower.key) {
      if (follower.match >= raft.commit()) return AddInPlace(follower.key);
      continue;
    }
    for (const raft::Raft::Follower& lost : followers) {
      if (lost.key.id != follower.key.id || !raft.voters().Contains(lost.key)) continue;
      const int64_t silent_ns = loop_.clock().Monotonic() - lost.heard;
      // Two nodes of one id would take the vote from each other.
      if (silent_ns < kSilentTimeouts * node_.config.quorum_election_timeout_ms * kNsPerMs)
        continue;
      return RemoveLost(lost.key, follower.key);
    }
  }
}

void QuorumRequests::RemoveLost(const raft::ReplicaKey& lost, const raft::ReplicaKey& next) {
  is_changing_ = true;
  log_.RemoveVoter(lost, [this, lost, next](const absl::Status& status) {
    is_changing_ = false;
    if (!status.ok()) {
      node_.logger->Warning("controller ", lost.id.value(), " is back on disk ",
                            next.directory_id.ToString(), ", but its vote on disk ",
                            lost.directory_id.ToString(), " stays: ", status.message());
      return;
    }
    to_add_[next.id] = next;
    node_.logger->Info("controller ", lost.id.value(), " votes no more on disk ",
                       lost.directory_id.ToString(), ": it is back on another");
  });
}

void QuorumRequests::AddInPlace(const raft::ReplicaKey& next) {
  is_changing_ = true;
  log_.AddVoter(next, [this, next](const absl::Status& status) {
    is_changing_ = false;
    if (!status.ok()) {
      node_.logger->Warning("controller ", next.id.value(), " on disk ",
                            next.directory_id.ToString(), " has no vote yet: ", status.message());
      return;
    }
    to_add_.erase(next.id);
    node_.logger->Info("controller ", next.id.value(), " votes on disk ",
                       next.directory_id.ToString());
  });
}

}  // namespace weir::server
