// -----------------------------------------------------------------------------
// File: tests/sim/sim_node.h
// -----------------------------------------------------------------------------
// One broker on one simulated machine: disk, clock and network stay, what runs on them is killed,
// loses its power and starts again. The driver says which shard runs next.
#ifndef WEIR_TESTS_SIM_SIM_NODE_H_
#define WEIR_TESTS_SIM_SIM_NODE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "log/memory_file.h"
#include "log/memory_file_view.h"
#include "server/broker_config_reader.h"
#include "server/broker_core.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/peer_network.h"
#include "server/properties.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_trace.h"
#include "tests/sim/sim_worker.h"

namespace weir::sim {

class SimClock final : public Clock {
 public:
  MonotonicNs Monotonic() override { return now_; }
  TimestampMs WallMs() override { return kStartMs + now_.value() / kNsPerMs + jump_ms_; }

  // Of true time; the clock may be fast or slow.
  void Advance(int64_t ns) {
    drifted_ += ns * drift_ppm_;
    now_ = now_ + ns + drifted_ / 1'000'000;
    drifted_ %= 1'000'000;
  }
  void set_drift_ppm(int64_t ppm) { drift_ppm_ = ppm; }
  void SetJump(int64_t ms) { jump_ms_ = ms; }  // of the wall clock, against the true time

 private:
  static constexpr TimestampMs kStartMs = 1'700'000'000'000;
  MonotonicNs now_{1'000'000'000};
  int64_t jump_ms_ = 0;
  int64_t drift_ppm_ = 0;
  int64_t drifted_ = 0;  // millionths of a nanosecond
};

class SimNode {
 public:
  static constexpr int kPort = 9092;
  // The metadata log is in the first.
  static constexpr char kTwoFolders[] = "/data,/data-too";

  // What differs from run to run; see the broker's settings.
  struct Options {
    size_t shards = 1;
    bool flush_on_ack = true;
    int64_t checkpoint_ms = 10'000;
    int64_t offsets_partitions = 1;
    int64_t offsets_segment_bytes = 1 << 20;
    int64_t commit_timeout_ms = 5'000;
    int64_t initial_delay_ms = 100;
    bool offsets_expire = false;
    bool compacts_offsets = false;  // as soon as there is something to compact
    int64_t snapshot_bytes = 20 << 20;
    // Of a node of a cluster.
    std::string name = "broker";  // in the trace
    std::vector<std::pair<std::string, std::string>> settings;
    std::function<std::unique_ptr<server::PeerNetwork>()> make_peers;  // for each process anew

    static Options Choose(Random& random, bool flush_on_ack) {
      Options options;
      options.shards = 1 + random.Below(3);
      options.flush_on_ack = flush_on_ack;
      options.checkpoint_ms = static_cast<int64_t>(500 + random.Below(20000));
      options.offsets_partitions = static_cast<int64_t>(1 + random.Below(3));
      if (random.OneIn(2)) options.offsets_segment_bytes = 2000;
      if (random.OneIn(3)) options.commit_timeout_ms = 100;
      options.initial_delay_ms = random.OneIn(3) ? 0 : 100;
      options.offsets_expire = random.OneIn(8);
      options.compacts_offsets = random.OneIn(2);
      if (random.OneIn(2)) options.snapshot_bytes = static_cast<int64_t>(1 + random.Below(3000));
      // Of three runs, one. Nothing is drawn for it, so that seeds that are written down stay good.
      if (options.checkpoint_ms % 3 == 0) options.settings = {{"log.dirs", kTwoFolders}};
      return options;
    }
  };

  SimNode(Random& random, SimNetwork& network, Trace& trace, const Options& options)
      : random_(random),
        network_(network),
        logger_(trace, options.name),
        shards_(options.shards),
        make_peers_(options.make_peers),
        disk_(random.NextU64()),
        config_(Config(options)) {
    disk_.set_manual_syncs(true);
  }
  ~SimNode() { Drop(); }

  log::MemoryFileSystem& disk() { return disk_; }
  SimClock& clock() { return clock_; }
  size_t shards() const { return shards_; }
  bool has_two_folders() const { return config_.data_directories.size() == 2; }
  bool running() const { return core_ != nullptr; }
  bool ready() const { return ready_; }
  // Whether it stopped serving because of its disk: a real process ends then.
  bool failed() const { return failed_; }
  const server::BrokerCore& core() const { return *core_; }

  absl::Status Start() {
    ready_ = failed_ = false;
    shared_ = std::make_unique<log::SharedMemoryFiles>(disk_);
    worker_ = std::make_unique<SimWorker>(*shared_);
    std::vector<server::ShardEnvironment> environments;
    for (size_t i = 0; i < shards_; ++i) {
      reactors_.push_back(std::make_unique<Reactor>(*this));
      Reactor& reactor = *reactors_.back();
      environments.push_back({reactor.loop, reactor.files, reactor.random});
    }
    server::BrokerCore::Options options;
    options.config = config_;
    options.host_name = "sim";
    options.logger = &logger_;
    options.on_failed = [this](const absl::Status&) { failed_ = true; };
    options.workers = {worker_.get()};
    if (make_peers_) peers_ = make_peers_();
    options.peers = peers_.get();
    options.replica_reader = worker_.get();
    options.move_reader = worker_.get();
    auto core =
        server::BrokerCore::Open(std::move(options), environments, [this] { ready_ = true; });
    if (!core.ok()) {
      if (!disk_.crashed()) disk_.KillProcess();  // the process ends
      Drop();
      return core.status();
    }
    core_ = *std::move(core);
    return absl::OkStatus();
  }

