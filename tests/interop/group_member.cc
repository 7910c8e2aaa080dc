// A member of a consumer group with client/consumer.h, until SIGTERM:
//   group_member ADDRESS TOPIC GROUP SESSION_MS STRATEGY [INSTANCE]
// Prints what group_member.py prints.

#include <csignal>
#include <cstdint>
#include <iostream>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "client/consumer.h"
#include "client/system_cluster.h"

namespace {

using weir::client::ConsumedRecords;
using weir::client::Consumer;
using weir::client::ConsumerConfig;
using weir::client::ConsumerRecord;
using weir::client::OffsetReset;
using weir::client::SystemCluster;
using weir::client::TopicAndPartition;

volatile std::sig_atomic_t stopping = 0;

class Listener : public weir::client::RebalanceListener {
 public:
  void OnAssigned(Consumer&, absl::Span<const TopicAndPartition> added) override {
    for (const TopicAndPartition& tp : added) mine_.insert(tp.partition);
    std::cout << "assigned";
    for (const int32_t partition : mine_) std::cout << ' ' << partition;
    std::cout << std::endl;
  }
  void OnRevoked(Consumer&, absl::Span<const TopicAndPartition> removed) override {
    std::cout << "lost";
    for (const TopicAndPartition& tp : removed) {
      mine_.erase(tp.partition);
      std::cout << ' ' << tp.partition;
    }
    std::cout << std::endl;
  }

 private:
  std::set<int32_t> mine_;
};

absl::Status Run(int argc, char** argv) {
  ConsumerConfig config;
  if (argc < 6 || !absl::SimpleAtoi(argv[4], &config.session_timeout_ms)) {
    return absl::InvalidArgumentError("expected ADDRESS TOPIC GROUP SESSION_MS STRATEGY");
  }
  config.group_id = argv[3];
  config.heartbeat_interval_ms = config.session_timeout_ms / 5;
  config.partition_assignment_strategy = {argv[5]};
  if (argc > 6) config.group_instance_id = argv[6];
  config.enable_auto_commit = false;
  config.auto_offset_reset = OffsetReset::kEarliest;
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<SystemCluster> system,
                        SystemCluster::Create({.bootstrap_servers = argv[1]}));
  Consumer consumer(system->cluster(), config);
  Listener listener;
  WEIR_RETURN_IF_ERROR(consumer.Subscribe({argv[2]}, &listener));
  while (stopping == 0) {
    WEIR_ASSIGN_OR_RETURN(const ConsumedRecords records, consumer.Poll(/*timeout_ms=*/100));
    for (const ConsumerRecord& record : records) {
      std::cout << "read " << record.partition << ' ' << record.offset.value() << std::endl;
    }
    // A rebalance may come between: the next owner reads them again.
    if (records.size() > 0) {
      const absl::Status committed = consumer.CommitSync();
      if (!committed.ok()) std::cerr << committed << std::endl;
    }
  }
  return consumer.Close(/*timeout_ms=*/10'000);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { stopping = 1; });
  const absl::Status status = Run(argc, argv);
  if (status.ok()) return 0;
  std::cout << "failed " << status << std::endl;
  return 1;
}
