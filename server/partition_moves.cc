// What a partition table does for server/log_mover.h.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/sort.h"
#include "base/status_macros.h"
#include "log/log.h"
#include "log/log_move.h"
#include "protocol/error_code.h"
#include "replication/partition.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/logger.h"
#include "server/partition_table.h"

namespace weir::server {

// --- which are on their way ---------------------------------------------------------------------

// With a folder away, another copy may be there: of two, nobody could say which counts.
protocol::ErrorCode PartitionTable::SetPlace(const TopicPartition& id, DataDirectory& to) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr) return protocol::ErrorCode::kReplicaNotAvailable;
  if (hosted->partition == nullptr) return protocol::ErrorCode::kKafkaStorageError;
  if (hosted->moving != nullptr && hosted->moving->to == &to) return protocol::ErrorCode::kNone;
  CancelMove(id);
  if (hosted->folder == &to) return protocol::ErrorCode::kNone;
  if (node_.directories->some_are_offline()) return protocol::ErrorCode::kKafkaStorageError;
  hosted->moving.reset(new Moving{&to, ++last_move_, nullptr});
  return protocol::ErrorCode::kNone;
}

DataDirectory* PartitionTable::MovesTo(const TopicPartition& id) {
  const Hosted* hosted = Find(id);
  return hosted == nullptr || hosted->moving == nullptr ? nullptr : hosted->moving->to;
}

// A copy stays where one of the folders fails: it may be all that can be read at the next start.
void PartitionTable::CancelMove(const TopicPartition& id) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->moving == nullptr) return;
  SetCopyAside(hosted);
  hosted->moving.reset();
}

void PartitionTable::SetCopyAside(Hosted* hosted) {
  const std::unique_ptr<log::LogMove> copy = std::move(hosted->moving->copy);
  DataDirectory& to = *hosted->moving->to;
  if (copy == nullptr || !hosted->folder->is_online() || !to.is_online()) return;
  OnFault(to, copy->Cancel());
  RemoveAbandoned(copy.get(), 0);
}

void PartitionTable::RemoveAbandoned(log::LogMove* copy, int64_t delay_ms) {
  for (std::string& path : copy->TakeAbandoned()) {
    removals_.push_back({std::move(path), clock_.WallMs() + delay_ms});
  }
}

void PartitionTable::DropMovesTo(const DataDirectory& directory) {
  for (Hosted* hosted : Sorted()) {
    if (hosted->moving == nullptr || hosted->moving->to != &directory) continue;
    node_.logger->Error(hosted->topic, "-", hosted->id.partition.value(), " is not moved to ",
                        directory.path(), ", which is offline");
    hosted->moving.reset();
  }
}

// --- copying ------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<log::LogMove>> PartitionTable::OpenMove(
    DataDirectory& from, DataDirectory& to, const TopicPartition& id, const std::string& topic,
    const TopicSettings& settings, bool resumes, Random& random) {
  log::LogMove::Plan plan{absl::StrCat(topic, "-", id.partition.value()),
                          from.path(),
                          to.path(),
                          LogConfigOf(settings),
                          TokensOf(id),
                          resumes};
  return log::LogMove::Begin(files_, std::move(plan), random, clock_.WallMs());
}

absl::StatusOr<std::unique_ptr<log::LogMove>> PartitionTable::OpenCopy(
    const TopicPartition& id, const std::string& topic, const TopicSettings& settings,
    Random& random) {
  const PartitionName name(topic, id.partition.value());
  DataDirectory* const from = node_.directories->Find(name);
  DataDirectory* const to = node_.directories->CopyOf(name);
  if (from == nullptr || to == nullptr || from == to) return nullptr;
  if (!from->is_online() || !to->is_online()) return nullptr;
  return OpenMove(*from, *to, id, topic, settings, /*resumes=*/true, random);
}

PartitionTable::Hosted* PartitionTable::FindCopied(const TopicPartition& id) {
  Hosted* hosted = Find(id);
  const bool is_copied = hosted != nullptr && hosted->partition != nullptr &&
                         hosted->moving != nullptr && hosted->moving->copy != nullptr;
  return is_copied ? hosted : nullptr;
}

namespace {

absl::Status NoCopy() { return absl::NotFoundError("no move is under way"); }

}  // namespace

// What is wrong with the folder of the copy concerns others as well.
absl::Status PartitionTable::CopyResult(Hosted& hosted, const absl::Status& status) {
  const absl::Status& failed = hosted.moving->copy->future().failed();
  if (!failed.ok()) node_.fail_directory(*hosted.moving->to, failed);
  return status;
}

