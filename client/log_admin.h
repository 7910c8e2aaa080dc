// -----------------------------------------------------------------------------
// File: client/log_admin.h
// -----------------------------------------------------------------------------
// Administration of what brokers store: records are deleted by the leaders of their partitions,
// directories described by each broker for itself.
// Threading: that of its Cluster.
// Errors: as client/admin.h; each partition has a Status of its own.
#ifndef WEIR_CLIENT_LOG_ADMIN_H_
#define WEIR_CLIENT_LOG_ADMIN_H_

#include <algorithm>
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
#include "protocol/api/alter_replica_log_dirs.h"
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

  // Moves replicas of one broker to other directories of it; what becomes of each begins here, and
  // is told by DescribeLogDirs. REPLICA_NOT_AVAILABLE: the broker has none yet, and will have it
  // there. In the order of `places`.
  absl::StatusOr<std::vector<protocol::ErrorCode>> MoveReplicas(
      int32_t broker, absl::Span<const ReplicaPlace> places) {
    protocol::AlterReplicaLogDirsRequest request;
    for (const ReplicaPlace& place : places) {
      auto dir = std::find_if(request.dirs.begin(), request.dirs.end(),
                              [&](const auto& known) { return known.path == place.directory; });
      if (dir == request.dirs.end()) {
        dir = request.dirs.emplace(request.dirs.end());
        dir->path = place.directory;
      }
      dir->topics.push_back({place.topic, {place.partition}});
    }
    WEIR_ASSIGN_OR_RETURN(const protocol::AlterReplicaLogDirsResponse response,
                          admin_.CallNode<protocol::AlterReplicaLogDirsRequest>(broker, request));
    std::vector<protocol::ErrorCode> errors(places.size(),
                                            protocol::ErrorCode::kUnknownServerError);
    for (const auto& topic : response.results) {
      for (const auto& partition : topic.partitions) {
        for (size_t i = 0; i < places.size(); ++i) {
          const bool is_it = places[i].topic == topic.topic_name &&
                             places[i].partition == partition.partition_index;
          if (is_it) errors[i] = static_cast<protocol::ErrorCode>(partition.error_code);
        }
      }
    }
    return errors;
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
