// -----------------------------------------------------------------------------
// File: protocol/sniff/sniffed_message.h
// -----------------------------------------------------------------------------
// One message of a conversation between a Kafka client and a broker, as a printer of traffic tells
// it (conversation.h).
// Threading: values.
#ifndef WEIR_PROTOCOL_SNIFF_SNIFFED_MESSAGE_H_
#define WEIR_PROTOCOL_SNIFF_SNIFFED_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace weir::protocol {

enum class Side : uint8_t { kClient = 0, kServer = 1 };

struct SniffedMessage {
  enum class Kind : uint8_t {
    kRequest,
    kResponse,
    kToken,  // of SASL, outside any message, as after a SaslHandshake of version 0
    kNote,   // something about the connection: `problem` says what
  };

  Kind kind = Kind::kNote;
  Side from = Side::kClient;
  int64_t time_us = 0;  // since 1970, when the last byte of the frame came

  // From the header. A response has those of its request; -1 where that was not seen.
  int16_t api_key = -1;
  int16_t api_version = -1;
  int32_t correlation_id = -1;
  std::optional<std::string> client_id;

  size_t frame_bytes = 0;  // without the length before it
  // From the last byte of the request to the last one of its response.
  std::optional<int64_t> latency_us;

  std::string body;             // JSON or text; empty when it is not printed
  bool is_body_cut = false;     // then `body` is text that ends early, or empty
  std::string problem;          // why there is no body, or what is odd
  std::string bytes_head;       // the first bytes of what could not be decoded
  std::vector<int16_t> errors;  // every error code of the body but 0, each once
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_SNIFFED_MESSAGE_H_
