// -----------------------------------------------------------------------------
// File: coordination/group/internal/offset_requests.h
// -----------------------------------------------------------------------------
// OffsetCommit, OffsetFetch and OffsetDelete, and what takes offsets away by itself: their expiry
// (KIP-211) and the deletion of topics.
// An offset expires when its retention has passed since the group became empty, or since the commit
// in a stable consumer group that no longer subscribes to the topic and in a group that only stores
// offsets.
#ifndef WEIR_COORDINATION_GROUP_INTERNAL_OFFSET_REQUESTS_H_
#define WEIR_COORDINATION_GROUP_INTERNAL_OFFSET_REQUESTS_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordination/group/classic_group.h"
#include "coordination/group/events.h"
#include "coordination/group/internal/membership.h"
#include "coordination/group/internal/removal.h"
#include "coordination/group/internal/shard.h"
#include "coordination/group/offset_store.h"
#include "coordination/group/partition_for.h"
#include "coordination/group/records.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/error_code.h"

namespace weir::group::group_internal {

// The answer to `request` when nothing of it is done, for one reason.
inline protocol::OffsetCommitResponse CommitRefused(const protocol::OffsetCommitRequest& request,
                                                    ErrorCode error) {
  protocol::OffsetCommitResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    for (const auto& p : topic.partitions)
      out.partitions.push_back({p.partition_index, Code(error)});
  }
  return response;
}

class OffsetRequests {
 public:
  explicit OffsetRequests(Shard& shard) : shard_(shard), removal_(shard) {}

  void Commit(Request<protocol::OffsetCommitRequest> request) {
    const std::string group_id = request.body.group_id;
    const ErrorCode error = CheckCommit(request);
    if (error != ErrorCode::kNone) {
      return shard_.Answer(request.token, CommitRefused(request.body, error));
    }
    Group& group = shard_.groups[group_id];
    KeepSessionAlive(group_id, group, request.body.member_id);
    protocol::OffsetCommitResponse response = CommitRefused(request.body, ErrorCode::kNone);
    std::vector<Record> records;
    std::vector<Change> changes;
    for (size_t t = 0; t < request.body.topics.size(); ++t) {
      const auto& topic = request.body.topics[t];
      for (size_t p = 0; p < topic.partitions.size(); ++p) {
        const auto& partition = topic.partitions[p];
        const ErrorCode refusal = CheckOffset(group, topic.name, partition);
        response.topics[t].partitions[p].error_code = Code(refusal);
        if (refusal != ErrorCode::kNone) continue;
        Change change{topic.name, partition.partition_index,
                      ValueOf(request.body, topic, partition)};
        records.push_back(
            OffsetCommitRecord({group_id, change.topic, change.partition}, *change.value));
        group.offsets.Begin(change.topic, change.partition);
        changes.push_back(std::move(change));
      }
    }
    if (records.empty()) return shard_.Answer(request.token, std::move(response));
    // Answered once: when it is done, or before, when that takes too long.
    auto waiting =
        std::make_shared<std::optional<protocol::OffsetCommitResponse>>(std::move(response));
    const auto answer = [this, token = request.token, waiting](ErrorCode failure) {
      if (!waiting->has_value()) return;
      if (failure != ErrorCode::kNone) MarkFailed(**waiting, failure);
      shard_.Answer(token, *std::exchange(*waiting, std::nullopt));
    };
    shard_.Append(
        group_id, std::move(records),
        [this, group_id, changes = std::move(changes), answer](ErrorCode failure) mutable {
          removal_.Finish(group_id, changes, failure);
          answer(failure);
        },
        [answer] { answer(ErrorCode::kRequestTimedOut); });
  }

