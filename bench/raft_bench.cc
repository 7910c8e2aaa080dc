// Raft with its replicas in one process, on storages in memory:
//   Commit/VOTERS/IN_FLIGHT   entries of 1 KiB, so many proposed at once, until all are committed
// Floor: the same entries put into as many queues and logs, each answered once, and counted.
// items_per_second are commits, `latency` is the time until those in flight are committed.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "bench/floor.h"
#include "benchmark/benchmark.h"
#include "coordination/raft/events.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/types.h"

namespace weir::bench {
namespace {

constexpr size_t kEntryBytes = 1024;
constexpr int64_t kTrimEvery = 100'000;  // entries
using Payload = std::shared_ptr<const std::string>;

// All replicas take turns until none has anything to do. Time stands still, so nobody times out.
class RaftRig : public raft::Transport {
 public:
  explicit RaftRig(size_t voters) : machines_(voters) {
    std::vector<raft::ReplicaKey> keys;
    for (size_t i = 0; i < voters; ++i) {
      keys.push_back({BrokerId(static_cast<int32_t>(i)), Uuid{0, i + 1}});
    }
    for (size_t i = 0; i < voters; ++i) {
      raft::MemoryStorage::Found(raft::VoterSet(keys), &machines_[i].disk);
      raft::RaftConfig config;
      config.cluster_id = "bench";
      config.self = keys[i];
      auto node = raft::Node::Open(config, machines_[i].disk, *this, random_, MonotonicNs(0));
      WEIR_CHECK(node.ok());
      machines_[i].node = *std::move(node);
    }
    now_ = machines_[0].node->NextDeadline();
    Run(machines_[0]);
    Settle();
    WEIR_CHECK(machines_[0].node->raft().role() == raft::Role::kLeader);
  }

  void Send(raft::Message message) override { mail_.push_back(std::move(message)); }

  void Commit(const std::vector<Payload>& payloads, size_t from, size_t count) {
    const size_t until = committed_ + count;
    for (size_t i = from; i < from + count; ++i) {
      machines_[0].node->Post(raft::Propose{++token_, payloads[i % payloads.size()]});
    }
    Run(machines_[0]);
    Settle();
    WEIR_CHECK(committed_ == until);
    if (committed_ - trimmed_ >= static_cast<size_t>(kTrimEvery)) Trim();
  }

 private:
  struct Machine {
    raft::MemoryStorage disk;
    std::unique_ptr<raft::Node> node;
  };

  void Settle() {
    while (!mail_.empty()) {
      raft::Message message = std::move(mail_.front());
      mail_.pop_front();
      Machine& to = machines_[static_cast<size_t>(message.to.id.value())];
      to.node->Post(raft::Receive{std::move(message)});
      Run(to);
    }
  }

  void Run(Machine& machine) {
    effects_.clear();
    machine.node->Run(now_, &effects_);
    for (const raft::Effect& effect : effects_) {
      const auto* done = std::get_if<raft::Done>(&effect);
      if (done == nullptr) continue;
      WEIR_CHECK(done->status.ok());
      ++committed_;
    }
  }

  void Trim() {
    trimmed_ = committed_;
    for (Machine& machine : machines_) {
      const auto meta = machine.node->raft().MetaAt(machine.node->raft().commit());
      WEIR_CHECK(meta.has_value());
      machine.disk.SaveSnapshot(*meta, "");
      machine.node->Post(raft::SnapshotTaken{*meta, meta->id.end_offset});
      Run(machine);
    }
    Settle();
  }

  SeededRandom random_{1};
  std::vector<Machine> machines_;
  std::deque<raft::Message> mail_;
  raft::Effects effects_;
  MonotonicNs now_;
  uint64_t token_ = 0;
  size_t committed_ = 0;
  size_t trimmed_ = 0;
};

// What nobody can do without: each entry in every log, a message to every follower and one back.
class QueueFloor {
 public:
  explicit QueueFloor(size_t voters) : logs_(voters) {}

  void Commit(const std::vector<Payload>& payloads, size_t from, size_t count) {
    for (size_t i = from; i < from + count; ++i) logs_[0].push_back(payloads[i % payloads.size()]);
    for (size_t follower = 1; follower < logs_.size(); ++follower) {
      Mail mail{follower, {}};
      for (size_t i = from; i < from + count; ++i) {
        mail.entries.push_back(payloads[i % payloads.size()]);
      }
      mail_.push_back(std::move(mail));
    }
    size_t answers = 1;
    while (!mail_.empty()) {
      const Mail mail = std::move(mail_.front());
      mail_.pop_front();
      if (mail.follower == 0) {
        ++answers;
        continue;
      }
      logs_[mail.follower].insert(logs_[mail.follower].end(), mail.entries.begin(),
                                  mail.entries.end());
      mail_.push_back({0, {}});
    }
    WEIR_CHECK(answers == logs_.size());
    if (logs_[0].size() < static_cast<size_t>(kTrimEvery)) return;
    for (std::deque<Payload>& log : logs_) log.clear();
  }

 private:
  struct Mail {
    size_t follower;
    std::vector<Payload> entries;
  };
  std::vector<std::deque<Payload>> logs_;
  std::deque<Mail> mail_;
};

void Commit(benchmark::State& state) {
  const auto voters = static_cast<size_t>(state.range(0));
  const auto in_flight = static_cast<size_t>(state.range(1));
  std::vector<Payload> payloads;
  for (std::string& piece :
       MakeRotation([](size_t i) { return std::string(kEntryBytes, static_cast<char>(i)); })) {
    payloads.push_back(std::make_shared<const std::string>(std::move(piece)));
  }
  RaftRig ours(voters);
  QueueFloor floor(voters);
  const size_t per_turn = in_flight >= 64 ? 4 : 256;
  const size_t groups = payloads.size() / in_flight;
  RunAgainstFloor(
      state, groups, per_turn, [&](size_t i) { ours.Commit(payloads, i * in_flight, in_flight); },
      [&](size_t i) { floor.Commit(payloads, i * in_flight, in_flight); },
      [&](size_t) { return in_flight * kEntryBytes; });
  state.counters["fsync"] = 0;
  const auto commits = state.iterations() * static_cast<int64_t>(per_turn);
  state.SetItemsProcessed(commits * static_cast<int64_t>(in_flight));
  // Seconds from proposing so many to the commit of the last.
  state.counters["latency"] = benchmark::Counter(
      static_cast<double>(commits), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(Commit)->ArgsProduct({{3, 5}, {1, 64, 1000}})->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
