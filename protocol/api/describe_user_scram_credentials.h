// -----------------------------------------------------------------------------
// File: protocol/api/describe_user_scram_credentials.h
// -----------------------------------------------------------------------------
// Which SCRAM mechanisms users have credentials for, with how many iterations (KIP-554).
// Source: DescribeUserScramCredentialsRequest.json and DescribeUserScramCredentialsResponse.json of
// Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_DESCRIBE_USER_SCRAM_CREDENTIALS_H_
#define WEIR_PROTOCOL_API_DESCRIBE_USER_SCRAM_CREDENTIALS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct DescribeUserScramCredentialsRequest {
  static constexpr ApiInfo kApi{.key = 50, .versions = {0, 0}, .flexible_since = 0};

  struct UserName {
    std::string name;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
    }
  };

  std::optional<std::vector<UserName>> users{std::in_place};
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"users", Since(0), NullableSince(0)}, m.users);
  }
};

struct DescribeUserScramCredentialsResponse {
  static constexpr ApiInfo kApi{.key = 50, .versions = {0, 0}, .flexible_since = 0};

  struct CredentialInfo {
    int8_t mechanism = 0;
    int32_t iterations = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"mechanism", Since(0)}, m.mechanism);
      v.Field({"iterations", Since(0)}, m.iterations);
    }
  };

  struct DescribeUserScramCredentialsResult {
    std::string user;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};
    std::vector<CredentialInfo> credential_infos;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"user", Since(0)}, m.user);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
      v.Field({"credential_infos", Since(0)}, m.credential_infos);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  std::vector<DescribeUserScramCredentialsResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_DESCRIBE_USER_SCRAM_CREDENTIALS_H_
