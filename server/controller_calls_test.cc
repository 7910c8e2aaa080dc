// Every request that a controller takes, and every answer, is after the way between two nodes what
// it was before; what is no such thing is refused.
#include "server/controller_calls.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/controller_types.h"
#include "gtest/gtest.h"
#include "protocol/equal.h"
#include "protocol/error_code.h"

namespace weir::server {
namespace {

using metadata::ControllerEvent;
using metadata::ControllerResponse;
using protocol::ErrorCode;

constexpr metadata::RequestToken kToken = 71;
constexpr Uuid kTopicA{1, 2}, kTopicB{3, 4}, kDirectoryA{5, 6}, kDirectoryB{7, 8};

std::vector<protocol::DeleteAclsRequest::DeleteAclsFilter> SomeFilters() {
  protocol::DeleteAclsRequest::DeleteAclsFilter filter;
  filter.resource_type_filter = 2;
  filter.resource_name_filter = std::nullopt;
  filter.pattern_type_filter = 4;
  filter.principal_filter = "User:alice";
  filter.host_filter = "10.0.0.1";
  filter.operation = 5;
  filter.permission_type = 3;
  return {filter, {}};
}

metadata::RegisterBroker SomeRegistration() {
  metadata::RegisterBroker event;
  metadata::RegisterBrokerRecord& r = event.registration;
  r.broker_id = 3;
  r.is_migrating_zk_broker = true;
  r.incarnation_id = Uuid{9, 10};
  r.end_points.push_back({"PLAINTEXT", "h1", 65535, 0, {}});
  r.end_points.push_back({"SSL", "h2", 9093, 1, {}});
  r.features.push_back({"metadata.version", 7, 29, {}});
  r.features.push_back({"group.version", 0, 1, {}});
  r.rack = "r1";
  r.log_dirs = {kDirectoryA, kDirectoryB};
  event.cluster_id = "cluster";
  event.previous_broker_epoch = 77;
  return event;
}

// One rich event of each kind that can be asked from afar.
std::vector<ControllerEvent> Requests() {
  std::vector<ControllerEvent> events;
  metadata::CreateTopics create;
  create.request.topics.push_back({"t", 3, 2, {{0, {1, 2}}, {1, {2, 3}}}, {{"a", "b"}, {"c", {}}}});
  create.request.timeout_ms = 5;
  create.request.validate_only = true;
  create.is_internal = true;
  events.push_back(create);
  create.is_internal = false;
  events.push_back(create);
  metadata::DeleteTopics remove;
  remove.request.topics = {{"t", {}}, {std::nullopt, kTopicA}};
  remove.request.timeout_ms = 6;
  events.push_back(remove);
  metadata::CreatePartitions grow;
  grow.request.topics.push_back({"t", 4, {{{{1, 2}}, {{3}}}}});
  grow.request.topics.push_back({"u", 5, std::nullopt});
  grow.request.validate_only = true;
  events.push_back(grow);
  metadata::AlterConfigs alter;
  alter.changes.push_back({2, "t", {{"a", 0, "b"}, {"c", 1, {}}, {"d", 2, "e"}, {"f", 3, "g"}}});
  alter.changes.push_back({4, "", {}});
  alter.validate_only = true;
  events.push_back(alter);
  metadata::AlterConfigs replace;
  replace.changes.push_back({2, "t", {{"a", 0, "b"}, {"c", 0, {}}}});
  replace.changes.push_back({-1, "x", {}});
  replace.replace = true;
  events.push_back(replace);
  metadata::UpdateFeatures features;
  using Kind = metadata::FeatureUpdate::Kind;
  features.updates = {{"f", 3, Kind::kUnsafeDowngrade}, {"g", 0, static_cast<Kind>(99)}};
  features.validate_only = true;
  events.push_back(features);
  events.push_back(metadata::AllocateProducerIds{0, BrokerId(4), 88});
  events.push_back(SomeRegistration());
  metadata::RegisterBroker bare = SomeRegistration();
  bare.registration.rack = std::nullopt;
  bare.previous_broker_epoch = -1;
  events.push_back(bare);
  events.push_back(metadata::BrokerHeartbeat{
      0, BrokerId(4), 88, Offset(1234567890123), true, false, {kDirectoryB, kDirectoryA}});
  events.push_back(metadata::BrokerHeartbeat{0, BrokerId(5), 89, kNoOffset, false, true, {}});
  events.push_back(metadata::UnregisterBroker{0, BrokerId(6)});
  metadata::ElectLeaders elect;
  elect.request.election_type = 1;
  elect.request.topic_partitions = {{"t", {0, 2}}, {"u", {}}};
  events.push_back(elect);
  elect.request.topic_partitions = std::nullopt;
  events.push_back(elect);
  metadata::AlterPartition isr{0, BrokerId(1), 90, {}};
  isr.changes.push_back(
      {{kTopicA, PartitionIndex(1)}, LeaderEpoch(2), 3, {{BrokerId(1), 90}, {BrokerId(2), -1}}, 1});
  isr.changes.push_back({{kTopicB, PartitionIndex(0)}, LeaderEpoch(4), 5, {{BrokerId(1), 9}}, 0});
  isr.changes.push_back({{kTopicA, PartitionIndex(2)}, LeaderEpoch(6), 7, {}, 0});
  events.push_back(isr);
  metadata::AlterPartitionReassignments move;
  move.request.allow_replication_factor_change = false;
  move.request.topics.push_back({"t", {{0, {{1, 2}}}, {1, std::nullopt}}});
  events.push_back(move);
  metadata::AssignReplicasToDirs assign{0, BrokerId(1), 90, {}};
  assign.assignments = {{{kTopicA, PartitionIndex(1)}, kDirectoryA},
                        {{kTopicA, PartitionIndex(2)}, kDirectoryA},
                        {{kTopicB, PartitionIndex(0)}, kDirectoryA},
                        {{kTopicA, PartitionIndex(3)}, kDirectoryB},
                        {{kTopicA, PartitionIndex(0)}, kDirectoryA}};
  events.push_back(assign);
  metadata::AlterClientQuotas quotas;
  quotas.request.entries.push_back(
      {{{"user", "u"}, {"client-id", std::nullopt}}, {{"producer_byte_rate", 1.5, false}}});
  quotas.request.entries.push_back({{{"ip", "::1"}}, {{"connection_creation_rate", 0, true}}});
  quotas.request.validate_only = true;
  events.push_back(quotas);
  metadata::AlterUserScramCredentials scram;
  scram.request.deletions = {{"u", 1}};
  scram.request.upsertions = {{"v", 2, 4096, {std::string("s\0t", 3)}, {"pass"}}};
  events.push_back(scram);
  metadata::CreateAcls acls;
  acls.request.creations = {{2, "t", 4, "User:a", "*", 3, 2}, {}};
  events.push_back(acls);
  events.push_back(metadata::DeleteAcls{0, {SomeFilters(), {}}});
  return events;
}

// --- Comparison ----------------------------------------------------------------------------------
// Same(a, b): field by field.

bool Same(const metadata::ConfigEdit& a, const metadata::ConfigEdit& b) {
  return a.name == b.name && a.operation == b.operation && a.value == b.value;
}
bool Same(const metadata::AlterPartition::Member& a, const metadata::AlterPartition::Member& b) {
  return a.broker == b.broker && a.broker_epoch == b.broker_epoch;
}
template <class T>
bool Same(const std::vector<T>& a, const std::vector<T>& b);
bool Same(const metadata::ConfigChange& a, const metadata::ConfigChange& b) {
  return a.type == b.type && a.name == b.name && Same(a.edits, b.edits);
}
bool Same(const metadata::FeatureUpdate& a, const metadata::FeatureUpdate& b) {
  return a.feature == b.feature && a.level == b.level && a.kind == b.kind;
}
bool Same(const metadata::AlterPartition::Change& a, const metadata::AlterPartition::Change& b) {
  return a.partition == b.partition && a.leader_epoch == b.leader_epoch &&
         a.partition_epoch == b.partition_epoch && Same(a.isr, b.isr) &&
         a.leader_recovery_state == b.leader_recovery_state;
}
bool Same(const metadata::AssignReplicasToDirs::Assignment& a,
          const metadata::AssignReplicasToDirs::Assignment& b) {
  return a.partition == b.partition && a.directory == b.directory;
}
bool Same(const metadata::ConfigsAltered::Result& a, const metadata::ConfigsAltered::Result& b) {
  return a.error == b.error && a.message == b.message;
}
bool Same(const metadata::PartitionsAltered::Result& a,
          const metadata::PartitionsAltered::Result& b) {
  return a.partition == b.partition && a.error == b.error && a.leader == b.leader &&
         a.leader_epoch == b.leader_epoch && a.partition_epoch == b.partition_epoch &&
         a.isr == b.isr && a.leader_recovery_state == b.leader_recovery_state;
}
template <class T>
bool Same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!Same(a[i], b[i])) return false;
  }
  return true;
}

