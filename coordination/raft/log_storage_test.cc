#include "coordination/raft/log_storage.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/raft/entry_batch.h"
#include "coordination/raft/quorum_state.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/test_entries.h"
#include "coordination/raft/types.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"

namespace weir::raft {
namespace {

constexpr char kFolder[] = "data/__cluster_metadata-0";

ReplicaKey Key(int32_t id) { return {BrokerId(id), Uuid{5, static_cast<uint64_t>(id)}}; }
VoterSet Voters() { return VoterSet({Key(1), Key(2), Key(3)}); }

void Put(log::FileSystem& fs, const std::string& name, absl::string_view content) {
  ASSERT_TRUE(fs.CreateDirectories(kFolder).ok());
  auto file = fs.Open(absl::StrCat(kFolder, "/", name), log::OpenMode::kCreate);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Truncate(0).ok());
  ASSERT_TRUE((*file)->Append({content}).ok());
}

absl::Status WriteAndSync(LogStorage& storage, const std::vector<StorageWrite>& writes) {
  for (const StorageWrite& write : writes) {
    if (absl::Status status = storage.Write(write); !status.ok()) return status;
  }
  storage.StartSync(7);
  const auto synced = storage.TakeSynced();
  if (synced.size() != 1 || synced[0].first != 7) return absl::InternalError("no completion");
  return synced[0].second;
}

void ExpectRefused(log::FileSystem& fs, absl::string_view what, absl::string_view where) {
  LogStorage storage(fs, kFolder);
  const absl::StatusOr<Recovered> found = storage.Load();
  EXPECT_TRUE(absl::IsDataLoss(found.status())) << found.status();
  EXPECT_TRUE(absl::StrContains(found.status().message(), what)) << found.status();
  EXPECT_TRUE(absl::StrContains(found.status().message(), where)) << found.status();
}

// --- quorum-state -------------------------------------------------------------------------------

TEST(QuorumState, IsAsKafkaWritesIt) {
  // FileQuorumStateStore of Apache Kafka writes the fields of QuorumStateData.json in this order.
  const HardState state{LeaderEpoch(5), {BrokerId(2), Uuid{1, 2}}};
  EXPECT_EQ(EncodeQuorumState(state),
            "{\"leaderId\":-1,\"leaderEpoch\":5,\"votedId\":2,\"votedDirectoryId\":"
            "\"AAAAAAAAAAEAAAAAAAAAAg\",\"data_version\":1}");
  EXPECT_EQ(EncodeQuorumState({}),
            "{\"leaderId\":-1,\"leaderEpoch\":0,\"votedId\":-1,\"votedDirectoryId\":"
            "\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}");
  EXPECT_EQ(ParseQuorumState(EncodeQuorumState(state)).value(), state);
  EXPECT_EQ(ParseQuorumState(EncodeQuorumState({})).value(), HardState());
}

TEST(QuorumState, ReadsKafkasOlderVersion) {
  const auto voted = ParseQuorumState(
      "{\"clusterId\":\"\",\"leaderId\":-1,\"leaderEpoch\":3,\"votedId\":1,\"appliedOffset\":0,"
      "\"currentVoters\":[{\"voterId\":1},{\"voterId\":2}],\"data_version\":0}\n");
  ASSERT_TRUE(voted.ok()) << voted.status();
  EXPECT_EQ(*voted, (HardState{LeaderEpoch(3), {BrokerId(1), Uuid()}}));
  // Who follows a leader votes for no other in its term.
  const auto follows = ParseQuorumState(
      "{\"leaderId\":2,\"leaderEpoch\":4,\"votedId\":-1,\"currentVoters\":[],\"data_version\":0}");
  ASSERT_TRUE(follows.ok()) << follows.status();
  EXPECT_EQ(*follows, (HardState{LeaderEpoch(4), {BrokerId(2), Uuid()}}));
}

TEST(QuorumState, RefusesWhatIsNoState) {
  const std::string good = EncodeQuorumState({LeaderEpoch(5), Key(2)});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(ParseQuorumState(good.substr(0, size)).status())) << size;
  }
  for (const char* text :
       {"[]", "{\"leaderEpoch\":5}", "{\"data_version\":2}", "{} {}", "{\"a\":1,\"a\":1}",
        "{\"leaderId\":-1,\"leaderEpoch\":-1,\"votedId\":-1,\"data_version\":1}",
        "{\"leaderId\":-1,\"leaderEpoch\":99999999999,\"votedId\":-1,\"data_version\":1}",
        "{\"leaderId\":-1,\"leaderEpoch\":1,\"votedId\":1,\"votedDirectoryId\":\"x\","
        "\"data_version\":1}",
        "{\"leaderId\":-1,\"leaderEpoch\":1,\"votedId\":1,\"data_version\":1}",
        "{\"leaderId\":true,\"leaderEpoch\":1,\"votedId\":-1,\"data_version\":1}"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseQuorumState(text).status())) << text;
  }
}

