// The numbers, names and properties that Kafka's own enumerations have (names.txt, tools/golden.sh).
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordination/group/consumer_group_records.h"
#include "coordination/group/records.h"
#include "coordination/metadata/records.h"
#include "coordination/transaction/records.h"
#include "gtest/gtest.h"
#include "protocol/api_key.h"
#include "protocol/control_records.h"
#include "protocol/error_code.h"
#include "protocol/record.h"

namespace weir::golden {
namespace {

using Words = std::vector<std::string>;

// The lines of `kind`, without that word.
std::vector<Words> Lines(const std::string& kind) {
  std::ifstream file("tests/golden/names.txt");
  EXPECT_TRUE(file.is_open());
  std::vector<Words> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    Words words;
    std::string first;
    in >> first;
    for (std::string word; in >> word;) words.push_back(word);
    if (first == kind) lines.push_back(words);
  }
  return lines;
}

// `kind`'s numbers and names.
std::map<int, std::string> Names(const std::string& kind) {
  std::map<int, std::string> names;
  for (const Words& line : Lines(kind)) names[std::stoi(line.at(0))] = line.at(1);
  return names;
}

TEST(Names, ErrorCodes) {
  const std::vector<Words> errors = Lines("error");
  ASSERT_EQ(errors.size(), static_cast<size_t>(protocol::protocol_internal::kErrorCount));
  for (const Words& error : errors) {
    const auto code = static_cast<protocol::ErrorCode>(std::stoi(error.at(0)));
    SCOPED_TRACE(error.at(1));
    EXPECT_EQ(protocol::ErrorName(code), error.at(1));
    EXPECT_EQ(protocol::IsRetriable(code), error.at(2) == "retriable");
    EXPECT_EQ(protocol::ErrorMessage(code).empty(), code == protocol::ErrorCode::kNone);
  }
}

TEST(Names, Apis) {
  std::set<int> keys;
  for (const Words& api : Lines("api")) {
    const int key = std::stoi(api.at(0));
    EXPECT_EQ(protocol::ApiName(static_cast<protocol::ApiKey>(key)), api.at(1));
    keys.insert(key);
  }
  EXPECT_GT(keys.size(), 80u);
  for (int key = -1; key < 1000; ++key) {
    const bool known = !protocol::ApiName(static_cast<protocol::ApiKey>(key)).empty();
    EXPECT_EQ(known, keys.count(key) == 1) << key;
  }
}

TEST(Names, ControlRecords) {
  const std::map<int, std::string> names = Names("control");
  EXPECT_EQ(names.at(static_cast<int>(protocol::ControlType::kAbort)), "ABORT");
  EXPECT_EQ(names.at(static_cast<int>(protocol::ControlType::kCommit)), "COMMIT");
  EXPECT_EQ(names.at(protocol::LeaderChangeMessage::kRecord.type), "LEADER_CHANGE");
  EXPECT_EQ(names.at(protocol::SnapshotHeaderRecord::kRecord.type), "SNAPSHOT_HEADER");
  EXPECT_EQ(names.at(protocol::SnapshotFooterRecord::kRecord.type), "SNAPSHOT_FOOTER");
  EXPECT_EQ(names.at(protocol::KRaftVersionRecord::kRecord.type), "KRAFT_VERSION");
  EXPECT_EQ(names.at(protocol::VotersRecord::kRecord.type), "KRAFT_VOTERS");
  EXPECT_EQ(names.size(), 8u);  // and UNKNOWN
}

template <size_t... I>
std::set<int> MetadataTypes(std::index_sequence<I...>) {
  return {std::variant_alternative_t<I, metadata::MetadataRecord>::kRecord.type...};
}

TEST(Names, EveryMetadataRecordIsDeclared) {
  std::set<int> kafka;
  for (const auto& [type, name] : Names("metadata")) kafka.insert(type);
  EXPECT_EQ(
      MetadataTypes(std::make_index_sequence<std::variant_size_v<metadata::MetadataRecord>>()),
      kafka);
}

TEST(Names, EveryGroupRecordIsDeclared) {
  using namespace group;  // NOLINT: records
  const std::map<int, std::string> declared = {
      {kLegacyOffsetCommitType, "LEGACY_OFFSET_COMMIT"},
      {OffsetCommitKey::kRecord.type, "OFFSET_COMMIT"},
      {GroupMetadataKey::kRecord.type, "GROUP_METADATA"},
      {ConsumerGroupMetadataKey::kRecord.type, "CONSUMER_GROUP_METADATA"},
      {ConsumerGroupPartitionMetadataKey::kRecord.type, "CONSUMER_GROUP_PARTITION_METADATA"},
      {ConsumerGroupMemberMetadataKey::kRecord.type, "CONSUMER_GROUP_MEMBER_METADATA"},
      {ConsumerGroupTargetAssignmentMetadataKey::kRecord.type,
       "CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA"},
      {ConsumerGroupTargetAssignmentMemberKey::kRecord.type,
       "CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER"},
      {ConsumerGroupCurrentMemberAssignmentKey::kRecord.type,
       "CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT"},
      {ConsumerGroupRegularExpressionKey::kRecord.type, "CONSUMER_GROUP_REGULAR_EXPRESSION"},
  };
  std::map<int, std::string> kafka = Names("group");
  // Of share and streams groups, which come with their callers.
  for (auto it = kafka.begin(); it != kafka.end();) {
    const bool later = it->second.rfind("SHARE_", 0) == 0 || it->second.rfind("STREAMS_", 0) == 0;
    it = later ? kafka.erase(it) : std::next(it);
  }
  EXPECT_EQ(declared, kafka);
}

TEST(Names, EveryTransactionRecordIsDeclared) {
  const std::map<int, std::string> kafka = Names("transaction");
  EXPECT_EQ(kafka.at(transaction::TransactionLogKey::kRecord.type), "TRANSACTION_LOG");
  EXPECT_EQ(kafka.size(), 1u);
}

}  // namespace
}  // namespace weir::golden
