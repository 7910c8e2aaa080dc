// Consumer groups: who coordinates one, and what its coordinator is asked.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "coordination/group/events.h"
#include "coordination/group/partition_for.h"
#include "coordination/metadata/topic_name.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"
#include "server/authorized_operations.h"
#include "server/call_each.h"
#include "server/controller_driver.h"
#include "server/endpoints.h"
#include "server/gather.h"
#include "server/group_table.h"
#include "server/handlers/handlers.h"
#include "server/request.h"
#include "server/shard.h"

namespace weir::server {

// --- FindCoordinator -----------------------------------------------------------------------------
// FindCoordinator: groups are coordinated by the leader of their partition of __consumer_offsets,
// which is created when the first group is looked for. Transactions and share groups have no
// coordinator yet.

namespace {

using protocol::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using Coordinator = FindCoordinatorResponse::Coordinator;

Coordinator Refuse(const std::string& key, ErrorCode error, std::string message) {
  return {key, -1, "", -1, WireCode(error), std::move(message)};
}

// The broker that leads the group's partition.
Coordinator GroupCoordinatorOf(const RequestRef& request, const std::string& group_id) {
  const Shard& shard = request->shard();
  const TopicInfo* topic = shard.topics().Find(metadata::kConsumerOffsetsTopic);
  if (topic == nullptr) {
    return Refuse(group_id, ErrorCode::kCoordinatorNotAvailable, "__consumer_offsets is missing");
  }
  const metadata::PartitionImage* partition =
      topic->Partition(group::PartitionFor(group_id, shard.group_partitions()));
  for (const NodeEndpoint& broker :
       LiveBrokers(*shard.image(), shard.node(), request->listener())) {
    if (broker.id != partition->leader) continue;
    Coordinator found{group_id, broker.id.value(), broker.host, broker.port, 0, std::nullopt};
    if (request->version() < 4) found.error_message = "NONE";  // as Kafka says it
    return found;
  }
  return Refuse(group_id, ErrorCode::kCoordinatorNotAvailable,
                "the group's partition has no leader");
}

Coordinator Find(const RequestRef& request, int8_t key_type, const std::string& key) {
  switch (key_type) {
    case protocol::kGroupCoordinator:
      return GroupCoordinatorOf(request, key);
    case protocol::kTransactionCoordinator:
    case protocol::kShareCoordinator:
      return Refuse(key, ErrorCode::kCoordinatorNotAvailable,
                    "this broker coordinates neither transactions nor share groups yet");
    default:
      return Refuse(key, ErrorCode::kInvalidRequest,
                    absl::StrCat("expected key type 0, 1 or 2, came ", static_cast<int>(key_type)));
  }
}

void Answer(const RequestRef& request, const FindCoordinatorRequest& asked) {
  std::vector<Coordinator> all;
  const bool has_keys = request->version() >= 4;
  for (const std::string& key : has_keys ? asked.coordinator_keys : std::vector{asked.key}) {
    all.push_back(Find(request, asked.key_type, key));
    const BrokerId named(all.back().node_id);
    if (!request->shard().Doubts(named)) continue;
    return request->shard().OnceCertainOf(named, [request, asked] { Answer(request, asked); });
  }
  FindCoordinatorResponse response;
  if (has_keys) {
    response.coordinators = std::move(all);
  } else {
    Coordinator& found = all.front();
    response.error_code = found.error_code;
    response.error_message = std::move(found.error_message);
    response.node_id = found.node_id;
    response.host = std::move(found.host);
    response.port = found.port;
  }
  request->Respond(response);
}

}  // namespace

void HandleFindCoordinator(const RequestRef& request) {
  absl::StatusOr<FindCoordinatorRequest> asked = request->Decode<FindCoordinatorRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  Shard& shard = request->shard();
  if (asked->key_type != protocol::kGroupCoordinator ||
      shard.topics().Find(metadata::kConsumerOffsetsTopic) != nullptr) {
    return Answer(request, *asked);
  }
  shard.Call<protocol::CreateTopicsResponse>(
      kControllerShard,
      [](Shard& controller, auto reply) {
        controller.controller().CreateOffsetsTopic(std::move(reply));
      },
      [request, asked = *std::move(asked)](const protocol::CreateTopicsResponse&) {
        Answer(request, asked);
      });
}

// --- Groups --------------------------------------------------------------------------------------
// Consumer groups: each request goes to the coordinator of its group, which lives on the shard of
// the group's partition of __consumer_offsets.

namespace {

constexpr PartitionIndex kNoPartition{-1};

// Where a group is coordinated: kNoPartition, on this shard, while there is no __consumer_offsets.
struct GroupPlace {
  ShardId shard;
  PartitionIndex partition;
};

GroupPlace PlaceAt(const Shard& shard, PartitionIndex index) {
  const TopicInfo* topic = shard.topics().Find(metadata::kConsumerOffsetsTopic);
  return {shard.OwnerOf({topic->id(), index}), index};
}

GroupPlace PlaceOf(const Shard& shard, absl::string_view group_id) {
  const TopicInfo* topic = shard.topics().Find(metadata::kConsumerOffsetsTopic);
  if (topic == nullptr) return {shard.id(), kNoPartition};
  return PlaceAt(shard, group::PartitionFor(group_id, shard.group_partitions()));
}

// `body` as the coordinator is asked it, as a client of `version` does.
template <class Message>
group::Request<Message> Asked(const RequestRef& request, int16_t version, Message body) {
  group::Request<Message> asked;
  asked.version = version;
  asked.client_id = request->header().client_id.value_or("");
  asked.client_host = request->client_host();
  asked.body = std::move(body);
  return asked;
}

// Asks the coordinator at `place`; `done` runs on the request's shard.
template <class Response, class Message, class Done>
void Ask(const RequestRef& request, GroupPlace place, Message body, Done done) {
  group::Request<Message> asked = Asked(request, request->version(), std::move(body));
  request->shard().Call<Response>(
      place.shard,
      [asked = std::move(asked), partition = place.partition](Shard& owner,
                                                              Reply<Response> reply) mutable {
        owner.groups().Ask<Response>(partition, std::move(asked), std::move(reply));
      },
      std::move(done));
}

// The whole life of a request that concerns one group.
template <class Message, class Response>
void Forward(const RequestRef& request) {
  absl::StatusOr<Message> asked = request->Decode<Message>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  const GroupPlace place = PlaceOf(request->shard(), asked->group_id);
  Ask<Response>(request, place, *std::move(asked),
                [request](const Response& response) { request->Respond(response); });
}

// --- several groups in one request --------------------------------------------------------------

template <class Message>
struct Question {
  PartitionIndex partition;
  group::Request<Message> asked;
};
template <class Response, class Message>
using CallGroups = CallEach<Response, Question<Message>>;

// Asks what was added; `set` gets the answers.
template <class Response, class Message, class Set>
void Run(CallGroups<Response, Message>* calls, Set set) {
  calls->Run(
      [](Shard& owner, Question<Message> question, Reply<Response> reply) {
        owner.groups().Ask<Response>(question.partition, std::move(question.asked),
                                     std::move(reply));
      },
      std::move(set));
}

// Whether a request names more groups than it may; its connection is closed then.
bool NamesTooMany(const RequestRef& request, size_t groups) {
  if (groups <= kPartsPerRequestMax) return false;
  request->CloseConnection(absl::StrCat("expected at most ", kPartsPerRequestMax,
                                        " groups in a request, came ", groups));
  return true;
}

// Asks for each of `groups` alone, as `single` makes the request for one, and appends the parts of
// all answers, in the order of the groups. One that is named again is answered once, as Kafka does.
template <class Response, class Message, class Single, class Merge>
void AskForEach(const RequestRef& request, std::vector<std::string> groups, Single single,
                Merge merge) {
  if (NamesTooMany(request, groups.size())) return;
  absl::flat_hash_set<std::string> seen;
  std::erase_if(groups, [&](const std::string& group) { return !seen.insert(group).second; });
  auto gather =
      Gather<Response>::Create(groups.size(), [request, merge](std::vector<Response> answers) {
        Response all;
        for (Response& answer : answers) merge(std::move(answer), &all);
        request->Respond(all);
      });
  CallGroups<Response, Message> calls(request->shard());
  for (size_t i = 0; i < groups.size(); ++i) {
    const GroupPlace place = PlaceOf(request->shard(), groups[i]);
    calls.Add(i, place.shard,
              {place.partition, Asked(request, request->version(), single(std::move(groups[i])))});
  }
  Run(&calls, [gather](size_t i, Response answer) { gather->Set(i, std::move(answer)); });
}

template <class T>
void MoveInto(std::vector<T> from, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// --- topics of commits and fetches --------------------------------------------------------------

// Fills in the name of a topic that is given by id, and the other way round: offsets are those of
// a topic, not of the next one that is given its name. The error when there is no such topic.
template <class Topic>
ErrorCode ResolveTopic(const Shard& shard, bool by_id, Topic* topic) {
  const TopicInfo* found =
      by_id ? shard.topics().Find(topic->topic_id) : shard.topics().Find(topic->name);
  if (found == nullptr) {
    return by_id ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition;
  }
  topic->name = found->name();
  topic->topic_id = found->id();
  return ErrorCode::kNone;
}

constexpr int16_t kFirstVersionWithGroups = 8;  // of OffsetFetch
constexpr int16_t kFirstVersionByTopicId = 10;

// Appends topics to those of a response: the partitions of one stay together.
template <class Topic>
void MergeTopics(std::vector<Topic> from, std::vector<Topic>* to) {
  absl::flat_hash_map<std::string, size_t> places;
  for (size_t i = 0; i < to->size(); ++i) places.emplace((*to)[i].name, i);
  for (Topic& topic : from) {
    const auto place = topic.name.empty() ? places.end() : places.find(topic.name);
    if (place == places.end()) {
      to->push_back(std::move(topic));
    } else {
      MoveInto(std::move(topic.partitions), &(*to)[place->second].partitions);
    }
  }
}

// Takes the partitions that `topic` has not out of a request, into *refused.
template <class Partition, class Refusal>
void TakeUnknownPartitions(const TopicInfo& topic, std::vector<Partition>* partitions,
                           std::vector<Refusal>* refused) {
  std::erase_if(*partitions, [&](const Partition& partition) {
    if (topic.Partition(PartitionIndex(partition.partition_index)) != nullptr) return false;
    refused->push_back({partition.partition_index, WireCode(ErrorCode::kUnknownTopicOrPartition)});
    return true;
  });
}

// Takes the topics and partitions that do not exist out of a commit, into their refusals.
protocol::OffsetCommitResponse TakeUnknown(const Shard& shard, int16_t version,
                                           protocol::OffsetCommitRequest* commit) {
  protocol::OffsetCommitResponse refused;
  std::vector<protocol::OffsetCommitRequest::Topic> known;
  for (protocol::OffsetCommitRequest::Topic& topic : commit->topics) {
    const ErrorCode error = ResolveTopic(shard, version >= kFirstVersionByTopicId, &topic);
    protocol::OffsetCommitResponse::Topic refusal;
    refusal.name = topic.name;
    refusal.topic_id = topic.topic_id;
    if (error == ErrorCode::kNone) {
      TakeUnknownPartitions(*shard.topics().Find(topic.topic_id), &topic.partitions,
                            &refusal.partitions);
      if (!refusal.partitions.empty()) refused.topics.push_back(std::move(refusal));
      if (!topic.partitions.empty()) known.push_back(std::move(topic));
      continue;
    }
    for (const auto& partition : topic.partitions) {
      refusal.partitions.push_back({partition.partition_index, WireCode(error)});
    }
    refused.topics.push_back(std::move(refusal));
  }
  commit->topics = std::move(known);
  return refused;
}

using FetchGroup = protocol::OffsetFetchRequest::Group;
using FetchedGroup = protocol::OffsetFetchResponse::Group;

// Takes the topics with unknown ids out of a fetch, into their refusals. A name may be unknown:
// what was committed for it is told as long as it is there.
std::vector<FetchedGroup::GroupTopic> TakeUnknownIds(const Shard& shard, bool by_id,
                                                     FetchGroup* group) {
  std::vector<FetchedGroup::GroupTopic> refused;
  if (!group->topics.has_value()) return refused;
  std::vector<FetchGroup::GroupTopic> known;
  for (FetchGroup::GroupTopic& topic : *group->topics) {
    const ErrorCode error = ResolveTopic(shard, by_id, &topic);
    if (error == ErrorCode::kNone || !by_id) {
      known.push_back(std::move(topic));
      continue;
    }
    FetchedGroup::GroupTopic& refusal = refused.emplace_back();
    refusal.topic_id = topic.topic_id;
    for (const int32_t index : topic.partition_indexes) {
      refusal.partitions.push_back({index, -1, -1, "", WireCode(error)});
    }
  }
  group->topics = std::move(known);
  return refused;
}

// What a fetch of all topics' offsets found: without those of topics that had a name before the
// present one. Who asked by ids gets them.
void KeepPresentTopics(const Shard& shard, FetchedGroup* group) {
  std::vector<FetchedGroup::GroupTopic> present;
  for (FetchedGroup::GroupTopic& topic : group->topics) {
    const TopicInfo* found = shard.topics().Find(topic.name);
    if (!topic.topic_id.is_zero() && (found == nullptr || found->id() != topic.topic_id)) continue;
    if (found != nullptr) topic.topic_id = found->id();
    if (present.empty() || present.back().name != topic.name) {
      present.push_back(std::move(topic));
    } else {
      MoveInto(std::move(topic.partitions), &present.back().partitions);
    }
  }
  group->topics = std::move(present);
}

// A fetch of before version 8, which is of one group, as the later ones are.
FetchGroup GroupOfFetch(protocol::OffsetFetchRequest asked) {
  FetchGroup group;
  group.group_id = std::move(asked.group_id);
  if (!asked.topics.has_value()) {
    group.topics.reset();
    return group;
  }
  for (auto& topic : *asked.topics) {
    group.topics->push_back({std::move(topic.name), {}, std::move(topic.partition_indexes)});
  }
  return group;
}

// `asked` is what the client asked for: version 1 has errors of partitions only.
protocol::OffsetFetchResponse ResponseOfGroup(FetchedGroup group, int16_t version,
                                              const FetchGroup& asked) {
  protocol::OffsetFetchResponse response;
  response.error_code = group.error_code;
  if (version < 2 && group.error_code != 0 && asked.topics.has_value()) {
    for (const auto& topic : *asked.topics) {
      auto& refused = group.topics.emplace_back();
      refused.name = topic.name;
      for (const int32_t p : topic.partition_indexes) {
        refused.partitions.push_back({p, -1, -1, "", group.error_code});
      }
    }
  }
  for (FetchedGroup::GroupTopic& topic : group.topics) {
    auto& out = response.topics.emplace_back();
    out.name = std::move(topic.name);
    for (auto& p : topic.partitions) {
      out.partitions.push_back({p.partition_index, p.committed_offset, p.committed_leader_epoch,
                                std::move(p.metadata), p.error_code});
    }
  }
  return response;
}

}  // namespace

void HandleJoinGroup(const RequestRef& request) {
  Forward<protocol::JoinGroupRequest, protocol::JoinGroupResponse>(request);
}
void HandleSyncGroup(const RequestRef& request) {
  Forward<protocol::SyncGroupRequest, protocol::SyncGroupResponse>(request);
}
void HandleHeartbeat(const RequestRef& request) {
  Forward<protocol::HeartbeatRequest, protocol::HeartbeatResponse>(request);
}
void HandleLeaveGroup(const RequestRef& request) {
  Forward<protocol::LeaveGroupRequest, protocol::LeaveGroupResponse>(request);
}
void HandleOffsetDelete(const RequestRef& request) {
  using protocol::OffsetDeleteRequest;
  using protocol::OffsetDeleteResponse;
  absl::StatusOr<OffsetDeleteRequest> asked = request->Decode<OffsetDeleteRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  OffsetDeleteResponse refused;
  std::vector<OffsetDeleteRequest::Topic> known;
  for (OffsetDeleteRequest::Topic& topic : asked->topics) {
    OffsetDeleteResponse::Topic refusal;
    refusal.name = topic.name;
    if (const TopicInfo* found = request->shard().topics().Find(topic.name); found != nullptr) {
      TakeUnknownPartitions(*found, &topic.partitions, &refusal.partitions);
      if (!topic.partitions.empty()) known.push_back(std::move(topic));
    } else {
      for (const auto& partition : topic.partitions) {
        refusal.partitions.push_back(
            {partition.partition_index, WireCode(ErrorCode::kUnknownTopicOrPartition)});
      }
    }
    if (!refusal.partitions.empty()) refused.topics.push_back(std::move(refusal));
  }
  if (known.empty() && !refused.topics.empty()) return request->Respond(refused);
  asked->topics = std::move(known);
  const GroupPlace place = PlaceOf(request->shard(), asked->group_id);
  Ask<OffsetDeleteResponse>(
      request, place, *std::move(asked),
      [request, refused = std::move(refused)](OffsetDeleteResponse response) mutable {
        if (response.error_code == 0) MergeTopics(std::move(refused.topics), &response.topics);
        request->Respond(response);
      });
}

void HandleOffsetCommit(const RequestRef& request) {
  using protocol::OffsetCommitResponse;
  auto commit = request->Decode<protocol::OffsetCommitRequest>();
  if (!commit.ok()) return request->CloseConnection(commit.status().message());
  OffsetCommitResponse refused = TakeUnknown(request->shard(), request->version(), &*commit);
  if (commit->topics.empty() && !refused.topics.empty()) return request->Respond(refused);
  const GroupPlace place = PlaceOf(request->shard(), commit->group_id);
  Ask<OffsetCommitResponse>(
      request, place, *std::move(commit),
      [request, refused = std::move(refused)](OffsetCommitResponse response) mutable {
        MergeTopics(std::move(refused.topics), &response.topics);
        request->Respond(response);
      });
}

void HandleOffsetFetch(const RequestRef& request) {
  using protocol::OffsetFetchRequest;
  using protocol::OffsetFetchResponse;
  absl::StatusOr<OffsetFetchRequest> asked = request->Decode<OffsetFetchRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  const bool by_id = request->version() >= kFirstVersionByTopicId;
  const bool by_groups = request->version() >= kFirstVersionWithGroups;
  const bool require_stable = asked->require_stable;
  std::vector<FetchGroup> groups = std::move(asked->groups);
  FetchGroup single_group;
  if (!by_groups) {
    single_group = GroupOfFetch(*std::move(asked));
    groups.push_back(single_group);
  }
  if (NamesTooMany(request, groups.size())) return;
  auto gather = Gather<FetchedGroup>::Create(
      groups.size(), [request, by_groups,
                      single_group = std::move(single_group)](std::vector<FetchedGroup> fetched) {
        if (!by_groups) {
          return request->Respond(
              ResponseOfGroup(std::move(fetched.front()), request->version(), single_group));
        }
        OffsetFetchResponse response;
        response.groups = std::move(fetched);
        request->Respond(response);
      });
  // What the answers of the groups are completed with.
  struct Rest {
    bool of_all = false;
    std::vector<FetchedGroup::GroupTopic> refused;
  };
  std::vector<Rest> rests(groups.size());
  CallGroups<OffsetFetchResponse, OffsetFetchRequest> calls(request->shard());
  absl::flat_hash_set<std::string> seen;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (!seen.insert(groups[i].group_id).second) {  // else its offsets could be asked for ever
      FetchedGroup refused;
      refused.group_id = std::move(groups[i].group_id);
      refused.error_code = WireCode(ErrorCode::kInvalidRequest);
      gather->Set(i, std::move(refused));
      continue;
    }
    OffsetFetchRequest single;
    single.require_stable = require_stable;
    rests[i] = {!groups[i].topics.has_value(), TakeUnknownIds(request->shard(), by_id, &groups[i])};
    const GroupPlace place = PlaceOf(request->shard(), groups[i].group_id);
    single.groups.push_back(std::move(groups[i]));
    calls.Add(
        i, place.shard,
        {place.partition,
         Asked(request, std::max(request->version(), kFirstVersionWithGroups), std::move(single))});
  }
  Run(&calls, [request, gather, rests = std::make_shared<std::vector<Rest>>(std::move(rests))](
                  size_t i, OffsetFetchResponse answer) {
    FetchedGroup group = std::move(answer.groups.front());
    if ((*rests)[i].of_all) KeepPresentTopics(request->shard(), &group);
    MoveInto(std::move((*rests)[i].refused), &group.topics);
    gather->Set(i, std::move(group));
  });
}

void HandleDescribeGroups(const RequestRef& request) {
  using protocol::DescribeGroupsRequest;
  using protocol::DescribeGroupsResponse;
  absl::StatusOr<DescribeGroupsRequest> asked = request->Decode<DescribeGroupsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  const bool with_operations = asked->include_authorized_operations;
  AskForEach<DescribeGroupsResponse, DescribeGroupsRequest>(
      request, std::move(asked->groups),
      [](std::string group_id) {
        DescribeGroupsRequest single;
        single.groups.push_back(std::move(group_id));
        return single;
      },
      [with_operations](DescribeGroupsResponse from, DescribeGroupsResponse* to) {
        for (auto& group : from.groups) {
          if (with_operations && group.error_code == 0)
            group.authorized_operations = kGroupOperations;
        }
        MoveInto(std::move(from.groups), &to->groups);
      });
}

void HandleDeleteGroups(const RequestRef& request) {
  using protocol::DeleteGroupsRequest;
  using protocol::DeleteGroupsResponse;
  absl::StatusOr<DeleteGroupsRequest> asked = request->Decode<DeleteGroupsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  AskForEach<DeleteGroupsResponse, DeleteGroupsRequest>(
      request, std::move(asked->groups_names),
      [](std::string group_id) {
        DeleteGroupsRequest single;
        single.groups_names.push_back(std::move(group_id));
        return single;
      },
      [](DeleteGroupsResponse from, DeleteGroupsResponse* to) {
        MoveInto(std::move(from.results), &to->results);
      });
}

void HandleListGroups(const RequestRef& request) {
  using protocol::ListGroupsRequest;
  using protocol::ListGroupsResponse;
  const absl::StatusOr<ListGroupsRequest> asked = request->Decode<ListGroupsRequest>();
  if (!asked.ok()) return request->CloseConnection(asked.status().message());
  const TopicInfo* topic = request->shard().topics().Find(metadata::kConsumerOffsetsTopic);
  const size_t partitions = topic == nullptr ? 0 : topic->image->partition_count();
  auto gather = Gather<ListGroupsResponse>::Create(
      partitions, [request](std::vector<ListGroupsResponse> answers) {
        ListGroupsResponse all;
        for (ListGroupsResponse& answer : answers) {
          if (answer.error_code != 0) all.error_code = answer.error_code;
          MoveInto(std::move(answer.groups), &all.groups);
        }
        request->Respond(all);
      });
  CallGroups<ListGroupsResponse, ListGroupsRequest> calls(request->shard());
  for (size_t i = 0; i < partitions; ++i) {
    const GroupPlace place = PlaceAt(request->shard(), PartitionIndex(static_cast<int32_t>(i)));
    calls.Add(i, place.shard, {place.partition, Asked(request, request->version(), *asked)});
  }
  Run(&calls, [gather](size_t i, ListGroupsResponse answer) { gather->Set(i, std::move(answer)); });
}

}  // namespace weir::server
