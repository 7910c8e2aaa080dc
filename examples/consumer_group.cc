// Reads a topic as a member of a group: start it two or three times and they share the partitions;
// end one (Ctrl-C, or kill -9) and the others take over.
//
//   bazel run //examples:consumer_group -- localhost:9092 orders my-group
//
// Behind that, in this order and as far as wanted: an assignment strategy, the session timeout in
// milliseconds, and a name that makes the member a static one.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
using weir::client::RebalanceListener;
using weir::client::SystemCluster;
using weir::client::TopicAndPartition;

volatile std::sig_atomic_t stopping = 0;

class PrintingListener final : public RebalanceListener {
 public:
  void OnAssigned(Consumer& consumer, absl::Span<const TopicAndPartition> added) override {
    Print("assigned", added);
    Print("has", consumer.Assignment());
  }
  void OnRevoked(Consumer&, absl::Span<const TopicAndPartition> removed) override {
    Print("revoked", removed);
  }
  void OnLost(Consumer&, absl::Span<const TopicAndPartition> removed) override {
    Print("lost", removed);
  }

 private:
  static void Print(const char* what, absl::Span<const TopicAndPartition> partitions) {
    std::printf("%s", what);
    for (const TopicAndPartition& tp : partitions) {
      std::printf(" %s-%d", tp.topic.c_str(), tp.partition);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
};

absl::Status Run(const std::string& bootstrap_servers, const std::string& topic,
                 ConsumerConfig config) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<SystemCluster> system,
                        SystemCluster::Create({.bootstrap_servers = bootstrap_servers}));
  config.auto_offset_reset = OffsetReset::kEarliest;  // where the group has not read before
  Consumer consumer(system->cluster(), config);
  PrintingListener listener;
  WEIR_RETURN_IF_ERROR(consumer.Subscribe({topic}, &listener));
  while (stopping == 0) {
    WEIR_ASSIGN_OR_RETURN(const ConsumedRecords records, consumer.Poll(/*timeout_ms=*/200));
    for (const ConsumerRecord& record : records) {
      const std::string value(record.value.value_or("(no value)"));
      std::printf("%d/%lld %s\n", record.partition, static_cast<long long>(record.offset.value()),
                  value.c_str());
    }
    std::fflush(stdout);
  }
  return consumer.Close(/*timeout_ms=*/10'000);  // commits, and lets the others have its part
}

}  // namespace

int main(int argc, char** argv) {
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stopping = 1; });
  ConsumerConfig config;
  config.group_id = argc > 3 ? argv[3] : "my-group";
  if (argc > 4) config.partition_assignment_strategy = {argv[4]};
  if (argc > 5) config.session_timeout_ms = std::atoi(argv[5]);
  if (argc > 6) config.group_instance_id = argv[6];
  config.heartbeat_interval_ms =
      std::min(config.heartbeat_interval_ms, config.session_timeout_ms / 5);
  const absl::Status status =
      Run(argc > 1 ? argv[1] : "localhost:9092", argc > 2 ? argv[2] : "orders", config);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
