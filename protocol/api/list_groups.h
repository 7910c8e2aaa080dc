// -----------------------------------------------------------------------------
// File: protocol/api/list_groups.h
// -----------------------------------------------------------------------------
// ListGroups (key 16, versions 0 to 5).
// The groups that a broker coordinates, filtered by state (KIP-518) and type (KIP-848).
// Source: ListGroupsRequest.json and ListGroupsResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_LIST_GROUPS_H_
#define WEIR_PROTOCOL_API_LIST_GROUPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct ListGroupsRequest {
  static constexpr ApiInfo kApi{.key = 16, .versions = {0, 5}, .flexible_since = 3};
  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"states_filter", Since(4)}, m.states_filter);
    v.Field({"types_filter", Since(5)}, m.types_filter);
  }
};

struct ListGroupsResponse {
  static constexpr ApiInfo kApi{.key = 16, .versions = {0, 5}, .flexible_since = 3};

  struct Group {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"group_id", Since(0)}, m.group_id);
      v.Field({"protocol_type", Since(0)}, m.protocol_type);
      v.Field({"group_state", Since(4), Ignorable()}, m.group_state);
      v.Field({"group_type", Since(5), Ignorable()}, m.group_type);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Group> groups;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(1), Ignorable()}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"groups", Since(0)}, m.groups);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LIST_GROUPS_H_
