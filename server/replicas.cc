#include "server/replicas.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/sort.h"
#include "protocol/error_code.h"
#include "replication/follower_stream.h"
#include "replication/leader_batch.h"
#include "replication/leader_stream.h"
#include "replication/replica_host.h"
#include "replication/replication_quota.h"
#include "server/isr_proposals.h"
#include "server/limited_lines.h"
#include "server/logger.h"
#include "server/page_cache.h"
#include "server/partition_table.h"
#include "server/shard.h"
#include "server/topic_config.h"
#include "server/topic_table.h"

namespace weir::server {
namespace {

using protocol::ErrorCode;

constexpr int64_t kReopenMinMs = 50;
constexpr int64_t kReopenMaxMs = 1'000;

// Whether the disk need not be waited for.
bool IsInMemory(const replication::LeaderBatch& batch) {
  return std::all_of(batch.parts.begin(), batch.parts.end(), [](const auto& part) {
    const int fd = part.slice.empty() ? -1 : part.slice.file->NativeHandle();
    return fd < 0 || IsCached(fd, part.slice.position, static_cast<size_t>(part.slice.size_bytes),
                              /*strict=*/false);
  });
}

}  // namespace

class Replicas::Streams final : public replication::LeaderHost, public replication::FollowerHost {
 public:
  // Names a stream among those of a shard: what comes late of one that is gone finds none.
  using StreamId = uint64_t;

  explicit Streams(Shard& shard)
      : shard_(shard),
        quotas_(*shard.node().quotas),
        lines_(shard.loop(), *shard.node().logger, "replication streams that broke") {}
  // The partitions are told nothing any more: who waits for them may be gone already.
  ~Streams() override {
    shard_.loop().timers().Cancel(throttle_timer_);
    CloseLeaders();
    for (auto& [id, follower] : followers_) follower.end->Close(BrokerStops());
  }

  void Start(replication::StreamNetwork& network, Worker* reader) {
    network_ = &network;
    reader_ = reader;
  }

  void OnMetadata() {
    const metadata::BrokerImage* self = shard_.image()->FindBroker(shard_.node().config.node_id);
    const int64_t epoch = self == nullptr ? -1 : self->epoch;
    if (epoch != broker_epoch_) {
      // A leader must not vouch for this broker by an epoch that has ended.
      broker_epoch_ = epoch;
      for (auto& [at, leader] : leaders_) CloseLeader(&leader, "registered anew");
    }
    for (auto& [at, leader] : leaders_) leader.stream.MetadataChanged();
    CheckThrottled();  // who is in sync now is not throttled any more
  }

  void OnTickEnd() {
    CarryOut(shard_.partitions().TakeReplicaEffects());
    for (const auto& [partition, shard] : std::exchange(moved_, {})) {
      const auto followed = followed_.find(partition);
      if (followed != followed_.end()) FollowAt({followed->second.leader, shard}, partition);
    }
    for (auto at = leaders_.begin(); at != leaders_.end();) {
      if (at->second.stream.size() > 0) {
        TellLeader(at->first, &at->second);
        ++at;
      } else {
        CloseLeader(&at->second, "nothing is followed there any more");
        shard_.loop().timers().Cancel(at->second.timer);
        at = leaders_.erase(at);
      }
    }
    for (auto& [id, follower] : followers_) TellFollower(id, &follower);
    ArmThrottleTimer();
  }

  void Close() {
    CloseLeaders();
    followed_.clear();
    for (auto& [id, follower] : followers_) {
      follower.end->Close(BrokerStops());
      follower.stream.Closed();
    }
    followers_.clear();
    network_ = nullptr;
  }

  // --- of followers -------------------------------------------------------------------------

  void OnAccepted(StreamId id, replication::StreamHello hello,
                  std::shared_ptr<replication::LeaderEnd> end) {
    if (network_ == nullptr) return end->Close(BrokerStops());
    followers_.try_emplace(id, std::move(hello), this, std::move(end));
  }

  void OnFollowerMessage(StreamId id, const replication::FollowerMessage& message) {
    const auto found = followers_.find(id);
    if (found == followers_.end()) return;
    const absl::Status taken = found->second.stream.Take(message);
    if (taken.ok()) return;
    lines_.Warning("broker ", found->second.stream.hello().follower.value(),
                   " follows against the rules: ", taken.message());
    found->second.end->Close(taken);
    OnFollowerClosed(id);
  }

  void OnFollowerClosed(StreamId id) {
    const auto found = followers_.find(id);
    if (found == followers_.end()) return;
    found->second.stream.Closed();
    followers_.erase(found);
  }

