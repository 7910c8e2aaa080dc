// Raft with its replicas on disk, all on the same one; entries of 1 KiB:
//   CommitDurable/VOTERS/IN_FLIGHT   in one thread; each replica's fdatasync on a thread of its own
//     floor: for each voter, the same bytes in one write and one fdatasync, all at once
//   CommitOverGrpc/VOTERS/IN_FLIGHT  each replica a thread, messages over gRPC on loopback
//     floor: the first one's at once, the others' when the bytes have come to another gRPC
//     listener, with a small message back for each
// Timed is how long it takes until so many, proposed at once, are committed: until a quorum of the
// replicas has them durably. What the others still do then is waited for, untimed: it would slow
// down whoever comes next. items_per_second are commits, p50 and p99 the seconds of a round.
#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "bench/floor.h"
#include "bench/latencies.h"
#include "bench/raft_turns.h"
#include "bench/temp_folder.h"
#include "benchmark/benchmark.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/raft_service.h"
#include "coordination/grpc/raft_test_host.h"
#include "coordination/grpc/raft_transport.h"
#include "coordination/raft/events.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/test_entries.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"

namespace weir::bench {
namespace {

std::vector<RaftPayload> Payloads() {
  const size_t frame = raft::TestBatch("").size();
  std::vector<RaftPayload> payloads;
  for (std::string& piece : MakeRotation([&](size_t i) {
         return raft::TestBatch(std::string(kRaftEntryBytes - frame, static_cast<char>(i)));
       })) {
    payloads.push_back(std::make_shared<const std::string>(std::move(piece)));
  }
  return payloads;
}

std::string FolderOf(const TempFolder& folder, size_t replica) {
  return absl::StrCat(folder.path(), "/", replica, "/__cluster_metadata-0");
}

// Something to wait for that other threads count up.
class Counter {
 public:
  void Add(size_t n = 1) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      count_ += n;
    }
    changed_.notify_one();
  }
  size_t count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }
  void WaitFor(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

class DurableRig {
 public:
  explicit DurableRig(size_t voters) : machines_(voters), turns_(Found()) {
    Until([this] { return turns_.led(); });
    Settle();
  }

  void Commit(const std::vector<RaftPayload>& payloads, size_t from, size_t count) {
    turns_.Propose(payloads, from, count);
    Until([this] { return turns_.settled(); });
  }
  // Until everybody has everything.
  void Settle() {
    Until([this] { return turns_.durable_everywhere(); });
  }

 private:
  struct Machine {
    std::unique_ptr<log::ThreadSyncer> syncer;
    std::unique_ptr<log::PosixFileSystem> files;
    std::unique_ptr<raft::LogStorage> storage;
  };

  std::vector<raft::Storage*> Found() {
    const raft::VoterSet voters(RaftKeys(machines_.size()));
    std::vector<raft::Storage*> storages;
    for (size_t i = 0; i < machines_.size(); ++i) {
      Machine& machine = machines_[i];
      machine.syncer = std::make_unique<log::ThreadSyncer>(1, [this] { completions_.Add(); });
      machine.files = std::make_unique<log::PosixFileSystem>(machine.syncer.get());
      const std::string folder = FolderOf(folder_, i);
      WEIR_CHECK(raft::LogStorage::Found(*machine.files, folder, voters).ok());
      machine.storage = std::make_unique<raft::LogStorage>(*machine.files, folder);
      storages.push_back(machine.storage.get());
    }
    return storages;
  }

  // Goes on with each sync that completes.
  template <class Condition>
  void Until(Condition reached) {
    while (!reached()) {
      const size_t seen = completions_.count();
      turns_.Turn();
      if (!reached()) completions_.WaitFor(seen + 1);
    }
  }

  TempFolder folder_;
  Counter completions_;
  std::vector<Machine> machines_;
  RaftTurns turns_;
};

class GrpcRig {
 public:
  explicit GrpcRig(size_t voters) : committed_ends_(voters) {
    const std::vector<raft::ReplicaKey> keys = RaftKeys(voters);
    log::PosixFileSystem files;
    for (size_t i = 0; i < voters; ++i) {
      raft::RaftTestHostOptions options;
      options.config.cluster_id = "bench";
      options.config.self = keys[i];
      options.directory = FolderOf(folder_, i);
      options.on_effect = [this, i](const raft::Raft&, const raft::Effect& effect) {
        OnEffect(i, effect);
      };
      WEIR_CHECK(raft::LogStorage::Found(files, options.directory, raft::VoterSet(keys)).ok());
      hosts_.push_back(std::make_unique<raft::RaftTestHost>(options));
    }
    for (auto& host : hosts_) {
      for (auto& other : hosts_) {
        if (host != other) host->transport().SetPeer(other->key().id, other->address());
      }
    }
    for (auto& host : hosts_) WEIR_CHECK(host->Start().ok());
    Wait([this] { return leader_.has_value(); });
    Settle();
  }

  void Commit(const std::vector<RaftPayload>& payloads, size_t from, size_t count) {
    proposed_ += count;
    std::vector<raft::Event> events;
    for (size_t i = from; i < from + count; ++i) {
      events.push_back(raft::Propose{++token_, payloads[i % payloads.size()]});
    }
    hosts_[*leader_]->Post(std::move(events));
    Wait([this] { return committed_ == proposed_; });
  }
  // Until everybody knows that everything is committed, and so has it durably.
  void Settle() {
    Wait([this] {
      return std::all_of(committed_ends_.begin(), committed_ends_.end(),
                         [this](Offset end) { return end == committed_ends_[*leader_]; });
    });
  }

 private:
  template <class Condition>
  void Wait(Condition reached) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, reached);
  }

  void OnEffect(size_t host, const raft::Effect& effect) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (std::holds_alternative<raft::LeadershipGained>(effect)) {
      WEIR_CHECK(!leader_.has_value());
      leader_ = host;
    } else if (const auto* committed = std::get_if<raft::Committed>(&effect)) {
      committed_ends_[host] = committed->end;
    } else if (const auto* done = std::get_if<raft::Done>(&effect)) {
      WEIR_CHECK(done->status.ok());
      ++committed_;
    }
    changed_.notify_one();
  }

  TempFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<size_t> leader_;
  std::vector<Offset> committed_ends_;
  size_t committed_ = 0;
  size_t proposed_ = 0;
  uint64_t token_ = 0;
  std::vector<std::unique_ptr<raft::RaftTestHost>> hosts_;
};