  void Fetch(const Request<protocol::OffsetFetchRequest>& request) {
    protocol::OffsetFetchResponse response;
    if (request.version >= 8) {
      for (const auto& group : request.body.groups) {
        response.groups.push_back(FetchGroup(group, request.body.require_stable));
      }
      return shard_.Answer(request.token, std::move(response));
    }
    protocol::OffsetFetchRequest::Group single;
    single.group_id = request.body.group_id;
    std::optional<std::vector<protocol::OffsetFetchRequest::Group::GroupTopic>> topics;
    if (request.body.topics.has_value()) {
      topics.emplace();
      for (const auto& topic : *request.body.topics) {
        topics->push_back({topic.name, {}, topic.partition_indexes});
      }
    }
    single.topics = std::move(topics);
    auto result = FetchGroup(single, request.body.require_stable);
    for (auto& topic : result.topics) {
      auto& out = response.topics.emplace_back();
      out.name = std::move(topic.name);
      for (FetchedPartition& p : topic.partitions) {
        out.partitions.push_back({p.partition_index, p.committed_offset, p.committed_leader_epoch,
                                  std::move(p.metadata), p.error_code});
      }
    }
    shard_.Answer(request.token, std::move(response));
  }

  void Delete(const Request<protocol::OffsetDeleteRequest>& request) {
    const std::string& group_id = request.body.group_id;
    protocol::OffsetDeleteResponse response;
    const ErrorCode error = CheckDelete(group_id);
    response.error_code = Code(error);
    if (error != ErrorCode::kNone) return shard_.Answer(request.token, std::move(response));
    Group& group = *shard_.Find(group_id);
    std::vector<Change> tombstones;
    for (const auto& topic : request.body.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      const bool in_use = group.classic.IsSubscribedTo(topic.name);
      for (const auto& p : topic.partitions) {
        out.partitions.push_back(
            {p.partition_index,
             Code(in_use ? ErrorCode::kGroupSubscribedToTopic : ErrorCode::kNone)});
        if (in_use || !removal_.Holds(group, topic.name, p.partition_index)) continue;
        tombstones.push_back({topic.name, p.partition_index, std::nullopt});
      }
    }
    removal_.Remove(group_id, std::move(tombstones), /*with_group=*/false,
                    [this, token = request.token, response](ErrorCode failure) mutable {
                      if (failure != ErrorCode::kNone) {
                        response.topics.clear();
                        response.error_code = Code(ClientErrorOf(failure));
                      }
                      shard_.Answer(token, std::move(response));
                    });
  }

  // Takes away what has expired, in all groups, and groups that hold nothing any more.
  void Expire() {
    for (auto& [group_id, group] : shard_.groups) {
      if (group.is_deleting) continue;
      std::vector<Change> expired;
      const bool all = FindExpired(group, &expired);
      const bool with_group = all && group.is_persisted && group.pending_members.empty() &&
                              group.classic.state() == GroupState::kEmpty;
      if (expired.empty() && !with_group) continue;
      removal_.Remove(group_id, std::move(expired), with_group, [](ErrorCode) {});
    }
  }

  // An offset with a commit on its way stays: that may be for the next topic of the name. What is
  // left of the one before is not told to anyone (FetchOne) and expires.
  void OnTopicsDeleted(const TopicsDeleted& deleted) {
    for (auto& [group_id, group] : shard_.groups) {
      if (group.is_deleting) continue;
      std::vector<Change> tombstones;
      for (const std::string& name : deleted.names) {
        const auto topic = group.offsets.topics().find(name);
        if (topic == group.offsets.topics().end()) continue;
        for (const auto& [partition, entry] : topic->second) {
          if (deleted.ids.empty() || IsOf(entry, deleted.ids)) {
            tombstones.push_back({name, partition, std::nullopt});
          }
        }
      }
      if (tombstones.empty()) continue;
      removal_.Remove(group_id, std::move(tombstones), /*with_group=*/false, [](ErrorCode) {});
    }
  }

