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
#include "base/clock.h"
#include "base/random.h"
#include "base/uuid.h"
#include "gtest/gtest.h"
#include "log/memory_file.h"
#include "log/test_batches.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/produce.h"
#include "protocol/error_code.h"
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
  ErrorCode Produce(const std::string& name, int32_t partition) {
    const std::string batch = log::MakeBatch({.records = 1});
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

}  // namespace
}  // namespace weir::sim
