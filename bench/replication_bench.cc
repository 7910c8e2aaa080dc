// Replication with its brokers in one process:
//   Stream/BYTES/IN_FLIGHT   records of so many bytes a message, from a leader to a follower by our
//     streams over gRPC, so many under way at once, each answered with progress
//     floor: a raw stream of gRPC with the same buffers, a byte back for each
//   ReplicateOverGrpc/REPLICAS/PARTITIONS/IN_FLIGHT/FSYNC   appends of 16 KiB until all of them, so
//     many at once, each to the next partition, are below the high watermark: written by every
//     replica (weir.flush.policy os), or durable there (ack). A thread for each broker.
//     floor: the same bytes over raw streams of gRPC, one write(2) at each replica, with FSYNC one
//     fdatasync too
//   ReplicateInMemory/...    the same with streams in memory, all in one thread
//     floor: the write at each replica, with FSYNC a fdatasync at all of them at once
// The floor has one file at each replica, however many partitions ours has. p50 and p99 are the
// seconds of a round; cpu_s_per_gb is CPU time of the whole process per 10^9 bytes appended.
#include <sys/resource.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "bench/floor.h"
#include "bench/grpc_stream_floor.h"
#include "bench/latencies.h"
#include "bench/replica_rig.h"
#include "bench/sized_batches.h"
#include "bench/temp_folder.h"
#include "benchmark/benchmark.h"
#include "coordination/grpc/grpc_listener.h"
#include "coordination/grpc/peer_channel.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "replication/grpc/grpc_stream_network.h"
#include "replication/grpc/stream_codec.h"
#include "replication/memory_stream_network.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::bench {
namespace {

constexpr size_t kBatchBytes = 16 << 10;

// CPU time of the process while `work` is done.
class CpuTime {
 public:
  template <class Work>
  void Time(Work work) {
    const double before = Seconds();
    work();
    seconds_ += Seconds() - before;
  }
  void Report(benchmark::State& state, int64_t bytes) const {
    state.counters["cpu_s_per_gb"] = seconds_ / (static_cast<double>(bytes) / 1e9);
  }

 private:
  static double Seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
  }
  double seconds_ = 0;
};

// A broker's network behind a listener, on loopback.
struct GrpcNode {
  explicit GrpcNode(int32_t id, const uint16_t* leader_port)
      : network({}, [leader_port](BrokerId) {
          coordination::PeerChannelOptions options;
          options.receive_bytes_max = static_cast<int>(replication::kStreamFrameBytesMax);
          return coordination::MakePeerChannel(absl::StrCat("127.0.0.1:", *leader_port), options);
        }) {
    network.SetCluster("bench", BrokerId(id));
    listener = coordination::GrpcListener::Start({}, {network.service()}).value();
  }
  ~GrpcNode() {
    network.Shutdown();
    listener->Shutdown(0);
  }
  replication::GrpcStreamNetwork network;
  std::unique_ptr<coordination::GrpcListener> listener;
};

// --- the stream alone ----------------------------------------------------------------------------

class StreamRig {
 public:
  StreamRig() : leader_(0, &port_), follower_(1, &port_) {
    port_ = leader_.listener->port();
    leader_.network.SetAccept(
        [this](const replication::StreamHello&, std::shared_ptr<replication::LeaderEnd> end)
            -> absl::StatusOr<replication::LeaderEnd::Listener> {
          leader_end_ = std::move(end);
          accepted_.Add(1);
          return replication::LeaderEnd::Listener{
              [this](const replication::FollowerMessage& m) { progress_.Add(m.progress.size()); },
              nullptr};
        });
    replication::FollowerEnd::Listener listener;
    listener.on_message = [this](const replication::LeaderMessage& message) {
      const replication::LeaderRecords& part = message.records.front();
      replication::FollowerMessage answer;
      answer.progress.push_back({part.handle, part.to, part.to, Offset(0)});
      answer.credit_bytes = message.RecordBytes();
      follower_end_->Send(std::move(answer));
    };
    follower_end_ =
        follower_.network.Open({"bench", BrokerId(0), BrokerId(1), 1, 0}, std::move(listener));
    accepted_.WaitFor(1);
  }
  ~StreamRig() {
    follower_.network.Shutdown();
    leader_.network.Shutdown();
  }

