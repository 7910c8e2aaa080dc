// -----------------------------------------------------------------------------
// File: tests/sim/sim_group_offsets.h
// -----------------------------------------------------------------------------
// Committing, fetching and deleting offsets in the simulator, at all versions and by name and by
// id, with the oracle told of each; and the client that administers groups.
#ifndef WEIR_TESTS_SIM_SIM_GROUP_OFFSETS_H_
#define WEIR_TESTS_SIM_SIM_GROUP_OFFSETS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/error_code.h"
#include "tests/sim/group_oracle.h"
#include "tests/sim/sim_actor.h"

namespace weir::sim {

class OffsetActor : public SimActor {
 public:
  using SimActor::SimActor;

 protected:
  using Done = std::function<void(ErrorCode)>;

  // Errors that leave open whether anything was written.
  static bool IsOpen(ErrorCode error) {
    return error == ErrorCode::kCoordinatorNotAvailable || error == ErrorCode::kNotCoordinator;
  }
  static const std::string& NameOf(const ClientContext& context, const TopicPartition& partition) {
    return context.oracle.Find(partition.topic_id)->name;
  }

  void CommitOffsets(const MemberIdentity& who, const std::optional<std::string>& instance,
                     const TopicPartition& partition, Done done) {
    const auto version = static_cast<int16_t>((instance.has_value() ? 7 : 2) +
                                              context_.random.Below(instance.has_value() ? 4 : 9));
    const bool by_name = version < 10;
    const int64_t value = context_.groups.CommitSent(who.group, partition, by_name);
    protocol::OffsetCommitRequest request;
    request.group_id = who.group;
    request.generation_id_or_member_epoch = who.generation;
    request.member_id = who.member_id;
    request.group_instance_id = instance;
    auto& topic = request.topics.emplace_back();
    topic.name = NameOf(context_, partition);
    topic.topic_id = partition.topic_id;
    topic.partitions.push_back({partition.partition.value(), value, -1, absl::StrCat("m", value)});
    Send<protocol::OffsetCommitResponse>(
        request, version,
        absl::StrCat("commit ", value, " for ", who.group, ", ", context_.oracle.Name(partition),
                     " as ", who.member_id, " ", who.generation),
        [this, who, partition, by_name, value, done = std::move(done)](
            const protocol::OffsetCommitResponse* response, uint64_t sent) {
          if (response == nullptr) return;
          const int16_t code = response->topics.at(0).partitions.at(0).error_code;
          if (code == 0 && !by_name) OnKnown(partition, sent);
          OnCommitted(who, partition, value, code, sent);
          if (!IsUnknown(code)) done(static_cast<ErrorCode>(code));
        });
  }

  // A committed offset of `group`, by a version of chance. `done` hears whether it was told.
  void FetchOffsets(const std::string& group, const TopicPartition& partition,
                    std::function<void(bool)> done) {
    static constexpr int16_t kVersions[] = {5, 7, 8, 9, 10};
    const int16_t version = kVersions[context_.random.Below(5)];
    protocol::OffsetFetchRequest request;
    const std::string& name = NameOf(context_, partition);
    if (version < 8) {
      request.group_id = group;
      request.topics->push_back({name, {partition.partition.value()}});
    } else {
      auto& asked = request.groups.emplace_back();
      asked.group_id = group;
      asked.topics->push_back({name, partition.topic_id, {partition.partition.value()}});
    }
    Send<protocol::OffsetFetchResponse>(
        request, version,
        absl::StrCat("fetch offset of ", group, ", ", context_.oracle.Name(partition)),
        [this, group, partition, version, done = std::move(done)](
            const protocol::OffsetFetchResponse* response, uint64_t sent) {
          if (response == nullptr) return done(false);
          if (version < 8) {
            if (response->error_code != 0) return done(false);
            const auto& told = response->topics.at(0).partitions.at(0);
            return done(OnFetched(group, partition, told, sent));
          }
          const auto& answer = response->groups.at(0);
          if (answer.error_code != 0) return done(false);
          done(OnFetched(group, partition, answer.topics.at(0).partitions.at(0), sent));
        });
  }

