// -----------------------------------------------------------------------------
// File: coordination/grpc/raft_transport.h
// -----------------------------------------------------------------------------
// The sending side of Raft over gRPC: the transport port with a stream of its own to each node,
// which is opened when there is something to send and again, later and later, after it broke. What
// comes together while a write is under way goes out as one frame.
// Threading: every function on any thread; nothing blocks but Shutdown.
// Errors: messages get lost, the oldest first where a node does not keep up; on_error tells why a
// stream ended.
// Limits: RaftTransportOptions.
#ifndef WEIR_COORDINATION_GRPC_RAFT_TRANSPORT_H_
#define WEIR_COORDINATION_GRPC_RAFT_TRANSPORT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "coordination/grpc/grpc_credentials.h"
#include "coordination/grpc/internal/raft_peer.h"
#include "coordination/grpc/raft_codec.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/transport.h"

namespace weir::raft {

class RaftTransport final : public Transport {
 public:
  explicit RaftTransport(RaftTransportOptions options)
      : shared_(std::make_shared<raft_internal::PeerShared>(std::move(options))) {}
  ~RaftTransport() override { Shutdown(); }
  RaftTransport(const RaftTransport&) = delete;
  RaftTransport& operator=(const RaftTransport&) = delete;

  // In place of that of the options, for who learns its port only when it listens.
  void SetOwnAddress(std::string address) { shared_->SetOwnAddress(std::move(address)); }

  // Where a node listens. One that is there already is replaced, if it moved.
  void SetPeer(BrokerId id, const std::string& address) { Put(id, address, /*configured=*/true); }
  // The same from a frame of a node that nobody has configured: an observer's.
  void LearnPeer(BrokerId id, absl::string_view address) {
    if (!address.empty()) Put(id, std::string(address), /*configured=*/false);
  }

  void Send(Message message) override {
    if (WeightOf(message) > shared_->options.message_bytes_max) {
      ++shared_->counts.too_large;
      return;
    }
    const std::shared_ptr<raft_internal::Peer> peer = PeerFor(message.to.id);
    if (peer == nullptr) return void(++shared_->counts.unknown_peer);
    peer->Send(std::move(message));
  }

  // Sends nothing any more; returns when no stream is left.
  void Shutdown() {
    std::vector<std::shared_ptr<raft_internal::Peer>> peers;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
      for (auto& [id, known] : peers_) peers.push_back(known.peer);
      peers_.clear();
    }
    for (const auto& peer : peers) peer->Stop();
    peers.clear();
    shared_->WaitForStreams();
    shared_->TakeRetired();
  }

  const RaftTransportCounts& counts() const { return shared_->counts; }

 private:
  struct Known {
    std::shared_ptr<raft_internal::Peer> peer;
    std::string address;
    bool configured = false;
  };

  void Put(BrokerId id, const std::string& address, bool configured) {
    shared_->TakeRetired();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return;
    const auto it = peers_.find(id);
    if (it == peers_.end() && peers_.size() >= shared_->options.peers_max) return;
    if (it != peers_.end()) {
      if (it->second.configured && !configured) return;
      it->second.configured = configured;
      if (it->second.address == address) return;
      it->second.peer->Stop();
    }
    peers_[id] = {raft_internal::Peer::Create(shared_, id, address), address, configured};
  }

  // For nobody in particular, each configured node in turn.
  std::shared_ptr<raft_internal::Peer> PeerFor(BrokerId id) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (id != kNoBroker) {
      const auto it = peers_.find(id);
      return it == peers_.end() ? nullptr : it->second.peer;
    }
    std::vector<std::shared_ptr<raft_internal::Peer>> configured;
    for (const auto& [key, known] : peers_) {
      if (known.configured) configured.push_back(known.peer);
    }
    if (configured.empty()) return nullptr;
    return configured[next_++ % configured.size()];
  }

  const std::shared_ptr<raft_internal::PeerShared> shared_;
  std::mutex mutex_;
  std::map<BrokerId, Known> peers_;
  size_t next_ = 0;
  bool stopped_ = false;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_GRPC_RAFT_TRANSPORT_H_
