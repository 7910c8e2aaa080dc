// -----------------------------------------------------------------------------
// File: server/endpoints.h
// -----------------------------------------------------------------------------
// Where clients of a listener reach the brokers: each broker's address on the listener of the same
// name. Brokers that are fenced, or lack the listener, are left out.
#ifndef WEIR_SERVER_ENDPOINTS_H_
#define WEIR_SERVER_ENDPOINTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/sort.h"
#include "coordination/metadata/image.h"
#include "server/node.h"

namespace weir::server {

struct NodeEndpoint {
  BrokerId id;
  std::string host;
  int32_t port = 0;
  std::optional<std::string> rack;
  bool fenced = false;
};

// By broker id. `listener` is the index of the listener that the client came through.
inline std::vector<NodeEndpoint> BrokerEndpoints(const metadata::MetadataImage& image,
                                                 const Node& node, size_t listener,
                                                 bool with_fenced) {
  std::vector<std::pair<BrokerId, const metadata::BrokerImage*>> brokers;
  image.brokers.ForEach([&](BrokerId id, const metadata::BrokerImage& broker) {
    if (with_fenced || !broker.fenced) brokers.emplace_back(id, &broker);
  });
  Sort(brokers, [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<NodeEndpoint> endpoints;
  for (const auto& [id, broker] : brokers) {
    const metadata::EndpointImage* endpoint = broker->Endpoint(node.endpoints[listener].name);
    if (endpoint == nullptr) continue;
    endpoints.push_back({id, endpoint->host, endpoint->port, broker->rack, broker->fenced});
  }
  return endpoints;
}

inline std::vector<NodeEndpoint> LiveBrokers(const metadata::MetadataImage& image, const Node& node,
                                             size_t listener) {
  return BrokerEndpoints(image, node, listener, /*with_fenced=*/false);
}

// Adds where the leader of a partition is to the endpoints of a response, once (KIP-951).
template <class Endpoint>
void AddLeaderEndpoint(const metadata::MetadataImage& image, const Node& node, size_t listener,
                       BrokerId leader, std::vector<Endpoint>* endpoints) {
  const metadata::BrokerImage* broker = image.FindBroker(leader);
  if (broker == nullptr || broker->fenced) return;
  const metadata::EndpointImage* at = broker->Endpoint(node.endpoints[listener].name);
  const auto is_it = [&](const Endpoint& known) { return known.node_id == leader.value(); };
  if (at == nullptr || std::any_of(endpoints->begin(), endpoints->end(), is_it)) return;
  endpoints->push_back({leader.value(), at->host, at->port, broker->rack});
}

}  // namespace weir::server

#endif  // WEIR_SERVER_ENDPOINTS_H_
