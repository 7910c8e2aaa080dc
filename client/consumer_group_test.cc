// A consumer in a group of one, against a coordinator in memory that says what a test wants.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "client/cluster.h"
#include "client/committed_offset.h"
#include "client/consumer.h"
#include "client/group_messages.h"
#include "client/memory_peer.h"
#include "client/topic_and_partition.h"
#include "gtest/gtest.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/error_code.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::client {
namespace {

using protocol::ErrorCode;
constexpr int64_t kMs = 1'000'000;

// What happened, in its order: callbacks, commits and leaving.
using Log = std::vector<std::string>;

class LoggingListener final : public RebalanceListener {
 public:
  explicit LoggingListener(Log* log) : log_(log) {}
  void OnAssigned(Consumer&, absl::Span<const TopicAndPartition> added) override {
    Add("assigned", added);
  }
  void OnRevoked(Consumer& consumer, absl::Span<const TopicAndPartition> removed) override {
    Add("revoked", removed);
    if (commits) log_->push_back(absl::StrCat("sync ", consumer.CommitSync().ok()));
  }
  void OnLost(Consumer&, absl::Span<const TopicAndPartition> removed) override {
    Add("lost", removed);
  }
  bool commits = false;

 private:
  void Add(absl::string_view what, absl::Span<const TopicAndPartition> partitions) {
    std::string line(what);
    for (const TopicAndPartition& tp : partitions) absl::StrAppend(&line, " ", tp.partition);
    log_->push_back(line);
  }
  Log* log_;
};

// One broker, topic "t" with partitions of ten records each, and a group with one member at a time.
class ConsumerGroupTest : public testing::Test {
 protected:
  ConsumerGroupTest() : broker_(net_.AddBroker("b", 9092)), other_(net_.AddBroker("c", 9092)) {
    ServeMetadata(broker_);
    ServeMetadata(other_);
    ServeData();
    ServeGroup(broker_, "b");
    ServeGroup(other_, "c");
    cluster_ = *Cluster::Create({.bootstrap_servers = "b:9092"}, {net_, net_.clock(), random_});
  }

  void ServeMetadata(MemoryBroker& broker) {
    broker.On<protocol::MetadataRequest>([this](const protocol::MetadataRequest& request, int16_t) {
      protocol::MetadataResponse response;
      response.brokers = {{1, "b", 9092, std::nullopt}};
      std::set<std::string> names;
      if (request.topics.has_value()) {
        for (const auto& topic : *request.topics) names.insert(*topic.name);
      } else {
        for (const auto& [name, count] : topics_) names.insert(name);
      }
      for (const std::string& name : names) {
        auto& topic = response.topics.emplace_back();
        topic.name = name;
        topic.is_internal = name == "__internal";
        if (!topics_.contains(name)) {
          topic.error_code = static_cast<int16_t>(ErrorCode::kUnknownTopicOrPartition);
          continue;
        }
        topic.topic_id = {7, name.size()};
        topic.partitions.resize(static_cast<size_t>(topics_[name]));
        for (size_t i = 0; i < topic.partitions.size(); ++i) {
          topic.partitions[i].partition_index = static_cast<int32_t>(i);
          topic.partitions[i].leader_id = 1;
        }
      }
      return response;
    });
  }

  void ServeData() {
    broker_.On<protocol::ListOffsetsRequest>(
        [](const protocol::ListOffsetsRequest& request, int16_t) {
          protocol::ListOffsetsResponse response;
          for (const auto& topic : request.topics) {
            auto& answer = response.topics.emplace_back();
            answer.name = topic.name;
            for (const auto& asked : topic.partitions) {
              auto& partition = answer.partitions.emplace_back();
              partition.partition_index = asked.partition_index;
              partition.offset = asked.timestamp == -2 ? 0 : 10;
            }
          }
          return response;
        });
    broker_.On<protocol::FetchRequest>([this](const protocol::FetchRequest& request, int16_t) {
      net_.clock().Advance(10 * kMs);  // as the long poll of a broker
      protocol::FetchResponse response;
      for (const auto& topic : request.topics) {
        auto& answer = response.responses.emplace_back();
        answer.topic_id = topic.topic_id;
        for (const auto& asked : topic.partitions) {
          auto& partition = answer.partitions.emplace_back();
          partition.partition_index = asked.partition;
          partition.high_watermark = 10;
          if (asked.fetch_offset < 10) partition.records.bytes = batch_;
        }
      }
      return response;
    });
    protocol::RecordBatchOptions options;
    options.leader_epoch = LeaderEpoch(3);
    protocol::RecordBatchBuilder builder(options);
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(builder.Append({1000, std::nullopt, "v", {}}).ok());
    }
    batch_ = builder.Build();
  }