 private:
  void OnCommitted(const MemberIdentity& who, const TopicPartition& partition, int64_t value,
                   int16_t code, uint64_t sent) {
    const auto error = static_cast<ErrorCode>(code);
    context_.trace.Note("  commit of ", value, ": error ", code);
    if (error == ErrorCode::kNone) {
      context_.groups.Taken(who, sent, "a commit");
      context_.groups.Committed(value);
    } else if (!IsOpen(error)) {
      if (IsUnknown(code)) OnUnknown(partition, sent);
      context_.groups.CommitRefused(value);
    }
  }

  template <class Told>
  bool OnFetched(const std::string& group, const TopicPartition& partition, const Told& told,
                 uint64_t sent) {
    context_.trace.Note("  offset ", told.committed_offset, " error ", told.error_code);
    if (IsUnknown(told.error_code)) OnUnknown(partition, sent);
    if (told.error_code != 0) return false;
    const std::string expected =
        told.committed_offset < 0 ? "" : absl::StrCat("m", told.committed_offset);
    if (told.metadata.value_or("") != expected) {
      context_.trace.Fail("group ", group, ": offset ", told.committed_offset, " with metadata ",
                          told.metadata.value_or("null"));
    }
    context_.groups.Fetched(group, partition, told.committed_offset, sent);
    return true;
  }
};

// Describes, lists and deletes groups, deletes offsets, and commits some without being a member.
class GroupAdministrator final : public OffsetActor {
 public:
  struct Description {
    std::string state;
    std::set<std::string> members;
  };

  GroupAdministrator(ClientContext& context, std::string name, std::vector<std::string> groups)
      : OffsetActor(context, std::move(name)), groups_(std::move(groups)) {}

  void Describe(const std::string& group) {
    protocol::DescribeGroupsRequest request;
    request.groups.push_back(group);
    const auto version = static_cast<int16_t>(context_.random.Below(7));
    Send<protocol::DescribeGroupsResponse>(
        request, version, absl::StrCat("describe ", group),
        [this, group, version](const protocol::DescribeGroupsResponse* response, uint64_t sent) {
          if (response == nullptr) return;
          OnDescribed(group, version, response->groups.at(0), sent);
        });
  }
  // The last answer.
  const Description& described(const std::string& group) { return described_[group]; }

  // Asks for an offset; `done` hears whether it was told.
  void Fetch(const std::string& group, const TopicPartition& partition,
             std::function<void(bool)> done) {
    if (!session().connected() && !session().Connect(context_.brokers.PortOf(0)))
      return done(false);
    FetchOffsets(group, partition, std::move(done));
  }

 private:
  void Ask() override {
    if (session_.waiting() > 2) return;
    if (!found_) return FindCoordinator();
    const std::string& group = groups_[context_.random.Below(groups_.size())];
    const std::optional<TopicPartition> partition = AnyPartition();
    switch (context_.random.Below(16)) {
      case 0:
      case 1:
        return Describe(group);
      case 2:
        return List();
      case 3:
      case 4:
        return DeleteGroup(group);
      case 5:
        if (partition.has_value()) DeleteOffset(group, *partition);
        return;
      case 6:
      case 7:
      case 8:
        if (!partition.has_value()) return;
        return CommitOffsets({group, "", -1}, std::nullopt, *partition, [](ErrorCode) {});
      default:
        if (partition.has_value()) FetchOffsets(group, *partition, [](bool) {});
        return;
    }
  }

  // Which makes the broker create __consumer_offsets.
  void FindCoordinator() {
    protocol::FindCoordinatorRequest request;
    request.key = groups_.front();
    Send<protocol::FindCoordinatorResponse>(
        request, 3, "find coordinator",
        [this](const protocol::FindCoordinatorResponse* response, uint64_t) {
          if (response != nullptr && response->error_code == 0) found_ = true;
        });
  }

