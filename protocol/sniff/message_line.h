// -----------------------------------------------------------------------------
// File: protocol/sniff/message_line.h
// -----------------------------------------------------------------------------
// A SniffedMessage as one line, for people or as a JSON object.
//
//   12:01:02.123456 127.0.0.1:53422 > 127.0.0.1:9092 Metadata v12 #3 'me' 54 bytes {topics=...}
//   12:01:02.124333 127.0.0.1:53422 < 127.0.0.1:9092 Metadata v12 #3 'me' 210 bytes 0.877 ms {...}
//
// Errors stand behind that in capitals, and what is odd in parentheses. JSON has the keys `time`
// (RFC 3339), `timeUs`, `client`, `server`, `kind` (request, response, token, note), `from` and, as
// far as they are known, `api`, `apiKey`, `apiVersion`, `correlationId`, `clientId`, `bytes`,
// `latencyUs`, `errors`, `body`, `bodyIsCut`, `problem`, `bytesHead` (hexadecimal).
// Threading: values.
#ifndef WEIR_PROTOCOL_SNIFF_MESSAGE_LINE_H_
#define WEIR_PROTOCOL_SNIFF_MESSAGE_LINE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "protocol/api_key.h"
#include "protocol/error_code.h"
#include "protocol/printer.h"
#include "protocol/sniff/sniffed_message.h"

namespace weir::protocol {

// Whose messages they are.
struct ConnectionName {
  std::string client;  // "127.0.0.1:53422"
  std::string server;
};

namespace sniff_internal {

// Two digits or more, with zeros before them.
inline std::string Padded(int64_t number, size_t digits) {
  std::string text = absl::StrCat(number);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

// In UTC; with `date` as RFC 3339 has it, else the time of day.
inline std::string TimeText(int64_t time_us, bool date) {
  const int64_t micros = (time_us % 1'000'000 + 1'000'000) % 1'000'000;
  const time_t seconds = static_cast<time_t>((time_us - micros) / 1'000'000);
  tm utc{};
  gmtime_r(&seconds, &utc);
  const std::string time = absl::StrCat(Padded(utc.tm_hour, 2), ":", Padded(utc.tm_min, 2), ":",
                                        Padded(utc.tm_sec, 2), ".", Padded(micros, 6));
  if (!date) return time;
  return absl::StrCat(Padded(int64_t{utc.tm_year} + 1900, 4), "-", Padded(utc.tm_mon + 1, 2), "-",
                      Padded(utc.tm_mday, 2), "T", time, "Z");
}

inline const char* KindName(SniffedMessage::Kind kind) {
  switch (kind) {
    case SniffedMessage::Kind::kRequest:
      return "request";
    case SniffedMessage::Kind::kResponse:
      return "response";
    case SniffedMessage::Kind::kToken:
      return "token";
    case SniffedMessage::Kind::kNote:
      break;
  }
  return "note";
}

}  // namespace sniff_internal

// "Produce", or "api 300".
inline std::string SniffedApiName(int16_t api_key) {
  const absl::string_view name = ApiName(static_cast<ApiKey>(api_key));
  return name.empty() ? absl::StrCat("api ", int{api_key}) : std::string(name);
}

// Without a line's end.
inline std::string MessageText(const ConnectionName& connection, const SniffedMessage& message) {
  using Kind = SniffedMessage::Kind;
  std::string line =
      absl::StrCat(sniff_internal::TimeText(message.time_us, false), " ", connection.client,
                   message.from == Side::kClient ? " > " : " < ", connection.server);
  if (message.kind == Kind::kToken) {
    absl::StrAppend(&line, " SASL token");
  } else if (message.kind != Kind::kNote) {
    absl::StrAppend(&line, " ", message.api_key < 0 ? "?" : SniffedApiName(message.api_key));
    if (message.api_key >= 0) absl::StrAppend(&line, " v", int{message.api_version});
    absl::StrAppend(&line, " #", message.correlation_id);
    if (message.client_id.has_value()) {
      absl::StrAppend(&line, " '", absl::CHexEscape(*message.client_id), "'");
    }
  }
  if (message.kind != Kind::kNote) absl::StrAppend(&line, " ", message.frame_bytes, " bytes");
  if (message.latency_us.has_value()) {
    const int64_t latency_us = std::max<int64_t>(0, *message.latency_us);
    absl::StrAppend(&line, " ", latency_us / 1000, ".",
                    sniff_internal::Padded(latency_us % 1000, 3), " ms");
  }
  for (const int16_t code : message.errors) {
    absl::StrAppend(&line, " ", ErrorName(static_cast<ErrorCode>(code)));
  }
  if (!message.problem.empty()) absl::StrAppend(&line, " (", message.problem, ")");
  if (!message.body.empty()) absl::StrAppend(&line, " ", message.body);
  if (!message.bytes_head.empty()) {
    absl::StrAppend(&line, " bytes ", absl::BytesToHexString(message.bytes_head),
                    message.frame_bytes > message.bytes_head.size() ? "..." : "");
  }
  return line;
}

inline std::string MessageJson(const ConnectionName& connection, const SniffedMessage& message) {
  using Kind = SniffedMessage::Kind;
  std::string line;
  const auto text = [&](const char* key, absl::string_view value) {
    absl::StrAppend(&line, line.empty() ? "{\"" : ",\"", key, "\":");
    protocol_internal::AppendJsonString(line, value);
  };
  const auto number = [&](const char* key, int64_t value) {
    absl::StrAppend(&line, ",\"", key, "\":", value);
  };
  text("time", sniff_internal::TimeText(message.time_us, true));
  number("timeUs", message.time_us);
  text("client", connection.client);
  text("server", connection.server);
  text("kind", sniff_internal::KindName(message.kind));
  text("from", message.from == Side::kClient ? "client" : "server");
  if (message.kind == Kind::kRequest || message.kind == Kind::kResponse) {
    if (message.api_key >= 0) {
      text("api", SniffedApiName(message.api_key));
      number("apiKey", message.api_key);
      number("apiVersion", message.api_version);
    }
    number("correlationId", message.correlation_id);
    if (message.client_id.has_value()) text("clientId", *message.client_id);
  }
  if (message.kind != Kind::kNote) number("bytes", static_cast<int64_t>(message.frame_bytes));
  if (message.latency_us.has_value()) number("latencyUs", *message.latency_us);
  if (!message.errors.empty()) {
    line.append(",\"errors\":[");
    for (size_t i = 0; i < message.errors.size(); ++i) {
      absl::StrAppend(&line, i == 0 ? "\"" : ",\"",
                      ErrorName(static_cast<ErrorCode>(message.errors[i])), "\"");
    }
    line.push_back(']');
  }
  if (message.is_body_cut) line.append(",\"bodyIsCut\":true");
  if (!message.body.empty()) absl::StrAppend(&line, ",\"body\":", message.body);
  if (!message.problem.empty()) text("problem", message.problem);
  if (!message.bytes_head.empty()) text("bytesHead", absl::BytesToHexString(message.bytes_head));
  line.push_back('}');
  return line;
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_MESSAGE_LINE_H_
