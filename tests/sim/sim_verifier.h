// -----------------------------------------------------------------------------
// File: tests/sim/sim_verifier.h
// -----------------------------------------------------------------------------
// The client that comes when all faults are healed: it asks for the topics and reads every
// partition from its start to its end. Then no error is excused.
#ifndef WEIR_TESTS_SIM_SIM_VERIFIER_H_
#define WEIR_TESTS_SIM_SIM_VERIFIER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_session.h"

namespace weir::sim {

class Verifier final : public SimActor {
 public:
  using SimActor::SimActor;

  bool done() const { return has_topics_ && unread_.empty(); }

 private:
  void Ask() override {
    if (!has_topics_) {
      if (Session* const to = ToAny(); to != nullptr) AskTopics(*to);
      return;
    }
    if (unread_.empty()) return;
    const std::optional<size_t> leader = context_.brokers.LeaderOf(unread_.front());
    if (!leader.has_value() || !Connected(*leader)) return AskMetadata();
    if (position_.has_value()) return Fetch(session(*leader), unread_.front());
    AskStart(session(*leader), unread_.front());
  }
  // Leaders may move back to where they belong.
  bool HasMoved(const TopicPartition& partition, int16_t code) {
    if (context_.brokers.size() == 1 ||
        static_cast<ErrorCode>(code) != ErrorCode::kNotLeaderOrFollower) {
      return false;
    }
    context_.brokers.Forget(partition);
    return true;
  }

  void AskTopics(Session& to) {
    protocol::MetadataRequest request;
    request.topics = std::nullopt;
    Send<protocol::MetadataResponse>(
        to, request, 12, "metadata",
        [this](const protocol::MetadataResponse* response, uint64_t sent) {
          if (response == nullptr) return context_.trace.Fail("verifier: metadata: closed");
          context_.oracle.OnMetadata(*response, sent);
          context_.brokers.Learn(*response);
          has_topics_ = true;
          for (const auto& topic : response->topics) {
            if (topic.is_internal) continue;  // the groups' verifier asks for what is in it
            for (const auto& partition : topic.partitions) {
              unread_.push_back({topic.topic_id, PartitionIndex(partition.partition_index)});
            }
          }
        });
  }

  void AskStart(Session& to, const TopicPartition& partition) {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = context_.oracle.Find(partition.topic_id)->name;
    topic.partitions.emplace_back().partition_index = partition.partition.value();
    topic.partitions.back().timestamp = protocol::kEarliestTimestamp;
    Send<protocol::ListOffsetsResponse>(
        to, request, 7, "list offsets",
        [this, partition](const protocol::ListOffsetsResponse* response, uint64_t) {
          if (response == nullptr) return context_.trace.Fail("verifier: list offsets: closed");
          const auto& answer = response->topics.at(0).partitions.at(0);
          if (HasMoved(partition, answer.error_code)) return;
          if (answer.error_code != 0) {
            return context_.trace.Fail(context_.oracle.Name(partition), ": list offsets: error ",
                                       answer.error_code);
          }
          if (answer.offset != 0 && !context_.oracle.Find(partition.topic_id)->retention) {
            context_.trace.Fail(context_.oracle.Name(partition), " starts at ", answer.offset);
          }
          position_ = answer.offset;
          context_.oracle.compaction().StartReading(partition, context_.clock.Monotonic());
        });
  }

  void Fetch(Session& to, const TopicPartition& partition) {
    protocol::FetchRequest request;
    request.min_bytes = 1;
    request.max_wait_ms = 0;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = partition.topic_id;
    auto& asked = topic.partitions.emplace_back();
    asked.partition = partition.partition.value();
    asked.fetch_offset = *position_;
    asked.partition_max_bytes = 1 << 20;
    Send<protocol::FetchResponse>(
        to, request, 16, absl::StrCat("read ", context_.oracle.Name(partition)),
        [this, partition, floor = context_.oracle.Floor(partition)](
            const protocol::FetchResponse* response, uint64_t) {
          if (response == nullptr) return context_.trace.Fail("verifier: fetch: closed");
          OnFetched(partition, floor, response->responses.at(0).partitions.at(0));
        });
  }

  void OnFetched(const TopicPartition& partition, int64_t floor,
                 const protocol::FetchResponse::PartitionData& data) {
    const bool out_of_range = data.error_code == static_cast<int16_t>(ErrorCode::kOffsetOutOfRange);
    if (out_of_range && context_.oracle.Find(partition.topic_id)->retention) {
      return position_.reset();  // deleted meanwhile
    }
    if (HasMoved(partition, data.error_code)) return;
    if (data.error_code != 0) {
      return context_.trace.Fail(context_.oracle.Name(partition), ": fetch from ", *position_,
                                 ": error ", data.error_code);
    }
    const int64_t from = *position_;
    position_ =
        context_.oracle.OnRecords(partition, from, data.high_watermark, floor, data.records.bytes);
    if (*position_ >= data.high_watermark) {
      position_.reset();
      unread_.pop_front();
      if (context_.oracle.IsLoose(partition)) return;
      context_.oracle.compaction().EndReading(partition, context_.clock.Monotonic());
    } else if (*position_ == from) {
      context_.trace.Fail(context_.oracle.Name(partition), ": nothing at ", from,
                          ", high watermark ", data.high_watermark);
    }
  }

  bool has_topics_ = false;
  std::deque<TopicPartition> unread_;
  std::optional<int64_t> position_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_VERIFIER_H_
