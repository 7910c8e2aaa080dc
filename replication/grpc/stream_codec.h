// -----------------------------------------------------------------------------
// File: replication/grpc/stream_codec.h
// -----------------------------------------------------------------------------
// Messages of replication streams as bytes, and back. A frame is one or more messages, and travels
// as one message of gRPC; it is in pieces both ways, so that records are not copied where they lie
// in one piece.
// Format: docs/formats/replication_stream.md.
// Threading: keeps no state. Errors: kInvalidArgument with what was expected and what came.
// Limits: kStreamPartitionsMax of each list; kStreamRecordBytesMax of records, or one batch.
#ifndef WEIR_REPLICATION_GRPC_STREAM_CODEC_H_
#define WEIR_REPLICATION_GRPC_STREAM_CODEC_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/limits.h"
#include "replication/grpc/internal/stream_head.h"
#include "replication/stream_messages.h"

namespace weir::replication {

inline constexpr uint8_t kStreamVersion = 1;
// Of a frame: a batch as large as they may be, and the rest.
inline constexpr size_t kStreamFrameBytesMax =
    static_cast<size_t>(kRecordBatchBytesMax) + (size_t{2} << 20);

// The last of a follower: why it ends the stream.
struct StreamGoodbye {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string text;
};

using FrameMessage = std::variant<StreamHello, FollowerMessage, LeaderMessage, StreamGoodbye>;

// Bytes, and who keeps them.
struct FramePiece {
  absl::string_view bytes;
  std::shared_ptr<const void> keeper;
};

// Whether a message is within the limits, and so will be decoded.
inline absl::Status CheckLimits(const FollowerMessage& message) {
  const size_t most = std::max({message.follow.size(), message.drop.size(), message.hold.size(),
                                message.resume.size(), message.progress.size()});
  if (most <= kStreamPartitionsMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("follower's message: expected at most ",
                                                 kStreamPartitionsMax, " partitions, came ", most));
}
inline absl::Status CheckLimits(const LeaderMessage& message) {
  const size_t most = std::max(message.records.size(), message.ended.size());
  if (most > kStreamPartitionsMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "leader's message: expected at most ", kStreamPartitionsMax, " partitions, came ", most));
  }
  size_t bytes = 0, parts = 0;
  for (const LeaderRecords& part : message.records) {
    bytes += part.records.size();
    parts += part.records.empty() ? 0 : 1;
  }
  const size_t bytes_max =
      parts > 1 ? kStreamRecordBytesMax : static_cast<size_t>(kRecordBatchBytesMax);
  if (bytes <= bytes_max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("leader's message: expected at most ", bytes_max,
                                                 " bytes of records of ", parts,
                                                 " partitions, came ", bytes));
}

// Makes a frame of messages that are within the limits.
class FrameEncoder {
 public:
  // Records of fewer bytes are copied: a piece of their own costs more.
  static constexpr size_t kBorrowBytesMin = 2048;

