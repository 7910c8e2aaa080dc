// -----------------------------------------------------------------------------
// File: replication/follower_stream.h
// -----------------------------------------------------------------------------
// The follower's end of the replication stream to one shard of one leader: which partitions are
// followed there, what the leader has been told of each, credit, and trying again. A state machine;
// the owner opens the stream itself, again whenever it closes, and tells of both. What the host
// calls throttled, the leader is told to hold until CheckThrottled finds that over.
// Decision: docs/adr/0015-replication-streams.md.
// Threading: one thread. Errors: kInvalidArgument from Take for a leader that does not keep to the
// protocol; the stream is to be closed then. Limits: replication/stream_messages.h.
#ifndef WEIR_REPLICATION_FOLLOWER_STREAM_H_
#define WEIR_REPLICATION_FOLLOWER_STREAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "log/leader_epoch_cache.h"
#include "protocol/error_code.h"
#include "replication/partition_events.h"
#include "replication/replica_host.h"
#include "replication/stream_messages.h"

namespace weir::replication {

struct FollowerStreamConfig {
  int64_t credit_bytes = int64_t{4} << 20;  // of records under way or not written yet
  // How long to wait before a partition is asked for again that was refused; up to twice as long
  // each time, to the longest, unless there are news of the metadata.
  int64_t retry_min_ns = 100 * kNsPerMs;
  int64_t retry_max_ns = 500 * kNsPerMs;
};

class FollowerStream {
 public:
  // Both outlive the stream.
  FollowerStream(FollowerHost* host, Random* random, const FollowerStreamConfig& config = {})
      : host_(*host), random_(*random), config_(config) {}

  FollowerStream(const FollowerStream&) = delete;
  FollowerStream& operator=(const FollowerStream&) = delete;

  // --- what the owner wants ------------------------------------------------------------------

  // StartFollowing: from now on, or anew.
  void Follow(const TopicPartition& partition) {
    Entry& entry = entries_[partition];
    Release(&entry);
    retries_.erase({entry.retry_at, partition});
    entry.retries = 0;
    due_.insert(partition);
  }
  // StopFollowing, or it is followed elsewhere.
  void Unfollow(const TopicPartition& partition) {
    const auto found = entries_.find(partition);
    if (found == entries_.end()) return;
    Release(&found->second);
    retries_.erase({found->second.retry_at, partition});
    due_.erase(partition);
    entries_.erase(found);
  }
  // ReplicaNews.
  void News(const TopicPartition& partition) {
    const auto found = entries_.find(partition);
    if (found == entries_.end() || found->second.handle == 0 || found->second.has_news) return;
    found->second.has_news = true;
    news_.push_back(partition);
  }
  // What a leader refused because one of the two was behind with the metadata is asked for again.
  void MetadataChanged() {
    for (const auto& [at, partition] : retries_) due_.insert(partition);
    retries_.clear();
  }

  // --- the stream ----------------------------------------------------------------------------

  // A new one: its other end knows nothing.
  void Opened() {
    Closed();
    is_open_ = true;
    last_handle_ = 0;
    credit_due_ = config_.credit_bytes;
  }
  void Closed() {
    is_open_ = false;
    handles_.clear();
    drops_.clear();
    news_.clear();
    ForgetHeld();
    for (auto& [partition, entry] : entries_) {
      entry.handle = 0;
      entry.has_news = false;
      if (!entry.waits_for_owner && retries_.count({entry.retry_at, partition}) == 0) {
        due_.insert(partition);
      }
    }
  }

  absl::Status Take(const LeaderMessage& message) {
    if (!is_open_) return absl::OkStatus();
    const int64_t bytes = message.RecordBytes();
    credit_due_ += bytes;
    for (const LeaderRecords& records : message.records) {
      if (records.handle > last_handle_) return Unknown(records.handle);
      const auto found = handles_.find(records.handle);
      if (found == handles_.end()) continue;  // late
      Entry& entry = entries_.find(found->second)->second;
      entry.retries = 0;
      host_.Replicate(found->second, entry.leader_epoch, records, message.storage);
      if (!entry.held && host_.IsThrottled(found->second)) {
        entry.held = true;
        held_.push_back(found->second);
        holds_.push_back(records.handle);
      }
    }
    for (const FollowEnded& ended : message.ended) {
      if (ended.handle > last_handle_) return Unknown(ended.handle);
      const auto found = handles_.find(ended.handle);
      if (found == handles_.end()) continue;
      End(TopicPartition(found->second), ended);
    }
    return absl::OkStatus();
  }

