// Rules of the codec that hold for every message, on messages made for the purpose. The messages of
// Kafka are held against Kafka's own bytes in tests/golden.
#include "protocol/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/uuid.h"
#include "gtest/gtest.h"

namespace weir::protocol {
namespace {

std::string Raw(std::initializer_list<int> bytes) {
  std::string s;
  for (const int b : bytes) s.push_back(static_cast<char>(b));
  return s;
}

struct Leader {
  int32_t id = -1;
  int32_t epoch = -1;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"id", Since(2)}, m.id);
    v.Field({"epoch", Since(2)}, m.epoch);
  }
};

struct Sample {
  static constexpr ApiInfo kApi{.key = 9, .versions = {0, 3}, .flexible_since = 2};
  std::string name;
  std::optional<std::string> rack;
  int32_t epoch = -1;
  bool quiet = false;
  std::vector<int16_t> numbers;
  std::optional<std::vector<Uuid>> ids{std::in_place};
  Leader leader;
  std::optional<std::string> note;
  Records records;
  std::optional<Leader> maybe;
  UnknownTags unknown_tags;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"name", Since(0)}, m.name);
    v.Field({"rack", Since(0), NullableSince(1)}, m.rack);
    v.Field({"epoch", Since(1)}, m.epoch);
    v.Field({"quiet", Since(1), Ignorable()}, m.quiet);
    v.Field({"note", Since(2), NullableSince(2), Tag(5)}, m.note);
    v.Field({"leader", Since(2), Tag(1)}, m.leader);
    v.Field({"numbers", Since(0), Until(2)}, m.numbers);
    v.Field({"ids", Since(2), NullableSince(2)}, m.ids);
    v.Field({"records", Since(1), NullableSince(1)}, m.records);
    v.Field({"maybe", Since(3), NullableSince(3)}, m.maybe);
  }
};

// The same, with a codec of its own.
struct HotSample : Sample {
  static constexpr ApiInfo kApi{.key = 9, .versions = {0, 3}, .flexible_since = 2, .hot = true};
};

struct Plain {
  static constexpr RecordInfo kRecord{.type = 1, .versions = {0, 0}, .flexible_since = 0};
  int8_t x = 0;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"x", Since(0)}, m.x);
  }
};

struct Names {
  static constexpr RecordInfo kRecord{.type = 1, .versions = {0, 0}};
  std::vector<std::string> names;

  template <class Self, class V>
  static constexpr void Describe(Self& m, V& v) {
    v.Field({"names", Since(0)}, m.names);
  }
};

std::string Encoded(const Sample& m, int16_t version) {
  std::string bytes;
  Encode(m, version, &bytes);
  EXPECT_EQ(bytes.size(), EncodedSize(m, version));
  return bytes;
}

std::string Refusal(absl::string_view bytes, int16_t version) {
  const absl::StatusOr<Sample> m = Decode<Sample>(bytes, version);
  EXPECT_FALSE(m.ok());
  return m.ok() ? "" : std::string(m.status().message());
}