  void RunShard(size_t shard) { reactors_[shard]->loop.RunOnce(/*may_block=*/false); }
  bool RunWorker() { return worker_->RunOne(); }
  bool HasWork(size_t shard) {
    Reactor& reactor = *reactors_[shard];
    const std::optional<MonotonicNs> due = reactor.loop.NextDue();
    return reactor.poller.HasReady() || (due.has_value() && *due <= clock_.Monotonic());
  }
  size_t timers(size_t shard) { return reactors_[shard]->loop.timers().size(); }
  std::optional<MonotonicNs> NextDue() {
    std::optional<MonotonicNs> next;
    for (const auto& reactor : reactors_) {
      const std::optional<MonotonicNs> due = reactor->loop.NextDue();
      if (due.has_value() && (!next.has_value() || *due < *next)) next = due;
    }
    return next;
  }

  // Begins to hand leaderships over; then it may be shut down.
  void Leave(absl::AnyInvocable<void()> done) {
    reactors_.front()->loop.Post(
        [core = core_.get(), done = std::move(done)]() mutable { core->Leave(std::move(done)); });
  }

  // Of a node that does not run: its disk is another one.
  absl::Status WipeDisk() {
    absl::Status wiped = disk_.RemoveRecursively("/data");
    wiped.Update(disk_.RemoveRecursively("/data-too"));
    return wiped.ok() ? disk_.SyncDirectory("/") : wiped;
  }

  // Kills what runs; the disk then has what it may have.
  void Kill() {
    disk_.KillProcess();
    Drop();
  }
  void LosePower() {
    disk_.PowerLoss(random_);
    Drop();
  }
  absl::Status Shutdown() {
    const absl::Status closed = core_->Close();
    if (!disk_.crashed()) disk_.KillProcess();  // the process ends, and with it syncs in flight
    Drop();
    return closed;
  }

 private:
  // Log lines are part of the trace.
  class TraceLogger final : public server::Logger {
   public:
    TraceLogger(Trace& trace, std::string name) : trace_(trace), name_(std::move(name)) {}
    void Write(server::LogLevel, absl::string_view message) override {
      trace_.Note("  ", name_, ": ", message);
    }

   private:
    Trace& trace_;
    const std::string name_;
  };

  struct Reactor {
    explicit Reactor(SimNode& node)
        : poller(node.network_),
          files(*node.shared_),
          random(node.random_.NextU64()),
          loop(poller, node.clock_, &files) {}
    SimPoller poller;
    log::MemoryFileView files;
    SeededRandom random;
    server::EventLoop loop;
  };

  static server::BrokerConfig Config(const Options& options) {
    server::Properties properties;
    const auto set = [&](const std::string& key, const std::string& value) {
      properties.Set({key, value, "the simulator"});
    };
    set("node.id", "1");
    set("listeners", "PLAINTEXT://:9092");
    set("log.dirs", "/data");
    set("weir.flush.policy", options.flush_on_ack ? "ack" : "os");
    set("auto.create.topics.enable", "false");
    set("log.flush.offset.checkpoint.interval.ms", std::to_string(options.checkpoint_ms));
    set("log.initial.task.delay.ms", "5000");
    set("log.retention.check.interval.ms", "5000");
    set("num.recovery.threads.per.data.dir", "1");  // a simulation has no threads
    set("metadata.log.max.record.bytes.between.snapshots", std::to_string(options.snapshot_bytes));
    set("log.cleaner.backoff.ms", "300");
    set("log.cleaner.io.buffer.size", "8192");
    if (options.compacts_offsets) {
      set("log.cleaner.min.cleanable.ratio", "0");
      set("log.cleaner.delete.retention.ms", "1000");
    }
    set("offsets.topic.num.partitions", std::to_string(options.offsets_partitions));
    set("offsets.topic.segment.bytes", std::to_string(options.offsets_segment_bytes));
    set("offsets.commit.timeout.ms", std::to_string(options.commit_timeout_ms));
    set("group.initial.rebalance.delay.ms", std::to_string(options.initial_delay_ms));
    set("group.min.session.timeout.ms", "100");
    set("offsets.retention.minutes", options.offsets_expire ? "1" : "10080");
    // An empty group without offsets goes with the next check, and its generations begin anew.
    set("offsets.retention.check.interval.ms", options.offsets_expire ? "3000" : "600000");
    for (const auto& [key, value] : options.settings) set(key, value);
    absl::StatusOr<server::BrokerConfig> config = server::ReadBrokerConfig(properties, nullptr);
    if (!config.ok()) std::fprintf(stderr, "%s\n", config.status().ToString().c_str());
    WEIR_CHECK(config.ok());
    return *std::move(config);
  }

  // What waits in mailboxes may hold buffers of the core: it is run, against a dead disk and with
  // every client gone, before the core goes.
  void Drop() {
    core_.reset();
    peers_.reset();
    worker_.reset();
    reactors_.clear();
    shared_.reset();
    ready_ = failed_ = false;
  }

  Random& random_;
  SimNetwork& network_;
  TraceLogger logger_;
  const size_t shards_;
  const std::function<std::unique_ptr<server::PeerNetwork>()> make_peers_;
  log::MemoryFileSystem disk_;
  SimClock clock_;
  const server::BrokerConfig config_;
  std::unique_ptr<log::SharedMemoryFiles> shared_;
  std::unique_ptr<SimWorker> worker_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::unique_ptr<server::PeerNetwork> peers_;
  std::unique_ptr<server::BrokerCore> core_;
  bool ready_ = false;
  bool failed_ = false;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_NODE_H_
