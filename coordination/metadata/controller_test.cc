#include "coordination/metadata/controller.h"

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/error_code.h"

namespace weir::metadata {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using protocol::ErrorCode;
using ::testing::HasSubstr;

RegisterBrokerRecord Registration(int32_t id, uint64_t incarnation) {
  RegisterBrokerRecord r;
  r.broker_id = id;
  r.incarnation_id = {7, incarnation};
  MetadataEndpoint endpoint;
  endpoint.name = "PLAINTEXT";
  endpoint.host = "localhost";
  endpoint.port = 9092;
  r.end_points.push_back(endpoint);
  r.log_dirs = {Uuid{100, static_cast<uint64_t>(id)}};
  return r;
}

CreateTopicsRequest::CreatableTopic NewTopic(std::string name, int32_t partitions = 1,
                                             int16_t replicas = 1) {
  CreateTopicsRequest::CreatableTopic topic;
  topic.name = std::move(name);
  topic.num_partitions = partitions;
  topic.replication_factor = replicas;
  return topic;
}

// A controller with the log that it asks for; committing is up to the test.
class ControllerTest : public ::testing::Test {
 protected:
  void Start(ControllerConfig config = {}) {
    controller_.emplace(std::move(config), random_);
    Step(LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()});
    CommitAll();
  }

  void Step(ControllerEvent event) {
    ControllerEffects effects;
    controller_->Step(now_, std::move(event), &effects);
    for (AppendRecords& append : effects.appends) {
      EXPECT_EQ(append.base_offset, Offset(1 + static_cast<int64_t>(log_.size())));
      log_.insert(log_.end(), append.records.begin(), append.records.end());
      appends_.push_back(std::move(append));
    }
    for (Respond& respond : effects.responses) responses_.push_back(std::move(respond));
  }
  void CommitAll() { Step(Committed{controller_->next_offset() - 1}); }

  template <class Response>
  Response Take() {
    EXPECT_EQ(responses_.size(), 1);
    Response response = std::get<Response>(std::move(responses_.back().response));
    responses_.clear();
    return response;
  }

  void Register(int32_t id, uint64_t incarnation) {
    RegisterBroker event{1, Registration(id, incarnation)};
    event.predecessor_is_gone = true;
    Step(std::move(event));
  }
  int64_t AddBroker(int32_t id, uint64_t incarnation = 1) {
    Register(id, incarnation);
    CommitAll();
    const int64_t epoch = Take<BrokerRegistered>().broker_epoch;
    Step(SetBrokerFenced{2, BrokerId(id), epoch, false});
    CommitAll();
    EXPECT_EQ(Take<BrokerFencingSet>().error, ErrorCode::kNone);
    return epoch;
  }

  CreateTopicsResponse Create(std::vector<CreateTopicsRequest::CreatableTopic> topics,
                              bool validate_only = false) {
    CreateTopics event{3, {}};
    event.request.topics = std::move(topics);
    event.request.validate_only = validate_only;
    Step(std::move(event));
    CommitAll();
    return Take<CreateTopicsResponse>();
  }
  ErrorCode CreateOne(CreateTopicsRequest::CreatableTopic topic) {
    const CreateTopicsResponse response = Create({std::move(topic)});
    message_ = response.topics[0].error_message.value_or("");
    return static_cast<ErrorCode>(response.topics[0].error_code);
  }
  DeleteTopicsResponse Delete(std::optional<std::string> name, Uuid id = {}) {
    DeleteTopics event{4, {}};
    DeleteTopicsRequest::DeleteTopicState state;
    state.name = std::move(name);
    state.topic_id = id;
    event.request.topics = {state};
    Step(std::move(event));
    CommitAll();
    return Take<DeleteTopicsResponse>();
  }
  static ErrorCode Code(const DeleteTopicsResponse& response) {
    return static_cast<ErrorCode>(response.responses[0].error_code);
  }
  const MetadataImage& image() { return *controller_->pending_image(); }

  SeededRandom random_{1};
  MonotonicNs now_{0};
  std::optional<Controller> controller_;
  std::vector<MetadataRecord> log_;  // from offset 1 on
  std::vector<AppendRecords> appends_;
  std::vector<Respond> responses_;
  std::string message_;
};

