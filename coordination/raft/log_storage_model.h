// -----------------------------------------------------------------------------
// File: coordination/raft/log_storage_model.h
// -----------------------------------------------------------------------------
// A LogStorage on a disk with faults beside what the contract of coordination/raft/storage.h allows
// it to have after a crash: for the vote, the log and the snapshot, all states since the last one
// that a sync has made durable. For log/crash_sequences.h.
// Threading: one thread. Errors: gtest's failures.
#ifndef WEIR_COORDINATION_RAFT_LOG_STORAGE_MODEL_H_
#define WEIR_COORDINATION_RAFT_LOG_STORAGE_MODEL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/test_entries.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "log/memory_file.h"

namespace weir::raft {

class LogStorageModel {
 public:
  static constexpr int kStepsAfterCrash = 25;

  explicit LogStorageModel(uint64_t seed) : random_(seed), fs_(seed) { fs_.set_manual_syncs(true); }

  log::MemoryFileSystem& fs() { return fs_; }

  void Open(bool /*clean*/) {
    snapshots_ = {{{{}, Voters()}, ""}};
    const absl::Status founded = LogStorage::Found(fs_, kDirectory, Voters());
    if (!founded.ok()) return (void)AllowOnlyCrash(founded);
    Load();
  }

  bool Step() {
    switch (random_.Below(12)) {
      case 0:
        return SaveVote();
      case 1:
        return Truncate();
      case 2:
        return Trim();
      case 3:
        return TakeSnapshot();
      case 4:
        return Install();
      case 5:
      case 6:
      case 7:
        return Sync();
      default:
        return Append();
    }
  }

  // What is there now, without a crash.
  void Verify() { CheckLog(logs_.back(), LoadedLog()); }

  void Recover(bool power_loss) {
    storage_.reset();
    if (power_loss) {
      fs_.PowerLoss(random_);
    } else {
      fs_.KillProcess();
    }
    const absl::StatusOr<bool> has_state = LogStorage::HasState(fs_, kDirectory);
    ASSERT_TRUE(has_state.ok()) << has_state.status();
    if (!*has_state) {
      ASSERT_TRUE(logs_.empty()) << "nothing is left of a replica that had been founded";
      fs_.CrashAtBoundary(int64_t{1} << 40);
      return Open(false);
    }
    Load();
  }

 private:
  static constexpr char kDirectory[] = "__cluster_metadata-0";

  struct LogState {
    Offset start;
    Offset end;
    std::vector<Entry> entries;
  };
  struct Snapshot {
    SnapshotMeta meta;
    std::string bytes;  // unknown of the founding one
  };

  static ReplicaKey Key(int32_t id) { return {BrokerId(id), Uuid{7, uint64_t(id)}}; }
  static VoterSet Voters() { return VoterSet({Key(1), Key(2), Key(3)}); }

  static LeaderEpoch Next(LeaderEpoch epoch) { return LeaderEpoch(epoch.value() + 1); }

  bool AllowOnlyCrash(const absl::Status& status) {
    if (fs_.crashed()) return false;
    EXPECT_TRUE(status.ok()) << status;
    return status.ok();
  }

  // --- writes -------------------------------------------------------------------------------

  bool Write(const StorageWrite& write) { return AllowOnlyCrash(storage_->Write(write)); }

  bool SaveVote() {
    const LeaderEpoch term = random_.OneIn(2) ? votes_.back().term : Next(votes_.back().term);
    votes_.push_back({term, random_.OneIn(3) ? ReplicaKey() : Key(1)});
    return Write(SaveHardState{votes_.back()});
  }

  bool Append() {
    AppendEntries write;
    LogState log = logs_.back();
    for (uint64_t n = 1 + random_.Below(4); n > 0; --n) {
      write.entries.push_back(NextEntry(log));
      log.end = write.entries.back().next_offset();
      log.entries.push_back(write.entries.back());
      logs_.push_back(log);
    }
    return Write(write);
  }

  Entry NextEntry(const LogState& log) {
    if (random_.OneIn(5)) epoch_ = Next(epoch_);
    if (random_.OneIn(6)) {
      const bool leads = random_.OneIn(2);
      return TestControlEntry(leads ? EntryKind::kLeaderChange : EntryKind::kVoters, Key(9),
                              random_.OneIn(2) ? Voters() : Voters().With(Key(4)), log.end, epoch_);
    }
    return TestDataEntry(absl::StrCat("value ", ++values_, std::string(random_.Below(90), '.')),
                         1 + static_cast<int32_t>(random_.Below(3)), log.end, epoch_);
  }

