// -----------------------------------------------------------------------------
// File: coordination/raft/memory_storage.h
// -----------------------------------------------------------------------------
// The storage port in memory, with faults, for tests, the simulator and who needs no disk. One
// object is one disk: it outlives the replicas that open it one after the other.
// Model: the vote, the log and the snapshot are files of their own. What a sync did not make
// durable is lost in a power loss from some write on, in each file from another one; of a write of
// many entries the first ones may survive (a torn tail). A killed process loses nothing.
// Threading: one thread. Errors: kDataLoss for writes that do not fit, and what FailWrites says.
#ifndef WEIR_COORDINATION_RAFT_MEMORY_STORAGE_H_
#define WEIR_COORDINATION_RAFT_MEMORY_STORAGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"

namespace weir::raft {

class MemoryStorage final : public Storage {
 public:
  // What is on the disk, or would be if it stopped now.
  struct Image {
    HardState hard_state;
    SnapshotMeta snapshot;
    std::string snapshot_bytes;
    Offset log_start;
    Offset log_end;
    std::deque<Entry> log;
    SnapshotMeta partial;
    std::string partial_bytes;
  };

  // The disk of a founder of a cluster with these voters; without one, of a replica that joins.
  static void Found(const VoterSet& voters, MemoryStorage* storage) {
    storage->written_.snapshot.voters = storage->durable_.snapshot.voters = voters;
  }

  // --- faults -------------------------------------------------------------------------------

  // With manual syncs, one completes when CompleteSync says so; otherwise at once.
  void set_manual_syncs(bool manual) { manual_ = manual; }
  bool sync_in_flight() const { return in_flight_; }
  void CompleteSync(absl::Status status = absl::OkStatus()) {
    WEIR_CHECK(in_flight_);
    in_flight_ = false;
    if (status.ok()) {
      for (File& file : files_) MakeDurable(file, file.synced);
    }
    synced_.emplace_back(token_, std::move(status));
  }
  // Until the next start.
  void FailWrites(absl::Status status) { write_error_ = std::move(status); }

  void PowerLoss(Random& random) {
    for (File& file : files_) {
      MakeDurable(file, random.Below(file.pending.size() + 1));
      file.pending.clear();
    }
    written_ = durable_;
    Restart();
  }
  // A power loss that takes everything that was not synced.
  void LoseAll() {
    for (File& file : files_) file.pending.clear();
    written_ = durable_;
    Restart();
  }
  // The kernel has all that was written, and loses it in a power loss before the next start.
  void Kill() { in_flight_ = false; }

  const Image& durable() const { return durable_; }
  const Image& written() const { return written_; }

  // A snapshot of the application's, durable when this returns. Ignored when there is a later one.
  void SaveSnapshot(SnapshotMeta meta, std::string bytes) {
    for (Image* image : {&written_, &durable_}) {
      if (image->snapshot.id.end_offset >= meta.id.end_offset) continue;
      image->snapshot = meta;
      image->snapshot_bytes = bytes;
    }
  }

  // What another storage was found to have is here too, written and durable.
  void Adopt(Image image) {
    written_ = durable_ = std::move(image);
    for (File& file : files_) file.pending.clear();
    Restart();
  }

  // --- Storage ------------------------------------------------------------------------------

  absl::StatusOr<Recovered> Load() override {
    // A start syncs what it finds.
    for (File& file : files_) MakeDurable(file, file.pending.size());
    Restart();
    Recovered found{
        written_.hard_state, written_.snapshot, written_.log_start, written_.log_end, {}, {}};
    for (const Entry& entry : written_.log) {
      if (found.epochs.empty() || found.epochs.back().epoch != entry.epoch) {
        found.epochs.push_back({entry.epoch, entry.base_offset});
      }
      if (entry.control != nullptr) {
        found.voters.push_back({entry.base_offset, entry.control->voters});
      }
    }
    return found;
  }

  absl::StatusOr<std::vector<Entry>> ReadEntries(Offset from, size_t bytes_max) override {
    const auto first = Find(written_, from);
    if (first == written_.log.end() || first->base_offset != from) {
      return absl::NotFoundError(absl::StrCat("raft: no entry begins at ", from.value()));
    }
    std::vector<Entry> entries;
    size_t bytes = 0;
    for (auto it = first; it != written_.log.end(); ++it) {
      bytes += it->size_bytes();
      if (!entries.empty() && bytes > bytes_max) break;
      entries.push_back(*it);
    }
    return entries;
  }

  absl::StatusOr<int64_t> SnapshotSize(const SnapshotId& id) override {
    if (id != written_.snapshot.id) return absl::NotFoundError("raft: the snapshot was replaced");
    return static_cast<int64_t>(written_.snapshot_bytes.size());
  }
  absl::StatusOr<std::string> ReadSnapshot(const SnapshotId& id, int64_t position,
                                           size_t bytes_max) override {
    WEIR_ASSIGN_OR_RETURN(const int64_t size, SnapshotSize(id));
    WEIR_CHECK(position >= 0 && position <= size);
    return written_.snapshot_bytes.substr(static_cast<size_t>(position), bytes_max);
  }

