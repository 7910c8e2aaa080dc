#include "replication/grpc/grpc_stream_network.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "gtest/gtest.h"
#include "replication/grpc/stream_test_node.h"
#include "replication/stream_messages.h"
#include "replication/stream_network.h"

namespace weir::replication {
namespace {

FollowerMessage Credit(int64_t bytes) {
  FollowerMessage message;
  message.credit_bytes = bytes;
  return message;
}
LeaderMessage Records(FollowHandle handle, size_t bytes, char fill = 'r') {
  auto storage = std::make_shared<const std::string>(bytes, fill);
  LeaderMessage message;
  message.records.push_back({handle, Offset(bytes == 0 ? -1 : 0), Offset(bytes == 0 ? -1 : 1),
                             Offset(0), Offset(0), *storage});
  message.storage = std::move(storage);
  return message;
}

TEST(GrpcStreamNetwork, SaysWhoFollowsAndKeepsTheOrderBothWays) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  StreamTestFollower stream(follower, leader);
  for (int i = 1; i <= 3000; ++i) stream.end->Send(Credit(i));
  StreamTestLeader& other = leader.Accepted(0);
  EXPECT_EQ(other.hello.follower, BrokerId(2));
  EXPECT_EQ(other.hello.follower_epoch, 22);
  EXPECT_EQ(other.hello.shard, 3u);
  ASSERT_TRUE(other.came.Wait([](const auto& c) { return c.messages.size() == 3000; }));
  other.came.Change([](auto& c) {
    for (int i = 0; i < 3000; ++i)
      EXPECT_EQ(c.messages[static_cast<size_t>(i)].credit_bytes, i + 1);
  });
  for (uint32_t i = 1; i <= 3000; ++i) other.end->Send(Records(i, i % 7));
  ASSERT_TRUE(stream.came.Wait([](const auto& c) { return c.messages.size() == 3000; }));
  stream.came.Change([](auto& c) {
    for (uint32_t i = 0; i < 3000; ++i) {
      EXPECT_EQ(c.messages[i].records.at(0).handle, i + 1);
      EXPECT_EQ(c.messages[i].records.at(0).records, std::string((i + 1) % 7, 'r'));
    }
  });
  EXPECT_EQ(follower.network.counts().opened, 1);
  EXPECT_EQ(leader.network.counts().accepted, 1);
}

TEST(GrpcStreamNetwork, BringsLargeMessagesWhole) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  StreamTestFollower stream(follower, leader);
  StreamTestLeader& other = leader.Accepted(0);
  const std::vector<size_t> sizes = {
      1, 16'384, 65'536, 1 << 20, 20 << 20, static_cast<size_t>(100 << 20), 2047};
  for (size_t i = 0; i < sizes.size(); ++i) {
    other.end->Send(
        Records(static_cast<FollowHandle>(i + 1), sizes[i], static_cast<char>('a' + i)));
    ASSERT_TRUE(stream.came.Wait([&](const auto& c) { return c.messages.size() == i + 1; }));
    stream.came.Change([&](auto& c) {
      const absl::string_view records = c.messages[i].records.at(0).records;
      EXPECT_TRUE(records == std::string(sizes[i], static_cast<char>('a' + i))) << sizes[i];
      c.messages[i] = {};
    });
  }
}

TEST(GrpcStreamNetwork, RefusesWithAReason) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  const auto refused = [&](std::string cluster, BrokerId to) {
    StreamTestFollower stream(follower, leader, {std::move(cluster), to, BrokerId(2), 22, 3});
    return stream.Closed();
  };
  follower.addresses[BrokerId(9)] = leader.address();
  const absl::Status other_cluster = refused("d", BrokerId(1));
  EXPECT_TRUE(absl::IsFailedPrecondition(other_cluster)) << other_cluster;
  EXPECT_EQ(other_cluster.message(),
            "replication stream to broker 1: replication stream: expected cluster c, came d");
  const absl::Status other_broker = refused("c", BrokerId(9));
  EXPECT_TRUE(absl::IsFailedPrecondition(other_broker)) << other_broker;
  EXPECT_EQ(other_broker.message(),
            "replication stream to broker 9: replication stream: expected a stream to broker 1, "
            "which this is, came one to broker 9");
  leader.refuse_with = absl::PermissionDeniedError("not you");
  EXPECT_TRUE(absl::IsPermissionDenied(refused("c", BrokerId(1))));
  leader.network.SetAccept(nullptr);
  EXPECT_TRUE(absl::IsUnavailable(refused("c", BrokerId(1))));
  EXPECT_EQ(leader.network.counts().refused, 4);
  EXPECT_EQ(leader.network.counts().accepted, 0);
}