absl::Status PartitionTable::BeginCopy(const TopicPartition& id, Random& random) {
  Hosted* hosted = Find(id);
  if (hosted == nullptr || hosted->partition == nullptr || hosted->moving == nullptr) {
    return NoCopy();
  }
  Moving& moving = *hosted->moving;
  if (moving.copy != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<log::LogMove>> copy =
      OpenMove(*hosted->folder, *moving.to, id, hosted->topic, hosted->settings,
               /*resumes=*/false, random);
  if (!copy.ok()) {
    // A log of that name that is in the way is no fault of the folder.
    if (!absl::IsAlreadyExists(copy.status())) OnFault(*moving.to, copy.status());
    return copy.status();
  }
  moving.copy = *std::move(copy);
  RemoveAbandoned(moving.copy.get(), 0);
  node_.logger->Info(hosted->topic, "-", id.partition.value(), ": moves from ",
                     hosted->folder->path(), " to ", moving.to->path());
  return absl::OkStatus();
}

absl::StatusOr<PieceToCopy> PartitionTable::NextToCopy(const TopicPartition& id,
                                                       int64_t bytes_max) {
  Hosted* hosted = FindCopied(id);
  if (hosted == nullptr) return NoCopy();
  log::Log& log = hosted->partition->log();
  absl::StatusOr<log::LogSlice> slice = hosted->moving->copy->Next(log, bytes_max, clock_.WallMs());
  if (!slice.ok()) return CopyResult(*hosted, slice.status());
  const bool is_last = slice->empty() || slice->next_offset >= log.log_end_offset();
  return PieceToCopy{*std::move(slice), is_last, hosted->moving->number};
}

absl::Status PartitionTable::TakeCopied(const TopicPartition& id, const PieceToCopy& piece,
                                        absl::string_view bytes) {
  Hosted* hosted = FindCopied(id);
  if (hosted == nullptr || hosted->moving->number != piece.move) return NoCopy();
  return CopyResult(*hosted, hosted->moving->copy->TakeNext(hosted->partition->log(), piece.slice,
                                                            bytes, clock_.WallMs()));
}

absl::StatusOr<PartitionTable::CopyProgress> PartitionTable::FlushCopy(const TopicPartition& id) {
  Hosted* hosted = FindCopied(id);
  if (hosted == nullptr) return NoCopy();
  log::Log& copy = hosted->moving->copy->future();
  WEIR_RETURN_IF_ERROR(CopyResult(*hosted, copy.failed()));
  copy.StartFlush();
  return CopyProgress{copy.log_end_offset(), copy.flushed_offset()};
}

// --- the end ------------------------------------------------------------------------------------

void PartitionTable::WillEndMove(const TopicPartition& id) {
  Hosted* hosted = FindCopied(id);
  if (hosted != nullptr) hosted->moving->ends = true;
}

absl::Status PartitionTable::EndMove(const TopicPartition& id) {
  Hosted* hosted = FindCopied(id);
  if (hosted == nullptr) return NoCopy();
  const PartitionName name(hosted->topic, id.partition.value());
  DataDirectory& to = *hosted->moving->to;
  log::Log& log = hosted->partition->log();
  log::LogMove::End end;
  end.status = to.TakeIn(files_, name, log.log_start_offset(), hosted->partition->high_watermark());
  end.folder = to.path();
  if (end.status.ok()) end = hosted->moving->copy->Finish(log, clock_.WallMs());
  if (end.outcome == log::LogMove::Outcome::kMoved) {
    Adopt(hosted, to, std::move(end.log));
    return absl::OkStatus();
  }
  DataDirectory* const at_fault = node_.directories->At(end.folder);
  if (at_fault != nullptr) OnFault(*at_fault, end.status);
  if (end.outcome == log::LogMove::Outcome::kStays) {
    hosted->moving->ends = false;
    SetCopyAside(hosted);
    if (to.is_online()) OnFault(to, to.Forget(files_, {name}));
    return end.status;
  }
  // What there is has another name, or may have: the next start finds it.
  if (at_fault == &to) {
    hosted->folder = &to;
    hosted->directory = to.PartitionPath(hosted->topic, id.partition);
    node_.directories->Move(name, to);
  }
  hosted->moving.reset();
  TakeOffline(id, end.status);
  return end.status;
}

// The log that has stepped aside goes when nobody reads it any more.
void PartitionTable::Adopt(Hosted* hosted, DataDirectory& to, std::unique_ptr<log::Log> log) {
  const PartitionName name(hosted->topic, hosted->id.partition.value());
  const std::unique_ptr<Moving> moving = std::move(hosted->moving);
  DataDirectory& from = *hosted->folder;
  log->set_config(LogConfigOf(hosted->settings));
  hosted->folder = &to;
  hosted->directory = to.PartitionPath(hosted->topic, hosted->id.partition);
  node_.directories->Move(name, to);
  RemoveAbandoned(moving->copy.get(), hosted->settings.file_delete_delay_ms);
  node_.logger->Info(hosted->topic, "-", hosted->id.partition.value(), ": was moved from ",
                     from.path(), " to ", to.path());
  replication::Effects effects;
  hosted->partition->ReplaceLog(now(), std::move(log), &effects);
  Carry(hosted, std::move(effects));
  NoteDeadline(*hosted);
  OnFault(from, from.Forget(files_, {name}));
}

}  // namespace weir::server
