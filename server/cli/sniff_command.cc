// weir sniff: what Kafka clients and brokers say to each other, from a capture or as a proxy.
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "protocol/api_key.h"
#include "protocol/sniff/batch_printer.h"
#include "protocol/sniff/capture_file.h"
#include "protocol/sniff/capture_sniffer.h"
#include "protocol/sniff/message_filter.h"
#include "protocol/sniff/message_reader.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/sniff_apis.h"
#include "server/cli/sniff_printer.h"
#include "server/cli/sniff_proxy.h"

namespace weir::cli {
namespace {

constexpr size_t kBodyBytes = 2000;

constexpr FlagSpec kSniffFlags[] = {
    {"listen", FlagKind::kOne, "HOST:PORT", "be a proxy: let clients connect here"},
    {"to", FlagKind::kOne, "HOST:PORT", "the broker that the proxy stands for"},
    {"no-rewrite", FlagKind::kSwitch, "",
     "leave the addresses in the broker's answers, by which clients leave the proxy"},
    {"record", FlagKind::kOne, "FILE",
     "write what passes the proxy to a capture file, for --read and for Wireshark"},
    {"read", FlagKind::kOne, "FILE", "a capture, pcap or pcapng; - for standard input"},
    {"port", FlagKind::kMany, "PORT[,...]",
     "of a capture, only connections to these ports (all that speak Kafka)"},
    {"api", FlagKind::kMany, "NAME[,...]", "only messages of these APIs, by name or number"},
    {"client-id", FlagKind::kMany, "ID", "only messages of clients with this id"},
    {"errors-only", FlagKind::kSwitch, "", "only answers with an error, and their requests"},
    {"slower-than", FlagKind::kOne, "MS", "only answers that took as long, and their requests"},
    {"records", FlagKind::kSwitch, "", "print the records in batches, decompressed"},
    {"headers-only", FlagKind::kSwitch, "", "print no bodies"},
    {"body-bytes", FlagKind::kOne, "N",
     "print at most about so many bytes of a body (2000; 64 MiB as JSON)"},
    {"secrets", FlagKind::kSwitch, "", "print bodies that carry credentials too"},
    {"max-messages", FlagKind::kOne, "N", "end after so many messages"},
};

absl::StatusOr<HostAndPort> ParseAddress(absl::string_view flag, absl::string_view text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port < 0 || port > 65535) {
    return UsageError(absl::StrCat("--", flag, ": expected HOST:PORT, came '", text, "'"));
  }
  absl::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return HostAndPort{std::string(host), port};
}

absl::StatusOr<int16_t> ParseApi(absl::string_view text) {
  std::vector<std::string> names;
  for (int16_t key = 0; key < 128; ++key) {
    const absl::string_view name = protocol::ApiName(static_cast<protocol::ApiKey>(key));
    if (absl::EqualsIgnoreCase(name, text)) return key;
    if (!name.empty()) names.emplace_back(name);
  }
  int number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= 0 && number <= INT16_MAX) {
    return static_cast<int16_t>(number);
  }
  return UsageError(absl::StrCat("--api: there is no API ", text, DidYouMean(text, names)));
}

absl::StatusOr<protocol::FilterOptions> ParseFilter(const Flags& flags) {
  protocol::FilterOptions filter;
  for (const std::string& each : flags.All("api")) {
    for (absl::string_view name : absl::StrSplit(each, ',')) {
      WEIR_ASSIGN_OR_RETURN(const int16_t key, ParseApi(name));
      filter.apis.insert(key);
    }
  }
  for (const std::string& id : flags.All("client-id")) filter.client_ids.insert(id);
  filter.errors_only = flags.Has("errors-only");
  if (flags.Has("slower-than")) {
    int64_t millis = 0;
    WEIR_RETURN_IF_ERROR(flags.Number("slower-than", 0, 1 << 30, &millis));
    filter.latency_us_min = millis * 1000;
  }
  return filter;
}

absl::StatusOr<std::set<uint16_t>> ParsePorts(const Flags& flags) {
  std::set<uint16_t> ports;
  for (const std::string& each : flags.All("port")) {
    for (absl::string_view text : absl::StrSplit(each, ',')) {
      WEIR_ASSIGN_OR_RETURN(const int64_t port, ParseNumber("port", text, 1, 65535));
      ports.insert(static_cast<uint16_t>(port));
    }
  }
  return ports;
}

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using OpenFile = std::unique_ptr<std::FILE, CloseFile>;

absl::StatusOr<OpenFile> Open(const std::string& path, const char* mode) {
  OpenFile file(std::fopen(path.c_str(), mode));
  if (file != nullptr) return file;
  return absl::NotFoundError(absl::StrCat(path, ": ", std::generic_category().message(errno)));
}

