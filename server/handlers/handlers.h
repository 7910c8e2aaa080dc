// -----------------------------------------------------------------------------
// File: server/handlers/handlers.h
// -----------------------------------------------------------------------------
// One function for each API that the broker serves: decodes the request, acts, and answers it by
// Respond, RespondNothing or CloseConnection, now or later. A body that does not decode closes the
// connection, as Kafka does. server/router.cc lists them with their versions.
// Threading: called on the shard of the connection.
#ifndef WEIR_SERVER_HANDLERS_HANDLERS_H_
#define WEIR_SERVER_HANDLERS_HANDLERS_H_

#include "server/request.h"

namespace weir::server {

void HandleProduce(const RequestRef& request);
void HandleFetch(const RequestRef& request);
void HandleListOffsets(const RequestRef& request);
void HandleMetadata(const RequestRef& request);
void HandleDescribeCluster(const RequestRef& request);
void HandleFindCoordinator(const RequestRef& request);
void HandleApiVersions(const RequestRef& request);
void HandleCreateTopics(const RequestRef& request);
void HandleDeleteTopics(const RequestRef& request);
void HandleCreatePartitions(const RequestRef& request);
void HandleIncrementalAlterConfigs(const RequestRef& request);
void HandleAlterConfigs(const RequestRef& request);
void HandleGetTelemetrySubscriptions(const RequestRef& request);
void HandleListConfigResources(const RequestRef& request);
void HandleDeleteRecords(const RequestRef& request);
void HandleOffsetForLeaderEpoch(const RequestRef& request);
void HandleDescribeProducers(const RequestRef& request);
void HandleDescribeTopicPartitions(const RequestRef& request);
void HandleAlterReplicaLogDirs(const RequestRef& request);
void HandleDescribeLogDirs(const RequestRef& request);
void HandleDescribeQuorum(const RequestRef& request);
void HandleAddRaftVoter(const RequestRef& request);
void HandleRemoveRaftVoter(const RequestRef& request);
void HandleUpdateFeatures(const RequestRef& request);
void HandleDescribeConfigs(const RequestRef& request);
void HandleInitProducerId(const RequestRef& request);
void HandleJoinGroup(const RequestRef& request);
void HandleSyncGroup(const RequestRef& request);
void HandleHeartbeat(const RequestRef& request);
void HandleLeaveGroup(const RequestRef& request);
void HandleOffsetCommit(const RequestRef& request);
void HandleOffsetFetch(const RequestRef& request);
void HandleOffsetDelete(const RequestRef& request);
void HandleDescribeGroups(const RequestRef& request);
void HandleListGroups(const RequestRef& request);
void HandleDeleteGroups(const RequestRef& request);
void HandleElectLeaders(const RequestRef& request);
void HandleAlterPartitionReassignments(const RequestRef& request);
void HandleListPartitionReassignments(const RequestRef& request);
void HandleUnregisterBroker(const RequestRef& request);
void HandleDescribeClientQuotas(const RequestRef& request);
void HandleAlterClientQuotas(const RequestRef& request);
void HandleDescribeUserScramCredentials(const RequestRef& request);
void HandleAlterUserScramCredentials(const RequestRef& request);
void HandleDescribeAcls(const RequestRef& request);
void HandleCreateAcls(const RequestRef& request);
void HandleDeleteAcls(const RequestRef& request);

}  // namespace weir::server

#endif  // WEIR_SERVER_HANDLERS_HANDLERS_H_
