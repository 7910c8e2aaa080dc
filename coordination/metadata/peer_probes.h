// -----------------------------------------------------------------------------
// File: coordination/metadata/peer_probes.h
// -----------------------------------------------------------------------------
// Whether the process of a node that is under suspicion - a connection of its has ended - is still
// there. It is asked who it is: another process at its address, or nobody twice in a row, means
// that it is gone. No answer at all proves nothing, since who is paused or cut off may come back;
// nor does a connection that ended.
// A pure state machine: each function takes the time and appends what is to be done.
// Threading: single-threaded.
// Limits: a node is asked once in PeerProbesConfig::pause_ms, some nodes at a time; suspicions that
// come meanwhile are followed later, one for each node.
#ifndef WEIR_COORDINATION_METADATA_PEER_PROBES_H_
#define WEIR_COORDINATION_METADATA_PEER_PROBES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace weir::metadata {

struct PeerProbesConfig {
  int64_t pause_ms = 500;  // between two looks at a node
  int64_t again_ms = 100;  // after nobody has answered at its address
  size_t asked_max = 32;   // nodes at a time
};

enum class ProbeAnswer : int8_t {
  kThere,   // the process that was expected
  kOther,   // another one
  kNobody,  // nobody takes connections at its address
  kSilence,
};

// Ask the node who it is, and give what it says to Answered: always, and once.
struct AskPeer {
  BrokerId id;
};
// The process that is to be at the node has ended.
struct PeerGone {
  BrokerId id;
};
struct PeerProbesEffects {
  std::vector<AskPeer> asks;
  std::vector<PeerGone> gone;
};

class PeerProbes {
 public:
  explicit PeerProbes(PeerProbesConfig config = {}) : config_(config) {}

  void Suspect(MonotonicNs now, BrokerId id, PeerProbesEffects* effects) {
    peers_[id].suspected = true;
    Advance(now, effects);
  }

  void Answered(MonotonicNs now, BrokerId id, ProbeAnswer answer, PeerProbesEffects* effects) {
    const auto it = peers_.find(id);
    if (it == peers_.end() || !it->second.asked) return;
    Peer& peer = it->second;
    peer.asked = false;
    --asked_;
    peer.silent_address = answer == ProbeAnswer::kNobody ? peer.silent_address + 1 : 0;
    if (peer.silent_address == 1) {
      peer.suspected = true;
      peer.due = now + config_.again_ms * kNsPerMs;
    } else {
      peer.due = now + config_.pause_ms * kNsPerMs;
      if (answer == ProbeAnswer::kOther || peer.silent_address == 2) effects->gone.push_back({id});
      peer.silent_address = 0;
    }
    Advance(now, effects);
  }

  // Asks whom it is time for. To be called when NextDeadline is reached.
  void Advance(MonotonicNs now, PeerProbesEffects* effects) {
    for (auto it = peers_.begin(); it != peers_.end();) {
      Peer& peer = it->second;
      if (peer.asked || now < peer.due) {
        ++it;
      } else if (!peer.suspected) {
        it = peers_.erase(it);
      } else if (asked_ < config_.asked_max) {
        peer.suspected = false;
        peer.asked = true;
        ++asked_;
        effects->asks.push_back({(it++)->first});
      } else {
        ++it;
      }
    }
  }

  std::optional<MonotonicNs> NextDeadline() const {
    std::optional<MonotonicNs> next;
    if (asked_ >= config_.asked_max) return next;  // an answer comes first
    for (const auto& [id, peer] : peers_) {
      if (!peer.asked && (!next.has_value() || peer.due < *next)) next = peer.due;
    }
    return next;
  }

 private:
  struct Peer {
    bool suspected = false;  // since it was last asked
    bool asked = false;      // and has not answered
    int silent_address = 0;  // how often in a row nobody took connections
    MonotonicNs due;         // not asked before
  };

  const PeerProbesConfig config_;
  std::map<BrokerId, Peer> peers_;
  size_t asked_ = 0;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_PEER_PROBES_H_
