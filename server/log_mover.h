// -----------------------------------------------------------------------------
// File: server/log_mover.h
// -----------------------------------------------------------------------------
// Moves logs of one shard to other folders of the node while they are in use (KIP-113), one after
// the other: a worker reads a piece, the shard appends it to the copy (log/log_move.h). When the
// copy has all but a piece, durably, the controller is told that the log may be in either folder
// (KIP-858); then the copy takes over.
// Decision: docs/adr/0017-moves-between-folders.md.
// Threading: one per shard, on its thread.
// Errors: a full disk, or a controller that does not answer, is waited for. A copy that cannot go
//   on otherwise is dropped, with a line in the log.
#ifndef WEIR_SERVER_LOG_MOVER_H_
#define WEIR_SERVER_LOG_MOVER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "protocol/error_code.h"
#include "server/reply.h"
#include "server/timers.h"
#include "server/worker.h"

namespace weir::server {

class DataDirectory;
class Shard;
struct PieceToCopy;

class LogMover {
 public:
  // The shard outlives it.
  explicit LogMover(Shard& shard) : shard_(shard) {}
  ~LogMover();
  LogMover(const LogMover&) = delete;
  LogMover& operator=(const LogMover&) = delete;

  // Who reads; outlives the mover, and does nothing any more when that ends. Without one the shard
  // reads, and waits for the disk.
  void Start(Worker* worker) { worker_ = worker; }

  // The partition's log is to be in `to`; answers when the move has begun: a restart goes on with
  // it. Kafka's error where it cannot be; REPLICA_NOT_AVAILABLE where the partition is not here.
  void Move(const TopicPartition& id, DataDirectory& to, Reply<protocol::ErrorCode> reply);
  // Goes on with the move of a partition that was opened with a copy, if it was.
  void Resume(const TopicPartition& id);
  // The end of a folder: moves to it are over.
  void OnDirectoryFailed(const DataDirectory& directory);

 private:
  struct ToBegin {
    TopicPartition partition;
    Reply<protocol::ErrorCode> reply;
  };
  struct Job;
  using JobPtr = std::shared_ptr<Job>;

  void BeginNext();
  void TakeNext();
  bool IsOver(const JobPtr& job);
  void Advance(const JobPtr& job);
  void Read(const JobPtr& job, PieceToCopy piece);
  void OnRead(const JobPtr& job, const PieceToCopy& piece, absl::Status read, std::string bytes);
  void Flush(const JobPtr& job);
  void AwaitFlush(const JobPtr& job);
  void TellController(const JobPtr& job);
  void End(const JobPtr& job);
  void Fail(const JobPtr& job, const absl::Status& why);
  void Later(const JobPtr& job, const absl::Status& why);
  void After(int64_t ns, const JobPtr& job, void (LogMover::*then)(const JobPtr& job));
  void Leave(const JobPtr& job);

  Shard& shard_;
  Worker* worker_ = nullptr;
  std::deque<TopicPartition> waiting_;
  std::deque<ToBegin> to_begin_;
  JobPtr job_;  // the one that is under way
  TimerId timer_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_LOG_MOVER_H_