bool Same(const metadata::CreateTopics& a, const metadata::CreateTopics& b) {
  return protocol::Equal(a.request, b.request) && a.is_internal == b.is_internal;
}
bool Same(const metadata::AlterConfigs& a, const metadata::AlterConfigs& b) {
  return Same(a.changes, b.changes) && a.replace == b.replace && a.validate_only == b.validate_only;
}
bool Same(const metadata::UpdateFeatures& a, const metadata::UpdateFeatures& b) {
  return Same(a.updates, b.updates) && a.validate_only == b.validate_only;
}
bool Same(const metadata::AllocateProducerIds& a, const metadata::AllocateProducerIds& b) {
  return a.broker == b.broker && a.broker_epoch == b.broker_epoch;
}
bool Same(const metadata::RegisterBroker& a, const metadata::RegisterBroker& b) {
  return protocol::Equal(a.registration, b.registration) && a.cluster_id == b.cluster_id &&
         a.previous_broker_epoch == b.previous_broker_epoch &&
         a.predecessor_is_gone == b.predecessor_is_gone;
}
bool Same(const metadata::BrokerHeartbeat& a, const metadata::BrokerHeartbeat& b) {
  return a.broker == b.broker && a.broker_epoch == b.broker_epoch &&
         a.metadata_offset == b.metadata_offset && a.want_fence == b.want_fence &&
         a.want_shut_down == b.want_shut_down && a.offline_log_dirs == b.offline_log_dirs;
}
bool Same(const metadata::UnregisterBroker& a, const metadata::UnregisterBroker& b) {
  return a.broker == b.broker;
}
bool Same(const metadata::AlterPartition& a, const metadata::AlterPartition& b) {
  return a.broker == b.broker && a.broker_epoch == b.broker_epoch && Same(a.changes, b.changes);
}
bool Same(const metadata::AssignReplicasToDirs& a, const metadata::AssignReplicasToDirs& b) {
  return a.broker == b.broker && a.broker_epoch == b.broker_epoch &&
         Same(a.assignments, b.assignments);
}
bool Same(const metadata::ConfigsAltered& a, const metadata::ConfigsAltered& b) {
  return Same(a.results, b.results);
}
bool Same(const metadata::FeaturesUpdated& a, const metadata::FeaturesUpdated& b) {
  return a.error == b.error && a.message == b.message;
}
bool Same(const metadata::ProducerIdBlock& a, const metadata::ProducerIdBlock& b) {
  return a.error == b.error && a.first_id == b.first_id && a.count == b.count;
}
bool Same(const metadata::BrokerRegistered& a, const metadata::BrokerRegistered& b) {
  return a.error == b.error && a.message == b.message && a.broker_epoch == b.broker_epoch;
}
bool Same(const metadata::BrokerHeartbeatReply& a, const metadata::BrokerHeartbeatReply& b) {
  return a.error == b.error && a.is_caught_up == b.is_caught_up && a.is_fenced == b.is_fenced &&
         a.should_shut_down == b.should_shut_down;
}
bool Same(const metadata::BrokerUnregistered& a, const metadata::BrokerUnregistered& b) {
  return a.error == b.error && a.message == b.message;
}
bool Same(const metadata::PartitionsAltered& a, const metadata::PartitionsAltered& b) {
  return a.error == b.error && Same(a.results, b.results);
}
bool Same(const metadata::ReplicasAssigned& a, const metadata::ReplicasAssigned& b) {
  return a.error == b.error && a.errors == b.errors;
}
template <class T>
bool Same(const T& a, const T& b) {
  if constexpr (requires { a.request; }) {
    return protocol::Equal(a.request, b.request);
  } else if constexpr (requires { T::kApi; }) {
    return protocol::Equal(a, b);
  } else {
    ADD_FAILURE() << "no request and no answer";
    return false;
  }
}

