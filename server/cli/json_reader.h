// -----------------------------------------------------------------------------
// File: server/cli/json_reader.h
// -----------------------------------------------------------------------------
// Reads JSON (RFC 8259) that operators write for a command, as Kafka's tools take it.
// Threading: values. Errors: kInvalidArgument, with where.
// Limits: kJsonDepthMax; numbers are whole, in 64 bits.
#ifndef WEIR_SERVER_CLI_JSON_READER_H_
#define WEIR_SERVER_CLI_JSON_READER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weir::cli {

inline constexpr int kJsonDepthMax = 32;

struct JsonValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  // The member of this name, the last of several; null where there is none, or this is no object.
  const JsonValue* Find(absl::string_view name) const;
  // Of Find(), or an error that names it and what was expected.
  absl::StatusOr<const JsonValue*> Member(absl::string_view name, Kind kind) const;

  Kind kind = Kind::kNull;
  bool truth = false;
  int64_t number = 0;
  std::string text;
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;
};

absl::StatusOr<JsonValue> ParseJson(absl::string_view text);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_JSON_READER_H_
