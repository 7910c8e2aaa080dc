// -----------------------------------------------------------------------------
// File: coordination/metadata/topic_name.h
// -----------------------------------------------------------------------------
// Which topic names are allowed. A name is also a directory's name, so whatever reads names from a
// log checks them as well as what reads them from a client.
// Errors: kInvalidArgument, with what is wrong.
#ifndef WEIR_COORDINATION_METADATA_TOPIC_NAME_H_
#define WEIR_COORDINATION_METADATA_TOPIC_NAME_H_

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace weir::metadata {

inline constexpr absl::string_view kConsumerOffsetsTopic = "__consumer_offsets";
inline constexpr absl::string_view kTransactionStateTopic = "__transaction_state";
inline constexpr absl::string_view kShareStateTopic = "__share_group_state";
inline constexpr absl::string_view kClusterMetadataTopic = "__cluster_metadata";

// Topics that brokers create and write for themselves; clients see them flagged as internal.
inline bool IsInternalTopic(absl::string_view name) {
  return name == kConsumerOffsetsTopic || name == kTransactionStateTopic ||
         name == kShareStateTopic;
}

// Kafka's rule: 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-', but not "." or "..".
inline absl::Status ValidateTopicName(absl::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("Topic name is empty");
  if (name == "." || name == "..") {
    return absl::InvalidArgumentError(absl::StrCat("Topic name may not be '", name, "'"));
  }
  if (name.size() > kTopicNameBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("Topic name has ", name.size(),
                                                   " characters, at most ", kTopicNameBytesMax,
                                                   " are allowed"));
  }
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-') {
      return absl::InvalidArgumentError(
          absl::StrCat("Topic name '", absl::CHexEscape(name),
                       "' has a character other than a-z, A-Z, 0-9, '.', '_' and '-'"));
    }
  }
  return absl::OkStatus();
}

// Names that differ only in '.' against '_' share the names of their metrics, so only one of them
// may exist. They have this in common.
inline std::string CollisionKey(absl::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '.', '_');
  return key;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_TOPIC_NAME_H_
