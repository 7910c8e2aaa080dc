// -----------------------------------------------------------------------------
// File: coordination/raft/test_entries.h
// -----------------------------------------------------------------------------
// Entries and snapshots with real record batches in them, for tests and the simulator.
#ifndef WEIR_COORDINATION_RAFT_TEST_ENTRIES_H_
#define WEIR_COORDINATION_RAFT_TEST_ENTRIES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/types.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_batch_builder.h"

namespace weir::raft {

// A batch that takes `records` offsets; the first record has the value, the others are empty.
inline std::string TestBatch(absl::string_view value, int32_t records = 1,
                             Offset base_offset = Offset(0), LeaderEpoch epoch = kNoLeaderEpoch) {
  protocol::RecordBatchBuilder builder({.base_offset = base_offset, .leader_epoch = epoch});
  for (int32_t i = 0; i < records; ++i) {
    protocol::RecordToAppend record;
    record.timestamp = 1000;
    record.value = i == 0 ? value : absl::string_view();
    WEIR_CHECK(builder.Append(record).ok());
  }
  return builder.Build();
}
inline std::string TestBatchValue(absl::string_view batch) {
  const auto view = protocol::RecordBatchView::Parse(batch);
  WEIR_CHECK(view.ok());
  protocol::RecordIterator it(view->records(), view->record_count());
  protocol::Record record;
  WEIR_CHECK(it.Next(&record) && record.value.has_value());
  return std::string(*record.value);
}

inline Entry TestDataEntry(absl::string_view value, int32_t records, Offset base,
                           LeaderEpoch epoch) {
  Entry entry{base, records, epoch};
  entry.data = std::make_shared<const std::string>(TestBatch(value, records, base, epoch));
  return entry;
}
inline Entry TestControlEntry(EntryKind kind, const ReplicaKey& leader, VoterSet voters,
                              Offset base, LeaderEpoch epoch) {
  Entry entry{base, 1, epoch, kind};
  entry.control = std::make_shared<const Control>(Control{leader, std::move(voters)});
  return entry;
}

// A snapshot file with one value in it.
inline std::string TestSnapshot(const SnapshotMeta& meta, absl::string_view value) {
  return EncodeSnapshotHeader(meta, 0) + TestBatch(value, 1, Offset(3), meta.id.epoch) +
         EncodeSnapshotFooter(meta, Offset(4));
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_TEST_ENTRIES_H_
