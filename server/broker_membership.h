// -----------------------------------------------------------------------------
// File: server/broker_membership.h
// -----------------------------------------------------------------------------
// Keeps this node a broker of its cluster: drives coordination/metadata/broker_lifecycle.h with the
// shard's timers and the answers of the active controller, and tells all shards how long it will
// keep its session (Node::session_ends).
// Threading: the controller's shard. Errors: on_give_up.
#ifndef WEIR_SERVER_BROKER_MEMBERSHIP_H_
#define WEIR_SERVER_BROKER_MEMBERSHIP_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/broker_lifecycle.h"
#include "server/controller_driver.h"
#include "server/event_loop.h"
#include "server/node.h"
#include "server/timers.h"

namespace weir::server {

class BrokerMembership {
 public:
  struct Listener {
    std::function<void()> on_unfenced;  // clients are to be served
    std::function<void(const absl::Status& how)> on_shutdown_granted;
    std::function<void(const absl::Status& why)> on_give_up;
  };

  // All outlive the membership. `previous_broker_epoch`: see metadata::RegisterBroker.
  BrokerMembership(Node& node, EventLoop& loop, ControllerDriver& controller,
                   int64_t previous_broker_epoch, Listener listener);
  ~BrokerMembership();
  BrokerMembership(const BrokerMembership&) = delete;
  BrokerMembership& operator=(const BrokerMembership&) = delete;

  void OnLeader(BrokerId leader) { Step(metadata::ControllerKnown{leader}); }
  // Every shard has followed the metadata up to but not with `end`.
  void OnFollowed(Offset end) { Step(metadata::MetadataFollowed{end - 1}); }
  // Tells the controller that a folder is offline.
  void OnDirectoryFailed(const Uuid& id) { Step(metadata::DirectoryLost{id}); }
  // As the controller has said.
  std::optional<int64_t> broker_epoch() const {
    const int64_t epoch = lifecycle_.broker_epoch();
    return epoch < 0 ? std::nullopt : std::optional(epoch);
  }
  // Hands the leaderships over; on_shutdown_granted says when.
  void ShutDown() { Step(metadata::WantShutdown{}); }

 private:
  void Step(metadata::LifecycleEvent event);
  void CarryOut(metadata::LifecycleEffect effect);
  void ArmTimer();

  Node& node_;
  EventLoop& loop_;
  ControllerDriver& controller_;
  const Listener listener_;
  metadata::BrokerLifecycle lifecycle_;
  TimerId timer_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_BROKER_MEMBERSHIP_H_
