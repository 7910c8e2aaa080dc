// -----------------------------------------------------------------------------
// File: client/leader_calls.h
// -----------------------------------------------------------------------------
// Requests to the leaders of partitions: each leader is asked about all of its partitions at once,
// and again about those whose errors pass. What is asked has `topic` and `partition`, and the
// answers, one for each in the same order, have `status`: kUnavailable asks for another try.
// Threading: that of the Cluster.
// Errors: a Status of its own for each partition; one for all only where brokers cannot be reached.
#ifndef WEIR_CLIENT_LEADER_CALLS_H_
#define WEIR_CLIENT_LEADER_CALLS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "client/cluster.h"
#include "client/error_status.h"
#include "client/metadata_cache.h"
#include "protocol/error_code.h"

namespace weir::client {

// Why a partition has no leader to ask.
inline absl::Status WhyNoLeader(const MetadataCache& metadata, const std::string& topic,
                                int32_t partition) {
  const TopicInfo* info = metadata.Find(topic);
  if (info != nullptr && info->error != protocol::ErrorCode::kNone) {
    return StatusOfError(info->error, topic);
  }
  const bool is_known = metadata.Find(topic, partition) != nullptr;
  return StatusOfError(is_known ? protocol::ErrorCode::kLeaderNotAvailable
                                : protocol::ErrorCode::kUnknownTopicOrPartition,
                       absl::StrCat(topic, "-", partition));
}

// What one leader is asked: indices into all that is asked, in the order of topic and partition.
template <class Asked>
class LeaderShare {
 public:
  LeaderShare(absl::Span<const Asked> all, std::vector<size_t> indices)
      : all_(all), indices_(std::move(indices)) {
    std::stable_sort(indices_.begin(), indices_.end(), [this](size_t a, size_t b) {
      return Compare(all_[a], all_[b].topic, all_[b].partition) < 0;
    });
  }

  const std::vector<size_t>& indices() const { return indices_; }

  // Those about one partition; none when the leader was not asked about it.
  absl::Span<const size_t> Find(absl::string_view topic, int32_t partition) const {
    const auto first = std::partition_point(indices_.begin(), indices_.end(), [&](size_t i) {
      return Compare(all_[i], topic, partition) < 0;
    });
    const auto last = std::partition_point(
        first, indices_.end(), [&](size_t i) { return Compare(all_[i], topic, partition) == 0; });
    return absl::MakeConstSpan(indices_).subspan(first - indices_.begin(), last - first);
  }

  // Request::topics with an entry for each topic; `entry` makes one of its partitions of an index.
  template <class Topics, class MakeEntry>
  void Fill(Topics* topics, MakeEntry entry) const {
    for (const size_t i : indices_) {
      if (topics->empty() || topics->back().name != all_[i].topic) {
        topics->emplace_back();
        topics->back().name = all_[i].topic;
      }
      topics->back().partitions.push_back(entry(i));
    }
  }

 private:
  static int Compare(const Asked& one, absl::string_view topic, int32_t partition) {
    const int by_topic = absl::string_view(one.topic).compare(topic);
    if (by_topic != 0) return by_topic;
    return one.partition < partition ? -1 : one.partition > partition ? 1 : 0;
  }

  const absl::Span<const Asked> all_;
  std::vector<size_t> indices_;
};

// Calls `ask(leader, share)`, which sets the share's answers, until no answer is kUnavailable or
// the time is over. Answers start as kUnavailable.
template <class Asked, class Answer, class Ask>
absl::Status AskLeaders(Cluster& cluster, absl::Span<const Asked> asked, MonotonicNs deadline,
                        std::vector<Answer>* answers, Ask ask) {
  std::vector<std::string> topics;
  for (const Asked& one : asked) topics.push_back(one.topic);
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  const auto is_open = [](const Answer& answer) { return absl::IsUnavailable(answer.status); };
  for (int failures = 0;; ++failures) {
    WEIR_RETURN_IF_ERROR(cluster.Describe(topics, deadline).status());
    std::map<int32_t, std::vector<size_t>> by_leader;
    for (size_t i = 0; i < asked.size(); ++i) {
      if (!is_open((*answers)[i])) continue;
      const int32_t leader = cluster.metadata().LeaderOf(asked[i].topic, asked[i].partition);
      if (leader != kNoNode) {
        by_leader[leader].push_back(i);
      } else {
        (*answers)[i].status = WhyNoLeader(cluster.metadata(), asked[i].topic, asked[i].partition);
      }
    }
    for (auto& [leader, indices] : by_leader) {
      ask(leader, LeaderShare<Asked>(asked, std::move(indices)));
    }
    if (std::none_of(answers->begin(), answers->end(), is_open)) return absl::OkStatus();
    if (cluster.Now() >= deadline) return absl::OkStatus();
    cluster.Pause(failures, deadline);
  }
}

}  // namespace weir::client

#endif  // WEIR_CLIENT_LEADER_CALLS_H_
