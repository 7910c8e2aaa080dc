// Raft with its replicas in one process, on storages in memory:
//   Commit/VOTERS/IN_FLIGHT   entries of 1 KiB, so many proposed at once, until all are committed
// Floor: the same entries put into as many queues and logs, each answered once, and counted.
// items_per_second are commits, p50 and p99 the seconds from proposing so many to the commit of the
// last.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/floor.h"
#include "bench/latencies.h"
#include "bench/raft_turns.h"
#include "benchmark/benchmark.h"
#include "coordination/raft/events.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/node.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"

namespace weir::bench {
namespace {

constexpr int64_t kTrimEvery = 100'000;  // entries

class RaftRig {
 public:
  explicit RaftRig(size_t voters) : disks_(voters), turns_(Found(&disks_)) {
    turns_.Turn();
    WEIR_CHECK(turns_.led());
  }

  void Commit(const std::vector<RaftPayload>& payloads, size_t from, size_t count) {
    turns_.Propose(payloads, from, count);
    turns_.Turn();
    WEIR_CHECK(turns_.settled());
    if (turns_.committed() - trimmed_ >= static_cast<size_t>(kTrimEvery)) Trim();
  }

 private:
  static std::vector<raft::Storage*> Found(std::vector<raft::MemoryStorage>* disks) {
    std::vector<raft::Storage*> storages;
    for (raft::MemoryStorage& disk : *disks) {
      raft::MemoryStorage::Found(raft::VoterSet(RaftKeys(disks->size())), &disk);
      storages.push_back(&disk);
    }
    return storages;
  }

  void Trim() {
    trimmed_ = turns_.committed();
    for (size_t i = 0; i < disks_.size(); ++i) {
      raft::Node& node = turns_.node(i);
      const auto meta = node.raft().MetaAt(node.raft().commit());
      WEIR_CHECK(meta.has_value());
      disks_[i].SaveSnapshot(*meta, "");
      node.Post(raft::SnapshotTaken{*meta, meta->id.end_offset});
    }
    turns_.Turn();
  }

  std::vector<raft::MemoryStorage> disks_;
  RaftTurns turns_;
  size_t trimmed_ = 0;
};

// What nobody can do without: each entry in every log, a message to every follower and one back.
class QueueFloor {
 public:
  explicit QueueFloor(size_t voters) : logs_(voters) {}

  void Commit(const std::vector<RaftPayload>& payloads, size_t from, size_t count) {
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
    for (std::deque<RaftPayload>& log : logs_) log.clear();
  }

 private:
  struct Mail {
    size_t follower;
    std::vector<RaftPayload> entries;
  };
  std::vector<std::deque<RaftPayload>> logs_;
  std::deque<Mail> mail_;
};

void Commit(benchmark::State& state) {
  const auto voters = static_cast<size_t>(state.range(0));
  const auto in_flight = static_cast<size_t>(state.range(1));
  std::vector<RaftPayload> payloads;
  for (std::string& piece :
       MakeRotation([](size_t i) { return std::string(kRaftEntryBytes, static_cast<char>(i)); })) {
    payloads.push_back(std::make_shared<const std::string>(std::move(piece)));
  }
  RaftRig ours(voters);
  QueueFloor floor(voters);
  const size_t per_turn = in_flight >= 64 ? 4 : 256;
  const size_t groups = payloads.size() / in_flight;
  Latencies latencies;
  RunAgainstFloor(
      state, groups, per_turn,
      [&](size_t i) { latencies.Time([&] { ours.Commit(payloads, i * in_flight, in_flight); }); },
      [&](size_t i) { floor.Commit(payloads, i * in_flight, in_flight); },
      [&](size_t) { return in_flight * kRaftEntryBytes; });
  state.counters["fsync"] = 0;
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(per_turn * in_flight));
  latencies.Report(state);
}
BENCHMARK(Commit)->ArgsProduct({{3, 5}, {1, 64, 1000}})->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
