// -----------------------------------------------------------------------------
// File: client/response_of.h
// -----------------------------------------------------------------------------
// ResponseOf<FetchRequest> is FetchResponse, and so on for every API that clients call. Only names:
// whoever sends a request includes its header of protocol/api/.
#ifndef WEIR_CLIENT_RESPONSE_OF_H_
#define WEIR_CLIENT_RESPONSE_OF_H_

namespace weir::protocol {

struct ProduceRequest;
struct ProduceResponse;
struct FetchRequest;
struct FetchResponse;
struct ListOffsetsRequest;
struct ListOffsetsResponse;
struct MetadataRequest;
struct MetadataResponse;
struct OffsetCommitRequest;
struct OffsetCommitResponse;
struct OffsetFetchRequest;
struct OffsetFetchResponse;
struct FindCoordinatorRequest;
struct FindCoordinatorResponse;
struct JoinGroupRequest;
struct JoinGroupResponse;
struct HeartbeatRequest;
struct HeartbeatResponse;
struct LeaveGroupRequest;
struct LeaveGroupResponse;
struct SyncGroupRequest;
struct SyncGroupResponse;
struct DescribeGroupsRequest;
struct DescribeGroupsResponse;
struct ListGroupsRequest;
struct ListGroupsResponse;
struct ApiVersionsRequest;
struct ApiVersionsResponse;
struct CreateTopicsRequest;
struct CreateTopicsResponse;
struct DeleteTopicsRequest;
struct DeleteTopicsResponse;
struct DeleteRecordsRequest;
struct DeleteRecordsResponse;
struct InitProducerIdRequest;
struct InitProducerIdResponse;
struct OffsetForLeaderEpochRequest;
struct OffsetForLeaderEpochResponse;
struct DescribeConfigsRequest;
struct DescribeConfigsResponse;
struct AlterConfigsRequest;
struct AlterConfigsResponse;
struct AlterReplicaLogDirsRequest;
struct AlterReplicaLogDirsResponse;
struct DescribeLogDirsRequest;
struct DescribeLogDirsResponse;
struct CreatePartitionsRequest;
struct CreatePartitionsResponse;
struct DeleteGroupsRequest;
struct DeleteGroupsResponse;
struct IncrementalAlterConfigsRequest;
struct IncrementalAlterConfigsResponse;
struct OffsetDeleteRequest;
struct OffsetDeleteResponse;
struct DescribeClusterRequest;
struct DescribeClusterResponse;
struct DescribeProducersRequest;
struct DescribeProducersResponse;
struct DescribeTopicPartitionsRequest;
struct DescribeTopicPartitionsResponse;
struct ListConfigResourcesRequest;
struct ListConfigResourcesResponse;
struct DescribeQuorumRequest;
struct DescribeQuorumResponse;
struct AddRaftVoterRequest;
struct AddRaftVoterResponse;
struct RemoveRaftVoterRequest;
struct RemoveRaftVoterResponse;
struct AlterPartitionReassignmentsRequest;
struct AlterPartitionReassignmentsResponse;
struct ListPartitionReassignmentsRequest;
struct ListPartitionReassignmentsResponse;
struct ElectLeadersRequest;
struct ElectLeadersResponse;

}  // namespace weir::protocol