 private:
  ErrorCode CheckCommit(const Request<protocol::OffsetCommitRequest>& request) {
    const protocol::OffsetCommitRequest& commit = request.body;
    const int32_t generation = commit.generation_id_or_member_epoch;
    Group* group = shard_.Find(commit.group_id);
    if (group == nullptr) {
      if (generation >= 0) {
        return request.version >= 9 ? ErrorCode::kGroupIdNotFound : ErrorCode::kIllegalGeneration;
      }
      return shard_.groups.size() < shard_.config.groups_max ? ErrorCode::kNone
                                                             : ErrorCode::kPolicyViolation;
    }
    if (group->is_deleting) return ErrorCode::kCoordinatorLoadInProgress;
    ClassicGroup& classic = group->classic;
    const bool is_empty = classic.state() == GroupState::kEmpty;
    // Without a generation: a tool, or a consumer that manages its partitions by itself.
    if (generation < 0 && is_empty) return ErrorCode::kNone;
    if (generation < 0 && commit.member_id.empty() && !commit.group_instance_id.has_value()) {
      return ErrorCode::kUnknownMemberId;
    }
    const ErrorCode error = CheckMember(classic, commit.member_id, commit.group_instance_id);
    if (error != ErrorCode::kNone) return error;
    if (generation != classic.generation()) return ErrorCode::kIllegalGeneration;
    return classic.state() == GroupState::kCompletingRebalance ? ErrorCode::kRebalanceInProgress
                                                               : ErrorCode::kNone;
  }

  static bool IsOf(const OffsetStore::Entry& entry, const std::vector<Uuid>& topics) {
    if (entry.has_in_flight()) return false;
    const Uuid& id = entry.committed->topic_id;
    return id.is_zero() || std::find(topics.begin(), topics.end(), id) != topics.end();
  }

  void KeepSessionAlive(const std::string& group_id, Group& group, const std::string& member_id) {
    Member* member = group.classic.Find(member_id);
    if (member != nullptr) shard_.ArmSession(group_id, *member, member->session_timeout_ms);
  }

  ErrorCode CheckOffset(const Group& group, const std::string& topic,
                        const protocol::OffsetCommitRequest::Topic::Partition& partition) const {
    const auto most = static_cast<size_t>(std::max(shard_.config.offset_metadata_units_max, 0));
    if (partition.committed_metadata.has_value() &&
        Utf16Length(*partition.committed_metadata) > most) {
      return ErrorCode::kOffsetMetadataTooLarge;
    }
    if (group.offsets.size() >= shard_.config.offsets_per_group_max &&
        group.offsets.FindEntry(topic, partition.partition_index) == nullptr) {
      return ErrorCode::kInvalidCommitOffsetSize;
    }
    return ErrorCode::kNone;
  }

  OffsetCommitValue ValueOf(
      const protocol::OffsetCommitRequest& request,
      const protocol::OffsetCommitRequest::Topic& topic,
      const protocol::OffsetCommitRequest::Topic::Partition& partition) const {
    OffsetCommitValue value;
    value.offset = partition.committed_offset;
    value.leader_epoch = std::max(partition.committed_leader_epoch, -1);
    value.metadata = partition.committed_metadata.value_or("");
    value.commit_timestamp = shard_.now.wall_ms;
    if (request.retention_time_ms >= 0) {
      constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
      value.expire_timestamp = request.retention_time_ms > kMax - value.commit_timestamp
                                   ? kMax
                                   : value.commit_timestamp + request.retention_time_ms;
    }
    value.topic_id = topic.topic_id;
    return value;
  }

  static void MarkFailed(protocol::OffsetCommitResponse& response, ErrorCode failure) {
    const ErrorCode error = ClientErrorOf(failure) == ErrorCode::kUnknownServerError
                                ? ErrorCode::kInvalidCommitOffsetSize
                                : ClientErrorOf(failure);
    for (auto& topic : response.topics) {
      for (auto& p : topic.partitions) {
        if (p.error_code == Code(ErrorCode::kNone)) p.error_code = Code(error);
      }
    }
  }

  using FetchedPartition = protocol::OffsetFetchResponse::Group::GroupTopic::Partition;

  // `topic_id`, where the client gave one, must be that of the topic the offset was committed for.
  FetchedPartition FetchOne(const Group* group, const std::string& topic, const Uuid& topic_id,
                            int32_t partition, bool require_stable) const {
    FetchedPartition out;
    out.partition_index = partition;
    out.committed_offset = -1;
    if (group == nullptr) return out;
    if (require_stable && group->offsets.IsUnstable(topic, partition)) {
      out.error_code = Code(ErrorCode::kUnstableOffsetCommit);
      return out;
    }
    const OffsetCommitValue* value = group->offsets.Find(topic, partition);
    if (value == nullptr) return out;
    if (!topic_id.is_zero() && !value->topic_id.is_zero() && topic_id != value->topic_id)
      return out;
    out.committed_offset = value->offset;
    out.committed_leader_epoch = value->leader_epoch;
    out.metadata = value->metadata;
    return out;
  }

