// -----------------------------------------------------------------------------
// File: replication/test_broker.h
// -----------------------------------------------------------------------------
// A broker with nothing but replicas of partitions, one shard and its ends of replication streams:
// what tests and the simulator of replication drive. It does as the real one's table of partitions
// does, step by step, and keeps what it would send to clients and to the controller.
// Threading: one thread.
#ifndef WEIR_REPLICATION_TEST_BROKER_H_
#define WEIR_REPLICATION_TEST_BROKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/memory_file.h"
#include "protocol/error_code.h"
#include "replication/follower_stream.h"
#include "replication/leader_batch.h"
#include "replication/leader_stream.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/replica_host.h"
#include "replication/replication_quota.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {

// What survives of a broker when it dies, besides its files: its checkpoints.
struct TestCheckpoint {
  Offset recovery_point{0};
  Offset log_start{0};
  Offset high_watermark = kNoOffset;
};

struct TestBrokerConfig {
  BrokerId id;
  int64_t epoch = 1;
  PartitionConfig partition;
  log::LogConfig log;
  FollowerStreamConfig stream;
};

class TestBroker final : public LeaderHost, public FollowerHost {
 public:
  using Checkpoints = std::map<TopicPartition, TestCheckpoint>;
  // An effect that is not the broker's own business.
  using Outside = std::function<void(const TopicPartition&, const Effect&)>;

  // All outlive the broker. `files` may be shut down before it.
  TestBroker(const TestBrokerConfig& config, log::MemoryFileSystem* files, Checkpoints* checkpoints,
             StreamNetwork* network, Random* random, Outside outside)
      : config_(config),
        files_(*files),
        checkpoints_(*checkpoints),
        network_(*network),
        random_(*random),
        outside_(std::move(outside)) {
    network_.SetAccept([this](const StreamHello& hello, std::shared_ptr<LeaderEnd> end) {
      return Accept(hello, std::move(end));
    });
  }
  ~TestBroker() override { network_.SetAccept(nullptr); }

  // --- partitions ---------------------------------------------------------------------------

  absl::Status Open(const TopicPartition& id, bool clean = false) {
    const TestCheckpoint& checkpoint = checkpoints_[id];
    log::RecoveryHint hint;
    hint.clean = clean;
    hint.recovery_point = checkpoint.recovery_point;
    hint.log_start_offset = checkpoint.log_start;
    auto log = log::Log::Open(files_, Directory(id), config_.log, hint, now_.wall_ms,
                              [this] { return next_token_++; });
    if (!log.ok()) return std::move(log).status();
    PartitionConfig config = config_.partition;
    config.initial_high_watermark = checkpoint.high_watermark;
    partitions_[id] = std::make_unique<Partition>(config_.id, *std::move(log), config);
    return absl::OkStatus();
  }
  static std::string Directory(const TopicPartition& id) {
    return absl::StrCat("/data/t-", id.partition.value());
  }
  Partition* Find(const TopicPartition& id) {
    const auto found = partitions_.find(id);
    return found == partitions_.end() ? nullptr : found->second.get();
  }
  // Notes how far the logs are, as every few seconds.
  void WriteCheckpoints() {
    for (const auto& [id, partition] : partitions_) {
      if (!partition->log().failed().ok()) continue;
      TestCheckpoint& checkpoint = checkpoints_[id];
      checkpoint.recovery_point = partition->log().flushed_offset();
      checkpoint.log_start = partition->log().log_start_offset();
      checkpoint.high_watermark = partition->high_watermark();
    }
  }

