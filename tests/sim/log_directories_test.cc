// A broker with two folders on a disk that fails in one of them.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/produce.h"
#include "protocol/error_code.h"
#include "server/broker_core.h"
#include "server/data_directories.h"
#include "server/data_directory.h"
#include "server/node.h"
#include "server/shard.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_poller.h"
#include "tests/sim/sim_session.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {
namespace {

using log::FileOp;
using protocol::ErrorCode;

constexpr int kPartitions = 4;

class LogDirectoriesTest : public testing::Test {
 protected:
  LogDirectoriesTest() : network_(random_), trace_(false) {
    options_.shards = 2;
    options_.settings = {{"log.dirs", "/a,/b"}};
  }
  ~LogDirectoriesTest() override {
    if (session_ != nullptr) session_->Close();
  }

  void MakeNode() { node_ = std::make_unique<SimNode>(random_, network_, trace_, options_); }

  // --- the node -----------------------------------------------------------------------------

  void Start() {
    if (node_ == nullptr) MakeNode();
    const absl::Status started = node_->Start();
    ASSERT_TRUE(started.ok()) << started;
    Run([this] { return node_->ready() || node_->failed(); });
    ASSERT_TRUE(node_->ready());
    session_ = std::make_unique<Session>(network_, trace_, "client");
    ASSERT_TRUE(session_->Connect(SimNode::kPort));
  }
  void Kill() {
    session_->Close();
    node_->Kill();
    for (int i = 0; i < 3; ++i) session_->Pump();
  }
  template <class Condition>
  bool Run(Condition reached, int64_t ms = 30'000) {
    for (int64_t passed = 0; passed < ms && !reached(); passed += 5) {
      for (size_t shard = 0; shard < node_->shards(); ++shard) node_->RunShard(shard);
      while (node_->RunWorker()) {
      }
      while (node_->disk().CompleteOneSync(random_)) {
      }
      if (session_ != nullptr) session_->Pump();
      node_->clock().Advance(5 * kNsPerMs);
    }
    return reached();
  }
  void RunFor(int64_t ms) {
    Run([] { return false; }, ms);
  }
  void Break(const std::string& folder) {
    for (const FileOp op :
         {FileOp::kAppend, FileOp::kTruncate, FileOp::kSync, FileOp::kDirectory, FileOp::kRead}) {
      node_->disk().InjectFault({op, absl::StrCat(folder, "/")});
    }
  }

  // --- the client ---------------------------------------------------------------------------

  template <class Response, class Request>
  Response Ask(const Request& request, int16_t version) {
    std::optional<Response> answer;
    bool closed = false;
    session_->Send<Response>(request, version, node_->clock().Monotonic(),
                             [&](const Response* response) {
                               closed = response == nullptr;
                               if (response != nullptr) answer = *response;
                             });
    EXPECT_TRUE(Run([&] { return answer.has_value() || closed; })) << "no answer";
    EXPECT_TRUE(answer.has_value()) << "closed";
    return answer.value_or(Response());
  }

