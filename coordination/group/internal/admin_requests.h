// -----------------------------------------------------------------------------
// File: coordination/group/internal/admin_requests.h
// -----------------------------------------------------------------------------
// DescribeGroups, ListGroups, DeleteGroups.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_ADMIN_REQUESTS_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_ADMIN_REQUESTS_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "coordination/group/classic_group.h"
#include "coordination/group/events.h"
#include "coordination/group/internal/removal.h"
#include "coordination/group/internal/shard.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/list_groups.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

inline constexpr absl::string_view kClassicGroupType = "classic";

class AdminRequests {
 public:
  explicit AdminRequests(Shard& shard) : shard_(shard), removal_(shard) {}

  void Describe(const Request<protocol::DescribeGroupsRequest>& request) {
    protocol::DescribeGroupsResponse response;
    for (const std::string& group_id : request.body.groups) {
      response.groups.push_back(DescribeOne(group_id, request.version));
    }
    shard_.Answer(request.token, std::move(response));
  }

  void List(const Request<protocol::ListGroupsRequest>& request) {
    protocol::ListGroupsResponse response;
    const auto& types = request.body.types_filter;
    const bool has_type =
        types.empty() || std::any_of(types.begin(), types.end(), [](const std::string& type) {
          return absl::EqualsIgnoreCase(type, kClassicGroupType);
        });
    for (const auto& [group_id, group] : shard_.groups) {
      const absl::string_view state = GroupStateName(group.classic.state());
      if (!has_type || !Passes(request.body.states_filter, state)) continue;
      auto& out = response.groups.emplace_back();
      out.group_id = group_id;
      out.protocol_type = group.classic.protocol_type().value_or("");
      out.group_state = std::string(state);
      out.group_type = "Classic";
    }
    shard_.Answer(request.token, std::move(response));
  }

  void Delete(const Request<protocol::DeleteGroupsRequest>& request) {
    auto progress = std::make_shared<Deletion>();
    progress->token = request.token;
    progress->left = 1;  // this loop
    std::set<absl::string_view> seen;
    for (const std::string& group_id : request.body.groups_names) {
      if (!seen.insert(group_id).second) continue;
      const size_t at = progress->response.results.size();
      const ErrorCode error = CheckDelete(group_id);
      progress->response.results.push_back({group_id, Code(error)});
      if (error != ErrorCode::kNone) continue;
      ++progress->left;
      removal_.Remove(group_id, removal_.All(*shard_.Find(group_id)), /*with_group=*/true,
                      [this, progress, at](ErrorCode failure) {
                        progress->response.results[at].error_code = Code(ClientErrorOf(failure));
                        Done(*progress);
                      });
    }
    Done(*progress);
  }

 private:
  struct Deletion {
    uint64_t token = 0;
    size_t left = 0;
    protocol::DeleteGroupsResponse response;
  };

  void Done(Deletion& deletion) {
    if (--deletion.left == 0) shard_.Answer(deletion.token, std::move(deletion.response));
  }

  ErrorCode CheckDelete(const std::string& group_id) {
    const Group* group = shard_.Find(group_id);
    if (group == nullptr) return ErrorCode::kGroupIdNotFound;
    if (group->is_deleting) return ErrorCode::kCoordinatorLoadInProgress;  // it may yet stay
    return group->classic.state() == GroupState::kEmpty ? ErrorCode::kNone
                                                        : ErrorCode::kNonEmptyGroup;
  }

  // A state in a request may be in any case and have blanks around it.
  static bool Passes(const std::vector<std::string>& filter, absl::string_view state) {
    return filter.empty() ||
           std::any_of(filter.begin(), filter.end(), [&](const std::string& wanted) {
             return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(wanted), state);
           });
  }

  protocol::DescribeGroupsResponse::Group DescribeOne(const std::string& group_id,
                                                      int16_t version) {
    protocol::DescribeGroupsResponse::Group out;
    out.group_id = group_id;
    const Group* group = shard_.Find(group_id);
    if (group == nullptr) {
      out.group_state = std::string(GroupStateName(GroupState::kDead));
      if (version < 6) return out;  // KIP-1043
      out.error_code = Code(ErrorCode::kGroupIdNotFound);
      out.error_message = absl::StrCat("Group ", group_id, " not found.");
      return out;
    }
    const ClassicGroup& classic = group->classic;
    const bool is_stable = classic.state() == GroupState::kStable;
    out.group_state = std::string(GroupStateName(classic.state()));
    out.protocol_type = classic.protocol_type().value_or("");
    if (is_stable) out.protocol_data = classic.protocol_name().value_or("");
    for (const auto& [id, member] : classic.members()) {
      auto& m = out.members.emplace_back();
      m.member_id = id;
      m.group_instance_id = member.instance_id;
      m.client_id = member.client_id;
      m.client_host = member.client_host;
      m.member_assignment.value = member.assignment;
      const std::string* metadata = member.MetadataOf(classic.protocol_name().value_or(""));
      if (is_stable && metadata != nullptr) m.member_metadata.value = *metadata;
    }
    return out;
  }

  Shard& shard_;
  Removal removal_;
};

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_ADMIN_REQUESTS_H_
