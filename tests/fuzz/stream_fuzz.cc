// Any bytes, in pieces of any size, taken for a frame of a replication stream: decoding ends in
// messages or an error, and a message that came out is stable under encoding and decoding.
//
// bazel test //tests/fuzz:stream_fuzz_test           runs the corpus, as it is and damaged
// bazel run --config=fuzz //tests/fuzz:stream_fuzz   searches, with libFuzzer
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "replication/grpc/stream_codec.h"
#include "replication/stream_messages.h"

namespace weir::replication {
namespace {

// Pieces of their own, so that a read beyond one is noticed.
FrameDecoder DecoderOf(absl::string_view bytes, size_t piece_bytes) {
  auto own = std::make_shared<std::vector<std::unique_ptr<char[]>>>();
  std::vector<absl::string_view> pieces;
  while (!bytes.empty()) {
    const absl::string_view piece = bytes.substr(0, piece_bytes);
    own->emplace_back(new char[piece.size()]);
    std::copy(piece.begin(), piece.end(), own->back().get());
    pieces.emplace_back(own->back().get(), piece.size());
    bytes.remove_prefix(piece.size());
  }
  return {std::move(pieces), std::move(own)};
}

std::string Encoded(const FrameMessage& message) {
  FrameEncoder encoder;
  std::visit([&encoder](const auto& m) { encoder.Add(m); }, message);
  std::string bytes;
  const size_t size = encoder.size_bytes();
  for (const FramePiece& piece : encoder.Take()) {
    bytes.append(piece.bytes.data(), piece.bytes.size());
  }
  WEIR_CHECK(bytes.size() == size);
  return bytes;
}

void CheckMessage(const FrameMessage& message) {
  if (const auto* follower = std::get_if<FollowerMessage>(&message)) {
    WEIR_CHECK(CheckLimits(*follower).ok());
  }
  if (const auto* leader = std::get_if<LeaderMessage>(&message)) {
    WEIR_CHECK(CheckLimits(*leader).ok());
  }
  const std::string once = Encoded(message);
  FrameDecoder decoder = DecoderOf(once, 11);
  const absl::StatusOr<FrameMessage> again = decoder.Next();
  WEIR_CHECK(again.ok() && decoder.done());
  WEIR_CHECK(again->index() == message.index() && Encoded(*again) == once);
}

}  // namespace
}  // namespace weir::replication

// The first byte says how large the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::replication::FrameMessage;
  if (size < 1) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto decoder = weir::replication::DecoderOf(bytes, data[0] < 128 ? 1u + data[0] : size);
  do {
    const absl::StatusOr<FrameMessage> message = decoder.Next();
    if (!message.ok()) {
      WEIR_CHECK(absl::IsInvalidArgument(message.status()));
      WEIR_CHECK(!message.status().message().empty());
      break;
    }
    weir::replication::CheckMessage(*message);
  } while (!decoder.done());
  return 0;
}
