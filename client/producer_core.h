// -----------------------------------------------------------------------------
// File: client/producer_core.h
// -----------------------------------------------------------------------------
// A producer without its network: records gather in batches for each partition, batches are handed
// out in requests and come back with what the broker said. With idempotence every batch has a
// sequence number, at most five of a partition are under way, and a batch that failed goes out
// again with the same number before anything behind it, so that each record is in the log once and
// in order (KIP-98).
//
// When sequence numbers cannot go on (a batch that may have been written was given up, or the
// broker lost its producer state) the producer asks for a new id and starts again from 0; only then
// may a record whose outcome is unknown be written twice.
//
// Threading: one thread; pure: the time is handed in.
// Errors: a record's fate is in its Delivery. Callbacks run in RunCallbacks() alone, each once.
// Limits: ProducerConfig::buffer_memory.
#ifndef WEIR_CLIENT_PRODUCER_CORE_H_
#define WEIR_CLIENT_PRODUCER_CORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/error_code.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "protocol/record_codec.h"

namespace weir::client {

// Names and defaults of Kafka's producer.
struct ProducerConfig {
  int16_t acks = -1;               // 0, 1, or -1 for all
  bool enable_idempotence = true;  // only with acks -1
  protocol::Codec compression = protocol::Codec::kNone;
  std::optional<int> compression_level;
  int64_t batch_size = 16'384;
  int64_t linger_ms = 5;
  int64_t buffer_memory = 32 << 20;
  int64_t max_request_size = 1 << 20;
  int32_t max_in_flight = 5;  // requests to a broker; with idempotence at most 5
  int64_t max_block_ms = 60'000;
  int64_t request_timeout_ms = 30'000;
  int64_t delivery_timeout_ms = 120'000;
  int64_t retry_backoff_ms = 100;
};

// What became of a record.
struct Delivery {
  absl::Status status;
  protocol::ErrorCode error = protocol::ErrorCode::kNone;  // when a broker refused it
  int32_t partition = -1;
  Offset offset = kNoOffset;  // none with acks=0, and for a record that was written before
  TimestampMs timestamp = kNoTimestamp;
};
using DeliveryCallback = absl::AnyInvocable<void(const Delivery&)>;

// Records of one partition on their way.
struct ProducerBatch {
  std::string topic;
  int32_t partition = 0;
  protocol::RecordBatchBuilder builder;
  std::string bytes;  // once sealed
  bool is_full = false;
  bool in_flight = false;
  int attempts = 0;
  int32_t record_count = 0;
  int32_t base_sequence = protocol::kNoSequence;
  int64_t memory = 0;
  MonotonicNs created;
  MonotonicNs retry_at;
  absl::Status last_failure;
  std::vector<TimestampMs> timestamps;                          // of the records with a callback
  std::vector<std::pair<int32_t, DeliveryCallback>> callbacks;  // by index of the record

  bool sealed() const { return !bytes.empty(); }
};

// What one broker is to be sent: at most one batch of each partition.
struct ProduceCall {
  int32_t node = -1;
  std::vector<ProducerBatch*> batches;
};

class ProducerCore {
 public:
  explicit ProducerCore(const ProducerConfig& config)
      : config_(config), idempotent_(config.enable_idempotence && config.acks == -1) {}
  ProducerCore(const ProducerCore&) = delete;
  ProducerCore& operator=(const ProducerCore&) = delete;

  // --- Records in ------------------------------------------------------------------------------

  bool HasRoom(int64_t record_bytes) const {
    return memory_ == 0 || memory_ + record_bytes <= config_.buffer_memory;
  }

  // kInvalidArgument for a record that no request can hold; its callback is then not called.
  absl::Status Append(absl::string_view topic, int32_t partition,
                      const protocol::RecordToAppend& record, DeliveryCallback done,
                      MonotonicNs now) {
    Queue& queue = QueueOf(topic, partition);
    if (queue.batches.empty() || queue.batches.back()->is_full || queue.batches.back()->sealed() ||
        !TryAppend(*queue.batches.back(), record)) {
      auto batch = std::make_unique<ProducerBatch>();
      batch->topic = std::string(topic);
      batch->partition = partition;
      batch->created = now;
      protocol::RecordBatchOptions options;
      options.bytes_max = config_.batch_size;
      batch->builder.Reset(options);
      if (!TryAppend(*batch, record)) {
        options.bytes_max = config_.max_request_size;
        batch->builder.Reset(options);
        batch->is_full = true;
        WEIR_RETURN_IF_ERROR(AppendBig(*batch, record));
      }
      if (!queue.batches.empty()) queue.batches.back()->is_full = true;
      work_ = work_ || queue.batches.size() > 0;
      queue.batches.push_back(std::move(batch));
    }
    ProducerBatch& batch = *queue.batches.back();
    if (done != nullptr) {
      batch.timestamps.push_back(record.timestamp);
      batch.callbacks.emplace_back(batch.record_count - 1, std::move(done));
    }
    if (batch.builder.size_bytes() >= config_.batch_size) batch.is_full = true;
    work_ = work_ || batch.is_full;
    if (!batch.is_full) next_event_ = std::min(next_event_, LingerEnd(batch));
    return absl::OkStatus();
  }

