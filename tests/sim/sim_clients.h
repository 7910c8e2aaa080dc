// -----------------------------------------------------------------------------
// File: tests/sim/sim_clients.h
// -----------------------------------------------------------------------------
// The simulator's clients that change something: producers that repeat what was not answered, an
// administrator, and who moves replicas between folders. Each does one thing per Act and tells the
// oracle what it was told.
#ifndef WEIR_TESTS_SIM_SIM_CLIENTS_H_
#define WEIR_TESTS_SIM_SIM_CLIENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/produce.h"
#include "protocol/api/update_features.h"
#include "protocol/error_code.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"
#include "tests/sim/compaction_oracle.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_session.h"

namespace weir::sim {

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
    if (lane.in_flight) return;
    const std::optional<size_t> broker = BrokerFor(*partition);
    if (!broker.has_value() || !Connected(*broker) || session(*broker).waiting() >= 5) return;
    if (lane.batch.empty()) lane.batch = NewBatch(*partition, lane.next_sequence);
    Produce(*broker, *partition, lane);
  }

  void AskId() {
    if (asking_) return;
    Session* const to = ToAny();
    if (to == nullptr) return;
    asking_ = true;
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = 60000;
    Send<protocol::InitProducerIdResponse>(
        *to, request, 4, "init producer id",
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

  void Produce(size_t broker, const TopicPartition& partition, Lane& lane) {
    Session& to = session(broker);
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
      context_.trace.Note(to.name(), ": ", what);
      to.Send<protocol::ProduceResponse>(request, 13, context_.clock.Monotonic(), nullptr);
      lane.batch.clear();
      return;
    }
    lane.in_flight = true;
    Send<protocol::ProduceResponse>(
        to, request, 13, what,
        [this, partition, acks = request.acks, generation = generation_, hash = BatchHash(batch),
         count = batch.record_count(), broker, epoch = context_.brokers.TrueEpochOf(partition)](
            const protocol::ProduceResponse* response, uint64_t sent) {
          // Of a leader that knows of no other; one that was deposed meanwhile may lack a batch.
          const bool leads = context_.brokers.Leads(broker, partition) &&
                             context_.brokers.TrueEpochOf(partition) == epoch;
          OnAnswer(partition, acks, generation, hash, count, leads, response, sent);
        });
  }

  void OnAnswer(const TopicPartition& partition, int16_t acks, uint64_t generation, uint64_t hash,
                int32_t count, bool leads, const protocol::ProduceResponse* response,
                uint64_t sent) {
    static Lane none;
    Lane& lane = generation == generation_ ? lanes_[partition] : none;
    lane.in_flight = false;
    if (!idempotent_) lane.batch.clear();  // else it is sent again
    if (response == nullptr) return context_.brokers.Forget(partition);
    const auto& answer = response->responses.at(0).partition_responses.at(0);
    context_.trace.Note("  ", context_.oracle.Name(partition), " error ", answer.error_code,
                        " offset ", answer.base_offset);
    OnMoved(partition, answer.error_code);
    if (IsUnknown(answer.error_code)) {
      OnUnknown(partition, sent);
      if (!context_.oracle.brokers_lag()) lanes_.erase(partition);
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
        if (leads && !context_.oracle.MayLose(partition)) {
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

class Administrator final : public SimActor {
 public:
  using SimActor::SimActor;

 private:
  void Ask() override {
    Session* const to = ToAny();
    if (to == nullptr || to->waiting() >= 3) return;
    switch (context_.random.Below(8)) {
      case 0:
      case 1:
      case 2:
        return Create(*to);
      case 3:
        return context_.random.OneIn(3) ? Delete(*to) : AskMetadata();
      case 4:
        return AskProducerId(*to);
      case 5:
        if (context_.oracle.replication().eligible && !asked_eligible_) return AskEligible(*to);
        if (context_.brokers.size() > 1 && context_.random.OneIn(2)) return Reassign(*to);
        return AskMetadata();
      default:
        return ListOffsets();
    }
  }

  void Create(Session& to) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = absl::StrCat("t", context_.random.Below(4));
    topic.num_partitions = static_cast<int32_t>(1 + context_.random.Below(3));
    const Oracle::Replication& replication = context_.oracle.replication();
    topic.replication_factor = replication.factor;
    if (context_.random.OneIn(2)) topic.configs.push_back({"segment.ms", "3000"});
    if (topic.name == Oracle::kCompactedTopic) {
      topic.configs = {
          {"cleanup.policy", "compact"},
          {"segment.ms", "500"},
          {"min.cleanable.dirty.ratio", context_.random.OneIn(2) ? "0" : "0.3"},
          // A replica that was away for longer would keep what was deleted.
          {"delete.retention.ms",
           absl::StrCat(context_.brokers.size() > 1 ? 3'600'000
                                                    : CompactionOracle::kDeleteRetentionMs)},
          {"file.delete.delay.ms", "1000"}};
    }
    if (topic.name == Oracle::kRetentionTopic) {
      topic.configs.push_back({"retention.ms", "20000"});
      topic.configs.push_back({"file.delete.delay.ms", "1000"});
    }
    if (replication.min_insync > 1) {
      topic.configs.push_back({"min.insync.replicas", absl::StrCat(replication.min_insync)});
    }
    if (replication.unclean && topic.name == Oracle::kUncleanTopic) {
      topic.configs.push_back({"unclean.leader.election.enable", "true"});
    }
    Send<protocol::CreateTopicsResponse>(
        to, request, 7, absl::StrCat("create ", topic.name),
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

  void Delete(Session& to) {
    const std::optional<TopicPartition> partition = AnyPartition();
    if (!partition.has_value()) return;
    protocol::DeleteTopicsRequest request;
    request.timeout_ms = 5000;
    auto& topic = request.topics.emplace_back();
    topic.topic_id = partition->topic_id;
    topic.name = std::nullopt;
    context_.oracle.DeleteAsked(partition->topic_id);
    Send<protocol::DeleteTopicsResponse>(
        to, request, 6, absl::StrCat("delete ", context_.oracle.Name(*partition)),
        [this, id = partition->topic_id](const protocol::DeleteTopicsResponse* response, uint64_t) {
          if (response == nullptr) return;
          context_.trace.Note("  delete error ", response->responses.at(0).error_code);
          if (response->responses.at(0).error_code == 0) context_.oracle.Deleted(id);
        });
  }

  // Turns eligible leader replicas on.
  void AskEligible(Session& to) {
    protocol::UpdateFeaturesRequest request;
    auto& feature = request.feature_updates.emplace_back();
    feature.feature = "eligible.leader.replicas.version";
    feature.max_version_level = 1;
    Send<protocol::UpdateFeaturesResponse>(
        to, request, 1, "eligible leader replicas",
        [this](const protocol::UpdateFeaturesResponse* response, uint64_t) {
          if (response == nullptr) return;
          context_.trace.Note("  error ", response->error_code);
          asked_eligible_ = true;
        });
  }

  // Moves a partition to other brokers, or in another order.
  void Reassign(Session& to) {
    const std::optional<TopicPartition> partition = AnyPartition();
    const auto factor = static_cast<size_t>(context_.oracle.replication().factor);
    if (!partition.has_value() || factor > context_.brokers.size()) return;
    std::vector<int32_t> replicas;
    while (replicas.size() < factor) {
      const int32_t id = context_.brokers.IdOf(context_.brokers.Any(context_.random));
      if (std::count(replicas.begin(), replicas.end(), id) == 0) replicas.push_back(id);
    }
    protocol::AlterPartitionReassignmentsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = context_.oracle.Find(partition->topic_id)->name;
    auto& moved = topic.partitions.emplace_back();
    moved.partition_index = partition->partition.value();
    if (!context_.random.OneIn(5)) moved.replicas = replicas;  // else the move is taken back
    Send<protocol::AlterPartitionReassignmentsResponse>(
        to, request, 0,
        absl::StrCat("move ", context_.oracle.Name(*partition), " to ",
                     moved.replicas.has_value() ? absl::StrJoin(replicas, ",") : "where it was"),
        [this](const protocol::AlterPartitionReassignmentsResponse* response, uint64_t) {
          if (response != nullptr) context_.trace.Note("  error ", response->error_code);
        });
  }

  void AskProducerId(Session& to) {
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    Send<protocol::InitProducerIdResponse>(
        to, request, 4, "init producer id",
        [this](const protocol::InitProducerIdResponse* response, uint64_t) {
          if (response == nullptr || response->error_code != 0) return;
          context_.oracle.OnProducerId(response->producer_id);
        });
  }

  void ListOffsets() {
    const std::optional<TopicPartition> partition = AnyPartition();
    if (!partition.has_value()) return;
    Session* const to = ToLeaderOf(*partition);
    if (to == nullptr) return;
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = context_.oracle.Find(partition->topic_id)->name;
    topic.partitions.emplace_back().partition_index = partition->partition.value();
    topic.partitions.back().timestamp = protocol::kLatestTimestamp;
    Send<protocol::ListOffsetsResponse>(
        *to, request, 7, absl::StrCat("list offsets of ", topic.name),
        [this, partition = *partition, floor = context_.oracle.Floor(*partition),
         epoch = context_.brokers.TrueEpochOf(*partition)](
            const protocol::ListOffsetsResponse* response, uint64_t sent) {
          // By name: of no other topic only if nobody wants this one deleted.
          if (response == nullptr) return context_.brokers.Forget(partition);
          if (context_.oracle.Deletable(partition.topic_id)) return;
          if (context_.oracle.brokers_lag() && context_.oracle.IsNameReused(partition.topic_id)) {
            return;
          }
          const auto& answer = response->topics.at(0).partitions.at(0);
          OnMoved(partition, answer.error_code);
          if (IsUnknown(answer.error_code)) return OnUnknown(partition, sent);
          if (answer.error_code != 0) return;
          // A leader that does not know of the next one tells of what it knows.
          const bool leads = answer.leader_epoch >= epoch;
          context_.oracle.OnEnd(partition, answer.offset, leads ? floor : 0, "log end");
        });
  }

  bool asked_eligible_ = false;
};

// Has replicas moved between the folders of their broker. What becomes of them the other clients
// must not notice.
class Mover final : public SimActor {
 public:
  Mover(ClientContext& context, std::string name) : SimActor(context, std::move(name)) {}

 private:
  void Ask() override {
    const std::optional<TopicPartition> partition = AnyPartition();
    if (!partition.has_value()) return;
    Session* const to = ToAny();
    if (to == nullptr || to->waiting() >= 3) return;
    const std::string name = context_.oracle.Name(*partition);
    protocol::AlterReplicaLogDirsRequest request;
    auto& dir = request.dirs.emplace_back();
    dir.path = context_.random.OneIn(2) ? "/data" : "/data-too";
    dir.topics.push_back({name.substr(0, name.rfind('-')), {partition->partition.value()}});
    Send<protocol::AlterReplicaLogDirsResponse>(
        *to, request, 2, absl::StrCat("move ", name, " to ", dir.path),
        [](const protocol::AlterReplicaLogDirsResponse*, uint64_t) {});
  }
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_CLIENTS_H_
