// -----------------------------------------------------------------------------
// File: bench/controller_rig.h
// -----------------------------------------------------------------------------
// The controller with its log, in a quorum of one, on this thread: what server/controller_driver.h
// and server/metadata_log.h do with it, without the rest of a node. Time stands still, so that no
// session ends. Ten brokers are registered that are nothing but records.
// Threading: one thread; that of the syncer only wakes it. Errors: whatever fails ends the program.
#ifndef WEIR_BENCH_CONTROLLER_RIG_H_
#define WEIR_BENCH_CONTROLLER_RIG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/controller.h"
#include "coordination/metadata/controller_types.h"
#include "coordination/metadata/image.h"
#include "coordination/metadata/metadata_batch.h"
#include "coordination/metadata/records.h"
#include "coordination/metadata/snapshot.h"
#include "coordination/raft/events.h"
#include "coordination/raft/log_storage.h"
#include "coordination/raft/memory_storage.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/node.h"
#include "coordination/raft/snapshot_file.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "protocol/api/create_topics.h"
#include "protocol/error_code.h"
#include "protocol/record_batch.h"

namespace weir::bench {

inline constexpr int32_t kControllerBrokers = 10;
inline constexpr TimestampMs kControllerTime = 1000;

inline raft::ReplicaKey LoneReplica() { return {BrokerId(0), Uuid{0, 1}}; }
inline raft::VoterSet LoneVoter() { return raft::VoterSet({LoneReplica()}); }

// Nothing is written anywhere.
class MemoryDisk {
 public:
  MemoryDisk() { raft::MemoryStorage::Found(LoneVoter(), &storage_); }
  raft::MemoryStorage& storage() { return storage_; }
  void WaitForSync() { WEIR_CHECK(false); }  // what is written is durable at once

 private:
  raft::MemoryStorage storage_;
};

// The log of Kafka's format in a folder, each write followed by fdatasync on another thread.
class LogDisk {
 public:
  explicit LogDisk(const std::string& folder) {
    const bool is_new = !files_.Exists(folder);
    if (is_new) WEIR_CHECK(raft::LogStorage::Found(files_, folder, LoneVoter()).ok());
    storage_ = std::make_unique<raft::LogStorage>(files_, folder);
  }
  ~LogDisk() { WEIR_CHECK(storage_->Close().ok()); }
  raft::LogStorage& storage() { return *storage_; }
  void WaitForSync() { done_.acquire(); }

 private:
  std::counting_semaphore<> done_{0};
  log::ThreadSyncer syncer_{1, [this] { done_.release(); }};
  log::PosixFileSystem files_{&syncer_};
  std::unique_ptr<raft::LogStorage> storage_;
};

template <class Disk>
class ControllerRig : private raft::Transport {
 public:
  using Batch = std::shared_ptr<const std::string>;

  // Until the controller is active, with everything that the disk has in its image. `disk` outlives
  // the rig.
  explicit ControllerRig(Disk& disk) : disk_(disk) {
    raft::RaftConfig config;
    config.cluster_id = "bench";
    config.self = LoneReplica();
    auto node = raft::Node::Open(config, disk_.storage(), *this, random_, MonotonicNs(0));
    WEIR_CHECK(node.ok());
    node_ = *std::move(node);
    LoadSnapshot();
    now_ = node_->NextDeadline();
    Until([this] { return controller_.is_active(); });
  }

  void RegisterBrokers() {
    for (int32_t id = 1; id <= kControllerBrokers; ++id) {
      metadata::RegisterBroker event;
      event.registration.broker_id = id;
      event.registration.incarnation_id = {1, static_cast<uint64_t>(id)};
      event.registration.end_points = {
          {"PLAINTEXT", absl::StrCat("broker-", id, ".example"), 9092, 0, {}}};
      event.registration.log_dirs = {{0xd12ec7, static_cast<uint64_t>(id)}};
      Give(std::move(event));
      Settle();
      metadata::BrokerHeartbeat heartbeat;
      heartbeat.broker = BrokerId(id);
      heartbeat.broker_epoch = image().FindBroker(BrokerId(id))->epoch;
      heartbeat.metadata_offset = controller_.next_offset() - 1;
      Give(heartbeat);
      Settle();
      WEIR_CHECK(!image().FindBroker(BrokerId(id))->fenced);
    }
  }

  // Answered by the end of Settle.
  void Give(metadata::ControllerEvent event) {
    ++asked_;
    Step(std::move(event));
  }
  void Settle() {
    Until([this] { return answered_ == asked_; });
  }

  // Of what is committed; the log keeps nothing before it.
  void TakeSnapshot() {
    const auto meta = node_->raft().MetaAt(applied_end_);
    WEIR_CHECK(meta.has_value());
    std::vector<std::string> batches;
    const absl::Status written =
        WriteSnapshot(image(), {.now_ms = kControllerTime}, [&](std::string batch) {
          batches.push_back(std::move(batch));
          return absl::OkStatus();
        });
    WEIR_CHECK(written.ok());
    WEIR_CHECK(disk_.storage().SaveSnapshot(*meta, kControllerTime, batches).ok());
    node_->Post(raft::SnapshotTaken{*meta, meta->id.end_offset});
    Until([&] { return node_->raft().snapshot().id == meta->id; });
  }

