// The controller's answers to AlterConfigs, CreatePartitions and UpdateFeatures.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gtest/gtest.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::ErrorCode;

constexpr int8_t kTopic = static_cast<int8_t>(ConfigResourceType::kTopic);
constexpr int8_t kBroker = static_cast<int8_t>(ConfigResourceType::kBroker);

ControllerConfig WithConfigs() {
  ControllerConfig config;
  config.validate_topic_config = [](absl::string_view name, absl::string_view value) {
    return name == "list" || name == "min.insync.replicas" || (name == "number" && value != "bad")
               ? absl::OkStatus()
               : absl::InvalidArgumentError("refused");
  };
  config.topic_list_default = [](absl::string_view name) -> std::optional<std::string> {
    return name == "list" ? std::optional<std::string>("a,b") : std::nullopt;
  };
  return config;
}

// A controller of one broker with topic "t" of one partition; everything it appends is committed.
class ControllerAdminTest : public ::testing::Test {
 protected:
  void SetUp() override {
    controller_.emplace(WithConfigs(), random_);
    Step(LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()});
    RegisterBrokerRecord registration;
    registration.broker_id = 1;
    registration.incarnation_id = {7, 1};
    registration.end_points.emplace_back().name = "PLAINTEXT";
    registration.log_dirs = {Uuid{100, 1}};
    Step(RegisterBroker{1, registration});
    const int64_t epoch = Take<BrokerRegistered>().broker_epoch;
    Step(SetBrokerFenced{2, BrokerId(1), epoch, false});
    Take<BrokerFencingSet>();
    CreateTopics create{3, {}};
    protocol::CreateTopicsRequest::CreatableTopic topic;
    topic.name = "t";
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    create.request.topics = {topic};
    Step(std::move(create));
    Take<protocol::CreateTopicsResponse>();
    appended_ = 0;
  }

  void Step(ControllerEvent event) {
    ControllerEffects effects;
    controller_->Step(MonotonicNs(0), std::move(event), &effects);
    controller_->Step(MonotonicNs(0), Committed{controller_->next_offset() - 1}, &effects);
    for (const AppendRecords& append : effects.appends) appended_ += append.records.size();
    for (Respond& respond : effects.responses) responses_.push_back(std::move(respond));
  }
  template <class Response>
  Response Take() {
    EXPECT_EQ(responses_.size(), 1);
    Response response = std::get<Response>(std::move(responses_.back().response));
    responses_.clear();
    return response;
  }

  ConfigsAltered::Result Alter(ConfigChange change, bool replace = false,
                               bool validate_only = false) {
    Step(AlterConfigs{4, {std::move(change)}, replace, validate_only});
    return Take<ConfigsAltered>().results.at(0);
  }
  ErrorCode Edit(ConfigEdit edit) { return Alter({kTopic, "t", {std::move(edit)}}).error; }
  ConfigMap Configs(const std::string& topic = "t") {
    const ConfigMap* set = image().FindConfigs(ConfigResourceType::kTopic, topic);
    return set == nullptr ? ConfigMap() : *set;
  }

  CreatePartitionsResponse Add(std::vector<CreatePartitionsRequest::CreatePartitionsTopic> topics,
                               bool validate_only = false) {
    CreatePartitions event{5, {}};
    event.request.topics = std::move(topics);
    event.request.validate_only = validate_only;
    Step(std::move(event));
    return Take<CreatePartitionsResponse>();
  }
  ErrorCode AddTo(CreatePartitionsRequest::CreatePartitionsTopic topic) {
    return static_cast<ErrorCode>(Add({std::move(topic)}).results.at(0).error_code);
  }
  static CreatePartitionsRequest::CreatePartitionsTopic To(std::string name, int32_t count) {
    return {std::move(name), count, std::nullopt};
  }

  ErrorCode Update(std::string feature, int16_t level, FeatureUpdate::Kind kind,
                   bool validate_only = false) {
    Step(UpdateFeatures{6, {{std::move(feature), level, kind}}, validate_only});
    return Take<FeaturesUpdated>().error;
  }
  const MetadataImage& image() { return *controller_->pending_image(); }

  SeededRandom random_{1};
  std::optional<Controller> controller_;
  size_t appended_ = 0;
  std::vector<Respond> responses_;
};