  void ServeGroup(MemoryBroker& broker, const std::string& name) {
    broker.On<protocol::FindCoordinatorRequest>(
        [this](const protocol::FindCoordinatorRequest& request, int16_t) {
          EXPECT_EQ(request.coordinator_keys, (std::vector<std::string>{"g"}));
          protocol::FindCoordinatorResponse response;
          response.coordinators.push_back({"g", 1, coordinator_, 9092, 0, std::nullopt});
          return response;
        });
    broker.On<protocol::JoinGroupRequest>([this, name](const protocol::JoinGroupRequest& request,
                                                       int16_t) { return Join(request, name); });
    broker.On<protocol::SyncGroupRequest>(
        [this](const protocol::SyncGroupRequest& request, int16_t) { return Sync(request); });
    broker.On<protocol::HeartbeatRequest>(
        [this, name](const protocol::HeartbeatRequest& request,
                     int16_t) -> std::optional<protocol::HeartbeatResponse> {
          if (silent_) return std::nullopt;
          protocol::HeartbeatResponse response;
          response.error_code = Check(name, request.member_id, request.generation_id);
          if (response.error_code == 0) {
            response.error_code =
                static_cast<int16_t>(std::exchange(heartbeat_error_, ErrorCode::kNone));
          }
          return response;
        });
    broker.On<protocol::LeaveGroupRequest>(
        [this](const protocol::LeaveGroupRequest& request, int16_t) {
          for (const auto& member : request.members) log_.push_back("leave " + member.member_id);
          member_.clear();
          return protocol::LeaveGroupResponse();
        });
    broker.On<protocol::OffsetCommitRequest>(
        [this, name](const protocol::OffsetCommitRequest& request, int16_t) {
          return Commit(request, name);
        });
    broker.On<protocol::OffsetFetchRequest>(
        [this](const protocol::OffsetFetchRequest& request, int16_t) { return Tell(request); });
  }

  int16_t Check(const std::string& broker, const std::string& member, int32_t generation) {
    if (broker != coordinator_) return static_cast<int16_t>(ErrorCode::kNotCoordinator);
    if (member != member_) return static_cast<int16_t>(ErrorCode::kUnknownMemberId);
    if (generation != generation_) return static_cast<int16_t>(ErrorCode::kIllegalGeneration);
    return 0;
  }

  protocol::JoinGroupResponse Join(const protocol::JoinGroupRequest& request,
                                   const std::string& broker) {
    protocol::JoinGroupResponse response;
    last_join_ = request;
    const auto refuse = [&](ErrorCode error) {
      response.error_code = static_cast<int16_t>(error);
      return response;
    };
    if (broker != coordinator_) return refuse(ErrorCode::kNotCoordinator);
    if (join_error_ != ErrorCode::kNone) {
      return refuse(std::exchange(join_error_, ErrorCode::kNone));
    }
    if (request.member_id.empty() && !request.group_instance_id.has_value()) {
      response.member_id = absl::StrCat("m", ++members_made_);
      member_ = response.member_id;
      return refuse(ErrorCode::kMemberIdRequired);
    }
    if (request.member_id.empty()) member_ = absl::StrCat("m", ++members_made_);
    if (!request.member_id.empty() && request.member_id != member_) {
      return refuse(ErrorCode::kUnknownMemberId);
    }
    log_.push_back(absl::StrCat("join ", member_));
    order_.push_back("join");
    response.generation_id = ++generation_;
    response.protocol_type = "consumer";
    response.protocol_name = request.protocols[0].name;
    response.leader = response.member_id = member_;
    response.members.push_back({member_, request.group_instance_id, request.protocols[0].metadata});
    return response;
  }

