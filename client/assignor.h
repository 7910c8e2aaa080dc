// -----------------------------------------------------------------------------
// File: client/assignor.h
// -----------------------------------------------------------------------------
// How the leader of a group shares partitions out: range and roundrobin as Kafka's Java client has
// them, so that it does not matter who leads; cooperative-sticky is in client/sticky_assignor.h.
//
// range gives each member a run of each topic's partitions, the first members one more: topics with
// equally many partitions and the same members are cut at the same places. roundrobin deals all
// partitions out in turn. Both order members by their instance id, those without one behind by
// their member id. Racks are not looked at.
// Threading: pure; assignors keep nothing.
// Errors: none. Topics that nobody knows have no partitions.
#ifndef WEIR_CLIENT_ASSIGNOR_H_
#define WEIR_CLIENT_ASSIGNOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/sort.h"
#include "client/topic_and_partition.h"

namespace weir::client {

// What a member told in its JoinGroup.
struct MemberSubscription {
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::set<std::string> topics;
  std::vector<TopicAndPartition> owned;
  int32_t generation = -1;  // when it got what it owns
};

// How many partitions each topic has.
using PartitionCounts = std::map<std::string, int32_t, std::less<>>;
// By member id; every member has an entry.
using Assignment = std::map<std::string, std::vector<TopicAndPartition>>;

class Assignor {
 public:
  virtual ~Assignor() = default;
  // As the group's members agree on it.
  virtual absl::string_view name() const = 0;
  // Whether members keep what they have through a rebalance until they are told to give it up.
  virtual bool cooperative() const { return false; }
  // What this assignor tells the leader beside the subscription; `generation` is that of the last
  // assignment, -1 before the first.
  virtual std::optional<std::string> UserData(int32_t /*generation*/) const { return std::nullopt; }
  virtual Assignment Assign(const PartitionCounts& partitions,
                            absl::Span<const MemberSubscription> members) const = 0;
};

namespace client_internal {

inline bool IsBefore(const MemberSubscription* a, const MemberSubscription* b) {
  if (a->group_instance_id.has_value() != b->group_instance_id.has_value()) {
    return a->group_instance_id.has_value();
  }
  if (a->group_instance_id.has_value()) return *a->group_instance_id < *b->group_instance_id;
  return a->member_id < b->member_id;
}

inline std::vector<const MemberSubscription*> InOrder(
    absl::Span<const MemberSubscription> members) {
  std::vector<const MemberSubscription*> ordered;
  for (const MemberSubscription& member : members) ordered.push_back(&member);
  Sort(ordered, IsBefore);
  return ordered;
}

inline Assignment EmptyAssignment(absl::Span<const MemberSubscription> members) {
  Assignment assignment;
  for (const MemberSubscription& member : members) assignment[member.member_id];
  return assignment;
}

}  // namespace client_internal

class RangeAssignor final : public Assignor {
 public:
  absl::string_view name() const override { return "range"; }

  Assignment Assign(const PartitionCounts& partitions,
                    absl::Span<const MemberSubscription> members) const override {
    Assignment assignment = client_internal::EmptyAssignment(members);
    const auto ordered = client_internal::InOrder(members);
    for (const auto& [topic, count] : partitions) {
      std::vector<const MemberSubscription*> readers;
      for (const MemberSubscription* member : ordered) {
        if (member->topics.contains(topic)) readers.push_back(member);
      }
      int32_t next = 0;
      for (size_t i = 0; i < readers.size(); ++i) {
        const auto n = static_cast<int32_t>(readers.size());
        const int32_t end = next + count / n + (static_cast<int32_t>(i) < count % n ? 1 : 0);
        for (; next < end; ++next) assignment[readers[i]->member_id].push_back({topic, next});
      }
    }
    return assignment;
  }
};

class RoundRobinAssignor final : public Assignor {
 public:
  absl::string_view name() const override { return "roundrobin"; }

  Assignment Assign(const PartitionCounts& partitions,
                    absl::Span<const MemberSubscription> members) const override {
    Assignment assignment = client_internal::EmptyAssignment(members);
    const auto ordered = client_internal::InOrder(members);
    size_t turn = 0;
    for (const auto& [topic, count] : partitions) {
      const bool anyone = std::any_of(
          members.begin(), members.end(),
          [&topic = topic](const MemberSubscription& m) { return m.topics.contains(topic); });
      for (int32_t partition = 0; anyone && partition < count; ++partition) {
        while (!ordered[turn]->topics.contains(topic)) turn = (turn + 1) % ordered.size();
        assignment[ordered[turn]->member_id].push_back({topic, partition});
        turn = (turn + 1) % ordered.size();
      }
    }
    return assignment;
  }
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_ASSIGNOR_H_
