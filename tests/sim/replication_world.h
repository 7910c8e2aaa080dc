// -----------------------------------------------------------------------------
// File: tests/sim/replication_world.h
// -----------------------------------------------------------------------------
// The brokers of one simulated cluster that replicates: their disks, lives and deaths, the network
// between them, their ways to and from a model controller, and an oracle beside each partition.
#ifndef WEIR_TESTS_SIM_REPLICATION_WORLD_H_
#define WEIR_TESTS_SIM_REPLICATION_WORLD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "log/log.h"
#include "log/memory_file.h"
#include "protocol/error_code.h"
#include "replication/memory_stream_network.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/test_broker.h"
#include "tests/sim/replication_controller.h"
#include "tests/sim/replication_oracle.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

struct ReplicationConfig {
  int brokers = 3;
  int partitions = 2;
  replication::PartitionConfig partition;
  log::LogConfig log;
  bool unclean_elections = false;
};

class ReplicationWorld {
 public:
  struct Node {
    BrokerId id;
    log::MemoryFileSystem files{1};
    replication::TestBroker::Checkpoints checkpoints;
    std::unique_ptr<replication::TestBroker> broker;
    int64_t incarnations = 0;
    bool registered = false;
    bool paused = false;
    bool lossy = false;   // it has lost what was not durable, or everything, and did not say so yet
    bool failed = false;  // its log has, in this step
    size_t read = 0;      // of the controller's log
    std::map<TopicPartition, Offset> safe_at_death;
  };
  // An append of a producer is answered, by a leader with `isr` in sync.
  using Done = std::function<void(BrokerId, const TopicPartition&, const replication::AppendDone&,
                                  size_t isr)>;

  ReplicationWorld(const ReplicationConfig& config, Random* random, Trace* trace, Done done)
      : config_(config),
        random_(*random),
        trace_(*trace),
        done_(std::move(done)),
        controller_(
            {static_cast<size_t>(config.partition.min_insync_replicas), config.unclean_elections}) {
    network_.SetPasses([this](BrokerId from, BrokerId to) {
      return !blocked_.count({from, to}) && !NodeOf(from).paused && !NodeOf(to).paused;
    });
    for (int i = 0; i < config_.brokers; ++i) {
      auto node = std::make_unique<Node>();
      node->id = BrokerId(i + 1);
      node->files.set_manual_syncs(true);
      nodes_.push_back(std::move(node));
    }
    for (auto& node : nodes_) controller_.Unfence(node->id);
    for (int i = 0; i < config_.partitions; ++i) {
      const TopicPartition id{Uuid{7, 7}, PartitionIndex(i)};
      BrokerIds replicas;
      for (int r = 0; r < 3; ++r) replicas.push_back(BrokerId((i + r) % config_.brokers + 1));
      controller_.Create(id, replicas);
      oracles_.emplace(id, ReplicationOracle(&trace_));
      ids_.push_back(id);
    }
    for (auto& node : nodes_) Start(node.get());
    for (auto& node : nodes_) Register(node.get());
    for (auto& node : nodes_) Unfence(node.get());
  }

  // --- lives ----------------------------------------------------------------------------------

  void Start(Node* node) {
    trace_.Note("start ", node->id.value());
    node->files.ClearFaults();
    replication::TestBrokerConfig config;
    config.id = node->id;
    config.epoch = ++node->incarnations * 10 + node->id.value();
    config.partition = config_.partition;
    config.log = config_.log;
    config.stream.credit_bytes = 4096;
    auto broker = std::make_unique<replication::TestBroker>(
        config, &node->files, &node->checkpoints, &network_.Of(node->id), &random_,
        [this, node](const TopicPartition& id, const replication::Effect& effect) {
          OnEffect(node, id, effect);
        });
    broker->SetNow(now());
    for (const TopicPartition& id : ids_) {
      if (!HasBroker(controller_.Get(id).replicas, node->id)) continue;
      const absl::Status opened = broker->Open(id);
      if (absl::IsResourceExhausted(opened)) {
        trace_.Note("  no room to start");
        broker.reset();
        node->files.KillProcess();
        return;
      }
      if (!opened.ok()) {
        trace_.Fail("broker ", node->id.value(), " does not open its log: ", opened.message());
      }
    }
    node->broker = std::move(broker);
    node->read = 0;
    node->registered = false;
    node->paused = false;
  }
  void Register(Node* node) {
    trace_.Note("register ", node->id.value(), node->lossy ? " lossy" : "");
    controller_.Register(node->id, node->broker->epoch(), node->lossy);
    node->lossy = false;
    node->registered = true;
    NoteElections();
    // It takes no role from before its registration: that was of an earlier life.
    node->read = controller_.log().size();
    for (const auto& [id, p] : controller_.partitions()) Tell(node, id, p);
  }
  void Unfence(Node* node) {
    trace_.Note("unfence ", node->id.value());
    controller_.Unfence(node->id);
    NoteElections();
  }
  void Fence(BrokerId id) {
    trace_.Note("fence ", id.value());
    controller_.Fence(id);
    NoteElections();
  }
  void Prefer(const TopicPartition& id) {
    trace_.Note("prefer ", id.partition.value());
    controller_.Prefer(id);
    NoteElections();
  }

