// -----------------------------------------------------------------------------
// File: bench/raft_turns.h
// -----------------------------------------------------------------------------
// Raft replicas that take turns in one thread, each on a storage of its own, with their messages in
// a queue. Time stands still once one of them leads, so that nobody times out.
// Threading: one thread. Errors: a failed proposal or storage ends the program.
#ifndef WEIR_BENCH_RAFT_TURNS_H_
#define WEIR_BENCH_RAFT_TURNS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/events.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/transport.h"
#include "coordination/raft/types.h"

namespace weir::bench {

inline constexpr size_t kRaftEntryBytes = 1024;
using RaftPayload = std::shared_ptr<const std::string>;

inline std::vector<raft::ReplicaKey> RaftKeys(size_t voters) {
  std::vector<raft::ReplicaKey> keys;
  for (size_t i = 0; i < voters; ++i) {
    keys.push_back({BrokerId(static_cast<int32_t>(i)), Uuid{0, i + 1}});
  }
  return keys;
}

class RaftTurns : public raft::Transport {
 public:
  // The storages were founded with RaftKeys() as their voters, and outlive this.
  explicit RaftTurns(const std::vector<raft::Storage*>& storages) {
    const std::vector<raft::ReplicaKey> keys = RaftKeys(storages.size());
    for (size_t i = 0; i < storages.size(); ++i) {
      raft::RaftConfig config;
      config.cluster_id = "bench";
      config.self = keys[i];
      auto node = raft::Node::Open(config, *storages[i], *this, random_, MonotonicNs(0));
      WEIR_CHECK(node.ok());
      nodes_.push_back(*std::move(node));
    }
    // Nobody else's time has come.
    leader_ = std::min_element(nodes_.begin(), nodes_.end(), [](auto& a, auto& b) {
                return a->NextDeadline() < b->NextDeadline();
              })->get();
    now_ = leader_->NextDeadline();
  }

  void Send(raft::Message message) override { mail_.push_back(std::move(message)); }

  void Propose(const std::vector<RaftPayload>& payloads, size_t from, size_t count) {
    for (size_t i = from; i < from + count; ++i) {
      leader_->Post(raft::Propose{++proposed_, payloads[i % payloads.size()]});
    }
  }

  // Until nobody has anything to do but to wait for its storage.
  void Turn() {
    for (auto& node : nodes_) Run(*node);
    while (!mail_.empty()) {
      raft::Message message = std::move(mail_.front());
      mail_.pop_front();
      raft::Node& to = *nodes_[static_cast<size_t>(message.to.id.value())];
      to.Post(raft::Receive{std::move(message)});
      Run(to);
    }
  }

  bool led() const { return leader_->raft().role() == raft::Role::kLeader; }
  bool settled() const { return committed_ == proposed_; }
  uint64_t committed() const { return committed_; }
  // Whether every replica has everything durably.
  bool durable_everywhere() const {
    const Offset end = leader_->raft().log_end();
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [end](auto& node) { return node->raft().durable_end() == end; });
  }
  raft::Node& node(size_t i) { return *nodes_[i]; }

 private:
  void Run(raft::Node& node) {
    effects_.clear();
    node.Run(now_, &effects_);
    WEIR_CHECK(node.raft().failed().ok());
    for (const raft::Effect& effect : effects_) {
      const auto* done = std::get_if<raft::Done>(&effect);
      if (done == nullptr) continue;
      WEIR_CHECK(done->status.ok());
      ++committed_;
    }
  }

  SeededRandom random_{1};
  std::vector<std::unique_ptr<raft::Node>> nodes_;
  raft::Node* leader_ = nullptr;
  std::deque<raft::Message> mail_;
  raft::Effects effects_;
  MonotonicNs now_;
  uint64_t proposed_ = 0;
  uint64_t committed_ = 0;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_RAFT_TURNS_H_
