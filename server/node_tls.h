// -----------------------------------------------------------------------------
// File: server/node_tls.h
// -----------------------------------------------------------------------------
// What the configuration says of TLS on the listener between nodes: Kafka's ssl.* keys, where one
// of listener.name.NAME.ssl.* goes before the same for all listeners. server/tls_material.h reads
// what they name.
// Decision: docs/adr/0012-raft-over-grpc.md.
#ifndef WEIR_SERVER_NODE_TLS_H_
#define WEIR_SERVER_NODE_TLS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/properties.h"

namespace weir::server {

// A text, or the file that has it.
struct PemSource {
  std::string key;  // that said so, for messages
  std::string value;
  bool is_file = false;
};

struct NodeTls {
  PemSource certificates;  // of this node, its own first
  PemSource private_key;   // as a file, the same one
  PemSource trusted;       // authorities whose certificates other nodes may show
};

// What is wrong with a setting: its key and why.
using ConfigProblem = std::pair<std::string, std::string>;

inline constexpr absl::string_view kListenerPrefix = "listener.name.";

// The key in listener.name.NAME.KEY; empty where that is none of those that one listener may have.
absl::string_view KeyOfListener(absl::string_view prefixed);

// The settings of `listener`, the one between nodes (empty: there is none), and what is wrong with
// them. None of them may be set where it speaks no TLS.
NodeTls ReadNodeTls(const Properties& settings, absl::string_view listener, bool speaks_tls,
                    std::vector<ConfigProblem>* problems);

}  // namespace weir::server

#endif  // WEIR_SERVER_NODE_TLS_H_