  void Send(const std::string& records) {
    replication::LeaderMessage message;
    message.records.push_back({1, Offset(0), Offset(1), Offset(0), Offset(0), records});
    message.storage = std::shared_ptr<const void>(std::shared_ptr<void>(), records.data());
    leader_end_->Send(std::move(message));
  }
  void WaitFor(size_t answered) { progress_.WaitFor(answered); }

 private:
  uint16_t port_ = 0;
  StreamCounter accepted_, progress_;
  GrpcNode leader_, follower_;
  std::shared_ptr<replication::LeaderEnd> leader_end_;
  std::shared_ptr<replication::FollowerEnd> follower_end_;
};

void Stream(benchmark::State& state) {
  const auto bytes = static_cast<size_t>(state.range(0));
  const auto in_flight = static_cast<size_t>(state.range(1));
  const std::vector<std::string> pieces =
      MakeRotation([&](size_t i) { return std::string(bytes, static_cast<char>(i)); });
  StreamRig ours;
  GrpcStreamFloor* to_acknowledge = nullptr;
  GrpcStreamFloor floor(
      [&](absl::Span<const absl::string_view>) { to_acknowledge->Acknowledge(); });
  to_acknowledge = &floor;
  CpuTime cpu;
  Latencies latencies;
  size_t ours_sent = 0, floor_sent = 0;
  const size_t per_turn = bytes >= (1 << 20) ? 16 : 64;
  RunAgainstFloor(
      state, pieces.size(), per_turn,
      [&](size_t i) {
        cpu.Time([&] {
          latencies.Time([&] {
            ours.Send(pieces[i]);
            if (++ours_sent >= in_flight) ours.WaitFor(ours_sent - in_flight + 1);
          });
        });
      },
      [&](size_t i) {
        const absl::string_view piece = pieces[i];
        floor.Send(absl::MakeConstSpan(&piece, 1));
        if (++floor_sent >= in_flight) floor.WaitFor(floor_sent - in_flight + 1);
      },
      [&](size_t) { return bytes; }, [&] { ours.WaitFor(ours_sent); },
      [&] { floor.WaitFor(floor_sent); });
  state.counters["fsync"] = 0;
  latencies.Report(state);
  cpu.Report(state, static_cast<int64_t>(ours_sent * bytes));
}
BENCHMARK(Stream)->ArgsProduct({{64 << 10, 256 << 10, 1 << 20}, {1, 4}})->UseManualTime();

// --- partitions ----------------------------------------------------------------------------

std::string FolderOf(const TempFolder& folder, size_t replica) {
  return absl::StrCat(folder.path(), "/", replica);
}

// What both ways of running replicas have in common.
class ReplicaRig {
 public:
  ReplicaRig(size_t replicas, size_t partitions, bool fsync, std::function<void()> on_wake)
      : partitions_(partitions) {
    for (size_t i = 0; i < replicas; ++i) {
      ReplicaOptions options;
      options.id = static_cast<int32_t>(i);
      options.replicas = replicas;
      options.partitions = partitions;
      options.fsync = fsync;
      options.folder = FolderOf(folder_, i);
      options.on_committed = [this](size_t count) { committed_.Add(count); };
      options.on_wake = on_wake;
      replicas_.push_back(std::make_unique<Replica>(std::move(options)));
    }
  }

 protected:
  void Post(std::vector<std::string>& batches, size_t from, size_t count) {
    appended_ += count;
    replicas_[0]->Post([this, &batches, from, count] {
      for (size_t i = from; i < from + count; ++i) {
        replicas_[0]->Append(next_++ % partitions_, &batches[i % batches.size()]);
      }
    });
  }
  size_t all_followed() const { return (replicas_.size() - 1) * partitions_; }

  TempFolder folder_;
  const size_t partitions_;
  StreamCounter committed_;
  size_t appended_ = 0;
  size_t next_ = 0;  // partition
  std::vector<std::unique_ptr<Replica>> replicas_;
};