  // Whether partitions are held back as throttled. CheckThrottled is to be called when that may be
  // over: when the quota is free, and with news of the metadata.
  bool is_throttled() const { return !held_.empty(); }
  void CheckThrottled() {
    std::vector<TopicPartition> still;
    for (const TopicPartition& partition : std::exchange(held_, {})) {
      const auto found = entries_.find(partition);
      if (found == entries_.end() || !found->second.held) continue;
      if (host_.IsThrottled(partition)) {
        still.push_back(partition);
        continue;
      }
      found->second.held = false;
      // What the leader was not told is not taken back.
      if (std::erase(holds_, found->second.handle) == 0) {
        resumes_.push_back(found->second.handle);
      }
    }
    held_ = std::move(still);
  }

  // At the end of each tick, when the partitions have ended theirs, and by NextDeadline(): what is
  // to be sent. None while no stream is open.
  std::optional<FollowerMessage> TickEnd(MonotonicNs now) {
    now_ = now;
    for (const TopicPartition& partition : refused_) RetryLater(partition);
    refused_.clear();
    while (!retries_.empty() && retries_.begin()->first <= now) {
      due_.insert(retries_.begin()->second);
      retries_.erase(retries_.begin());
    }
    if (!is_open_) return std::nullopt;
    FollowerMessage message;
    TakeHandles(&drops_, &message.drop);
    TakeHandles(&holds_, &message.hold);
    TakeHandles(&resumes_, &message.resume);
    TakeProgress(&message);
    TakeDue(&message);
    message.credit_bytes = credit_due_;
    credit_due_ = 0;
    if (message.follow.empty() && message.drop.empty() && message.hold.empty() &&
        message.resume.empty() && message.progress.empty() && message.credit_bytes == 0) {
      return std::nullopt;
    }
    return message;
  }

  std::optional<MonotonicNs> NextDeadline() const {
    if (retries_.empty()) return std::nullopt;
    return retries_.begin()->first;
  }
  // More to send than went into one message.
  bool has_due() const {
    return is_open_ && (!due_.empty() || !news_.empty() || !drops_.empty() || !holds_.empty() ||
                        !resumes_.empty());
  }
  bool is_open() const { return is_open_; }
  size_t size() const { return entries_.size(); }
  bool follows(const TopicPartition& partition) const { return entries_.count(partition) != 0; }

 private:
  struct Entry {
    FollowHandle handle = 0;  // 0: the leader does not know of it
    LeaderEpoch leader_epoch;
    FollowProgress told;
    bool has_news = false;
    bool waits_for_owner = false;  // it will say Follow, or Unfollow
    bool held = false;             // as throttled
    int32_t retries = 0;
    MonotonicNs retry_at;
  };

  absl::Status Unknown(FollowHandle handle) const {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a handle up to ", last_handle_, ", came ", handle));
  }

  // What the leader knows of the partition counts no more.
  void Release(Entry* entry) {
    entry->waits_for_owner = false;
    if (entry->handle == 0) return;
    handles_.erase(entry->handle);
    drops_.push_back(entry->handle);
    entry->handle = 0;
    entry->has_news = entry->held = false;
  }
  // Who is followed anew is not held.
  void ForgetHeld() {
    for (const TopicPartition& partition : held_) {
      const auto found = entries_.find(partition);
      if (found != entries_.end()) found->second.held = false;
    }
    held_.clear();
    holds_.clear();
    resumes_.clear();
  }

