// -----------------------------------------------------------------------------
// File: tests/sim/sim_consumer.h
// -----------------------------------------------------------------------------
// The simulator's consumer: reads all partitions, with a fetch session at each broker or without,
// now and then what it has read before, and tells the oracle what it got.
#ifndef WEIR_TESTS_SIM_SIM_CONSUMER_H_
#define WEIR_TESTS_SIM_SIM_CONSUMER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "protocol/api/fetch.h"
#include "protocol/error_code.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_session.h"

namespace weir::sim {

class Consumer final : public SimActor {
 public:
  Consumer(ClientContext& context, const std::string& name, bool sessions)
      : SimActor(context, name), has_sessions_(sessions), at_(context.brokers.size()) {}

 private:
  struct Place {
    int64_t from = 0;
    int32_t leader_epoch = -1;  // as the client knows it; -1: whoever takes itself for the leader
    int64_t floor = 0;
  };
  using Places = std::map<TopicPartition, Place>;
  // Of the fetch session at one broker.
  struct At {
    int32_t id = 0;
    int32_t epoch = 0;
    std::set<TopicPartition> wanted;
    std::map<TopicPartition, std::pair<int64_t, int32_t>> told;  // what the session has
  };

  void Ask() override {
    const size_t broker = context_.brokers.Any(context_.random);
    if (!Connected(broker) || session(broker).waiting() > 0) return;
    std::set<TopicPartition> wanted;
    for (const Oracle::Topic* topic : context_.oracle.Live()) {
      for (int32_t i = 0; i < topic->partitions; ++i) {
        const TopicPartition partition{topic->id, PartitionIndex(i)};
        if (BrokerFor(partition) == broker) wanted.insert(partition);
      }
    }
    if (wanted.empty()) return;
    At& at = at_[broker];
    if (wanted != at.wanted || context_.random.OneIn(50)) at.epoch = 0;
    at.wanted = std::move(wanted);
    if (context_.random.OneIn(10)) {  // reads something again
      const TopicPartition& first = *at.wanted.begin();
      const auto floor = context_.oracle.Floor(first);
      position_[first] =
          static_cast<int64_t>(context_.random.Below(static_cast<uint64_t>(floor) + 1));
    }
    Fetch(broker, &at);
  }

  void Fetch(size_t broker, At* at) {
    protocol::FetchRequest request;
    request.max_wait_ms = static_cast<int32_t>(context_.random.Below(500));
    request.min_bytes = context_.random.OneIn(3) ? 3000 : 1;
    request.max_bytes = context_.random.OneIn(3) ? 2000 : 1 << 20;
    request.session_id = has_sessions_ ? at->id : 0;
    request.session_epoch = has_sessions_ ? at->epoch : -1;
    if (at->epoch == 0 || !has_sessions_) at->told.clear();
    Places places;
    for (const TopicPartition& partition : at->wanted) {
      const int64_t from = position_[partition];
      const int32_t epoch = context_.random.OneIn(2) ? context_.brokers.TrueEpochOf(partition) : -1;
      places[partition] = {from, epoch, context_.oracle.Floor(partition)};
      const auto told = at->told.find(partition);
      if (told != at->told.end() && told->second == std::pair(from, epoch)) continue;
      at->told[partition] = {from, epoch};
      context_.trace.Note("  ", context_.oracle.Name(partition), " from ", from, " epoch ", epoch);
      if (request.topics.empty() || request.topics.back().topic_id != partition.topic_id) {
        request.topics.emplace_back().topic_id = partition.topic_id;
      }
      auto& asked = request.topics.back().partitions.emplace_back();
      asked.partition = partition.partition.value();
      asked.fetch_offset = from;
      asked.current_leader_epoch = epoch;
      asked.partition_max_bytes = context_.random.OneIn(3) ? 500 : 1 << 20;
    }
    const auto version = static_cast<int16_t>(13 + context_.random.Below(4));
    Send<protocol::FetchResponse>(
        session(broker), request, version,
        absl::StrCat("fetch, session ", request.session_id, " epoch ", request.session_epoch),
        [this, at, places = std::move(places)](const protocol::FetchResponse* response,
                                               uint64_t sent) {
          OnAnswer(at, places, response, sent);
        });
  }

  void OnAnswer(At* at, const Places& places, const protocol::FetchResponse* response,
                uint64_t sent) {
    if (response == nullptr || response->error_code != 0) {
      if (response != nullptr) context_.trace.Note("  fetch error ", response->error_code);
      at->epoch = 0;
      return;
    }
    at->id = response->session_id;
    at->epoch = at->id == 0 ? 0 : at->epoch + 1;
    for (const auto& topic : response->responses) {
      for (const auto& data : topic.partitions) {
        const TopicPartition partition{topic.topic_id, PartitionIndex(data.partition_index)};
        const auto place = places.find(partition);
        if (place == places.end()) {
          context_.trace.Fail(session_.name(), ": a partition that was not asked for");
          continue;
        }
        OnPartition(partition, place->second, data, sent);
      }
    }
  }

  void OnPartition(const TopicPartition& partition, const Place& place,
                   const protocol::FetchResponse::PartitionData& data, uint64_t sent) {
    OnMoved(partition, data.error_code);
    if (IsUnknown(data.error_code)) return OnUnknown(partition, sent);
    const auto error = static_cast<ErrorCode>(data.error_code);
    if (error == ErrorCode::kOffsetOutOfRange) {
      // Who was deposed and does not know yet cannot tell without an epoch.
      const bool leads = place.leader_epoch >= 0 || !context_.oracle.brokers_lag();
      if (leads && place.from <= place.floor &&
          !context_.oracle.Find(partition.topic_id)->retention) {
        context_.trace.Fail(context_.oracle.Name(partition), ": offset ", place.from,
                            " is out of range, readers knew ", place.floor);
      }
      position_[partition] = data.log_start_offset > 0 ? data.log_start_offset : 0;
      return;
    }
    if (error != ErrorCode::kNone) {
      context_.trace.Note("  ", context_.oracle.Name(partition), " fetch error ", data.error_code);
      return;
    }
    OnKnown(partition, sent);
    position_[partition] = context_.oracle.OnRecords(partition, place.from, data.high_watermark,
                                                     place.floor, data.records.bytes);
  }

  const bool has_sessions_;
  std::vector<At> at_;  // by broker
  std::map<TopicPartition, int64_t> position_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_CONSUMER_H_