class GrpcReplicas : public ReplicaRig {
 public:
  static constexpr bool kOverGrpc = true;

  GrpcReplicas(size_t replicas, size_t partitions, bool fsync)
      : ReplicaRig(replicas, partitions, fsync, nullptr) {
    for (size_t i = 0; i < replicas; ++i) {
      nodes_.push_back(std::make_unique<GrpcNode>(static_cast<int32_t>(i), &leader_port_));
      if (i == 0) leader_port_ = nodes_[0]->listener->port();
      replicas_[i]->Start(&nodes_[i]->network);
      threads_.emplace_back([this, i] {
        while (!stopped_) {
          replicas_[i]->Wait();
          replicas_[i]->Run();
        }
      });
    }
    for (size_t followed = 0; followed < all_followed();) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      StreamCounter asked;
      replicas_[0]->Post([&] {
        followed = replicas_[0]->followed();
        asked.Add(1);
      });
      asked.WaitFor(1);
    }
  }
  ~GrpcReplicas() {
    stopped_ = true;
    for (const auto& replica : replicas_) replica->Wake();
    for (std::thread& thread : threads_) thread.join();
    for (const auto& node : nodes_) node->network.Shutdown();
    for (const auto& replica : replicas_) replica->Stop();
    nodes_.clear();
  }

  void Commit(std::vector<std::string>& batches, size_t from, size_t count) {
    Post(batches, from, count);
    committed_.WaitFor(appended_);
  }

 private:
  std::atomic<bool> stopped_{false};
  uint16_t leader_port_ = 0;
  std::vector<std::unique_ptr<GrpcNode>> nodes_;
  std::vector<std::thread> threads_;
};

class MemoryReplicas : public ReplicaRig {
 public:
  static constexpr bool kOverGrpc = false;

  MemoryReplicas(size_t replicas, size_t partitions, bool fsync)
      : ReplicaRig(replicas, partitions, fsync, [this] { wakes_.Add(1); }) {
    for (size_t i = 0; i < replicas; ++i) {
      replicas_[i]->Start(&network_.Of(BrokerId(static_cast<int32_t>(i))));
    }
    while (replicas_[0]->followed() < all_followed()) Turn();
  }
  ~MemoryReplicas() {
    for (const auto& replica : replicas_) replica->Stop();
  }

  void Commit(std::vector<std::string>& batches, size_t from, size_t count) {
    Post(batches, from, count);
    while (true) {
      const size_t seen = wakes_.count();
      Turn();
      if (committed_.count() >= appended_) return;
      wakes_.WaitFor(seen + 1);
    }
  }

 private:
  void Turn() {
    do {
      for (const auto& replica : replicas_) replica->Run();
    } while (Deliver());
  }
  bool Deliver() {
    bool any = false;
    while (network_.Deliver(random_)) any = true;
    return any;
  }

  StreamCounter wakes_;
  SeededRandom random_{1};
  replication::MemoryStreamNetwork network_;
};

// One file at each replica.
class ReplicaFloor {
 public:
  ReplicaFloor(size_t replicas, bool fsync, bool over_grpc) : fsync_(fsync), files_(replicas) {
    for (size_t i = 0; i < replicas; ++i) {
      GrpcStreamFloor* stream = nullptr;
      if (over_grpc && i > 0) {
        streams_.push_back(std::make_unique<GrpcStreamFloor>(
            [this, i](absl::Span<const absl::string_view> pieces) { Write(i, pieces); }));
        stream = streams_.back().get();
      }
      File& file = files_[i];
      file.on_safe = [this, stream] {
        if (stream != nullptr) return stream->Acknowledge();
        safe_.Add(1);
      };
      file.syncer = std::make_unique<log::ThreadSyncer>(1, file.on_safe);
      file.files = std::make_unique<log::PosixFileSystem>(file.syncer.get());
      file.file = file.files->Open(FolderOf(folder_, i), log::OpenMode::kCreate).value();
    }
  }

