// -----------------------------------------------------------------------------
// File: server/cli/reset_plan.h
// -----------------------------------------------------------------------------
// What `weir groups --reset-offsets` reads and reckons, without a cluster: scopes such as
// "topic:0,2", times and durations as ISO 8601 writes them, and each partition's new offset.
// Threading: values. Errors: UsageError() with what was expected.
#ifndef WEIR_SERVER_CLI_RESET_PLAN_H_
#define WEIR_SERVER_CLI_RESET_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"

namespace weir::cli {

// "orders" or "orders:0,2".
struct TopicScope {
  std::string topic;
  std::optional<std::vector<int32_t>> partitions;  // all without
};
absl::StatusOr<TopicScope> ParseTopicScope(absl::string_view flag, absl::string_view text);

// "2026-07-01T12:30:00.250", in UTC unless "Z", "+02:00" or "+0200" stands behind it. Milliseconds
// since 1970.
absl::StatusOr<TimestampMs> ParseDatetime(absl::string_view flag, absl::string_view text);

// "P1DT2H3M4.5S", any part of it: milliseconds.
absl::StatusOr<int64_t> ParseDuration(absl::string_view flag, absl::string_view text);

// What is known of a partition before its offset is set.
struct PartitionFacts {
  Offset earliest{0};
  Offset latest{0};
  std::optional<Offset> current;  // what the group committed
  std::optional<Offset> at_time;  // the first record that is young enough
};

// Takes in what a leader answered about kEarliestTime, which is asked first, kLatestTime or another
// time. A partition with a failure is out: the first of its failures is returned, and no other.
absl::Status TakeAnswer(const client::OffsetAnswer& answer, int64_t time,
                        std::map<client::TopicAndPartition, PartitionFacts>* facts);

enum class ResetTo { kEarliest, kLatest, kCurrent, kOffset, kShift, kTime };

// The new offset, never outside the log. `number` is the offset or the shift. kNotFound where the
// group committed nothing that could be shifted; without anything committed kCurrent is the end.
absl::StatusOr<Offset> NewOffset(ResetTo to, int64_t number, const PartitionFacts& facts);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_RESET_PLAN_H_
