// -----------------------------------------------------------------------------
// File: replication/leader_stream.h
// -----------------------------------------------------------------------------
// The leader's end of one replication stream: which partitions its follower follows, how far each
// was sent, and what the next message has. A state machine: messages and news in, messages out.
//
// Partitions that are at their log's end, or nearly, go first. Those far behind share messages of
// their own, one of which is under way at a time, and never use up the last quarter of the
// follower's credit: catching up delays no acknowledgement. A batch that is larger than the credit
// that is left has others wait until it is out, as there would never be enough of it otherwise.
// What the host calls throttled waits for CheckThrottled, what the follower holds for its resume.
// Decision: docs/adr/0015-replication-streams.md.
// Threading: one thread. Errors: kInvalidArgument from Take for a follower that does not keep to
// the protocol; the stream is to be closed then. Limits: replication/stream_messages.h.
#ifndef WEIR_REPLICATION_LEADER_STREAM_H_
#define WEIR_REPLICATION_LEADER_STREAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/sort.h"
#include "protocol/error_code.h"
#include "replication/leader_batch.h"
#include "replication/partition_events.h"
#include "replication/replica_host.h"
#include "replication/stream_messages.h"

namespace weir::replication {

class LeaderStream {
 public:
  // `host` outlives the stream.
  LeaderStream(StreamHello hello, LeaderHost* host) : hello_(std::move(hello)), host_(*host) {}

  LeaderStream(const LeaderStream&) = delete;
  LeaderStream& operator=(const LeaderStream&) = delete;

  absl::Status Take(const FollowerMessage& message) {
    if (message.credit_bytes < 0 || message.credit_bytes > kCreditMax - credit_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expected credit of 0 to ", kCreditMax - credit_, " bytes, came ", message.credit_bytes));
    }
    for (const FollowHandle handle : message.drop) Forget(handle);
    for (const FollowHandle handle : message.hold) Hold(handle);
    for (const FollowHandle handle : message.resume) Resume(handle);
    for (const FollowProgress& progress : message.progress) {
      const auto found = follows_.find(progress.handle);
      if (found == follows_.end()) continue;  // ended meanwhile
      host_.Progress(found->second.partition,
                     {hello_.follower, hello_.follower_epoch, progress.log_end, progress.flushed,
                      progress.log_start, found->second.follow});
    }
    for (const FollowPartition& follow : message.follow) {
      if (follow.handle <= last_handle_) {
        return absl::InvalidArgumentError(
            absl::StrCat("expected a handle above ", last_handle_, ", came ", follow.handle));
      }
      last_handle_ = follow.handle;
      Begin(follow);
    }
    credit_ += message.credit_bytes;
    credit_seen_ = std::max(credit_seen_, credit_);
    return absl::OkStatus();
  }

  // ReplicaNews of a partition, which this stream may or may not carry.
  void News(const TopicPartition& partition) {
    const auto found = handles_.find(partition);
    if (found != handles_.end()) Queue(found->second, &follows_.find(found->second)->second);
  }

  // The next message, as long as there is one. Whoever asks sends them in this order, except that
  // a cold one may be sent later than others that are not, followed by ColdSent.
  std::optional<LeaderBatch> Build() {
    LeaderBatch batch;
    batch.ended = std::move(ended_);
    ended_.clear();
    Fill(&hot_, credit_, &batch);
    if (batch.parts.empty() && batch.ended.empty() && !cold_under_way_) {
      batch.cold = true;
      Fill(&far_, credit_ - credit_seen_ / 4, &batch);
      batch.cold = cold_under_way_ = !batch.parts.empty();
    }
    if (batch.parts.empty() && batch.ended.empty()) return std::nullopt;
    credit_ -= batch.record_bytes;
    return batch;
  }

  // What ReadSlices could not read of a message: its credit comes back, and its partitions, which
  // the message ends, are forgotten. Gives those that are led here still, with the errors.
  std::vector<std::pair<TopicPartition, absl::Status>> Unread(
      const std::vector<UnreadSlice>& slices) {
    std::vector<std::pair<TopicPartition, absl::Status>> led;
    for (const UnreadSlice& slice : slices) {
      credit_ += slice.size_bytes;
      const auto found = follows_.find(slice.handle);
      if (found == follows_.end()) continue;
      if (Look(found->second).error == protocol::ErrorCode::kNone) {
        led.emplace_back(found->second.partition, slice.status);
      }
      Forget(slice.handle);
    }
    return led;
  }

  // Before a message is sent that was read a while after Build: takes out what is led here no more.
  // Its log may have been cut off meanwhile, and the next leader's records stand in its place.
  void TakeOutStale(LeaderMessage* message) {
    std::erase_if(message->records, [&](const LeaderRecords& part) {
      const auto found = follows_.find(part.handle);
      if (found != follows_.end()) {
        const ReplicaRead now = Look(found->second);
        if (now.error == protocol::ErrorCode::kNone) return false;
        End(part.handle, now, &message->ended);
      }
      credit_ += static_cast<int64_t>(part.records.size());
      return true;
    });
  }

