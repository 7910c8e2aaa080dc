// -----------------------------------------------------------------------------
// File: coordination/raft/describe.h
// -----------------------------------------------------------------------------
// Messages and effects as one line of text each, for traces.
#ifndef WEIR_COORDINATION_RAFT_DESCRIBE_H_
#define WEIR_COORDINATION_RAFT_DESCRIBE_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordination/raft/events.h"
#include "coordination/raft/messages.h"
#include "coordination/raft/storage.h"
#include "coordination/raft/types.h"

namespace weir::raft {

inline std::string Describe(const ReplicaKey& key) { return key.ToString(); }

inline std::string Describe(const VoterSet& voters) {
  std::vector<std::string> names;
  for (const ReplicaKey& voter : voters) names.push_back(voter.ToString());
  return absl::StrCat("{", absl::StrJoin(names, " "), "}");
}

inline std::string Describe(const SnapshotId& id) {
  return absl::StrCat(id.end_offset.value(), "@", id.epoch.value());
}

// Offsets and epoch: "4-6@2" is an entry that takes the offsets 4 and 5.
inline std::string Describe(const Entry& entry) {
  const std::string at = absl::StrCat(entry.base_offset.value(), "-", entry.next_offset().value(),
                                      "@", entry.epoch.value());
  switch (entry.kind) {
    case EntryKind::kData:
      return absl::StrCat(at, " ", entry.data->substr(0, 16));
    case EntryKind::kLeaderChange:
      return absl::StrCat(at, " leader ", entry.control->leader.ToString());
    case EntryKind::kVoters:
      return absl::StrCat(at, " voters ", Describe(entry.control->voters));
  }
  return at;
}
inline std::string Describe(const std::vector<Entry>& entries) {
  return absl::StrCat("[",
                      absl::StrJoin(entries, ", ",
                                    [](std::string* out, const Entry& entry) {
                                      absl::StrAppend(out, Describe(entry));
                                    }),
                      "]");
}

namespace describe_internal {

inline std::string Body(const VoteRequest& m) {
  return absl::StrCat(m.pre_vote ? "PreVote?" : "Vote?", m.by_transfer ? " by transfer" : "",
                      " log ", m.end_offset.value(), "@", m.last_epoch.value());
}
inline std::string Body(const VoteResponse& m) {
  return absl::StrCat(m.pre_vote ? "PreVote" : "Vote", m.granted ? " granted" : " refused",
                      " for term ", m.asked_term.value());
}
inline std::string Body(const AppendRequest& m) {
  return absl::StrCat("Append behind ", m.prev_offset.value(), "@", m.prev_epoch.value(),
                      " commit ", m.commit.value(), " ", Describe(m.entries));
}
inline std::string Body(const AppendResponse& m) {
  return m.accepted ? absl::StrCat("Appended to ", m.end_offset.value())
                    : absl::StrCat("Diverges at ", m.prev_offset.value(), ", epoch ",
                                   m.epoch.value(), " ends at ", m.end_offset.value());
}
inline std::string Body(const Heartbeat& m) {
  return absl::StrCat("Heartbeat ", m.round, " commit ", m.commit.value());
}
inline std::string Body(const HeartbeatResponse& m) {
  return absl::StrCat("Alive ", m.round, " matched ", m.matched.value(), " durable ",
                      m.durable.value());
}
inline std::string Body(const SnapshotChunk& m) {
  return absl::StrCat("Snapshot ", Describe(m.meta.id), " bytes ", m.position, " to ",
                      m.position + static_cast<int64_t>(m.data.size()), " of ", m.size_bytes);
}
inline std::string Body(const SnapshotResponse& m) {
  return absl::StrCat("Snapshot ", Describe(m.id),
                      m.installed ? " installed" : absl::StrCat(" has ", m.position));
}
inline std::string Body(const TransferNow&) { return "TransferNow"; }
inline std::string Body(const FollowRequest&) { return "Follow?"; }
inline std::string Body(const FollowResponse& m) {
  return absl::StrCat("Follow ", m.leader.ToString());
}

inline std::string Write(const SaveHardState& w) {
  return absl::StrCat("term ", w.state.term.value(), " vote ", w.state.vote.ToString());
}
inline std::string Write(const AppendEntries& w) { return Describe(w.entries); }
inline std::string Write(const TruncateLog& w) {
  return absl::StrCat("truncate to ", w.end.value());
}
inline std::string Write(const TrimLog& w) { return absl::StrCat("trim to ", w.start.value()); }
inline std::string Write(const ResetLog& w) { return absl::StrCat("reset to ", Describe(w.id)); }
inline std::string Write(const WriteSnapshot& w) {
  return absl::StrCat("snapshot ", Describe(w.meta.id), " at ", w.position, w.last ? ", last" : "");
}

}  // namespace describe_internal

inline std::string Describe(const Message& message) {
  return absl::StrCat(
      message.from.ToString(), "->", message.to.ToString(), " term ", message.term.value(), " ",
      std::visit([](const auto& body) { return describe_internal::Body(body); }, message.body));
}

inline std::string Describe(const Persist& e) {
  return absl::StrCat(
      "persist ", e.token, ": ",
      std::visit([](const auto& w) { return describe_internal::Write(w); }, e.write));
}
inline std::string Describe(const Send& e) { return absl::StrCat("send ", Describe(e.message)); }
inline std::string Describe(const Committed& e) {
  return absl::StrCat("committed to ", e.end.value());
}
inline std::string Describe(const LeaderKnown& e) {
  return absl::StrCat("term ", e.term.value(), " leader ", e.leader.ToString());
}
inline std::string Describe(const LeadershipGained& e) {
  return absl::StrCat("leads epoch ", e.epoch.value(), " from ", e.next_offset.value());
}
inline std::string Describe(const LeadershipLost& e) {
  return absl::StrCat("leads epoch ", e.epoch.value(), " no more");
}
inline std::string Describe(const SnapshotInstalled& e) {
  return absl::StrCat("installed snapshot ", Describe(e.meta.id), " voters ",
                      Describe(e.meta.voters));
}
inline std::string Describe(const Done& e) {
  return absl::StrCat(
      "done ", e.token, ": ",
      e.status.ok() ? absl::StrCat("ok ", e.offset.value()) : std::string(e.status.message()));
}
inline std::string Describe(const Effect& effect) {
  return std::visit([](const auto& e) { return Describe(e); }, effect);
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_DESCRIBE_H_