namespace weir::client {

namespace client_internal {

template <class Request>
struct ResponseType;

template <>
struct ResponseType<protocol::ProduceRequest> {
  using type = protocol::ProduceResponse;
};
template <>
struct ResponseType<protocol::FetchRequest> {
  using type = protocol::FetchResponse;
};
template <>
struct ResponseType<protocol::ListOffsetsRequest> {
  using type = protocol::ListOffsetsResponse;
};
template <>
struct ResponseType<protocol::MetadataRequest> {
  using type = protocol::MetadataResponse;
};
template <>
struct ResponseType<protocol::OffsetCommitRequest> {
  using type = protocol::OffsetCommitResponse;
};
template <>
struct ResponseType<protocol::OffsetFetchRequest> {
  using type = protocol::OffsetFetchResponse;
};
template <>
struct ResponseType<protocol::FindCoordinatorRequest> {
  using type = protocol::FindCoordinatorResponse;
};
template <>
struct ResponseType<protocol::JoinGroupRequest> {
  using type = protocol::JoinGroupResponse;
};
template <>
struct ResponseType<protocol::HeartbeatRequest> {
  using type = protocol::HeartbeatResponse;
};
template <>
struct ResponseType<protocol::LeaveGroupRequest> {
  using type = protocol::LeaveGroupResponse;
};
template <>
struct ResponseType<protocol::SyncGroupRequest> {
  using type = protocol::SyncGroupResponse;
};
template <>
struct ResponseType<protocol::DescribeGroupsRequest> {
  using type = protocol::DescribeGroupsResponse;
};
template <>
struct ResponseType<protocol::ListGroupsRequest> {
  using type = protocol::ListGroupsResponse;
};
template <>
struct ResponseType<protocol::ApiVersionsRequest> {
  using type = protocol::ApiVersionsResponse;
};
template <>
struct ResponseType<protocol::CreateTopicsRequest> {
  using type = protocol::CreateTopicsResponse;
};
template <>
struct ResponseType<protocol::DeleteTopicsRequest> {
  using type = protocol::DeleteTopicsResponse;
};
template <>
struct ResponseType<protocol::DeleteRecordsRequest> {
  using type = protocol::DeleteRecordsResponse;
};
template <>
struct ResponseType<protocol::InitProducerIdRequest> {
  using type = protocol::InitProducerIdResponse;
};
template <>
struct ResponseType<protocol::OffsetForLeaderEpochRequest> {
  using type = protocol::OffsetForLeaderEpochResponse;
};
template <>
struct ResponseType<protocol::DescribeConfigsRequest> {
  using type = protocol::DescribeConfigsResponse;
};
template <>
struct ResponseType<protocol::AlterConfigsRequest> {
  using type = protocol::AlterConfigsResponse;
};
template <>
struct ResponseType<protocol::AlterReplicaLogDirsRequest> {
  using type = protocol::AlterReplicaLogDirsResponse;
};
template <>
struct ResponseType<protocol::DescribeLogDirsRequest> {
  using type = protocol::DescribeLogDirsResponse;
};
template <>
struct ResponseType<protocol::CreatePartitionsRequest> {
  using type = protocol::CreatePartitionsResponse;
};
template <>
struct ResponseType<protocol::DeleteGroupsRequest> {
  using type = protocol::DeleteGroupsResponse;
};
template <>
struct ResponseType<protocol::IncrementalAlterConfigsRequest> {
  using type = protocol::IncrementalAlterConfigsResponse;
};
template <>
struct ResponseType<protocol::OffsetDeleteRequest> {
  using type = protocol::OffsetDeleteResponse;
};
template <>
struct ResponseType<protocol::DescribeClusterRequest> {
  using type = protocol::DescribeClusterResponse;
};
template <>
struct ResponseType<protocol::DescribeProducersRequest> {
  using type = protocol::DescribeProducersResponse;
};
template <>
struct ResponseType<protocol::DescribeTopicPartitionsRequest> {
  using type = protocol::DescribeTopicPartitionsResponse;
};
template <>
struct ResponseType<protocol::ListConfigResourcesRequest> {
  using type = protocol::ListConfigResourcesResponse;
};
template <>
struct ResponseType<protocol::DescribeQuorumRequest> {
  using type = protocol::DescribeQuorumResponse;
};
template <>
struct ResponseType<protocol::AddRaftVoterRequest> {
  using type = protocol::AddRaftVoterResponse;
};
template <>
struct ResponseType<protocol::RemoveRaftVoterRequest> {
  using type = protocol::RemoveRaftVoterResponse;
};
template <>
struct ResponseType<protocol::AlterPartitionReassignmentsRequest> {
  using type = protocol::AlterPartitionReassignmentsResponse;
};
template <>
struct ResponseType<protocol::ListPartitionReassignmentsRequest> {
  using type = protocol::ListPartitionReassignmentsResponse;
};
template <>
struct ResponseType<protocol::ElectLeadersRequest> {
  using type = protocol::ElectLeadersResponse;
};

}  // namespace client_internal

template <class Request>
using ResponseOf = typename client_internal::ResponseType<Request>::type;

}  // namespace weir::client

#endif  // WEIR_CLIENT_RESPONSE_OF_H_
