// -----------------------------------------------------------------------------
// File: server/quorum_requests.h
// -----------------------------------------------------------------------------
// What the leader of the metadata quorum answers about it (KIP-595, KIP-836, KIP-853): who votes,
// who follows and how far, and changes of the voters; and what it does by itself: a controller that
// came back on an empty disk takes the place of the voter that it was.
// A voter is added once it has caught up, and where another change is under way behind that;
// timeout_ms later the answer is REQUEST_TIMED_OUT, though what is appended may still be committed.
// Threading: the controller's shard. Errors: in the responses.
#ifndef WEIR_SERVER_QUORUM_REQUESTS_H_
#define WEIR_SERVER_QUORUM_REQUESTS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/raft/types.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "server/event_loop.h"
#include "server/listener.h"
#include "server/metadata_log.h"
#include "server/node.h"
#include "server/peer_network.h"

namespace weir::server {

class QuorumRequests {
 public:
  template <class Response>
  using Answer = absl::AnyInvocable<void(Response)>;

  // All outlive it. `peers` null: there are no other nodes.
  QuorumRequests(const Node& node, EventLoop& loop, MetadataLog& log, PeerNetwork* peers)
      : node_(node), loop_(loop), log_(log), peers_(peers) {}

  void Handle(const protocol::DescribeQuorumRequest& request,
              Answer<protocol::DescribeQuorumResponse> answer);
  void Handle(const protocol::AddRaftVoterRequest& request,
              Answer<protocol::AddRaftVoterResponse> answer);
  void Handle(const protocol::RemoveRaftVoterRequest& request,
              Answer<protocol::RemoveRaftVoterResponse> answer);

  // Removes voters whose node follows from another disk and was not heard of from the old one, and
  // adds them again from the new one, a step at each call. While this node leads.
  void ReplaceLostVoters();

 private:
  // A request for one more voter.
  struct Adding {
    raft::ReplicaKey voter;
    std::optional<HostPort> address;  // of the node
    MonotonicNs deadline;
    bool until_committed = true;
    absl::Status refusal;                           // of the last try
    Answer<protocol::AddRaftVoterResponse> answer;  // empty: it was given
  };
  static constexpr int64_t kRetryMs = 50;
  static constexpr int32_t kTimeoutMsMax = 3'600'000;

  void TryToAdd(const std::shared_ptr<Adding>& adding);
  void FinishOnceAppended(const std::shared_ptr<Adding>& adding);
  void Finish(Adding& adding, const absl::Status& status);
  bool Leads() const { return log_.raft().role() == raft::Role::kLeader; }
  void RemoveLost(const raft::ReplicaKey& lost, const raft::ReplicaKey& next);
  void AddInPlace(const raft::ReplicaKey& next);
  protocol::DescribeQuorumResponse::ReplicaState StateOf(const raft::Raft::Follower& follower);
  // As it was added here, else as the configuration has it; none where another leader added it.
  std::optional<HostPort> AddressOf(const raft::ReplicaKey& voter) const;

  const Node& node_;
  EventLoop& loop_;
  MetadataLog& log_;
  PeerNetwork* const peers_;
  bool is_changing_ = false;                     // a step of ReplaceLostVoters is under way
  std::map<BrokerId, raft::ReplicaKey> to_add_;  // it has removed their old disks
  std::map<raft::ReplicaKey, HostPort> added_;   // where voters are, as who added them said
};

}  // namespace weir::server

#endif  // WEIR_SERVER_QUORUM_REQUESTS_H_