  // Behind the snapshot. A crash may leave any part of it done.
  bool Truncate() {
    LogState log = logs_.back();
    const Offset floor = std::max(log.start, snapshots_.back().meta.id.end_offset);
    size_t keep = log.entries.size();
    while (keep > 0 && log.entries[keep - 1].base_offset >= floor && !random_.OneIn(4)) --keep;
    if (keep == log.entries.size()) return true;
    const Offset end = log.entries[keep].base_offset;
    while (log.entries.size() > keep) {
      log.end = log.entries.back().base_offset;
      log.entries.pop_back();
      logs_.push_back(log);
    }
    if (keep == 0) {  // the core starts again behind the snapshot
      logs_.push_back(LogState());
      logs_.push_back(log);
    }
    epoch_ = Next(epoch_);
    return Write(TruncateLog{end});
  }

  bool Trim() {
    LogState log = logs_.back();
    const Offset limit = snapshots_.back().meta.id.end_offset;
    while (!log.entries.empty() && log.entries.front().next_offset() <= limit &&
           !random_.OneIn(5)) {
      log.start = log.entries.front().next_offset();
      log.entries.erase(log.entries.begin());
    }
    if (log.start == logs_.back().start) return true;
    logs_.push_back(log);
    return Write(TrimLog{log.start});
  }

  bool TakeSnapshot() {
    const LogState& log = logs_.back();
    if (log.entries.empty()) return true;
    const Entry& last = log.entries[random_.Below(log.entries.size())];
    const SnapshotMeta meta{{last.next_offset(), last.epoch}, Voters()};
    if (meta.id.end_offset <= snapshots_.back().meta.id.end_offset) return true;
    const std::string batch = TestBatch(absl::StrCat("state ", meta.id.end_offset.value()));
    snapshots_.push_back({meta, ""});
    if (!AllowOnlyCrash(storage_->SaveSnapshot(meta, 0, {batch}))) return false;
    snapshots_.erase(snapshots_.begin(), snapshots_.end() - 1);
    return true;
  }

  // In pieces, then durable, then the log follows.
  bool Install() {
    const Offset end = logs_.back().end + static_cast<int64_t>(random_.Below(20)) - 6;
    if (end <= snapshots_.back().meta.id.end_offset) return true;
    epoch_ = Next(epoch_);
    const SnapshotMeta meta{{end, epoch_}, Voters()};
    const std::string bytes =
        TestSnapshot(meta, absl::StrCat("state ", end.value(), std::string(80, 's')));
    snapshots_.push_back({meta, bytes});
    for (size_t at = 0; at < bytes.size();) {
      const std::string piece = bytes.substr(at, 1 + random_.Below(bytes.size()));
      const bool last = at + piece.size() == bytes.size();
      if (!Write(WriteSnapshot{meta, static_cast<int64_t>(at), piece, last})) return false;
      if (random_.OneIn(8) && !last) {  // another leader begins again
        snapshots_.pop_back();
        return true;
      }
      at += piece.size();
    }
    if (!Sync()) return false;
    if (storage_->SnapshotSize(meta.id).value_or(-1) != static_cast<int64_t>(bytes.size())) {
      ADD_FAILURE() << "a snapshot that was installed is not there";
    }
    return Reset(meta.id);
  }

  bool Reset(const SnapshotId& id) {
    LogState log = logs_.back();
    while (!log.entries.empty()) {
      log.end = log.entries.back().base_offset;
      log.entries.pop_back();
      logs_.push_back(log);
    }
    logs_.push_back(LogState());
    logs_.push_back({id.end_offset, id.end_offset, {}});
    return Write(ResetLog{id});
  }

  // With writes while it is under way.
  bool Sync() {
    const auto done = [&](size_t votes, size_t logs, size_t snapshots) {
      votes_.erase(votes_.begin(), votes_.begin() + static_cast<std::ptrdiff_t>(votes));
      logs_.erase(logs_.begin(), logs_.begin() + static_cast<std::ptrdiff_t>(logs));
      snapshots_.erase(snapshots_.begin(),
                       snapshots_.begin() + static_cast<std::ptrdiff_t>(snapshots));
    };
    const size_t votes = votes_.size() - 1;
    const size_t logs = logs_.size() - 1;
    const size_t snapshots = snapshots_.size() - 1;
    storage_->StartSync(++token_);
    if (random_.OneIn(3) && !Append()) return false;
    if (random_.OneIn(6) && !SaveVote()) return false;
    if (random_.OneIn(6) && !Truncate()) return false;
    while (true) {
      const auto synced = storage_->TakeSynced();
      if (!synced.empty()) {
        EXPECT_EQ(synced.size(), 1u);
        EXPECT_EQ(synced[0].first, token_);
        if (!AllowOnlyCrash(synced[0].second)) return false;
        done(votes, logs, snapshots);
        return true;
      }
      if (!fs_.CompleteOneSync(random_)) return AllowOnlyCrash(absl::InternalError("no sync"));
    }
  }

  // --- reads --------------------------------------------------------------------------------

