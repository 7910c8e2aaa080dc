// -----------------------------------------------------------------------------
// File: server/cluster_entry.h
// -----------------------------------------------------------------------------
// How a node that is not alone comes into its cluster: tells others who it is, asks the configured
// controllers in rounds who they are, and founds or joins a cluster by what they say
// (coordination/metadata/founding.h). It goes on asking until it knows the id of each, which is
// where their messages go to.
// Threading: the controller's shard; Hello on any thread.
// Errors: what the configuration and the answers contradict is logged, once for each text.
#ifndef WEIR_SERVER_CLUSTER_ENTRY_H_
#define WEIR_SERVER_CLUSTER_ENTRY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordination/metadata/founding.h"
#include "server/event_loop.h"
#include "server/node.h"
#include "server/peer_network.h"

namespace weir::server {

class ClusterEntry {
 public:
  struct Listener {
    std::function<void(const metadata::FoundCluster&)> on_found;
    std::function<void(const std::string& cluster_id)> on_join;
  };

  // All outlive the entry. Answers that come after its end find the loop's tasks dropped.
  ClusterEntry(const Node& node, PeerNetwork& peers, EventLoop& loop, Listener listener);

  // What this node says of itself. Any thread.
  NodeHello Hello() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return hello_;
  }

  // Begins to ask.
  void Start();
  // The node belongs to this cluster.
  void Entered(const std::string& cluster_id);

 private:
  static constexpr int64_t kAnswerTimeoutMs = 1'000;
  static constexpr int64_t kRoundPauseMs = 200;
  static constexpr int64_t kComplaintMs = 5'000;  // of waiting in vain

  void Ask();
  void OnAnswer(size_t member, absl::StatusOr<NodeHello> answer);
  void OnRoundEnd();
  void Complain(const absl::Status& what);
  bool IsSettled() const { return entered_ && unknown_.empty(); }

  const Node& node_;
  PeerNetwork& peers_;
  EventLoop& loop_;
  const Listener listener_;
  mutable std::mutex mutex_;
  NodeHello hello_;  // guarded by mutex_
  metadata::Founding founding_;
  bool decided_ = false;  // and the listener was told
  bool entered_ = false;
  std::set<size_t> unknown_;  // members whose id is not known yet
  size_t unanswered_ = 0;     // of this round
  absl::Status last_silence_;
  MonotonicNs waiting_since_;
  std::set<std::string> complaints_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CLUSTER_ENTRY_H_
