// -----------------------------------------------------------------------------
// File: tests/fuzz/decode_checks.h
// -----------------------------------------------------------------------------
// What tests/fuzz/decode_fuzz.cc does with bytes that it takes for a message: decoding ends in a
// message or an error, and a message that came out is stable under encoding and decoding. Compiled
// in several units, since all messages in one would take a minute.
#ifndef WEIR_TESTS_FUZZ_DECODE_CHECKS_H_
#define WEIR_TESTS_FUZZ_DECODE_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/api_key.h"
#include "protocol/api_list.h"
#include "protocol/message.h"
#include "protocol/message_shape.h"
#include "protocol/shape_printer.h"

namespace weir::fuzz {

struct DecodeCheck {
  std::string name;  // "FetchRequest", "TopicRecord"
  void (*check)(absl::string_view bytes, int16_t version);
};

// Every one of them, in an order that does not change while the program runs.
const std::vector<DecodeCheck>& DecodeChecks();

// The parts of the above, one in each unit.
void AppendDataChecks(std::vector<DecodeCheck>* checks);
void AppendGroupChecks(std::vector<DecodeCheck>* checks);
void AppendSecurityChecks(std::vector<DecodeCheck>* checks);
void AppendRecordChecks(std::vector<DecodeCheck>* checks);

// Printing the bytes and printing what was decoded from them is the same.
template <class M>
void CheckPrinting(absl::string_view bytes, int16_t version) {
  absl::string_view behind_message = bytes;
  absl::string_view behind_text = bytes;
  const absl::StatusOr<M> message = protocol::DecodePrefix<M>(&behind_message, version);
  std::string text;
  const absl::Status printed = protocol::PrintEncoded(
      protocol::ShapeOf<M>(), version, /*json=*/false, /*hooks=*/nullptr, &behind_text, &text);
  WEIR_CHECK(printed == message.status());
  if (!message.ok()) return;
  WEIR_CHECK(behind_text == behind_message);
  WEIR_CHECK(text == protocol::ToString(*message, version));
}

template <class M>
void CheckMessage(absl::string_view bytes, int16_t version) {
  CheckPrinting<M>(bytes, version);
  const absl::StatusOr<M> message = protocol::Decode<M>(bytes, version);
  if (!message.ok()) {
    WEIR_CHECK(!message.status().message().empty());
    return;
  }
  std::string once;
  protocol::Encode(*message, version, &once);
  WEIR_CHECK(once.size() == protocol::EncodedSize(*message, version));
  const absl::StatusOr<M> again = protocol::Decode<M>(once, version);
  WEIR_CHECK(again.ok());
  std::string twice;
  protocol::Encode(*again, version, &twice);
  WEIR_CHECK(once == twice);
}

template <class... Apis>
void AppendApiChecks(protocol::ApiList<Apis...>, std::vector<DecodeCheck>* checks) {
  const auto append = [&]<class Api>(Api) {
    const absl::string_view name =
        protocol::ApiName(static_cast<protocol::ApiKey>(Api::Request::kApi.key));
    checks->push_back({absl::StrCat(name, "Request"), CheckMessage<typename Api::Request>});
    checks->push_back({absl::StrCat(name, "Response"), CheckMessage<typename Api::Response>});
  };
  (append(Apis()), ...);
}

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_DECODE_CHECKS_H_
