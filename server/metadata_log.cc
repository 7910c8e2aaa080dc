#include "server/metadata_log.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "coordination/metadata/apply.h"
#include "coordination/metadata/metadata_batch.h"
#include "coordination/metadata/snapshot.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/snapshot_file.h"
#include "protocol/record_batch.h"

namespace weir::server {
namespace {

constexpr size_t kApplyBytes = size_t{1} << 20;
// What must be left on the disk before the controller appends anything: a log that cannot be
// written ends the node, while a request that is refused can come again.
constexpr int64_t kReserveBytes = 64 << 10;
// And before a vote is given or entries of a leader are taken, of which some are not a request's.
constexpr int64_t kVoteBytes = 16 << 10;
constexpr int64_t kRoomPauseMs = 1'000;  // between looks for room

// What taking the message may write at once, in its log or among its snapshots.
int64_t BytesOf(const raft::MessageBody& body) {
  int64_t bytes = 0;
  if (const auto* append = std::get_if<raft::AppendRequest>(&body)) {
    for (const raft::Entry& entry : append->entries) {
      bytes += static_cast<int64_t>(entry.size_bytes());
    }
  } else if (const auto* chunk = std::get_if<raft::SnapshotChunk>(&body)) {
    bytes = static_cast<int64_t>(chunk->data.size());
  }
  return bytes;
}

raft::LogStorageOptions StorageOptionsOf(const MetadataLog::Options& options) {
  raft::LogStorageOptions out;
  out.self = options.raft.self;
  out.is_alone = options.is_alone;
  out.first_sync_token = MetadataLog::kFirstSyncToken;
  return out;
}

}  // namespace

MetadataLog::MetadataLog(Options options, log::FileSystem& files, EventLoop& loop, Random& random,
                         raft::Transport& transport, Observer& observer)
    : options_(std::move(options)),
      loop_(loop),
      random_(random),
      transport_(transport),
      observer_(observer),
      files_(files),
      storage_(files_, options_.directory, StorageOptionsOf(options_)) {}

MetadataLog::~MetadataLog() { loop_.timers().Cancel(timer_); }

absl::Status MetadataLog::Open() {
  WEIR_ASSIGN_OR_RETURN(node_, raft::Node::Open(options_.raft, storage_, transport_, random_,
                                                loop_.clock().Monotonic()));
  WEIR_RETURN_IF_ERROR(LoadSnapshot(raft().snapshot().id));
  loop_.Defer([this] { dirty_ = true; });  // the first tick does not wait
  return absl::OkStatus();
}

absl::Status MetadataLog::Close() {
  loop_.timers().Cancel(timer_);
  dirty_ = false;
  return storage_.Close();
}

// --- what others ask for ------------------------------------------------------------------------

absl::Status MetadataLog::Append(metadata::AppendRecords append) {
  WEIR_ASSIGN_OR_RETURN(std::string batch,
                        metadata::EncodeMetadataBatch(append.records, append.base_offset,
                                                      append.epoch, loop_.clock().WallMs()));
  const auto bytes = static_cast<int64_t>(batch.size());
  WEIR_RETURN_IF_ERROR(CheckRoom(bytes + kReserveBytes));
  unwritten_bytes_ += bytes;
  const auto count = static_cast<int32_t>(append.records.size());
  proposed_.push_back(
      {next_token_, append.token, append.base_offset + count, bytes, std::move(append.image)});
  Post(raft::Propose{next_token_++, std::make_shared<const std::string>(std::move(batch)), count,
                     append.epoch, append.base_offset});
  return absl::OkStatus();
}

void MetadataLog::AddVoter(const raft::ReplicaKey& voter, Done done) {
  changes_.emplace(next_token_, std::move(done));
  voter_changes_.push_back(raft::AddVoter{next_token_++, voter});
  dirty_ = true;
}

void MetadataLog::RemoveVoter(const raft::ReplicaKey& voter, Done done) {
  changes_.emplace(next_token_, std::move(done));
  voter_changes_.push_back(raft::RemoveVoter{next_token_++, voter});
  dirty_ = true;
}

bool MetadataLog::Deliver(raft::Message message) {
  if (messages_waiting_.fetch_add(1, std::memory_order_relaxed) >= kMessagesWaitingMax) {
    messages_waiting_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  loop_.Post([this, message = std::move(message)]() mutable {
    messages_waiting_.fetch_sub(1, std::memory_order_relaxed);
    Take(std::move(message));
  });
  return true;
}

// What there is no room for counts as lost on the way: entries, and terms that are to be kept.
void MetadataLog::Take(raft::Message message) {
  const int64_t bytes = BytesOf(message.body);
  const bool is_vote =
      message.term > raft().term() || std::holds_alternative<raft::VoteRequest>(message.body);
  if ((bytes > 0 || is_vote) && !FindsRoom(bytes + kVoteBytes)) return;
  unwritten_bytes_ += bytes;
  Post(raft::Receive{std::move(message)});
}

absl::Status MetadataLog::CheckRoom(int64_t bytes) {
  WEIR_ASSIGN_OR_RETURN(const int64_t room, files_.FreeBytes(options_.directory));
  if (room >= bytes + unwritten_bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(options_.directory, ": expected room for ",
                                                   bytes, " bytes, reserve included, there is ",
                                                   room));
}

bool MetadataLog::FindsRoom(int64_t bytes) {
  const absl::Status room = CheckRoom(bytes);
  if (room.ok()) {
    if (bytes > kVoteBytes && std::exchange(has_no_room_, false)) observer_.OnRoomAgain();
    return true;
  }
  if (!absl::IsResourceExhausted(room)) return true;  // the write will tell
  if (!std::exchange(has_no_room_, true)) observer_.OnNoRoom(room);
  return false;
}

// While there is no room for a vote, no time passes in which this replica would ask for votes.
MonotonicNs MetadataLog::RaftTime() {
  const MonotonicNs now = loop_.clock().Monotonic();
  const MonotonicNs due = node_->NextDeadline();
  stands_still_ = now >= due && raft().role() != raft::Role::kLeader && !FindsRoom(kVoteBytes);
  return stands_still_ ? due - 1 : now;
}

bool MetadataLog::OnSyncDone(const log::SyncDone& sync) {
  if (sync.token < kFirstSyncToken) return false;
  files_.Deliver(sync);
  dirty_ = true;
  return true;
}

// --- the node -----------------------------------------------------------------------------------

void MetadataLog::Post(raft::Event event) {
  node_->Post(std::move(event));
  dirty_ = true;
}

void MetadataLog::Run() {
  raft::Effects effects;
  while (std::exchange(dirty_, false)) {
    effects.clear();
    for (raft::Event& change : std::exchange(voter_changes_, {})) node_->Post(std::move(change));
    node_->Run(RaftTime(), &effects);
    unwritten_bytes_ = 0;
    for (const raft::Effect& effect : effects) On(effect);
  }
  if (!raft().failed().ok()) Fail(raft().failed());
  ArmTimer();
}

void MetadataLog::ArmTimer() {
  const MonotonicNs due =
      stands_still_ ? loop_.clock().Monotonic() + kRoomPauseMs * kNsPerMs : node_->NextDeadline();
  if (timer_ != TimerId() && due == timer_due_) return;
  loop_.timers().Cancel(std::exchange(timer_, TimerId()));
  if (due == MonotonicNs(std::numeric_limits<int64_t>::max())) return;
  timer_due_ = due;
  timer_ = loop_.timers().Schedule(due, [this] {
    timer_ = TimerId();
    dirty_ = true;
  });
}

void MetadataLog::On(const raft::Effect& effect) {
  if (failed_) {
    if (std::holds_alternative<raft::LeadershipLost>(effect)) observer_.OnLost();
    return;
  }
  if (const auto* committed = std::get_if<raft::Committed>(&effect)) {
    OnCommitted(committed->end);
  } else if (const auto* done = std::get_if<raft::Done>(&effect)) {
    OnDone(*done);
  } else if (const auto* known = std::get_if<raft::LeaderKnown>(&effect)) {
    observer_.OnLeader(known->term, known->leader.id);
  } else if (const auto* gained = std::get_if<raft::LeadershipGained>(&effect)) {
    observer_.OnGained(gained->epoch, gained->next_offset);
  } else if (std::holds_alternative<raft::LeadershipLost>(effect)) {
    proposed_.clear();  // the log tells what became of them
    observer_.OnLost();
  } else if (const auto* installed = std::get_if<raft::SnapshotInstalled>(&effect)) {
    OnSnapshot(installed->meta);
  }
}

void MetadataLog::OnCommitted(Offset end) {
  metadata::MetadataImagePtr own;
  while (!proposed_.empty() && proposed_.front().end <= end) {
    own = std::move(proposed_.front().image);
    bytes_since_snapshot_ += proposed_.front().bytes;
    proposed_.pop_front();
  }
  if (own != nullptr) {
    image_ = std::move(own);
    applied_end_ = end;
  } else if (const absl::Status applied = ApplyCommitted(end); !applied.ok()) {
    return Fail(applied);
  }
  if (IsSnapshotDue()) {
    if (const absl::Status taken = TakeSnapshot(); !taken.ok()) return Fail(taken);
  }
  observer_.OnCommitted(end);
}

// Not within a metadata transaction, whose records count only when it ends.
bool MetadataLog::IsSnapshotDue() const {
  if (bytes_since_snapshot_ == 0 || image_->transaction.has_value()) return false;
  if (bytes_since_snapshot_ >= options_.snapshot_bytes) return true;
  return options_.snapshot_interval_ms > 0 &&
         loop_.clock().Monotonic() - snapshot_taken_ >= options_.snapshot_interval_ms * kNsPerMs;
}

// The log keeps what came since the snapshot before this one, for those that are a little behind.
absl::Status MetadataLog::TakeSnapshot() {
  const std::optional<raft::SnapshotMeta> meta = raft().MetaAt(applied_end_);
  if (!meta.has_value()) return absl::OkStatus();  // the log was replaced by a snapshot meanwhile
  const Offset before = raft().snapshot().id.end_offset;
  std::vector<std::string> batches;
  const TimestampMs now = loop_.clock().WallMs();
  WEIR_RETURN_IF_ERROR(
      metadata::WriteSnapshot(*image_, {.now_ms = now}, [&batches](std::string batch) {
        batches.push_back(std::move(batch));
        return absl::OkStatus();
      }));
  bytes_since_snapshot_ = 0;
  snapshot_taken_ = loop_.clock().Monotonic();
  const absl::Status saved = storage_.SaveSnapshot(*meta, now, batches);
  if (absl::IsResourceExhausted(saved)) {  // the log still has everything
    observer_.OnSnapshotRefused(saved);
    return absl::OkStatus();
  }
  WEIR_RETURN_IF_ERROR(saved);
  Post(raft::SnapshotTaken{*meta, before});
  return absl::OkStatus();
}

void MetadataLog::OnSnapshot(const raft::SnapshotMeta& meta) {
  const absl::Status loaded = LoadSnapshot(meta.id);
  if (!loaded.ok()) return Fail(loaded);
  observer_.OnCommitted(applied_end_);
}

void MetadataLog::OnDone(const raft::Done& done) {
  if (auto change = changes_.extract(done.token); !change.empty()) {
    return change.mapped()(done.status);
  }
  // Of an append that an end of the leadership overtook, the log tells what became of it.
  if (done.status.ok() || absl::IsAborted(done.status)) return;
  const auto failed = std::find_if(proposed_.begin(), proposed_.end(),
                                   [&](const Proposed& p) { return p.token == done.token; });
  if (failed == proposed_.end()) return;
  const metadata::AppendToken append = failed->append;
  proposed_.erase(failed, proposed_.end());
  observer_.OnAppendFailed(append, done.status);
}

absl::Status MetadataLog::ApplyCommitted(Offset end) {
  while (applied_end_ < end) {
    WEIR_ASSIGN_OR_RETURN(const std::vector<raft::Entry> entries,
                          raft().ReadCommitted(applied_end_, kApplyBytes));
    for (const raft::Entry& entry : entries) {
      applied_end_ = entry.next_offset();
      if (entry.kind != raft::EntryKind::kData) continue;
      bytes_since_snapshot_ += static_cast<int64_t>(entry.data->size());
      WEIR_ASSIGN_OR_RETURN(const protocol::RecordBatchView view,
                            protocol::RecordBatchView::Parse(*entry.data));
      WEIR_ASSIGN_OR_RETURN(const metadata::MetadataBatch batch,
                            metadata::DecodeMetadataBatch(view));
      WEIR_ASSIGN_OR_RETURN(
          image_, metadata::Apply(*image_, batch.records, entry.base_offset, entry.epoch));
    }
  }
  return absl::OkStatus();
}

// The state that the snapshot stands for. That at offset 0 is the one before all records: who made
// it by Kafka's tools finds what it says in the log again.
absl::Status MetadataLog::LoadSnapshot(const raft::SnapshotId& id) {
  image_ = metadata::EmptyImage();
  applied_end_ = id.end_offset;
  bytes_since_snapshot_ = 0;
  snapshot_taken_ = loop_.clock().Monotonic();
  if (id.end_offset == Offset(0)) return absl::OkStatus();
  metadata::SnapshotReader reader;
  WEIR_RETURN_IF_ERROR(raft::VisitSnapshotFile(files_, storage_.PathOf(id),
                                               [&reader](const protocol::RecordBatchView& batch) {
                                                 return reader.Add(batch);
                                               })
                           .status());
  WEIR_ASSIGN_OR_RETURN(image_, std::move(reader).Finish(id.end_offset, id.epoch));
  return absl::OkStatus();
}

void MetadataLog::Fail(const absl::Status& status) {
  if (std::exchange(failed_, true)) return;
  proposed_.clear();
  observer_.OnFailed(status);
}

}  // namespace weir::server
