// -----------------------------------------------------------------------------
// File: coordination/metadata/records.h
// -----------------------------------------------------------------------------
// Any one record of the cluster metadata log.
// Format: docs/formats/metadata.md; the records are declared in records/.
#ifndef WEIR_COORDINATION_METADATA_RECORDS_H_
#define WEIR_COORDINATION_METADATA_RECORDS_H_

#include <utility>
#include <variant>
#include <vector>

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

// Appends all of *from to *to. (Inserting a range would compile assignments of all types as well.)
inline void MoveRecords(std::vector<MetadataRecord>* from, std::vector<MetadataRecord>* to) {
  for (MetadataRecord& record : *from) to->push_back(std::move(record));
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_RECORDS_H_
