// Rows that write, each with and without a sync (`fsync`) before the next piece is begun:
//   Append    a batch validated and appended to a log
//   Produce   a request of one batch, acks=all, from its frame to the answer's bytes, through a
//             whole broker (bench/broker_rig.h); `fsync` is weir.flush.policy=ack, else os
// floor: CRC-32C and pwrite of the same batches (bench/write_floor.h), fdatasync with `fsync`; for
// Produce also the copy of the frame that stands for the kernel's.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/endian.h"
#include "bench/bench_log.h"
#include "bench/broker_rig.h"
#include "bench/floor.h"
#include "bench/orders.h"
#include "bench/write_floor.h"
#include "benchmark/benchmark.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/produce.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "protocol/record_batch_validator.h"

namespace weir::bench {
namespace {

constexpr size_t kPiecesPerTurn = 8;

void BM_Append(benchmark::State& state) {
  const bool fsync = state.range(0) != 0;
  std::vector<std::string>& batches = OrderBatches();
  BenchLog ours;
  protocol::RecordBatchValidator validator;
  WriteFloor floor;
  RunAgainstFloor(
      state, batches.size(), kPiecesPerTurn,
      [&](size_t i) {
        WEIR_CHECK(validator.Validate(batches[i], {}, ours.Now()).ok());
        ours.Append(batches[i]);
        if (fsync) ours.Sync();
      },
      [&](size_t i) {
        floor.Append(batches[i]);
        if (fsync) floor.Sync();
      },
      [&](size_t i) { return batches[i].size(); });
  state.counters["fsync"] = fsync;
  benchmark::DoNotOptimize(floor.sum());
}
BENCHMARK(BM_Append)->Name("Append")->ArgName("fsync")->Arg(0)->Arg(1)->UseManualTime();

template <class Request>
std::string Frame(const Request& request, int16_t version) {
  const protocol::RequestHeader header{protocol::InfoOf<Request>().id, version, 1, "bench"};
  std::string frame(4, '\0');
  protocol::EncodeRequestHeader(header, protocol::RequestHeaderVersionOf<Request>(version), &frame);
  protocol::Encode(request, version, &frame);
  StoreBig32(frame.data(), static_cast<uint32_t>(frame.size() - 4));
  return frame;
}

void CreateTopic(BrokerRig& rig) {
  constexpr int16_t kVersion = 7;
  protocol::CreateTopicsRequest request;
  request.topics.push_back({"orders", 1, 1, {}, {}});
  absl::string_view answer = rig.Exchange(Frame(request, kVersion));
  answer.remove_prefix(5);  // correlation id, no tags
  const auto response = protocol::Decode<protocol::CreateTopicsResponse>(answer, kVersion);
  WEIR_CHECK(response.ok() && response->topics[0].error_code == 0);
}

std::vector<std::string> ProduceFrames(int16_t version) {
  std::vector<std::string> frames;
  for (const std::string& batch : OrderBatches()) {
    protocol::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 30'000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "orders";
    topic.partition_data.emplace_back().records.bytes = batch;
    frames.push_back(Frame(request, version));
  }
  return frames;
}

void BM_Produce(benchmark::State& state) {
  constexpr int16_t kVersion = 12;
  const bool fsync = state.range(0) != 0;
  const std::vector<std::string>& batches = OrderBatches();
  const std::vector<std::string> frames = ProduceFrames(kVersion);
  BrokerRig rig({{"weir.flush.policy", fsync ? "ack" : "os"},
                 {"log.segment.bytes", absl::StrCat(kSegmentBytes)},
                 {"log.retention.bytes", absl::StrCat(kSegmentBytes)},
                 {"log.initial.task.delay.ms", "100"},
                 {"log.retention.check.interval.ms", "100"},
                 {"log.segment.delete.delay.ms", "0"}});
  CreateTopic(rig);
  WriteFloor floor;
  std::string received(2 * kBatchBytes, '\0');
  RunAgainstFloor(
      state, batches.size(), kPiecesPerTurn,
      [&](size_t i) {
        absl::string_view answer = rig.Exchange(frames[i]);
        answer.remove_prefix(5);
        const auto response = protocol::Decode<protocol::ProduceResponse>(answer, kVersion);
        WEIR_CHECK(response.ok() && response->responses[0].partition_responses[0].error_code == 0);
      },
      [&](size_t i) {
        std::memcpy(received.data(), frames[i].data(), frames[i].size());
        const size_t overhead = frames[i].size() - batches[i].size();
        floor.Append(absl::string_view(received).substr(overhead, batches[i].size()));
        if (fsync) floor.Sync();
      },
      [&](size_t i) { return batches[i].size(); });
  state.counters["fsync"] = fsync;
  benchmark::DoNotOptimize(floor.sum());
}
BENCHMARK(BM_Produce)->Name("Produce")->ArgName("fsync")->Arg(0)->Arg(1)->UseManualTime();

}  // namespace
}  // namespace weir::bench
