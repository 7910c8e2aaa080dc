// -----------------------------------------------------------------------------
// File: protocol/sniff/frame_guess.h
// -----------------------------------------------------------------------------
// What bytes of a connection look like, for who cannot be sure that they are Kafka's. None of this
// reads past its input.
#ifndef WEIR_PROTOCOL_SNIFF_FRAME_GUESS_H_
#define WEIR_PROTOCOL_SNIFF_FRAME_GUESS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "protocol/api_key.h"
#include "protocol/framing.h"
#include "protocol/wire.h"

namespace weir::protocol {

inline constexpr int16_t kLikelyVersionMax = 40;  // Kafka 4.2 goes up to 18

// Whether a frame begins with the header of a request of Kafka 4.2: an API that there is, a
// likely version, a client id that fits. `is_whole` false: the frame may be longer than `frame`.
inline bool LooksLikeRequestFrame(absl::string_view frame, bool is_whole = true) {
  Reader in(frame);
  const int16_t api_key = in.Scalar<int16_t>("api_key");
  const int16_t version = in.Scalar<int16_t>("api_version");
  in.Scalar<int32_t>("correlation_id");
  if (!in.ok() || ApiName(static_cast<ApiKey>(api_key)).empty()) return false;
  if (version < 0 || version > kLikelyVersionMax) return false;
  if (in.remaining() < 2) return !is_whole;
  const int16_t client_id_bytes = in.Scalar<int16_t>("client_id");
  if (client_id_bytes < -1) return false;
  return !is_whole || client_id_bytes <= static_cast<int64_t>(in.remaining());
}

// The same of bytes that begin with the length of the frame.
inline bool LooksLikeRequest(absl::string_view bytes, int32_t frame_bytes_max) {
  if (bytes.size() < 12) return false;
  const int32_t length = LoadFrameLength(bytes.data());
  if (length < 10 || length > frame_bytes_max) return false;
  const absl::string_view behind = bytes.substr(4);
  const bool is_whole = behind.size() >= static_cast<size_t>(length);
  return LooksLikeRequestFrame(behind.substr(0, static_cast<size_t>(length)), is_whole);
}

// Says what bytes are that begin with no frame, for people.
inline std::string WhyNoFrame(absl::string_view bytes) {
  if (bytes.size() >= 3 && bytes[0] >= 0x14 && bytes[0] <= 0x17 && bytes[1] == 3) {
    return "no frame: this is TLS, which cannot be read here";
  }
  if (absl::StartsWith(bytes, "GET ") || absl::StartsWith(bytes, "POST ") ||
      absl::StartsWith(bytes, "HTTP/") || absl::StartsWith(bytes, "PRI * HTTP/2")) {
    return "no frame: this is HTTP";
  }
  if (bytes.size() < 4) return "no frame";
  return absl::StrCat("no frame: a length of ", LoadFrameLength(bytes.data()));
}

// Of a Produce request without its header: whether acks is 0.
inline bool AsksForNoAnswer(absl::string_view body, int16_t version, bool flexible) {
  Reader in(body);
  if (version >= 3) {
    const int64_t length = in.StringLength("transactional_id", flexible);
    if (length > 0) in.Take(static_cast<size_t>(length));
  }
  const int16_t acks = in.Scalar<int16_t>("acks");
  return in.ok() && acks == 0;
}

// Passwords, keys made of them, and tokens.
constexpr bool CarriesSecrets(int16_t api_key) {
  switch (static_cast<ApiKey>(api_key)) {
    case ApiKey::kSaslAuthenticate:
    case ApiKey::kCreateDelegationToken:
    case ApiKey::kRenewDelegationToken:
    case ApiKey::kExpireDelegationToken:
    case ApiKey::kDescribeDelegationToken:
    case ApiKey::kAlterUserScramCredentials:
      return true;
    default:
      return false;
  }
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_FRAME_GUESS_H_
