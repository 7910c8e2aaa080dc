// Records of logs, and what consumers tell each other through their coordinator.
#include <iterator>
#include <vector>

#include "coordination/group/consumer_group_records.h"
#include "coordination/group/records.h"
#include "coordination/metadata/records.h"
#include "coordination/transaction/records.h"
#include "protocol/consumer_protocol.h"
#include "protocol/control_records.h"
#include "tests/fuzz/decode_checks.h"

namespace weir::fuzz {

void AppendRecordChecks(std::vector<DecodeCheck>* checks) {
  const DecodeCheck all[] = {
      {"ConsumerProtocolSubscription", CheckMessage<protocol::ConsumerProtocolSubscription>},
      {"ConsumerProtocolAssignment", CheckMessage<protocol::ConsumerProtocolAssignment>},
      {"LegacyOffsetCommitKey", CheckMessage<group::OffsetCommitKey>},
      {"LegacyOffsetCommitValue", CheckMessage<group::OffsetCommitValue>},
      {"OffsetCommitKey", CheckMessage<group::OffsetCommitKey>},
      {"OffsetCommitValue", CheckMessage<group::OffsetCommitValue>},
      {"GroupMetadataKey", CheckMessage<group::GroupMetadataKey>},
      {"GroupMetadataValue", CheckMessage<group::GroupMetadataValue>},
      {"ConsumerGroupMetadataKey", CheckMessage<group::ConsumerGroupMetadataKey>},
      {"ConsumerGroupMetadataValue", CheckMessage<group::ConsumerGroupMetadataValue>},
      {"ConsumerGroupPartitionMetadataKey", CheckMessage<group::ConsumerGroupPartitionMetadataKey>},
      {"ConsumerGroupPartitionMetadataValue",
       CheckMessage<group::ConsumerGroupPartitionMetadataValue>},
      {"ConsumerGroupMemberMetadataKey", CheckMessage<group::ConsumerGroupMemberMetadataKey>},
      {"ConsumerGroupMemberMetadataValue", CheckMessage<group::ConsumerGroupMemberMetadataValue>},
      {"ConsumerGroupTargetAssignmentMetadataKey",
       CheckMessage<group::ConsumerGroupTargetAssignmentMetadataKey>},
      {"ConsumerGroupTargetAssignmentMetadataValue",
       CheckMessage<group::ConsumerGroupTargetAssignmentMetadataValue>},
      {"ConsumerGroupTargetAssignmentMemberKey",
       CheckMessage<group::ConsumerGroupTargetAssignmentMemberKey>},
      {"ConsumerGroupTargetAssignmentMemberValue",
       CheckMessage<group::ConsumerGroupTargetAssignmentMemberValue>},
      {"ConsumerGroupCurrentMemberAssignmentKey",
       CheckMessage<group::ConsumerGroupCurrentMemberAssignmentKey>},
      {"ConsumerGroupCurrentMemberAssignmentValue",
       CheckMessage<group::ConsumerGroupCurrentMemberAssignmentValue>},
      {"ConsumerGroupRegularExpressionKey", CheckMessage<group::ConsumerGroupRegularExpressionKey>},
      {"ConsumerGroupRegularExpressionValue",
       CheckMessage<group::ConsumerGroupRegularExpressionValue>},
      {"TransactionLogKey", CheckMessage<transaction::TransactionLogKey>},
      {"TransactionLogValue", CheckMessage<transaction::TransactionLogValue>},
      {"EndTxnMarker", CheckMessage<transaction::EndTxnMarker>},
      {"LeaderChangeMessage", CheckMessage<protocol::LeaderChangeMessage>},
      {"SnapshotHeaderRecord", CheckMessage<protocol::SnapshotHeaderRecord>},
      {"SnapshotFooterRecord", CheckMessage<protocol::SnapshotFooterRecord>},
      {"KRaftVersionRecord", CheckMessage<protocol::KRaftVersionRecord>},
      {"VotersRecord", CheckMessage<protocol::VotersRecord>},
      {"RegisterBrokerRecord", CheckMessage<metadata::RegisterBrokerRecord>},
      {"UnregisterBrokerRecord", CheckMessage<metadata::UnregisterBrokerRecord>},
      {"FenceBrokerRecord", CheckMessage<metadata::FenceBrokerRecord>},
      {"UnfenceBrokerRecord", CheckMessage<metadata::UnfenceBrokerRecord>},
      {"BrokerRegistrationChangeRecord", CheckMessage<metadata::BrokerRegistrationChangeRecord>},
      {"RegisterControllerRecord", CheckMessage<metadata::RegisterControllerRecord>},
      {"FeatureLevelRecord", CheckMessage<metadata::FeatureLevelRecord>},
      {"ProducerIdsRecord", CheckMessage<metadata::ProducerIdsRecord>},
      {"BeginTransactionRecord", CheckMessage<metadata::BeginTransactionRecord>},
      {"EndTransactionRecord", CheckMessage<metadata::EndTransactionRecord>},
      {"AbortTransactionRecord", CheckMessage<metadata::AbortTransactionRecord>},
      {"NoOpRecord", CheckMessage<metadata::NoOpRecord>},
      {"ZkMigrationStateRecord", CheckMessage<metadata::ZkMigrationStateRecord>},
      {"TopicRecord", CheckMessage<metadata::TopicRecord>},
      {"PartitionRecord", CheckMessage<metadata::PartitionRecord>},
      {"PartitionChangeRecord", CheckMessage<metadata::PartitionChangeRecord>},
      {"RemoveTopicRecord", CheckMessage<metadata::RemoveTopicRecord>},
      {"ClearElrRecord", CheckMessage<metadata::ClearElrRecord>},
      {"ConfigRecord", CheckMessage<metadata::ConfigRecord>},
      {"UserScramCredentialRecord", CheckMessage<metadata::UserScramCredentialRecord>},
      {"RemoveUserScramCredentialRecord", CheckMessage<metadata::RemoveUserScramCredentialRecord>},
      {"DelegationTokenRecord", CheckMessage<metadata::DelegationTokenRecord>},
      {"RemoveDelegationTokenRecord", CheckMessage<metadata::RemoveDelegationTokenRecord>},
      {"AccessControlEntryRecord", CheckMessage<metadata::AccessControlEntryRecord>},
      {"RemoveAccessControlEntryRecord", CheckMessage<metadata::RemoveAccessControlEntryRecord>},
      {"ClientQuotaRecord", CheckMessage<metadata::ClientQuotaRecord>},
  };
  checks->insert(checks->end(), std::begin(all), std::end(all));
}

}  // namespace weir::fuzz
