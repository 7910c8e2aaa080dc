// A consumer group under faults: members join, commit, leave, fall silent, come back under their
// instance id and go on with generations long past; the log refuses and loses what it was not done
// with; the coordinator dies at any point and another one reads the log. Invariant 25 of the
// simulator holds throughout: one live owner per partition and generation, commits of past
// generations refused, committed offsets never going back. Once faults end, every member gets its
// share.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/random.h"
#include "coordination/group/events.h"
#include "coordination/group/group_coordinator.h"
#include "coordination/group/group_harness.h"
#include "coordination/group/records.h"
#include "gtest/gtest.h"
#include "protocol/error_code.h"

namespace weir::group {
namespace {

using protocol::HeartbeatResponse;
using protocol::JoinGroupResponse;
using protocol::LeaveGroupResponse;
using protocol::OffsetCommitResponse;
using protocol::SyncGroupResponse;

constexpr int32_t kPartitions = 6;
constexpr int kClients = 4;

enum class Mode { kOut, kJoining, kSyncing, kOwning };

// A consumer. What it does is what librdkafka or the Java client would, in small.
struct Client {
  int index = 0;
  bool is_static = false;
  bool is_silent = false;
  Mode mode = Mode::kOut;
  std::string member_id;
  int32_t generation = -1;
  bool is_leader = false;
  std::vector<std::string> members;  // of the generation, for the leader
  std::set<int32_t> owned;
  std::optional<uint64_t> waiting;  // for Join or Sync
};

struct PendingCommit {
  uint64_t token = 0;
  int32_t partition = 0;
  int64_t offset = 0;
};

class GroupSim {
 public:
  explicit GroupSim(uint64_t seed) : random_(seed), harness_(Config(), seed) {
    harness_.Hold(true);
    for (int32_t p = 0; p < kPartitions; ++p) least_[p] = -1;
    for (int i = 0; i < kClients; ++i) {
      Client client;
      client.index = i;
      client.is_static = i % 2 == 1;
      clients_.push_back(client);
    }
  }

  // Returns a hash of all that happened.
  size_t Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Fault();
      Act(clients_[random_.Below(kClients)]);
      for (Client& client : clients_) Poll(client);
      CheckOffsets();
    }
    if (!::testing::Test::HasFailure()) Heal();
    return trace_;
  }

  int generations() const { return static_cast<int>(owners_.size()); }
  size_t commits() const { return acknowledged_; }

 private:
  static GroupConfig Config() {
    GroupConfig config;
    config.initial_rebalance_delay_ms = 500;
    config.append_timeout_ms = 2'000;  // some take longer, and get into the log all the same
    return config;
  }

  void Trace(int64_t what, int64_t detail = 0) {
    trace_ = absl::HashOf(trace_, what, detail, harness_.log().size());
  }

  // --- Faults ------------------------------------------------------------------------------------