  void Step(const TopicPartition& id, Event event) {
    Partition* partition = Find(id);
    if (partition == nullptr) return;
    Effects effects;
    partition->Step(now_, std::move(event), &effects);
    Carry(id, effects);
  }
  // `bytes` are the caller's until the tick ends.
  void Append(const TopicPartition& id, std::string* bytes, int16_t acks, WaitToken token,
              MonotonicNs deadline) {
    Step(id,
         replication::Append{absl::MakeSpan(bytes->data(), bytes->size()), acks, deadline, token});
  }
  absl::Status DeleteRecords(const TopicPartition& id, Offset offset) {
    Partition* partition = Find(id);
    Effects effects;
    const DeleteAnswer answer = partition->DeleteRecords(offset, &effects);
    Carry(id, effects);
    if (answer.error != protocol::ErrorCode::kNone) return absl::AbortedError("refused");
    checkpoints_[id].log_start = answer.low_watermark;
    return absl::OkStatus();
  }

  absl::Status Retain(const TopicPartition& id) {
    Effects effects;
    const absl::Status status = Find(id)->ApplyRetention(now_.wall_ms, &effects).status();
    Carry(id, effects);
    return status;
  }

  // Of what replicas that are not in sync get.
  ReplicationQuotas& quotas() { return quotas_; }

  // --- time ---------------------------------------------------------------------------------

  void SetNow(const Now& now) { now_ = now; }
  const Now& now() const { return now_; }

  // Ends a tick: writes, then sends. `cold` says whether cold reads are done at once; if not,
  // FinishCold does them.
  void EndTick(bool cold = true) {
    for (auto& [id, partition] : partitions_) {
      const std::optional<MonotonicNs> due = partition->NextDeadline();
      if (due.has_value() && *due <= now_.monotonic) Step(id, Tick{});
      Step(id, EndOfTick{});
    }
    storage_.clear();
    for (auto& [broker, following] : following_) {
      following->stream.CheckThrottled();
      if (!following->stream.is_open() && following->stream.size() > 0 &&
          now_.monotonic >= following->open_at) {
        OpenStream(broker, following.get());
      }
      do {
        auto message = following->stream.TickEnd(now_.monotonic);
        if (message.has_value()) following->end->Send(*std::move(message));
      } while (following->stream.has_due());
    }
    for (const std::shared_ptr<Leading>& leading : Leadings()) Push(leading.get(), cold);
  }
  // True when one was under way.
  bool FinishCold() {
    for (const std::shared_ptr<Leading>& leading : Leadings()) {
      if (!leading->cold.has_value()) continue;
      SendBatch(leading.get(), *leading->cold);
      leading->cold.reset();
      leading->stream.ColdSent();
      return true;
    }
    return false;
  }

  // Syncs that have completed. Returns how many.
  size_t TakeSyncs() {
    std::vector<log::SyncDone> done;
    files_.DrainSyncs(&done);
    for (const log::SyncDone& sync : done) {
      for (auto& [id, partition] : partitions_) Step(id, SyncDone{sync});
    }
    return done.size();
  }

  std::vector<TopicPartition> partitions() const {
    std::vector<TopicPartition> all;
    for (const auto& [id, partition] : partitions_) all.push_back(id);
    return all;
  }
  BrokerId id() const { return config_.id; }
  int64_t epoch() const { return config_.epoch; }
  int64_t held() const { return held_; }
  int64_t truncations() const { return truncations_; }
  // What went wrong that never should.
  const std::string& fault() const { return fault_; }

 private:
  struct Following {
    Following(FollowerHost* host, Random* random, const FollowerStreamConfig& config)
        : stream(host, random, config) {}
    FollowerStream stream;
    std::shared_ptr<FollowerEnd> end;
    uint64_t generation = 0;  // of the stream; callbacks of earlier ones are late
    MonotonicNs open_at;
  };
  struct Leading {
    Leading(const StreamHello& hello, LeaderHost* host, std::shared_ptr<LeaderEnd> e)
        : stream(hello, host), end(std::move(e)) {}
    LeaderStream stream;
    std::shared_ptr<LeaderEnd> end;
    std::optional<LeaderBatch> cold;
  };

  // --- streams ------------------------------------------------------------------------------