  // The cold message that Build gave last was handed to the transport.
  void ColdSent() {
    cold_under_way_ = false;
    for (const FollowHandle handle : in_cold_) {
      const auto found = follows_.find(handle);
      if (found == follows_.end()) continue;
      found->second.in_cold = false;
      Queue(handle, &found->second);  // what was news meanwhile
    }
    in_cold_.clear();
  }

  // Whether partitions are held back as throttled. CheckThrottled is to be called when that may be
  // over: when the quota is free, and with news of the metadata.
  bool is_throttled() const { return !throttled_.empty(); }
  void CheckThrottled() {
    for (const FollowHandle handle : std::exchange(throttled_, {})) {
      const auto found = follows_.find(handle);
      if (found == follows_.end()) continue;
      found->second.throttled = false;
      Queue(handle, &found->second);  // where it may be throttled again
    }
  }

  // The stream has ended.
  void Closed() {
    std::vector<FollowHandle> all;
    all.reserve(follows_.size());
    for (const auto& [handle, follow] : follows_) all.push_back(handle);
    Sort(all);  // the map's order differs from run to run
    for (const FollowHandle handle : all) Forget(handle);
  }

  const StreamHello& hello() const { return hello_; }
  size_t follows() const { return follows_.size(); }
  int64_t credit() const { return credit_; }
  // Partitions that are catching up.
  size_t far_behind() const { return far_count_; }

 private:
  // What a follower may allow to be under way; more is no credit but a mistake.
  static constexpr int64_t kCreditMax = int64_t{1} << 30;
  // Who has this much to be sent is far behind, until it has been sent all.
  static constexpr int64_t kFarBytes = int64_t{2} << 20;

  struct Follow {
    TopicPartition partition;
    LeaderEpoch leader_epoch;
    FollowId follow = 0;
    Offset next;  // what is to be sent
    Offset told_high_watermark = kNoOffset;
    Offset told_log_start = kNoOffset;
    int64_t sent_since_end = 0;  // bytes, since the log's end was reached
    bool far = false;
    bool queued = false;
    bool in_cold = false;
    bool held = false;       // by its follower
    bool throttled = false;  // until CheckThrottled
  };
  using Handles = std::deque<FollowHandle>;

  void Begin(const FollowPartition& asked) {
    const auto before = handles_.find(asked.partition);
    if (before != handles_.end()) Forget(before->second);
    FollowAnswer answer = host_.Follow(
        asked.partition, {hello_.follower, hello_.follower_epoch, asked.leader_epoch, asked.log_end,
                          asked.flushed, asked.last_epoch, asked.log_start});
    if (!answer.ok) {
      answer.ended.handle = asked.handle;
      ended_.push_back(answer.ended);
      return;
    }
    Follow follow;
    follow.partition = asked.partition;
    follow.leader_epoch = asked.leader_epoch;
    follow.follow = answer.follow;
    follow.next = asked.log_end;
    const ReplicaRead read =
        host_.ReadForReplica(follow.partition, follow.leader_epoch, follow.next, kFarBytes, false);
    SetFar(&follow, read.slice.size_bytes > kFarBytes / 2 && read.slice.next_offset < read.log_end);
    handles_[asked.partition] = asked.handle;
    Queue(asked.handle, &follows_.emplace(asked.handle, follow).first->second);
  }

  void Forget(FollowHandle handle) {
    const auto found = follows_.find(handle);
    if (found == follows_.end()) return;
    host_.Gone(found->second.partition, {hello_.follower, found->second.follow});
    if (found->second.far) --far_count_;
    if (handle == waits_for_credit_) waits_for_credit_ = 0;
    handles_.erase(found->second.partition);
    follows_.erase(found);  // of the queues it is dropped when its turn comes
  }

  void Hold(FollowHandle handle) {
    const auto found = follows_.find(handle);
    if (found == follows_.end()) return;  // ended meanwhile
    found->second.held = true;
    if (handle == waits_for_credit_) waits_for_credit_ = 0;
  }
  void Resume(FollowHandle handle) {
    const auto found = follows_.find(handle);
    if (found == follows_.end()) return;
    found->second.held = false;
    Queue(handle, &found->second);
  }

  void Queue(FollowHandle handle, Follow* follow) {
    if (follow->queued || follow->in_cold || follow->held || follow->throttled) return;
    follow->queued = true;
    (follow->far ? far_ : hot_).push_back(handle);
  }

