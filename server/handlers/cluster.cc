// DescribeCluster.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/error_code.h"
#include "server/authorized_operations.h"
#include "server/endpoints.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

using protocol::ErrorCode;

void HandleDescribeCluster(const RequestRef& request) {
  using protocol::DescribeClusterResponse;
  const absl::StatusOr<protocol::DescribeClusterRequest> asked =
      request->Decode<protocol::DescribeClusterRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  const Node& node = request->shard().node();

  DescribeClusterResponse response;
  if (asked->endpoint_type != protocol::kBrokerEndpoint) {
    // Controllers are Weir's own business (docs/architecture.md); clients manage by way of brokers.
    const bool known = asked->endpoint_type == protocol::kControllerEndpoint;
    response.error_code =
        WireCode(known ? ErrorCode::kMismatchedEndpointType : ErrorCode::kUnsupportedEndpointType);
    response.error_message = absl::StrCat("expected endpoint type 1 (brokers), came ",
                                          static_cast<int>(asked->endpoint_type));
    return request->Respond(response);
  }
  response.cluster_id = node.cluster_id;
  response.controller_id = node.config.node_id.value();
  for (const NodeEndpoint& broker : BrokerEndpoints(
           *request->shard().image(), node, request->listener(), asked->include_fenced_brokers)) {
    response.brokers.push_back(
        {broker.id.value(), broker.host, broker.port, broker.rack, broker.fenced});
  }
  if (asked->include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kClusterOperations;
  }
  request->Respond(response);
}

}  // namespace weir::server