  void Add(const StreamHello& hello) {
    replication_internal::HeadWriter head(&own_, kStreamVersion, kHello, 64 + kTextBytesMax);
    head.Text(hello.cluster_id, kTextBytesMax);
    head.Signed(hello.leader.value());
    head.Signed(hello.follower.value());
    head.Signed(hello.follower_epoch);
    head.Unsigned(hello.shard);
  }
  void Add(const FollowerMessage& message) {
    constexpr size_t kFollowMax = 72, kHandleMax = 5, kProgressMax = 35, kRestMax = 50;
    const size_t handles = message.drop.size() + message.hold.size() + message.resume.size();
    replication_internal::HeadWriter head(&own_, kStreamVersion, kFollower,
                                          message.follow.size() * kFollowMax +
                                              handles * kHandleMax +
                                              message.progress.size() * kProgressMax + kRestMax);
    head.Unsigned(message.follow.size());
    head.Unsigned(message.drop.size());
    head.Unsigned(message.hold.size());
    head.Unsigned(message.resume.size());
    head.Unsigned(message.progress.size());
    head.Signed(message.credit_bytes);
    for (const FollowPartition& follow : message.follow) {
      head.Unsigned(follow.handle);
      head.Id(follow.partition.topic_id);
      head.Signed(follow.partition.partition.value());
      head.Signed(follow.leader_epoch.value());
      head.Signed(follow.log_end.value());
      head.Signed(follow.flushed.value());
      head.Signed(follow.last_epoch.value());
      head.Signed(follow.log_start.value());
    }
    for (const auto* handles_of : {&message.drop, &message.hold, &message.resume}) {
      for (const FollowHandle handle : *handles_of) head.Unsigned(handle);
    }
    for (const FollowProgress& progress : message.progress) {
      head.Unsigned(progress.handle);
      head.Signed(progress.log_end.value());
      head.Signed(progress.flushed.value());
      head.Signed(progress.log_start.value());
    }
  }
  // Borrows records from `storage`, where there is one.
  void Add(const LeaderMessage& message) {
    constexpr size_t kRecordsMax = 55, kEndedMax = 40, kRestMax = 30;
    {
      replication_internal::HeadWriter head(
          &own_, kStreamVersion, kLeader,
          message.records.size() * kRecordsMax + message.ended.size() * kEndedMax + kRestMax);
      head.Unsigned(message.records.size());
      head.Unsigned(message.ended.size());
      for (const LeaderRecords& part : message.records) {
        head.Unsigned(part.handle);
        head.Signed(part.from.value());
        head.Signed(part.to.value());
        head.Signed(part.high_watermark.value());
        head.Signed(part.log_start.value());
        head.Unsigned(part.records.size());
      }
      for (const FollowEnded& ended : message.ended) {
        head.Unsigned(ended.handle);
        head.Signed(static_cast<int16_t>(ended.error));
        head.Signed(ended.diverging.epoch.value());
        head.Signed(ended.diverging.end_offset.value());
        head.Signed(ended.log_start.value());
        head.Unsigned(ended.shard);
      }
    }
    for (const LeaderRecords& part : message.records) {
      if (message.storage != nullptr && part.records.size() >= kBorrowBytesMin) {
        EndOwn();
        pieces_.push_back({part.records, message.storage});
        size_bytes_ += part.records.size();
      } else {
        own_.append(part.records.data(), part.records.size());
      }
    }
  }
  void Add(const StreamGoodbye& goodbye) {
    replication_internal::HeadWriter head(&own_, kStreamVersion, kGoodbye, 64 + kTextBytesMax);
    head.Unsigned(static_cast<uint64_t>(goodbye.code));
    head.Text(goodbye.text, kTextBytesMax);
  }

  size_t size_bytes() const { return size_bytes_ + own_.size(); }

  std::vector<FramePiece> Take() {
    EndOwn();
    size_bytes_ = 0;
    return std::exchange(pieces_, {});
  }

 private:
  friend class FrameDecoder;
  enum Kind : uint8_t { kHello = 1, kFollower = 2, kLeader = 3, kGoodbye = 4 };
  static constexpr size_t kTextBytesMax = 512;

  void EndOwn() {
    if (own_.empty()) return;
    auto keeper = std::make_shared<const std::string>(std::exchange(own_, {}));
    size_bytes_ += keeper->size();
    const absl::string_view bytes = *keeper;
    pieces_.push_back({bytes, std::move(keeper)});
  }

  std::vector<FramePiece> pieces_;
  std::string own_;  // behind the pieces
  size_t size_bytes_ = 0;
};

// Takes a frame apart. Not to be used further after an error.
class FrameDecoder {
 public:
  // Views are into `pieces`, which live as long as `keeper`.
  FrameDecoder(std::vector<absl::string_view> pieces, std::shared_ptr<const void> keeper)
      : keeper_(std::move(keeper)), cursor_(std::move(pieces)) {}

  bool done() const { return cursor_.left() == 0; }