  // --- Requests out ----------------------------------------------------------------------------

  // Whether Drain() may have something to hand out at `now`.
  bool HasWork(MonotonicNs now) const { return work_ || next_event_ <= now; }
  // When it may next have something by time alone.
  MonotonicNs next_event() const { return next_event_; }

  // The requests that can go out now. `leader_of` says -1 where there is none: then `no_leader()`
  // becomes true. `may_send` whether a broker takes another request.
  std::vector<ProduceCall> Drain(
      MonotonicNs now, bool flush,
      absl::FunctionRef<int32_t(const std::string& topic, int32_t partition)> leader_of,
      absl::FunctionRef<bool(int32_t node)> may_send) {
    work_ = false;
    no_leader_ = false;
    next_event_ = MonotonicNs(std::numeric_limits<int64_t>::max());
    if (NeedsProducerId()) return {};
    std::map<int32_t, ProduceCall> calls;
    std::map<int32_t, int64_t> bytes;
    for (auto& [topic, queues] : topics_) {
      for (std::unique_ptr<Queue>& queue : queues) {
        if (queue == nullptr) continue;
        ProducerBatch* batch = Ready(*queue, now, flush);
        if (batch == nullptr) continue;
        const int32_t node = leader_of(topic, queue->partition);
        if (node < 0) {
          no_leader_ = true;
          next_event_ = std::min(next_event_, now + config_.retry_backoff_ms * kNsPerMs);
          continue;
        }
        if (!may_send(node)) continue;  // Landed() makes work of it
        work_ = true;                   // the next behind this one
        if (!batch->sealed()) Seal(*queue, *batch);
        int64_t& sum = bytes[node];
        const int64_t size = static_cast<int64_t>(batch->bytes.size());
        if (sum > 0 && sum + size > config_.max_request_size) continue;
        sum += size;
        batch->in_flight = true;
        ++batch->attempts;
        ++queue->in_flight;
        ++in_flight_;
        calls[node].node = node;
        calls[node].batches.push_back(batch);
      }
    }
    std::vector<ProduceCall> result;
    for (auto& [node, call] : calls) result.push_back(std::move(call));
    return result;
  }
  bool no_leader() const { return no_leader_; }

  // --- Answers in ------------------------------------------------------------------------------

  // What a broker said of a batch.
  void OnResult(ProducerBatch* batch, protocol::ErrorCode error, Offset base_offset,
                TimestampMs log_append_time, const std::optional<std::string>& message,
                MonotonicNs now) {
    using protocol::ErrorCode;
    Queue& queue = Landed(batch);
    const bool is_first = queue.batches.front().get() == batch;
    if (error == ErrorCode::kNone || error == ErrorCode::kDuplicateSequenceNumber) {
      return Finish(queue, batch, absl::OkStatus(), ErrorCode::kNone,
                    error == ErrorCode::kNone ? base_offset : kNoOffset, log_append_time);
    }
    const absl::Status status = absl::FailedPreconditionError(
        absl::StrCat(batch->topic, "-", batch->partition, ": ", protocol::ErrorName(error), ": ",
                     message.has_value() ? *message : std::string(protocol::ErrorMessage(error))));
    const bool lost_place = idempotent_ && (error == ErrorCode::kOutOfOrderSequenceNumber ||
                                            error == ErrorCode::kUnknownProducerId ||
                                            error == ErrorCode::kInvalidProducerEpoch);
    // Behind a batch that failed, being out of order is no news.
    if (lost_place && is_first) wants_new_id_ = true;
    if (lost_place || protocol::IsRetriable(error)) return Retry(queue, batch, status, error, now);
    GiveUp(queue, batch, status, error);
  }

  // A batch may or may not have reached the broker.
  void OnLost(ProducerBatch* batch, const absl::Status& status, MonotonicNs now) {
    Queue& queue = Landed(batch);
    const bool passes = status.code() == absl::StatusCode::kUnavailable ||
                        status.code() == absl::StatusCode::kDeadlineExceeded;
    if (passes) return Retry(queue, batch, status, protocol::ErrorCode::kNetworkException, now);
    GiveUp(queue, batch, status, protocol::ErrorCode::kNone);
  }

