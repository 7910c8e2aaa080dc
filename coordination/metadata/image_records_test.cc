#include "coordination/metadata/image_records.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_harness.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/test_image.h"
#include "gtest/gtest.h"

namespace weir::metadata {
namespace {

std::vector<MetadataRecord> RecordsOf(const MetadataState& state) {
  std::vector<MetadataRecord> records;
  const absl::Status status = VisitRecordsOf(state, [&](const MetadataRecord& record) {
    records.push_back(record);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return records;
}

// Whether the state's records make it from nothing.
testing::AssertionResult ComesBack(const MetadataState& state) {
  const auto made = Apply(*EmptyImage(), RecordsOf(state), Offset(0), LeaderEpoch(0));
  if (!made.ok()) return testing::AssertionFailure() << made.status();
  if (static_cast<const MetadataState&>(**made) == state) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "another image";
}

TEST(ImageRecordsTest, AnEmptyImageNeedsNone) { EXPECT_TRUE(RecordsOf(*EmptyImage()).empty()); }

TEST(ImageRecordsTest, NothingOfAnImageIsLost) {
  const MetadataImagePtr image = TestImage();
  EXPECT_TRUE(ComesBack(*image));
  // One record for each that made it: none was superseded.
  EXPECT_EQ(RecordsOf(*image).size(), TestImageRecords().size());
}

// Each image differs from the test image in a single thing, and so must what its records make.
TEST(ImageRecordsTest, EveryFieldCounts) {
  const TopicPartition tp{kTestOrders, PartitionIndex(1)};
  const auto partition = [&](MetadataState* state) {
    return state->topics.Mutable(tp.topic_id)->partitions.Mutable(tp.partition);
  };
  const auto broker = [](MetadataState* state) { return state->brokers.Mutable(BrokerId(2)); };
  using Change = void (*)(PartitionImage*);
  for (const Change change : {
           Change([](PartitionImage* p) { p->isr = {BrokerId(2)}; }),
           Change([](PartitionImage* p) { p->removing_replicas = {BrokerId(3)}; }),
           Change([](PartitionImage* p) { p->adding_replicas = {BrokerId(1)}; }),
           Change([](PartitionImage* p) { p->eligible_leader_replicas = {BrokerId(3)}; }),
           Change([](PartitionImage* p) { p->last_known_elr = {}; }),
           Change([](PartitionImage* p) {
             p->directories[0] = {1, 1};
           }),
           Change([](PartitionImage* p) { p->leader = BrokerId(2); }),
           Change([](PartitionImage* p) { p->leader_epoch = LeaderEpoch(6); }),
           Change([](PartitionImage* p) { ++p->partition_epoch; }),
           Change([](PartitionImage* p) { p->leader_recovery_state = 1; }),
       }) {
    MetadataState state = *TestImage();
    change(partition(&state));
    EXPECT_TRUE(ComesBack(state));
  }
  using Registration = void (*)(BrokerImage*);
  for (const Registration change : {
           Registration([](BrokerImage* b) { b->epoch = 12345; }),
           Registration([](BrokerImage* b) {
             b->incarnation_id = {1, 2};
           }),
           Registration([](BrokerImage* b) { b->endpoints[0].host = "other"; }),
           Registration([](BrokerImage* b) { b->endpoints.pop_back(); }),
           Registration([](BrokerImage* b) {
             b->features["x"] = {1, 2};
           }),
           Registration([](BrokerImage* b) { b->rack = "r"; }),
           Registration([](BrokerImage* b) { b->fenced = true; }),
           Registration([](BrokerImage* b) { b->in_controlled_shutdown = true; }),
           Registration([](BrokerImage* b) { b->directories.clear(); }),
       }) {
    MetadataState state = *TestImage();
    change(broker(&state));
    EXPECT_TRUE(ComesBack(state));
  }
}

// The order of MetadataImage.write in Apache Kafka 4.
TEST(ImageRecordsTest, TheyComeInKafkasOrder) {
  const std::vector<MetadataRecord> records = RecordsOf(*TestImage());
  const auto rank = [](const MetadataRecord& record) {
    if (std::holds_alternative<FeatureLevelRecord>(record)) return 0;
    if (std::holds_alternative<RegisterBrokerRecord>(record)) return 1;
    if (std::holds_alternative<RegisterControllerRecord>(record)) return 2;
    if (std::holds_alternative<TopicRecord>(record)) return 3;
    if (std::holds_alternative<PartitionRecord>(record)) return 3;
    if (std::holds_alternative<ConfigRecord>(record)) return 4;
    if (std::holds_alternative<ClientQuotaRecord>(record)) return 5;
    if (std::holds_alternative<ProducerIdsRecord>(record)) return 6;
    if (std::holds_alternative<AccessControlEntryRecord>(record)) return 7;
    if (std::holds_alternative<UserScramCredentialRecord>(record)) return 8;
    return std::holds_alternative<DelegationTokenRecord>(record) ? 9 : -1;
  };
  std::vector<int> ranks;
  for (const MetadataRecord& record : records) ranks.push_back(rank(record));
  EXPECT_EQ(ranks.front(), 0);
  EXPECT_EQ(ranks.back(), 9);
  EXPECT_TRUE(std::is_sorted(ranks.begin(), ranks.end()));
  EXPECT_EQ(std::get<FeatureLevelRecord>(records[0]).name, "metadata.version");
  EXPECT_EQ(std::get<FeatureLevelRecord>(records[1]).name, "a.feature");
  Uuid topic;
  int32_t next = 0;
  for (const MetadataRecord& record : records) {
    if (const auto* r = std::get_if<TopicRecord>(&record)) {
      topic = r->topic_id;
      next = 0;
    } else if (const auto* p = std::get_if<PartitionRecord>(&record)) {
      EXPECT_EQ(p->topic_id, topic);
      EXPECT_EQ(p->partition_id, next++);
    }
  }
}

TEST(ImageRecordsTest, ARefusalEndsTheVisit) {
  int visited = 0;
  const absl::Status status = VisitRecordsOf(*TestImage(), [&](const MetadataRecord&) {
    return ++visited == 5 ? absl::ResourceExhaustedError("full") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(visited, 5);
}

TEST(ImageRecordsTest, TheOrderInWhichTopicsCameDoesNotShow) {
  const std::vector<MetadataRecord> one_way = {TopicRecord{"a.b", {1, 1}, {}},
                                               TopicRecord{"a_b", {2, 2}, {}}};
  const std::vector<MetadataRecord> other_way = {one_way[1], one_way[0]};
  EXPECT_TRUE(**Apply(*EmptyImage(), one_way, Offset(0), LeaderEpoch(0)) ==
              **Apply(*EmptyImage(), other_way, Offset(0), LeaderEpoch(0)));
}

// --- histories ----------------------------------------------------------------------------------

// Any record of any kind that may say something about a small world; many contradict the image.
class RandomRecords {
 public:
  explicit RandomRecords(uint64_t seed) : random_(seed) {}

  MetadataRecord Next() {
    switch (random_.Below(10)) {
      case 0:
        return Topic();
      case 1:
      case 2:
      case 3:
        return Partition();
      case 4:
      case 5:
        return Broker();
      case 6:
        return Config();
      default:
        return Rest();
    }
  }

 private:
  int32_t Number(uint64_t below) { return static_cast<int32_t>(random_.Below(below)); }
  Uuid TopicId() { return {1, 1 + random_.Below(6)}; }
  std::string TopicName() {
    static constexpr const char* kNames[] = {"a.b", "a_b", "orders", "x", "y", "z"};
    return kNames[random_.Below(6)];
  }
  std::vector<int32_t> Brokers(uint64_t most) {
    std::vector<int32_t> ids;
    for (uint64_t n = random_.Below(most + 1); n > 0; --n) ids.push_back(1 + Number(5));
    return ids;
  }
  std::vector<Uuid> Directories(size_t count) {
    std::vector<Uuid> ids;
    while (ids.size() < count) ids.push_back({0, random_.Below(9)});
    return ids;
  }

  MetadataRecord Topic() {
    if (random_.OneIn(3)) return RemoveTopicRecord{TopicId(), {}};
    if (random_.OneIn(8)) return ClearElrRecord{random_.OneIn(2) ? "" : TopicName(), {}};
    return TopicRecord{TopicName(), TopicId(), {}};
  }
  MetadataRecord Partition() {
    if (random_.OneIn(2)) {
      PartitionChangeRecord r;
      r.topic_id = TopicId();
      r.partition_id = Number(4);
      if (random_.OneIn(3)) r.leader = Number(6) - 1;
      if (random_.OneIn(3)) r.isr = Brokers(2);
      if (random_.OneIn(4)) r.eligible_leader_replicas = Brokers(2);
      if (random_.OneIn(4)) r.last_known_elr = Brokers(2);
      if (random_.OneIn(4)) r.adding_replicas = Brokers(2);
      if (random_.OneIn(4)) r.removing_replicas = Brokers(2);
      if (random_.OneIn(4)) r.leader_recovery_state = static_cast<int8_t>(random_.Below(2));
      return r;
    }
    PartitionRecord r;
    r.topic_id = TopicId();
    r.partition_id = Number(4);
    r.replicas = Brokers(4);
    for (const int32_t id : r.replicas) {
      if (random_.OneIn(2)) r.isr.push_back(id);
    }
    if (!r.replicas.empty() && random_.OneIn(2)) r.leader = r.replicas.back();
    r.leader_epoch = Number(5);
    r.partition_epoch = Number(30);
    if (random_.OneIn(2)) r.directories = Directories(r.replicas.size());
    if (random_.OneIn(2)) r.eligible_leader_replicas = Brokers(2);
    return r;
  }
  MetadataRecord Broker() {
    const int32_t id = 1 + Number(5);
    const int64_t epoch = Number(6);
    switch (random_.Below(6)) {
      case 0:
        return UnregisterBrokerRecord{id, epoch, {}};
      case 1:
        return FenceBrokerRecord{id, epoch, {}};
      case 2:
        return UnfenceBrokerRecord{id, epoch, {}};
      case 3: {
        const auto flag = [this] { return static_cast<int8_t>(Number(3) - 1); };
        return BrokerRegistrationChangeRecord{
            id, epoch, flag(), flag(), Directories(random_.Below(2)), {}};
      }
      default: {
        RegisterBrokerRecord r;
        r.broker_id = id;
        r.broker_epoch = epoch;
        r.fenced = random_.OneIn(2);
        r.log_dirs = Directories(random_.Below(3));
        if (random_.OneIn(2)) r.rack.reset();
        if (random_.OneIn(2)) r.end_points = {{"A", "h", 1, 2, {}}};
        return r;
      }
    }
  }
  MetadataRecord Config() {
    ConfigRecord r;
    r.resource_type = random_.OneIn(2) ? 2 : 4;
    r.resource_name = TopicName();
    r.name = absl::StrCat("key", random_.Below(3));
    if (random_.OneIn(3)) {
      r.value.reset();
    } else {
      r.value = absl::StrCat(random_.Below(9));
    }
    return r;
  }
  MetadataRecord Rest() {
    const std::string name = absl::StrCat("n", random_.Below(4));
    switch (random_.Below(12)) {
      case 0:
        return FeatureLevelRecord{random_.OneIn(3) ? "metadata.version" : name,
                                  static_cast<int16_t>(random_.Below(4)),
                                  {}};
      case 1:
        return ProducerIdsRecord{1, 1, static_cast<int64_t>(random_.Below(5000)), {}};
      case 2: {
        ClientQuotaRecord r;
        r.entity = {{"user", name, {}}, {"client-id", std::nullopt, {}}};
        if (random_.OneIn(2)) std::swap(r.entity[0], r.entity[1]);
        r.key = "rate";
        r.value = static_cast<double>(random_.Below(100)) / 8;
        r.remove = random_.OneIn(3);
        return r;
      }
      case 3: {
        UserScramCredentialRecord r;
        r.name = name;
        r.mechanism = static_cast<int8_t>(1 + random_.Below(2));
        r.iterations = Number(9);
        return r;
      }
      case 4:
        return RemoveUserScramCredentialRecord{name, 1, {}};
      case 5: {
        AccessControlEntryRecord r;
        r.id = {9, random_.Below(5)};
        r.principal = name;
        return r;
      }
      case 6:
        return RemoveAccessControlEntryRecord{{9, random_.Below(5)}, {}};
      case 7: {
        DelegationTokenRecord r;
        r.token_id = name;
        r.max_timestamp = Number(9);
        return r;
      }
      case 8:
        return RemoveDelegationTokenRecord{name, {}};
      case 9: {
        RegisterControllerRecord r;
        r.controller_id = Number(3);
        r.incarnation_id = {1, random_.Below(9)};
        return r;
      }
      case 10:
        return random_.OneIn(2) ? MetadataRecord(BeginTransactionRecord())
                                : MetadataRecord(NoOpRecord());
      default:
        if (random_.OneIn(3)) return AbortTransactionRecord();
        return EndTransactionRecord();
    }
  }

  SeededRandom random_;
};

TEST(ImageRecordsTest, AnyHistoryComesBack) {
  size_t topics = 0, leaderless = 0, brokers = 0, kept = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    RandomRecords records(seed);
    MetadataImagePtr image = EmptyImage();
    for (int i = 0; i < 600; ++i) {
      const std::vector<MetadataRecord> one = {records.Next()};
      const auto next = Apply(*image, one, image->highest_offset + 1, LeaderEpoch(1));
      if (next.ok()) image = *next;
      if (i % 40 != 0) continue;
      ASSERT_TRUE(ComesBack(*image)) << "seed " << seed << " at " << i;
    }
    ASSERT_TRUE(ComesBack(*image)) << "seed " << seed;
    topics += image->topics.size();
    leaderless += image->leaderless.List().size();
    brokers += image->brokers.size();
    kept += image->quotas.size() + image->access_control_entries.size();
  }
  EXPECT_GT(topics, 40);
  EXPECT_GT(leaderless, 20);
  EXPECT_GT(brokers, 40);
  EXPECT_GT(kept, 40);
}

// What a controller decides: elections, ISRs, failures of brokers and controllers.
TEST(ImageRecordsTest, AControllersHistoryComesBack) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SeededRandom random(seed);
    ControllerHarness harness({}, /*elr=*/seed % 2 == 0);
    harness.JoinAll(4);
    const auto is_fenced = [&](int32_t id) {
      return harness.image().FindBroker(BrokerId(id))->fenced;
    };
    int topics = 0;
    for (int i = 0; i < 120; ++i) {
      const int32_t id = 1 + static_cast<int32_t>(random.Below(4));
      switch (random.Below(6)) {
        case 0:
          harness.Fence(id);
          break;
        case 1:
        case 2:
          harness.Unfence(id);
          break;
        case 3:
          if (const int32_t other = id % 4 + 1; !is_fenced(id) && !is_fenced(other)) {
            harness.CreateOn(absl::StrCat("t", topics++), {{id, other}, {other, id}},
                             {{"min.insync.replicas", "2"}});
          }
          break;
        case 4:
          if (topics > 0) {
            const std::string topic = absl::StrCat("t", random.Below(topics));
            const BrokerId leader = harness.Partition(topic).leader;
            if (leader != kNoBroker) harness.SetIsr(topic, 0, {leader.value()});
          }
          break;
        default:
          if (random.OneIn(5)) harness.Failover();
          harness.AdvanceAndTick(100);
          break;
      }
      ASSERT_TRUE(ComesBack(harness.image())) << "seed " << seed << " at " << i;
    }
    EXPECT_GT(harness.image().topics.size(), 5);
  }
}

}  // namespace
}  // namespace weir::metadata
