// -----------------------------------------------------------------------------
// File: tests/golden/golden.h
// -----------------------------------------------------------------------------
// Holds a message or a record of ours against what Apache Kafka made of the same declaration: its
// bytes (protocol.txt, records.txt) and its definition (schema.txt), all written by tools/golden.sh.
#ifndef WEIR_TESTS_GOLDEN_GOLDEN_H_
#define WEIR_TESTS_GOLDEN_GOLDEN_H_

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/hex.h"
#include "gtest/gtest.h"
#include "protocol/equal.h"
#include "protocol/message.h"
#include "protocol/message_shape.h"
#include "protocol/schema.h"
#include "protocol/shape_printer.h"
#include "tests/golden/allocations.h"
#include "tests/golden/json_check.h"

namespace weir::golden {

struct Vector {
  int16_t version = 0;
  std::string variant;
  std::string bytes;
};

// The vectors of `api` ("Fetch") and `direction` ("request" or "response"), or of a "record".
inline std::vector<Vector> Vectors(absl::string_view api, absl::string_view direction) {
  std::ifstream file(direction == "record" ? "tests/golden/records.txt"
                                           : "tests/golden/protocol.txt");
  EXPECT_TRUE(file.is_open());
  std::vector<Vector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string line_api, line_direction, hex;
    Vector vector;
    words >> line_api >> line_direction >> vector.version >> vector.variant >> hex;
    if (line_api != api || line_direction != direction) continue;
    if (hex != "-") vector.bytes = BytesOfHex(hex);
    vectors.push_back(vector);
  }
  return vectors;
}

// The lines of `message` ("FetchRequest") in schema.txt.
inline std::string Schema(absl::string_view message) {
  std::ifstream file("tests/golden/schema.txt");
  EXPECT_TRUE(file.is_open());
  std::string text;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line[0] != ' ') inside = line.substr(0, line.find(' ')) == message;
    if (inside) absl::StrAppend(&text, line, "\n");
  }
  return text;
}

// What decoding `bytes` may take from the allocator: the structs of arrays are larger than the bytes
// that stand for them, which are one at least, and an array may be nested in another.
inline size_t MemoryMax(size_t bytes) { return 2048 + bytes * 768; }

// Decode, with its memory held against MemoryMax.
template <class M>
absl::StatusOr<M> DecodeBounded(absl::string_view bytes, int16_t version) {
  const size_t before = AllocatedBytes();
  absl::StatusOr<M> message = protocol::Decode<M>(bytes, version);
  EXPECT_LE(AllocatedBytes() - before, MemoryMax(bytes.size()));
  return message;
}

// Whatever `bytes` are, decoding them ends in a message or in an error; and a message that came out
// is stable: its bytes decode to the same message, with the same bytes. It is `original` only if it
// has the bytes of that.
template <class M>
void ExpectSane(absl::string_view bytes, int16_t version, const M& original,
                const std::string& original_bytes) {
  const absl::StatusOr<M> message = DecodeBounded<M>(bytes, version);
  if (!message.ok()) return;
  std::string once;
  protocol::Encode(*message, version, &once);
  EXPECT_EQ(once.size(), protocol::EncodedSize(*message, version));
  const absl::StatusOr<M> again = protocol::Decode<M>(once, version);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(protocol::Equal(*message, *again));
  std::string twice;
  protocol::Encode(*again, version, &twice);
  EXPECT_EQ(once, twice);
  EXPECT_EQ(protocol::Equal(*message, original), once == original_bytes);
}

// The bytes and what is decoded from them, if they are a message, are printed alike.
template <class M>
void ExpectPrints(absl::string_view bytes, int16_t version) {
  absl::string_view behind_message = bytes;
  const absl::StatusOr<M> message = protocol::DecodePrefix<M>(&behind_message, version);
  for (const bool json : {false, true}) {
    absl::string_view behind_text = bytes;
    std::string text;
    ASSERT_EQ(protocol::PrintEncoded(protocol::ShapeOf<M>(), version, json, /*hooks=*/nullptr,
                                     &behind_text, &text),
              message.status());
    if (!message.ok()) {
      EXPECT_EQ(text, "");
      continue;
    }
    EXPECT_EQ(behind_text.size(), behind_message.size());
    EXPECT_EQ(text,
              json ? protocol::ToJson(*message, version) : protocol::ToString(*message, version));
    EXPECT_TRUE(!json || IsJson(text)) << text;
  }
}

