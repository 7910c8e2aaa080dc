// -----------------------------------------------------------------------------
// File: coordination/metadata/test_image.h
// -----------------------------------------------------------------------------
// For tests: an image in which nothing that an image can hold is left out, and the records of which
// it was made, with values that Apache Kafka accepts as well.
#ifndef WEIR_COORDINATION_METADATA_TEST_IMAGE_H_
#define WEIR_COORDINATION_METADATA_TEST_IMAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/features.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"

namespace weir::metadata {

inline constexpr Uuid kTestOrders{0x1111, 1};
inline constexpr Uuid kTestTrades{0x2222, 2};

namespace metadata_internal {

inline void AddTestBrokers(std::vector<MetadataRecord>* records) {
  for (int32_t id = 1; id <= 4; ++id) {
    RegisterBrokerRecord r;
    r.broker_id = id;
    r.incarnation_id = {7, static_cast<uint64_t>(id)};
    r.broker_epoch = 10 + id;
    r.end_points = {{"PLAINTEXT", "broker.example", static_cast<uint16_t>(9092 + id), 0, {}},
                    {"SECURE", "", 65535, 3, {}}};
    r.features = {
        {std::string(kMetadataVersionFeature), kMetadataVersionOldest, kMetadataVersionNewest, {}},
        {"group.version", 0, 1, {}}};
    r.rack.reset();
    if (id != 2) r.rack = id == 3 ? "" : "rack-a";
    r.fenced = id == 4;
    r.in_controlled_shutdown = id == 3;
    r.log_dirs = {Uuid{100, static_cast<uint64_t>(id)}, Uuid{200, static_cast<uint64_t>(id)}};
    if (id == 2) r.log_dirs.resize(1);
    records->push_back(std::move(r));
  }
  RegisterControllerRecord controller;
  controller.controller_id = 1;
  controller.incarnation_id = {8, 1};
  controller.end_points = {{"CONTROLLER", "localhost", 9093, 0, {}}};
  controller.features = {{std::string(kMetadataVersionFeature), 7, 29, {}}};
  records->push_back(std::move(controller));
}

inline void AddTestTopics(std::vector<MetadataRecord>* records) {
  records->push_back(TopicRecord{"orders", kTestOrders, {}});
  PartitionRecord plain;
  plain.topic_id = kTestOrders;
  plain.partition_id = 0;
  plain.replicas = {1, 2, 3};
  plain.isr = {2, 1};
  plain.leader = 1;
  plain.leader_epoch = 0;
  plain.partition_epoch = 3;
  plain.directories = {{100, 1}, {100, 2}, kDirectoryUnassigned};
  records->push_back(plain);
  PartitionRecord moving = plain;
  moving.partition_id = 1;
  moving.replicas = {3, 1, 2};
  moving.isr = {1};
  moving.adding_replicas = {3};
  moving.removing_replicas = {2};
  moving.leader_epoch = 5;
  moving.eligible_leader_replicas = {2};
  moving.last_known_elr = {3};
  moving.directories = {kDirectoryLost, kDirectoryMigrating, {200, 2}};
  records->push_back(std::move(moving));
  PartitionRecord recovering = plain;
  recovering.partition_id = 2;
  recovering.isr = {3};
  recovering.leader = 3;
  recovering.leader_recovery_state = 1;
  records->push_back(std::move(recovering));
  PartitionRecord leaderless = plain;
  leaderless.topic_id = kTestTrades;
  leaderless.replicas = {4};
  leaderless.isr = {};
  leaderless.leader = -1;
  leaderless.leader_epoch = 9;
  leaderless.last_known_elr = {4};
  leaderless.directories = {{100, 4}};
  records->push_back(TopicRecord{"_trades.x", kTestTrades, {}});
  records->push_back(std::move(leaderless));
  // Names that collide in metrics, and a topic without partitions.
  records->push_back(TopicRecord{"a_b", Uuid{3, 3}, {}});
  records->push_back(TopicRecord{"a.b", Uuid{2, 3}, {}});
}

inline void AddTestConfigs(std::vector<MetadataRecord>* records) {
  const auto set = [&](ConfigResourceType type, std::string resource, std::string name,
                       std::string value) {
    records->push_back(ConfigRecord{
        static_cast<int8_t>(type), std::move(resource), std::move(name), std::move(value), {}});
  };
  set(ConfigResourceType::kTopic, "orders", "retention.ms", "-1");
  set(ConfigResourceType::kTopic, "orders", "cleanup.policy", "compact,delete");
  set(ConfigResourceType::kBroker, "", "min.insync.replicas", "2");
  set(ConfigResourceType::kBroker, "1", "log.cleaner.threads", "");
  set(ConfigResourceType::kClientMetrics, "sub", "interval.ms", "1000");
  set(ConfigResourceType::kGroup, "g", "consumer.session.timeout.ms", "45000");
  ClientQuotaRecord quota;
  quota.entity = {{"user", "alice", {}}, {"client-id", std::nullopt, {}}};
  quota.key = "producer_byte_rate";
  quota.value = 1024.5;
  records->push_back(quota);
  quota.key = "consumer_byte_rate";
  quota.value = 0.25;
  records->push_back(quota);
  quota.entity = {{"ip", "192.0.2.1", {}}};
  quota.key = "connection_creation_rate";
  records->push_back(quota);
}

inline void AddTestSecurity(std::vector<MetadataRecord>* records) {
  records->push_back(ProducerIdsRecord{1, 11, 3000, {}});
  AccessControlEntryRecord entry;
  entry.id = {5, 5};
  entry.resource_type = 2;  // a topic
  entry.resource_name = "orders";
  entry.pattern_type = 3;  // by its name
  entry.principal = "User:alice";
  entry.host = "*";
  entry.operation = 3;        // read
  entry.permission_type = 3;  // allow
  records->push_back(entry);
  entry.id = {4, 9};
  entry.pattern_type = 4;     // by a prefix
  entry.permission_type = 2;  // deny
  records->push_back(entry);
  UserScramCredentialRecord scram;
  scram.name = "alice";
  scram.mechanism = 1;
  scram.salt.value = std::string("s\0alt", 5);
  scram.stored_key.value = std::string(32, 'k');
  scram.server_key.value = std::string(32, '\xff');
  scram.iterations = 4096;
  records->push_back(scram);
  scram.mechanism = 2;
  scram.iterations = 8192;
  records->push_back(scram);
  DelegationTokenRecord token;
  token.owner = "User:alice";
  token.requester = "User:bob";
  token.renewers = {"User:carol"};
  token.issue_timestamp = 1;
  token.max_timestamp = 3;
  token.expiration_timestamp = 2;
  token.token_id = "token-1";
  records->push_back(token);
}

}  // namespace metadata_internal

inline std::vector<MetadataRecord> TestImageRecords() {
  std::vector<MetadataRecord> records;
  records.push_back(FeatureLevelRecord{"eligible.leader.replicas.version", 1, {}});
  records.push_back(
      FeatureLevelRecord{std::string(kMetadataVersionFeature), kMetadataVersionNewest, {}});
  records.push_back(FeatureLevelRecord{"a.feature", 3, {}});
  metadata_internal::AddTestBrokers(&records);
  metadata_internal::AddTestTopics(&records);
  metadata_internal::AddTestConfigs(&records);
  metadata_internal::AddTestSecurity(&records);
  return records;
}

inline MetadataImagePtr TestImage() {
  absl::StatusOr<MetadataImagePtr> image =
      Apply(*EmptyImage(), TestImageRecords(), Offset(1), LeaderEpoch(4));
  WEIR_CHECK(image.ok());
  return *std::move(image);
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_TEST_IMAGE_H_
