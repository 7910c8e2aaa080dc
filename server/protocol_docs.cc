#include "server/protocol_docs.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "coordination/group/consumer_group_records.h"
#include "coordination/group/records.h"
#include "coordination/metadata/records.h"
#include "coordination/transaction/records.h"
#include "protocol/api/add_offsets_to_txn.h"
#include "protocol/api/add_partitions_to_txn.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"
#include "protocol/api/create_acls.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_acls.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_acls.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/describe_transactions.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/end_txn.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/list_transactions.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/sasl_authenticate.h"
#include "protocol/api/sasl_handshake.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/txn_offset_commit.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api/update_features.h"
#include "protocol/api/write_txn_markers.h"
#include "protocol/api_key.h"
#include "protocol/api_list.h"
#include "protocol/consumer_protocol.h"
#include "protocol/control_records.h"
#include "protocol/describe.h"
#include "server/router.h"

namespace weir::server {

namespace {

using protocol::ApiKey;
using protocol::VersionRange;

// --- APIs ----------------------------------------------------------------------------------------

template <class... Apis>
std::vector<DeclaredApi> Declared(protocol::ApiList<Apis...>) {
  return {{Apis::Request::kApi, Apis::Response::kApi}...};
}

template <class... Apis>
constexpr bool IsOneOf(int16_t key, protocol::ApiList<Apis...>) {
  return ((key == Apis::Request::kApi.key) || ...);
}

constexpr const char* kTokens = "delegation tokens come with their callers";
constexpr const char* kInternal = "between Kafka's own nodes, where Weir's speak gRPC";
constexpr const char* kTelemetry = "metrics that clients push are not asked for";
constexpr const char* kShare = "share groups come with their callers";
constexpr const char* kStreams = "streams groups come with their callers";

constexpr struct {
  ApiKey key;
  const char* why;
} kUndeclared[] = {
    {ApiKey::kCreateDelegationToken, kTokens},
    {ApiKey::kRenewDelegationToken, kTokens},
    {ApiKey::kExpireDelegationToken, kTokens},
    {ApiKey::kDescribeDelegationToken, kTokens},
    {ApiKey::kVote, kInternal},
    {ApiKey::kBeginQuorumEpoch, kInternal},
    {ApiKey::kEndQuorumEpoch, kInternal},
    {ApiKey::kEnvelope, kInternal},
    {ApiKey::kFetchSnapshot, kInternal},
    {ApiKey::kControllerRegistration, kInternal},
    {ApiKey::kPushTelemetry, kTelemetry},
    {ApiKey::kShareGroupHeartbeat, kShare},
    {ApiKey::kShareGroupDescribe, kShare},
    {ApiKey::kShareFetch, kShare},
    {ApiKey::kShareAcknowledge, kShare},
    {ApiKey::kUpdateRaftVoter, kInternal},
    {ApiKey::kInitializeShareGroupState, kShare},
    {ApiKey::kReadShareGroupState, kShare},
    {ApiKey::kWriteShareGroupState, kShare},
    {ApiKey::kDeleteShareGroupState, kShare},
    {ApiKey::kReadShareGroupStateSummary, kShare},
    {ApiKey::kStreamsGroupHeartbeat, kStreams},
    {ApiKey::kStreamsGroupDescribe, kStreams},
    {ApiKey::kDescribeShareGroupOffsets, kShare},
    {ApiKey::kAlterShareGroupOffsets, kShare},
    {ApiKey::kDeleteShareGroupOffsets, kShare},
};

std::string Versions(VersionRange range) {
  return range.min == range.max ? absl::StrCat(range.min) : absl::StrCat(range.min, "-", range.max);
}

std::string Flexible(int16_t since, VersionRange versions) {
  if (since > versions.max) return "never";
  return absl::StrCat(std::max(since, versions.min));
}

std::string ServedCell(int16_t key) {
  const Route* route = FindRoute(key);
  if (route == nullptr) return IsOneOf(key, protocol::ControllerApis()) ? "between nodes only" : "";
  // HandleProduce refuses what KIP-896 took away.
  const bool refuses_first = route->key == ApiKey::kProduce;
  return absl::StrCat(Versions(route->versions), refuses_first ? ", of which 0-2 are refused" : "",
                      route->advertised ? "" : ", not advertised");
}

std::string ApiRows() {
  std::string out;
  for (const DeclaredApi& api : DeclaredApis()) {
    const protocol::ApiInfo& info = api.request;
    absl::StrAppend(&out, "| ", info.key, " | ", protocol::ApiName(static_cast<ApiKey>(info.key)),
                    " | ", Versions(info.versions), " | ",
                    Flexible(info.flexible_since, info.versions), " | ", ServedCell(info.key),
                    " |\n");
  }
  return out;
}

std::string UndeclaredRows() {
  std::string out;
  for (const char* why : {kInternal, kTelemetry, kTokens, kShare, kStreams}) {
    std::vector<std::string> names;
    for (const UndeclaredApi& api : UndeclaredApis()) {
      if (absl::string_view(api.why) != why) continue;
      names.push_back(
          absl::StrCat(protocol::ApiName(static_cast<ApiKey>(api.key)), " (", api.key, ")"));
    }
    absl::StrAppend(&out, "- ", why, ": ", absl::StrJoin(names, ", "), "\n");
  }
  return out;
}

// --- Records -------------------------------------------------------------------------------------

struct RecordRowText {
  absl::string_view name;
  int16_t type;
  VersionRange versions;
};

template <class M>
constexpr RecordRowText RecordRow(absl::string_view name) {
  return {name, M::kRecord.type, M::kRecord.versions};
}

// A key has one version; the value's are of interest.
template <class Key, class Value>
constexpr RecordRowText GroupRow(absl::string_view name) {
  static_assert(Key::kRecord.type == Value::kRecord.type && Key::kRecord.versions.max == 0);
  return RecordRow<Value>(name);
}

void AppendRecords(absl::string_view title, const std::vector<RecordRowText>& rows,
                   std::string* out) {
  absl::StrAppend(out, "\n### ", title, "\n\n| type | record | versions |\n|---:|---|---|\n");
  for (const RecordRowText& row : rows) {
    absl::StrAppend(out, "| ", row.type, " | ", row.name, " | ", Versions(row.versions), " |\n");
  }
}

std::string RecordTables() {
  std::string out;
  AppendRecords(
      "`__consumer_offsets`",
      {
          GroupRow<group::OffsetCommitKey, group::OffsetCommitValue>(
              "OffsetCommit (and type 0, which is its version 0)"),
          GroupRow<group::GroupMetadataKey, group::GroupMetadataValue>("GroupMetadata"),
          GroupRow<group::ConsumerGroupMetadataKey, group::ConsumerGroupMetadataValue>(
              "ConsumerGroupMetadata"),
          GroupRow<group::ConsumerGroupPartitionMetadataKey,
                   group::ConsumerGroupPartitionMetadataValue>("ConsumerGroupPartitionMetadata"),
          GroupRow<group::ConsumerGroupMemberMetadataKey, group::ConsumerGroupMemberMetadataValue>(
              "ConsumerGroupMemberMetadata"),
          GroupRow<group::ConsumerGroupTargetAssignmentMetadataKey,
                   group::ConsumerGroupTargetAssignmentMetadataValue>(
              "ConsumerGroupTargetAssignmentMetadata"),
          GroupRow<group::ConsumerGroupTargetAssignmentMemberKey,
                   group::ConsumerGroupTargetAssignmentMemberValue>(
              "ConsumerGroupTargetAssignmentMember"),
          GroupRow<group::ConsumerGroupCurrentMemberAssignmentKey,
                   group::ConsumerGroupCurrentMemberAssignmentValue>(
              "ConsumerGroupCurrentMemberAssignment"),
          GroupRow<group::ConsumerGroupRegularExpressionKey,
                   group::ConsumerGroupRegularExpressionValue>("ConsumerGroupRegularExpression"),
      },
      &out);
  AppendRecords("`__transaction_state`",
                {GroupRow<transaction::TransactionLogKey, transaction::TransactionLogValue>(
                    "TransactionLog")},
                &out);
  AppendRecords(
      "`__cluster_metadata` and its snapshots",
      {
          RecordRow<metadata::RegisterBrokerRecord>("RegisterBroker"),
          RecordRow<metadata::UnregisterBrokerRecord>("UnregisterBroker"),
          RecordRow<metadata::TopicRecord>("Topic"),
          RecordRow<metadata::PartitionRecord>("Partition"),
          RecordRow<metadata::ConfigRecord>("Config"),
          RecordRow<metadata::PartitionChangeRecord>("PartitionChange"),
          RecordRow<metadata::FenceBrokerRecord>("FenceBroker"),
          RecordRow<metadata::UnfenceBrokerRecord>("UnfenceBroker"),
          RecordRow<metadata::RemoveTopicRecord>("RemoveTopic"),
          RecordRow<metadata::DelegationTokenRecord>("DelegationToken"),
          RecordRow<metadata::UserScramCredentialRecord>("UserScramCredential"),
          RecordRow<metadata::FeatureLevelRecord>("FeatureLevel"),
          RecordRow<metadata::ClientQuotaRecord>("ClientQuota"),
          RecordRow<metadata::ProducerIdsRecord>("ProducerIds"),
          RecordRow<metadata::BrokerRegistrationChangeRecord>("BrokerRegistrationChange"),
          RecordRow<metadata::AccessControlEntryRecord>("AccessControlEntry"),
          RecordRow<metadata::RemoveAccessControlEntryRecord>("RemoveAccessControlEntry"),
          RecordRow<metadata::NoOpRecord>("NoOp"),
          RecordRow<metadata::ZkMigrationStateRecord>("ZkMigrationState"),
          RecordRow<metadata::RemoveUserScramCredentialRecord>("RemoveUserScramCredential"),
          RecordRow<metadata::BeginTransactionRecord>("BeginTransaction"),
          RecordRow<metadata::EndTransactionRecord>("EndTransaction"),
          RecordRow<metadata::AbortTransactionRecord>("AbortTransaction"),
          RecordRow<metadata::RemoveDelegationTokenRecord>("RemoveDelegationToken"),
          RecordRow<metadata::RegisterControllerRecord>("RegisterController"),
          RecordRow<metadata::ClearElrRecord>("ClearElr"),
      },
      &out);
  AppendRecords("Control records, by the type in their key",
                {
                    RecordRow<protocol::LeaderChangeMessage>("LeaderChangeMessage"),
                    RecordRow<protocol::SnapshotHeaderRecord>("SnapshotHeaderRecord"),
                    RecordRow<protocol::SnapshotFooterRecord>("SnapshotFooterRecord"),
                    RecordRow<protocol::KRaftVersionRecord>("KRaftVersionRecord"),
                    RecordRow<protocol::VotersRecord>("VotersRecord"),
                },
                &out);
  absl::StrAppend(&out, "\nABORT (0) and COMMIT (1) have an EndTxnMarker, version ",
                  Versions(transaction::EndTxnMarker::kRecord.versions),
                  ". What consumers of a classic ",
                  "group tell each other: ConsumerProtocolSubscription and -Assignment, versions ",
                  Versions(protocol::ConsumerProtocolSubscription::kRecord.versions), ".\n");
  return out;
}

constexpr absl::string_view kIntroduction = R"(# Protocol

Written by `bazel run //server:protocol_docs` from the declarations in `protocol/api/`, those of
records in `coordination/`, and the routes of the broker; a test compares it with them, and them
with Apache Kafka 4.2.0's own list of APIs.

Each declaration is encoded, decoded, measured, printed, compared and dumped by the same code
(`protocol/describe.h`). Every one is held to what Kafka's own classes wrote and to its
definitions, field by field (`tests/golden`, written by `tools/golden.sh`): names, types,
versions, nullability, tags, defaults, and whether a version without the field may be written.

## APIs

*Codec* is what `protocol/api/` encodes and decodes, *flexible* the first version with compact
lengths and tagged fields (KIP-482), *broker* what a Weir broker answers and, unless it says
otherwise, what ApiVersions tells its clients. What is *between nodes only* brokers ask of the
controller, over gRPC; no client's listener serves it.

| key | API | codec | flexible | broker |
|---:|---|---|---|---|
)";

constexpr absl::string_view kDifferences = R"(
## Where the declarations differ from Kafka's

- Produce is declared from version 0, in Kafka from 3: versions 0 to 2 are as in Kafka 3.9. A
  broker advertises them so that older clients go on compressing (KIP-896), decodes them and
  refuses them.
- InitProducerId ends at version 5: 6 is not stable in 4.2 (KIP-939).
- Request and response headers are coded by hand (`protocol/headers.h`), since they are read
  before it is known what follows, and client_id is never compact. Tagged fields in them, of which
  there are none, are checked and dropped.
- Tagged fields that a newer peer sends are kept at the top level of messages and records and in
  the structs of the metadata log; the inner structs of other messages check them and drop them.
- LegacyOffsetCommitKey and -Value (type 0) are OffsetCommitKey and OffsetCommitValue at version
  0, whose bytes are the same.
- Names of structs, docstrings, `mapKey`, `entityType` and `zeroCopy`, which change no byte, are
  not compared.
)";

}  // namespace

std::vector<DeclaredApi> DeclaredApis() {
  std::vector<DeclaredApi> apis = Declared(protocol::AllApis());
  std::sort(apis.begin(), apis.end(), [](const DeclaredApi& a, const DeclaredApi& b) {
    return a.request.key < b.request.key;
  });
  return apis;
}

std::vector<UndeclaredApi> UndeclaredApis() {
  std::vector<UndeclaredApi> apis;
  for (const auto& api : kUndeclared) apis.push_back({static_cast<int16_t>(api.key), api.why});
  return apis;
}

std::string ProtocolMarkdown() {
  return absl::StrCat(kIntroduction, ApiRows(), "\nNot declared:\n\n", UndeclaredRows(),
                      kDifferences, "\n## Records of internal topics\n", RecordTables());
}

}  // namespace weir::server
