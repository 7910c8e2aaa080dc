// -----------------------------------------------------------------------------
// File: tests/sim/replication_clients.h
// -----------------------------------------------------------------------------
// The clients of the simulator of replication: idempotent producers, which repeat a batch until it
// is answered, and readers. The oracle hears of all that they are told.
// Threading: one thread.
#ifndef WEIR_TESTS_SIM_REPLICATION_CLIENTS_H_
#define WEIR_TESTS_SIM_REPLICATION_CLIENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "log/log.h"
#include "log/test_batches.h"
#include "protocol/error_code.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "tests/sim/replication_oracle.h"
#include "tests/sim/replication_world.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class ReplicationClients {
 public:
  using Node = ReplicationWorld::Node;

  // All outlive the clients.
  ReplicationClients(const ReplicationConfig& config, ReplicationWorld* world, Random* random,
                     Trace* trace)
      : config_(config), world_(*world), random_(*random), trace_(*trace) {
    for (size_t i = 0; i < 6; ++i) {
      Producer producer;
      producer.partition = world_.ids()[i % world_.ids().size()];
      producer.acks = i < 4 || random_.OneIn(2) ? replication::kAcksAll : int16_t{1};
      producer.id = ProducerId(next_producer_++);
      producers_.push_back(std::move(producer));
    }
  }

  // One of the producers sends, unless it waits for an answer.
  void Produce() {
    Producer& producer = producers_[random_.Below(producers_.size())];
    if (producer.token != 0) {
      const Node& asked = world_.NodeOf(producer.asked);
      const bool lost = asked.broker == nullptr || asked.broker->epoch() != producer.asked_epoch;
      if (!lost && world_.now().monotonic < producer.give_up) return;
      producer.token = 0;  // nobody answers any more: again
    }
    if (producer.batch.empty()) NewBatch(&producer);
    const ModelPartition& p = world_.controller().Get(producer.partition);
    const BrokerId to = random_.OneIn(8) ? p.replicas[random_.Below(p.replicas.size())] : p.leader;
    if (to == kNoBroker) return;
    Node& node = world_.NodeOf(to);
    if (node.broker == nullptr || node.paused || node.failed) return;
    producer.token = ++next_token_;
    producer.asked = to;
    producer.asked_epoch = node.broker->epoch();
    producer.give_up = world_.now().monotonic + 900 * kNsPerMs;
    sent_.push_back(producer.batch);
    if (sent_.size() > 4000) sent_.pop_front();
    tokens_[producer.token] = &producer;
    node.broker->Append(producer.partition, &sent_.back(), producer.acks, producer.token,
                        world_.now().monotonic + 800 * kNsPerMs);
  }

  // What became of an append, and how many were in sync then.
  void Answered(BrokerId from, const TopicPartition& id, const replication::AppendDone& done,
                size_t isr) {
    const auto found = tokens_.find(done.token);
    if (found == tokens_.end()) return;
    Producer& producer = *found->second;
    tokens_.erase(found);
    if (producer.token != done.token) return;  // it waits for another answer by now
    producer.token = 0;
    if (done.error == protocol::ErrorCode::kNone) {
      const bool all = producer.acks == replication::kAcksAll;
      const size_t min =
          std::min<size_t>(static_cast<size_t>(config_.partition.min_insync_replicas), 3);
      if (all && isr < min && !world_.OracleOf(id).forgiven()) {
        trace_.Fail("broker ", from.value(), " acknowledged with ", isr, " in sync (invariant 7)");
      }
      trace_.Note(from.value(), " acknowledges ", producer.batch_id, " at ",
                  done.base_offset.value());
      world_.OracleOf(id).Acknowledged(producer.batch_id, done.base_offset, all,
                                       absl::StrCat("broker ", from.value()));
      producer.batch.clear();
    } else if (done.error == protocol::ErrorCode::kOutOfOrderSequenceNumber ||
               done.error == protocol::ErrorCode::kInvalidProducerEpoch) {
      // Records that were acknowledged with acks=1, or in an unclean election, are lost.
      // A leader that was deposed and does not know it has not what came later.
      const ModelPartition& p = world_.controller().Get(id);
      const bool leads = p.leader == from &&
                         world_.NodeOf(from).broker->Find(id)->leader_epoch() == p.leader_epoch;
      if (leads && producer.acks == replication::kAcksAll && !world_.OracleOf(id).forgiven()) {
        trace_.Fail("broker ", from.value(), " has lost records of producer ", producer.id.value(),
                    ": ", done.message, " (invariant 1)");
      }
      producer.id = ProducerId(next_producer_++);
      producer.sequence = 0;
      producer.batch.clear();
    }
  }

  // Reads somewhere in a partition, at its leader or a follower.
  void Consume(Node* node) {
    if (node->failed) return;
    const TopicPartition& id = world_.ids()[random_.Below(world_.ids().size())];
    replication::Partition* partition = node->broker->Find(id);
    if (partition == nullptr) return;
    const int64_t room = partition->log().log_end_offset() - partition->log().log_start_offset();
    const Offset from = partition->log().log_start_offset() +
                        static_cast<int64_t>(random_.Below(static_cast<uint64_t>(room) + 1));
    const replication::ReadAnswer answer = partition->Read(
        {.offset = from, .bytes_max = 2000, .at_least_one_batch = true, .allow_follower = true});
    if (answer.error != protocol::ErrorCode::kNone || answer.slice.empty()) return;
    ReplicationOracle& oracle = world_.OracleOf(id);
    const std::string who = absl::StrCat("a reader at broker ", node->id.value());
    if (answer.slice.next_offset > oracle.end() && !oracle.forgiven()) {
      trace_.Fail(who, " sees up to ", answer.slice.next_offset.value(), ", committed is up to ",
                  oracle.end().value(), " (invariant 6)");
    }
    oracle.Check(BatchesIn(log::SliceBytes(answer.slice)), who);
  }

 private:
  // Sends one batch at a time, again until it is answered.
  struct Producer {
    TopicPartition partition;
    int16_t acks = replication::kAcksAll;
    ProducerId id;
    int32_t sequence = 0;
    std::string batch;  // that it sends now
    TimestampMs batch_id = 0;
    replication::WaitToken token = 0;  // of the request under way
    BrokerId asked;
    int64_t asked_epoch = 0;
    MonotonicNs give_up;
  };

  void NewBatch(Producer* producer) {
    const int records = 1 + static_cast<int>(random_.Below(3));
    producer->batch_id = ++next_batch_;
    producer->batch = log::MakeBatch({.records = records,
                                      .value_bytes = random_.Below(60),
                                      .timestamp = producer->batch_id,
                                      .producer = producer->id,
                                      .sequence = producer->sequence});
    producer->sequence += records;
  }

  const ReplicationConfig& config_;
  ReplicationWorld& world_;
  Random& random_;
  Trace& trace_;
  std::vector<Producer> producers_;
  std::map<replication::WaitToken, Producer*> tokens_;
  std::deque<std::string> sent_;
  replication::WaitToken next_token_ = 0;
  int64_t next_producer_ = 1;
  TimestampMs next_batch_ = 0;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_REPLICATION_CLIENTS_H_
