// -----------------------------------------------------------------------------
// File: protocol/sniff/message_reader.h
// -----------------------------------------------------------------------------
// Reads one frame, whatever it is, into a SniffedMessage: never fails, says what is wrong.
// Threading: none of this keeps state.
// Limits: kClientIdBytesMax of a client id, kBytesHeadMax of what cannot be decoded, those of
// SniffOptions.
#ifndef WEIR_PROTOCOL_SNIFF_MESSAGE_READER_H_
#define WEIR_PROTOCOL_SNIFF_MESSAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "protocol/api_key.h"
#include "protocol/headers.h"
#include "protocol/printer.h"
#include "protocol/shape_printer.h"
#include "protocol/sniff/api_table.h"
#include "protocol/sniff/frame_guess.h"
#include "protocol/sniff/sniffed_message.h"

namespace weir::protocol {

inline constexpr size_t kClientIdBytesMax = 256;
inline constexpr size_t kBytesHeadMax = 64;

struct SniffOptions {
  ApiTable apis;
  RecordsPrinter* records = nullptr;  // not owned
  bool json = false;
  bool bodies = true;
  bool secrets = false;  // tell bodies that carry credentials
  size_t text_bytes_max = size_t{64} << 20;
  int32_t frame_bytes_max = kFrameBytesMax;
};

namespace sniff_internal {

inline void TellHead(const SniffOptions& options, absl::string_view bytes,
                     SniffedMessage* message) {
  if (CarriesSecrets(message->api_key) && !options.secrets) return;
  message->bytes_head = std::string(bytes.substr(0, kBytesHeadMax));
}

// Null, and the problem said, when the message cannot be decoded.
inline const ApiEntry* EntryFor(const SniffOptions& options, SniffedMessage* message) {
  const ApiEntry* api = options.apis.Find(message->api_key);
  if (api == nullptr) {
    message->problem = "an API that is not known here";
  } else if (!api->versions.Contains(message->api_version)) {
    message->problem =
        absl::StrCat("known here are versions ", api->versions.min, " to ", api->versions.max);
    api = nullptr;
  }
  return api;
}

inline void ReadBody(const SniffOptions& options, Shape shape, int16_t version,
                     absl::string_view body, SniffedMessage* message) {
  if (shape == nullptr) {
    TellHead(options, body, message);
    return;
  }
  if (CarriesSecrets(message->api_key) && !options.secrets) {
    message->problem = "not shown, for it carries credentials";
    return;
  }
  PrintHooks hooks;
  hooks.records = options.records;
  hooks.errors = &message->errors;
  hooks.text_bytes_max = options.text_bytes_max;
  absl::string_view rest = body;
  const absl::Status status =
      PrintEncoded(shape(), version, options.json, &hooks, &rest, &message->body);
  message->is_body_cut = hooks.cut;
  if (!status.ok()) {
    message->problem = std::string(status.message());
    TellHead(options, body, message);
  } else if (!rest.empty()) {
    message->problem = absl::StrCat(rest.size(), " bytes behind the message");
  }
  if (!options.bodies || (hooks.cut && options.json)) message->body.clear();
}

}  // namespace sniff_internal

// Reads a request whose prefix *message has already. Whether it will be answered: Produce with
// acks=0 is not.
inline bool ReadRequest(const SniffOptions& options, absl::string_view frame,
                        SniffedMessage* message) {
  const ApiEntry* api = sniff_internal::EntryFor(options, message);
  const bool flexible = api != nullptr && api->IsFlexible(message->api_version);
  absl::string_view body = frame;
  // The header up to the client id is the same in all versions (headers.h).
  absl::StatusOr<RequestHeader> header = DecodeRequestHeader(&body, RequestHeaderVersion(flexible));
  if (!header.ok()) {
    message->problem = std::string(header.status().message());
    sniff_internal::TellHead(options, frame, message);
    return true;
  }
  message->client_id = std::move(header->client_id);
  if (message->client_id.has_value() && message->client_id->size() > kClientIdBytesMax) {
    message->client_id->resize(kClientIdBytesMax);
  }
  const bool is_answered = message->api_key != static_cast<int16_t>(ApiKey::kProduce) ||
                           api == nullptr || !AsksForNoAnswer(body, message->api_version, flexible);
  const Shape shape = api == nullptr ? nullptr : api->request;
  sniff_internal::ReadBody(options, shape, message->api_version, body, message);
  return is_answered;
}

// Reads the response to a request whose prefix *message has already.
inline void ReadResponse(const SniffOptions& options, absl::string_view frame,
                         SniffedMessage* message) {
  const ApiEntry* api = sniff_internal::EntryFor(options, message);
  const bool flexible = api != nullptr && api->IsFlexible(message->api_version);
  absl::string_view body = frame;
  const absl::StatusOr<ResponseHeader> header =
      DecodeResponseHeader(&body, ResponseHeaderVersion(message->api_key, flexible));
  if (!header.ok()) {
    message->problem = std::string(header.status().message());
    sniff_internal::TellHead(options, frame, message);
    return;
  }
  // A broker that does not know the version of ApiVersions answers in version 0 (KIP-511).
  constexpr char kUnsupported[] = {0, 35};
  const bool is_refused = message->api_key == static_cast<int16_t>(ApiKey::kApiVersions) &&
                          body.substr(0, 2) == absl::string_view(kUnsupported, 2);
  if (is_refused) {
    message->problem.clear();
    api = options.apis.Find(message->api_key);
  }
  const Shape shape = api == nullptr ? nullptr : api->response;
  sniff_internal::ReadBody(options, shape, is_refused ? int16_t{0} : message->api_version, body,
                           message);
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_MESSAGE_READER_H_
