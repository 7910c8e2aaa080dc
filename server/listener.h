// -----------------------------------------------------------------------------
// File: server/listener.h
// -----------------------------------------------------------------------------
// Listeners as Kafka's configuration writes them: NAME://host:port, the host in brackets when it is
// an IPv6 address, empty for every address. Errors: kInvalidArgument with the text and what was
// expected.
#ifndef WEIR_SERVER_LISTENER_H_
#define WEIR_SERVER_LISTENER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

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

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

absl::StatusOr<Listener> ParseListener(absl::string_view text);

// A comma-separated list. Names must differ.
absl::StatusOr<std::vector<Listener>> ParseListeners(absl::string_view text);

const Listener* FindListener(const std::vector<Listener>& listeners, absl::string_view name);

}  // namespace weir::server

#endif  // WEIR_SERVER_LISTENER_H_