  void OpenStream(BrokerId leader, Following* following) {
    StreamHello hello;
    hello.cluster_id = "test";
    hello.leader = leader;
    hello.follower = config_.id;
    hello.follower_epoch = config_.epoch;
    const uint64_t generation = ++following->generation;
    FollowerEnd::Listener listener;
    listener.on_message = [this, following, generation](LeaderMessage message) {
      if (generation != following->generation) return;
      if (message.storage != nullptr) storage_.push_back(message.storage);
      const absl::Status taken = following->stream.Take(message);
      if (!taken.ok()) fault_ = absl::StrCat("follower: ", taken.message());
    };
    listener.on_closed = [this, following, generation](const absl::Status&) {
      if (generation != following->generation) return;
      following->stream.Closed();
      following->open_at = now_.monotonic + kReopenNs;
    };
    following->stream.Opened();
    following->end = network_.Open(std::move(hello), std::move(listener));
  }

  absl::StatusOr<LeaderEnd::Listener> Accept(const StreamHello& hello,
                                             std::shared_ptr<LeaderEnd> end) {
    const uint64_t key = ++last_leading_;
    leading_[key] = std::make_shared<Leading>(hello, this, std::move(end));
    LeaderEnd::Listener listener;
    listener.on_message = [this, key](const FollowerMessage& message) {
      const std::shared_ptr<Leading> leading = leading_.at(key);
      const absl::Status taken = leading->stream.Take(message);
      if (!taken.ok()) fault_ = absl::StrCat("leader: ", taken.message());
    };
    listener.on_closed = [this, key](const absl::Status&) {
      leading_.at(key)->stream.Closed();
      leading_.erase(key);
    };
    return listener;
  }

  std::vector<std::shared_ptr<Leading>> Leadings() const {
    std::vector<std::shared_ptr<Leading>> all;
    for (const auto& [key, leading] : leading_) all.push_back(leading);
    return all;
  }

  void Push(Leading* leading, bool cold) {
    leading->stream.CheckThrottled();
    while (std::optional<LeaderBatch> batch = leading->stream.Build()) {
      if (batch->cold && !cold) {
        leading->cold = std::move(batch);
        continue;
      }
      SendBatch(leading, *batch);
      if (batch->cold) leading->stream.ColdSent();
    }
  }
  void SendBatch(Leading* leading, const LeaderBatch& batch) {
    std::vector<UnreadSlice> unread;
    LeaderMessage message = ReadSlices(batch, &unread);
    leading->stream.Unread(unread);
    if (batch.cold) leading->stream.TakeOutStale(&message);
    leading->end->Send(std::move(message));
  }

  Following* FollowingOf(BrokerId leader) {
    std::unique_ptr<Following>& following = following_[leader];
    if (following == nullptr) {
      following = std::make_unique<Following>(this, &random_, config_.stream);
    }
    return following.get();
  }

  // --- effects ------------------------------------------------------------------------------

  void Carry(const TopicPartition& id, const Effects& effects) {
    for (const Effect& effect : effects) {
      if (std::holds_alternative<ReplicaNews>(effect)) {
        for (auto& [key, leading] : leading_) leading->stream.News(id);
        for (auto& [broker, following] : following_) following->stream.News(id);
      } else if (const auto* start = std::get_if<StartFollowing>(&effect)) {
        Unfollow(id, start->leader);
        FollowingOf(start->leader)->stream.Follow(id);
      } else if (std::holds_alternative<StopFollowing>(effect)) {
        Unfollow(id, kNoBroker);
      } else if (const auto* truncation = std::get_if<PrepareTruncation>(&effect)) {
        ++truncations_;
        checkpoints_[id].recovery_point = Offset(0);
        checkpoints_[id].log_start =
            truncation->fully ? truncation->to : Find(id)->log().log_start_offset();
        outside_(id, effect);
        Step(id, TruncationPrepared{truncation->to});
      } else {
        if (std::holds_alternative<ReplicationHeld>(effect)) ++held_;
        outside_(id, effect);
      }
    }
  }
  void Unfollow(const TopicPartition& id, BrokerId but) {
    for (auto& [broker, following] : following_) {
      if (broker != but) following->stream.Unfollow(id);
    }
  }

