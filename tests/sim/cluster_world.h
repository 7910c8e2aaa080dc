// -----------------------------------------------------------------------------
// File: tests/sim/cluster_world.h
// -----------------------------------------------------------------------------
// The machines of a simulated cluster: brokers and controllers as SimNode has them, the network
// between them, one true time that their clocks follow more or less, and what can happen to them.
#ifndef WEIR_TESTS_SIM_CLUSTER_WORLD_H_
#define WEIR_TESTS_SIM_CLUSTER_WORLD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "replication/partition.h"
#include "server/connection_table.h"
#include "server/controller_driver.h"
#include "server/listener.h"
#include "server/partition_table.h"
#include "server/shard.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_fabric.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_peer_network.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_stream_network.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

// Who is there and how they are set up.
struct ClusterLayout {
  struct Member {
    bool is_broker = true;
    bool is_controller = true;
  };
  std::vector<Member> members;  // the ids count from 1
  bool voters_have_ids = true;  // in the configuration
  bool flush_on_ack = true;

  static ClusterLayout Choose(Random& random) {
    ClusterLayout layout;
    const auto add = [&](uint64_t count, Member member) {
      layout.members.insert(layout.members.end(), count, member);
    };
    switch (random.Below(5)) {
      case 0:
        add(1 + random.Below(2), {true, true});
        add(random.Below(3), {true, false});
        break;
      case 1:
        add(1, {false, true});
        add(2 + random.Below(2), {true, false});
        break;
      case 2:
        add(3, {false, true});
        add(2, {true, false});
        break;
      default:
        add(3, {true, true});
        if (random.OneIn(3)) add(1, {true, false});
        break;
    }
    layout.voters_have_ids = random.OneIn(2);
    layout.flush_on_ack = !random.OneIn(4);
    return layout;
  }
  std::vector<BrokerMap::Broker> Brokers() const {
    std::vector<BrokerMap::Broker> brokers;
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].is_broker) brokers.push_back({IdOf(i), PortOf(i)});
    }
    return brokers;
  }
  size_t controllers() const {
    return static_cast<size_t>(std::count_if(members.begin(), members.end(),
                                             [](const Member& m) { return m.is_controller; }));
  }
  static int32_t IdOf(size_t index) { return static_cast<int32_t>(index) + 1; }
  static int PortOf(size_t index) { return 9001 + static_cast<int>(index); }
  static server::HostPort InternalAddress(size_t index) {
    return {absl::StrCat("node-", IdOf(index)), static_cast<uint16_t>(9101 + index)};
  }
};

class ClusterWorld {
 public:
  struct Machine {
    std::unique_ptr<SimNode> node;
    int32_t id = 0;
    bool is_broker = false, is_controller = false;
    MonotonicNs starts_at{0};              // once it has ended
    std::optional<MonotonicNs> paused_to;  // stands still
    bool has_two_folders = false;
    bool disk_is_bad = false;
    bool ended_badly = false;      // and is not back in sync everywhere
    bool broke_off = false;        // while it served; and has not registered since
    bool disk_is_missing = false;  // and the cluster does not know yet
    std::string decayed;           // a file with a byte that has changed by itself
    bool was_wiped = false;        // has lost a disk
    bool leaves = false;           // hands its leaderships over
    bool left = false;
  };

  ClusterWorld(Random& random, SimNetwork& network, Trace& trace, const ClusterLayout& layout)
      : random_(random), trace_(trace), fabric_(random, clock_), streams_(fabric_, trace) {
    for (size_t i = 0; i < layout.members.size(); ++i) {
      fabric_.SetAddress(ClusterLayout::IdOf(i), ClusterLayout::InternalAddress(i));
      machines_.push_back(NewMachine(network, layout, i));
    }
  }

