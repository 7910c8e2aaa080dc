// Any bytes, taken for a message of any API and version, or for a stream of frames: decoding ends
// in a message or an error, and a message that came out is stable under encoding and decoding.
//
// bazel test //tests/fuzz:decode_fuzz_test           replays and mutates Kafka's own messages
// bazel run --config=fuzz //tests/fuzz:decode_fuzz   searches, with libFuzzer
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/describe_topic_partitions.h"
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
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "protocol/api/produce.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/update_features.h"
#include "protocol/framing.h"
#include "protocol/headers.h"
#include "protocol/message.h"

namespace weir::protocol {
namespace {

template <class M>
void CheckMessage(absl::string_view bytes, int16_t version) {
  const absl::StatusOr<M> message = Decode<M>(bytes, version);
  if (!message.ok()) {
    WEIR_CHECK(!message.status().message().empty());
    return;
  }
  std::string once;
  Encode(*message, version, &once);
  WEIR_CHECK(once.size() == EncodedSize(*message, version));
  const absl::StatusOr<M> again = Decode<M>(once, version);
  WEIR_CHECK(again.ok());
  std::string twice;
  Encode(*again, version, &twice);
  WEIR_CHECK(once == twice);
}

void CheckHeaders(absl::string_view bytes, int16_t version) {
  absl::string_view rest = bytes;
  const absl::StatusOr<RequestHeader> request = DecodeRequestHeader(&rest, version % 2 + 1);
  if (request.ok()) WEIR_CHECK(rest.size() < bytes.size());
  rest = bytes;
  const absl::StatusOr<ResponseHeader> response = DecodeResponseHeader(&rest, version % 2);
  if (response.ok()) WEIR_CHECK(rest.size() < bytes.size());
}

// However a stream is cut into pieces, the same frames come out of it.
void CheckFraming(absl::string_view bytes, size_t step) {
  std::string whole, pieces;
  const auto feed = [](FrameSplitter& splitter, absl::string_view part, std::string& found) {
    splitter.Feed(part);
    while (true) {
      const auto frame = splitter.Next();
      if (!frame.ok()) return false;
      if (!frame->has_value()) return true;
      found.append((*frame)->data(), (*frame)->size());
      found.push_back('|');
    }
  };
  FrameSplitter at_once(4096, 1);
  feed(at_once, bytes, whole);
  FrameSplitter in_pieces(4096, 1);
  for (size_t at = 0; at < bytes.size(); at += step) {
    if (!feed(in_pieces, bytes.substr(at, step), pieces)) break;
  }
  WEIR_CHECK(whole == pieces);
}

using Check = void (*)(absl::string_view, int16_t);

// In the order of tests/golden/protocol.txt, which the driver of the ordinary test relies on.
constexpr Check kChecks[] = {
    CheckMessage<ApiVersionsRequest>,
    CheckMessage<ApiVersionsResponse>,
    CheckMessage<MetadataRequest>,
    CheckMessage<MetadataResponse>,
    CheckMessage<ProduceRequest>,
    CheckMessage<ProduceResponse>,
    CheckMessage<FetchRequest>,
    CheckMessage<FetchResponse>,
    CheckMessage<ListOffsetsRequest>,
    CheckMessage<ListOffsetsResponse>,
    CheckMessage<CreateTopicsRequest>,
    CheckMessage<CreateTopicsResponse>,
    CheckMessage<DeleteTopicsRequest>,
    CheckMessage<DeleteTopicsResponse>,
    CheckMessage<InitProducerIdRequest>,
    CheckMessage<InitProducerIdResponse>,
    CheckMessage<DescribeConfigsRequest>,
    CheckMessage<DescribeConfigsResponse>,
    CheckMessage<DescribeClusterRequest>,
    CheckMessage<DescribeClusterResponse>,
    CheckMessage<FindCoordinatorRequest>,
    CheckMessage<FindCoordinatorResponse>,
    CheckMessage<IncrementalAlterConfigsRequest>,
    CheckMessage<IncrementalAlterConfigsResponse>,
    CheckMessage<AlterConfigsRequest>,
    CheckMessage<AlterConfigsResponse>,
    CheckMessage<CreatePartitionsRequest>,
    CheckMessage<CreatePartitionsResponse>,
    CheckMessage<DeleteRecordsRequest>,
    CheckMessage<DeleteRecordsResponse>,
    CheckMessage<OffsetForLeaderEpochRequest>,
    CheckMessage<OffsetForLeaderEpochResponse>,
    CheckMessage<DescribeLogDirsRequest>,
    CheckMessage<DescribeLogDirsResponse>,
    CheckMessage<DescribeTopicPartitionsRequest>,
    CheckMessage<DescribeTopicPartitionsResponse>,
    CheckMessage<DescribeProducersRequest>,
    CheckMessage<DescribeProducersResponse>,
    CheckMessage<ListConfigResourcesRequest>,
    CheckMessage<ListConfigResourcesResponse>,
    CheckMessage<UpdateFeaturesRequest>,
    CheckMessage<UpdateFeaturesResponse>,
    CheckMessage<GetTelemetrySubscriptionsRequest>,
    CheckMessage<GetTelemetrySubscriptionsResponse>,
    CheckMessage<JoinGroupRequest>,
    CheckMessage<JoinGroupResponse>,
    CheckMessage<SyncGroupRequest>,
    CheckMessage<SyncGroupResponse>,
    CheckMessage<HeartbeatRequest>,
    CheckMessage<HeartbeatResponse>,
    CheckMessage<LeaveGroupRequest>,
    CheckMessage<LeaveGroupResponse>,
    CheckMessage<OffsetCommitRequest>,
    CheckMessage<OffsetCommitResponse>,
    CheckMessage<OffsetFetchRequest>,
    CheckMessage<OffsetFetchResponse>,
    CheckMessage<OffsetDeleteRequest>,
    CheckMessage<OffsetDeleteResponse>,
    CheckMessage<DescribeGroupsRequest>,
    CheckMessage<DescribeGroupsResponse>,
    CheckMessage<ListGroupsRequest>,
    CheckMessage<ListGroupsResponse>,
    CheckMessage<DeleteGroupsRequest>,
    CheckMessage<DeleteGroupsResponse>,
};

}  // namespace
}  // namespace weir::protocol

// The first byte chooses the message, the second its version, the rest is the message.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using weir::protocol::kChecks;
  if (size < 2) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const int16_t version = data[1] % 32;
  kChecks[data[0] % (sizeof(kChecks) / sizeof(kChecks[0]))](bytes, version);
  weir::protocol::CheckHeaders(bytes, version);
  weir::protocol::CheckFraming(bytes, static_cast<size_t>(data[1]) + 1);
  return 0;
}