  protocol::SyncGroupResponse Sync(const protocol::SyncGroupRequest& request) {
    protocol::SyncGroupResponse response;
    response.error_code = static_cast<int16_t>(std::exchange(sync_error_, ErrorCode::kNone));
    if (response.error_code == 0) {
      EXPECT_EQ(request.assignments.size(), 1u);
      response.assignment = request.assignments[0].assignment;
      if (share_.has_value()) response.assignment.value = EncodeAssignment(*share_);
    }
    return response;
  }

  protocol::OffsetCommitResponse Commit(const protocol::OffsetCommitRequest& request,
                                        const std::string& broker) {
    int16_t error = request.generation_id_or_member_epoch < 0
                        ? int16_t{0}
                        : Check(broker, request.member_id, request.generation_id_or_member_epoch);
    if (error == 0) error = static_cast<int16_t>(std::exchange(commit_error_, ErrorCode::kNone));
    protocol::OffsetCommitResponse response;
    std::string line = absl::StrCat("commit", error == 0 ? "" : absl::StrCat("!", error));
    for (const auto& topic : request.topics) {
      auto& answer = response.topics.emplace_back();
      answer.name = topic.name;
      for (const auto& partition : topic.partitions) {
        answer.partitions.push_back({partition.partition_index, error});
        absl::StrAppend(&line, " ", partition.partition_index, "@", partition.committed_offset);
        last_epoch_ = partition.committed_leader_epoch;
        if (error == 0) committed_[partition.partition_index] = partition.committed_offset;
      }
    }
    log_.push_back(line);
    return response;
  }

  protocol::OffsetFetchResponse Tell(const protocol::OffsetFetchRequest& request) {
    EXPECT_TRUE(request.require_stable);
    order_.push_back("tell");
    protocol::OffsetFetchResponse response;
    auto& group = response.groups.emplace_back();
    group.group_id = "g";
    group.error_code = static_cast<int16_t>(std::exchange(offset_error_, ErrorCode::kNone));
    for (const auto& topic : *request.groups[0].topics) {
      auto& answer = group.topics.emplace_back();
      answer.name = topic.name;
      for (const int32_t index : topic.partition_indexes) {
        auto& partition = answer.partitions.emplace_back();
        partition.partition_index = index;
        const auto it = committed_.find(index);
        partition.committed_offset = it == committed_.end() ? -1 : it->second;
      }
    }
    return response;
  }

  ConsumerConfig Config() {
    ConsumerConfig config;
    config.group_id = "g";
    config.auto_offset_reset = OffsetReset::kEarliest;
    return config;
  }

  // Polls for so long; how many records came of each partition.
  std::map<int32_t, int> PollFor(Consumer& consumer, int64_t ms) {
    std::map<int32_t, int> counts;
    const MonotonicNs until = cluster_->After(ms);
    while (cluster_->Now() < until) {
      const absl::StatusOr<ConsumedRecords> records = consumer.Poll(100);
      EXPECT_TRUE(records.ok()) << records.status();
      if (!records.ok()) break;
      for (const ConsumerRecord& record : *records) ++counts[record.partition];
    }
    return counts;
  }
  int Count(absl::string_view line) {
    int count = 0;
    for (const std::string& one : log_) count += one == line ? 1 : 0;
    return count;
  }

  MemoryNetwork net_;
  MemoryBroker& broker_;
  MemoryBroker& other_;
  SeededRandom random_{5};
  std::unique_ptr<Cluster> cluster_;
  Log log_;
  LoggingListener listener_{&log_};
  std::map<std::string, int32_t> topics_ = {{"t", 2}};
  std::string batch_;
  std::string coordinator_ = "b";
  std::string member_;
  int members_made_ = 0;
  int32_t generation_ = 0;
  std::map<int32_t, int64_t> committed_;
  int32_t last_epoch_ = -1;
  Log order_;                                            // of requests to join and for offsets
  std::optional<std::vector<TopicAndPartition>> share_;  // what another leader would give it
  bool silent_ = false;
  ErrorCode join_error_ = ErrorCode::kNone;
  ErrorCode sync_error_ = ErrorCode::kNone;
  ErrorCode heartbeat_error_ = ErrorCode::kNone;
  ErrorCode commit_error_ = ErrorCode::kNone;
  ErrorCode offset_error_ = ErrorCode::kNone;
  protocol::JoinGroupRequest last_join_;
};

