// -----------------------------------------------------------------------------
// File: coordination/metadata/node_directory.h
// -----------------------------------------------------------------------------
// The files that say whose a data folder is and how its node last voted, as text: meta.properties
// and quorum-state; and what a node is to do with the folders it finds. Reading and writing files
// is the caller's.
// Format: docs/formats/metadata.md.
// Errors: kInvalidArgument for text that is no such file, kFailedPrecondition for a folder of
// another node or cluster; with the key, what was expected and what came.
#ifndef WEIR_COORDINATION_METADATA_NODE_DIRECTORY_H_
#define WEIR_COORDINATION_METADATA_NODE_DIRECTORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/uuid.h"

namespace weir::metadata {

inline constexpr absl::string_view kMetaPropertiesFile = "meta.properties";
inline constexpr absl::string_view kQuorumStateFile = "quorum-state";
inline constexpr absl::string_view kMetadataLogFolder = "__cluster_metadata-0";

// --- meta.properties --------------------------------------------------------------------------

struct MetaProperties {
  std::string cluster_id;  // mostly a Uuid's text, but any text that Kafka was given
  BrokerId node_id;
  Uuid directory_id;  // zero where an older Kafka wrote none

  friend bool operator==(const MetaProperties&, const MetaProperties&) = default;
};

inline std::string FormatMetaProperties(const MetaProperties& p) {
  return absl::StrCat("#\nnode.id=", p.node_id.value(),
                      "\ndirectory.id=", p.directory_id.ToString(),
                      "\nversion=1\ncluster.id=", p.cluster_id, "\n");
}

inline absl::StatusOr<MetaProperties> ParseMetaProperties(absl::string_view text) {
  std::map<std::string, std::string> values;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#' || line[0] == '!') continue;
    const size_t separator = line.find('=');
    if (separator == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("meta.properties: expected key=value, came '", line, "'"));
    }
    std::string value;  // Java writes a backslash before '=', ':', '#' and '!'
    for (const char c : absl::StripAsciiWhitespace(line.substr(separator + 1))) {
      if (c != '\\') value.push_back(c);
    }
    values[std::string(absl::StripAsciiWhitespace(line.substr(0, separator)))] = std::move(value);
  }
  MetaProperties out;
  if (values["version"] != "1") {
    return absl::InvalidArgumentError(
        absl::StrCat("meta.properties: expected version=1, came version=", values["version"]));
  }
  int32_t node_id = 0;
  if (!absl::SimpleAtoi(values["node.id"], &node_id) || node_id < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("meta.properties: expected node.id=number, came node.id=", values["node.id"]));
  }
  out.node_id = BrokerId(node_id);
  out.cluster_id = values["cluster.id"];
  if (out.cluster_id.empty()) {
    return absl::InvalidArgumentError("meta.properties: expected cluster.id, came none");
  }
  if (const std::string& text_id = values["directory.id"]; !text_id.empty()) {
    const std::optional<Uuid> id = Uuid::Parse(text_id);
    if (!id.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "meta.properties: expected directory.id=UUID in base64, came directory.id=", text_id));
    }
    out.directory_id = *id;
  }
  return out;
}

// --- Which node and cluster the folders belong to ---------------------------------------------

struct DataFolder {
  std::string path;
  std::optional<MetaProperties> properties;  // nothing while the folder has no meta.properties
};

struct NodeIdentity {
  std::string cluster_id;
  bool is_new_cluster = false;  // no folder had an identity: this node founds the cluster
  // In the order of the folders. Those of `to_write` must be written before anything else.
  std::vector<MetaProperties> properties;
  std::vector<bool> to_write;
};

// Checks that all folders belong to `node_id` and to one cluster, and gives an identity to those
// that have none. A cluster is founded only when no folder has one: an added empty folder joins.
inline absl::StatusOr<NodeIdentity> Identify(absl::Span<const DataFolder> folders, BrokerId node_id,
                                             Random& random) {
  NodeIdentity identity;
  std::set<Uuid> directory_ids;
  const DataFolder* known = nullptr;
  for (const DataFolder& folder : folders) {
    if (!folder.properties.has_value()) continue;
    const MetaProperties& p = *folder.properties;
    if (p.node_id != node_id) {
      return absl::FailedPreconditionError(
          absl::StrCat("data folder ", folder.path, ": expected node.id=", node_id.value(),
                       " as configured, came node.id=", p.node_id.value(),
                       " in meta.properties: the folder belongs to another node"));
    }
    if (known != nullptr && known->properties->cluster_id != p.cluster_id) {
      return absl::FailedPreconditionError(absl::StrCat(
          "data folder ", folder.path, ": expected cluster.id=", known->properties->cluster_id,
          " as in ", known->path, ", came cluster.id=", p.cluster_id));
    }
    if (!p.directory_id.is_zero() && !directory_ids.insert(p.directory_id).second) {
      return absl::FailedPreconditionError(
          absl::StrCat("data folder ", folder.path, ": directory.id=", p.directory_id.ToString(),
                       " is also that of another folder: one is a copy"));
    }
    known = &folder;
  }
  identity.is_new_cluster = known == nullptr;
  identity.cluster_id =
      known == nullptr ? Uuid::Random(random).ToString() : known->properties->cluster_id;
  for (const DataFolder& folder : folders) {
    MetaProperties p = folder.properties.value_or(MetaProperties{});
    const bool write = p.directory_id.is_zero();
    if (write) p = {identity.cluster_id, node_id, Uuid::Random(random)};
    identity.properties.push_back(std::move(p));
    identity.to_write.push_back(write);
  }
  return identity;
}

