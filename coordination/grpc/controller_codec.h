// -----------------------------------------------------------------------------
// File: coordination/grpc/controller_codec.h
// -----------------------------------------------------------------------------
// What nodes ask each other beside Raft, as values and as the messages of controller.proto.
// Threading: keeps no state. Errors: kInvalidArgument for what no node would send.
// Limits: kCallNameBytesMax, kClusterIdBytesMax.
#ifndef WEIR_COORDINATION_GRPC_CONTROLLER_CODEC_H_
#define WEIR_COORDINATION_GRPC_CONTROLLER_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/grpc/controller.pb.h"

namespace weir::controller {

inline constexpr size_t kCallNameBytesMax = 64 << 10;  // principal, client id, host: each
inline constexpr size_t kClusterIdBytesMax = 256;

// What a node says of itself.
struct Hello {
  BrokerId node_id = kNoBroker;
  Uuid directory_id;
  std::string cluster_id;  // empty while it belongs to none
  bool is_controller = false;
  Uuid incarnation;  // of the process; zero if it does not say
};

// A request in Kafka's protocol, without header.
struct Call {
  BrokerId from = kNoBroker;
  Uuid incarnation;
  uint64_t number = 0;
  int16_t api_key = 0;
  int16_t api_version = 0;
  std::string request;
  std::string principal;
  std::string client_id;
  std::string host;
  bool internal = false;  // for what a node needs itself, which no client may ask so
};

struct Answer {
  int16_t error = 0;  // Kafka's; with 0 there is a response
  std::string response;
};

}  // namespace weir::controller

namespace weir::controller_internal {

inline absl::Status CheckRange(absl::string_view what, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected ", min, " to ", max, ", came ", value));
}
inline absl::Status CheckSize(absl::string_view what, size_t bytes, size_t bytes_max) {
  if (bytes <= bytes_max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected at most ", bytes_max, " bytes, came ", bytes));
}

}  // namespace weir::controller_internal

namespace weir::controller {

// Of names and numbers; how large the request may be is the transport's to say.
inline absl::Status CheckCall(const Call& call) {
  namespace internal = controller_internal;
  constexpr int16_t kInt16Max = std::numeric_limits<int16_t>::max();
  for (const absl::Status& status : {
           internal::CheckRange("call: node id", call.from.value(), -1,
                                std::numeric_limits<int32_t>::max()),
           internal::CheckRange("call: API key", call.api_key, 0, kInt16Max),
           internal::CheckRange("call: API version", call.api_version, 0, kInt16Max),
           internal::CheckSize("call: principal", call.principal.size(), kCallNameBytesMax),
           internal::CheckSize("call: client id", call.client_id.size(), kCallNameBytesMax),
           internal::CheckSize("call: host", call.host.size(), kCallNameBytesMax),
       }) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// All but the cluster.
inline void ToProto(Call call, v1::CallRequest* to) {
  to->set_from(call.from.value());
  to->set_incarnation_high(call.incarnation.high);
  to->set_incarnation_low(call.incarnation.low);
  to->set_number(call.number);
  to->set_api_key(call.api_key);
  to->set_api_version(call.api_version);
  to->set_request(std::move(call.request));
  to->set_principal(std::move(call.principal));
  to->set_client_id(std::move(call.client_id));
  to->set_host(std::move(call.host));
  to->set_internal(call.internal);
}

inline absl::StatusOr<Call> FromProto(const v1::CallRequest& from) {
  namespace internal = controller_internal;
  for (const absl::Status& status : {
           internal::CheckRange("call: API key", from.api_key(), 0,
                                std::numeric_limits<int16_t>::max()),
           internal::CheckRange("call: API version", from.api_version(), 0,
                                std::numeric_limits<int16_t>::max()),
       }) {
    if (!status.ok()) return status;
  }
  Call call;
  call.from = BrokerId(from.from());
  call.incarnation = Uuid{from.incarnation_high(), from.incarnation_low()};
  call.number = from.number();
  call.api_key = static_cast<int16_t>(from.api_key());
  call.api_version = static_cast<int16_t>(from.api_version());
  call.principal = from.principal();
  call.client_id = from.client_id();
  call.host = from.host();
  call.internal = from.internal();
  const absl::Status fits = CheckCall(call);
  if (!fits.ok()) return fits;
  call.request = from.request();
  return call;
}

inline void ToProto(const Hello& hello, v1::HelloResponse* to) {
  to->set_node_id(hello.node_id.value());
  to->set_directory_id_high(hello.directory_id.high);
  to->set_directory_id_low(hello.directory_id.low);
  to->set_cluster_id(hello.cluster_id);
  to->set_is_controller(hello.is_controller);
  to->set_incarnation_high(hello.incarnation.high);
  to->set_incarnation_low(hello.incarnation.low);
}

inline absl::StatusOr<Hello> FromProto(const v1::HelloResponse& from) {
  namespace internal = controller_internal;
  absl::Status fits = internal::CheckRange("hello: node id", from.node_id(), 0,
                                           std::numeric_limits<int32_t>::max());
  if (fits.ok()) {
    fits = internal::CheckSize("hello: cluster id", from.cluster_id().size(), kClusterIdBytesMax);
  }
  if (!fits.ok()) return fits;
  return Hello{BrokerId(from.node_id()), Uuid{from.directory_id_high(), from.directory_id_low()},
               from.cluster_id(), from.is_controller(),
               Uuid{from.incarnation_high(), from.incarnation_low()}};
}

inline absl::StatusOr<Answer> FromProto(v1::CallResponse* from) {
  const absl::Status fits = controller_internal::CheckRange("answer: error code", from->error(),
                                                            std::numeric_limits<int16_t>::min(),
                                                            std::numeric_limits<int16_t>::max());
  if (!fits.ok()) return fits;
  return Answer{static_cast<int16_t>(from->error()), std::move(*from->mutable_response())};
}

}  // namespace weir::controller

#endif  // WEIR_COORDINATION_GRPC_CONTROLLER_CODEC_H_
