// -----------------------------------------------------------------------------
// File: client/producer.h
// -----------------------------------------------------------------------------
// Writes records to topics.
//
//   Producer producer(cluster, {.compression = protocol::Codec::kZstd});
//   WEIR_RETURN_IF_ERROR(producer.Send({.topic = "t", .key = "k", .value = "v"},
//                                      [](const Delivery& d) { ... d.status, d.offset ... }));
//   WEIR_RETURN_IF_ERROR(producer.Flush(10'000));
//
// Send() copies the record into a batch and returns; batches go out while Send(), Poll() or Flush()
// run. What is guaranteed is in client/producer_core.h.
// Threading: that of its Cluster. Callbacks run inside these calls and may send.
// Errors: Send() gives kNotFound or kUnavailable when the topic cannot be found in time,
// kResourceExhausted when the buffer stays full for max_block_ms, kInvalidArgument for a partition
// or a record that cannot be; then the callback is not called. Everything later comes to the
// callback.
#ifndef WEIR_CLIENT_PRODUCER_H_
#define WEIR_CLIENT_PRODUCER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/cluster.h"
#include "client/connection.h"
#include "client/partitioner.h"
#include "client/producer_core.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/produce.h"
#include "protocol/describe.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch_builder.h"

namespace weir::client {

// Borrowed during Send() alone.
struct ProducerRecord {
  absl::string_view topic;
  std::optional<absl::string_view> key;
  std::optional<absl::string_view> value;
  std::optional<int32_t> partition;      // without, the partitioner decides
  std::optional<TimestampMs> timestamp;  // without, now
  absl::Span<const protocol::RecordHeader> headers;
};

class Producer {
 public:
  Producer(Cluster& cluster, ProducerConfig config)
      : cluster_(cluster), config_(std::move(config)), core_(config_) {}
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  // Records that were not flushed are given up.
  ~Producer() { Close(0).IgnoreError(); }

  absl::Status Send(const ProducerRecord& record, DeliveryCallback done = nullptr) {
    if (closed_) return absl::FailedPreconditionError("the producer is closed");
    const MonotonicNs deadline = cluster_.After(config_.max_block_ms);
    WEIR_ASSIGN_OR_RETURN(const TopicInfo* topic, FindTopic(record.topic, deadline));
    const int64_t bytes = RecordBytes(record);
    WEIR_ASSIGN_OR_RETURN(const int32_t partition, Choose(*topic, record, bytes));
    while (!core_.HasRoom(bytes)) {
      if (cluster_.Now() >= deadline) {
        return absl::ResourceExhaustedError(
            absl::StrCat("buffer.memory of ", config_.buffer_memory, " bytes is full"));
      }
      Pump(deadline);
    }
    protocol::RecordToAppend entry;
    entry.timestamp = record.timestamp.value_or(cluster_.WallMs());
    entry.key = record.key;
    entry.value = record.value;
    entry.headers = record.headers;
    const MonotonicNs now = cluster_.Now();
    WEIR_RETURN_IF_ERROR(core_.Append(record.topic, partition, entry, std::move(done), now));
    if (core_.HasWork(now)) Pump(now);
    return absl::OkStatus();
  }

  // Lets batches go and answers come for so long.
  void Poll(int64_t timeout_ms) {
    const MonotonicNs until = cluster_.After(timeout_ms);
    do {
      Pump(until);
    } while (cluster_.Now() < until);
  }

  // Sends everything and waits until all of it has its Delivery, or kDeadlineExceeded.
  absl::Status Flush(int64_t timeout_ms) {
    const MonotonicNs deadline = cluster_.After(timeout_ms);
    flushing_ = true;
    while (!core_.empty() && cluster_.Now() < deadline) Pump(deadline);
    flushing_ = false;
    if (core_.empty()) return absl::OkStatus();
    return absl::DeadlineExceededError(
        absl::StrCat("records of ", core_.memory(), " bytes are not delivered yet"));
  }

  // Flushes, then gives up what is left; what is under way gets no Delivery then.
  absl::Status Close(int64_t timeout_ms) {
    if (closed_) return absl::OkStatus();
    const absl::Status status = Flush(timeout_ms);
    closed_ = true;
    alive_.reset();
    core_.Abort(absl::CancelledError("the producer was closed"));
    core_.RunCallbacks();
    return status;
  }

