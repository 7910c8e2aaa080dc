// -----------------------------------------------------------------------------
// File: server/cli/sniff_printer.h
// -----------------------------------------------------------------------------
// Prints the messages of all connections that `weir sniff` sees, as the flags say.
// Threading: one thread.
#ifndef WEIR_SERVER_CLI_SNIFF_PRINTER_H_
#define WEIR_SERVER_CLI_SNIFF_PRINTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "protocol/sniff/capture_sniffer.h"
#include "protocol/sniff/message_filter.h"
#include "protocol/sniff/message_line.h"
#include "protocol/sniff/sniffed_message.h"
#include "server/cli/output.h"

namespace weir::cli {

class SniffPrinter : public protocol::CaptureSink {
 public:
  // `out` is not owned. Nothing more is printed behind `messages_max` messages.
  SniffPrinter(Output* out, protocol::FilterOptions filter, int64_t messages_max)
      : out_(*out), filter_(std::move(filter)), left_(messages_max) {}

  void OnMessage(uint64_t connection, const protocol::ConnectionName& name,
                 protocol::SniffedMessage message) override {
    auto at = filters_.try_emplace(connection, &filter_).first;
    for (const protocol::SniffedMessage& shown : at->second.Take(std::move(message))) {
      if (left_ == 0) return;
      if (shown.kind != protocol::SniffedMessage::Kind::kNote) --left_;
      out_.Line(out_.json() ? protocol::MessageJson(name, shown)
                            : protocol::MessageText(name, shown));
    }
  }
  void OnEnd(uint64_t connection) override { filters_.erase(connection); }

  // Whether there is anybody to print for, and anything.
  bool is_done() const { return left_ == 0 || !out_.status().ok(); }
  void Flush() { out_.Flush(); }

 private:
  Output& out_;
  const protocol::FilterOptions filter_;
  int64_t left_;
  std::map<uint64_t, protocol::MessageFilter> filters_;  // by connection
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_SNIFF_PRINTER_H_
