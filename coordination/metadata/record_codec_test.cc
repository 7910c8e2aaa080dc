#include "coordination/metadata/record_codec.h"

#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "base/hex.h"
#include "base/uuid.h"
#include "coordination/metadata/records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

using ::testing::HasSubstr;

// tests/golden/GenerateMetadata.java made the vectors with Kafka's own classes.
TEST(RecordCodecTest, AgreesWithKafkaOnEveryTypeAndVersion) {
  std::ifstream file("tests/golden/metadata.txt");
  std::string line;
  std::set<size_t> types;
  int vectors = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string name, version, kind, hex;
    words >> name >> version >> kind >> hex;
    SCOPED_TRACE(name + " " + version + " " + kind);
    const std::string bytes = BytesOfHex(hex);
    const absl::StatusOr<MetadataRecord> record = DecodeRecord(bytes);
    ASSERT_TRUE(record.ok()) << record.status();
    types.insert(record->index());
    std::string again;
    EncodeRecord(*record, static_cast<int16_t>(std::stoi(version)), &again);
    EXPECT_EQ(absl::BytesToHexString(again), hex);
    // No prefix of a record is a record, and none reads past its end.
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string prefix = bytes.substr(0, size);
      EXPECT_FALSE(DecodeRecord(prefix).ok()) << size;
    }
    EXPECT_FALSE(DecodeRecord(bytes + '\0').ok());
    ++vectors;
  }
  EXPECT_EQ(types.size(), std::variant_size_v<MetadataRecord>);
  EXPECT_EQ(vectors, 70);
}

TEST(RecordCodecTest, FieldsAreWhereKafkaPutsThem) {
  const std::string bytes =
      BytesOfHex("01020007746578742d31000000000000000200000000000003ea00");
  const absl::StatusOr<MetadataRecord> record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(std::get<TopicRecord>(*record).name, "text-1");
  EXPECT_EQ(std::get<TopicRecord>(*record).topic_id, (Uuid{2, 1002}));
}

TEST(RecordCodecTest, RefusesWhatANewerReleaseMayWrite) {
  const auto refusal = [](absl::string_view bytes) { return DecodeRecord(bytes).status(); };
  EXPECT_EQ(refusal(absl::string_view("\x02\x14\x00\x00", 4)).code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(refusal(absl::string_view("\x01\x1d\x00\x00", 4)).message()),
              HasSubstr("came 29"));
  EXPECT_THAT(std::string(refusal(absl::string_view("\x01\x14\x01\x00", 4)).message()),
              HasSubstr("expected version 0 to 0, came 1"));
  EXPECT_EQ(refusal("").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(refusal("\xff\xff\xff\xff\xff\xff").code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace weir::metadata