  enum class Death { kKill, kPower, kWipe };
  void Die(Node* node, Death death) {
    trace_.Note("die ", node->id.value(), " of ", static_cast<int>(death));
    const bool is_ack = config_.partition.durability == replication::Durability::kAck;
    for (const TopicPartition& id : node->broker->partitions()) {
      const log::Log& log = node->broker->Find(id)->log();
      node->safe_at_death[id] = is_ack ? log.flushed_offset() : log.log_end_offset();
    }
    const bool loses = death == Death::kWipe || (death == Death::kPower && !is_ack);
    network_.Kill(node->id, random_);
    node->broker.reset();
    node->registered = false;
    node->failed = false;
    if (loses) {
      node->lossy = true;
      // More of them than what min.insync.replicas is there for are known at once.
      int32_t lossy = 0;
      for (const auto& each : nodes_) lossy += each->lossy ? 1 : 0;
      if (lossy >= config_.partition.min_insync_replicas) {
        controller_.Lose(node->id);
        NoteElections();
      }
      requests_.erase(std::remove_if(requests_.begin(), requests_.end(),
                                     [&](const Request& r) { return r.from == node->id; }),
                      requests_.end());
    }
    if (death == Death::kKill) {
      node->files.KillProcess();
    } else {
      node->files.PowerLoss(random_);
    }
    if (death == Death::kWipe) {
      (void)node->files.RemoveRecursively("/data");
      node->checkpoints.clear();
      for (auto& [id, safe] : node->safe_at_death) safe = Offset(0);
    }
  }
  // Whether every partition has another replica, in sync or eligible, with all that is committed.
  bool MayLose(const Node& node) const {
    for (const auto& [id, p] : controller_.partitions()) {
      bool has_other = false;
      for (const auto& other : nodes_) {
        if (other->id == node.id || other->lossy) continue;
        has_other = has_other || HasBroker(p.isr, other->id) || HasBroker(p.elr, other->id);
      }
      if (!has_other && HasBroker(p.replicas, node.id)) return false;
    }
    return true;
  }

  // --- the controller -------------------------------------------------------------------------