template <class... Ts>
bool SameVariant(const std::variant<Ts...>& a, const std::variant<Ts...>& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&b](const auto& value) { return Same(value, std::get<std::decay_t<decltype(value)>>(b)); },
      a);
}

metadata::RequestToken TokenOf(const ControllerEvent& event) {
  return std::visit(
      [](const auto& e) -> metadata::RequestToken {
        if constexpr (requires(metadata::RequestToken t) { t = e.token; }) return e.token;
        return 0;
      },
      event);
}

absl::StatusOr<ControllerEvent> Decode(const EncodedCall& call) {
  return DecodeCall(call.api_key, call.api_version, call.request, kToken, call.internal);
}

// --- Tests ---------------------------------------------------------------------------------------

TEST(ControllerCallsTest, EventsComeBackAsTheyWere) {
  for (const ControllerEvent& event : Requests()) {
    const std::optional<EncodedCall> call = EncodeCall(event);
    ASSERT_TRUE(call.has_value()) << event.index();
    const absl::StatusOr<ControllerEvent> back = Decode(*call);
    ASSERT_TRUE(back.ok()) << call->api_key << ": " << back.status();
    EXPECT_TRUE(SameVariant(event, *back)) << call->api_key;
    EXPECT_EQ(TokenOf(*back), kToken) << call->api_key;
  }
}

