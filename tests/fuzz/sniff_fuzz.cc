// Any bytes, taken for a capture file, or for what two sides of a connection say: the printer of
// traffic ends, within its limits, and passes on every byte of a connection.
//
// bazel test //tests/fuzz:sniff_fuzz_test           runs the corpus, as it is and damaged
// bazel run --config=fuzz //tests/fuzz:sniff_fuzz   searches, with libFuzzer
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/fetch.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/sniff/address_rewriter.h"
#include "protocol/sniff/api_table.h"
#include "protocol/sniff/batch_printer.h"
#include "protocol/sniff/capture_file.h"
#include "protocol/sniff/capture_sniffer.h"
#include "protocol/sniff/conversation.h"
#include "protocol/sniff/message_line.h"
#include "protocol/sniff/message_reader.h"
#include "protocol/sniff/sniffed_message.h"

namespace weir::protocol {
namespace {

constexpr size_t kTextBytesMax = 4096;

const SniffOptions& Options(bool json) {
  static SniffOptions* const options = [] {
    auto* made = new SniffOptions[2];
    const ApiEntry entries[] = {EntryOf<ProduceRequest, ProduceResponse>(),
                                EntryOf<FetchRequest, FetchResponse>(),
                                EntryOf<MetadataRequest, MetadataResponse>(),
                                EntryOf<ApiVersionsRequest, ApiVersionsResponse>()};
    for (const int i : {0, 1}) {
      made[i].apis.Add(entries);
      made[i].records = new BatchPrinter(/*print_records=*/true);
      made[i].json = i == 1;
      made[i].text_bytes_max = kTextBytesMax;
    }
    return made;
  }();
  return options[json ? 1 : 0];
}

void CheckMessage(const SniffedMessage& message) {
  const ConnectionName name{"client", "server"};
  WEIR_CHECK(MessageText(name, message).find('\n') == std::string::npos);
  WEIR_CHECK(MessageJson(name, message).find('\n') == std::string::npos);
  WEIR_CHECK(message.bytes_head.size() <= kBytesHeadMax);
}

struct Sink : CaptureSink, ConversationSink {
  void OnMessage(uint64_t, const ConnectionName&, SniffedMessage message) override {
    CheckMessage(message);
  }
  void OnMessage(SniffedMessage message) override { CheckMessage(message); }
  void OnFrame(Side from, int16_t key, int16_t version, absl::string_view frame) override {
    passed[static_cast<size_t>(from)] += frame.size() + 4;
    RewriteAddresses(key, version, frame, [](size_t, std::string* host, int32_t* port) {
      *host = "proxy";
      *port = 1;
    });
  }
  void OnNoFrame(Side from, absl::string_view bytes) override {
    passed[static_cast<size_t>(from)] += bytes.size();
  }
  size_t passed[2] = {0, 0};
};

void ReadCapture(absl::string_view bytes, bool json, size_t step) {
  Sink sink;
  CaptureSniffer sniffer(&Options(json), {}, &sink);
  CaptureReader reader;
  while (!bytes.empty()) {
    reader.Feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (auto packet = reader.Next(); packet.ok() && packet->has_value(); packet = reader.Next()) {
      sniffer.Take(**packet);
    }
  }
  sniffer.Finish();
}

// Pieces of a side and a length, in a byte each.
void Converse(absl::string_view bytes, bool json) {
  Sink sink;
  Conversation conversation(&Options(json), &sink);
  size_t fed[2] = {0, 0};
  while (!bytes.empty()) {
    const auto head = static_cast<uint8_t>(bytes[0]);
    const Side side = head % 2 == 0 ? Side::kClient : Side::kServer;
    const absl::string_view piece = bytes.substr(1, head / 2);
    conversation.Feed(side, 1, piece);
    fed[static_cast<size_t>(side)] += piece.size();
    bytes.remove_prefix(1 + piece.size());
  }
  conversation.Close(2);
  WEIR_CHECK(fed[0] == sink.passed[0] && fed[1] == sink.passed[1]);
}

}  // namespace
}  // namespace weir::protocol

// The first byte chooses.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool json = (data[0] & 1) != 0;
  if ((data[0] & 2) != 0) {
    weir::protocol::Converse(bytes, json);
  } else {
    weir::protocol::ReadCapture(bytes, json, data[0] >= 128 ? 7 : 4096);
  }
  return 0;
}