// As many files as replicas, each with a thread that syncs it.
class FileFloor {
 public:
  FileFloor(size_t replicas, std::function<void(size_t replica)> on_durable) : replicas_(replicas) {
    for (size_t i = 0; i < replicas; ++i) {
      Replica& replica = replicas_[i];
      replica.syncer = std::make_unique<log::ThreadSyncer>(1, [on_durable, i] { on_durable(i); });
      replica.files = std::make_unique<log::PosixFileSystem>(replica.syncer.get());
      replica.file =
          replica.files->Open(absl::StrCat(folder_.path(), "/", i), log::OpenMode::kCreate).value();
    }
  }

  void Write(size_t replica, absl::Span<const absl::string_view> pieces) {
    WEIR_CHECK(replicas_[replica].file->Append(pieces).ok());
    replicas_[replica].file->StartSync(1);
  }
  // Once all are durable.
  void Settle() {
    for (Replica& replica : replicas_) {
      std::vector<log::SyncDone> done;
      replica.files->DrainSyncs(&done);
      WEIR_CHECK(done.size() == 1 && done[0].status.ok());
    }
  }

 private:
  struct Replica {
    std::unique_ptr<log::ThreadSyncer> syncer;
    std::unique_ptr<log::PosixFileSystem> files;
    std::unique_ptr<log::File> file;
  };
  TempFolder folder_;
  std::vector<Replica> replicas_;
};

class DurableFloor {
 public:
  explicit DurableFloor(size_t voters)
      : voters_(voters), files_(voters, [this](size_t) { durable_.Add(); }) {}

  void Commit(absl::Span<const absl::string_view> pieces) {
    for (size_t i = 0; i < voters_; ++i) files_.Write(i, pieces);
    durable_.WaitFor(settled_ + voters_ / 2 + 1);
  }
  void Settle() {
    durable_.WaitFor(settled_ += voters_);
    files_.Settle();
  }

 private:
  const size_t voters_;
  size_t settled_ = 0;
  Counter durable_;
  FileFloor files_;
};

