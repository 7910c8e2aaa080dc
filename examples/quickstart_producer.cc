// Sends ten stock orders to a topic, keyed by investor, and prints where each is kept.
//
//   bazel run //examples:quickstart_producer -- localhost:9092 orders
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/producer.h"
#include "client/system_cluster.h"

namespace {

using weir::client::Delivery;
using weir::client::Producer;
using weir::client::SystemCluster;

absl::Status Run(const std::string& bootstrap_servers, const std::string& topic) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<SystemCluster> system,
                        SystemCluster::Create({.bootstrap_servers = bootstrap_servers}));
  // acks=all and idempotent unless told otherwise: each order is kept once, in its order.
  Producer producer(system->cluster(), {.compression = weir::protocol::Codec::kZstd});
  absl::Status delivered;
  for (int i = 0; i < 10; ++i) {
    const std::string investor = absl::StrCat("investor-", i % 3);
    const std::string order =
        absl::StrCat("{\"order_id\":", i, ",\"asset_id\":\"ACME\",\"shares\":", 10 * (i + 1),
                     ",\"side\":\"", i % 2 == 0 ? "BUY" : "SELL", "\"}");
    WEIR_RETURN_IF_ERROR(producer.Send(
        {.topic = topic, .key = investor, .value = order}, [&, investor](const Delivery& d) {
          delivered.Update(d.status);
          if (!d.status.ok()) return;
          std::printf("%s -> partition %d, offset %lld\n", investor.c_str(), d.partition,
                      static_cast<long long>(d.offset.value()));
        }));
  }
  WEIR_RETURN_IF_ERROR(producer.Flush(/*timeout_ms=*/10'000));
  return delivered;
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      Run(argc > 1 ? argv[1] : "localhost:9092", argc > 2 ? argv[2] : "orders");
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
