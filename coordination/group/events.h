// -----------------------------------------------------------------------------
// File: coordination/group/events.h
// -----------------------------------------------------------------------------
// What goes into a group coordinator and what comes out of it.
//
// Every Request is answered by exactly one Respond with its token, at once or later. Every
// AppendRecords is answered by the driver with one AppendDone with its token, whenever it is done:
//   kNone           its records are committed (below the high watermark);
//   anything else   its records are not in the log and never will be.
// A driver that cannot tell which (leadership lost, the log failed) sends Unload instead. Appends
// are put into the log in the order of their tokens.
#ifndef WEIR_COORDINATION_GROUP_EVENTS_H_
#define WEIR_COORDINATION_GROUP_EVENTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/group/records.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"

namespace weir::group {

// Both clocks: timeouts run on the first, which never goes back; what is stored and what expires
// after days uses the second.
struct Now {
  int64_t monotonic_ms = 0;
  TimestampMs wall_ms = 0;
};

// Kafka's settings under Kafka's defaults, and bounds of our own.
struct GroupConfig {
  int32_t session_timeout_min_ms = 6'000;                 // group.min.session.timeout.ms
  int32_t session_timeout_max_ms = 1'800'000;             // group.max.session.timeout.ms
  int32_t initial_rebalance_delay_ms = 3'000;             // group.initial.rebalance.delay.ms
  int32_t members_max = 1'000'000'000;                    // group.max.size
  int32_t new_member_join_timeout_ms = 300'000;           // as Kafka's, which is no setting
  int32_t offset_metadata_units_max = 4'096;              // offset.metadata.max.bytes, in UTF-16
  int64_t offsets_retention_ms = 7LL * 24 * 3600 * 1000;  // offsets.retention.minutes
  int64_t retention_check_interval_ms = 600'000;          // offsets.retention.check.interval.ms
  int64_t append_timeout_ms = 5'000;                      // offsets.commit.timeout.ms

  // Bounds on memory, whatever clients ask. Members count with those that were just given an id.
  size_t members_bound = 20'000;               // of a group
  size_t member_metadata_bytes_max = 1 << 20;  // of all protocols of a member
  size_t groups_max = 1'000'000;               // of a coordinator, thus of a partition
  size_t offsets_per_group_max = 1'000'000;
  size_t records_per_append_max = 1'000;  // of deletions, which may fall apart into several appends
};

// --- Events --------------------------------------------------------------------------------------

// `token` is the driver's and returns with the response. Topics of OffsetCommit and OffsetFetch
// have been resolved: names and ids are filled in, unknown ids taken out.
template <class M>
struct Request {
  uint64_t token = 0;
  int16_t version = 0;
  std::string client_id;
  std::string client_host;  // as Kafka shows it: "/127.0.0.1"
  M body;
};

struct AppendDone {
  uint64_t token = 0;
  protocol::ErrorCode error = protocol::ErrorCode::kNone;
};

// The partition is led here from now on; its records follow.
struct StartLoading {};

// A record of the partition, in order; only what is committed. Errors and skipped records are
// reported as Note effects. Transactional offsets become visible with the marker of their producer.
struct LoadedRecord {
  int64_t offset = 0;
  absl::string_view key;
  std::optional<absl::string_view> value;
  bool is_transactional = false;
  int64_t producer_id = -1;
};
struct LoadedMarker {
  int64_t producer_id = -1;
  bool is_commit = false;
};
struct FinishLoading {};

// The partition is led elsewhere or its log failed. All that waits is answered with
// NOT_COORDINATOR; memory is given back.
struct Unload {};

// NextDeadline() has passed.
struct Tick {};

// `ids` are those of `names`; offsets that were committed for another topic of such a name stay.
// Without ids, all of that name go.
struct TopicsDeleted {
  std::vector<std::string> names;
  std::vector<Uuid> ids;
};

using Event =
    std::variant<Request<protocol::JoinGroupRequest>, Request<protocol::SyncGroupRequest>,
                 Request<protocol::HeartbeatRequest>, Request<protocol::LeaveGroupRequest>,
                 Request<protocol::OffsetCommitRequest>, Request<protocol::OffsetFetchRequest>,
                 Request<protocol::OffsetDeleteRequest>, Request<protocol::DescribeGroupsRequest>,
                 Request<protocol::ListGroupsRequest>, Request<protocol::DeleteGroupsRequest>,
                 AppendDone, StartLoading, LoadedRecord, LoadedMarker, FinishLoading, Unload, Tick,
                 TopicsDeleted>;

// --- Effects -------------------------------------------------------------------------------------

// One record batch for the partition; `timestamp_ms` for its records. All of it or nothing.
struct AppendRecords {
  uint64_t token = 0;
  std::vector<Record> records;
  TimestampMs timestamp_ms = 0;
};

using ResponseBody = std::variant<protocol::JoinGroupResponse, protocol::SyncGroupResponse,
                                  protocol::HeartbeatResponse, protocol::LeaveGroupResponse,
                                  protocol::OffsetCommitResponse, protocol::OffsetFetchResponse,
                                  protocol::OffsetDeleteResponse, protocol::DescribeGroupsResponse,
                                  protocol::ListGroupsResponse, protocol::DeleteGroupsResponse>;

struct Respond {
  uint64_t token = 0;
  ResponseBody body;
};

// Something an operator may want in the log.
struct Note {
  std::string text;
};

using Effect = std::variant<AppendRecords, Respond, Note>;
using Effects = std::vector<Effect>;  // in order

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_EVENTS_H_