TEST(GrpcStreamNetwork, IsUnavailableWhereNobodyIs) {
  StreamTestNode follower(2);
  uint16_t port = 0;
  { port = StreamTestNode(1).port(); }  // free again
  StreamTestFollower unknown(follower, {"c", BrokerId(1), BrokerId(2), 22, 3});
  EXPECT_TRUE(absl::IsUnavailable(unknown.Closed()));
  follower.addresses[BrokerId(1)] = absl::StrCat("127.0.0.1:", port);
  StreamTestFollower stream(follower, {"c", BrokerId(1), BrokerId(2), 22, 3});
  EXPECT_TRUE(absl::IsUnavailable(stream.Closed()));
}

TEST(GrpcStreamNetwork, TellsTheOtherEndWhy) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  StreamTestFollower first(follower, leader);
  first.end->Close(absl::AbortedError("had enough"));
  EXPECT_EQ(leader.Accepted(0).Closed(), absl::AbortedError("had enough"));
  StreamTestFollower second(follower, leader);
  StreamTestLeader& other = leader.Accepted(1);
  other.end->Close(absl::NotFoundError("not here"));
  EXPECT_EQ(second.Closed(), absl::NotFoundError("replication stream to broker 1: not here"));
  StreamTestFollower third(follower, leader);
  leader.Accepted(2).end = nullptr;
  EXPECT_TRUE(absl::IsUnavailable(third.Closed()));
  StreamTestFollower fourth(follower, leader);
  fourth.end = nullptr;
  EXPECT_TRUE(absl::IsUnavailable(leader.Accepted(3).Closed()));
  // Who closes is told nothing.
  EXPECT_FALSE(first.came.Get().closed.has_value());
  EXPECT_FALSE(other.came.Get().closed.has_value());
}

TEST(GrpcStreamNetwork, BreaksWithTheLeadersListener) {
  auto leader = std::make_unique<StreamTestNode>(1);
  StreamTestNode follower(2);
  follower.Knows(*leader);
  StreamTestFollower stream(follower, *leader);
  StreamTestLeader& other = leader->Accepted(0);
  leader->listener->Shutdown(0);
  EXPECT_TRUE(absl::IsUnavailable(stream.Closed()));
  EXPECT_TRUE(absl::IsUnavailable(other.Closed()));
  stream.end->Send(Credit(1));  // nothing happens
  other.end->Send(Records(1, 10));
  leader.reset();
  leader = std::make_unique<StreamTestNode>(1);
  follower.Knows(*leader);
  StreamTestFollower again(follower, *leader);
  leader->Accepted(0).end->Send(Records(1, 10));
  EXPECT_TRUE(again.came.Wait([](const auto& c) { return c.messages.size() == 1; }));
}

TEST(GrpcStreamNetwork, BreaksWhenTheOtherEndIsPaused) {
  StreamTestNode leader(1), follower(2);
  StreamTestRelay relay(leader.port());
  follower.addresses[BrokerId(1)] = relay.address();
  StreamTestFollower stream(follower, leader);
  StreamTestLeader& other = leader.Accepted(0);
  other.end->Send(Records(1, 10));
  ASSERT_TRUE(stream.came.Wait([](const auto& c) { return c.messages.size() == 1; }));
  relay.Pause();
  for (FollowHandle i = 0; i < 20; ++i) other.end->Send(Records(2, 1 << 20));
  EXPECT_TRUE(absl::IsUnavailable(stream.Closed()));  // found with pings
  relay.Cut();
  EXPECT_TRUE(absl::IsUnavailable(other.Closed()));
}

TEST(GrpcStreamNetwork, EndsAStreamWhoseReaderIsStuckWhenTooMuchWaits) {
  StreamOptions options;
  options.queue_bytes_max = 10 << 20;
  options.linger_ms = 50;
  StreamTestNode leader(1, options), follower(2);
  StreamTestRelay relay(leader.port());
  follower.addresses[BrokerId(1)] = relay.address();
  StreamTestFollower stream(follower, leader);
  StreamTestLeader& other = leader.Accepted(0);
  relay.Pause();
  for (int i = 0; i < 100 && !other.came.Get().closed.has_value(); ++i) {
    other.end->Send(Records(1, 1 << 20));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(other.Closed()));
}

TEST(GrpcStreamNetwork, EndsAStreamThatSendsTooMuchAtOnce) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  StreamTestFollower stream(follower, leader);
  StreamTestLeader& other = leader.Accepted(0);
  FollowerMessage message;
  message.drop.resize(kStreamPartitionsMax + 1, 1);
  stream.end->Send(std::move(message));
  EXPECT_TRUE(absl::IsInvalidArgument(stream.Closed()));
  EXPECT_TRUE(absl::IsInvalidArgument(other.Closed()));
}

