#include "server/quorum_requests.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/error_code.h"
#include "server/logger.h"

namespace weir::server {
namespace {

using protocol::DescribeQuorumResponse;
using protocol::ErrorCode;

ErrorCode ErrorOf(const absl::Status& status) {
  if (status.ok()) return ErrorCode::kNone;
  if (absl::IsAlreadyExists(status)) return ErrorCode::kDuplicateVoter;
  if (absl::IsNotFound(status)) return ErrorCode::kVoterNotFound;
  if (absl::IsInvalidArgument(status)) return ErrorCode::kInvalidRequest;
  if (absl::IsAborted(status)) return ErrorCode::kNotLeaderOrFollower;
  return ErrorCode::kRequestTimedOut;  // it may succeed later
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
    return absl::InvalidArgumentError(
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
  state.last_fetch_timestamp = now - (loop_.clock().Monotonic() - follower.heard) / kNsPerMs;
  if (follower.match >= raft.commit()) state.last_caught_up_timestamp = state.last_fetch_timestamp;
  return state;
}

void QuorumRequests::Handle(const protocol::DescribeQuorumRequest& request,
                            Answer<DescribeQuorumResponse> answer) {
  const raft::Raft& raft = log_.raft();
  std::vector<raft::Raft::Follower> replicas = raft.Followers();
  replicas.push_back({raft.self(), raft.log_end(), MonotonicNs()});
  std::sort(replicas.begin(), replicas.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
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
    for (const QuorumMember& member : node_.config.quorum) {
      if (member.id != voter.id) continue;
      node.listeners.push_back({"CONTROLLER", member.address.host, member.address.port});
    }
  }
  answer(std::move(response));
}

void QuorumRequests::Handle(const protocol::AddRaftVoterRequest& request,
                            Answer<protocol::AddRaftVoterResponse> answer) {
  using Response = protocol::AddRaftVoterResponse;
  const absl::Status valid = CheckChange(request, node_.cluster_id);
  if (!valid.ok()) return answer(ResponseOf<Response>(valid));
  const BrokerId id(request.voter_id);
  if (peers_ != nullptr && !request.listeners.empty() && id != node_.config.node_id) {
    peers_->SetPeer(id, {request.listeners[0].host, request.listeners[0].port});
  }
  log_.AddVoter({id, request.voter_directory_id},
                [answer = std::move(answer)](const absl::Status& status) mutable {
                  answer(ResponseOf<Response>(status));
                });
}

void QuorumRequests::Handle(const protocol::RemoveRaftVoterRequest& request,
                            Answer<protocol::RemoveRaftVoterResponse> answer) {
  using Response = protocol::RemoveRaftVoterResponse;
  const absl::Status valid = CheckChange(request, node_.cluster_id);
  if (!valid.ok()) return answer(ResponseOf<Response>(valid));
  log_.RemoveVoter({BrokerId(request.voter_id), request.voter_directory_id},
                   [answer = std::move(answer)](const absl::Status& status) mutable {
                     answer(ResponseOf<Response>(status));
                   });
}

void QuorumRequests::ReplaceLostVoters() {
  if (!Leads()) return added_.clear();
  if (is_changing_) return;
  const raft::Raft& raft = log_.raft();
  const MonotonicNs silent_since =
      loop_.clock().Monotonic() - node_.config.quorum_election_timeout_ms * kNsPerMs;
  const std::vector<raft::Raft::Follower> followers = raft.Followers();
  for (const raft::Raft::Follower& follower : followers) {
    if (raft.voters().Contains(follower.key)) continue;
    const auto done = [this](const char* what, const raft::ReplicaKey& key) {
      return [this, what, key](const absl::Status& status) {
        is_changing_ = false;
        if (!status.ok()) return;
        node_.logger->Info("controller ", key.id.value(), " on disk ", key.directory_id.ToString(),
                           what);
      };
    };
    if (const auto waits = added_.find(follower.key.id);
        waits != added_.end() && waits->second == follower.key) {
      if (follower.match < raft.commit()) continue;
      is_changing_ = true;
      added_.erase(waits);
      return log_.AddVoter(follower.key,
                           done(" votes in place of that on its lost disk", follower.key));
    }
    for (const raft::Raft::Follower& lost : followers) {
      if (lost.key.id != follower.key.id || !raft.voters().Contains(lost.key)) continue;
      if (lost.heard > silent_since) continue;  // two nodes with one id
      is_changing_ = true;
      added_[follower.key.id] = follower.key;
      raft::ReplicaKey gone = lost.key;
      return log_.RemoveVoter(gone, [this, id = gone.id,
                                     finish = done(" votes no more: it came back on another",
                                                   gone)](const absl::Status& status) {
        if (!status.ok()) added_.erase(id);
        finish(status);
      });
    }
  }
}

}  // namespace weir::server
