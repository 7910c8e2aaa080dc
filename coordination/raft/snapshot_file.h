// -----------------------------------------------------------------------------
// File: coordination/raft/snapshot_file.h
// -----------------------------------------------------------------------------
// Kafka's snapshot files (KIP-630), `<end offset>-<epoch>.checkpoint`: record batches between a
// header, with which the voters stand, and a footer. A file has a temporary name until it is whole
// and durable.
// Format: docs/formats/quorum.md.
// Threading: a writer or a visit belongs to one thread, with a FileSystem of its own where that is
// not the storage's. Errors: kDataLoss with the file, the byte, what was expected and what came.
// Limits: kRecordBatchBytesMax for each batch; one batch in memory.
#ifndef WEIR_COORDINATION_RAFT_SNAPSHOT_FILE_H_
#define WEIR_COORDINATION_RAFT_SNAPSHOT_FILE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "coordination/raft/entry_batch.h"
#include "coordination/raft/types.h"
#include "log/file.h"
#include "protocol/control_records.h"
#include "protocol/message.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::raft {

inline constexpr char kSnapshotEnding[] = ".checkpoint";
inline constexpr char kUnfinishedSnapshotEnding[] = ".checkpoint.part";

inline std::string SnapshotFileName(const SnapshotId& id) {
  return absl::StrFormat("%020d-%010d%s", id.end_offset.value(), id.epoch.value(), kSnapshotEnding);
}
// `writer` tells apart who may write one of that id at the same time.
inline std::string UnfinishedSnapshotFileName(const SnapshotId& id, absl::string_view writer) {
  return absl::StrFormat("%020d-%010d-%s%s", id.end_offset.value(), id.epoch.value(), writer,
                         kUnfinishedSnapshotEnding);
}

// Nothing for a name that is not one of a finished snapshot.
inline std::optional<SnapshotId> SnapshotIdOfFileName(absl::string_view name) {
  constexpr size_t kDash = 20;
  int64_t offset = 0;
  int32_t epoch = 0;
  if (name.size() < kDash + 11 || !absl::SimpleAtoi(name.substr(0, kDash), &offset) ||
      !absl::SimpleAtoi(name.substr(kDash + 1, 10), &epoch)) {
    return std::nullopt;
  }
  const SnapshotId id{Offset(offset), LeaderEpoch(epoch)};
  if (offset < 0 || epoch < 0 || SnapshotFileName(id) != name) return std::nullopt;
  return id;
}

// What stands before the records of a snapshot, and behind them.
inline std::string EncodeSnapshotHeader(const SnapshotMeta& meta, TimestampMs last_timestamp) {
  protocol::RecordBatchBuilder builder({.leader_epoch = meta.id.epoch, .is_control = true});
  const auto append = [&](protocol::ControlType type, const auto& record) {
    std::string value;
    protocol::Encode(record, 0, &value);
    WEIR_CHECK(builder.AppendControl(kNoTimestamp, type, value).ok());
  };
  protocol::SnapshotHeaderRecord header;
  header.last_contained_log_timestamp = last_timestamp;
  append(protocol::ControlType::kSnapshotHeader, header);
  protocol::KRaftVersionRecord version;
  version.k_raft_version = 1;
  append(protocol::ControlType::kRaftVersion, version);
  append(protocol::ControlType::kRaftVoters, raft_internal::VotersRecordOf(meta.voters));
  return builder.Build();
}
inline std::string EncodeSnapshotFooter(const SnapshotMeta& meta, Offset base_offset) {
  protocol::RecordBatchBuilder builder(
      {.base_offset = base_offset, .leader_epoch = meta.id.epoch, .is_control = true});
  std::string value;
  protocol::Encode(protocol::SnapshotFooterRecord(), 0, &value);
  WEIR_CHECK(
      builder.AppendControl(kNoTimestamp, protocol::ControlType::kSnapshotFooter, value).ok());
  return builder.Build();
}