  void Create(const std::string& name, int32_t partitions) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    const auto answer = Ask<protocol::CreateTopicsResponse>(request, 7);
    ASSERT_EQ(answer.topics.at(0).error_code, 0);
    ids_[name] = answer.topics.at(0).topic_id;
    RunFor(50);  // until the metadata have where it is
  }
  void Delete(const std::string& name) {
    protocol::DeleteTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    EXPECT_EQ(Ask<protocol::DeleteTopicsResponse>(request, 6).responses.at(0).error_code, 0);
  }
  ErrorCode Produce(const std::string& name, int32_t partition, size_t value_bytes = 10) {
    const std::string batch = log::MakeBatch({.records = 1, .value_bytes = value_bytes});
    protocol::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 5000;
    auto& topic = request.topic_data.emplace_back();
    topic.topic_id = ids_.at(name);
    auto& data = topic.partition_data.emplace_back();
    data.index = partition;
    data.records.bytes = batch;
    const auto answer = Ask<protocol::ProduceResponse>(request, 13);
    return static_cast<ErrorCode>(answer.responses.at(0).partition_responses.at(0).error_code);
  }
  // The end of the partition, or the error.
  std::string EndOf(const std::string& name, int32_t partition) {
    protocol::ListOffsetsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    auto& asked = topic.partitions.emplace_back();
    asked.partition_index = partition;
    asked.timestamp = -1;
    const auto answer = Ask<protocol::ListOffsetsResponse>(request, 6);
    const auto& result = answer.topics.at(0).partitions.at(0);
    if (result.error_code == 0) return absl::StrCat(result.offset);
    return std::string(protocol::ErrorName(static_cast<ErrorCode>(result.error_code)));
  }
  protocol::DescribeLogDirsResponse Describe() {
    protocol::DescribeLogDirsRequest request;
    request.topics = std::nullopt;
    return Ask<protocol::DescribeLogDirsResponse>(request, 4);
  }
  // The partitions in a folder by what DescribeLogDirs says, as "t-0".
  std::vector<std::string> In(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& result : Describe().results) {
      if (result.log_dir != folder) continue;
      for (const auto& topic : result.topics) {
        for (const auto& partition : topic.partitions) {
          names.push_back(absl::StrCat(topic.name, "-", partition.partition_index));
        }
      }
    }
    return names;
  }
  ErrorCode Move(const std::string& name, int32_t partition, const std::string& to) {
    protocol::AlterReplicaLogDirsRequest request;
    auto& dir = request.dirs.emplace_back();
    dir.path = to;
    auto& topic = dir.topics.emplace_back();
    topic.name = name;
    topic.partitions = {partition};
    const auto answer = Ask<protocol::AlterReplicaLogDirsResponse>(request, 2);
    EXPECT_EQ(answer.results.at(0).topic_name, name);
    EXPECT_EQ(answer.results.at(0).partitions.at(0).partition_index, partition);
    return static_cast<ErrorCode>(answer.results.at(0).partitions.at(0).error_code);
  }
  // Of t-0, as DescribeLogDirs has it: the folders with the log, and with a copy on its way.
  std::string Places() {
    std::string places;
    for (const auto& result : Describe().results) {
      for (const auto& topic : result.topics) {
        for (const auto& partition : topic.partitions) {
          if (topic.name != "t" || partition.partition_index != 0) continue;
          absl::StrAppend(&places, result.log_dir, partition.is_future_key ? "?" : "");
          EXPECT_LE(partition.offset_lag, partition.is_future_key ? 1000 : 0);
        }
      }
    }
    return places;
  }
  bool RunUntilIn(const std::string& folder) {
    for (int i = 0; i < 100 && Places() != folder; ++i) RunFor(20);
    return Places() == folder;
  }
  // The directories of t-0, with `*` for a tag.
  std::vector<std::string> Directories() {
    std::vector<std::string> all;
    for (const char* folder : {"/a", "/b", "/c"}) {
      if (!node_->disk().Exists(folder)) continue;
      const auto names = node_->disk().List(folder);
      for (const std::string& name : *names) {
        if (!absl::StartsWith(name, "t-0")) continue;
        const size_t dot = name.find('.');
        all.push_back(absl::StrCat(
            folder, "/", dot == std::string::npos ? name : "t-0.*" + name.substr(name.rfind('-'))));
      }
    }
    return all;
  }
  // t-0 in /a, with a log of several pieces to copy.
  void CreateOne() {
    Create("t", 1);
    for (int i = 0; i < 6; ++i) ASSERT_EQ(Produce("t", 0, 150'000), ErrorCode::kNone);
    ASSERT_EQ(Places(), "/a");
  }
  int32_t OneIn(const std::string& folder) {
    const std::vector<std::string> names = In(folder);
    EXPECT_EQ(names.size(), kPartitions / 2);
    return names.empty() ? 0 : names.front().back() - '0';
  }

  SeededRandom random_{7};
  SimNetwork network_;
  Trace trace_;
  SimNode::Options options_;
  std::unique_ptr<SimNode> node_;
  std::unique_ptr<Session> session_;
  std::map<std::string, Uuid> ids_;
};

TEST_F(LogDirectoriesTest, OneFailsAndTheOtherGoesOn) {
  Start();
  Create("t", kPartitions);
  for (int i = 0; i < kPartitions; ++i) ASSERT_EQ(Produce("t", i), ErrorCode::kNone);
  const int32_t a = OneIn("/a"), b = OneIn("/b");
  node_->disk().InjectFault({FileOp::kSync, "/b/", 1, 1});  // one flush, and all is well again
  EXPECT_EQ(Produce("t", b), ErrorCode::kKafkaStorageError);
  RunFor(50);
  EXPECT_FALSE(node_->failed());
  // None of its partitions takes anything any more, whichever saw the fault.
  for (int i = 0; i < kPartitions; ++i) {
    const bool is_in_b = node_->disk().Exists(absl::StrCat("/b/t-", i));
    EXPECT_EQ(Produce("t", i), is_in_b ? ErrorCode::kKafkaStorageError : ErrorCode::kNone) << i;
    EXPECT_EQ(EndOf("t", i), is_in_b ? "KAFKA_STORAGE_ERROR" : "2") << i;
  }
  const auto described = Describe();
  ASSERT_EQ(described.results.size(), 2u);
  EXPECT_EQ(described.results[0].error_code, 0);
  EXPECT_GT(described.results[0].total_bytes, described.results[0].usable_bytes);
  EXPECT_GT(described.results[0].usable_bytes, 0);
  EXPECT_EQ(described.results[0].topics.at(0).partitions.size(), kPartitions / 2);
  EXPECT_EQ(described.results[1].log_dir, "/b");
  EXPECT_EQ(described.results[1].error_code, 56);
  EXPECT_TRUE(described.results[1].topics.empty());
  // What is new has its place in the one that is left.
  Create("n", 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Produce("n", i), ErrorCode::kNone);
  EXPECT_EQ(In("/a").size(), kPartitions / 2 + 3);
  // What was acknowledged is there when the folder is.
  Kill();
  Start();
  EXPECT_EQ(EndOf("t", a), "2");
  EXPECT_NE(EndOf("t", b), "KAFKA_STORAGE_ERROR");
  for (int i = 0; i < kPartitions; ++i) EXPECT_EQ(Produce("t", i), ErrorCode::kNone);
}

TEST_F(LogDirectoriesTest, WithTheLastOrThatOfTheMetadataTheNodeEnds) {
  Start();
  Create("t", kPartitions);
  Break("/a");
  Produce("t", OneIn("/a"));
  EXPECT_TRUE(Run([this] { return node_->failed(); }));
}

TEST_F(LogDirectoriesTest, TheMetadataInAFolderOfTheirOwn) {
  options_.settings.emplace_back("metadata.log.dir", "/m");
  Start();
  Create("t", kPartitions);
  EXPECT_EQ(Describe().results.size(), 2u);
  Break("/a");
  Produce("t", OneIn("/a"));
  RunFor(100);
  EXPECT_FALSE(node_->failed());
  EXPECT_EQ(Produce("t", OneIn("/b")), ErrorCode::kNone);
  Break("/b");
  Produce("t", OneIn("/b"));
  EXPECT_TRUE(Run([this] { return node_->failed(); }));
}

// Nobody appends: the folder's checkpoints are what tells.
TEST_F(LogDirectoriesTest, AFolderThatNobodyWritesTo) {
  Start();
  Create("t", kPartitions);
  for (int i = 0; i < kPartitions; ++i) ASSERT_EQ(Produce("t", i), ErrorCode::kNone);
  const int32_t b = OneIn("/b");
  Break("/b");
  RunFor(2 * options_.checkpoint_ms);
  EXPECT_EQ(EndOf("t", b), "KAFKA_STORAGE_ERROR");
  EXPECT_FALSE(node_->failed());
}

TEST_F(LogDirectoriesTest, OneThatCannotBeReadAtTheStart) {
  Start();
  Create("t", kPartitions);
  for (int i = 0; i < kPartitions; ++i) ASSERT_EQ(Produce("t", i), ErrorCode::kNone);
  const int32_t a = OneIn("/a"), b = OneIn("/b");
  Kill();
  Break("/b");
  Start();
  EXPECT_EQ(Describe().results[1].error_code, 56);
  EXPECT_EQ(EndOf("t", a), "1");
  EXPECT_EQ(EndOf("t", b), "KAFKA_STORAGE_ERROR");
  EXPECT_FALSE(node_->disk().Exists(absl::StrCat("/a/t-", b)));  // nor made anew elsewhere
  Create("n", 1);
  EXPECT_EQ(Produce("n", 0), ErrorCode::kNone);
  Kill();
  node_->disk().ClearFaults();
  Start();
  for (int i = 0; i < kPartitions; ++i) EXPECT_EQ(EndOf("t", i), "1") << i;
}

TEST_F(LogDirectoriesTest, ATopicThatIsDeletedWhileItsFolderIsOffline) {
  Start();
  Create("t", kPartitions);
  const int32_t b = OneIn("/b");
  Break("/b");
  Produce("t", b);
  RunFor(100);
  Delete("t");
  Create("t", kPartitions);
  EXPECT_EQ(Produce("t", b), ErrorCode::kKafkaStorageError);
  Kill();
  node_->disk().ClearFaults();
  Start();  // no partition is in two folders
  for (int i = 0; i < kPartitions; ++i) EXPECT_EQ(Produce("t", i), ErrorCode::kNone) << i;
}

TEST_F(LogDirectoriesTest, ATopicThatIsMadeAgainWhileItsFolderIsAway) {
  Start();
  Create("t", kPartitions);
  for (int i = 0; i < kPartitions; ++i) ASSERT_EQ(Produce("t", i), ErrorCode::kNone);
  const int32_t b = OneIn("/b");
  Kill();
  Break("/b");
  Start();
  Delete("t");
  Create("t", kPartitions);
  for (int round = 0; round < 2; ++round) ASSERT_EQ(Produce("t", b), ErrorCode::kNone);
  Kill();
  node_->disk().ClearFaults();
  Start();
  EXPECT_EQ(EndOf("t", b), "2");
  EXPECT_FALSE(node_->disk().Exists(absl::StrCat("/b/t-", b)));
}

// As when a replica is moved away, back, and away again.
TEST_F(LogDirectoriesTest, ALogIsDeletedWhileAnEarlierOneOfItsNameWaitsForThat) {
  Start();
  Create("t", kPartitions);
  const std::string id = ids_.at("t").ToString();
  for (const char* folder : {"/a", "/b"}) {
    for (int i = 0; i < kPartitions; ++i) {
      const std::string earlier = absl::StrCat(folder, "/t-", i, ".", id, "-delete/log");
      ASSERT_TRUE(log::CreateDirectoriesDurably(node_->disk(), earlier).ok());
    }
  }
  Delete("t");
  Create("t", kPartitions);
  for (int i = 0; i < kPartitions; ++i) EXPECT_EQ(Produce("t", i), ErrorCode::kNone);
  for (const auto& result : Describe().results) EXPECT_EQ(result.error_code, 0);
}

TEST_F(LogDirectoriesTest, APartitionInTwoFoldersIsWhereTheMetadataHaveIt) {
  Start();
  Create("t", kPartitions);
  const int32_t a = OneIn("/a"), b = OneIn("/b");
  for (const int32_t partition : {a, b}) ASSERT_EQ(Produce("t", partition), ErrorCode::kNone);
  Kill();
  const std::string in_b = absl::StrCat("/b/t-", a), in_a = absl::StrCat("/a/t-", b);
  for (const std::string& copy : {in_a, in_b}) {
    ASSERT_TRUE(node_->disk().CreateDirectories(copy).ok());
  }
  Start();
  for (const int32_t partition : {a, b}) EXPECT_EQ(EndOf("t", partition), "1");
  for (const std::string& copy : {in_a, in_b}) EXPECT_FALSE(node_->disk().Exists(copy)) << copy;
}

// --- moves --------------------------------------------------------------------------------------

using Names = std::vector<std::string>;

TEST_F(LogDirectoriesTest, AReplicaMovesWhileItIsUsed) {
  Start();
  CreateOne();
  EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);
  EXPECT_EQ(Directories(), (Names{"/a/t-0", "/b/t-0.*-future"}));
  EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);  // it is on its way
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Produce("t", 0), ErrorCode::kNone);
  ASSERT_TRUE(RunUntilIn("/b"));
  EXPECT_EQ(Directories(), (Names{"/a/t-0.*-delete", "/b/t-0"}));
  EXPECT_EQ(Produce("t", 0), ErrorCode::kNone);
  EXPECT_EQ(EndOf("t", 0), "27");
  RunFor(120'000);
  EXPECT_EQ(Directories(), Names{"/b/t-0"});
  // The metadata have it there, and what is new goes where fewer are.
  const metadata::MetadataImagePtr image = node_->core().shard(server::ShardId(0)).image();
  const metadata::PartitionImage* partition =
      image->FindPartition({ids_.at("t"), PartitionIndex(0)});
  EXPECT_EQ(partition->directories.at(0), node_->core().node().directories->At("/b")->id());
  Kill();
  Start();
  EXPECT_EQ(Places(), "/b");
  EXPECT_EQ(EndOf("t", 0), "27");
  EXPECT_EQ(Move("t", 0, "/a"), ErrorCode::kNone);
  ASSERT_TRUE(RunUntilIn("/a"));
  EXPECT_EQ(Produce("t", 0), ErrorCode::kNone);
  ASSERT_TRUE(node_->Shutdown().ok());
  session_->Close();
  Start();
  EXPECT_EQ(Places(), "/a");
  EXPECT_EQ(EndOf("t", 0), "28");
}