TEST(GrpcStreamNetwork, FiftyStreamsAtOnce) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  std::vector<std::unique_ptr<StreamTestFollower>> streams;
  for (uint32_t i = 0; i < 50; ++i) {
    streams.push_back(std::make_unique<StreamTestFollower>(
        follower, StreamHello{"c", BrokerId(1), BrokerId(2), 22, i}));
  }
  for (size_t i = 0; i < 50; ++i) {
    StreamTestLeader& other = leader.Accepted(i);
    for (FollowHandle n = 0; n < 10; ++n) other.end->Send(Records(1 + other.hello.shard, 100'000));
  }
  for (size_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(streams[i]->came.Wait([](const auto& c) { return c.messages.size() == 10; }));
    streams[i]->came.Change([i](auto& c) {
      for (const LeaderMessage& m : c.messages) EXPECT_EQ(m.records.at(0).handle, i + 1);
    });
  }
}

// --- closing while much happens ------------------------------------------------------------------

TEST(GrpcStreamNetwork, ClosesFromWithinACallback) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  for (int i = 0; i < 50; ++i) {
    Watched<int> calls;
    std::mutex mutex;
    std::shared_ptr<FollowerEnd> end;
    FollowerEnd::Listener listener;
    listener.on_message = [&](LeaderMessage) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        end->Close(absl::OkStatus());
      }
      calls.Change([](int& n) { ++n; });
    };
    listener.on_closed = [&](const absl::Status&) { calls.Change([](int& n) { n += 100; }); };
    {
      const std::lock_guard<std::mutex> lock(mutex);
      end = follower.network.Open({"c", BrokerId(1), BrokerId(2), 22, 0}, std::move(listener));
    }
    StreamTestLeader& other = leader.Accepted(static_cast<size_t>(i));
    for (int n = 0; n < 5; ++n) other.end->Send(Records(1, 10));
    ASSERT_TRUE(calls.Wait([](int n) { return n > 0; }));
    (void)other.Closed();
    end = nullptr;
    EXPECT_EQ(calls.Get(), 1);
  }
}

// What a callback uses may go as soon as Close has returned.
TEST(GrpcStreamNetwork, CallsNobodyBackAfterClose) {
  StreamTestNode leader(1), follower(2);
  follower.Knows(leader);
  for (int i = 0; i < 200; ++i) {
    auto used = std::make_unique<Watched<int>>();
    FollowerEnd::Listener listener;
    listener.on_message = [u = used.get()](LeaderMessage) { u->Change([](int& n) { ++n; }); };
    listener.on_closed = [u = used.get()](const absl::Status&) { u->Change([](int& n) { ++n; }); };
    auto end = follower.network.Open({"c", BrokerId(1), BrokerId(2), 22, 0}, std::move(listener));
    StreamTestLeader& other = leader.Accepted(static_cast<size_t>(i));
    for (int n = 0; n < 20; ++n) other.end->Send(Records(1, 100));
    std::thread closer;
    if (i % 3 == 0) closer = std::thread([&] { other.end->Close(absl::OkStatus()); });
    EXPECT_TRUE(i % 2 == 0 || used->Wait([](int n) { return n > 0; }));
    end->Close(absl::OkStatus());
    used.reset();
    if (closer.joinable()) closer.join();
    if (i % 5 == 0) end->Send(Credit(1));
  }
}

TEST(GrpcStreamNetwork, ShutsDownWhileMuchIsUnderWay) {
  for (int i = 0; i < 20; ++i) {
    StreamTestNode leader(1), follower(2);
    follower.Knows(leader);
    std::vector<std::unique_ptr<StreamTestFollower>> streams;
    for (uint32_t n = 0; n < 4; ++n) {
      streams.push_back(std::make_unique<StreamTestFollower>(follower, leader));
      for (int m = 0; m < 50; ++m) streams.back()->end->Send(Credit(m));
    }
    if (i % 2 == 0) {
      StreamTestLeader& other = leader.Accepted(0);
      for (int n = 0; n < 20; ++n) other.end->Send(Records(1, 100'000));
    }
    std::thread opener([&] { StreamTestFollower late(follower, leader); });
    (i % 4 < 2 ? leader : follower).network.Shutdown();
    opener.join();
    for (const auto& stream : streams) {
      EXPECT_EQ(stream->Closed().code(), absl::StatusCode::kUnavailable) << stream->Closed();
    }
  }
}

}  // namespace
}  // namespace weir::replication
