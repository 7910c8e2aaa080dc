#include "server/peer_watch.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/raft/raft.h"
#include "server/controller_driver.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/metadata_log.h"
#include "server/peer_network.h"

namespace weir::server {

PeerWatch::~PeerWatch() { loop_.timers().Cancel(timer_); }

std::optional<PeerWatch::Expected> PeerWatch::ExpectedAt(BrokerId id) const {
  if (!controller_.is_open() || id == node_.config.node_id) return std::nullopt;
  Expected expected;
  const raft::Raft& raft = controller_.log().raft();
  const bool leads = raft.leader().id == id;
  if (leads) expected.led = raft.term();
  const metadata::BrokerImage* broker = controller_.image()->FindBroker(id);
  const bool is_broker = broker != nullptr && !broker->fenced;
  if (is_broker) {
    expected.broker_epoch = broker->epoch;
    expected.incarnation = broker->incarnation_id;
  }
  if (leads || (is_broker && controller_.is_active())) return expected;
  return std::nullopt;
}

void PeerWatch::OnPeerLost(BrokerId id) {
  if (!ExpectedAt(id).has_value()) return;
  metadata::PeerProbesEffects effects;
  probes_.Suspect(loop_.clock().Monotonic(), id, &effects);
  CarryOut(effects);
}

void PeerWatch::OnActive() {
  const MonotonicNs now = active_since_ = loop_.clock().Monotonic();
  for (const auto& [id, lost] : std::exchange(lost_, {})) {
    if (now - lost.at > kLostKeptMs * kNsPerMs) continue;
    controller_.OnBrokerLost(metadata::BrokerLost{id, lost.broker_epoch});
  }
  metadata::PeerProbesEffects effects;
  controller_.image()->brokers.ForEach([&](BrokerId id, const metadata::BrokerImage& broker) {
    if (!broker.fenced && id != node_.config.node_id) probes_.Suspect(now, id, &effects);
  });
  CarryOut(effects);
}

// Whether this node leads, and the broker is one of its own whose end it might not notice yet.
bool PeerWatch::IsAwaited(BrokerId id) const {
  if (!controller_.is_active()) return false;
  const bool is_settled = loop_.clock().Monotonic() - active_since_ > kSettlesMs * kNsPerMs;
  if (is_settled && controller_.HasHeardOf(id)) return false;
  const metadata::BrokerImage* broker = controller_.image()->FindBroker(id);
  return broker != nullptr && !broker->fenced;
}

void PeerWatch::CarryOut(const metadata::PeerProbesEffects& effects) {
  for (const metadata::PeerGone& gone : effects.gone) OnGone(gone.id);
  for (const metadata::AskPeer& ask : effects.asks) Ask(ask.id);
  ArmTimer();
}

void PeerWatch::Ask(BrokerId id) {
  expected_[id] = ExpectedAt(id).value_or(Expected());
  peers_.Probe(id, kProbeTimeoutMs, [this, id](absl::StatusOr<NodeHello> hello) {
    loop_.Post([this, id, hello = std::move(hello)] {
      metadata::PeerProbesEffects effects;
      const MonotonicNs now = loop_.clock().Monotonic();
      probes_.Answered(now, id, Judge(id, hello), &effects);
      if (IsAwaited(id)) probes_.Suspect(now, id, &effects);
      CarryOut(effects);
    });
  });
}

metadata::ProbeAnswer PeerWatch::Judge(BrokerId id, const absl::StatusOr<NodeHello>& hello) const {
  if (absl::IsUnavailable(hello.status())) return metadata::ProbeAnswer::kNobody;
  if (!hello.ok()) return metadata::ProbeAnswer::kSilence;
  const Uuid& incarnation = expected_.at(id).incarnation;
  const bool is_other =
      hello->node_id != id || (!incarnation.is_zero() && !hello->incarnation.is_zero() &&
                               hello->incarnation != incarnation);
  return is_other ? metadata::ProbeAnswer::kOther : metadata::ProbeAnswer::kThere;
}

void PeerWatch::OnGone(BrokerId id) {
  const Expected expected = expected_.at(id);
  if (expected.broker_epoch >= 0) {
    if (controller_.is_active()) {
      node_.logger->Info("broker ", id.value(), " has ended");
      controller_.OnBrokerLost(metadata::BrokerLost{id, expected.broker_epoch});
    } else {
      lost_[id] = {expected.broker_epoch, loop_.clock().Monotonic()};
    }
  }
  if (expected.led != kNoLeaderEpoch) controller_.OnLeaderGone(expected.led, id);
}

void PeerWatch::ArmTimer() {
  loop_.timers().Cancel(std::exchange(timer_, TimerId()));
  const std::optional<MonotonicNs> due = probes_.NextDeadline();
  if (!due.has_value()) return;
  timer_ = loop_.timers().Schedule(*due, [this] {
    timer_ = TimerId();
    metadata::PeerProbesEffects effects;
    probes_.Advance(loop_.clock().Monotonic(), &effects);
    CarryOut(effects);
  });
}

}  // namespace weir::server
