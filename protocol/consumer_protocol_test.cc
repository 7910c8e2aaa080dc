// Subscriptions and assignments as kafka-clients 4.2.0 writes them (ConsumerProtocol.serialize*),
// newer ones than ours, and damage.
#include "protocol/consumer_protocol.h"

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/hex.h"
#include "gtest/gtest.h"

namespace weir::protocol {
namespace {

// Topics a and topic-b, user data 01 02, a-0, a-2 and topic-b-1 owned since generation 7, rack r1.
constexpr absl::string_view kSubscriptions[] = {
    "0000000000020001610007746f7069632d62000000020102",
    "0001000000020001610007746f7069632d62000000020102000000020001610000000200000000000000020007746f"
    "7069632d620000000100000001",
    "0002000000020001610007746f7069632d62000000020102000000020001610000000200000000000000020007746f"
    "7069632d62000000010000000100000007",
    "0003000000020001610007746f7069632d62000000020102000000020001610000000200000000000000020007746f"
    "7069632d6200000001000000010000000700027231"};
constexpr absl::string_view kAssignmentV3 =
    "0003000000020001610000000200000000000000020007746f7069632d620000000100000001ffffffff";

ConsumerProtocolSubscription Subscription() {
  ConsumerProtocolSubscription subscription;
  subscription.topics = {"a", "topic-b"};
  subscription.user_data = Bytes{"\x01\x02"};
  subscription.owned_partitions = {{"a", {0, 2}}, {"topic-b", {1}}};
  subscription.generation_id = 7;
  subscription.rack_id = "r1";
  return subscription;
}

TEST(ConsumerProtocolTest, SubscriptionsAreThoseOfJava) {
  for (int16_t version = 0; version <= 3; ++version) {
    SCOPED_TRACE(version);
    const std::string bytes = BytesOfHex(kSubscriptions[version]);
    EXPECT_EQ(EncodeConsumerProtocol(Subscription(), version), bytes);
    const auto read = DecodeConsumerProtocol<ConsumerProtocolSubscription>(bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->topics.size(), 2u);
    EXPECT_EQ(read->user_data->value, "\x01\x02");
    EXPECT_EQ(read->owned_partitions.size(), version >= 1 ? 2u : 0u);
    EXPECT_EQ(read->generation_id, version >= 2 ? 7 : -1);
    EXPECT_EQ(read->rack_id.has_value(), version >= 3);
  }
}

TEST(ConsumerProtocolTest, AssignmentsAreThoseOfJava) {
  ConsumerProtocolAssignment assignment;
  assignment.assigned_partitions = {{"a", {0, 2}}, {"topic-b", {1}}};
  EXPECT_EQ(EncodeConsumerProtocol(assignment), BytesOfHex(kAssignmentV3));
  const auto read = DecodeConsumerProtocol<ConsumerProtocolAssignment>(BytesOfHex(kAssignmentV3));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->assigned_partitions.size(), 2u);
  EXPECT_EQ(read->assigned_partitions[1].partitions[0], 1);
  EXPECT_FALSE(read->user_data.has_value());
}

TEST(ConsumerProtocolTest, ReadsANewerVersionAsItsOwnNewest) {
  std::string bytes = BytesOfHex(kSubscriptions[3]);
  bytes[1] = 9;
  bytes += "what version 9 adds";
  const auto read = DecodeConsumerProtocol<ConsumerProtocolSubscription>(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->rack_id, "r1");
}

TEST(ConsumerProtocolTest, RefusesWhatIsCutOrHasNoVersion) {
  const std::string bytes = BytesOfHex(kSubscriptions[3]);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeConsumerProtocol<ConsumerProtocolSubscription>(bytes.substr(0, size)).ok());
  }
  EXPECT_FALSE(DecodeConsumerProtocol<ConsumerProtocolAssignment>(BytesOfHex("ffff00000000")).ok());
  // A count of topics that the bytes cannot hold.
  EXPECT_FALSE(
      DecodeConsumerProtocol<ConsumerProtocolSubscription>(BytesOfHex("00007fffffff")).ok());
}

}  // namespace
}  // namespace weir::protocol
