// DescribeQuorum, AddRaftVoter, RemoveRaftVoter: answered by the leader of the metadata quorum
// (server/quorum_requests.h), asked by whichever broker got the request.

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/error_code.h"
#include "server/controller_driver.h"
#include "server/handlers/ask_controller.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {
namespace {

template <class Request, class Response>
void AskLeader(const RequestRef& request) {
  absl::StatusOr<Request> asked = request->Decode<Request>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  request->shard().Call<std::optional<Response>>(
      kControllerShard,
      [asked = *std::move(asked), client = ClientOf(request)](Shard& controller,
                                                              auto reply) mutable {
        controller.controller().AskQuorum<Response>(std::move(asked), std::move(client),
                                                    std::move(reply));
      },
      [request](std::optional<Response> response) {
        if (!response.has_value()) {
          response.emplace();
          response->error_code = WireCode(protocol::ErrorCode::kNotController);
          response->error_message = "no controller has answered";
        }
        request->Respond(*response);
      });
}

}  // namespace

void HandleDescribeQuorum(const RequestRef& request) {
  AskLeader<protocol::DescribeQuorumRequest, protocol::DescribeQuorumResponse>(request);
}

void HandleAddRaftVoter(const RequestRef& request) {
  AskLeader<protocol::AddRaftVoterRequest, protocol::AddRaftVoterResponse>(request);
}

void HandleRemoveRaftVoter(const RequestRef& request) {
  AskLeader<protocol::RemoveRaftVoterRequest, protocol::RemoveRaftVoterResponse>(request);
}

}  // namespace weir::server
