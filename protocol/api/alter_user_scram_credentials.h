// -----------------------------------------------------------------------------
// File: protocol/api/alter_user_scram_credentials.h
// -----------------------------------------------------------------------------
// SCRAM credentials to set or remove (KIP-554). A password is salted by the client and never sent.
// Source: AlterUserScramCredentialsRequest.json and AlterUserScramCredentialsResponse.json of
// Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_ALTER_USER_SCRAM_CREDENTIALS_H_
#define WEIR_PROTOCOL_API_ALTER_USER_SCRAM_CREDENTIALS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct AlterUserScramCredentialsRequest {
  static constexpr ApiInfo kApi{.key = 51, .versions = {0, 0}, .flexible_since = 0};

  struct ScramCredentialDeletion {
    std::string name;
    int8_t mechanism = 0;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"mechanism", Since(0)}, m.mechanism);
    }
  };

  struct ScramCredentialUpsertion {
    std::string name;
    int8_t mechanism = 0;
    int32_t iterations = 0;
    Bytes salt;
    Bytes salted_password;

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"name", Since(0)}, m.name);
      v.Field({"mechanism", Since(0)}, m.mechanism);
      v.Field({"iterations", Since(0)}, m.iterations);
      v.Field({"salt", Since(0)}, m.salt);
      v.Field({"salted_password", Since(0)}, m.salted_password);
    }
  };

  std::vector<ScramCredentialDeletion> deletions;
  std::vector<ScramCredentialUpsertion> upsertions;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"deletions", Since(0)}, m.deletions);
    v.Field({"upsertions", Since(0)}, m.upsertions);
  }
};

struct AlterUserScramCredentialsResponse {
  static constexpr ApiInfo kApi{.key = 51, .versions = {0, 0}, .flexible_since = 0};

  struct AlterUserScramCredentialsResult {
    std::string user;
    int16_t error_code = 0;
    std::optional<std::string> error_message{std::in_place};

    template <class Self, class V>
    static constexpr void Describe(Self& m, V& v) {
      v.Field({"user", Since(0)}, m.user);
      v.Field({"error_code", Since(0)}, m.error_code);
      v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterUserScramCredentialsResult> results;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"throttle_time_ms", Since(0)}, m.throttle_time_ms);
    v.Field({"results", Since(0)}, m.results);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_ALTER_USER_SCRAM_CREDENTIALS_H_