  void OnDescribed(const std::string& group, int16_t version,
                   const protocol::DescribeGroupsResponse::Group& told, uint64_t sent) {
    context_.trace.Note("  ", group, " is ", told.group_state, " error ", told.error_code);
    const auto error = static_cast<ErrorCode>(told.error_code);
    if (error != ErrorCode::kNone && error != ErrorCode::kGroupIdNotFound) return;
    if (told.group_state == "Dead") {
      if ((version >= 6) != (error == ErrorCode::kGroupIdNotFound)) {
        context_.trace.Fail("describe: a dead group with error ", told.error_code);
      }
      context_.groups.NoSuchGroup(group, sent);
    }
    Description& described = described_[group];
    described = {told.group_state, {}};
    for (const auto& member : told.members) described.members.insert(member.member_id);
  }

  void List() {
    Send<protocol::ListGroupsResponse>(
        protocol::ListGroupsRequest(), 5, "list groups",
        [this](const protocol::ListGroupsResponse* response, uint64_t sent) {
          if (response == nullptr || response->error_code != 0) return;
          std::set<std::string> listed;
          for (const auto& group : response->groups) {
            if (!listed.insert(group.group_id).second) {
              context_.trace.Fail("list: group ", group.group_id, " is there twice");
            }
          }
          for (const std::string& group : groups_) {
            if (listed.count(group) == 0) context_.groups.NoSuchGroup(group, sent);
          }
        });
  }

  void DeleteGroup(const std::string& group) {
    protocol::DeleteGroupsRequest request;
    request.groups_names.push_back(group);
    const int64_t name = context_.groups.DeleteSent(group, std::nullopt);
    Send<protocol::DeleteGroupsResponse>(
        request, 2, absl::StrCat("delete group ", group),
        [this, group, name](const protocol::DeleteGroupsResponse* response, uint64_t sent) {
          if (response == nullptr) return;
          const auto error = static_cast<ErrorCode>(response->results.at(0).error_code);
          context_.trace.Note("  delete group error ", response->results.at(0).error_code);
          if (error == ErrorCode::kNone) return context_.groups.Deleted(name);
          if (IsOpen(error)) return;
          context_.groups.DeleteRefused(name);
          if (error == ErrorCode::kGroupIdNotFound) context_.groups.NoSuchGroup(group, sent);
        });
  }

  void DeleteOffset(const std::string& group, const TopicPartition& partition) {
    protocol::OffsetDeleteRequest request;
    request.group_id = group;
    auto& topic = request.topics.emplace_back();
    topic.name = NameOf(context_, partition);
    topic.partitions.push_back({partition.partition.value()});
    const int64_t name = context_.groups.DeleteSent(group, partition);
    Send<protocol::OffsetDeleteResponse>(
        request, 0, absl::StrCat("delete offset of ", group, ", ", context_.oracle.Name(partition)),
        [this, group, name](const protocol::OffsetDeleteResponse* response, uint64_t sent) {
          if (response == nullptr) return;
          auto error = static_cast<ErrorCode>(response->error_code);
          context_.trace.Note("  delete offset error ", response->error_code);
          if (error == ErrorCode::kGroupIdNotFound) context_.groups.NoSuchGroup(group, sent);
          if (error == ErrorCode::kNone) {
            error = static_cast<ErrorCode>(response->topics.at(0).partitions.at(0).error_code);
          }
          if (error == ErrorCode::kNone) return context_.groups.Deleted(name);
          if (!IsOpen(error)) context_.groups.DeleteRefused(name);
        });
  }

  const std::vector<std::string> groups_;
  std::map<std::string, Description> described_;
  bool found_ = false;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_GROUP_OFFSETS_H_
