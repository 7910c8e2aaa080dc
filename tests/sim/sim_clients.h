// -----------------------------------------------------------------------------
// File: tests/sim/sim_clients.h
// -----------------------------------------------------------------------------
// The simulator's clients: producers that repeat what was not answered, consumers with fetch
// sessions, an administrator. Each does one thing per Act and tells the oracle what it was told.
#ifndef WEIR_TESTS_SIM_SIM_CLIENTS_H_
#define WEIR_TESTS_SIM_SIM_CLIENTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/fetch.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "tests/sim/compaction_oracle.h"
#include "tests/sim/group_oracle.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_session.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

struct ClientContext {
  Random& random;
  Clock& clock;
  Trace& trace;
  Oracle& oracle;
  GroupOracle& groups;
  SimNetwork& network;
  int port;
};

class SimActor {
 public:
  SimActor(ClientContext& context, std::string name)
      : context_(context), session_(context.network, context.trace, std::move(name)) {}
  virtual ~SimActor() = default;

  // One more request, if the client has something to ask now.
  void Act() {
    if (!session_.connected() && !session_.Connect(context_.port)) return;
    Ask();
  }
  Session& session() { return session_; }

 protected:
  using ErrorCode = protocol::ErrorCode;

  virtual void Ask() = 0;

  // Sends and gives `done` the answer and the event that the sending was.
  template <class Response, class Request, class Done>
  void Send(const Request& request, int16_t version, absl::string_view what, Done done) {
    const uint64_t sent = context_.trace.Note(session_.name(), ": ", what);
    session_.Send<Response>(request, version, context_.clock.Monotonic(),
                            [this, sent, done = std::move(done)](const Response* response) {
                              context_.trace.Note(session_.name(),
                                                  response == nullptr ? ": closed" : ": answer",
                                                  " to ", sent);
                              done(response, sent);
                            });
  }
  std::optional<TopicPartition> AnyPartition() {
    const std::vector<const Oracle::Topic*> live = context_.oracle.Live();
    if (live.empty()) return std::nullopt;
    const Oracle::Topic& topic = *live[context_.random.Below(live.size())];
    const auto index = context_.random.Below(static_cast<uint64_t>(topic.partitions));
    return TopicPartition{topic.id, PartitionIndex(static_cast<int32_t>(index))};
  }
  // An answer that the topic is not there.
  void OnUnknown(const TopicPartition& partition, uint64_t sent) {
    const Oracle::Topic* topic = context_.oracle.Find(partition.topic_id);
    if (topic->delete_asked == 0 && topic->created < sent) {
      context_.trace.Fail(context_.oracle.Name(partition), " is unknown to the broker");
    }
  }
  void OnKnown(const TopicPartition& partition, uint64_t sent) {
    const Oracle::Topic* topic = context_.oracle.Find(partition.topic_id);
    if (topic->deleted != 0 && topic->deleted < sent) {
      context_.trace.Fail(context_.oracle.Name(partition), " is served after its deletion");
    }
  }
  static bool IsUnknown(int16_t code) {
    const auto error = static_cast<ErrorCode>(code);
    return error == ErrorCode::kUnknownTopicId || error == ErrorCode::kUnknownTopicOrPartition;
  }

  ClientContext& context_;
  Session session_;
};

class Producer final : public SimActor {
 public:
  Producer(ClientContext& context, std::string name, bool idempotent)
      : SimActor(context, std::move(name)), idempotent_(idempotent) {}

 private:
  struct Lane {
    int32_t next_sequence = 0;
    std::string batch;  // not acknowledged yet; empty if none
    bool in_flight = false;
  };

  void Ask() override {
    if (idempotent_ && id_ < 0) return AskId();
    const std::optional<TopicPartition> partition = AnyPartition();
    if (!partition.has_value()) return;
    Lane& lane = lanes_[*partition];
    if (lane.in_flight || session_.waiting() >= 5) return;
    if (lane.batch.empty()) lane.batch = NewBatch(*partition, lane.next_sequence);
    Produce(*partition, lane);
  }

  void AskId() {
    if (asking_) return;
    asking_ = true;
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = 60000;
    Send<protocol::InitProducerIdResponse>(
        request, 4, "init producer id",
        [this](const protocol::InitProducerIdResponse* response, uint64_t) {
          asking_ = false;
          if (response == nullptr || response->error_code != 0) return;
          context_.oracle.OnProducerId(response->producer_id);
          id_ = response->producer_id;
          lanes_.clear();
          ++generation_;
        });
  }

