// -----------------------------------------------------------------------------
// File: tests/sim/sim_group_cast.h
// -----------------------------------------------------------------------------
// The consumer groups of a simulated run: who is in them, and how it is told that a group works
// again once faults have ended.
#ifndef WEIR_TESTS_SIM_SIM_GROUP_CAST_H_
#define WEIR_TESTS_SIM_SIM_GROUP_CAST_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_group_member.h"
#include "tests/sim/sim_group_offsets.h"

namespace weir::sim {

class GroupCast {
 public:
  using Actors = std::vector<std::unique_ptr<SimActor>>;

  GroupCast(ClientContext& context, size_t groups) : context_(context) {
    for (size_t i = 0; i < groups; ++i) groups_.push_back(absl::StrCat("g", i));
    all_groups_ = groups_;
    all_groups_.push_back("simple");  // which nobody is a member of
  }

  // Of each group one to four members, some with an instance id, some of them with the same one.
  void AddTo(Actors* actors, const std::string& prefix) {
    members_.clear();
    auto admin =
        std::make_unique<GroupAdministrator>(context_, prefix + "group-admin", all_groups_);
    admin_ = admin.get();
    actors->push_back(std::move(admin));
    for (const std::string& group : groups_) {
      const uint64_t count = 1 + context_.random.Below(4);
      for (uint64_t i = 0; i < count; ++i) {
        const bool is_static = context_.random.OneIn(2);
        const uint64_t instance = context_.random.OneIn(4) ? 0 : i;
        auto member = std::make_unique<GroupMember>(
            context_, absl::StrCat(prefix, group, "-", i), group,
            is_static ? absl::StrCat("static-", instance) : std::string());
        members_.push_back(member.get());
        actors->push_back(std::move(member));
      }
    }
  }

  GroupAdministrator& admin() { return *admin_; }

  // --- after the faults ---------------------------------------------------------------------

  // Some have vanished, of the members with the same instance id all but one; the others behave.
  void Behave() {
    std::set<std::pair<std::string, std::string>> instances;
    for (GroupMember* member : members_) {
      const bool taken = !member->instance().empty() &&
                         !instances.emplace(member->who().group, member->instance()).second;
      if (taken || context_.random.OneIn(4)) {
        context_.trace.Note(member->session().name(), ": vanishes");
        member->Vanish();
      } else {
        member->Behave();
      }
    }
  }
  void VanishAll() {
    for (GroupMember* member : members_) member->Vanish();
    admin_->session().Close();
  }

  // Whoever is due does something; true if anyone did.
  bool Act() {
    bool acted = false;
    for (GroupMember* member : members_) {
      if (!member->IsDue() || member->session().waiting() > 0) continue;
      member->Act();
      acted = acted || member->session().waiting() > 0;
    }
    return acted;
  }

  // Whether each group that has members is stable with exactly these, and each of them has its
  // assignment and had a commit and a fetch answered. Asks the coordinator when it looks so.
  bool IsSettled() {
    for (const auto& [group, live] : Live()) {
      if (!HaveSettled(live)) return false;
    }
    bool settled = true;
    for (const auto& [group, live] : Live()) {
      const GroupAdministrator::Description& told = admin_->described(group);
      std::set<std::string> ids;
      for (const GroupMember* member : live) ids.insert(member->who().member_id);
      if (told.state == "Stable" && told.members == ids) continue;
      settled = false;
      AskAbout(group);
    }
    return settled;
  }

  // What is not as IsSettled wants it.
  std::string Complaint() {
    for (const auto& [group, live] : Live()) {
      const GroupAdministrator::Description& told = admin_->described(group);
      for (const GroupMember* member : live) {
        if (member->settled_generation() >= 0) continue;
        return absl::StrCat(
            "group ", group, " of ", live.size(), " members: ", member->who().member_id,
            " has not settled; the group is ", told.state, " with ", told.members.size());
      }
      if (told.state != "Stable" || told.members.size() != live.size()) {
        return absl::StrCat("group ", group, " of ", live.size(), " members is ", told.state,
                            " with ", told.members.size());
      }
    }
    return "the members of a group are in different generations";
  }

 private:
  static constexpr int64_t kAskNs = 200 * kNsPerMs;

  std::map<std::string, std::vector<GroupMember*>> Live() const {
    std::map<std::string, std::vector<GroupMember*>> live;
    for (GroupMember* member : members_) {
      if (!member->retired()) live[member->who().group].push_back(member);
    }
    return live;
  }
  static bool HaveSettled(const std::vector<GroupMember*>& members) {
    for (const GroupMember* member : members) {
      if (member->settled_generation() < 0) return false;
      if (member->settled_generation() != members.front()->settled_generation()) return false;
    }
    return true;
  }
  void AskAbout(const std::string& group) {
    if (admin_->session().waiting() > 0 || context_.clock.Monotonic() < next_ask_) return;
    if (!admin_->session().connected() && !admin_->session().Connect(context_.brokers.PortOf(0)))
      return;
    next_ask_ = context_.clock.Monotonic() + kAskNs;
    admin_->Describe(group);
  }

  ClientContext& context_;
  std::vector<std::string> groups_, all_groups_;
  std::vector<GroupMember*> members_;
  GroupAdministrator* admin_ = nullptr;
  MonotonicNs next_ask_;
};

// Asks for every offset that anyone tried to commit, when no answer is excused.
class OffsetVerifier {
 public:
  OffsetVerifier(ClientContext& context, GroupAdministrator& client) : client_(client) {
    for (const auto& key : context.groups.Written()) {
      if (!context.oracle.Deletable(key.second.topic_id)) left_.push_back(key);
    }
  }
  bool done() const { return left_.empty(); }
  // Whether it asked for something.
  bool Act() {
    if (left_.empty() || client_.session().waiting() > 0) return false;
    client_.Fetch(left_.back().first, left_.back().second, [this](bool told) {
      if (told) left_.pop_back();
    });
    return true;
  }

 private:
  GroupAdministrator& client_;
  std::vector<std::pair<std::string, TopicPartition>> left_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_SIM_GROUP_CAST_H_
