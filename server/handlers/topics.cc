// CreateTopics, CreatePartitions and DeleteTopics: decided by the controller, answered once
// committed.

#include <utility>

#include "absl/status/statusor.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "server/controller_driver.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

void HandleCreateTopics(const RequestRef& request) {
  absl::StatusOr<protocol::CreateTopicsRequest> asked =
      request->Decode<protocol::CreateTopicsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  request->shard().Call<protocol::CreateTopicsResponse>(
      kControllerShard,
      [asked = *std::move(asked)](Shard& controller, auto reply) mutable {
        controller.controller().CreateTopics(std::move(asked), std::move(reply));
      },
      [request](const protocol::CreateTopicsResponse& response) { request->Respond(response); });
}

void HandleCreatePartitions(const RequestRef& request) {
  absl::StatusOr<protocol::CreatePartitionsRequest> asked =
      request->Decode<protocol::CreatePartitionsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  request->shard().Call<protocol::CreatePartitionsResponse>(
      kControllerShard,
      [asked = *std::move(asked)](Shard& controller, auto reply) mutable {
        controller.controller().CreatePartitions(std::move(asked), std::move(reply));
      },
      [request](const protocol::CreatePartitionsResponse& response) {
        request->Respond(response);
      });
}

void HandleDeleteTopics(const RequestRef& request) {
  absl::StatusOr<protocol::DeleteTopicsRequest> asked =
      request->Decode<protocol::DeleteTopicsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  if (request->version() < 6) {
    for (std::string& name : asked->topic_names) {
      asked->topics.emplace_back().name = std::move(name);
    }
    asked->topic_names.clear();
  }
  request->shard().Call<protocol::DeleteTopicsResponse>(
      kControllerShard,
      [asked = *std::move(asked)](Shard& controller, auto reply) mutable {
        controller.controller().DeleteTopics(std::move(asked), std::move(reply));
      },
      [request](const protocol::DeleteTopicsResponse& response) { request->Respond(response); });
}

}  // namespace weir::server
