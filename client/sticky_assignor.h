// -----------------------------------------------------------------------------
// File: client/sticky_assignor.h
// -----------------------------------------------------------------------------
// cooperative-sticky (KIP-429): shares that are even, and that differ as little as can be from what
// members have. Even means that no member has two partitions more than another one that could take
// one of them.
//
// A partition that changes hands is in nobody's share at first: its owner sees that it is to give
// it up, does so and joins again, and then the partition is free for the other one. So no member
// ever gets what another one may still be reading. When several claim one, the claim of the highest
// generation holds; claims of the same generation annul each other.
// Threading: pure; keeps nothing.
// Errors: none.
// Limits: about members * partitions steps, and members * topics for each partition that moves.
#ifndef WEIR_CLIENT_STICKY_ASSIGNOR_H_
#define WEIR_CLIENT_STICKY_ASSIGNOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/sort.h"
#include "client/assignor.h"
#include "client/topic_and_partition.h"
#include "protocol/consumer_protocol.h"
#include "protocol/message.h"

namespace weir::client {

namespace client_internal {

// One assignment in the making. Members are named by their place in the order of assignor.h.
class StickyShares {
 public:
  StickyShares(const PartitionCounts& partitions, absl::Span<const MemberSubscription> members)
      : members_(InOrder(members)), shares_(members_.size()) {
    for (const auto& [topic, count] : partitions) {
      std::vector<size_t>& readers = readers_[topic];
      for (size_t i = 0; i < members_.size(); ++i) {
        if (members_[i]->topics.contains(topic)) readers.push_back(i);
      }
    }
    for (size_t i = 0; i < members_.size(); ++i) {
      for (const TopicAndPartition& tp : members_[i]->owned) claims_[tp].push_back(i);
    }
    KeepWhatIsOwned(partitions);
    ShareOutTheRest(partitions);
    while (MoveOne()) continue;
  }

  // What each member may have now: without what others have to give up first.
  Assignment Free() const {
    Assignment out;
    for (size_t i = 0; i < members_.size(); ++i) {
      std::vector<TopicAndPartition>& share = out[members_[i]->member_id];
      for (const auto& [topic, indexes] : shares_[i].partitions) {
        for (const int32_t index : indexes) {
          const TopicAndPartition tp{std::string(topic), index};
          if (IsOwner(tp, i) || !IsClaimedByOthers(tp, i)) share.push_back(tp);
        }
      }
    }
    return out;
  }

 private:
  struct MemberShare {
    std::map<absl::string_view, std::set<int32_t>> partitions;  // by topic
    size_t size = 0;
  };

  void KeepWhatIsOwned(const PartitionCounts& partitions) {
    for (const auto& [tp, claims] : claims_) {
      const auto it = partitions.find(tp.topic);
      if (it == partitions.end() || tp.partition < 0 || tp.partition >= it->second) continue;
      const size_t owner = *std::max_element(
          claims.begin(), claims.end(),
          [this](size_t a, size_t b) { return members_[a]->generation < members_[b]->generation; });
      const bool contested = std::any_of(claims.begin(), claims.end(), [this, owner](size_t i) {
        return i != owner && members_[i]->generation == members_[owner]->generation;
      });
      if (contested || !members_[owner]->topics.contains(tp.topic)) continue;
      owners_[tp] = owner;
      Give(owner, it->first, tp.partition);
    }
  }

  // Topics that few can read come first, so that those who can read others too are left for them.
  void ShareOutTheRest(const PartitionCounts& partitions) {
    std::vector<std::pair<size_t, absl::string_view>> topics;
    for (const auto& [topic, readers] : readers_) topics.push_back({readers.size(), topic});
    Sort(topics);
    for (const auto& [count, topic] : topics) {
      if (count == 0) continue;
      const int32_t end = partitions.find(topic)->second;
      for (int32_t index = 0; index < end; ++index) {
        if (owners_.contains(TopicAndPartition{std::string(topic), index})) continue;
        Give(LeastOf(topic), topic, index);
      }
    }
  }

  void Give(size_t member, absl::string_view topic, int32_t index) {
    shares_[member].partitions[topic].insert(index);
    ++shares_[member].size;
  }

  size_t LeastOf(absl::string_view topic) const {
    const std::vector<size_t>& readers = readers_.find(topic)->second;
    return *std::min_element(readers.begin(), readers.end(), [this](size_t a, size_t b) {
      return shares_[a].size < shares_[b].size;
    });
  }

  // Moves a partition from the member with the most that has one for somebody with two fewer.
  bool MoveOne() {
    std::vector<size_t> order(members_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [this](size_t a, size_t b) { return shares_[a].size > shares_[b].size; });
    for (const size_t from : order) {
      std::optional<size_t> to;
      absl::string_view topic;
      for (const auto& [name, indexes] : shares_[from].partitions) {
        const size_t least = LeastOf(name);
        if (shares_[least].size + 2 > shares_[from].size) continue;
        if (to.has_value() && shares_[*to].size <= shares_[least].size) continue;
        to = least;
        topic = name;
      }
      if (!to.has_value()) continue;
      const int32_t index = Choose(from, topic);
      std::set<int32_t>& indexes = shares_[from].partitions[topic];
      indexes.erase(index);
      if (indexes.empty()) shares_[from].partitions.erase(topic);
      --shares_[from].size;
      Give(*to, topic, index);
      return true;
    }
    return false;
  }

  // One that the member did not have before if it can be, else its last.
  int32_t Choose(size_t from, absl::string_view topic) const {
    const std::set<int32_t>& indexes = shares_[from].partitions.find(topic)->second;
    for (const int32_t index : indexes) {
      if (!IsOwner({std::string(topic), index}, from)) return index;
    }
    return *indexes.rbegin();
  }

  bool IsOwner(const TopicAndPartition& tp, size_t member) const {
    const auto it = owners_.find(tp);
    return it != owners_.end() && it->second == member;
  }
  bool IsClaimedByOthers(const TopicAndPartition& tp, size_t member) const {
    const auto it = claims_.find(tp);
    if (it == claims_.end()) return false;
    return std::any_of(it->second.begin(), it->second.end(),
                       [member](size_t claim) { return claim != member; });
  }

  const std::vector<const MemberSubscription*> members_;
  std::map<std::string, std::vector<size_t>, std::less<>> readers_;  // by topic
  std::map<TopicAndPartition, std::vector<size_t>> claims_;
  std::map<TopicAndPartition, size_t> owners_;  // whose claim holds
  std::vector<MemberShare> shares_;
};

}  // namespace client_internal

class CooperativeStickyAssignor final : public Assignor {
 public:
  absl::string_view name() const override { return "cooperative-sticky"; }
  bool cooperative() const override { return true; }

  // The generation, for leaders that are older than version 2 of the subscription.
  std::optional<std::string> UserData(int32_t generation) const override {
    std::string data;
    protocol::Encode(protocol::StickyUserData{generation}, 0, &data);
    return data;
  }

  Assignment Assign(const PartitionCounts& partitions,
                    absl::Span<const MemberSubscription> members) const override {
    return client_internal::StickyShares(partitions, members).Free();
  }
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_STICKY_ASSIGNOR_H_
