// -----------------------------------------------------------------------------
// File: coordination/metadata/records.h
// -----------------------------------------------------------------------------
// Any one record of the cluster metadata log.
// Format: docs/formats/metadata.md; the records are declared in records/.
#ifndef WEIR_COORDINATION_METADATA_RECORDS_H_
#define WEIR_COORDINATION_METADATA_RECORDS_H_

#include <variant>

#include "coordination/metadata/records/cluster.h"
#include "coordination/metadata/records/security.h"
#include "coordination/metadata/records/topic.h"

namespace weir::metadata {

using MetadataRecord = std::variant<
    NoOpRecord, RegisterBrokerRecord, UnregisterBrokerRecord, TopicRecord, PartitionRecord,
    ConfigRecord, PartitionChangeRecord, FenceBrokerRecord, UnfenceBrokerRecord, RemoveTopicRecord,
    DelegationTokenRecord, UserScramCredentialRecord, FeatureLevelRecord, ClientQuotaRecord,
    ProducerIdsRecord, BrokerRegistrationChangeRecord, AccessControlEntryRecord,
    RemoveAccessControlEntryRecord, ZkMigrationStateRecord, RemoveUserScramCredentialRecord,
    BeginTransactionRecord, EndTransactionRecord, AbortTransactionRecord,
    RemoveDelegationTokenRecord, RegisterControllerRecord, ClearElrRecord>;

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORDS_H_