  std::string NewBatch(const TopicPartition& partition, int32_t sequence) {
    protocol::RecordBatchOptions options;
    if (idempotent_) {
      options.producer_id = ProducerId(id_);
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = sequence;
    }
    protocol::RecordBatchBuilder builder(options);
    const uint64_t count = 1 + context_.random.Below(4);
    const uint64_t size = context_.random.OneIn(10) ? 5000 : 100;
    const bool compacted = context_.oracle.IsCompacted(partition);
    int64_t first_id = 0;
    for (uint64_t i = 0; i < count; ++i) {
      std::string value = absl::StrCat(session_.name(), " ", ++records_, " ");
      value.resize(value.size() + context_.random.Below(size), static_cast<char>('a' + i));
      protocol::RecordToAppend record;
      record.timestamp = context_.clock.WallMs();
      record.value = value;
      if (!compacted) {
        WEIR_CHECK(builder.Append(record).ok());
        continue;
      }
      const std::string key = absl::StrCat("key", context_.random.Below(6));
      const int64_t number = context_.oracle.compaction().NewId();
      if (i == 0) first_id = number;
      const std::string id = absl::StrCat(number);
      const protocol::RecordHeader header{"id", absl::string_view(id)};
      record.key = key;
      if (context_.random.OneIn(4)) record.value.reset();
      record.headers = absl::MakeSpan(&header, 1);
      WEIR_CHECK(builder.Append(record).ok());
    }
    std::string batch = builder.Build();
    context_.oracle.Sent(partition, *protocol::RecordBatchView::Parse(batch), first_id,
                         context_.clock.Monotonic());
    return batch;
  }

  void Produce(const TopicPartition& partition, Lane& lane) {
    const protocol::RecordBatchView batch = *protocol::RecordBatchView::Parse(lane.batch);
    protocol::ProduceRequest request;
    request.acks = idempotent_ ? -1 : static_cast<int16_t>(context_.random.Below(3)) - 1;
    request.timeout_ms = 5000;
    auto& topic = request.topic_data.emplace_back();
    topic.topic_id = partition.topic_id;
    auto& data = topic.partition_data.emplace_back();
    data.index = partition.partition.value();
    data.records.bytes = lane.batch;
    const std::string what =
        absl::StrCat("produce to ", context_.oracle.Name(partition), " acks ", request.acks, " id ",
                     batch.producer_id().value(), " sequence ", batch.base_sequence());
    if (request.acks == 0) {
      context_.trace.Note(session_.name(), ": ", what);
      session_.Send<protocol::ProduceResponse>(request, 13, context_.clock.Monotonic(), nullptr);
      lane.batch.clear();
      return;
    }
    lane.in_flight = true;
    Send<protocol::ProduceResponse>(
        request, 13, what,
        [this, partition, acks = request.acks, generation = generation_, hash = BatchHash(batch),
         count = batch.record_count()](const protocol::ProduceResponse* response, uint64_t sent) {
          OnAnswer(partition, acks, generation, hash, count, response, sent);
        });
  }

  void OnAnswer(const TopicPartition& partition, int16_t acks, uint64_t generation, uint64_t hash,
                int32_t count, const protocol::ProduceResponse* response, uint64_t sent) {
    static Lane none;
    Lane& lane = generation == generation_ ? lanes_[partition] : none;
    lane.in_flight = false;
    if (!idempotent_) lane.batch.clear();  // else it is sent again
    if (response == nullptr) return;
    const auto& answer = response->responses.at(0).partition_responses.at(0);
    context_.trace.Note("  ", context_.oracle.Name(partition), " error ", answer.error_code,
                        " offset ", answer.base_offset);
    if (IsUnknown(answer.error_code)) {
      OnUnknown(partition, sent);
      lanes_.erase(partition);
      return;
    }
    switch (static_cast<ErrorCode>(answer.error_code)) {
      case ErrorCode::kNone:
        OnKnown(partition, sent);
        context_.oracle.Acknowledged(partition, answer.base_offset, hash, acks == -1);
        lane.batch.clear();
        if (idempotent_) lane.next_sequence += count;
        return;
      case ErrorCode::kOutOfOrderSequenceNumber:
      case ErrorCode::kUnknownProducerId:
      case ErrorCode::kDuplicateSequenceNumber:
      case ErrorCode::kInvalidProducerEpoch:
        if (!context_.oracle.lost_power()) {
          context_.trace.Fail(context_.oracle.Name(partition),
                              " refused a sequence that is next: ", answer.error_code);
        }
        if (generation == generation_) id_ = -1;
        return;
      case ErrorCode::kCorruptMessage:
      case ErrorCode::kInvalidRecord:
      case ErrorCode::kInvalidRequest:
        return context_.trace.Fail("produce: a good batch was refused: ", answer.error_code);
      default:
        return;
    }
  }

