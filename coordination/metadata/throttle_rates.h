// -----------------------------------------------------------------------------
// File: coordination/metadata/throttle_rates.h
// -----------------------------------------------------------------------------
// What a broker may move at most while replicas catch up or change folders, in bytes per second
// (KIP-73, KIP-113): configs of brokers that change while they run, of one or of all.
// Threading: none. Errors: kInvalidArgument, for INVALID_CONFIG.
#ifndef WEIR_COORDINATION_METADATA_THROTTLE_RATES_H_
#define WEIR_COORDINATION_METADATA_THROTTLE_RATES_H_

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace weir::metadata {

inline constexpr absl::string_view kLeaderThrottledRate = "leader.replication.throttled.rate";
inline constexpr absl::string_view kFollowerThrottledRate = "follower.replication.throttled.rate";
inline constexpr absl::string_view kLogDirsThrottledRate =
    "replica.alter.log.dirs.io.max.bytes.per.second";
inline constexpr absl::string_view kThrottledRates[] = {
    kFollowerThrottledRate, kLeaderThrottledRate, kLogDirsThrottledRate};

inline bool IsThrottledRate(absl::string_view name) {
  return std::find(std::begin(kThrottledRates), std::end(kThrottledRates), name) !=
         std::end(kThrottledRates);
}

inline absl::StatusOr<int64_t> ParseThrottledRate(absl::string_view name, absl::string_view value) {
  int64_t rate = 0;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(value), &rate) && rate >= 0) return rate;
  return absl::InvalidArgumentError(
      absl::StrCat("Config ", name, ": expected a number of bytes per second of at least 0, came '",
                   value.substr(0, 100), "'"));
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_THROTTLE_RATES_H_