TEST(ControllerCallsTest, EveryKindOfEventIsARequestOrTheNodesOwn) {
  std::vector<bool> asked(std::variant_size_v<ControllerEvent>);
  for (const ControllerEvent& event : Requests()) asked[event.index()] = true;
  const ControllerEvent own[] = {
      metadata::LeadershipGained(), metadata::LeadershipLost(),  metadata::Tick(),
      metadata::Committed(),        metadata::SetBrokerFenced(), metadata::LogAdvanced(),
      metadata::AppendFailed(),     metadata::BrokerLost()};
  for (const ControllerEvent& event : own) {
    EXPECT_FALSE(EncodeCall(event).has_value()) << event.index();
    EXPECT_FALSE(asked[event.index()]);
    asked[event.index()] = true;
  }
  for (size_t i = 0; i < asked.size(); ++i) EXPECT_TRUE(asked[i]) << i;
}

TEST(ControllerCallsTest, KeysAreKafkas) {
  const int16_t kKeys[] = {19, 19, 20, 37, 44, 33, 57, 67, 62, 62, 63,
                           63, 64, 43, 43, 56, 45, 73, 49, 51, 30, 31};
  const std::vector<ControllerEvent> events = Requests();
  ASSERT_EQ(events.size(), std::size(kKeys));
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(EncodeCall(events[i])->api_key, kKeys[i]);
}

// DeleteTopics of versions before 6 names topics in a field that the newest has not.
TEST(ControllerCallsTest, TopicNamesOfOldVersionsAreKept) {
  metadata::DeleteTopics event;
  event.request.topic_names = {"a", "b"};
  const absl::StatusOr<ControllerEvent> back = Decode(*EncodeCall(event));
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& topics = std::get<metadata::DeleteTopics>(*back).request.topics;
  ASSERT_EQ(topics.size(), 2u);
  EXPECT_EQ(topics[0].name, "a");
  EXPECT_EQ(topics[1].name, "b");
}

// Whether the predecessor of a broker is gone only the receiver knows.
TEST(ControllerCallsTest, TheEndOfAPredecessorDoesNotTravel) {
  metadata::RegisterBroker event = SomeRegistration();
  event.predecessor_is_gone = true;
  const absl::StatusOr<ControllerEvent> back = Decode(*EncodeCall(event));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_FALSE(std::get<metadata::RegisterBroker>(*back).predecessor_is_gone);
}

struct Answered {
  int16_t api_key;
  ControllerResponse response;
};

