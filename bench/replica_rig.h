// -----------------------------------------------------------------------------
// File: bench/replica_rig.h
// -----------------------------------------------------------------------------
// Brokers with nothing but replicas: logs on a real disk, the partitions' state machines, and their
// streams. The first one leads all partitions, the others follow it.
// Threading: Run and what streams call as a replica's owner says: a thread each, or one for all.
// Post on any thread. Errors: whatever goes wrong ends the program.
#ifndef WEIR_BENCH_REPLICA_RIG_H_
#define WEIR_BENCH_REPLICA_RIG_H_

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
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
#include "base/uuid.h"
#include "log/file.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "protocol/error_code.h"
#include "replication/follower_stream.h"
#include "replication/leader_batch.h"
#include "replication/leader_stream.h"
#include "replication/partition.h"
#include "replication/partition_events.h"
#include "replication/replica_host.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::bench {

struct ReplicaOptions {
  int32_t id = 0;  // 0 leads
  size_t replicas = 2;
  size_t partitions = 1;
  bool fsync = true;
  std::string folder;
  // Of the leader: appends whose records are below the high watermark now.
  std::function<void(size_t count)> on_committed;
  std::function<void()> on_wake;  // there is something to Run for; any thread
};

class Replica final : public replication::LeaderHost, public replication::FollowerHost {
 public:
  explicit Replica(ReplicaOptions options)
      : options_(std::move(options)), syncer_(2, [this] { Wake(); }), files_(&syncer_) {
    std::vector<BrokerId> all;
    for (size_t i = 0; i < options_.replicas; ++i) all.emplace_back(static_cast<int32_t>(i));
    partitions_.resize(options_.partitions);
    for (size_t i = 0; i < options_.partitions; ++i) Open(i, all);
  }

  void Start(replication::StreamNetwork* network) {
    network_ = network;
    network_->SetAccept(
        [this](const replication::StreamHello& hello, std::shared_ptr<replication::LeaderEnd> end) {
          return Accept(hello, std::move(end));
        });
  }
  // No stream calls any more.
  void Stop() {
    follower_end_ = nullptr;
    leading_.clear();
    network_ = nullptr;
  }