// --- entries ------------------------------------------------------------------------------------

TEST(EntryBatch, BringsEveryKindBack) {
  const Entry entries[] = {
      TestDataEntry("value", 3, Offset(7), LeaderEpoch(2)),
      TestControlEntry(EntryKind::kLeaderChange, Key(2), Voters(), Offset(8), LeaderEpoch(3)),
      // Of a leader that was removed and does not know yet.
      TestControlEntry(EntryKind::kLeaderChange, Key(9), Voters(), Offset(8), LeaderEpoch(3)),
      TestControlEntry(EntryKind::kVoters, Key(9), Voters().Without(Key(1)), Offset(8),
                       LeaderEpoch(3)),
      TestControlEntry(EntryKind::kVoters, Key(9), VoterSet(), Offset(8), LeaderEpoch(3))};
  for (const Entry& entry : entries) {
    const std::string bytes = entry.data != nullptr ? *entry.data : EncodeControlEntry(entry);
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    ASSERT_TRUE(batch.ok());
    EXPECT_TRUE(batch->CrcIsValid());
    EXPECT_EQ(batch->is_control(), entry.data == nullptr);
    const auto decoded = DecodeEntry(*batch);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, entry);
  }
}

TEST(EntryBatch, LeaderChangesAreOfVersion0WithTheDirectoriesInTags) {
  const Entry entry =
      TestControlEntry(EntryKind::kLeaderChange, Key(2), Voters(), Offset(0), LeaderEpoch(1));
  const auto value_of = [](const std::string& bytes) {
    const auto batch = protocol::RecordBatchView::Parse(bytes);
    protocol::RecordIterator it(batch->records(), batch->record_count());
    protocol::Record record;
    EXPECT_TRUE(it.Next(&record));
    return std::string(*record.value);
  };
  const std::string value = value_of(EncodeControlEntry(entry));
  // As LeaderChangeMessage.json of Apache Kafka has version 0: leader 2, voters 1, 2, 3, granted by
  // 2. Behind that, two tagged fields, 10000 of 20 bytes and 10001 of 48.
  const std::string fields("\0\0\0\0\0\2\4\0\0\0\1\0\0\0\0\2\0\0\0\0\3\0\2\0\0\0\2\0", 28);
  EXPECT_EQ(value.substr(0, 28), fields);
  EXPECT_EQ(value.substr(28, 4), "\x02\x90\x4e\x14");
  EXPECT_EQ(value.substr(52, 3), "\x91\x4e\x30");
  EXPECT_EQ(value.size(), 55u + 48);

  // Kafka's own, without them; and with one directory too few.
  const auto kafkas = raft_internal::LeaderChangeOf(fields + std::string(1, '\0'));
  ASSERT_TRUE(kafkas.ok()) << kafkas.status();
  EXPECT_EQ(kafkas->leader, (ReplicaKey{BrokerId(2), Uuid()}));
  EXPECT_EQ(kafkas->voters.size(), 3u);
  const std::string tag("\x01\x91\x4e\x20", 4);
  EXPECT_TRUE(absl::IsDataLoss(
      raft_internal::LeaderChangeOf(fields + tag + std::string(32, 'd')).status()));
}

