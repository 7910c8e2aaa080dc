// -----------------------------------------------------------------------------
// File: coordination/raft/quorum_state.h
// -----------------------------------------------------------------------------
// Kafka's file `quorum-state`: the term of a replica and whom it voted for in it, as a JSON object.
// Format: docs/formats/quorum.md. Versions 0 and 1 are read, 1 is written.
// Threading: keeps no state. Errors: kDataLoss with the byte, what was expected and what came.
// Limits: kQuorumStateBytesMax.
#ifndef WEIR_COORDINATION_RAFT_QUORUM_STATE_H_
#define WEIR_COORDINATION_RAFT_QUORUM_STATE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "coordination/raft/types.h"

namespace weir::raft_internal {

// One JSON object of numbers and strings. Arrays, which version 0 has, are read and dropped; what
// else JSON may have, nobody writes there.
class FlatJson {
 public:
  static absl::StatusOr<FlatJson> Parse(absl::string_view text) {
    FlatJson json;
    json.text_ = json.rest_ = text;
    WEIR_RETURN_IF_ERROR(json.ReadObject(&json.values_));
    json.SkipSpace();
    if (!json.rest_.empty()) return json.Fault("nothing behind the object");
    return json;
  }

  // A number as its digits, a string as its content.
  std::optional<absl::string_view> Find(const std::string& name) const {
    const auto it = values_.find(name);
    if (it == values_.end()) return std::nullopt;
    return absl::string_view(it->second);
  }

 private:
  using Values = std::map<std::string, std::string>;

  absl::Status Fault(absl::string_view expected) const {
    return absl::DataLossError(
        absl::StrCat("at byte ", text_.size() - rest_.size(), ": expected ", expected, ", came ",
                     rest_.empty() ? "the end" : absl::StrCat("'", rest_.substr(0, 12), "'")));
  }
  void SkipSpace() {
    while (!rest_.empty() && absl::ascii_isspace(static_cast<unsigned char>(rest_.front()))) {
      rest_.remove_prefix(1);
    }
  }
  bool Take(char wanted) {
    SkipSpace();
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  absl::Status ReadObject(Values* values) {
    if (!Take('{')) return Fault("'{'");
    if (Take('}')) return absl::OkStatus();
    do {
      std::string name;
      std::string value;
      WEIR_RETURN_IF_ERROR(ReadString(&name));
      if (!Take(':')) return Fault("':'");
      WEIR_RETURN_IF_ERROR(ReadValue(&value));
      if (!values->emplace(name, std::move(value)).second) {
        return Fault(absl::StrCat("'", name, "' once"));
      }
    } while (Take(','));
    return Take('}') ? absl::OkStatus() : Fault("',' or '}'");
  }

  absl::Status ReadValue(std::string* value) {
    SkipSpace();
    if (rest_.empty()) return Fault("a value");
    if (rest_.front() == '"') return ReadString(value);
    if (rest_.front() == '[') return SkipArray();
    return ReadNumber(value);
  }

  absl::Status SkipArray() {
    (void)Take('[');
    if (Take(']')) return absl::OkStatus();
    do {
      Values dropped;
      WEIR_RETURN_IF_ERROR(ReadObject(&dropped));
    } while (Take(','));
    return Take(']') ? absl::OkStatus() : Fault("',' or ']'");
  }

  // No name and no id that may stand here needs an escape.
  absl::Status ReadString(std::string* value) {
    if (!Take('"')) return Fault("'\"'");
    const size_t end = rest_.find_first_of("\"\\");
    if (end == absl::string_view::npos || rest_[end] != '"') return Fault("a string that ends");
    value->assign(rest_.data(), end);
    rest_.remove_prefix(end + 1);
    return absl::OkStatus();
  }

  absl::Status ReadNumber(std::string* value) {
    size_t size = rest_.front() == '-' ? 1 : 0;
    while (size < rest_.size() && absl::ascii_isdigit(static_cast<unsigned char>(rest_[size]))) {
      ++size;
    }
    if (size == 0 || (size == 1 && rest_.front() == '-')) return Fault("a number or a string");
    value->assign(rest_.data(), size);
    rest_.remove_prefix(size);
    return absl::OkStatus();
  }

  absl::string_view text_;
  absl::string_view rest_;
  Values values_;
};

inline absl::StatusOr<int32_t> NumberOf(const FlatJson& json, const std::string& name,
                                        int32_t min) {
  const std::optional<absl::string_view> text = json.Find(name);
  int32_t number = 0;
  if (!text.has_value() || !absl::SimpleAtoi(*text, &number) || number < min) {
    return absl::DataLossError(absl::StrCat("expected ", name, " of at least ", min, ", came ",
                                            text.has_value() ? *text : "none"));
  }
  return number;
}

}  // namespace weir::raft_internal

namespace weir::raft {

inline constexpr int64_t kQuorumStateBytesMax = 64 << 10;

inline std::string EncodeQuorumState(const HardState& state) {
  return absl::StrCat("{\"leaderId\":-1,\"leaderEpoch\":", state.term.value(),
                      ",\"votedId\":", state.vote.is_none() ? -1 : state.vote.id.value(),
                      ",\"votedDirectoryId\":\"", state.vote.directory_id.ToString(),
                      "\",\"data_version\":1}");
}

// A state of Kafka's may name the leader in place of a vote: then no other gets one in that term.
inline absl::StatusOr<HardState> ParseQuorumState(absl::string_view text) {
  WEIR_ASSIGN_OR_RETURN(const raft_internal::FlatJson json, raft_internal::FlatJson::Parse(text));
  WEIR_ASSIGN_OR_RETURN(const int32_t version, raft_internal::NumberOf(json, "data_version", 0));
  if (version > 1) {
    return absl::DataLossError(absl::StrCat("expected data_version 0 or 1, came ", version));
  }
  WEIR_ASSIGN_OR_RETURN(const int32_t epoch, raft_internal::NumberOf(json, "leaderEpoch", 0));
  WEIR_ASSIGN_OR_RETURN(const int32_t leader, raft_internal::NumberOf(json, "leaderId", -1));
  WEIR_ASSIGN_OR_RETURN(const int32_t voted, raft_internal::NumberOf(json, "votedId", -1));
  HardState state{LeaderEpoch(epoch), ReplicaKey()};
  if (voted < 0) {
    if (leader >= 0) state.vote.id = BrokerId(leader);
    return state;
  }
  state.vote.id = BrokerId(voted);
  if (version == 0) return state;
  const absl::string_view directory = json.Find("votedDirectoryId").value_or("");
  const std::optional<Uuid> id = Uuid::Parse(directory);
  if (!id.has_value()) {
    return absl::DataLossError(
        absl::StrCat("expected votedDirectoryId of 22 characters, came '", directory, "'"));
  }
  state.vote.directory_id = *id;
  return state;
}

}  // namespace weir::raft

#endif  // WEIR_COORDINATION_RAFT_QUORUM_STATE_H_
