#include "server/cli/dump_decoders.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "coordination/group/records.h"
#include "coordination/metadata/record_codec.h"
#include "coordination/metadata/records.h"
#include "protocol/message.h"

namespace weir::cli {
namespace {

// By type, as Kafka's MetadataRecordType names them.
constexpr const char* kMetadataNames[] = {
    "REGISTER_BROKER_RECORD",
    "UNREGISTER_BROKER_RECORD",
    "TOPIC_RECORD",
    "PARTITION_RECORD",
    "CONFIG_RECORD",
    "PARTITION_CHANGE_RECORD",
    nullptr,
    "FENCE_BROKER_RECORD",
    "UNFENCE_BROKER_RECORD",
    "REMOVE_TOPIC_RECORD",
    "DELEGATION_TOKEN_RECORD",
    "USER_SCRAM_CREDENTIAL_RECORD",
    "FEATURE_LEVEL_RECORD",
    nullptr,
    "CLIENT_QUOTA_RECORD",
    "PRODUCER_IDS_RECORD",
    nullptr,
    "BROKER_REGISTRATION_CHANGE_RECORD",
    "ACCESS_CONTROL_ENTRY_RECORD",
    "REMOVE_ACCESS_CONTROL_ENTRY_RECORD",
    "NO_OP_RECORD",
    "ZK_MIGRATION_STATE_RECORD",
    "REMOVE_USER_SCRAM_CREDENTIAL_RECORD",
    "BEGIN_TRANSACTION_RECORD",
    "END_TRANSACTION_RECORD",
    "ABORT_TRANSACTION_RECORD",
    "REMOVE_DELEGATION_TOKEN_RECORD",
    "REGISTER_CONTROLLER_RECORD",
    "CLEAR_ELR_RECORD",
};

std::string Typed(absl::string_view type, int version, const std::string& data) {
  return absl::StrCat("{\"type\":\"", type, "\",\"version\":", version, ",\"data\":", data, "}");
}

}  // namespace

absl::StatusOr<std::string> MetadataRecordJson(absl::string_view value) {
  WEIR_ASSIGN_OR_RETURN(const metadata::RecordFrame frame, metadata::ParseRecordFrame(value));
  WEIR_ASSIGN_OR_RETURN(const metadata::MetadataRecord record, metadata::DecodeRecord(value));
  // What decodes has a name.
  return std::visit(
      [&](const auto& r) {
        return Typed(kMetadataNames[frame.type], frame.version, protocol::ToJson(r, frame.version));
      },
      record);
}

absl::StatusOr<DecodedPair> OffsetsRecordJson(absl::string_view key,
                                              std::optional<absl::string_view> value) {
  WEIR_ASSIGN_OR_RETURN(const group::DecodedRecord record, group::DecodeRecord(key, value));
  DecodedPair pair;
  if (const auto* commit = std::get_if<group::OffsetCommit>(&record)) {
    pair.key = Typed("OFFSET_COMMIT", group::kOffsetCommitType, protocol::ToJson(commit->key));
    if (commit->value.has_value()) pair.value = protocol::ToJson(*commit->value);
  } else if (const auto* metadata = std::get_if<group::GroupMetadata>(&record)) {
    pair.key = Typed("GROUP_METADATA", group::kGroupMetadataType, protocol::ToJson(metadata->key));
    if (metadata->value.has_value()) pair.value = protocol::ToJson(*metadata->value);
  } else {
    return absl::UnimplementedError("a record of a kind that is not known");
  }
  return pair;
}

}  // namespace weir::cli
