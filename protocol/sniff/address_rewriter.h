// -----------------------------------------------------------------------------
// File: protocol/sniff/address_rewriter.h
// -----------------------------------------------------------------------------
// Brokers tell clients where to go on: in Metadata, FindCoordinator and DescribeCluster, and, when
// a leader moved, in Produce and Fetch (KIP-951). A proxy that clients are to stay on changes those
// addresses.
// Threading: none of this keeps state.
// Errors: an answer that does not decode is left as it is.
// Limits: tagged fields inside brokers and topics that Kafka 4.2 does not know are lost from an
// answer that is changed (describe.h).
#ifndef WEIR_PROTOCOL_SNIFF_ADDRESS_REWRITER_H_
#define WEIR_PROTOCOL_SNIFF_ADDRESS_REWRITER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/api_key.h"
#include "protocol/headers.h"
#include "protocol/message.h"

namespace weir::protocol {

// Changes an address, or leaves it. `of` is how many brokers the answer names.
using ChangeAddress = std::function<void(size_t of, std::string* host, int32_t* port)>;

namespace sniff_internal {

inline void ChangeAll(MetadataResponse& answer, const ChangeAddress& change) {
  for (auto& broker : answer.brokers) change(answer.brokers.size(), &broker.host, &broker.port);
}
inline void ChangeAll(DescribeClusterResponse& answer, const ChangeAddress& change) {
  for (auto& broker : answer.brokers) change(answer.brokers.size(), &broker.host, &broker.port);
}
// Without a coordinator the host is empty. One coordinator does not make a cluster of one broker.
inline void ChangeAll(FindCoordinatorResponse& answer, const ChangeAddress& change) {
  if (!answer.host.empty()) change(0, &answer.host, &answer.port);
  for (auto& each : answer.coordinators) {
    if (!each.host.empty()) change(0, &each.host, &each.port);
  }
}
inline void ChangeAll(ProduceResponse& answer, const ChangeAddress& change) {
  for (auto& node : answer.node_endpoints) change(0, &node.host, &node.port);
}
inline void ChangeAll(FetchResponse& answer, const ChangeAddress& change) {
  for (auto& node : answer.node_endpoints) change(0, &node.host, &node.port);
}

template <class Response>
std::optional<std::string> Rewrite(int16_t version, absl::string_view frame,
                                   const ChangeAddress& change) {
  if (!InfoOf<Response>().versions.Contains(version)) return std::nullopt;
  absl::string_view body = frame;
  const int16_t header_version = ResponseHeaderVersionOf<Response>(version);
  const absl::StatusOr<ResponseHeader> header = DecodeResponseHeader(&body, header_version);
  if (!header.ok()) return std::nullopt;
  absl::StatusOr<Response> answer = DecodePrefix<Response>(&body, version);
  if (!answer.ok()) return std::nullopt;
  bool has_changed = false;
  ChangeAll(*answer, [&](size_t of, std::string* host, int32_t* port) {
    const std::string old_host = *host;
    const int32_t old_port = *port;
    change(of, host, port);
    has_changed = has_changed || *host != old_host || *port != old_port;
  });
  if (!has_changed) return std::nullopt;
  std::string changed;
  EncodeResponseHeader(*header, header_version, &changed);
  Encode(*answer, version, &changed);
  changed.append(body.data(), body.size());
  return changed;
}

}  // namespace sniff_internal

// The frame of a response, without its length, with other addresses; nothing where none changed.
inline std::optional<std::string> RewriteAddresses(int16_t api_key, int16_t version,
                                                   absl::string_view frame,
                                                   const ChangeAddress& change) {
  switch (static_cast<ApiKey>(api_key)) {
    case ApiKey::kMetadata:
      return sniff_internal::Rewrite<MetadataResponse>(version, frame, change);
    case ApiKey::kFindCoordinator:
      return sniff_internal::Rewrite<FindCoordinatorResponse>(version, frame, change);
    case ApiKey::kDescribeCluster:
      return sniff_internal::Rewrite<DescribeClusterResponse>(version, frame, change);
    case ApiKey::kProduce:
      return sniff_internal::Rewrite<ProduceResponse>(version, frame, change);
    case ApiKey::kFetch:
      return sniff_internal::Rewrite<FetchResponse>(version, frame, change);
    default:
      return std::nullopt;
  }
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_ADDRESS_REWRITER_H_
