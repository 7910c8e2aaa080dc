// Any bytes, taken for a message of any API and version, a record of a log, or a stream of frames:
// see tests/fuzz/decode_checks.h.
//
// bazel test //tests/fuzz:decode_fuzz_test           replays and mutates Kafka's own messages
// bazel build --config=fuzz //tests/fuzz:decode_fuzz and then, in the repository's root,
// bazel-bin/tests/fuzz/decode_fuzz FOLDER tests/fuzz/corpus/decode   searches, with libFuzzer, and
//   keeps what it finds in FOLDER; //tests/fuzz:write_decode_seeds fills it to begin with
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/framing.h"
#include "protocol/headers.h"
#include "tests/fuzz/decode_checks.h"

namespace weir::fuzz {

namespace {

using protocol::FrameSplitter;
using protocol::RequestHeader;
using protocol::ResponseHeader;

void CheckHeaders(absl::string_view bytes, int16_t version) {
  absl::string_view rest = bytes;
  const absl::StatusOr<RequestHeader> request =
      protocol::DecodeRequestHeader(&rest, version % 2 + 1);
  if (request.ok()) WEIR_CHECK(rest.size() < bytes.size());
  rest = bytes;
  const absl::StatusOr<ResponseHeader> response =
      protocol::DecodeResponseHeader(&rest, version % 2);
  if (response.ok()) WEIR_CHECK(rest.size() < bytes.size());
}

// However a stream is cut into pieces, the same frames come out of it.
void CheckFraming(absl::string_view bytes, size_t step) {
  std::string whole, pieces;
  const auto feed = [](FrameSplitter& splitter, absl::string_view part, std::string& found) {
    splitter.Feed(part);
    while (true) {
      const auto frame = splitter.Next();
      if (!frame.ok()) return false;
      if (!frame->has_value()) return true;
      found.append((*frame)->data(), (*frame)->size());
      found.push_back('|');
    }
  };
  FrameSplitter at_once(4096, 1);
  feed(at_once, bytes, whole);
  FrameSplitter in_pieces(4096, 1);
  for (size_t at = 0; at < bytes.size(); at += step) {
    if (!feed(in_pieces, bytes.substr(at, step), pieces)) break;
  }
  WEIR_CHECK(whole == pieces);
}

}  // namespace

const std::vector<DecodeCheck>& DecodeChecks() {
  static const std::vector<DecodeCheck>& checks = *[] {
    auto* all = new std::vector<DecodeCheck>();
    AppendDataChecks(all);
    AppendGroupChecks(all);
    AppendSecurityChecks(all);
    AppendRecordChecks(all);
    return all;
  }();
  return checks;
}

}  // namespace weir::fuzz

// The first byte chooses the message, the second its version, the rest is the message.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::fuzz;  // NOLINT: everything above
  static const std::vector<DecodeCheck>& checks = DecodeChecks();
  if (size < 2) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const int16_t version = data[1] % 32;
  checks[data[0] % checks.size()].check(bytes, version);
  CheckHeaders(bytes, version);
  CheckFraming(bytes, static_cast<size_t>(data[1]) + 1);
  return 0;
}
