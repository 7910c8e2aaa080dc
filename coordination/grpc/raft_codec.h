// -----------------------------------------------------------------------------
// File: coordination/grpc/raft_codec.h
// -----------------------------------------------------------------------------
// Messages of Raft replicas as those of raft.proto, and back.
// Threading: keeps no state. Errors: kInvalidArgument for what no replica would send.
// Limits: kMessageEntriesMax, kMessageBytesMax, kVotersMax.
#ifndef WEIR_COORDINATION_GRPC_RAFT_CODEC_H_
#define WEIR_COORDINATION_GRPC_RAFT_CODEC_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/grpc/raft.pb.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/types.h"

namespace weir::raft_internal {

inline void Put(const raft::ReplicaKey& key, raft::v1::Replica* to) {
  to->set_id(key.id.value());
  to->set_directory_id_high(key.directory_id.high);
  to->set_directory_id_low(key.directory_id.low);
}
inline raft::ReplicaKey Get(const raft::v1::Replica& from) {
  return {BrokerId(from.id()), Uuid{from.directory_id_high(), from.directory_id_low()}};
}

template <class List>
void PutVoters(const raft::VoterSet& voters, List* to) {
  for (const raft::ReplicaKey& voter : voters) Put(voter, to->Add());
}
template <class List>
raft::VoterSet GetVoters(const List& from) {
  std::vector<raft::ReplicaKey> voters;
  for (const raft::v1::Replica& voter : from) voters.push_back(Get(voter));
  return raft::VoterSet(std::move(voters));
}

inline void Put(const raft::SnapshotId& id, raft::v1::SnapshotId* to) {
  to->set_end_offset(id.end_offset.value());
  to->set_epoch(id.epoch.value());
}
inline raft::SnapshotId Get(const raft::v1::SnapshotId& from) {
  return {Offset(from.end_offset()), LeaderEpoch(from.epoch())};
}

inline void Put(const raft::Entry& entry, raft::v1::Entry* to) {
  to->set_base_offset(entry.base_offset.value());
  to->set_record_count(entry.record_count);
  to->set_epoch(entry.epoch.value());
  if (entry.kind == raft::EntryKind::kData) return to->set_data(*entry.data);
  raft::v1::Control* control =
      entry.kind == raft::EntryKind::kVoters ? to->mutable_voters() : to->mutable_leader_change();
  Put(entry.control->leader, control->mutable_leader());
  PutVoters(entry.control->voters, control->mutable_voters());
}
// Moves the data out of *from. An entry without kind has neither data nor control.
inline raft::Entry Get(raft::v1::Entry* from) {
  raft::Entry entry;
  entry.base_offset = Offset(from->base_offset());
  entry.record_count = from->record_count();
  entry.epoch = LeaderEpoch(from->epoch());
  if (from->has_data()) {
    entry.data = std::make_shared<const std::string>(std::move(*from->mutable_data()));
  } else if (from->has_voters() || from->has_leader_change()) {
    entry.kind = from->has_voters() ? raft::EntryKind::kVoters : raft::EntryKind::kLeaderChange;
    const raft::v1::Control& control = from->has_voters() ? from->voters() : from->leader_change();
    entry.control = std::make_shared<const raft::Control>(
        raft::Control{Get(control.leader()), GetVoters(control.voters())});
  }
  return entry;
}

// --- bodies ---------------------------------------------------------------------------------

inline void PutBody(const raft::VoteRequest& m, raft::v1::Message* to) {
  raft::v1::VoteRequest* const out = to->mutable_vote_request();
  out->set_pre_vote(m.pre_vote);
  out->set_by_transfer(m.by_transfer);
  out->set_last_epoch(m.last_epoch.value());
  out->set_end_offset(m.end_offset.value());
}
inline raft::MessageBody GetBody(const raft::v1::VoteRequest& m) {
  return raft::VoteRequest{m.pre_vote(), m.by_transfer(), LeaderEpoch(m.last_epoch()),
                           Offset(m.end_offset())};
}

inline void PutBody(const raft::VoteResponse& m, raft::v1::Message* to) {
  raft::v1::VoteResponse* const out = to->mutable_vote_response();
  out->set_pre_vote(m.pre_vote);
  out->set_granted(m.granted);
  out->set_asked_term(m.asked_term.value());
  Put(m.leader, out->mutable_leader());
}
inline raft::MessageBody GetBody(const raft::v1::VoteResponse& m) {
  return raft::VoteResponse{m.pre_vote(), m.granted(), LeaderEpoch(m.asked_term()),
                            Get(m.leader())};
}

inline void PutBody(const raft::AppendRequest& m, raft::v1::Message* to) {
  raft::v1::AppendRequest* const out = to->mutable_append_request();
  out->set_prev_offset(m.prev_offset.value());
  out->set_prev_epoch(m.prev_epoch.value());
  out->set_commit(m.commit.value());
  for (const raft::Entry& entry : m.entries) Put(entry, out->add_entries());
}
inline raft::MessageBody GetBody(raft::v1::AppendRequest* m) {
  raft::AppendRequest out{
      Offset(m->prev_offset()), LeaderEpoch(m->prev_epoch()), Offset(m->commit()), {}};
  out.entries.reserve(static_cast<size_t>(m->entries_size()));
  for (raft::v1::Entry& entry : *m->mutable_entries()) out.entries.push_back(Get(&entry));
  return out;
}

inline void PutBody(const raft::AppendResponse& m, raft::v1::Message* to) {
  raft::v1::AppendResponse* const out = to->mutable_append_response();
  out->set_accepted(m.accepted);
  out->set_prev_offset(m.prev_offset.value());
  out->set_end_offset(m.end_offset.value());
  out->set_epoch(m.epoch.value());
}
inline raft::MessageBody GetBody(const raft::v1::AppendResponse& m) {
  return raft::AppendResponse{m.accepted(), Offset(m.prev_offset()), Offset(m.end_offset()),
                              LeaderEpoch(m.epoch())};
}

inline void PutBody(const raft::Heartbeat& m, raft::v1::Message* to) {
  to->mutable_heartbeat()->set_round(m.round);
  to->mutable_heartbeat()->set_commit(m.commit.value());
}
inline raft::MessageBody GetBody(const raft::v1::Heartbeat& m) {
  return raft::Heartbeat{m.round(), Offset(m.commit())};
}

inline void PutBody(const raft::HeartbeatResponse& m, raft::v1::Message* to) {
  raft::v1::HeartbeatResponse* const out = to->mutable_heartbeat_response();
  out->set_round(m.round);
  out->set_matched(m.matched.value());
  out->set_durable(m.durable.value());
}
inline raft::MessageBody GetBody(const raft::v1::HeartbeatResponse& m) {
  return raft::HeartbeatResponse{m.round(), Offset(m.matched()), Offset(m.durable())};
}

inline void PutBody(const raft::SnapshotChunk& m, raft::v1::Message* to) {
  raft::v1::SnapshotChunk* const out = to->mutable_snapshot_chunk();
  Put(m.meta.id, out->mutable_id());
  PutVoters(m.meta.voters, out->mutable_voters());
  out->set_size_bytes(m.size_bytes);
  out->set_position(m.position);
  out->set_data(m.data);
}
inline raft::MessageBody GetBody(raft::v1::SnapshotChunk* m) {
  return raft::SnapshotChunk{{Get(m->id()), GetVoters(m->voters())},
                             m->size_bytes(),
                             m->position(),
                             std::move(*m->mutable_data())};
}

inline void PutBody(const raft::SnapshotResponse& m, raft::v1::Message* to) {
  raft::v1::SnapshotResponse* const out = to->mutable_snapshot_response();
  Put(m.id, out->mutable_id());
  out->set_position(m.position);
  out->set_installed(m.installed);
}
inline raft::MessageBody GetBody(const raft::v1::SnapshotResponse& m) {
  return raft::SnapshotResponse{Get(m.id()), m.position(), m.installed()};
}

inline void PutBody(const raft::TransferNow&, raft::v1::Message* to) { to->mutable_transfer_now(); }
inline void PutBody(const raft::FollowRequest&, raft::v1::Message* to) {
  to->mutable_follow_request();
}
inline void PutBody(const raft::FollowResponse& m, raft::v1::Message* to) {
  Put(m.leader, to->mutable_follow_response()->mutable_leader());
}

inline absl::StatusOr<raft::MessageBody> TakeBody(raft::v1::Message* from) {
  switch (from->body_case()) {
    case raft::v1::Message::kVoteRequest:
      return GetBody(from->vote_request());
    case raft::v1::Message::kVoteResponse:
      return GetBody(from->vote_response());
    case raft::v1::Message::kAppendRequest:
      return GetBody(from->mutable_append_request());
    case raft::v1::Message::kAppendResponse:
      return GetBody(from->append_response());
    case raft::v1::Message::kHeartbeat:
      return GetBody(from->heartbeat());
    case raft::v1::Message::kHeartbeatResponse:
      return GetBody(from->heartbeat_response());
    case raft::v1::Message::kSnapshotChunk:
      return GetBody(from->mutable_snapshot_chunk());
    case raft::v1::Message::kSnapshotResponse:
      return GetBody(from->snapshot_response());
    case raft::v1::Message::kTransferNow:
      return raft::MessageBody(raft::TransferNow());
    case raft::v1::Message::kFollowRequest:
      return raft::MessageBody(raft::FollowRequest());
    case raft::v1::Message::kFollowResponse:
      return raft::MessageBody(raft::FollowResponse{Get(from->follow_response().leader())});
    case raft::v1::Message::BODY_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("raft message: expected a body, came none that is known");
}

}  // namespace weir::raft_internal

namespace weir::raft {

inline void ToProto(const Message& message, v1::Message* to) {
  to->set_cluster_id(message.cluster_id);
  raft_internal::Put(message.from, to->mutable_from());
  raft_internal::Put(message.to, to->mutable_to());
  to->set_term(message.term.value());
  std::visit([to](const auto& body) { raft_internal::PutBody(body, to); }, message.body);
}

// Moves what is large out of *from.
inline absl::StatusOr<Message> FromProto(v1::Message* from) {
  if (!from->has_from() || !from->has_to()) {
    return absl::InvalidArgumentError("raft message: expected a sender and a receiver");
  }
  absl::StatusOr<MessageBody> body = raft_internal::TakeBody(from);
  if (!body.ok()) return body.status();
  Message message{std::move(*from->mutable_cluster_id()), raft_internal::Get(from->from()),
                  raft_internal::Get(from->to()), LeaderEpoch(from->term()), *std::move(body)};
  if (IsWellFormed(message)) return message;
  return absl::InvalidArgumentError(
      absl::StrCat("raft message: malformed body ", message.body.index(), " from replica ",
                   message.from.id.value(), " in term ", message.term.value()));
}

// How many bytes of memory a message takes, about.
inline size_t WeightOf(const Message& message) {
  size_t bytes = 256;
  if (const auto* append = std::get_if<AppendRequest>(&message.body)) {
    for (const Entry& entry : append->entries) bytes += entry.size_bytes();
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    bytes += chunk->data.size();
  }
  return bytes;
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_GRPC_RAFT_CODEC_H_
