// Prints every record that a topic has now, from the first to the last of each partition.
//
//   bazel run //examples:quickstart_consumer -- localhost:9092 orders
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/system_cluster.h"

namespace {

using weir::client::Admin;
using weir::client::ConsumedRecords;
using weir::client::Consumer;
using weir::client::ConsumerRecord;
using weir::client::OffsetReset;
using weir::client::SystemCluster;
using weir::client::TopicAndPartition;

absl::Status Run(const std::string& bootstrap_servers, const std::string& topic) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<SystemCluster> system,
                        SystemCluster::Create({.bootstrap_servers = bootstrap_servers}));
  WEIR_ASSIGN_OR_RETURN(const auto described, Admin(system->cluster()).DescribeTopics({topic}));
  std::vector<TopicAndPartition> partitions;
  for (const auto& partition : described.front().partitions) {
    partitions.push_back({topic, partition.partition_index});
  }
  if (partitions.empty()) return absl::NotFoundError(topic + ": there is no such topic");

  Consumer consumer(system->cluster(), {.auto_offset_reset = OffsetReset::kEarliest});
  consumer.Assign(partitions);
  size_t count = 0;
  while (!consumer.AtEnd()) {
    WEIR_ASSIGN_OR_RETURN(const ConsumedRecords records, consumer.Poll(/*timeout_ms=*/1'000));
    for (const ConsumerRecord& record : records) {
      const std::string key(record.key.value_or("(no key)"));
      const std::string value(record.value.value_or("(no value)"));
      std::printf("%d/%lld %s %s\n", record.partition,
                  static_cast<long long>(record.offset.value()), key.c_str(), value.c_str());
    }
    count += records.size();
  }
  std::printf("%zu records\n", count);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status =
      Run(argc > 1 ? argv[1] : "localhost:9092", argc > 2 ? argv[2] : "orders");
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