  protocol::OffsetFetchResponse::Group FetchGroup(const protocol::OffsetFetchRequest::Group& wanted,
                                                  bool require_stable) {
    protocol::OffsetFetchResponse::Group result;
    result.group_id = wanted.group_id;
    const Group* group = shard_.Find(wanted.group_id);
    if (wanted.topics.has_value()) {
      for (const auto& topic : *wanted.topics) {
        auto& out = result.topics.emplace_back();
        out.name = topic.name;
        out.topic_id = topic.topic_id;
        for (const int32_t p : topic.partition_indexes) {
          out.partitions.push_back(FetchOne(group, topic.name, topic.topic_id, p, require_stable));
        }
      }
      return result;
    }
    if (group == nullptr) return result;
    for (const auto& [name, partitions] : group->offsets.topics()) {
      for (const auto& [p, entry] : partitions) {
        if (!entry.committed.has_value()) continue;
        const Uuid& id = entry.committed->topic_id;
        // One for each topic that had the name: the driver knows which of them there is.
        if (result.topics.empty() || result.topics.back().name != name ||
            result.topics.back().topic_id != id) {
          auto& out = result.topics.emplace_back();
          out.name = name;
          out.topic_id = id;
        }
        result.topics.back().partitions.push_back(FetchOne(group, name, {}, p, require_stable));
      }
    }
    return result;
  }

  ErrorCode CheckDelete(const std::string& group_id) {
    if (group_id.empty()) return ErrorCode::kInvalidGroupId;
    const Group* group = shard_.Find(group_id);
    if (group == nullptr) return ErrorCode::kGroupIdNotFound;
    if (group->is_deleting) return ErrorCode::kCoordinatorLoadInProgress;
    const ClassicGroup& classic = group->classic;
    return classic.state() != GroupState::kEmpty && !classic.UsesConsumerProtocol()
               ? ErrorCode::kNonEmptyGroup
               : ErrorCode::kNone;
  }

  // True when nothing stays.
  bool FindExpired(const Group& group, std::vector<Change>* expired) const {
    const ClassicGroup& classic = group.classic;
    const bool is_simple = !classic.protocol_type().has_value();
    const bool is_empty = classic.state() == GroupState::kEmpty;
    if (!is_simple && !is_empty &&
        !(classic.UsesConsumerProtocol() && classic.KnowsSubscribedTopics() &&
          classic.state() == GroupState::kStable)) {
      return false;
    }
    const bool counts_from_empty = !is_simple && is_empty && classic.state_timestamp_ms() >= 0;
    bool all = true;
    for (const auto& [topic, partitions] : group.offsets.topics()) {
      const bool in_use = classic.IsSubscribedTo(topic);
      for (const auto& [partition, entry] : partitions) {
        if (in_use || entry.has_in_flight() || group.offsets.IsUnstable(topic, partition) ||
            !HasExpired(*entry.committed, counts_from_empty ? classic.state_timestamp_ms()
                                                            : entry.committed->commit_timestamp)) {
          all = false;
        } else {
          expired->push_back({topic, partition, std::nullopt});
        }
      }
    }
    return all && !group.offsets.HasTransactions();
  }
  bool HasExpired(const OffsetCommitValue& value, TimestampMs since_ms) const {
    const TimestampMs now_ms = shard_.now.wall_ms;
    if (value.expire_timestamp >= 0) return now_ms >= value.expire_timestamp;
    return since_ms <= now_ms - shard_.config.offsets_retention_ms;
  }

  Shard& shard_;
  Removal removal_;
};

}  // namespace weir::group::group_internal

#endif  // WEIR_COORDINATION_GROUP_INTERNAL_OFFSET_REQUESTS_H_
