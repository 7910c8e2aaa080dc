// -----------------------------------------------------------------------------
// File: protocol/api/sasl_authenticate.h
// -----------------------------------------------------------------------------
// One token of a SASL exchange in each direction (KIP-152), with the session's lifetime since 1
// (KIP-368).
// Source: SaslAuthenticateRequest.json and SaslAuthenticateResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_SASL_AUTHENTICATE_H_
#define WEIR_PROTOCOL_API_SASL_AUTHENTICATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "protocol/describe.h"

namespace weir::protocol {

struct SaslAuthenticateRequest {
  static constexpr ApiInfo kApi{.key = 36, .versions = {0, 2}, .flexible_since = 2};

  Bytes auth_bytes;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"auth_bytes", Since(0)}, m.auth_bytes);
  }
};

struct SaslAuthenticateResponse {
  static constexpr ApiInfo kApi{.key = 36, .versions = {0, 2}, .flexible_since = 2};

  int16_t error_code = 0;
  std::optional<std::string> error_message{std::in_place};
  Bytes auth_bytes;
  int64_t session_lifetime_ms = 0;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"error_message", Since(0), NullableSince(0)}, m.error_message);
    v.Field({"auth_bytes", Since(0)}, m.auth_bytes);
    v.Field({"session_lifetime_ms", Since(1), Ignorable()}, m.session_lifetime_ms);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_SASL_AUTHENTICATE_H_
