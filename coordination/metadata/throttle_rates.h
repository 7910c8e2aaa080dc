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
#include <map>
#include <optional>
#include <string>

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

struct ThrottledRate {
  absl::string_view name;
  const char* doc;
};
inline constexpr ThrottledRate kThrottledRates[] = {
    {kFollowerThrottledRate,
     "How many bytes per second this broker's followers get, of replicas that are throttled and "
     "not in sync."},
    {kLeaderThrottledRate,
     "How many bytes per second this broker's leaders send to replicas that are throttled and not "
     "in sync."},
    {kLogDirsThrottledRate,
     "How many bytes per second are copied for replicas that move between folders of this broker."},
};

// Null where `name` is none of them.
inline const ThrottledRate* FindThrottledRate(absl::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kThrottledRates), std::end(kThrottledRates),
                   [name](const ThrottledRate& rate) { return rate.name == name; });
  return found == std::end(kThrottledRates) ? nullptr : found;
}

inline absl::StatusOr<int64_t> ParseThrottledRate(absl::string_view name, absl::string_view value) {
  int64_t rate = 0;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(value), &rate) && rate >= 0) return rate;
  return absl::InvalidArgumentError(
      absl::StrCat("Config ", name, ": expected a number of bytes per second of at least 0, came '",
                   value.substr(0, 100), "'"));
}

// What is set for a broker, or else for all; none: no limit. What Kafka wrote and is no rate counts
// as not set.
inline std::optional<int64_t> ThrottledRateOf(const std::map<std::string, std::string>& own,
                                              const std::map<std::string, std::string>& all,
                                              absl::string_view name) {
  for (const auto* configs : {&own, &all}) {
    const auto set = configs->find(std::string(name));
    if (set == configs->end()) continue;
    if (const auto rate = ParseThrottledRate(name, set->second); rate.ok()) return *rate;
  }
  return std::nullopt;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_THROTTLE_RATES_H_