  const bool idempotent_;
  bool asking_ = false;
  int64_t id_ = -1;
  uint64_t generation_ = 0;
  int64_t records_ = 0;
  std::map<TopicPartition, Lane> lanes_;
};

class Consumer final : public SimActor {
 public:
  Consumer(ClientContext& context, std::string name, bool sessions)
      : SimActor(context, std::move(name)), sessions_(sessions) {}

 private:
  struct Place {
    int64_t from = 0;
    int64_t floor = 0;
  };
  using Places = std::map<TopicPartition, Place>;

  void Ask() override {
    if (session_.waiting() > 0) return;
    std::set<TopicPartition> wanted;
    for (const Oracle::Topic* topic : context_.oracle.Live()) {
      for (int32_t i = 0; i < topic->partitions; ++i) wanted.insert({topic->id, PartitionIndex(i)});
    }
    if (wanted.empty()) return;
    if (wanted != wanted_ || context_.random.OneIn(50)) epoch_ = 0;
    wanted_ = std::move(wanted);
    if (context_.random.OneIn(10)) {  // reads something again
      const auto floor = context_.oracle.Floor(*wanted_.begin());
      position_[*wanted_.begin()] =
          static_cast<int64_t>(context_.random.Below(static_cast<uint64_t>(floor) + 1));
    }
    Fetch();
  }

  void Fetch() {
    protocol::FetchRequest request;
    request.max_wait_ms = static_cast<int32_t>(context_.random.Below(500));
    request.min_bytes = context_.random.OneIn(3) ? 3000 : 1;
    request.max_bytes = context_.random.OneIn(3) ? 2000 : 1 << 20;
    request.session_id = sessions_ ? id_ : 0;
    request.session_epoch = sessions_ ? epoch_ : -1;
    if (epoch_ == 0 || !sessions_) told_.clear();
    Places places;
    for (const TopicPartition& partition : wanted_) {
      const int64_t from = position_[partition];
      places[partition] = {from, context_.oracle.Floor(partition)};
      const auto told = told_.find(partition);
      if (told != told_.end() && told->second == from) continue;
      told_[partition] = from;
      context_.trace.Note("  ", context_.oracle.Name(partition), " from ", from);
      if (request.topics.empty() || request.topics.back().topic_id != partition.topic_id) {
        request.topics.emplace_back().topic_id = partition.topic_id;
      }
      auto& asked = request.topics.back().partitions.emplace_back();
      asked.partition = partition.partition.value();
      asked.fetch_offset = from;
      asked.partition_max_bytes = context_.random.OneIn(3) ? 500 : 1 << 20;
    }
    const auto version = static_cast<int16_t>(13 + context_.random.Below(4));
    Send<protocol::FetchResponse>(
        request, version,
        absl::StrCat("fetch, session ", request.session_id, " epoch ", request.session_epoch),
        [this, places = std::move(places)](const protocol::FetchResponse* response, uint64_t sent) {
          OnAnswer(places, response, sent);
        });
  }