template <class M>
void ExpectVector(const Vector& vector) {
  const absl::StatusOr<M> message = DecodeBounded<M>(vector.bytes, vector.version);
  ASSERT_TRUE(message.ok()) << message.status();
  std::string ours = "before";
  const absl::Status encoded = protocol::EncodeChecked(*message, vector.version, &ours);
  ASSERT_TRUE(encoded.ok()) << encoded;
  EXPECT_EQ(absl::BytesToHexString(ours.substr(6)), absl::BytesToHexString(vector.bytes));
  EXPECT_EQ(protocol::EncodedSize(*message, vector.version), vector.bytes.size());
  for (size_t size = 0; size < vector.bytes.size(); ++size) {
    const std::string cut = vector.bytes.substr(0, size);
    EXPECT_FALSE(DecodeBounded<M>(cut, vector.version).ok()) << size << " bytes";
    ExpectPrints<M>(cut, vector.version);
  }
  EXPECT_FALSE(protocol::Decode<M>(vector.bytes + '\0', vector.version).ok());
  ExpectSane<M>(vector.bytes, vector.version, *message, vector.bytes);
  ExpectPrints<M>(vector.bytes, vector.version);
  // Every bit by itself, a length that became long, and one that became null.
  constexpr char kFlips[] = {'\x01', '\x02', '\x04', '\x08', '\x10',
                             '\x20', '\x40', '\x80', '\x7f', '\xff'};
  for (size_t i = 0; i < vector.bytes.size(); ++i) {
    for (const char flip : kFlips) {
      std::string damaged = vector.bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      ExpectSane<M>(damaged, vector.version, *message, vector.bytes);
      if (flip == '\x80') ExpectPrints<M>(damaged, vector.version);
    }
  }
}

template <class M>
void ExpectVectors(absl::string_view api, absl::string_view direction,
                   protocol::VersionRange versions) {
  const std::vector<Vector> vectors = Vectors(api, direction);
  ASSERT_EQ(vectors.size(), static_cast<size_t>(2 * (versions.max - versions.min + 1)));
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(absl::StrCat(api, " ", direction, " ", vector.version, " ", vector.variant));
    ExpectVector<M>(vector);
  }
}

// `versions` are those that Kafka declares, where ours are more.
template <class Request, class Response>
void ExpectAsKafka(absl::string_view api,
                   protocol::VersionRange versions = Request::kApi.versions) {
  EXPECT_EQ(protocol::SchemaText<Request>(absl::StrCat(api, "Request"), versions),
            Schema(absl::StrCat(api, "Request")));
  EXPECT_EQ(protocol::SchemaText<Response>(absl::StrCat(api, "Response"), versions),
            Schema(absl::StrCat(api, "Response")));
  ExpectVectors<Request>(api, "request", versions);
  ExpectVectors<Response>(api, "response", versions);
}

// M is what Kafka calls `name`. Definitions without a number of their own have "-" there.
template <class M>
void ExpectRecordAsKafka(absl::string_view name) {
  std::string ours = protocol::SchemaText<M>(name);
  const std::string kafka = Schema(name);
  if (absl::StartsWith(kafka, absl::StrCat(name, " - "))) {
    ours.replace(name.size(), ours.find(' ', name.size() + 1) - name.size(), " -");
  }
  EXPECT_EQ(ours, kafka);
  ExpectVectors<M>(name, "record", M::kRecord.versions);
}

}  // namespace weir::golden

#endif  // WEIR_TESTS_GOLDEN_GOLDEN_H_