TEST_F(LogDirectoriesTest, AMoveThatCannotBe) {
  Start();
  CreateOne();
  EXPECT_EQ(Move("t", 0, "/nowhere"), ErrorCode::kLogDirNotFound);
  EXPECT_EQ(Move(std::string(220, 'n'), 0, "/b"), ErrorCode::kInvalidTopicException);
  EXPECT_EQ(Move("t", 7, "/b"), ErrorCode::kReplicaNotAvailable);
  EXPECT_EQ(Move("t", -1, "/b"), ErrorCode::kReplicaNotAvailable);
  EXPECT_EQ(Move("t", 0, "/a"), ErrorCode::kNone);  // there it is
  EXPECT_EQ(Places(), "/a");
  // What is not here yet is made where it is to be: the fewest are in /b.
  EXPECT_EQ(Move("n", 0, "/a"), ErrorCode::kReplicaNotAvailable);
  Create("n", 1);
  EXPECT_EQ(In("/a"), (Names{"n-0", "t-0"}));
}

TEST_F(LogDirectoriesTest, AMoveIsTakenBackOrGoesElsewhere) {
  options_.settings = {{"log.dirs", "/a,/b,/c"}};
  Start();
  CreateOne();
  EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);
  EXPECT_EQ(Move("t", 0, "/a"), ErrorCode::kNone);
  EXPECT_EQ(Places(), "/a");
  RunFor(2'000);
  EXPECT_EQ(Directories(), Names{"/a/t-0"});
  EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);
  RunFor(5);
  EXPECT_EQ(Move("t", 0, "/c"), ErrorCode::kNone);
  EXPECT_EQ(Places(), "/a/c?");
  ASSERT_TRUE(RunUntilIn("/c"));
  EXPECT_EQ(EndOf("t", 0), "6");
  // A topic takes its copy along.
  EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);
  protocol::DeleteTopicsRequest request;
  request.topics.emplace_back().name = "t";
  EXPECT_EQ(Ask<protocol::DeleteTopicsResponse>(request, 6).responses.at(0).error_code, 0);
  RunFor(120'000);
  EXPECT_EQ(Directories(), Names());
  Create("t", 1);
  EXPECT_EQ(Produce("t", 0), ErrorCode::kNone);
}