  void Fault() {
    const uint64_t dice = random_.Below(100);
    Trace(1, static_cast<int64_t>(dice));
    if (dice < 40) {
      if (harness_.appends_waiting() > 0) harness_.Commit();
    } else if (dice < 43) {
      if (harness_.appends_waiting() > 0) harness_.Fail(ErrorCode::kNotEnoughReplicas);
    } else if (dice < 70) {
      harness_.Advance(static_cast<int64_t>(random_.Below(800)));
    } else if (dice < 72) {
      harness_.Advance(static_cast<int64_t>(random_.Below(15'000)));
    } else if (dice < 74) {
      Crash();
    } else if (dice < 76) {
      clients_[random_.Below(kClients)].is_silent ^= true;
    }
  }

  // Of the appends on their way, the first few made it into the log, unknown to anyone.
  void Crash() {
    harness_.Crash(random_.Below(harness_.appends_waiting() + 1));
    for (Client& client : clients_) client.waiting.reset();  // connections break
    commits_.clear();
    newest_generation_ = -1;
  }

  // --- Clients -----------------------------------------------------------------------------------

  void Act(Client& client) {
    if (client.is_silent) return;
    if (client.waiting.has_value()) return;
    switch (client.mode) {
      case Mode::kOut:
        return Join(client);
      case Mode::kJoining:
        return Join(client);  // lost the connection meanwhile
      case Mode::kSyncing:
        return Sync(client);
      case Mode::kOwning:
        break;
    }
    const uint64_t dice = random_.Below(100);
    if (dice < 55) {
      Heartbeat(client);
    } else if (dice < 90) {
      Commit(client);
    } else if (dice < 94) {
      Join(client);
    } else if (dice < 96) {
      Sync(client);  // asks for its assignment once more
    } else if (dice < 98) {
      Leave(client);
    } else if (client.is_static) {  // a new process under the same instance id
      client.member_id.clear();
      client.mode = Mode::kOut;
    }
  }

  void Join(Client& client) {
    protocol::JoinGroupRequest join = JoinOf(client.member_id);
    join.session_timeout_ms = 6'000;
    join.rebalance_timeout_ms = 12'000;
    if (client.is_static) join.group_instance_id = absl::StrCat("static-", client.index);
    if (random_.OneIn(4)) join.protocols.push_back({"other", {SubscriptionTo("t")}});
    client.mode = Mode::kJoining;
    client.owned.clear();
    client.waiting = harness_.Send(join, 9, absl::StrCat("c", client.index));
  }

  // A leader deals partitions out at random, so that two assignments of one generation show.
  void Sync(Client& client) {
    std::map<std::string, std::string> assignments;
    if (client.is_leader) {
      for (int32_t p = 0; p < kPartitions; ++p) {
        const std::string& to = client.members[random_.Below(client.members.size())];
        absl::StrAppend(&assignments[to], assignments[to].empty() ? "" : ",", p);
      }
    }
    client.waiting = harness_.Send(SyncOf(client.member_id, client.generation, assignments));
    // Sometimes the answer is slow and the client asks again.
    if (client.is_leader && random_.OneIn(4)) {
      std::map<std::string, std::string> all;
      for (int32_t p = 0; p < kPartitions; ++p) {
        absl::StrAppend(&all[client.member_id], p == 0 ? "" : ",", p);
      }
      client.waiting = harness_.Send(SyncOf(client.member_id, client.generation, all));
    }
  }

  void Heartbeat(Client& client) {
    const auto error =
        ErrorOf(harness_.Ask<HeartbeatResponse>(HeartbeatOf(client.member_id, client.generation)));
    Trace(2, static_cast<int64_t>(error));
    OnError(client, error);
  }

  void OnError(Client& client, ErrorCode error) {
    switch (error) {
      case ErrorCode::kNone:
        return;
      case ErrorCode::kUnknownMemberId:
      case ErrorCode::kFencedInstanceId:
        client.member_id.clear();
        break;
      default:
        break;
    }
    // A client that is slow to learn goes on with its old generation for a while.
    if (error == ErrorCode::kRebalanceInProgress && random_.OneIn(3)) return;
    client.mode = Mode::kOut;
    client.owned.clear();
  }

  void Commit(Client& client) {
    if (client.owned.empty()) return;
    const auto at = static_cast<int64_t>(random_.Below(client.owned.size()));
    const int32_t partition = *std::next(client.owned.begin(), at);
    const int64_t offset = ++next_offset_;
    // Now and then a request that was under way since an earlier generation.
    const int32_t generation = client.generation - (random_.OneIn(8) ? 1 : 0);
    const uint64_t token =
        harness_.Send(CommitOf("t", partition, offset, client.member_id, generation));
    if (harness_.IsAnswered(token)) {
      const auto error = CommitError(harness_.Answer<OffsetCommitResponse>(token));
      EXPECT_NE(error, ErrorCode::kNone) << "a commit was acknowledged before it was durable";
      if (generation == client.generation) OnError(client, error);
      return;
    }
    EXPECT_GE(generation, newest_generation_) << "a commit of a past generation was taken";
    EXPECT_EQ(generation, client.generation) << "a commit of a past generation was taken";
    commits_.push_back({token, partition, offset});
  }

  void Leave(Client& client) {
    protocol::LeaveGroupRequest leave;
    leave.group_id = "g";
    leave.members.push_back({client.member_id, {}, {}});
    harness_.Ask<LeaveGroupResponse>(leave);
    client.member_id.clear();
    client.mode = Mode::kOut;
    client.owned.clear();
  }

  void Poll(Client& client) {
    if (!client.waiting.has_value() || !harness_.IsAnswered(*client.waiting)) return;
    const uint64_t token = *client.waiting;
    client.waiting.reset();
    if (client.mode == Mode::kJoining) {
      OnJoined(client, harness_.Answer<JoinGroupResponse>(token));
    } else {
      OnSynced(client, harness_.Answer<SyncGroupResponse>(token));
    }
  }

  void OnJoined(Client& client, const JoinGroupResponse& joined) {
    Trace(3, joined.error_code);
    switch (ErrorOf(joined)) {
      case ErrorCode::kNone:
        break;
      case ErrorCode::kMemberIdRequired:
        client.member_id = joined.member_id;
        return;
      case ErrorCode::kUnknownMemberId:
      case ErrorCode::kFencedInstanceId:
        client.member_id.clear();
        return;
      default:
        return;
    }
    client.member_id = joined.member_id;
    client.generation = joined.generation_id;
    newest_generation_ = std::max(newest_generation_, joined.generation_id);
    client.is_leader = joined.leader == joined.member_id && !joined.skip_assignment;
    client.members.clear();
    for (const auto& m : joined.members) client.members.push_back(m.member_id);
    if (client.members.empty()) client.is_leader = false;
    client.mode = Mode::kSyncing;
  }

  void OnSynced(Client& client, const SyncGroupResponse& synced) {
    Trace(4, synced.error_code);
    if (ErrorOf(synced) != ErrorCode::kNone) return OnError(client, ErrorOf(synced));
    client.mode = Mode::kOwning;
    client.owned.clear();
    for (const auto text : absl::StrSplit(synced.assignment.value, ',', absl::SkipEmpty())) {
      int32_t partition = -1;
      ASSERT_TRUE(absl::SimpleAtoi(text, &partition));
      client.owned.insert(partition);
      const auto [it, is_new] = owners_[client.generation].emplace(partition, client.index);
      EXPECT_EQ(it->second, client.index)
          << "partition " << partition << " has two owners in generation " << client.generation;
    }
    const auto first = assigned_.emplace(std::pair(client.generation, client.index), client.owned);
    EXPECT_EQ(first.first->second, client.owned)
        << "client " << client.index << " got two assignments in generation " << client.generation;
  }

  // --- Committed offsets -------------------------------------------------------------------------

  // What the log says, and that alone.
  int64_t LastInLog(int32_t partition) {
    for (; read_ < harness_.log().size(); ++read_) {
      const Record& record = harness_.log()[read_];
      std::optional<absl::string_view> value;
      if (record.value.has_value()) value = *record.value;
      const auto decoded = DecodeRecord(record.key, value);
      EXPECT_TRUE(decoded.ok());
      if (const auto* commit = std::get_if<OffsetCommit>(&*decoded)) {
        in_log_[commit->key.partition] = commit->value->offset;
      }
    }
    const auto it = in_log_.find(partition);
    return it == in_log_.end() ? -1 : it->second;
  }

  void CheckOffsets() {
    for (auto it = commits_.begin(); it != commits_.end();) {
      if (!harness_.IsAnswered(it->token)) {
        ++it;
        continue;
      }
      if (CommitError(harness_.Answer<OffsetCommitResponse>(it->token)) == ErrorCode::kNone) {
        least_[it->partition] = std::max(least_[it->partition], it->offset);
        ++acknowledged_;
      }
      it = commits_.erase(it);
    }
    for (int32_t p = 0; p < kPartitions; ++p) {
      const int64_t offset = FetchOffset(harness_, "t", p);
      EXPECT_EQ(offset, LastInLog(p)) << "partition " << p;
      EXPECT_GE(offset, least_[p]) << "partition " << p << " went back";
      least_[p] = std::max(least_[p], offset);
      Trace(5, offset);
    }
  }

  // --- After the faults --------------------------------------------------------------------------

  // Some clients have died for good, maybe with the coordinator; the others share all.
  void Heal() {
    if (random_.OneIn(2)) Crash();
    harness_.Hold(false);
    while (harness_.appends_waiting() > 0) harness_.Commit();
    for (Client& client : clients_) client.is_silent = random_.OneIn(3);
    clients_[random_.Below(kClients)].is_silent = false;
    for (int i = 0; i < 300; ++i) {
      harness_.Advance(500);
      for (Client& client : clients_) Live(client);
    }
    std::set<int32_t> owned;
    for (const Client& client : clients_) {
      if (client.is_silent) continue;
      EXPECT_EQ(client.mode, Mode::kOwning) << "client " << client.index;
      for (const int32_t p : client.owned) EXPECT_TRUE(owned.insert(p).second);
    }
    EXPECT_EQ(owned.size(), static_cast<size_t>(kPartitions)) << "a partition has no owner";
    CheckOffsets();
    EXPECT_TRUE(commits_.empty()) << "a commit was never answered";
    EXPECT_EQ(harness_.unanswered(), 0u);
  }

  void Live(Client& client) {
    Poll(client);
    if (client.is_silent || client.waiting.has_value()) return;
    if (client.mode == Mode::kOwning) {
      Heartbeat(client);
    } else if (client.mode == Mode::kSyncing) {
      Sync(client);
    } else {
      Join(client);
    }
    Poll(client);
  }

  SeededRandom random_;
  GroupHarness harness_;
  std::vector<Client> clients_;
  std::vector<PendingCommit> commits_;
  std::map<int32_t, std::map<int32_t, int>> owners_;               // generation, partition: client
  std::map<std::pair<int32_t, int>, std::set<int32_t>> assigned_;  // generation and client
  int32_t newest_generation_ = -1;  // that the present coordinator told anyone
  int64_t next_offset_ = 0;
  size_t acknowledged_ = 0;
  std::map<int32_t, int64_t> least_;  // that may be fetched of a partition
  std::map<int32_t, int64_t> in_log_;
  size_t read_ = 0;  // records of the log
  size_t trace_ = 0;
};

TEST(GroupSim, InvariantsHold) {
  int generations = 0;
  size_t commits = 0;
  for (uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    GroupSim sim(seed);
    sim.Run(1'500);
    generations += sim.generations();
    commits += sim.commits();
  }
  // The faults leave room for work, else nothing was shown.
  EXPECT_GT(generations, 150 * 10);
  EXPECT_GT(commits, 150u * 20u);
}

TEST(GroupSim, ASeedRepeats) {
  EXPECT_EQ(GroupSim(7).Run(500), GroupSim(7).Run(500));
  EXPECT_NE(GroupSim(7).Run(500), GroupSim(8).Run(500));
}

}  // namespace
}  // namespace weir::group
