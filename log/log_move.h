// -----------------------------------------------------------------------------
// File: log/log_move.h
// -----------------------------------------------------------------------------
// Moves the log of one partition to another folder of the same broker (KIP-113): copies it there in
// pieces while it goes on, follows it where it is cut off, and puts the copy in its place once that
// has everything. Until then the current log is untouched.
//
// The end is two renames. First the current log becomes `-stray`, with a file in it that says why,
// then the copy gets its name; each is durable before the next begins. So at most one of them
// has the name, and from either state log/move_recovery.h finds the other. Nothing is appended in
// between. Directories that are named `-delete` are left to the owner, who removes them when no
// reader has their files any more. Decision: docs/adr/0017-moves-between-folders.md.
// Threading: that of the current log.
// Errors: as log/log.h; kAlreadyExists when there is a log of that name where it is to go,
// kInvalidArgument for a name that is too long.
#ifndef WEIR_LOG_LOG_MOVE_H_
#define WEIR_LOG_LOG_MOVE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/leader_epoch_cache.h"
#include "log/log.h"
#include "log/log_types.h"
#include "log/move_names.h"
#include "log/partition_metadata.h"

namespace weir::log {

class LogMove {
 public:
  struct Plan {
    std::string partition;  // TOPIC-PARTITION, the name of the log's directory
    std::string from;       // the folder that it is in
    std::string to;         // the one it is to be in
    LogConfig config;
    std::function<SyncToken()> next_token = nullptr;  // see Log::Open
    bool resumes = true;
  };

  // Goes on with a copy that is there already, if it is of the same topic and the plan resumes: it
  // is read whole. Sets any other aside.
  static absl::StatusOr<std::unique_ptr<LogMove>> Begin(FileSystem& fs, Plan plan, Random& random,
                                                        TimestampMs now_ms);

  // Copies what the current log has and the copy lacks, one batch more than `bytes_max` at most.
  // Returns how many bytes that were: 0 when there is nothing more. After an error the copy may be
  // taken up again by Begin, or cancelled.
  absl::StatusOr<int64_t> Copy(Log& current, int64_t bytes_max, TimestampMs now_ms);

  // The same in two steps, for who reads on another thread in between: Next says which bytes come
  // next, none when there are no more, TakeNext appends them. Nothing is taken of what is
  // not next any more, as where the current log was cut off meanwhile.
  absl::StatusOr<LogSlice> Next(Log& current, int64_t bytes_max, TimestampMs now_ms);
  absl::Status TakeNext(const Log& current, const LogSlice& slice, absl::string_view bytes,
                        TimestampMs now_ms);
  // What Next told of. kDataLoss where the file ends before.
  static absl::Status ReadSlice(const LogSlice& slice, std::string* bytes);

  // How many offsets the copy is behind.
  int64_t Lag(const Log& current) const {
    return std::max<int64_t>(0, current.log_end_offset() - future().log_end_offset());
  }
  // Directories that were set aside to be deleted, since the last call.
  std::vector<std::string> TakeAbandoned() { return std::exchange(abandoned_, {}); }
  // For flushes in between, whose completions go to it, and its size. Not after Finish.
  Log& future() { return *future_; }
  const Log& future() const { return *future_; }
  const std::string& to() const { return plan_.to; }

  enum class Outcome {
    kMoved,    // `log` is the partition's log
    kStays,    // the current log goes on; Begin may try again
    kUnknown,  // neither may be used before log/move_recovery.h has looked
  };
  struct End {
    Outcome outcome = Outcome::kStays;
    std::unique_ptr<Log> log;
    absl::Status status;  // OK for kMoved
    std::string folder;   // where that came from; empty where it was neither of the two
  };

  // Copies the rest, makes it durable and replaces `current`, to which nothing may be appended from
  // here on unless it stays. Before, the owner durably sets the checkpoints of the new folder: no
  // recovery point, and the log's start. Waits for the disk.
  End Finish(Log& current, TimestampMs now_ms);

  // Sets the copy aside.
  absl::Status Cancel();

 private:
  LogMove(FileSystem& fs, Plan plan, MoveName name)
      : fs_(fs), plan_(std::move(plan)), name_(std::move(name)) {}