  // The partition that Send() would choose now; for tools and tests.
  absl::StatusOr<int32_t> PartitionOf(absl::string_view topic, absl::string_view key) {
    WEIR_ASSIGN_OR_RETURN(const TopicInfo* info,
                          FindTopic(topic, cluster_.After(config_.max_block_ms)));
    return PartitionForKey(key, static_cast<int32_t>(info->partitions.size()));
  }

  bool empty() const { return core_.empty(); }
  int64_t buffered_bytes() const { return core_.memory(); }

 private:
  static int64_t RecordBytes(const ProducerRecord& record) {
    size_t bytes = 20 + record.key.value_or("").size() + record.value.value_or("").size();
    for (const protocol::RecordHeader& header : record.headers) {
      bytes += 10 + header.key.size() + header.value.value_or("").size();
    }
    return static_cast<int64_t>(bytes);
  }

  absl::StatusOr<const TopicInfo*> FindTopic(absl::string_view name, MonotonicNs deadline) {
    while (true) {
      const TopicInfo* topic = cluster_.metadata().Find(name);
      if (topic != nullptr && !topic->partitions.empty()) return topic;
      if (topic != nullptr && topic->error != protocol::ErrorCode::kNone &&
          !protocol::IsRetriable(topic->error)) {
        const absl::Status status = StatusOfError(topic->error, name);
        cluster_.Unwatch(name);
        cluster_.mutable_metadata().Forget(name);
        return status;
      }
      if (cluster_.Now() >= deadline) {
        if (topic != nullptr) return StatusOfError(topic->error, name);
        return absl::UnavailableError(absl::StrCat(
            name, ": no broker told its partitions: ", cluster_.refresh_error().message()));
      }
      cluster_.Watch(name);
      if (topic != nullptr) cluster_.WantRefresh();
      Pump(deadline);
    }
  }

  absl::StatusOr<int32_t> Choose(const TopicInfo& topic, const ProducerRecord& record,
                                 int64_t bytes) {
    const int32_t count = static_cast<int32_t>(topic.partitions.size());
    if (record.partition.has_value()) {
      if (*record.partition >= 0 && *record.partition < count) return *record.partition;
      return absl::InvalidArgumentError(absl::StrCat(record.topic, ": expected a partition below ",
                                                     count, ", came ", *record.partition));
    }
    if (record.key.has_value()) return PartitionForKey(*record.key, count);
    auto it = sticky_.find(record.topic);
    if (it == sticky_.end()) it = sticky_.try_emplace(std::string(record.topic)).first;
    std::vector<int32_t> available;
    if (it->second.ChangesNext(config_.batch_size)) {
      for (int32_t i = 0; i < count; ++i) {
        if (topic.partitions[static_cast<size_t>(i)].leader != kNoNode) available.push_back(i);
      }
    }
    return it->second.Next(available, count, bytes, config_.batch_size, cluster_.random());
  }

  // Sends what is ready, then waits until `until` at the latest for something to happen.
  void Pump(MonotonicNs until) {
    AskProducerId();
    const MonotonicNs now = cluster_.Now();
    for (ProduceCall& call : core_.Drain(
             now, flushing_,
             [this](const std::string& topic, int32_t partition) {
               return cluster_.metadata().LeaderOf(topic, partition);
             },
             [this](int32_t node) { return requests_[node] < config_.max_in_flight; })) {
      SendCall(std::move(call));
    }
    if (core_.no_leader()) cluster_.WantRefresh();
    until = std::min(until, std::max(now, core_.next_event()));
    if (core_.MayAskProducerId() && !asking_id_) until = std::min(until, id_retry_at_);
    if (core_.HasWork(now)) until = now;
    cluster_.Poll(until);
    core_.Expire(cluster_.Now());
    core_.RunCallbacks();
  }

  void AskProducerId() {
    if (!core_.MayAskProducerId() || asking_id_ || cluster_.Now() < id_retry_at_) return;
    asking_id_ = true;
    id_retry_at_ = cluster_.After(config_.retry_backoff_ms);
    protocol::InitProducerIdRequest request;
    request.transactional_id.reset();
    request.transaction_timeout_ms = std::numeric_limits<int32_t>::max();
    CallOptions options;
    options.deadline = cluster_.After(config_.request_timeout_ms);
    cluster_.Send<protocol::InitProducerIdRequest>(
        cluster_.AnyNode(), std::move(request),
        [this, alive = std::weak_ptr<int>(alive_)](
            absl::StatusOr<protocol::InitProducerIdResponse> response) {
          if (alive.expired()) return;
          asking_id_ = false;
          if (!response.ok() || response->error_code != 0) return;  // asked again
          core_.OnProducerId(ProducerId(response->producer_id),
                             ProducerEpoch(response->producer_epoch));
        },
        options);
  }