  SimClock& clock() { return clock_; }
  SimFabric& fabric() { return fabric_; }
  size_t size() const { return machines_.size(); }
  Machine& machine(size_t index) { return machines_[index]; }
  std::vector<Machine>& machines() { return machines_; }
  static bool Runs(const Machine& machine) {
    return machine.node->running() && !machine.paused_to.has_value();
  }

  // Of a node that runs; null where it is not open there.
  static const replication::Partition* PartitionAt(const Machine& machine,
                                                   const TopicPartition& partition) {
    for (server::Shard* const shard : machine.node->core().node().shards) {
      const replication::Partition* const found = shard->partitions().FindPartition(partition);
      if (found != nullptr) return found;
    }
    return nullptr;
  }

  // --- time ---------------------------------------------------------------------------------

  void Advance(int64_t ns) {
    clock_.Advance(ns);
    for (Machine& machine : machines_) machine.node->clock().Advance(ns);
  }
  // How long nothing happens by itself, if anything ever does.
  std::optional<int64_t> UntilNext() {
    std::optional<int64_t> next;
    const auto take = [&next](int64_t ns) { next = std::min(next.value_or(ns), ns); };
    if (const auto due = fabric_.NextDue(); due.has_value()) take(*due - clock_.Monotonic());
    for (Machine& machine : machines_) {
      if (machine.paused_to.has_value()) take(*machine.paused_to - clock_.Monotonic());
      if (!machine.node->running()) take(machine.starts_at - clock_.Monotonic());
      if (!Runs(machine)) continue;
      const auto due = machine.node->NextDue();
      if (due.has_value()) take(*due - machine.node->clock().Monotonic());
    }
    return next;
  }

  // --- what runs ----------------------------------------------------------------------------

  void RunShard(Machine& machine, size_t shard) {
    if (Runs(machine)) machine.node->RunShard(shard);
  }
  bool CompleteSync(Machine& machine) { return machine.node->disk().CompleteOneSync(random_); }
  // All that is to be done now, once each. False when there was nothing.
  bool RunReady() {
    bool busy = false;
    while (fabric_.RunOne()) busy = true;
    for (Machine& machine : machines_) {
      if (!Runs(machine)) continue;
      SimNode& node = *machine.node;
      for (size_t i = 0; i < node.shards() && !node.disk().crashed(); ++i) {
        if (!node.HasWork(i)) continue;
        busy = true;
        node.RunShard(i);
      }
      busy |= node.RunWorker();
      while (CompleteSync(machine)) {
        busy = true;
        for (size_t i = 0; i < node.shards() && !node.disk().crashed(); ++i) node.RunShard(i);
      }
    }
    return busy;
  }

  // --- faults -------------------------------------------------------------------------------

  absl::Status Start(Machine& machine) {
    machine.leaves = machine.left = false;
    const absl::Status started = machine.node->Start();
    trace_.Note("start ", machine.id, ": ", started.ToString());
    if (!started.ok() && !machine.node->disk().crashed()) NoteFiles(machine, "/data");
    return started;
  }
  void Pause(Machine& machine, int64_t ns) {
    trace_.Note("pause ", machine.id);
    machine.paused_to = clock_.Monotonic() + ns;
    fabric_.SetPaused(machine.id, true);
  }
  void Resume(Machine& machine) {
    trace_.Note("resume ", machine.id);
    machine.paused_to.reset();
    fabric_.SetPaused(machine.id, false);
  }
  // The process ends, and comes back after a while.
  void Kill(Machine& machine, bool power, int64_t down_ns) {
    trace_.Note(power ? "power loss " : "kill ", machine.id);
    if (power) {
      machine.node->LosePower();
    } else {
      machine.node->Kill();
    }
    End(machine, down_ns);
  }
  void Shutdown(Machine& machine, int64_t down_ns) {
    const absl::Status closed = machine.node->Shutdown();
    trace_.Note("shutdown ", machine.id, ": ", closed.ToString());
    End(machine, down_ns);
  }
  void Leave(Machine& machine) {
    if (std::exchange(machine.leaves, true)) return;
    trace_.Note("leave ", machine.id);
    machine.node->Leave([&machine] { machine.left = true; });
  }