  std::string FuturePath() const { return absl::StrCat(plan_.to, "/", name_.With(kFutureSuffix)); }
  std::string StrayPath() const { return absl::StrCat(plan_.from, "/", name_.With(kStraySuffix)); }
  std::string CurrentPath() const { return absl::StrCat(plan_.from, "/", plan_.partition); }
  std::string MovedPath() const { return absl::StrCat(plan_.to, "/", plan_.partition); }

  absl::StatusOr<bool> Resume(const std::optional<Uuid>& topic, TimestampMs now_ms);
  absl::Status Create(const std::optional<Uuid>& topic, TimestampMs now_ms);
  absl::Status OpenFuture(TimestampMs now_ms);
  absl::Status CutOff(const Log& current, TimestampMs now_ms);
  absl::Status MoveStart(const Log& current, TimestampMs now_ms);
  absl::Status SetCurrentAside();
  absl::Status PutInPlace();
  absl::Status Abandon(const std::string& folder, const std::string& name, const MoveName& as);

  FileSystem& fs_;
  const Plan plan_;
  MoveName name_;
  std::unique_ptr<Log> future_;
  std::optional<uint64_t> truncations_;  // of the current log, that the copy has followed
  Offset asked_at_ = kNoOffset;          // where the copy ended when Next was called
  Offset next_ = kNoOffset;              // what it answered begins there
  std::vector<std::string> abandoned_;
  std::string buffer_;
};

inline absl::StatusOr<std::unique_ptr<LogMove>> LogMove::Begin(FileSystem& fs, Plan plan,
                                                               Random& random, TimestampMs now_ms) {
  MoveName name = NewMoveName(plan.partition, random);
  WEIR_RETURN_IF_ERROR(CheckMoveName(name));
  std::unique_ptr<LogMove> move(new LogMove(fs, std::move(plan), std::move(name)));
  if (fs.Exists(move->MovedPath())) {
    return absl::AlreadyExistsError(absl::StrCat(move->MovedPath(), ": expected no log, came one"));
  }
  std::optional<Uuid> topic;
  const absl::StatusOr<Uuid> known = ReadPartitionMetadata(fs, move->CurrentPath());
  if (known.ok()) topic = *known;
  if (!known.ok() && !absl::IsNotFound(known.status())) return known.status();
  WEIR_ASSIGN_OR_RETURN(const bool resumed, move->Resume(topic, now_ms));
  if (!resumed) WEIR_RETURN_IF_ERROR(move->Create(topic, now_ms));
  return move;
}

// True when there was a copy to go on with.
inline absl::StatusOr<bool> LogMove::Resume(const std::optional<Uuid>& topic, TimestampMs now_ms) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(plan_.to));
  const MoveName fresh = name_;
  for (const std::string& name : names) {
    const std::optional<MoveName> found = ParseMoveName(name, kFutureSuffix);
    if (!found.has_value() || found->partition != plan_.partition) continue;
    const auto owner = ReadPartitionMetadata(fs_, absl::StrCat(plan_.to, "/", name));
    if (plan_.resumes && future_ == nullptr && topic.has_value() && owner.ok() &&
        *owner == *topic) {
      name_ = *found;
      if (OpenFuture(now_ms).ok()) continue;
      name_ = fresh;
    }
    WEIR_RETURN_IF_ERROR(Abandon(plan_.to, name, *found));
  }
  return future_ != nullptr;
}

inline absl::Status LogMove::Create(const std::optional<Uuid>& topic, TimestampMs now_ms) {
  WEIR_RETURN_IF_ERROR(CreateDirectoriesDurably(fs_, FuturePath()));
  if (topic.has_value()) WEIR_RETURN_IF_ERROR(WritePartitionMetadata(fs_, FuturePath(), *topic));
  return OpenFuture(now_ms);
}

// All of it is checked: no recovery point speaks for what a crash has left. A gap between segments
// may be compaction's or the crash's, so that nothing behind one is kept.
inline absl::Status LogMove::OpenFuture(TimestampMs now_ms) {
  LogConfig strict = plan_.config;
  strict.compact = false;
  WEIR_ASSIGN_OR_RETURN(
      future_, Log::Open(fs_, FuturePath(), strict, RecoveryHint(), now_ms, plan_.next_token));
  future_->set_config(plan_.config);
  return absl::OkStatus();
}

