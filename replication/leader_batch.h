// -----------------------------------------------------------------------------
// File: replication/leader_batch.h
// -----------------------------------------------------------------------------
// A message to a follower whose records are still in their files, and the reading of them.
// Threading: ReadSlices on any thread; so a worker can wait for the disk.
// Errors: what cannot be read ends that partition's following, in the message itself.
#ifndef WEIR_REPLICATION_LEADER_BATCH_H_
#define WEIR_REPLICATION_LEADER_BATCH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "log/log_types.h"
#include "protocol/error_code.h"
#include "replication/stream_messages.h"

namespace weir::replication {

struct LeaderBatch {
  struct Part {
    FollowHandle handle = 0;
    Offset from = kNoOffset;  // as LeaderRecords'
    log::LogSlice slice;
    Offset high_watermark{0};
    Offset log_start{0};
  };
  std::vector<Part> parts;
  std::vector<FollowEnded> ended;
  int64_t record_bytes = 0;
  // Far behind the log's end, so that reading may wait for a disk. See LeaderStream::ColdSent.
  bool cold = false;
};

// What a message lacks of its batch.
struct UnreadSlice {
  FollowHandle handle = 0;
  int64_t size_bytes = 0;
  absl::Status status;
};

// The message, and in *unread what LeaderStream::Unread is to be told.
inline LeaderMessage ReadSlices(const LeaderBatch& batch, std::vector<UnreadSlice>* unread) {
  LeaderMessage message;
  message.ended = batch.ended;
  message.records.reserve(batch.parts.size());
  std::shared_ptr<char[]> bytes;
  if (batch.record_bytes > 0) bytes.reset(new char[static_cast<size_t>(batch.record_bytes)]);
  size_t at = 0;
  for (const LeaderBatch::Part& part : batch.parts) {
    LeaderRecords records;
    records.handle = part.handle;
    records.high_watermark = part.high_watermark;
    records.log_start = part.log_start;
    if (!part.slice.empty()) {
      const size_t size = static_cast<size_t>(part.slice.size_bytes);
      const absl::StatusOr<size_t> got =
          part.slice.file->ReadAt(part.slice.position, absl::MakeSpan(bytes.get() + at, size));
      if (!got.ok() || *got != size) {
        unread->push_back(
            {part.handle, part.slice.size_bytes,
             got.ok() ? absl::DataLossError(absl::StrCat("expected ", size, " bytes, came ", *got))
                      : got.status()});
        FollowEnded& ended = message.ended.emplace_back();
        ended.handle = part.handle;
        ended.error = protocol::ErrorCode::kKafkaStorageError;
        continue;
      }
      records.from = part.from;
      records.to = part.slice.next_offset;
      records.records = absl::string_view(bytes.get() + at, size);
      at += size;
    }
    message.records.push_back(records);
  }
  message.storage = std::move(bytes);
  return message;
}

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_LEADER_BATCH_H_
