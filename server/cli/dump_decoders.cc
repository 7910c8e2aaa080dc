#include "server/cli/dump_decoders.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "coordination/group/consumer_group_records.h"
#include "coordination/group/records.h"
#include "coordination/metadata/record_frame.h"
#include "coordination/metadata/records/cluster.h"
#include "coordination/metadata/records/security.h"
#include "coordination/metadata/records/topic.h"
#include "coordination/transaction/records.h"
#include "protocol/message_shape.h"
#include "protocol/prefixed.h"
#include "protocol/shape_printer.h"

namespace weir::cli {
namespace {

// A kind of record of the metadata log, named as Kafka's MetadataRecordType does.
struct MetadataKind {
  int16_t type;
  const char* name;
  const protocol::MessageShape& (*shape)();
};

template <class Record>
constexpr MetadataKind KindOf(const char* name) {
  return {Record::kRecord.type, name, &protocol::ShapeOf<Record>};
}

constexpr MetadataKind kMetadataKinds[] = {
    KindOf<metadata::RegisterBrokerRecord>("REGISTER_BROKER_RECORD"),
    KindOf<metadata::UnregisterBrokerRecord>("UNREGISTER_BROKER_RECORD"),
    KindOf<metadata::TopicRecord>("TOPIC_RECORD"),
    KindOf<metadata::PartitionRecord>("PARTITION_RECORD"),
    KindOf<metadata::ConfigRecord>("CONFIG_RECORD"),
    KindOf<metadata::PartitionChangeRecord>("PARTITION_CHANGE_RECORD"),
    KindOf<metadata::FenceBrokerRecord>("FENCE_BROKER_RECORD"),
    KindOf<metadata::UnfenceBrokerRecord>("UNFENCE_BROKER_RECORD"),
    KindOf<metadata::RemoveTopicRecord>("REMOVE_TOPIC_RECORD"),
    KindOf<metadata::DelegationTokenRecord>("DELEGATION_TOKEN_RECORD"),
    KindOf<metadata::UserScramCredentialRecord>("USER_SCRAM_CREDENTIAL_RECORD"),
    KindOf<metadata::FeatureLevelRecord>("FEATURE_LEVEL_RECORD"),
    KindOf<metadata::ClientQuotaRecord>("CLIENT_QUOTA_RECORD"),
    KindOf<metadata::ProducerIdsRecord>("PRODUCER_IDS_RECORD"),
    KindOf<metadata::BrokerRegistrationChangeRecord>("BROKER_REGISTRATION_CHANGE_RECORD"),
    KindOf<metadata::AccessControlEntryRecord>("ACCESS_CONTROL_ENTRY_RECORD"),
    KindOf<metadata::RemoveAccessControlEntryRecord>("REMOVE_ACCESS_CONTROL_ENTRY_RECORD"),
    KindOf<metadata::NoOpRecord>("NO_OP_RECORD"),
    KindOf<metadata::ZkMigrationStateRecord>("ZK_MIGRATION_STATE_RECORD"),
    KindOf<metadata::RemoveUserScramCredentialRecord>("REMOVE_USER_SCRAM_CREDENTIAL_RECORD"),
    KindOf<metadata::BeginTransactionRecord>("BEGIN_TRANSACTION_RECORD"),
    KindOf<metadata::EndTransactionRecord>("END_TRANSACTION_RECORD"),
    KindOf<metadata::AbortTransactionRecord>("ABORT_TRANSACTION_RECORD"),
    KindOf<metadata::RemoveDelegationTokenRecord>("REMOVE_DELEGATION_TOKEN_RECORD"),
    KindOf<metadata::RegisterControllerRecord>("REGISTER_CONTROLLER_RECORD"),
    KindOf<metadata::ClearElrRecord>("CLEAR_ELR_RECORD"),
};

std::string Typed(absl::string_view type, int version, const std::string& data) {
  return absl::StrCat("{\"type\":\"", type, "\",\"version\":", version, ",\"data\":", data, "}");
}

// A kind of record of a coordinator's topic, named as Kafka's CoordinatorRecordType does.
struct PairKind {
  int16_t type;
  const char* name;
  const protocol::MessageShape& (*key)();
  const protocol::MessageShape& (*value)();
};

template <class Key, class Value>
constexpr PairKind KindOf(int16_t type, const char* name) {
  return {type, name, &protocol::ShapeOf<Key>, &protocol::ShapeOf<Value>};
}

constexpr PairKind kOffsetsKinds[] = {
    KindOf<group::OffsetCommitKey, group::OffsetCommitValue>(0, "LEGACY_OFFSET_COMMIT"),
    KindOf<group::OffsetCommitKey, group::OffsetCommitValue>(1, "OFFSET_COMMIT"),
    KindOf<group::GroupMetadataKey, group::GroupMetadataValue>(2, "GROUP_METADATA"),
    KindOf<group::ConsumerGroupMetadataKey, group::ConsumerGroupMetadataValue>(
        3, "CONSUMER_GROUP_METADATA"),
    KindOf<group::ConsumerGroupPartitionMetadataKey, group::ConsumerGroupPartitionMetadataValue>(
        4, "CONSUMER_GROUP_PARTITION_METADATA"),
    KindOf<group::ConsumerGroupMemberMetadataKey, group::ConsumerGroupMemberMetadataValue>(
        5, "CONSUMER_GROUP_MEMBER_METADATA"),
    KindOf<group::ConsumerGroupTargetAssignmentMetadataKey,
           group::ConsumerGroupTargetAssignmentMetadataValue>(
        6, "CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA"),
    KindOf<group::ConsumerGroupTargetAssignmentMemberKey,
           group::ConsumerGroupTargetAssignmentMemberValue>(
        7, "CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER"),
    KindOf<group::ConsumerGroupCurrentMemberAssignmentKey,
           group::ConsumerGroupCurrentMemberAssignmentValue>(
        8, "CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT"),
    KindOf<group::ConsumerGroupRegularExpressionKey, group::ConsumerGroupRegularExpressionValue>(
        16, "CONSUMER_GROUP_REGULAR_EXPRESSION"),
};

constexpr PairKind kTransactionKinds[] = {
    KindOf<transaction::TransactionLogKey, transaction::TransactionLogValue>(0, "TRANSACTION_LOG"),
};

absl::StatusOr<std::string> Json(const protocol::MessageShape& shape, int16_t version,
                                 absl::string_view bytes) {
  std::string json;
  WEIR_RETURN_IF_ERROR(
      protocol::PrintEncoded(shape, version, /*json=*/true, /*hooks=*/nullptr, &bytes, &json));
  if (bytes.empty()) return json;
  return absl::InvalidArgumentError(absl::StrCat(bytes.size(), " bytes behind the record"));
}

absl::StatusOr<DecodedPair> PairJson(absl::Span<const PairKind> kinds, absl::string_view key,
                                     std::optional<absl::string_view> value) {
  WEIR_ASSIGN_OR_RETURN(const int16_t type, protocol::TakePrefix(&key, "key type"));
  const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [type](const PairKind& each) { return each.type == type; });
  if (kind == kinds.end()) {
    return absl::UnimplementedError(absl::StrCat("a record of type ", type, ", not known here"));
  }
  DecodedPair pair;
  WEIR_ASSIGN_OR_RETURN(const std::string key_json, Json(kind->key(), 0, key));
  pair.key = Typed(kind->name, type, key_json);
  if (value.has_value()) {
    WEIR_ASSIGN_OR_RETURN(const int16_t version, protocol::TakePrefix(&*value, "value version"));
    WEIR_ASSIGN_OR_RETURN(pair.value, Json(kind->value(), version, *value));
  }
  return pair;
}

}  // namespace

absl::StatusOr<std::string> MetadataRecordJson(absl::string_view value) {
  WEIR_ASSIGN_OR_RETURN(const metadata::RecordFrame frame, metadata::ParseRecordFrame(value));
  for (const MetadataKind& kind : kMetadataKinds) {
    if (static_cast<uint32_t>(kind.type) != frame.type) continue;
    WEIR_ASSIGN_OR_RETURN(const std::string json, Json(kind.shape(), frame.version, frame.body));
    return Typed(kind.name, frame.version, json);
  }
  return absl::UnimplementedError(
      absl::StrCat("a record of type ", frame.type, ", not known here"));
}

absl::StatusOr<DecodedPair> OffsetsRecordJson(absl::string_view key,
                                              std::optional<absl::string_view> value) {
  return PairJson(kOffsetsKinds, key, value);
}

absl::StatusOr<DecodedPair> TransactionRecordJson(absl::string_view key,
                                                  std::optional<absl::string_view> value) {
  return PairJson(kTransactionKinds, key, value);
}

}  // namespace weir::cli
