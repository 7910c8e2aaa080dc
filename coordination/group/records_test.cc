// Bytes were written by Apache Kafka 4.2.0's own classes (kafka-group-coordinator-4.2.0.jar,
// MessageUtil.toCoordinatorTypePrefixedByteBuffer and toVersionPrefixedByteBuffer), hashes by
// java.lang.String and its Utils.abs.
#include "coordination/group/records.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "base/hex.h"
#include "coordination/group/partition_for.h"
#include "coordination/group/subscription.h"
#include "gtest/gtest.h"

namespace weir::group {
namespace {

constexpr absl::string_view kOffsetKey = "00010001670003746f7000000007";
constexpr absl::string_view kGroupKey = "00020003677270";
constexpr absl::string_view kOffsetValue4 = "0004000000000000123400000005026d0000018bcfe5680000";
constexpr absl::string_view kOffsetValue4WithTopicId =
    "0004000000000000123400000005026d0000018bcfe568000100100000000000000001"
    "0000000000000002";
constexpr absl::string_view kOffsetValue3 = "000300000000000012340000000500016d0000018bcfe56800";
constexpr absl::string_view kOffsetValue1 =
    "0001000000000000123400016d0000018bcfe568000000018bcfe56be8";
constexpr absl::string_view kOffsetValue0 = "0000000000000000123400016d0000018bcfe56800";
constexpr absl::string_view kGroupValue3 =
    "00030008636f6e73756d657200000003000572616e67650003612d310000000000000063000000010003612d31"
    "000169000161000a2f3132372e302e302e310000ea600000afc80000000201020000000103";
constexpr absl::string_view kGroupValue0 =
    "00000008636f6e73756d657200000003000572616e67650003612d31000000010003612d31000161000a2f3132"
    "372e302e302e310000afc80000000201020000000103";

std::string Raw(absl::string_view hex) { return BytesOfHex(hex); }
std::string Hex(const std::string& raw) { return absl::BytesToHexString(raw); }

DecodedRecord MustDecode(absl::string_view key, std::optional<absl::string_view> value) {
  const std::string raw_key = Raw(key);
  std::optional<std::string> raw_value;
  if (value.has_value()) raw_value = Raw(*value);
  auto decoded = DecodeRecord(
      raw_key, raw_value.has_value() ? std::optional<absl::string_view>(*raw_value) : std::nullopt);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? *decoded : DecodedRecord(Skipped{});
}

OffsetCommitValue SomeOffset() {
  OffsetCommitValue value;
  value.offset = 0x1234;
  value.leader_epoch = 5;
  value.metadata = "m";
  value.commit_timestamp = 1700000000000;
  return value;
}

TEST(Records, CommittedOffsetsAsKafkaWritesThem) {
  OffsetCommitValue value = SomeOffset();
  const OffsetCommitKey key{"g", "top", 7};
  EXPECT_EQ(Hex(OffsetCommitRecord(key, value).key), kOffsetKey);
  EXPECT_EQ(Hex(*OffsetCommitRecord(key, value).value), kOffsetValue4);
  value.topic_id = {1, 2};
  EXPECT_EQ(Hex(*OffsetCommitRecord(key, value).value), kOffsetValue4WithTopicId);
  value.expire_timestamp = 1700000001000;
  EXPECT_EQ(Hex(*OffsetCommitRecord(key, value).value), kOffsetValue1);
  EXPECT_EQ(Hex(OffsetCommitTombstone(key).key), kOffsetKey);
  EXPECT_FALSE(OffsetCommitTombstone(key).value.has_value());
}

TEST(Records, ReadsEveryVersionOfCommittedOffsets) {
  for (const absl::string_view hex :
       {kOffsetValue0, kOffsetValue1, kOffsetValue3, kOffsetValue4, kOffsetValue4WithTopicId}) {
    const auto commit = std::get<OffsetCommit>(MustDecode(kOffsetKey, hex));
    EXPECT_EQ(commit.key.group, "g");
    EXPECT_EQ(commit.key.topic, "top");
    EXPECT_EQ(commit.key.partition, 7);
    ASSERT_TRUE(commit.value.has_value());
    EXPECT_EQ(commit.value->offset, 0x1234);
    EXPECT_EQ(commit.value->metadata, "m");
    EXPECT_EQ(commit.value->commit_timestamp, 1700000000000);
    const bool has_epoch = hex != kOffsetValue0 && hex != kOffsetValue1;
    EXPECT_EQ(commit.value->leader_epoch, has_epoch ? 5 : -1);
    EXPECT_EQ(commit.value->expire_timestamp, hex == kOffsetValue1 ? 1700000001000 : -1);
    EXPECT_EQ(commit.value->topic_id.low, hex == kOffsetValue4WithTopicId ? 2u : 0u);
  }
  std::string old_key(kOffsetKey);
  old_key[3] = '0';  // type 0
  EXPECT_EQ(std::get<OffsetCommit>(MustDecode(old_key, kOffsetValue0)).key.topic, "top");
  EXPECT_FALSE(std::get<OffsetCommit>(MustDecode(kOffsetKey, std::nullopt)).value.has_value());
}

TEST(Records, GroupsAsKafkaWritesThem) {
  GroupMetadataValue value;
  value.protocol_type = "consumer";
  value.generation = 3;
  value.protocol = "range";
  value.leader = "a-1";
  value.current_state_timestamp = 99;
  value.members.push_back({"a-1", "i", "a", "/127.0.0.1", 60000, 45000, {"\x01\x02"}, {"\x03"}});
  EXPECT_EQ(Hex(GroupMetadataRecord("grp", value).key), kGroupKey);
  EXPECT_EQ(Hex(*GroupMetadataRecord("grp", value).value), kGroupValue3);
  EXPECT_FALSE(GroupMetadataTombstone("grp").value.has_value());

  const auto read = std::get<GroupMetadata>(MustDecode(kGroupKey, kGroupValue3));
  EXPECT_EQ(read.key.group, "grp");
  ASSERT_EQ(read.value->members.size(), 1u);
  EXPECT_EQ(read.value->members[0].group_instance_id, "i");
  EXPECT_EQ(read.value->members[0].rebalance_timeout, 60000);
  const auto old = std::get<GroupMetadata>(MustDecode(kGroupKey, kGroupValue0));
  EXPECT_EQ(old.value->current_state_timestamp, -1);
  EXPECT_EQ(old.value->members[0].rebalance_timeout, -1);
  EXPECT_EQ(old.value->members[0].assignment.value, "\x03");
}

TEST(Records, OtherTypesAreSkipped) {
  EXPECT_EQ(std::get<Skipped>(MustDecode("00030001", "0000")).type, 3);
  EXPECT_EQ(std::get<Skipped>(MustDecode("000affff", "0000")).type, 10);
  EXPECT_EQ(std::get<Skipped>(MustDecode("7fff", "0000")).type, 32767);
  EXPECT_EQ(std::get<Skipped>(MustDecode("ffff", "0000")).type, -1);
}

TEST(Records, RefusesDamage) {
  EXPECT_FALSE(DecodeRecord("", std::nullopt).ok());
  EXPECT_FALSE(DecodeRecord("\0", std::nullopt).ok());
  EXPECT_FALSE(DecodeRecord(Raw(kOffsetKey), "").ok());
  EXPECT_EQ(DecodeRecord(Raw(kOffsetKey), Raw("0005")).status().code(),
            absl::StatusCode::kUnimplemented);
  for (const absl::string_view key : {kOffsetKey, kGroupKey}) {
    const std::string raw = Raw(key);
    for (size_t size = 2; size < raw.size(); ++size) {
      EXPECT_FALSE(DecodeRecord(raw.substr(0, size), std::nullopt).ok()) << size;
    }
    EXPECT_FALSE(DecodeRecord(raw + "x", std::nullopt).ok());
  }
  const std::string value = Raw(kGroupValue3);
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(DecodeRecord(Raw(kGroupKey), value.substr(0, size)).ok()) << size;
  }
}

TEST(PartitionFor, AsKafka) {
  const struct {
    const char* group;
    int32_t hash;
    size_t length;
    int32_t of_50;
  } known[] = {
      {"", 0, 0, 0},
      {"a", 97, 1, 47},
      {"my-group", -1906497762, 8, 12},
      {"console-consumer-12345", 158455506, 22, 6},
      {"gr\xc3\xbcppe", -1233264812, 6, 12},
      {"\xe3\x82\xb0\xe3\x83\xab\xe3\x83\xbc\xe3\x83\x97", 383750870, 4, 20},
      {"\xf0\x9f\x98\x80group", -1231696132, 7, 32},
      {"polygenelubricants", INT32_MIN, 18, 0},
  };
  for (const auto& k : known) {
    EXPECT_EQ(JavaHashCode(k.group), k.hash) << k.group;
    EXPECT_EQ(Utf16Length(k.group), k.length) << k.group;
    EXPECT_EQ(PartitionFor(k.group, 50).value(), k.of_50) << k.group;
    EXPECT_EQ(PartitionFor(k.group, 1).value(), 0);
  }
}

TEST(PartitionFor, EveryByteCountsEvenInBadUtf8) {
  EXPECT_EQ(Utf16Length("\xff\xfe"), 2u);
  EXPECT_EQ(Utf16Length("\xe3\x82"), 2u);          // cut off
  EXPECT_EQ(Utf16Length("\xed\xa0\x80"), 3u);      // a surrogate
  EXPECT_EQ(Utf16Length("\xf0\x80\x80\x80"), 4u);  // overlong
  EXPECT_EQ(JavaHashCode("\xff"), 0xfffd);
}

TEST(Subscription, TopicsOfAConsumer) {
  std::set<std::string> topics;
  // Version 1: two topics, no user data, nothing owned.
  EXPECT_TRUE(AddSubscribedTopics(Raw("000100000002000161000262630000000000000000"), &topics));
  EXPECT_EQ(topics, (std::set<std::string>{"a", "bc"}));
  // Version 0: no topics, null user data.
  EXPECT_TRUE(AddSubscribedTopics(Raw("000000000000ffffffff"), &topics));
  EXPECT_FALSE(AddSubscribedTopics(Raw("000000000000"), &topics));  // its user data is missing
  EXPECT_FALSE(AddSubscribedTopics("", &topics));
  EXPECT_FALSE(AddSubscribedTopics(Raw("0000ffffffff"), &topics));
  EXPECT_FALSE(AddSubscribedTopics(Raw("00007fffffff000161"), &topics));
  EXPECT_FALSE(AddSubscribedTopics(Raw("000000000001ffff"), &topics));
  EXPECT_FALSE(AddSubscribedTopics(Raw("ffff00000000"), &topics));
}

}  // namespace
}  // namespace weir::group
