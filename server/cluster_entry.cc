#include "server/cluster_entry.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "coordination/metadata/founding.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/logger.h"

namespace weir::server {
namespace {

NodeHello HelloOf(const Node& node) {
  return {node.config.node_id, node.directories->metadata().id(), node.directories->cluster_id(),
          node.config.is_controller, node.incarnation};
}

std::vector<BrokerId> MembersOf(const BrokerConfig& config) {
  std::vector<BrokerId> members;
  for (const QuorumMember& member : config.quorum) members.push_back(member.id);
  return members;
}

}  // namespace

ClusterEntry::ClusterEntry(const Node& node, PeerNetwork& peers, EventLoop& loop, Listener listener)
    : node_(node),
      peers_(peers),
      loop_(loop),
      listener_(std::move(listener)),
      hello_(HelloOf(node)),
      founding_(hello_, MembersOf(node.config)),
      waiting_since_(loop.clock().Monotonic()) {
  const std::vector<QuorumMember>& quorum = node.config.quorum;
  for (size_t i = 0; i < quorum.size(); ++i) {
    if (quorum[i].id == kNoBroker) {
      unknown_.insert(i);
    } else if (quorum[i].id != node.config.node_id) {
      peers_.SetPeer(quorum[i].id, quorum[i].address);
    }
  }
}

void ClusterEntry::Start() {
  if (!IsSettled()) Ask();
}

void ClusterEntry::Entered(const std::string& cluster_id) {
  entered_ = true;
  const std::lock_guard<std::mutex> lock(mutex_);
  hello_.cluster_id = cluster_id;
}

void ClusterEntry::Ask() {
  founding_.Begin();
  unanswered_ = node_.config.quorum.size();
  for (size_t i = 0; i < node_.config.quorum.size(); ++i) {
    peers_.AskHello(node_.config.quorum[i].address, kAnswerTimeoutMs,
                    [this, i](absl::StatusOr<NodeHello> answer) {
                      loop_.Post([this, i, answer = std::move(answer)]() mutable {
                        OnAnswer(i, std::move(answer));
                      });
                    });
  }
}

void ClusterEntry::OnAnswer(size_t member, absl::StatusOr<NodeHello> answer) {
  if (answer.ok()) {
    const BrokerId id = answer->node_id;
    const absl::Status heard = founding_.Heard(member, *std::move(answer));
    if (!heard.ok()) {
      Complain(heard);
    } else if (unknown_.erase(member) > 0 && id != node_.config.node_id) {
      peers_.SetPeer(id, node_.config.quorum[member].address);
    }
  } else {
    const HostPort& address = node_.config.quorum[member].address;
    last_silence_ = absl::UnavailableError(absl::StrCat(
        "controller ", address.host, ":", address.port, ": ", answer.status().message()));
  }
  if (--unanswered_ == 0) OnRoundEnd();
}

void ClusterEntry::OnRoundEnd() {
  if (!entered_ && !decided_) {
    const absl::StatusOr<metadata::FoundingDecision> decision = founding_.Decide();
    if (!decision.ok()) {
      Complain(decision.status());
    } else if (decision->join.has_value()) {
      decided_ = true;
      node_.logger->Info("joins cluster ", decision->join->cluster_id);
      listener_.on_join(decision->join->cluster_id);
    } else if (decision->found.has_value()) {
      decided_ = true;
      listener_.on_found(*decision->found);
    }
  }
  if (IsSettled()) return;
  const MonotonicNs now = loop_.clock().Monotonic();
  if (!last_silence_.ok() && now - waiting_since_ > kComplaintMs * kNsPerMs) {
    node_.logger->Info(entered_ ? "still looking for a controller; "
                                : "waits for the controllers of its configuration to found or join "
                                  "a cluster; ",
                       last_silence_.message());
    waiting_since_ = now;
  }
  last_silence_ = absl::OkStatus();
  loop_.timers().Schedule(now + kRoundPauseMs * kNsPerMs, [this] { Ask(); });
}

void ClusterEntry::Complain(const absl::Status& what) {
  if (complaints_.size() < 100 && complaints_.insert(std::string(what.message())).second) {
    node_.logger->Error(what.message());
  }
}

}  // namespace weir::server