TEST_F(ConsumerGroupTest, JoinsReadsCommitsAndLeaves) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  EXPECT_EQ(PollFor(consumer, 1'000), (std::map<int32_t, int>{{0, 10}, {1, 10}}));
  EXPECT_EQ(log_, (Log{"join m1", "assigned 0 1"}));
  EXPECT_EQ(consumer.Identity()->generation, 1);
  EXPECT_TRUE(consumer.AtEnd());
  EXPECT_TRUE(consumer.CommitSync().ok());
  EXPECT_EQ(committed_, (std::map<int32_t, int64_t>{{0, 10}, {1, 10}}));
  EXPECT_EQ(last_epoch_, 3);
  log_.clear();
  EXPECT_TRUE(consumer.Close(1'000).ok());
  EXPECT_EQ(log_, (Log{"commit 0@10 1@10", "revoked 0 1", "leave m1"}));
}

TEST_F(ConsumerGroupTest, BeginsWhereTheGroupHasCommitted) {
  committed_ = {{1, 7}};
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}).ok());
  EXPECT_EQ(PollFor(consumer, 1'000), (std::map<int32_t, int>{{0, 10}, {1, 3}}));
}

TEST_F(ConsumerGroupTest, CommitsByItselfBeforePartitionsGo) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  log_.clear();
  heartbeat_error_ = ErrorCode::kRebalanceInProgress;
  EXPECT_TRUE(PollFor(consumer, 3'000).empty());  // nothing is read again
  EXPECT_EQ(log_, (Log{"commit 0@10 1@10", "revoked 0 1", "join m1", "assigned 0 1"}));
  log_.clear();
  PollFor(consumer, 12'000);
  EXPECT_EQ(Count("commit 0@10 1@10"), 2);  // every five seconds
}

TEST_F(ConsumerGroupTest, CommitsOnlyWhatEarlierPollsGave) {
  ConsumerConfig config = Config();
  config.auto_commit_interval_ms = 1;
  config.max_poll_records = 1;  // the ten records of one batch
  Consumer consumer(*cluster_, config);
  ASSERT_TRUE(consumer.Subscribe({"t"}).ok());
  absl::StatusOr<ConsumedRecords> records = consumer.Poll(5'000);
  ASSERT_EQ(records->size(), 10u);
  EXPECT_EQ(committed_.count(0) > 0 ? committed_[0] : 0, 0);
  EXPECT_EQ(committed_.count(1) > 0 ? committed_[1] : 0, 0);
  net_.clock().Advance(10 * kMs);
  EXPECT_EQ(consumer.Poll(5'000)->size(), 10u);
  PollFor(consumer, 100);
  EXPECT_EQ(committed_, (std::map<int32_t, int64_t>{{0, 10}, {1, 10}}));
}

TEST_F(ConsumerGroupTest, TheListenerCommitsWhileThePartitionsAreStillItsOwn) {
  ConsumerConfig config = Config();
  config.enable_auto_commit = false;
  Consumer consumer(*cluster_, config);
  listener_.commits = true;
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 10'000);
  EXPECT_EQ(log_, (Log{"join m1", "assigned 0 1"}));  // no commit of its own
  log_.clear();
  heartbeat_error_ = ErrorCode::kRebalanceInProgress;
  PollFor(consumer, 3'000);
  EXPECT_EQ(log_, (Log{"revoked 0 1", "commit 0@10 1@10", "sync 1", "join m1", "assigned 0 1"}));
  log_.clear();
  EXPECT_TRUE(consumer.Close(1'000).ok());
  EXPECT_EQ(log_, (Log{"revoked 0 1", "commit 0@10 1@10", "sync 1", "leave m1"}));
}

TEST_F(ConsumerGroupTest, AForgottenMemberLosesItsPartitionsAndBeginsAnew) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  committed_ = {{0, 6}, {1, 10}};  // by whom the coordinator gave the partitions to meanwhile
  member_ = "somebody";
  log_.clear();
  EXPECT_EQ(PollFor(consumer, 4'000), (std::map<int32_t, int>{{0, 4}}));
  EXPECT_EQ(log_, (Log{"lost 0 1", "join m2", "assigned 0 1"}));
}

TEST_F(ConsumerGroupTest, AStaleGenerationCannotCommit) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  ++generation_;  // the group went on without it
  log_.clear();
  EXPECT_EQ(consumer.CommitSync().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(consumer.CommitSync().code(), absl::StatusCode::kAborted);  // not even asked again
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(log_, (Log{"commit!22 0@10 1@10"}));
  PollFor(consumer, 500);
  EXPECT_EQ(Count("lost 0 1"), 1);
  EXPECT_EQ(Count("join m1"), 1);
}

TEST_F(ConsumerGroupTest, ARebalanceDuringACommitIsTold) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  commit_error_ = ErrorCode::kRebalanceInProgress;
  log_.clear();
  EXPECT_EQ(consumer.CommitSync().code(), absl::StatusCode::kAborted);
  PollFor(consumer, 500);
  EXPECT_EQ(log_, (Log{"commit!27 0@10 1@10", "commit 0@10 1@10", "revoked 0 1", "join m1",
                       "assigned 0 1"}));
}

TEST_F(ConsumerGroupTest, FollowsTheCoordinatorWithoutARebalance) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  coordinator_ = "c";
  log_.clear();
  EXPECT_TRUE(consumer.CommitSync().ok());
  PollFor(consumer, 4'000);
  EXPECT_EQ(Count("commit!16 0@10 1@10"), 1);
  EXPECT_GE(Count("commit 0@10 1@10"), 1);
  EXPECT_GT(other_.calls(12), 0);  // heartbeats
  coordinator_ = "b";
  broker_.SetDown(true);
  other_.SetDown(true);
  net_.clock().Advance(100 * kMs);
  consumer.Poll(500).IgnoreError();
  broker_.SetDown(false);
  PollFor(consumer, 5'000);
  EXPECT_EQ(Count("lost 0 1") + Count("revoked 0 1"), 0);
  EXPECT_EQ(consumer.Identity()->generation, 1);
}

TEST_F(ConsumerGroupTest, RetriesCommitsAndOffsetsWhileTheCoordinatorLoads) {
  offset_error_ = ErrorCode::kCoordinatorLoadInProgress;
  join_error_ = ErrorCode::kCoordinatorLoadInProgress;
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}).ok());
  EXPECT_EQ(PollFor(consumer, 2'000).size(), 2u);
  commit_error_ = ErrorCode::kCoordinatorLoadInProgress;
  EXPECT_TRUE(consumer.CommitSync().ok());
  commit_error_ = ErrorCode::kOffsetMetadataTooLarge;
  EXPECT_EQ(consumer.CommitSync().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(committed_[0], 10);
}

TEST_F(ConsumerGroupTest, SurvivesEndedConnectionsWhileItJoins) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  for (int i = 0; i < 6; ++i) {
    broker_.CloseOnNextRequest();
    consumer.Poll(20).IgnoreError();
  }
  EXPECT_EQ(PollFor(consumer, 5'000).size(), 2u);
  EXPECT_EQ(log_.back(), "assigned 0 1");
}

TEST_F(ConsumerGroupTest, TellsThatThereIsNoOffsetWhenItMayNotReset) {
  ConsumerConfig config = Config();
  config.auto_offset_reset = OffsetReset::kNone;
  committed_ = {{0, 0}};
  Consumer consumer(*cluster_, config);
  ASSERT_TRUE(consumer.Subscribe({"t"}).ok());
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) status = consumer.Poll(100).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  consumer.Seek({"t", 1}, Offset(4));
  EXPECT_EQ(PollFor(consumer, 1'000)[1], 6);
}

TEST_F(ConsumerGroupTest, AStaticMemberStaysAndComesBack) {
  ConsumerConfig config = Config();
  config.group_instance_id = "i";
  {
    Consumer consumer(*cluster_, config);
    ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
    PollFor(consumer, 1'000);
    EXPECT_TRUE(consumer.Close(1'000).ok());
  }
  EXPECT_EQ(log_, (Log{"join m1", "assigned 0 1", "commit 0@10 1@10", "revoked 0 1"}));
  Consumer again(*cluster_, config);
  ASSERT_TRUE(again.Subscribe({"t"}, &listener_).ok());
  EXPECT_TRUE(PollFor(again, 1'000).empty());
  EXPECT_EQ(last_join_.group_instance_id, "i");
  log_.clear();
  heartbeat_error_ = ErrorCode::kFencedInstanceId;
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) status = again.Poll(100).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(again.Poll(100).status(), status);
  EXPECT_EQ(again.CommitSync(), status);
  EXPECT_EQ(log_, (Log{"lost 0 1"}));
}

TEST_F(ConsumerGroupTest, WithoutCloseItJustVanishes) {
  {
    Consumer consumer(*cluster_, Config());
    ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
    PollFor(consumer, 1'000);
  }
  EXPECT_EQ(log_, (Log{"join m1", "assigned 0 1"}));
  cluster_->Poll(cluster_->After(1'000));
}

TEST_F(ConsumerGroupTest, APredicateTakesTopicsThatComeLater) {
  topics_["__internal"] = 1;
  topics_["u"] = 1;
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(
      consumer.Subscribe([](absl::string_view topic) { return topic != "u"; }, &listener_).ok());
  PollFor(consumer, 1'000);
  EXPECT_EQ(consumer.Assignment(), (std::vector<TopicAndPartition>{{"t", 0}, {"t", 1}}));
  topics_["new"] = 1;
  PollFor(consumer, 301'000);  // as old as metadata may get
  EXPECT_EQ(consumer.Assignment(),
            (std::vector<TopicAndPartition>{{"new", 0}, {"t", 0}, {"t", 1}}));
  topics_.erase("t");
  PollFor(consumer, 301'000);
  EXPECT_EQ(consumer.Assignment(), (std::vector<TopicAndPartition>{{"new", 0}}));
}

TEST_F(ConsumerGroupTest, TheLeaderSeesNewPartitions) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  topics_["t"] = 3;
  cluster_->WantRefresh();
  EXPECT_EQ(PollFor(consumer, 1'000), (std::map<int32_t, int>{{2, 10}}));
  EXPECT_EQ(log_.back(), "assigned 0 1 2");
}

TEST_F(ConsumerGroupTest, HoldsRecordsBackWhileItMayBeForgotten) {
  ConsumerConfig config = Config();
  config.enable_auto_commit = false;
  Consumer consumer(*cluster_, config);
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  silent_ = true;
  net_.clock().Advance(46'000 * kMs);
  consumer.SeekToBeginning({"t", 0});
  EXPECT_TRUE(PollFor(consumer, 5'000).empty());
  silent_ = false;
  EXPECT_EQ(PollFor(consumer, 40'000), (std::map<int32_t, int>{{0, 10}}));
  EXPECT_EQ(Count("lost 0 1") + Count("revoked 0 1"), 0);
}

TEST_F(ConsumerGroupTest, LeavesWhenTheApplicationWasAwayForTooLong) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  ASSERT_TRUE(consumer.CommitSync().ok());
  log_.clear();
  net_.clock().Advance(300'001 * kMs);
  EXPECT_TRUE(PollFor(consumer, 1'000).empty());
  EXPECT_EQ(log_, (Log{"lost 0 1", "leave m1", "join m2", "assigned 0 1"}));
}

TEST_F(ConsumerGroupTest, CommitsGoOneAfterTheOther) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}).ok());
  PollFor(consumer, 1'000);
  log_.clear();
  commit_error_ = ErrorCode::kCoordinatorLoadInProgress;  // the first has to be tried again
  const TopicAndPartition tp{"t", 0};
  for (int i = 3; i <= 5; ++i) {
    ASSERT_TRUE(consumer
                    .CommitAsync({{tp, {Offset(i), -1, "mine"}}},
                                 [this, i](const absl::Status& status) {
                                   log_.push_back(absl::StrCat("done ", i, " ", status.ok()));
                                 })
                    .ok());
  }
  PollFor(consumer, 1'000);
  EXPECT_EQ(log_, (Log{"commit!14 0@3", "commit 0@3", "done 3 1", "commit 0@4", "done 4 1",
                       "commit 0@5", "done 5 1"}));
  const absl::StatusOr<CommittedOffsets> committed = consumer.Committed({{"t", 0}, {"t", 1}});
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(committed->at(tp)->offset, Offset(5));
  EXPECT_FALSE(committed->at({"t", 1}).has_value());
}

TEST_F(ConsumerGroupTest, ACommitEndsWithItsTime) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}).ok());
  PollFor(consumer, 1'000);
  broker_.SetDown(true);
  other_.SetDown(true);
  const MonotonicNs before = cluster_->Now();
  EXPECT_EQ(consumer.CommitSync().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ((cluster_->Now() - before) / kMs, 60'000);
}

TEST_F(ConsumerGroupTest, WithAGroupButNoSubscriptionItCommitsAlone) {
  committed_ = {{0, 4}};
  Consumer consumer(*cluster_, Config());
  consumer.Assign({{"t", 0}, {"t", 1}});
  EXPECT_EQ(PollFor(consumer, 1'000), (std::map<int32_t, int>{{0, 6}, {1, 10}}));
  EXPECT_TRUE(consumer.Close(1'000).ok());
  EXPECT_EQ(committed_, (std::map<int32_t, int64_t>{{0, 10}, {1, 10}}));
  EXPECT_EQ(log_, (Log{"commit 0@10 1@10"}));
}

TEST_F(ConsumerGroupTest, RefusesWhatCannotBe) {
  Consumer alone(*cluster_, {});
  EXPECT_EQ(alone.Subscribe({"t"}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(alone.CommitSync().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(alone.Committed({{"t", 0}}).status().code(), absl::StatusCode::kInvalidArgument);
  ConsumerConfig config = Config();
  config.partition_assignment_strategy = {"sticky"};
  Consumer unknown(*cluster_, config);
  EXPECT_EQ(unknown.Subscribe({"t"}).code(), absl::StatusCode::kInvalidArgument);
  config = Config();
  config.heartbeat_interval_ms = config.session_timeout_ms;
  Consumer slow(*cluster_, config);
  EXPECT_EQ(slow.Subscribe({"t"}).code(), absl::StatusCode::kInvalidArgument);
  Consumer early(*cluster_, Config());
  ASSERT_TRUE(early.Subscribe({"t"}).ok());
  EXPECT_EQ(early.CommitSync().code(), absl::StatusCode::kAborted);
}

TEST_F(ConsumerGroupTest, ACooperativeMemberCommitsGivesUpTakesAndJoinsAgain) {
  ConsumerConfig config = Config();
  config.partition_assignment_strategy = {"cooperative-sticky"};
  Consumer consumer(*cluster_, config);
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  share_ = {{"t", 0}};
  EXPECT_EQ(PollFor(consumer, 1'000), (std::map<int32_t, int>{{0, 10}}));
  log_.clear();
  order_.clear();
  share_ = {{"t", 1}};
  heartbeat_error_ = ErrorCode::kRebalanceInProgress;
  EXPECT_EQ(PollFor(consumer, 4'000), (std::map<int32_t, int>{{1, 10}}));
  EXPECT_EQ(log_,
            (Log{"join m1", "commit 0@10", "revoked 0", "assigned 1", "join m1", "assigned"}));
  // The offsets of what is new are asked for before it waits for the group again.
  EXPECT_EQ(order_, (Log{"join", "tell", "join"}));
}

TEST_F(ConsumerGroupTest, UnsubscribesAndReadsByHand) {
  Consumer consumer(*cluster_, Config());
  ASSERT_TRUE(consumer.Subscribe({"t"}, &listener_).ok());
  PollFor(consumer, 1'000);
  log_.clear();
  EXPECT_TRUE(consumer.Unsubscribe(1'000).ok());
  EXPECT_EQ(log_, (Log{"commit 0@10 1@10", "revoked 0 1", "leave m1"}));
  EXPECT_TRUE(consumer.Assignment().empty());
  consumer.Assign({{"t", 0}});
  consumer.SeekToBeginning({"t", 0});
  EXPECT_EQ(PollFor(consumer, 1'000), (std::map<int32_t, int>{{0, 10}}));
}

}  // namespace
}  // namespace weir::client