// The bytes go there, and small messages come back, by two listeners.
class GrpcFloor {
 public:
  explicit GrpcFloor(size_t voters)
      : voters_(voters),
        files_(voters,
               [this](size_t replica) {
                 if (replica == 0) return durable_.Add();
                 back_sender_.Send(Make(1, 0, ""));
               }),
        there_("",
               [this](raft::Message, absl::string_view) {
                 for (size_t i = 1; i < voters_; ++i) files_.Write(i, pieces_);
                 return true;
               }),
        here_("", [this](raft::Message, absl::string_view) {
          durable_.Add();
          return true;
        }) {
    there_listener_ = coordination::GrpcListener::Start({}, {&there_}).value();
    here_listener_ = coordination::GrpcListener::Start({}, {&here_}).value();
    sender_.SetPeer(BrokerId(1), absl::StrCat("127.0.0.1:", there_listener_->port()));
    back_sender_.SetPeer(BrokerId(0), absl::StrCat("127.0.0.1:", here_listener_->port()));
  }
  ~GrpcFloor() {
    sender_.Shutdown();
    back_sender_.Shutdown();
  }

  void Commit(absl::Span<const absl::string_view> pieces) {
    std::string bytes;
    for (const absl::string_view piece : pieces) absl::StrAppend(&bytes, piece);
    pieces_ = pieces;
    sender_.Send(Make(0, 1, std::move(bytes)));
    files_.Write(0, pieces);
    durable_.WaitFor(settled_ + voters_ / 2 + 1);
  }
  void Settle() {
    durable_.WaitFor(settled_ += voters_);
    files_.Settle();
  }

 private:
  static raft::Message Make(int32_t from, int32_t to, std::string bytes) {
    const auto size = static_cast<int64_t>(bytes.size());
    return {"",
            {BrokerId(from), Uuid{}},
            {BrokerId(to), Uuid{}},
            LeaderEpoch(1),
            raft::SnapshotChunk{{}, size, 0, std::move(bytes)}};
  }

  const size_t voters_;
  size_t settled_ = 0;
  Counter durable_;
  absl::Span<const absl::string_view> pieces_;
  raft::RaftTransport sender_{{}};
  raft::RaftTransport back_sender_{{}};
  FileFloor files_;
  raft::RaftService there_;
  raft::RaftService here_;
  std::unique_ptr<coordination::GrpcListener> there_listener_;
  std::unique_ptr<coordination::GrpcListener> here_listener_;
};

template <class Rig, class Floor>
void Commit(benchmark::State& state) {
  const auto voters = static_cast<size_t>(state.range(0));
  const auto in_flight = static_cast<size_t>(state.range(1));
  const std::vector<RaftPayload> payloads = Payloads();
  Rig ours(voters);
  Floor floor(voters);
  std::vector<absl::string_view> pieces(in_flight);
  Latencies latencies;
  RunAgainstFloor(
      state, payloads.size() / in_flight, 1,
      [&](size_t i) { latencies.Time([&] { ours.Commit(payloads, i * in_flight, in_flight); }); },
      [&](size_t i) {
        for (size_t n = 0; n < in_flight; ++n) pieces[n] = *payloads[i * in_flight + n];
        floor.Commit(pieces);
      },
      [&](size_t) { return in_flight * kRaftEntryBytes; }, [&] { ours.Settle(); },
      [&] { floor.Settle(); });
  state.counters["fsync"] = 1;
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(in_flight));
  latencies.Report(state);
}

// As many rounds as take a few seconds: each row begins with an election.
void Few(benchmark::internal::Benchmark* row) {
  row->ArgsProduct({{3, 5}, {1, 64}})->Iterations(300)->UseManualTime();
}
void Fewer(benchmark::internal::Benchmark* row) {
  row->ArgsProduct({{3, 5}, {1000}})->Iterations(200)->UseManualTime();
}

void CommitDurable(benchmark::State& state) { Commit<DurableRig, DurableFloor>(state); }
BENCHMARK(CommitDurable)->Apply(Few);
BENCHMARK(CommitDurable)->Apply(Fewer);

void CommitOverGrpc(benchmark::State& state) { Commit<GrpcRig, GrpcFloor>(state); }
BENCHMARK(CommitOverGrpc)->Apply(Few);
BENCHMARK(CommitOverGrpc)->Apply(Fewer);

}  // namespace
}  // namespace weir::bench
