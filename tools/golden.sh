#!/usr/bin/env bash
# Usage: tools/golden.sh FOLDER   FOLDER is the libs folder of an Apache Kafka release (tools/fetch_kafka.sh). Needs a
# JDK and Python. Rewrites in tests/golden: protocol.txt and records.txt (messages and records that Kafka's classes
# serialised), schema.txt (its definitions, which the jars carry, in the form of protocol/schema.h), names.txt (its
# errors, APIs and types of records), metadata.txt (framed records of the metadata log), murmur2.txt (hashes of keys).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

apis=(
  ApiVersions Metadata Produce Fetch ListOffsets CreateTopics DeleteTopics InitProducerId DescribeConfigs
  DescribeCluster FindCoordinator IncrementalAlterConfigs AlterConfigs CreatePartitions DeleteRecords
  OffsetForLeaderEpoch DescribeLogDirs DescribeTopicPartitions DescribeProducers ListConfigResources UpdateFeatures
  GetTelemetrySubscriptions JoinGroup SyncGroup Heartbeat LeaveGroup OffsetCommit OffsetFetch OffsetDelete
  DescribeGroups ListGroups DeleteGroups AddPartitionsToTxn AddOffsetsToTxn EndTxn WriteTxnMarkers TxnOffsetCommit
  DescribeTransactions ListTransactions DescribeAcls CreateAcls DeleteAcls DescribeClientQuotas AlterClientQuotas
  DescribeUserScramCredentials AlterUserScramCredentials SaslHandshake SaslAuthenticate ElectLeaders
  AlterPartitionReassignments ListPartitionReassignments AlterReplicaLogDirs DescribeQuorum UnregisterBroker
  AddRaftVoter RemoveRaftVoter ConsumerGroupHeartbeat ConsumerGroupDescribe BrokerRegistration BrokerHeartbeat
  AlterPartition AssignReplicasToDirs AllocateProducerIds
)
records=(
  RequestHeader ResponseHeader ConsumerProtocolSubscription ConsumerProtocolAssignment LegacyOffsetCommitKey
  LegacyOffsetCommitValue OffsetCommitKey OffsetCommitValue GroupMetadataKey GroupMetadataValue
  ConsumerGroup{Metadata,PartitionMetadata,MemberMetadata}{Key,Value}
  ConsumerGroup{TargetAssignmentMetadata,TargetAssignmentMember,CurrentMemberAssignment,RegularExpression}{Key,Value}
  TransactionLogKey TransactionLogValue EndTxnMarker LeaderChangeMessage SnapshotHeaderRecord SnapshotFooterRecord
  KRaftVersionRecord VotersRecord RegisterBrokerRecord UnregisterBrokerRecord TopicRecord PartitionRecord
  ConfigRecord PartitionChangeRecord FenceBrokerRecord UnfenceBrokerRecord RemoveTopicRecord DelegationTokenRecord
  UserScramCredentialRecord FeatureLevelRecord ClientQuotaRecord ProducerIdsRecord BrokerRegistrationChangeRecord
  AccessControlEntryRecord RemoveAccessControlEntryRecord NoOpRecord ZkMigrationStateRecord
  RemoveUserScramCredentialRecord BeginTransactionRecord EndTransactionRecord AbortTransactionRecord
  RemoveDelegationTokenRecord RegisterControllerRecord ClearElrRecord
)
jar=$(ls "$1"/kafka-clients-*.jar | head -n 1)
version=$(basename "$jar" .jar)
version=${version#kafka-clients-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac -cp "$1/*" -d "$work" "$here"/tests/golden/Generate{Golden,Names,Metadata,Murmur2}.java
run() { java -cp "$work:$1/*" "${@:2}"; }
run "$1" GenerateGolden "$version" "${apis[@]}" >"$work/protocol.txt"
run "$1" GenerateGolden "$version" --records "${records[@]}" >"$work/records.txt"
run "$1" GenerateNames "$version" >"$work/names.txt"
run "$1" GenerateMetadata >"$work/metadata.txt"
run "$1" GenerateMurmur2 >"$work/murmur2.txt"
python3 "$here/tools/golden_schema.py" "$1" "$version" "${apis[@]}" --records "${records[@]}" >"$work/schema.txt"
cp "$work"/*.txt "$here/tests/golden/"
