// Three replicas on real disks, over real gRPC, each with its own thread.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/grpc/raft_test_host.h"
#include "coordination/grpc/raft_transport.h"
#include "coordination/raft/events.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/raft.h"
#include "coordination/raft/test_entries.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "log/posix_file.h"

namespace weir::raft {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);
constexpr int32_t kNodes = 3;

class RaftClusterTest : public ::testing::Test {
 protected:
  RaftClusterTest() {
    for (int32_t i = 0; i < kNodes; ++i) keys_.push_back({BrokerId(i), Uuid{1, uint64_t(i) + 1}});
    log::PosixFileSystem files;
    for (int32_t i = 0; i < kNodes; ++i) {
      (void)files.RemoveRecursively(Folder(i));
      EXPECT_TRUE(LogStorage::Found(files, Folder(i), VoterSet(keys_)).ok());
      hosts_.push_back(MakeHost(i));
    }
    Introduce();
    for (auto& host : hosts_) EXPECT_TRUE(host->Start().ok());
  }
  ~RaftClusterTest() override { hosts_.clear(); }

  static std::string Folder(int32_t i) {
    return absl::StrCat(::testing::TempDir(), "raft_cluster_",
                        ::testing::UnitTest::GetInstance()->current_test_info()->name(), "_", i,
                        "/__cluster_metadata-0");
  }

  std::unique_ptr<RaftTestHost> MakeHost(int32_t i) {
    RaftTestHostOptions options;
    options.config.cluster_id = "test";
    options.config.self = keys_[static_cast<size_t>(i)];
    options.config.election_timeout_ms = 300;
    options.config.heartbeat_interval_ms = 30;
    options.directory = Folder(i);
    applied_[i].clear();
    next_[i] = Offset(0);
    options.on_effect = [this, i](const Raft& raft, const Effect& effect) {
      OnEffect(i, raft, effect);
    };
    return std::make_unique<RaftTestHost>(options);
  }

  void Introduce() {
    for (auto& host : hosts_) {
      for (auto& other : hosts_) {
        if (host && other && host != other) {
          host->transport().SetPeer(other->key().id, other->address());
        }
      }
    }
  }

  void OnEffect(int32_t i, const Raft& raft, const Effect& effect) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto* committed = std::get_if<Committed>(&effect)) {
      while (next_[i] < committed->end) {
        const auto entries = raft.ReadCommitted(next_[i], 1 << 20);
        ASSERT_TRUE(entries.ok()) << entries.status();
        for (const Entry& entry : *entries) {
          if (entry.data != nullptr) applied_[i].push_back(TestBatchValue(*entry.data));
          next_[i] = entry.next_offset();
        }
      }
    } else if (const auto* gained = std::get_if<LeadershipGained>(&effect)) {
      leader_ = {i, gained->epoch};
    } else if (const auto* lost = std::get_if<LeadershipLost>(&effect)) {
      if (leader_ == std::make_pair(i, lost->epoch)) leader_.reset();
    } else if (const auto* done = std::get_if<Done>(&effect)) {
      done_[done->token] = done->status;
    }
    changed_.notify_all();
  }

  bool Wait(const std::function<bool()>& reached) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, reached);
  }
  int32_t WaitForLeader(int32_t other_than = -1) {
    EXPECT_TRUE(Wait([&] { return leader_.has_value() && leader_->first != other_than; }));
    const std::lock_guard<std::mutex> lock(mutex_);
    return leader_.has_value() ? leader_->first : 0;
  }

  // Until each is committed, however often the leader changes.
  void ProposeAll(int count, int32_t other_than = -1) {
    for (int n = 0; n < count; ++n) wanted_.insert(absl::StrCat("value ", values_++));
    std::set<std::string> left = wanted_;
    while (true) {
      const int32_t leader = WaitForLeader(other_than);
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (const std::string& value : applied_[leader]) left.erase(value);
      }
      if (left.empty() || HasFailure()) return;
      std::vector<Event> events;
      const uint64_t first = token_ + 1;
      for (const std::string& value : left) {
        events.push_back(Propose{++token_, std::make_shared<const std::string>(TestBatch(value))});
      }
      const uint64_t last = token_;
      hosts_[static_cast<size_t>(leader)]->Post(std::move(events));
      ASSERT_TRUE(Wait([&] {
        for (uint64_t t = first; t <= last; ++t) {
          if (done_.count(t) == 0) return false;
        }
        return true;
      }));
    }
  }

  // All the values, and in the same order everywhere.
  void ExpectAllHaveAll() {
    ASSERT_TRUE(Wait([&] {
      for (int32_t i = 0; i < kNodes; ++i) {
        const std::set<std::string> have(applied_[i].begin(), applied_[i].end());
        if (have != wanted_) return false;
      }
      return true;
    }));
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t common = std::min({applied_[0].size(), applied_[1].size(), applied_[2].size()});
    for (int32_t i = 1; i < kNodes; ++i) {
      EXPECT_TRUE(std::equal(applied_[0].begin(), applied_[0].begin() + std::ptrdiff_t(common),
                             applied_[i].begin()));
    }
  }

  std::vector<ReplicaKey> keys_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::pair<int32_t, LeaderEpoch>> leader_;
  std::map<int32_t, std::vector<std::string>> applied_;
  std::map<int32_t, Offset> next_;
  std::map<uint64_t, absl::Status> done_;
  std::set<std::string> wanted_;
  int values_ = 0;
  uint64_t token_ = 0;
  std::vector<std::unique_ptr<RaftTestHost>> hosts_;
};

TEST_F(RaftClusterTest, CommitsWhatIsProposed) {
  ProposeAll(1000);
  ExpectAllHaveAll();
}

TEST_F(RaftClusterTest, GoesOnWithoutItsLeaderAndTakesItBack) {
  ProposeAll(100);
  const int32_t down = WaitForLeader();
  hosts_[static_cast<size_t>(down)].reset();
  ProposeAll(200, down);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    applied_[down].clear();
  }
  hosts_[static_cast<size_t>(down)] = MakeHost(down);
  Introduce();
  ASSERT_TRUE(hosts_[static_cast<size_t>(down)]->Start().ok());
  ProposeAll(100);
  ExpectAllHaveAll();
}

TEST_F(RaftClusterTest, ElectsAnotherBehindAPartition) {
  ProposeAll(100);
  const int32_t alone = WaitForLeader();
  std::set<BrokerId> others;
  for (int32_t i = 0; i < kNodes; ++i) {
    if (i == alone) continue;
    others.insert(BrokerId(i));
    hosts_[static_cast<size_t>(i)]->Isolate({BrokerId(alone)});
  }
  hosts_[static_cast<size_t>(alone)]->Isolate(others);
  ProposeAll(200, alone);
  for (auto& host : hosts_) host->Isolate({});
  ProposeAll(10);
  ExpectAllHaveAll();
}

}  // namespace
}  // namespace weir::raft