  // Ends what has waited longer than the delivery timeout.
  void Expire(MonotonicNs now) {
    for (auto& [topic, queues] : topics_) {
      for (std::unique_ptr<Queue>& queue : queues) {
        while (queue != nullptr && !queue->batches.empty()) {
          ProducerBatch* batch = queue->batches.front().get();
          if (batch->in_flight || now < DeliveryEnd(*batch)) break;
          GiveUp(*queue, batch,
                 absl::DeadlineExceededError(absl::StrCat(
                     topic, "-", queue->partition, ": not delivered within ",
                     config_.delivery_timeout_ms, " ms; ", batch->last_failure.message())),
                 protocol::ErrorCode::kRequestTimedOut);
        }
      }
    }
  }

  // Ends everything that is not under way.
  void Abort(const absl::Status& status) {
    for (auto& [topic, queues] : topics_) {
      for (std::unique_ptr<Queue>& queue : queues) {
        if (queue == nullptr) continue;
        for (size_t i = queue->batches.size(); i > 0; --i) {
          ProducerBatch* batch = queue->batches[i - 1].get();
          if (!batch->in_flight) GiveUp(*queue, batch, status, protocol::ErrorCode::kNone);
        }
      }
    }
  }

  // Tells the fate of what has ended. Callbacks may append.
  void RunCallbacks() {
    for (Finished& finished : std::exchange(finished_, {})) {
      const Delivery& fate = finished.fate;
      for (size_t i = 0; i < finished.batch->callbacks.size(); ++i) {
        auto& [index, callback] = finished.batch->callbacks[i];
        Delivery delivery = fate;
        if (fate.offset != kNoOffset) delivery.offset += index;
        if (fate.timestamp == kNoTimestamp) delivery.timestamp = finished.batch->timestamps[i];
        callback(delivery);
      }
    }
  }

  // --- Identity --------------------------------------------------------------------------------

  // Nothing goes out before OnProducerId().
  bool NeedsProducerId() const {
    return idempotent_ && (wants_new_id_ || producer_id_ == kNoProducerId);
  }
  // Whether it may be asked for: not while batches are under way with the old one.
  bool MayAskProducerId() const { return NeedsProducerId() && in_flight_ == 0; }
  void OnProducerId(ProducerId id, ProducerEpoch epoch) {
    producer_id_ = id;
    producer_epoch_ = epoch;
    wants_new_id_ = false;
    work_ = true;
    for (auto& [topic, queues] : topics_) {
      for (std::unique_ptr<Queue>& queue : queues) {
        if (queue == nullptr) continue;
        queue->next_sequence = 0;
        for (std::unique_ptr<ProducerBatch>& batch : queue->batches) {
          batch->base_sequence = protocol::kNoSequence;
          if (batch->sealed()) Stamp(*queue, *batch);
        }
      }
    }
  }

  bool empty() const { return batches_ == 0 && finished_.empty(); }
  int32_t in_flight() const { return in_flight_; }
  int64_t memory() const { return memory_; }
  bool idempotent() const { return idempotent_; }

 private:
  struct Queue {
    int32_t partition = 0;
    std::deque<std::unique_ptr<ProducerBatch>> batches;
    int32_t next_sequence = 0;
    int32_t in_flight = 0;
  };

  struct Finished {
    std::unique_ptr<ProducerBatch> batch;
    Delivery fate;  // of its first record
  };

  MonotonicNs LingerEnd(const ProducerBatch& batch) const {
    return batch.created + config_.linger_ms * kNsPerMs;
  }
  MonotonicNs DeliveryEnd(const ProducerBatch& batch) const {
    return batch.created + config_.delivery_timeout_ms * kNsPerMs;
  }

  Queue& QueueOf(absl::string_view topic, int32_t partition) {
    auto it = topics_.find(topic);
    if (it == topics_.end()) it = topics_.try_emplace(std::string(topic)).first;
    std::vector<std::unique_ptr<Queue>>& queues = it->second;
    const size_t index = static_cast<size_t>(partition);
    if (index >= queues.size()) queues.resize(index + 1);
    if (queues[index] == nullptr) {
      queues[index] = std::make_unique<Queue>();
      queues[index]->partition = partition;
    }
    return *queues[index];
  }