 private:
  // Where a leader's partitions are: broker and shard.
  using Place = std::pair<BrokerId, uint32_t>;

  struct Leader {
    Leader(replication::FollowerHost* host, Random* random) : stream(host, random) {}

    replication::FollowerStream stream;
    std::shared_ptr<replication::FollowerEnd> end;  // null while there is none
    StreamId id = 0;
    bool has_heard = false;  // of the leader, since it was opened
    int failures = 0;        // since then
    TimerId timer;           // to open it again, or of the stream's own deadline
    MonotonicNs not_before;  // to be opened again
  };
  struct Follower {
    Follower(replication::StreamHello hello, replication::LeaderHost* host,
             std::shared_ptr<replication::LeaderEnd> with)
        : stream(std::move(hello), host), end(std::move(with)) {}

    replication::LeaderStream stream;
    const std::shared_ptr<replication::LeaderEnd> end;
  };
  struct Followed {
    BrokerId leader;
    uint32_t shard = 0;
  };

  static absl::Status BrokerStops() { return absl::UnavailableError("the broker stops"); }

  void CloseLeaders() {
    for (auto& [at, leader] : leaders_) {
      shard_.loop().timers().Cancel(leader.timer);
      CloseLeader(&leader, "the broker stops");
    }
    leaders_.clear();
  }

  // --- what partitions ask for --------------------------------------------------------------

  void CarryOut(std::vector<PartitionTable::ReplicaEffect> effects) {
    std::vector<IsrProposal> proposals;
    for (auto& [partition, effect] : effects) {
      if (auto* proposal = std::get_if<replication::ProposeIsr>(&effect)) {
        proposals.push_back({partition, std::move(*proposal)});
      } else if (const auto* start = std::get_if<replication::StartFollowing>(&effect)) {
        // Another shard than before is not to be expected; at first, our own number is the guess.
        const auto before = followed_.find(partition);
        const bool is_known = before != followed_.end() && before->second.leader == start->leader;
        FollowAt({start->leader, is_known ? before->second.shard : shard_.id().value()}, partition);
      } else if (std::holds_alternative<replication::StopFollowing>(effect)) {
        StopFollowing(partition);
      } else if (std::holds_alternative<replication::ReplicaNews>(effect)) {
        for (auto& [id, follower] : followers_) follower.stream.News(partition);
        const auto followed = followed_.find(partition);
        if (followed == followed_.end()) continue;
        const auto leader = leaders_.find({followed->second.leader, followed->second.shard});
        if (leader != leaders_.end()) leader->second.stream.News(partition);
      }
    }
    if (proposals.empty()) return;
    shard_.Tell(kControllerShard,
                [from = shard_.id(), proposals = std::move(proposals)](Shard& home) mutable {
                  home.isr_proposals().Add(from, std::move(proposals));
                });
  }

  void FollowAt(const Place& place, const TopicPartition& partition) {
    const auto before = followed_.find(partition);
    if (before != followed_.end() && Place{before->second.leader, before->second.shard} != place) {
      StopFollowing(partition);
    }
    if (network_ == nullptr) return;
    followed_[partition] = {place.first, place.second};
    leaders_.try_emplace(place, this, &shard_.random()).first->second.stream.Follow(partition);
  }

  void StopFollowing(const TopicPartition& partition) {
    const auto followed = followed_.find(partition);
    if (followed == followed_.end()) return;
    const auto leader = leaders_.find({followed->second.leader, followed->second.shard});
    if (leader != leaders_.end()) leader->second.stream.Unfollow(partition);
    followed_.erase(followed);
  }

  // --- to leaders ---------------------------------------------------------------------------

  void TellLeader(const Place& place, Leader* leader) {
    const MonotonicNs now = shard_.loop().now();
    if (leader->end == nullptr && leader->not_before <= now) Open(place, leader);
    do {
      std::optional<replication::FollowerMessage> message = leader->stream.TickEnd(now);
      if (!message.has_value() || leader->end == nullptr) break;
      leader->end->Send(*std::move(message));
    } while (leader->stream.has_due());
    ArmTimer(leader);
  }

  void Open(const Place& place, Leader* leader) {
    if (network_ == nullptr) return;
    const Node& node = shard_.node();
    replication::StreamHello hello;
    hello.cluster_id = node.cluster_id;
    hello.leader = place.first;
    hello.follower = node.config.node_id;
    hello.follower_epoch = broker_epoch_;
    hello.shard = place.second;
    const StreamId id = ++last_stream_;
    leader->id = id;
    leader->has_heard = false;
    leader->stream.Opened();
    replication::FollowerEnd::Listener listener;
    listener.on_message = [this, place, id,
                           &loop = shard_.loop()](replication::LeaderMessage message) {
      loop.Post(
          [this, place, id, message = std::move(message)] { OnLeaderMessage(place, id, message); });
    };
    listener.on_closed = [this, place, id, &loop = shard_.loop()](const absl::Status& why) {
      loop.Post([this, place, id, why] { OnLeaderClosed(place, id, why); });
    };
    leader->end = network_->Open(std::move(hello), std::move(listener));
  }

