// -----------------------------------------------------------------------------
// File: protocol/api/delete_groups.h
// -----------------------------------------------------------------------------
// DeleteGroups (key 42, versions 0 to 2).
// Deletes empty groups with their offsets (KIP-229).
// Source: DeleteGroupsRequest.json and DeleteGroupsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DELETE_GROUPS_H_
#define WEIR_PROTOCOL_API_DELETE_GROUPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DeleteGroupsRequest {
  static constexpr ApiInfo kApi{.key = 42, .versions = {0, 2}, .flexible_since = 2};
  std::vector<std::string> groups_names;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"groups_names", Since(0)}, m.groups_names);
  }
};

struct DeleteGroupsResponse {
  static constexpr ApiInfo kApi{.key = 42, .versions = {0, 2}, .flexible_since = 2};

  struct Result {
    std::string group_id;
    int16_t error_code = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"group_id", Since(0)}, m.group_id);
      v.Field({"error_code", Since(0)}, m.error_code);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<Result> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DELETE_GROUPS_H_
