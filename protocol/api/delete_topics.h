// -----------------------------------------------------------------------------
// File: protocol/api/delete_topics.h
// -----------------------------------------------------------------------------
// Topics to delete: by name up to version 5, by name or id from version 6 on.
// Source: DeleteTopicsRequest.json and DeleteTopicsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DELETE_TOPICS_H_
#define WEIR_PROTOCOL_API_DELETE_TOPICS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "protocol/describe.h"

namespace weir::protocol {

struct DeleteTopicsRequest {
  static constexpr ApiInfo kApi{.key = 20, .versions = {1, 6}, .flexible_since = 4};

  struct DeleteTopicState {
    std::optional<std::string> name;
    Uuid topic_id;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(6), NullableSince(6)}, m.name);
      v.Field({"topic_id", Since(6)}, m.topic_id);
    }
  };

  std::vector<DeleteTopicState> topics;
  std::vector<std::string> topic_names;
  int32_t timeout_ms = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"topics", Since(6)}, m.topics);
    v.Field({"topic_names", Since(0), Until(5), Ignorable()}, m.topic_names);
    v.Field({"timeout_ms", Since(0)}, m.timeout_ms);
  }
};

struct DeleteTopicsResponse {
  static constexpr ApiInfo kApi{.key = 20, .versions = {1, 6}, .flexible_since = 4};

  struct DeletableTopicResult {
    std::optional<std::string> name{std::in_place};
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0), NullableSince(6)}, m.name);
      v.Field({"topic_id", Since(6), Ignorable()}, m.topic_id);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(5), NullableSince(5), Ignorable()}, m.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DeletableTopicResult> responses;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"responses", Since(0)}, m.responses);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DELETE_TOPICS_H_