TEST_F(LogDirectoriesTest, AFolderFailsInAMove) {
  for (const char* folder : {"/b", "/a"}) {
    SCOPED_TRACE(folder);
    node_.reset();
    options_.settings = {{"log.dirs", "/a,/b"}, {"metadata.log.dir", "/m"}};
    Start();
    CreateOne();
    EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);
    for (const FileOp op : {FileOp::kAppend, FileOp::kTruncate, FileOp::kSync}) {
      node_->disk().InjectFault({op, absl::StrCat(folder, "/")});
    }
    const bool goes_on = absl::string_view(folder) == "/b";
    EXPECT_EQ(Produce("t", 0), goes_on ? ErrorCode::kNone : ErrorCode::kKafkaStorageError);
    RunFor(3'000);
    EXPECT_FALSE(node_->failed());
    EXPECT_EQ(Places(), goes_on ? "/a" : "");
    EXPECT_EQ(EndOf("t", 0), goes_on ? "7" : "KAFKA_STORAGE_ERROR");
    EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kKafkaStorageError);
    Kill();
    node_->disk().ClearFaults();
    Start();
    // The copy goes on from where it was.
    ASSERT_TRUE(RunUntilIn("/b"));
    EXPECT_EQ(EndOf("t", 0), goes_on ? "7" : "6");
    EXPECT_EQ(Produce("t", 0), ErrorCode::kNone);
    session_->Close();
    session_.reset();
  }
}

