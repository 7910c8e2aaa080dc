// -----------------------------------------------------------------------------
// File: coordination/group/internal/refusal.h
// -----------------------------------------------------------------------------
// Answers of a coordinator that has no say: it is loading, or the partition is led elsewhere.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_REFUSAL_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_REFUSAL_H_

#include <utility>

#include "coordination/group/events.h"
#include "coordination/group/internal/offset_requests.h"
#include "coordination/group/internal/shard.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

inline ResponseBody Refused(const Request<protocol::JoinGroupRequest>& request, ErrorCode error) {
  protocol::JoinGroupResponse response;
  response.error_code = Code(error);
  response.member_id = request.body.member_id;
  return response;
}

inline ResponseBody Refused(const Request<protocol::SyncGroupRequest>&, ErrorCode error) {
  protocol::SyncGroupResponse response;
  response.error_code = Code(error);
  return response;
}

// While the group loads, heartbeats are fine: members need not join again because of it.
inline ResponseBody Refused(const Request<protocol::HeartbeatRequest>&, ErrorCode error) {
  protocol::HeartbeatResponse response;
  response.error_code =
      Code(error == ErrorCode::kCoordinatorLoadInProgress ? ErrorCode::kNone : error);
  return response;
}

inline ResponseBody Refused(const Request<protocol::LeaveGroupRequest>&, ErrorCode error) {
  protocol::LeaveGroupResponse response;
  response.error_code = Code(error);
  return response;
}

inline ResponseBody Refused(const Request<protocol::OffsetCommitRequest>& request,
                            ErrorCode error) {
  return CommitRefused(request.body, error);
}

inline ResponseBody Refused(const Request<protocol::OffsetFetchRequest>& request, ErrorCode error) {
  protocol::OffsetFetchResponse response;
  response.error_code = Code(error);
  for (const auto& group : request.body.groups) {
    response.groups.push_back({group.group_id, {}, Code(error)});
  }
  if (request.version >= 2 || !request.body.topics.has_value()) return response;
  for (const auto& topic : *request.body.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const int32_t p : topic.partition_indexes) {
      auto& partition = out.partitions.emplace_back();
      partition.partition_index = p;
      partition.committed_offset = -1;
      partition.error_code = Code(error);
    }
  }
  return response;
}

inline ResponseBody Refused(const Request<protocol::OffsetDeleteRequest>&, ErrorCode error) {
  protocol::OffsetDeleteResponse response;
  response.error_code = Code(error);
  return response;
}

inline ResponseBody Refused(const Request<protocol::DescribeGroupsRequest>& request,
                            ErrorCode error) {
  protocol::DescribeGroupsResponse response;
  for (const std::string& group_id : request.body.groups) {
    auto& out = response.groups.emplace_back();
    out.group_id = group_id;
    out.error_code = Code(error);
  }
  return response;
}

inline ResponseBody Refused(const Request<protocol::ListGroupsRequest>&, ErrorCode error) {
  protocol::ListGroupsResponse response;
  response.error_code = Code(error);
  return response;
}

inline ResponseBody Refused(const Request<protocol::DeleteGroupsRequest>& request,
                            ErrorCode error) {
  protocol::DeleteGroupsResponse response;
  for (const std::string& group_id : request.body.groups_names) {
    response.results.push_back({group_id, Code(error)});
  }
  return response;
}

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_REFUSAL_H_