  void SendCall(ProduceCall call) {
    protocol::ProduceRequest request;
    request.acks = config_.acks;
    request.timeout_ms = static_cast<int32_t>(config_.request_timeout_ms);
    CallOptions options;
    options.deadline = cluster_.After(config_.request_timeout_ms);
    options.expects_response = config_.acks != 0;
    for (const ProducerBatch* batch : call.batches) {
      if (request.topic_data.empty() || request.topic_data.back().name != batch->topic) {
        const Uuid id = cluster_.metadata().Find(batch->topic)->id;
        if (id.is_zero()) options.version_max = 12;  // the last that names topics
        request.topic_data.push_back({batch->topic, id, {}});
      }
      protocol::Records records;
      records.bytes = batch->bytes;
      request.topic_data.back().partition_data.push_back({batch->partition, records});
    }
    ++requests_[call.node];
    const int32_t node = call.node;
    cluster_.Send<protocol::ProduceRequest>(
        node, std::move(request),
        [this, alive = std::weak_ptr<int>(alive_),
         call = std::move(call)](absl::StatusOr<protocol::ProduceResponse> response) {
          if (!alive.expired()) OnResponse(call, response);
        },
        options);
  }

  void OnResponse(const ProduceCall& call,
                  const absl::StatusOr<protocol::ProduceResponse>& response) {
    --requests_[call.node];
    const MonotonicNs now = cluster_.Now();
    for (ProducerBatch* batch : call.batches) {
      if (!response.ok()) {
        cluster_.WantRefresh();
        core_.OnLost(batch, response.status(), now);
      } else if (config_.acks == 0) {
        core_.OnResult(batch, protocol::ErrorCode::kNone, kNoOffset, kNoTimestamp, std::nullopt,
                       now);
      } else {
        OnPartition(batch, *response, now);
      }
    }
  }

  void OnPartition(ProducerBatch* batch, const protocol::ProduceResponse& response,
                   MonotonicNs now) {
    const auto* answer = FindAnswer(*batch, response);
    if (answer == nullptr) {
      return core_.OnLost(
          batch,
          absl::InvalidArgumentError(
              absl::StrCat("Produce: the broker left out ", batch->topic, "-", batch->partition)),
          now);
    }
    const auto error = static_cast<protocol::ErrorCode>(answer->error_code);
    if (protocol::IsRetriable(error)) {
      cluster_.mutable_metadata().OnNewLeader(batch->topic, batch->partition,
                                              answer->current_leader.leader_id,
                                              answer->current_leader.leader_epoch);
      cluster_.WantRefresh();
    }
    std::optional<std::string> message = answer->error_message;
    if (!answer->record_errors.empty() && answer->record_errors[0].batch_index_error_message) {
      message = answer->record_errors[0].batch_index_error_message;
    }
    core_.OnResult(batch, error, Offset(answer->base_offset), answer->log_append_time_ms, message,
                   now);
  }

  const protocol::ProduceResponse::PartitionProduceResponse* FindAnswer(
      const ProducerBatch& batch, const protocol::ProduceResponse& response) const {
    const TopicInfo* info = cluster_.metadata().Find(batch.topic);
    for (const auto& topic : response.responses) {
      const bool is_it = topic.name.empty() ? info != nullptr && topic.topic_id == info->id
                                            : topic.name == batch.topic;
      if (!is_it) continue;
      for (const auto& partition : topic.partition_responses) {
        if (partition.index == batch.partition) return &partition;
      }
    }
    return nullptr;
  }

  Cluster& cluster_;
  const ProducerConfig config_;
  ProducerCore core_;
  std::map<std::string, StickyPartitioner, std::less<>> sticky_;
  std::map<int32_t, int32_t> requests_;  // under way, by node
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  bool flushing_ = false;
  bool closed_ = false;
  bool asking_id_ = false;
  MonotonicNs id_retry_at_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_PRODUCER_H_
