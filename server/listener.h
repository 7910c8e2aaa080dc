// -----------------------------------------------------------------------------
// File: server/listener.h
// -----------------------------------------------------------------------------
// Listeners as Kafka's configuration writes them: NAME://host:port, the host in brackets when it is
// an IPv6 address, empty for every address. Errors: kInvalidArgument with the text and what was
// expected.
#ifndef WEIR_SERVER_LISTENER_H_
#define WEIR_SERVER_LISTENER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "server/config_def.h"

namespace weir::server {

struct HostPort {
  std::string host;  // without brackets; empty for every address
  uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct Listener {
  std::string name;  // upper case
  HostPort address;

  std::string ToString() const {
    const bool v6 = absl::string_view(address.host).find(':') != absl::string_view::npos;
    return absl::StrCat(name, "://", v6 ? "[" : "", address.host, v6 ? "]" : "", ":", address.port);
  }
  friend bool operator==(const Listener&, const Listener&) = default;
};

inline absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const auto bad = [text](absl::string_view expected) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected ", expected));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad("host:port");
  HostPort result;
  absl::string_view host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return bad("[IPv6 address]:port");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != absl::string_view::npos) {
    return bad("an IPv6 address in brackets");
  }
  if (std::any_of(host.begin(), host.end(), [](char c) {
        return c == '/' || c == '@' || c == '[' || c == ']' ||
               !absl::ascii_isgraph(static_cast<unsigned char>(c));
      })) {
    return bad("a host name or address before the port");
  }
  uint32_t port = 0;
  const absl::string_view digits = text.substr(colon + 1);
  if (digits.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(digits.front())) ||
      !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return bad("a port from 0 to 65535");
  }
  result.host = std::string(host);
  result.port = static_cast<uint16_t>(port);
  return result;
}

inline absl::StatusOr<Listener> ParseListener(absl::string_view text) {
  const size_t separator = text.find("://");
  const absl::string_view name =
      text.substr(0, separator == absl::string_view::npos ? 0 : separator);
  const bool named = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
  if (!named) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': expected NAME://host:port"));
  }
  Listener listener;
  listener.name = absl::AsciiStrToUpper(name);
  WEIR_ASSIGN_OR_RETURN(listener.address, ParseHostPort(text.substr(separator + 3)));
  return listener;
}

// A comma-separated list. Names must differ.
inline absl::StatusOr<std::vector<Listener>> ParseListeners(absl::string_view text) {
  std::vector<Listener> listeners;
  for (const std::string& element : SplitConfigList(text)) {
    Listener listener;
    WEIR_ASSIGN_OR_RETURN(listener, ParseListener(element));
    for (const Listener& other : listeners) {
      if (other.name == listener.name) {
        return absl::InvalidArgumentError(absl::StrCat(
            "'", text, "': expected each name once, but ", other.name, " comes twice"));
      }
    }
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

inline const Listener* FindListener(const std::vector<Listener>& listeners,
                                    absl::string_view name) {
  for (const Listener& listener : listeners) {
    if (absl::string_view(listener.name) == name) return &listener;
  }
  return nullptr;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_LISTENER_H_