TEST(Message, WritesOldVersionsWithFixedLengths) {
  Sample m;
  m.name = "ab";
  m.rack = "r";
  m.numbers = {1, -1};
  EXPECT_EQ(Encoded(m, 0), Raw({0, 2, 'a', 'b', 0, 1, 'r', 0, 0, 0, 2, 0, 1, 0xff, 0xff}));
  m.rack.reset();
  m.epoch = 7;
  m.quiet = true;
  m.records = Records::Null();
  EXPECT_EQ(Encoded(m, 1), Raw({0, 2, 'a', 'b', 0xff, 0xff, 0,    0,    0,    7,    1,   0,
                                0, 0, 2,   0,   1,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
}

TEST(Message, WritesTaggedFieldsInOrderOfTheirNumbersAndOnlyWhenSet) {
  Sample m;
  const std::string head = Raw({1, 0, 0xff, 0xff, 0xff, 0xff, 0, 1, 1, 1});
  EXPECT_EQ(Encoded(m, 2), head + Raw({0}));
  m.note = "n";
  m.leader.epoch = 3;
  m.unknown_tags.Add(0, "z");
  m.unknown_tags.Add(3, "");
  m.unknown_tags.Add(9, "yy");
  const std::string bytes = Encoded(m, 2);
  EXPECT_EQ(bytes, head + Raw({5, 0, 1, 'z', 1, 9, 0xff, 0xff, 0xff, 0xff, 0,   0,  0,
                               3, 0, 3, 0,   5, 2, 2,    'n',  9,    2,    'y', 'y'}));
  const absl::StatusOr<Sample> back = Decode<Sample>(bytes, 2);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->note, "n");
  EXPECT_EQ(back->leader.epoch, 3);
  EXPECT_EQ(back->unknown_tags.size(), 3u);
  EXPECT_EQ(Encoded(*back, 2), bytes);
}

TEST(Message, NullableStructs) {
  Sample m;
  std::string bytes = Encoded(m, 3);
  ASSERT_TRUE(Decode<Sample>(bytes, 3).ok());
  EXPECT_FALSE(Decode<Sample>(bytes, 3)->maybe.has_value());
  m.maybe = Leader{4, 5};
  bytes = Encoded(m, 3);
  ASSERT_TRUE(Decode<Sample>(bytes, 3).ok());
  EXPECT_EQ(Decode<Sample>(bytes, 3)->maybe->epoch, 5);
}

TEST(Message, FieldsThatTheVersionLacksKeepTheirDefaults) {
  Sample m;
  m.epoch = 5;
  m.rack = "";
  const absl::StatusOr<Sample> back = Decode<Sample>(Encoded(m, 0), 0);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->epoch, -1);
  EXPECT_TRUE(back->ids.has_value());
}

TEST(Message, EncodeCheckedRefusesWhatTheVersionCannotSay) {
  Sample m;
  std::string out = "before";
  EXPECT_EQ(EncodeChecked(m, 0, &out).message(),
            "version 0: field rack is null, which this version has no null for");
  m.rack = "r";
  m.quiet = true;  // ignorable
  EXPECT_TRUE(EncodeChecked(m, 0, &out).ok());
  EXPECT_EQ(out.substr(0, 6), "before");
  m.epoch = 2;
  EXPECT_EQ(EncodeChecked(m, 0, &out).message(),
            "version 0: field epoch is set, which this version cannot say");
  m.numbers = {1};
  EXPECT_FALSE(EncodeChecked(m, 3, &out).ok());
  EXPECT_EQ(EncodeChecked(m, 4, &out).code(), absl::StatusCode::kUnimplemented);
}

TEST(Message, EncodeWithGapsLeavesThePayloadOut) {
  Sample m;
  m.rack = "";
  m.records.external_bytes = 1000;
  std::string out = "xx";
  std::vector<Gap> gaps;
  EncodeWithGaps(m, 1, &out, &gaps);
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].position, out.size());
  EXPECT_EQ(gaps[0].bytes, 1000);
  EXPECT_EQ(EncodedSize(m, 1), out.size() - 2 + 1000);
  out.append(1000, 'p');
  const absl::StatusOr<Sample> back = Decode<Sample>(absl::string_view(out).substr(2), 1);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->records.bytes.size(), 1000u);
  EXPECT_EQ(back->records.bytes.data(), out.data() + out.size() - 1000);  // not a copy
}