  void OnLeaderMessage(const Place& place, StreamId id, const replication::LeaderMessage& message) {
    const auto found = leaders_.find(place);
    if (found == leaders_.end() || found->second.id != id || found->second.end == nullptr) return;
    Leader& leader = found->second;
    if (!std::exchange(leader.has_heard, true)) {
      OnAllShards([id = place.first](Shard& shard) { shard.leader_doubts().OnSpoke(id); });
    }
    leader.failures = 0;
    const absl::Status taken = leader.stream.Take(message);
    if (taken.ok()) return;
    leader.end->Close(taken);
    OnLeaderClosed(place, id, taken);
  }

  void OnLeaderClosed(const Place& place, StreamId id, const absl::Status& why) {
    const auto found = leaders_.find(place);
    if (found == leaders_.end() || found->second.id != id || found->second.end == nullptr) return;
    Leader& leader = found->second;
    leader.end.reset();
    leader.stream.Closed();
    if (absl::IsOutOfRange(why) && !leader.has_heard && place.second != 0) {
      MoveAll(place);
      return;
    }
    if (leader.has_heard) {
      lines_.Warning("the replication stream to broker ", place.first.value(),
                     " broke: ", why.message());
      OnAllShards([id = place.first](Shard& shard) {
        shard.leader_doubts().OnStreamBroken(shard.loop().now(), id, *shard.image());
      });
    }
    const int64_t longest = std::min(kReopenMaxMs, kReopenMinMs << std::min(leader.failures++, 10));
    const int64_t pause_ms =
        longest -
        static_cast<int64_t>(shard_.random().Below(static_cast<uint64_t>(longest / 2 + 1)));
    leader.not_before = shard_.loop().now() + pause_ms * kNsPerMs;
    ArmTimer(&leader);
  }

  // Any of them may be asked who leads.
  template <class Work>
  void OnAllShards(Work work) {
    for (const Shard* shard : shard_.node().shards) shard_.Tell(shard->id(), work);
  }

  // That broker has fewer shards; its first one says where the partitions are.
  void MoveAll(const Place& place) {
    for (const auto& [partition, followed] : followed_) {
      if (Place{followed.leader, followed.shard} == place) moved_.emplace_back(partition, 0);
    }
    Sort(moved_);
  }

  void CloseLeader(Leader* leader, const char* why) {
    if (leader->end == nullptr) return;
    std::exchange(leader->end, nullptr)->Close(absl::CancelledError(why));
    leader->stream.Closed();
  }

  // At the end of the tick in which it fires, OnTickEnd does what is due.
  void ArmTimer(Leader* leader) {
    shard_.loop().timers().Cancel(std::exchange(leader->timer, TimerId()));
    std::optional<MonotonicNs> due = leader->stream.NextDeadline();
    if (leader->end == nullptr)
      due = std::min(due.value_or(leader->not_before), leader->not_before);
    if (due.has_value()) leader->timer = shard_.loop().timers().Schedule(*due, [] {});
  }

  // --- to followers -------------------------------------------------------------------------

  void TellFollower(StreamId id, Follower* follower) {
    while (std::optional<replication::LeaderBatch> batch = follower->stream.Build()) {
      if (batch->cold && reader_ != nullptr && !IsInMemory(*batch)) {
        ReadElsewhere(id, *std::move(batch));
        continue;
      }
      std::vector<replication::UnreadSlice> unread;
      replication::LeaderMessage message = replication::ReadSlices(*batch, &unread);
      SendToFollower(follower, std::move(message), unread);
      if (batch->cold) follower->stream.ColdSent();
    }
  }

  void ReadElsewhere(StreamId id, replication::LeaderBatch batch) {
    reader_->Post([this, id, batch = std::move(batch), &loop = shard_.loop()] {
      std::vector<replication::UnreadSlice> unread;
      replication::LeaderMessage message = replication::ReadSlices(batch, &unread);
      loop.Post([this, id, message = std::move(message), unread = std::move(unread)]() mutable {
        const auto found = followers_.find(id);
        if (found == followers_.end()) return;
        found->second.stream.TakeOutStale(&message);
        SendToFollower(&found->second, std::move(message), unread);
        found->second.stream.ColdSent();
      });
    });
  }

