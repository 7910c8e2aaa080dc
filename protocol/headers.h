// -----------------------------------------------------------------------------
// File: protocol/headers.h
// -----------------------------------------------------------------------------
// What stands before the body in every frame.
//   request 1, 2    api_key i16, api_version i16, correlation_id i32, client_id nullable string
//   response 0, 1   correlation_id i32
// Version 2 of the one and 1 of the other end in tagged fields and go with flexible bodies. Two
// exceptions (KIP-482, KIP-511): client_id never becomes compact, so that a broker can read the
// header of a version it does not know; and the header of an ApiVersions response is always
// version 0, since the client does not know yet what the broker speaks.
// Errors: kInvalidArgument, with the byte and the field.
#ifndef WEIR_PROTOCOL_HEADERS_H_
#define WEIR_PROTOCOL_HEADERS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "protocol/api_key.h"
#include "protocol/describe.h"
#include "protocol/wire.h"

namespace weir::protocol {

struct RequestHeader {
  int16_t api_key = 0;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string> client_id;
};

struct ResponseHeader {
  int32_t correlation_id = 0;
};

// The part of every request header that never changes, readable whatever the API and version are.
struct RequestPrefix {
  int16_t api_key = 0;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
};

// Header versions for a body that is flexible or not, as IsFlexible<M>(version) says. SaslHandshake
// and other APIs without flexible versions come out right by themselves.
constexpr int16_t RequestHeaderVersion(bool flexible) { return flexible ? 2 : 1; }
constexpr int16_t ResponseHeaderVersion(int16_t api_key, bool flexible) {
  return flexible && api_key != static_cast<int16_t>(ApiKey::kApiVersions) ? 1 : 0;
}
template <class Request>
constexpr int16_t RequestHeaderVersionOf(int16_t version) {
  return RequestHeaderVersion(IsFlexible<Request>(version));
}
template <class Response>
constexpr int16_t ResponseHeaderVersionOf(int16_t version) {
  return ResponseHeaderVersion(InfoOf<Response>().id, IsFlexible<Response>(version));
}

namespace protocol_internal {

// Tagged fields of a header: none is defined; what a newer peer sends is checked and dropped.
inline void SkipHeaderTags(Reader& in) {
  constexpr const char* kField = "tagged fields of the header";
  const uint32_t count = in.Uvarint(kField);
  if (count > kTaggedFieldsMax) {
    in.Fail(kField, "tagged fields at most", kTaggedFieldsMax, count);
  }
  int64_t least = 0;
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const uint32_t tag = in.Uvarint(kField);
    const uint32_t size = in.Uvarint(kField);
    if (tag < least) in.Fail(kField, "as next tag at least", least, tag);
    least = int64_t{tag} + 1;
    in.Take(size);
  }
}

inline RequestPrefix ReadPrefix(Reader& in) {
  RequestPrefix prefix;
  prefix.api_key = in.Scalar<int16_t>("api_key");
  prefix.api_version = in.Scalar<int16_t>("api_version");
  prefix.correlation_id = in.Scalar<int32_t>("correlation_id");
  return prefix;
}

}  // namespace protocol_internal

// Reads the first 8 bytes of a request: enough to find the API and so the header's version.
inline absl::StatusOr<RequestPrefix> PeekRequest(absl::string_view frame) {
  Reader in(frame);
  const RequestPrefix prefix = protocol_internal::ReadPrefix(in);
  if (!in.ok()) return in.status();
  return prefix;
}

// Reads a request header from the front of *frame and moves *frame to the body.
inline absl::StatusOr<RequestHeader> DecodeRequestHeader(absl::string_view* frame,
                                                         int16_t header_version) {
  Reader in(*frame);
  const RequestPrefix prefix = protocol_internal::ReadPrefix(in);
  RequestHeader header{prefix.api_key, prefix.api_version, prefix.correlation_id, std::nullopt};
  if (const int64_t length = in.StringLength("client_id", /*compact=*/false); length >= 0) {
    header.client_id = std::string(in.Take(static_cast<size_t>(length)));
  }
  if (header_version >= 2) protocol_internal::SkipHeaderTags(in);
  if (!in.ok()) return in.status();
  *frame = in.rest();
  return header;
}

// Reads a response header from the front of *frame and moves *frame to the body.
inline absl::StatusOr<ResponseHeader> DecodeResponseHeader(absl::string_view* frame,
                                                           int16_t header_version) {
  Reader in(*frame);
  const ResponseHeader header{in.Scalar<int32_t>("correlation_id")};
  if (header_version >= 1) protocol_internal::SkipHeaderTags(in);
  if (!in.ok()) return in.status();
  *frame = in.rest();
  return header;
}

// Append the header to *out; the body follows.
inline void EncodeRequestHeader(const RequestHeader& header, int16_t header_version,
                                std::string* out) {
  Writer writer(out);
  writer.Scalar(header.api_key);
  writer.Scalar(header.api_version);
  writer.Scalar(header.correlation_id);
  if (header.client_id.has_value()) {
    writer.StringLength(static_cast<int64_t>(header.client_id->size()), /*compact=*/false);
    writer.Append(*header.client_id);
  } else {
    writer.StringLength(-1, /*compact=*/false);
  }
  if (header_version >= 2) writer.Uvarint(0);
  writer.Finish();
}

inline void EncodeResponseHeader(const ResponseHeader& header, int16_t header_version,
                                 std::string* out) {
  Writer writer(out);
  writer.Scalar(header.correlation_id);
  if (header_version >= 1) writer.Uvarint(0);
  writer.Finish();
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_HEADERS_H_
