// -----------------------------------------------------------------------------
// File: client/fetcher.h
// -----------------------------------------------------------------------------
// Reads the partitions that a consumer has: finds out where to begin, keeps a fetch of every broker
// under way, and hands records out in their order. The next fetch of a broker is under way while
// what the last one brought is handed out.
// Threading: that of its Cluster, whose Poll() brings what Advance() asked for.
// Errors: TakeFault() and Collect(), as client/consumer.h tells of Poll().
// Limits: fetch_max_bytes for each broker.
#ifndef WEIR_CLIENT_FETCHER_H_
#define WEIR_CLIENT_FETCHER_H_

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
#include "client/cluster.h"
#include "client/committed_offset.h"
#include "client/connection.h"
#include "client/consumer_config.h"
#include "client/fetched_records.h"
#include "client/topic_and_partition.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/compression.h"
#include "protocol/error_code.h"

namespace weir::client {

class Fetcher {
 public:
  Fetcher(Cluster& cluster, const ConsumerConfig& config) : cluster_(cluster), config_(config) {}
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // --- What is read, and where -----------------------------------------------------------------

  // Reads these partitions and no others. Those that stay keep their place; new ones begin where
  // OnCommitted() says, or without `after_committed` where auto_offset_reset says.
  void SetPartitions(absl::Span<const TopicAndPartition> partitions, bool after_committed) {
    std::map<TopicAndPartition, std::unique_ptr<Place>> places;
    for (const TopicAndPartition& tp : partitions) {
      const auto it = places_.find(tp);
      if (it != places_.end()) {
        places[tp] = std::move(it->second);
      } else {
        places[tp] = NewPlace(tp);
        places[tp]->needs_committed = after_committed;
      }
      cluster_.Watch(tp.topic);
    }
    places_ = std::move(places);
  }
  void Remove(absl::Span<const TopicAndPartition> partitions) {
    for (const TopicAndPartition& tp : partitions) places_.erase(tp);
  }
  std::vector<TopicAndPartition> partitions() const {
    std::vector<TopicAndPartition> all;
    for (const auto& [tp, place] : places_) all.push_back(tp);
    return all;
  }
  bool Has(const TopicAndPartition& tp) const { return places_.contains(tp); }

  void Seek(const TopicAndPartition& tp, Offset offset) {
    Place& place = At(tp);
    place.Drop();
    place.position = offset;
    place.leader_epoch = -1;
  }
  void SeekToTime(const TopicAndPartition& tp, int64_t time) {
    Place& place = At(tp);
    place.Drop();
    place.position.reset();
    place.reset_time = time;
  }
  void Pause(const TopicAndPartition& tp, bool paused) { At(tp).paused = paused; }
  // Hands out nothing more of these until they are removed: the position stands still.
  void Freeze(absl::Span<const TopicAndPartition> partitions) {
    for (const TopicAndPartition& tp : partitions) {
      if (Has(tp)) At(tp).frozen = true;
    }
  }

  // Partitions that wait for OnCommitted() and were not told before.
  std::vector<TopicAndPartition> TakeUncommitted() {
    std::vector<TopicAndPartition> out;
    for (auto& [tp, place] : places_) {
      if (!place->needs_committed || place->asked_committed) continue;
      place->asked_committed = true;
      out.push_back(tp);
    }
    return out;
  }
  // What the group has committed of a partition that waits for it.
  void OnCommitted(const TopicAndPartition& tp, const std::optional<CommittedOffset>& committed) {
    const auto it = places_.find(tp);
    if (it == places_.end() || !it->second->needs_committed) return;
    Place& place = *it->second;
    place.needs_committed = false;
    if (committed.has_value()) {
      place.position = committed->offset;
      place.leader_epoch = committed->leader_epoch;
    } else if (config_.auto_offset_reset == OffsetReset::kNone) {
      place.needs_committed = true;
      place.asked_committed = false;
      fault_ = absl::OutOfRangeError(
          absl::StrCat(tp.topic, "-", tp.partition, ": the group has committed no offset"));
    }
  }
  // It could not be told; TakeUncommitted() gives them again.
  void OnNotTold(absl::Span<const TopicAndPartition> partitions) {
    for (const TopicAndPartition& tp : partitions) {
      if (Has(tp)) At(tp).asked_committed = false;
    }
  }

  std::optional<Offset> Position(const TopicAndPartition& tp) const {
    const auto it = places_.find(tp);
    return it == places_.end() ? std::nullopt : it->second->position;
  }
  std::optional<Offset> HighWatermark(const TopicAndPartition& tp) const {
    const auto it = places_.find(tp);
    return it == places_.end() ? std::nullopt : it->second->high_watermark;
  }
  // How far the partitions have been read, as it is to be committed.
  OffsetsToCommit Positions() const {
    OffsetsToCommit out;
    for (const auto& [tp, place] : places_) {
      if (place->position.has_value()) out[tp] = {*place->position, place->leader_epoch, ""};
    }
    return out;
  }
  bool AtEnd() const {
    for (const auto& [tp, place] : places_) {
      if (!place->position.has_value() || !place->high_watermark.has_value() ||
          *place->position < *place->high_watermark) {
        return false;
      }
    }
    return true;
  }

  // --- Reading ---------------------------------------------------------------------------------

  // Hands out what was fetched, from each partition in turn.
  absl::Status Collect(ConsumedRecords* out) {
    for (auto& [tp, place] : places_) {
      while (!place->paused && !place->frozen && place->fetched.has_more() &&
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
        place->leader_epoch = place->fetched.leader_epoch();
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
      if (place->asking || place->paused || place->frozen || place->fetched.has_more()) continue;
      if (!place->position.has_value() && place->needs_committed) continue;
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

  // When Advance() has something to do, unless something comes.
  MonotonicNs next_event() const { return wake_; }
  absl::Status TakeFault() { return std::exchange(fault_, absl::OkStatus()); }

 private:
  struct Place {
    std::shared_ptr<const std::string> topic;
    int32_t partition = 0;
    std::optional<Offset> position;
    int32_t leader_epoch = -1;  // of the last record before the position
    int64_t reset_time = -1;
    bool needs_committed = false;  // begins where the group has committed
    bool asked_committed = false;
    bool paused = false;
    bool frozen = false;
    bool asking = false;  // a request about it is under way
    uint64_t seeks = 0;   // what came for an older one is dropped
    MonotonicNs retry_at;
    FetchedRecords fetched;
    std::optional<Offset> high_watermark;

    void Drop() {
      ++seeks;
      needs_committed = false;
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
  const ConsumerConfig& config_;
  std::map<TopicAndPartition, std::unique_ptr<Place>> places_;
  std::set<int32_t> fetching_;  // brokers with a fetch under way
  protocol::Decompressor decompressor_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  uint64_t places_made_ = 0;
  absl::Status fault_;
  MonotonicNs wake_;
};

}  // namespace weir::client

#endif  // WEIR_CLIENT_FETCHER_H_
