// -----------------------------------------------------------------------------
// File: coordination/raft/internal/log_storage_write.h
// -----------------------------------------------------------------------------
// The writes of coordination/raft/log_storage.h.
#ifndef WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_WRITE_H_
#define WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_WRITE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "coordination/raft/entry_batch.h"
#include "coordination/raft/internal/log_storage_load.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "log/log.h"
#include "log/log_types.h"

namespace weir::raft {

inline absl::Status LogStorage::Apply(const AppendEntries& write) {
  const absl::Span<const Entry> entries(write.entries);
  for (size_t from = 0; from < entries.size();) {
    size_t to = from + 1;
    while (to < entries.size() && entries[to].epoch == entries[from].epoch) ++to;
    WEIR_RETURN_IF_ERROR(AppendRun(entries.subspan(from, to - from)));
    from = to;
  }
  return absl::OkStatus();
}

// Entries of one epoch, in one write where one segment takes them.
inline absl::Status LogStorage::AppendRun(absl::Span<const Entry> entries) {
  std::vector<std::string> bytes;
  bytes.reserve(entries.size());
  Offset next = log_->log_end_offset();
  for (const Entry& entry : entries) {
    if (entry.base_offset != next) {
      return absl::DataLossError(absl::StrCat("raft: the log ends at ", next.value(),
                                              ", came an entry for ", entry.base_offset.value()));
    }
    if (entry.kind == EntryKind::kData) WEIR_RETURN_IF_ERROR(CheckDataEntry(entry));
    bytes.push_back(entry.kind == EntryKind::kData ? *entry.data : EncodeControlEntry(entry));
    bytes_since_recovery_point_ += static_cast<int64_t>(bytes.back().size());
    next = entry.next_offset();
  }
  std::vector<log::BatchToAppend> batches(bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    batches[i].bytes = absl::MakeSpan(bytes[i].data(), bytes[i].size());
    batches[i].terms.origin = log::AppendOrigin::kController;
  }
  log_->Append(absl::MakeSpan(batches), entries.front().epoch, kNoTimestamp);
  for (const log::BatchToAppend& batch : batches) WEIR_RETURN_IF_ERROR(batch.status);
  return absl::OkStatus();
}

inline absl::Status LogStorage::Apply(const TruncateLog& write) {
  if (write.end == log_->log_end_offset()) return absl::OkStatus();
  if (write.end <= log_->log_start_offset()) {
    if (write.end == log_->log_start_offset()) return DropLog(write.end);
  } else if (write.end < log_->log_end_offset()) {
    WEIR_RETURN_IF_ERROR(SaveRecoveryPoint(Offset(0)));
    WEIR_RETURN_IF_ERROR(log_->TruncateTo(write.end));
  }
  if (log_->log_end_offset() == write.end) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(directory_, ": no entry begins at ", write.end.value()));
}

inline absl::Status LogStorage::Apply(const TrimLog& write) {
  WEIR_RETURN_IF_ERROR(log_->AdvanceLogStart(write.start));
  WEIR_RETURN_IF_ERROR(log_->DeleteOldSegments(kNoTimestamp, write.start).status());
  log_->RemoveRetiredFiles(kNoTimestamp);
  return absl::OkStatus();
}

inline absl::Status LogStorage::Apply(const ResetLog& write) {
  return DropLog(write.id.end_offset);
}

// First down to one batch: when a crash comes between the removals of several segments, what is
// left must begin where the log began.
inline absl::Status LogStorage::DropLog(Offset start) {
  WEIR_RETURN_IF_ERROR(SaveRecoveryPoint(Offset(0)));
  if (log_->segments() > 1) {
    const Offset first = log_->log_start_offset();
    WEIR_ASSIGN_OR_RETURN(const std::vector<Entry> entries, ReadEntries(first, 1));
    WEIR_RETURN_IF_ERROR(log_->TruncateTo(entries.front().next_offset()));
  }
  return log_->TruncateFullyAndStartAt(start, kNoTimestamp);
}

// Nothing before it may be missing or damaged at the next start.
inline absl::Status LogStorage::SaveRecoveryPoint(Offset offset) {
  bytes_since_recovery_point_ = 0;
  if (offset == recovery_point_) return absl::OkStatus();
  recovery_point_ = offset;
  return recovery_point_file_.Write({{{kTopic, 0}, offset}});
}

inline absl::Status LogStorage::Apply(const WriteSnapshot& write) {
  if (write.position == 0) {
    if (incoming_.has_value()) WEIR_RETURN_IF_ERROR(fs_.Remove(incoming_->path));
    const std::string writer = absl::StrCat("received-", ++incoming_count_);
    incoming_ = Incoming{write.meta, Path(UnfinishedSnapshotFileName(write.meta.id, writer)), {}};
    WEIR_ASSIGN_OR_RETURN(incoming_->file, fs_.Open(incoming_->path, log::OpenMode::kCreate));
    WEIR_RETURN_IF_ERROR(incoming_->file->Truncate(0));
  }
  if (!incoming_.has_value() || incoming_->meta != write.meta ||
      incoming_->file->size_bytes() != write.position) {
    return absl::DataLossError("raft: a piece of a snapshot that does not follow the last one");
  }
  WEIR_RETURN_IF_ERROR(incoming_->file->Append({write.data}));
  if (!write.last) return absl::OkStatus();
  WEIR_ASSIGN_OR_RETURN(const SnapshotContents contents, CheckSnapshotFile(fs_, incoming_->path));
  if (contents.voters != write.meta.voters) {
    return absl::DataLossError(
        absl::StrCat(incoming_->path, ": expected the voters that its leader named, came others"));
  }
  whole_.push_back(*std::exchange(incoming_, std::nullopt));
  return absl::OkStatus();
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_INTERNAL_LOG_STORAGE_WRITE_H_
