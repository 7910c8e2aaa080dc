// -----------------------------------------------------------------------------
// File: server/peer_watch.h
// -----------------------------------------------------------------------------
// Finds out, when a connection to another node has ended, whether its process has too: asks it by
// the rules of coordination/metadata/peer_probes.h. The active controller then fences that broker
// at once; who follows the quorum of a leader that is gone looks for the next one. The session of a
// broker and the election timeout remain for those that are silent.
// Threading: the controller's shard.
// Limits: as coordination/metadata/peer_probes.h; a probe waits kProbeTimeoutMs.
#ifndef WEIR_SERVER_PEER_WATCH_H_
#define WEIR_SERVER_PEER_WATCH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/founding.h"
#include "coordination/metadata/peer_probes.h"
#include "server/node.h"
#include "server/timers.h"

namespace weir::server {

class ControllerDriver;
class EventLoop;
class PeerNetwork;

class PeerWatch {
 public:
  // All outlive the watch. Answers that come after its end find the loop's tasks dropped.
  PeerWatch(const Node& node, PeerNetwork& peers, EventLoop& loop, ControllerDriver& controller)
      : node_(node), peers_(peers), loop_(loop), controller_(controller) {}
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  // A connection to or from the node has ended.
  void OnPeerLost(BrokerId id);
  // This node's controller is active from now on, and has not seen which connections ended before.
  // Brokers are asked again and again for kSettlesMs, and until they have sent it a heartbeat: the
  // end of those that follow its log by no connection yet breaks none.
  void OnActive();

 private:
  static constexpr int64_t kProbeTimeoutMs = 500;
  static constexpr int64_t kLostKeptMs = 5'000;
  static constexpr int64_t kSettlesMs = 5'000;

  // Who is to be at a node.
  struct Expected {
    LeaderEpoch led = kNoLeaderEpoch;  // the quorum's term that it leads
    int64_t broker_epoch = -1;         // of an unfenced broker
    Uuid incarnation;                  // of that; else zero
  };
  // A process that has ended while somebody else was to fence it.
  struct Lost {
    int64_t broker_epoch = -1;
    MonotonicNs at;
  };

  // Nothing where nobody waits for the node.
  std::optional<Expected> ExpectedAt(BrokerId id) const;
  bool IsAwaited(BrokerId id) const;
  void CarryOut(const metadata::PeerProbesEffects& effects);
  void Ask(BrokerId id);
  void OnGone(BrokerId id);
  metadata::ProbeAnswer Judge(BrokerId id, const absl::StatusOr<metadata::NodeHello>& hello) const;
  void ArmTimer();

  const Node& node_;
  PeerNetwork& peers_;
  EventLoop& loop_;
  ControllerDriver& controller_;
  metadata::PeerProbes probes_;
  std::map<BrokerId, Expected> expected_;  // at those that are asked
  std::map<BrokerId, Lost> lost_;
  MonotonicNs active_since_;
  TimerId timer_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_PEER_WATCH_H_
