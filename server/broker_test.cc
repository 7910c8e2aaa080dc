// The broker as its clients see it, from outside: many connections, hostile ones, topics that come
// and go.
#include "server/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/random.h"
#include "base/uuid.h"
#include "client/admin.h"
#include "client/producer.h"
#include "client/system_cluster.h"
#include "gtest/gtest.h"
#include "log/partition_metadata.h"
#include "log/posix_file.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/get_telemetry_subscriptions.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/produce.h"
#include "protocol/describe.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "server/embedded_broker.h"

namespace weir::server {
namespace {

// A TCP connection to the broker, which the test reads and writes byte by byte.
class Peer {
 public:
  explicit Peer(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    const int connected =
        ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    EXPECT_TRUE(connected == 0 || errno == EINPROGRESS) << errno;
  }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Peer& operator=(Peer&&) = delete;
  ~Peer() {
    if (fd_ >= 0) ::close(fd_);
  }

  // Waits until the connection is there.
  void Establish() {
    ::fcntl(fd_, F_SETFL, 0);
    const timeval patience{30, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    char nothing = 0;
    (void)::send(fd_, &nothing, 0, MSG_NOSIGNAL);
  }
  bool Send(absl::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Fewer where the broker closes the connection first.
  std::string Receive(size_t count) {
    std::string bytes(count, '\0');
    size_t got = 0;
    while (got < count) {
      const ssize_t n = ::recv(fd_, &bytes[got], count - got, 0);
      // With a time-out of its own, recv ends when the process is stopped and goes on.
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    bytes.resize(got);
    return bytes;
  }
  // Whether it answers an ApiVersions request, of version 0.
  bool IsServed() {
    if (!Send(absl::string_view("\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff", 14))) return false;
    const std::string length = Receive(4);
    if (length.size() != 4) return false;
    const std::string body = Receive(LoadBig32(length.data()));
    return absl::StartsWith(body, absl::string_view("\0\0\0\x07", 4));
  }
  // The body of the answer to a whole request without its length.
  std::string Ask(absl::string_view request) {
    char length[4];
    StoreBig32(length, static_cast<uint32_t>(request.size()));
    if (!Send(absl::StrCat(absl::string_view(length, 4), request))) return "";
    const std::string answer = Receive(4);
    return answer.size() < 4 ? "" : Receive(LoadBig32(answer.data()));
  }
  // How often the handshake had to be repeated, which costs a second and more.
  int Retransmissions() const {
    tcp_info info{};
    socklen_t length = sizeof(info);
    EXPECT_EQ(::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return static_cast<int>(info.tcpi_total_retrans);
  }

 private:
  int fd_;
};

// No request, one way or another.
std::string Garbage(Random& random) {
  std::string bytes(1 + random.Below(200), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
  // Of random lengths, few are small enough to be waited for: half are well framed.
  if (random.Below(2) == 0) {
    bytes.resize(24, 'x');
    bytes.replace(0, 4, "\0\0\0\x14", 4);
  } else {
    bytes.insert(bytes.begin(), '\x7f');
    bytes.resize(std::max<size_t>(bytes.size(), 4), 'x');
  }
  return bytes;
}

size_t DescriptorsLeft() {
  rlimit limit{};
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<size_t>(limit.rlim_cur) - 200;
}

TEST(BrokerTest, TakesAThousandConnectionsAtOnceWithoutARepeatedHandshake) {
  const auto broker = EmbeddedBroker::Start({.config = {{"weir.reactors", "2"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  const size_t count = std::min<size_t>(1000, DescriptorsLeft() / 2);
  std::vector<Peer> peers;
  for (size_t i = 0; i < count; ++i) peers.emplace_back((*broker)->port());
  for (Peer& peer : peers) peer.Establish();
  int retransmissions = 0;
  for (Peer& peer : peers) {
    ASSERT_TRUE(peer.IsServed());
    retransmissions += peer.Retransmissions();
  }
  EXPECT_EQ(retransmissions, 0);
}

TEST(BrokerTest, RefusesConnectionsBeyondTheMostAndTakesOthersLater) {
  const auto broker = EmbeddedBroker::Start({.config = {{"max.connections", "5"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  std::vector<Peer> peers;
  for (int i = 0; i < 5; ++i) {
    peers.emplace_back((*broker)->port());
    peers.back().Establish();
    ASSERT_TRUE(peers.back().IsServed());
  }
  Peer refused((*broker)->port());
  refused.Establish();
  EXPECT_FALSE(refused.IsServed());
  EXPECT_TRUE(peers.front().IsServed());
  peers.pop_back();
  bool served = false;
  for (int i = 0; i < 10'000 && !served; ++i) {  // the broker has to see that one went
    Peer next((*broker)->port());
    next.Establish();
    served = next.IsServed();
  }
  EXPECT_TRUE(served);
}

TEST(BrokerTest, GarbageOnManyConnectionsNeitherStopsItNorFloodsItsLog) {
  std::mutex mutex;
  std::vector<std::string> lines;
  auto broker = EmbeddedBroker::Start({.log_sink = [&](absl::string_view line) {
    std::lock_guard<std::mutex> lock(mutex);
    lines.emplace_back(line);
  }});
  ASSERT_TRUE(broker.ok()) << broker.status();
  SeededRandom random(1);
  for (int round = 0; round < 6; ++round) {
    std::vector<Peer> peers;
    for (int i = 0; i < 50; ++i) peers.emplace_back((*broker)->port());
    for (Peer& peer : peers) {
      peer.Establish();
      (void)peer.Send(Garbage(random));
    }
    for (Peer& peer : peers) EXPECT_EQ(peer.Receive(1), "");
  }
  Peer good((*broker)->port());
  good.Establish();
  EXPECT_TRUE(good.IsServed());
  ASSERT_TRUE((*broker)->Stop().ok());

  std::lock_guard<std::mutex> lock(mutex);
  EXPECT_LT(lines.size(), 60u);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return absl::StrContains(line, "more connections closed for what they sent");
  })) << lines.back();
}

// Sends record after record until one is refused or the broker is gone.
void SendUntilRefused(const EmbeddedBroker& broker, std::atomic<int>* acknowledged) {
  auto system = client::SystemCluster::Create({.bootstrap_servers = broker.bootstrap_servers()});
  ASSERT_TRUE(system.ok());
  client::Producer producer((*system)->cluster(),
                            {.linger_ms = 0, .max_block_ms = 2'000, .delivery_timeout_ms = 2'000});
  bool refused = false;
  while (!refused) {
    const absl::Status sent =
        producer.Send({.topic = "t", .value = "v"}, [&](const client::Delivery& delivery) {
          if (delivery.status.ok()) {
            ++*acknowledged;
          } else {
            refused = true;
          }
        });
    if (!sent.ok()) break;
    producer.Flush(2'000).IgnoreError();
  }
}

class FolderTest : public testing::TestWithParam<const char*> {};

// What is removed under load: the broker says so and ends its service, instead of acknowledging
// what nobody will find again.
TEST_P(FolderTest, WhatIsRemovedUnderTheBrokerEndsItsService) {
  std::mutex mutex;
  std::string lines;
  const std::string directory = absl::StrCat(testing::TempDir(), "removed", GetParam());
  const auto broker =
      EmbeddedBroker::Start({.data_directory = directory, .log_sink = [&](absl::string_view line) {
                               std::lock_guard<std::mutex> lock(mutex);
                               absl::StrAppend(&lines, line, "\n");
                             }});
  ASSERT_TRUE(broker.ok()) << broker.status();
  std::atomic<int> acknowledged{0};
  std::thread sender([&] { SendUntilRefused(**broker, &acknowledged); });
  while (acknowledged < 100) std::this_thread::yield();
  log::PosixFileSystem files;
  ASSERT_TRUE(files.RemoveRecursively(absl::StrCat(directory, GetParam())).ok());
  const int before = acknowledged;
  sender.join();
  // Each flush looks whether its file is still there: one may have been under way.
  EXPECT_LE(acknowledged, before + 1);
  const absl::Status stopped = (*broker)->Stop();
  EXPECT_TRUE(absl::StrContains(stopped.message(), directory)) << stopped;
  EXPECT_FALSE(files.Exists(directory + "/.kafka_cleanshutdown"));
  std::lock_guard<std::mutex> lock(mutex);
  EXPECT_TRUE(absl::StrContains(lines, "ERROR the data folder ")) << lines;
}

INSTANTIATE_TEST_SUITE_P(All, FolderTest, testing::Values("", "/t-0"));

// A request in the newest version, and the answer with its correlation id.
template <class Message>
std::string AskNewest(Peer& peer, const Message& request) {
  const int16_t version = Message::kApi.versions.max;
  std::string frame;
  protocol::EncodeRequestHeader({Message::kApi.key, version, 7, "test"}, 2, &frame);
  protocol::Encode(request, version, &frame);
  return peer.Ask(frame);
}

// As AskNewest, decoded; nothing where the broker closed the connection.
template <class Response, class Message>
std::optional<Response> Answer(Peer& peer, const Message& request) {
  const std::string answer = AskNewest(peer, request);
  if (answer.size() < 5) return std::nullopt;  // correlation id, no tags
  auto response =
      protocol::Decode<Response>(absl::string_view(answer).substr(5), Message::kApi.versions.max);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? std::optional<Response>(*std::move(response)) : std::nullopt;
}

// The cleanup.policy of __consumer_offsets.
std::string PolicyOfOffsets(Peer& peer) {
  protocol::DescribeConfigsRequest request;
  for (int i = 0; i < 1000; ++i) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = protocol::kTopicResource;
    resource.resource_name = "__consumer_offsets";
    resource.configuration_keys = {{"cleanup.policy"}};
  }
  const auto described = Answer<protocol::DescribeConfigsResponse>(peer, request);
  if (!described.has_value() || described->results.size() != 1) return "not one answer";
  const auto& configs = described->results[0].configs;
  return configs.size() == 1 ? configs[0].value.value_or("") : "";
}

TEST(BrokerTest, ClientsNeitherMakeInternalTopicsAsTheirOwnNorWriteThem) {
  const auto broker = EmbeddedBroker::Start(
      {.config = {{"weir.reactors", "2"}, {"offsets.topic.num.partitions", "3"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  Peer peer((*broker)->port());
  peer.Establish();
  protocol::MetadataRequest asked;
  asked.topics.emplace();
  for (const char* name : {"__consumer_offsets", "__transaction_state", "mine"}) {
    asked.topics->emplace_back().name = name;
  }
  const auto metadata = Answer<protocol::MetadataResponse>(peer, asked);
  ASSERT_TRUE(metadata.has_value());
  ASSERT_EQ(metadata->topics.size(), 3u);
  EXPECT_EQ(metadata->topics[0].error_code, 0);
  EXPECT_EQ(metadata->topics[0].partitions.size(), 3u);
  EXPECT_EQ(metadata->topics[1].error_code, 3);  // UNKNOWN_TOPIC_OR_PARTITION
  EXPECT_EQ(metadata->topics[2].error_code, 0);
  EXPECT_EQ(PolicyOfOffsets(peer), "compact");

  protocol::ProduceRequest produce;
  produce.acks = 1;
  produce.topic_data.resize(1);
  produce.topic_data[0].topic_id = metadata->topics[0].topic_id;
  produce.topic_data[0].partition_data.resize(1);
  const auto produced = Answer<protocol::ProduceResponse>(peer, produce);
  ASSERT_TRUE(produced.has_value());
  EXPECT_EQ(produced->responses[0].partition_responses[0].error_code,
            17);  // INVALID_TOPIC_EXCEPTION
}

TEST(BrokerTest, GroupsStayWhereTheyAreWhenTheirTopicGetsMorePartitions) {
  const auto broker = EmbeddedBroker::Start({.config = {{"offsets.topic.num.partitions", "2"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  Peer peer((*broker)->port());
  peer.Establish();
  protocol::MetadataRequest topics;
  topics.topics.emplace();
  for (const char* name : {"__consumer_offsets", "t"}) topics.topics->emplace_back().name = name;
  const auto metadata = Answer<protocol::MetadataResponse>(peer, topics);
  ASSERT_TRUE(metadata.has_value());
  const auto committed = [&](int group) -> int64_t {
    protocol::OffsetFetchRequest fetch;
    fetch.groups.resize(1);
    fetch.groups[0].group_id = absl::StrCat("group", group);
    fetch.groups[0].topics.emplace().resize(1);
    (*fetch.groups[0].topics)[0].topic_id = metadata->topics[1].topic_id;
    (*fetch.groups[0].topics)[0].partition_indexes = {0};
    const auto found = Answer<protocol::OffsetFetchResponse>(peer, fetch);
    return found.has_value() ? found->groups[0].topics[0].partitions[0].committed_offset : -2;
  };
  constexpr int kGroups = 10;
  for (int i = 0; i < kGroups; ++i) {
    protocol::OffsetCommitRequest commit;
    commit.group_id = absl::StrCat("group", i);
    commit.topics.resize(1);
    commit.topics[0].topic_id = metadata->topics[1].topic_id;
    commit.topics[0].partitions.resize(1);
    commit.topics[0].partitions[0].committed_offset = 5;
    ASSERT_TRUE(Answer<protocol::OffsetCommitResponse>(peer, commit).has_value());
    EXPECT_EQ(committed(i), 5) << i;
  }
  protocol::CreatePartitionsRequest more;
  more.topics.resize(1);
  more.topics[0].name = "__consumer_offsets";
  more.topics[0].count = 7;
  more.topics[0].assignments = std::nullopt;
  const auto grown = Answer<protocol::CreatePartitionsResponse>(peer, more);
  ASSERT_TRUE(grown.has_value());
  ASSERT_EQ(grown->results[0].error_code, 0);
  for (int i = 0; i < kGroups; ++i) EXPECT_EQ(committed(i), 5) << i;
}

TEST(BrokerTest, TheLongestTopicNameMakesWayForItsNextTopic) {
  const auto broker = EmbeddedBroker::Start();
  ASSERT_TRUE(broker.ok()) << broker.status();
  auto system =
      client::SystemCluster::Create({.bootstrap_servers = (*broker)->bootstrap_servers()});
  ASSERT_TRUE(system.ok());
  client::Admin admin((*system)->cluster());
  const std::string name(249, 'n');
  for (int i = 0; i < 3; ++i) {
    const client::NewTopic topic{.name = name};
    const auto made = admin.CreateTopics({&topic, 1});
    ASSERT_TRUE(made.ok() && made->front().status.ok());
    EXPECT_TRUE(std::filesystem::exists(
        absl::StrCat((*broker)->data_directory(), "/", name, "-0/partition.metadata")));
    ASSERT_TRUE(admin.DeleteTopics({name}).ok());
    EXPECT_FALSE(
        std::filesystem::exists(absl::StrCat((*broker)->data_directory(), "/", name, "-0")));
  }
}

TEST(BrokerTest, OffsetsAreOnlyCommittedForPartitionsThatThereAre) {
  const auto broker = EmbeddedBroker::Start();
  ASSERT_TRUE(broker.ok()) << broker.status();
  Peer peer((*broker)->port());
  peer.Establish();
  protocol::MetadataRequest topics;
  topics.topics.emplace();
  for (const char* name : {"__consumer_offsets", "t"}) topics.topics->emplace_back().name = name;
  const auto metadata = Answer<protocol::MetadataResponse>(peer, topics);
  ASSERT_TRUE(metadata.has_value());
  protocol::OffsetCommitRequest commit;
  commit.group_id = "group";
  commit.topics.resize(1);
  commit.topics[0].topic_id = metadata->topics[1].topic_id;
  for (const int32_t partition : {0, 99, -5}) {
    commit.topics[0].partitions.emplace_back().partition_index = partition;
  }
  const auto committed = Answer<protocol::OffsetCommitResponse>(peer, commit);
  ASSERT_TRUE(committed.has_value());
  ASSERT_EQ(committed->topics.size(), 1u);
  std::map<int32_t, int> errors;
  for (const auto& p : committed->topics[0].partitions) errors[p.partition_index] = p.error_code;
  EXPECT_EQ(errors, (std::map<int32_t, int>{{0, 0}, {99, 3}, {-5, 3}}));
}

TEST(BrokerTest, ARequestThatNamesPartitionsAgainAndAgainCostsItNoMoreThanItsConnection) {
  const auto broker = EmbeddedBroker::Start({.config = {{"weir.reactors", "2"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  Peer peer((*broker)->port());
  peer.Establish();
  protocol::MetadataRequest topics;
  topics.topics.emplace();
  topics.topics->emplace_back().name = "t";
  ASSERT_TRUE(Answer<protocol::MetadataResponse>(peer, topics).has_value());
  protocol::DescribeProducersRequest request;
  request.topics.resize(1);
  request.topics[0].name = "t";
  request.topics[0].partition_indexes = {0, 0, 1};
  const auto described = Answer<protocol::DescribeProducersResponse>(peer, request);
  ASSERT_TRUE(described.has_value());
  EXPECT_EQ(described->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(described->topics[0].partitions[1].error_code, 42);  // INVALID_REQUEST
  EXPECT_EQ(described->topics[0].partitions[2].error_code, 3);
  request.topics[0].partition_indexes.resize(1 << 20);
  EXPECT_EQ(AskNewest(peer, request), "");
  Peer next((*broker)->port());
  next.Establish();
  EXPECT_TRUE(next.IsServed());
}

TEST(BrokerTest, ClientsAreAskedForNoMetricsAndNotToldThatTheyMayAsk) {
  using protocol::GetTelemetrySubscriptionsResponse;
  const auto broker = EmbeddedBroker::Start();
  ASSERT_TRUE(broker.ok()) << broker.status();
  Peer peer((*broker)->port());
  peer.Establish();
  const auto ask = [&](const auto& request) { return AskNewest(peer, request); };
  protocol::GetTelemetrySubscriptionsRequest request;
  const std::string first = ask(request);
  ASSERT_GT(first.size(), 5u);  // correlation id, no tags
  const auto given =
      protocol::Decode<GetTelemetrySubscriptionsResponse>(absl::string_view(first).substr(5), 0);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->error_code, 0);
  EXPECT_FALSE(given->client_instance_id.is_zero());
  EXPECT_TRUE(given->requested_metrics.empty());
  EXPECT_EQ(given->push_interval_ms, 300'000);

  request.client_instance_id = given->client_instance_id;
  const std::string again = ask(request);
  const auto kept =
      protocol::Decode<GetTelemetrySubscriptionsResponse>(absl::string_view(again).substr(5), 0);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->client_instance_id, given->client_instance_id);

  protocol::ApiVersionsRequest versions;
  versions.client_software_name = versions.client_software_version = "test";
  const std::string answer = ask(versions);
  const auto told =
      protocol::Decode<protocol::ApiVersionsResponse>(absl::string_view(answer).substr(4), 4);
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_GT(told->api_keys.size(), 30u);
  for (const auto& api : told->api_keys) EXPECT_NE(api.api_key, 71);
}

// Two clients that know nothing of each other make and delete a topic as fast as they can: however
// these meet, no shard may touch the directory of another incarnation.
TEST(BrokerTest, ATopicThatIsMadeAgainHasDirectoriesOfItsOwn) {
  const auto broker = EmbeddedBroker::Start(
      {.config = {{"weir.reactors", "4"}, {"log.segment.delete.delay.ms", "3600000"}}});
  ASSERT_TRUE(broker.ok()) << broker.status();
  std::atomic<bool> done{false};
  const auto repeat = [&](auto ask) {
    auto system =
        client::SystemCluster::Create({.bootstrap_servers = (*broker)->bootstrap_servers()});
    ASSERT_TRUE(system.ok());
    client::Admin admin((*system)->cluster());
    while (!done) ask(admin);
  };
  std::thread deleter(
      [&] { repeat([](client::Admin& admin) { (void)admin.DeleteTopics({"again"}).status(); }); });
  std::atomic<int> made{0};
  std::thread maker([&] {
    repeat([&](client::Admin& admin) {
      const client::NewTopic topic{.name = "again", .partitions = 4};
      const auto outcome = admin.CreateTopics({&topic, 1});
      if (outcome.ok() && outcome->front().status.ok()) ++made;
      if (made == 50) done = true;
    });
  });
  maker.join();
  deleter.join();

  // Each incarnation that reached the shards has four directories, and each of these is its own.
  log::PosixFileSystem files;
  std::map<Uuid, int> directories;
  for (const auto& entry : std::filesystem::directory_iterator((*broker)->data_directory())) {
    const std::string name = entry.path().filename();
    EXPECT_FALSE(absl::EndsWith(name, "-stray")) << name;
    if (!absl::StartsWith(name, "again-")) continue;
    const auto owner = log::ReadPartitionMetadata(files, entry.path());
    ASSERT_TRUE(owner.ok()) << owner.status();
    ++directories[*owner];
    if (absl::EndsWith(name, "-delete")) {
      EXPECT_TRUE(absl::StrContains(name, owner->ToString())) << name << " " << owner->ToString();
    }
  }
  EXPECT_GT(directories.size(), 1u);
  for (const auto& [id, count] : directories) EXPECT_EQ(count, 4) << id.ToString();
}

}  // namespace
}  // namespace weir::server
