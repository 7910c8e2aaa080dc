// -----------------------------------------------------------------------------
// File: server/cli/reset_offsets.h
// -----------------------------------------------------------------------------
// The part of `weir groups` that sets offsets: --reset-offsets.
#ifndef WEIR_SERVER_CLI_RESET_OFFSETS_H_
#define WEIR_SERVER_CLI_RESET_OFFSETS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/topic_and_partition.h"
#include "server/cli/command.h"
#include "server/cli/remote.h"

namespace weir::cli {

// Plans the new offsets of each group and, with --execute, commits them.
absl::Status ResetOffsets(Context& context, Remote& remote, const std::vector<std::string>& groups);

// The partitions that all --topic flags name, in order; kNotFound for one that does not exist.
absl::StatusOr<std::vector<client::TopicAndPartition>> PartitionsOfTopicFlags(Context& context,
                                                                              Remote& remote);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_RESET_OFFSETS_H_
