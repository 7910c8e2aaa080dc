// -----------------------------------------------------------------------------
// File: coordination/metadata/founding.h
// -----------------------------------------------------------------------------
// How a node with an empty folder finds out which cluster it is of: it asks the controllers of its
// configuration who they are. As soon as one belongs to a cluster, the node joins that. Only when
// every one of them has answered that it belongs to none, the one with the lowest id founds a
// cluster with all of them as voters; the others then hear of it. So who lost its folder never
// founds a second cluster while anybody knows the first, and of nodes that start together one
// founds. (A controller whose configuration knows no other has nobody to ask: it founds at once.)
// Each node keeps its directory id from before it is first told to anybody: the voters of a
// founding are those that answered, also when one of them is started anew in between.
// A pure state machine, by rounds: Begin, then Heard for each member, then Decide.
// Threading: single-threaded.
// Errors: kFailedPrecondition where members contradict each other or the configuration.
#ifndef WEIR_COORDINATION_METADATA_FOUNDING_H_
#define WEIR_COORDINATION_METADATA_FOUNDING_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/sort.h"
#include "base/uuid.h"

namespace weir::metadata {

// What a node says of itself.
struct NodeHello {
  BrokerId node_id = kNoBroker;
  Uuid directory_id;       // of the disk with the metadata log
  std::string cluster_id;  // empty while the node belongs to none
  bool is_controller = false;
  Uuid incarnation;  // of its process
};

struct JoinCluster {
  std::string cluster_id;
};
// With these voters: nodes and their disks, in the order of their ids.
struct FoundCluster {
  std::vector<std::pair<BrokerId, Uuid>> voters;
};
// What this round says; neither when it says nothing yet.
struct FoundingDecision {
  std::optional<JoinCluster> join;
  std::optional<FoundCluster> found;
};

class Founding {
 public:
  // `members` are the configured controllers, each by its id or kNoBroker where that is not known;
  // this node's is among them if it is to be one.
  Founding(NodeHello self, std::vector<BrokerId> members)
      : self_(std::move(self)), members_(std::move(members)), answers_(members_.size()) {}

  // A new round: what was heard is forgotten.
  void Begin() { answers_.assign(members_.size(), std::nullopt); }

  // What the member answered. An error says what is wrong with it: then it counts as none.
  absl::Status Heard(size_t member, NodeHello answer) {
    if (members_[member] != kNoBroker && answer.node_id != members_[member]) {
      return Fault(absl::StrCat("node ", members_[member].value()),
                   absl::StrCat("node ", answer.node_id.value()));
    }
    if (!answer.is_controller) {
      return Fault("a controller",
                   absl::StrCat("node ", answer.node_id.value(), ", which is none"));
    }
    if (!IsClusterId(answer.cluster_id)) {
      return Fault("the id of a cluster",
                   absl::StrCat("'", absl::CHexEscape(answer.cluster_id.substr(0, 64)), "'"));
    }
    if (answer.node_id == self_.node_id && answer.directory_id != self_.directory_id) {
      return Fault("nodes of different ids",
                   absl::StrCat("another node ", answer.node_id.value(), ", on another disk"));
    }
    answers_[member] = std::move(answer);
    return absl::OkStatus();
  }

  absl::StatusOr<FoundingDecision> Decide() const {
    FoundingDecision decision;
    for (const std::optional<NodeHello>& answer : answers_) {
      if (!answer.has_value() || answer->cluster_id.empty()) continue;
      if (decision.join.has_value() && decision.join->cluster_id != answer->cluster_id) {
        return Fault("controllers of one cluster",
                     absl::StrCat("some of ", decision.join->cluster_id, " and some of ",
                                  answer->cluster_id));
      }
      decision.join = JoinCluster{answer->cluster_id};
    }
    if (!decision.join.has_value()) decision.found = MayFound();
    return decision;
  }

 private:
  static absl::Status Fault(absl::string_view expected, absl::string_view came) {
    return absl::FailedPreconditionError(
        absl::StrCat("the configured controllers: expected ", expected, ", came ", came));
  }

  // What may stand in meta.properties; empty: none.
  static bool IsClusterId(absl::string_view text) {
    constexpr size_t kBytesMax = 255;
    return text.size() <= kBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                    c == '.';
           });
  }

  std::optional<FoundCluster> MayFound() const {
    FoundCluster found;
    for (const std::optional<NodeHello>& answer : answers_) {
      if (!answer.has_value()) return std::nullopt;
      found.voters.emplace_back(answer->node_id, answer->directory_id);
    }
    Sort(found.voters);
    for (size_t i = 1; i < found.voters.size(); ++i) {
      if (found.voters[i].first == found.voters[i - 1].first) return std::nullopt;
    }
    if (found.voters.empty() || found.voters.front().first != self_.node_id) return std::nullopt;
    return found;
  }

  const NodeHello self_;
  const std::vector<BrokerId> members_;
  std::vector<std::optional<NodeHello>> answers_;
};

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_FOUNDING_H_
