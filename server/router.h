// -----------------------------------------------------------------------------
// File: server/router.h
// -----------------------------------------------------------------------------
// Which APIs the broker serves, in which versions, and who handles each.
#ifndef WEIR_SERVER_ROUTER_H_
#define WEIR_SERVER_ROUTER_H_

#include <cstdint>

#include "absl/types/span.h"
#include "protocol/api_key.h"
#include "protocol/describe.h"
#include "server/request.h"

namespace weir::server {

struct Route {
  protocol::ApiKey key;
  protocol::VersionRange versions;  // what is decoded, and what ApiVersions says
  int16_t flexible_since;
  void (*handle)(const RequestRef&);
  bool advertised = true;  // by ApiVersions
};

// All routes, by key.
absl::Span<const Route> Routes();

// Null when the broker does not serve the API.
const Route* FindRoute(int16_t api_key);

}  // namespace weir::server

#endif  // WEIR_SERVER_ROUTER_H_
