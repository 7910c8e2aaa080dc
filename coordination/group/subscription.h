// -----------------------------------------------------------------------------
// File: coordination/group/subscription.h
// -----------------------------------------------------------------------------
// The topics in what a consumer sends as its protocol metadata: int16 version, then an array of
// topic names; what newer versions add lies behind them (ConsumerProtocolSubscription.json of Kafka
// 4.2). The coordinator needs them to know which offsets are in use.
#ifndef WEIR_COORDINATION_GROUP_SUBSCRIPTION_H_
#define WEIR_COORDINATION_GROUP_SUBSCRIPTION_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "base/endian.h"

namespace weir::group {

inline constexpr absl::string_view kConsumerProtocolType = "consumer";

// Adds the topics of `metadata` to *topics; false, and nothing promised about *topics, when it is
// not such metadata.
inline bool AddSubscribedTopics(absl::string_view metadata, std::set<std::string>* topics) {
  const auto take = [&](size_t n) {
    const absl::string_view front = metadata.substr(0, n);
    metadata.remove_prefix(front.size());
    return front;
  };
  if (metadata.size() < 6) return false;
  if (static_cast<int16_t>(LoadBig16(take(2).data())) < 0) return false;
  const auto count = static_cast<int32_t>(LoadBig32(take(4).data()));
  for (int32_t i = 0; i < count; ++i) {
    if (metadata.size() < 2) return false;
    const auto length = static_cast<int16_t>(LoadBig16(take(2).data()));
    if (length < 0 || metadata.size() < static_cast<size_t>(length)) return false;
    topics->emplace(take(static_cast<size_t>(length)));
  }
  return count >= 0;
}

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_SUBSCRIPTION_H_