  void SendToFollower(Follower* follower, replication::LeaderMessage message,
                      const std::vector<replication::UnreadSlice>& unread) {
    for (const replication::UnreadSlice& slice : unread) {
      lines_.Warning("cannot read what broker ", follower->stream.hello().follower.value(),
                     " lacks: ", slice.status.message());
    }
    for (const auto& [partition, status] : follower->stream.Unread(unread)) {
      if (absl::IsDataLoss(status)) TellOfDamage(partition, status);
    }
    follower->end->Send(std::move(message));
  }

  // Later, as the partition may be in the middle of something, or its stream.
  void TellOfDamage(const TopicPartition& partition, const absl::Status& damage) {
    shard_.loop().Post([this, partition, damage] { shard_.OnDamage(partition, damage); });
  }

  // --- throttles (KIP-73) -------------------------------------------------------------------

  // Who is in sync is never throttled.
  bool IsLagging(const TopicPartition& partition, const TopicInfo& topic, BrokerId broker) const {
    const metadata::PartitionImage* image = topic.Partition(partition.partition);
    return image != nullptr && std::count(image->isr.begin(), image->isr.end(), broker) == 0;
  }
  // Whether `quota` counts what moves of a partition to `follower`: one of its topic's lists names
  // it with this broker.
  bool IsSubjectTo(const replication::ReplicationQuota& quota,
                   ThrottledReplicas TopicSettings::*list, const TopicPartition& partition,
                   BrokerId follower) const {
    if (!quota.is_limited()) return false;
    const TopicInfo* topic = shard_.topics().Find(partition.topic_id);
    return topic != nullptr && (topic->settings.*list).Contains(partition.partition, self()) &&
           IsLagging(partition, *topic, follower);
  }
  bool CountsAsSent(const TopicPartition& partition, BrokerId follower) const {
    return IsSubjectTo(quotas_.leader, &TopicSettings::leader_throttled, partition, follower);
  }
  bool CountsAsFollowed(const TopicPartition& partition) const {
    return IsSubjectTo(quotas_.follower, &TopicSettings::follower_throttled, partition, self());
  }
  BrokerId self() const { return shard_.node().config.node_id; }

  void CheckThrottled() {
    for (auto& [at, leader] : leaders_) leader.stream.CheckThrottled();
    for (auto& [id, follower] : followers_) follower.stream.CheckThrottled();
  }
  void ArmThrottleTimer() {
    shard_.loop().timers().Cancel(std::exchange(throttle_timer_, TimerId()));
    const MonotonicNs now = shard_.loop().now();
    std::optional<MonotonicNs> at;
    const auto wait_for = [&](const replication::ReplicationQuota& quota) {
      at = std::min(at.value_or(quota.FreeAt(now)), quota.FreeAt(now));
    };
    for (const auto& [place, leader] : leaders_) {
      if (leader.stream.is_throttled()) wait_for(quotas_.follower);
    }
    for (const auto& [id, follower] : followers_) {
      if (follower.stream.is_throttled()) wait_for(quotas_.leader);
    }
    if (!at.has_value()) return;
    throttle_timer_ = shard_.loop().timers().Schedule(*at, [this] {
      throttle_timer_ = TimerId();
      CheckThrottled();
    });
  }

  // --- LeaderHost ---------------------------------------------------------------------------

  replication::FollowAnswer Follow(const TopicPartition& partition,
                                   const replication::FollowRequest& request) override {
    replication::FollowAnswer refused;
    const TopicInfo* topic = shard_.topics().Find(partition.topic_id);
    if (topic == nullptr || topic->Partition(partition.partition) == nullptr) {
      refused.ended.error = ErrorCode::kUnknownTopicOrPartition;
      return refused;
    }
    const ShardId owner = shard_.OwnerOf(topic->name(), partition.partition);
    if (owner != shard_.id()) {
      refused.ended.error = ErrorCode::kReplicaNotAvailable;
      refused.ended.shard = owner.value();
      return refused;
    }
    return shard_.partitions().Follow(partition, request);
  }
  void Progress(const TopicPartition& partition,
                const replication::ReplicaProgress& progress) override {
    shard_.partitions().Give(partition, progress);
  }
  void Gone(const TopicPartition& partition, const replication::ReplicaGone& gone) override {
    shard_.partitions().Give(partition, gone);
  }
  replication::ReplicaRead ReadForReplica(const TopicPartition& partition, LeaderEpoch leader_epoch,
                                          Offset from, int64_t bytes_max,
                                          bool at_least_one_batch) override {
    replication::ReplicaRead read = shard_.partitions().ReadForReplica(
        partition, leader_epoch, from, bytes_max, at_least_one_batch);
    if (read.error == ErrorCode::kCorruptMessage) {
      TellOfDamage(partition, absl::DataLossError(read.message));
    }
    return read;
  }

