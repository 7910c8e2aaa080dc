// -----------------------------------------------------------------------------
// File: coordination/metadata/snapshot.h
// -----------------------------------------------------------------------------
// An image of the cluster metadata as the record batches of a snapshot, and back. What stands
// around the batches in a file is its writer's business (coordination/raft/snapshot_file.h).
// Format: docs/formats/metadata.md.
// Threading: writing reads an image, which never changes, on any thread; a reader has one thread.
// Errors: kDataLoss for batches that no snapshot of this state holds; kUnimplemented for what a
// newer release may have written.
// Limits: one batch in memory, of kSnapshotBatchRecordsMax records and about kSnapshotBatchBytes.
#ifndef WEIR_COORDINATION_METADATA_SNAPSHOT_H_
#define WEIR_COORDINATION_METADATA_SNAPSHOT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/image_records.h"
#include "coordination/metadata/metadata_batch.h"
#include "coordination/metadata/record_codec.h"
#include "coordination/metadata/records.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::metadata {

inline constexpr int32_t kSnapshotBatchRecordsMax = 1024;
// Far below the 8 MiB that Apache Kafka reads at a time.
inline constexpr int64_t kSnapshotBatchBytes = int64_t{1} << 20;

struct SnapshotOptions {
  TimestampMs now_ms = kNoTimestamp;  // of the records
  int32_t batch_records_max = kSnapshotBatchRecordsMax;
  int64_t batch_bytes = kSnapshotBatchBytes;  // a larger record has a batch of its own
};

// Gives the batches that make `image` to `append`, in order, and ends with the first error that it
// returns. Their offsets count from 0. The snapshot stands for the log up to image.highest_offset.
// kFailedPrecondition while a metadata transaction is open (KIP-868): what it has said so far
// counts only when it ends, so that no state at this offset can say it; an image of before or after
// it can be written.
inline absl::Status WriteSnapshot(const MetadataImage& image, const SnapshotOptions& options,
                                  absl::FunctionRef<absl::Status(std::string batch)> append) {
  if (image.transaction.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("snapshot of cluster metadata at offset ", image.highest_offset.value(),
                     ": the metadata transaction that began at offset ",
                     image.transaction->begin.value(), " is open"));
  }
  protocol::RecordBatchBuilder builder({.leader_epoch = image.highest_epoch});
  std::string value;
  WEIR_RETURN_IF_ERROR(VisitRecordsOf(image, [&](const MetadataRecord& record) -> absl::Status {
    value.clear();
    EncodeRecord(record, &value);
    const int64_t size = builder.size_bytes() + static_cast<int64_t>(value.size());
    const bool is_full =
        builder.record_count() >= options.batch_records_max || size > options.batch_bytes;
    if (is_full && !builder.empty()) WEIR_RETURN_IF_ERROR(append(builder.Build()));
    protocol::RecordToAppend to_append;
    to_append.timestamp = options.now_ms;
    to_append.value = value;
    return builder.Append(to_append);
  }));
  return builder.empty() ? absl::OkStatus() : append(builder.Build());
}

// Makes the image of which the batches of a snapshot are. After an error it is of no more use.
class SnapshotReader {
 public:
  // The next batch of records, in the order of the file.
  absl::Status Add(const protocol::RecordBatchView& batch) {
    WEIR_ASSIGN_OR_RETURN(const MetadataBatch decoded, DecodeMetadataBatch(batch));
    return metadata_internal::ApplyAll(decoded.records, decoded.base_offset, &image_);
  }

  // After the last batch: the image, which stands for the log before offset `end`, whose last
  // record is of `epoch`.
  absl::StatusOr<MetadataImagePtr> Finish(Offset end, LeaderEpoch epoch) && {
    if (image_.transaction.has_value()) {
      return absl::DataLossError(absl::StrCat(
          "snapshot of cluster metadata before offset ", end.value(),
          ": expected the end of the metadata transaction that began in it, came its end"));
    }
    image_.highest_offset = end - 1;
    image_.highest_epoch = end == Offset(0) ? kNoLeaderEpoch : epoch;
    return std::make_shared<const MetadataImage>(std::move(image_));
  }

 private:
  MetadataImage image_;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_SNAPSHOT_H_
