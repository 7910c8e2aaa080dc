// -----------------------------------------------------------------------------
// File: server/cli/local_process.h
// -----------------------------------------------------------------------------
// Processes that go on when the one that started them ends, and are found again by a file: a
// number alone might be another process's by then, so the file also has when it started, and in
// which run of the machine.
// Threading: one thread. Linux: reads /proc.
// Errors: what the system says, with the path.
#ifndef WEIR_SERVER_CLI_LOCAL_PROCESS_H_
#define WEIR_SERVER_CLI_LOCAL_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weir::cli {

struct LocalProcess {
  int64_t pid = 0;
  int64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  std::string boot_id;

  friend bool operator==(const LocalProcess&, const LocalProcess&) = default;
};

std::string FormatLocalProcess(const LocalProcess& process);
absl::StatusOr<LocalProcess> ParseLocalProcess(absl::string_view text);

// The process that has the number now; kNotFound when none has, or only one that has ended.
absl::StatusOr<LocalProcess> FindProcess(int64_t pid);
// Whether it still runs.
bool IsAlive(const LocalProcess& process);
// Seconds since it started; 0 when it has ended.
int64_t UptimeSeconds(const LocalProcess& process);

// Runs this same binary with these words, in a session of its own, without standard input, its
// output appended to `log`.
absl::StatusOr<LocalProcess> SpawnSelf(const std::vector<std::string>& words,
                                       const std::string& log);
// Sends a signal to this process and to no other that may have its number.
void Signal(const LocalProcess& process, int signal);

// Who listens at a TCP port, as "java (process 4711)"; empty where that cannot be seen, as of
// another user's process.
std::string ListenerAt(int port);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_LOCAL_PROCESS_H_
