// -----------------------------------------------------------------------------
// File: server/throttled_replicas.h
// -----------------------------------------------------------------------------
// Which replicas of a topic are throttled while they catch up (KIP-73): what
// leader.replication.throttled.replicas and follower.replication.throttled.replicas say, "0:1,0:2"
// for the replicas of partition 0 on brokers 1 and 2, "*" for all.
// Threading: none. Errors: kInvalidArgument.
#ifndef WEIR_SERVER_THROTTLED_REPLICAS_H_
#define WEIR_SERVER_THROTTLED_REPLICAS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/sort.h"

namespace weir::server {

class ThrottledReplicas {
 public:
  static absl::StatusOr<ThrottledReplicas> Parse(absl::string_view text) {
    ThrottledReplicas parsed;
    text = absl::StripAsciiWhitespace(text);
    if (text.empty()) return parsed;
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      part = absl::StripAsciiWhitespace(part);
      if (part == "*") {
        parsed.all_ = true;
        continue;
      }
      const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(part, ':');
      Replica replica;
      if (!absl::SimpleAtoi(pair.first, &replica.first) || replica.first < 0 ||
          !absl::SimpleAtoi(pair.second, &replica.second) || replica.second < 0 ||
          std::count(part.begin(), part.end(), ':') != 1) {
        return absl::InvalidArgumentError(absl::StrCat(
            "expected * or a list of partition:broker, came '", part.substr(0, 100), "'"));
      }
      parsed.replicas_.push_back(replica);
    }
    Sort(parsed.replicas_);
    return parsed;
  }

  bool empty() const { return !all_ && replicas_.empty(); }
  bool Contains(PartitionIndex partition, BrokerId broker) const {
    return all_ || std::binary_search(replicas_.begin(), replicas_.end(),
                                      Replica(partition.value(), broker.value()));
  }

 private:
  using Replica = std::pair<int32_t, int32_t>;  // partition, broker

  bool all_ = false;
  std::vector<Replica> replicas_;  // ascending
};

}  // namespace weir::server

#endif  // WEIR_SERVER_THROTTLED_REPLICAS_H_