  // The next record of the metadata.
  bool Read(Node* node) {
    if (node->broker == nullptr || !node->registered) return false;
    if (node->read >= controller_.log().size()) return false;
    const ModelController::Change change = controller_.log()[node->read++];
    Tell(node, change.id, change.partition);
    return true;
  }
  void Tell(Node* node, const TopicPartition& id, const ModelPartition& p) {
    if (!HasBroker(p.replicas, node->id)) return;
    if (p.leader != node->id) {
      node->broker->Step(id, replication::BecomeFollower{p.leader, p.leader_epoch,
                                                         p.partition_epoch, p.replicas, p.isr});
      return;
    }
    node->broker->Step(id, replication::BecomeLeader{p.leader_epoch, p.partition_epoch, p.replicas,
                                                     p.isr, p.recovery_state});
    replication::Partition* partition = node->broker->Find(id);
    // It may be late, and another one have been elected.
    if (partition->leader_epoch() == p.leader_epoch &&
        controller_.Get(id).leader_epoch == p.leader_epoch && !node->failed) {
      OracleOf(id).CheckAll(partition->log(), Name(*node, id, "elected"));
    }
  }
  // Carries out the next request, loses it, or loses its answer.
  bool HandleRequest(bool faults) {
    if (requests_.empty()) return false;
    const size_t index = faults ? random_.Below(requests_.size()) : 0;
    const Request request = requests_[index];
    requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(index));
    Node& node = NodeOf(request.from);
    const bool same_life = node.broker != nullptr && node.broker->epoch() == request.broker_epoch;
    if (faults && !request.given_up && random_.OneIn(6)) {
      // The broker waits no longer; the request may still arrive.
      trace_.Note("request of ", request.from.value(), " is given up");
      if (random_.OneIn(2)) {
        requests_.push_back(request);
        requests_.back().given_up = true;
      }
      if (same_life) {
        node.broker->Step(request.id,
                          replication::IsrAnswered{protocol::ErrorCode::kRequestTimedOut,
                                                   request.proposal.leader_epoch,
                                                   request.proposal.partition_epoch});
      }
      return true;
    }
    const ModelController::Answer answer =
        controller_.Alter(request.from, request.broker_epoch, request.id, request.proposal);
    NoteElections();
    trace_.Note("alter ", request.id.partition.value(), " by ", request.from.value(), ": ",
                static_cast<int>(answer.error), " isr ", IdsText(answer.partition.isr), " epoch ",
                answer.partition.partition_epoch);
    if (!same_life || request.given_up) return true;
    replication::IsrAnswered told{answer.error};
    if (answer.error == protocol::ErrorCode::kNone) {
      told.leader_epoch = answer.partition.leader_epoch;
      told.partition_epoch = answer.partition.partition_epoch;
      told.isr = answer.partition.isr;
    } else {
      told.leader_epoch = request.proposal.leader_epoch;
      told.partition_epoch = request.proposal.partition_epoch;
    }
    node.broker->Step(request.id, std::move(told));
    return true;
  }

  // --- checks ---------------------------------------------------------------------------------

  void CheckPartition(const TopicPartition& id) {
    const ModelPartition& p = controller_.Get(id);
    ReplicationOracle& oracle = OracleOf(id);
    if (oracle.forgiven()) return;
    for (auto& node : nodes_) {
      if (node->broker == nullptr || node->failed) continue;
      replication::Partition* partition = node->broker->Find(id);
      if (partition == nullptr || !partition->log().failed().ok()) continue;
      const bool counts = HasBroker(p.isr, node->id) || HasBroker(p.elr, node->id);
      if (counts && !node->lossy) oracle.CheckAll(partition->log(), Name(*node, id, "in ISR/ELR"));
      if (node->id == p.leader && partition->is_leader() &&
          partition->leader_epoch() == p.leader_epoch) {
        CheckMaximalIsr(*node, *partition, p);
      }
    }
  }
  void CheckMaximalIsr(const Node& node, const replication::Partition& partition,
                       const ModelPartition& p) {
    const size_t min = std::min<size_t>(static_cast<size_t>(config_.partition.min_insync_replicas),
                                        p.replicas.size());
    if (partition.isr().size() < min) return;
    BrokerIds all = p.isr;
    all.insert(all.end(), p.elr.begin(), p.elr.end());
    for (const BrokerId id : all) {
      if (id != node.id && !partition.InMaximalIsr(id)) {
        trace_.Fail("leader ", node.id.value(), " does not count on ", id.value(),
                    ", which is in ISR or ELR (invariant 4)");
      }
    }
  }

  // --- what a run does directly ---------------------------------------------------------------

  replication::Now now() const { return {MonotonicNs(now_ns_), 1'000'000 + now_ns_ / kNsPerMs}; }
  void Advance(int64_t ns) {
    now_ns_ += ns;
    for (auto& node : nodes_) {
      if (node->broker != nullptr) node->broker->SetNow(now());
    }
  }
  std::vector<std::unique_ptr<Node>>& nodes() { return nodes_; }
  Node& NodeOf(BrokerId id) { return *nodes_[static_cast<size_t>(id.value()) - 1]; }
  ModelController& controller() { return controller_; }
  replication::MemoryStreamNetwork& network() { return network_; }
  std::set<std::pair<BrokerId, BrokerId>>& blocked() { return blocked_; }
  const std::vector<TopicPartition>& ids() const { return ids_; }
  ReplicationOracle& OracleOf(const TopicPartition& id) { return oracles_.at(id); }
  bool has_requests() const { return !requests_.empty(); }
  int64_t truncations() const { return truncations_; }

  static std::string IdsText(const BrokerIds& ids) {
    std::string text;
    for (const BrokerId id : ids) absl::StrAppend(&text, text.empty() ? "" : ",", id.value());
    return text;
  }

 private:
  struct Request {
    BrokerId from;
    int64_t broker_epoch = -1;
    TopicPartition id;
    replication::ProposeIsr proposal;
    bool given_up = false;
  };

  static std::string Name(const Node& node, const TopicPartition& id, absl::string_view what) {
    return absl::StrCat("broker ", node.id.value(), " partition ", id.partition.value(), " ", what);
  }

  void NoteElections() {
    for (; noted_ < controller_.log().size(); ++noted_) {
      const ModelController::Change& change = controller_.log()[noted_];
      const ModelPartition& p = change.partition;
      trace_.Note("  ", change.id.partition.value(), ": leader ", p.leader.value(), " epoch ",
                  p.leader_epoch.value(), "/", p.partition_epoch, " isr ", IdsText(p.isr), " elr ",
                  IdsText(p.elr));
    }
    for (const auto& [id, p] : controller_.partitions()) {
      if (p.unclean > 0 && !OracleOf(id).forgiven()) {
        trace_.Note("unclean election of ", p.leader.value(), " in ", id.partition.value());
        OracleOf(id).Forgive();
      }
    }
  }

  void OnEffect(Node* node, const TopicPartition& id, const replication::Effect& effect) {
    if (const auto* done = std::get_if<replication::AppendDone>(&effect)) {
      replication::Partition* partition = node->broker->Find(id);
      done_(node->id, id, *done, partition->isr().size());
    } else if (const auto* proposal = std::get_if<replication::ProposeIsr>(&effect)) {
      Request request{node->id, node->broker->epoch(), id, *proposal, false};
      std::string members;
      for (replication::ProposeIsr::Member& member : request.proposal.isr) {
        if (member.broker == node->id) member.broker_epoch = node->broker->epoch();
        absl::StrAppend(&members, " ", member.broker.value());
      }
      trace_.Note(node->id.value(), " proposes isr", members, " for ", id.partition.value(), " at ",
                  proposal->partition_epoch);
      requests_.push_back(std::move(request));
    } else if (const auto* advanced = std::get_if<replication::HighWatermarkAdvanced>(&effect)) {
      if (node->broker->Find(id)->is_leader()) OnHighWatermark(node, id, advanced->high_watermark);
    } else if (const auto* cut = std::get_if<replication::PrepareTruncation>(&effect)) {
      ++truncations_;
      trace_.Note(node->id.value(), " cuts ", id.partition.value(), " at ", cut->to.value(),
                  cut->fully ? " fully" : "");
      // All of it goes where the leader has deleted what it held.
      const bool keeps_some = cut->to > node->broker->Find(id)->log().log_start_offset();
      if (cut->loses_committed && IsCounted(id, node->id) && !cut->fully && keeps_some) {
        trace_.Fail(Name(*node, id, "cuts off"), " at ", cut->to.value(),
                    " what it was told to be committed (invariant 10)");
      }
    } else if (std::holds_alternative<replication::LogFailed>(effect)) {
      trace_.Note(node->id.value(),
                  " log failed: ", node->broker->Find(id)->log().failed().message());
      node->failed = true;
    } else if (const auto* held = std::get_if<replication::ReplicationHeld>(&effect)) {
      trace_.Note(node->id.value(), " held at ", held->at.value(), ": ", held->message);
    }
  }

  // Others may cut off more than they must: they get it again.
  bool IsCounted(const TopicPartition& id, BrokerId broker) {
    const ModelPartition& p = controller_.Get(id);
    return !OracleOf(id).forgiven() && (HasBroker(p.isr, broker) || HasBroker(p.elr, broker));
  }

  // Those in sync, as the controller has them, and the eligible ones have it all, safely.
  void OnHighWatermark(Node* node, const TopicPartition& id, Offset to) {
    trace_.Note(node->id.value(), " leads ", id.partition.value(), " to ", to.value());
    ReplicationOracle& oracle = OracleOf(id);
    if (oracle.forgiven()) return;
    oracle.Advance(node->broker->Find(id)->log(), to, Name(*node, id, "leader"));
    const ModelPartition& p = controller_.Get(id);
    BrokerIds all = p.isr;
    all.insert(all.end(), p.elr.begin(), p.elr.end());
    for (const BrokerId member : all) {
      Node& other = NodeOf(member);
      if (other.lossy) continue;
      Offset safe = other.safe_at_death[id];
      if (other.broker != nullptr && other.broker->Find(id) != nullptr) {
        const log::Log& log = other.broker->Find(id)->log();
        safe = config_.partition.durability == replication::Durability::kAck ? log.flushed_offset()
                                                                             : log.log_end_offset();
      }
      if (safe < oracle.end()) {
        trace_.Fail(Name(*node, id, "leader"), ": high watermark ", to.value(), ", but ",
                    member.value(), " in ISR/ELR has ", safe.value(), " (invariants 2, 12)");
      }
    }
  }
  const ReplicationConfig config_;
  Random& random_;
  Trace& trace_;
  const Done done_;
  ModelController controller_;
  replication::MemoryStreamNetwork network_;
  std::set<std::pair<BrokerId, BrokerId>> blocked_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<TopicPartition> ids_;
  std::map<TopicPartition, ReplicationOracle> oracles_;
  std::vector<Request> requests_;
  size_t noted_ = 0;  // of the controller's log
  int64_t now_ns_ = 0;
  int64_t truncations_ = 0;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_REPLICATION_WORLD_H_
