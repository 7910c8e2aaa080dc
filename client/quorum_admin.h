// -----------------------------------------------------------------------------
// File: client/quorum_admin.h
// -----------------------------------------------------------------------------
// Administration of the metadata quorum (KIP-595, KIP-853): who leads and votes, how far each
// replica is, and which nodes vote. Any broker is asked; it asks the active controller.
// Threading: that of its Cluster.
// Errors: as client/admin.h. A change of voters that is not answered in time may have happened.
#ifndef WEIR_CLIENT_QUORUM_ADMIN_H_
#define WEIR_CLIENT_QUORUM_ADMIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/admin.h"
#include "client/admin_types.h"
#include "client/cluster.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/error_code.h"

namespace weir::client {

class QuorumAdmin {
 public:
  explicit QuorumAdmin(Admin& admin) : cluster_(admin.cluster()) {}

  absl::StatusOr<QuorumDescription> DescribeQuorum() {
    protocol::DescribeQuorumRequest request;
    request.topics = {{"__cluster_metadata", {{0}}}};
    WEIR_ASSIGN_OR_RETURN(
        protocol::DescribeQuorumResponse response,
        CallWhileControllersMove(request, [](const protocol::DescribeQuorumResponse& answer) {
          const bool has_one = answer.topics.size() == 1 && answer.topics[0].partitions.size() == 1;
          return answer.error_code != 0 || !has_one ? answer.error_code
                                                    : answer.topics[0].partitions[0].error_code;
        }));
    WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, "", response.error_message));
    if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1) {
      return absl::InvalidArgumentError(
          "DescribeQuorum: expected the partition __cluster_metadata-0, came something else");
    }
    auto& partition = response.topics[0].partitions[0];
    WEIR_RETURN_IF_ERROR(Admin::Error(partition.error_code, "", partition.error_message));
    return QuorumDescription{std::move(partition), std::move(response.nodes)};
  }

  // Makes an observer a voter. `listeners`: where the other voters find it.
  absl::Status AddVoter(int32_t node, const Uuid& directory,
                        std::vector<protocol::AddRaftVoterRequest::Listener> listeners) {
    protocol::AddRaftVoterRequest request;
    request.cluster_id.reset();  // whichever it is
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    request.voter_id = node;
    request.voter_directory_id = directory;
    request.listeners = std::move(listeners);
    return ChangeVoters(request, node);
  }

  absl::Status RemoveVoter(int32_t node, const Uuid& directory) {
    protocol::RemoveRaftVoterRequest request;
    request.cluster_id.reset();
    request.voter_id = node;
    request.voter_directory_id = directory;
    return ChangeVoters(request, node);
  }

 private:
  template <class Request>
  absl::Status ChangeVoters(const Request& request, int32_t node) {
    WEIR_ASSIGN_OR_RETURN(
        const auto response,
        CallWhileControllersMove(request, [](const auto& answer) { return answer.error_code; }));
    return Admin::Error(response.error_code, absl::StrCat("node ", node), response.error_message);
  }

  // Asks again where the broker's controller had just stopped being the active one: nothing has
  // happened then.
  template <class Request, class CodeOf>
  absl::StatusOr<ResponseOf<Request>> CallWhileControllersMove(const Request& request,
                                                               CodeOf code_of) {
    const MonotonicNs deadline = cluster_.Deadline();
    for (int failures = 0;; ++failures) {
      WEIR_ASSIGN_OR_RETURN(ResponseOf<Request> response, cluster_.CallAny(request, deadline));
      const auto code = static_cast<protocol::ErrorCode>(code_of(response));
      const bool again = code == protocol::ErrorCode::kNotController ||
                         code == protocol::ErrorCode::kNotLeaderOrFollower ||
                         code == protocol::ErrorCode::kLeaderNotAvailable;
      if (!again || cluster_.Now() >= deadline) return response;
      cluster_.Pause(failures, deadline);
    }
  }

  Cluster& cluster_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_QUORUM_ADMIN_H_
