// Writes FOLDER/__cluster_metadata-0 as a Raft replica does: metadata in several segments, control
// records of each kind, a vote, a snapshot.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/metadata/metadata_batch.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/snapshot.h"
#include "coordination/metadata/test_image.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/test_entries.h"
#include "coordination/raft/types.h"
#include "log/posix_file.h"

int main(int argc, char** argv) {
  using namespace weir;
  WEIR_CHECK(argc == 2);
  const std::string folder = absl::StrCat(argv[1], "/__cluster_metadata-0");
  const raft::ReplicaKey self{BrokerId(1), Uuid{0, 1}};
  const raft::VoterSet voters({self}), more({self, {BrokerId(2), Uuid{0, 2}}});
  log::PosixFileSystem files;
  WEIR_CHECK(raft::LogStorage::Found(files, folder, voters).ok());
  raft::LogStorage storage(files, folder, {.segment_bytes = 20'000});
  WEIR_CHECK(storage.Load().ok());
  Offset end;
  const auto append = [&](raft::Entry entry) {
    end = entry.next_offset();
    WEIR_CHECK(storage.Write(raft::AppendEntries{{std::move(entry)}}).ok());
  };
  const LeaderEpoch first(1), second(2);
  append(raft::TestControlEntry(raft::EntryKind::kLeaderChange, self, voters, end, first));
  for (uint64_t n = 0; n < 200; ++n) {
    const metadata::TopicRecord topic{absl::StrCat(std::string(200, 't'), n), Uuid{1, n}};
    auto batch = std::make_shared<const std::string>(
        metadata::EncodeMetadataBatch({topic}, end, first, TimestampMs(1000)).value());
    append({end, 1, first, raft::EntryKind::kData, std::move(batch)});
  }
  append(raft::TestControlEntry(raft::EntryKind::kVoters, self, more, end, first));
  // Of another state than the log's: one that has something of everything.
  std::vector<std::string> batches;
  const auto keep = [&](std::string batch) {
    batches.push_back(std::move(batch));
    return absl::OkStatus();
  };
  WEIR_CHECK(
      WriteSnapshot(*metadata::TestImage(), {.now_ms = 1000, .batch_records_max = 10}, keep).ok());
  WEIR_CHECK(storage.SaveSnapshot({{end, first}, more}, TimestampMs(1000), batches).ok());
  append(raft::TestControlEntry(raft::EntryKind::kLeaderChange, self, more, end, second));
  WEIR_CHECK(storage.Write(raft::SaveHardState{{second, self}}).ok());
  storage.StartSync(1);
  WEIR_CHECK(storage.TakeSynced().at(0).second.ok());
}