  // Puts into the message what the partitions of `queue` have, as far as there is credit.
  void Fill(Handles* queue, int64_t credit, LeaderBatch* batch) {
    const int64_t room = std::clamp<int64_t>(credit, 0, kStreamRecordBytesMax);
    for (size_t turns = queue->size(); turns > 0; --turns) {
      if (batch->parts.size() >= kStreamPartitionsMax) return;
      // Little fits into what is left: the next message begins here.
      if (batch->record_bytes > 0 && room - batch->record_bytes < room / 16) return;
      const FollowHandle handle = queue->front();
      queue->pop_front();
      const auto found = follows_.find(handle);
      if (found == follows_.end()) continue;
      found->second.queued = false;
      if (found->second.held) continue;
      if (host_.IsThrottled(found->second.partition, hello_.follower)) {
        found->second.throttled = true;
        throttled_.push_back(handle);
        if (handle == waits_for_credit_) waits_for_credit_ = 0;
        continue;
      }
      const bool has_to_wait = waits_for_credit_ != 0 && waits_for_credit_ != handle;
      if (Put(handle, &found->second, has_to_wait ? 0 : room - batch->record_bytes,
              has_to_wait ? 0 : credit, batch)) {
        continue;
      }
      found->second.queued = true;
      queue->push_front(handle);
      return;
    }
  }

  // False where its next batch does not fit into the rest of the message: another begins with it.
  bool Put(FollowHandle handle, Follow* follow, int64_t room, int64_t credit, LeaderBatch* batch) {
    ReplicaRead read = ReadFor(handle, *follow, std::max<int64_t>(room, 0), credit, *batch);
    if (read.error != protocol::ErrorCode::kNone) {
      End(handle, read, &batch->ended);
      return true;
    }
    const Offset from = follow->next;
    const bool has_records = !read.slice.empty();
    if (!has_records && from < read.log_end && credit > 0 && batch->record_bytes > 0) return false;
    if (has_records) {
      if (handle == waits_for_credit_) waits_for_credit_ = 0;
      follow->next = read.slice.next_offset;
      follow->sent_since_end += read.slice.size_bytes;
      batch->record_bytes += read.slice.size_bytes;
      host_.Sent(follow->partition, hello_.follower, read.slice.size_bytes);
    }
    const bool at_end = follow->next >= read.log_end;
    if (at_end) follow->sent_since_end = 0;
    if (has_records || (at_end && (read.high_watermark != follow->told_high_watermark ||
                                   read.log_start != follow->told_log_start))) {
      follow->told_high_watermark = read.high_watermark;
      follow->told_log_start = read.log_start;
      batch->parts.push_back(
          {handle, from, std::move(read.slice), read.high_watermark, read.log_start});
      if (batch->cold) {
        follow->in_cold = true;
        in_cold_.push_back(handle);
      }
    }
    SetFar(follow, !at_end && (follow->far || follow->sent_since_end >= kFarBytes));
    if (!at_end) Queue(handle, follow);
    return true;
  }

  void End(FollowHandle handle, const ReplicaRead& why, std::vector<FollowEnded>* to) {
    FollowEnded& ended = to->emplace_back();
    ended.handle = handle;
    ended.error = why.error;
    ended.log_start = why.log_start;
    Forget(handle);
  }

  // Whether there still is something to be sent of it.
  ReplicaRead Look(const Follow& follow) const {
    return host_.ReadForReplica(follow.partition, follow.leader_epoch, follow.next, 0,
                                /*at_least_one_batch=*/false);
  }

  // A batch that is larger than a message goes alone, one that is larger than all credit when
  // nothing else is under way; so that this comes about, the others' records wait for it.
  ReplicaRead ReadFor(FollowHandle handle, const Follow& follow, int64_t room, int64_t credit,
                      const LeaderBatch& batch) {
    ReplicaRead read = host_.ReadForReplica(follow.partition, follow.leader_epoch, follow.next,
                                            room, /*at_least_one_batch=*/false);
    if (read.error != protocol::ErrorCode::kNone || !read.slice.empty() || credit <= 0 ||
        batch.record_bytes > 0 || follow.next >= read.log_end) {
      return read;
    }
    ReplicaRead large = host_.ReadForReplica(follow.partition, follow.leader_epoch, follow.next,
                                             room, /*at_least_one_batch=*/true);
    const int64_t size = large.slice.size_bytes;
    if (size <= credit || credit_ == credit_seen_) return large;
    // Of those far behind, only what may never find enough beside the others.
    if (!batch.cold || size > int64_t{kStreamRecordBytesMax} ||
        size > credit_seen_ - credit_seen_ / 4) {
      waits_for_credit_ = handle;
    }
    return read;
  }

  void SetFar(Follow* follow, bool far) {
    if (far && !follow->far) ++far_count_;
    if (!far && follow->far) --far_count_;
    follow->far = far;
  }

  const StreamHello hello_;
  LeaderHost& host_;
  absl::flat_hash_map<FollowHandle, Follow> follows_;
  absl::flat_hash_map<TopicPartition, FollowHandle> handles_;
  FollowHandle last_handle_ = 0;
  Handles hot_;  // with news; those behind have their turn first
  Handles far_;
  size_t far_count_ = 0;
  std::vector<FollowHandle> throttled_;
  std::vector<FollowEnded> ended_;  // to be told
  int64_t credit_ = 0;
  int64_t credit_seen_ = 0;  // the most there was: what the follower allows to be under way
  FollowHandle waits_for_credit_ = 0;  // with a batch that is larger than what is left
  bool cold_under_way_ = false;
  std::vector<FollowHandle> in_cold_;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_LEADER_STREAM_H_
