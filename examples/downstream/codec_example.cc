// Encodes a ListOffsets request in every version that it has, reads it back and prints it.
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/statusor.h"
#include "protocol/api/list_offsets.h"
#include "protocol/message.h"

int main() {
  using weir::protocol::ListOffsetsRequest;
  ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics.emplace_back();
  request.topics[0].name = "orders";
  request.topics[0].partitions.emplace_back();
  request.topics[0].partitions[0].timestamp = -1;  // latest

  const auto versions = ListOffsetsRequest::kApi.versions;
  for (int16_t version = versions.min; version <= versions.max; ++version) {
    std::string bytes;
    weir::protocol::Encode(request, version, &bytes);
    const absl::StatusOr<ListOffsetsRequest> decoded =
        weir::protocol::Decode<ListOffsetsRequest>(bytes, version);
    if (!decoded.ok() || decoded->topics[0].name != "orders") {
      std::printf("version %d: %s\n", version, decoded.status().ToString().c_str());
      return 1;
    }
    std::printf("version %2d: %zu bytes\n", version, bytes.size());
  }
  std::printf("%s\n", weir::protocol::ToString(request).c_str());
  return 0;
}