  void OnAnswer(const Places& places, const protocol::FetchResponse* response, uint64_t sent) {
    if (response == nullptr || response->error_code != 0) {
      if (response != nullptr) context_.trace.Note("  fetch error ", response->error_code);
      epoch_ = 0;
      return;
    }
    id_ = response->session_id;
    epoch_ = id_ == 0 ? 0 : epoch_ + 1;
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
    if (IsUnknown(data.error_code)) return OnUnknown(partition, sent);
    const auto error = static_cast<ErrorCode>(data.error_code);
    if (error == ErrorCode::kOffsetOutOfRange) {
      if (place.from <= place.floor && !context_.oracle.Find(partition.topic_id)->retention) {
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

  const bool sessions_;
  int32_t id_ = 0;
  int32_t epoch_ = 0;
  std::set<TopicPartition> wanted_;
  std::map<TopicPartition, int64_t> position_;
  std::map<TopicPartition, int64_t> told_;  // what the session has
};

class Administrator final : public SimActor {
 public:
  using SimActor::SimActor;

  void AskMetadata() {
    protocol::MetadataRequest request;
    request.topics = std::nullopt;
    request.allow_auto_topic_creation = false;
    Send<protocol::MetadataResponse>(
        request, 12, "metadata", [this](const protocol::MetadataResponse* response, uint64_t sent) {
          if (response != nullptr) context_.oracle.OnMetadata(*response, sent);
        });
  }

 private:
  void Ask() override {
    if (session_.waiting() >= 3) return;
    switch (context_.random.Below(8)) {
      case 0:
      case 1:
      case 2:
        return Create();
      case 3:
        return context_.random.OneIn(3) ? Delete() : AskMetadata();
      case 4:
        return AskProducerId();
      case 5:
        return AskMetadata();
      default:
        return ListOffsets();
    }
  }

  void Create() {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = absl::StrCat("t", context_.random.Below(4));
    topic.num_partitions = static_cast<int32_t>(1 + context_.random.Below(3));
    topic.replication_factor = 1;
    if (context_.random.OneIn(2)) topic.configs.push_back({"segment.ms", "3000"});
    if (topic.name == Oracle::kCompactedTopic) {
      topic.configs = {{"cleanup.policy", "compact"},
                       {"segment.ms", "500"},
                       {"min.cleanable.dirty.ratio", context_.random.OneIn(2) ? "0" : "0.3"},
                       {"delete.retention.ms", absl::StrCat(CompactionOracle::kDeleteRetentionMs)},
                       {"file.delete.delay.ms", "1000"}};
    }
    if (topic.name == Oracle::kRetentionTopic) {
      topic.configs.push_back({"retention.ms", "20000"});
      topic.configs.push_back({"file.delete.delay.ms", "1000"});
    }
    Send<protocol::CreateTopicsResponse>(
        request, 7, absl::StrCat("create ", topic.name),
        [this](const protocol::CreateTopicsResponse* response, uint64_t) {
          if (response == nullptr) return;
          for (const auto& topic : response->topics) {
            context_.trace.Note("  create error ", topic.error_code, " ",
                                topic.error_message.value_or(""));
            if (topic.error_code != 0) continue;
            context_.oracle.Created(topic.topic_id, topic.name, topic.num_partitions);
          }
        });
  }

  void Delete() {
    const std::optional<TopicPartition> partition = AnyPartition();
    if (!partition.has_value()) return;
    protocol::DeleteTopicsRequest request;
    request.timeout_ms = 5000;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = partition->topic_id;
    topic.name = std::nullopt;
    context_.oracle.DeleteAsked(partition->topic_id);
    Send<protocol::DeleteTopicsResponse>(
        request, 6, absl::StrCat("delete ", context_.oracle.Name(*partition)),
        [this, id = partition->topic_id](const protocol::DeleteTopicsResponse* response, uint64_t) {
          if (response == nullptr) return;
          context_.trace.Note("  delete error ", response->responses.at(0).error_code);
          if (response->responses.at(0).error_code == 0) context_.oracle.Deleted(id);
        });
  }

  void AskProducerId() {
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    Send<protocol::InitProducerIdResponse>(
        request, 4, "init producer id",
        [this](const protocol::InitProducerIdResponse* response, uint64_t) {
          if (response == nullptr || response->error_code != 0) return;
          context_.oracle.OnProducerId(response->producer_id);
        });
  }

  void ListOffsets() {
    const std::optional<TopicPartition> partition = AnyPartition();
    if (!partition.has_value()) return;
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = context_.oracle.Find(partition->topic_id)->name;
    topic.partitions.emplace_back().partition_index = partition->partition.value();
    topic.partitions.back().timestamp = protocol::kLatestTimestamp;
    Send<protocol::ListOffsetsResponse>(
        request, 7, absl::StrCat("list offsets of ", topic.name),
        [this, partition = *partition, floor = context_.oracle.Floor(*partition)](
            const protocol::ListOffsetsResponse* response, uint64_t sent) {
          // By name: of no other topic only if nobody wants this one deleted.
          if (response == nullptr || context_.oracle.Deletable(partition.topic_id)) return;
          const auto& answer = response->topics.at(0).partitions.at(0);
          if (IsUnknown(answer.error_code)) return OnUnknown(partition, sent);
          if (answer.error_code != 0) return;
          context_.oracle.OnEnd(partition, answer.offset, floor, "log end");
        });
  }
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_CLIENTS_H_