TEST(EntryBatch, RefusesDataThatIsNoBatchOfItsOffsets) {
  Entry entry = TestDataEntry("value", 3, Offset(0), LeaderEpoch(1));
  EXPECT_TRUE(CheckDataEntry(entry).ok());
  const std::string good = *entry.data;
  const auto refused = [&](std::string bytes) {
    entry.data = std::make_shared<const std::string>(std::move(bytes));
    return absl::IsDataLoss(CheckDataEntry(entry));
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("free text"));
  EXPECT_TRUE(refused(good + good));
  EXPECT_TRUE(refused(good.substr(0, good.size() - 1)));
  EXPECT_TRUE(refused(TestBatch("value", 2)));
  std::string damaged = good;
  damaged.back() ^= 1;
  EXPECT_TRUE(refused(damaged));
}

// --- the storage --------------------------------------------------------------------------------

TEST(LogStorage, StartsWithNothingOrAsAFounder) {
  log::MemoryFileSystem fs;
  EXPECT_FALSE(LogStorage::HasState(fs, kFolder).value());
  {
    LogStorage joins(fs, "other");
    const auto found = joins.Load();
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->hard_state, HardState());
    EXPECT_EQ(found->snapshot, SnapshotMeta());
    EXPECT_EQ(joins.SnapshotSize({}).value(), 0);
  }
  ASSERT_TRUE(LogStorage::Found(fs, kFolder, Voters()).ok());
  EXPECT_TRUE(LogStorage::HasState(fs, kFolder).value());
  EXPECT_TRUE(fs.Exists(absl::StrCat(kFolder, "/00000000000000000000-0000000000.checkpoint")));
  LogStorage founds(fs, kFolder);
  const auto found = founds.Load();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->snapshot, (SnapshotMeta{{}, Voters()}));
  EXPECT_GT(founds.SnapshotSize({}).value(), 0);
}

TEST(LogStorage, KeepsVoteLogAndSnapshot) {
  log::MemoryFileSystem fs;
  const std::vector<Entry> entries = {
      TestControlEntry(EntryKind::kLeaderChange, Key(1), Voters(), Offset(0), LeaderEpoch(1)),
      TestDataEntry("a", 3, Offset(1), LeaderEpoch(1)),
      TestControlEntry(EntryKind::kVoters, Key(1), Voters().With(Key(4)), Offset(4),
                       LeaderEpoch(1)),
      TestDataEntry("b", 1, Offset(5), LeaderEpoch(2))};
  {
    LogStorage storage(fs, kFolder);
    ASSERT_TRUE(storage.Load().ok());
    ASSERT_TRUE(
        WriteAndSync(storage, {SaveHardState{{LeaderEpoch(2), Key(3)}}, AppendEntries{entries}})
            .ok());
    ASSERT_TRUE(
        storage.SaveSnapshot({{Offset(4), LeaderEpoch(1)}, Voters()}, 0, {TestBatch("state")})
            .ok());
  }
  LogStorage storage(fs, kFolder);
  const auto found = storage.Load();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->hard_state, (HardState{LeaderEpoch(2), Key(3)}));
  EXPECT_EQ(found->snapshot, (SnapshotMeta{{Offset(4), LeaderEpoch(1)}, Voters()}));
  EXPECT_EQ(found->log_end, Offset(6));
  ASSERT_EQ(found->epochs.size(), 2u);
  EXPECT_EQ(found->epochs[1].start, Offset(5));
  ASSERT_EQ(found->voters.size(), 2u);
  EXPECT_EQ(found->voters[1].voters, Voters().With(Key(4)));
  EXPECT_EQ(storage.ReadEntries(Offset(0), 1 << 20).value(), entries);
  EXPECT_EQ(storage.ReadEntries(Offset(1), 1).value().size(), 1u);
  EXPECT_TRUE(absl::IsNotFound(storage.ReadEntries(Offset(2), 100).status()));
  EXPECT_TRUE(absl::IsNotFound(storage.ReadEntries(Offset(6), 100).status()));
  EXPECT_TRUE(absl::IsNotFound(storage.ReadEntries(Offset(9), 100).status()));
  std::vector<std::string> values;
  const auto contents = VisitSnapshotFile(fs, storage.PathOf(found->snapshot.id),
                                          [&](const protocol::RecordBatchView& batch) {
                                            values.push_back(TestBatchValue(batch.bytes()));
                                            return absl::OkStatus();
                                          });
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_EQ(values, std::vector<std::string>{"state"});
}

