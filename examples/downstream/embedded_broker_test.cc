// Starts a broker in the test's own process and writes a record to it.
#include "server/embedded_broker.h"

#include "absl/status/status.h"
#include "client/producer.h"
#include "client/system_cluster.h"
#include "gtest/gtest.h"

namespace {

TEST(EmbeddedBrokerTest, KeepsARecord) {
  const auto broker = weir::server::EmbeddedBroker::Start();
  ASSERT_TRUE(broker.ok()) << broker.status();
  const auto system =
      weir::client::SystemCluster::Create({.bootstrap_servers = (*broker)->bootstrap_servers()});
  ASSERT_TRUE(system.ok()) << system.status();

  weir::client::Producer producer((*system)->cluster(), {});
  absl::Status delivered = absl::UnknownError("not yet");
  ASSERT_TRUE(producer
                  .Send({.topic = "greetings", .value = "hello"},
                        [&](const weir::client::Delivery& d) { delivered = d.status; })
                  .ok());
  ASSERT_TRUE(producer.Flush(10'000).ok());
  EXPECT_EQ(delivered, absl::OkStatus());
}

}  // namespace