inline absl::StatusOr<int64_t> LogMove::Copy(Log& current, int64_t bytes_max, TimestampMs now_ms) {
  int64_t copied = 0;
  while (copied < bytes_max) {
    WEIR_ASSIGN_OR_RETURN(const LogSlice slice, Next(current, bytes_max - copied, now_ms));
    if (slice.empty()) break;
    WEIR_RETURN_IF_ERROR(ReadSlice(slice, &buffer_));
    WEIR_RETURN_IF_ERROR(TakeNext(current, slice, buffer_, now_ms));
    copied += slice.size_bytes;
  }
  WEIR_RETURN_IF_ERROR(MoveStart(current, now_ms));
  return copied;
}

// Drops what the current log has dropped since, by epochs (KIP-101, KIP-279): what both have of an
// epoch is equal.
inline absl::Status LogMove::CutOff(const Log& current, TimestampMs now_ms) {
  if (truncations_ == current.truncations()) return absl::OkStatus();
  while (future_->latest_epoch() != kNoLeaderEpoch) {
    const EpochEnd theirs = current.EpochEndOffset(future_->latest_epoch());
    if (theirs.end_offset == kNoOffset) {
      WEIR_RETURN_IF_ERROR(future_->TruncateFullyAndStartAt(current.log_start_offset(), now_ms));
      break;
    }
    const Offset ours = future_->EpochEndOffset(theirs.epoch).end_offset;
    const Offset end = ours == kNoOffset ? theirs.end_offset : std::min(theirs.end_offset, ours);
    if (end >= future_->log_end_offset()) break;
    if (end <= future_->log_start_offset()) {
      WEIR_RETURN_IF_ERROR(future_->TruncateFullyAndStartAt(current.log_start_offset(), now_ms));
      break;
    }
    WEIR_RETURN_IF_ERROR(future_->TruncateTo(end));
  }
  if (future_->log_end_offset() > current.log_end_offset()) {
    WEIR_RETURN_IF_ERROR(future_->TruncateTo(current.log_end_offset()));
  }
  // A start that was not durable may have gone back.
  if (future_->log_start_offset() > current.log_start_offset()) {
    WEIR_RETURN_IF_ERROR(future_->TruncateFullyAndStartAt(current.log_start_offset(), now_ms));
  }
  truncations_ = current.truncations();
  return absl::OkStatus();
}

// The copy begins where the current log does, or at the batch that this is in.
inline absl::Status LogMove::MoveStart(const Log& current, TimestampMs now_ms) {
  const Offset start = current.log_start_offset();
  if (future_->log_end_offset() < start) {
    WEIR_RETURN_IF_ERROR(future_->TruncateFullyAndStartAt(start, now_ms));
  }
  return start > future_->log_start_offset() ? future_->AdvanceLogStart(start) : absl::OkStatus();
}

inline absl::StatusOr<LogSlice> LogMove::Next(Log& current, int64_t bytes_max, TimestampMs now_ms) {
  WEIR_RETURN_IF_ERROR(current.failed());
  WEIR_RETURN_IF_ERROR(CutOff(current, now_ms));
  asked_at_ = future_->log_end_offset();
  const Offset from = std::max(asked_at_, current.log_start_offset());
  const Offset end = current.log_end_offset();
  if (from >= end) {
    WEIR_RETURN_IF_ERROR(MoveStart(current, now_ms));
    return LogSlice();
  }
  WEIR_ASSIGN_OR_RETURN(LogSlice slice, current.Read(from, bytes_max, end, true));
  next_ = slice.first_offset;
  if (!slice.empty()) return slice;
  return absl::DataLossError(absl::StrCat(CurrentPath(), ": expected a batch at offset ",
                                          from.value(), ", before the log's end ", end.value(),
                                          ", came none"));
}