  void CutAtRandom() {
    const int32_t node = machines_[random_.Below(size())].id;
    const uint64_t kind = random_.Below(4);
    trace_.Note("cut ", node, " kind ", kind);
    if (kind == 0) {  // one pair, one way
      fabric_.Cut(node, machines_[random_.Below(size())].id);
      return;
    }
    for (const Machine& other : machines_) {
      if (other.id == node) continue;
      if (kind != 1) fabric_.Cut(node, other.id);
      if (kind != 2) fabric_.Cut(other.id, node);
    }
  }
  void BreakStream() {
    if (streams_.BreakAny()) trace_.Note("a stream breaks");
  }
  void HealCuts() {
    trace_.Note("cuts heal");
    fabric_.HealCuts();
  }

  void AddDiskFault(Machine& machine) {
    static constexpr log::FileOp kOps[] = {log::FileOp::kRead, log::FileOp::kAppend,
                                           log::FileOp::kTruncate, log::FileOp::kSync,
                                           log::FileOp::kDirectory};
    log::FileFault fault;
    fault.op = kOps[random_.Below(5)];
    fault.one_in = 1 + random_.Below(20);
    fault.times = static_cast<int64_t>(1 + random_.Below(4));
    // Of two folders mostly one: with the other the node goes on.
    if (machine.has_two_folders && fault.one_in % 4 != 0) fault.path_contains = "/data-too/";
    trace_.Note("disk fault of kind ", static_cast<int>(fault.op), " at ", machine.id);
    machine.node->disk().InjectFault(fault);
    machine.disk_is_bad = true;
  }
  void FillDisk(Machine& machine) {
    const auto free = machine.node->disk().FreeBytes("/");
    if (!free.ok()) return;
    const int64_t room = static_cast<int64_t>(random_.Below(200'000));
    trace_.Note("disk of ", machine.id, " is full in ", room);
    machine.node->disk().set_capacity_bytes(kWholeDisk - *free + room);
    machine.disk_is_bad = true;
  }
  void HealDisk(Machine& machine) {
    if (!machine.disk_is_bad) return;
    trace_.Note("disk of ", machine.id, " heals");
    machine.node->disk().ClearFaults();
    machine.node->disk().set_capacity_bytes(kWholeDisk);
    machine.disk_is_bad = false;
  }
  void HealAll() {
    fabric_.HealCuts();
    fabric_.options() = SimFabric::Options();
    for (Machine& machine : machines_) {
      HealDisk(machine);
      machine.node->disk().CrashAtBoundary(int64_t{1} << 60);
      if (machine.paused_to.has_value()) Resume(machine);
      machine.starts_at = clock_.Monotonic();
    }
  }

  // --- looking inside -----------------------------------------------------------------------

  size_t Readers() {
    return Sum([](server::Shard& shard) { return shard.partitions().readers(); });
  }
  size_t Connections() {
    return Sum([](server::Shard& shard) { return shard.connections().size(); });
  }
  bool AppendsWait() {
    return Sum([](server::Shard& shard) { return shard.partitions().appends_wait(); }) > 0;
  }

  static server::ControllerDriver& DriverOf(const Machine& machine) {
    return machine.node->core().node().shards.front()->controller();
  }

 private:
  static constexpr int64_t kWholeDisk = int64_t{1} << 50;

  template <class Of>
  size_t Sum(Of of) {
    size_t sum = 0;
    for (Machine& machine : machines_) {
      if (!machine.node->running()) continue;
      for (server::Shard* shard : machine.node->core().node().shards) sum += of(*shard);
    }
    return sum;
  }

  Machine NewMachine(SimNetwork& network, const ClusterLayout& layout, size_t index) {
    const ClusterLayout::Member& member = layout.members[index];
    Machine machine;
    machine.id = ClusterLayout::IdOf(index);
    machine.is_broker = member.is_broker;
    machine.is_controller = member.is_controller;
    SimNode::Options options = SimNode::Options::Choose(random_, layout.flush_on_ack);
    options.name = absl::StrCat("node ", machine.id);
    machine.has_two_folders = !options.settings.empty();
    for (auto& setting : SettingsOf(layout, index)) options.settings.push_back(std::move(setting));
    options.make_peers = [this, id = machine.id, address = ClusterLayout::InternalAddress(index)] {
      return std::make_unique<SimPeerNetwork>(fabric_, streams_, id, address);
    };
    machine.node = std::make_unique<SimNode>(random_, network, trace_, options);
    machine.node->clock().set_drift_ppm(static_cast<int64_t>(random_.Below(400)) - 200);
    machine.starts_at = clock_.Monotonic() + Below(500);
    return machine;
  }

  std::vector<std::pair<std::string, std::string>> SettingsOf(const ClusterLayout& layout,
                                                              size_t index) {
    const ClusterLayout::Member& member = layout.members[index];
    std::vector<std::pair<std::string, std::string>> settings;
    const std::string internal = SimFabric::Text(ClusterLayout::InternalAddress(index));
    const char* const name = member.is_controller ? "CONTROLLER" : "INTERNAL";
    std::string listeners = absl::StrCat(name, "://", internal), roles = "controller", quorum;
    if (member.is_broker) {
      absl::StrAppend(&listeners, ",PLAINTEXT://:", ClusterLayout::PortOf(index));
      roles = member.is_controller ? "broker,controller" : "broker";
    }
    for (size_t i = 0; i < layout.members.size(); ++i) {
      if (!layout.members[i].is_controller) continue;
      absl::StrAppend(&quorum, quorum.empty() ? "" : ",",
                      layout.voters_have_ids ? absl::StrCat(ClusterLayout::IdOf(i), "@") : "",
                      SimFabric::Text(ClusterLayout::InternalAddress(i)));
    }
    settings.emplace_back("weir.scrub.interval.ms", "1000");
    settings.emplace_back("node.id", absl::StrCat(ClusterLayout::IdOf(index)));
    settings.emplace_back("process.roles", roles);
    settings.emplace_back("listeners", listeners);
    if (member.is_controller) {
      settings.emplace_back("controller.listener.names", name);
    } else {
      settings.emplace_back("weir.internal.listener.name", name);
    }
    settings.emplace_back(
        layout.voters_have_ids ? "controller.quorum.voters" : "controller.quorum.bootstrap.servers",
        quorum);
    settings.emplace_back("controller.quorum.election.timeout.ms", "300");
    settings.emplace_back("broker.session.timeout.ms", "1500");
    settings.emplace_back("broker.heartbeat.interval.ms", "300");
    settings.emplace_back("replica.lag.time.max.ms", "1000");
    settings.emplace_back("leader.imbalance.check.interval.seconds", "3");
    return settings;
  }

  // What lies on a disk that a node does not start from.
  void NoteFiles(Machine& machine, const std::string& path) {
    const auto names = machine.node->disk().List(path);
    if (!names.ok()) return;
    for (const std::string& name : *names) {
      trace_.Note("  there is ", path, "/", name);
      NoteFiles(machine, absl::StrCat(path, "/", name));
    }
  }
  void End(Machine& machine, int64_t down_ns) {
    if (machine.paused_to.has_value()) Resume(machine);
    machine.starts_at = clock_.Monotonic() + down_ns;
  }
  int64_t Below(uint64_t ms) { return static_cast<int64_t>(random_.Below(ms)) * kNsPerMs; }

  Random& random_;
  Trace& trace_;
  SimClock clock_;  // the true time
  SimFabric fabric_;
  SimStreamNetwork::Streams streams_;
  std::vector<Machine> machines_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CLUSTER_WORLD_H_