  bool TryAppend(ProducerBatch& batch, const protocol::RecordToAppend& record) {
    return AppendBig(batch, record).ok();
  }
  absl::Status AppendBig(ProducerBatch& batch, const protocol::RecordToAppend& record) {
    const int64_t before = batch.record_count == 0 ? 0 : batch.builder.size_bytes();
    const absl::Status status = batch.builder.Append(record);
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("record does not fit a request of ",
                                                     config_.max_request_size,
                                                     " bytes: ", status.message()));
    }
    if (batch.record_count++ == 0) ++batches_;
    const int64_t grown = batch.builder.size_bytes() - before;
    batch.memory += grown;
    memory_ += grown;
    return status;
  }

  // The batch of a partition that may go out next, if there is one.
  ProducerBatch* Ready(Queue& queue, MonotonicNs now, bool flush) {
    for (size_t i = 0; i < queue.batches.size(); ++i) {
      ProducerBatch& batch = *queue.batches[i];
      if (batch.in_flight) continue;
      next_event_ = std::min(next_event_, DeliveryEnd(batch));
      const bool is_retry = batch.attempts > 0;
      if (is_retry && i > 0) return nullptr;  // what stands before it is decided first
      if (now < batch.retry_at) {
        next_event_ = std::min(next_event_, batch.retry_at);
        return nullptr;
      }
      if (!batch.sealed() && !batch.is_full && !flush && now < LingerEnd(batch)) {
        next_event_ = std::min(next_event_, LingerEnd(batch));
        return nullptr;
      }
      return queue.in_flight < std::min(config_.max_in_flight, 5) ? &batch : nullptr;
    }
    return nullptr;
  }

  void Seal(Queue& queue, ProducerBatch& batch) {
    batch.is_full = true;
    batch.bytes = batch.builder.Build();
    if (config_.compression != protocol::Codec::kNone) {
      const auto view = protocol::RecordBatchView::Parse(batch.bytes);
      std::string compressed;
      WEIR_CHECK(view.ok());
      const absl::Status status = protocol::CompressBatch(compressor_, *view, config_.compression,
                                                          config_.compression_level, &compressed);
      if (status.ok()) batch.bytes = std::move(compressed);  // else it goes as it is
    }
    Stamp(queue, batch);
  }

  // Writes producer id, epoch and sequence into a sealed batch.
  void Stamp(Queue& queue, ProducerBatch& batch) {
    if (!idempotent_ || producer_id_ == kNoProducerId) return;
    batch.base_sequence = queue.next_sequence;
    queue.next_sequence = protocol::AdvanceSequence(queue.next_sequence, batch.record_count);
    protocol::SetProducer(batch.bytes.data(), producer_id_, producer_epoch_, batch.base_sequence);
  }

  // The batch is no longer under way.
  Queue& Landed(ProducerBatch* batch) {
    WEIR_CHECK(batch->in_flight);
    Queue& queue = QueueOf(batch->topic, batch->partition);
    batch->in_flight = false;
    --queue.in_flight;
    --in_flight_;
    work_ = true;
    return queue;
  }

  void Retry(Queue& queue, ProducerBatch* batch, const absl::Status& status,
             protocol::ErrorCode error, MonotonicNs now) {
    batch->last_failure = status;
    batch->retry_at = now + config_.retry_backoff_ms * kNsPerMs;
    if (batch->retry_at >= DeliveryEnd(*batch)) GiveUp(queue, batch, status, error);
  }

  // A sequence number that was given and not written leaves a gap: the next id starts again.
  void GiveUp(Queue& queue, ProducerBatch* batch, const absl::Status& status,
              protocol::ErrorCode error) {
    if (batch->base_sequence != protocol::kNoSequence) wants_new_id_ = true;
    Finish(queue, batch, status, error, kNoOffset, kNoTimestamp);
  }

  void Finish(Queue& queue, ProducerBatch* batch, const absl::Status& status,
              protocol::ErrorCode error, Offset base_offset, TimestampMs log_append_time) {
    const auto it = std::find_if(queue.batches.begin(), queue.batches.end(),
                                 [&](const auto& other) { return other.get() == batch; });
    WEIR_CHECK(it != queue.batches.end());
    finished_.push_back(
        {std::move(*it), {status, error, batch->partition, base_offset, log_append_time}});
    queue.batches.erase(it);
    memory_ -= batch->memory;
    --batches_;
  }

  const ProducerConfig config_;
  const bool idempotent_;
  std::map<std::string, std::vector<std::unique_ptr<Queue>>, std::less<>> topics_;
  std::vector<Finished> finished_;
  protocol::Compressor compressor_;
  ProducerId producer_id_ = kNoProducerId;
  ProducerEpoch producer_epoch_ = kNoProducerEpoch;
  bool wants_new_id_ = false;
  bool work_ = false;
  bool no_leader_ = false;
  MonotonicNs next_event_{std::numeric_limits<int64_t>::max()};
  int32_t in_flight_ = 0;
  int64_t batches_ = 0;
  int64_t memory_ = 0;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_PRODUCER_CORE_H_