  static void TakeHandles(std::vector<FollowHandle>* from, std::vector<FollowHandle>* into) {
    const size_t count = std::min(from->size(), kStreamPartitionsMax);
    into->assign(from->begin(), from->begin() + static_cast<std::ptrdiff_t>(count));
    from->erase(from->begin(), from->begin() + static_cast<std::ptrdiff_t>(count));
  }

  void End(const TopicPartition& partition, const FollowEnded& ended) {
    Entry& entry = entries_.find(partition)->second;
    handles_.erase(entry.handle);
    entry.handle = 0;
    entry.has_news = entry.held = false;
    switch (ended.error) {
      case protocol::ErrorCode::kNone:
      case protocol::ErrorCode::kOffsetOutOfRange:
        entry.waits_for_owner = true;
        host_.Ended(partition, entry.leader_epoch, ended);
        return;
      case protocol::ErrorCode::kReplicaNotAvailable:
        entries_.erase(partition);
        host_.Moved(partition, ended.shard);
        return;
      default:
        refused_.push_back(partition);
        return;
    }
  }

  void RetryLater(const TopicPartition& partition) {
    const auto found = entries_.find(partition);
    if (found == entries_.end() || found->second.handle != 0 || due_.count(partition) != 0) return;
    Entry& entry = found->second;
    const int64_t base =
        std::min(config_.retry_max_ns, config_.retry_min_ns << std::min(entry.retries++, 10));
    // Between half of it and all.
    entry.retry_at =
        now_ + (base - static_cast<int64_t>(random_.Below(static_cast<uint64_t>(base / 2 + 1))));
    retries_.insert({entry.retry_at, partition});
  }

  void TakeProgress(FollowerMessage* message) {
    size_t taken = 0;
    for (; taken < news_.size() && message->progress.size() < kStreamPartitionsMax; ++taken) {
      const auto found = entries_.find(news_[taken]);
      if (found == entries_.end() || !found->second.has_news) continue;
      Entry& entry = found->second;
      entry.has_news = false;
      const std::optional<StartFollowing> state = host_.State(found->first);
      if (!state.has_value() || state->leader_epoch != entry.leader_epoch) continue;
      const FollowProgress progress{entry.handle, state->log_end, state->flushed, state->log_start};
      if (progress.log_end == entry.told.log_end && progress.flushed == entry.told.flushed &&
          progress.log_start == entry.told.log_start) {
        continue;
      }
      entry.told = progress;
      message->progress.push_back(progress);
    }
    news_.erase(news_.begin(), news_.begin() + static_cast<std::ptrdiff_t>(taken));
  }

  void TakeDue(FollowerMessage* message) {
    while (!due_.empty() && message->follow.size() < kStreamPartitionsMax) {
      const TopicPartition partition = *due_.begin();
      due_.erase(due_.begin());
      Entry& entry = entries_.find(partition)->second;
      const std::optional<StartFollowing> state = host_.State(partition);
      if (!state.has_value()) {
        entry.waits_for_owner = true;
        continue;
      }
      entry.waits_for_owner = false;
      entry.handle = ++last_handle_;
      entry.leader_epoch = state->leader_epoch;
      entry.told = {entry.handle, state->log_end, state->flushed, state->log_start};
      handles_[entry.handle] = partition;
      message->follow.push_back({entry.handle, partition, state->leader_epoch, state->log_end,
                                 state->flushed, state->last_epoch, state->log_start});
    }
  }

  FollowerHost& host_;
  Random& random_;
  const FollowerStreamConfig config_;
  bool is_open_ = false;
  MonotonicNs now_;
  absl::flat_hash_map<TopicPartition, Entry> entries_;
  absl::flat_hash_map<FollowHandle, TopicPartition> handles_;
  FollowHandle last_handle_ = 0;
  std::set<TopicPartition> due_;  // to be named to the leader
  std::set<std::pair<MonotonicNs, TopicPartition>> retries_;
  std::vector<TopicPartition> refused_;  // in this tick
  std::vector<TopicPartition> news_;
  std::vector<FollowHandle> drops_, holds_, resumes_;
  std::vector<TopicPartition> held_;
  int64_t credit_due_ = 0;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_FOLLOWER_STREAM_H_