std::vector<Answered> Answers() {
  std::vector<Answered> answers;
  protocol::CreateTopicsResponse created;
  created.topics.push_back(
      {"t", kTopicA, 0, std::nullopt, 29, 3, 2, {{{"a", "b", true, 5, true}}}});
  created.topics.push_back({"u", {}, 36, "is there", 0, -1, -1, std::nullopt});
  answers.push_back({19, created});
  protocol::DeleteTopicsResponse deleted;
  deleted.responses.push_back({std::nullopt, kTopicA, 100, "no such id"});
  deleted.responses.push_back({"t", kTopicB, 0, std::nullopt});
  answers.push_back({20, deleted});
  protocol::CreatePartitionsResponse grown;
  grown.results.push_back({"t", 37, "fewer"});
  answers.push_back({37, grown});
  protocol::ElectLeadersResponse elected;
  elected.error_code = 1;
  elected.replica_election_results.push_back({"t", {{0, 84, "not needed"}, {1, 0, std::nullopt}}});
  answers.push_back({43, elected});
  for (const int16_t key : {33, 44}) {
    answers.push_back({key, metadata::ConfigsAltered{
                                {{ErrorCode::kNone, ""}, {ErrorCode::kInvalidConfig, "why"}}}});
  }
  answers.push_back({57, metadata::FeaturesUpdated{ErrorCode::kInvalidRequest, "why"}});
  answers.push_back({57, metadata::FeaturesUpdated{}});
  answers.push_back({67, metadata::ProducerIdBlock{ErrorCode::kStaleBrokerEpoch, -1, 0}});
  answers.push_back({67, metadata::ProducerIdBlock{ErrorCode::kNone, 1'000'000'000'000, 1000}});
  answers.push_back(
      {62, metadata::BrokerRegistered{ErrorCode::kDuplicateBrokerRegistration, "it lives", -1}});
  answers.push_back({62, metadata::BrokerRegistered{ErrorCode::kNone, "", 123}});
  answers.push_back({63, metadata::BrokerHeartbeatReply{ErrorCode::kNone, true, false, true}});
  answers.push_back(
      {63, metadata::BrokerHeartbeatReply{ErrorCode::kStaleBrokerEpoch, false, true, false}});
  answers.push_back({64, metadata::BrokerUnregistered{ErrorCode::kBrokerIdNotRegistered, "who"}});
  metadata::PartitionsAltered altered;
  altered.results.push_back({{kTopicA, PartitionIndex(1)},
                             ErrorCode::kNone,
                             BrokerId(1),
                             LeaderEpoch(2),
                             3,
                             {BrokerId(1), BrokerId(2)},
                             1});
  altered.results.push_back({{kTopicB, PartitionIndex(1)},
                             ErrorCode::kIneligibleReplica,
                             kNoBroker,
                             kNoLeaderEpoch,
                             -1,
                             {},
                             0});
  altered.results.push_back({{kTopicA, PartitionIndex(0)},
                             ErrorCode::kNone,
                             BrokerId(4),
                             LeaderEpoch(5),
                             6,
                             {BrokerId(4)},
                             0});
  answers.push_back({56, altered});
  answers.push_back({56, metadata::PartitionsAltered{ErrorCode::kStaleBrokerEpoch, {}}});
  protocol::AlterPartitionReassignmentsResponse moved;
  moved.allow_replication_factor_change = false;
  moved.error_message = std::nullopt;
  moved.responses.push_back({"t", {{0, 85, "none in progress"}, {1, 0, std::nullopt}}});
  answers.push_back({45, moved});
  answers.push_back({73, metadata::ReplicasAssigned{
                             ErrorCode::kNone, {ErrorCode::kNone, ErrorCode::kUnknownTopicId}}});
  answers.push_back({73, metadata::ReplicasAssigned{ErrorCode::kStaleBrokerEpoch, {}}});
  protocol::AlterClientQuotasResponse quotas;
  quotas.entries.push_back({42, "why", {{"user", std::nullopt}, {"client-id", "c"}}});
  answers.push_back({49, quotas});
  protocol::AlterUserScramCredentialsResponse scram;
  scram.results = {{"u", 91, "no such"}, {"v", 0, std::nullopt}};
  answers.push_back({51, scram});
  protocol::CreateAclsResponse acls;
  acls.results = {{0, std::nullopt}, {42, "why"}};
  answers.push_back({30, acls});
  protocol::DeleteAclsResponse gone;
  gone.filter_results.push_back(
      {0, std::nullopt, {{0, std::nullopt, 2, "t", 3, "User:a", "*", 4, 3}}});
  gone.filter_results.push_back({42, "why", {}});
  answers.push_back({31, gone});
  return answers;
}

