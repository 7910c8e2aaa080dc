// -----------------------------------------------------------------------------
// File: server/cli/sniff_proxy.h
// -----------------------------------------------------------------------------
// `weir sniff --listen`: passes on what clients and brokers say, and prints it.
//
// Bytes pass as they are, whatever they are, with one exception: where answers tell the addresses
// of brokers, the client gets those of the proxy instead, so that it stays on it. Each broker gets
// a listener of its own as soon as an answer names it; a cluster of one is the broker that --to
// names, whatever that calls itself. Answers wait until their frame is whole, for this.
// Threading: one thread.
// Errors: those of listening; a broker that cannot be reached closes the client's connection.
// Limits: kConnectionsMax connections, kBrokersMax brokers, kHeldBytesMax bytes that one side has
// not taken yet: then the other one is not read any more.
#ifndef WEIR_SERVER_CLI_SNIFF_PROXY_H_
#define WEIR_SERVER_CLI_SNIFF_PROXY_H_

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "protocol/sniff/message_reader.h"
#include "server/cli/command.h"
#include "server/cli/sniff_printer.h"

namespace weir::cli {

struct HostAndPort {
  std::string host;
  int port = 0;
};

struct SniffProxyOptions {
  HostAndPort listen;
  HostAndPort to;
  bool rewrite = true;
  std::FILE* recording = nullptr;  // not owned; empty, and becomes a capture file
};

// Runs until it is interrupted or the printer is done.
absl::Status RunSniffProxy(const SniffProxyOptions& options, const protocol::SniffOptions& sniff,
                           SniffPrinter* printer, Context* context);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_SNIFF_PROXY_H_
