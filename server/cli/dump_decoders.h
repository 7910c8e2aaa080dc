// -----------------------------------------------------------------------------
// File: server/cli/dump_decoders.h
// -----------------------------------------------------------------------------
// The records of the brokers' own topics as JSON, for `weir dump-log`.
// Errors: kDataLoss, kInvalidArgument or kUnimplemented for bytes that are no such record.
#ifndef WEIR_SERVER_CLI_DUMP_DECODERS_H_
#define WEIR_SERVER_CLI_DUMP_DECODERS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weir::cli {

// The value of a record of __cluster_metadata: {"type":"TOPIC_RECORD","version":0,"data":{...}}
absl::StatusOr<std::string> MetadataRecordJson(absl::string_view value);

struct DecodedPair {
  std::string key;
  std::optional<std::string> value;
};
// Key and value of a record of __consumer_offsets, and of one of __transaction_state. A value is
// missing where the record deletes what its key names.
absl::StatusOr<DecodedPair> OffsetsRecordJson(absl::string_view key,
                                              std::optional<absl::string_view> value);
absl::StatusOr<DecodedPair> TransactionRecordJson(absl::string_view key,
                                                  std::optional<absl::string_view> value);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_DUMP_DECODERS_H_