int16_t VersionOf(int16_t api_key) {
  for (const ControllerEvent& event : Requests()) {
    const EncodedCall call = *EncodeCall(event);
    if (call.api_key == api_key) return call.api_version;
  }
  ADD_FAILURE() << api_key;
  return -1;
}

TEST(ControllerCallsTest, AnswersComeBackAsTheyWere) {
  std::vector<bool> answered(std::variant_size_v<ControllerResponse>);
  for (const Answered& answer : Answers()) {
    const int16_t version = VersionOf(answer.api_key);
    const std::string bytes = EncodeResponse(answer.api_key, version, answer.response);
    const absl::StatusOr<ControllerResponse> back = DecodeResponse(answer.api_key, version, bytes);
    ASSERT_TRUE(back.ok()) << answer.api_key << ": " << back.status();
    EXPECT_TRUE(SameVariant(answer.response, *back)) << answer.api_key;
    answered[back->index()] = true;
  }
  size_t kinds = 0;
  for (const bool is : answered) kinds += is;
  EXPECT_EQ(kinds, answered.size() - 1);  // BrokerFencingSet answers no call
}

// --- Hostile input -------------------------------------------------------------------------------

TEST(ControllerCallsTest, OtherApisAndVersionsAreRefused) {
  for (int key = -2; key < 200; ++key) {
    for (int version = -1; version < 12; ++version) {
      const auto event =
          DecodeCall(static_cast<int16_t>(key), static_cast<int16_t>(version), "", kToken);
      EXPECT_FALSE(event.ok());  // none of them is empty
      const auto response =
          DecodeResponse(static_cast<int16_t>(key), static_cast<int16_t>(version), "");
      EXPECT_FALSE(response.ok());
    }
  }
  EXPECT_EQ(DecodeCall(0, 3, "", kToken).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DecodeCall(19, 6, "", kToken).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(DecodeCall(19, 7, "", kToken).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ControllerCallsTest, CutAndLengthenedCallsAreRefused) {
  for (const ControllerEvent& event : Requests()) {
    EncodedCall call = *EncodeCall(event);
    const std::string whole = call.request;
    for (size_t size = 0; size < whole.size(); ++size) {
      call.request = whole.substr(0, size);
      EXPECT_FALSE(Decode(call).ok()) << call.api_key << " " << size;
    }
    call.request = whole + '\0';
    EXPECT_FALSE(Decode(call).ok()) << call.api_key;
  }
  for (const Answered& answer : Answers()) {
    const int16_t version = VersionOf(answer.api_key);
    const std::string whole = EncodeResponse(answer.api_key, version, answer.response);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(DecodeResponse(answer.api_key, version, whole.substr(0, size)).ok());
    }
    EXPECT_FALSE(DecodeResponse(answer.api_key, version, whole + '\0').ok());
  }
}

// Bytes of chance, alone and in the middle of what was right: an error, or something that is sent
// on as any other call is.
TEST(ControllerCallsTest, AnyBytesEndInAnEventOrAnError) {
  SeededRandom random(20);
  const std::vector<ControllerEvent> events = Requests();
  const std::vector<Answered> answers = Answers();
  for (int round = 0; round < 3000; ++round) {
    EncodedCall call = *EncodeCall(events[random.Below(events.size())]);
    if (round % 3 == 0) {
      call.request.assign(random.Below(64), '\0');
      for (char& c : call.request) c = static_cast<char>(random.Below(256));
    } else if (!call.request.empty()) {
      call.request[random.Below(call.request.size())] = static_cast<char>(random.Below(256));
    }
    if (const auto event = Decode(call); event.ok()) {
      const std::optional<EncodedCall> again = EncodeCall(*event);
      ASSERT_TRUE(again.has_value());
      EXPECT_TRUE(Decode(*again).ok());
    }
    const Answered& answer = answers[random.Below(answers.size())];
    const int16_t version = VersionOf(answer.api_key);
    std::string bytes = EncodeResponse(answer.api_key, version, answer.response);
    bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    if (const auto response = DecodeResponse(answer.api_key, version, bytes); response.ok()) {
      EXPECT_FALSE(EncodeResponse(answer.api_key, version, *response).empty());
    }
  }
}

}  // namespace
}  // namespace weir::server
