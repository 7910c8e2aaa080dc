// -----------------------------------------------------------------------------
// File: tests/golden/golden.h
// -----------------------------------------------------------------------------
// Holds a message of ours against what Apache Kafka made of the same declaration: its bytes
// (protocol.txt) and its definition (schema.txt), both written by tools/golden.sh.
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
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/hex.h"
#include "gtest/gtest.h"
#include "protocol/message.h"
#include "protocol/schema.h"

namespace weir::golden {

struct Vector {
  int16_t version = 0;
  std::string variant;
  std::string bytes;
};

// The vectors of `api` ("Fetch") and `direction` ("request" or "response").
inline std::vector<Vector> Vectors(absl::string_view api, absl::string_view direction) {
  std::ifstream file("tests/golden/protocol.txt");
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

// Whatever `bytes` are, decoding them ends in a message or in an error; and a message that came out
// is stable: its bytes decode to a message with the same bytes.
template <class M>
void ExpectSane(absl::string_view bytes, int16_t version) {
  const absl::StatusOr<M> message = protocol::Decode<M>(bytes, version);
  if (!message.ok()) return;
  std::string once;
  protocol::Encode(*message, version, &once);
  EXPECT_EQ(once.size(), protocol::EncodedSize(*message, version));
  EXPECT_FALSE(protocol::ToString(*message, version).empty());
  const absl::StatusOr<M> again = protocol::Decode<M>(once, version);
  ASSERT_TRUE(again.ok()) << again.status();
  std::string twice;
  protocol::Encode(*again, version, &twice);
  EXPECT_EQ(once, twice);
}

template <class M>
void ExpectVectors(absl::string_view api, absl::string_view direction,
                   protocol::VersionRange versions) {
  const std::vector<Vector> vectors = Vectors(api, direction);
  ASSERT_EQ(vectors.size(), static_cast<size_t>(2 * (versions.max - versions.min + 1)));
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(absl::StrCat(api, " ", direction, " ", vector.version, " ", vector.variant));
    const absl::StatusOr<M> message = protocol::Decode<M>(vector.bytes, vector.version);
    ASSERT_TRUE(message.ok()) << message.status();
    std::string ours = "before";
    const absl::Status encoded = protocol::EncodeChecked(*message, vector.version, &ours);
    ASSERT_TRUE(encoded.ok()) << encoded;
    EXPECT_EQ(absl::BytesToHexString(ours.substr(6)), absl::BytesToHexString(vector.bytes));
    EXPECT_EQ(protocol::EncodedSize(*message, vector.version), vector.bytes.size());
    for (size_t size = 0; size < vector.bytes.size(); ++size) {
      const std::string cut = vector.bytes.substr(0, size);
      EXPECT_FALSE(protocol::Decode<M>(cut, vector.version).ok()) << size << " bytes";
    }
    EXPECT_FALSE(protocol::Decode<M>(vector.bytes + '\0', vector.version).ok());
    for (size_t i = 0; i < vector.bytes.size(); ++i) {
      for (const char flip : {'\x01', '\x7f', '\x80', '\xff'}) {
        std::string damaged = vector.bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        ExpectSane<M>(damaged, vector.version);
      }
    }
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

}  // namespace weir::golden

#endif  // WEIR_TESTS_GOLDEN_GOLDEN_H_