  void Commit(absl::Span<const absl::string_view> pieces) {
    ++rounds_;
    for (const auto& stream : streams_) stream->Send(pieces);
    const size_t here = files_.size() - streams_.size();
    for (size_t i = 0; i < here; ++i) Write(i, pieces);
    safe_.WaitFor(rounds_ * here);
    for (const auto& stream : streams_) stream->WaitFor(rounds_);
  }
  void Settle() {
    for (File& file : files_) {
      std::vector<log::SyncDone> done;
      file.files->DrainSyncs(&done);
      for (const log::SyncDone& sync : done) WEIR_CHECK(sync.status.ok());
    }
  }

 private:
  struct File {
    std::function<void()> on_safe;
    std::unique_ptr<log::ThreadSyncer> syncer;
    std::unique_ptr<log::PosixFileSystem> files;
    std::unique_ptr<log::File> file;
  };

  void Write(size_t replica, absl::Span<const absl::string_view> pieces) {
    File& file = files_[replica];
    WEIR_CHECK(file.file->Append(pieces).ok());
    if (fsync_) {
      file.file->StartSync(1);
    } else {
      file.on_safe();
    }
  }

  TempFolder folder_;
  const bool fsync_;
  size_t rounds_ = 0;
  StreamCounter safe_;
  std::vector<File> files_;
  std::vector<std::unique_ptr<GrpcStreamFloor>> streams_;
};

// A file and more for each partition of each replica.
bool MayOpen(size_t files) {
  rlimit limit{};
  WEIR_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_cur >= files) return true;
  if (limit.rlim_max < files) limit.rlim_max = files;
  limit.rlim_cur = files;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

template <class Rig>
void Replicate(benchmark::State& state) {
  const auto replicas = static_cast<size_t>(state.range(0));
  const auto partitions = static_cast<size_t>(state.range(1));
  const auto in_flight = static_cast<size_t>(state.range(2));
  const bool fsync = state.range(3) != 0;
  if (!MayOpen(replicas * partitions + 1000)) {
    return state.SkipWithError("needs as many open files as there are replicas of partitions");
  }
  std::vector<std::string> batches = SizedBatches(kBatchBytes);
  Rig ours(replicas, partitions, fsync);
  ReplicaFloor floor(replicas, fsync, Rig::kOverGrpc);
  std::vector<absl::string_view> pieces(in_flight);
  CpuTime cpu;
  Latencies latencies;
  const auto bytes = static_cast<int64_t>(in_flight * kBatchBytes);
  RunAgainstFloor(
      state, batches.size() / in_flight, 1,
      [&](size_t i) {
        cpu.Time([&] { latencies.Time([&] { ours.Commit(batches, i * in_flight, in_flight); }); });
      },
      [&](size_t i) {
        for (size_t n = 0; n < in_flight; ++n) pieces[n] = batches[i * in_flight + n];
        floor.Commit(pieces);
      },
      [&](size_t) { return bytes; }, nullptr, [&] { floor.Settle(); });
  state.counters["fsync"] = fsync ? 1 : 0;
  latencies.Report(state);
  cpu.Report(state, state.iterations() * bytes);
}

// As many rounds as take a few seconds, and no more disk than a few GB.
void Many(benchmark::internal::Benchmark* row) {
  row->ArgsProduct({{2, 3}, {1, 100, 1'000, 10'000}, {64}, {0, 1}})
      ->Iterations(150)
      ->UseManualTime();
}
void One(benchmark::internal::Benchmark* row) {
  row->ArgsProduct({{2, 3}, {1}, {1}, {0, 1}})->Iterations(1'000)->UseManualTime();
}

void ReplicateOverGrpc(benchmark::State& state) { Replicate<GrpcReplicas>(state); }
BENCHMARK(ReplicateOverGrpc)->Apply(One);
BENCHMARK(ReplicateOverGrpc)->Apply(Many);

void ReplicateInMemory(benchmark::State& state) { Replicate<MemoryReplicas>(state); }
BENCHMARK(ReplicateInMemory)->Apply(One);
BENCHMARK(ReplicateInMemory)->Apply(Many);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
