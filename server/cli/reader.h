// -----------------------------------------------------------------------------
// File: server/cli/reader.h
// -----------------------------------------------------------------------------
// A consumer behind functions that are compiled once, as server/cli/remote.h is an administrator.
// Threading: one thread.
// Errors: as client/consumer.h.
#ifndef WEIR_SERVER_CLI_READER_H_
#define WEIR_SERVER_CLI_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "client/fetched_records.h"
#include "client/topic_and_partition.h"
#include "server/cli/client_properties.h"
#include "server/cli/remote.h"

namespace weir::cli {

class RecordReader {
 public:
  // `properties` are those of Kafka's consumer; a UsageError() for one that does not exist.
  static absl::StatusOr<std::unique_ptr<RecordReader>> Create(Remote& remote,
                                                              ClientProperties* properties);
  ~RecordReader();

  // Reads these partitions; those that are new begin where auto.offset.reset says.
  void Assign(absl::Span<const client::TopicAndPartition> partitions);
  // Reads topics as a member of the group that group.id names: these, or all that match a regular
  // expression, those too that come later.
  absl::Status Subscribe(const std::vector<std::string>& topics);
  absl::Status SubscribeTo(const std::string& pattern);
  // Of what is read.
  void Seek(const client::TopicAndPartition& tp, Offset offset);
  void SeekToBeginning(const client::TopicAndPartition& tp);

  absl::StatusOr<client::ConsumedRecords> Poll(int64_t timeout_ms);
  // Whether everything that was there has been read.
  bool AtEnd() const;
  // Commits what was read and leaves the group, if there is one. Then it only goes away.
  absl::Status Close();

 private:
  struct Parts;
  explicit RecordReader(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_READER_H_