TEST_F(ControllerTest, BootstrapsAnEmptyLogInOneTransaction) {
  Start();
  ASSERT_EQ(log_.size(), 4);
  EXPECT_EQ(std::get<BeginTransactionRecord>(log_[0]).name, "Bootstrap records");
  EXPECT_EQ(std::get<FeatureLevelRecord>(log_[1]).feature_level, 29);
  EXPECT_TRUE(std::holds_alternative<EndTransactionRecord>(log_[3]));
  EXPECT_EQ(image().FeatureLevel("metadata.version"), 29);
  EXPECT_EQ(image().FeatureLevel("eligible.leader.replicas.version"), 1);
  // A log that is not empty is not bootstrapped again.
  const size_t before = log_.size();
  Step(LeadershipGained{LeaderEpoch(2), controller_->next_offset(), controller_->pending_image()});
  EXPECT_EQ(log_.size(), before);
  EXPECT_EQ(controller_->epoch(), LeaderEpoch(2));
}

TEST_F(ControllerTest, TheMinimumOfTheFileBecomesThatOfTheCluster) {
  ControllerConfig config;
  config.min_insync_replicas = 2;
  controller_.emplace(config, random_);
  Step(LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()});
  ASSERT_EQ(log_.size(), 5);
  const ConfigRecord& minimum = std::get<ConfigRecord>(log_[4]);
  EXPECT_EQ(minimum.resource_type, 4);   // of brokers,
  EXPECT_EQ(minimum.resource_name, "");  // all of them
  EXPECT_EQ(minimum.name, "min.insync.replicas");
  EXPECT_EQ(minimum.value, "2");
  // What another controller's file says does not change it.
  config.min_insync_replicas = 3;
  const MetadataImagePtr before = controller_->pending_image();
  controller_.emplace(config, random_);
  Step(LeadershipGained{LeaderEpoch(2), Offset(7), before});
  EXPECT_EQ(log_.size(), 5);
}

TEST_F(ControllerTest, EligibleReplicasBringTheMinimumWhenTheyAreTurnedOn) {
  ControllerConfig config;
  config.min_insync_replicas = 2;
  FeatureLevelRecord version;
  version.name = "metadata.version";
  version.feature_level = 29;
  config.bootstrap_records = {version};
  controller_.emplace(config, random_);
  Step(LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()});
  EXPECT_EQ(log_.size(), 3);
  EXPECT_EQ(controller_->NextDeadline(), std::nullopt);
  Step(UpdateFeatures{
      6, {{"eligible.leader.replicas.version", 1, FeatureUpdate::Kind::kUpgrade}}, false});
  ASSERT_EQ(controller_->NextDeadline(), now_);
  Step(Tick());
  ASSERT_EQ(log_.size(), 5);
  EXPECT_EQ(std::get<FeatureLevelRecord>(log_[3]).feature_level, 1);
  EXPECT_EQ(std::get<ConfigRecord>(log_[4]).value, "2");
}

TEST_F(ControllerTest, AnUnfinishedBootstrapIsAbortedAndRepeated) {
  Start();
  const std::vector<MetadataRecord> half(log_.begin(), log_.begin() + 2);
  absl::StatusOr<MetadataImagePtr> image = Apply(*EmptyImage(), half, Offset(1), LeaderEpoch(1));
  ASSERT_TRUE(image.ok());
  Controller second({}, random_);
  ControllerEffects effects;
  second.Step(now_, LeadershipGained{LeaderEpoch(2), Offset(4), *image}, &effects);
  ASSERT_EQ(effects.appends.size(), 1);
  EXPECT_TRUE(std::holds_alternative<AbortTransactionRecord>(effects.appends[0].records[0]));
  EXPECT_EQ(second.pending_image()->FeatureLevel("metadata.version"), 29);
}

