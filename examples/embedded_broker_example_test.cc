// How to test code that talks to Kafka: against a broker inside the test, ready in milliseconds.
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "client/system_cluster.h"
#include "gtest/gtest.h"
#include "server/embedded_broker.h"

namespace {

using weir::client::ConsumedRecords;
using weir::client::Consumer;
using weir::client::ConsumerRecord;
using weir::client::OffsetReset;
using weir::client::Producer;
using weir::client::SystemCluster;
using weir::client::TopicAndPartition;
using weir::server::EmbeddedBroker;

// The code under test: how often each key is in partition 0 of a topic.
absl::StatusOr<std::map<std::string, int>> CountByKey(const std::string& bootstrap_servers,
                                                      const std::string& topic) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<SystemCluster> system,
                        SystemCluster::Create({.bootstrap_servers = bootstrap_servers}));
  Consumer consumer(system->cluster(), {.auto_offset_reset = OffsetReset::kEarliest});
  const TopicAndPartition partition{topic, 0};
  consumer.Assign({&partition, 1});
  std::map<std::string, int> counts;
  while (!consumer.AtEnd()) {
    WEIR_ASSIGN_OR_RETURN(const ConsumedRecords records, consumer.Poll(/*timeout_ms=*/1'000));
    for (const ConsumerRecord& record : records) ++counts[std::string(record.key.value_or(""))];
  }
  return counts;
}

class CountByKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    // A broker for each test, so that no test sees what another left.
    auto started = EmbeddedBroker::Start({.config = {{"num.partitions", "1"}}});
    ASSERT_TRUE(started.ok()) << started.status();
    broker_ = *std::move(started);
    auto system = SystemCluster::Create({.bootstrap_servers = broker_->bootstrap_servers()});
    ASSERT_TRUE(system.ok()) << system.status();
    system_ = *std::move(system);
  }

  void Send(Producer& producer, const std::string& key) {
    ASSERT_TRUE(producer.Send({.topic = "visits", .key = key, .value = "v"}).ok());
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<SystemCluster> system_;
};

TEST_F(CountByKeyTest, CountsWhatWasSent) {
  Producer producer(system_->cluster(), {});
  for (const char* key : {"ada", "bob", "ada"}) Send(producer, key);
  ASSERT_TRUE(producer.Flush(10'000).ok());

  const auto counts = CountByKey(broker_->bootstrap_servers(), "visits");
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(*counts, (std::map<std::string, int>{{"ada", 2}, {"bob", 1}}));
}

TEST_F(CountByKeyTest, FindsNothingInAnEmptyTopic) {
  ASSERT_TRUE(system_->cluster().Refresh({"visits"}, system_->cluster().Deadline()).ok());
  const auto counts = CountByKey(broker_->bootstrap_servers(), "visits");
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_TRUE(counts->empty());
}

}  // namespace