  absl::StatusOr<FrameMessage> Next() {
    std::string scratch;
    if (cursor_.left() < replication_internal::kPrefixBytes) return TooShort("a message");
    const absl::string_view prefix = cursor_.Take(replication_internal::kPrefixBytes, &scratch);
    const auto version = static_cast<uint8_t>(prefix[0]);
    const auto kind = static_cast<uint8_t>(prefix[1]);
    const size_t head_bytes = LoadBig32(prefix.data() + 2);
    if (version != kStreamVersion) {
      return absl::InvalidArgumentError(absl::StrCat("replication stream: expected version ",
                                                     kStreamVersion, ", came ", version));
    }
    if (head_bytes > cursor_.left()) return TooShort("a head");
    std::string head_scratch;
    replication_internal::HeadReader head(cursor_.Take(head_bytes, &head_scratch));
    FrameMessage message;
    switch (kind) {
      case FrameEncoder::kHello:
        message = ReadHello(head);
        break;
      case FrameEncoder::kFollower:
        message = ReadFollower(head);
        break;
      case FrameEncoder::kLeader:
        return ReadLeader(head);
      case FrameEncoder::kGoodbye:
        message = ReadGoodbye(head);
        break;
      default:
        return absl::InvalidArgumentError(
            absl::StrCat("replication stream: expected a message of kind 1 to 4, came ", kind));
    }
    const absl::Status read = head.Finish();
    if (!read.ok()) return read;
    return message;
  }

 private:
  using HeadReader = replication_internal::HeadReader;
  // The fewest bytes that one of them takes.
  static constexpr size_t kFollowMin = 23, kHandleMin = 1, kProgressMin = 4, kRecordsMin = 6,
                          kEndedMin = 6;

