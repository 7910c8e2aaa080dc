// -----------------------------------------------------------------------------
// File: tests/sim/sim_fabric.h
// -----------------------------------------------------------------------------
// What lies between the simulated nodes of a cluster: things that happen at their time, in an order
// that the seed decides, and which of them never do. tests/sim/sim_peer_network.h is a node's end.
// Threading: one thread for all of them. Lifetimes: the fabric outlives the ends.
#ifndef WEIR_TESTS_SIM_SIM_FABRIC_H_
#define WEIR_TESTS_SIM_SIM_FABRIC_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "server/listener.h"

namespace weir::sim {

class SimPeerNetwork;

class SimFabric {
 public:
  struct Options {
    uint64_t lost_one_in = 0;   // messages; 0: none
    uint64_t twice_one_in = 0;  // of Raft
    uint64_t late_one_in = 0;
    int64_t delay_max_ns = 2 * kNsPerMs;
    int64_t late_max_ns = 2'000 * kNsPerMs;
  };
  using Action = absl::AnyInvocable<void()>;

  SimFabric(Random& random, Clock& clock) : random_(random), clock_(clock) {}
  SimFabric(const SimFabric&) = delete;
  SimFabric& operator=(const SimFabric&) = delete;

  // May be changed between calls: a simulation heals its faults so.
  Options& options() { return options_; }

  // --- faults -------------------------------------------------------------------------------

  // What one node sends to another is lost.
  void Cut(int32_t from, int32_t to) { cuts_.insert({from, to}); }
  void HealCuts() { cuts_.clear(); }
  bool HasCuts() const { return !cuts_.empty(); }
  bool IsCut(int32_t from, int32_t to) const { return cuts_.count({from, to}) > 0; }
  // A node that stands still takes nothing; it comes when it goes on.
  void SetPaused(int32_t node, bool paused) {
    if (paused) {
      paused_.insert(node);
    } else {
      paused_.erase(node);
    }
  }

  // --- time ---------------------------------------------------------------------------------

  std::optional<MonotonicNs> NextDue() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.begin()->first.first;
  }
  // False when nothing is due.
  bool RunOne() {
    if (queue_.empty() || queue_.begin()->first.first > clock_.Monotonic()) return false;
    auto node = queue_.extract(queue_.begin());
    node.mapped()();
    return true;
  }

  // --- for the ends -------------------------------------------------------------------------

  Random& random() { return random_; }
  MonotonicNs now() { return clock_.Monotonic(); }
  void After(int64_t ns, Action action) {
    queue_.emplace(Key{now() + ns, ++last_}, std::move(action));
  }
  // As After, at the node when it runs.
  void AtNode(int32_t node, int64_t ns, Action action) {
    After(ns, [this, node, action = std::move(action)]() mutable {
      if (paused_.count(node) == 0) return action();
      AtNode(node, kPausedNs, std::move(action));
    });
  }
  bool Loses() { return options_.lost_one_in > 0 && random_.OneIn(options_.lost_one_in); }
  bool Doubles() { return options_.twice_one_in > 0 && random_.OneIn(options_.twice_one_in); }
  int64_t Delay() {
    const bool late = options_.late_one_in > 0 && random_.OneIn(options_.late_one_in);
    const int64_t max = late ? options_.late_max_ns : options_.delay_max_ns;
    return static_cast<int64_t>(random_.Below(static_cast<uint64_t>(std::max<int64_t>(max, 1))));
  }

  // Processes: a number for each, and those that listen.
  uint64_t NewProcess() { return ++last_process_; }
  void Listen(int32_t node, SimPeerNetwork* end) { ends_[node] = end; }
  void StopListening(int32_t node) { ends_.erase(node); }
  SimPeerNetwork* Find(int32_t node) const {
    const auto found = ends_.find(node);
    return found == ends_.end() ? nullptr : found->second;
  }
  const std::map<int32_t, SimPeerNetwork*>& ends() const { return ends_; }
  void SetAddress(int32_t node, const server::HostPort& address) { nodes_[Text(address)] = node; }
  std::optional<int32_t> NodeAt(const std::string& address) const {
    const auto found = nodes_.find(address);
    if (found == nodes_.end()) return std::nullopt;
    return found->second;
  }
  static std::string Text(const server::HostPort& address) {
    return absl::StrCat(address.host, ":", address.port);
  }

 private:
  static constexpr int64_t kPausedNs = 20 * kNsPerMs;
  using Key = std::pair<MonotonicNs, uint64_t>;

  Random& random_;
  Clock& clock_;
  Options options_;
  std::map<Key, Action> queue_;
  uint64_t last_ = 0;
  uint64_t last_process_ = 0;
  std::set<std::pair<int32_t, int32_t>> cuts_;
  std::set<int32_t> paused_;
  std::map<int32_t, SimPeerNetwork*> ends_;
  std::map<std::string, int32_t> nodes_;  // by address
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_FABRIC_H_
