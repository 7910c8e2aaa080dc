// What moves and elects replicas, and takes brokers off the cluster.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/reassignments.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/error_code.h"
#include "server/handlers/ask_controller.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

void HandleElectLeaders(const RequestRef& request) {
  absl::StatusOr<protocol::ElectLeadersRequest> asked =
      request->Decode<protocol::ElectLeadersRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  size_t parts = 0;
  if (asked->topic_partitions.has_value()) {
    for (const auto& topic : *asked->topic_partitions) parts += 1 + topic.partitions.size();
  }
  if (RefuseParts(request, parts)) return;
  AskController<protocol::ElectLeadersResponse>(request,
                                                metadata::ElectLeaders{0, *std::move(asked)});
}

void HandleAlterPartitionReassignments(const RequestRef& request) {
  absl::StatusOr<protocol::AlterPartitionReassignmentsRequest> asked =
      request->Decode<protocol::AlterPartitionReassignmentsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  size_t parts = 0;
  for (const auto& topic : asked->topics) parts += 1 + topic.partitions.size();
  if (RefuseParts(request, parts)) return;
  AskController<protocol::AlterPartitionReassignmentsResponse>(
      request, metadata::AlterPartitionReassignments{0, *std::move(asked)});
}

void HandleListPartitionReassignments(const RequestRef& request) {
  const auto asked = request->Decode<protocol::ListPartitionReassignmentsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  request->Respond(metadata::ListReassignments(*request->shard().image(), *asked));
}

void HandleUnregisterBroker(const RequestRef& request) {
  const auto asked = request->Decode<protocol::UnregisterBrokerRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  AskController<metadata::BrokerUnregistered>(
      request, metadata::UnregisterBroker{0, BrokerId(asked->broker_id)},
      [](const metadata::BrokerUnregistered& unregistered) {
        protocol::UnregisterBrokerResponse response;
        response.error_code = WireCode(unregistered.error);
        response.error_message = std::nullopt;
        if (unregistered.error != protocol::ErrorCode::kNone) {
          response.error_message = unregistered.message;
        }
        return response;
      });
}

}  // namespace weir::server
