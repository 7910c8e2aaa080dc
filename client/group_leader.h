// -----------------------------------------------------------------------------
// File: client/group_leader.h
// -----------------------------------------------------------------------------
// What the leader of a group knows of it: who is in it, and what of the topics the last assignment
// was made of, so that it sees when they change.
// Threading: one thread; pure.
#ifndef WEIR_CLIENT_GROUP_LEADER_H_
#define WEIR_CLIENT_GROUP_LEADER_H_

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/assignor.h"
#include "client/group_messages.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"

namespace weir::client {

class GroupLeader {
 public:
  explicit GroupLeader(const protocol::JoinGroupResponse& response)
      : skips_assignment_(response.skip_assignment) {
    for (const auto& member : response.members) {
      members_.push_back(DecodeMember(member));
      topics_.insert(members_.back().topics.begin(), members_.back().topics.end());
    }
  }

  // The topics that somebody in the group wants.
  const std::set<std::string>& topics() const { return topics_; }

  // Shares out. A static leader that came back under its name shares nothing out, but watches the
  // topics as before (KIP-814).
  std::vector<protocol::SyncGroupRequest::Assignment> Share(const Assignor& assignor,
                                                            const PartitionCounts& counts) {
    PartitionCounts known;
    for (const std::string& topic : topics_) {
      const auto it = counts.find(topic);
      known[topic] = it == counts.end() ? 0 : it->second;
    }
    std::vector<protocol::SyncGroupRequest::Assignment> out;
    if (!skips_assignment_) {
      for (const auto& [member_id, partitions] : assignor.Assign(known, members_)) {
        out.push_back({member_id, {EncodeAssignment(partitions)}});
      }
    }
    shared_ = std::move(known);
    return out;
  }

  // A topic that has other partitions now than were shared out.
  std::optional<std::string> FindChanged(const PartitionCounts& counts) const {
    if (!shared_.has_value()) return std::nullopt;
    for (const auto& [topic, count] : *shared_) {
      const auto it = counts.find(topic);
      if (it != counts.end() && it->second != count) return topic;
    }
    return std::nullopt;
  }

 private:
  bool skips_assignment_;
  std::vector<MemberSubscription> members_;
  std::set<std::string> topics_;
  std::optional<PartitionCounts> shared_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_GROUP_LEADER_H_