  const metadata::MetadataImage& image() const { return *image_; }
  const metadata::MetadataImagePtr& image_ptr() const { return image_; }
  // What was appended since the last call, in order.
  std::vector<Batch> TakeAppended() { return std::exchange(appended_, {}); }

 private:
  struct Proposed {
    Offset end;
    metadata::MetadataImagePtr image;
  };

  void Send(raft::Message) override {}

  template <class Condition>
  void Until(Condition reached) {
    while (true) {
      do {
        dirty_ = false;
        Run();
      } while (dirty_);
      if (reached()) return;
      disk_.WaitForSync();
    }
  }

  void Run() {
    raft::Effects effects;
    node_->Run(now_, &effects);
    WEIR_CHECK(node_->raft().failed().ok());
    for (const raft::Effect& effect : effects) {
      if (const auto* committed = std::get_if<raft::Committed>(&effect)) {
        OnCommitted(committed->end);
      } else if (const auto* gained = std::get_if<raft::LeadershipGained>(&effect)) {
        Step(metadata::LeadershipGained{gained->epoch, gained->next_offset, image_});
      } else if (const auto* done = std::get_if<raft::Done>(&effect)) {
        WEIR_CHECK(done->status.ok());
      }
    }
  }

  void Step(metadata::ControllerEvent event) {
    metadata::ControllerEffects effects;
    controller_.Step(now_, std::move(event), &effects);
    for (metadata::AppendRecords& append : effects.appends) {
      auto encoded = metadata::EncodeMetadataBatch(append.records, append.base_offset, append.epoch,
                                                   kControllerTime);
      WEIR_CHECK(encoded.ok());
      appended_.push_back(std::make_shared<const std::string>(*std::move(encoded)));
      const auto count = static_cast<int32_t>(append.records.size());
      proposed_.push_back({append.base_offset + count, std::move(append.image)});
      node_->Post(
          raft::Propose{++token_, appended_.back(), count, append.epoch, append.base_offset});
      dirty_ = true;
    }
    for (const metadata::Respond& respond : effects.responses) {
      std::visit([this](const auto& response) { Check(response); }, respond.response);
      ++answered_;
    }
  }

  template <class Response>
  void Check(const Response& response) {
    if constexpr (requires { response.error; }) {
      WEIR_CHECK(response.error == protocol::ErrorCode::kNone);
    }
  }
  void Check(const metadata::PartitionsAltered& response) {
    for (const auto& result : response.results) {
      WEIR_CHECK(result.error == protocol::ErrorCode::kNone);
    }
  }
  void Check(const protocol::CreateTopicsResponse& response) {
    for (const auto& topic : response.topics) WEIR_CHECK(topic.error_code == 0);
  }

  void OnCommitted(Offset end) {
    if (proposed_.empty()) ApplyCommitted(end);
    for (; !proposed_.empty() && proposed_.front().end <= end; proposed_.pop_front()) {
      image_ = std::move(proposed_.front().image);
    }
    applied_end_ = end;
    if (!controller_.is_active()) return;
    Step(metadata::Committed{std::min(end, controller_.next_offset()) - 1});
  }

  void ApplyCommitted(Offset end) {
    while (applied_end_ < end) {
      const auto entries = node_->raft().ReadCommitted(applied_end_, size_t{1} << 20);
      WEIR_CHECK(entries.ok());
      for (const raft::Entry& entry : *entries) {
        applied_end_ = entry.next_offset();
        if (entry.kind != raft::EntryKind::kData) continue;
        const auto view = protocol::RecordBatchView::Parse(*entry.data);
        WEIR_CHECK(view.ok());
        const auto batch = metadata::DecodeMetadataBatch(*view);
        WEIR_CHECK(batch.ok());
        auto next = metadata::Apply(*image_, batch->records, entry.base_offset, entry.epoch);
        WEIR_CHECK(next.ok());
        image_ = *std::move(next);
      }
    }
  }

  void LoadSnapshot() {
    const raft::SnapshotId id = node_->raft().snapshot().id;
    applied_end_ = id.end_offset;
    if (id.end_offset == Offset(0)) return;
    if constexpr (requires { disk_.storage().PathOf(id); }) {
      log::PosixFileSystem files;
      metadata::SnapshotReader reader;
      const auto visited = raft::VisitSnapshotFile(
          files, disk_.storage().PathOf(id), [&](const auto& batch) { return reader.Add(batch); });
      WEIR_CHECK(visited.ok());
      auto image = std::move(reader).Finish(id.end_offset, id.epoch);
      WEIR_CHECK(image.ok());
      image_ = *std::move(image);
    }
  }

  Disk& disk_;
  SeededRandom random_{1};
  metadata::Controller controller_{metadata::ControllerConfig(), random_};
  std::unique_ptr<raft::Node> node_;
  MonotonicNs now_;
  metadata::MetadataImagePtr image_ = metadata::EmptyImage();
  Offset applied_end_;
  std::deque<Proposed> proposed_;  // ascending
  std::vector<Batch> appended_;
  uint64_t token_ = 0;
  size_t asked_ = 0;
  size_t answered_ = 0;
  bool dirty_ = false;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_CONTROLLER_RIG_H_