// --- quorum-state -----------------------------------------------------------------------------

struct QuorumState {
  BrokerId leader_id = kNoBroker;
  LeaderEpoch leader_epoch{0};
  BrokerId voted_id = kNoBroker;
  std::vector<BrokerId> voters;  // empty in version 1, whose voters stand in the log

  friend bool operator==(const QuorumState&, const QuorumState&) = default;
};

inline std::string FormatQuorumState(const QuorumState& state) {
  std::string voters;
  for (const BrokerId id : state.voters) {
    absl::StrAppend(&voters, voters.empty() ? "" : ",", "{\"voterId\":", id.value(), "}");
  }
  return absl::StrCat("{\"clusterId\":\"\",\"leaderId\":", state.leader_id.value(),
                      ",\"leaderEpoch\":", state.leader_epoch.value(),
                      ",\"votedId\":", state.voted_id.value(),
                      ",\"appliedOffset\":0,\"currentVoters\":[", voters, "],\"data_version\":0}");
}

namespace metadata_internal {

// The 32-bit number behind each "key": in JSON text of the shape that quorum-state has, where keys
// appear nowhere else.
inline absl::StatusOr<std::vector<int32_t>> JsonNumbers(absl::string_view text,
                                                        absl::string_view key) {
  const std::string quoted = absl::StrCat("\"", key, "\"");
  std::vector<int32_t> numbers;
  for (size_t at = text.find(quoted); at != absl::string_view::npos; at = text.find(quoted, at)) {
    at += quoted.size();
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(text.substr(at));
    const bool has_colon = !rest.empty() && rest[0] == ':';
    rest = absl::StripLeadingAsciiWhitespace(rest.substr(has_colon ? 1 : 0));
    const size_t end = rest.find_first_not_of("-0123456789");
    int32_t number = 0;
    if (!has_colon || end == absl::string_view::npos ||
        !absl::SimpleAtoi(rest.substr(0, end), &number)) {
      return absl::InvalidArgumentError(absl::StrCat("quorum-state: expected ", quoted,
                                                     ":number, came '", text.substr(at, 24), "'"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

inline absl::StatusOr<int32_t> JsonNumber(absl::string_view text, absl::string_view key) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<int32_t> numbers, JsonNumbers(text, key));
  if (numbers.size() == 1) return numbers[0];
  return absl::InvalidArgumentError(
      absl::StrCat("quorum-state: expected \"", key, "\" once, came ", numbers.size(), " times"));
}

}  // namespace metadata_internal

inline absl::StatusOr<QuorumState> ParseQuorumState(absl::string_view text) {
  using metadata_internal::JsonNumber;
  text = absl::StripAsciiWhitespace(text);
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
    return absl::InvalidArgumentError(absl::StrCat("quorum-state: expected one JSON object, came ",
                                                   text.size(),
                                                   " bytes that do not begin and end with braces"));
  }
  WEIR_ASSIGN_OR_RETURN(const int32_t version, JsonNumber(text, "data_version"));
  if (version != 0 && version != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("quorum-state: expected data_version 0 or 1, came ", version));
  }
  QuorumState state;
  WEIR_ASSIGN_OR_RETURN(const int32_t leader, JsonNumber(text, "leaderId"));
  WEIR_ASSIGN_OR_RETURN(const int32_t epoch, JsonNumber(text, "leaderEpoch"));
  WEIR_ASSIGN_OR_RETURN(const int32_t voted, JsonNumber(text, "votedId"));
  if (leader < -1 || epoch < 0 || voted < -1) {
    return absl::InvalidArgumentError(
        absl::StrCat("quorum-state: expected ids from -1 and an epoch from 0, came leaderId ",
                     leader, ", leaderEpoch ", epoch, ", votedId ", voted));
  }
  state.leader_id = BrokerId(leader);
  state.leader_epoch = LeaderEpoch(epoch);
  state.voted_id = BrokerId(voted);
  WEIR_ASSIGN_OR_RETURN(const std::vector<int32_t> voters,
                        metadata_internal::JsonNumbers(text, "voterId"));
  for (const int32_t id : voters) state.voters.push_back(BrokerId(id));
  return state;
}

}  // namespace weir::metadata

#endif  // WEIR_COORDINATION_METADATA_NODE_DIRECTORY_H_