TEST_F(LogDirectoriesTest, ADiskThatIsFullHoldsAMoveUp) {
  Start();
  CreateOne();
  node_->disk().set_capacity_bytes(1'500'000);
  EXPECT_EQ(Move("t", 0, "/b"), ErrorCode::kNone);
  RunFor(5'000);
  EXPECT_EQ(Places(), "/a/b?");
  EXPECT_FALSE(node_->failed());
  node_->disk().set_capacity_bytes(int64_t{1} << 40);
  ASSERT_TRUE(RunUntilIn("/b"));
  EXPECT_EQ(EndOf("t", 0), "6");
}

// Wherever the process or the power ends: the log is in one place and has what was acknowledged,
// and the move ends.
TEST_F(LogDirectoriesTest, ACrashAtAnyPointOfAMove) {
  for (const bool power : {false, true}) {
    int moved_before = 0;
    for (int64_t at = 0; moved_before < 2; at += power ? 2 : 1) {
      SCOPED_TRACE(absl::StrCat(power ? "power loss" : "kill", " at ", at));
      ASSERT_LT(at, 500);
      node_.reset();
      options_.settings = {{"log.dirs", "/a,/b"}, {"log.segment.delete.delay.ms", "1000"}};
      Start();
      CreateOne();
      RunFor(1'500);  // until the metadata have where it is
      node_->disk().CrashAtBoundary(at);
      bool moved = false;
      std::optional<protocol::AlterReplicaLogDirsResponse> answer;
      protocol::AlterReplicaLogDirsRequest request;
      request.dirs.emplace_back().path = "/b";
      request.dirs[0].topics.push_back({"t", {0}});
      session_->Send<protocol::AlterReplicaLogDirsResponse>(request, 2, node_->clock().Monotonic(),
                                                            [&](const auto* response) {
                                                              if (response != nullptr)
                                                                answer = *response;
                                                            });
      Run(
          [&] {
            moved = node_->disk().Exists("/b/t-0");
            return node_->disk().crashed() || moved;
          },
          3'000);
      moved_before += moved && !node_->disk().crashed();
      session_->Close();
      power ? node_->LosePower() : node_->Kill();
      for (int i = 0; i < 3; ++i) session_->Pump();
      node_->disk().CrashAtBoundary(int64_t{1} << 40);
      Start();
      EXPECT_EQ(EndOf("t", 0), "6");
      const std::string places = Places();
      if (places == "/a/b?") {
        EXPECT_TRUE(RunUntilIn("/b"));
      }
      EXPECT_EQ(Produce("t", 0, 150'000), ErrorCode::kNone);
      EXPECT_EQ(Move("t", 0, places == "/b" ? "/a" : "/b"), ErrorCode::kNone);
      EXPECT_TRUE(RunUntilIn(places == "/b" ? "/a" : "/b"));
      EXPECT_EQ(EndOf("t", 0), "7");
      RunFor(3'000);
      EXPECT_EQ(Directories().size(), 1u);
      session_->Close();
      session_.reset();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace weir::sim