  absl::Status TooShort(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("replication stream: expected ", what,
                                                   ", the frame ends after ", cursor_.left(),
                                                   " bytes"));
  }

  static StreamHello ReadHello(HeadReader& head) {
    StreamHello hello;
    hello.cluster_id = head.Text("cluster id", FrameEncoder::kTextBytesMax);
    hello.leader = BrokerId(head.Signed<int32_t>("leader", 0));
    hello.follower = BrokerId(head.Signed<int32_t>("follower", 0));
    hello.follower_epoch = head.Signed<int64_t>("follower's epoch", -1);
    hello.shard = head.Unsigned<uint32_t>("shard");
    return hello;
  }

  static FollowerMessage ReadFollower(HeadReader& head) {
    FollowerMessage message;
    const size_t follow = head.Count("partitions to follow", kStreamPartitionsMax, kFollowMin);
    const size_t drop = head.Count("partitions to drop", kStreamPartitionsMax, kHandleMin);
    const size_t hold = head.Count("partitions to hold", kStreamPartitionsMax, kHandleMin);
    const size_t resume = head.Count("partitions to resume", kStreamPartitionsMax, kHandleMin);
    const size_t progress = head.Count("partitions' progress", kStreamPartitionsMax, kProgressMin);
    message.credit_bytes = head.Signed<int64_t>("credit", 0);
    if (!head.ok()) return message;
    message.follow.resize(follow);
    for (FollowPartition& to : message.follow) {
      to.handle = ReadHandle(head);
      to.partition.topic_id = head.Id("topic id");
      to.partition.partition = PartitionIndex(head.Signed<int32_t>("partition", 0));
      to.leader_epoch = LeaderEpoch(head.Signed<int32_t>("leader epoch", -1));
      to.log_end = ReadOffset(head, "log end");
      to.flushed = ReadOffset(head, "durable end");
      to.last_epoch = LeaderEpoch(head.Signed<int32_t>("last epoch", -1));
      to.log_start = ReadOffset(head, "log start");
      if (!head.ok()) return message;
    }
    message.drop.resize(drop);
    message.hold.resize(hold);
    message.resume.resize(resume);
    for (auto* handles : {&message.drop, &message.hold, &message.resume}) {
      for (FollowHandle& handle : *handles) handle = ReadHandle(head);
    }
    message.progress.resize(progress);
    for (FollowProgress& to : message.progress) {
      to.handle = ReadHandle(head);
      to.log_end = ReadOffset(head, "log end");
      to.flushed = ReadOffset(head, "durable end");
      to.log_start = ReadOffset(head, "log start");
      if (!head.ok()) return message;
    }
    return message;
  }

  absl::StatusOr<FrameMessage> ReadLeader(HeadReader& head) {
    LeaderMessage message;
    const size_t records = head.Count("partitions' records", kStreamPartitionsMax, kRecordsMin);
    const size_t ended = head.Count("partitions that end", kStreamPartitionsMax, kEndedMin);
    std::vector<size_t> sizes;
    if (head.ok()) {
      message.records.resize(records);
      message.ended.resize(ended);
      sizes.reserve(records);
    }
    for (LeaderRecords& to : message.records) {
      to.handle = ReadHandle(head);
      to.from = ReadOffset(head, "offset of the records");
      to.to = ReadOffset(head, "offset behind the records");
      to.high_watermark = ReadOffset(head, "high watermark");
      to.log_start = ReadOffset(head, "log start");
      sizes.push_back(head.Unsigned<uint32_t>("bytes of records"));
      if (sizes.back() > 0 && (to.from < Offset(0) || to.to <= to.from)) {
        head.Fail("offsets of records", absl::StrCat(to.from.value(), " to ", to.to.value()));
      }
      if (!head.ok()) break;
    }
    for (FollowEnded& to : message.ended) {
      if (!head.ok()) break;
      to.handle = ReadHandle(head);
      to.error = static_cast<protocol::ErrorCode>(head.Signed<int16_t>("error", -1));
      to.diverging.epoch = LeaderEpoch(head.Signed<int32_t>("diverging epoch", -1));
      to.diverging.end_offset = ReadOffset(head, "diverging end");
      to.log_start = ReadOffset(head, "log start");
      to.shard = head.Unsigned<uint32_t>("shard");
    }
    absl::Status status = head.Finish();
    if (status.ok()) status = TakeRecords(sizes, &message);
    if (!status.ok()) return status;
    return message;
  }

  // Copies what does not lie in one piece.
  absl::Status TakeRecords(const std::vector<size_t>& sizes, LeaderMessage* message) {
    size_t bytes = 0, parts = 0;
    for (const size_t size : sizes) {
      bytes += size;
      parts += size == 0 ? 0 : 1;
    }
    const size_t bytes_max =
        parts > 1 ? kStreamRecordBytesMax : static_cast<size_t>(kRecordBatchBytesMax);
    if (bytes > bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat("replication stream: expected at most ",
                                                     bytes_max, " bytes of records, came ", bytes));
    }
    if (bytes > cursor_.left()) return TooShort(absl::StrCat(bytes, " bytes of records"));
    const size_t copied = cursor_.BytesInSeveralPieces(sizes);
    struct Storage {
      std::shared_ptr<const void> pieces;
      std::unique_ptr<char[]> copied;
    };
    auto storage = std::make_shared<Storage>();
    if (copied < bytes) storage->pieces = keeper_;
    if (copied > 0) storage->copied.reset(new char[copied]);
    char* to = storage->copied.get();
    for (size_t i = 0; i < sizes.size(); ++i) {
      message->records[i].records = cursor_.TakeOrCopy(sizes[i], &to);
    }
    message->storage = std::move(storage);
    return absl::OkStatus();
  }

  static StreamGoodbye ReadGoodbye(HeadReader& head) {
    StreamGoodbye goodbye;
    const auto code = head.Unsigned<uint32_t>("status code");
    if (code > static_cast<uint32_t>(absl::StatusCode::kUnauthenticated)) {
      head.Fail("status code", absl::StrCat(code));
    }
    goodbye.code = static_cast<absl::StatusCode>(code);
    goodbye.text = head.Text("reason", FrameEncoder::kTextBytesMax);
    return goodbye;
  }

  static FollowHandle ReadHandle(HeadReader& head) {
    const auto handle = head.Unsigned<FollowHandle>("handle");
    if (handle == 0) head.Fail("handle", "0");
    return handle;
  }
  static Offset ReadOffset(HeadReader& head, absl::string_view what) {
    return Offset(head.Signed<int64_t>(what, -1));
  }

  std::shared_ptr<const void> keeper_;
  replication_internal::PieceCursor cursor_;
};

}  // namespace weir::replication

#endif  // WEIR_REPLICATION_GRPC_STREAM_CODEC_H_