TEST_F(ControllerTest, AnswersOnlyWhatIsCommitted) {
  Start();
  AddBroker(1);
  CreateTopics create{10, {}};
  create.request.topics = {NewTopic("orders")};
  Step(create);
  const Offset first = controller_->next_offset() - 1;
  create.token = 11;
  Step(create);  // refused because of the first, so it may not be answered before it either
  EXPECT_TRUE(responses_.empty());
  Step(Committed{first - 1});
  EXPECT_TRUE(responses_.empty());
  Step(Committed{first});
  ASSERT_EQ(responses_.size(), 2);
  EXPECT_EQ(responses_[0].token, 10);
  const auto second = std::get<CreateTopicsResponse>(responses_[1].response);
  EXPECT_EQ(second.topics[0].error_code, static_cast<int16_t>(ErrorCode::kTopicAlreadyExists));
}

TEST_F(ControllerTest, AFailedAppendFailsWhatWaitsForItAndNothingElse) {
  Start();
  AddBroker(1);
  CreateTopics before{9, {}};
  before.request.topics = {NewTopic("before")};
  Step(before);
  const Offset end = controller_->next_offset();
  CreateTopics create{10, {}};
  create.request.topics = {NewTopic("orders")};
  Step(create);
  log_.resize(static_cast<size_t>(end - Offset(1)));  // there was no room for the second
  Step(AppendFailed{appends_.back().token, ErrorCode::kKafkaStorageError});
  const auto response = Take<CreateTopicsResponse>();
  EXPECT_EQ(response.topics[0].error_code, static_cast<int16_t>(ErrorCode::kKafkaStorageError));
  EXPECT_TRUE(response.topics[0].topic_id.is_zero());
  EXPECT_EQ(controller_->next_offset(), end);
  EXPECT_EQ(image().FindTopic("orders"), nullptr);
  CommitAll();
  EXPECT_EQ(Take<CreateTopicsResponse>().topics[0].error_code, 0);
  Step(create);
  CommitAll();
  EXPECT_EQ(Take<CreateTopicsResponse>().topics[0].error_code, 0);
  EXPECT_NE(image().FindTopic("orders"), nullptr);
}