TEST_F(ControllerAdminTest, SetsAndDeletesSingleConfigs) {
  EXPECT_EQ(Edit({"number", ConfigEdit::kSet, "5"}), ErrorCode::kNone);
  EXPECT_EQ(Edit({"list", ConfigEdit::kSet, "x"}), ErrorCode::kNone);
  EXPECT_EQ(Configs(), (ConfigMap{{"list", "x"}, {"number", "5"}}));
  EXPECT_EQ(appended_, 2);
  EXPECT_EQ(Edit({"number", ConfigEdit::kSet, "5"}), ErrorCode::kNone);
  EXPECT_EQ(Edit({"never.set", ConfigEdit::kDelete, std::nullopt}), ErrorCode::kNone);
  EXPECT_EQ(appended_, 2);  // nothing changed
  EXPECT_EQ(Edit({"number", ConfigEdit::kDelete, std::nullopt}), ErrorCode::kNone);
  EXPECT_EQ(Configs(), (ConfigMap{{"list", "x"}}));
}

TEST_F(ControllerAdminTest, ListsGrowAndShrinkFromTheirDefault) {
  EXPECT_EQ(Edit({"list", ConfigEdit::kAppend, "b,c"}), ErrorCode::kNone);
  EXPECT_EQ(Configs()["list"], "a,b,c");
  EXPECT_EQ(Edit({"list", ConfigEdit::kSubtract, "a,z"}), ErrorCode::kNone);
  EXPECT_EQ(Configs()["list"], "b,c");
  EXPECT_EQ(Edit({"number", ConfigEdit::kAppend, "1"}), ErrorCode::kInvalidConfig);
}

TEST_F(ControllerAdminTest, ReplacingClearsWhatIsNotNamed) {
  Edit({"number", ConfigEdit::kSet, "5"});
  EXPECT_EQ(Alter({kTopic, "t", {{"list", ConfigEdit::kSet, "x"}}}, /*replace=*/true).error,
            ErrorCode::kNone);
  EXPECT_EQ(Configs(), (ConfigMap{{"list", "x"}}));
  EXPECT_EQ(Alter({kTopic, "t", {}}, /*replace=*/true).error, ErrorCode::kNone);
  EXPECT_EQ(Configs(), ConfigMap());
}

TEST_F(ControllerAdminTest, AResourceChangesAsAWholeOrNotAtAll) {
  const auto result = Alter({kTopic, "t", {{"list", 0, "x"}, {"number", 0, "bad"}}});
  EXPECT_EQ(result.error, ErrorCode::kInvalidConfig);
  EXPECT_EQ(result.message, "refused");
  EXPECT_EQ(Alter({kTopic, "t", {{"list", 0, "x"}}}, false, /*validate_only=*/true).error,
            ErrorCode::kNone);
  EXPECT_EQ(appended_, 0);
}