TEST(Message, RefusesVersionsItDoesNotHave) {
  EXPECT_EQ(Decode<Sample>("", 4).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Decode<Sample>("", -1).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Message, RefusesNullWhereNoneMayBe) {
  EXPECT_EQ(Refusal(Raw({0xff, 0xff}), 0),
            "malformed message at byte 2, field name: expected 0 as least length, null being "
            "refused, came -1");
  EXPECT_NE(Refusal(Raw({0, 0, 0xff, 0xff}), 0), "");
  EXPECT_NE(Refusal(Raw({0}), 2), "");
}

TEST(Message, RefusesLengthsAndCountsBeyondTheInput) {
  EXPECT_EQ(Refusal(Raw({0x7f, 0xff, 'a'}), 0),
            "malformed message at byte 2, field name: expected 1 bytes at most, came 32767");
  EXPECT_NE(Refusal(Raw({0xff, 0xfe}), 0), "");  // -2
  EXPECT_EQ(Refusal(Raw({0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0}), 0),
            "malformed message at byte 8, field numbers: expected 1 elements at most, came "
            "2147483647");
  EXPECT_NE(Refusal(Raw({0xff, 0xff, 0xff, 0xff, 0x1f}), 2), "");  // varint overflow
  EXPECT_NE(Refusal(Raw({0xff, 0xff, 0xff, 0xff, 0x0f}), 2), "");
}

TEST(Message, RefusesTrailingBytes) {
  EXPECT_TRUE(Decode<Plain>(Raw({1, 0}), 0).ok());
  EXPECT_EQ(Decode<Plain>(Raw({1, 0, 0}), 0).status().message(),
            "malformed message: expected 2 bytes, came 3");
  const std::string two = Raw({1, 0, 2, 0});
  absl::string_view rest = two;
  EXPECT_EQ(DecodePrefix<Plain>(&rest, 0)->x, 1);
  EXPECT_EQ(DecodePrefix<Plain>(&rest, 0)->x, 2);
  EXPECT_TRUE(rest.empty());
}

TEST(Message, TaggedFieldsAscendAndFitTheirSize) {
  EXPECT_TRUE(Decode<Plain>(Raw({1, 2, 3, 0, 4, 1, 'a'}), 0).ok());
  EXPECT_FALSE(Decode<Plain>(Raw({1, 2, 3, 0, 3, 0}), 0).ok());        // twice
  EXPECT_FALSE(Decode<Plain>(Raw({1, 2, 3, 0, 2, 0}), 0).ok());        // descending
  EXPECT_FALSE(Decode<Plain>(Raw({1, 1, 3, 9, 'a'}), 0).ok());         // longer than the input
  EXPECT_FALSE(Decode<Plain>(Raw({1, 0xff, 0xff, 3, 0, 0}), 0).ok());  // a flood
  const std::string head = Raw({1, 0, 0xff, 0xff, 0xff, 0xff, 0, 1, 1, 1});
  EXPECT_TRUE(Decode<Sample>(head + Raw({1, 5, 2, 2, 'n'}), 2).ok());
  EXPECT_EQ(Refusal(head + Raw({1, 5, 3, 2, 'n', 0}), 2),  // the size says more than the value
            "malformed message at byte 15, field tagged fields: expected 0 bytes behind the value, "
            "came 1");
  EXPECT_NE(Refusal(head + Raw({1, 5, 1, 2, 'n'}), 2), "");  // and less
}

TEST(Message, MemoryForElementsIsBounded) {
  // 16 Mi empty names in 32 MiB would become 16 Mi * sizeof(std::string).
  std::string bytes = Raw({0x01, 0, 0, 0});
  bytes.append(size_t{2} << 24, '\0');
  EXPECT_EQ(
      Decode<Names>(bytes, 0).status().message(),
      "malformed message at byte 4, field names: expected 268435456 bytes of decoded elements "
      "at most, came 536870912");
}

// What `bytes` are to a codec: their message, encoded and checked for each version, or why not.
template <class M>
std::string Account(absl::string_view bytes, int16_t version) {
  const absl::StatusOr<M> m = Decode<M>(bytes, version);
  if (!m.ok()) return m.status().ToString();
  std::string account;
  for (int16_t as = 0; as <= 3; ++as) {
    Encode(*m, as, &account);
    absl::StrAppend(&account, CheckEncodable(*m, as).ToString());
  }
  return account;
}

TEST(Message, BothCodecsDoTheSame) {
  Sample m;
  m.name = "name";
  m.numbers = {1, -1, 300};
  std::vector<Sample> samples = {m};
  m.rack = "r";
  m.quiet = true;
  m.epoch = 7;
  m.ids = {Uuid{1, 2}, Uuid{3, 4}};
  m.leader = {.id = 5, .epoch = 6};
  m.note = "note";
  m.records.bytes = "records";
  m.maybe = Leader{.id = 7, .epoch = 8};
  samples.push_back(m);
  m.ids.reset();
  m.records = Records::Null();
  m.unknown_tags.Add(3, "unknown");
  samples.push_back(m);
  for (const Sample& sample : samples) {
    for (int16_t version = 0; version <= 3; ++version) {
      const std::string bytes = Encoded(sample, version);
      for (size_t i = 0; i < bytes.size(); ++i) {
        const absl::string_view cut = absl::string_view(bytes).substr(0, i);
        EXPECT_EQ(Account<Sample>(cut, version), Account<HotSample>(cut, version));
        for (const int flip : {0, 0x01, 0x02, 0x04, 0x10, 0x80, 0xff}) {
          std::string damaged = bytes;
          damaged[i] = static_cast<char>(damaged[i] ^ flip);
          EXPECT_EQ(Account<Sample>(damaged, version), Account<HotSample>(damaged, version))
              << "byte " << i << " of version " << version;
        }
      }
    }
  }
}

TEST(Message, Prints) {
  Sample m;
  m.name = "a\"\x01\xff";
  m.numbers = {1, 2};
  m.records.bytes = "xyz";
  EXPECT_EQ(ToString(m, 1),
            "{name='a\\\"\\x01\\xff', rack=null, epoch=-1, quiet=false, numbers=[1, 2], records=<3 "
            "bytes>}");
  EXPECT_EQ(ToJson(m, 1),
            R"({"name":"a\"\u0001\ufffd","rack":null,"epoch":-1,"quiet":false,"numbers":[1,2],)"
            R"("records":{"sizeInBytes":3}})");
}

}  // namespace
}  // namespace weir::protocol