  void Post(std::function<void()> what) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      inbox_.push_back(std::move(what));
    }
    Wake();
  }
  void Wake() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      woken_ = true;
    }
    wake_.notify_one();
    if (options_.on_wake != nullptr) options_.on_wake();
  }
  // Until something has been posted, or is durable, since the last Run.
  void Wait() {
    constexpr auto kRetry = std::chrono::milliseconds(100);  // streams may want to try again
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait_for(lock, kRetry, [this] { return woken_; });
  }

  // One tick: what was posted, what is durable, then writes and sends.
  void Run() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::swap(inbox_, running_);
      woken_ = false;
    }
    now_ = {clock_.Monotonic(), clock_.WallMs()};
    for (const std::function<void()>& what : running_) what();
    running_.clear();
    files_.DrainSyncs(&syncs_);
    for (const log::SyncDone& done : syncs_) {
      Step(static_cast<size_t>(done.token >> kTokenBits), replication::SyncDone{done});
    }
    syncs_.clear();
    for (const size_t index : std::exchange(dirty_, {})) {
      partitions_[index].dirty = false;
      Step(index, replication::EndOfTick{});
    }
    storage_.clear();
    if (options_.id != 0) TellLeader();
    for (const std::shared_ptr<Leading>& leading : leading_) TellFollower(leading.get());
    if (committed_ > 0) options_.on_committed(std::exchange(committed_, 0));
  }

  // On the replica's thread, as all below. The batch is the caller's until it is committed.
  void Append(size_t index, std::string* batch) {
    MakeDirty(index);
    Step(index,
         replication::Append{absl::MakeSpan(batch->data(), batch->size()), replication::kAcksAll,
                             MonotonicNs(std::numeric_limits<int64_t>::max()), ++token_});
  }
  // How many partitions the streams carry.
  size_t followed() const {
    size_t sum = 0;
    for (const std::shared_ptr<Leading>& leading : leading_) sum += leading->stream.follows();
    return sum;
  }

 private:
  static constexpr int kTokenBits = 40;  // the partition is above

  struct Held {
    std::unique_ptr<replication::Partition> partition;
    bool dirty = false;
  };
  struct Leading {
    Leading(const replication::StreamHello& hello, replication::LeaderHost* host,
            std::shared_ptr<replication::LeaderEnd> e)
        : stream(hello, host), end(std::move(e)) {}
    replication::LeaderStream stream;
    const std::shared_ptr<replication::LeaderEnd> end;
  };

  void Open(size_t index, const std::vector<BrokerId>& all) {
    log::LogConfig config;
    config.segment_bytes = 1 << 30;
    auto log = log::Log::Open(files_, absl::StrCat(options_.folder, "/bench-", index), config, {},
                              clock_.WallMs(), [this, index]() -> log::SyncToken {
                                return (static_cast<log::SyncToken>(index) << kTokenBits) |
                                       static_cast<log::SyncToken>(++last_sync_);
                              });
    WEIR_CHECK(log.ok());
    replication::PartitionConfig partition;
    partition.durability =
        options_.fsync ? replication::Durability::kAck : replication::Durability::kOs;
    partition.min_insync_replicas = static_cast<int32_t>(options_.replicas);
    partition.replica_lag_time_max_ns = std::numeric_limits<int64_t>::max() / 4;
    partitions_[index].partition =
        std::make_unique<replication::Partition>(BrokerId(options_.id), *std::move(log), partition);
    if (options_.id == 0) {
      Step(index, replication::BecomeLeader{LeaderEpoch(1), 0, all, all});
    } else {
      Step(index, replication::BecomeFollower{BrokerId(0), LeaderEpoch(1), 0, all, all});
    }
  }

  static TopicPartition IdOf(size_t index) {
    return {Uuid{0, 1}, PartitionIndex(static_cast<int32_t>(index))};
  }
  static size_t IndexOf(const TopicPartition& id) {
    return static_cast<size_t>(id.partition.value());
  }

  void MakeDirty(size_t index) {
    if (!std::exchange(partitions_[index].dirty, true)) dirty_.push_back(index);
  }
  void Step(size_t index, replication::Event event) {
    replication::Effects effects;
    partitions_[index].partition->Step(now_, std::move(event), &effects);
    Carry(index, effects);
  }
  void Carry(size_t index, const replication::Effects& effects) {
    for (const replication::Effect& effect : effects) {
      if (const auto* done = std::get_if<replication::AppendDone>(&effect)) {
        WEIR_CHECK(done->error == protocol::ErrorCode::kNone);
        ++committed_;
      } else if (std::holds_alternative<replication::ReplicaNews>(effect)) {
        for (const std::shared_ptr<Leading>& leading : leading_) leading->stream.News(IdOf(index));
        following_.News(IdOf(index));
      } else if (std::holds_alternative<replication::StartFollowing>(effect)) {
        following_.Follow(IdOf(index));
      } else {
        WEIR_CHECK(!std::holds_alternative<replication::LogFailed>(effect));
        WEIR_CHECK(!std::holds_alternative<replication::ReplicationHeld>(effect));
      }
    }
  }

  // --- streams ----------------------------------------------------------------------------------

  void TellLeader() {
    if (follower_end_ == nullptr) OpenStream();
    do {
      std::optional<replication::FollowerMessage> message = following_.TickEnd(now_.monotonic);
      if (message.has_value()) follower_end_->Send(*std::move(message));
    } while (following_.has_due());
  }
  void OpenStream() {
    replication::StreamHello hello{"bench", BrokerId(0), BrokerId(options_.id), 1, 0};
    replication::FollowerEnd::Listener listener;
    listener.on_message = [this](replication::LeaderMessage message) {
      Post([this, message = std::move(message)] {
        if (message.storage != nullptr) storage_.push_back(message.storage);
        WEIR_CHECK(following_.Take(message).ok());
      });
    };
    listener.on_closed = [this](const absl::Status&) {
      Post([this] { WEIR_CHECK(network_ == nullptr); });
    };
    following_.Opened();
    follower_end_ = network_->Open(std::move(hello), std::move(listener));
  }

  absl::StatusOr<replication::LeaderEnd::Listener> Accept(
      const replication::StreamHello& hello, std::shared_ptr<replication::LeaderEnd> end) {
    auto leading = std::make_shared<Leading>(hello, this, std::move(end));
    Post([this, leading] { leading_.push_back(leading); });
    replication::LeaderEnd::Listener listener;
    listener.on_message =
        [this, to = std::weak_ptr<Leading>(leading)](replication::FollowerMessage message) {
          Post([to, message = std::move(message)] {
            const std::shared_ptr<Leading> held = to.lock();
            WEIR_CHECK(held == nullptr || held->stream.Take(message).ok());
          });
        };
    return listener;
  }
  static void TellFollower(Leading* leading) {
    while (std::optional<replication::LeaderBatch> batch = leading->stream.Build()) {
      std::vector<replication::UnreadSlice> unread;
      leading->end->Send(replication::ReadSlices(*batch, &unread));
      WEIR_CHECK(unread.empty());
      if (batch->cold) leading->stream.ColdSent();
    }
  }

  // --- LeaderHost, FollowerHost -----------------------------------------------------------------

  replication::FollowAnswer Follow(const TopicPartition& id,
                                   const replication::FollowRequest& request) override {
    replication::Effects effects;
    replication::FollowAnswer answer =
        partitions_[IndexOf(id)].partition->Follow(now_, request, &effects);
    Carry(IndexOf(id), effects);
    return answer;
  }
  void Progress(const TopicPartition& id, const replication::ReplicaProgress& progress) override {
    Step(IndexOf(id), progress);
  }
  void Gone(const TopicPartition&, const replication::ReplicaGone&) override {}
  replication::ReplicaRead ReadForReplica(const TopicPartition& id, LeaderEpoch epoch, Offset from,
                                          int64_t bytes_max, bool at_least_one_batch) override {
    return partitions_[IndexOf(id)].partition->ReadForReplica(epoch, from, bytes_max,
                                                              at_least_one_batch);
  }
  bool IsThrottled(const TopicPartition&, BrokerId) override { return false; }
  void Sent(const TopicPartition&, BrokerId, int64_t) override {}
  bool IsThrottled(const TopicPartition&) override { return false; }
  std::optional<replication::StartFollowing> State(const TopicPartition& id) override {
    return partitions_[IndexOf(id)].partition->following();
  }
  void Replicate(const TopicPartition& id, LeaderEpoch epoch,
                 const replication::LeaderRecords& records,
                 const std::shared_ptr<const void>&) override {
    MakeDirty(IndexOf(id));
    Step(IndexOf(id), replication::Replicate{epoch, records.from, records.to, records.records,
                                             records.high_watermark, records.log_start});
  }
  void Ended(const TopicPartition&, LeaderEpoch, const replication::FollowEnded&) override {
    WEIR_CHECK(false);  // the logs never part
  }
  void Moved(const TopicPartition&, uint32_t) override { WEIR_CHECK(false); }

  const ReplicaOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = true;
  std::vector<std::function<void()>> inbox_;
  std::vector<std::function<void()>> running_;
  SystemClock clock_;
  SystemRandom random_;
  log::ThreadSyncer syncer_;
  log::PosixFileSystem files_;
  replication::Now now_;
  int64_t last_sync_ = 0;
  replication::WaitToken token_ = 0;
  size_t committed_ = 0;
  std::vector<Held> partitions_;
  std::vector<size_t> dirty_;
  std::vector<log::SyncDone> syncs_;
  std::vector<std::shared_ptr<const void>> storage_;  // of what this tick received
  replication::FollowerStream following_{this, &random_};
  std::shared_ptr<replication::FollowerEnd> follower_end_;
  std::vector<std::shared_ptr<Leading>> leading_;
  replication::StreamNetwork* network_ = nullptr;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_REPLICA_RIG_H_