  absl::Status Write(const StorageWrite& write) override {
    if (!write_error_.ok()) return write_error_;
    WEIR_RETURN_IF_ERROR(Apply(write, &written_));
    if (const auto* append = std::get_if<AppendEntries>(&write)) {
      for (const Entry& entry : append->entries) {
        files_[kLog].pending.push_back(AppendEntries{{entry}});
      }
    } else if (std::holds_alternative<SaveHardState>(write)) {
      files_[kVote].pending.push_back(write);
    } else {
      const bool of_snapshot = std::holds_alternative<WriteSnapshot>(write);
      files_[of_snapshot ? kSnapshot : kLog].pending.push_back(write);
    }
    return absl::OkStatus();
  }

  void StartSync(uint64_t token) override {
    WEIR_CHECK(!in_flight_);
    in_flight_ = true;
    token_ = token;
    for (File& file : files_) file.synced = file.pending.size();
    if (!manual_) CompleteSync();
  }

  std::vector<std::pair<uint64_t, absl::Status>> TakeSynced() override {
    return std::exchange(synced_, {});
  }

 private:
  enum { kVote, kLog, kSnapshot, kFiles };
  struct File {
    std::deque<StorageWrite> pending;  // written and not durable
    size_t synced = 0;                 // of them, those that the sync in flight is for
  };

  static std::deque<Entry>::const_iterator Find(const Image& image, Offset from) {
    return std::lower_bound(image.log.begin(), image.log.end(), from,
                            [](const Entry& e, Offset at) { return e.base_offset < at; });
  }

  void MakeDurable(File& file, size_t count) {
    for (; count > 0; --count) {
      WEIR_CHECK(Apply(file.pending.front(), &durable_).ok());
      file.pending.pop_front();
    }
    file.synced = 0;
  }

  void Restart() {
    for (File& file : files_) file.synced = 0;
    in_flight_ = false;
    write_error_ = absl::OkStatus();
    synced_.clear();
    written_.partial = durable_.partial = SnapshotMeta();
    written_.partial_bytes.clear();
    durable_.partial_bytes.clear();
  }

  static absl::Status Apply(const StorageWrite& write, Image* image) {
    return std::visit([image](const auto& w) { return Apply(w, image); }, write);
  }
  static absl::Status Apply(const SaveHardState& write, Image* image) {
    image->hard_state = write.state;
    return absl::OkStatus();
  }
  static absl::Status Apply(const AppendEntries& write, Image* image) {
    for (const Entry& entry : write.entries) {
      if (entry.base_offset != image->log_end) {
        return absl::DataLossError(absl::StrCat("raft: the log ends at ", image->log_end.value(),
                                                ", came an entry for ", entry.base_offset.value()));
      }
      image->log.push_back(entry);
      image->log_end = entry.next_offset();
    }
    return absl::OkStatus();
  }
  static absl::Status Apply(const TruncateLog& write, Image* image) {
    while (!image->log.empty() && image->log.back().base_offset >= write.end) {
      image->log_end = image->log.back().base_offset;
      image->log.pop_back();
    }
    if (image->log_end == write.end) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("raft: no entry begins at ", write.end.value()));
  }
  static absl::Status Apply(const TrimLog& write, Image* image) {
    while (!image->log.empty() && image->log.front().base_offset < write.start) {
      image->log.pop_front();
    }
    image->log_start = write.start;
    return absl::OkStatus();
  }
  static absl::Status Apply(const ResetLog& write, Image* image) {
    image->log.clear();
    image->log_start = image->log_end = write.id.end_offset;
    return absl::OkStatus();
  }
  static absl::Status Apply(const WriteSnapshot& write, Image* image) {
    if (write.position == 0) {
      image->partial = write.meta;
      image->partial_bytes.clear();
    }
    if (image->partial != write.meta ||
        static_cast<int64_t>(image->partial_bytes.size()) != write.position) {
      return absl::DataLossError("raft: a piece of a snapshot that does not follow the last one");
    }
    image->partial_bytes += write.data;
    if (!write.last) return absl::OkStatus();
    if (image->snapshot.id.end_offset < write.meta.id.end_offset) {
      image->snapshot = write.meta;
      image->snapshot_bytes = std::move(image->partial_bytes);
    }
    image->partial_bytes.clear();
    return absl::OkStatus();
  }

  Image written_;
  Image durable_;
  File files_[kFiles];
  bool manual_ = false;
  bool in_flight_ = false;
  uint64_t token_ = 0;
  std::vector<std::pair<uint64_t, absl::Status>> synced_;
  absl::Status write_error_;
};

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_MEMORY_STORAGE_H_
