#include "coordination/grpc/raft_codec.h"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/grpc/raft.pb.h"
#include "coordination/raft/describe.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"

namespace weir::raft {
namespace {

// A well-formed message with any body.
class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}

  Message NextMessage(size_t body) {
    Message message{Bytes(20), Key(), random_.OneIn(5) ? ReplicaKey() : Key(),
                    LeaderEpoch(1 + static_cast<int32_t>(random_.Below(1 << 20))), Body(body)};
    if (auto* append = std::get_if<AppendRequest>(&message.body)) {
      message.term = append->entries.empty() ? append->prev_epoch : append->entries.back().epoch;
      if (message.term < LeaderEpoch(1)) message.term = LeaderEpoch(1);
    }
    if (auto* chunk = std::get_if<SnapshotChunk>(&message.body))
      message.term = chunk->meta.id.epoch;
    return message;
  }

 private:
  bool Bool() { return random_.OneIn(2); }
  Offset AnyOffset() {
    return Offset(static_cast<int64_t>(random_.NextU64() >> (2 + random_.Below(60))));
  }
  LeaderEpoch Epoch() { return LeaderEpoch(1 + static_cast<int32_t>(random_.Below(1 << 30))); }
  ReplicaKey Key() {
    return {BrokerId(static_cast<int32_t>(random_.Below(1 << 30))),
            Uuid{random_.NextU64(), random_.NextU64()}};
  }
  std::string Bytes(uint64_t max) {
    std::string bytes(random_.Below(max), '\0');
    for (char& c : bytes) c = static_cast<char>(random_.Below(256));
    return bytes;
  }
  VoterSet Voters() {
    std::vector<ReplicaKey> keys;
    for (uint64_t n = random_.Below(5); n > 0; --n) {
      keys.push_back({BrokerId(static_cast<int32_t>(n)), Uuid{0, random_.NextU64()}});
    }
    return VoterSet(keys);
  }
  AppendRequest Append() {
    AppendRequest append{Offset(static_cast<int64_t>(random_.NextU64() >> 20)),
                         LeaderEpoch(static_cast<int32_t>(random_.Below(10))),
                         AnyOffset(),
                         {}};
    Offset next = append.prev_offset;
    LeaderEpoch epoch(append.prev_epoch.value() + 1);
    for (uint64_t n = random_.Below(6); n > 0; --n) {
      Entry entry;
      entry.base_offset = next;
      entry.epoch = epoch;
      entry.kind = static_cast<EntryKind>(random_.Below(3));
      if (entry.kind == EntryKind::kData) {
        entry.record_count = 1 + static_cast<int32_t>(random_.Below(1000));
        entry.data = std::make_shared<const std::string>(Bytes(200));
      } else {
        entry.control = std::make_shared<const Control>(Control{Key(), Voters()});
      }
      next = entry.next_offset();
      if (Bool()) epoch = LeaderEpoch(epoch.value() + 1);
      append.entries.push_back(entry);
    }
    return append;
  }
  SnapshotChunk Chunk() {
    SnapshotChunk chunk{{{AnyOffset(), Epoch()}, Voters()}, 0, 0, Bytes(300)};
    chunk.position = static_cast<int64_t>(random_.Below(1 << 20));
    chunk.size_bytes = chunk.position + static_cast<int64_t>(chunk.data.size() + random_.Below(99));
    return chunk;
  }
  MessageBody Body(size_t index) {
    switch (index) {
      case 0:
        return VoteRequest{Bool(), Bool(), Epoch(), AnyOffset()};
      case 1:
        return VoteResponse{Bool(), Bool(), Epoch(), Bool() ? Key() : ReplicaKey()};
      case 2:
        return Append();
      case 3:
        return AppendResponse{Bool(), AnyOffset(), AnyOffset(), Epoch()};
      case 4:
        return Heartbeat{random_.NextU64(), AnyOffset()};
      case 5:
        return HeartbeatResponse{random_.NextU64(), AnyOffset(), AnyOffset()};
      case 6:
        return Chunk();
      case 7:
        return SnapshotResponse{{AnyOffset(), Epoch()}, AnyOffset().value(), Bool()};
      case 8:
        return TransferNow{};
      case 9:
        return FollowRequest{};
      default:
        return FollowResponse{Bool() ? Key() : ReplicaKey()};
    }
  }

  SeededRandom random_;
};

// All that a message says; Describe leaves out some.
std::string Told(const Message& message) {
  v1::Message proto;
  ToProto(message, &proto);
  return proto.SerializeAsString() + Describe(message);
}

TEST(RaftCodec, BringsEveryMessageBack) {
  Draw draw(1);
  for (int round = 0; round < 300; ++round) {
    for (size_t body = 0; body < std::variant_size_v<MessageBody>; ++body) {
      const Message message = draw.NextMessage(body);
      ASSERT_TRUE(IsWellFormed(message)) << Describe(message);
      v1::Message sent;
      ToProto(message, &sent);
      v1::Message received;
      ASSERT_TRUE(received.ParseFromString(sent.SerializeAsString()));
      const auto back = FromProto(&received);
      ASSERT_TRUE(back.ok()) << back.status() << " " << Describe(message);
      EXPECT_EQ(back->body.index(), body);
      EXPECT_EQ(back->cluster_id, message.cluster_id);
      EXPECT_EQ(Told(*back), Told(message));
      if (const auto* append = std::get_if<AppendRequest>(&message.body)) {
        EXPECT_EQ(std::get<AppendRequest>(back->body).entries, append->entries);
      }
      if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
        EXPECT_EQ(std::get<SnapshotChunk>(back->body).meta, chunk->meta);
        EXPECT_EQ(std::get<SnapshotChunk>(back->body).data, chunk->data);
      }
    }
  }
}

TEST(RaftCodec, TakesNothingMalformedFromHostileBytes) {
  Draw draw(2);
  SeededRandom random(3);
  int parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    v1::Message proto;
    ToProto(draw.NextMessage(random.Below(std::variant_size_v<MessageBody>)), &proto);
    std::string bytes = proto.SerializeAsString();
    for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    }
    if (random.OneIn(3)) bytes.resize(random.Below(bytes.size() + 1));
    v1::Message came;
    if (!came.ParseFromString(bytes)) continue;
    const auto message = FromProto(&came);
    if (message.ok()) {
      ++parsed;
      EXPECT_TRUE(IsWellFormed(*message));
    } else {
      EXPECT_TRUE(absl::IsInvalidArgument(message.status())) << message.status();
    }
  }
  EXPECT_GT(parsed, 1000);
}

TEST(RaftCodec, RefusesWhatIsNotWhole) {
  Draw draw(4);
  const auto refused = [](v1::Message proto) {
    return absl::IsInvalidArgument(FromProto(&proto).status());
  };
  v1::Message good;
  ToProto(draw.NextMessage(4), &good);
  v1::Message proto = good;
  EXPECT_FALSE(refused(proto));
  EXPECT_TRUE(refused(v1::Message()));
  proto.clear_heartbeat();
  EXPECT_TRUE(refused(proto));
  proto = good;
  proto.clear_from();
  EXPECT_TRUE(refused(proto));
  proto = good;
  proto.set_term(-1);
  EXPECT_TRUE(refused(proto));
  proto = good;
  v1::Entry* entry = proto.mutable_append_request()->add_entries();
  entry->set_record_count(1);
  entry->set_epoch(1);
  EXPECT_TRUE(refused(proto));  // neither data nor control
  entry->set_data("x");
  entry->set_record_count(-1);
  EXPECT_TRUE(refused(proto));
}

}  // namespace
}  // namespace weir::raft
