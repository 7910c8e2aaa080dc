// -----------------------------------------------------------------------------
// File: protocol/api_list.h
// -----------------------------------------------------------------------------
// Which requests and responses protocol/api/ declares, as lists of types for code that does
// something with every one of them: printers, fuzzers, tables. Only names stand here, so that
// including it costs nothing: who instantiates something for a list includes the headers of that
// list, and best does so in a translation unit for each.
//
//   template <class... Apis>
//   auto Rows(ApiList<Apis...>) { return std::array{RowOf<typename Apis::Request>()...}; }
//   Rows(RecordApis());
//
// A new header of protocol/api/ adds its two names and its line to the list that it belongs to.
#ifndef WEIR_PROTOCOL_API_LIST_H_
#define WEIR_PROTOCOL_API_LIST_H_

#include <cstddef>

namespace weir::protocol {

struct AddOffsetsToTxnRequest;
struct AddOffsetsToTxnResponse;
struct AddPartitionsToTxnRequest;
struct AddPartitionsToTxnResponse;
struct AddRaftVoterRequest;
struct AddRaftVoterResponse;
struct AllocateProducerIdsRequest;
struct AllocateProducerIdsResponse;
struct AlterClientQuotasRequest;
struct AlterClientQuotasResponse;
struct AlterConfigsRequest;
struct AlterConfigsResponse;
struct AlterPartitionReassignmentsRequest;
struct AlterPartitionReassignmentsResponse;
struct AlterPartitionRequest;
struct AlterPartitionResponse;
struct AlterReplicaLogDirsRequest;
struct AlterReplicaLogDirsResponse;
struct AlterUserScramCredentialsRequest;
struct AlterUserScramCredentialsResponse;
struct ApiVersionsRequest;
struct ApiVersionsResponse;
struct AssignReplicasToDirsRequest;
struct AssignReplicasToDirsResponse;
struct BrokerHeartbeatRequest;
struct BrokerHeartbeatResponse;
struct BrokerRegistrationRequest;
struct BrokerRegistrationResponse;
struct ConsumerGroupDescribeRequest;
struct ConsumerGroupDescribeResponse;
struct ConsumerGroupHeartbeatRequest;
struct ConsumerGroupHeartbeatResponse;
struct CreateAclsRequest;
struct CreateAclsResponse;
struct CreatePartitionsRequest;
struct CreatePartitionsResponse;
struct CreateTopicsRequest;
struct CreateTopicsResponse;
struct DeleteAclsRequest;
struct DeleteAclsResponse;
struct DeleteGroupsRequest;
struct DeleteGroupsResponse;
struct DeleteRecordsRequest;
struct DeleteRecordsResponse;
struct DeleteTopicsRequest;
struct DeleteTopicsResponse;
struct DescribeAclsRequest;
struct DescribeAclsResponse;
struct DescribeClientQuotasRequest;
struct DescribeClientQuotasResponse;
struct DescribeClusterRequest;
struct DescribeClusterResponse;
struct DescribeConfigsRequest;
struct DescribeConfigsResponse;
struct DescribeGroupsRequest;
struct DescribeGroupsResponse;
struct DescribeLogDirsRequest;
struct DescribeLogDirsResponse;
struct DescribeProducersRequest;
struct DescribeProducersResponse;
struct DescribeQuorumRequest;
struct DescribeQuorumResponse;
struct DescribeTopicPartitionsRequest;
struct DescribeTopicPartitionsResponse;
struct DescribeTransactionsRequest;
struct DescribeTransactionsResponse;
struct DescribeUserScramCredentialsRequest;
struct DescribeUserScramCredentialsResponse;
struct ElectLeadersRequest;
struct ElectLeadersResponse;
struct EndTxnRequest;
struct EndTxnResponse;
struct FetchRequest;
struct FetchResponse;
struct FindCoordinatorRequest;
struct FindCoordinatorResponse;
struct GetTelemetrySubscriptionsRequest;
struct GetTelemetrySubscriptionsResponse;
struct HeartbeatRequest;
struct HeartbeatResponse;
struct IncrementalAlterConfigsRequest;
struct IncrementalAlterConfigsResponse;
struct InitProducerIdRequest;
struct InitProducerIdResponse;
struct JoinGroupRequest;
struct JoinGroupResponse;
struct LeaveGroupRequest;
struct LeaveGroupResponse;
struct ListConfigResourcesRequest;
struct ListConfigResourcesResponse;
struct ListGroupsRequest;
struct ListGroupsResponse;
struct ListOffsetsRequest;
struct ListOffsetsResponse;
struct ListPartitionReassignmentsRequest;
struct ListPartitionReassignmentsResponse;
struct ListTransactionsRequest;
struct ListTransactionsResponse;
struct MetadataRequest;
struct MetadataResponse;
struct OffsetCommitRequest;
struct OffsetCommitResponse;
struct OffsetDeleteRequest;
struct OffsetDeleteResponse;
struct OffsetFetchRequest;
struct OffsetFetchResponse;
struct OffsetForLeaderEpochRequest;
struct OffsetForLeaderEpochResponse;
struct ProduceRequest;
struct ProduceResponse;
struct RemoveRaftVoterRequest;
struct RemoveRaftVoterResponse;
struct SaslAuthenticateRequest;
struct SaslAuthenticateResponse;
struct SaslHandshakeRequest;
struct SaslHandshakeResponse;
struct SyncGroupRequest;
struct SyncGroupResponse;
struct TxnOffsetCommitRequest;
struct TxnOffsetCommitResponse;
struct UnregisterBrokerRequest;
struct UnregisterBrokerResponse;
struct UpdateFeaturesRequest;
struct UpdateFeaturesResponse;
struct WriteTxnMarkersRequest;
struct WriteTxnMarkersResponse;

template <class RequestType, class ResponseType>
struct ApiOf {
  using Request = RequestType;
  using Response = ResponseType;
};

template <class... Apis>
struct ApiList {
  static constexpr size_t kSize = sizeof...(Apis);
};

// Records and where they are.
using RecordApis =
    ApiList<ApiOf<ProduceRequest, ProduceResponse>, ApiOf<FetchRequest, FetchResponse>,
            ApiOf<ListOffsetsRequest, ListOffsetsResponse>,
            ApiOf<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>,
            ApiOf<DeleteRecordsRequest, DeleteRecordsResponse>,
            ApiOf<DescribeProducersRequest, DescribeProducersResponse>>;

// What a client begins with, and what the cluster is.
using ClusterApis =
    ApiList<ApiOf<ApiVersionsRequest, ApiVersionsResponse>,
            ApiOf<MetadataRequest, MetadataResponse>,
            ApiOf<FindCoordinatorRequest, FindCoordinatorResponse>,
            ApiOf<InitProducerIdRequest, InitProducerIdResponse>,
            ApiOf<DescribeClusterRequest, DescribeClusterResponse>,
            ApiOf<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>,
            ApiOf<DescribeLogDirsRequest, DescribeLogDirsResponse>,
            ApiOf<GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse>>;

// Groups, of the classic protocol and of KIP-848, and their offsets.
using GroupApis = ApiList<
    ApiOf<JoinGroupRequest, JoinGroupResponse>, ApiOf<SyncGroupRequest, SyncGroupResponse>,
    ApiOf<HeartbeatRequest, HeartbeatResponse>, ApiOf<LeaveGroupRequest, LeaveGroupResponse>,
    ApiOf<OffsetCommitRequest, OffsetCommitResponse>,
    ApiOf<OffsetFetchRequest, OffsetFetchResponse>,
    ApiOf<OffsetDeleteRequest, OffsetDeleteResponse>,
    ApiOf<DescribeGroupsRequest, DescribeGroupsResponse>,
    ApiOf<ListGroupsRequest, ListGroupsResponse>, ApiOf<DeleteGroupsRequest, DeleteGroupsResponse>,
    ApiOf<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>,
    ApiOf<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>>;

// What changes topics and configurations.
using AdminApis = ApiList<ApiOf<CreateTopicsRequest, CreateTopicsResponse>,
                          ApiOf<DeleteTopicsRequest, DeleteTopicsResponse>,
                          ApiOf<CreatePartitionsRequest, CreatePartitionsResponse>,
                          ApiOf<DescribeConfigsRequest, DescribeConfigsResponse>,
                          ApiOf<AlterConfigsRequest, AlterConfigsResponse>,
                          ApiOf<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>,
                          ApiOf<ListConfigResourcesRequest, ListConfigResourcesResponse>,
                          ApiOf<UpdateFeaturesRequest, UpdateFeaturesResponse>>;

// Transactions.
using TransactionApis = ApiList<ApiOf<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>,
                                ApiOf<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>,
                                ApiOf<EndTxnRequest, EndTxnResponse>,
                                ApiOf<TxnOffsetCommitRequest, TxnOffsetCommitResponse>,
                                ApiOf<WriteTxnMarkersRequest, WriteTxnMarkersResponse>,
                                ApiOf<DescribeTransactionsRequest, DescribeTransactionsResponse>,
                                ApiOf<ListTransactionsRequest, ListTransactionsResponse>>;

// Who a client is, what it may do, and how much of it.
using SecurityApis =
    ApiList<ApiOf<SaslHandshakeRequest, SaslHandshakeResponse>,
            ApiOf<SaslAuthenticateRequest, SaslAuthenticateResponse>,
            ApiOf<DescribeAclsRequest, DescribeAclsResponse>,
            ApiOf<CreateAclsRequest, CreateAclsResponse>,
            ApiOf<DeleteAclsRequest, DeleteAclsResponse>,
            ApiOf<DescribeClientQuotasRequest, DescribeClientQuotasResponse>,
            ApiOf<AlterClientQuotasRequest, AlterClientQuotasResponse>,
            ApiOf<DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse>,
            ApiOf<AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse>>;

// What moves and elects replicas, and the quorum of controllers.
using OperationApis =
    ApiList<ApiOf<ElectLeadersRequest, ElectLeadersResponse>,
            ApiOf<AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse>,
            ApiOf<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>,
            ApiOf<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse>,
            ApiOf<DescribeQuorumRequest, DescribeQuorumResponse>,
            ApiOf<AddRaftVoterRequest, AddRaftVoterResponse>,
            ApiOf<RemoveRaftVoterRequest, RemoveRaftVoterResponse>,
            ApiOf<UnregisterBrokerRequest, UnregisterBrokerResponse>>;

// What brokers ask of the controller, apart from what their clients ask of it.
using ControllerApis = ApiList<ApiOf<BrokerRegistrationRequest, BrokerRegistrationResponse>,
                               ApiOf<BrokerHeartbeatRequest, BrokerHeartbeatResponse>,
                               ApiOf<AlterPartitionRequest, AlterPartitionResponse>,
                               ApiOf<AssignReplicasToDirsRequest, AssignReplicasToDirsResponse>,
                               ApiOf<AllocateProducerIdsRequest, AllocateProducerIdsResponse>>;

namespace protocol_internal {

template <class... Lists>
struct Joined;
template <class... Apis>
struct Joined<ApiList<Apis...>> {
  using List = ApiList<Apis...>;
};
template <class... First, class... Second, class... Rest>
struct Joined<ApiList<First...>, ApiList<Second...>, Rest...> {
  using List = typename Joined<ApiList<First..., Second...>, Rest...>::List;
};

}  // namespace protocol_internal

using AllApis =
    protocol_internal::Joined<RecordApis, ClusterApis, GroupApis, AdminApis, TransactionApis,
                              SecurityApis, OperationApis, ControllerApis>::List;

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_API_LIST_H_
