// -----------------------------------------------------------------------------
// File: server/metadata_log.h
// -----------------------------------------------------------------------------
// This node's replica of the log __cluster_metadata: a Raft node (coordination/raft/node.h) on the
// shard's files, and the image of what is committed. It runs when the shard's loop gives it a
// reason to: something was posted, a sync is done, or its time has come.
// Format: docs/formats/quorum.md. Threading: the controller's shard, but Deliver on any thread.
// Errors: what a log on a disk may have ends the replica: MetadataLogObserver::OnFailed. A disk
// without room does not: nothing is appended, entries of a leader are taken for lost on the way, so
// that it sends them again, and nobody is voted for, until there is room.
// Limits: kMessagesWaitingMax.
#ifndef WEIR_SERVER_METADATA_LOG_H_
#define WEIR_SERVER_METADATA_LOG_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/raft/events.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/node.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "server/event_loop.h"
#include "server/metadata_log_observer.h"
#include "server/sync_inbox.h"
#include "server/timers.h"

namespace weir::server {

class MetadataLog {
 public:
  // Its syncs have tokens from here on, those of the shard's partitions stay below.
  static constexpr log::SyncToken kFirstSyncToken = log::SyncToken{1} << 63;
  static constexpr int kMessagesWaitingMax = 10'000;

  using Observer = MetadataLogObserver;
  using Done = absl::AnyInvocable<void(absl::Status)>;

  struct Options {
    raft::RaftConfig raft;
    std::string directory;  // of the log
    bool is_alone = false;  // the configuration knows no other voter
    // When a snapshot is taken of what is committed: metadata.log.max.*.
    int64_t snapshot_bytes = 20 << 20;
    int64_t snapshot_interval_ms = 3'600'000;
  };

  // All outlive the log.
  MetadataLog(Options options, log::FileSystem& files, EventLoop& loop, Random& random,
              raft::Transport& transport, Observer& observer);
  ~MetadataLog();

  // Reads what is there, and begins to take part in the quorum. Blocks.
  absl::Status Open();
  absl::Status Close();

  const raft::Raft& raft() const { return node_->raft(); }
  const log::Log& log() const { return storage_.log(); }
  // What is committed, up to but not with applied_end().
  const metadata::MetadataImagePtr& image() const { return image_; }
  Offset applied_end() const { return applied_end_; }

  // Appends a batch of the controller's, whose offset is that behind all before it. Observer says
  // what becomes of it. kInvalidArgument when a batch has no room for it, kResourceExhausted when
  // the disk has none.
  absl::Status Append(metadata::AppendRecords append);
  void AddVoter(const raft::ReplicaKey& voter, Done done);
  void RemoveVoter(const raft::ReplicaKey& voter, Done done);

  // The process that led `term` has ended.
  void OnLeaderGone(LeaderEpoch term, BrokerId leader) { Post(raft::LeaderGone{term, leader}); }

  // A message of another replica. False when there are too many already. Any thread.
  bool Deliver(raft::Message message);
  // False when the sync is not of this log.
  bool OnSyncDone(const log::SyncDone& sync);
  // Runs what was posted in this tick.
  void OnTickEnd() {
    if (dirty_) Run();
  }

 private:
  // Of what this node appended as the leader.
  struct Proposed {
    uint64_t token;  // of Raft
    metadata::AppendToken append;
    Offset end;
    int64_t bytes = 0;
    metadata::MetadataImagePtr image;
  };

  void Post(raft::Event event);
  void Take(raft::Message message);
  absl::Status CheckRoom(int64_t bytes);
  bool FindsRoom(int64_t bytes);
  MonotonicNs RaftTime();
  void Run();
  void ArmTimer();
  void On(const raft::Effect& effect);
  void OnCommitted(Offset end);
  void OnSnapshot(const raft::SnapshotMeta& meta);
  void OnDone(const raft::Done& done);
  absl::Status ApplyCommitted(Offset end);
  absl::Status LoadSnapshot(const raft::SnapshotId& id);
  bool IsSnapshotDue() const;
  absl::Status TakeSnapshot();
  void Fail(const absl::Status& status);

  const Options options_;
  EventLoop& loop_;
  Random& random_;
  raft::Transport& transport_;
  Observer& observer_;
  SyncInbox files_;
  raft::LogStorage storage_;
  std::unique_ptr<raft::Node> node_;

  metadata::MetadataImagePtr image_ = metadata::EmptyImage();
  Offset applied_end_;
  int64_t bytes_since_snapshot_ = 0;
  MonotonicNs snapshot_taken_;
  std::deque<Proposed> proposed_;  // ascending
  absl::flat_hash_map<uint64_t, Done> changes_;
  // Of this tick: they go behind its appends, whose places are planned without them.
  std::vector<raft::Event> voter_changes_;
  uint64_t next_token_ = 1;
  bool dirty_ = false;
  bool failed_ = false;
  int64_t unwritten_bytes_ = 0;  // of what was taken in this tick
  bool has_no_room_ = false;     // and the observer was told
  bool stands_still_ = false;    // what is due waits for room
  TimerId timer_;
  MonotonicNs timer_due_;
  std::atomic<int> messages_waiting_{0};
};

}  // namespace weir::server

#endif  // WEIR_SERVER_METADATA_LOG_H_