TEST_F(ControllerTest, BootstrapRecordsThatFoundNoRoomComeFirstLater) {
  const auto fail_last = [&] {
    log_.clear();
    Step(AppendFailed{appends_.back().token, ErrorCode::kKafkaStorageError});
    EXPECT_EQ(controller_->next_offset(), Offset(1));
  };
  controller_.emplace(ControllerConfig(), random_);
  Step(LeadershipGained{LeaderEpoch(1), Offset(1), EmptyImage()});
  EXPECT_EQ(log_.size(), 4u);
  EXPECT_EQ(controller_->NextDeadline(), std::nullopt);
  fail_last();
  EXPECT_EQ(appends_.size(), 1u);  // not at once
  ASSERT_TRUE(controller_->NextDeadline().has_value());
  EXPECT_LE(*controller_->NextDeadline(), now_);
  Step(Tick());
  EXPECT_EQ(log_.size(), 4u);
  EXPECT_EQ(appends_.size(), 2u);
  EXPECT_EQ(controller_->NextDeadline(), std::nullopt);
  fail_last();
  // What is asked does not get before them either.
  Register(1, 1);
  ASSERT_EQ(appends_.size(), 4u);
  EXPECT_EQ(appends_[2].base_offset, Offset(1));
  EXPECT_EQ(image().FeatureLevel(kMetadataVersionFeature), kMetadataVersionNewest);
  CommitAll();
  EXPECT_EQ(Take<BrokerRegistered>().error, ErrorCode::kNone);
  EXPECT_EQ(CreateOne(NewTopic("none")), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(appends_.size(), 4u);
}

TEST_F(ControllerTest, ATransactionOfBeforeIsAbortedLaterWhereThereWasNoRoom) {
  Start();
  BeginTransactionRecord begin;
  begin.name = "of another";
  const MetadataImagePtr open =
      *Apply(image(), {begin}, controller_->next_offset(), LeaderEpoch(1));
  ASSERT_TRUE(open->transaction.has_value());
  log_.push_back(begin);
  const Offset end = controller_->next_offset() + 1;
  Step(LeadershipGained{LeaderEpoch(2), end, open});
  log_.pop_back();
  Step(AppendFailed{appends_.back().token, ErrorCode::kKafkaStorageError});
  EXPECT_EQ(controller_->next_offset(), end);
  Step(Tick());
  EXPECT_EQ(controller_->next_offset(), end + 1);
  EXPECT_FALSE(image().transaction.has_value());
}

TEST_F(ControllerTest, ARequestForTooManyPartitionsCreatesNothing) {
  Start();
  AddBroker(1);
  const CreateTopicsResponse response = Create({NewTopic("few"), NewTopic("many", 10'000)});
  for (const auto& topic : response.topics) {
    EXPECT_EQ(topic.error_code, static_cast<int16_t>(ErrorCode::kPolicyViolation));
  }
  EXPECT_EQ(CreateOne(NewTopic("many", 10'000)), ErrorCode::kNone);
}

TEST_F(ControllerTest, CreatesTopicsWithDefaultsConfigsAndIds) {
  ControllerConfig config;
  config.num_partitions = 3;
  Start(config);
  AddBroker(1);
  CreateTopicsRequest::CreatableTopic topic = NewTopic("orders", -1, -1);
  topic.configs.resize(1);
  topic.configs[0].name = "retention.ms";
  topic.configs[0].value = "5";
  const CreateTopicsResponse response = Create({topic});
  EXPECT_EQ(response.topics[0].error_code, 0);
  EXPECT_EQ(response.topics[0].error_message, std::nullopt);
  EXPECT_EQ(response.topics[0].num_partitions, 3);
  EXPECT_EQ(response.topics[0].replication_factor, 1);
  const TopicImage* created = image().FindTopic("orders");
  ASSERT_NE(created, nullptr);
  EXPECT_EQ(created->id, response.topics[0].topic_id);
  EXPECT_EQ(created->partition_count(), 3);
  EXPECT_EQ(created->Find(PartitionIndex(2))->leader, BrokerId(1));
  EXPECT_EQ(created->Find(PartitionIndex(2))->directories, (std::vector<Uuid>{{100, 1}}));
  EXPECT_EQ(image().FindConfigs(ConfigResourceType::kTopic, "orders")->at("retention.ms"), "5");
}

TEST_F(ControllerTest, RefusesWhatKafkaRefuses) {
  ControllerConfig config;
  config.validate_topic_config = [](absl::string_view name, absl::string_view) {
    return name == "good" ? absl::OkStatus() : absl::InvalidArgumentError("no such config");
  };
  Start(config);
  EXPECT_EQ(CreateOne(NewTopic("early")), ErrorCode::kInvalidReplicationFactor);
  AddBroker(1);
  const size_t before = log_.size();
  for (const char* name : {"", ".", "..", "a/b", "a b", "ü"}) {
    EXPECT_EQ(CreateOne(NewTopic(name)), ErrorCode::kInvalidTopicException) << name;
  }
  EXPECT_EQ(CreateOne(NewTopic(std::string(250, 'a'))), ErrorCode::kInvalidTopicException);
  EXPECT_EQ(CreateOne(NewTopic(std::string("a\0b", 3))), ErrorCode::kInvalidTopicException);
  EXPECT_EQ(CreateOne(NewTopic("__cluster_metadata")), ErrorCode::kInvalidRequest);
  EXPECT_EQ(CreateOne(NewTopic("t", 0)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(CreateOne(NewTopic("t", -2)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(CreateOne(NewTopic("t", 10'001)), ErrorCode::kPolicyViolation);
  EXPECT_EQ(CreateOne(NewTopic("t", 2147483647)), ErrorCode::kPolicyViolation);
  EXPECT_EQ(CreateOne(NewTopic("t", 1, 0)), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(CreateOne(NewTopic("t", 1, 2)), ErrorCode::kInvalidReplicationFactor);
  EXPECT_THAT(message_, HasSubstr("2"));
  CreateTopicsRequest::CreatableTopic topic = NewTopic("t");
  topic.configs.resize(1);
  topic.configs[0].name = "bad";
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidConfig);
  EXPECT_EQ(message_, "no such config");
  topic.configs[0] = {"good", std::nullopt};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidConfig);
  EXPECT_EQ(log_.size(), before);
}

TEST_F(ControllerTest, NamesMayNotCollide) {
  Start();
  AddBroker(1);
  EXPECT_EQ(CreateOne(NewTopic("a.b")), ErrorCode::kNone);
  EXPECT_EQ(CreateOne(NewTopic("a.b")), ErrorCode::kTopicAlreadyExists);
  EXPECT_EQ(CreateOne(NewTopic("a_b")), ErrorCode::kInvalidTopicException);
  EXPECT_THAT(message_, HasSubstr("a.b"));
  const CreateTopicsResponse response =
      Create({NewTopic("c"), NewTopic("c"), NewTopic("d.e"), NewTopic("d_e")});
  ASSERT_EQ(response.topics.size(), 3);
  EXPECT_EQ(response.topics[0].error_code, static_cast<int16_t>(ErrorCode::kInvalidRequest));
  EXPECT_EQ(response.topics[1].error_code, 0);
  EXPECT_EQ(response.topics[2].error_code, static_cast<int16_t>(ErrorCode::kInvalidTopicException));
}

TEST_F(ControllerTest, ValidateOnlyWritesNothing) {
  Start();
  AddBroker(1);
  const size_t before = log_.size();
  EXPECT_EQ(Create({NewTopic("orders", 4)}, true).topics[0].num_partitions, 4);
  EXPECT_EQ(log_.size(), before);
  EXPECT_EQ(image().FindTopic("orders"), nullptr);
}

TEST_F(ControllerTest, ManualAssignments) {
  Start();
  AddBroker(1);
  AddBroker(2);
  CreateTopicsRequest::CreatableTopic topic = NewTopic("t", -1, -1);
  topic.assignments.resize(2);
  topic.assignments[0] = {0, {2, 1}};
  topic.assignments[1] = {1, {1, 2}};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kNone);
  EXPECT_EQ(image().FindTopic("t")->Find(PartitionIndex(0))->leader, BrokerId(2));
  topic.name = "u";
  topic.assignments[1] = {2, {1, 2}};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidReplicaAssignment);  // a gap
  topic.assignments[1] = {0, {1, 2}};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidReplicaAssignment);  // twice
  topic.assignments[1] = {1, {1}};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidReplicaAssignment);  // other size
  topic.assignments[1] = {1, {1, 1}};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidReplicaAssignment);
  topic.assignments[1] = {1, {1, 9}};
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidReplicaAssignment);  // unknown broker
  topic.num_partitions = 2;
  EXPECT_EQ(CreateOne(topic), ErrorCode::kInvalidRequest);
}

TEST_F(ControllerTest, RoundRobinBalancesLeadersAndReplicas) {
  Start();
  for (int32_t id = 1; id <= 4; ++id) AddBroker(id);
  EXPECT_EQ(CreateOne(NewTopic("t", 12, 3)), ErrorCode::kNone);
  std::vector<int> leads(5), holds(5);
  for (int32_t i = 0; i < 12; ++i) {
    const PartitionImage* p = image().FindTopic("t")->Find(PartitionIndex(i));
    EXPECT_EQ(std::set<BrokerId>(p->replicas.begin(), p->replicas.end()).size(), 3);
    EXPECT_EQ(p->isr, p->replicas);
    ++leads[p->leader.value()];
    for (const BrokerId id : p->replicas) ++holds[id.value()];
  }
  EXPECT_EQ(leads, (std::vector<int>{0, 3, 3, 3, 3}));
  EXPECT_EQ(holds, (std::vector<int>{0, 9, 9, 9, 9}));
}

TEST_F(ControllerTest, DeletesByNameAndById) {
  Start();
  AddBroker(1);
  Create({NewTopic("a"), NewTopic("b")});
  const Uuid b = image().FindTopic("b")->id;
  EXPECT_EQ(Code(Delete("a")), ErrorCode::kNone);
  EXPECT_EQ(Code(Delete("a")), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Code(Delete("b", b)), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Code(Delete(std::nullopt)), ErrorCode::kInvalidRequest);
  EXPECT_EQ(Delete(std::nullopt, b).responses[0].name, "b");
  EXPECT_EQ(Code(Delete(std::nullopt, b)), ErrorCode::kUnknownTopicId);
  EXPECT_EQ(image().topics.size(), 0);
  Create({NewTopic("b")});
  EXPECT_NE(image().FindTopic("b")->id, b);
}

TEST_F(ControllerTest, ATopicNamedTwiceIsAnsweredOnceAndStays) {
  Start();
  AddBroker(1);
  Create({NewTopic("a"), NewTopic("b")});
  DeleteTopics event{4, {}};
  event.request.topic_names = {"a", "b", "a", "none", "none"};
  event.request.topics.push_back({std::nullopt, image().FindTopic("b")->id});
  event.request.topics.push_back({"c", Uuid()});
  Step(std::move(event));
  CommitAll();
  const auto response = Take<DeleteTopicsResponse>();
  std::map<std::string, ErrorCode> codes;
  for (const auto& result : response.responses) {
    EXPECT_TRUE(
        codes.emplace(result.name.value_or("by id"), static_cast<ErrorCode>(result.error_code))
            .second);
  }
  const std::map<std::string, ErrorCode> expected = {{"a", ErrorCode::kInvalidRequest},
                                                     {"by id", ErrorCode::kInvalidRequest},
                                                     {"none", ErrorCode::kInvalidRequest},
                                                     {"c", ErrorCode::kUnknownTopicOrPartition}};
  EXPECT_EQ(codes, expected);
  EXPECT_EQ(image().topics.size(), 2);
}

TEST_F(ControllerTest, DeletionMayBeDisabled) {
  ControllerConfig config;
  config.delete_topic_enable = false;
  Start(config);
  EXPECT_EQ(Code(Delete("a")), ErrorCode::kTopicDeletionDisabled);
}

TEST_F(ControllerTest, ProducerIdBlocksNeverOverlap) {
  Start();
  const int64_t epoch = AddBroker(1);
  for (int64_t i = 0; i < 3; ++i) {
    Step(AllocateProducerIds{1, BrokerId(1), epoch});
    EXPECT_TRUE(responses_.empty());
    CommitAll();
    const auto block = Take<ProducerIdBlock>();
    EXPECT_EQ(block.first_id, 1000 * i);
    EXPECT_EQ(block.count, 1000);
  }
  Step(AllocateProducerIds{1, BrokerId(1), epoch + 1});
  EXPECT_EQ(Take<ProducerIdBlock>().error, ErrorCode::kStaleBrokerEpoch);
  Step(AllocateProducerIds{1, BrokerId(2), epoch});
  EXPECT_EQ(Take<ProducerIdBlock>().error, ErrorCode::kBrokerIdNotRegistered);
}

TEST_F(ControllerTest, ANewIncarnationLeadsInANewEpoch) {
  Start();
  const int64_t epoch = AddBroker(1);
  Create({NewTopic("t")});
  Step(RegisterBroker{1, Registration(1, 1)});  // the same once more: the same answer
  EXPECT_EQ(Take<BrokerRegistered>().broker_epoch, epoch);
  Register(1, 2);
  CommitAll();
  const int64_t next = Take<BrokerRegistered>().broker_epoch;
  EXPECT_GT(next, epoch);
  const TopicPartition tp{image().FindTopic("t")->id, PartitionIndex(0)};
  EXPECT_EQ(image().FindPartition(tp)->leader, kNoBroker);
  EXPECT_EQ(image().FindPartition(tp)->last_known_elr, std::vector<BrokerId>{BrokerId(1)});
  Step(SetBrokerFenced{1, BrokerId(1), epoch, false});
  EXPECT_EQ(Take<BrokerFencingSet>().error, ErrorCode::kStaleBrokerEpoch);
  Step(SetBrokerFenced{1, BrokerId(1), next, false});
  CommitAll();
  EXPECT_EQ(image().FindPartition(tp)->leader, BrokerId(1));
  EXPECT_EQ(image().FindPartition(tp)->leader_epoch, LeaderEpoch(2));
}

// How Apache Kafka 4.1 and later leave a partition when its only broker shuts down (KIP-966).
TEST_F(ControllerTest, ABrokerThatReturnsLeadsWhereItMayBeElected) {
  Start();
  AddBroker(1);
  Create({NewTopic("eligible"), NewTopic("last-known"), NewTopic("lost")});
  std::vector<MetadataRecord> left;
  for (const auto& [name, eligible, last_known] :
       {std::tuple("eligible", std::vector<int32_t>{1}, std::vector<int32_t>{1}),
        std::tuple("last-known", std::vector<int32_t>{}, std::vector<int32_t>{1}),
        std::tuple("lost", std::vector<int32_t>{}, std::vector<int32_t>{})}) {
    PartitionChangeRecord change;
    change.topic_id = image().FindTopic(name)->id;
    change.partition_id = 0;
    change.leader = kNoBroker.value();
    change.isr.emplace();
    change.eligible_leader_replicas = eligible;
    change.last_known_elr = last_known;
    left.push_back(change);
  }
  const Offset next = controller_->next_offset();
  const absl::StatusOr<MetadataImagePtr> after = Apply(image(), left, next, LeaderEpoch(1));
  ASSERT_TRUE(after.ok()) << after.status();
  log_.insert(log_.end(), left.begin(), left.end());
  controller_.emplace(ControllerConfig(), random_);
  Step(LeadershipGained{LeaderEpoch(2), next + 3, *after});
  AddBroker(1, /*incarnation=*/2);
  for (const std::string name : {"eligible", "last-known"}) {
    const PartitionImage& partition = *image().FindTopic(name)->Find(PartitionIndex(0));
    EXPECT_EQ(partition.leader, BrokerId(1)) << name;
    EXPECT_EQ(partition.isr, std::vector<BrokerId>{BrokerId(1)}) << name;
    EXPECT_TRUE(partition.eligible_leader_replicas.empty()) << name;
    EXPECT_TRUE(partition.last_known_elr.empty()) << name;
  }
  EXPECT_EQ(image().FindTopic("lost")->Find(PartitionIndex(0))->leader, kNoBroker);
}

TEST_F(ControllerTest, BadRegistrationsAreRefused) {
  Start();
  AddBroker(1);
  RegisterBrokerRecord taken = Registration(2, 1);
  taken.log_dirs = {Uuid{100, 1}};
  RegisterBrokerRecord silent = Registration(2, 1);
  silent.end_points.clear();
  for (const RegisterBrokerRecord& r : {taken, silent}) {
    Step(RegisterBroker{1, r});
    EXPECT_EQ(Take<BrokerRegistered>().error, ErrorCode::kInvalidRegistration);
  }
}

TEST_F(ControllerTest, TheLogReplaysToTheControllersOwnImage) {
  Start();
  int64_t epoch = AddBroker(1);
  for (int step = 0; step < 300; ++step) {
    const std::string name = absl::StrCat("t", random_.Below(20), random_.OneIn(2) ? ".x" : "_x");
    switch (random_.Below(8)) {
      case 0:
        Step(AllocateProducerIds{1, BrokerId(1), epoch});
        break;
      case 1:
        Register(1, 2 + static_cast<uint64_t>(step));
        epoch = image().FindBroker(BrokerId(1))->epoch;
        break;
      case 2:
        Step(SetBrokerFenced{1, BrokerId(1), epoch, random_.OneIn(3)});
        break;
      case 3:
      case 4: {
        DeleteTopics event{1, {}};
        event.request.topic_names = {name};
        Step(std::move(event));
        break;
      }
      default: {
        CreateTopics event{1, {}};
        event.request.topics = {NewTopic(name, static_cast<int32_t>(random_.Below(5)))};
        Step(std::move(event));
      }
    }
    if (random_.OneIn(4)) CommitAll();
  }
  absl::StatusOr<MetadataImagePtr> replayed = Apply(*EmptyImage(), log_, Offset(1), LeaderEpoch(1));
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_TRUE(**replayed == image());
  EXPECT_TRUE(*appends_.back().image == image());
  EXPECT_GT(image().topics.size(), 0);
}

}  // namespace
}  // namespace weir::metadata