TEST_F(ControllerAdminTest, ResourcesFailOneByOne) {
  const ConfigChange good{kTopic, "t", {{"list", 0, "x"}}};
  Step(AlterConfigs{4, {good, {kTopic, "missing", {}}, {kTopic, "", {}}, {77, "t", {}}}});
  const ConfigsAltered altered = Take<ConfigsAltered>();
  ASSERT_EQ(altered.results.size(), 4);
  EXPECT_EQ(altered.results[0].error, ErrorCode::kNone);
  EXPECT_EQ(altered.results[1].error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(altered.results[2].error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(altered.results[3].error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(Configs()["list"], "x");
  Step(AlterConfigs{4, {good, good}});
  EXPECT_EQ(Take<ConfigsAltered>().results[1].error, ErrorCode::kInvalidRequest);
}

TEST_F(ControllerAdminTest, MalformedEditsAreInvalidRequests) {
  EXPECT_EQ(Edit({"list", ConfigEdit::kSet, std::nullopt}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Edit({"list", 4, "x"}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Alter({kTopic, "t", {{"list", 0, "x"}, {"list", 0, "y"}}}).error,
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(appended_, 0);
}

TEST_F(ControllerAdminTest, BrokersKeepWhatTheirFileSays) {
  EXPECT_EQ(Alter({kBroker, "1", {{"number", 0, "5"}}}).error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(Alter({kBroker, "2", {}}).error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(Alter({kBroker, "", {{"number", ConfigEdit::kDelete, std::nullopt}}}).error,
            ErrorCode::kNone);
  EXPECT_EQ(appended_, 0);
}

TEST_F(ControllerAdminTest, AddsPartitions) {
  const CreatePartitionsResponse added = Add({To("t", 3)});
  EXPECT_EQ(added.results[0].error_code, 0);
  EXPECT_EQ(added.results[0].error_message, std::nullopt);
  const TopicImage* topic = image().FindTopic("t");
  ASSERT_EQ(topic->partition_count(), 3);
  EXPECT_EQ(topic->Find(PartitionIndex(2))->leader, BrokerId(1));
  EXPECT_EQ(topic->Find(PartitionIndex(2))->leader_epoch, LeaderEpoch(0));

  EXPECT_EQ(AddTo(To("t", 3)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(AddTo(To("t", 2)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(AddTo(To("t", 2'000'000'000)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(AddTo(To("missing", 2)), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Add({To("t", 9)}, /*validate_only=*/true).results[0].error_code, 0);
  const CreatePartitionsResponse twice = Add({To("t", 9), To("t", 10)});
  ASSERT_EQ(twice.results.size(), 1);
  EXPECT_EQ(twice.results[0].error_code, static_cast<int16_t>(ErrorCode::kInvalidRequest));
  EXPECT_EQ(image().FindTopic("t")->partition_count(), 3);
}

TEST_F(ControllerAdminTest, AddsPartitionsWhereTheyAreAssigned) {
  auto topic = To("t", 3);
  topic.assignments = {{{{1}}, {{1}}}};
  EXPECT_EQ(AddTo(topic), ErrorCode::kNone);
  EXPECT_EQ(image().FindTopic("t")->partition_count(), 3);
  topic.count = 4;  // two assignments for one partition
  EXPECT_EQ(AddTo(topic), ErrorCode::kInvalidReplicaAssignment);
  topic.assignments = {{{{1, 1}}}};
  EXPECT_EQ(AddTo(topic), ErrorCode::kInvalidReplicaAssignment);
  topic.assignments = {{{{}}}};
  EXPECT_EQ(AddTo(topic), ErrorCode::kInvalidReplicaAssignment);
  topic.assignments = {{{{2}}}};
  EXPECT_EQ(AddTo(topic), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(image().FindTopic("t")->partition_count(), 3);
}

// MetadataVersion.checkIfMetadataChanged of Kafka 4.2.0: from 29, levels 23 to 28 lose nothing.
TEST_F(ControllerAdminTest, MetadataVersionGoesDownOnlyWhereNothingIsLost) {
  using Kind = FeatureUpdate::Kind;
  EXPECT_EQ(Update("metadata.version", 22, Kind::kSafeDowngrade), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("metadata.version", 22, Kind::kUnsafeDowngrade),
            ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("metadata.version", 23, Kind::kUpgrade), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("metadata.version", 23, Kind::kSafeDowngrade, /*validate_only=*/true),
            ErrorCode::kNone);
  EXPECT_EQ(image().FeatureLevel("metadata.version"), 29);
  EXPECT_EQ(Update("metadata.version", 23, Kind::kSafeDowngrade), ErrorCode::kNone);
  EXPECT_EQ(image().FeatureLevel("metadata.version"), 23);
  EXPECT_EQ(Update("metadata.version", 29, Kind::kSafeDowngrade), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("metadata.version", 30, Kind::kUpgrade), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("metadata.version", 29, Kind::kUpgrade), ErrorCode::kNone);
  EXPECT_EQ(image().FeatureLevel("metadata.version"), 29);
}

TEST_F(ControllerAdminTest, ThrottlesOfBrokersChangeWhileTheyRun) {
  for (const char* name :
       {"leader.replication.throttled.rate", "follower.replication.throttled.rate",
        "replica.alter.log.dirs.io.max.bytes.per.second"}) {
    for (const char* broker : {"1", ""}) {
      EXPECT_EQ(Alter({kBroker, broker, {{name, ConfigEdit::kSet, "50000"}}}).error,
                ErrorCode::kNone);
      EXPECT_EQ(image().FindConfigs(ConfigResourceType::kBroker, broker)->at(name), "50000");
      for (const char* wrong : {"-1", "x", "", "1.5", "9999999999999999999"}) {
        EXPECT_EQ(Alter({kBroker, broker, {{name, ConfigEdit::kSet, wrong}}}).error,
                  ErrorCode::kInvalidConfig)
            << wrong;
      }
      EXPECT_EQ(Alter({kBroker, broker, {{name, ConfigEdit::kDelete, {}}}}).error,
                ErrorCode::kNone);
    }
  }
  EXPECT_EQ(
      Alter({kBroker, "77", {{"leader.replication.throttled.rate", ConfigEdit::kSet, "1"}}}).error,
      ErrorCode::kInvalidRequest);
}

// Kafka 4.1 and later: with eligible leader replicas the minimum is one for the whole cluster.
TEST_F(ControllerAdminTest, TheMinimumInSyncCanBeSetForAllBrokersTogether) {
  EXPECT_EQ(Alter({kBroker, "", {{"min.insync.replicas", ConfigEdit::kSet, "2"}}}).error,
            ErrorCode::kNone);
  EXPECT_EQ(image().FindConfigs(ConfigResourceType::kBroker, "")->at("min.insync.replicas"), "2");
  EXPECT_EQ(Alter({kBroker, "1", {{"min.insync.replicas", ConfigEdit::kSet, "2"}}}).error,
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(Alter({kBroker, "", {{"num.partitions", ConfigEdit::kSet, "2"}}}).error,
            ErrorCode::kInvalidRequest);
  const ConfigChange forget{kBroker, "", {{"min.insync.replicas", ConfigEdit::kDelete, {}}}};
  EXPECT_EQ(Alter(forget).error, ErrorCode::kInvalidConfig);
  EXPECT_EQ(Update("eligible.leader.replicas.version", 0, FeatureUpdate::Kind::kSafeDowngrade),
            ErrorCode::kNone);
  EXPECT_EQ(Alter(forget).error, ErrorCode::kNone);
}

TEST_F(ControllerAdminTest, OtherFeaturesStayAtZero) {
  using Kind = FeatureUpdate::Kind;
  EXPECT_EQ(Update("transaction.version", 2, Kind::kUpgrade), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("transaction.version", 0, Kind::kUpgrade), ErrorCode::kNone);
  EXPECT_EQ(Update("no.such.version", 0, Kind::kUpgrade), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(Update("metadata.version", 29, static_cast<Kind>(9)), ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(appended_, 0);
}

// A name may be as long as a message lets it be; what quotes it has to fit into one all the same.
TEST_F(ControllerAdminTest, ErrorsOfTheLongestNamesFitIntoAMessage) {
  std::string name = "x";
  while (name.size() < 32766) name += "\u00e9";  // two bytes each
  const ConfigsAltered::Result result =
      Alter({kTopic, "t", {{name, ConfigEdit::kSet, "x"}, {name, ConfigEdit::kSet, "y"}}});
  EXPECT_EQ(result.error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(result.message.substr(0, 8), "Config x");
  EXPECT_EQ(result.message.substr(result.message.size() - 5), "\u00e9...");
  EXPECT_LE(result.message.size(), 1000u);
  AlterClientQuotas quotas;
  quotas.request.entries.push_back({{{name, "n"}}, {}});
  Step(quotas);
  const auto entry = Take<protocol::AlterClientQuotasResponse>().entries.at(0);
  EXPECT_EQ(entry.entity.at(0).entity_type, name);
  EXPECT_LE(entry.error_message.value().size(), 1000u);
}

TEST_F(ControllerAdminTest, RefusesWhileItDoesNotLead) {
  Step(LeadershipLost{});
  EXPECT_EQ(Edit({"list", 0, "x"}), ErrorCode::kNotController);
  EXPECT_EQ(AddTo(To("t", 3)), ErrorCode::kNotController);
  EXPECT_EQ(Update("metadata.version", 29, FeatureUpdate::Kind::kUpgrade),
            ErrorCode::kNotController);
}

}  // namespace
}  // namespace weir::metadata
