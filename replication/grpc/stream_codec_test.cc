#include "replication/grpc/stream_codec.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/uuid.h"
#include "gtest/gtest.h"
#include "log/leader_epoch_cache.h"
#include "protocol/error_code.h"
#include "replication/stream_messages.h"

namespace weir::replication {
namespace {

std::string Joined(const std::vector<FramePiece>& pieces) {
  std::string bytes;
  for (const FramePiece& piece : pieces) bytes.append(piece.bytes.data(), piece.bytes.size());
  return bytes;
}
template <class Message>
std::string Encoded(const Message& message) {
  FrameEncoder encoder;
  encoder.Add(message);
  const size_t size = encoder.size_bytes();
  std::string bytes = Joined(encoder.Take());
  EXPECT_EQ(bytes.size(), size);
  return bytes;
}
// Decodes bytes that come in pieces of so many.
absl::StatusOr<FrameMessage> Decoded(absl::string_view bytes, size_t piece_bytes = 1 << 30) {
  std::vector<absl::string_view> pieces;
  for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
    pieces.push_back(bytes.substr(at, piece_bytes));
  }
  FrameDecoder decoder(std::move(pieces), nullptr);
  absl::StatusOr<FrameMessage> message = decoder.Next();
  EXPECT_TRUE(decoder.done() || !message.ok());
  return message;
}
std::string ErrorOf(absl::string_view bytes) {
  const auto message = Decoded(bytes);
  EXPECT_TRUE(absl::IsInvalidArgument(message.status())) << message.status();
  return std::string(message.status().message());
}

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

FollowerMessage AllOfAFollower() {
  FollowerMessage message;
  message.follow.push_back({7,
                            {Uuid{1, 2}, PartitionIndex(3)},
                            LeaderEpoch(4),
                            Offset(5),
                            Offset(4),
                            LeaderEpoch(3),
                            Offset(1)});
  message.follow.push_back({std::numeric_limits<FollowHandle>::max(),
                            {Uuid{~0ull, ~0ull}, PartitionIndex(0x7fffffff)},
                            LeaderEpoch(0x7fffffff),
                            Offset(kFar),
                            Offset(kFar),
                            kNoLeaderEpoch,
                            Offset(kFar)});
  message.drop = {1, 2, 300};
  message.hold = {4};
  message.resume = {5, 1'000'000};
  message.progress.push_back({9, Offset(1000), Offset(900), Offset(0)});
  message.credit_bytes = 12'345'678;
  return message;
}

TEST(StreamCodec, HelloAndGoodbye) {
  const auto hello =
      Decoded(Encoded(StreamHello{"cluster", BrokerId(1), BrokerId(2), 77, 3}), 5).value();
  const auto& said = std::get<StreamHello>(hello);
  EXPECT_EQ(said.cluster_id, "cluster");
  EXPECT_EQ(said.leader, BrokerId(1));
  EXPECT_EQ(said.follower, BrokerId(2));
  EXPECT_EQ(said.follower_epoch, 77);
  EXPECT_EQ(said.shard, 3u);
  const auto goodbye =
      Decoded(Encoded(StreamGoodbye{absl::StatusCode::kAborted, std::string(9999, 'x')})).value();
  EXPECT_EQ(std::get<StreamGoodbye>(goodbye).code, absl::StatusCode::kAborted);
  EXPECT_EQ(std::get<StreamGoodbye>(goodbye).text, std::string(512, 'x'));
}

TEST(StreamCodec, EverythingOfAFollower) {
  const FollowerMessage sent = AllOfAFollower();
  for (const size_t piece : {1, 3, 7, 1000}) {
    const auto message = Decoded(Encoded(sent), piece).value();
    const auto& came = std::get<FollowerMessage>(message);
    ASSERT_EQ(came.follow.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(came.follow[i].handle, sent.follow[i].handle);
      EXPECT_EQ(came.follow[i].partition, sent.follow[i].partition);
      EXPECT_EQ(came.follow[i].leader_epoch, sent.follow[i].leader_epoch);
      EXPECT_EQ(came.follow[i].log_end, sent.follow[i].log_end);
      EXPECT_EQ(came.follow[i].flushed, sent.follow[i].flushed);
      EXPECT_EQ(came.follow[i].last_epoch, sent.follow[i].last_epoch);
      EXPECT_EQ(came.follow[i].log_start, sent.follow[i].log_start);
    }
    EXPECT_EQ(came.drop, sent.drop);
    EXPECT_EQ(came.hold, sent.hold);
    EXPECT_EQ(came.resume, sent.resume);
    ASSERT_EQ(came.progress.size(), 1u);
    EXPECT_EQ(came.progress[0].handle, 9u);
    EXPECT_EQ(came.progress[0].log_end, Offset(1000));
    EXPECT_EQ(came.progress[0].flushed, Offset(900));
    EXPECT_EQ(came.progress[0].log_start, Offset(0));
    EXPECT_EQ(came.credit_bytes, 12'345'678);
  }
}

TEST(StreamCodec, EverythingOfALeaderInAnyPieces) {
  SeededRandom random(1);
  auto storage = std::make_shared<std::string>();
  for (int i = 0; i < 100'000; ++i) storage->push_back(static_cast<char>(random.NextU64()));
  LeaderMessage sent;
  sent.storage = storage;
  const absl::string_view bytes = *storage;
  sent.records.push_back({1, Offset(10), Offset(12), Offset(9), Offset(2), bytes.substr(0, 70)});
  sent.records.push_back({2, kNoOffset, kNoOffset, Offset(kFar), Offset(0), ""});
  sent.records.push_back({3, Offset(0), Offset(1), Offset(0), Offset(0), bytes.substr(70, 60'000)});
  sent.records.push_back(
      {4, Offset(kFar - 1), Offset(kFar), Offset(1), Offset(1), bytes.substr(60'070)});
  sent.ended.push_back({5, protocol::ErrorCode::kNone, {LeaderEpoch(8), Offset(80)}, Offset(1), 0});
  sent.ended.push_back({6, protocol::ErrorCode::kReplicaNotAvailable, {}, Offset(0), 5});
  for (const size_t piece : {1ul, 13ul, 2048ul, 16'384ul, 1'000'000ul}) {
    const std::string encoded = Encoded(sent);
    const auto message = Decoded(encoded, piece).value();
    const auto& came = std::get<LeaderMessage>(message);
    ASSERT_EQ(came.records.size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(came.records[i].handle, sent.records[i].handle);
      EXPECT_EQ(came.records[i].from, sent.records[i].from);
      EXPECT_EQ(came.records[i].to, sent.records[i].to);
      EXPECT_EQ(came.records[i].high_watermark, sent.records[i].high_watermark);
      EXPECT_EQ(came.records[i].log_start, sent.records[i].log_start);
      EXPECT_EQ(came.records[i].records, sent.records[i].records);
      const bool borrowed = came.records[i].records.data() >= encoded.data() &&
                            came.records[i].records.data() < encoded.data() + encoded.size();
      EXPECT_TRUE(borrowed || i == 1 || piece != 1'000'000);
    }
    ASSERT_EQ(came.ended.size(), 2u);
    EXPECT_EQ(came.ended[0].diverging, (log::EpochEnd{LeaderEpoch(8), Offset(80)}));
    EXPECT_EQ(came.ended[0].log_start, Offset(1));
    EXPECT_EQ(came.ended[1].error, protocol::ErrorCode::kReplicaNotAvailable);
    EXPECT_EQ(came.ended[1].diverging, log::EpochEnd{});
    EXPECT_EQ(came.ended[1].shard, 5u);
  }
}

TEST(StreamCodec, BorrowsWhatIsLargeForAsLongAsAPieceLives) {
  auto storage = std::make_shared<std::string>(FrameEncoder::kBorrowBytesMin, 'r');
  std::weak_ptr<std::string> alive = storage;
  LeaderMessage sent;
  sent.records.push_back({1, Offset(0), Offset(1), Offset(0), Offset(0), *storage});
  sent.records.push_back({2, Offset(0), Offset(1), Offset(0), Offset(0), "few"});
  const char* const at = storage->data();
  sent.storage = std::move(storage);
  FrameEncoder encoder;
  encoder.Add(sent);
  sent = {};
  std::vector<FramePiece> pieces = encoder.Take();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[1].bytes.data(), at);
  EXPECT_EQ(pieces[2].bytes, "few");
  pieces.pop_back();
  EXPECT_FALSE(alive.expired());
  pieces.pop_back();
  EXPECT_TRUE(alive.expired());
}

TEST(StreamCodec, SeveralMessagesInAFrame) {
  FrameEncoder encoder;
  encoder.Add(StreamHello{"c", BrokerId(1), BrokerId(2), 1, 0});
  for (int i = 0; i < 3; ++i) encoder.Add(AllOfAFollower());
  const std::string bytes = Joined(encoder.Take());
  FrameDecoder decoder({absl::string_view(bytes)}, nullptr);
  EXPECT_TRUE(std::holds_alternative<StreamHello>(decoder.Next().value()));
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(decoder.done());
    EXPECT_TRUE(std::holds_alternative<FollowerMessage>(decoder.Next().value()));
  }
  EXPECT_TRUE(decoder.done());
}

// --- limits and what nobody sends ----------------------------------------------------------------

TEST(StreamCodec, EndsEverywhere) {
  LeaderMessage leader;
  leader.records.push_back({1, Offset(0), Offset(1), Offset(0), Offset(0), "abc"});
  leader.ended.push_back(
      {5, protocol::ErrorCode::kNone, {LeaderEpoch(8), Offset(80)}, Offset(1), 0});
  for (const std::string& bytes :
       {Encoded(AllOfAFollower()), Encoded(leader), Encoded(StreamHello{"c", {}, {}, 1, 0}),
        Encoded(StreamGoodbye{absl::StatusCode::kOk, "why"})}) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(Decoded(bytes.substr(0, size)).ok()) << size;
    }
  }
}

TEST(StreamCodec, SaysWhatIsWrong) {
  std::string bytes = Encoded(AllOfAFollower());
  bytes[0] = 9;
  EXPECT_EQ(ErrorOf(bytes), "replication stream: expected version 1, came 9");
  bytes[0] = 1;
  bytes[1] = 0;
  EXPECT_EQ(ErrorOf(bytes), "replication stream: expected a message of kind 1 to 4, came 0");
  bytes[1] = 2;
  bytes[5] = static_cast<char>(bytes[5] + 1);
  EXPECT_EQ(ErrorOf(bytes), "replication stream: expected a head, the frame ends after 109 bytes");
  FollowerMessage message;
  message.drop = {0};
  EXPECT_EQ(ErrorOf(Encoded(message)),
            "replication stream: expected handle at byte 7 of the head, came 0");
  message.drop.clear();
  message.progress.push_back({1, Offset(-2), Offset(0), Offset(0)});
  EXPECT_EQ(ErrorOf(Encoded(message)),
            "replication stream: expected log end at byte 7 of the head, came -2");
  EXPECT_EQ(ErrorOf(absl::string_view("\1\2\0\0\0\7\0\0\0\0\0\0x", 13)),
            "replication stream: expected the end at byte 6 of the head, came 1 bytes");
  EXPECT_EQ(ErrorOf(absl::string_view("\1\2\0\0\0\6\5\0\0\0\0\0", 12)),
            "replication stream: expected at most 0 partitions to follow at byte 1 of the head, "
            "came 5");
  EXPECT_EQ(ErrorOf(absl::string_view("\1\4\0\0\0\2\x11\0", 8)),
            "replication stream: expected status code at byte 1 of the head, came 17");
  LeaderMessage leader;
  leader.records.push_back({1, kNoOffset, Offset(3), Offset(0), Offset(0), "abc"});
  EXPECT_EQ(ErrorOf(Encoded(leader)),
            "replication stream: expected offsets of records at byte 8 of the head, came -1 to 3");
  leader.records[0].from = Offset(3);
  EXPECT_EQ(ErrorOf(Encoded(leader)),
            "replication stream: expected offsets of records at byte 8 of the head, came 3 to 3");
}

TEST(StreamCodec, TakesWhatIsWithinTheLimitsAndNoMore) {
  FollowerMessage follower;
  follower.progress.resize(kStreamPartitionsMax, {1, Offset(kFar), Offset(kFar), Offset(kFar)});
  EXPECT_TRUE(CheckLimits(follower).ok());
  EXPECT_TRUE(Decoded(Encoded(follower)).ok());
  follower.progress.push_back({1, Offset(0), Offset(0), Offset(0)});
  EXPECT_FALSE(CheckLimits(follower).ok());
  EXPECT_FALSE(Decoded(Encoded(follower)).ok());

  auto storage = std::make_shared<std::string>(kStreamRecordBytesMax + 1, 'r');
  const absl::string_view bytes = *storage;
  LeaderMessage leader;
  leader.storage = storage;
  leader.records.push_back({1, Offset(0), Offset(1), Offset(0), Offset(0), bytes});
  EXPECT_TRUE(CheckLimits(leader).ok());  // alone
  EXPECT_TRUE(Decoded(Encoded(leader)).ok());
  leader.records.push_back({2, kNoOffset, kNoOffset, Offset(0), Offset(0), ""});
  EXPECT_TRUE(CheckLimits(leader).ok());
  leader.records.push_back({3, Offset(0), Offset(1), Offset(0), Offset(0), "a"});
  EXPECT_FALSE(CheckLimits(leader).ok());
  EXPECT_FALSE(Decoded(Encoded(leader)).ok());
  leader.records[0].records.remove_suffix(2);
  EXPECT_TRUE(CheckLimits(leader).ok());
  EXPECT_TRUE(Decoded(Encoded(leader)).ok());
  leader.ended.resize(kStreamPartitionsMax + 1);
  EXPECT_FALSE(CheckLimits(leader).ok());

  auto large = std::make_shared<std::string>(static_cast<size_t>(kRecordBatchBytesMax) + 1, 'r');
  leader = {};
  leader.records.push_back({1, Offset(0), Offset(1), Offset(0), Offset(0), *large});
  leader.storage = std::move(large);
  EXPECT_FALSE(CheckLimits(leader).ok());
  EXPECT_FALSE(Decoded(Encoded(leader)).ok());
}

}  // namespace
}  // namespace weir::replication