TEST(LogStorage, SyncsInTheBackground) {
  log::MemoryFileSystem fs;
  LogStorage storage(fs, kFolder);
  ASSERT_TRUE(storage.Load().ok());
  fs.set_manual_syncs(true);
  ASSERT_TRUE(storage.Write(SaveHardState{{LeaderEpoch(1), Key(1)}}).ok());
  ASSERT_TRUE(
      storage.Write(AppendEntries{{TestDataEntry("a", 1, Offset(0), LeaderEpoch(1))}}).ok());
  storage.StartSync(3);
  EXPECT_EQ(fs.syncs_in_flight(), 2u);
  EXPECT_TRUE(storage.TakeSynced().empty());
  EXPECT_FALSE(fs.Exists(absl::StrCat(kFolder, "/quorum-state")));
  SeededRandom random(1);
  ASSERT_TRUE(fs.CompleteOneSync(random));
  EXPECT_TRUE(storage.TakeSynced().empty());
  ASSERT_TRUE(fs.CompleteOneSync(random));
  EXPECT_EQ(storage.TakeSynced().size(), 1u);
  EXPECT_TRUE(fs.Exists(absl::StrCat(kFolder, "/quorum-state")));
}

TEST(LogStorage, FailsForGood) {
  for (const log::FileOp op : {log::FileOp::kAppend, log::FileOp::kSync}) {
    log::MemoryFileSystem fs;
    LogStorage storage(fs, kFolder);
    ASSERT_TRUE(storage.Load().ok());
    fs.InjectFault({.op = op, .path_contains = ".log", .times = 1});
    const AppendEntries write{{TestDataEntry("a", 1, Offset(0), LeaderEpoch(1))}};
    EXPECT_FALSE(WriteAndSync(storage, {write}).ok());
    EXPECT_FALSE(WriteAndSync(storage, {SaveHardState{{LeaderEpoch(2), Key(1)}}}).ok());
  }
}

TEST(LogStorage, RefusesWritesThatDoNotFit) {
  const Entry first = TestDataEntry("a", 2, Offset(0), LeaderEpoch(1));
  const SnapshotMeta meta{{Offset(9), LeaderEpoch(1)}, Voters()};
  const SnapshotMeta other{{Offset(9), LeaderEpoch(1)}, VoterSet({Key(1)})};
  Entry text = first;
  text.data = std::make_shared<const std::string>("free text");
  const std::string good = TestSnapshot(meta, "state");
  const StorageWrite bad[] = {
      AppendEntries{{TestDataEntry("b", 1, Offset(3), LeaderEpoch(1))}},
      AppendEntries{{text}},
      TruncateLog{Offset(5)},
      WriteSnapshot{meta, 3, "x", false},
      WriteSnapshot{meta, 0, good.substr(0, good.size() - 1), true},
      WriteSnapshot{meta, 0, "free text", true},
      WriteSnapshot{other, 0, good, true},
  };
  for (const StorageWrite& write : bad) {
    log::MemoryFileSystem fs;
    LogStorage storage(fs, kFolder);
    ASSERT_TRUE(storage.Load().ok());
    EXPECT_FALSE(storage.Write(write).ok()) << write.index();
  }
  log::MemoryFileSystem fs;
  LogStorage storage(fs, kFolder);
  ASSERT_TRUE(storage.Load().ok());
  ASSERT_TRUE(storage.Write(AppendEntries{{first}}).ok());
  EXPECT_TRUE(absl::IsDataLoss(storage.Write(TruncateLog{Offset(1)})));
}

