// -----------------------------------------------------------------------------
// File: client/log_admin.h
// -----------------------------------------------------------------------------
// Administration of what brokers store: records are deleted by the leaders of their partitions,
// directories described by each broker for itself.
// Threading: that of its Cluster.
// Errors: as client/admin.h; each partition has a Status of its own.
#ifndef WEIR_CLIENT_LOG_ADMIN_H_
#define WEIR_CLIENT_LOG_ADMIN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/admin_types.h"
#include "client/cluster.h"
#include "client/metadata_cache.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/error_code.h"

namespace weir::client {

class LogAdmin {
 public:
  explicit LogAdmin(Admin& admin) : admin_(admin), cluster_(admin.cluster()) {}

  // Moves the beginning of each partition up to an offset. The answers are in the order of `what`.
  absl::StatusOr<std::vector<DeletedRecords>> DeleteRecords(
      absl::Span<const RecordsToDelete> what) {
    std::vector<DeletedRecords> answers;
    std::vector<std::string> topics;
    for (const RecordsToDelete& one : what) {
      answers.push_back({one.topic, one.partition, absl::UnavailableError("not asked")});
      if (topics.empty() || topics.back() != one.topic) topics.push_back(one.topic);
    }
    const MonotonicNs deadline = cluster_.Deadline();
    for (int failures = 0;; ++failures) {
      WEIR_RETURN_IF_ERROR(cluster_.Describe(topics, deadline).status());
      std::map<int32_t, std::vector<size_t>> by_leader;
      for (size_t i = 0; i < what.size(); ++i) {
        if (answers[i].status.code() != absl::StatusCode::kUnavailable) continue;
        const int32_t leader = cluster_.metadata().LeaderOf(what[i].topic, what[i].partition);
        if (leader != kNoNode) {
          by_leader[leader].push_back(i);
        } else {
          answers[i].status = WhyNoLeader(what[i]);
        }
      }
      for (const auto& [leader, asked] : by_leader) Ask(leader, what, asked, deadline, &answers);
      bool again = false;
      for (const DeletedRecords& answer : answers) {
        again = again || answer.status.code() == absl::StatusCode::kUnavailable;
      }
      if (!again || cluster_.Now() >= deadline) return answers;
      cluster_.Pause(failures, deadline);
    }
  }

  // The directories of one broker with the partitions in them.
  absl::StatusOr<std::vector<protocol::DescribeLogDirsResponse::DescribeLogDirsResult>>
  DescribeLogDirs(int32_t broker) {
    protocol::DescribeLogDirsRequest request;
    request.topics.reset();  // all
    WEIR_ASSIGN_OR_RETURN(protocol::DescribeLogDirsResponse response,
                          admin_.CallNode<protocol::DescribeLogDirsRequest>(broker, request));
    WEIR_RETURN_IF_ERROR(Admin::Error(response.error_code, absl::StrCat("broker ", broker)));
    return std::move(response.results);
  }

 private:
  absl::Status WhyNoLeader(const RecordsToDelete& one) const {
    const TopicInfo* topic = cluster_.metadata().Find(one.topic);
    if (topic != nullptr && topic->error != protocol::ErrorCode::kNone) {
      return StatusOfError(topic->error, one.topic);
    }
    const bool known = cluster_.metadata().Find(one.topic, one.partition) != nullptr;
    return StatusOfError(known ? protocol::ErrorCode::kLeaderNotAvailable
                               : protocol::ErrorCode::kUnknownTopicOrPartition,
                         absl::StrCat(one.topic, "-", one.partition));
  }

  void Ask(int32_t leader, absl::Span<const RecordsToDelete> what, const std::vector<size_t>& asked,
           MonotonicNs deadline, std::vector<DeletedRecords>* answers) {
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    for (const size_t i : asked) {
      request.topics.push_back({what[i].topic, {{what[i].partition, what[i].before.value()}}});
    }
    const auto response =
        cluster_.Call<protocol::DeleteRecordsRequest>(leader, std::move(request), deadline);
    for (const size_t i : asked) {
      (*answers)[i].status =
          response.ok() ? absl::InvalidArgumentError("DeleteRecords: the broker left it out")
                        : response.status();
    }
    if (!response.ok()) return;
    for (const auto& topic : response->topics) {
      for (const auto& partition : topic.partitions) {
        for (const size_t i : asked) {
          DeletedRecords& answer = (*answers)[i];
          if (answer.topic != topic.name || answer.partition != partition.partition_index) continue;
          answer.status =
              Admin::Error(partition.error_code, absl::StrCat(topic.name, "-", answer.partition));
          answer.low_watermark = Offset(partition.low_watermark);
        }
      }
    }
  }

  Admin& admin_;
  Cluster& cluster_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_LOG_ADMIN_H_