// Writes the snapshot of a state. The destructor of an unfinished one leaves a file that the next
// start removes.
class SnapshotWriter {
 public:
  // `last_timestamp` is that of the last record that the snapshot stands for.
  static absl::StatusOr<SnapshotWriter> Create(log::FileSystem& fs, std::string directory,
                                               SnapshotMeta meta, TimestampMs last_timestamp) {
    SnapshotWriter writer(fs, std::move(directory), std::move(meta));
    WEIR_ASSIGN_OR_RETURN(writer.file_, fs.Open(writer.temporary_, log::OpenMode::kCreate));
    WEIR_RETURN_IF_ERROR(writer.file_->Truncate(0));
    WEIR_RETURN_IF_ERROR(writer.Append(EncodeSnapshotHeader(writer.meta_, last_timestamp)));
    return writer;
  }

  // One whole batch of records. It goes where the last one ended, whatever base offset and epoch it
  // has.
  absl::Status Append(std::string batch) {
    WEIR_ASSIGN_OR_RETURN(const auto view, protocol::RecordBatchView::Parse(batch));
    const int64_t offsets = int64_t{view.last_offset_delta()} + 1;
    if (view.bytes().size() != batch.size() || offsets <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(temporary_, ": expected one record batch, came ", batch.size(), " bytes"));
    }
    protocol::SetBaseOffset(batch.data(), next_);
    protocol::SetLeaderEpoch(batch.data(), meta_.id.epoch);
    next_ += offsets;
    return file_->Append({batch});
  }

  // Makes it whole and durable under its name; LogStorage::AdoptSnapshot takes it from there.
  absl::Status Finish() {
    WEIR_RETURN_IF_ERROR(file_->Append({EncodeSnapshotFooter(meta_, next_)}));
    WEIR_RETURN_IF_ERROR(file_->Sync());
    file_.reset();
    WEIR_RETURN_IF_ERROR(
        fs_->Rename(temporary_, absl::StrCat(directory_, "/", SnapshotFileName(meta_.id))));
    return fs_->SyncDirectory(directory_);
  }

  const SnapshotMeta& meta() const { return meta_; }

 private:
  SnapshotWriter(log::FileSystem& fs, std::string directory, SnapshotMeta meta)
      : fs_(&fs),
        directory_(std::move(directory)),
        meta_(std::move(meta)),
        temporary_(absl::StrCat(directory_, "/", UnfinishedSnapshotFileName(meta_.id, "taken"))) {}

  log::FileSystem* fs_;
  std::string directory_;
  SnapshotMeta meta_;
  std::string temporary_;
  std::unique_ptr<log::File> file_;
  Offset next_;  // of the next batch
};

}  // namespace weir::raft