  bool IsThrottled(const TopicPartition& partition, BrokerId follower) override {
    return quotas_.leader.IsExceeded(shard_.loop().now()) && CountsAsSent(partition, follower);
  }
  void Sent(const TopicPartition& partition, BrokerId follower, int64_t bytes) override {
    if (CountsAsSent(partition, follower)) quotas_.leader.Record(shard_.loop().now(), bytes);
  }

  // --- FollowerHost -------------------------------------------------------------------------

  std::optional<replication::StartFollowing> State(const TopicPartition& partition) override {
    return shard_.partitions().Following(partition);
  }
  void Replicate(const TopicPartition& partition, LeaderEpoch leader_epoch,
                 const replication::LeaderRecords& records,
                 const std::shared_ptr<const void>& storage) override {
    if (CountsAsFollowed(partition)) {
      quotas_.follower.Record(shard_.loop().now(), static_cast<int64_t>(records.records.size()));
    }
    shard_.partitions().Replicate(partition,
                                  {leader_epoch, records.from, records.to, records.records,
                                   records.high_watermark, records.log_start},
                                  storage);
  }
  bool IsThrottled(const TopicPartition& partition) override {
    return quotas_.follower.IsExceeded(shard_.loop().now()) && CountsAsFollowed(partition);
  }
  void Ended(const TopicPartition& partition, LeaderEpoch leader_epoch,
             const replication::FollowEnded& told) override {
    shard_.partitions().Give(partition, replication::FollowRefused{leader_epoch, told});
  }
  void Moved(const TopicPartition& partition, uint32_t shard) override {
    moved_.emplace_back(partition, shard);
  }

  Shard& shard_;
  replication::ReplicationQuotas& quotas_;
  LimitedLines lines_;
  replication::StreamNetwork* network_ = nullptr;  // null before Start and after Close
  Worker* reader_ = nullptr;
  int64_t broker_epoch_ = -1;
  std::map<Place, Leader> leaders_;
  absl::flat_hash_map<TopicPartition, Followed> followed_;
  std::vector<std::pair<TopicPartition, uint32_t>> moved_;  // to another shard of their leaders
  std::map<StreamId, Follower> followers_;
  StreamId last_stream_ = 0;
  TimerId throttle_timer_;
};

Replicas::Replicas(Shard& shard) : streams_(std::make_unique<Streams>(shard)) {}
Replicas::~Replicas() = default;

void Replicas::Start(replication::StreamNetwork& streams, Worker* reader) {
  streams_->Start(streams, reader);
}
void Replicas::OnMetadata() { streams_->OnMetadata(); }
void Replicas::OnTickEnd() { streams_->OnTickEnd(); }
void Replicas::Close() { streams_->Close(); }

replication::StreamNetwork::Accept Replicas::Acceptor(const Node& node) {
  const auto last = std::make_shared<std::atomic<Streams::StreamId>>(0);
  return [&node, last](const replication::StreamHello& hello,
                       std::shared_ptr<replication::LeaderEnd> end)
             -> absl::StatusOr<replication::LeaderEnd::Listener> {
    if (hello.cluster_id != node.cluster_id || hello.leader != node.config.node_id) {
      return absl::FailedPreconditionError(absl::StrCat(
          "expected a stream to broker ", node.config.node_id.value(), " of cluster ",
          node.cluster_id, ", came one to ", hello.leader.value(), " of ", hello.cluster_id));
    }
    if (hello.shard >= node.shards.size()) {
      return absl::OutOfRangeError(
          absl::StrCat("expected a shard below ", node.shards.size(), ", came ", hello.shard));
    }
    Shard& shard = *node.shards[hello.shard];
    Streams& streams = *shard.replicas().streams_;
    EventLoop& loop = shard.loop();
    const Streams::StreamId id = ++*last;
    loop.Post([&streams, id, hello, end = std::move(end)]() mutable {
      streams.OnAccepted(id, std::move(hello), std::move(end));
    });
    replication::LeaderEnd::Listener listener;
    listener.on_message = [&streams, &loop, id](replication::FollowerMessage message) {
      loop.Post(
          [&streams, id, message = std::move(message)] { streams.OnFollowerMessage(id, message); });
    };
    listener.on_closed = [&streams, &loop, id](const absl::Status&) {
      loop.Post([&streams, id] { streams.OnFollowerClosed(id); });
    };
    return listener;
  };
}

}  // namespace weir::server
