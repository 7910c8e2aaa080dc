// -----------------------------------------------------------------------------
// File: client/consumer.h
// -----------------------------------------------------------------------------
// Reads records from partitions that are assigned by hand.
//
//   Consumer consumer(cluster, {.auto_offset_reset = OffsetReset::kEarliest});
//   consumer.Assign({{"t", 0}, {"t", 1}});
//   WEIR_ASSIGN_OR_RETURN(ConsumedRecords records, consumer.Poll(1'000));
//   for (const ConsumerRecord& record : records) ...
//
// The next fetch of a broker is under way while what the last one brought is handed out.
// Threading: that of its Cluster.
// Errors: Poll() gives kOutOfRange for an offset that the log does not have when auto_offset_reset
// is kNone, kDataLoss for damaged data, and what brokers refuse for good; what passes is retried.
// Limits: fetch_max_bytes for each broker.
#ifndef WEIR_CLIENT_CONSUMER_H_
#define WEIR_CLIENT_CONSUMER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "client/cluster.h"
#include "client/connection.h"
#include "client/fetched_records.h"
#include "client/topic_and_partition.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/compression.h"
#include "protocol/error_code.h"

namespace weir::client {

enum class OffsetReset { kLatest, kEarliest, kNone };

// Names and defaults of Kafka's consumer.
struct ConsumerConfig {
  OffsetReset auto_offset_reset = OffsetReset::kLatest;
  bool read_committed = false;
  bool check_crcs = true;
  int32_t fetch_min_bytes = 1;
  int32_t fetch_max_wait_ms = 500;
  int32_t fetch_max_bytes = 50 << 20;
  int32_t max_partition_fetch_bytes = 1 << 20;
  size_t max_poll_records = 500;  // batches are not cut: the last one may bring more
  int64_t request_timeout_ms = 30'000;
  int64_t retry_backoff_ms = 100;
};

class Consumer {
 public:
  Consumer(Cluster& cluster, ConsumerConfig config)
      : cluster_(cluster), config_(std::move(config)) {}
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Reads these partitions and no others. Those that stay keep their position.
  void Assign(absl::Span<const TopicAndPartition> partitions) {
    std::map<TopicAndPartition, std::unique_ptr<Place>> places;
    for (const TopicAndPartition& tp : partitions) {
      const auto it = places_.find(tp);
      places[tp] = it != places_.end() ? std::move(it->second) : NewPlace(tp);
      cluster_.Watch(tp.topic);
    }
    places_ = std::move(places);
  }

  // Where the next record is read from; each takes effect with the next Poll().
  void Seek(const TopicAndPartition& tp, Offset offset) {
    Place& place = At(tp);
    place.Drop();
    place.position = offset;
  }
  // `time` is kEarliest..., or milliseconds: the first record that is not older, or the end.
  void SeekToTime(const TopicAndPartition& tp, int64_t time) {
    Place& place = At(tp);
    place.Drop();
    place.position.reset();
    place.reset_time = time;
  }
  void SeekToBeginning(const TopicAndPartition& tp) { SeekToTime(tp, -2); }
  void SeekToEnd(const TopicAndPartition& tp) { SeekToTime(tp, -1); }

  void Pause(const TopicAndPartition& tp, bool paused = true) { At(tp).paused = paused; }

  // The offset of the next record; nothing while it is not known yet.
  std::optional<Offset> Position(const TopicAndPartition& tp) { return At(tp).position; }
  // As of the last fetch; nothing before it.
  std::optional<Offset> HighWatermark(const TopicAndPartition& tp) { return At(tp).high_watermark; }
  // Whether every partition has been read up to the high watermark that its last fetch told.
  bool AtEnd() const {
    for (const auto& [tp, place] : places_) {
      if (!place->position.has_value() || !place->high_watermark.has_value() ||
          *place->position < *place->high_watermark) {
        return false;
      }
    }
    return true;
  }

