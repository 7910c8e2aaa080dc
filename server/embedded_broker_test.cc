#include "server/embedded_broker.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/admin.h"
#include "client/producer.h"
#include "client/system_cluster.h"
#include "gtest/gtest.h"
#include "server/read_values.h"

namespace weir::server {
namespace {

using Options = EmbeddedBroker::Options;

std::unique_ptr<EmbeddedBroker> StartOrDie(Options options = {}) {
  const auto before = std::chrono::steady_clock::now();
  absl::StatusOr<std::unique_ptr<EmbeddedBroker>> broker = EmbeddedBroker::Start(options);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - before;
  if (!broker.ok()) {
    ADD_FAILURE() << broker.status();
    std::abort();
  }
  std::printf("ready on %s after %.1f ms\n", (*broker)->bootstrap_servers().c_str(), took.count());
  return *std::move(broker);
}

// One client's view of one broker.
class Client {
 public:
  explicit Client(const EmbeddedBroker& broker) {
    auto system = client::SystemCluster::Create({.bootstrap_servers = broker.bootstrap_servers()});
    EXPECT_TRUE(system.ok()) << system.status();
    system_ = *std::move(system);
  }

  void Send(absl::string_view topic, absl::string_view value) {
    client::Producer producer(system_->cluster(), {});
    absl::Status delivered = absl::UnknownError("the callback did not run");
    ASSERT_TRUE(producer
                    .Send({.topic = topic, .value = value},
                          [&](const client::Delivery& delivery) { delivered = delivery.status; })
                    .ok());
    ASSERT_TRUE(producer.Flush(10'000).ok());
    ASSERT_TRUE(delivered.ok()) << delivered;
  }

  std::vector<std::string> Read(const std::string& topic, size_t count) {
    return ReadValues(system_->cluster(), topic, count);
  }

  std::vector<std::string> Topics() {
    std::vector<std::string> names;
    auto topics = client::Admin(system_->cluster()).ListTopics();
    EXPECT_TRUE(topics.ok()) << topics.status();
    if (topics.ok()) {
      for (const auto& topic : *topics) names.push_back(*topic.name);
    }
    return names;
  }

  client::Cluster& cluster() { return system_->cluster(); }

 private:
  std::unique_ptr<client::SystemCluster> system_;
};

TEST(EmbeddedBrokerTest, ServesClientsAndLeavesNothingBehind) {
  const std::unique_ptr<EmbeddedBroker> broker = StartOrDie();
  const std::string directory = broker->data_directory();
  EXPECT_TRUE(std::filesystem::exists(directory + "/meta.properties"));
  Client client(*broker);
  client.Send("greetings", "hello");
  client.Send("greetings", "again");
  EXPECT_EQ(client.Read("greetings", 2), (std::vector<std::string>{"hello", "again"}));

  EXPECT_EQ(broker->Stop(), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(directory));
  EXPECT_EQ(broker->Stop(), absl::OkStatus());
}

TEST(EmbeddedBrokerTest, StartedAgainOnItsFolderItHasWhatItHad) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/kept");
  {
    const std::unique_ptr<EmbeddedBroker> broker = StartOrDie({.data_directory = directory});
    Client(*broker).Send("greetings", "kept");
  }
  const std::unique_ptr<EmbeddedBroker> broker = StartOrDie({.data_directory = directory});
  EXPECT_EQ(Client(*broker).Read("greetings", 1), std::vector<std::string>{"kept"});
  EXPECT_EQ(broker->Stop(), absl::OkStatus());
  EXPECT_TRUE(std::filesystem::exists(directory + "/.kafka_cleanshutdown"));
}

TEST(EmbeddedBrokerTest, SeveralInOneProcessKnowNothingOfEachOther) {
  const std::unique_ptr<EmbeddedBroker> one = StartOrDie();
  const std::unique_ptr<EmbeddedBroker> two = StartOrDie({.config = {{"weir.reactors", "2"}}});
  ASSERT_NE(one->port(), two->port());
  Client(*one).Send("of-one", "1");
  Client(*two).Send("of-two", "2");
  EXPECT_EQ(Client(*one).Topics(), std::vector<std::string>{"of-one"});
  EXPECT_EQ(Client(*two).Topics(), std::vector<std::string>{"of-two"});
  EXPECT_EQ(two->Stop(), absl::OkStatus());
  Client(*one).Send("of-one", "still there");
}

TEST(EmbeddedBrokerTest, LiesInMemoryIfAsked) {
  if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP() << "no /dev/shm here";
  const std::unique_ptr<EmbeddedBroker> broker = StartOrDie({.in_memory = true});
  EXPECT_TRUE(absl::StartsWith(broker->data_directory(), "/dev/shm/"));
  Client client(*broker);
  client.Send("t", "v");
  EXPECT_EQ(client.Read("t", 1), std::vector<std::string>{"v"});
}

TEST(EmbeddedBrokerTest, TakesKafkasConfiguration) {
  const std::unique_ptr<EmbeddedBroker> broker = StartOrDie({.config = {{"num.partitions", "3"}}});
  Client client(*broker);
  client.Send("wide", "v");
  auto topics = client::Admin(client.cluster()).ListTopics();
  ASSERT_TRUE(topics.ok()) << topics.status();
  ASSERT_EQ(topics->size(), 1u);
  EXPECT_EQ(topics->front().partitions.size(), 3u);
}

TEST(EmbeddedBrokerTest, TellsOfEachTopicThatIsAskedForOnce) {
  const std::unique_ptr<EmbeddedBroker> broker = StartOrDie();
  Client client(*broker);
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    names.push_back(absl::StrCat("a-topic-with-a-rather-long-name-", i));
    client.Send(names.back(), "v");
  }
  for (int i = 0; i < 20; ++i) names.push_back(names[static_cast<size_t>(i)]);
  const auto topics = client::Admin(client.cluster()).DescribeTopics(names);
  ASSERT_TRUE(topics.ok()) << topics.status();
  EXPECT_EQ(topics->size(), 20u);
}

TEST(EmbeddedBrokerTest, SaysWhatIsWrongWithAConfiguration) {
  const auto refused = EmbeddedBroker::Start({.config = {{"num.partition", "3"}}});
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(absl::StrContains(refused.status().message(), "did you mean 'num.partitions'"))
      << refused.status();
}

TEST(EmbeddedBrokerTest, RefusesAPortOrAFolderInUse) {
  const std::string directory = absl::StrCat(testing::TempDir(), "/used");
  const std::unique_ptr<EmbeddedBroker> first = StartOrDie({.data_directory = directory});
  const auto same_port = EmbeddedBroker::Start({.port = first->port()});
  EXPECT_TRUE(absl::IsAlreadyExists(same_port.status())) << same_port.status();
  const auto same_folder = EmbeddedBroker::Start({.data_directory = directory});
  EXPECT_TRUE(absl::IsUnavailable(same_folder.status())) << same_folder.status();
  Client(*first).Send("t", "still served");
}

TEST(EmbeddedBrokerTest, LogsIntoTheSinkAndElseNowhere) {
  std::mutex mutex;
  std::vector<std::string> lines;
  testing::internal::CaptureStderr();
  {
    const auto silent = StartOrDie();
    const auto heard = StartOrDie({.log_sink = [&](absl::string_view line) {
      std::lock_guard<std::mutex> lock(mutex);
      lines.emplace_back(line);
    }});
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_FALSE(lines.empty());
  EXPECT_TRUE(absl::StartsWith(lines.front(), "INFO poller: ")) << lines.front();
}

}  // namespace
}  // namespace weir::server