TEST(LogStorage, RefusesHostileFilesByName) {
  {
    log::MemoryFileSystem fs;
    Put(fs, "quorum-state", "{\"leaderId\":");
    ExpectRefused(fs, "quorum-state", "at byte 12");
  }
  {
    log::MemoryFileSystem fs;
    Put(fs, "quorum-state", std::string(kQuorumStateBytesMax + 1, ' '));
    ExpectRefused(fs, "quorum-state", "expected at most");
  }
  const SnapshotMeta meta{{Offset(9), LeaderEpoch(1)}, Voters()};
  const std::string snapshot = TestSnapshot(meta, "state");
  const std::string name = SnapshotFileName(meta.id);
  for (const size_t at : {size_t{0}, size_t{10}, size_t{16}, size_t{70}, snapshot.size() - 2}) {
    log::MemoryFileSystem fs;
    std::string damaged = snapshot;
    damaged[at] ^= 0x20;
    Put(fs, name, damaged);
    if (at == 0) continue;  // a base offset, which no CRC covers
    ExpectRefused(fs, name, "at byte");
  }
  log::MemoryFileSystem fs;
  Put(fs, name, snapshot.substr(0, snapshot.size() - 70));
  ExpectRefused(fs, name, "at byte");
}

TEST(LogStorage, RefusesADamagedLogThatWasDurable) {
  for (const bool control : {false, true}) {
    log::MemoryFileSystem fs;
    {
      LogStorage storage(fs, kFolder, {.recovery_point_bytes = 1});
      ASSERT_TRUE(storage.Load().ok());
      const std::vector<Entry> entries = {TestDataEntry("a", 1, Offset(0), LeaderEpoch(1)),
                                          TestDataEntry("b", 1, Offset(1), LeaderEpoch(1))};
      ASSERT_TRUE(WriteAndSync(storage, {AppendEntries{entries}}).ok());
    }
    const std::string path = absl::StrCat(kFolder, "/00000000000000000000.log");
    if (control) {
      // A control batch that says nothing known, with a CRC that fits.
      std::string bytes = fs.Content(path);
      StoreBig16(&bytes[21], 0x20);
      protocol::SealCrc(bytes.data());
      Put(fs, "00000000000000000000.log", bytes);
      ExpectRefused(fs, kFolder, "batch at offset 0");
    } else {
      fs.Corrupt(path, 65);
      ExpectRefused(fs, path, "below the recovery point");
    }
  }
}

TEST(SnapshotFile, NamesAreKafkas) {
  const SnapshotId id{Offset(1234), LeaderEpoch(56)};
  EXPECT_EQ(SnapshotFileName(id), "00000000000000001234-0000000056.checkpoint");
  EXPECT_EQ(SnapshotIdOfFileName(SnapshotFileName(id)), id);
  for (const char* name :
       {"", "bootstrap.checkpoint", "00000000000000001234-0000000056.checkpoint.part",
        "00000000000000001234-0000000056.checkpoin", "0-0.checkpoint",
        "-0000000000000001234-0000000056.checkpoint",
        "00000000000000001234-9999999999.checkpoint"}) {
    EXPECT_EQ(SnapshotIdOfFileName(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace weir::raft
