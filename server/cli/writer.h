// -----------------------------------------------------------------------------
// File: server/cli/writer.h
// -----------------------------------------------------------------------------
// A producer behind functions that are compiled once, as server/cli/remote.h is an administrator.
// Threading: one thread. Callbacks run inside Send(), Poll() and Flush().
// Errors: as client/producer.h.
#ifndef WEIR_SERVER_CLI_WRITER_H_
#define WEIR_SERVER_CLI_WRITER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "protocol/record.h"
#include "server/cli/client_properties.h"
#include "server/cli/remote.h"

namespace weir::cli {

class RecordWriter {
 public:
  // `properties` are those of Kafka's producer; a UsageError() for one that does not exist.
  static absl::StatusOr<std::unique_ptr<RecordWriter>> Create(Remote& remote,
                                                              ClientProperties* properties);
  ~RecordWriter();

  using Done = std::function<void(const absl::Status&)>;

  // `done` is called once, unless this returns an error.
  absl::Status Send(absl::string_view topic, std::optional<absl::string_view> key,
                    std::optional<absl::string_view> value,
                    absl::Span<const protocol::RecordHeader> headers, Done done);
  void Poll(int64_t timeout_ms);
  // Until everything has come to its end, however that is.
  absl::Status Flush();
  // Whether nothing is under way.
  bool empty() const;

 private:
  struct Parts;
  explicit RecordWriter(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_WRITER_H_