namespace weir::raft_internal {

// What the control records of a snapshot said so far.
struct SnapshotFrame {
  bool has_header = false;
  bool has_footer = false;
  raft::VoterSet voters;
  TimestampMs last_timestamp = kNoTimestamp;
};

inline absl::Status TakeControlRecord(const protocol::Record& record, SnapshotFrame* frame) {
  const std::optional<protocol::ControlType> type = protocol::GetControlType(record);
  const absl::string_view value = record.value.value_or(absl::string_view());
  if (type == protocol::ControlType::kSnapshotHeader) {
    WEIR_ASSIGN_OR_RETURN(const auto header,
                          protocol::Decode<protocol::SnapshotHeaderRecord>(value, 0));
    frame->has_header = true;
    frame->last_timestamp = header.last_contained_log_timestamp;
  } else if (type == protocol::ControlType::kRaftVoters) {
    WEIR_ASSIGN_OR_RETURN(const raft::Control control, VotersOf(value));
    frame->voters = control.voters;
  } else if (type == protocol::ControlType::kSnapshotFooter) {
    frame->has_footer = true;
  }
  return absl::OkStatus();
}

inline absl::Status TakeSnapshotBatch(const protocol::RecordBatchView& batch,
                                      SnapshotFrame* frame) {
  if (batch.magic() != protocol::kRecordBatchMagic) {
    return absl::DataLossError(
        absl::StrCat("expected magic 2, came ", static_cast<int>(batch.magic())));
  }
  if (!batch.CrcIsValid()) {
    return absl::DataLossError(
        absl::StrCat("expected a CRC of ", batch.ComputeCrc(), ", came ", batch.crc()));
  }
  if (frame->has_footer) return absl::DataLossError("expected nothing behind the footer");
  if (batch.is_control()) {
    protocol::RecordIterator it(batch.records(), batch.record_count());
    protocol::Record record;
    while (it.Next(&record)) WEIR_RETURN_IF_ERROR(TakeControlRecord(record, frame));
    WEIR_RETURN_IF_ERROR(it.status());
  }
  if (!frame->has_header) return absl::DataLossError("expected a snapshot header first");
  return absl::OkStatus();
}

// The batch at `position`, in *buffer.
inline absl::StatusOr<protocol::RecordBatchView> ReadSnapshotBatch(const log::File& file,
                                                                   int64_t position,
                                                                   std::string* buffer) {
  const auto read = [&](int64_t bytes) -> absl::Status {
    buffer->resize(static_cast<size_t>(bytes));
    WEIR_ASSIGN_OR_RETURN(const size_t got,
                          file.ReadAt(position, absl::MakeSpan(buffer->data(), buffer->size())));
    buffer->resize(got);
    return absl::OkStatus();
  };
  const int64_t room = file.size_bytes() - position;
  WEIR_RETURN_IF_ERROR(read(std::min(room, protocol::kRecordBatchHeaderBytes)));
  WEIR_ASSIGN_OR_RETURN(const auto header, protocol::RecordBatchHeader::Parse(*buffer));
  if (header.size_bytes() > std::min<int64_t>(room, kRecordBatchBytesMax)) {
    return absl::DataLossError(absl::StrCat("expected a batch within ",
                                            std::min<int64_t>(room, kRecordBatchBytesMax),
                                            " bytes, came ", header.size_bytes()));
  }
  WEIR_RETURN_IF_ERROR(read(header.size_bytes()));
  return protocol::RecordBatchView::Parse(*buffer);
}

}  // namespace weir::raft_internal

namespace weir::raft {

struct SnapshotContents {
  VoterSet voters;
  TimestampMs last_timestamp = kNoTimestamp;
};

// Reads and checks a whole snapshot file; `visit` is called with each batch of records.
inline absl::StatusOr<SnapshotContents> VisitSnapshotFile(
    log::FileSystem& fs, const std::string& path,
    absl::FunctionRef<absl::Status(const protocol::RecordBatchView&)> visit) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<log::File> file, fs.Open(path, log::OpenMode::kRead));
  raft_internal::SnapshotFrame frame;
  std::string buffer;
  int64_t position = 0;
  while (position < file->size_bytes()) {
    const auto batch = raft_internal::ReadSnapshotBatch(*file, position, &buffer);
    absl::Status status = batch.status();
    if (status.ok()) status = raft_internal::TakeSnapshotBatch(*batch, &frame);
    if (!status.ok()) {
      return absl::DataLossError(
          absl::StrCat(path, ", at byte ", position, ": ", status.message()));
    }
    if (!batch->is_control()) WEIR_RETURN_IF_ERROR(visit(*batch));
    position += batch->size_bytes();
  }
  if (!frame.has_footer) {
    return absl::DataLossError(
        absl::StrCat(path, ", at byte ", position, ": expected a snapshot footer, came the end"));
  }
  return SnapshotContents{std::move(frame.voters), frame.last_timestamp};
}
inline absl::StatusOr<SnapshotContents> CheckSnapshotFile(log::FileSystem& fs,
                                                          const std::string& path) {
  return VisitSnapshotFile(fs, path,
                           [](const protocol::RecordBatchView&) { return absl::OkStatus(); });
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_SNAPSHOT_FILE_H_