inline absl::Status LogMove::ReadSlice(const LogSlice& slice, std::string* bytes) {
  bytes->resize(static_cast<size_t>(slice.size_bytes));
  WEIR_ASSIGN_OR_RETURN(
      const size_t read,
      slice.file->ReadAt(slice.position, absl::MakeSpan(bytes->data(), bytes->size())));
  if (read == bytes->size()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("expected ", bytes->size(), " bytes at offset ",
                                          slice.first_offset.value(), ", came ", read));
}

inline absl::Status LogMove::TakeNext(const Log& current, const LogSlice& slice,
                                      absl::string_view bytes, TimestampMs now_ms) {
  const bool is_next = truncations_ == current.truncations() &&
                       asked_at_ == future_->log_end_offset() && slice.first_offset == next_;
  if (!is_next) return absl::OkStatus();
  if (future_->log_end_offset() < current.log_start_offset()) {
    WEIR_RETURN_IF_ERROR(future_->TruncateFullyAndStartAt(slice.first_offset, now_ms));
  }
  return future_->AppendAsFollower(bytes, current.latest_epoch(), now_ms);
}

inline LogMove::End LogMove::Finish(Log& current, TimestampMs now_ms) {
  constexpr int64_t kCopyBytes = 1 << 20;
  const auto stays = [](absl::Status status, const std::string& folder) {
    return End{Outcome::kStays, nullptr, std::move(status), folder};
  };
  const auto unknown = [](absl::Status status, const std::string& folder) {
    return End{Outcome::kUnknown, nullptr, std::move(status), folder};
  };
  for (;;) {
    const absl::StatusOr<int64_t> copied = Copy(current, kCopyBytes, now_ms);
    if (!copied.ok()) {
      return stays(copied.status(), future_->failed().ok() ? "" : plan_.to);
    }
    if (*copied == 0) break;
  }
  const RecoveryHint hint{.clean = true,
                          .recovery_point = future_->log_end_offset(),
                          .log_start_offset = future_->log_start_offset()};
  const absl::Status closed = future_->Close();
  future_.reset();
  if (!closed.ok()) return stays(closed, plan_.to);
  if (absl::Status aside = SetCurrentAside(); !aside.ok()) {
    if (!fs_.Exists(CurrentPath())) return unknown(std::move(aside), plan_.from);
    // A log that anybody sets aside later has moved nowhere.
    (void)fs_.Remove(absl::StrCat(CurrentPath(), "/", kMovedToName));
    return stays(std::move(aside), plan_.from);
  }
  if (absl::Status placed = PutInPlace(); !placed.ok()) {
    return unknown(std::move(placed), plan_.to);
  }
  auto log = Log::Open(fs_, MovedPath(), plan_.config, hint, now_ms, plan_.next_token);
  if (!log.ok()) return unknown(log.status(), plan_.to);
  (*log)->TakeProducersOf(current);
  // If this fails, the next start does it.
  (void)Abandon(plan_.from, name_.With(kStraySuffix), name_);
  return End{Outcome::kMoved, *std::move(log), absl::OkStatus(), ""};
}

inline absl::Status LogMove::SetCurrentAside() {
  WEIR_RETURN_IF_ERROR(WriteFileAtomically(fs_, CurrentPath(), kMovedToName, plan_.to));
  WEIR_RETURN_IF_ERROR(fs_.Rename(CurrentPath(), StrayPath()));
  return fs_.SyncDirectory(plan_.from);
}

inline absl::Status LogMove::PutInPlace() {
  WEIR_RETURN_IF_ERROR(fs_.Rename(FuturePath(), MovedPath()));
  return fs_.SyncDirectory(plan_.to);
}

inline absl::Status LogMove::Abandon(const std::string& folder, const std::string& name,
                                     const MoveName& as) {
  WEIR_RETURN_IF_ERROR(SetAsideToDelete(fs_, folder, name, as));
  abandoned_.push_back(absl::StrCat(folder, "/", as.With(kDeleteSuffix)));
  return absl::OkStatus();
}

inline absl::Status LogMove::Cancel() {
  future_.reset();
  return Abandon(plan_.to, name_.With(kFutureSuffix), name_);
}

}  // namespace weir::log

#endif  // WEIR_LOG_LOG_MOVE_H_
