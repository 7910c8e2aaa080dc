// -----------------------------------------------------------------------------
// File: tests/sim/raft_disk.h
// -----------------------------------------------------------------------------
// The disk of one simulated replica: a MemoryStorage, or a LogStorage on files in memory with such
// a storage beside it that tells the oracle what is written and what is durable. Entries and
// snapshots are plain texts for the replica, and record batches in the files.
// Threading: one thread.
#ifndef WEIR_TESTS_SIM_RAFT_DISK_H_
#define WEIR_TESTS_SIM_RAFT_DISK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/test_entries.h"
#include "coordination/raft/types.h"
#include "log/memory_file.h"
#include "protocol/record_batch.h"

namespace weir::sim {

class RaftDisk final : public raft::Storage {
 public:
  RaftDisk(bool on_files, uint64_t seed) : on_files_(on_files), files_(seed) {
    model_.set_manual_syncs(true);
  }

  // What the oracle may look at.
  const raft::MemoryStorage& model() const { return model_; }
  const raft::MemoryStorage::Image& written() const { return model_.written(); }
  const raft::MemoryStorage::Image& durable() const { return model_.durable(); }

  void Found(const raft::VoterSet& voters) {
    raft::MemoryStorage::Found(voters, &model_);
    if (on_files_) WEIR_CHECK(raft::LogStorage::Found(files_, kDirectory, voters).ok());
  }

  bool sync_in_flight() const { return model_.sync_in_flight(); }
  void CompleteSync(absl::Status status) {
    if (on_files_ && status.ok()) {
      const auto synced = log_->TakeSynced();
      WEIR_CHECK(synced.size() == 1);
      status = synced[0].second;
    }
    model_.CompleteSync(std::move(status));
  }

  void FailWrites(absl::Status status) { model_.FailWrites(std::move(status)); }

  void PowerLoss(Random& random) {
    if (!on_files_) return model_.PowerLoss(random);
    log_.reset();
    files_.PowerLoss(random);
    Reopen();
  }
  void Kill() {
    if (!on_files_) return model_.Kill();
    log_.reset();
    files_.KillProcess();
    Reopen();
  }

  void SaveSnapshot(const raft::SnapshotMeta& meta, const std::string& text) {
    if (!on_files_) return model_.SaveSnapshot(meta, text);
    model_.SaveSnapshot(meta, raft::TestSnapshot(meta, text));
    WEIR_CHECK(log_->SaveSnapshot(meta, 0, {raft::TestBatch(text)}).ok());
  }
  std::string SnapshotText() const {
    const absl::string_view bytes = model_.written().snapshot_bytes;
    if (!on_files_) return std::string(bytes);
    const auto header = protocol::RecordBatchView::Parse(bytes);
    WEIR_CHECK(header.ok());
    return raft::TestBatchValue(bytes.substr(header->bytes().size()));
  }

  // --- Storage ------------------------------------------------------------------------------

  absl::StatusOr<raft::Recovered> Load() override {
    if (!on_files_) return model_.Load();
    if (!recovered_.has_value()) Reopen();
    return *std::exchange(recovered_, std::nullopt);
  }
  absl::StatusOr<std::vector<raft::Entry>> ReadEntries(Offset from, size_t bytes_max) override {
    if (!on_files_) return model_.ReadEntries(from, bytes_max);
    WEIR_ASSIGN_OR_RETURN(std::vector<raft::Entry> entries, log_->ReadEntries(from, bytes_max));
    for (raft::Entry& entry : entries) {
      if (entry.data == nullptr) continue;
      entry.data = std::make_shared<const std::string>(raft::TestBatchValue(*entry.data));
    }
    return entries;
  }
  absl::StatusOr<int64_t> SnapshotSize(const raft::SnapshotId& id) override {
    return Real().SnapshotSize(id);
  }
  absl::StatusOr<std::string> ReadSnapshot(const raft::SnapshotId& id, int64_t position,
                                           size_t bytes_max) override {
    return Real().ReadSnapshot(id, position, bytes_max);
  }

  absl::Status Write(const raft::StorageWrite& write) override {
    WEIR_RETURN_IF_ERROR(model_.Write(write));
    if (!on_files_) return absl::OkStatus();
    const auto* append = std::get_if<raft::AppendEntries>(&write);
    if (append == nullptr) return log_->Write(write);
    raft::AppendEntries batches = *append;
    for (raft::Entry& entry : batches.entries) {
      if (entry.data == nullptr) continue;
      entry = raft::TestDataEntry(*entry.data, entry.record_count, entry.base_offset, entry.epoch);
    }
    return log_->Write(batches);
  }
  void StartSync(uint64_t token) override {
    model_.StartSync(token);
    if (on_files_) log_->StartSync(token);
  }
  std::vector<std::pair<uint64_t, absl::Status>> TakeSynced() override {
    return model_.TakeSynced();
  }

 private:
  static constexpr char kDirectory[] = "__cluster_metadata-0";

  raft::Storage& Real() {
    if (on_files_) return *log_;
    return model_;
  }

  // What the files have now is what the oracle is to see.
  void Reopen() {
    log_ = std::make_unique<raft::LogStorage>(
        files_, kDirectory,
        raft::LogStorageOptions{.segment_bytes = 2000, .recovery_point_bytes = 3000});
    recovered_ = log_->Load();
    if (!recovered_->ok()) return;
    const raft::Recovered& found = **recovered_;
    raft::MemoryStorage::Image image{
        found.hard_state, found.snapshot, "", found.log_start, found.log_end, {}, {}, ""};
    const absl::StatusOr<int64_t> size = log_->SnapshotSize(found.snapshot.id);
    WEIR_CHECK(size.ok());
    image.snapshot_bytes =
        log_->ReadSnapshot(found.snapshot.id, 0, static_cast<size_t>(*size)).value();
    for (Offset at = found.log_start; at < found.log_end;) {
      std::vector<raft::Entry> entries = ReadEntries(at, size_t{1} << 20).value();
      for (raft::Entry& entry : entries) {
        at = entry.next_offset();
        image.log.push_back(std::move(entry));
      }
    }
    model_.Adopt(std::move(image));
  }

  const bool on_files_;
  log::MemoryFileSystem files_;
  raft::MemoryStorage model_;
  std::unique_ptr<raft::LogStorage> log_;
  std::optional<absl::StatusOr<raft::Recovered>> recovered_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_RAFT_DISK_H_
