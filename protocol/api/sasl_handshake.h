// -----------------------------------------------------------------------------
// File: protocol/api/sasl_handshake.h
// -----------------------------------------------------------------------------
// Chooses a SASL mechanism (KIP-43). After version 0 tokens follow as frames without headers, after
// version 1 inside SaslAuthenticate (KIP-152). Never flexible.
// Source: SaslHandshakeRequest.json and SaslHandshakeResponse.json of Apache Kafka 4.2.0.
#ifndef WEIR_PROTOCOL_API_SASL_HANDSHAKE_H_
#define WEIR_PROTOCOL_API_SASL_HANDSHAKE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::protocol {

struct SaslHandshakeRequest {
  static constexpr ApiInfo kApi{.key = 17, .versions = {0, 1}};

  std::string mechanism;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"mechanism", Since(0)}, m.mechanism);
  }
};

struct SaslHandshakeResponse {
  static constexpr ApiInfo kApi{.key = 17, .versions = {0, 1}};

  int16_t error_code = 0;
  std::vector<std::string> mechanisms;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"error_code", Since(0)}, m.error_code);
    v.Field({"mechanisms", Since(0)}, m.mechanisms);
  }
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_SASL_HANDSHAKE_H_
