#include "coordination/metadata/metadata_batch.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "protocol/control_records.h"
#include "protocol/record_batch.h"

namespace weir::metadata {
namespace {

// The first batch of a metadata log that Kafka 4.2.0 wrote.
constexpr char kKafkasLeaderChange[] =
    "00000000000000000000004f0000000102f079f13a002000000000000001a1fc1dcab4000001a1fc"
    "1dcab4ffffffffffffffffffffffffffff000000013a000000080000000226000000000001020000"
    "0001000200000001000000";
// bootstrap.checkpoint as `kafka-storage.sh format` of Kafka 4.2.0 wrote it.
constexpr char kKafkasBootstrap[] =
    "0000000000000000000000470000000002e6a27cb4002000000000000001a1fc1d550c000001a1fc"
    "1d550cffffffffffffffffffffffffffff000000012a000000080000000316000000000000000000"
    "0000000000000000000001000000f10000000002aa124bc0000000000005000001a1fc1d55480000"
    "01a1fc1d5548ffffffffffffffffffffffffffff000000063a000000012e010c00116d6574616461"
    "74612e76657273696f6e001d00005a000002014e010c0021656c696769626c652e6c65616465722e"
    "7265706c696361732e76657273696f6e00010000340000040128010c000e67726f75702e76657273"
    "696f6e00010000340000060128010c000e73686172652e76657273696f6e0001000038000008012c"
    "010c001073747265616d732e76657273696f6e000100004000000a0134010c00147472616e736163"
    "74696f6e2e76657273696f6e0002000000000000000000070000003f0000000002e0053903002000"
    "000000000001a1fc1d554a000001a1fc1d554affffffffffffffffffffffffffff000000011a0000"
    "0008000000040600000000";

protocol::LeaderChangeMessage LeaderChange() {
  protocol::LeaderChangeMessage message;
  message.leader_id = 1;
  message.voters = message.granting_voters = {{1, {}}};
  return message;
}

TEST(MetadataBatchTest, LeaderChangeIsKafkasByteForByte) {
  const auto batch =
      EncodeLeaderChangeBatch(LeaderChange(), Offset(0), LeaderEpoch(1), 1795231173300);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(absl::BytesToHexString(*batch), kKafkasLeaderChange);
}

TEST(MetadataBatchTest, ReadsKafkasBootstrapFile) {
  const auto records = DecodeSnapshot(BytesOfHex(kKafkasBootstrap));
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 6);
  EXPECT_EQ(std::get<FeatureLevelRecord>((*records)[0]).name, "metadata.version");
  EXPECT_EQ(std::get<FeatureLevelRecord>((*records)[5]).name, "transaction.version");
  // The records between header and footer, byte for byte.
  const auto ours = EncodeMetadataBatch(*records, Offset(1), LeaderEpoch(0), 0x1a1fc1d5548);
  ASSERT_TRUE(ours.ok());
  EXPECT_TRUE(absl::StrContains(kKafkasBootstrap, absl::BytesToHexString(*ours)));
}

TEST(MetadataBatchTest, RefusesASnapshotThatWasCutOffOrDamaged) {
  const std::string bytes = BytesOfHex(kKafkasBootstrap);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeSnapshot(bytes.substr(0, size)).ok()) << size;
  }
  for (size_t at = 21; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] ^= 1;
    // Base offsets and leader epochs lie outside the CRC.
    const auto records = DecodeSnapshot(damaged);
    if (records.ok()) {
      EXPECT_EQ(records->size(), 6) << at;
    }
  }
}

TEST(MetadataBatchTest, ABatchReadsBackWithItsOffsets) {
  const std::vector<MetadataRecord> records = {NoOpRecord(), EndTransactionRecord()};
  const auto bytes = EncodeMetadataBatch(records, Offset(7), LeaderEpoch(3), 5);
  ASSERT_TRUE(bytes.ok());
  const auto view = protocol::RecordBatchView::Parse(*bytes);
  ASSERT_TRUE(view.ok());
  const auto batch = DecodeMetadataBatch(*view);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->base_offset, Offset(7));
  EXPECT_EQ(batch->last_offset, Offset(8));
  EXPECT_EQ(batch->epoch, LeaderEpoch(3));
  ASSERT_EQ(batch->records.size(), 2);
  EXPECT_TRUE(std::holds_alternative<EndTransactionRecord>(batch->records[1]));
  std::string damaged = *bytes;
  damaged.back() ^= 1;
  EXPECT_EQ(DecodeMetadataBatch(*protocol::RecordBatchView::Parse(damaged)).status().code(),
            absl::StatusCode::kDataLoss);
}

// A segment as a broker would write it, left among the test's outputs for Kafka's dump tool.
TEST(MetadataBatchTest, AControllersLogReadsBackAsItsImage) {
  SeededRandom random(1);
  Controller controller({}, random);
  ControllerEffects effects;
  controller.Step(MonotonicNs(0), LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()},
                  &effects);
  RegisterBroker registration;
  registration.registration.broker_id = 1;
  registration.registration.incarnation_id = {1, 2};
  registration.registration.log_dirs = {Uuid{3, 4}};
  registration.registration.end_points.resize(1);
  registration.registration.end_points[0].name = "PLAINTEXT";
  const int64_t epoch = controller.next_offset().value();
  controller.Step(MonotonicNs(0), registration, &effects);
  controller.Step(MonotonicNs(0), SetBrokerFenced{1, BrokerId(1), epoch, false}, &effects);
  CreateTopics create;
  create.request.topics.resize(1);
  create.request.topics[0].name = "orders";
  create.request.topics[0].num_partitions = 2;
  create.request.topics[0].replication_factor = 1;
  controller.Step(MonotonicNs(0), create, &effects);
  controller.Step(MonotonicNs(0), AllocateProducerIds{1, BrokerId(1), epoch}, &effects);

  std::string segment =
      *EncodeLeaderChangeBatch(LeaderChange(), Offset(0), LeaderEpoch(1), 1795231173300);
  for (const AppendRecords& append : effects.appends) {
    segment +=
        *EncodeMetadataBatch(append.records, append.base_offset, append.epoch, 1795231173301);
  }
  // Kept on request (--test_env=WEIR_KEEP_METADATA=FOLDER) for Apache Kafka's dump tool to read.
  if (const char* folder = std::getenv("WEIR_KEEP_METADATA")) {
    std::ofstream(std::string(folder) + "/00000000000000000000.log", std::ios::binary) << segment;
  }
  MetadataImagePtr image = EmptyImage();
  for (absl::string_view rest = segment; !rest.empty();) {
    const auto view = protocol::RecordBatchView::Parse(rest);
    ASSERT_TRUE(view.ok());
    const auto batch = DecodeMetadataBatch(*view);
    ASSERT_TRUE(batch.ok()) << batch.status();
    if (!batch->is_control) {
      const auto next = Apply(*image, batch->records, batch->base_offset, batch->epoch);
      ASSERT_TRUE(next.ok()) << next.status();
      image = *next;
    }
    rest.remove_prefix(view->bytes().size());
  }
  EXPECT_TRUE(*image == *controller.pending_image());
  EXPECT_EQ(image->FindTopic("orders")->partition_count(), 2);
}

}  // namespace
}  // namespace weir::metadata