// What a capture had that was not printed, said at its end.
void NoteRest(const protocol::CaptureSniffer::Counts& counts, size_t bytes_held, Context* context) {
  if (counts.packets_of_other_kinds > 0) {
    context->Note(absl::StrCat(counts.packets_of_other_kinds, " of ", counts.packets,
                               " packets are no TCP, or of a kind that cannot be read"));
  }
  if (counts.connections_passed_over > 0) {
    context->Note(absl::StrCat(counts.connections_passed_over, " of ", counts.connections,
                               " connections show no request of Kafka's; --port insists"));
  }
  if (bytes_held > 0) {
    context->Note(absl::StrCat("the capture ends in the middle of a packet, after ", bytes_held,
                               " bytes of it"));
  }
}

absl::Status ReadCapture(const std::string& path, std::set<uint16_t> ports,
                         const protocol::SniffOptions& sniff, SniffPrinter* printer,
                         Context* context) {
  OpenFile file(stdin);
  if (path != "-") {
    WEIR_ASSIGN_OR_RETURN(file, Open(path, "rb"));
  }
  protocol::CaptureReader reader;
  protocol::CaptureSniffer sniffer(&sniff, std::move(ports), printer);
  std::vector<char> room(64 << 10);
  absl::Status status;
  while (status.ok() && !printer->is_done() && !Interrupted()) {
    // Not fread: of a capture that is being made, what is there should be seen.
    const ssize_t n = ::read(::fileno(file.get()), room.data(), room.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      status =
          absl::DataLossError(absl::StrCat(path, ": ", std::generic_category().message(errno)));
    }
    if (n <= 0) break;
    reader.Feed(absl::string_view(room.data(), static_cast<size_t>(n)));
    while (true) {
      const auto packet = reader.Next();
      if (!packet.ok()) status = packet.status();
      if (!packet.ok() || !packet->has_value()) break;
      sniffer.Take(**packet);
    }
    printer->Flush();
  }
  sniffer.Finish();
  NoteRest(sniffer.counts(), status.ok() ? reader.bytes_held() : 0, context);
  return status;
}

absl::Status RunProxy(const Flags& flags, const protocol::SniffOptions& sniff,
                      SniffPrinter* printer, Context* context) {
  SniffProxyOptions options;
  WEIR_ASSIGN_OR_RETURN(options.listen, ParseAddress("listen", flags.Text("listen")));
  WEIR_ASSIGN_OR_RETURN(const std::string to, flags.Required("to"));
  WEIR_ASSIGN_OR_RETURN(options.to, ParseAddress("to", to));
  options.rewrite = !flags.Has("no-rewrite");
  OpenFile recording;
  if (flags.Has("record")) {
    WEIR_ASSIGN_OR_RETURN(recording, Open(flags.Text("record"), "wb"));
    options.recording = recording.get();
  }
  return RunSniffProxy(options, sniff, printer, context);
}

absl::Status Sniff(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string way, flags.ExactlyOne({"listen", "read"}));
  WEIR_ASSIGN_OR_RETURN(protocol::FilterOptions filter, ParseFilter(flags));
  WEIR_ASSIGN_OR_RETURN(std::set<uint16_t> ports, ParsePorts(flags));
  int64_t messages_max = INT64_MAX;
  WEIR_RETURN_IF_ERROR(flags.Number("max-messages", 1, INT64_MAX, &messages_max));
  protocol::SniffOptions sniff;
  sniff.apis = AllSniffedApis();
  sniff.json = context.out().json();
  sniff.bodies = !flags.Has("headers-only");
  sniff.secrets = flags.Has("secrets");
  int64_t body_bytes = static_cast<int64_t>(sniff.json ? sniff.text_bytes_max : kBodyBytes);
  WEIR_RETURN_IF_ERROR(flags.Number("body-bytes", 0, 1 << 30, &body_bytes));
  sniff.text_bytes_max = static_cast<size_t>(body_bytes);
  protocol::BatchPrinter batches(flags.Has("records"));
  sniff.records = &batches;
  SniffPrinter printer(&context.out(), std::move(filter), messages_max);
  CatchInterrupts();
  if (way == "listen") return RunProxy(flags, sniff, &printer, &context);
  return ReadCapture(flags.Text("read"), std::move(ports), sniff, &printer, &context);
}

}  // namespace

const Command& SniffCommand() {
  static constexpr Command kCommand = {
      "sniff",
      "print what Kafka clients and brokers say to each other",
      "sniff --listen localhost:19092 --to localhost:9092\n"
      "sniff --listen localhost:19092 --to localhost:9092 --errors-only --json\n"
      "sniff --read capture.pcapng --api Produce,Fetch --records",
      kSniffFlags,
      /*asks_brokers=*/false,
      &Sniff,
  };
  return kCommand;
}

}  // namespace weir::cli
