// -----------------------------------------------------------------------------
// File: coordination/group/subscription.h
// -----------------------------------------------------------------------------
// The topics that a consumer subscribes to, from what it sends as its protocol metadata
// (protocol/consumer_protocol.h): the coordinator needs them to know which offsets are in use.
#ifndef WEIR_COORDINATION_GROUP_SUBSCRIPTION_H_
#define WEIR_COORDINATION_GROUP_SUBSCRIPTION_H_

#include <iterator>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "protocol/consumer_protocol.h"

namespace weir::group {

using protocol::kConsumerProtocolType;

// Adds the topics of `metadata` to *topics; false, and *topics as it was, when it is not such
// metadata.
inline bool AddSubscribedTopics(absl::string_view metadata, std::set<std::string>* topics) {
  auto subscription =
      protocol::DecodeConsumerProtocol<protocol::ConsumerProtocolSubscription>(metadata);
  if (!subscription.ok()) return false;
  topics->insert(std::make_move_iterator(subscription->topics.begin()),
                 std::make_move_iterator(subscription->topics.end()));
  return true;
}

}  // namespace weir::group

#endif  // WEIR_COORDINATION_GROUP_SUBSCRIPTION_H_
