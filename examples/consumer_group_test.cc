// Groups of real consumers at a real broker: they share partitions, and take over from one that
// vanished, with every assignment strategy. The members take turns on one thread, so that at every
// moment it can be asked whether two of them have the same partition.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "client/system_cluster.h"
#include "gtest/gtest.h"
#include "server/embedded_broker.h"

namespace {

using weir::client::CommittedOffsets;
using weir::client::ConsumedRecords;
using weir::client::Consumer;
using weir::client::ConsumerConfig;
using weir::client::ConsumerRecord;
using weir::client::OffsetReset;
using weir::client::Producer;
using weir::client::SystemCluster;
using weir::client::TopicAndPartition;
using weir::server::EmbeddedBroker;

constexpr int kPartitions = 6;

class ConsumerGroupTest : public testing::TestWithParam<std::string> {
 protected:
  struct Member {
    std::unique_ptr<SystemCluster> system;
    std::unique_ptr<Consumer> consumer;
  };

  void SetUp() override {
    auto started = EmbeddedBroker::Start(
        {.config = {{"num.partitions", "6"}, {"group.min.session.timeout.ms", "100"}},
         .in_memory = true});
    ASSERT_TRUE(started.ok()) << started.status();
    broker_ = *std::move(started);
    system_ = NewSystem();
    producer_ = std::make_unique<Producer>(system_->cluster(), weir::client::ProducerConfig());
  }

  std::unique_ptr<SystemCluster> NewSystem() {
    return *SystemCluster::Create({.bootstrap_servers = broker_->bootstrap_servers()});
  }

  void AddMember(const std::string& name) {
    ConsumerConfig config;
    config.group_id = "g";
    config.partition_assignment_strategy = {GetParam()};
    config.session_timeout_ms = 2'000;
    config.heartbeat_interval_ms = 100;
    config.auto_commit_interval_ms = 100;
    config.auto_offset_reset = OffsetReset::kEarliest;
    Member member;
    member.system = NewSystem();
    member.consumer = std::make_unique<Consumer>(member.system->cluster(), config);
    ASSERT_TRUE(member.consumer->Subscribe({"t"}).ok());
    members_[name] = std::move(member);
  }

  void Send(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string value = absl::StrCat("value ", sent_.size());
      sent_.insert(value);
      ASSERT_TRUE(
          producer_->Send({.topic = "t", .value = value, .partition = i % kPartitions}).ok());
    }
    ASSERT_TRUE(producer_->Flush(10'000).ok());
  }

  // Lets the members take turns until `done` or a time has passed that a broken group takes.
  void RunUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it does not come to that";
      for (auto& [name, member] : members_) {
        const absl::StatusOr<ConsumedRecords> records = member.consumer->Poll(5);
        ASSERT_TRUE(records.ok()) << name << ": " << records.status();
        for (const ConsumerRecord& record : *records) ++read_[std::string(*record.value)];
        ExpectNothingIsSharedTwice();
      }
    }
  }

  void ExpectNothingIsSharedTwice() {
    std::set<TopicAndPartition> all;
    for (const auto& [name, member] : members_) {
      for (const TopicAndPartition& tp : member.consumer->Assignment()) {
        ASSERT_TRUE(all.insert(tp).second) << name << " has " << tp.partition << " and not alone";
      }
    }
  }

  // Whether every member has so many partitions.
  bool EachHas(size_t count) {
    for (const auto& [name, member] : members_) {
      if (member.consumer->Assignment().size() != count) return false;
    }
    return true;
  }
  bool AllIsRead() { return read_.size() == sent_.size(); }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<SystemCluster> system_;
  std::unique_ptr<Producer> producer_;
  std::map<std::string, Member> members_;
  std::set<std::string> sent_;
  std::map<std::string, int> read_;  // how often each value was
};

TEST_P(ConsumerGroupTest, MembersShareAndTakeOver) {
  Send(60);
  AddMember("a");
  RunUntil([this] { return EachHas(6) && AllIsRead(); });
  AddMember("b");
  AddMember("c");
  RunUntil([this] { return EachHas(2); });
  Send(60);
  RunUntil([this] { return AllIsRead(); });
  // Whoever left in good order had committed, and the broker loses nothing: nothing is read twice.
  for (const auto& [value, times] : read_) EXPECT_EQ(times, 1) << value;

  members_.erase("b");  // it is dead, and the group finds out by itself
  Send(60);
  RunUntil([this] { return EachHas(3) && AllIsRead(); });

  ASSERT_TRUE(members_.at("a").consumer->Close(10'000).ok());
  members_.erase("a");
  Send(60);
  RunUntil([this] { return EachHas(6) && AllIsRead(); });

  Consumer& last = *members_.at("c").consumer;
  ASSERT_TRUE(last.CommitSync().ok());
  const absl::StatusOr<CommittedOffsets> committed = last.Committed(last.Assignment());
  ASSERT_TRUE(committed.ok()) << committed.status();
  for (const auto& [tp, offset] : *committed) {
    EXPECT_EQ(offset->offset, weir::Offset(40)) << tp.partition;
  }
}

TEST_P(ConsumerGroupTest, MoreMembersThanPartitions) {
  Send(12);
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) AddMember(name);
  const auto shares = [this] {
    std::multiset<size_t> sizes;
    for (const auto& [name, member] : members_) sizes.insert(member.consumer->Assignment().size());
    return sizes;
  };
  RunUntil(
      [&] { return AllIsRead() && shares() == std::multiset<size_t>{0, 0, 1, 1, 1, 1, 1, 1}; });
  for (const char* name : {"a", "c", "e", "g"}) members_.erase(name);
  Send(12);
  RunUntil([&] { return AllIsRead() && shares() == std::multiset<size_t>{1, 1, 2, 2}; });
}

INSTANTIATE_TEST_SUITE_P(Strategies, ConsumerGroupTest,
                         testing::Values("range", "roundrobin", "cooperative-sticky"),
                         [](const testing::TestParamInfo<std::string>& info) {
                           return info.param == "cooperative-sticky" ? "sticky" : info.param;
                         });

}  // namespace