  void Load() {
    storage_ = std::make_unique<LogStorage>(
        fs_, kDirectory, LogStorageOptions{.segment_bytes = 600, .recovery_point_bytes = 900});
    const absl::StatusOr<Recovered> found = storage_->Load();
    if (!found.ok()) {
      storage_.reset();
      return (void)AllowOnlyCrash(found.status());
    }
    const LogState log = LoadedLog();
    if (votes_.empty()) votes_ = {HardState()};
    if (logs_.empty()) logs_ = {LogState()};
    EXPECT_NE(std::find(votes_.begin(), votes_.end(), found->hard_state), votes_.end())
        << "a vote that was not written, or one from before a sync";
    CheckSnapshot(found->snapshot);
    const bool allowed = std::any_of(logs_.begin(), logs_.end(),
                                     [&](const LogState& state) { return Matches(state, log); });
    EXPECT_TRUE(allowed) << "a log from " << log.start.value() << " to " << log.end.value()
                         << "; allowed ends from " << logs_.front().end.value() << " to "
                         << logs_.back().end.value();
    EXPECT_LE(log.start, found->snapshot.id.end_offset);
    CheckRecovered(*found, log);
    votes_ = {found->hard_state};
    logs_ = {log};
    // What the core does with a log that does not go with the snapshot.
    const SnapshotId id = found->snapshot.id;
    if (log.end < id.end_offset) (void)Reset(id);
  }

  LogState LoadedLog() {
    LogState log;
    log.start = log.end = storage_->log().log_start_offset();
    while (log.end < storage_->log().log_end_offset()) {
      const auto entries = storage_->ReadEntries(log.end, random_.Below(400));
      if (!entries.ok() || entries->empty()) {
        ADD_FAILURE() << "cannot read at " << log.end.value() << ": " << entries.status();
        return log;
      }
      log.entries.insert(log.entries.end(), entries->begin(), entries->end());
      log.end = log.entries.back().next_offset();
    }
    return log;
  }

  // What was trimmed may still be there, and a trim may come before the writes before it.
  bool Matches(const LogState& state, const LogState& found) const {
    if (found.end != state.end || found.start > logs_.back().start) return false;
    const Offset from = std::max(found.start, state.start);
    return From(found, from) == From(state, from);
  }
  static std::vector<Entry> From(const LogState& log, Offset from) {
    std::vector<Entry> entries;
    for (const Entry& entry : log.entries) {
      if (entry.base_offset >= from) entries.push_back(entry);
    }
    return entries;
  }
  void CheckLog(const LogState& state, const LogState& found) const {
    EXPECT_TRUE(Matches(state, found))
        << "the log ends at " << found.end.value() << ", expected " << state.end.value();
  }

  void CheckRecovered(const Recovered& found, const LogState& log) {
    EXPECT_EQ(found.log_start, log.start);
    EXPECT_EQ(found.log_end, log.end);
    size_t epoch = 0;
    size_t voters = 0;
    LeaderEpoch last = kNoLeaderEpoch;
    for (const Entry& entry : log.entries) {
      if (entry.epoch != last) {
        ASSERT_LT(epoch, found.epochs.size());
        EXPECT_EQ(found.epochs[epoch].start, entry.base_offset);
        EXPECT_EQ(found.epochs[epoch++].epoch, entry.epoch);
        last = entry.epoch;
      }
      if (entry.control == nullptr) continue;
      ASSERT_LT(voters, found.voters.size());
      EXPECT_EQ(found.voters[voters].base_offset, entry.base_offset);
      EXPECT_EQ(found.voters[voters++].voters, entry.control->voters);
    }
    EXPECT_EQ(epoch, found.epochs.size());
    EXPECT_EQ(voters, found.voters.size());
  }

  void CheckSnapshot(const SnapshotMeta& found) {
    const auto known = std::find_if(snapshots_.begin(), snapshots_.end(),
                                    [&](const Snapshot& s) { return s.meta == found; });
    ASSERT_NE(known, snapshots_.end()) << "a snapshot that was not written, or an old one";
    const absl::StatusOr<int64_t> size = storage_->SnapshotSize(found.id);
    ASSERT_TRUE(size.ok()) << size.status();
    if (!known->bytes.empty()) {
      EXPECT_EQ(storage_->ReadSnapshot(found.id, 0, 1 << 20).value(), known->bytes);
    }
    snapshots_ = {*known};
  }

  SeededRandom random_;
  log::MemoryFileSystem fs_;
  std::unique_ptr<LogStorage> storage_;
  std::vector<HardState> votes_;
  std::vector<LogState> logs_;
  std::vector<Snapshot> snapshots_;
  LeaderEpoch epoch_{1};
  uint64_t values_ = 0;
  uint64_t token_ = 0;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_LOG_STORAGE_MODEL_H_
