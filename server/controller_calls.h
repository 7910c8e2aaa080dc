// -----------------------------------------------------------------------------
// File: server/controller_calls.h
// -----------------------------------------------------------------------------
// The controller's events and responses as calls between nodes: requests and responses of Kafka's
// protocol, without headers, at the newest version that Weir declares. What is said beside them:
// - CreateTopics::is_internal is a field of the call (server/peer_network.h).
// - RegisterBroker::predecessor_is_gone is the receiver's to know, and SetBrokerFenced has no API.
// - Why a broker was not registered is a tagged field of BrokerRegistrationResponse, which Kafka's
//   own nodes would skip: kRegistrationMessageTag.
// - The results of configs and of directory assignments stand in the order of the request and do
//   not name what they are about.
// Threading: none of this keeps state.
// Errors: what does not decode is kInvalidArgument, an API or a version that is not spoken here
// kUnimplemented.
// Limits: those of protocol/message.h.
#ifndef WEIR_SERVER_CONTROLLER_CALLS_H_
#define WEIR_SERVER_CONTROLLER_CALLS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordination/metadata/controller_types.h"

namespace weir::server {

inline constexpr uint32_t kRegistrationMessageTag = 10'000;

struct EncodedCall {
  int16_t api_key = 0;
  int16_t api_version = 0;
  std::string request;
  bool internal = false;
};

// Nothing for what only the node itself tells its controller: LeadershipGained, Tick, Committed,
// SetBrokerFenced and the like.
std::optional<EncodedCall> EncodeCall(const metadata::ControllerEvent& event);

// The event that EncodeCall made a call of, with this token. Anything may come in.
absl::StatusOr<metadata::ControllerEvent> DecodeCall(int16_t api_key, int16_t api_version,
                                                     absl::string_view request,
                                                     metadata::RequestToken token,
                                                     bool internal = false);

// `response` must be what the controller answers to a call that DecodeCall took.
std::string EncodeResponse(int16_t api_key, int16_t api_version,
                           const metadata::ControllerResponse& response);

// The other way around, for a call that EncodeCall made. Anything may come in.
absl::StatusOr<metadata::ControllerResponse> DecodeResponse(int16_t api_key, int16_t api_version,
                                                            absl::string_view response);

}  // namespace weir::server

#endif  // WEIR_SERVER_CONTROLLER_CALLS_H_