  // --- LeaderHost ---------------------------------------------------------------------------

  FollowAnswer Follow(const TopicPartition& id, const FollowRequest& request) override {
    Partition* partition = Find(id);
    FollowAnswer answer;
    answer.ended.error = protocol::ErrorCode::kNotLeaderOrFollower;
    if (partition == nullptr) return answer;
    Effects effects;
    answer = partition->Follow(now_, request, &effects);
    Carry(id, effects);
    return answer;
  }
  void Progress(const TopicPartition& id, const ReplicaProgress& progress) override {
    Step(id, progress);
  }
  void Gone(const TopicPartition& id, const ReplicaGone& gone) override { Step(id, gone); }
  ReplicaRead ReadForReplica(const TopicPartition& id, LeaderEpoch epoch, Offset from,
                             int64_t bytes_max, bool at_least_one_batch) override {
    Partition* partition = Find(id);
    ReplicaRead read;
    read.error = protocol::ErrorCode::kNotLeaderOrFollower;
    return partition == nullptr
               ? read
               : partition->ReadForReplica(epoch, from, bytes_max, at_least_one_batch);
  }

  bool IsThrottled(const TopicPartition& id, BrokerId follower) override {
    return quotas_.leader.IsExceeded(now_.monotonic) && !IsInSync(id, follower);
  }
  void Sent(const TopicPartition& id, BrokerId follower, int64_t bytes) override {
    if (!IsInSync(id, follower)) quotas_.leader.Record(now_.monotonic, bytes);
  }
  bool IsInSync(const TopicPartition& id, BrokerId broker) {
    const Partition* partition = Find(id);
    return partition != nullptr &&
           std::count(partition->isr().begin(), partition->isr().end(), broker) > 0;
  }

  // --- FollowerHost -------------------------------------------------------------------------

  std::optional<StartFollowing> State(const TopicPartition& id) override {
    Partition* partition = Find(id);
    return partition == nullptr ? std::nullopt : partition->following();
  }
  void Replicate(const TopicPartition& id, LeaderEpoch epoch, const LeaderRecords& records,
                 const std::shared_ptr<const void>&) override {
    if (!IsInSync(id, config_.id)) {
      quotas_.follower.Record(now_.monotonic, static_cast<int64_t>(records.records.size()));
    }
    Step(id, replication::Replicate{epoch, records.from, records.to, records.records,
                                    records.high_watermark, records.log_start});
  }
  bool IsThrottled(const TopicPartition& id) override {
    return quotas_.follower.IsExceeded(now_.monotonic) && !IsInSync(id, config_.id);
  }
  void Ended(const TopicPartition& id, LeaderEpoch epoch, const FollowEnded& told) override {
    Step(id, FollowRefused{epoch, told});
  }
  void Moved(const TopicPartition&, uint32_t) override {
    fault_ = "follower: no leader has more than one shard here";
  }

  static constexpr int64_t kReopenNs = 50 * kNsPerMs;

  const TestBrokerConfig config_;
  log::MemoryFileSystem& files_;
  Checkpoints& checkpoints_;
  StreamNetwork& network_;
  Random& random_;
  const Outside outside_;
  ReplicationQuotas quotas_;
  Now now_;
  log::SyncToken next_token_ = 1;
  std::map<TopicPartition, std::unique_ptr<Partition>> partitions_;
  std::map<BrokerId, std::unique_ptr<Following>> following_;
  std::map<uint64_t, std::shared_ptr<Leading>> leading_;
  uint64_t last_leading_ = 0;
  std::vector<std::shared_ptr<const void>> storage_;  // of what this tick received
  int64_t held_ = 0;
  int64_t truncations_ = 0;
  std::string fault_;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_TEST_BROKER_H_