  // The next records, as soon as there are some; none when the time is over.
  absl::StatusOr<ConsumedRecords> Poll(int64_t timeout_ms) {
    const MonotonicNs deadline = cluster_.After(timeout_ms);
    while (true) {
      ConsumedRecords records;
      WEIR_RETURN_IF_ERROR(Collect(&records));
      Advance();
      if (!records.empty()) return records;
      if (!fault_.ok()) return std::exchange(fault_, absl::OkStatus());
      if (cluster_.Now() >= deadline) {
        cluster_.Poll(deadline);
        WEIR_RETURN_IF_ERROR(Collect(&records));
        return records;
      }
      cluster_.Poll(std::min(deadline, wake_));
    }
  }

 private:
  struct Place {
    std::shared_ptr<const std::string> topic;
    int32_t partition = 0;
    std::optional<Offset> position;
    int64_t reset_time = -1;
    bool paused = false;
    bool asking = false;  // a request about it is under way
    uint64_t seeks = 0;   // what came for an older one is dropped
    MonotonicNs retry_at;
    FetchedRecords fetched;
    std::optional<Offset> high_watermark;

    void Drop() {
      ++seeks;
      asking = false;
      fetched = FetchedRecords();
      high_watermark.reset();
    }
  };
  // One that is being asked about: it may have been unassigned or moved since.
  struct Asked {
    TopicAndPartition tp;
    uint64_t seeks = 0;
  };

  std::unique_ptr<Place> NewPlace(const TopicAndPartition& tp) {
    auto place = std::make_unique<Place>();
    place->topic = std::make_shared<const std::string>(tp.topic);
    place->partition = tp.partition;
    place->seeks = ++places_made_ << 32;
    place->reset_time = config_.auto_offset_reset == OffsetReset::kEarliest ? -2 : -1;
    return place;
  }

  Place& At(const TopicAndPartition& tp) {
    const auto it = places_.find(tp);
    WEIR_CHECK(it != places_.end());  // only what is assigned
    return *it->second;
  }

  Place* Find(const Asked& asked) {
    const auto it = places_.find(asked.tp);
    if (it == places_.end() || it->second->seeks != asked.seeks) return nullptr;
    it->second->asking = false;
    return it->second.get();
  }

  // Hands out what was fetched, from each partition in turn.
  absl::Status Collect(ConsumedRecords* out) {
    for (auto& [tp, place] : places_) {
      while (!place->paused && place->fetched.has_more() &&
             out->size() < config_.max_poll_records) {
        const absl::Status status =
            place->fetched.NextBatch(place->topic, place->partition, decompressor_, out);
        if (!status.ok()) {
          place->fetched = FetchedRecords();
          place->retry_at = cluster_.After(config_.retry_backoff_ms);
          if (out->empty()) return status;
          fault_ = status;
          return absl::OkStatus();
        }
        place->position = place->fetched.next();
      }
    }
    return absl::OkStatus();
  }

