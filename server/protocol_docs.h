// -----------------------------------------------------------------------------
// File: server/protocol_docs.h
// -----------------------------------------------------------------------------
// Writes docs/PROTOCOL.md from the declarations of protocol/api/, the records of coordination/ and
// the broker's routes. `bazel run //server:protocol_docs` prints it; a test compares it with the
// committed file, and the declarations with Kafka's own list of APIs.
#ifndef WEIR_SERVER_PROTOCOL_DOCS_H_
#define WEIR_SERVER_PROTOCOL_DOCS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/describe.h"

namespace weir::server {

// What protocol/api/ declares of an API.
struct DeclaredApi {
  protocol::ApiInfo request;
  protocol::ApiInfo response;
};

// An API of Kafka 4.2 that protocol/api/ does not declare.
struct UndeclaredApi {
  int16_t key;
  const char* why;
};

// All of both, by key.
std::vector<DeclaredApi> DeclaredApis();
std::vector<UndeclaredApi> UndeclaredApis();

std::string ProtocolMarkdown();

}  // namespace weir::server

#endif  // WEIR_SERVER_PROTOCOL_DOCS_H_
