#include "server/broker_membership.h"

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "coordination/metadata/broker_lifecycle.h"
#include "coordination/metadata/features.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/logger.h"
#include "server/reply.h"

namespace weir::server {
namespace {

metadata::RegisterBrokerRecord RegistrationOf(const Node& node) {
  metadata::RegisterBrokerRecord registration;
  registration.broker_id = node.config.node_id.value();
  registration.incarnation_id = node.incarnation;
  registration.rack = node.config.rack;
  for (const DataDirectory* directory : node.directories->Online()) {
    registration.log_dirs.push_back(directory->id());
  }
  for (const Listener& listener : node.endpoints) {
    auto& endpoint = registration.end_points.emplace_back();
    endpoint.name = listener.name;
    endpoint.host = listener.address.host;
    endpoint.port = listener.address.port;
    endpoint.security_protocol = 0;
  }
  if (node.internal_endpoint.has_value()) {
    auto& endpoint = registration.end_points.emplace_back();
    endpoint.name = kInternalEndpointName;
    endpoint.host = node.internal_endpoint->host;
    endpoint.port = node.internal_endpoint->port;
    endpoint.security_protocol = 0;
  }
  for (const metadata::SupportedFeature& feature : metadata::kSupportedFeatures) {
    auto& supported = registration.features.emplace_back();
    supported.name = std::string(feature.name);
    supported.min_supported_version = feature.min;
    supported.max_supported_version = feature.max;
  }
  return registration;
}

metadata::BrokerLifecycleConfig LifecycleConfigOf(const Node& node) {
  metadata::BrokerLifecycleConfig config;
  config.cluster_id = node.cluster_id;
  config.heartbeat_interval_ms = node.config.broker_heartbeat_interval_ms;
  config.session_timeout_ms = node.config.broker_session_timeout_ms;
  config.registration_timeout_ms = node.config.broker_registration_timeout_ms;
  return config;
}

}  // namespace

BrokerMembership::BrokerMembership(Node& node, EventLoop& loop, ControllerDriver& controller,
                                   int64_t previous_broker_epoch, Listener listener)
    : node_(node),
      loop_(loop),
      controller_(controller),
      listener_(std::move(listener)),
      lifecycle_(LifecycleConfigOf(node), RegistrationOf(node), previous_broker_epoch,
                 loop.clock().Monotonic()) {
  ArmTimer();
}

BrokerMembership::~BrokerMembership() { loop_.timers().Cancel(timer_); }

void BrokerMembership::Step(metadata::LifecycleEvent event) {
  metadata::LifecycleEffects effects;
  lifecycle_.Step(loop_.clock().Monotonic(), std::move(event), &effects);
  node_.session_ends.store(lifecycle_.session_ends(), std::memory_order_relaxed);
  ArmTimer();
  for (metadata::LifecycleEffect& effect : effects) CarryOut(std::move(effect));
}

void BrokerMembership::CarryOut(metadata::LifecycleEffect effect) {
  if (auto* registration = std::get_if<metadata::SendRegistration>(&effect)) {
    const metadata::RequestToken token = registration->request.token;
    controller_.Ask<metadata::BrokerRegistered>(
        std::move(registration->request),
        {nullptr, [this, token](metadata::BrokerRegistered answer) {
           Step(metadata::RegistrationAnswered{token, std::move(answer)});
         }});
  } else if (auto* heartbeat = std::get_if<metadata::SendHeartbeat>(&effect)) {
    const metadata::RequestToken token = heartbeat->request.token;
    controller_.Ask<metadata::BrokerHeartbeatReply>(
        std::move(heartbeat->request),
        {nullptr, [this, token](const metadata::BrokerHeartbeatReply& answer) {
           Step(metadata::HeartbeatAnswered{token, answer});
         }});
  } else if (std::holds_alternative<metadata::BrokerUnfenced>(effect)) {
    listener_.on_unfenced();
  } else if (std::holds_alternative<metadata::BrokerFenced>(effect)) {
    node_.logger->Warning(
        "the controller has fenced this broker: its heartbeats stayed out, or it "
        "was registered anew");
  } else if (const auto* granted = std::get_if<metadata::ShutdownGranted>(&effect)) {
    listener_.on_shutdown_granted(granted->how);
  } else if (const auto* gave_up = std::get_if<metadata::GiveUp>(&effect)) {
    listener_.on_give_up(gave_up->why);
  }
}

void BrokerMembership::ArmTimer() {
  loop_.timers().Cancel(std::exchange(timer_, TimerId()));
  const std::optional<MonotonicNs> due = lifecycle_.NextDeadline();
  if (!due.has_value()) return;
  timer_ = loop_.timers().Schedule(*due, [this] {
    timer_ = TimerId();
    Step(metadata::Tick{});
  });
}

}  // namespace weir::server