  // Sends what can be asked now.
  void Advance() {
    const MonotonicNs now = cluster_.Now();
    wake_ = now + int64_t{60'000} * kNsPerMs;
    std::map<int32_t, std::vector<Place*>> to_list;
    std::map<int32_t, std::vector<Place*>> to_fetch;
    for (auto& [tp, place] : places_) {
      if (place->asking || place->paused || place->fetched.has_more()) continue;
      if (now < place->retry_at) {
        wake_ = std::min(wake_, place->retry_at);
        continue;
      }
      const int32_t leader = cluster_.metadata().LeaderOf(tp.topic, tp.partition);
      if (leader == kNoNode) {
        OnNoLeader(tp);
      } else if (!place->position.has_value()) {
        to_list[leader].push_back(place.get());
      } else if (!fetching_.contains(leader)) {
        to_fetch[leader].push_back(place.get());
      }
    }
    for (const auto& [leader, places] : to_list) List(leader, places);
    for (const auto& [leader, places] : to_fetch) Fetch(leader, places);
  }

  void OnNoLeader(const TopicAndPartition& tp) {
    const TopicInfo* topic = cluster_.metadata().Find(tp.topic);
    if (topic != nullptr && topic->error != protocol::ErrorCode::kNone &&
        !protocol::IsRetriable(topic->error)) {
      fault_ = StatusOfError(topic->error, tp.topic);
    } else if (topic != nullptr && !topic->partitions.empty() &&
               cluster_.metadata().Find(tp.topic, tp.partition) == nullptr) {
      fault_ = StatusOfError(protocol::ErrorCode::kUnknownTopicOrPartition,
                             absl::StrCat(tp.topic, "-", tp.partition));
    }
    if (!cluster_.refresh_pending()) cluster_.WantRefresh();
    wake_ = std::min(wake_, cluster_.After(config_.retry_backoff_ms));
  }

  Asked Mark(Place& place) {
    place.asking = true;
    return {{*place.topic, place.partition}, place.seeks};
  }

  void List(int32_t leader, const std::vector<Place*>& places) {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    request.isolation_level = config_.read_committed ? 1 : 0;
    std::vector<Asked> asked;
    for (Place* place : places) {
      asked.push_back(Mark(*place));
      const PartitionInfo* info = cluster_.metadata().Find(*place->topic, place->partition);
      request.topics.push_back(
          {*place->topic, {{place->partition, info->leader_epoch, place->reset_time}}});
    }
    CallOptions options;
    options.deadline = cluster_.After(config_.request_timeout_ms);
    cluster_.Send<protocol::ListOffsetsRequest>(
        leader, std::move(request),
        [this, alive = std::weak_ptr<int>(alive_),
         asked = std::move(asked)](absl::StatusOr<protocol::ListOffsetsResponse> response) {
          if (alive.expired()) return;
          for (const Asked& one : asked) {
            Place* place = Find(one);
            if (place != nullptr) OnListed(*place, response);
          }
        },
        options);
  }

  void OnListed(Place& place, const absl::StatusOr<protocol::ListOffsetsResponse>& response) {
    if (!response.ok()) return Failed(place, response.status());
    for (const auto& topic : response->topics) {
      for (const auto& partition : topic.partitions) {
        if (topic.name != *place.topic || partition.partition_index != place.partition) continue;
        if (partition.error_code != 0) return Failed(place, partition.error_code);
        if (partition.offset >= 0) {
          place.position = Offset(partition.offset);
        } else {
          place.reset_time = -1;  // nothing is that young: the end
        }
        return;
      }
    }
    Failed(place, absl::InvalidArgumentError("ListOffsets: the broker left a partition out"));
  }

  void Fetch(int32_t leader, const std::vector<Place*>& places) {
    protocol::FetchRequest request;
    request.max_wait_ms = config_.fetch_max_wait_ms;
    request.min_bytes = config_.fetch_min_bytes;
    request.max_bytes = config_.fetch_max_bytes;
    request.isolation_level = config_.read_committed ? 1 : 0;
    CallOptions options;
    options.deadline = cluster_.After(config_.request_timeout_ms + config_.fetch_max_wait_ms);
    std::vector<Asked> asked;
    for (Place* place : places) {
      asked.push_back(Mark(*place));
      const TopicInfo* topic = cluster_.metadata().Find(*place->topic);
      if (topic->id.is_zero()) options.version_max = 12;  // the last that names topics
      if (request.topics.empty() || request.topics.back().topic != *place->topic) {
        request.topics.push_back({*place->topic, topic->id, {}});
      }
      protocol::FetchRequest::FetchPartition partition;
      partition.partition = place->partition;
      partition.current_leader_epoch =
          topic->partitions[static_cast<size_t>(place->partition)].leader_epoch;
      partition.fetch_offset = place->position->value();
      partition.partition_max_bytes = config_.max_partition_fetch_bytes;
      request.topics.back().partitions.push_back(partition);
    }
    fetching_.insert(leader);
    cluster_.Send<protocol::FetchRequest>(
        leader, std::move(request),
        [this, alive = std::weak_ptr<int>(alive_), leader,
         asked = std::move(asked)](absl::StatusOr<protocol::FetchResponse> response) {
          if (!alive.expired()) OnFetched(leader, asked, response);
        },
        options);
  }

  void OnFetched(int32_t leader, const std::vector<Asked>& asked,
                 const absl::StatusOr<protocol::FetchResponse>& response) {
    fetching_.erase(leader);
    for (const Asked& one : asked) {
      Place* place = Find(one);
      if (place == nullptr) continue;
      if (!response.ok()) {
        Failed(*place, response.status());
      } else if (response->error_code != 0) {
        Failed(*place, response->error_code);
      } else {
        OnPartition(*place, *response);
      }
    }
  }

  void OnPartition(Place& place, const protocol::FetchResponse& response) {
    const TopicInfo* info = cluster_.metadata().Find(*place.topic);
    for (const auto& topic : response.responses) {
      const bool is_it = topic.topic.empty() ? info != nullptr && topic.topic_id == info->id
                                             : topic.topic == *place.topic;
      if (!is_it) continue;
      for (const auto& data : topic.partitions) {
        if (data.partition_index == place.partition) return OnData(place, data);
      }
    }
    Failed(place, absl::UnavailableError("Fetch: the broker left a partition out"));
  }

  void OnData(Place& place, const protocol::FetchResponse::PartitionData& data) {
    const auto error = static_cast<protocol::ErrorCode>(data.error_code);
    if (error == protocol::ErrorCode::kOffsetOutOfRange) return OnOutOfRange(place);
    if (error != protocol::ErrorCode::kNone) {
      cluster_.mutable_metadata().OnNewLeader(*place.topic, place.partition,
                                              data.current_leader.leader_id,
                                              data.current_leader.leader_epoch);
      return Failed(place, data.error_code);
    }
    place.high_watermark = Offset(data.high_watermark);
    if (data.records.bytes.empty()) return;
    std::vector<FetchedRecords::Aborted> aborted;
    if (data.aborted_transactions.has_value()) {
      for (const auto& one : *data.aborted_transactions) {
        aborted.push_back({one.producer_id, one.first_offset});
      }
    }
    place.fetched = FetchedRecords(std::string(data.records.bytes), *place.position,
                                   std::move(aborted), config_.read_committed, config_.check_crcs);
    if (!place.fetched.has_more()) {
      Failed(place, absl::DataLossError(absl::StrCat(*place.topic, "-", place.partition,
                                                     ": the broker sent no whole batch at offset ",
                                                     place.position->value())));
    }
  }

  void OnOutOfRange(Place& place) {
    if (config_.auto_offset_reset == OffsetReset::kNone) {
      place.retry_at = cluster_.After(config_.retry_backoff_ms);
      fault_ = absl::OutOfRangeError(absl::StrCat(*place.topic, "-", place.partition, ": offset ",
                                                  place.position->value(), " is outside the log"));
      return;
    }
    place.position.reset();
    place.reset_time = config_.auto_offset_reset == OffsetReset::kEarliest ? -2 : -1;
  }

  void Failed(Place& place, int16_t error_code) {
    const auto error = static_cast<protocol::ErrorCode>(error_code);
    cluster_.WantRefresh();
    place.retry_at = cluster_.After(config_.retry_backoff_ms);
    if (!protocol::IsRetriable(error)) {
      fault_ = StatusOfError(error, absl::StrCat(*place.topic, "-", place.partition));
    }
  }
  void Failed(Place& place, const absl::Status& status) {
    cluster_.WantRefresh();
    place.retry_at = cluster_.After(config_.retry_backoff_ms);
    if (status.code() != absl::StatusCode::kUnavailable &&
        status.code() != absl::StatusCode::kDeadlineExceeded) {
      fault_ = status;
    }
  }

  Cluster& cluster_;
  const ConsumerConfig config_;
  std::map<TopicAndPartition, std::unique_ptr<Place>> places_;
  std::set<int32_t> fetching_;  // brokers with a fetch under way
  protocol::Decompressor decompressor_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  uint64_t places_made_ = 0;
  absl::Status fault_;
  MonotonicNs wake_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_CONSUMER_H_
