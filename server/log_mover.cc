#include "server/log_mover.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "log/log_move.h"
#include "protocol/error_code.h"
#include "replication/replication_quota.h"
#include "server/controller_driver.h"
#include "server/data_directory.h"
#include "server/event_loop.h"
#include "server/log_cleaner.h"
#include "server/logger.h"
#include "server/partition_table.h"
#include "server/shard.h"

namespace weir::server {
namespace {

constexpr int64_t kMovePieceBytes = 256 << 10;
// Flushed in between, so that the end has little to wait for.
constexpr int64_t kUnflushedBytesMax = 16 << 20;
constexpr int64_t kUnflushedBytesAtEnd = 1 << 20;
// A log that gets more than that while it is flushed is not waited for.
constexpr int kFlushesAtEnd = 5;
constexpr int64_t kLookAgainNs = 2 * kNsPerMs;
constexpr int64_t kMoveRetryNs = 1'000 * kNsPerMs;

}  // namespace

struct LogMover::Job {
  TopicPartition partition;
  DataDirectory* to = nullptr;
  int64_t unflushed_bytes = 0;
  int flushes = 0;       // since all but a piece was copied
  Offset flush_until;    // while one is waited for
  bool is_told = false;  // the controller
};

LogMover::~LogMover() { shard_.loop().timers().Cancel(timer_); }

// --- which one ----------------------------------------------------------------------------------

void LogMover::Move(const TopicPartition& id, DataDirectory& to, Reply<protocol::ErrorCode> reply) {
  const protocol::ErrorCode error = shard_.partitions().SetPlace(id, to);
  if (error != protocol::ErrorCode::kNone) return reply(error);
  Resume(id);
  if (shard_.partitions().MovesTo(id) == nullptr) return reply(error);  // there it is
  to_begin_.push_back({id, std::move(reply)});
  if (to_begin_.size() == 1) shard_.loop().Post([this] { BeginNext(); });
}

// Makes the directories of all copies, one with each turn of the loop: a restart goes on with those
// that have one, so that who was told yes need not ask again.
void LogMover::BeginNext() {
  ToBegin next = std::move(to_begin_.front());
  to_begin_.pop_front();
  if (!to_begin_.empty()) shard_.loop().Post([this] { BeginNext(); });
  const absl::Status begun = shard_.partitions().BeginCopy(next.partition, shard_.random());
  if (begun.ok()) return next.reply(protocol::ErrorCode::kNone);
  shard_.node().logger->Error("a move does not begin: ", begun.message());
  shard_.partitions().CancelMove(next.partition);
  next.reply(protocol::ErrorCode::kKafkaStorageError);
}

void LogMover::Resume(const TopicPartition& id) {
  const DataDirectory* const to = shard_.partitions().MovesTo(id);
  if (job_ != nullptr && job_->partition == id) {
    if (job_->to == to) return;
    Leave(job_);
  }
  if (to == nullptr) return;
  if (std::count(waiting_.begin(), waiting_.end(), id) == 0) waiting_.push_back(id);
  if (job_ == nullptr) shard_.loop().Post([this] { TakeNext(); });
}

void LogMover::OnDirectoryFailed(const DataDirectory& directory) {
  shard_.partitions().DropMovesTo(directory);
}

void LogMover::TakeNext() {
  while (job_ == nullptr && !waiting_.empty()) {
    const TopicPartition id = waiting_.front();
    waiting_.pop_front();
    DataDirectory* const to = shard_.partitions().MovesTo(id);
    if (to == nullptr) continue;
    job_ = std::make_shared<Job>();
    job_->partition = id;
    job_->to = to;
    Advance(job_);
  }
}

// Another one takes its turn.
void LogMover::Leave(const JobPtr& job) {
  if (job_ != job) return;
  job_ = nullptr;
  shard_.loop().timers().Cancel(std::exchange(timer_, TimerId()));
  shard_.loop().Post([this] { TakeNext(); });
}

// Whether the move was cancelled, or became another one.
bool LogMover::IsOver(const JobPtr& job) {
  if (job_ != job) return true;
  if (shard_.partitions().MovesTo(job->partition) == job->to) return false;
  Leave(job);
  return true;
}

void LogMover::After(int64_t ns, const JobPtr& job, void (LogMover::*then)(const JobPtr& job)) {
  timer_ = shard_.loop().timers().Schedule(shard_.loop().now() + ns, [this, job, then] {
    timer_ = TimerId();
    (this->*then)(job);
  });
}

void LogMover::Later(const JobPtr& job, const absl::Status& why) {
  if (IsOver(job)) return;
  shard_.node().logger->Warning("the move to ", job->to->path(), " waits: ", why.message());
  waiting_.push_back(job->partition);
  After(kMoveRetryNs, job, &LogMover::Leave);
}

// A folder that has failed is dealt with by that. What cannot be read is damage, where it is the
// bytes that are wrong.
void LogMover::Fail(const JobPtr& job, const absl::Status& why) {
  PartitionTable& partitions = shard_.partitions();
  if (absl::IsNotFound(why)) {
    // The partition is gone, or offline; or what is on its way now is another copy.
    if (partitions.MovesTo(job->partition) != nullptr) waiting_.push_back(job->partition);
    return Leave(job);
  }
  if (!job->to->is_online()) return Leave(job);
  const bool is_final = absl::IsDataLoss(why) || absl::IsAlreadyExists(why) ||
                        absl::IsInvalidArgument(why) || absl::IsFailedPrecondition(why);
  if (!is_final || partitions.HasFailed(job->partition)) return Later(job, why);
  shard_.node().logger->Error("the move to ", job->to->path(), " is given up: ", why.message());
  if (absl::IsDataLoss(why)) shard_.OnDamage(job->partition, why);
  partitions.CancelMove(job->partition);
  Leave(job);
}

// --- copying ------------------------------------------------------------------------------------

void LogMover::Advance(const JobPtr& job) {
  if (IsOver(job)) return;
  PartitionTable& partitions = shard_.partitions();
  const absl::Status begun = partitions.BeginCopy(job->partition, shard_.random());
  if (!begun.ok()) return Fail(job, begun);
  replication::ReplicationQuota& quota = shard_.node().quotas->log_dirs;
  const MonotonicNs now = shard_.loop().now();
  // Of the two places that the controller reckons with from then on, one is to be left soon.
  if (!job->is_told && quota.IsExceeded(now)) {
    // Another rate may be set before.
    const int64_t wait_ns = std::min<int64_t>(quota.FreeAt(now) - now, kMoveRetryNs);
    return After(wait_ns, job, &LogMover::Advance);
  }
  absl::StatusOr<PieceToCopy> piece = partitions.NextToCopy(job->partition, kMovePieceBytes);
  if (!piece.ok()) return Fail(job, piece.status());
  if (!piece->is_last) {
    quota.Record(now, piece->slice.size_bytes);
    return Read(job, *std::move(piece));
  }
  if (job->unflushed_bytes > kUnflushedBytesAtEnd && job->flushes < kFlushesAtEnd) {
    ++job->flushes;
    return Flush(job);
  }
  if (job->is_told) return End(job);
  quota.Record(now, piece->slice.size_bytes);  // which the end copies
  TellController(job);
}

void LogMover::Read(const JobPtr& job, PieceToCopy piece) {
  EventLoop* const loop = &shard_.loop();
  auto read = [this, job, loop, piece = std::move(piece)] {
    std::string bytes;
    absl::Status status = log::LogMove::ReadSlice(piece.slice, &bytes);
    loop->Post([this, job, piece, status = std::move(status), bytes = std::move(bytes)]() mutable {
      OnRead(job, piece, std::move(status), std::move(bytes));
    });
  };
  if (worker_ != nullptr) return worker_->Post(std::move(read));
  read();
}

void LogMover::OnRead(const JobPtr& job, const PieceToCopy& piece, absl::Status read,
                      std::string bytes) {
  if (IsOver(job)) return;
  if (read.ok()) read = shard_.partitions().TakeCopied(job->partition, piece, bytes);
  if (!read.ok()) return Fail(job, read);
  job->unflushed_bytes += piece.slice.size_bytes;
  if (job->unflushed_bytes >= kUnflushedBytesMax) return Flush(job);
  Advance(job);
}

void LogMover::Flush(const JobPtr& job) {
  const auto progress = shard_.partitions().FlushCopy(job->partition);
  if (!progress.ok()) return Fail(job, progress.status());
  job->unflushed_bytes = 0;
  job->flush_until = progress->end;
  AwaitFlush(job);
}

void LogMover::AwaitFlush(const JobPtr& job) {
  if (IsOver(job)) return;
  const auto progress = shard_.partitions().FlushCopy(job->partition);
  if (!progress.ok()) return Fail(job, progress.status());
  if (progress->flushed >= std::min(job->flush_until, progress->end)) return Advance(job);
  After(kLookAgainNs, job, &LogMover::AwaitFlush);
}

// --- the end ------------------------------------------------------------------------------------

// That the log may be in either of the two. Whether the metadata had it in one of them before the
// switch or after it, they would be wrong in between; and with a folder that is replaced then, the
// controller would count on records that went with it.
void LogMover::TellController(const JobPtr& job) {
  shard_.partitions().WillEndMove(job->partition);
  const BrokerId self = shard_.node().config.node_id;
  const metadata::BrokerImage* const broker = shard_.image()->FindBroker(self);
  metadata::AssignReplicasToDirs report;
  report.broker = self;
  report.broker_epoch = broker == nullptr ? -1 : broker->epoch;
  report.assignments.push_back({job->partition, metadata::kDirectoryMigrating});
  shard_.Call<metadata::ReplicasAssigned>(
      kControllerShard,
      [report = std::move(report)](Shard& home, Reply<metadata::ReplicasAssigned> reply) mutable {
        home.controller().Ask<metadata::ReplicasAssigned>(std::move(report), std::move(reply));
      },
      [this, job](const metadata::ReplicasAssigned& answer) {
        if (IsOver(job)) return;
        protocol::ErrorCode error = answer.error;
        if (error == protocol::ErrorCode::kNone && !answer.errors.empty()) error = answer.errors[0];
        if (error != protocol::ErrorCode::kNone) {
          return Later(job, absl::UnavailableError(absl::StrCat("the controller answered ",
                                                                protocol::ErrorName(error))));
        }
        job->is_told = true;
        job->flushes = 0;
        Advance(job);
      });
}

void LogMover::End(const JobPtr& job) {
  shard_.cleaner().Abort({job->partition});
  const absl::Status ended = shard_.partitions().EndMove(job->partition);
  if (!ended.ok()) return Fail(job, ended);
  shard_.TellPlaces();
  Leave(job);
}

}  // namespace weir::server
