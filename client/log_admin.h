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
#include "client/leader_calls.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/describe_log_dirs.h"

namespace weir::client {

class LogAdmin {
 public:
  explicit LogAdmin(Admin& admin) : admin_(admin), cluster_(admin.cluster()) {}

  // Moves the beginning of each partition up to an offset. The answers are in the order of `what`.
  absl::StatusOr<std::vector<DeletedRecords>> DeleteRecords(
      absl::Span<const RecordsToDelete> what) {
    std::vector<DeletedRecords> answers;
    for (const RecordsToDelete& one : what) {
      answers.push_back({one.topic, one.partition, absl::UnavailableError("not asked")});
    }
    const MonotonicNs deadline = cluster_.Deadline();
    WEIR_RETURN_IF_ERROR(AskLeaders(cluster_, what, deadline, &answers,
                                    [&](int32_t leader, const LeaderShare<RecordsToDelete>& share) {
                                      Ask(leader, what, share, deadline, &answers);
                                    }));
    return answers;
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
  void Ask(int32_t leader, absl::Span<const RecordsToDelete> what,
           const LeaderShare<RecordsToDelete>& share, MonotonicNs deadline,
           std::vector<DeletedRecords>* answers) {
    using Partition = protocol::DeleteRecordsRequest::DeleteRecordsPartition;
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = static_cast<int32_t>(cluster_.config().request_timeout_ms);
    share.Fill(&request.topics, [&](size_t i) {
      return Partition{what[i].partition, what[i].before.value()};
    });
    const auto response =
        cluster_.Call<protocol::DeleteRecordsRequest>(leader, std::move(request), deadline);
    for (const size_t i : share.indices()) {
      (*answers)[i].status =
          response.ok() ? absl::InvalidArgumentError("DeleteRecords: the broker left it out")
                        : response.status();
    }
    if (!response.ok()) return;
    for (const auto& topic : response->topics) {
      for (const auto& partition : topic.partitions) {
        for (const size_t i : share.Find(topic.name, partition.partition_index)) {
          DeletedRecords& answer = (*answers)[i];
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
